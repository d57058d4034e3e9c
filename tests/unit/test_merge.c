/*
 * test_merge.c - when areas are one, and what is owed for them: the rules of merge.c and commit.c one by one, and each allocation failing.
 */
#include "mm_test.h"

#include <asm/mman.h>

#include "mm/commit.h"
#include "mm/edit.h"
#include "mm/shmem.h"
#include "mm/tunable.h"

#define BASE 0x40000000ull

static u64 va(u32 page)
{
	return BASE + page * PAGE_SIZE;
}

/* How many areas lie in [first, end). */
static int add_one(struct area *a, void *arg)
{
	(void)a;
	++*(u32 *)arg;
	return 0;
}

static u32 areas_in(struct mm *mm, u32 first, u32 end)
{
	u32 count = 0;

	areas_for_each(mm->areas, va(first), va(end), add_one, &count);
	return count;
}

static void test_pages_that_came_apart_keep_areas_apart(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, va(0), 1);
	map_anonymous(mm, va(2), 1);
	store_in(mm, va(0), 1);
	store(va(2), 1);
	map_anonymous(mm, va(1), 1);
	assert_int_equal(areas_in(mm, 0, 3), 2); /* with the first, not with both */
	map_anonymous(mm, va(10), 1);
	map_anonymous(mm, va(12), 1);
	store_in(mm, va(10), 1);
	map_anonymous(mm, va(11), 1);
	assert_int_equal(areas_in(mm, 10, 13), 1);
	/* a neighbour that differs in permissions alone gives its identity */
	map_anonymous(mm, va(20), 1);
	map_pages(mm, va(21), 1, RW | AREA_EXEC, NULL, 0);
	store_in(mm, va(20), 1);
	store(va(21), 1);
	assert_int_equal(space_protect(mm, va(21), PAGE_SIZE, AREA_READ | AREA_WRITE, 0), 0);
	assert_int_equal(areas_in(mm, 20, 22), 1);
	space_put(mm);
}

static void test_inherited_areas_take_nothing_in(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, va(0), 3);
	map_anonymous(mm, va(10), 3);
	store_in(mm, va(1), 1);
	struct mm *child = new_fork(mm);
	map_anonymous(child, va(3), 1);
	assert_int_equal(areas_in(child, 0, 4), 2);
	map_anonymous(child, va(13), 1);
	assert_int_equal(areas_in(child, 10, 14), 1);
	assert_int_equal(space_protect(child, va(1), PAGE_SIZE, AREA_READ, 0), 0);
	struct mm *grandchild = new_fork(child);
	assert_int_equal(space_protect(child, va(1), PAGE_SIZE, AREA_READ | AREA_WRITE, 0), 0);
	assert_int_equal(areas_in(child, 0, 3), 1);
	/* three areas there, each with an identity of its own since the fork */
	assert_int_equal(space_protect(grandchild, va(1), PAGE_SIZE, AREA_READ | AREA_WRITE, 0), 0);
	assert_int_equal(areas_in(grandchild, 0, 3), 3);
	map_anonymous(mm, va(3), 1);
	assert_int_equal(areas_in(mm, 0, 4), 1);
	space_put(child);
	space_put(grandchild);
	space_put(mm);
}

/* Who writes first into an area that both have does not give it an identity in the other. */
static void test_a_first_page_is_one_spaces_own(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, va(0), 1);
	struct mm *child = new_fork(mm);
	store_in(child, va(0), 1);
	assert_true(area_anon(areas_find(child->areas, va(0)), child->id));
	assert_false(area_anon(areas_find(mm->areas, va(0)), mm->id));
	map_anonymous(child, va(1), 1);
	assert_int_equal(areas_in(child, 0, 2), 1);
	space_put(child);
	space_put(mm);
}

