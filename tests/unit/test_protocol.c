/*
 * test_protocol.c - the races that the persistent tree must survive. test_exact.c has what is counted, and what fails; the numbers are those of docs/testing.md.
 */
#include "race_test.h"

/* --- 1 --- */

#define PAGES 3
#define ROUNDS 12

struct shared_fault {
	struct mm *parent, *child;
	u32 writers, finished;
};

static void shared_fault_cpu(u32 cpu, void *arg)
{
	struct shared_fault *t = arg;

	if (cpu < t->writers) {
		hosted_load_space(t->parent);
		for (u32 i = 0; i < ROUNDS; i++)
			for (u32 p = 0; p < PAGES; p++)
				add(page_va(p) + 8, 1);
		atomic_add_return(&t->finished, 1);
		return;
	}
	hosted_load_space(t->child);
	do {
		for (u32 p = 0; p < PAGES; p++)
			must(load(page_va(p) + 8) == 1000 + p, "the child's page %u has changed",
			     p);
	} while (load_acquire(&t->finished) < t->writers);
}

static void shared_fault_run(void)
{
	struct shared_fault t = { .parent = new_space(), .writers = 3 };

	map_anonymous(t.parent, BASE, PAGES);
	for (u32 p = 0; p < PAGES; p++)
		store_in(t.parent, page_va(p) + 8, 1000 + p);
	t.child = new_fork(t.parent);
	hosted_run(4, shared_fault_cpu, &t);
	for (u32 p = 0; p < PAGES; p++)
		must(load_in(t.parent, page_va(p) + 8) == 1000 + p + 3 * ROUNDS,
		     "increments of page %u were lost", p);
	space_put(t.parent);
	for (u32 p = 0; p < PAGES; p++)
		must(load_in(t.child, page_va(p) + 8) == 1000 + p,
		     "the child's page %u has changed", p);
	space_put(t.child);
}

static void test_threads_that_fault_one_shared_entry_do_not_touch_the_other_space(void **state)
{
	(void)state;
	each_seed(shared_fault_run, SEEDS);
}

/* --- 2 --- */

struct stale {
	struct mm *mm;
	u64 published; /* the greatest value that a writer has finished writing */
	u32 writers;
};

/* The page is shared again and again; the other owner leaves or writes, so that a writer copies it or takes it back. */
static void stale_share(struct stale *t)
{
	while (load_acquire(&t->writers)) {
		struct mm *child = new_fork(t->mm);
		u64 seen = load_in(child, page_va(0));

		if (seen % 2)
			store(page_va(0), 0);
		else
			must(load(page_va(0)) == seen, "the child's page has changed");
		space_put(child);
	}
}

static void stale_cpu(u32 cpu, void *arg)
{
	struct stale *t = arg;

	if (cpu == 4) {
		stale_share(t);
		return;
	}
	hosted_load_space(t->mm);
	if (cpu < 2) { /* writers: each finds what the other's fault has published */
		for (u32 i = 0; i < 20; i++) {
			u64 v = add(page_va(0), 1);
			publish(&t->published, v);
		}
		atomic_sub_return(&t->writers, 1);
		return;
	}
	while (load_acquire(&t->writers)) {
		u64 before = load_acquire(&t->published), got = load(page_va(0));
		must(got >= before, "read %lu after %lu was written", got, before);
	}
}

static void stale_run(void)
{
	struct stale t = { .mm = new_space(), .writers = 2 };

	map_anonymous(t.mm, BASE, 1);
	store_in(t.mm, page_va(0), 1);
	hosted_run(5, stale_cpu, &t);
	must(load_in(t.mm, page_va(0)) == 41, "increments were lost");
	space_put(t.mm);
}

static void test_readers_never_see_a_page_that_was_replaced(void **state)
{
	(void)state;
	each_seed(stale_run, SEEDS);
}

/* --- 3 --- */

#define INCREMENTS 60

struct instant {
	struct mm *mm;
	u32 left;
};

/* Thread c counts on its own page, then on its second one; and writes down what it saw of its neighbour. */
static void instant_count(struct instant *t, u32 cpu)
{
	hosted_load_space(t->mm);
	for (u32 i = 0; i < INCREMENTS; i++) {
		add(page_va(cpu), 1);
		store(page_va(8 + cpu) + 16, load(page_va((cpu + 1) % 3)));
		add(page_va(4 + cpu), 1);
	}
	atomic_sub_return(&t->left, 1);
}

