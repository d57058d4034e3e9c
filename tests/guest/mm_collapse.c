/*
 * mm_collapse.c - MADV_COLLAPSE: small pages become 2 MiB pages at once, with the same bytes.
 */
#include "check.h"

#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

#define HUGE (2UL << 20)
#define RW (PROT_READ | PROT_WRITE)

/* Four of them, aligned. */
static char *new_memory(void)
{
	char *p = mmap(NULL, 5 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	p = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
	CHECK(madvise(p, HUGE, MADV_DONTNEED) == 0);
	return p;
}

/* KiB of huge pages in the areas of [p, p + 4 * HUGE). */
static long huge_kib(char *p)
{
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	long kib = 0, one;
	bool here = false;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start < (uintptr_t)p + 4 * HUGE && end > (uintptr_t)p;
		else if (here && sscanf(line, "AnonHugePages: %ld", &one) == 1)
			kib += one;
	}
	fclose(f);
	return kib;
}

static void write_some(char *p, size_t step)
{
	for (size_t i = 0; i < HUGE; i += step * PAGE)
		p[i] = (char)(i / PAGE * 7 + 1);
}

static void check_some(const char *p, size_t step)
{
	for (size_t i = 0; i < HUGE; i += PAGE)
		CHECK_EQ(p[i], i / PAGE % step ? 0 : (char)(i / PAGE * 7 + 1));
}

TEST(mm, collapse_keeps_all_bytes)
{
	char *p = new_memory();

	TRY(madvise(p, HUGE, MADV_COLLAPSE)); /* nothing there */
	write_some(p, 3);
	TRY(madvise(p, HUGE, MADV_COLLAPSE));
	say("%ld KiB\n", huge_kib(p));
	check_some(p, 3);
	TRY(madvise(p, HUGE, MADV_COLLAPSE)); /* it is one */
	write_some(p, 1);
	check_some(p, 1);
	CHECK(munmap(p + 4 * PAGE, PAGE) == 0);
	TRY(madvise(p, HUGE, MADV_COLLAPSE)); /* there is a hole */
	say("%ld KiB\n", huge_kib(p));
	CHECK_EQ(p[5 * PAGE], (char)(5 * 7 + 1));
}

TEST(mm, collapse_of_ranges)
{
	char *p = new_memory();

	write_some(p, 2);
	TRY(madvise(p, 2 * HUGE, MADV_COLLAPSE)); /* the second is empty */
	say("%ld KiB\n", huge_kib(p));
	TRY(madvise(p + PAGE, HUGE, MADV_COLLAPSE)); /* no whole one */
	write_some(p + HUGE, 5);
	write_some(p + 2 * HUGE, 5);
	CHECK(madvise(p + HUGE + 7 * PAGE, PAGE, 102) == 0);    /* MADV_GUARD_INSTALL */
	TRY(madvise(p + PAGE, 3 * HUGE - PAGE, MADV_COLLAPSE)); /* ends at the guard */
	say("%ld KiB\n", huge_kib(p));
	CHECK(madvise(p + HUGE + 7 * PAGE, PAGE, 103) == 0);
	TRY(madvise(p, 3 * HUGE, MADV_COLLAPSE));
	say("%ld KiB\n", huge_kib(p));
	check_some(p, 2);
	check_some(p + HUGE, 5);
	check_some(p + 2 * HUGE, 5);
}

TEST(mm, collapse_and_permissions)
{
	char *p = new_memory();

	write_some(p, 2);
	CHECK(mprotect(p, HUGE, PROT_READ) == 0);
	TRY(madvise(p, HUGE, MADV_COLLAPSE));
	say("%ld KiB\n", huge_kib(p));
	CHECK_FAULT(probe_write(p, 1), SIGSEGV, SEGV_ACCERR, p);
	check_some(p, 2);
	CHECK(mprotect(p, HUGE, RW) == 0);
	p[PAGE] = 0;
	check_some(p, 2);
	p = new_memory();
	write_some(p, 2);
	CHECK(mprotect(p, HUGE, PROT_NONE) == 0);
	TRY(madvise(p, HUGE, MADV_COLLAPSE));
	CHECK_FAULT(probe_read(p), SIGSEGV, SEGV_ACCERR, p);
	CHECK(mprotect(p, HUGE, RW) == 0);
	check_some(p, 2);
	p = new_memory();
	write_some(p, 2);
	CHECK(madvise(p, HUGE, MADV_NOHUGEPAGE) == 0);
	TRY(madvise(p, HUGE, MADV_COLLAPSE));
	CHECK(madvise(p, HUGE, MADV_HUGEPAGE) == 0);
	TRY(madvise(p, HUGE, MADV_COLLAPSE));
	TRY(madvise(p + 1, HUGE, MADV_COLLAPSE));
}

/* What a fork shares: the copy is one's own, and the other's pages stay as they are. */
TEST(mm, collapse_of_what_a_fork_shares)
{
	char *p = new_memory();

	write_some(p, 1);
	CHILD (0) {
		TRY(madvise(p, HUGE, MADV_COLLAPSE));
		say("child %ld KiB\n", huge_kib(p));
		check_some(p, 1);
		memset(p, 99, HUGE);
		CHILD (0) {
			TRY(madvise(p, HUGE, MADV_COLLAPSE));
			CHECK_EQ(p[HUGE - 1], 99);
			p[HUGE - 1] = 1;
		}
		CHECK_EQ(p[HUGE - 1], 99);
	}
	check_some(p, 1);
	TRY(madvise(p, HUGE, MADV_COLLAPSE));
	say("%ld KiB\n", huge_kib(p));
	check_some(p, 1);
}
