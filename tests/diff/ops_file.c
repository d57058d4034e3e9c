/*
 * ops_file.c - the files that are mapped, and what else is done with them: read, written, cut off,
 * punched, replaced by new ones. Offsets stay within a few pages.
 */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_BYTES (24 * PAGE)
#define FIRST_FD 100 /* slots have fixed descriptors */

/* Slots: two files in a directory, one of them also opened otherwise, and two memfds. */
enum { SLOT_FILE, SLOT_SECOND, SLOT_MEMFD, SLOT_MEMFD2, SLOT_READ, SLOT_WRITE, SLOTS };

static const char *const labels[SLOTS] = {
	"file", "second", "memfd", "memfd2", "file(r)", "file(w)"
};

const char *file_label(int fd)
{
	return fd < 0                                    ? "none"
	       : fd >= FIRST_FD && fd < FIRST_FD + SLOTS ? labels[fd - FIRST_FD]
							 : "?";
}

static int slot_fd(int slot)
{
	return FIRST_FD + slot;
}

int file_pick(struct rng *r)
{
	u64 n = rng_below(r, 20);

	return slot_fd(n < 6    ? SLOT_FILE
		       : n < 9  ? SLOT_SECOND
		       : n < 14 ? SLOT_MEMFD
		       : n < 17 ? SLOT_MEMFD2
		       : n < 19 ? SLOT_READ
				: SLOT_WRITE);
}

static void slot_set(int slot, int fd)
{
	if (fd < 0 || dup2(fd, slot_fd(slot)) < 0)
		fail("files");
	close(fd);
}

/*
 * A new file or memfd in a slot. The name tells the system's process nothing, but shows in the
 * maps. The file is removed at once, as a run that is cut short leaves nothing behind then.
 */
static void slot_renew(int slot)
{
	char path[200];
	u64 number = board->file_names++;

	if (slot == SLOT_MEMFD || slot == SLOT_MEMFD2) {
		sprintf(path, "memfd-%lu", number);
		slot_set(slot, memfd_create(path, MFD_ALLOW_SEALING));
		return;
	}
	/* The whole of it in the last part of the path: that is what is compared. */
	snprintf(path, sizeof(path), "%s/coppice-diff-%d", options.directory, getpid());
	if (mkdir(path, 0700) && errno != EEXIST)
		fail(path);
	size_t n = strlen(path);
	snprintf(path + n, sizeof(path) - n, "/file-%lu", number);
	slot_set(slot, open(path, O_RDWR | O_CREAT | O_EXCL, 0600));
	if (slot == SLOT_FILE) {
		slot_set(SLOT_READ, open(path, O_RDONLY));
		slot_set(SLOT_WRITE, open(path, O_WRONLY));
	}
	unlink(path);
	path[n] = 0;
	rmdir(path);
}

void files_init(void)
{
	for (int i = 0; i <= SLOT_MEMFD2; i++) {
		slot_renew(i);
		if (ftruncate(slot_fd(i), 12 * (off_t)PAGE))
			fail("ftruncate");
	}
}

static u64 file_hash(int slot, u64 *size)
{
	static u8 buffer[PAGE];
	u64 h = 0;
	ssize_t n;

	*size = 0;
	while ((n = pread(slot_fd(slot), buffer, sizeof(buffer), (off_t)*size)) > 0) {
		h = hash_bytes(h, buffer, (size_t)n);
		*size += (u64)n;
	}
	return h;
}

void files_fold(void)
{
	struct stat st;
	u64 size;

	for (int i = 0; i <= SLOT_MEMFD2; i++) {
		fold(file_hash(i, &size));
		fold(size);
		if (fstat(slot_fd(i), &st))
			fail("fstat");
		fold((u64)st.st_blocks); /* in memory: its pages */
	}
}

void files_print(void)
{
	char text[120];
	struct stat st;
	u64 size;

	for (int i = 0; i <= SLOT_MEMFD2; i++) {
		u64 h = file_hash(i, &size);
		fstat(slot_fd(i), &st);
		write(1, text,
		      (size_t)sprintf(text, "    %s size %lx blocks %ld %016lx\n", labels[i], size,
				      st.st_blocks, h));
	}
}

/* A size or offset: often whole pages. */
static u64 offset_pick(struct rng *r)
{
	u64 n = rng_below(r, FILE_BYTES);

	return rng_chance(r, 2) ? n & -PAGE : n;
}

/*
 * Where a write that may fault goes: not beyond the end of the file, as some of Linux's file systems
 * (tmpfs) make the file longer up to there even if no byte was written, and others do not.
 */
static u64 offset_of_write(struct rng *r, int fd)
{
	u64 offset = offset_pick(r);
	struct stat st;

	return !fstat(fd, &st) && offset > (u64)st.st_size ? (u64)st.st_size : offset;
}

static void run_truncate(struct rng *r)
{
	int fd = file_pick(r);
	u64 size = rng_chance(r, 3) ? FILE_BYTES : offset_pick(r);

	say(" %s %lx", file_label(fd), size);
	result(ftruncate(fd, (off_t)size));
}

static void run_allocate(struct rng *r)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				     FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE };
	int fd = file_pick(r), mode = modes[rng_below(r, ARRAY_SIZE(modes))];
	u64 offset = offset_pick(r), length = rng_below(r, 6 * PAGE);

	say(" %s mode %x %lx %lx", file_label(fd), mode, offset, length);
	result(fallocate(fd, mode, (off_t)offset, (off_t)length));
}

