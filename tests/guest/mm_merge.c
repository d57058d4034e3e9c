/*
 * mm_merge.c - when neighbouring areas are one.
 *
 * Central rule: Linux joins areas when one is made or changed, if they are of one kind and their private pages belong together: what was written to apart stays
 * apart, and what a child got by fork takes nothing in. Everything is printed, for Linux to be the judge. Next: mm_remap.c.
 */
#include "check.h"

enum { SPAN = 64 };

static uint8_t *base;

/* Room of its own for a test: SPAN pages with a free page around, so that nothing outside merges. */
static void room(void)
{
	uint8_t *p = mmap(NULL, (SPAN + 2) * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	base = p + PAGE;
	CHECK_EQ(munmap(base, SPAN * PAGE), 0);
}

static void put(size_t page, size_t pages, int prot)
{
	CHECK(mmap(base + page * PAGE, pages * PAGE, prot, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0) == base + page * PAGE);
}

static void touch(size_t page)
{
	base[page * PAGE] = 1;
}

static void show(const char *what, size_t pages)
{
	say("%s: %s\n", what, maps_shape(base, pages));
}

#define RW (PROT_READ | PROT_WRITE)

TEST(mm, areas_that_were_written_to_apart_stay_apart)
{
	room();
	put(0, 1, RW);
	put(2, 1, RW);
	touch(0);
	touch(2);
	put(1, 1, RW);
	show("the hole filled between two with pages", 4);
	put(10, 1, RW);
	put(12, 1, RW);
	touch(10);
	put(11, 1, RW);
	show("one of them without", 14);
	put(20, 1, RW);
	put(21, 1, PROT_READ);
	touch(20);
	CHECK_EQ(mprotect(base + 21 * PAGE, PAGE, RW), 0);
	show("a neighbour made alike", 23);
}

TEST(mm, neighbours_that_differ_in_permissions_share_their_identity)
{
	room();
	put(0, 1, RW);
	put(1, 1, PROT_READ | PROT_EXEC | PROT_WRITE);
	touch(0);
	touch(1);
	CHECK_EQ(mprotect(base + PAGE, PAGE, RW), 0);
	show("written to side by side, then made alike", 3);
	put(10, 1, RW);
	touch(10);
	put(12, 1, RW | PROT_EXEC);
	touch(12);
	put(11, 1, RW | PROT_EXEC);
	touch(11);
	CHECK_EQ(mprotect(base + 11 * PAGE, 2 * PAGE, RW), 0);
	show("with one that was apart", 14);
}

TEST(mm, what_mprotect_splits_comes_together_again)
{
	room();
	put(0, 4, RW);
	for (size_t i = 0; i < 4; i++)
		touch(i);
	CHECK_EQ(mprotect(base + PAGE, 2 * PAGE, PROT_READ), 0);
	show("split", 4);
	CHECK_EQ(mprotect(base + 2 * PAGE, PAGE, RW), 0);
	show("half", 4);
	CHECK_EQ(mprotect(base + PAGE, PAGE, RW), 0);
	show("whole", 4);
	CHECK_EQ(munmap(base + PAGE, PAGE), 0);
	put(1, 1, RW);
	show("a page unmapped and mapped again", 4);
}

/* A read-only area that was made writable is charged for; it stays so once it was written to. */
TEST(mm, areas_that_are_charged_for_and_others_stay_apart)
{
	room();
	put(0, 3, PROT_READ);
	CHECK_EQ(mprotect(base + PAGE, PAGE, RW), 0);
	show("writable", 3);
	CHECK_EQ(mprotect(base + PAGE, PAGE, PROT_READ), 0);
	show("back again", 3);
	CHECK_EQ(mprotect(base + PAGE, PAGE, RW), 0);
	touch(1);
	CHECK_EQ(mprotect(base + PAGE, PAGE, PROT_READ), 0);
	show("back again after a store", 3);
	put(10, 1, RW);
	CHECK(mmap(base + 11 * PAGE, PAGE, RW,
		   MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		   0) == base + 11 * PAGE);
	show("MAP_NORESERVE beside one without", 13);
}

TEST(mm, a_childs_areas_take_nothing_in)
{
	room();
	put(0, 3, RW);
	touch(1);
	put(10, 3, RW);
	CHILD (0) {
		CHECK_EQ(mprotect(base + PAGE, PAGE, PROT_READ), 0);
		show("child: split", 3);
		CHECK_EQ(mprotect(base + PAGE, PAGE, RW), 0);
		show("child: whole again", 3);
		put(3, 1, RW);
		show("child: one more beside what has pages", 5);
		put(13, 1, RW);
		show("child: one more beside what has none", 15);
		CHECK_EQ(mprotect(base, 2 * PAGE, PROT_READ), 0);
		CHILD (0) {
			CHECK_EQ(mprotect(base, 2 * PAGE, RW), 0);
			show("grandchild: areas that were one in the child", 5);
		}
		CHECK_EQ(mprotect(base, 2 * PAGE, RW), 0);
		show("child: whole again, after it forked", 5);
	}
	put(3, 1, RW);
	show("parent: one more", 5);
}

TEST(mm, areas_of_a_child_are_its_own_when_it_writes_first)
{
	room();
	put(0, 1, RW);
	CHILD (0) {
		touch(0);
		put(1, 1, RW);
		show("child: it wrote first, one more", 3);
	}
	touch(0);
	put(1, 1, RW);
	show("parent: it wrote later, one more", 3);
	CHECK_EQ(madvise(base, 2 * PAGE, MADV_WIPEONFORK), 0);
	CHILD (0) {
		put(2, 1, RW);
		CHECK_EQ(madvise(base + 2 * PAGE, PAGE, MADV_WIPEONFORK), 0);
		show("child: wiped memory takes another in", 4);
	}
}

TEST(mm, moved_areas_and_their_new_neighbours)
{
	room();
	put(0, 1, RW);
	touch(0);
	CHECK(mremap(base, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 10 * PAGE) ==
	      base + 10 * PAGE);
	put(9, 1, RW);
	put(11, 1, RW);
	show("moved with a page", 14);
	CHECK(mremap(base + 10 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base) == base);
	put(1, 1, RW);
	show("and back", 3);
	put(20, 1, RW);
	CHECK(mremap(base + 20 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 30 * PAGE) == base + 30 * PAGE);
	put(29, 1, RW);
	put(31, 1, RW);
	show("moved without a page", 33);
	put(40, 2, RW);
	touch(40);
	CHECK(mremap(base + 40 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 50 * PAGE) == base + 50 * PAGE);
	CHECK(mremap(base + 41 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 51 * PAGE) == base + 51 * PAGE);
	show("two halves moved one after the other", 53);
}

TEST(mm, areas_that_grow_reach_the_next)
{
	room();
	put(0, 2, RW);
	put(3, 1, RW);
	touch(0);
	CHECK(mremap(base, 2 * PAGE, 3 * PAGE, 0) == base);
	show("grown up to one without pages", 5);
	put(10, 1, RW);
	put(12, 1, RW);
	touch(10);
	touch(12);
	CHECK(mremap(base + 10 * PAGE, PAGE, 2 * PAGE, 0) == base + 10 * PAGE);
	show("grown up to one with other pages", 14);
}

TEST(mm, flags_keep_areas_apart)
{
	static const struct {
		const char *name;
		int advice, undo;
	} rows[] = {
		{ "MADV_DONTFORK", MADV_DONTFORK, MADV_DOFORK },
		{ "MADV_WIPEONFORK", MADV_WIPEONFORK, MADV_KEEPONFORK },
		{ "MADV_RANDOM", MADV_RANDOM, MADV_NORMAL },
		{ "MADV_SEQUENTIAL", MADV_SEQUENTIAL, MADV_NORMAL },
		{ "MADV_DONTDUMP", MADV_DONTDUMP, MADV_DODUMP },
		{ "MADV_MERGEABLE", MADV_MERGEABLE, MADV_UNMERGEABLE },
		{ "MADV_HUGEPAGE", MADV_HUGEPAGE, MADV_NOHUGEPAGE },
	};

	room();
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		put(0, 3, RW);
		touch(1);
		CHECK_EQ(madvise(base + PAGE, PAGE, rows[i].advice), 0);
		show(rows[i].name, 3);
		CHECK_EQ(madvise(base + PAGE, PAGE, rows[i].undo), 0);
		show("undone", 3);
		CHECK_EQ(munmap(base, 3 * PAGE), 0);
	}
	put(0, 3, RW);
	CHECK_EQ(mlock(base + PAGE, PAGE), 0);
	show("mlock", 3);
	CHECK_EQ(mlock2(base, PAGE, MLOCK_ONFAULT), 0);
	show("MLOCK_ONFAULT beside it", 3);
	CHECK_EQ(munlock(base, 3 * PAGE), 0);
	show("munlock", 3);
}

