/*
 * test_writeback.c - the dirty set: what was stored is written out, also when it is stored while older bytes are on the way, and what is clean stays
 * clean until somebody writes.
 */
#include "race_test.h"

#include "mm/page.h"
#include "mm/tunable.h"
#include "mm/writeback.h"

#define FILE_PAGES 8

static u64 disk_word(const struct mem_object *m, u64 at)
{
	u64 v;

	memcpy(&v, m->disk + at, 8);
	return v;
}

static void sync_file(struct mem_object *m)
{
	assert_int_equal(object_sync(&m->object, 0, UINT64_MAX), 0);
}

/* --- one after the other --- */

static void test_a_mapped_page_is_clean_after_a_sync_until_the_next_store(void **state)
{
	struct mem_object *file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself);
	struct mm *parent = new_space(), *child;

	(void)state;
	hosted_seed(1);
	map_pages(parent, BASE, FILE_PAGES, RW | AREA_SHARED, &file->object, 0);
	store_in(parent, page_va(1), 5);
	store(page_va(2), 6);
	child = new_fork(parent);
	assert_int_equal(object_dirty_frames(), 2);
	sync_file(file);
	assert_int_equal(object_dirty_frames(), 0);
	assert_int_equal(file->writes, 2);
	sync_file(file); /* nothing to write */
	assert_int_equal(file->writes, 2);
	hosted_check();
	assert_int_equal(load_in(child, page_va(1)), 5);
	assert_int_equal(object_dirty_frames(), 0);
	store_in(child, page_va(1), 7);
	store_in(parent, page_va(2), 8);
	assert_int_equal(object_dirty_frames(), 2);
	sync_file(file);
	assert_int_equal(disk_word(file, PAGE_SIZE), 7);
	assert_int_equal(disk_word(file, 2 * PAGE_SIZE), 8);
	assert_int_equal(file->writes, 4);
	hosted_check();
	space_put(child);
	space_put(parent);
	object_put(&file->object);
}

static void test_an_error_is_told_once_to_each(void **state)
{
	struct mem_object *file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself);
	struct object *o = &file->object;
	u32 first = object_error_sample(o), second = object_error_sample(o), third, fourth;
	u64 v = 3;

	(void)state;
	assert_int_equal(object_write(o, &v, 8, 0), 8);
	assert_int_equal(object_error_check(o, &first), 0);
	file->write_failures = 1;
	assert_int_equal(object_clean(10), 0);
	third = object_error_sample(o); /* opened before anybody was told */
	assert_int_equal(object_error_check(o, &first), -EIO);
	assert_int_equal(object_error_check(o, &first), 0);
	fourth = object_error_sample(o); /* and after */
	assert_int_equal(object_error_check(o, &second), -EIO);
	assert_int_equal(object_error_check(o, &third), -EIO);
	assert_int_equal(object_error_check(o, &fourth), 0);
	assert_int_equal(object_clean(10), 1);
	assert_int_equal(object_error_check(o, &third), 0);
	assert_int_equal(disk_word(file, 0), 3);
	object_put(o);
}

static void test_cleaning_waits_for_no_page_lock(void **state)
{
	struct mem_object *file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself);
	struct page *p;
	u64 v = 9;

	(void)state;
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(object_write(&file->object, &v, 8, i * PAGE_SIZE), 8);
	p = object_page(&file->object, 1, NULL);
	page_lock(p);
	assert_int_equal(object_clean(100), 3);
	assert_int_equal(object_dirty_frames(), 1);
	page_unlock(p);
	page_put(p);
	assert_int_equal(object_clean(100), 1);
	assert_int_equal(object_clean(100), 0);
	object_put(&file->object);
}

static void test_cleaning_goes_on_where_it_stopped(void **state)
{
	struct mem_object *file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself);
	u64 v = 9;

	(void)state;
	for (u32 i = 0; i < FILE_PAGES; i++)
		assert_int_equal(object_write(&file->object, &v, 8, i * PAGE_SIZE), 8);
	assert_int_equal(object_clean(3), 3);
	assert_int_equal(object_write(&file->object, &v, 8, 0), 8);
	assert_int_equal(object_clean(3), 3);
	assert_int_equal(object_dirty_frames(), FILE_PAGES - 6 + 1);
	assert_int_equal(object_clean(100), 3);
	object_put(&file->object);
}

static void test_the_background_writes_what_is_old_or_too_much(void **state)
{
	struct mem_object *old = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself),
			  *young = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself),
			  *kept = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself);
	u64 ratio = mm_tunables.dirty_background_ratio;
	u64 v = 1;

	(void)state;
	writeback_run(1000, 0);
	object_write(&old->object, &v, 8, 0);
	object_write(&kept->object, &v, 8, 0);
	kept->object.kept_dirty = true;
	writeback_run(2000, 500);
	object_write(&young->object, &v, 8, 0);
	assert_int_equal(object_dirty_frames(), 3);
	writeback_run(3000, 1500);
	assert_int_equal(old->writes, 1);
	assert_int_equal(young->writes + kept->writes, 0);
	mm_tunables.dirty_background_ratio = 0;
	assert_true(writeback_is_due());
	writeback_run(3000, 1500);
	assert_int_equal(young->writes, 1);
	assert_int_equal(kept->writes, 0);
	assert_int_equal(object_clean(10), 1); /* memory is short: that is another matter */
	mm_tunables.dirty_background_ratio = ratio;
	object_put(&old->object);
	object_put(&young->object);
	object_put(&kept->object);
}

