/*
 * test_huge.c - 2 MiB pages, one rule a test: when there is one, what it is split for, what it is counted as. test_huge_races.c has several CPUs.
 */
#include <asm/mman.h>

#include "huge_test.h"

static struct hosted_census at_start;
static struct mm_counters counted;

static int setup(void **state)
{
	(void)state;
	hosted_seed(1);
	huge_policy = HUGE_ALWAYS;
	at_start = hosted_census();
	counted = mm_counters_sum();
	return 0;
}

static int teardown(void **state)
{
	struct hosted_census now = hosted_census();
	const char *d = hosted_census_difference(&at_start, &now);

	(void)state;
	hosted_check();
	if (d)
		print_error("left behind: %s\n", d);
	return d ? -1 : 0;
}

#define since(counter) (mm_counters_sum().counter - counted.counter)

/* --- when there is one --- */

static void test_a_first_write_brings_2_mib_of_zeros(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 2 * HUGE_PAGES);
	store_in(mm, page_va(700), 5);
	assert_true(is_huge(mm, page_va(512)) && is_huge(mm, page_va(1023)));
	assert_false(is_huge(mm, page_va(511)));
	assert_int_equal(space_rss(mm).anon, HUGE_PAGES);
	assert_int_equal(since(huge_faults), 1);
	assert_int_equal(since(faults_minor) - since(faults_spurious), 1);
	for (u32 p = 512; p < 1024; p++)
		assert_int_equal(load(page_va(p)), p == 700 ? 5 : 0);
	store(page_va(1023) + 4088, 6);
	assert_int_equal(load(page_va(1023) + 4088), 6);
	assert_int_equal(since(faults_minor) - since(faults_spurious), 1);
	assert_int_equal(space_table_bytes(mm), 3 * PAGE_SIZE);
	hosted_check();
	space_put(mm);
}

/* What a store to the middle of the area [start, +pages) brings. */
static bool gets_huge(u64 start, u64 pages, u32 flags, u8 disabled)
{
	struct mm *mm = new_space();

	mm->huge_disabled = disabled;
	map_pages(mm, start, pages, flags, NULL, 0);
	store_in(mm, start + pages / 2 * PAGE_SIZE, 1);
	bool huge = is_huge(mm, start + pages / 2 * PAGE_SIZE);
	struct mm *child = new_fork(mm);
	assert_int_equal(child->huge_disabled, disabled);
	space_put(child);
	space_put(mm);
	return huge;
}

static void test_the_switch_the_advice_and_the_area_decide(void **state)
{
	(void)state;
	assert_true(gets_huge(BASE, 512, RW, HUGE_ENABLED));
	assert_false(gets_huge(BASE, 512, RW, HUGE_DISABLED));
	assert_false(gets_huge(BASE, 511, RW, HUGE_ENABLED));
	assert_false(gets_huge(page_va(1), 512 + 510, RW, HUGE_ENABLED));
	assert_true(gets_huge(page_va(1), 512 + 511, RW, HUGE_ENABLED));
	assert_false(gets_huge(BASE, 512, RW | AREA_NOHUGEPAGE, HUGE_ENABLED));
	assert_false(gets_huge(BASE, 512, RW | AREA_STACK, HUGE_ENABLED));
	assert_false(gets_huge(BASE, 512, RW | AREA_GROWSDOWN, HUGE_ENABLED));
	assert_false(gets_huge(BASE, 512, RW | AREA_SHARED, HUGE_ENABLED));
	assert_false(gets_huge(BASE, 512, RW, HUGE_UNLESS_ADVISED));
	assert_true(gets_huge(BASE, 512, RW | AREA_HUGEPAGE, HUGE_UNLESS_ADVISED));
	huge_policy = HUGE_MADVISE;
	assert_false(gets_huge(BASE, 512, RW, HUGE_ENABLED));
	assert_true(gets_huge(BASE, 512, RW | AREA_HUGEPAGE, HUGE_ENABLED));
	huge_policy = HUGE_NEVER;
	assert_false(gets_huge(BASE, 512, RW | AREA_HUGEPAGE, HUGE_ENABLED));
}

