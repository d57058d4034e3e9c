/*
 * mm_guard.c - guard pages (MADV_GUARD_INSTALL, MADV_GUARD_REMOVE) and memory that may be dropped (MAP_DROPPABLE).
 */
#include "check.h"

#include <sched.h>
#include <sys/uio.h>

#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MAP_DROPPABLE /* Linux 6.11 */
#define MAP_DROPPABLE 8
#endif

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define PAGES 8

static char *map(int prot, int flags, int fd)
{
	char *p = mmap(NULL, PAGES * PAGE, prot, flags, fd, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Each page's first byte, or what the kernel's own access says of it. */
static void show(const char *what, char *p)
{
	say("%s:", what);
	for (int i = 0; i < PAGES; i++) {
		char byte;
		struct iovec here = { &byte, 1 }, there = { p + i * PAGE, 1 };
		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1)
			say(" %d", byte);
		else
			say(" %s", errno_name(errno));
	}
	say("\n");
}

static void write_all(char *p)
{
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = (char)(10 + i);
}

TEST(mm, guards_empty_their_places_and_keep_all_out)
{
	char *p = map(RW, ANON, -1);

	write_all(p);
	TRY(madvise(p + PAGE, 2 * PAGE, MADV_GUARD_INSTALL));
	show("installed", p);
	CHECK_FAULT(probe_write(p + PAGE, 1), SIGSEGV, SEGV_MAPERR, p + PAGE);
	TRY(madvise(p + 2 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL));
	show("more", p);
	TRY(madvise(p, PAGES * PAGE, MADV_DONTNEED));
	show("emptied", p);
	TRY(madvise(p, PAGES * PAGE, MADV_FREE));
	TRY(madvise(p, PAGES * PAGE, MADV_POPULATE_READ));
	TRY(madvise(p + PAGE, PAGE, MADV_POPULATE_WRITE));
	TRY(mlock(p, PAGES * PAGE));
	TRY(madvise(p, PAGE, MADV_GUARD_INSTALL));
	TRY(madvise(p + PAGE, PAGE, MADV_GUARD_REMOVE));
	TRY(munlock(p, PAGES * PAGE));
	TRY(mprotect(p, PAGES * PAGE, PROT_READ));
	TRY(mprotect(p, PAGES * PAGE, RW));
	show("protected", p);
	TRY(madvise(p, PAGES * PAGE, MADV_GUARD_REMOVE));
	show("removed", p);
	write_all(p);
	show("filled", p);
	TRY(madvise(p, PAGES * PAGE, MADV_GUARD_INSTALL));
	CHECK(munmap(p, PAGES * PAGE) == 0);
	CHECK(mmap(p, PAGES * PAGE, RW, ANON | MAP_FIXED, -1, 0) == p);
	show("mapped anew", p);
}

TEST(mm, guards_are_inherited_and_move)
{
	char *p = map(RW, ANON, -1), *to = map(PROT_NONE, ANON, -1);

	write_all(p);
	TRY(madvise(p + 3 * PAGE, PAGE, MADV_GUARD_INSTALL));
	pid_t child = child_fork();
	if (!child) {
		show("child", p);
		CHECK(madvise(p, PAGES * PAGE, MADV_GUARD_REMOVE) == 0);
		CHECK(madvise(p + PAGE, PAGE, MADV_GUARD_INSTALL) == 0);
		show("child, changed", p);
		_exit(0);
	}
	child_expect(child, 0);
	show("parent", p);
	CHECK(mremap(p, PAGES * PAGE, PAGES * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	show("moved", to);
	CHECK(madvise(to, PAGES * PAGE, MADV_WIPEONFORK) == 0);
	child = child_fork();
	if (!child) {
		show("child, wiped", to);
		_exit(0);
	}
	child_expect(child, 0);
}

TEST(mm, guards_in_files)
{
	int fd = memfd_create("guards", 0);
	unsigned char v[PAGES];

	CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	char *shared = map(RW, MAP_SHARED, fd), *private = map(RW, MAP_PRIVATE, fd);
	write_all(shared);
	private[2 * PAGE] = 99;
	TRY(madvise(shared + PAGE, 2 * PAGE, MADV_GUARD_INSTALL));
	TRY(madvise(private + 2 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL));
	show("shared", shared);
	show("private", private);
	CHECK(mincore(shared, PAGES * PAGE, v) == 0);
	for (int i = 0; i < PAGES; i++)
		say("%d", v[i] & 1);
	say("\n");
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, PAGES * PAGE) == 0);
	show("truncated", shared);
	TRY(madvise(private, PAGES * PAGE, MADV_GUARD_REMOVE));
	show("private, removed", private);
	TRY(madvise(shared, PAGES * PAGE, MADV_REMOVE));
	show("punched", shared);
	close(fd);
}

/* How many areas lie in the pages of p. */
static int areas_of(char *p)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	int n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		uintptr_t start = strtoul(line, NULL, 16);
		n += start >= (uintptr_t)p && start < (uintptr_t)p + PAGES * PAGE;
	}
	fclose(f);
	return n;
}

