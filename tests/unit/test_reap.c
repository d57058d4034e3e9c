/*
 * test_reap.c - the memory of a space is taken from it while its threads still run: they find their bytes or a fault, never something else; who shares
 * tables with it notices nothing.
 */
#include "mm/reap.h"
#include "race_test.h"

#define PAGES 12
#define ROUNDS 30

/* --- races --- */

struct race {
	struct mm *parent, *victim;
	struct mem_object *file;
	u64 value[4]; /* of page n, which CPU n alone writes to, in the victim */
};

/* One access of CPU `cpu` in the victim: as expected, or a fault once it is doomed. False: doomed. */
static bool access_once(struct race *t, u32 cpu)
{
	struct fault_result r = { 0 };
	u64 v = 0;
	int err;

	switch (hosted_random() % 3) {
	case 0:
		err = user_add(page_va(cpu), 1, &v, &r);
		t->value[cpu] += !err;
		must(err || v == t->value[cpu], "%lu after %lu", v, t->value[cpu]);
		break;
	case 1:
		err = user_load(page_va(4 + cpu), &v, &r);
		must(err || v == 4 + cpu, "page %u holds %lu", 4 + cpu, v);
		break;
	default:
		err = user_load(page_va(PAGES + cpu) + 16, &v, &r);
		must(err || v == cpu * PAGE_SIZE + 16, "page %u of the file holds %lu", cpu, v);
	}
	if (!err)
		return true;
	must(err == -EFAULT && r.signal == SIGBUS && r.code == BUS_ADRERR, "error %d, signal %d",
	     err, r.signal);
	must(t->victim->doomed, "a fault in a space that lives");
	return false;
}

static void race_cpu(u32 cpu, void *arg)
{
	struct race *t = arg;
	struct mm *child;

	if (cpu < 2) {
		hosted_load_space(t->victim);
		for (u32 i = 0; i < ROUNDS && access_once(t, cpu); i++)
			;
		return;
	}
	if (cpu == 2) { /* a fork is of one instant: whole, or none */
		child = space_fork(t->victim);
		must(child || t->victim->doomed, "no fork");
		if (!child)
			return;
		hosted_load_space(child);
		for (u32 p = 4; p < PAGES; p++)
			must(load(page_va(p)) == p, "page %u of the child", p);
		space_put(child);
		return;
	}
	if (cpu == 3) {
		hosted_load_space(t->parent);
		for (u32 i = 0; i < ROUNDS; i++)
			store(page_va(8), load(page_va(8)));
		return;
	}
	for (u64 i = hosted_random() % 40; i; i--)
		hosted_pause();
	space_reap(t->victim);
}

static void race_run(void)
{
	struct race t = { .parent = new_space(),
			  .file = mem_object_file(4 * PAGE_SIZE, offset_itself) };

	map_anonymous(t.parent, BASE, PAGES);
	map_pages(t.parent, page_va(PAGES), 4, AREA_READ | MAY, &t.file->object, 0);
	for (u32 p = 4; p < PAGES; p++)
		store_in(t.parent, page_va(p), p);
	t.victim = new_fork(t.parent);
	store_in(t.victim, page_va(9), 9); /* some tables are its own */
	hosted_run(5, race_cpu, &t);
	must(!space_rss(t.victim).anon && !space_rss(t.victim).file, "the victim has pages");
	must(!space_fork(t.victim), "a doomed space was forked");
	hosted_check();
	hosted_load_space(t.parent);
	for (u32 p = 4; p < PAGES; p++)
		must(load(page_va(p)) == p, "page %u of the parent", p);
	space_put(t.victim);
	space_put(t.parent);
	object_put(&t.file->object);
}

static void test_threads_of_a_reaped_space_find_their_bytes_or_a_fault(void **state)
{
	(void)state;
	each_seed(race_run, SEEDS);
}

/* --- what comes free --- */

static void test_what_only_a_space_holds_is_counted_and_comes_free(void **state)
{
	struct mm *parent, *child;

	(void)state;
	hosted_seed(3);
	struct hosted_census before = hosted_census();
	parent = new_space();
	map_anonymous(parent, BASE, 16);
	for (u32 p = 0; p < 16; p++)
		store_in(parent, page_va(p), p);
	assert_int_equal(space_exclusive_frames(parent), 1 + 3 + 16);
	child = new_fork(parent);
	/* Of all but the roots there are two owners. */
	assert_int_equal(space_exclusive_frames(parent), 1);
	assert_int_equal(space_exclusive_frames(child), 1);
	store_in(child, page_va(2), 99);
	assert_int_equal(space_exclusive_frames(child), 1 + 3 + 1);
	assert_int_equal(space_exclusive_frames(parent), 1 + 3 + 1);
	alloc_fail_after(0);
	assert_int_equal(space_reap(child), 3 + 1);
	alloc_fail_after(UINT64_MAX);
	assert_int_equal(space_exclusive_frames(child), 1);
	assert_int_equal(space_exclusive_frames(parent), 1 + 3 + 16);
	space_put(child);
	space_put(parent);
	census_must_equal(&before);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_of_a_reaped_space_find_their_bytes_or_a_fault),
		cmocka_unit_test(test_what_only_a_space_holds_is_counted_and_comes_free),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