static void test_a_private_mapping_of_a_file_gets_small_pages(void **state)
{
	struct mem_object *file = mem_object_file(16 * PAGE_SIZE, offset_itself);
	struct mm *mm = new_space();

	(void)state;
	map_pages(mm, BASE, 512, RW, &file->object, 0);
	store_in(mm, page_va(3), 1);
	assert_false(is_huge(mm, BASE));
	space_put(mm);
	object_put(&file->object);
}

static void test_where_a_page_is_already_the_others_come_one_by_one(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 512);
	assert_int_equal(load_in(mm, page_va(9)), 0); /* the zero page */
	store(page_va(10), 1);
	assert_false(is_huge(mm, BASE));
	assert_int_equal(space_rss(mm).anon, 1);
	space_put(mm);
}

static void test_without_a_free_block_a_small_page_comes_at_once(void **state)
{
	struct page *taken[64];
	struct mm *mm = new_space();
	u32 n = 0;

	(void)state;
	map_anonymous(mm, BASE, 512);
	hosted_load_space(mm);
	while ((taken[n] = frame_alloc_order(HUGE_ORDER, PAGE_KERNEL)))
		n++;
	store(page_va(7), 2);
	assert_false(is_huge(mm, BASE));
	assert_int_equal(space_rss(mm).anon, 1);
	assert_true(since(huge_fallbacks) > 0);
	while (n)
		frame_free_order(taken[--n], HUGE_ORDER);
	space_put(mm);
}

static void test_frames_that_the_cpu_keeps_are_joined_before_a_block_is_missed(void **state)
{
	struct page *taken[64], *p;
	u32 n = 0;

	(void)state;
	while ((taken[n] = frame_alloc_order(HUGE_ORDER, PAGE_KERNEL)))
		n++;
	assert_true(n > 0);
	for (u32 i = 0; i < HUGE_PAGES; i++)
		frame_free(taken[n - 1] + i);
	p = frame_alloc_order(HUGE_ORDER, PAGE_KERNEL);
	assert_ptr_equal(p, taken[n - 1]);
	while (n)
		frame_free_order(taken[--n], HUGE_ORDER);
}

/* --- fork --- */

static void test_a_write_after_fork_copies_one_page(void **state)
{
	struct mm *parent = huge_space(1), *child = new_fork(parent);

	(void)state;
	counted = mm_counters_sum();
	store_in(child, page_va(40), 1000);
	assert_int_equal(since(pages_copied), 1);
	assert_int_equal(since(huge_splits), 1);
	assert_int_equal(since(pages_zeroed), 0);
	assert_true(is_huge(parent, BASE));
	assert_false(is_huge(child, BASE));
	hosted_check();
	/* The child still has the other pages: the parent's first write to one splits, too. */
	store_in(parent, page_va(41), 2000);
	assert_int_equal(since(pages_copied), 2);
	assert_int_equal(since(huge_splits), 2);
	assert_int_equal(mm_counters_sum().huge_nodes, 0);
	/* The one that the child has copied is the parent's alone again. */
	store(page_va(40), 40);
	assert_int_equal(since(pages_copied), 2);
	pages_must_be_intact(parent, 0, 512, 41);
	pages_must_be_intact(child, 0, 512, 40);
	assert_int_equal(load_in(child, page_va(40)), 1000);
	assert_int_equal(load_in(parent, page_va(41)), 2000);
	assert_int_equal(space_rss(parent).anon, 512);
	assert_int_equal(space_rss(child).anon, 512);
	space_put(parent);
	hosted_check();
	pages_must_be_intact(child, 0, 512, 40);
	space_put(child);
}

static void test_a_node_whose_other_owner_left_is_taken_back_whole(void **state)
{
	struct mm *parent = huge_space(1), *child = new_fork(parent);

	(void)state;
	store_in(child, page_va(40), 1000);
	space_put(child);
	counted = mm_counters_sum();
	store_in(parent, page_va(41), 41);
	assert_true(is_huge(parent, BASE));
	assert_int_equal(since(pages_copied), 0);
	assert_int_equal(since(pages_reused), 1);
	assert_int_equal(since(huge_splits), 0);
	store(page_va(300), 300);
	assert_int_equal(since(faults_minor) - since(faults_spurious), 1);
	pages_must_be_intact(parent, 0, 512, NO_PAGE);
	space_put(parent);
}

