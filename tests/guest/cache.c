/*
 * cache.c - one page cache: what is read, written, stored through shared mappings, truncated and punched agrees, wherever the file lives.
 *
 * The places: memory with a name (the scratch directory, on Coppice a tmpfs), memory without one, the root file system, a file that the root file
 * system had before, and a directory of the host's (RWDIR, LOWERDIR: tests/run makes them). Central rule: each test does the same in all of them.
 */
#include "check.h"

#include <sys/sendfile.h>

struct place {
	const char *name;
	int fd;           /* of an empty file there, for reading and writing */
	const char *path; /* that opens it again */
	bool punches;     /* FALLOC_FL_PUNCH_HOLE works there, on both systems */
};

static struct place places[] = {
	{ .name = "tmp", .punches = true },
	{ .name = "memfd", .punches = true },
	{ .name = "root", .punches = true },
	{ .name = "lower", .punches = true },
	{ .name = "rw" },
};

static int made(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | flags, 0644);

	CHECK(fd >= 0);
	return fd;
}

static void place_open(struct place *p)
{
	static char name[400];
	const char *folder = getenv(strcmp(p->name, "rw") == 0 ? "RWDIR" : "LOWERDIR");

	p->path = name;
	if (strcmp(p->name, "memfd") == 0) {
		p->fd = memfd_create("file", 0);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", p->fd);
	} else if (strcmp(p->name, "root") == 0) {
		strcpy(name, "/var/tmp/guest-tests.XXXXXX");
		p->fd = mkstemp(name);
	} else if (strcmp(p->name, "tmp") == 0 || !folder) { /* no folder: started by hand */
		strcpy(name, p->name);
		p->fd = made(name, O_TRUNC);
	} else {
		snprintf(name, sizeof(name), "%s/file", folder);
		p->fd = made(name, O_TRUNC);
	}
	CHECK(p->fd >= 0);
}

/* Runs the test in each place. */
static void each_place(void (*test)(const struct place *p))
{
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		place_open(&places[i]);
		say("%s\n", places[i].name);
		test(&places[i]);
		if (strcmp(places[i].name, "root") == 0)
			CHECK(unlink(places[i].path) == 0);
		CHECK(close(places[i].fd) == 0);
	}
}

static volatile uint8_t *map(int fd, size_t pages, int flags)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void put(int fd, off_t at, uint8_t value)
{
	CHECK_EQ(pwrite(fd, &value, 1, at), 1);
}

static int get(int fd, off_t at)
{
	uint8_t value;

	CHECK_EQ(pread(fd, &value, 1, at), 1);
	return value;
}

/* --- two ways to the same bytes --- */

static void write_and_store(const struct place *p)
{
	int fd = p->fd;
	int other = open(p->path, O_RDONLY);

	CHECK(other >= 0);
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	volatile uint8_t *shared = map(fd, 4, MAP_SHARED), *private = map(fd, 4, MAP_PRIVATE);
	put(fd, 0, 1);
	CHECK(shared[0] == 1 && private[0] == 1);
	shared[1] = 2;
	CHECK(get(other, 1) == 2 && private[1] == 2);
	private[2] = 3;
	CHECK(get(fd, 2) == 0 && shared[2] == 0);
	put(fd, 0, 4);
	CHECK(shared[0] == 4 && private[0] == 1);
	CHILD (0) {
		shared[PAGE] = 5;
		put(fd, PAGE + 1, 6);
		CHECK(get(other, PAGE) == 5);
	}
	CHECK(private[PAGE] == 5 && shared[PAGE + 1] == 6 && get(other, PAGE + 1) == 6);
	CHECK(msync((void *)shared, 4 * PAGE, MS_SYNC) == 0);
	shared[PAGE] = 7; /* clean by now, where it can be */
	CHECK(get(other, PAGE) == 7);
	CHECK(fsync(fd) == 0);
	put(fd, PAGE, 8);
	CHECK(shared[PAGE] == 8 && private[PAGE] == 8);
	CHECK(munmap((void *)shared, 4 * PAGE) == 0);
	CHECK(munmap((void *)private, 4 * PAGE) == 0);
	CHECK(get(other, PAGE) == 8);
	close(other);
}

TEST(cache, write_and_store)
{
	each_place(write_and_store);
}