static void test_what_moved_with_pages_has_new_neighbours(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	for (u32 written = 0; written < 2; written++) {
		map_anonymous(mm, va(0), 1);
		if (written)
			store_in(mm, va(0), 1);
		assert_int_equal(space_remap(mm, va(0), PAGE_SIZE, PAGE_SIZE,
					     REMAP_MAYMOVE | REMAP_FIXED, va(10)),
				 va(10));
		map_anonymous(mm, va(9), 1);
		map_anonymous(mm, va(11), 1);
		assert_int_equal(areas_in(mm, 9, 12), written ? 3 : 1);
		assert_int_equal(space_unmap(mm, va(9), 3 * PAGE_SIZE), 0);
	}
	space_put(mm);
}

static void test_the_charge_follows_areas(void **state)
{
	u64 before = commit_charged();
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, va(0), 8);
	assert_int_equal(commit_charged(), before + 8);
	map_pages(mm, va(4), 2, AREA_READ | MAY, NULL, 0);
	assert_int_equal(commit_charged(), before + 6);
	assert_int_equal(space_protect(mm, va(0), 2 * PAGE_SIZE, AREA_READ, 0), 0);
	assert_int_equal(commit_charged(), before + 4); /* nothing was written */
	store_in(mm, va(2), 1);
	assert_int_equal(space_protect(mm, va(2), 2 * PAGE_SIZE, AREA_READ, 0), 0);
	assert_int_equal(commit_charged(), before + 4);
	struct mm *child = new_fork(mm);
	assert_int_equal(commit_charged(), before + 8);
	assert_int_equal(space_advise(mm, va(6), PAGE_SIZE, MADV_DONTFORK), 0);
	struct mm *other = new_fork(mm);
	assert_int_equal(commit_charged(), before + 11);
	map_pages(mm, va(20), 4, RW | AREA_SHARED, NULL, 0);
	struct mm *sharer = new_fork(mm);
	assert_int_equal(commit_charged(), before + 11 + 4 + 3);
	space_put(child);
	space_put(other);
	space_put(sharer);
	map_pages(mm, va(30), 4, RW | AREA_NORESERVE, NULL, 0);
	assert_int_equal(commit_charged(), before + 8);
	struct object *o = shmem_create(16 * PAGE_SIZE, false);
	map_pages(mm, va(40), 4, RW | AREA_SHARED, o, 0);
	store_in(mm, va(41), 1);
	assert_int_equal(commit_charged(), before + 9); /* page by page */
	object_put(o);
	space_put(mm);
	assert_int_equal(commit_charged(), before);
}

static void test_never_keeps_to_the_limit(void **state)
{
	struct mm *mm = new_space();
	u64 room;

	(void)state;
	mm_tunables.overcommit_memory = OVERCOMMIT_NEVER;
	mm_tunables.admin_reserve = 0;
	room = commit_limit() - commit_charged();
	struct map_request r = { .addr = va(0),
				 .length = room * PAGE_SIZE,
				 .flags = RW | AREA_NORESERVE,
				 .fixed = true };
	assert_int_equal(space_map(mm, &r), -ENOMEM);
	r.length = room / 2 * PAGE_SIZE;
	assert_int_equal(space_map(mm, &r), va(0));
	assert_null(space_fork(mm));
	assert_int_equal(space_remap(mm, va(0), r.length, room * PAGE_SIZE, 0, 0), -ENOMEM);
	r.addr += r.length;
	r.flags = AREA_READ | MAY;
	r.length = room * PAGE_SIZE;
	assert_int_equal(space_map(mm, &r), r.addr);
	assert_int_equal(space_protect(mm, r.addr, r.length, AREA_READ | AREA_WRITE, 0), -ENOMEM);
	assert_int_equal(commit_charged(), room / 2);
	mm_tunables.overcommit_memory = OVERCOMMIT_ALWAYS;
	assert_int_equal(space_protect(mm, r.addr, r.length, AREA_READ | AREA_WRITE, 0), 0);
	mm_tunables.overcommit_memory = OVERCOMMIT_GUESS;
	struct mm *child = new_fork(mm); /* area by area nothing is too much */
	space_put(child);
	r.addr += r.length;
	r.length = 2 * frame_total * PAGE_SIZE;
	r.flags = RW;
	assert_int_equal(space_map(mm, &r), -ENOMEM);
	space_put(mm);
	assert_int_equal(commit_charged(), 0);
}

