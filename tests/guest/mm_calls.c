/*
 * mm_calls.c - mmap(2), munmap(2), mprotect(2), brk(2): every flag, and every error that a program can provoke.
 *
 * Everything is printed, for Linux to be the judge. Next: mm_merge.c.
 */

#include "check.h"

#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/resource.h>

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define TOP (1UL << 47)

static void mapping(const char *what, void *p)
{
	say("%s: %s\n", what, p == MAP_FAILED ? errno_name(errno) : "mapped");
}

#define MAPS(...) mapping(#__VA_ARGS__, mmap(__VA_ARGS__))

TEST(mm, mmap_refuses_arguments)
{
	uint8_t *p = map_anon(4);

	MAPS(NULL, 0, RW, ANON, -1, 0);
	MAPS(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0);
	MAPS(NULL, PAGE, RW, MAP_ANONYMOUS | 4, -1, 0);
	MAPS(NULL, PAGE, RW, ANON, -1, 1);
	MAPS(NULL, PAGE, RW, ANON, 999, 0); /* no file is looked for */
	MAPS(NULL, PAGE, RW, MAP_PRIVATE, -1, 0);
	MAPS(NULL, PAGE, RW, MAP_PRIVATE, 999, 0);
	MAPS(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MAPS(p + 1, PAGE, RW, ANON, -1, 0); /* a hint */
	MAPS(NULL, TOP, RW, ANON, -1, 0);
	MAPS(NULL, -1UL, RW, ANON, -1, 0);
	MAPS(NULL, -PAGE, RW, ANON, -1, 0);
	MAPS((void *)(TOP - PAGE), 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MAPS((void *)TOP, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MAPS((void *)TOP, PAGE, RW, ANON, -1, 0);
	MAPS((void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	MAPS(NULL, PAGE, 0xff, ANON, -1, 0); /* other bits are not looked at */
	MAPS(NULL, PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0);
}

TEST(mm, mmap_flags_that_change_nothing_to_see)
{
	MAPS(NULL, PAGE, RW, ANON | MAP_STACK, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | MAP_NORESERVE, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | MAP_NONBLOCK, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | MAP_DENYWRITE | MAP_EXECUTABLE, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | MAP_SYNC, -1, 0);
	MAPS(NULL, PAGE, PROT_NONE, ANON, -1, 0);
	MAPS(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | 1 << 25, -1, 0);
}

TEST(mm, mmap_of_files_by_how_they_are_open)
{
	int rw = file_make("f", 2 * PAGE), r = open("f", O_RDONLY), w = open("f", O_WRONLY),
	    path = open("f", O_PATH), dir = open(".", O_RDONLY), pipes[2];
	uint8_t *p;

	CHECK_EQ(pipe(pipes), 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED, rw, 0);
	MAPS(NULL, PAGE, RW, MAP_PRIVATE, r, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_SHARED, r, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED, r, 0);
	MAPS(NULL, PAGE, PROT_WRITE, MAP_SHARED, r, 0);
	MAPS(NULL, PAGE, PROT_NONE, MAP_SHARED, r, 0);
	MAPS(NULL, PAGE, PROT_WRITE, MAP_SHARED, w, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 0);
	MAPS(NULL, PAGE, PROT_NONE, MAP_PRIVATE, w, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_SHARED, pipes[0], 0);
	MAPS(NULL, 0, PROT_READ, MAP_PRIVATE, rw, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, rw, 5);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, rw, 100 * PAGE); /* behind the end */
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE, rw, -(long)PAGE);
	MAPS(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, rw, -(long)PAGE);
	MAPS(NULL, PAGE, PROT_READ, 0, rw, 0);
	MAPS(NULL, PAGE, PROT_READ, 4, rw, 0);
	MAPS(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, rw, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED_VALIDATE, rw, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_NORESERVE | MAP_POPULATE, rw, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, rw, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 1 << 25, rw, 0);
	MAPS(NULL, PAGE, RW, MAP_SHARED | 1 << 25, rw, 0);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, r, 0);
	TRY(mprotect(p, PAGE, RW));
	TRY(mprotect(p, PAGE, PROT_WRITE));
	TRY(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, r, 0);
	TRY(mprotect(p, PAGE, RW));
	p[0] = 77;
	CHECK_EQ(pread(rw, p, 1, 0), 1);
	say("%d\n", p[0]);
}

TEST(mm, mmap_takes_places_as_told)
{
	uint8_t *p = map_anon(8), *q;

	CHECK_EQ(munmap(p + 2 * PAGE, 4 * PAGE), 0);
	q = mmap(p + 2 * PAGE + 5, 2 * PAGE, RW, ANON, -1, 0);
	say("a free hint: %s\n", q == p + 2 * PAGE ? "taken" : "not taken");
	q = mmap(p + 3 * PAGE, 2 * PAGE, RW, ANON, -1, 0);
	say("a hint that is in use: %s\n", q == MAP_FAILED     ? "refused"
					   : q == p + 3 * PAGE ? "taken"
							       : "elsewhere");
	MAPS(p + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	MAPS(p + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	MAPS(p + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE | MAP_FIXED, -1, 0);
	MAPS(p + 5, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	p[0] = 9;
	MAPS(p, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(p[0], 0);
	q = mmap(NULL, 3 * PAGE, RW, ANON | MAP_32BIT, -1, 0);
	say("MAP_32BIT: %s\n", (uintptr_t)q < 1UL << 31 ? "below 2 GiB" : "not there");
	q = mmap((void *)(1UL << 40), 3 * PAGE, RW, ANON | MAP_32BIT, -1, 0);
	say("with a hint above: %s\n", (uintptr_t)q < 1UL << 31 ? "below 2 GiB" : "not there");
	MAPS(NULL, 1UL << 31, PROT_NONE, ANON | MAP_32BIT | MAP_NORESERVE, -1, 0);
	MAPS((void *)0x1000, PAGE, RW, ANON, -1, 0); /* too low for a hint, not for a mapping */
}

/* Mappings without a hint come one below the other; holes are filled from the top. */
/* Between libraries there are gaps, of sizes that differ from run to run, where Linux puts them at random. */
static bool has_libraries(void)
{
	return getauxval(AT_BASE) != 0;
}

TEST(mm, mmap_chooses_from_the_top)
{
	uint8_t *a, *b, *c;

	if (has_libraries())
		return;
	a = map_anon(300);
	b = mmap(NULL, 300 * PAGE, PROT_READ, ANON, -1, 0);
	c = mmap(NULL, 300 * PAGE, RW, ANON, -1, 0);
	say("%ld %ld\n", (long)(a - b) / (long)PAGE, (long)(b - c) / (long)PAGE);
	CHECK_EQ(munmap(b + 10 * PAGE, 100 * PAGE), 0);
	CHECK_EQ(munmap(b + 200 * PAGE, 20 * PAGE), 0);
	for (int i = 0; i < 6; i++) {
		uint8_t *p = mmap(NULL, (i % 3 + 7) * PAGE, RW | PROT_EXEC, ANON, -1, 0);

		say("%ld\n", (long)(p - b) / (long)PAGE);
	}
}

TEST(mm, mmap_aligns_large_private_memory)
{
	uint8_t *small = mmap(NULL, (2UL << 20) - PAGE, RW, ANON, -1, 0), *p;

	CHECK(small != MAP_FAILED);
	p = mmap(NULL, 2UL << 20, RW, ANON, -1, 0);
	say("2 MiB: %lu\n", (uintptr_t)p % (2UL << 20));
	p = mmap(NULL, 6UL << 20, RW, ANON, -1, 0);
	say("6 MiB: %lu\n", (uintptr_t)p % (2UL << 20));
}

/* Above a stack's gap, and below it; MAP_FIXED does not care. */
TEST(mm, mmap_keeps_away_from_stacks)
{
	enum { GAP = 256 };
	uint8_t *room = mmap(NULL, 2000 * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), *p;

	CHECK_EQ(munmap(room, 2000 * PAGE), 0);
	CHECK(mmap(room + 1000 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) ==
	      room + 1000 * PAGE);
	p = mmap(room + 999 * PAGE, PAGE, RW, ANON, -1, 0);
	say("just below: %s\n", p == room + 999 * PAGE ? "taken" : "elsewhere");
	munmap(p, PAGE);
	p = mmap(room + (1000 - GAP) * PAGE, PAGE, RW, ANON, -1, 0);
	say("in the gap: %s\n", p == room + (1000 - GAP) * PAGE ? "taken" : "elsewhere");
	munmap(p, PAGE);
	p = mmap(room + (999 - GAP) * PAGE, PAGE, RW, ANON, -1, 0);
	say("below the gap: %s\n", p == room + (999 - GAP) * PAGE ? "taken" : "elsewhere");
	p = mmap(room + 1001 * PAGE, PAGE, RW, ANON, -1, 0);
	say("just above: %s\n", p == room + 1001 * PAGE ? "taken" : "elsewhere");
	munmap(room + (999 - GAP) * PAGE, PAGE);
	CHECK_EQ(probe_write(room + 999 * PAGE, 1), 0); /* it grows */
	CHECK(mmap(room + (998 - GAP) * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED);
	CHECK_EQ(probe_write(room + 998 * PAGE, 1), SIGSEGV); /* too near to what is below */
	say("%s\n", maps_shape(room + 990 * PAGE, 14));
	MAPS(room + 998 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK_EQ(probe_write(room + 997 * PAGE, 1), SIGSEGV);
}

TEST(mm, huge_mappings_when_none_are_reserved)
{
	MAPS(NULL, 2UL << 20, RW, ANON | MAP_HUGETLB, -1, 0);
	MAPS(NULL, 2UL << 20, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	MAPS(NULL, PAGE, RW, ANON | MAP_HUGETLB, -1, 0);
	MAPS(NULL, 2UL << 20, RW, ANON | MAP_HUGETLB | 21 << 26, -1, 0);
	MAPS(NULL, 2UL << 20, RW, ANON | MAP_HUGETLB | 12 << 26, -1, 0);
	MAPS(NULL, 0, RW, ANON | MAP_HUGETLB, -1, 0);
}

TEST(mm, munmap_and_mprotect_refuse)
{
	uint8_t *p;

	if (has_libraries()) /* the C library may map what was unmapped just now */
		return;
	p = map_anon(8);
	TRY(munmap(p + 1, PAGE));
	TRY(munmap(p, 0));
	TRY(munmap(p, -1UL));
	TRY(munmap(p, -PAGE));
	TRY(munmap(p, TOP));
	TRY(munmap((void *)TOP, PAGE));
	TRY(munmap(p, 1));    /* a page */
	TRY(munmap(p, PAGE)); /* nothing there is no error */
	say("%s\n", maps_shape(p, 8));
	p += PAGE;
	TRY(mprotect(p + 1, PAGE, PROT_READ));
	TRY(mprotect(p + 1, 0, PROT_READ));
	TRY(mprotect(p, 0, PROT_READ));
	TRY(mprotect(p, 0, 0x100));
	TRY(mprotect(p, PAGE, 0x100));
	TRY(mprotect(p, PAGE, RW | 8)); /* PROT_SEM */
	TRY(mprotect(p, -PAGE, PROT_READ));
	TRY(mprotect(p, TOP, PROT_READ));
	TRY(mprotect((void *)TOP, PAGE, PROT_READ));
	TRY(mprotect((void *)TOP, 0, PROT_READ));
	CHECK_EQ(munmap(p + 3 * PAGE, PAGE), 0);
	TRY(mprotect(p, 7 * PAGE, PROT_READ)); /* up to the hole it is done */
	say("%s\n", maps_shape(p, 7));
	TRY(mprotect(p + 3 * PAGE, 2 * PAGE, PROT_READ));
}

TEST(mm, mprotect_of_a_whole_stack)
{
	enum { DOWN = PROT_GROWSDOWN, UP = PROT_GROWSUP };
	uint8_t *room = map_anon(600), *stack = room + 580 * PAGE;

	CHECK_EQ(munmap(room, 600 * PAGE), 0);
	CHECK(mmap(stack, 4 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == stack);
	TRY(mprotect(stack + 2 * PAGE, PAGE, PROT_READ | DOWN));
	say("%s\n", maps_shape(stack, 4));
	TRY(mprotect(stack + 2 * PAGE, PAGE, RW | UP));
	TRY(mprotect(stack + 2 * PAGE, PAGE, RW | UP | DOWN));
	TRY(mprotect(stack + 10 * PAGE, PAGE, RW | DOWN));
	TRY(mprotect(stack + 10 * PAGE, PAGE, RW | UP));
	CHECK(mmap(room, 4 * PAGE, RW, ANON | MAP_FIXED, -1, 0) == room);
	TRY(mprotect(room + PAGE, PAGE, RW | DOWN));
	TRY(mprotect(stack - PAGE, 2 * PAGE, RW | DOWN)); /* starts in the hole below */
	say("%s\n", maps_shape(stack, 4));
}

static long brk_to(uint8_t *to)
{
	return (uint8_t *)raw_syscall(SYS_brk, (long)to, 0, 0, 0, 0, 0) - to;
}

TEST(mm, brk_and_its_neighbours)
{
	uint8_t *start = (uint8_t *)raw_syscall(SYS_brk, 0, 0, 0, 0, 0, 0);

	start += -(uintptr_t)start % PAGE;
	say("%ld\n", brk_to(start));
	say("%ld\n", brk_to(start + 10 * PAGE));
	CHECK(mmap(start + 20 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) ==
	      start + 20 * PAGE);
	say("up to it: %ld\n", brk_to(start + 20 * PAGE));
	say("but for a page: %ld\n", brk_to(start + 19 * PAGE));
	CHECK_EQ(munmap(start + 20 * PAGE, PAGE), 0);
	CHECK_EQ(munmap(start + 15 * PAGE, 4 * PAGE), 0); /* its end is gone */
	say("shrunk over a hole: %ld\n", brk_to(start + 17 * PAGE));
	say("shrunk to what is there: %ld\n", brk_to(start + 5 * PAGE));
	say("%s\n", maps_shape(start, 20));
	say("to nowhere: %ld\n",
	    brk_to(start + 5 * PAGE) +
		    ((uint8_t *)raw_syscall(SYS_brk, 1, 0, 0, 0, 0, 0) - start) / (long)PAGE);
}

static size_t count_areas(void)
{
	char line[512];
	size_t count = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		count += !strstr(line, "[vsyscall]");
	fclose(f);
	return count;
}

/* What would make more areas than vm.max_map_count is refused; madvise says EAGAIN. */
TEST(mm, the_number_of_areas_is_limited)
{
	enum { MORE = 70000 };
	uint8_t *room = mmap(NULL, (MORE + 10) * PAGE, PROT_NONE, ANON | MAP_NORESERVE, -1, 0),
		*three = map_anon(3);
	uint8_t *stack = map_anon(3); /* for stdio, which maps nothing any more */
	size_t i;

	(void)stack;
	count_areas();
	CHECK_EQ(munmap(room, (MORE + 10) * PAGE), 0);
	for (i = 0; i < MORE; i++)
		if (mmap(room + i * PAGE, PAGE, i % 2 ? PROT_READ : RW, ANON | MAP_FIXED, -1, 0) ==
		    MAP_FAILED)
			break;
	say("%s, with %zu areas\n", errno_name(errno), count_areas());
	TRY(munmap(three + PAGE, PAGE)); /* would make two of one */
	TRY(mprotect(three + PAGE, PAGE, PROT_READ));
	TRY(mprotect(three, PAGE, PROT_READ));
	TRY(madvise(three + PAGE, PAGE, MADV_DONTFORK));
	TRY(mlock(three + PAGE, PAGE));
	say("%s\n", mremap(three, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   room + (MORE + 5) * PAGE) == MAP_FAILED
			    ? errno_name(errno)
			    : "done");
	say("%s\n", mremap(three, 3 * PAGE, 6 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED
			    ? errno_name(errno)
			    : "done");
	TRY(mprotect(three, 3 * PAGE, PROT_READ)); /* as a whole */
	TRY(munmap(three, PAGE));                  /* at the edge */
	TRY(munmap(room + 10 * PAGE, 20 * PAGE));
	TRY(mprotect(three + PAGE, PAGE, RW));
	say("%zu\n", count_areas());
}
