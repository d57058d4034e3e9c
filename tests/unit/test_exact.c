/*
 * test_exact.c - what is counted is exact in every order of events, and an allocation that fails changes and loses nothing. test_protocol.c has the races; the
 * numbers are those of docs/testing.md.
 */
#include "race_test.h"

/* --- 8 --- */

struct exact {
	struct mm *parent, *child;
	struct mem_object *file;
	bool page[2][12]; /* of parent and child: the page counts as anonymous */
};

static void rss_must_be(struct mm *mm, const bool page[12], u64 file)
{
	u64 anon = 0;

	for (u32 i = 0; i < 12; i++)
		anon += page[i];
	struct space_rss rss = space_rss(mm);
	must(rss.anon == anon && rss.file == file && !rss.shmem,
	     "RSS: %lu anonymous, %lu file; expected %lu, %lu", rss.anon, rss.file, anon, file);
}

static void exact_step(struct exact *t, u32 what)
{
	switch (what) {
	case 0:
		must(!space_unmap(t->parent, BASE, 4 * PAGE_SIZE), "munmap");
		memset(t->page[0], 0, 4);
		break;
	case 1:
		must(!space_unmap(t->child, page_va(2), 6 * PAGE_SIZE), "munmap");
		memset(&t->page[1][2], 0, 6);
		break;
	case 2:
		store_in(t->parent, page_va(9), 1);
		store(page_va(10), 1);
		t->page[0][9] = t->page[0][10] = true;
		break;
	case 3:
		store_in(t->child, page_va(10), 2);
		store(page_va(11), 2);
		t->page[1][10] = t->page[1][11] = true;
		break;
	default:
		object_evict(100);
	}
	rss_must_be(t->parent, t->page[0], 4);
	rss_must_be(t->child, t->page[1], 4);
}

/* All orders of the steps from `done` on, each on a machine of its own; then both orders of exits. */
static void exact_orders(u32 steps[5], u32 done, bool child_first)
{
	if (done < 5) {
		for (u32 i = done; i < 5; i++) {
			u32 s = steps[i];

			steps[i] = steps[done];
			steps[done] = s;
			exact_orders(steps, done + 1, child_first);
			steps[done] = steps[i];
			steps[i] = s;
		}
		return;
	}
	struct hosted_census before = hosted_census();
	struct exact t = { .parent = new_space(),
			   .file = mem_object_file(4 * PAGE_SIZE, offset_itself) };
	map_anonymous(t.parent, BASE, 12);
	map_pages(t.parent, page_va(20), 4, AREA_READ | MAY, &t.file->object, 0);
	for (u32 p = 0; p < 8; p++) {
		store_in(t.parent, page_va(p), p);
		t.page[0][p] = t.page[1][p] = true;
	}
	load(page_va(21)); /* fault-around maps all four */
	for (u32 p = 0; p < 4; p++)
		load(page_va(20 + p));
	t.child = new_fork(t.parent);
	for (u32 i = 0; i < 5; i++)
		exact_step(&t, steps[i]);
	space_put(child_first ? t.child : t.parent);
	struct mm *last = child_first ? t.parent : t.child;
	rss_must_be(last, t.page[child_first ? 0 : 1], 4);
	hosted_check();
	space_put(last);
	object_put(&t.file->object);
	census_must_equal(&before);
}

static void test_rss_frames_and_nodes_are_exact_in_every_order_of_fork_munmap_and_exit(void **state)
{
	u32 steps[5] = { 0, 1, 2, 3, 4 };

	(void)state;
	hosted_seed(8);
	exact_orders(steps, 0, false);
	exact_orders(steps, 0, true);
}

/* The same at once: both spaces change and leave on different CPUs. */
static void exits_cpu(u32 cpu, void *arg)
{
	struct mm **spaces = arg;
	struct mm *mine = spaces[cpu];

	hosted_load_space(mine);
	for (u32 i = 0; i < 6; i++) {
		store(page_va((cpu * 3 + i * 5) % 12), i);
		if (i == 3)
			must(!space_unmap(mine, page_va(cpu), 5 * PAGE_SIZE), "munmap");
		if (i == 3)
			map_anonymous(mine, page_va(cpu), 5);
	}
	struct mm *child = new_fork(mine);
	space_put(mine);
	store_in(child, page_va(1), 1);
	space_put(child);
}

