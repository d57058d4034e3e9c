/*
 * test_object.c - objects and the page cache: what is read and written is coherent, failures lose nothing, pages that are idle can go and others not.
 */
#include "mm_test.h"

#include <stdlib.h>

#define PAGES 40
#define BASE 0x40000000ull

static u64 word_at(u64 offset)
{
	return offset * 3 + 1;
}

static u64 read_word(struct object *o, u64 at)
{
	u64 v = 0;

	assert_int_equal(object_read(o, &v, 8, at), 8);
	return v;
}

/* --- bytes --- */

static void random_streams(struct mem_object *m, bool file)
{
	static u8 naive[PAGES * PAGE_SIZE], buf[3 * PAGE_SIZE];
	struct object *o = &m->object;
	u64 size = o->size;

	memset(naive, 0, sizeof(naive));
	for (u64 at = 0; file && at < size; at += 8) {
		u64 w = word_at(at);
		memcpy(naive + at, &w, 8);
	}
	for (u32 i = 0; i < 3000; i++) {
		u64 at = (u64)random() % (PAGES * PAGE_SIZE),
		    n = (u64)random() % (random() % 2 ? 100 : 2 * PAGE_SIZE);

		switch (random() % 8) {
		case 0:
		case 1:
		case 2:
			n = min(n, PAGES * PAGE_SIZE - at);
			for (u64 k = 0; k < n; k++)
				buf[k] = (u8)random();
			assert_int_equal(object_write(o, buf, n, at), n);
			memcpy(naive + at, buf, n);
			size = n ? max(size, at + n) : size;
			break;
		case 3:
		case 4:
		case 5: {
			u64 expected = at >= size ? 0 : min(n, size - at);
			assert_int_equal(object_read(o, buf, n, at), expected);
			assert_memory_equal(buf, naive + at, expected);
			break;
		}
		case 6:
			if (random() % 8)
				break;
			assert_int_equal(object_truncate(o, at), 0);
			if (at < size) {
				memset(naive + at, 0, sizeof(naive) - at);
				if (file)
					memset(m->disk + at, 0, MEM_BYTES_MAX - at);
			}
			size = at;
			break;
		default:
			if (file)
				assert_int_equal(object_sync(o, 0, UINT64_MAX), 0);
			object_evict((u64)random() % 20);
		}
		assert_int_equal(o->size, size);
	}
	if (file) { /* after a sync the disk has it all */
		assert_int_equal(object_sync(o, 0, UINT64_MAX), 0);
		assert_memory_equal(m->disk, naive, size);
		assert_int_equal(object_dirty_frames(), 0);
	}
	hosted_check();
	object_put(o);
}

static void test_reads_and_writes_agree_with_an_array(void **state)
{
	(void)state;
	hosted_seed(1);
	struct hosted_census before = hosted_census();
	for (u32 seed = 0; seed < 8; seed++) {
		srandom(seed);
		random_streams(
			mem_object_file((u64)random() % (PAGES * PAGE_SIZE / 8) * 8, word_at),
			true);
		random_streams(mem_object_memory(0, UINT64_MAX), false);
	}
	census_must_equal(&before);
	assert_int_equal(mem_objects_alive, 0);
}

static void test_mappings_and_reads_see_each_other(void **state)
{
	struct mem_object *m = mem_object_file(PAGES * PAGE_SIZE, word_at);
	struct mm *mm = new_space(), *other = new_space();
	u64 v = 77;

	(void)state;
	map_pages(mm, BASE, 8, RW | AREA_SHARED, &m->object, 4 * PAGE_SIZE);
	map_pages(other, BASE, 8, RW, &m->object, 4 * PAGE_SIZE); /* private */
	assert_int_equal(load_in(other, BASE), word_at(4 * PAGE_SIZE));
	store_in(mm, BASE, 5);
	assert_int_equal(read_word(&m->object, 4 * PAGE_SIZE), 5);
	assert_int_equal(load_in(other, BASE), 5); /* not written to: still the file's */
	store_in(other, BASE + 8, 6);
	assert_int_equal(object_write(&m->object, &v, 8, 4 * PAGE_SIZE), 8);
	assert_int_equal(load_in(mm, BASE), 77);
	assert_int_equal(load_in(other, BASE), 5); /* its own page by now */
	assert_int_equal(read_word(&m->object, 4 * PAGE_SIZE + 8), word_at(4 * PAGE_SIZE + 8));
	space_put(mm);
	space_put(other);
	object_put(&m->object);
}

