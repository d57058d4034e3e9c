/*
 * test_huge_races.c - 2 MiB pages under several CPUs: a split, an adoption or a drop races with those who write, read, fork and leave. test_huge.c has one
 * rule a test.
 */
#include <asm/mman.h>

#include "huge_test.h"

#define PAGES 3
#define ROUNDS 8

/* Pages of one node that the tests use: the first, one in the middle, the last. */
static u64 spot(u32 i)
{
	static const u32 pages[PAGES] = { 0, 200, 511 };

	return page_va(pages[i]) + 8;
}

struct race {
	struct mm *parent, *child, *third;
	u32 writers, finished;
	u64 published;
	u32 done;
};

/* Every increment of `threads` writers counts, in a space whose spots began at 0. */
static void increments_must_be(struct mm *mm, u32 threads)
{
	hosted_load_space(mm);
	for (u32 i = 0; i < PAGES; i++)
		must(load(spot(i)) == threads * ROUNDS, "spot %u: %lu of %u increments", i,
		     load(spot(i)), threads * ROUNDS);
}

static void increment(struct race *t, struct mm *mm)
{
	hosted_load_space(mm);
	for (u32 r = 0; r < ROUNDS; r++)
		for (u32 i = 0; i < PAGES; i++)
			add(spot(i), 1);
	atomic_add_return(&t->finished, 1);
}

static void spots_must_be_zero(struct mm *mm)
{
	hosted_load_space(mm);
	for (u32 i = 0; i < PAGES; i++)
		must(load(spot(i)) == 0, "spot %u of the other space: %lu", i, load(spot(i)));
}

/* --- 1: the other space never changes --- */

static void shared_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < t->writers) {
		increment(t, t->parent);
		return;
	}
	do {
		spots_must_be_zero(t->child);
	} while (load_acquire(&t->finished) < t->writers);
}

static void shared_run(void)
{
	struct race t = { .parent = huge_space(1), .writers = 3 };

	t.child = new_fork(t.parent);
	hosted_run(4, shared_cpu, &t);
	increments_must_be(t.parent, 3);
	space_put(t.parent);
	spots_must_be_zero(t.child);
	pages_must_be_intact(t.child, 0, 512, NO_PAGE);
	space_put(t.child);
}

static void test_threads_that_split_one_shared_node_do_not_touch_the_other_space(void **state)
{
	(void)state;
	each_seed(shared_run, 300);
}

/* --- 2: both split at once, and a third leaves --- */

static void three_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < 2) {
		increment(t, cpu ? t->child : t->parent);
	} else {
		hosted_load_space(t->third);
		load(spot(1));
		space_put(t->third);
	}
}

static void three_run(void)
{
	struct race t = { .parent = huge_space(1) };

	t.child = new_fork(t.parent);
	t.third = new_fork(t.child);
	hosted_run(3, three_cpu, &t);
	hosted_check();
	increments_must_be(t.parent, 1);
	increments_must_be(t.child, 1);
	space_put(t.parent);
	space_put(t.child);
}

static void test_sharers_that_split_and_leave_at_once_lose_no_page(void **state)
{
	(void)state;
	each_seed(three_run, 500);
}

/* --- 3: readers never see a page that was replaced --- */

static void stale_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu == 0) { /* shares it again and again */
		while (load_acquire(&t->finished) < t->writers) {
			struct mm *child = new_fork(t->parent);
			u64 seen = load_in(child, spot(1));

			if (seen % 2)
				store(spot(1), 0);
			else
				must(load(spot(1)) == seen, "the child's page has changed");
			space_put(child);
		}
		return;
	}
	hosted_load_space(t->parent);
	if (cpu <= t->writers) {
		for (u32 i = 0; i < 15; i++) {
			u64 v = add(spot(1), 1);
			publish(&t->published, v);
		}
		atomic_add_return(&t->finished, 1);
		return;
	}
	while (load_acquire(&t->finished) < t->writers) {
		u64 before = load_acquire(&t->published), got = load(spot(1));
		must(got >= before, "read %lu after %lu was written", got, before);
	}
}