static void test_who_writes_too_much_writes_out(void **state)
{
	struct mem_object *file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself);
	u64 ratio = mm_tunables.dirty_ratio;
	u64 v = 1;

	(void)state;
	object_write(&file->object, &v, 8, 0);
	writeback_balance(&file->object);
	assert_int_equal(file->writes, 0);
	mm_tunables.dirty_ratio = 0;
	writeback_balance(&file->object);
	assert_int_equal(file->writes, 1);
	mm_tunables.dirty_ratio = ratio;
	object_put(&file->object);
}

/* --- at once --- */

struct stores {
	struct mem_object *file;
	struct mm *space[2]; /* parent and child share the tables at first */
	u32 left;
};

static u64 store_at(u32 cpu, u32 page)
{
	return page * PAGE_SIZE + 64 * (cpu + 1);
}

static void stores_cpu(u32 cpu, void *arg)
{
	struct stores *t = arg;

	if (cpu < 2) {
		hosted_load_space(t->space[cpu]);
		for (u32 i = 1; i <= 12; i++)
			store(BASE + store_at(cpu, i % 3), i);
		atomic_sub_return(&t->left, 1);
		return;
	}
	while (load_acquire(&t->left)) {
		if (cpu == 2)
			must(!object_sync(&t->file->object, 0, UINT64_MAX), "sync");
		else
			object_clean(4);
		hosted_pause();
	}
}

static void stores_run(void)
{
	struct stores t = { .file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself),
			    .left = 2 };

	t.space[0] = new_space();
	map_pages(t.space[0], BASE, FILE_PAGES, RW | AREA_SHARED, &t.file->object, 0);
	for (u32 p = 0; p < 3; p++)
		store_in(t.space[0], page_va(p), p);
	t.space[1] = new_fork(t.space[0]);
	hosted_run(4, stores_cpu, &t);
	hosted_check();
	must(!object_sync(&t.file->object, 0, UINT64_MAX), "sync");
	for (u32 cpu = 0; cpu < 2; cpu++)
		for (u32 p = 0; p < 3; p++)
			must(disk_word(t.file, store_at(cpu, p)) == (p ? 9 + p : 12),
			     "cpu %u page %u: the disk has %lu", cpu, p,
			     disk_word(t.file, store_at(cpu, p)));
	must(object_dirty_frames() == 0, "dirty");
	space_put(t.space[0]);
	space_put(t.space[1]);
	object_put(&t.file->object);
}

static void test_stores_during_a_write_out_are_not_lost(void **state)
{
	(void)state;
	each_seed(stores_run, 2 * SEEDS);
}

static void durable_cpu(u32 cpu, void *arg)
{
	struct stores *t = arg;
	struct object *o = &t->file->object;

	if (cpu == 2) {
		while (load_acquire(&t->left)) {
			object_clean(4);
			hosted_pause();
		}
		return;
	}
	for (u64 i = 1; i <= 10; i++) {
		must(object_write(o, &i, 8, store_at(cpu, i % 2)) == 8, "write");
		must(!object_sync(o, 0, UINT64_MAX), "sync");
		must(disk_word(t->file, store_at(cpu, i % 2)) == i, "after a sync the disk has %lu",
		     disk_word(t->file, store_at(cpu, i % 2)));
	}
	atomic_sub_return(&t->left, 1);
}

static void durable_run(void)
{
	struct stores t = { .file = mem_object_file(FILE_PAGES * PAGE_SIZE, offset_itself),
			    .left = 2 };

	hosted_run(3, durable_cpu, &t);
	object_put(&t.file->object);
}

static void test_what_was_synced_is_there_whoever_wrote_it_out(void **state)
{
	(void)state;
	each_seed(durable_run, SEEDS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_mapped_page_is_clean_after_a_sync_until_the_next_store),
		cmocka_unit_test(test_an_error_is_told_once_to_each),
		cmocka_unit_test(test_cleaning_waits_for_no_page_lock),
		cmocka_unit_test(test_cleaning_goes_on_where_it_stopped),
		cmocka_unit_test(test_the_background_writes_what_is_old_or_too_much),
		cmocka_unit_test(test_who_writes_too_much_writes_out),
		cmocka_unit_test(test_stores_during_a_write_out_are_not_lost),
		cmocka_unit_test(test_what_was_synced_is_there_whoever_wrote_it_out),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