static void exits_run(void)
{
	struct mm *spaces[4] = { new_space() };

	map_anonymous(spaces[0], BASE, 12);
	for (u32 p = 0; p < 12; p++)
		store_in(spaces[0], page_va(p), p);
	for (u32 i = 1; i < 4; i++)
		spaces[i] = new_fork(spaces[i - 1]);
	hosted_run(4, exits_cpu, spaces);
}

static void test_nothing_is_left_when_spaces_that_share_leave_at_once(void **state)
{
	(void)state;
	each_seed(exits_run, SEEDS);
}

/* --- 11 --- */

/*
 * Call attempt with its first, second, ... allocation failing until it succeeds; after each failure `same` must hold and nothing be lost. Tables and areas
 * that were copied on the way may stay: no program sees them, the checker finds them in the tree, and the census at the end counts them.
 */
static u32 with_each_failure(int (*attempt)(void *arg), void (*same)(void *arg), void *arg)
{
	for (u32 n = 0; n < 1000; n++) {
		struct hosted_census before = hosted_census();

		alloc_fail_after(n);
		int err = attempt(arg);
		alloc_fail_after(UINT64_MAX);
		if (!err)
			return n;
		must(err == -ENOMEM, "allocation %u failed and gave %d", n, err);
		struct hosted_census after = hosted_census();
		after.frames += after.tables - before.tables;
		after.tables = before.tables;
		/* a fault may have made the area the space's own */
		after.kernel_objects -=
			after.areas - before.areas + after.area_nodes - before.area_nodes;
		after.areas = before.areas;
		after.area_nodes = before.area_nodes;
		const char *d = hosted_census_difference(&before, &after);
		must(!d, "allocation %u failed: %s", n, d ? d : "");
		same(arg);
		hosted_check();
	}
	must(false, "never succeeds");
	return 0;
}

struct failing {
	struct mm *parent, *child, *made;
	struct mem_object *file;
};

static void failing_start(struct failing *t)
{
	*t = (struct failing){ .parent = new_space(),
			       .file = mem_object_file(4 * PAGE_SIZE, offset_itself) };
	map_anonymous(t->parent, BASE - 8 * PAGE_SIZE, 16);
	map_pages(t->parent, page_va(600), 4, RW, &t->file->object, 0);
	for (u32 p = 0; p < 16; p++)
		store_in(t->parent, BASE + (p - 8ull) * PAGE_SIZE, p);
	for (u32 p = 0; p < 4; p++)
		load(page_va(600 + p));
	t->child = new_fork(t->parent);
}

/* Both spaces are as failing_start made them. */
static void failing_same(void *arg)
{
	struct failing *t = arg;
	struct mm *both[] = { t->parent, t->child };

	for (u32 i = 0; i < 2; i++) {
		u64 v[2];

		for (u32 p = 0; p < 16; p++)
			must(space_read(both[i], BASE + (p - 8ull) * PAGE_SIZE, v, 8,
					SPACE_FORCE) == 8 &&
				     v[0] == p,
			     "page %u of space %u", p, i);
		for (u32 p = 0; p < 4; p++)
			must(space_read(both[i], page_va(600 + p) + 8, v, 8, SPACE_FORCE) == 8 &&
				     v[0] == p * PAGE_SIZE + 8,
			     "file page %u of space %u", p, i);
		must(areas_summary(both[i]->areas)->count == 2 &&
			     space_vm_bytes(both[i]) == 20 * PAGE_SIZE,
		     "areas of space %u", i);
		must(space_rss(both[i]).anon == 16 && space_rss(both[i]).file == 4,
		     "RSS of space %u", i);
	}
}

static void failing_end(struct failing *t)
{
	space_put(t->parent);
	space_put(t->child);
	object_put(&t->file->object);
}