static void stale_run(void)
{
	struct race t = { .parent = huge_space(1), .writers = 2 };

	hosted_run(5, stale_cpu, &t);
	must(load_in(t.parent, spot(1)) == 30, "increments were lost");
	space_put(t.parent);
}

static void test_readers_never_see_a_page_of_a_node_that_was_replaced(void **state)
{
	(void)state;
	each_seed(stale_run, 300);
}

/* --- 4: fork shows one instant --- */

static void fork_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu) {
		hosted_load_space(t->parent);
		for (u32 i = 0; i < 30; i++) {
			add(page_va(cpu), 1);
			add(page_va(300 + cpu), 1);
		}
		atomic_add_return(&t->finished, 1);
		return;
	}
	while (load_acquire(&t->finished) < t->writers) {
		struct mm *child = new_fork(t->parent);

		hosted_load_space(child);
		for (u32 c = 1; c <= t->writers; c++) {
			u64 first = load(page_va(c)) - c, second = load(page_va(300 + c)) - 300 - c;
			must(first == second || first == second + 1,
			     "%lu and %lu are not of one instant", first, second);
			must(load(page_va(c)) - c == first, "the child changes");
		}
		space_put(child);
	}
}

static void fork_run(void)
{
	struct race t = { .parent = huge_space(1), .writers = 3 };

	hosted_run(4, fork_cpu, &t);
	hosted_load_space(t.parent);
	for (u32 c = 1; c <= 3; c++)
		must(load(page_va(c)) == c + 30 && load(page_va(300 + c)) == 300 + c + 30,
		     "increments were lost");
	space_put(t.parent);
}

static void test_fork_of_huge_pages_loses_no_increment_and_shows_one_instant(void **state)
{
	(void)state;
	each_seed(fork_run, 300);
}

/* --- 5: the other owner leaves while the node is judged --- */

static void leave_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < 2) {
		increment(t, t->parent);
	} else {
		hosted_load_space(t->child);
		store(page_va(100), 1);
		must(!space_unmap(t->child, page_va(0), 250 * PAGE_SIZE), "munmap");
		space_put(t->child);
	}
}

static void leave_run(void)
{
	struct race t = { .parent = huge_space(1) };

	t.child = new_fork(t.parent);
	hosted_run(3, leave_cpu, &t);
	increments_must_be(t.parent, 2);
	pages_must_be_intact(t.parent, 0, 512, NO_PAGE);
	must(space_rss(t.parent).anon == 512 && mm_counters_sum().anon_pages == 512, "pages leak");
	space_put(t.parent);
}

static void test_a_node_is_judged_right_while_the_other_owner_leaves(void **state)
{
	(void)state;
	each_seed(leave_run, 500);
}

/* --- 6: first touch --- */

static void touch_cpu(u32 cpu, void *arg)
{
	increment(arg, ((struct race *)arg)->parent);
	(void)cpu;
}

static void touch_run(void)
{
	struct race t = { .parent = new_space() };

	huge_policy = HUGE_ALWAYS;
	map_anonymous(t.parent, BASE, 512);
	hosted_run(4, touch_cpu, &t);
	increments_must_be(t.parent, 4);
	must(mm_counters_sum().huge_nodes == 1 && space_rss(t.parent).anon == 512,
	     "not one huge page");
	space_put(t.parent);
}

static void test_threads_that_touch_first_get_one_node(void **state)
{
	(void)state;
	each_seed(touch_run, 300);
}

/* --- 7: a part is unmapped under threads that write to the rest --- */

static void cut_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	if (cpu < 3) {
		increment(t, t->parent);
		return;
	}
	hosted_load_space(t->parent);
	load(spot(0));
	must(!space_unmap(t->parent, page_va(100), 50 * PAGE_SIZE), "munmap");
	must(!space_advise(t->parent, page_va(300), 10 * PAGE_SIZE, MADV_DONTNEED), "dontneed");
}

