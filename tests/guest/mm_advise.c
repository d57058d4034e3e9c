/*
 * mm_advise.c - madvise(2), process_madvise(2), msync(2), mincore(2): every advice, and every error that a program can provoke.
 *
 * Everything is printed, for Linux to be the judge. Next: mm_lock.c.
 */
#include "check.h"

#include <sched.h>
#include <sys/time.h>
#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define TOP (1UL << 47)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static const struct {
	const char *name;
	int advice;
} advices[] = {
	{ "NORMAL", MADV_NORMAL },
	{ "RANDOM", MADV_RANDOM },
	{ "SEQUENTIAL", MADV_SEQUENTIAL },
	{ "WILLNEED", MADV_WILLNEED },
	{ "DONTNEED", MADV_DONTNEED },
	{ "FREE", MADV_FREE },
	{ "REMOVE", MADV_REMOVE },
	{ "DONTFORK", MADV_DONTFORK },
	{ "DOFORK", MADV_DOFORK },
	{ "MERGEABLE", MADV_MERGEABLE },
	{ "UNMERGEABLE", MADV_UNMERGEABLE },
	{ "HUGEPAGE", MADV_HUGEPAGE },
	{ "NOHUGEPAGE", MADV_NOHUGEPAGE },
	{ "DONTDUMP", MADV_DONTDUMP },
	{ "DODUMP", MADV_DODUMP },
	{ "WIPEONFORK", MADV_WIPEONFORK },
	{ "KEEPONFORK", MADV_KEEPONFORK },
	{ "COLD", MADV_COLD },
	{ "PAGEOUT", MADV_PAGEOUT },
	{ "POPULATE_READ", MADV_POPULATE_READ },
	{ "POPULATE_WRITE", MADV_POPULATE_WRITE },
	{ "DONTNEED_LOCKED", MADV_DONTNEED_LOCKED },
	{ "COLLAPSE", MADV_COLLAPSE },
	{ "HWPOISON", MADV_HWPOISON },
	{ "5", 5 },
	{ "7", 7 },
	{ "-1", -1 },
	{ "1000", 1000 },
};

static void all_advices(const char *what, void *p, size_t size)
{
	for (size_t i = 0; i < COUNT_OF(advices); i++) {
		int r = madvise(p, size, advices[i].advice);

		say("%s, %s: %s\n", what, advices[i].name, r ? errno_name(errno) : "ok");
	}
}

TEST(mm, every_advice_for_every_kind_of_area)
{
	int fd = file_make("f", 4 * PAGE), r = open("f", O_RDONLY);
	uint8_t *p = map_anon(4);

	all_advices("private", p, 4 * PAGE);
	p = mmap(NULL, 4 * PAGE, PROT_READ, ANON, -1, 0);
	all_advices("private, to read", p, 4 * PAGE);
	p = mmap(NULL, 4 * PAGE, PROT_NONE, ANON, -1, 0);
	all_advices("private, without access", p, 4 * PAGE);
	p = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	all_advices("shared", p, 4 * PAGE);
	p = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	all_advices("private of a file", p, 4 * PAGE);
	p = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, r, 0);
	all_advices("private of a file, to read", p, 4 * PAGE);
	p = map_anon(4);
	CHECK_EQ(munmap(p + PAGE, PAGE), 0);
	all_advices("with a hole", p, 4 * PAGE);
	all_advices("a hole", p + PAGE, PAGE);
	p = map_anon(4);
	CHECK_EQ(mlock(p, 2 * PAGE), 0);
	all_advices("half locked", p, 4 * PAGE);
	all_advices("nothing", p, 0);
}

