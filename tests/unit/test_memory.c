/*
 * test_memory.c - frames, kernel objects, and the radix index: what they give is distinct, aligned and theirs; what is given back can be had again.
 */
#include "mm_test.h"

#include <stdlib.h>

#include "mm/census.h"
#include "mm/radix.h"
#include "mm/slab.h"

/* --- frames --- */

static void test_blocks_are_aligned_distinct_and_counted_once(void **state)
{
	static struct {
		struct page *p;
		u32 order;
	} held[300];
	u64 free = frame_free_count();
	u32 n = 0;

	(void)state;
	hosted_seed(1);
	srandom(1);
	for (u32 i = 0; i < 20000; i++) {
		if (n < 300 && random() % 2) {
			u32 order = random() % 4 ? (u32)random() % 3 : (u32)random() % 8;
			struct page *p = frame_alloc_order(order, PAGE_KERNEL);
			if (!p)
				continue;
			assert_true(IS_ALIGNED(page_number(p), 1ull << order));
			for (u64 k = 0; k < 1ull << order; k++) {
				assert_int_equal(p[k].kind, PAGE_KERNEL);
				assert_int_equal(page_count(p + k), 1);
				*(u64 *)frame_data(p + k) = page_number(p);
			}
			held[n].p = p;
			held[n++].order = order;
		} else if (n) {
			u32 k = (u32)random() % n;
			for (u64 f = 0; f < 1ull << held[k].order; f++)
				assert_int_equal(*(u64 *)frame_data(held[k].p + f),
						 page_number(held[k].p));
			frame_free_order(held[k].p, held[k].order);
			held[k] = held[--n];
		}
		hosted_become(i % 3); /* each CPU has its own cache */
	}
	while (n--)
		frame_free_order(held[n].p, held[n].order);
	assert_int_equal(frame_free_count(), free);
}

static void test_the_census_finds_what_was_given_out(void **state)
{
	struct frame_census before, now;
	struct page *blocks[FRAME_ORDER_MAX + 1], *single;
	u64 frames = 0, allocated, freed, allocated_before, freed_before;

	(void)state;
	hosted_seed(1);
	frame_census(&before);
	frame_event_counts(&allocated_before, &freed_before);
	for (u32 order = 0; order <= FRAME_ORDER_MAX; order++) {
		blocks[order] = frame_alloc_order(order, PAGE_KERNEL);
		assert_non_null(blocks[order]);
		frames += 1ull << order;
	}
	single = frame_alloc(PAGE_ANON);
	frame_census(&now);
	assert_int_equal(now.by_kind[PAGE_KERNEL], before.by_kind[PAGE_KERNEL] + frames);
	assert_int_equal(now.by_kind[PAGE_ANON], before.by_kind[PAGE_ANON] + 1);
	assert_int_equal(now.by_kind[PAGE_FREE], frame_free_count());
	u64 in_blocks = 0, all = 0;
	for (u32 order = 0; order <= FRAME_ORDER_MAX; order++)
		in_blocks += now.free_blocks[order] << order;
	assert_true(in_blocks <= now.by_kind[PAGE_FREE]); /* CPUs keep some beside */
	for (u32 kind = 0; kind < PAGE_KINDS; kind++)
		all += now.by_kind[kind];
	assert_int_equal(all, frame_total);
	for (u32 order = 0; order <= FRAME_ORDER_MAX; order++)
		frame_free_order(blocks[order], order);
	frame_free(single);
	frame_event_counts(&allocated, &freed);
	assert_int_equal(allocated - allocated_before, frames + 1);
	assert_int_equal(freed - freed_before, frames + 1);
	frame_census(&now);
	assert_int_equal(now.by_kind[PAGE_FREE], before.by_kind[PAGE_FREE]);
}