/* The node's count is 1, but a page of it is another's: writing to it in place would be seen there. */
static void test_a_node_with_a_page_of_another_is_not_taken_back(void **state)
{
	struct mm *parent = huge_space(1), *child = new_fork(parent);

	(void)state;
	store_in(child, page_va(40), 1000); /* splits: holds 511 of the node's pages */
	assert_int_equal(space_unmap(child, page_va(0), 511 * PAGE_SIZE), 0);
	counted = mm_counters_sum();
	store_in(parent, page_va(3), 3);
	assert_int_equal(since(huge_splits), 1);
	assert_int_equal(since(pages_copied), 0); /* it is the parent's alone */
	store(page_va(511), 5);
	assert_int_equal(since(pages_copied), 1);
	assert_int_equal(load_in(child, page_va(511)), 511);
	space_put(parent);
	assert_int_equal(load_in(child, page_va(511)), 511);
	assert_int_equal(mm_counters_sum().anon_pages - at_start.anon, 1);
	space_put(child);
}

static void test_pages_outlive_their_node(void **state)
{
	struct mm *parent = huge_space(2), *child = new_fork(parent);

	(void)state;
	store_in(child, page_va(600), 1000);
	space_put(parent);
	hosted_check();
	assert_int_equal(mm_counters_sum().huge_nodes - at_start.huge, 1);
	pages_must_be_intact(child, 0, 1024, 600);
	/* ... and are given back one by one. */
	assert_int_equal(space_unmap(child, page_va(512), 100 * PAGE_SIZE), 0);
	assert_int_equal(mm_counters_sum().anon_pages - at_start.anon, 1024 - 100);
	space_put(child);
}

static void test_the_kernels_writes_split_too(void **state)
{
	struct mm *parent = huge_space(1), *child = new_fork(parent);
	u64 value = 77, back = 0;

	(void)state;
	assert_int_equal(space_write(child, page_va(9) + 8, &value, 8, 0), 8);
	assert_int_equal(space_read(parent, page_va(9) + 8, &back, 8, 0), 8);
	assert_int_equal(back, 0);
	assert_int_equal(space_read(child, page_va(9) + 8, &back, 8, 0), 8);
	assert_int_equal(back, 77);
	space_put(child);
	/* Forced, where the area does not permit it: in place, but the entry stays read-only. */
	assert_int_equal(space_protect(parent, BASE, HUGE_SIZE, AREA_READ, false), 0);
	counted = mm_counters_sum();
	assert_int_equal(space_write(parent, page_va(9) + 8, &value, 8, 0), -EFAULT);
	assert_int_equal(space_write(parent, page_va(9) + 8, &value, 8, SPACE_FORCE), 8);
	assert_true(is_huge(parent, BASE));
	assert_int_equal(load_in(parent, page_va(9) + 8), 77);
	assert_faults(user_store(page_va(9), 1, &r), SIGSEGV, 2);
	space_put(parent);
}

static void test_areas_that_a_child_must_not_have_cut_the_node_in_the_child_only(void **state)
{
	struct mm *parent = huge_space(1), *child;
	struct fault_result r;
	u64 v;

	(void)state;
	assert_int_equal(space_advise(parent, page_va(100), 50 * PAGE_SIZE, MADV_DONTFORK), 0);
	assert_int_equal(space_advise(parent, page_va(200), 50 * PAGE_SIZE, MADV_WIPEONFORK), 0);
	child = new_fork(parent);
	assert_true(is_huge(parent, BASE));
	pages_must_be_intact(parent, 0, 512, NO_PAGE);
	pages_must_be_intact(child, 0, 100, NO_PAGE);
	pages_must_be_intact(child, 250, 512, NO_PAGE);
	hosted_load_space(child);
	assert_int_equal(user_load(page_va(120), &v, &r), -EFAULT);
	assert_int_equal(load(page_va(220)), 0);
	assert_int_equal(space_rss(child).anon, 412);
	hosted_check();
	space_put(parent);
	space_put(child);
}

/* --- cutting --- */