TEST(mm, madvise_looks_at_its_arguments_in_order)
{
	uint8_t *p = map_anon(4);

	TRY(madvise(p + 1, PAGE, MADV_NORMAL));
	TRY(madvise(p + 1, 0, MADV_NORMAL));
	TRY(madvise(p, 0, 1000));
	TRY(madvise(p, 1, MADV_NORMAL));
	TRY(madvise(p, -1L, MADV_NORMAL));
	TRY(madvise(p, -4096L, MADV_NORMAL));
	TRY(madvise((void *)TOP, PAGE, MADV_DONTNEED));
	TRY(madvise((void *)TOP, 0, MADV_DONTNEED));
	TRY(madvise(p, TOP, MADV_KEEPONFORK)); /* done where something is */
}

TEST(mm, dontneed_empties_as_far_as_it_comes)
{
	uint8_t *p = map_anon(6);

	fill(p, 6, 1);
	CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
	TRY(madvise(p, 5 * PAGE, MADV_DONTNEED));
	say("%d %d %d\n", all_bytes(p, 2 * PAGE, 0), all_bytes(p + 3 * PAGE, 2 * PAGE, 0),
	    all_bytes(p + 5 * PAGE, PAGE, 0));
	p = map_anon(6);
	fill(p, 6, 1);
	CHECK_EQ(mlock(p + 2 * PAGE, PAGE), 0);
	TRY(madvise(p, 5 * PAGE, MADV_DONTNEED));
	say("%d %d %d\n", all_bytes(p, 2 * PAGE, 0), all_bytes(p + 2 * PAGE, PAGE, 0),
	    all_bytes(p + 3 * PAGE, 2 * PAGE, 0));
	TRY(madvise(p, 5 * PAGE, MADV_DONTNEED_LOCKED));
	say("%d\n", all_bytes(p, 5 * PAGE, 0));
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, 2, 3);
	TRY(madvise(p, 2 * PAGE, MADV_DONTNEED));
	say("%d\n", filled(p, 2, 3)); /* shared memory is still there */
	TRY(madvise(p, PAGE, MADV_REMOVE));
	say("%d %d\n", all_bytes(p, PAGE, 0), all_bytes(p + PAGE, PAGE, 0));
}

TEST(mm, what_a_child_does_not_get)
{
	uint8_t *p = map_anon(6);

	fill(p, 6, 1);
	CHECK_EQ(madvise(p + PAGE, PAGE, MADV_DONTFORK), 0);
	CHECK_EQ(madvise(p + 3 * PAGE, PAGE, MADV_WIPEONFORK), 0);
	CHILD (0) {
		say("%s\n", maps_shape(p, 6));
		CHECK_EQ(probe_read(p + PAGE), SIGSEGV);
		say("%d %d\n", all_bytes(p + 3 * PAGE, PAGE, 0), all_bytes(p + 4 * PAGE, PAGE, 0));
		p[3 * PAGE] = 9;
		CHILD (0)
			say("%d\n", p[3 * PAGE]); /* wiped again */
	}
}

TEST(mm, what_a_child_gets_again)
{
	uint8_t *p = map_anon(6);

	fill(p, 6, 1);
	CHECK_EQ(madvise(p + PAGE, PAGE, MADV_DONTFORK), 0);
	CHECK_EQ(madvise(p + 3 * PAGE, PAGE, MADV_WIPEONFORK), 0);
	CHECK_EQ(madvise(p, 6 * PAGE, MADV_DOFORK), 0);
	CHECK_EQ(madvise(p, 6 * PAGE, MADV_KEEPONFORK), 0);
	CHILD (0)
		say("%s %d\n", maps_shape(p, 6), filled(p, 6, 1));
}