static void cut_run(void)
{
	struct race t = { .parent = huge_space(1) };

	hosted_run(4, cut_cpu, &t);
	increments_must_be(t.parent, 3);
	must(space_rss(t.parent).anon == 512 - 60, "RSS %lu", space_rss(t.parent).anon);
	space_put(t.parent);
}

static void test_unmapping_a_part_loses_no_write_to_the_rest(void **state)
{
	(void)state;
	each_seed(cut_run, 300);
}

/* --- 8: a part is protected, in place, under a table that another space shares --- */

static void protect_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;
	struct fault_result r;

	if (cpu < 2) {
		increment(t, t->parent);
		return;
	}
	hosted_load_space(t->child);
	load(spot(1));
	if (cpu == 2) {
		must(!space_protect(t->child, page_va(150), 100 * PAGE_SIZE, AREA_READ, false),
		     "mprotect");
		store_release(&t->done, 1);
		must(user_store(spot(1), 7, &r) == -EFAULT && r.signal == SIGSEGV,
		     "a store to what is protected");
	}
	while (!load_acquire(&t->done))
		must(load(spot(0)) == 0, "the child's page has changed");
	must(user_store(spot(1), 7, &r) == -EFAULT, "a store after mprotect has returned");
	store(spot(2), load(spot(2)));
	spots_must_be_zero(t->child);
}

static void protect_run(void)
{
	struct race t = { .parent = huge_space(1) };

	t.child = new_fork(t.parent);
	hosted_run(4, protect_cpu, &t);
	hosted_check();
	increments_must_be(t.parent, 2);
	spots_must_be_zero(t.child);
	space_put(t.parent);
	space_put(t.child);
}

static void test_a_split_in_place_is_right_for_all_who_share_the_table(void **state)
{
	(void)state;
	each_seed(protect_run, 500);
}

/* --- 9: both sharers split the same leaf in place --- */

static void place_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;
	struct mm *mm = cpu % 2 ? t->child : t->parent;

	hosted_load_space(mm);
	load(spot(cpu % PAGES));
	must(!space_protect(mm, page_va(10 + cpu * 20), PAGE_SIZE, AREA_READ, false), "mprotect");
	for (u32 i = 0; i < PAGES; i++)
		must(load(spot(i)) == 0, "a page has changed");
}

static void place_run(void)
{
	struct race t = { .parent = huge_space(1) };

	t.child = new_fork(t.parent);
	hosted_run(4, place_cpu, &t);
	must(!is_huge(t.parent, BASE) && !is_huge(t.child, BASE), "not split");
	must(mm_counters_sum().anon_pages == 512 && !mm_counters_sum().huge_nodes, "pages leak");
	pages_must_be_intact(t.parent, 0, 512, NO_PAGE);
	space_put(t.parent);
	space_put(t.child);
}

static void test_a_leaf_is_split_in_place_once(void **state)
{
	(void)state;
	each_seed(place_run, 300);
}

/* --- 10: an idle CPU keeps no way to frames that were freed --- */

static void idle_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;

	hosted_load_space(t->parent);
	load(spot(cpu));
	if (cpu == 0) /* idles, with the root loaded */
		return;
	for (u32 i = 0; i < 4; i++) {
		must(!space_advise(t->parent, BASE, HUGE_SIZE, MADV_DONTNEED), "dontneed");
		store(spot(i % PAGES), i);
		struct mm *child = new_fork(t->parent);
		store_in(child, spot(1), 9);
		hosted_load_space(t->parent);
		store(spot(0), i);
		space_put(child);
	}
}

static void idle_run(void)
{
	struct race t = { .parent = huge_space(1) };

	hosted_run(2, idle_cpu, &t);
	space_put(t.parent);
}

static void test_an_idle_cpu_keeps_no_way_to_a_node_that_was_freed(void **state)
{
	(void)state;
	each_seed(idle_run, 300);
}

/* --- 11: a node moves under threads that use it --- */

#define FAR 0x8000000000ull

