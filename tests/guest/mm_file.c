/*
 * mm_file.c - mappings of files: private ones follow the file until written, shared ones are the file.
 *
 * Central rule: read, write and mappings see one page cache. Next: mm_fault.c.
 */
#include "check.h"
#include <sys/uio.h>

static uint8_t *map_file(int fd, size_t pages, int prot, int flags)
{
	void *p = mmap(NULL, pages * PAGE, prot, flags, fd, 0);

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

TEST(mm, private_file_pages_follow_the_file_until_written)
{
	int fd = file_make("f", 4 * PAGE);
	volatile uint8_t *p = map_file(fd, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	CHECK_EQ(p[0], 1);
	put(fd, 0, 50);
	CHECK_EQ(p[0], 50); /* read before, not written */
	put(fd, PAGE, 51);
	CHECK_EQ(p[PAGE], 51); /* never touched */
	p[2 * PAGE + 1] = 99;
	put(fd, 2 * PAGE, 52);
	CHECK_EQ(p[2 * PAGE], 3); /* ours since the write */
	CHECK_EQ(get(fd, 2 * PAGE + 1), 3);
	put(fd, 0, 53);
	CHECK_EQ(p[0], 53);
}

TEST(mm, private_file_pages_follow_the_file_in_parent_and_child)
{
	int fd = file_make("f", 4 * PAGE);
	volatile uint8_t *p = map_file(fd, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct gate to_child = gate_make(), to_parent = gate_make();

	CHECK_EQ(p[0], 1);
	p[PAGE] = 77;
	pid_t pid = child_fork();
	if (pid == 0) {
		p[2 * PAGE] = 88;
		put(fd, 0, 50);
		put(fd, PAGE, 51);
		put(fd, 2 * PAGE, 52);
		gate_open(&to_parent);
		gate_wait(&to_child);
		CHECK_EQ(p[0], 60);
		CHECK_EQ(p[PAGE], 77);
		CHECK_EQ(p[2 * PAGE], 88);
		CHECK_EQ(p[3 * PAGE], 63);
		_exit(0);
	}
	gate_wait(&to_parent);
	CHECK_EQ(p[0], 50);
	CHECK_EQ(p[PAGE], 77);
	CHECK_EQ(p[2 * PAGE], 52);
	put(fd, 0, 60);
	put(fd, 3 * PAGE, 63);
	gate_open(&to_child);
	child_expect(pid, 0);
	CHECK_EQ(p[0], 60);
	CHECK_EQ(p[2 * PAGE], 52);
}

TEST(mm, shared_file_mappings_and_read_write_agree)
{
	int fd = file_make("f", 2 * PAGE);
	volatile uint8_t *p = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint8_t *q = map_file(fd, 2, PROT_READ, MAP_SHARED);

	p[5] = 42;
	CHECK_EQ(get(fd, 5), 42);
	CHECK_EQ(q[5], 42);
	put(fd, 6, 43);
	CHECK_EQ(p[6], 43);
	CHECK_EQ(q[6], 43);
	CHILD (0) {
		p[PAGE] = 44;
		put(fd, PAGE + 1, 45);
	}
	CHECK_EQ(p[PAGE], 44);
	CHECK_EQ(q[PAGE + 1], 45);
	CHECK(munmap((void *)p, 2 * PAGE) == 0);
	CHECK_EQ(get(fd, PAGE), 44);
	int again = open("f", O_RDONLY);
	CHECK_EQ(get(again, 5), 42);
}

TEST(mm, mappings_outlive_the_descriptor_and_the_name)
{
	int fd = file_make("f", 2 * PAGE);
	volatile uint8_t *shared = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED);
	volatile uint8_t *private = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	close(fd);
	CHECK(unlink("f") == 0);
	shared[0] = 9;
	CHECK_EQ(private[0], 9);
	private[0] = 10;
	CHECK_EQ(shared[0], 9);
	CHILD (0) {
		shared[PAGE] = 11;
		CHECK_EQ(private[0], 10);
	}
	CHECK_EQ(private[PAGE], 11);
}

TEST(mm, the_rest_of_the_last_page_reads_as_zero)
{
	int fd = file_make("f", PAGE + 100);
	volatile uint8_t *p = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK_EQ(p[PAGE + 99], 2);
	CHECK(all_bytes((uint8_t *)p + PAGE + 100, PAGE - 100, 0));
	p[PAGE + 200] = 7; /* beyond the end: not part of the file */
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	CHECK_EQ(st.st_size, PAGE + 100);
}

TEST(mm, access_beyond_the_end_of_a_file_is_sigbus)
{
	int fd = file_make("f", PAGE + 1);

	for (int shared = 0; shared < 2; shared++) {
		uint8_t *p =
			map_file(fd, 4, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE);

		CHECK_EQ(probe_read(p + 2 * PAGE - 1), 0);
		CHECK_FAULT(probe_read(p + 2 * PAGE), SIGBUS, BUS_ADRERR, p + 2 * PAGE);
		CHECK_FAULT(probe_write(p + 3 * PAGE + 5, 1), SIGBUS, BUS_ADRERR, p + 3 * PAGE + 5);
	}
	CHILD (-SIGBUS) {
		uint8_t *p = map_file(fd, 4, PROT_READ, MAP_SHARED);

		(void)*(volatile uint8_t *)(p + 3 * PAGE);
	}
}

TEST(mm, truncation_takes_mapped_pages_away)
{
	int fd = file_make("f", 4 * PAGE);
	uint8_t *shared = map_file(fd, 4, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint8_t *private = map_file(fd, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	shared[2 * PAGE] = 1;
	private[3 * PAGE] = 1; /* a copied page goes too */
	private[PAGE + 9] = 77;
	struct gate to_child = gate_make();
	pid_t pid = child_fork();
	if (pid == 0) {
		gate_wait(&to_child);
		CHECK_FAULT(probe_read(shared + 2 * PAGE), SIGBUS, BUS_ADRERR, shared + 2 * PAGE);
		CHECK_FAULT(probe_read(private + 3 * PAGE), SIGBUS, BUS_ADRERR, private + 3 * PAGE);
		CHECK_EQ(probe_read(private + PAGE), 0);
		_exit(0);
	}
	CHECK(ftruncate(fd, 2 * PAGE - 10) == 0);
	gate_open(&to_child);
	child_expect(pid, 0);
	CHECK_FAULT(probe_read(shared + 2 * PAGE), SIGBUS, BUS_ADRERR, shared + 2 * PAGE);
	CHECK_FAULT(probe_write(private + 3 * PAGE, 1), SIGBUS, BUS_ADRERR, private + 3 * PAGE);
	CHECK_EQ(shared[2 * PAGE - 11], 2);
	CHECK_EQ(shared[2 * PAGE - 10], 0);
	CHECK_EQ(private[PAGE + 9], 77);

	CHECK(ftruncate(fd, 4 * PAGE) == 0); /* longer again: zeroes, and accessible */
	CHECK_EQ(probe_read(shared + 3 * PAGE), 0);
	CHECK(all_bytes(shared + 2 * PAGE - 10, 2 * PAGE + 10, 0));
	CHECK_EQ(private[3 * PAGE], 0);
	CHECK_EQ(private[PAGE + 9], 77);
}

TEST(mm, a_system_call_on_pages_beyond_the_end_gives_efault)
{
	int fd = file_make("f", PAGE), pipe_fd[2];
	uint8_t *p = map_file(fd, 3, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK(pipe(pipe_fd) == 0);
	CHECK_ERRNO(write(pipe_fd[1], p + 2 * PAGE, 10), EFAULT);
	CHECK_EQ(write(pipe_fd[1], p + PAGE - 5, 5), 5);
	CHECK_ERRNO(read(pipe_fd[0], p + PAGE, 5), EFAULT);
}

TEST(mm, appending_makes_mapped_pages_accessible)
{
	int fd = file_make("f", PAGE);
	uint8_t *p = map_file(fd, 3, PROT_READ | PROT_WRITE, MAP_SHARED);

	CHECK_EQ(probe_read(p + PAGE), SIGBUS);
	put(fd, 2 * PAGE + 1, 9);
	CHECK_EQ(p[2 * PAGE + 1], 9);
	CHECK_EQ(p[PAGE], 0); /* a hole */
	p[PAGE] = 4;
	CHECK_EQ(get(fd, PAGE), 4);
}

TEST(mm, mapping_with_an_offset)
{
	int fd = file_make("f", 8 * PAGE);
	uint8_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 5 * PAGE);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[0], 6);
	CHECK_EQ(p[PAGE], 7);
	CHECK(munmap(p, PAGE) == 0);
	p[PAGE] = 99;
	CHECK_EQ(get(fd, 6 * PAGE), 99);
	CHECK_EQ(get(fd, 5 * PAGE), 6);
}

TEST(mm, madvise_dontneed_reads_the_file_again)
{
	int fd = file_make("f", 2 * PAGE);
	volatile uint8_t *p = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	p[0] = 99;
	p[PAGE] = 98;
	CHECK(madvise((void *)p, PAGE, MADV_DONTNEED) == 0);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(p[PAGE], 98);
	volatile uint8_t *shared = map_file(fd, 2, PROT_READ | PROT_WRITE, MAP_SHARED);
	shared[0] = 55;
	CHECK(madvise((void *)shared, PAGE, MADV_DONTNEED) == 0);
	CHECK_EQ(shared[0], 55);
}

TEST(mm, msync_checks_its_arguments)
{
	int fd = file_make("f", 4 * PAGE);
	uint8_t *p = map_file(fd, 4, PROT_READ | PROT_WRITE, MAP_SHARED);

	p[0] = 1;
	CHECK(msync(p, 4 * PAGE, MS_SYNC) == 0);
	CHECK(msync(p, 4 * PAGE, MS_ASYNC) == 0);
	CHECK_ERRNO(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERRNO(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(p, PAGE, 64), EINVAL);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECK_ERRNO(msync(p, 4 * PAGE, MS_SYNC), ENOMEM);
}

TEST(mm, many_pages_of_a_file_are_mapped_right)
{
	enum { N = 300 };
	int fd = file_make("f", N * PAGE);
	uint8_t *p = map_file(fd, N, PROT_READ, MAP_PRIVATE);

	for (int i = 0; i < N; i += 7)
		CHECK(all_bytes(p + i * PAGE, PAGE, i + 1));
	for (int i = 0; i < N; i++)
		CHECK_EQ(p[i * PAGE + 4095], (uint8_t)(i + 1));
}

TEST(mm, a_private_mapping_of_dev_zero_is_anonymous_memory)
{
	int fd = open("/dev/zero", O_RDWR);
	uint8_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK(all_bytes(p, 2 * PAGE, 0));
	fill(p, 2, 3);
	CHILD (0)
		fill(p, 2, 4);
	CHECK(filled(p, 2, 3));
}

TEST(mm, reading_a_hole_of_a_memory_file_takes_no_memory)
{
	int fd = memfd_create("hole", 0);
	unsigned char resident[3];
	char buffer[3 * PAGE];
	struct stat st;

	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	CHECK_EQ(pwrite(fd, "x", 1, PAGE), 1);
	CHECK_EQ(pread(fd, buffer, sizeof(buffer), 0), 3 * PAGE);
	CHECK_EQ(buffer[0], 0);
	CHECK_EQ(buffer[PAGE], 'x');
	CHECK_EQ(fstat(fd, &st), 0);
	say("%ld blocks\n", (long)st.st_blocks);
	void *map = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(mincore(map, 3 * PAGE, resident), 0);
	say("%d %d %d\n", resident[0] & 1, resident[1] & 1, resident[2] & 1);
}

TEST(mm, others_may_read_only_what_the_area_says)
{
	struct iovec here, there;
	char buffer[8];
	char *map = mmap(NULL, 2 * PAGE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(map != MAP_FAILED);
	map[0] = 'a';
	say("the program reads %c\n", map[0]); /* x86 has no pages that can be written only */
	here = (struct iovec){ buffer, sizeof(buffer) };
	there = (struct iovec){ map, sizeof(buffer) };
	CHECK_ERRNO(process_vm_readv(getpid(), &here, 1, &there, 1, 0), EFAULT);
	CHECK_EQ(process_vm_writev(getpid(), &here, 1, &there, 1, 0), 8);
	CHECK_EQ(munmap(map, 2 * PAGE), 0);

	/* Nor does a stack grow for them. */
	map = mmap(NULL, 1024 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(munmap(map, 1024 * PAGE), 0);
	char *stack = mmap(map + 1020 * PAGE, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK(stack != MAP_FAILED);
	there.iov_base = stack - 64;
	CHECK_ERRNO(process_vm_writev(getpid(), &here, 1, &there, 1, 0), EFAULT);
	stack[-64] = 's';
	CHECK_EQ(process_vm_writev(getpid(), &here, 1, &there, 1, 0), 8);
}

TEST(mm, a_hole_beyond_the_end_takes_the_last_page_whole)
{
	int fd = memfd_create("hole", 0);
	struct stat st;

	CHECK_EQ(pwrite(fd, "xx", 2, PAGE - 1), 2);
	CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 4 * PAGE, 2 * PAGE), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	say("%ld bytes, %ld blocks\n", (long)st.st_size, (long)st.st_blocks);
	CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 4 * PAGE), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	say("%ld bytes, %ld blocks\n", (long)st.st_size, (long)st.st_blocks);
}

TEST(mm, mprotect_fetches_what_becomes_writable_in_a_locked_area)
{
	int fd = memfd_create("locked", 0);
	char *map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(map != MAP_FAILED);
	CHECK_EQ(ftruncate(fd, 2 * PAGE), 0);
	CHECK_EQ(mlock(map, 2 * PAGE), 0);
	CHECK_EQ(mprotect(map + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	CHECK_EQ(pwrite(fd, "a", 1, 0), 1);
	CHECK_EQ(pwrite(fd, "b", 1, PAGE), 1);
	say("%d %d\n", map[0], map[PAGE]); /* the second is a copy by now */

	/* Not where it was writable already. */
	CHECK_EQ(ftruncate(fd, 4 * PAGE), 0);
	map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(syscall(SYS_mlock2, map, 4 * PAGE, 1), 0); /* MLOCK_ONFAULT */
	CHECK_EQ(munlock(map + 2 * PAGE, PAGE), 0);
	CHECK_EQ(mprotect(map, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
	CHECK_EQ(pwrite(fd, "c", 1, 3 * PAGE), 1);
	say("%d\n", map[3 * PAGE]);
	CHECK_EQ(munlockall(), 0);
}

/* The page behind the end is missing when the write begins, and there when it comes to it. */
TEST(mm, a_write_from_a_mapping_of_the_end_that_it_moves)
{
	int fd = memfd_create("end", 0);
	uint8_t *p = mmap(NULL, 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[64] = "";

	mmap(p, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	memset(p + PAGE - 100, 'a', 100);
	TRY(pwrite(fd, p + PAGE - 100, 180, PAGE));
	TRY(lseek(fd, 0, SEEK_END));
	CHECK_EQ(pread(fd, text, 20, PAGE + 90), 20);
	say("%s\n", text);
	TRY(pwrite(fd, p + 2 * PAGE - 100, 300, 3 * PAGE)); /* not moved there */
	TRY(lseek(fd, 0, SEEK_END));
	TRY(pwrite(fd, p + 4 * PAGE - 100, 300, 0)); /* the mapping ends */
	TRY(pwrite(fd, p + 4 * PAGE, 300, 0));
	close(fd);
}
