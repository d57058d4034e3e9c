/*
 * test_counted.c - areas that their file counts (System V shared memory): one for each area of each space, whatever happens to the space, and also when memory
 * runs out on the way.
 */
#include "mm/shmem.h"
#include "mm_test.h"

#define BASE 0x40000000ull
#define PAGES 8

/* The file: how many areas there are. */
static s64 counted;

static void counted_get(void *file)
{
	++*(s64 *)file;
}

static void counted_put(void *file)
{
	--*(s64 *)file;
}

static void counted_describe(void *file, char *path, size_t size, u64 *dev, u64 *ino)
{
	(void)file;
	path[0] = '\0';
	*dev = *ino = size;
}

static const struct area_file_ops counted_ops = { counted_get, counted_put, counted_describe };

static u64 counted_size(const void *file)
{
	return file == &counted ? PAGES * PAGE_SIZE : 0;
}

static void map_counted(struct mm *mm, u64 va)
{
	struct object *o = shmem_create(PAGES * PAGE_SIZE, true);
	struct map_request r = { .addr = va,
				 .length = PAGES * PAGE_SIZE,
				 .flags = RW | AREA_SHARED | AREA_SYSV,
				 .fixed = true,
				 .object = o,
				 .file = &counted,
				 .file_ops = &counted_ops };

	must(o && space_map(mm, &r) == (s64)va, "map");
	object_put(o);
}

static u32 area_count(struct mm *mm)
{
	return areas_summary(mm->areas)->count;
}

static int protect(struct mm *mm, u64 page, u64 pages, u32 prot)
{
	return space_protect(mm, BASE + page * PAGE_SIZE, pages * PAGE_SIZE, prot, false);
}

static void test_each_space_has_its_own(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE + 0x100000, 4);
	map_counted(mm, BASE);
	assert_int_equal(counted, 1);
	store_in(mm, BASE, 5);
	struct mm *child = new_fork(mm), *grandchild = new_fork(child);
	assert_int_equal(counted, 3);
	assert_ptr_not_equal(areas_find(mm->areas, BASE), areas_find(child->areas, BASE));
	assert_int_equal(load_in(grandchild, BASE), 5);
	space_put(mm);
	assert_int_equal(counted, 2);
	assert_int_equal(space_unmap(child, BASE + PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(counted, 3);
	struct mm *other = new_fork(child);
	assert_int_equal(counted, 5);
	space_put(child);
	space_put(other);
	assert_int_equal(counted, 1);
	assert_int_equal(load_in(grandchild, BASE), 5);
	space_put(grandchild);
	assert_int_equal(counted, 0);
}

static void test_none_takes_another_in_but_boundaries_move(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_counted(mm, BASE);
	assert_int_equal(protect(mm, 2, 2, AREA_READ), 0);
	assert_int_equal(counted, 3);
	assert_int_equal(protect(mm, 2, 2, AREA_READ | AREA_WRITE), 0);
	assert_int_equal(area_count(mm), 3);
	assert_int_equal(counted, 3);
	assert_int_equal(protect(mm, 2, 2, AREA_READ), 0);
	assert_int_equal(protect(mm, 4, 1, AREA_READ), 0);
	assert_int_equal(protect(mm, 1, 1, AREA_READ), 0);
	assert_int_equal(area_count(mm), 3);
	assert_int_equal(areas_find(mm->areas, BASE + PAGE_SIZE)->end, BASE + 5 * PAGE_SIZE);
	assert_int_equal(counted, 3);
	space_put(mm);
	assert_int_equal(counted, 0);
}

static void test_detach_finds_what_is_left(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_counted(mm, BASE);
	for (u64 p = 0; p < PAGES; p++)
		store_in(mm, BASE + p * PAGE_SIZE, p);
	assert_int_equal(protect(mm, 2, 2, AREA_READ), 0);
	assert_int_equal(space_unmap(mm, BASE, PAGE_SIZE), 0);
	assert_int_equal(space_unmap(mm, BASE + 5 * PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(space_remap(mm, BASE + 7 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE,
				     REMAP_MAYMOVE | REMAP_FIXED, BASE + 0x100000),
			 BASE + 0x100000);
	assert_int_equal(counted, 5);
	assert_int_equal(space_detach(mm, BASE + 1, &counted_ops, counted_size), -EINVAL);
	assert_int_equal(space_detach(mm, BASE + PAGE_SIZE, &counted_ops, counted_size), -EINVAL);
	assert_int_equal(space_detach(mm, BASE, &counted_ops, counted_size), 0);
	assert_int_equal(counted, 1);
	assert_int_equal(area_count(mm), 1);
	assert_int_equal(space_rss(mm).shmem, 1);
	assert_int_equal(load_in(mm, BASE + 0x100000), 7);
	assert_int_equal(space_detach(mm, BASE, &counted_ops, counted_size), -EINVAL);
	space_put(mm);
	assert_int_equal(counted, 0);
}

/* A space whose counted areas are cut in three, one of them not to be inherited. */
static struct mm *space_in_parts(void)
{
	struct mm *mm = new_space();

	map_counted(mm, BASE);
	map_anonymous(mm, BASE - 0x100000, 3);
	for (u64 p = 0; p < PAGES; p++)
		store_in(mm, BASE + p * PAGE_SIZE, p);
	must(!protect(mm, 2, 2, AREA_READ), "protect");
	must(!space_lock(mm, BASE, PAGE_SIZE, AREA_LOCKED), "lock");
	return mm;
}

static void test_fork_and_detach_without_memory_count_right(void **state)
{
	struct mm *mm = space_in_parts(), *child = NULL;
	s64 before = counted;

	(void)state;
	for (u32 n = 0; !child; n++) {
		alloc_fail_after(n);
		child = space_fork(mm);
		alloc_fail_after(UINT64_MAX);
		must(counted == (child ? 2 : 1) * before, "counted %ld", counted);
		hosted_check();
	}
	for (u32 n = 0, err = 1; err; n++) {
		alloc_fail_after(n);
		err = (u32)space_detach(child, BASE, &counted_ops, counted_size);
		alloc_fail_after(UINT64_MAX);
		must(counted == (err ? 2 : 1) * before, "counted %ld", counted);
		hosted_check();
	}
	space_put(child);
	space_put(mm);
	assert_int_equal(counted, 0);
}

static struct hosted_census at_start;

static int setup(void **state)
{
	(void)state;
	hosted_seed(1);
	counted = 0;
	at_start = hosted_census();
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

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_each_space_has_its_own),
		TEST(test_none_takes_another_in_but_boundaries_move),
		TEST(test_detach_finds_what_is_left),
		TEST(test_fork_and_detach_without_memory_count_right),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