/* How many blocks of that order there are. */
static u32 free_blocks(u32 order)
{
	static struct page *blocks[2000];
	u32 n = 0;

	while (n < 2000 && (blocks[n] = frame_alloc_order(order, PAGE_KERNEL)))
		n++;
	for (u32 i = 0; i < n; i++)
		frame_free_order(blocks[i], order);
	return n;
}

static void test_free_blocks_join_again(void **state)
{
	static struct page *singles[20000];
	struct page *p;
	u32 n = 0;

	(void)state;
	hosted_seed(2);
	for (u32 cpu = 0; cpu < 3; cpu++) { /* each has its own cache of frames */
		hosted_become(cpu);
		while ((p = frame_alloc(PAGE_KERNEL)))
			singles[n++] = p;
	}
	assert_int_equal(frame_free_count(), 0);
	hosted_become(0);
	for (u32 i = 0; i < n; i += 2)
		frame_free(singles[i]);
	assert_int_equal(free_blocks(FRAME_ORDER_MAX), 0);
	for (u32 i = 1; i < n; i += 2)
		frame_free(singles[i]);
	/* What is in the CPU's cache, the last that were freed, holds a few blocks apart. */
	assert_true(free_blocks(FRAME_ORDER_MAX) > 8);
}

static void test_tables_lie_side_by_side(void **state)
{
	struct page *tables[40];
	u32 blocks;
	u64 free;

	(void)state;
	hosted_seed(4);
	blocks = free_blocks(4);
	free = frame_free_count();
	for (u32 i = 0; i < 40; i++) {
		tables[i] = frame_alloc_table();
		assert_non_null(tables[i]);
		assert_int_equal(*(u64 *)frame_data(tables[i]), 0);
		assert_int_equal(frame_free_count(), free - i - 1);
		if (i % 16)
			assert_ptr_equal(tables[i], tables[i - 1] + 1);
		else
			assert_true(IS_ALIGNED(page_number(tables[i]), 16ull));
	}
	assert_true(blocks > 0 && blocks < 2000);
	for (u32 i = 0; i < 40; i++)
		frame_free_table(tables[i]);
	assert_int_equal(frame_free_count(), free);
	/* Some were kept for the next tables: no longer. */
	assert_int_equal(free_blocks(4), blocks);
}

static void test_the_last_frames_serve_for_anything(void **state)
{
	static struct page *held[20000];
	u64 free;
	u32 n = 0;

	(void)state;
	hosted_seed(5);
	hosted_become(0);
	held[n++] = frame_alloc_table();
	free = frame_free_count();
	while ((held[n] = frame_alloc(PAGE_KERNEL))) /* what was kept for tables, too */
		n++;
	assert_int_equal(n - 1, free);
	for (u32 i = 1; i < n; i += 2) /* no two side by side: no run */
		frame_free(held[i]);
	for (u32 i = 1; i < n; i += 2) {
		held[i] = frame_alloc_table();
		assert_non_null(held[i]);
		assert_int_equal(*(u64 *)frame_data(held[i]), 0);
	}
	assert_null(frame_alloc_table());
	while (n--)
		frame_free(held[n]);
	assert_int_equal(frame_free_count(), free + 1);
}

static void test_reserved_memory_and_holes_are_never_given_out(void **state)
{
	struct page *first = NULL, *p;

	(void)state;
	hosted_seed(3);
	while ((p = frame_alloc(PAGE_KERNEL))) {
		u64 at = page_number(p) << PAGE_SHIFT;

		assert_true(at >= 0x1000 && at != (32u << 20) && (at < 0x100000 || at >= 0x180000));
		*(struct page **)frame_data(p) = first;
		first = p;
	}
	while (first) {
		p = *(struct page **)frame_data(first);
		frame_free(first);
		first = p;
	}
	u64 managed = frame_managed;
	frame_release_range(0x100000, 0x104000);
	assert_int_equal(frame_managed, managed + 4);
	hosted_check();
}