static void run_read(struct rng *r)
{
	int fd = file_pick(r);
	u64 to = address_pick(r), n = rng_below(r, 3 * PAGE), offset = offset_pick(r);

	say(" %s:%lx to %s %lx", file_label(fd), offset, place(to), n);
	if (!range_shows_file(to, n, fd, offset, n))
		result(pread(fd, (void *)to, n, (off_t)offset));
}

static void run_write(struct rng *r)
{
	int fd = file_pick(r);
	u64 from = address_pick(r), n = rng_below(r, 3 * PAGE), offset = offset_of_write(r, fd);

	say(" %s:%lx from %s %lx", file_label(fd), offset, place(from), n);
	if (!range_shows_file(from, n, fd, offset, n))
		result(pwrite(fd, (void *)from, n, (off_t)offset));
}

static void run_readv(struct rng *r)
{
	int fd = file_pick(r);
	u64 first = address_pick(r), second = address_pick(r);
	u64 offset = offset_of_write(r, fd);
	struct iovec parts[] = { { (void *)first, rng_below(r, PAGE) },
				 { (void *)second, rng_below(r, 2 * PAGE) } };

	say(" %s:%lx %s %lx, %s %lx", file_label(fd), offset, place(first), parts[0].iov_len,
	    place(second), parts[1].iov_len);
	for (int i = 0; i < 2; i++)
		if (range_shows_file((u64)parts[i].iov_base, parts[i].iov_len, fd, offset,
				     parts[0].iov_len + parts[1].iov_len))
			return;
	if (rng_chance(r, 2))
		result(preadv(fd, parts, 2, (off_t)offset));
	else
		result(pwritev(fd, parts, 2, (off_t)offset));
}

/* Bytes that are nobody's but the program's: never a fault. */
static void run_write_own(struct rng *r)
{
	static u8 buffer[3 * PAGE];
	int fd = file_pick(r);
	u64 n = rng_below(r, sizeof(buffer)), offset = offset_pick(r);
	u8 value = (u8)rng_next(r);

	for (u64 i = 0; i < n; i++)
		buffer[i] = (u8)(value + i * 7);
	say(" %s:%lx %lx", file_label(fd), offset, n);
	result(pwrite(fd, buffer, n, (off_t)offset));
}

static bool is_memfd(int fd)
{
	return fd == slot_fd(SLOT_MEMFD) || fd == slot_fd(SLOT_MEMFD2);
}

static bool is_same_file(int a, int b)
{
	int slot_a = a - FIRST_FD, slot_b = b - FIRST_FD;

	return (slot_a == SLOT_READ || slot_a == SLOT_WRITE ? SLOT_FILE : slot_a) ==
	       (slot_b == SLOT_READ || slot_b == SLOT_WRITE ? SLOT_FILE : slot_b);
}

static void run_send(struct rng *r)
{
	int in = file_pick(r), out = file_pick(r);
	off_t from = (off_t)offset_pick(r), to = (off_t)offset_pick(r);
	u64 n = rng_below(r, 3 * PAGE);

	say(" %s:%lx to %s:%lx %lx", file_label(in), from, file_label(out), to, n);
	/* Whether memfds and files of a tmpfs are on one file system is the kernel's affair. */
	if (is_memfd(in) == is_memfd(out) && rng_chance(r, 2)) {
		say(" copy_file_range");
		result(copy_file_range(in, &from, out, &to, n, 0));
	} else if (!is_same_file(in,
				 out)) { /* where both overlap, the order of copies would show */
		say(" sendfile");
		result(lseek(out, to, SEEK_SET));
		result(sendfile(out, in, &from, n));
	}
	fold((u64)from);
	fold((u64)to);
}

/* Where data and holes are, by lseek. */
static void run_seek(struct rng *r)
{
	int fd = file_pick(r), whence = rng_chance(r, 2) ? SEEK_DATA : SEEK_HOLE;
	u64 from = offset_pick(r);

	say(" %s %s %lx", file_label(fd), whence == SEEK_DATA ? "data" : "hole", from);
	result(lseek(fd, (off_t)from, whence));
}

static void run_stat(struct rng *r)
{
	int fd = file_pick(r);
	struct stat st;

	say(" %s", file_label(fd));
	if (result(fstat(fd, &st)) == 0) {
		fold((u64)st.st_size);
		say(" size %lx", st.st_size);
	}
}

static void run_renew(struct rng *r)
{
	int slot = (int)rng_below(r, SLOT_MEMFD2 + 1);

	say(" %s", labels[slot]);
	slot_renew(slot);
	result(ftruncate(slot_fd(slot), (off_t)offset_pick(r)));
}

static void run_seal(struct rng *r)
{
	static const int seals[] = { F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE,
				     F_SEAL_SEAL };
	int fd = slot_fd(rng_chance(r, 2) ? SLOT_MEMFD : SLOT_MEMFD2);
	int seal = seals[rng_below(r, ARRAY_SIZE(seals))];

	say(" %s %x", file_label(fd), seal);
	result(fcntl(fd, F_ADD_SEALS, seal));
	result(fcntl(fd, F_GET_SEALS));
}

const struct operation file_operations[] = {
	{ "ftruncate", 22, run_truncate }, { "fallocate", 18, run_allocate },
	{ "pread", 14, run_read },         { "pwrite", 14, run_write },
	{ "readv", 8, run_readv },         { "write-own", 14, run_write_own },
	{ "send", 6, run_send },           { "fstat", 3, run_stat },
	{ "lseek", 4, run_seek },          { "renew", 6, run_renew },
	{ "seal", 1, run_seal },           { NULL, 0, NULL },
};