/* Three areas of 2 MiB; the first is only read, the last is written to, the one between them comes last. */
static void three_large(const char *what, int prot, int advice)
{
	enum { LARGE = 512 };
	uint8_t *p = mmap(NULL, 6 * LARGE * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	base = (uint8_t *)(((uintptr_t)p / (LARGE * PAGE) + 1) * LARGE * PAGE);
	put(0, LARGE, prot);
	put(2 * LARGE, LARGE, RW);
	CHECK_EQ(madvise(base, LARGE * PAGE, advice), 0);
	CHECK_EQ(madvise(base + 2 * LARGE * PAGE, LARGE * PAGE, advice), 0);
	say("%d\n", base[5 * PAGE]);
	touch(2 * LARGE);
	CHECK_EQ(mprotect(base, LARGE * PAGE, RW), 0);
	put(LARGE, LARGE, RW);
	CHECK_EQ(madvise(base + LARGE * PAGE, LARGE * PAGE, advice), 0);
	show(what, 3 * LARGE);
	CHECK_EQ(munmap(p, 6 * LARGE * PAGE), 0);
}

TEST(mm, a_read_where_huge_pages_may_be_is_a_first_page)
{
	three_large("as it is", RW, MADV_NOHUGEPAGE);
	three_large("huge", RW, MADV_HUGEPAGE);
	three_large("not to be written", PROT_READ, MADV_HUGEPAGE);
}

/*
 * What MREMAP_DONTUNMAP leaves keeps its page table where the pages did not move as whole tables: a read there brings no 2 MiB page, and no identity.
 */
static void read_what_stayed(const char *what, size_t at)
{
	enum { LARGE = 512 };
	uint8_t *p = mmap(NULL, 6 * LARGE * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	base = (uint8_t *)(((uintptr_t)p / (LARGE * PAGE) + 1) * LARGE * PAGE);
	put(0, LARGE, RW);
	touch(0);
	put(3 * LARGE, LARGE, RW);
	CHECK_EQ(madvise(base + 3 * LARGE * PAGE, LARGE * PAGE, MADV_HUGEPAGE), 0);
	say("%d\n", base[3 * LARGE * PAGE]);
	CHECK(mremap(base + 3 * LARGE * PAGE, LARGE * PAGE, LARGE * PAGE,
		     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		     base + at * PAGE) == base + at * PAGE);
	say("%d\n", base[(3 * LARGE + 5) * PAGE]);
	put(LARGE, 2 * LARGE, RW);
	CHECK_EQ(madvise(base + LARGE * PAGE, 2 * LARGE * PAGE, MADV_HUGEPAGE), 0);
	show(what, 4 * LARGE);
	CHECK_EQ(munmap(p, 6 * LARGE * PAGE), 0);
}

TEST(mm, a_read_of_what_a_move_left_is_a_first_page_where_no_table_stayed)
{
	read_what_stayed("moved as a table", 2 * 512);
	read_what_stayed("moved page by page", 2 * 512 - 20);
}

TEST(mm, shared_memory_and_files_merge_by_what_they_show)
{
	int fd, other;

	room();
	CHECK(mmap(base, PAGE, RW, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0) == base);
	CHECK(mmap(base + PAGE, PAGE, RW, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0) ==
	      base + PAGE);
	show("two pieces of shared memory", 3);
	fd = file_make("f", 8 * PAGE);
	other = open("f", O_RDWR);
	for (int shared = 0; shared < 2; shared++) {
		int flags = MAP_FIXED | (shared ? MAP_SHARED : MAP_PRIVATE);

		CHECK(mmap(base + 10 * PAGE, PAGE, RW, flags, fd, 0) == base + 10 * PAGE);
		CHECK(mmap(base + 11 * PAGE, PAGE, RW, flags, fd, PAGE) == base + 11 * PAGE);
		CHECK(mmap(base + 12 * PAGE, PAGE, RW, flags, fd, 3 * PAGE) == base + 12 * PAGE);
		CHECK(mmap(base + 13 * PAGE, PAGE, RW, flags, other, 4 * PAGE) == base + 13 * PAGE);
		show("a file: going on, not going on, opened anew", 15);
		CHECK(mmap(base + 14 * PAGE, PAGE, RW, flags, fd, PAGE) == base + 14 * PAGE);
		touch(14);
		CHECK(mmap(base + 16 * PAGE, PAGE, RW, flags, fd, 3 * PAGE) == base + 16 * PAGE);
		touch(16);
		CHECK(mmap(base + 15 * PAGE, PAGE, RW, flags, fd, 2 * PAGE) == base + 15 * PAGE);
		say("%s\n", maps_shape(base + 14 * PAGE, 4));
		CHECK_EQ(munmap(base + 10 * PAGE, 7 * PAGE), 0);
	}
	close(fd);
	close(other);
}

/* The break grows an area of its own, and one that a child got takes nothing in either. */
TEST(mm, the_heap_is_one_area)
{
	uint8_t *start = sbrk(0);

	CHECK(sbrk(4 * (long)PAGE) != (void *)-1);
	start += -(uintptr_t)start % PAGE;
	start[0] = 1;
	CHECK(sbrk(4 * (long)PAGE) != (void *)-1);
	say("grown twice: %s\n", maps_shape(start, 7));
	CHECK_EQ(mprotect(start + PAGE, PAGE, PROT_READ), 0);
	say("split: %s\n", maps_shape(start, 7));
	CHECK_EQ(mprotect(start + PAGE, PAGE, RW), 0);
	say("whole: %s\n", maps_shape(start, 7));
	CHILD (0) {
		CHECK(sbrk(4 * (long)PAGE) != (void *)-1);
		say("child: %s\n", maps_shape(start, 10));
	}
}
