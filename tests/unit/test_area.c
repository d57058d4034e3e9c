/*
 * test_area.c - the index of areas against a naive array: edits, searches, merging; old roots keep their contents; no allocation that fails leaves a trace.
 */
#include "mm_test.h"

#include <stdlib.h>

#include "mm/area_priv.h"

#define PAGES 64 /* of the naive array: page i is at BASE + i pages */
#define BASE 0x100000ull
#define SPACE 7 /* the id of the space whose index it is */

/* What is at each page: flags, or 0. Anonymous areas merge when their flags are equal. */
struct naive {
	u32 flags[PAGES];
};

static u64 at(u32 page)
{
	return BASE + page * PAGE_SIZE;
}

static struct area *make(u32 start, u32 end, u32 flags)
{
	struct area model = {
		.flags = flags, .start = at(start), .end = at(end), .offset = at(start)
	};
	struct area *a = area_new(&model);

	assert_non_null(a);
	return a;
}

static int insert(struct area_node *root, struct area *a, struct area_node **out)
{
	return areas_replace(root, a->start, a->end, a, SPACE, out);
}

/* Replace [start, end) by an area with these flags, or by nothing when 0, in both; on -ENOMEM in neither. */
static int both_replace(struct area_node **root, struct naive *n, u32 start, u32 end, u32 flags)
{
	struct area *a = flags ? make(start, end, flags) : NULL;
	struct area_node *new;
	int err = areas_replace(*root, at(start), at(end), a, SPACE, &new);

	if (a)
		area_put(a);
	if (err)
		return err;
	areas_put(*root);
	*root = new;
	for (u32 i = start; i < end; i++)
		n->flags[i] = flags;
	return 0;
}

static u32 naive_count(const struct naive *n)
{
	u32 count = 0;

	for (u32 i = 0; i < PAGES; i++)
		count += n->flags[i] && (i == 0 || n->flags[i - 1] != n->flags[i]);
	return count;
}

/* Start of the hole of `size` pages nearest to the limit (down) or to low (up), 0: none. */
static u64 naive_gap(const struct naive *n, u32 low, u32 limit, u32 size, bool down)
{
	for (u32 k = 0; k + size <= limit - low; k++) {
		u32 start = down ? limit - size - k : low + k, i = start;

		while (i < start + size && !n->flags[i])
			i++;
		if (i == start + size)
			return at(start);
	}
	return 0;
}

struct visit {
	const struct naive *n;
	u32 want, page, count;
};

static int visit_area(struct area *a, void *arg)
{
	struct visit *v = arg;

	assert_true(a->start >= at(v->page));
	v->page = (u32)((a->end - BASE) >> PAGE_SHIFT);
	assert_true(!v->want || a->flags & v->want);
	v->count++;
	return 0;
}

static void shape_check(const struct area_node *n)
{
	if (!n)
		return;
	shape_check(n->left);
	shape_check(n->right);
	assert_true(!n->left || n->left->priority <= n->priority);
	assert_true(!n->right || n->right->priority <= n->priority);
	struct area_summary s;

	area_summarize(&s, n->area, n->left, n->right);
	assert_memory_equal(&s, &n->sum, sizeof(s));
}