static int attempt_write(void *arg)
{
	struct failing *t = arg;
	struct fault_result r;

	hosted_load_space(t->parent);
	return user_store(page_va(2), 999, &r);
}

static int attempt_write_file(void *arg)
{
	struct failing *t = arg;
	struct fault_result r;

	hosted_load_space(t->child);
	return user_store(page_va(601), 999, &r);
}

static int attempt_unmap(void *arg)
{
	return space_unmap(((struct failing *)arg)->child, BASE - 2 * PAGE_SIZE, 5 * PAGE_SIZE);
}

static int attempt_unmap_middle(void *arg)
{
	return space_unmap(((struct failing *)arg)->parent, page_va(601), PAGE_SIZE);
}

static int attempt_fork(void *arg)
{
	struct failing *t = arg;

	t->made = space_fork(t->parent);
	return t->made ? 0 : -ENOMEM;
}

static int attempt_remap(void *arg)
{
	s64 r = space_remap(((struct failing *)arg)->parent, page_va(600), 4 * PAGE_SIZE,
			    4 * PAGE_SIZE, REMAP_MAYMOVE | REMAP_FIXED, 0x8000000000);

	return r < 0 ? (int)r : 0;
}

/* What exec does with a new space: map the program and a stack, and write to it. */
static int attempt_exec(void *arg)
{
	struct failing *t = arg;
	struct map_request r = { .addr = 0x400000,
				 .length = 3 * PAGE_SIZE,
				 .flags = AREA_READ | AREA_EXEC | MAY,
				 .fixed = true,
				 .object = &t->file->object };
	const u64 argc = 1;
	int err = -ENOMEM;

	struct mm *mm = space_create();
	if (!mm)
		return err;
	s64 at = space_map(mm, &r);
	err = at < 0 ? (int)at
		     : space_map_stack(mm, USER_END - PAGE_SIZE, 8 * PAGE_SIZE,
				       AREA_READ | AREA_WRITE);
	if (!err) {
		ssize n = space_write(mm, USER_END - 2 * PAGE_SIZE, &argc, 8, 0);
		err = n < 0 ? (int)n : 0;
	}
	if (err)
		space_put(mm);
	else
		t->made = mm;
	return err;
}

static void test_an_allocation_that_fails_changes_and_loses_nothing(void **state)
{
	static int (*const attempts[])(
		void *) = { attempt_write, attempt_write_file, attempt_unmap, attempt_unmap_middle,
			    attempt_fork,  attempt_remap,      attempt_exec };

	(void)state;
	hosted_seed(11);
	struct hosted_census before = hosted_census();
	for (u32 i = 0; i < ARRAY_SIZE(attempts); i++) {
		struct failing t;

		failing_start(&t);
		u32 failures = with_each_failure(attempts[i], failing_same, &t);
		must(failures > 0, "attempt %u allocates nothing", i);
		if (t.made)
			space_put(t.made);
		failing_end(&t);
	}
	census_must_equal(&before);
}

/* munmap of everything, and exit: with no memory at all. */
static void test_giving_up_memory_needs_none(void **state)
{
	struct failing t;

	(void)state;
	hosted_seed(12);
	struct hosted_census before = hosted_census();
	failing_start(&t);
	map_anonymous(t.parent, 0x8000000000, 1);
	store_in(t.parent, 0x8000000000, 1);
	alloc_fail_after(0);
	assert_int_equal(space_unmap(t.parent, 0, USER_END), 0);
	assert_int_equal(space_rss(t.parent).anon, 0);
	space_put(t.child);
	space_put(t.parent);
	alloc_fail_after(UINT64_MAX);
	object_put(&t.file->object);
	census_must_equal(&before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_rss_frames_and_nodes_are_exact_in_every_order_of_fork_munmap_and_exit),
		cmocka_unit_test(test_nothing_is_left_when_spaces_that_share_leave_at_once),
		cmocka_unit_test(test_an_allocation_that_fails_changes_and_loses_nothing),
		cmocka_unit_test(test_giving_up_memory_needs_none),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