static void test_a_page_is_freed_with_its_last_count(void **state)
{
	u64 free = frame_free_count();
	struct page *p = frame_alloc(PAGE_CACHE);

	(void)state;
	p->flags = 0;
	page_get(p);
	page_put(p);
	assert_int_equal(frame_free_count(), free - 1);
	page_put(p);
	assert_int_equal(frame_free_count(), free);
	page_get(zero_page);
	assert_int_equal(page_count(zero_page), COUNT_IMMORTAL);
	page_put(zero_page);
	page_put(zero_page);
	assert_int_equal(zero_page->kind, PAGE_IMMORTAL);
}

static void test_a_freed_frame_is_poisoned(void **state)
{
	struct page *p = frame_alloc(PAGE_KERNEL);

	(void)state;
	memset(frame_data(p), 0, PAGE_SIZE);
	frame_free(p);
	assert_int_not_equal(*(u64 *)frame_data(p), 0);
}

static void test_the_allocation_that_is_told_to_fails(void **state)
{
	struct page *a, *b;

	(void)state;
	alloc_fail_after(1);
	a = frame_alloc(PAGE_KERNEL);
	b = frame_alloc(PAGE_KERNEL);
	assert_non_null(a);
	assert_null(b);
	assert_null(kmalloc(10));
	alloc_fail_after(UINT64_MAX);
	b = frame_alloc(PAGE_KERNEL);
	assert_non_null(b);
	frame_free(a);
	frame_free(b);
}

/* --- kernel objects --- */

static void test_objects_of_all_sizes_do_not_overlap(void **state)
{
	static struct {
		u8 *p;
		u32 size;
		u8 mark;
	} held[400];
	u32 n = 0;

	(void)state;
	hosted_seed(4);
	srandom(4);
	struct hosted_census before = hosted_census();
	for (u32 i = 0; i < 40000; i++) {
		u32 k = (u32)random() % 400,
		    size = random() % 3 ? (u32)random() % 300 : (u32)random() % 20000;

		if (k < n) {
			for (u32 b = 0; b < held[k].size; b += 1 + held[k].size / 40)
				assert_int_equal(held[k].p[b], held[k].mark);
			if (random() % 4 == 0 && size) {
				u8 *p = krealloc(held[k].p, size);
				for (u32 b = 0; b < min(size, held[k].size);
				     b += 1 + held[k].size / 40)
					assert_int_equal(p[b], held[k].mark);
				memset(p, held[k].mark, size);
				held[k].p = p;
				held[k].size = size;
				continue;
			}
			kfree(held[k].p);
			held[k] = held[--n];
			continue;
		}
		u8 *p = random() % 2 ? kmalloc(size) : kzalloc(size);
		assert_non_null(p);
		assert_true(IS_ALIGNED((u64)p, 16) &&
			    (size < PAGE_SIZE || IS_ALIGNED((u64)p, PAGE_SIZE)));
		held[n].p = p;
		held[n].size = size;
		held[n].mark = (u8)random();
		memset(p, held[n].mark, size);
		n++;
	}
	while (n--)
		kfree(held[n].p);
	kfree(NULL);
	census_must_equal(&before);
}

static void test_kmalloc_has_limits(void **state)
{
	(void)state;
	void *p = kmalloc(4u << 20);
	assert_non_null(p);
	kfree(p);
	assert_null(kmalloc((4u << 20) + 1));
	assert_null(kmalloc(SIZE_MAX));
	u8 *z = kzalloc(100);
	for (u32 i = 0; i < 100; i++)
		assert_int_equal(z[i], 0);
	kfree(z);
	char *s = kstrdup("text");
	assert_string_equal(s, "text");
	kfree(s);
}

/* --- radix --- */

#define ITEMS 600