static void test_a_failing_allocation_owes_nothing(void **state)
{
	struct mm *mm = new_space();
	u32 failures = 0;

	(void)state;
	map_anonymous(mm, va(0), 8);
	store_in(mm, va(0), 1);
	assert_int_equal(space_lock(mm, va(6), PAGE_SIZE, AREA_LOCKED), 0);
	for (u32 step = 0; step < 6; step++) {
		u64 charged = commit_charged();
		u32 areas = areas_in(mm, 0, 64);
		s64 r = -ENOMEM;

		for (u32 n = 0; r == -ENOMEM || r == -EAGAIN; n++, failures++) {
			struct map_request map = { .addr = va(step == 0 ? 8 : 20),
						   .length = 4 * PAGE_SIZE,
						   .flags = RW | (step ? AREA_SHARED : 0),
						   .fixed = true };
			struct mm *child = NULL;

			assert_int_equal(commit_charged(), charged);
			assert_int_equal(areas_in(mm, 0, 64), areas);
			alloc_fail_after(n);
			if (step < 2)
				r = space_map(mm, &map);
			else if (step == 2)
				r = space_protect(mm, va(1), 2 * PAGE_SIZE, AREA_READ, 0);
			else if (step == 3)
				r = space_remap(mm, va(4), PAGE_SIZE, PAGE_SIZE,
						REMAP_MAYMOVE | REMAP_DONTUNMAP, va(40));
			else if (step == 4)
				r = (child = space_fork(mm)) ? 0 : -ENOMEM;
			else
				r = space_unmap(mm, va(2), 8 * PAGE_SIZE);
			alloc_fail_after(UINT64_MAX);
			if (child)
				space_put(child);
			hosted_check();
		}
		assert_true(r >= 0);
	}
	assert_true(failures > 12);
	space_put(mm);
	assert_int_equal(commit_charged(), 0);
}

static int put_area(struct edit *e, u64 start, u64 end)
{
	struct area model = {
		.start = start, .end = end, .offset = start, .flags = RW | AREA_ACCOUNT
	};
	struct area *a = area_new(&model);
	int err = a ? edit_replace(e, start, end, a) : -ENOMEM;

	if (a)
		area_put(a);
	return err;
}

/* An edit of two steps whose second fails, at each allocation: what the first paid comes back. */
static void test_an_edit_that_is_given_up_owes_nothing(void **state)
{
	struct mm *mm = new_space();
	u32 paid = 0;
	int err = -ENOMEM;

	(void)state;
	map_anonymous(mm, va(0), 8);
	u64 charged = commit_charged();
	for (u32 n = 0; err; n++) {
		struct edit e;

		edit_begin(&e, mm);
		alloc_fail_after(n);
		err = put_area(&e, va(20), va(24));
		paid += !err && commit_charged() == charged + 4;
		if (!err)
			err = put_area(&e, va(30), va(36));
		alloc_fail_after(UINT64_MAX);
		edit_end(&e, !err);
		assert_int_equal(commit_charged(), err ? charged : charged + 10);
		hosted_check();
	}
	assert_true(paid > 1); /* the second step failed, too */
	space_put(mm);
	assert_int_equal(commit_charged(), charged - 8);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_that_came_apart_keep_areas_apart),
		cmocka_unit_test(test_inherited_areas_take_nothing_in),
		cmocka_unit_test(test_a_first_page_is_one_spaces_own),
		cmocka_unit_test(test_what_moved_with_pages_has_new_neighbours),
		cmocka_unit_test(test_the_charge_follows_areas),
		cmocka_unit_test(test_never_keeps_to_the_limit),
		cmocka_unit_test(test_a_failing_allocation_owes_nothing),
		cmocka_unit_test(test_an_edit_that_is_given_up_owes_nothing),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