TEST(mm, advice_by_process)
{
	uint8_t *p = map_anon(4);
	struct iovec parts[] = { { p, PAGE }, { p + 2 * PAGE, 2 * PAGE } },
		     bad[] = { { p, PAGE }, { p + 1, PAGE } };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), other;
	struct gate gate = gate_make();
	pid_t child = child_fork();

	if (child == 0) {
		gate_wait(&gate);
		_exit(0);
	}
	other = (int)syscall(SYS_pidfd_open, child, 0);
	fill(p, 4, 1);
	TRY(syscall(SYS_process_madvise, self, parts, 2, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, parts, 2, MADV_WILLNEED, 0));
	TRY(syscall(SYS_process_madvise, self, parts, 2, MADV_COLD, 1));
	TRY(syscall(SYS_process_madvise, self, parts, 0, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, parts, -1L, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, parts, 1025, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, NULL, 1, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, bad, 2, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, bad + 1, 1, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, -1, parts, 2, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, 0, parts, 2, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, self, parts, 2, 1000, 0));
	TRY(syscall(SYS_process_madvise, other, parts, 2, MADV_COLD, 0));
	TRY(syscall(SYS_process_madvise, other, parts, 2, MADV_PAGEOUT, 0));
	TRY(syscall(SYS_process_madvise, other, parts, 2, MADV_DONTNEED, 0));
	TRY(syscall(SYS_process_madvise, self, parts, 2, MADV_DONTNEED, 0));
	say("%d %d %d\n", all_bytes(p, PAGE, 0), all_bytes(p + PAGE, PAGE, 0),
	    all_bytes(p + 2 * PAGE, 2 * PAGE, 0));
	CHILD (0) {
		become_user();
		TRY(syscall(SYS_process_madvise, other, parts, 2, MADV_COLD, 0));
	}
	gate_open(&gate);
	child_expect(child, 0);
	TRY(syscall(SYS_process_madvise, other, parts, 2, MADV_COLD, 0));
}

TEST(mm, msync_and_mincore_refuse)
{
	uint8_t *p = map_anon(4);
	unsigned char v[8];

	CHECK_EQ(munmap(p + 2 * PAGE, PAGE), 0);
	TRY(msync(p, PAGE, MS_SYNC | MS_ASYNC));
	TRY(msync(p, PAGE, 8));
	TRY(msync(p + 1, PAGE, MS_SYNC));
	TRY(msync(p, 0, MS_SYNC));
	TRY(msync(p, -PAGE, MS_SYNC));
	TRY(msync(p, -1L, MS_SYNC));
	TRY(msync(p, 4 * PAGE, MS_SYNC));
	TRY(msync(p, 4 * PAGE, MS_ASYNC));
	TRY(msync(p, 4 * PAGE, 0));
	TRY(msync(p + 2 * PAGE, PAGE, MS_SYNC));
	TRY(msync(p, 2 * PAGE, MS_SYNC | MS_INVALIDATE));
	TRY(mincore(p + 1, PAGE, v));
	TRY(mincore(p, 0, v));
	TRY(mincore(p, 0, NULL));
	TRY(mincore(p, PAGE, NULL));
	TRY(mincore(p, 4 * PAGE, v));
	TRY(mincore(p + 2 * PAGE, PAGE, v));
	TRY(mincore(p, -1L, v));
	TRY(mincore(p, TOP, v));
	TRY(mincore((void *)TOP, PAGE, v));
	p[PAGE] = 1;
	CHECK_EQ(mincore(p, PAGE + 1, v), 0);
	say("%d %d\n", v[0] & 1, v[1] & 1);
}