/* A system call whose buffer is the very page that it reads or writes. */
static void into_itself(const struct place *p)
{
	int fd = p->fd;
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	volatile uint8_t *shared = map(fd, 3, MAP_SHARED);
	put(fd, 0, 9);
	put(fd, PAGE, 8);
	CHECK_EQ(pread(fd, (void *)shared, PAGE, 0), PAGE);
	CHECK_EQ(pwrite(fd, (void *)(shared + PAGE), PAGE, PAGE), PAGE);
	CHECK_EQ(pwrite(fd, (void *)shared, PAGE, 2 * PAGE), PAGE); /* never touched before */
	CHECK(shared[0] == 9 && shared[PAGE] == 8 && shared[2 * PAGE] == 9);
	CHECK_EQ(pwrite(fd, (void *)(shared + PAGE), 2 * PAGE, 3 * PAGE), 2 * PAGE); /* appends */
	CHECK(get(fd, 3 * PAGE) == 8 && get(fd, 4 * PAGE) == 9);
	CHECK(munmap((void *)shared, 3 * PAGE) == 0);
}

TEST(cache, reads_and_writes_of_the_buffer_itself)
{
	each_place(into_itself);
}

static void inside_the_kernel(const struct place *p)
{
	int fd = p->fd;
	int fds[2], out = made("out", O_TRUNC);
	off_t from;
	char bytes[16] = "";

	CHECK(ftruncate(fd, 2 * PAGE) == 0);
	volatile uint8_t *shared = map(fd, 2, MAP_SHARED);
	memcpy((char *)shared + PAGE - 4, "in page", 7);
	from = PAGE - 4;
	CHECK_EQ(sendfile(out, fd, &from, 7), 7);
	CHECK_EQ(copy_file_range(fd, &(off_t){ PAGE - 4 }, fd, &(off_t){ 100 }, 7, 0), 7);
	CHECK(memcmp((char *)shared + 100, "in page", 7) == 0);
	CHECK(pipe(fds) == 0);
	CHECK_EQ(splice(fd, &(off_t){ 100 }, fds[1], NULL, 7, 0), 7);
	CHECK_EQ(splice(fds[0], NULL, fd, &(off_t){ 200 }, 7, 0), 7);
	CHECK(memcmp((char *)shared + 200, "in page", 7) == 0);
	CHECK_EQ(pread(out, bytes, 16, 0), 7);
	CHECK_STR(bytes, "in page");
	close(fds[0]), close(fds[1]), close(out);
	CHECK(munmap((void *)shared, 2 * PAGE) == 0);
}

TEST(cache, sendfile_splice_and_copy_see_stores)
{
	each_place(inside_the_kernel);
}

/* --- the end of the file moves --- */

static void end_moves(const struct place *p)
{
	int fd = p->fd;
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	volatile uint8_t *shared = map(fd, 4, MAP_SHARED), *private = map(fd, 4, MAP_PRIVATE);
	for (size_t i = 0; i < 4; i++)
		shared[i * PAGE] = shared[i * PAGE + 2000] = (uint8_t)(i + 1);
	private[2 * PAGE + 1] = 99;
	CHECK(ftruncate(fd, PAGE + 1000) == 0);
	CHECK_FAULT(probe_read(shared + 2 * PAGE), SIGBUS, BUS_ADRERR, shared + 2 * PAGE);
	CHECK_FAULT(probe_write(shared + 3 * PAGE, 1), SIGBUS, BUS_ADRERR, shared + 3 * PAGE);
	CHECK_FAULT(probe_read(private + 2 * PAGE), SIGBUS, BUS_ADRERR, private + 2 * PAGE);
	CHECK(shared[PAGE] == 2 && shared[PAGE + 2000] == 0);
	put(fd, 3 * PAGE, 7);
	CHECK(shared[3 * PAGE] == 7 && shared[3 * PAGE + 2000] == 0 && shared[2 * PAGE] == 0);
	CHECK(private[2 * PAGE + 1] == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3 * PAGE + 1);
	close(open(p->path, O_RDWR | O_TRUNC));
	CHECK_FAULT(probe_read(shared), SIGBUS, BUS_ADRERR, shared);
	CHECK_FAULT(probe_write(private + PAGE, 1), SIGBUS, BUS_ADRERR, private + PAGE);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK(ftruncate(fd, 2 * PAGE) == 0);
	CHECK(shared[0] == 0 && shared[PAGE + 2000] == 0);
	shared[PAGE] = 5;
	CHILD (0) {
		CHECK(ftruncate(fd, PAGE) == 0);
	}
	CHECK_FAULT(probe_read(shared + PAGE), SIGBUS, BUS_ADRERR, shared + PAGE);
	CHECK_ERRNO(pwrite(fd, (void *)(shared + PAGE), 8, 0), EFAULT);
	CHECK(munmap((void *)shared, 4 * PAGE) == 0);
	CHECK(munmap((void *)private, 4 * PAGE) == 0);
}