static void test_the_radix_index_agrees_with_an_array(void **state)
{
	static u64 keys[ITEMS];
	static bool marks[ITEMS];
	struct hosted_census before = hosted_census();
	struct radix r = { 0 };
	u32 n = 0;

	(void)state;
	srandom(7);
	for (u32 i = 0; i < 30000; i++) {
		u64 key = random() % 3 ? (u64)random() % 200 : (u64)random() << (random() % 34);
		u32 at = 0;

		while (at < n && keys[at] != key)
			at++;
		if (at == n && n < ITEMS && random() % 2) {
			alloc_fail_after((u64)random() % 6);
			int err = radix_insert(&r, key, (void *)(key + 1));
			alloc_fail_after(UINT64_MAX);
			if (!err) {
				marks[n] = false;
				keys[n++] = key;
			}
			assert_ptr_equal(radix_find(&r, key), err ? NULL : (void *)(key + 1));
		} else {
			assert_ptr_equal(radix_remove(&r, key), at < n ? (void *)(key + 1) : NULL);
			if (at < n) {
				keys[at] = keys[--n];
				marks[at] = marks[n];
			}
		}
		if (n) {
			u32 k = (u32)random() % n;
			marks[k] = random() % 2;
			if (marks[k])
				radix_mark(&r, keys[k]);
			else
				radix_unmark(&r, keys[k]);
		}
		radix_unmark(&r, key ^ 1ull << 40); /* nothing is there */
		u64 from = random() % 2 ? key : (u64)random() % 300, best = UINT64_MAX,
		    index = from;
		for (u32 k = 0; k < n; k++)
			if (keys[k] >= from)
				best = min(best, keys[k]);
		void *next = radix_next(&r, &index);
		assert_ptr_equal(next, best == UINT64_MAX ? NULL : (void *)(best + 1));
		assert_true(!next || index == best);
		best = UINT64_MAX;
		index = from;
		for (u32 k = 0; k < n; k++)
			if (marks[k] && keys[k] >= from)
				best = min(best, keys[k]);
		next = radix_next_marked(&r, &index);
		assert_ptr_equal(next, best == UINT64_MAX ? NULL : (void *)(best + 1));
		assert_true(!next || index == best);
	}
	while (n--)
		assert_non_null(radix_remove(&r, keys[n]));
	assert_null(r.root);
	census_must_equal(&before);
}

static void test_the_radix_index_takes_the_largest_keys(void **state)
{
	struct radix r = { 0 };
	u64 index = 1;

	(void)state;
	assert_int_equal(radix_insert(&r, UINT64_MAX, &r), 0);
	assert_int_equal(radix_insert(&r, 0, &index), 0);
	assert_ptr_equal(radix_find(&r, UINT64_MAX), &r);
	assert_ptr_equal(radix_next(&r, &index), &r);
	assert_true(index == UINT64_MAX);
	assert_ptr_equal(radix_remove(&r, UINT64_MAX), &r);
	assert_ptr_equal(radix_find(&r, 0), &index);
	assert_ptr_equal(radix_remove(&r, 0), &index);
	assert_null(r.root);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_are_aligned_distinct_and_counted_once),
		cmocka_unit_test(test_the_census_finds_what_was_given_out),
		cmocka_unit_test(test_free_blocks_join_again),
		cmocka_unit_test(test_tables_lie_side_by_side),
		cmocka_unit_test(test_the_last_frames_serve_for_anything),
		cmocka_unit_test(test_reserved_memory_and_holes_are_never_given_out),
		cmocka_unit_test(test_a_page_is_freed_with_its_last_count),
		cmocka_unit_test(test_a_freed_frame_is_poisoned),
		cmocka_unit_test(test_the_allocation_that_is_told_to_fails),
		cmocka_unit_test(test_objects_of_all_sizes_do_not_overlap),
		cmocka_unit_test(test_kmalloc_has_limits),
		cmocka_unit_test(test_the_radix_index_agrees_with_an_array),
		cmocka_unit_test(test_the_radix_index_takes_the_largest_keys),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