static void instant_check(struct mm *child, u64 first[3])
{
	for (u32 c = 0; c < 3; c++) {
		u64 one = load_in(child, page_va(c)), two = load(page_va(4 + c));
		u64 saw = load(page_va(8 + c) + 16), neighbour = load(page_va((c + 1) % 3));

		must(one - two <= 1, "thread %u: %lu and %lu are not of one instant", c, one, two);
		must(saw <= neighbour, "thread %u saw %lu of its neighbour, who had %lu", c, saw,
		     neighbour);
		must(!first[c] || first[c] == one + 1, "thread %u: the child's page changed", c);
		first[c] = one + 1;
	}
}

static void instant_cpu(u32 cpu, void *arg)
{
	struct instant *t = arg;

	if (cpu < 3) {
		instant_count(t, cpu);
		return;
	}
	do {
		struct mm *child = new_fork(t->mm);
		u64 first[3] = { 0 };

		instant_check(child, first);
		for (u32 i = 0; i < 5; i++)
			hosted_pause();
		instant_check(child, first);
		space_put(child);
	} while (load_acquire(&t->left));
}

static void instant_run(void)
{
	struct instant t = { .mm = new_space(), .left = 3 };

	map_anonymous(t.mm, BASE, 12);
	hosted_run(4, instant_cpu, &t);
	for (u32 c = 0; c < 3; c++) {
		must(load_in(t.mm, page_va(c)) == INCREMENTS, "thread %u lost increments", c);
		must(load(page_va(4 + c)) == INCREMENTS, "thread %u lost increments", c);
	}
	space_put(t.mm);
}

static void test_fork_loses_no_increment_and_shows_the_child_one_instant(void **state)
{
	(void)state;
	each_seed(instant_run, 300);
}

/* --- 4 --- */

static void invariants_run(void)
{
	struct mm *spaces[4] = { new_space() };

	map_anonymous(spaces[0], BASE - 4 * PAGE_SIZE, 8); /* two leaf tables, two directories */
	for (u32 step = 0; step < 60; step++) {
		u32 i = (u32)(hosted_random() % 4), j = (u32)(hosted_random() % 4);
		u64 va = BASE - 4 * PAGE_SIZE + hosted_random() % 8 * PAGE_SIZE;

		if (!spaces[i])
			continue;
		hosted_become((u32)(hosted_random() % 3));
		if (hosted_random() % 3)
			store_in(spaces[i], va, step);
		else if (!spaces[j])
			spaces[j] = new_fork(spaces[i]);
		else if (i != j) {
			space_put(spaces[i]);
			spaces[i] = NULL;
		}
		hosted_check();
	}
	for (u32 i = 0; i < 4; i++)
		if (spaces[i])
			space_put(spaces[i]);
}

static void
test_writable_entries_and_counts_are_right_after_each_copy_adoption_and_drop(void **state)
{
	(void)state;
	each_seed(invariants_run, 200);
}

/* --- 5 --- */

struct adopt {
	struct mm *x, *y, *z;
};

static void adopt_cpu(u32 cpu, void *arg)
{
	struct adopt *t = arg;

	switch (cpu) {
	case 0: /* X copies */
		hosted_load_space(t->x);
		for (u32 i = 0; i < 6; i++)
			store(page_va(0), 100 + i);
		must(load(page_va(1)) == 11, "X's page has changed");
		break;
	case 1: /* Y exits */
		space_put(t->y);
		break;
	default: /* Z adopts */
		hosted_load_space(t->z);
		for (u32 i = 0; i < 6; i++) {
			store(page_va(1), 200 + i);
			store(page_va(0), 300 + i);
		}
	}
}

static void adopt_check(struct adopt *t)
{
	hosted_check();
	must(load_in(t->x, page_va(0)) == 105, "X's write was lost");
	must(load(page_va(1)) == 11 && load(page_va(2)) == 12, "X sees another's write");
	must(load_in(t->z, page_va(0)) == 305 && load(page_va(1)) == 205, "Z's write was lost");
	store(page_va(2), 1);
	must(load_in(t->x, page_va(2)) == 12, "X sees what Z wrote after adopting");
	store_in(t->x, page_va(1), 2);
	must(load_in(t->z, page_va(1)) == 205, "Z sees what X wrote");
	hosted_check();
	space_put(t->x);
	space_put(t->z);
}