TEST(cache, truncation_under_a_mapping)
{
	each_place(end_moves);
}

static void holes(const struct place *p)
{
	int fd = p->fd;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (!p->punches)
		return;
	CHECK(ftruncate(fd, 6 * PAGE) == 0);
	volatile uint8_t *shared = map(fd, 6, MAP_SHARED), *private = map(fd, 6, MAP_PRIVATE);
	for (size_t at = 0; at < 6 * PAGE; at += 512)
		shared[at] = 1;
	private[2 * PAGE] = 50;
	CHECK_EQ(private[3 * PAGE], 1);
	CHECK(fallocate(fd, mode, PAGE + 1024, 3 * PAGE) == 0);
	for (size_t at = 0; at < 6 * PAGE; at += 512) {
		bool gone = at >= PAGE + 1024 && at < 4 * PAGE + 1024;

		CHECK(shared[at] == !gone && get(fd, (off_t)at) == !gone);
	}
	CHECK(private[2 * PAGE] == 50); /* a copy stays */
	CHECK(private[3 * PAGE] == 0);
	shared[2 * PAGE] = 6;
	CHECK(get(fd, 2 * PAGE) == 6);
	CHECK(fallocate(fd, mode, 5 * PAGE, 100 * PAGE) == 0); /* beyond the end */
	CHECK_EQ(lseek(fd, 0, SEEK_END), 6 * PAGE);
	CHECK(shared[5 * PAGE + 512] == 0);
	CHECK(munmap((void *)shared, 6 * PAGE) == 0);
	CHECK(munmap((void *)private, 6 * PAGE) == 0);
}

TEST(cache, holes_under_a_mapping)
{
	each_place(holes);
}

/* --- all at random, beside an array --- */

#define STREAM_PAGES 40
#define STREAM_BYTES (STREAM_PAGES * PAGE)

struct stream {
	const struct place *place;
	int fd;
	volatile uint8_t *shared;
	uint64_t dice;
	size_t size; /* as the file has it */
	uint8_t bytes[STREAM_BYTES];
};

static size_t draw(struct stream *s, size_t n)
{
	s->dice = s->dice * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(s->dice >> 33) % n;
}

static void stream_write(struct stream *s, size_t at, size_t n)
{
	static uint8_t buffer[3 * PAGE];

	for (size_t i = 0; i < n; i++)
		buffer[i] = (uint8_t)draw(s, 256);
	CHECK_EQ(pwrite(s->fd, buffer, n, (off_t)at), (ssize_t)n);
	memcpy(s->bytes + at, buffer, n);
	if (n && at + n > s->size)
		s->size = at + n;
}

static void stream_truncate(struct stream *s, size_t size)
{
	CHECK(ftruncate(s->fd, (off_t)size) == 0);
	if (size < s->size)
		memset(s->bytes + size, 0, s->size - size);
	s->size = size;
}

static void stream_step(struct stream *s)
{
	static uint8_t buffer[3 * PAGE];
	size_t at = draw(s, STREAM_BYTES),
	       n = draw(s, draw(s, 2) ? 100 : 2 * PAGE) % (STREAM_BYTES - at);

	switch (draw(s, 12)) {
	case 0:
	case 1:
		stream_write(s, at, n);
		break;
	case 2:
	case 3: {
		size_t want = at >= s->size ? 0 : n < s->size - at ? n : s->size - at;

		CHECK_EQ(pread(s->fd, buffer, n, (off_t)at), (ssize_t)want);
		CHECK(memcmp(buffer, s->bytes + at, want) == 0);
		break;
	}
	case 4:
	case 5:
	case 6:
		if (at < s->size)
			s->shared[at] = s->bytes[at] = (uint8_t)n;
		break;
	case 7:
	case 8:
		if (at < s->size)
			CHECK_EQ(s->shared[at], s->bytes[at]);
		break;
	case 9:
		if (draw(s, 3) == 0)
			stream_truncate(s, at);
		break;
	case 10:
		if (s->place->punches && n) {
			CHECK(fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					(off_t)at, (off_t)n) == 0);
			memset(s->bytes + at, 0, at + n <= STREAM_BYTES ? n : STREAM_BYTES - at);
		}
		break;
	default:
		CHECK((n % 2 ? fsync(s->fd) : msync((void *)s->shared, STREAM_BYTES, MS_SYNC)) ==
		      0);
	}
}