static void compare(const struct area_node *root, const struct naive *n)
{
	u32 flags = 0, pages = 0;

	for (u32 i = 0; i < PAGES; i++) {
		const struct area *a = areas_find(root, at(i) + 5),
				  *next = areas_find_next(root, at(i)),
				  *prev = areas_find_prev(root, at(i));
		s32 after = (s32)i, before = (s32)i - 1;

		assert_int_equal(a ? a->flags : 0, n->flags[i]);
		while (after < PAGES && !n->flags[after])
			after++;
		assert_int_equal(next != NULL, after < PAGES);
		assert_true(!next || (next->end > at(i) && next->start <= at((u32)after)));
		while (before >= 0 && !n->flags[before])
			before--;
		assert_int_equal(prev != NULL, before >= 0);
		assert_true(!prev ||
			    (prev->start <= at((u32)before) && prev->end > at((u32)before)));
		flags |= n->flags[i] & AREA_SUMMARY_FLAGS;
		pages += n->flags[i] != 0;
	}
	struct area_summary s = *areas_summary(root);
	assert_int_equal(s.count, naive_count(n));
	assert_int_equal(s.bytes, pages * PAGE_SIZE);
	assert_int_equal(s.flags, flags);
	struct visit v = { .n = n };
	assert_int_equal(areas_for_each(root, 0, UINT64_MAX, visit_area, &v), 0);
	assert_int_equal(v.count, s.count);
	v = (struct visit){ .n = n, .want = AREA_DONTFORK };
	areas_for_each_flag(root, AREA_DONTFORK, visit_area, &v);
	shape_check(root);
}

static void compare_gaps(const struct area_node *root, const struct naive *n)
{
	for (u32 i = 0; i < 20; i++) {
		u32 low = (u32)random() % PAGES, limit = low + 1 + (u32)random() % (PAGES - low),
		    size = 1 + (u32)random() % 12;

		if (size > limit - low)
			continue;
		assert_int_equal(areas_find_gap_down(root, at(low), at(limit), size * PAGE_SIZE),
				 naive_gap(n, low, limit, size, true));
		assert_int_equal(areas_find_gap_up(root, at(low), at(limit), size * PAGE_SIZE),
				 naive_gap(n, low, limit, size, false));
	}
}

static u32 random_flags(void)
{
	static const u32 choices[] = { 0,         0,
				       AREA_READ, AREA_READ | AREA_WRITE,
				       AREA_READ, AREA_READ | AREA_DONTFORK };

	return choices[random() % ARRAY_SIZE(choices)];
}

static void test_random_edits_agree_with_an_array(void **state)
{
	(void)state;
	for (u32 seed = 0; seed < 60; seed++) {
		struct area_node *root = NULL;
		struct naive n = { 0 };

		srandom(seed);
		for (u32 i = 0; i < 80; i++) {
			u32 start = (u32)random() % PAGES,
			    end = start + 1 + (u32)random() % min(PAGES - start, 16u);

			assert_int_equal(both_replace(&root, &n, start, end, random_flags()), 0);
			compare(root, &n);
			compare_gaps(root, &n);
		}
		areas_put(root);
	}
	assert_int_equal(area_live_count(), 0);
	assert_int_equal(area_node_live_count(), 0);
}

static void test_old_roots_keep_their_contents(void **state)
{
	struct area_node *roots[40], *root = NULL;
	struct naive versions[40], n = { 0 };

	(void)state;
	srandom(5);
	for (u32 i = 0; i < 40; i++) {
		u32 start = (u32)random() % PAGES,
		    end = start + 1 + (u32)random() % min(PAGES - start, 16u);

		assert_int_equal(both_replace(&root, &n, start, end, random_flags()), 0);
		areas_get(root);
		roots[i] = root;
		versions[i] = n;
	}
	for (u32 i = 0; i < 40; i++)
		compare(roots[i], &versions[i]);
	areas_put(root);
	for (u32 i = 0; i < 40; i += 2)
		areas_put(roots[i]);
	for (u32 i = 1; i < 40; i += 2) {
		compare(roots[i], &versions[i]);
		areas_put(roots[i]);
	}
	assert_int_equal(area_live_count(), 0);
	assert_int_equal(area_node_live_count(), 0);
}