static void adopt_start(struct adopt *t)
{
	t->x = new_space();
	map_anonymous(t->x, BASE, 3);
	for (u32 p = 0; p < 3; p++)
		store_in(t->x, page_va(p), 10 + p);
	t->y = new_fork(t->x);
	t->z = new_fork(t->y);
}

static void adopt_run(void)
{
	static const u8 orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					 { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct adopt t;

	adopt_start(&t);
	hosted_run(3, adopt_cpu, &t);
	adopt_check(&t);
	for (u32 i = 0; i < 6; i++) { /* and one after the other */
		adopt_start(&t);
		for (u32 k = 0; k < 3; k++)
			adopt_cpu(orders[i][k], &t);
		adopt_check(&t);
	}
}

static void test_a_node_that_one_copied_another_left_and_a_third_adopted_isolates_all(void **state)
{
	(void)state;
	each_seed(adopt_run, SEEDS);
}

/* --- 6 --- */

#define FORKS 4

struct cut {
	struct mm *parent, *child, *forks[FORKS];
	struct mem_object *file;
};

static void cut_cpu(u32 cpu, void *arg)
{
	struct cut *t = arg;
	struct fault_result r;
	u64 v;

	if (cpu == 2) {
		must(!object_truncate(&t->file->object, 2 * PAGE_SIZE), "truncate");
		return;
	}
	if (cpu == 3) {
		for (u32 i = 0; i < FORKS; i++)
			t->forks[i] = new_fork(t->parent);
		return;
	}
	hosted_load_space(cpu ? t->child : t->parent);
	for (u32 i = 0; i < 5; i++) {
		map_pages(cpu ? t->child : t->parent, page_va(16 + 8 * i), 6, AREA_READ | MAY,
			  &t->file->object, 0);
		int late = user_load(page_va(16 + 8 * i + 2 + i % 4), &v, &r); /* a first touch */
		must(late ? r.signal == SIGBUS : v == (2 + i % 4) * PAGE_SIZE,
		     "a first touch: %d, %lu", late, v);
		store(page_va(8), i); /* un-shares the table that the file's pages are in */
		for (u32 p = 0; p < 6; p++) {
			int err = user_load(page_va(p), &v, &r);
			must(err ? p >= 2 && r.signal == SIGBUS : v == p * PAGE_SIZE,
			     "page %u: %d, %lu", p, err, v);
		}
	}
}

static void cut_run(void)
{
	struct cut t = { .parent = new_space(),
			 .file = mem_object_file(6 * PAGE_SIZE, offset_itself) };
	struct fault_result r;
	u64 v;

	map_pages(t.parent, BASE, 6, AREA_READ | MAY, &t.file->object, 0);
	map_anonymous(t.parent, page_va(8), 1);
	for (u32 p = 0; p < 6; p += 2)
		load_in(t.parent, page_va(p));
	t.child = new_fork(t.parent);
	hosted_run(4, cut_cpu, &t);
	must(object_cache_frames() == 2, "%lu pages are left in the cache", object_cache_frames());
	for (u32 i = 0; i < 12; i++) {
		hosted_load_space(i % 2 ? t.parent : t.child);
		for (u32 p = 2; p < 6; p++)
			must(user_load(page_va(i < 2 ? p : 16 + 8 * (i / 2 - 1) + p), &v, &r) ==
					     -EFAULT &&
				     r.signal == SIGBUS,
			     "mapping %u: page %u is still there", i, p);
	}
	for (u32 i = 0; i < FORKS; i++) {
		hosted_load_space(t.forks[i]);
		for (u32 p = 2; p < 6; p++)
			must(user_load(page_va(p), &v, &r) == -EFAULT && r.signal == SIGBUS,
			     "fork %u: page %u is still there", i, p);
		space_put(t.forks[i]);
	}
	space_put(t.parent);
	space_put(t.child);
	object_put(&t.file->object);
}

static void test_truncation_during_copies_leaves_no_page_mapped(void **state)
{
	(void)state;
	each_seed(cut_run, SEEDS);
}

/* A page that is in the cache, and in no space: the first touch of it against the truncation. */
static void first_touch_cpu(u32 cpu, void *arg)
{
	struct cut *t = arg;
	struct fault_result r;
	u64 v;

	if (cpu == 2) {
		for (u64 i = hosted_random() % 4; i > 0; i--)
			hosted_pause();
		must(!object_truncate(&t->file->object, PAGE_SIZE), "truncate");
		return;
	}
	hosted_load_space(cpu ? t->child : t->parent);
	int err = user_load(page_va(3 + cpu), &v, &r);
	must(err ? r.signal == SIGBUS : v == (3 + cpu) * PAGE_SIZE, "a first touch: %d, %lu", err,
	     v);
}

static void first_touch_run(void)
{
	struct cut t = { .parent = new_space(),
			 .child = new_space(),
			 .file = mem_object_file(6 * PAGE_SIZE, offset_itself) };
	struct fault_result r;
	u64 v;

	map_pages(t.parent, BASE, 6, AREA_READ | MAY, &t.file->object, 0);
	map_pages(t.child, BASE, 6, AREA_READ | MAY, &t.file->object, 0);
	must(object_read(&t.file->object, &v, 8, 0) == 8 && object_cache_frames() == 6, "read");
	hosted_run(3, first_touch_cpu, &t);
	for (u32 i = 0; i < 2; i++) {
		hosted_load_space(i ? t.child : t.parent);
		must(user_load(page_va(3 + i), &v, &r) == -EFAULT && r.signal == SIGBUS,
		     "the page is still there");
	}
	must(object_cache_frames() == 1, "pages are left");
	space_put(t.parent);
	space_put(t.child);
	object_put(&t.file->object);
}

static void test_a_page_that_was_cut_off_is_not_mapped_any_more(void **state)
{
	(void)state;
	each_seed(first_touch_run, 2 * SEEDS);
}

/* --- 9 --- */

static void test_what_one_space_wrote_to_a_shared_file_another_can_sync(void **state)
{
	struct fault_result r;
	u64 v;

	(void)state;
	hosted_seed(9);
	struct hosted_census before = hosted_census();
	struct mem_object *file = mem_object_file(4 * PAGE_SIZE, offset_itself);
	struct mm *parent = new_space();
	map_pages(parent, BASE, 4, RW | AREA_SHARED, &file->object, 0);
	store_in(parent, page_va(1) + 8, 0x1234);
	struct mm *child = new_fork(parent);
	store_in(parent, page_va(2), 0x5678);
	assert_int_equal(space_unmap(parent, BASE, 4 * PAGE_SIZE), 0);
	assert_int_equal(load_in(child, page_va(2)), 0x5678);
	assert_int_equal(object_sync(&file->object, 0, UINT64_MAX), 0);
	memcpy(&v, file->disk + PAGE_SIZE + 8, 8);
	assert_int_equal(v, 0x1234);
	memcpy(&v, file->disk + 2 * PAGE_SIZE, 8);
	assert_int_equal(v, 0x5678);
	assert_int_equal(object_truncate(&file->object, PAGE_SIZE), 0);
	hosted_load_space(child);
	assert_int_equal(user_load(page_va(1), &v, &r), -EFAULT);
	assert_int_equal(r.signal, SIGBUS);
	assert_int_equal(load(page_va(0) + 8), 8);
	space_put(child);
	space_put(parent);
	object_put(&file->object);
	census_must_equal(&before);
}

/* --- 10 --- */

struct idle {
	struct mm *mm;
	bool migrate, done;
};

static void idle_cpu(u32 cpu, void *arg)
{
	struct idle *t = arg;

	if (cpu == 1) { /* runs, idles with the root still loaded, comes back */
		hosted_load_space(t->mm);
		u64 last = load(page_va(0));
		store_release(&t->migrate, true);
		while (!load_acquire(&t->done))
			hosted_pause();
		must(load(page_va(0)) == last + 20, "a stale page after the idle time");
		return;
	}
	while (!load_acquire(&t->migrate))
		hosted_pause();
	hosted_load_space(t->mm);
	for (u32 i = 0; i < 10; i++) {
		struct mm *child = new_fork(t->mm);
		hosted_pause();
		if (i % 2) {
			store(page_va(4 + i), i); /* a hole: the tables are copied, no page */
			space_put(child);         /* frees the old ones */
			hosted_pause();
			add(page_va(0), 1);
		} else {
			add(page_va(0), 1);
			space_put(child);
		}
		add(page_va(0), 1);
		must(!space_unmap(t->mm, page_va(512 * (i % 3)), PAGE_SIZE), "munmap");
		if (i % 3 == 0)
			map_anonymous(t->mm, page_va(0), 1), store(page_va(0), 1 + 2 * (i + 1));
		else
			map_anonymous(t->mm, page_va(512 * (i % 3)), 1),
				store(page_va(512 * (i % 3)), i);
	}
	store_release(&t->done, true);
}

static void idle_run(void)
{
	struct idle t = { .mm = new_space() };

	map_anonymous(t.mm, BASE, 16);
	store_in(t.mm, page_va(0), 1);
	hosted_run(2, idle_cpu, &t);
	space_put(t.mm);
}

static void test_an_idle_cpu_keeps_no_way_to_a_frame_that_was_freed(void **state)
{
	(void)state;
	each_seed(idle_run, SEEDS);
}

/* --- 12 --- */

struct crossed {
	struct mm *a, *b;
	struct mem_object *file;
	u32 left;
};

static void crossed_cpu(u32 cpu, void *arg)
{
	struct crossed *t = arg;
	struct mm *from = cpu % 2 ? t->a : t->b, *to = cpu % 2 ? t->b : t->a;
	u64 buffer[4];

	if (cpu == 3) {
		while (load_acquire(&t->left)) {
			struct mm *child = new_fork(t->a);
			must(space_read(child, page_va(600), buffer, 8, SPACE_FORCE) == 8, "read");
			space_put(child);
		}
		return;
	}
	for (u32 i = 0; i < 12; i++) {
		must(space_read(from, page_va(i % 3) + 4080, buffer, sizeof(buffer), SPACE_FORCE) ==
			     sizeof(buffer),
		     "read");
		must(space_write(to, page_va(i % 3) + 4080, buffer, sizeof(buffer), 0) ==
			     sizeof(buffer),
		     "write");
		u64 forced = 1000 + i;
		must(space_write(from, page_va(600), &forced, 8, SPACE_FORCE) == 8, "forced write");
		must(space_write(from, page_va(600), &forced, 8, 0) == -EFAULT,
		     "write without force");
	}
	atomic_sub_return(&t->left, 1);
}

static void crossed_run(void)
{
	struct crossed t = { .a = new_space(),
			     .file = mem_object_file(PAGE_SIZE, offset_itself),
			     .left = 3 };
	u64 v;

	map_anonymous(t.a, BASE, 4);
	map_pages(t.a, page_va(600), 1, AREA_READ | AREA_EXEC | MAY, &t.file->object, 0);
	load_in(t.a, page_va(600));
	t.b = new_fork(t.a);
	hosted_run(4, crossed_cpu, &t);
	must(object_read(&t.file->object, &v, 8, 0) == 8 && v == 0, "the page cache has changed");
	must(load_in(t.a, page_va(600)) >= 1000 && load_in(t.b, page_va(600)) >= 1000,
	     "forced writes were lost");
	space_put(t.a);
	space_put(t.b);
	object_put(&t.file->object);
}

static void test_crossed_and_forced_writes_during_forks_do_not_hang_or_reach_the_cache(void **state)
{
	(void)state;
	each_seed(crossed_run, 300);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_threads_that_fault_one_shared_entry_do_not_touch_the_other_space),
		cmocka_unit_test(test_readers_never_see_a_page_that_was_replaced),
		cmocka_unit_test(test_fork_loses_no_increment_and_shows_the_child_one_instant),
		cmocka_unit_test(
			test_writable_entries_and_counts_are_right_after_each_copy_adoption_and_drop),
		cmocka_unit_test(
			test_a_node_that_one_copied_another_left_and_a_third_adopted_isolates_all),
		cmocka_unit_test(test_truncation_during_copies_leaves_no_page_mapped),
		cmocka_unit_test(test_a_page_that_was_cut_off_is_not_mapped_any_more),
		cmocka_unit_test(test_what_one_space_wrote_to_a_shared_file_another_can_sync),
		cmocka_unit_test(test_an_idle_cpu_keeps_no_way_to_a_frame_that_was_freed),
		cmocka_unit_test(
			test_crossed_and_forced_writes_during_forks_do_not_hang_or_reach_the_cache),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