/* Areas join unless both have private pages of their own: a guard in anonymous memory counts as one. */
TEST(mm, guards_and_the_merging_of_areas)
{
	int fd = memfd_create("guards", 0);

	CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	for (int file = 0; file < 2; file++) {
		int flags = file ? MAP_PRIVATE : ANON;
		char *p = map(RW, flags, file ? fd : -1);
		CHECK(munmap(p, PAGES * PAGE) == 0);
		for (int part = 0; part < 3; part++) { /* the one in the middle comes last */
			int first = part == 1 ? 6 : part == 2 ? 3 : 0;
			int pages = part == 0 ? 3 : part == 1 ? 2 : 3;
			CHECK(mmap(p + first * PAGE, pages * PAGE, RW, flags | MAP_FIXED,
				   file ? fd : -1, first * PAGE) != MAP_FAILED);
			if (part == 0)
				CHECK(madvise(p, PAGE, MADV_GUARD_INSTALL) == 0);
			else if (part == 1)
				p[6 * PAGE] = 1;
		}
		say("%s: %d areas\n", file ? "file" : "anonymous", areas_of(p));
		CHILD (0) {
			CHECK(mprotect(p, 3 * PAGE, PROT_READ) == 0 &&
			      mprotect(p, 3 * PAGE, RW) == 0);
			say("child: %d areas\n", areas_of(p));
			show("child", p);
		}
	}
	close(fd);
}

TEST(mm, guards_refuse)
{
	char *p = map(RW, ANON, -1), *sealed = map(PROT_READ, ANON, -1);
	struct iovec parts[] = { { p, PAGE }, { p + 4 * PAGE, PAGE } };

	TRY(madvise(p + 1, PAGE, MADV_GUARD_INSTALL));
	TRY(madvise(p, 0, MADV_GUARD_INSTALL));
	TRY(madvise(p, -1UL, MADV_GUARD_REMOVE));
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
	TRY(madvise(p, PAGES * PAGE, MADV_GUARD_INSTALL)); /* on both sides of the hole */
	show("around a hole", p);
	TRY(madvise(p, PAGES * PAGE, MADV_GUARD_REMOVE));
	show("removed", p);
	TRY(syscall(SYS_process_madvise, syscall(SYS_pidfd_open, getpid(), 0), parts, 2,
		    MADV_GUARD_INSTALL, 0));
	show("process_madvise", p);
	CHECK(syscall(462, sealed, PAGES * PAGE, 0) == 0); /* mseal */
	TRY(madvise(sealed, PAGE, MADV_GUARD_INSTALL));
	TRY(madvise(sealed, PAGE, MADV_GUARD_REMOVE));
}

/* A guard in the middle of 2 MiB pages, and many. */
TEST(mm, guards_in_huge_pages)
{
	size_t huge = 2UL << 20;
	char *p = mmap(NULL, 3 * huge, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED);
	p = (char *)(((uintptr_t)p + huge - 1) & -huge);
	CHECK(madvise(p, 2 * huge, MADV_HUGEPAGE) == 0);
	memset(p, 5, 2 * huge);
	TRY(madvise(p + huge - 2 * PAGE, 4 * PAGE, MADV_GUARD_INSTALL));
	show("across", p + huge - 4 * PAGE);
	TRY(madvise(p, 2 * huge, MADV_GUARD_INSTALL));
	CHECK_FAULT(probe_write(p, 1), SIGSEGV, SEGV_MAPERR, p);
	CHECK_FAULT(probe_write(p + 2 * huge - 1, 1), SIGSEGV, SEGV_MAPERR, p + 2 * huge - 1);
	TRY(madvise(p + PAGE, 2 * huge - 2 * PAGE, MADV_GUARD_REMOVE));
	CHECK_FAULT(probe_write(p, 1), SIGSEGV, SEGV_MAPERR, p);
	CHECK_FAULT(probe_write(p + 2 * huge - 1, 1), SIGSEGV, SEGV_MAPERR, p + 2 * huge - 1);
	memset(p + PAGE, 6, 2 * huge - 2 * PAGE);
	TRY(madvise(p, 2 * huge, MADV_DONTNEED));
	show("emptied", p);
}