/* --- failures --- */

static void test_a_read_that_fails_is_reported_and_leaves_nothing_in_the_cache(void **state)
{
	struct mem_object *m = mem_object_file(PAGES * PAGE_SIZE, word_at);
	struct mm *mm = new_space();
	struct fault_result r;
	u64 v;

	(void)state;
	map_pages(mm, BASE, 4, RW, &m->object, 0);
	m->read_failures = 3;
	assert_int_equal(object_read(&m->object, &v, 8, 0), -EIO);
	hosted_load_space(mm);
	assert_true(user_load(BASE, &v, &r) < 0);
	assert_int_equal(r.signal, SIGBUS);
	assert_true(user_store(BASE, 1, &r) < 0);
	assert_int_equal(r.signal, SIGBUS);
	assert_int_equal(object_cache_frames(), 0);
	assert_int_equal(load(BASE + 8), word_at(8)); /* it works again */
	hosted_check();
	space_put(mm);
	object_put(&m->object);
}

static void test_a_write_out_that_fails_keeps_the_page_dirty(void **state)
{
	struct mem_object *m = mem_object_file(PAGES * PAGE_SIZE, word_at);
	u64 v = 9;

	(void)state;
	assert_int_equal(object_write(&m->object, &v, 8, PAGE_SIZE), 8);
	m->write_failures = 1;
	assert_int_equal(object_sync(&m->object, 0, UINT64_MAX), -EIO);
	assert_int_equal(object_dirty_frames(), 1);
	object_evict(1000);
	assert_int_equal(object_sync(&m->object, 0, UINT64_MAX), 0);
	memcpy(&v, m->disk + PAGE_SIZE, 8);
	assert_int_equal(v, 9);
	assert_int_equal(object_dirty_frames(), 0);
	object_put(&m->object);
}

static void test_each_allocation_of_a_read_or_write_may_fail(void **state)
{
	u64 v = 5;

	(void)state;
	for (u32 writing = 0; writing < 2; writing++) {
		for (u32 file = 0; file < 2; file++) {
			struct hosted_census before = hosted_census();
			struct mem_object *m = file ? mem_object_file(PAGES * PAGE_SIZE, word_at)
						    : mem_object_memory(PAGES * PAGE_SIZE, PAGES);
			ssize n = -ENOMEM;

			for (u32 fail = 0; n < 0; fail++) {
				alloc_fail_after(fail);
				n = writing ? object_write(&m->object, &v, 8, 70000)
					    : object_read(&m->object, &v, 8, 70000);
				alloc_fail_after(UINT64_MAX);
				assert_true(n == 8 || n == -ENOMEM);
				assert_true(n == 8 || object_cache_frames() == 0);
				hosted_check();
			}
			object_put(&m->object);
			census_must_equal(&before);
		}
	}
}

