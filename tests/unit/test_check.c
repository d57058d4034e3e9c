/*
 * test_check.c - the checker sees what it is for: each test breaks one thing in a good tree, and the checker must say so, and be content when it is repaired.
 */
#include "mm/area_priv.h"
#include "mm/node.h"
#include "mm_test.h"

#define BASE 0x40000000ull

static struct mm *mm, *child;
static struct page *leaf_table, *page;
static struct pte *slot;

static int setup(void **state)
{
	(void)state;
	hosted_seed(1);
	mm = new_space();
	map_anonymous(mm, BASE, 4);
	map_pages(mm, BASE + 8 * PAGE_SIZE, 1, AREA_READ | MAY, NULL, 0);
	store_in(mm, BASE, 1);
	store(BASE + PAGE_SIZE, 1);
	child = new_fork(mm);
	store_in(child, BASE + PAGE_SIZE,
		 2); /* tables copied: the page at BASE has two entries now */
	store_in(mm, BASE + PAGE_SIZE, 3);
	struct page *t = mm->root;
	while (t->level > 1)
		t = pte_page(pte_load(slot_of(t, BASE)));
	leaf_table = t;
	slot = slot_of(t, BASE);
	page = pte_page(*slot);
	assert_int_equal(page_count(page), 2);
	hosted_check();
	hosted_seed(
		2); /* nobody has the spaces loaded: the MMU would find what is broken before the checker */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hosted_check();
	space_put(mm);
	space_put(child);
	return 0;
}

/* The checker complains, and its first complaint has this in it. */
static void assert_complains(const char *of)
{
	char text[256];

	assert_true(mm_check(text, sizeof(text)) > 0);
	if (!strstr(text, of))
		fail_msg("the checker says \"%s\", not \"%s\"", text, of);
}

static void test_a_writable_entry_of_a_shared_page_is_found(void **state)
{
	(void)state;
	pte_or_writable(slot);
	assert_complains("W: ");
	pte_and_writable(slot);
}

static void test_a_writable_entry_of_a_shared_table_is_found(void **state)
{
	struct mm *third = new_fork(mm);
	struct pte *top = slot_of(mm->root, BASE);

	(void)state;
	pte_or_writable(top);
	assert_complains("W: ");
	pte_and_writable(top);
	space_put(third);
}

static void test_a_count_that_is_wrong_is_found(void **state)
{
	(void)state;
	page_get(page);
	assert_complains("R: ");
	atomic_sub(page_count_slot(page), 1);
	atomic_sub(page_count_slot(page), 1);
	assert_complains("R: ");
	page_get(page);
}

static void test_a_page_that_nobody_refers_to_is_found(void **state)
{
	struct page *lost = anon_alloc();

	(void)state;
	assert_complains("R: ");
	anon_free(lost);
}

static void test_a_writable_leaf_in_a_read_only_area_is_found(void **state)
{
	struct pte *other = slot_of(leaf_table, BASE + 8 * PAGE_SIZE);
	struct page *p = anon_alloc();

	(void)state;
	pte_store(other, pte_leaf(p, AREA_READ, true, false));
	slot_was_filled(leaf_table, other);
	struct walk w = { .table = { [4] = mm->root }, .level = 1 };
	for (u32 level = LEVEL_ROOT; level > 1; level--)
		w.table[level - 1] = pte_page(pte_load(slot_of(w.table[level], BASE)));
	walk_count(&w, LEAF_ANON, 1);
	assert_complains("L: ");
	pte_store(other, pte_empty());
	slot_was_emptied(leaf_table);
	walk_count(&w, LEAF_ANON, -1);
	anon_free(p);
}

static void test_a_leaf_outside_of_all_areas_is_found(void **state)
{
	struct pte *stray = slot_of(leaf_table, BASE + 100 * PAGE_SIZE);

	(void)state;
	pte_store(stray, pte_leaf(zero_page, AREA_READ, false, false));
	slot_was_filled(leaf_table, stray);
	assert_complains("outside of any area");
	pte_store(stray, pte_empty());
	slot_was_emptied(leaf_table);
}

static void test_sums_that_are_wrong_are_found(void **state)
{
	(void)state;
	leaf_table->populated++;
	assert_complains("populated");
	leaf_table->populated--;
	u64 used = leaf_table->table.used;
	leaf_table->table.used = 0;
	assert_complains("not in its groups");
	leaf_table->table.used = used;
	mm->root->table.anon++;
	assert_complains("anon");
	mm->root->table.anon--;
	mm_count(tables, 1);
	assert_complains("tables");
	mm_count(tables, -1);
}

static void test_an_entry_of_a_free_frame_is_found(void **state)
{
	struct pte *stray = slot_of(leaf_table, BASE + 2 * PAGE_SIZE);
	struct page *p = frame_alloc(PAGE_KERNEL);

	(void)state;
	frame_free(p);
	pte_store(stray, pte_leaf(p, AREA_READ, false, false));
	slot_was_filled(leaf_table, stray);
	assert_complains("refers to frame");
	pte_store(stray, pte_empty());
	slot_was_emptied(leaf_table);
}

static void test_a_wrong_area_index_is_found(void **state)
{
	struct area *a = mm->areas->area;

	(void)state;
	mm->areas->sum.gap++;
	assert_complains("summary");
	mm->areas->sum.gap--;
	a->end++;
	assert_complains("area");
	a->end--;
}

static void test_a_wrong_page_of_an_object_is_found(void **state)
{
	struct mem_object *m = mem_object_memory(0, UINT64_MAX);
	u64 v = 1;

	(void)state;
	assert_int_equal(object_write(&m->object, &v, 8, 0), 8);
	hosted_check();
	m->object.dirty_count++;
	assert_complains("object");
	m->object.dirty_count--;
	struct page *p = object_page_resident(&m->object, 0);
	assert_complains("R: "); /* a temporary reference that is not given back */
	page_put(p);
	object_put(&m->object);
}

static void test_a_free_frame_that_the_allocator_does_not_know_is_found(void **state)
{
	struct page *p = frame_alloc(PAGE_KERNEL);

	(void)state;
	p->kind = PAGE_FREE;
	assert_complains("allocator");
	p->kind = PAGE_KERNEL;
	frame_free(p);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_writable_entry_of_a_shared_page_is_found),
		TEST(test_a_writable_entry_of_a_shared_table_is_found),
		TEST(test_a_count_that_is_wrong_is_found),
		TEST(test_a_page_that_nobody_refers_to_is_found),
		TEST(test_a_writable_leaf_in_a_read_only_area_is_found),
		TEST(test_a_leaf_outside_of_all_areas_is_found),
		TEST(test_sums_that_are_wrong_are_found),
		TEST(test_an_entry_of_a_free_frame_is_found),
		TEST(test_a_wrong_area_index_is_found),
		TEST(test_a_wrong_page_of_an_object_is_found),
		TEST(test_a_free_frame_that_the_allocator_does_not_know_is_found),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