static void move_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;
	struct fault_result r;
	u64 after;

	hosted_load_space(t->parent);
	if (cpu < 2) { /* wherever it is, every increment that comes through counts */
		while (!load_acquire(&t->done))
			for (u32 i = 0; i < 2; i++)
				if (!user_add(spot(1) + (i ? FAR - BASE : 0), 1, &after, &r))
					atomic_add_return(&t->published, 1);
		return;
	}
	u64 at = BASE;
	for (u32 i = 0; i < 5; i++) {
		u64 to = at == BASE ? FAR : BASE;
		s64 got = space_remap(t->parent, at, HUGE_SIZE, HUGE_SIZE,
				      REMAP_MAYMOVE | REMAP_FIXED, to);
		must(got == (s64)to, "mremap: %ld", got);
		at = to;
	}
	must(is_huge(t->parent, FAR), "split");
	store_release(&t->done, 1);
}

static void move_run(void)
{
	struct race t = { .parent = huge_space(1) };

	hosted_run(3, move_cpu, &t);
	must(load_in(t.parent, spot(1) + FAR - BASE) == t.published, "increments were lost");
	space_put(t.parent);
}

static void test_a_node_that_moves_loses_no_increment(void **state)
{
	(void)state;
	each_seed(move_run, 300);
}

/* --- 12: the kernel's writes, forced ones too, during forks --- */

static void kernel_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;
	struct mm *mine = cpu % 2 ? t->child : t->parent;
	u64 value, got = 0;

	if (cpu == 3) {
		while (load_acquire(&t->finished) < 3) {
			struct mm *copy = new_fork(t->parent);
			u64 seen = load_in(copy, spot(0));
			must(load(spot(0)) == seen, "the copy changes");
			space_put(copy);
		}
		return;
	}
	for (u64 i = 1; i <= 10; i++) {
		value = cpu * 100 + i;
		must(space_write(mine, spot(0) + 8 * cpu, &value, 8, i % 2 ? SPACE_FORCE : 0) == 8,
		     "write");
		must(space_read(mine, spot(0) + 8 * cpu, &got, 8, 0) == 8 && got == value,
		     "read %lu after %lu was written", got, value);
	}
	atomic_add_return(&t->finished, 1);
}

static void kernel_run(void)
{
	struct race t = { .parent = huge_space(1) };

	t.child = new_fork(t.parent);
	hosted_run(4, kernel_cpu, &t);
	must(load_in(t.parent, spot(0)) == 10 && load(spot(0) + 16) == 210 &&
		     load(spot(0) + 8) == 0,
	     "the parent has other values");
	must(load_in(t.child, spot(0) + 8) == 110 && load(spot(0)) == 0,
	     "the child has other values");
	space_put(t.parent);
	space_put(t.child);
}

static void test_the_kernels_writes_to_shared_nodes_stay_in_their_space(void **state)
{
	(void)state;
	each_seed(kernel_run, 300);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_threads_that_split_one_shared_node_do_not_touch_the_other_space),
		cmocka_unit_test(test_sharers_that_split_and_leave_at_once_lose_no_page),
		cmocka_unit_test(test_readers_never_see_a_page_of_a_node_that_was_replaced),
		cmocka_unit_test(test_fork_of_huge_pages_loses_no_increment_and_shows_one_instant),
		cmocka_unit_test(test_a_node_is_judged_right_while_the_other_owner_leaves),
		cmocka_unit_test(test_threads_that_touch_first_get_one_node),
		cmocka_unit_test(test_unmapping_a_part_loses_no_write_to_the_rest),
		cmocka_unit_test(test_a_split_in_place_is_right_for_all_who_share_the_table),
		cmocka_unit_test(test_a_leaf_is_split_in_place_once),
		cmocka_unit_test(test_an_idle_cpu_keeps_no_way_to_a_node_that_was_freed),
		cmocka_unit_test(test_a_node_that_moves_loses_no_increment),
		cmocka_unit_test(test_the_kernels_writes_to_shared_nodes_stay_in_their_space),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, huge_machine_start, NULL);
}
