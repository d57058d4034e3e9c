/*
 * mm_remap.c - mremap(2) and remap_file_pages(2): what moves, what stays, and in which order they refuse.
 *
 * Everything is printed, for Linux to be the judge. Next: mm_advise.c.
 */
#include "check.h"

#include <sys/resource.h>

enum { SPAN = 64 };
#define RW (PROT_READ | PROT_WRITE)

static uint8_t *base;

static void room(void)
{
	uint8_t *p = mmap(NULL, (SPAN + 2) * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	base = p + PAGE;
	CHECK_EQ(munmap(base, SPAN * PAGE), 0);
}

static uint8_t *at(size_t page)
{
	return base + page * PAGE;
}

static void put(size_t page, size_t pages, int prot, int flags)
{
	CHECK(mmap(at(page), pages * PAGE, prot, MAP_FIXED | MAP_ANONYMOUS | flags, -1, 0) ==
	      at(page));
}

/* Prints what a call gives: the page that it returns, or an errno; and then the areas. */
static void move(const char *what, size_t from, size_t old_pages, size_t new_pages, int flags,
		 size_t to)
{
	uint8_t *p = mremap(at(from), old_pages * PAGE, new_pages * PAGE, flags, at(to));

	if (p == MAP_FAILED)
		say("%s: %s; %s\n", what, errno_name(errno), maps_shape(base, SPAN));
	else if (p >= base && p < base + SPAN * PAGE)
		say("%s: page %ld; %s\n", what, (long)((p - base) / PAGE), maps_shape(base, SPAN));
	else
		say("%s: elsewhere; %s\n", what, maps_shape(base, SPAN));
}

#define FIXED (MREMAP_MAYMOVE | MREMAP_FIXED)

TEST(mm, mremap_refuses)
{
	room();
	put(1, 4, RW, MAP_PRIVATE);
	TRY(mremap(at(1) + 1, PAGE, PAGE, 0) == at(1));
	move("unknown flag", 1, 4, 4, 16, 0);
	move("no length", 1, 4, 0, MREMAP_MAYMOVE, 0);
	TRY(mremap(at(1), PAGE, 1L << 50, MREMAP_MAYMOVE) == at(1));
	TRY(mremap(at(1), PAGE, -PAGE, MREMAP_MAYMOVE) == at(1));
	move("nothing there", 20, 4, 4, MREMAP_MAYMOVE, 0);
	move("nothing there, fixed", 20, 4, 4, FIXED, 30);
	move("fixed without may move", 1, 4, 4, MREMAP_FIXED, 30);
	move("dontunmap without may move", 1, 4, 4, MREMAP_DONTUNMAP, 30);
	move("dontunmap that grows", 1, 2, 4, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 30);
	move("dontunmap that shrinks", 1, 4, 2, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 30);
	TRY(mremap(at(1), PAGE, PAGE, FIXED, at(30) + 5) == at(30));
	TRY(mremap(at(1), PAGE, PAGE, FIXED, (1UL << 47) - PAGE) == at(30));
	TRY(mremap(at(1), PAGE, PAGE, FIXED, -PAGE) == at(30));
	move("overlap from below", 1, 4, 4, FIXED, 3);
	move("overlap from above", 3, 2, 4, FIXED, 1);
	move("overlap by the new length", 3, 1, 8, FIXED, 1);
	move("no old length, private", 1, 0, 4, MREMAP_MAYMOVE, 0);
	put(5, 1, PROT_READ, MAP_PRIVATE);
	move("grown into a neighbour in place", 1, 4, 6, 0, 0);
	move("longer than the area, to grow", 3, 3, 6, MREMAP_MAYMOVE, 0);
	move("of two areas, same length, in place", 1, 5, 5, MREMAP_MAYMOVE, 0);
	move("of two areas, shrunk in place", 1, 5, 1, MREMAP_MAYMOVE, 0);
}

/* Old lengths that reach beyond what programs have, or around. */
TEST(mm, mremap_of_more_than_there_is)
{
	static const unsigned long lengths[] = { 1ul << 47, 1ul << 48, 1ul << 62,
						 1ul << 63, -PAGE,     -2 * PAGE };

	room();
	put(0, 8, RW, MAP_PRIVATE);
	fill(base, 8, 1);
	for (size_t i = 0; i < COUNT_OF(lengths); i++) {
		say("%zu: ", i);
		TRY(mremap(base, lengths[i], PAGE, 0) == MAP_FAILED ? -1 : 0);
		TRY(mremap(base, lengths[i], PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
		TRY(mremap(base, lengths[i], PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at(20)) ==
				    MAP_FAILED
			    ? -1
			    : 0);
		TRY(mremap(base, lengths[i], 2 * PAGE, MREMAP_MAYMOVE, at(20)) == MAP_FAILED ? -1
											     : 0);
	}
	CHECK(filled(base, 8, 1));
	say("%s\n", maps_shape(base, 24));
}

TEST(mm, mremap_moves_several_areas_to_a_fixed_place)
{
	room();
	put(0, 2, RW, MAP_PRIVATE);
	put(2, 2, PROT_READ, MAP_PRIVATE);
	put(6, 2, PROT_READ, MAP_PRIVATE);
	at(1)[5] = 7;
	put(20, 10, RW | PROT_EXEC, MAP_PRIVATE);
	move("all", 0, 8, 8, FIXED, 20);
	CHECK_EQ(at(21)[5], 7);
	move("from a hole on", 25, 3, 3, FIXED, 40);
	move("with a hole at the end", 26, 8, 8, FIXED, 40);
	move("copies of all", 20, 4, 4, FIXED | MREMAP_DONTUNMAP, 50);
	CHECK_EQ(at(51)[5], 7);
	CHECK_EQ(at(21)[5], 0);
	move("shrunk, the rest of another area", 50, 4, 2, FIXED, 60);
	CHECK_EQ(at(61)[5], 7);
	move("shrunk, what stays of two areas", 20, 4, 3, FIXED, 10);
}

TEST(mm, mremap_dontunmap_leaves_an_empty_area)
{
	room();
	put(0, 3, RW, MAP_PRIVATE);
	fill(base, 3, 5);
	move("to a hint", 0, 3, 3, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 10);
	CHECK(filled(at(10), 3, 5));
	CHECK(all_bytes(base, 3 * PAGE, 0));
	move("to a hint that is taken", 0, 3, 3, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 10);
	put(20, 3, RW, MAP_SHARED);
	fill(at(20), 3, 6);
	move("shared", 20, 3, 3, FIXED | MREMAP_DONTUNMAP, 30);
	CHECK(filled(at(30), 3, 6));
	CHECK(filled(at(20), 3, 6));
	put(40, 4, RW, MAP_PRIVATE);
	fill(at(40), 4, 7);
	move("a part", 41, 2, 2, FIXED | MREMAP_DONTUNMAP, 50);
	CHECK(filled(at(40), 1, 7));
	CHECK(all_bytes(at(41), 2 * PAGE, 0));
}

TEST(mm, mremap_of_length_0_shows_shared_memory_again)
{
	room();
	put(0, 2, RW, MAP_SHARED);
	move("twice", 0, 0, 2, FIXED, 10);
	*(volatile uint8_t *)at(10) = 9; /* to the compiler two places */
	CHECK_EQ(*(volatile uint8_t *)at(0), 9);
	move("only its end, and what is behind", 1, 0, 2, FIXED, 20);
	CHECK_EQ(probe_read(at(20)), 0);
	CHECK_EQ(probe_read(at(21)), SIGBUS);
	move("without may move", 0, 0, 2, 0, 0);
	move("over itself", 0, 0, 2, FIXED, 0);
}

TEST(mm, mremap_keeps_locks_and_fetches_what_is_new)
{
	unsigned char resident[4];

	room();
	put(0, 2, RW, MAP_PRIVATE);
	CHECK_EQ(mlock(base, 2 * PAGE), 0);
	move("grown", 0, 2, 4, 0, 0);
	CHECK_EQ(mincore(base, 4 * PAGE, resident), 0);
	say("%d%d%d%d\n", resident[0] & 1, resident[1] & 1, resident[2] & 1, resident[3] & 1);
	move("moved and grown", 0, 4, 6, FIXED, 10);
	CHECK_EQ(mincore(at(12), 4 * PAGE, resident), 0);
	say("%d%d%d%d\n", resident[0] & 1, resident[1] & 1, resident[2] & 1, resident[3] & 1);
	TRY(madvise(at(10), PAGE, MADV_DONTNEED));
}

static void limit_to_what_is_mapped(int resource)
{
	struct rlimit limit;
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f != NULL && fscanf(f, "%ld", &pages) == 1);
	fclose(f);
	CHECK_EQ(getrlimit(resource, &limit), 0);
	limit.rlim_cur = pages * PAGE;
	CHECK_EQ(setrlimit(resource, &limit), 0);
}

/* Limits are looked at before the target goes; MREMAP_FIXED over it counts in full all the same. */
TEST(mm, mremap_and_the_limit_of_the_address_space)
{
	room();
	put(0, 4, RW, MAP_PRIVATE);
	put(10, 4, RW, MAP_PRIVATE);
	maps_shape(base, SPAN);
	limit_to_what_is_mapped(RLIMIT_AS);
	uint8_t *p = mremap(base, 2 * PAGE, 4 * PAGE, FIXED, at(10));
	say("grown over another: %s\n", p == MAP_FAILED ? errno_name(errno) : "done");
	CHECK_EQ(mprotect(at(10), 4 * PAGE, RW), 0); /* it is still there */
	p = mremap(base, 4 * PAGE, 6 * PAGE, 0);
	say("grown in place: %s\n", p == MAP_FAILED ? errno_name(errno) : "done");
	p = mremap(base, 4 * PAGE, 4 * PAGE, FIXED | MREMAP_DONTUNMAP, at(10));
	say("left behind, over another: %s\n", p == MAP_FAILED ? errno_name(errno) : "done");
	p = mremap(base, 4 * PAGE, 4 * PAGE, FIXED | MREMAP_DONTUNMAP, at(20));
	say("left behind: %s\n", p == MAP_FAILED ? errno_name(errno) : "done");
	p = mremap(base, 4 * PAGE, 2 * PAGE, FIXED, at(20));
	say("shrunk and moved: %s\n", p == MAP_FAILED ? errno_name(errno) : "done");
	p = mmap(at(10), 6 * PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("mapped over four pages of it, two more: %s\n",
	    p == MAP_FAILED ? errno_name(errno) : "done");
	p = mmap(at(30), PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("one more: %s\n", p == MAP_FAILED ? errno_name(errno) : "done");
}

TEST(mm, mremap_and_the_limit_of_locked_memory)
{
	struct rlimit limit = { 4 * PAGE, 4 * PAGE };

	room();
	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	become_user();
	put(0, 4, RW, MAP_PRIVATE);
	CHECK_EQ(mlock(base, 4 * PAGE), 0);
	move("grown", 0, 4, 5, 0, 0);
	move("moved", 0, 4, 4, FIXED, 10);
	move("shrunk", 10, 4, 3, 0, 0);
	move("grown again", 10, 3, 4, 0, 0);
}

TEST(mm, remap_file_pages_shows_another_part)
{
	int fd = file_make("f", 8 * PAGE);

	room();
	CHECK(mmap(base, 4 * PAGE, RW, MAP_FIXED | MAP_SHARED, fd, 0) == base);
	TRY(remap_file_pages(base, 2 * PAGE, 0, 5, 0));
	say("%d %d %d %d; %s\n", base[0], at(1)[0], at(2)[0], at(3)[0], maps_shape(base, 4));
	TRY(remap_file_pages(at(2), 2 * PAGE, 0, 7, MAP_NONBLOCK));
	say("%d; %s\n", at(2)[0], maps_shape(base, 4));
	CHECK_EQ(probe_read(at(3)), SIGBUS); /* behind the end */
	TRY(remap_file_pages(base, 2 * PAGE, PROT_READ, 5, 0));
	TRY(remap_file_pages(base, 0, 0, 5, 0));
	TRY(remap_file_pages(base + 5, 2 * PAGE + 5, 0, 0, 0)); /* rounded down */
	say("%d %d\n", base[0], at(1)[0]);
	TRY(remap_file_pages(base, 5 * PAGE, 0, 0, 0));
	TRY(remap_file_pages(base, -PAGE, 0, 0, 0));
	TRY(remap_file_pages(at(20), PAGE, 0, 0, 0));
	CHECK_EQ(mprotect(at(1), PAGE, PROT_READ), 0);
	TRY(remap_file_pages(base, 2 * PAGE, 0, 0, 0));
	put(30, 2, RW, MAP_PRIVATE);
	TRY(remap_file_pages(at(30), PAGE, 0, 0, 0));
	put(40, 2, RW, MAP_SHARED);
	fill(at(40), 2, 4);
	TRY(remap_file_pages(at(40), PAGE, 0, 1, 0));
	CHECK(memcmp(at(40), at(41), PAGE) == 0);
	close(fd);
}