static void test_unmapping_a_part_splits_and_frees_that_part(void **state)
{
	struct mm *mm = huge_space(3);

	(void)state;
	counted = mm_counters_sum();
	assert_int_equal(space_unmap(mm, page_va(500), (12 + 512 + 3) * PAGE_SIZE), 0);
	assert_int_equal(since(huge_splits), 2); /* the middle one goes whole */
	assert_int_equal(space_rss(mm).anon, 3 * 512 - 527);
	assert_int_equal(mm_counters_sum().anon_pages - at_start.anon, 3 * 512 - 527);
	pages_must_be_intact(mm, 0, 500, NO_PAGE);
	pages_must_be_intact(mm, 1027, 1536, NO_PAGE);
	hosted_check();
	space_put(mm);
}

static void test_whole_nodes_go_without_memory(void **state)
{
	struct mm *mm = huge_space(3);

	(void)state;
	alloc_fail_after(0);
	assert_int_equal(space_advise(mm, page_va(512), HUGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(space_rss(mm).anon, 2 * 512);
	assert_int_equal(space_unmap(mm, 0, USER_END), 0);
	alloc_fail_after(UINT64_MAX);
	assert_int_equal(space_rss(mm).anon, 0);
	space_put(mm);
}

static void test_dontneed_of_a_part_leaves_the_rest(void **state)
{
	struct mm *mm = huge_space(1);

	(void)state;
	assert_int_equal(space_advise(mm, page_va(5), PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(load_in(mm, page_va(5)), 0);
	pages_must_be_intact(mm, 0, 512, 5);
	assert_int_equal(space_rss(mm).anon, 511);
	space_put(mm);
}

static void test_protecting_all_of_it_keeps_it_and_a_part_splits_it(void **state)
{
	struct mm *mm = huge_space(1);
	u64 v;

	(void)state;
	counted = mm_counters_sum();
	assert_int_equal(space_protect(mm, BASE, HUGE_SIZE, AREA_READ, false), 0);
	assert_faults(user_store(page_va(3), 1, &r), SIGSEGV, 2);
	assert_int_equal(load(page_va(3)), 3);
	assert_int_equal(space_protect(mm, BASE, HUGE_SIZE, 0, false), 0);
	assert_faults(user_load(page_va(3), &v, &r), SIGSEGV, 2);
	assert_int_equal(space_rss(mm).anon, 512);
	assert_int_equal(space_protect(mm, BASE, HUGE_SIZE, AREA_READ | AREA_WRITE, false), 0);
	assert_int_equal(load(page_va(3)), 3);
	store(page_va(3), 3);
	assert_true(is_huge(mm, BASE));
	assert_int_equal(since(huge_splits), 0);
	assert_int_equal(space_protect(mm, page_va(8), 8 * PAGE_SIZE, AREA_READ, false), 0);
	assert_int_equal(since(huge_splits), 1);
	assert_faults(user_store(page_va(8), 1, &r), SIGSEGV, 2);
	store(page_va(7), 7);
	store(page_va(16), 16);
	pages_must_be_intact(mm, 0, 512, NO_PAGE);
	hosted_check();
	space_put(mm);
}

/* The leaves that the range cuts keep what they allow elsewhere: no fault takes it back. */
static void test_protecting_parts_of_two_leaves_costs_the_rest_nothing(void **state)
{
	struct mm *mm = huge_space(2);

	(void)state;
	assert_int_equal(space_protect(mm, page_va(400), 200 * PAGE_SIZE, AREA_READ, false), 0);
	hosted_check();
	counted = mm_counters_sum();
	store(page_va(399), 399);
	store(page_va(600), 600);
	assert_int_equal(since(faults_minor) - since(faults_spurious), 0);
	assert_faults(user_store(page_va(400), 1, &r), SIGSEGV, 2);
	assert_faults(user_store(page_va(599), 1, &r), SIGSEGV, 2);
	pages_must_be_intact(mm, 0, 1024, NO_PAGE);
	space_put(mm);
}

/* It must not fail for want of a table: the leaf loses as a whole, and faults sort it out. */
static void test_protecting_a_part_without_memory_for_a_split(void **state)
{
	struct mm *mm = huge_space(1);
	u64 n = 0;

	(void)state;
	while (is_huge(mm, BASE) && areas_summary(mm->areas)->count == 1) {
		alloc_fail_after(n++);
		(void)space_protect(mm, page_va(100), 100 * PAGE_SIZE, AREA_READ, false);
		alloc_fail_after(UINT64_MAX);
		hosted_check();
	}
	assert_true(is_huge(mm, BASE));
	store(page_va(99), 99);
	store(page_va(200), 200);
	assert_false(is_huge(mm, BASE));
	assert_faults(user_store(page_va(150), 1, &r), SIGSEGV, 2);
	pages_must_be_intact(mm, 0, 512, NO_PAGE);
	space_put(mm);
}

/* Under a table that two spaces share, the split is in place: neither gets a table of its own. */
static void test_a_part_protected_under_a_shared_table_is_split_in_place_for_both(void **state)
{
	struct mm *parent = huge_space(1), *child = new_fork(parent);

	(void)state;
	counted = mm_counters_sum();
	assert_int_equal(space_protect(child, page_va(8), PAGE_SIZE, AREA_READ, false), 0);
	assert_int_equal(since(tables_copied), 0);
	assert_int_equal(since(huge_splits), 1);
	assert_false(is_huge(parent, BASE));
	pages_must_be_intact(parent, 0, 512, NO_PAGE);
	hosted_check();
	hosted_load_space(child);
	assert_faults(user_store(page_va(8), 1, &r), SIGSEGV, 2);
	store_in(parent, page_va(8), 1000);
	assert_int_equal(load_in(child, page_va(8)), 8);
	space_put(parent);
	space_put(child);
}

/* L: the leaf lies in two areas; what one permits must not be given to the other. */
static void test_what_half_of_it_permits_the_other_half_does_not_get(void **state)
{
	struct mm *mm = huge_space(1);
	u64 v;

	(void)state;
	assert_int_equal(space_protect(mm, BASE, HUGE_SIZE, 0, false), 0);
	assert_int_equal(space_protect(mm, BASE, HUGE_SIZE / 2, AREA_READ | AREA_WRITE, false), 0);
	assert_true(is_huge(mm, BASE)); /* upgrades are lazy */
	store(page_va(10), 10);
	hosted_check();
	assert_faults(user_load(page_va(300), &v, &r), SIGSEGV, 2);
	assert_int_equal(space_protect(mm, page_va(256), HUGE_SIZE / 2, AREA_READ, false), 0);
	assert_int_equal(load(page_va(300)), 300);
	assert_faults(user_store(page_va(300), 1, &r), SIGSEGV, 2);
	pages_must_be_intact(mm, 0, 512, NO_PAGE);
	space_put(mm);
}

/* --- moving --- */

static void test_mremap_moves_it_whole_where_it_fits_and_splits_it_elsewhere(void **state)
{
	struct mm *mm = huge_space(2);
	u32 flags = REMAP_MAYMOVE | REMAP_FIXED;
	u64 far = 0x8000000000;

	(void)state;
	counted = mm_counters_sum();
	assert_int_equal(space_remap(mm, BASE, HUGE_SIZE, HUGE_SIZE, flags, far), far);
	assert_int_equal(since(huge_splits), 0);
	assert_true(is_huge(mm, far));
	hosted_check();
	assert_int_equal(load_in(mm, far + 5 * PAGE_SIZE), 5);
	assert_int_equal(space_rss(mm).anon, 1024);
	/* back by one page: not aligned */
	assert_int_equal(space_remap(mm, far, HUGE_SIZE, HUGE_SIZE, flags, BASE - PAGE_SIZE),
			 BASE - PAGE_SIZE);
	assert_int_equal(since(huge_splits), 1);
	assert_int_equal(load(BASE), 1);
	/* a part of the second */
	assert_int_equal(space_remap(mm, page_va(600), 4 * PAGE_SIZE, 4 * PAGE_SIZE, flags, far),
			 far);
	assert_int_equal(since(huge_splits), 2);
	assert_int_equal(load(far + PAGE_SIZE), 601);
	assert_int_equal(space_rss(mm).anon, 1024);
	hosted_check();
	space_put(mm);
}

/* A move that failed has left an empty table where the leaf will go: it makes room. */
static void test_mremap_to_a_place_with_an_empty_table(void **state)
{
	struct mm *mm = huge_space(1);
	u32 flags = REMAP_MAYMOVE | REMAP_FIXED, n = 0;
	u64 far = 0x8000000000;
	s64 r;

	(void)state;
	map_anonymous(mm, page_va(2048), 1);
	store(page_va(2048), 5);
	do {
		alloc_fail_after(n++);
		r = space_remap(mm, page_va(2048), PAGE_SIZE, PAGE_SIZE, flags, far);
		alloc_fail_after(UINT64_MAX);
		if (r < 0 && space_table_bytes(mm) > 6 * PAGE_SIZE)
			break;
	} while (r < 0);
	must(r == -ENOMEM, "no failure leaves a table");
	counted = mm_counters_sum();
	assert_int_equal(space_remap(mm, BASE, HUGE_SIZE, HUGE_SIZE, flags, far), far);
	assert_int_equal(since(huge_splits), 0);
	assert_true(is_huge(mm, far));
	hosted_check();
	for (u32 p = 0; p < 512; p++)
		assert_int_equal(load(far + p * PAGE_SIZE), p);
	space_put(mm);
}

/* It moves under the child's own tables; the parent keeps it where it was. */
static void test_mremap_after_fork_moves_a_shared_node(void **state)
{
	struct mm *parent = huge_space(1), *child = new_fork(parent);
	u64 far = 0x8000000000;

	(void)state;
	counted = mm_counters_sum();
	assert_int_equal(
		space_remap(child, BASE, HUGE_SIZE, HUGE_SIZE, REMAP_MAYMOVE | REMAP_FIXED, far),
		far);
	assert_int_equal(since(huge_splits), 0);
	hosted_check();
	store_in(child, far, 9);
	assert_int_equal(load_in(parent, BASE), 0);
	pages_must_be_intact(parent, 0, 512, NO_PAGE);
	space_put(child);
	space_put(parent);
}

/* --- failures --- */

struct failing {
	struct mm *parent, *child;
};

static void failing_same(struct failing *t)
{
	pages_must_be_intact(t->parent, 0, 512, NO_PAGE);
	pages_must_be_intact(t->child, 0, 512, NO_PAGE);
	assert_int_equal(areas_summary(t->child->areas)->count, 1);
	hosted_check();
}

static int fail_write(struct failing *t)
{
	struct fault_result r;

	hosted_load_space(t->child);
	return user_store(page_va(5), 5, &r);
}

static int fail_protect(struct failing *t)
{
	return space_protect(t->child, page_va(5), 3 * PAGE_SIZE, AREA_READ, false);
}

static int fail_unmap(struct failing *t)
{
	return space_unmap(t->child, page_va(5), 3 * PAGE_SIZE);
}

static int fail_dontneed(struct failing *t)
{
	return space_advise(t->child, page_va(5), 3 * PAGE_SIZE, MADV_DONTNEED);
}

static int fail_remap(struct failing *t)
{
	s64 r = space_remap(t->child, page_va(5), 3 * PAGE_SIZE, 3 * PAGE_SIZE,
			    REMAP_MAYMOVE | REMAP_FIXED, 0x8000000000);

	return r < 0 ? (int)r : 0;
}

static void test_a_split_that_fails_changes_nothing(void **state)
{
	static int (*const attempts[])(struct failing *) = { fail_write, fail_protect, fail_unmap,
							     fail_dontneed, fail_remap };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(attempts); i++) {
		struct failing t = { .parent = huge_space(1) };
		u64 n = 0;
		int err;

		t.child = new_fork(t.parent);
		for (;; n++) {
			alloc_fail_after(n);
			err = attempts[i](&t);
			alloc_fail_after(UINT64_MAX);
			if (err != -ENOMEM)
				break;
			failing_same(&t);
		}
		must(!err && n > 0, "attempt %u: %d after %lu failures", i, err, n);
		hosted_check();
		space_put(t.child);
		space_put(t.parent);
	}
}

/* --- reports --- */

static struct area_usage usage_of(struct mm *mm)
{
	struct area_usage u = { 0 };

	space_usage(mm, areas_find(mm->areas, BASE), &u);
	return u;
}

static u64 info_of(struct mm *mm, u64 va)
{
	u64 info;

	space_page_info(mm, va, false, &info, 1);
	return info >> 56;
}

static void test_reports_know_it(void **state)
{
	struct mm *parent = huge_space(2), *child;
	struct space_difference d;
	u8 resident[2];

	(void)state;
	struct area_usage u = usage_of(parent);
	assert_int_equal(u.rss, 2 * HUGE_SIZE);
	assert_int_equal(u.anonymous_huge, 2 * HUGE_SIZE);
	assert_int_equal(u.private_dirty, 2 * HUGE_SIZE);
	assert_int_equal(space_residency(parent, page_va(511), 2, resident), 0);
	assert_true(resident[0] && resident[1]);
	assert_int_equal(info_of(parent, page_va(77)), 0x81);
	child = new_fork(parent);
	assert_int_equal(info_of(parent, page_va(77)), 0x80);
	store_in(child, page_va(5), 1);
	/* One page is the parent's alone, one the child's; the others are shared, halves each. */
	u = usage_of(parent);
	assert_int_equal(u.anonymous_huge, 2 * HUGE_SIZE);
	assert_int_equal(u.shared_dirty, 2 * HUGE_SIZE - PAGE_SIZE);
	u64 pss = u.pss;
	u = usage_of(child);
	assert_int_equal(u.anonymous_huge, HUGE_SIZE);
	assert_int_equal(u.shared_dirty, 2 * HUGE_SIZE - PAGE_SIZE);
	assert_int_equal(u.pss, pss);
	space_compare(child, parent, &d);
	assert_int_equal(d.changed, 1);
	assert_int_equal(d.same, 1023);
	space_compare(parent, child, &d);
	assert_int_equal(d.changed, 1);
	assert_int_equal(d.same, 1023);
	space_put(parent);
	space_put(child);
}

/* --- the checker sees what is wrong with one --- */

static void must_say(const char *what)
{
	char text[150];

	assert_true(mm_check(text, sizeof(text)) > 0);
	must(strstr(text, what), "the checker says: %s", text);
}

static void test_the_checker_sees_a_wrong_count_and_a_wrong_permission(void **state)
{
	struct mm *parent = huge_space(2), *child;
	struct pte e;
	struct page *head = hosted_peek(parent, BASE, &e);
	bool owned;

	(void)state;
	head->huge.refs++;
	must_say("W: "); /* it is writable, too */
	head->huge.refs--;
	atomic_add(page_count_slot(head + 9), 1);
	must_say("W: ");
	atomic_sub(page_count_slot(head + 9), 1);
	child = new_fork(parent);
	store_in(parent, page_va(512), 0); /* tables of its own */
	struct page *t = node_leaf_lock(child, BASE, &owned);
	spin_unlock(&t->lock);
	assert_int_equal(t->level, 2);
	head->huge.refs++;
	must_say("R: huge node");
	head->huge.refs--;
	space_put(child);
	space_put(parent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_first_write_brings_2_mib_of_zeros),
		TEST(test_the_switch_the_advice_and_the_area_decide),
		TEST(test_a_private_mapping_of_a_file_gets_small_pages),
		TEST(test_where_a_page_is_already_the_others_come_one_by_one),
		TEST(test_without_a_free_block_a_small_page_comes_at_once),
		TEST(test_frames_that_the_cpu_keeps_are_joined_before_a_block_is_missed),
		TEST(test_a_write_after_fork_copies_one_page),
		TEST(test_a_node_whose_other_owner_left_is_taken_back_whole),
		TEST(test_a_node_with_a_page_of_another_is_not_taken_back),
		TEST(test_pages_outlive_their_node),
		TEST(test_the_kernels_writes_split_too),
		TEST(test_areas_that_a_child_must_not_have_cut_the_node_in_the_child_only),
		TEST(test_unmapping_a_part_splits_and_frees_that_part),
		TEST(test_whole_nodes_go_without_memory),
		TEST(test_dontneed_of_a_part_leaves_the_rest),
		TEST(test_protecting_all_of_it_keeps_it_and_a_part_splits_it),
		TEST(test_protecting_parts_of_two_leaves_costs_the_rest_nothing),
		TEST(test_protecting_a_part_without_memory_for_a_split),
		TEST(test_a_part_protected_under_a_shared_table_is_split_in_place_for_both),
		TEST(test_what_half_of_it_permits_the_other_half_does_not_get),
		TEST(test_mremap_moves_it_whole_where_it_fits_and_splits_it_elsewhere),
		TEST(test_mremap_to_a_place_with_an_empty_table),
		TEST(test_mremap_after_fork_moves_a_shared_node),
		TEST(test_a_split_that_fails_changes_nothing),
		TEST(test_reports_know_it),
		TEST(test_the_checker_sees_a_wrong_count_and_a_wrong_permission),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