static void test_an_edit_without_memory_leaves_nothing_behind(void **state)
{
	struct area_node *root = NULL;
	struct naive n = { 0 };

	(void)state;
	srandom(6);
	for (u32 i = 0; i < 150; i++) {
		u32 start = (u32)random() % PAGES,
		    end = start + 1 + (u32)random() % min(PAGES - start, 16u),
		    flags = random_flags();
		struct area *a = flags ? make(start, end, flags) : NULL;
		u64 areas = area_live_count(), nodes = area_node_live_count();
		struct area_node *new;

		for (u32 fail = 0;; fail++) {
			alloc_fail_after(fail);
			int err = areas_replace(root, at(start), at(end), a, SPACE, &new);
			alloc_fail_after(UINT64_MAX);
			if (!err)
				break;
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(area_live_count(), areas);
			assert_int_equal(area_node_live_count(), nodes);
			compare(root, &n);
		}
		areas_put(new);
		if (a)
			area_put(a);
		assert_int_equal(both_replace(&root, &n, start, end, flags), 0);
	}
	areas_put(root);
	assert_int_equal(area_node_live_count(), 0);
}

static u64 zero(u64 offset)
{
	(void)offset;
	return 0;
}

static u32 files_open;

static void file_get(void *file)
{
	(void)file;
	files_open++;
}

static void file_put(void *file)
{
	(void)file;
	files_open--;
}

static void test_areas_of_files_merge_by_offset_and_hold_object_and_file(void **state)
{
	static const struct area_file_ops ops = { .get = file_get, .put = file_put };
	struct mem_object *m = mem_object_file(PAGES * PAGE_SIZE, zero);
	struct area model = { .flags = AREA_READ,
			      .start = at(0),
			      .end = at(4),
			      .object = &m->object,
			      .offset = 0,
			      .file = &files_open,
			      .file_ops = &ops };
	struct area_node *one, *two, *three;

	(void)state;
	struct area *low = area_new(&model);
	model.start = at(4), model.end = at(8), model.offset = 4 * PAGE_SIZE;
	struct area *high = area_new(&model);
	model.offset = 5 * PAGE_SIZE;
	struct area *other = area_new(&model);
	assert_true(area_can_merge(low, high, SPACE));
	assert_false(area_can_merge(low, other, SPACE));
	assert_int_equal(insert(NULL, low, &one), 0);
	assert_int_equal(insert(one, high, &two), 0);
	assert_int_equal(insert(one, other, &three), 0);
	assert_int_equal(areas_summary(two)->count, 1);
	assert_int_equal(areas_summary(three)->count, 2);
	area_put(low);
	area_put(high);
	area_put(other);
	assert_int_equal(files_open, m->object.mapped_areas);
	areas_put(one);
	areas_put(two);
	struct area *a = areas_find(three, at(5));
	assert_int_equal(a->offset, 5 * PAGE_SIZE);
	struct area *part = area_part(a, at(6), at(7), SPACE);
	assert_int_equal(part->offset, 7 * PAGE_SIZE);
	area_put(part);
	areas_put(three);
	assert_int_equal(files_open, 0);
	assert_int_equal(m->object.mapped_areas, 0);
	object_put(&m->object);
	assert_int_equal(mem_objects_alive, 0);
}

static void test_a_thousand_areas_stay_shallow(void **state)
{
	struct area_node *root = NULL, *new;

	(void)state;
	for (u32 i = 0; i < 1000; i++) { /* in order: the worst case of a plain tree */
		struct area *a = make(2 * i, 2 * i + 1, AREA_READ);
		assert_int_equal(insert(root, a, &new), 0);
		area_put(a);
		areas_put(root);
		root = new;
	}
	u32 deepest = 0;
	for (u32 i = 0; i < 1000; i++) {
		u32 depth = 0;
		for (const struct area_node *n = root; n->area->start != at(2 * i); depth++)
			n = at(2 * i) < n->area->start ? n->left : n->right;
		deepest = max(deepest, depth);
	}
	assert_true(deepest < 40);
	areas_put(root);
	assert_int_equal(area_node_live_count(), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_edits_agree_with_an_array),
		cmocka_unit_test(test_old_roots_keep_their_contents),
		cmocka_unit_test(test_an_edit_without_memory_leaves_nothing_behind),
		cmocka_unit_test(test_areas_of_files_merge_by_offset_and_hold_object_and_file),
		cmocka_unit_test(test_a_thousand_areas_stay_shallow),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