static void random_stream(const struct place *p)
{
	int fd = p->fd;
	static struct stream s;

	memset(&s, 0, sizeof(s));
	s.place = p;
	s.fd = fd;
	s.dice = 5;
	s.shared = map(fd, STREAM_PAGES, MAP_SHARED);
	for (int i = 0; i < 1500; i++)
		stream_step(&s);
	CHECK_EQ(lseek(fd, 0, SEEK_END), (off_t)s.size);
	say("size %zu\n", s.size);
	CHECK(munmap((void *)s.shared, STREAM_BYTES) == 0);
	static uint8_t all[STREAM_BYTES];
	CHECK_EQ(pread(fd, all, sizeof(all), 0), (ssize_t)s.size);
	CHECK(memcmp(all, s.bytes, s.size) == 0);
}

TEST(cache, random_operations_agree_with_an_array)
{
	each_place(random_stream);
}

/* A file without a name is as good as others, as long as it is open. */
static void without_a_name(const struct place *p)
{
	int fd = p->fd;

	if (strcmp(p->name, "memfd") == 0 || strcmp(p->name, "root") == 0)
		return;
	put(fd, 5 * PAGE, 9);
	CHECK(fsync(fd) == 0);
	volatile uint8_t *shared = map(fd, 4, MAP_SHARED);
	CHECK(unlink(p->path) == 0);
	shared[PAGE] = 1;
	CHECK(msync((void *)shared, 4 * PAGE, MS_SYNC) == 0);
	CHECK(ftruncate(fd, PAGE) == 0);
	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	CHECK_EQ(shared[PAGE], 0);
	shared[2 * PAGE] = 2;
	CHECK(sync_file_range(fd, 0, 0, 7) == 0);
	CHECK(msync((void *)shared, 4 * PAGE, MS_SYNC) == 0);
	CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	CHECK(get(fd, PAGE) == 0 && get(fd, 2 * PAGE) == 2 && get(fd, 3 * PAGE) == 0);
	CHECK(munmap((void *)shared, 4 * PAGE) == 0);
	CHECK(get(fd, 2 * PAGE) == 2);
}

TEST(cache, files_without_a_name)
{
	each_place(without_a_name);
}

static time_t modified(int fd)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	return st.st_mtime;
}

/* A tmpfs does not do this. */
TEST(cache, stores_change_the_time_of_a_file_on_disk)
{
	struct place *p = &places[COUNT_OF(places) - 1];
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	CHECK_STR(p->name, "rw");
	place_open(p);
	CHECK(ftruncate(p->fd, PAGE) == 0);
	volatile uint8_t *shared = map(p->fd, 1, MAP_SHARED);
	CHECK(fsync(p->fd) == 0 && futimens(p->fd, old) == 0);
	CHECK_EQ(shared[0], 0);
	CHECK_EQ(modified(p->fd), 1000);
	shared[0] = 1;
	CHECK(msync((void *)shared, PAGE, MS_SYNC) == 0);
	CHECK(modified(p->fd) > 1000);
	CHECK(futimens(p->fd, old) == 0);
	CHECK(msync((void *)shared, PAGE, MS_SYNC) == 0); /* nothing was stored */
	CHECK_EQ(modified(p->fd), 1000);
	shared[0] = 2;
	CHECK(modified(p->fd) > 1000);
	CHECK(munmap((void *)shared, PAGE) == 0);
	close(p->fd);
}

/* Two processes store into their own bytes of the same pages, while a third makes them clean again and again. */
static void stores_while_synced(const struct place *p)
{
	int fd = p->fd;
	enum { PAGES = 4, ROUNDS = 200 };
	pid_t pids[2];

	CHECK(ftruncate(fd, PAGES * PAGE) == 0);
	volatile uint8_t *shared = map(fd, PAGES, MAP_SHARED);
	for (int i = 0; i < 2; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			for (int round = 1; round <= ROUNDS; round++)
				for (int page = 0; page < PAGES; page++)
					shared[(size_t)page * PAGE + (size_t)i] = (uint8_t)round;
			_exit(0);
		}
	}
	for (int round = 0; round < 20; round++)
		CHECK(fdatasync(fd) == 0);
	child_expect(pids[0], 0);
	child_expect(pids[1], 0);
	CHECK(munmap((void *)shared, PAGES * PAGE) == 0);
	CHECK(fsync(fd) == 0);
	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) ==
	      0); /* read it again, where it lies elsewhere */
	for (int page = 0; page < PAGES; page++)
		for (int i = 0; i < 2; i++)
			CHECK_EQ(get(fd, (off_t)((size_t)page * PAGE + (size_t)i)), ROUNDS);
}

TEST(cache, stores_while_others_sync)
{
	each_place(stores_while_synced);
}