TEST(mm, no_protection_keys_and_one_memory_node)
{
	uint8_t *p = map_anon(2);
	unsigned long mask = 1, two = 2, none = 0, got = 0;
	int mode = -1;

	TRY(syscall(SYS_pkey_alloc, 0, 0));
	TRY(syscall(SYS_pkey_alloc, 1, 0));
	TRY(syscall(SYS_pkey_alloc, 0, 8));
	TRY(syscall(SYS_pkey_free, 0));
	TRY(syscall(SYS_pkey_free, 1));
	TRY(syscall(SYS_pkey_free, -1));
	TRY(syscall(SYS_pkey_mprotect, p, PAGE, RW, -1));
	TRY(syscall(SYS_pkey_mprotect, p, PAGE, RW, 0));
	TRY(syscall(SYS_pkey_mprotect, p, PAGE, RW, 1));
	TRY(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0));
	say("%d\n", mode);
	TRY(syscall(SYS_get_mempolicy, &mode, &got, 64, NULL, 4)); /* MPOL_F_MEMS_ALLOWED */
	say("%lu\n", got);
	TRY(syscall(SYS_get_mempolicy, &mode, NULL, 0, p, 0));
	TRY(syscall(SYS_get_mempolicy, &mode, NULL, 0, p, 2)); /* MPOL_F_ADDR */
	TRY(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 8));
	TRY(syscall(SYS_get_mempolicy, (void *)8, NULL, 0, NULL, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 2, &mask, 64, 0)); /* MPOL_BIND */
	TRY(syscall(SYS_mbind, p, PAGE, 2, &two, 64, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 2, &none, 64, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 0, NULL, 0, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 0, &mask, 64, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 99, &mask, 64, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 2, (void *)8, 64, 0));
	TRY(syscall(SYS_mbind, p + 1, PAGE, 2, &mask, 64, 0));
	TRY(syscall(SYS_mbind, p, PAGE, 2, &mask, 64, 64));
	TRY(syscall(SYS_set_mempolicy, 2, &mask, 64));
	TRY(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0));
	TRY(syscall(SYS_set_mempolicy, 0, NULL, 0));
	TRY(syscall(SYS_set_mempolicy, 99, NULL, 0));
}

static long pages_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_blocks / 8;
}

/* On one CPU: Linux leaves alone what another CPU has just brought in and not yet listed. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Without swap: what nobody wrote to is no more than a hole, and becomes one again. */
TEST(mm, pageout_drops_pages_of_a_memory_file_that_are_holes)
{
	int fd = memfd_create("holes", 0);
	uint8_t *shared, *private, *twice;

	stay_on_one_cpu();
	CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
	shared = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < 4; i++)
		say("%d ", shared[i * PAGE]);
	shared[PAGE] = 1;
	CHECK_EQ(pwrite(fd, "x", 1, 2 * PAGE), 1);
	say("%ld pages\n", pages_of(fd));
	TRY(madvise(shared, 8 * PAGE, MADV_COLD));
	say("%ld pages\n", pages_of(fd));
	TRY(madvise(shared, 8 * PAGE, MADV_PAGEOUT));
	say("%ld pages\n", pages_of(fd));
	say("%d %d %d\n", shared[0], shared[PAGE], shared[2 * PAGE]);
	say("%ld pages\n", pages_of(fd));

	private = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 4 * PAGE);
	say("%d\n", private[0]);
	say("%ld pages\n", pages_of(fd));
	TRY(madvise(private, PAGE, MADV_PAGEOUT));
	say("%ld pages\n", pages_of(fd));
	twice = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 4 * PAGE);
	say("%d %d\n", private[0], twice[0]);
	TRY(madvise(private, PAGE, MADV_PAGEOUT)); /* mapped elsewhere, too */
	say("%ld pages\n", pages_of(fd));
	private[0] = 3; /* a copy: another page */
	CHECK_EQ(munmap(twice, PAGE), 0);
	TRY(madvise(private, PAGE, MADV_PAGEOUT));
	say("%ld pages\n", pages_of(fd));
	say("%d\n", private[0]);
	close(fd);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Signals that come while pages are fetched; main.c looks whether all memory is back. */
TEST(mm, madvise_that_is_interrupted_keeps_nothing)
{
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };
	struct sigaction action = { .sa_handler = on_alarm };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	for (int round = 0; round < 20; round++) {
		int fd = file_make("f", 64 * PAGE);
		uint8_t *p = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

		CHECK(p != MAP_FAILED);
		CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
		for (int i = 0; i < 60; i++)
			CHECK_EQ(madvise(p, 64 * PAGE, MADV_WILLNEED), 0);
		CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
		CHECK_EQ(munmap(p, 64 * PAGE), 0);
		close(fd);
		CHECK_EQ(unlink("f"), 0);
	}
}
