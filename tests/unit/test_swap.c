/*
 * test_swap.c - pages that go to swap and come back: what is seen stays the same, in every order of CPUs, and what is counted is exact. The numbers are
 * those of docs/testing.md.
 */
#include <asm/mman.h>

#include "mm/lazyfree.h"
#include "mm/node.h"
#include "mm/reclaim.h"
#include "race_test.h"
#include "swap_mem.h"

#define PAGES 24

/* Push out all that can go. No space that holds something is loaded, so nothing is used meanwhile. */
static void push_out(void)
{
	struct mm *empty = new_space();

	hosted_load_space(empty);
	for (u32 i = 0; i < 8; i++)
		memory_reclaim();
	space_put(empty);
}

static u64 pages_in_swap(struct mm *mm)
{
	return space_rss(mm).swap;
}

/* --- one CPU --- */

static void test_pages_come_back_from_swap_with_their_bytes(void **state)
{
	(void)state;
	hosted_seed(1);
	struct hosted_census before = hosted_census();
	struct swap_mem *d = swap_mem_add(128);
	struct mm *mm = new_space();
	map_anonymous(mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(mm, page_va(p), 100 + p);
	push_out();
	assert_true(pages_in_swap(mm) > PAGES / 2);
	assert_int_equal(pages_in_swap(mm) + space_rss(mm).anon, PAGES);
	assert_true(d->writes >= pages_in_swap(mm));
	hosted_check();
	for (u32 p = 0; p < PAGES; p++) {
		assert_int_equal(load_in(mm, page_va(p)), 100 + p);
		store(page_va(p) + 8, 7);
	}
	assert_int_equal(pages_in_swap(mm), 0);
	assert_int_equal(space_rss(mm).anon, PAGES);
	assert_int_equal(swap_free_slots(), swap_total_slots());
	hosted_check();
	push_out();
	assert_true(pages_in_swap(mm));
	space_put(mm); /* with pages in swap: the slots are free again */
	assert_int_equal(swap_free_slots(), swap_total_slots());
	swap_mem_remove(d);
	census_must_equal(&before);
}

/* 7 */
static void
test_what_was_swapped_out_through_one_and_written_through_another_reads_old(void **state)
{
	(void)state;
	hosted_seed(7);
	struct hosted_census before = hosted_census();
	struct swap_mem *d = swap_mem_add(128);
	struct mm *parent = new_space();
	map_anonymous(parent, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(parent, page_va(p), 100 + p);
	struct mm *child = new_fork(parent);
	push_out();
	hosted_check();
	assert_true(pages_in_swap(parent));
	assert_int_equal(pages_in_swap(parent), pages_in_swap(child)); /* one table, visited once */
	for (u32 p = 0; p < PAGES; p += 2)
		store_in(child, page_va(p), 200 + p);
	push_out();
	hosted_check();
	for (u32 p = 0; p < PAGES; p++) {
		assert_int_equal(load_in(parent, page_va(p)), 100 + p);
		assert_int_equal(load_in(child, page_va(p)), p % 2 ? 100 + p : 200 + p);
	}
	space_put(parent);
	for (u32 p = 0; p < PAGES; p++)
		store_in(child, page_va(p), 300 + p);
	assert_int_equal(swap_free_slots(), swap_total_slots());
	space_put(child);
	swap_mem_remove(d);
	census_must_equal(&before);
}

static void test_swapoff_brings_everything_back(void **state)
{
	(void)state;
	hosted_seed(9);
	struct hosted_census before = hosted_census();
	struct swap_mem *d = swap_mem_add(128);
	struct mm *parent = new_space();
	map_anonymous(parent, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(parent, page_va(p), 100 + p);
	struct mm *child = new_fork(parent);
	store_in(child, page_va(3), 1);
	push_out();
	assert_true(pages_in_swap(parent) && pages_in_swap(child));
	swap_mem_remove(d);
	assert_int_equal(pages_in_swap(parent) + pages_in_swap(child), 0);
	assert_int_equal(swap_total_slots(), 0);
	for (u32 p = 0; p < PAGES; p++) {
		assert_int_equal(load_in(parent, page_va(p)), 100 + p);
		assert_int_equal(load_in(child, page_va(p)), p == 3 ? 1 : 100 + p);
	}
	hosted_check();
	space_put(parent);
	space_put(child);
	census_must_equal(&before);
}

static void test_willneed_brings_back_what_pageout_took(void **state)
{
	(void)state;
	hosted_seed(12);
	struct swap_mem *d = swap_mem_add(128);
	struct mm *mm = new_space();
	map_anonymous(mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(mm, page_va(p), 50 + p);
	assert_int_equal(space_advise(mm, BASE, PAGES * PAGE_SIZE, MADV_PAGEOUT), 0);
	assert_true(pages_in_swap(mm) >= PAGES / 2);
	assert_int_equal(space_advise(mm, BASE, PAGES * PAGE_SIZE, MADV_WILLNEED), 0);
	assert_int_equal(pages_in_swap(mm), 0);
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(load_in(mm, page_va(p)), 50 + p);
	hosted_check();
	space_put(mm);
	swap_mem_remove(d);
}

static void test_locked_areas_stay_in_memory(void **state)
{
	(void)state;
	hosted_seed(10);
	struct swap_mem *d = swap_mem_add(128);
	struct mm *mm = new_space();
	map_anonymous(mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(mm, page_va(p), p);
	assert_int_equal(space_lock(mm, page_va(8), 8 * PAGE_SIZE, AREA_LOCKED), 0);
	push_out();
	for (u32 p = 8; p < 16; p++)
		assert_non_null(hosted_peek(mm, page_va(p), &(struct pte){ 0 }));
	assert_true(pages_in_swap(mm));
	struct mm *child = new_fork(mm); /* does not inherit the lock, but shares the table */
	push_out();
	for (u32 p = 8; p < 16; p++)
		assert_non_null(hosted_peek(mm, page_va(p), &(struct pte){ 0 }));
	space_put(child);
	assert_int_equal(space_lock(mm, page_va(8), 8 * PAGE_SIZE, 0), 0);
	store_in(mm, page_va(20), 1); /* the path is ours again */
	push_out();
	assert_true(pages_in_swap(mm) > PAGES - 8);
	space_put(mm);
	swap_mem_remove(d);
}

static void test_a_device_that_fails_loses_nothing_and_a_full_one_takes_no_more(void **state)
{
	struct fault_result r;
	u64 value;

	(void)state;
	hosted_seed(11);
	struct hosted_census before = hosted_census();
	struct swap_mem *d = swap_mem_add(5); /* 4 slots */
	struct mm *mm = new_space();
	map_anonymous(mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(mm, page_va(p), 100 + p);
	d->write_failures = 3;
	push_out();
	hosted_check();
	assert_int_equal(pages_in_swap(mm), 4);
	assert_int_equal(swap_free_slots(), 0);
	u32 failed = 0;
	d->read_failures = 1;
	hosted_load_space(mm);
	for (u32 p = 0; p < PAGES; p++) {
		int err = user_load(page_va(p), &value, &r);
		if (err) {
			assert_int_equal(err, -EFAULT);
			assert_int_equal(r.signal, SIGBUS);
			failed++;
		}
		assert_int_equal(load(page_va(p)), 100 + p); /* the next attempt reads it */
	}
	assert_int_equal(failed, 1);
	space_put(mm);
	swap_mem_remove(d);
	census_must_equal(&before);
}

static void
test_pages_of_files_are_unmapped_and_found_again_without_a_copy_of_the_table(void **state)
{
	(void)state;
	hosted_seed(12);
	struct hosted_census before = hosted_census();
	struct mem_object *file = mem_object_file(PAGES * PAGE_SIZE, offset_itself);
	struct mm *parent = new_space();
	map_pages(parent, BASE, PAGES, AREA_READ | MAY, &file->object, 0);
	for (u32 p = 0; p < PAGES; p++)
		load_in(parent, page_va(p));
	struct mm *child = new_fork(parent);
	push_out();
	hosted_check();
	assert_int_equal(space_rss(parent).file, space_rss(child).file);
	assert_true(space_rss(parent).file < PAGES);
	u64 copied = mm_counters_sum().tables_copied;
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(load_in(child, page_va(p)), p * PAGE_SIZE);
	assert_int_equal(mm_counters_sum().tables_copied, copied);
	assert_int_equal(space_rss(parent).file, PAGES); /* in place: for both */
	hosted_check();
	space_put(parent);
	space_put(child);
	object_put(&file->object);
	census_must_equal(&before);
}

static void test_what_lost_permission_while_it_was_away_has_not_got_it_back(void **state)
{
	(void)state;
	hosted_seed(13);
	struct swap_mem *d = swap_mem_add(128);
	struct mm *parent = new_space();
	map_anonymous(parent, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(parent, page_va(p), p);
	struct mm *child = new_fork(parent);
	push_out();
	assert_true(pages_in_swap(parent) > PAGES / 2);
	assert_int_equal(space_protect(parent, BASE, PAGES * PAGE_SIZE, 0, false), 0);
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(load_in(child, page_va(p)), p); /* fills in place, or owns */
	hosted_load_space(parent);
	for (u32 p = 0; p < PAGES; p++) {
		u64 value;
		assert_faults(user_load(page_va(p), &value, &r), SIGSEGV, SEGV_ACCERR);
	}
	hosted_check();
	space_put(parent);
	space_put(child);
	swap_mem_remove(d);
}

static void test_what_was_given_up_goes_without_swap_unless_it_is_written_to_again(void **state)
{
	u64 eight = 8;

	(void)state;
	hosted_seed(14);
	struct hosted_census before = hosted_census();
	struct mm *mm = new_space();
	map_anonymous(mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(mm, page_va(p), 100 + p);
	space_free_lazily(mm, page_va(4), page_va(20));
	for (u32 p = 0; p < PAGES; p++) /* as long as memory is not short, nothing has changed */
		assert_int_equal(load_in(mm, page_va(p)), 100 + p);
	store(page_va(5), 7);
	assert_int_equal(space_write(mm, page_va(6), &eight, 8, 0), 8);
	struct mm *child = new_fork(mm);
	store_in(child, page_va(7), 9); /* in the parent it is still given up */
	space_put(child);
	hosted_check();
	push_out();
	hosted_check();
	assert_int_equal(space_rss(mm).anon, PAGES - 14);
	assert_int_equal(space_rss(mm).swap, 0);
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(load_in(mm, page_va(p)), p == 5             ? 7
							  : p == 6           ? 8
							  : p >= 4 && p < 20 ? 0
									     : 100 + p);
	store(page_va(8), 10);
	push_out();
	assert_int_equal(load_in(mm, page_va(8)), 10);
	space_put(mm);
	census_must_equal(&before);
}

static void test_advice_takes_out_what_is_the_space_s_own_and_nothing_else(void **state)
{
	(void)state;
	hosted_seed(15);
	struct hosted_census before = hosted_census();
	struct swap_mem *d = swap_mem_add(128);
	struct mm *mm = new_space();
	map_anonymous(mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(mm, page_va(p), 100 + p);
	memory_advise(mm, page_va(2), page_va(10), true, NULL);
	assert_int_equal(pages_in_swap(mm), 8);
	struct mm *child = new_fork(mm);
	memory_advise(mm, page_va(10), page_va(20), true, NULL); /* shared: it stays */
	assert_int_equal(pages_in_swap(mm), 8);
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(load_in(child, page_va(p)), 100 + p);
	space_put(mm);
	space_put(child);
	swap_mem_remove(d);
	census_must_equal(&before);
}

/* --- several CPUs --- */

#define INCREMENTS 20

struct race {
	struct mm *mm, *child;
	struct swap_mem *device;
	u32 left;
};

static void race_writer(struct race *t, u32 cpu)
{
	hosted_load_space(t->mm);
	for (u32 i = 0; i < INCREMENTS; i++)
		for (u32 p = cpu; p < PAGES; p += 4)
			add(page_va(p), 1);
	atomic_sub_return(&t->left, 1);
}

/* A child sees one instant, and keeps seeing it while its pages come and go. */
static void race_forker(struct race *t)
{
	u64 seen[PAGES];

	while (load_acquire(&t->left)) {
		struct mm *child = new_fork(t->mm);

		for (u32 p = 0; p < PAGES; p++)
			seen[p] = load_in(child, page_va(p));
		store_in(child, page_va(5), seen[5] += 1000);
		for (u32 p = 0; p < PAGES; p++)
			must(load_in(child, page_va(p)) == seen[p], "the child's page %u changed",
			     p);
		space_put(child);
	}
}

/* 6 */
static void race_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < 2) {
		race_writer(t, cpu);
	} else if (cpu == 2) {
		race_forker(t);
	} else {
		while (load_acquire(&t->left)) {
			memory_reclaim();
			hosted_pause();
		}
	}
}

/* The program on four CPUs: two of them count on every other pair of pages. */
static void race_start(void (*cpu)(u32 cpu, void *arg))
{
	struct race t = { .mm = new_space(), .left = 2, .device = swap_mem_add(PAGES + 8) };

	map_anonymous(t.mm, BASE, PAGES);
	hosted_run(4, cpu, &t);
	hosted_check();
	for (u32 p = 0; p < PAGES; p++)
		must(load_in(t.mm, page_va(p)) == (p % 4 < 2 ? INCREMENTS : 0),
		     "page %u lost increments", p);
	space_put(t.mm);
	swap_mem_remove(t.device);
}

static void race_run(void)
{
	race_start(race_cpu);
}

static void test_reclaim_against_writes_and_copies_of_one_leaf_table(void **state)
{
	(void)state;
	each_seed(race_run, 150);
}

/* Two spaces read what they share, each on its CPU, while it goes and comes. */
static void read_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < 2) {
		hosted_load_space(cpu ? t->child : t->mm);
		for (u32 i = 0; i < INCREMENTS; i++)
			for (u32 p = 0; p < PAGES; p++)
				must(load(page_va(p)) == 100 + p, "page %u", p);
		atomic_sub_return(&t->left, 1);
		return;
	}
	while (load_acquire(&t->left)) {
		memory_reclaim();
		hosted_pause();
	}
}

static void read_run(void)
{
	struct race t = { .mm = new_space(), .left = 2, .device = swap_mem_add(PAGES + 8) };

	map_anonymous(t.mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(t.mm, page_va(p), 100 + p);
	t.child = new_fork(t.mm);
	hosted_run(3, read_cpu, &t);
	space_put(t.mm);
	space_put(t.child);
	swap_mem_remove(t.device);
}

static void test_reclaim_of_a_table_that_two_spaces_read(void **state)
{
	(void)state;
	each_seed(read_run, 100);
}

/* swapoff while others write, fork and push out. */
static void off_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < 2) {
		race_writer(t, cpu);
	} else if (cpu == 2) {
		race_forker(t);
	} else {
		while (load_acquire(&t->left)) {
			memory_reclaim();
			swap_mem_remove(t->device);
			t->device = swap_mem_add(PAGES + 8);
		}
	}
}

static void off_run(void)
{
	race_start(off_cpu);
}

static void test_swapoff_against_writes_and_forks(void **state)
{
	(void)state;
	each_seed(off_run, 100);
}

/* Ranges with pages in swap are unmapped, moved and dropped while they are on their way out and in. */
static void edit_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu == 0) {
		for (u32 i = 0; i < 12; i++) {
			u64 to = BASE + (u64)(i % 2 ? 0x200000 : 0x600000);
			u64 from = BASE + (u64)(i % 2 ? 0x600000 : 0x200000);

			if (i == 0)
				from = BASE;
			must(space_remap(t->mm, from, PAGES * PAGE_SIZE, PAGES * PAGE_SIZE,
					 REMAP_MAYMOVE | REMAP_FIXED, to) == (s64)to,
			     "mremap");
			hosted_load_space(t->mm);
			for (u32 p = 0; p < PAGES; p++)
				must(load(to + p * PAGE_SIZE) == 100 + p, "page %u", p);
			map_anonymous(t->mm, BASE, 8);
			for (u32 p = 0; p < 8; p++)
				store(page_va(p), 5);
			must(!space_advise(t->mm, page_va(0), 4 * PAGE_SIZE, 4), "DONTNEED");
			must(load(page_va(1)) == 0 && load(page_va(5)) == 5, "what is left");
			must(!space_unmap(t->mm, BASE, 8 * PAGE_SIZE), "munmap");
		}
		atomic_sub_return(&t->left, 1);
	} else {
		while (load_acquire(&t->left)) {
			memory_reclaim();
			hosted_pause();
		}
	}
}

static void edit_run(void)
{
	struct race t = { .mm = new_space(), .left = 1, .device = swap_mem_add(PAGES + 8) };

	map_anonymous(t.mm, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(t.mm, page_va(p), 100 + p);
	hosted_run(2, edit_cpu, &t);
	hosted_check();
	space_put(t.mm);
	swap_mem_remove(t.device);
}

static void test_edits_of_ranges_that_are_on_their_way(void **state)
{
	(void)state;
	each_seed(edit_run, 100);
}

/*
 * A thread finds the page of a slot; before it can put it there, the other has given the place another
 * page, which is in swap by now: in another slot, while a child still names the first; or in the same
 * one, as there is no other.
 */
static void late_writer(struct race *t, bool anew)
{
	hosted_load_space(t->mm);
	for (u64 v = 1; v <= INCREMENTS; v++) {
		if (anew)
			must(!space_advise(t->mm, page_va(0), PAGE_SIZE, 4), "DONTNEED");
		store(page_va(0), v);
		must(load(page_va(0)) == v, "the store of %lu is lost", v);
		memory_advise(t->mm, page_va(0), page_va(1), true, NULL);
		must(load(page_va(0)) == v, "the store of %lu is lost", v);
		memory_advise(t->mm, page_va(0), page_va(1), true, NULL);
	}
	atomic_sub_return(&t->left, 1);
}

static void late_reader(struct race *t)
{
	hosted_load_space(t->mm);
	while (load_acquire(&t->left))
		(void)load(page_va(0));
}

static void late_cpu(u32 cpu, void *arg)
{
	if (cpu)
		late_reader(arg);
	else
		late_writer(arg, false);
}

static void late_anew_cpu(u32 cpu, void *arg)
{
	if (cpu)
		late_reader(arg);
	else
		late_writer(arg, true);
}

static void late_run(void)
{
	struct race t = { .mm = new_space(), .left = 1, .device = swap_mem_add(8) };

	map_anonymous(t.mm, BASE, 2);
	store_in(t.mm, page_va(0), 1000);
	store(page_va(1), 1);
	memory_advise(t.mm, page_va(0), page_va(1), true, NULL);
	t.child = new_fork(t.mm);
	store_in(t.child, page_va(1), 2); /* its own table, which names the slot too */
	hosted_run(3, late_cpu, &t);
	must(load_in(t.child, page_va(0)) == 1000, "the child's page has changed");
	space_put(t.child);
	space_put(t.mm);
	swap_mem_remove(t.device);
}

static void late_anew_run(void)
{
	struct race t = { .mm = new_space(), .left = 1, .device = swap_mem_add(2) };

	map_anonymous(t.mm, BASE, 2);
	hosted_run(3, late_anew_cpu, &t);
	space_put(t.mm);
	swap_mem_remove(t.device);
}

static void test_a_page_that_comes_late_is_not_put_where_another_has_been(void **state)
{
	(void)state;
	each_seed(late_run, 400);
	each_seed(late_anew_run, 400);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_come_back_from_swap_with_their_bytes),
		cmocka_unit_test(
			test_what_was_swapped_out_through_one_and_written_through_another_reads_old),
		cmocka_unit_test(test_swapoff_brings_everything_back),
		cmocka_unit_test(test_willneed_brings_back_what_pageout_took),
		cmocka_unit_test(test_locked_areas_stay_in_memory),
		cmocka_unit_test(
			test_a_device_that_fails_loses_nothing_and_a_full_one_takes_no_more),
		cmocka_unit_test(
			test_pages_of_files_are_unmapped_and_found_again_without_a_copy_of_the_table),
		cmocka_unit_test(test_what_lost_permission_while_it_was_away_has_not_got_it_back),
		cmocka_unit_test(
			test_what_was_given_up_goes_without_swap_unless_it_is_written_to_again),
		cmocka_unit_test(test_advice_takes_out_what_is_the_space_s_own_and_nothing_else),
		cmocka_unit_test(test_reclaim_against_writes_and_copies_of_one_leaf_table),
		cmocka_unit_test(test_reclaim_of_a_table_that_two_spaces_read),
		cmocka_unit_test(test_swapoff_against_writes_and_forks),
		cmocka_unit_test(test_a_page_that_comes_late_is_not_put_where_another_has_been),
		cmocka_unit_test(test_edits_of_ranges_that_are_on_their_way),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