static void test_memory_that_may_not_grow_gives_enospc(void **state)
{
	struct mem_object *m = mem_object_memory(0, 3);
	u8 buf[PAGE_SIZE] = { 0 };

	(void)state;
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(object_write(&m->object, buf, sizeof(buf), i * PAGE_SIZE),
				 PAGE_SIZE);
	assert_int_equal(object_write(&m->object, buf, sizeof(buf), 3 * PAGE_SIZE), -ENOSPC);
	assert_int_equal(object_write(&m->object, buf, sizeof(buf), 2 * PAGE_SIZE + 100),
			 PAGE_SIZE - 100);
	assert_int_equal(m->object.size, 3 * PAGE_SIZE);
	assert_int_equal(object_truncate(&m->object, PAGE_SIZE), 0);
	assert_int_equal(m->charged, 1);
	assert_int_equal(object_write(&m->object, buf, sizeof(buf), 9 * PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(object_shmem_frames(), 2);
	object_put(&m->object);
	assert_int_equal(object_shmem_frames(), 0);
}

/* --- truncating, punching, eviction --- */

static void test_punching_frees_whole_pages_and_zeroes_parts(void **state)
{
	struct mem_object *m = mem_object_memory(0, UINT64_MAX);
	struct mm *mm = new_space();
	u64 v = 1;

	(void)state;
	for (u64 at = 0; at < 6 * PAGE_SIZE; at += 512)
		assert_int_equal(object_write(&m->object, &v, 8, at), 8);
	map_pages(mm, BASE, 6, RW | AREA_SHARED, &m->object, 0);
	for (u32 p = 0; p < 6; p++)
		assert_int_equal(load_in(mm, BASE + p * PAGE_SIZE), 1);
	assert_int_equal(object_punch(&m->object, PAGE_SIZE + 1024, 4 * PAGE_SIZE + 512), 0);
	assert_int_equal(object_shmem_frames(), 4);
	assert_int_equal(m->charged, 4);
	for (u64 at = 0; at < 6 * PAGE_SIZE; at += 512) {
		u64 expected = at < PAGE_SIZE + 1024 || at >= 4 * PAGE_SIZE + 512;
		assert_int_equal(load_in(mm, BASE + at), expected);
		assert_int_equal(read_word(&m->object, at), expected);
	}
	assert_int_equal(object_punch(&m->object, 100 + 512, 1024 + 9), 0); /* inside one page */
	assert_int_equal(load(BASE + 1024) >> 8, 0);
	assert_int_equal(load(BASE + 512), 1);
	hosted_check();
	space_put(mm);
	object_put(&m->object);
}

static void test_data_and_holes_are_found(void **state)
{
	struct mem_object *m = mem_object_memory(10 * PAGE_SIZE, UINT64_MAX);
	u64 v = 1;

	(void)state;
	assert_int_equal(object_seek_data(&m->object, 0), 10 * PAGE_SIZE);
	assert_int_equal(object_seek_hole(&m->object, 5), 5);
	object_write(&m->object, &v, 8, 3 * PAGE_SIZE + 40);
	object_write(&m->object, &v, 8, 4 * PAGE_SIZE);
	assert_int_equal(object_seek_data(&m->object, 7), 3 * PAGE_SIZE);
	assert_int_equal(object_seek_data(&m->object, 3 * PAGE_SIZE + 9), 3 * PAGE_SIZE + 9);
	assert_int_equal(object_seek_hole(&m->object, 3 * PAGE_SIZE + 9), 5 * PAGE_SIZE);
	assert_int_equal(object_seek_data(&m->object, 5 * PAGE_SIZE), 10 * PAGE_SIZE);
	object_put(&m->object);
}

static void test_eviction_takes_idle_clean_file_pages_only(void **state)
{
	struct mem_object *file = mem_object_file(16 * PAGE_SIZE, word_at),
			  *memory = mem_object_memory(PAGE_SIZE, UINT64_MAX);
	struct mm *mm = new_space();
	u64 v = 4;

	(void)state;
	for (u32 p = 0; p < 16; p++)
		read_word(&file->object, p * PAGE_SIZE);
	object_write(&memory->object, &v, 8, 0);
	object_write(&file->object, &v, 8, 0); /* dirty */
	map_pages(mm, BASE, 1, AREA_READ | MAY, &file->object, 9 * PAGE_SIZE);
	load_in(mm, BASE);
	assert_int_equal(object_cache_frames(), 17);
	assert_int_equal(object_evict(1000) + object_evict(1000), 14);
	assert_int_equal(object_cache_frames(), 3);
	assert_int_equal(read_word(&file->object, 0), 4);
	assert_int_equal(read_word(&file->object, PAGE_SIZE), word_at(PAGE_SIZE));
	space_put(mm);
	object_put(&file->object);
	object_put(&memory->object);
	assert_int_equal(object_cache_frames(), 0);
}

/* Memory that was only looked at is zeros: it may go, and gives its charge back. */
static void test_eviction_takes_memory_that_nobody_wrote_to(void **state)
{
	struct mem_object *m = mem_object_memory(8 * PAGE_SIZE, UINT64_MAX);
	struct mm *mm = new_space();
	u64 v = 4;

	(void)state;
	map_pages(mm, BASE, 8, AREA_READ | AREA_WRITE | AREA_SHARED | MAY, &m->object, 0);
	for (u32 p = 0; p < 4; p++)
		assert_int_equal(load_in(mm, BASE + p * PAGE_SIZE), 0);
	store_in(mm, BASE + PAGE_SIZE, 5);
	object_write(&m->object, &v, 8, 2 * PAGE_SIZE);
	assert_int_equal(object_page_allocate(&m->object, 5), 0);
	assert_int_equal(object_page_allocate(&m->object, 6), 0);
	assert_int_equal(object_page_allocate(&m->object, 6), 0); /* now it is used */
	assert_true(object_is_hole(&m->object, 5));
	assert_false(object_is_hole(&m->object, 6));
	assert_int_equal(m->charged, 6);
	assert_int_equal(object_evict(1000) + object_evict(1000), 0); /* mapped or written */
	space_unmap(mm, BASE, 8 * PAGE_SIZE);
	assert_int_equal(object_evict(1000) + object_evict(1000), 2);
	assert_int_equal(m->charged, 4);
	assert_int_equal(read_word(&m->object, PAGE_SIZE), 5);
	assert_int_equal(read_word(&m->object, 2 * PAGE_SIZE), 4);
	assert_true(object_is_hole(&m->object, 0));
	space_put(mm);
	object_put(&m->object);
}

static void test_a_fault_gets_memory_by_eviction(void **state)
{
	static struct page *taken[20000];
	struct mem_object *file = mem_object_file(100 * PAGE_SIZE, word_at);
	struct mm *mm = new_space();
	u32 n = 0;

	(void)state;
	map_anonymous(mm, BASE, 64);
	for (u32 p = 0; p < 100; p++)
		read_word(&file->object, p * PAGE_SIZE);
	while ((taken[n] = frame_alloc(PAGE_KERNEL)))
		n++;
	for (u32 p = 0; p < 60; p++)
		store_in(mm, BASE + p * PAGE_SIZE, p);
	while (n)
		frame_free(taken[--n]);
	hosted_check();
	space_put(mm);
	object_put(&file->object);
}

/* --- at once --- */

struct together {
	struct mem_object *file;
	u32 left;
};

static void together_cpu(u32 cpu, void *arg)
{
	struct together *t = arg;
	struct object *o = &t->file->object;
	u64 v[2];

	if (cpu == 3) {
		while (t->left) {
			(void)object_sync(o, 0, UINT64_MAX);
			object_evict(4);
			hosted_pause();
		}
		return;
	}
	for (u32 i = 0; i < 20;
	     i++) { /* each writes its own words of all pages and reads them back */
		u64 at = (i * 7 % 10) * PAGE_SIZE + cpu * 64, value = 1000 * (cpu + 1) + i;
		ssize n;

		must((n = object_write(o, &value, 8, at)) == 8, "write: %ld", n);
		must((n = object_read(o, v, 8, at)) == 8 && v[0] == value,
		     "read: %ld, %lu instead of %lu", n, v[0], value);
		must((n = object_read(o, v, 8, at + 8)) == 8 && v[0] == word_at(at + 8),
		     "read: %ld", n);
	}
	t->left--;
}

static void test_readers_writers_sync_and_eviction_at_once_lose_nothing(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 500; seed++) {
		hosted_seed(seed);
		struct together t = { .file = mem_object_file(10 * PAGE_SIZE, word_at), .left = 3 };
		hosted_run(4, together_cpu, &t);
		must(!object_sync(&t.file->object, 0, UINT64_MAX), "sync");
		for (u32 cpu = 0; cpu < 3; cpu++) {
			u64 v, at = (19 * 7 % 10) * PAGE_SIZE + cpu * 64;
			memcpy(&v, t.file->disk + at, 8);
			must(v == 1000 * (cpu + 1) + 19, "the disk has %lu", v);
		}
		hosted_check();
		object_put(&t.file->object);
	}
}

static void test_two_readers_of_one_page_read_the_file_once(void **state)
{
	(void)state;
	hosted_seed(3);
	struct mem_object *m = mem_object_file(64 * PAGE_SIZE, word_at);
	for (u32 p = 0; p < 64; p++)
		read_word(&m->object, p * PAGE_SIZE);
	assert_int_equal(m->reads, 64);
	object_put(&m->object);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes_agree_with_an_array),
		cmocka_unit_test(test_mappings_and_reads_see_each_other),
		cmocka_unit_test(
			test_a_read_that_fails_is_reported_and_leaves_nothing_in_the_cache),
		cmocka_unit_test(test_a_write_out_that_fails_keeps_the_page_dirty),
		cmocka_unit_test(test_each_allocation_of_a_read_or_write_may_fail),
		cmocka_unit_test(test_memory_that_may_not_grow_gives_enospc),
		cmocka_unit_test(test_punching_frees_whole_pages_and_zeroes_parts),
		cmocka_unit_test(test_data_and_holes_are_found),
		cmocka_unit_test(test_eviction_takes_idle_clean_file_pages_only),
		cmocka_unit_test(test_eviction_takes_memory_that_nobody_wrote_to),
		cmocka_unit_test(test_a_fault_gets_memory_by_eviction),
		cmocka_unit_test(test_readers_writers_sync_and_eviction_at_once_lose_nothing),
		cmocka_unit_test(test_two_readers_of_one_page_read_the_file_once),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