TEST(mm, droppable_memory)
{
	cpu_set_t one;
	unsigned char v[PAGES];
	int fd = memfd_create("file", 0);

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	TRY(mmap(NULL, PAGE, RW, MAP_DROPPABLE, fd, 0));
	TRY(mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	TRY(mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0));
	TRY(mmap(NULL, PAGE, RW, MAP_DROPPABLE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
	char *p = map(RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1);
	write_all(p);
	show("filled", p);
	pid_t child = child_fork();
	if (!child) {
		show("child", p);
		_exit(0);
	}
	child_expect(child, 0);
	TRY(madvise(p, PAGE, MADV_KEEPONFORK));
	TRY(madvise(p, PAGE, MADV_DODUMP));
	TRY(madvise(p, PAGE, MADV_MERGEABLE));
	TRY(madvise(p, PAGES * PAGE, MADV_COLD));
	TRY(mlock(p, PAGE)); /* not that it helps */
	TRY(madvise(p, 3 * PAGE, MADV_PAGEOUT));
	CHECK(mincore(p, PAGES * PAGE, v) == 0);
	for (int i = 0; i < PAGES; i++)
		say("%d", v[i] & 1);
	say("\n");
	show("dropped", p);
	CHECK(mlockall(MCL_FUTURE) == 0);
	char *q = map(RW, MAP_DROPPABLE | MAP_ANONYMOUS, -1);
	CHECK(mincore(q, PAGES * PAGE, v) == 0 && (v[0] & 1));
	TRY(madvise(q, PAGES * PAGE, MADV_PAGEOUT));
	CHECK(mincore(q, PAGES * PAGE, v) == 0 && !(v[0] & 1));
	close(fd);
}

/* Only the page that is faulted on: no others are fetched, though the area is locked. */
TEST(mm, a_locked_stack_that_grows_is_not_filled)
{
	char *p = mmap(NULL, 600 * PAGE, PROT_NONE, ANON, -1, 0), *stack = p + 500 * PAGE;
	unsigned char v[11];

	CHECK(p != MAP_FAILED && munmap(p, 600 * PAGE) == 0);
	CHECK(mmap(stack, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == stack &&
	      mlock(stack, PAGE) == 0);
	CHECK_EQ(probe_write(stack - 10 * PAGE, 1), 0);
	CHECK(mincore(stack - 10 * PAGE, 11 * PAGE, v) == 0);
	for (int i = 0; i < 11; i++)
		say("%d", v[i] & 1);
	say("\n");
}

/* What was there has made room before the want of huge pages is found out. */
TEST(mm, hugetlb_in_the_place_of_something_else)
{
	size_t huge = 2UL << 20;
	char *p = mmap(NULL, 3 * huge, RW, ANON, -1, 0);
	unsigned char v[1];

	CHECK(p != MAP_FAILED);
	p = (char *)(((uintptr_t)p + huge - 1) & -huge);
	TRY(mmap(p + PAGE, huge, RW, ANON | MAP_HUGETLB | MAP_FIXED, -1, 0));
	TRY(mincore(p + PAGE, PAGE, v));
	TRY(mmap(p, huge, RW, ANON | MAP_HUGETLB | MAP_FIXED_NOREPLACE, -1, 0));
	TRY(mincore(p, PAGE, v));
	TRY(mmap(p, PAGE, RW, ANON | MAP_HUGETLB | MAP_FIXED, -1, 0));
	TRY(mincore(p, PAGE, v));
	TRY(mincore(p + huge - PAGE, PAGE, v));
	TRY(mincore(p + huge, PAGE, v));
}
