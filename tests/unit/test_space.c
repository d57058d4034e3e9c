/*
 * test_space.c - what a space does for its program, one behaviour at a time: faults and their signals, placement, brk, the stack, fork's exceptions, mremap,
 * limits, and what is reported. Linux's rules, from the manual pages.
 */
#include <asm/mman.h>
#include <stdlib.h>

#include "mm/node.h"
#include "mm_test.h"

#define BASE 0x40000000ull

static u64 word_at(u64 offset)
{
	return offset + 1;
}

static s64 map_any(struct mm *mm, u64 hint, u64 pages, u32 flags)
{
	struct map_request r = { .addr = hint, .length = pages * PAGE_SIZE, .flags = flags };

	return space_map(mm, &r);
}

static u32 area_count(struct mm *mm)
{
	return areas_summary(mm->areas)->count;
}

/* Each test on a seeded machine, with a census around it. */
static struct hosted_census at_start;

static int setup(void **state)
{
	(void)state;
	hosted_seed(1);
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

/* --- faults --- */

static void test_accesses_end_with_linux_signals_and_codes(void **state)
{
	struct mem_object *m = mem_object_file(PAGE_SIZE + 100, word_at);
	struct mm *mm = new_space();
	u64 v;

	(void)state;
	hosted_load_space(mm);
	map_pages(mm, BASE, 1, AREA_READ | MAY, NULL, 0);
	map_pages(mm, BASE + PAGE_SIZE, 1, MAY, NULL, 0);
	map_pages(mm, BASE + 2 * PAGE_SIZE, 1, AREA_WRITE | MAY, NULL, 0);
	map_pages(mm, BASE + 4 * PAGE_SIZE, 4, RW, &m->object, 0);
	assert_faults(user_load(0, &v, &r), SIGSEGV, SEGV_MAPERR);
	assert_faults(user_load(USER_END - 8, &v, &r), SIGSEGV, SEGV_MAPERR);
	assert_faults(user_load(BASE + 3 * PAGE_SIZE, &v, &r), SIGSEGV, SEGV_MAPERR);
	assert_faults(user_store(BASE, 1, &r), SIGSEGV, SEGV_ACCERR);
	assert_faults(user_exec(BASE, &r), SIGSEGV, SEGV_ACCERR);
	assert_faults(user_load(BASE + PAGE_SIZE, &v, &r), SIGSEGV, SEGV_ACCERR);
	assert_int_equal(load(BASE), 0);
	store(BASE + 2 * PAGE_SIZE, 5);
	assert_int_equal(load(BASE + 2 * PAGE_SIZE), 5); /* writable is readable on x86 */
	assert_int_equal(load(BASE + 5 * PAGE_SIZE), PAGE_SIZE + 1);
	assert_int_equal(load(BASE + 5 * PAGE_SIZE + 200),
			 0); /* the file's last page, behind its end */
	assert_faults(user_load(BASE + 6 * PAGE_SIZE, &v, &r), SIGBUS, BUS_ADRERR);
	assert_faults(user_store(BASE + 6 * PAGE_SIZE, 1, &r), SIGBUS, BUS_ADRERR);
	struct fault_result r;
	assert_int_equal(space_fault(mm, USER_END, ACCESS_READ, &r), -EFAULT);
	assert_int_equal(space_fault(mm, UINT64_MAX - 5, ACCESS_WRITE, &r), -EFAULT);
	space_put(mm);
	object_put(&m->object);
}

static void test_reading_untouched_memory_costs_no_page(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 100);
	for (u32 p = 0; p < 100; p++)
		assert_int_equal(load_in(mm, BASE + p * PAGE_SIZE), 0);
	assert_int_equal(space_rss(mm).anon, 0);
	store(BASE, 1);
	assert_int_equal(space_rss(mm).anon, 1);
	assert_int_equal(load(BASE + 8), 0);
	space_put(mm);
}

static void test_resident_neighbours_of_a_file_page_come_along(void **state)
{
	struct mem_object *m = mem_object_file(64 * PAGE_SIZE, word_at);
	struct mm *mm = new_space();

	(void)state;
	map_pages(mm, BASE, 64, AREA_READ | MAY, &m->object, 0);
	load_in(mm, BASE + 20 * PAGE_SIZE);
	load(BASE + 21 * PAGE_SIZE);
	u64 faults = space_counters_sum(mm).faults_minor + space_counters_sum(mm).faults_major;
	assert_true(space_rss(mm).file >= 16);
	assert_true(faults <= 4);
	space_put(mm);
	object_put(&m->object);
}

static void test_the_last_owner_gets_its_memory_back_without_a_copy(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 2);
	store_in(mm, BASE, 1);
	space_put(new_fork(mm));
	store_in(mm, BASE, 2); /* one table is adopted, and with it all that hangs below */
	assert_int_equal(space_counters_sum(mm).tables_adopted, 1);
	assert_int_equal(space_counters_sum(mm).pages_reused, 0);
	struct mm *child = new_fork(mm);
	store_in(child, BASE + PAGE_SIZE,
		 1); /* copies the tables: the page is shared by two of them now */
	space_put(child);
	store_in(mm, BASE, 3);
	assert_int_equal(space_counters_sum(mm).pages_reused, 1);
	assert_int_equal(space_counters_sum(mm).tables_copied, 0);
	assert_int_equal(space_counters_sum(mm).pages_copied, 0);
	space_put(mm);
}

/* --- fork --- */

static void test_fork_costs_the_same_for_every_size(void **state)
{
	struct mm *mm = new_space();
	u64 tables[2];

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		map_anonymous(mm, BASE + i * 0x10000000, i ? 4000 : 1);
		for (u32 p = 0; p < (i ? 4000 : 1); p += 100)
			store_in(mm, BASE + i * 0x10000000 + p * PAGE_SIZE, p);
		u64 before = mm_counters_sum().tables;
		struct mm *child = new_fork(mm);
		tables[i] = mm_counters_sum().tables - before;
		assert_int_equal(space_rss(child).anon, space_rss(mm).anon);
		space_put(child);
	}
	assert_int_equal(tables[0], 1);
	assert_int_equal(tables[1], 1);
	space_put(mm);
}

/* A table's copy takes its entries eight by eight where they are alike, and one by one where not. */
static void test_a_table_of_groups_of_every_kind_is_copied(void **state)
{
	enum { GROUP = 8, GROUPS = 8, PAGES = GROUP * GROUPS };
	struct mm *mm = new_space();
	struct walk w;

	(void)state;
	map_anonymous(mm, BASE, PAGES + GROUP);
	map_pages(mm, BASE + (PAGES + GROUP) * PAGE_SIZE, GROUP, RW | AREA_SHARED, NULL, 0);
	hosted_load_space(mm);
	for (u32 p = 0; p < PAGES; p++) {
		if (p / GROUP == 1 && p % GROUP == 3) /* a page of zeros in the midst */
			assert_int_equal(load(BASE + p * PAGE_SIZE), 0);
		else if (p / GROUP != 2 || p % GROUP) /* a hole at one end */
			store(BASE + p * PAGE_SIZE, p + 1);
	}
	for (u32 p = PAGES; p < PAGES + GROUP; p++) /* nothing but zeros */
		assert_int_equal(load(BASE + p * PAGE_SIZE), 0);
	for (u32 p = PAGES + GROUP; p < PAGES + 2 * GROUP; p++)
		store(BASE + p * PAGE_SIZE, p + 1);
	assert_int_equal(space_protect(mm, BASE + 3 * GROUP * PAGE_SIZE, PAGE_SIZE, 0, 0), 0);
	assert_int_equal(
		space_protect(mm, BASE + 4 * GROUP * PAGE_SIZE, GROUP * PAGE_SIZE, AREA_READ, 0),
		0);
	struct page *table = node_walk(mm, BASE, &w);
	assert_int_equal(table->level, 1);
	pte_and_accessed(slot_of(table, BASE + (5 * GROUP + 2) * PAGE_SIZE));
	for (u32 i = 0; i < GROUP; i++)
		pte_and_accessed(slot_of(table, BASE + (6 * GROUP + i) * PAGE_SIZE));
	hosted_check();

	struct mm *child = new_fork(mm), *other = new_fork(mm);
	store_in(child, BASE, 1000); /* copies the table */
	hosted_check();
	store_in(mm, BASE + 7 * GROUP * PAGE_SIZE, 2000); /* once more */
	hosted_check();
	store_in(other, BASE + PAGE_SIZE, 3000);
	hosted_check();
	for (u32 p = 2; p < PAGES; p++) {
		bool zero = (p / GROUP == 1 && p % GROUP == 3) || p == 2 * GROUP;

		if (p == 3 * GROUP)
			continue;
		assert_int_equal(load_in(child, BASE + p * PAGE_SIZE), zero ? 0 : p + 1);
		assert_int_equal(load_in(other, BASE + p * PAGE_SIZE), zero ? 0 : p + 1);
		assert_int_equal(load_in(mm, BASE + p * PAGE_SIZE), p == 7 * GROUP ? 2000
								    : zero         ? 0
										   : p + 1);
	}
	store_in(child, BASE + (PAGES + GROUP) * PAGE_SIZE, 4000);
	assert_int_equal(load_in(mm, BASE + (PAGES + GROUP) * PAGE_SIZE), 4000);
	space_put(mm);
	hosted_check();
	for (u32 p = 5 * GROUP; p < 7 * GROUP; p++)
		store_in(child, BASE + p * PAGE_SIZE, p);
	for (u32 p = 5 * GROUP; p < 7 * GROUP; p++)
		assert_int_equal(load_in(other, BASE + p * PAGE_SIZE), p + 1);
	space_put(other);
	space_put(child);
}

static void test_fork_obeys_dontfork_and_wipeonfork(void **state)
{
	struct mm *mm = new_space();
	u64 v;

	(void)state;
	map_anonymous(mm, BASE, 8);
	for (u32 p = 0; p < 8; p++)
		store_in(mm, BASE + p * PAGE_SIZE, 10 + p);
	assert_int_equal(space_advise(mm, BASE + PAGE_SIZE, PAGE_SIZE, MADV_DONTFORK), 0);
	assert_int_equal(space_advise(mm, BASE + 3 * PAGE_SIZE, 2 * PAGE_SIZE, MADV_WIPEONFORK), 0);
	assert_int_equal(space_lock(mm, BASE + 6 * PAGE_SIZE, PAGE_SIZE, AREA_LOCKED), 0);
	struct mm *child = new_fork(mm);
	hosted_load_space(child);
	assert_int_equal(load(BASE), 10);
	assert_faults(user_load(BASE + PAGE_SIZE, &v, &r), SIGSEGV, SEGV_MAPERR);
	assert_int_equal(load(BASE + 3 * PAGE_SIZE), 0);
	assert_int_equal(load(BASE + 4 * PAGE_SIZE), 0);
	assert_int_equal(load(BASE + 6 * PAGE_SIZE), 16);
	assert_int_equal(areas_find(child->areas, BASE + 6 * PAGE_SIZE)->flags & AREA_LOCKED, 0);
	assert_int_equal(space_rss(child).anon, 5);
	struct mm *grandchild = new_fork(child); /* WIPEONFORK stays with the area */
	store_in(child, BASE + 3 * PAGE_SIZE, 1);
	assert_int_equal(load_in(grandchild, BASE + 3 * PAGE_SIZE), 0);
	for (u32 p = 0; p < 8; p++)
		assert_int_equal(load_in(mm, BASE + p * PAGE_SIZE), 10 + p);
	space_put(child);
	space_put(grandchild);
	space_put(mm);
}

static void test_shared_memory_stays_shared_over_forks(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_pages(mm, BASE, 4, RW | AREA_SHARED, NULL, 0);
	store_in(mm, BASE, 1);
	struct mm *child = new_fork(mm);
	store_in(child, BASE, 2);
	store(BASE + PAGE_SIZE, 3);
	assert_int_equal(load_in(mm, BASE), 2);
	assert_int_equal(load(BASE + PAGE_SIZE), 3);
	store(BASE + 2 * PAGE_SIZE, 4);
	assert_int_equal(load_in(child, BASE + 2 * PAGE_SIZE), 4);
	assert_int_equal(space_rss(mm).shmem, 3);
	assert_int_equal(space_rss(mm).anon, 0);
	space_put(mm);
	assert_int_equal(load(BASE + 2 * PAGE_SIZE), 4);
	space_put(child);
	assert_int_equal(object_shmem_frames(), 0);
}

/* --- placement, limits --- */

static void test_mmap_chooses_and_refuses_addresses_as_linux(void **state)
{
	struct mm *mm = new_space();
	struct map_request r = { .addr = BASE, .length = PAGE_SIZE, .flags = RW, .fixed = true };

	(void)state;
	mm->mmap_base = 0x7f0000000000;
	assert_int_equal(map_any(mm, 0, 2, RW), 0x7f0000000000 - 2 * PAGE_SIZE);
	assert_int_equal(map_any(mm, 0, 1, AREA_READ | MAY), 0x7f0000000000 - 3 * PAGE_SIZE);
	assert_int_equal(map_any(mm, BASE + 5, 1, RW), BASE); /* a hint that is free */
	assert_int_equal(map_any(mm, BASE, 1, RW),
			 0x7f0000000000 - 4 * PAGE_SIZE); /* and one that is not */
	assert_int_equal(space_map(mm, &r), BASE);
	r.noreplace = true;
	assert_int_equal(space_map(mm, &r), -EEXIST);
	r.noreplace = false;
	r.addr = BASE + 1;
	assert_int_equal(space_map(mm, &r), -EINVAL);
	r.addr = PAGE_SIZE;
	assert_int_equal(space_map(mm, &r), -EPERM);
	r.addr = USER_END;
	assert_int_equal(space_map(mm, &r), -ENOMEM);
	r.addr = BASE;
	r.length = 0;
	assert_int_equal(space_map(mm, &r), -EINVAL);
	r.length = UINT64_MAX - 4;
	assert_int_equal(space_map(mm, &r), -ENOMEM);
	struct map_request low = { .length = PAGE_SIZE, .flags = RW, .below_2g = true };
	assert_true(space_map(mm, &low) < 0x80000000);
	mm->limit_as = space_vm_bytes(mm) + PAGE_SIZE;
	assert_int_equal(map_any(mm, 0, 2, RW), -ENOMEM);
	assert_true(map_any(mm, 0, 1, RW) > 0);
	assert_int_equal(space_unmap(mm, BASE + 1, PAGE_SIZE), -EINVAL);
	assert_int_equal(space_unmap(mm, BASE, 0), -EINVAL);
	assert_int_equal(space_unmap(mm, BASE, USER_END), -EINVAL);
	assert_int_equal(space_unmap(mm, 0, USER_END), 0);
	assert_int_equal(area_count(mm), 0);
	space_put(mm);
}

static void test_brk_moves_the_end_of_the_data_and_zeroes_what_comes_back(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	mm->brk_start = mm->brk = BASE + 100;
	assert_int_equal(space_brk(mm, 0), BASE + 100);
	assert_int_equal(space_brk(mm, BASE + 3 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
	store_in(mm, BASE + 2 * PAGE_SIZE, 7);
	assert_int_equal(space_brk(mm, BASE + PAGE_SIZE + 5), BASE + PAGE_SIZE + 5);
	assert_int_equal(space_brk(mm, BASE + 3 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
	assert_int_equal(load(BASE + 2 * PAGE_SIZE), 0);
	assert_int_equal(area_count(mm), 1);
	map_anonymous(mm, BASE + 5 * PAGE_SIZE, 1);
	assert_int_equal(space_brk(mm, BASE + 6 * PAGE_SIZE),
			 BASE + 3 * PAGE_SIZE); /* something is in the way */
	mm->limit_data = 3 * PAGE_SIZE;
	assert_int_equal(space_brk(mm, BASE + 4 * PAGE_SIZE), BASE + 3 * PAGE_SIZE);
	assert_int_equal(space_brk(mm, BASE), BASE + 3 * PAGE_SIZE);
	space_put(mm);
}

static void test_the_stack_grows_down_to_its_limit(void **state)
{
	struct mm *mm = new_space();
	u64 top = 0x7ffff0000000, v;

	(void)state;
	assert_int_equal(space_map_stack(mm, top, 4 * PAGE_SIZE, AREA_READ | AREA_WRITE), 0);
	mm->limit_stack = 64 * PAGE_SIZE;
	store_in(mm, top - 60 * PAGE_SIZE, 5);
	assert_int_equal(space_vm_bytes(mm), 60 * PAGE_SIZE);
	assert_int_equal(load(top - 30 * PAGE_SIZE), 0);
	assert_faults(user_store(top - 65 * PAGE_SIZE, 5, &r), SIGSEGV, SEGV_MAPERR);
	mm->limit_stack = UINT64_MAX;
	map_anonymous(mm, top - 600 * PAGE_SIZE,
		      1); /* growth stops 256 pages above what lies below */
	assert_faults(user_load(top - 400 * PAGE_SIZE, &v, &r), SIGSEGV, SEGV_MAPERR);
	store(top - 300 * PAGE_SIZE, 6);
	assert_int_equal(area_count(mm), 2);
	struct mm *child = new_fork(mm);
	store_in(child, top - 301 * PAGE_SIZE, 1);
	assert_int_equal(space_vm_bytes(mm), 301 * PAGE_SIZE);
	space_put(child);
	space_put(mm);
}

/* --- changing --- */

static void test_protection_changes_reach_pages_that_are_there(void **state)
{
	struct mm *mm = new_space();
	u64 v;

	(void)state;
	map_anonymous(mm, BASE, 3);
	store_in(mm, BASE + PAGE_SIZE, 1);
	assert_int_equal(space_protect(mm, BASE + PAGE_SIZE, PAGE_SIZE, AREA_READ, false), 0);
	assert_int_equal(area_count(mm), 3);
	assert_faults(user_store(BASE + PAGE_SIZE, 2, &r), SIGSEGV, SEGV_ACCERR);
	assert_int_equal(space_protect(mm, BASE + PAGE_SIZE, PAGE_SIZE, 0, false), 0);
	assert_faults(user_load(BASE + PAGE_SIZE, &v, &r), SIGSEGV, SEGV_ACCERR);
	struct mm *child = new_fork(mm);
	assert_int_equal(
		space_protect(mm, BASE + PAGE_SIZE, PAGE_SIZE, AREA_READ | AREA_WRITE, false), 0);
	assert_int_equal(area_count(mm), 1);
	hosted_load_space(child);
	assert_faults(user_load(BASE + PAGE_SIZE, &v, &r), SIGSEGV, SEGV_ACCERR);
	store_in(mm, BASE + PAGE_SIZE, 3);
	assert_int_equal(space_protect(child, BASE + PAGE_SIZE, PAGE_SIZE, AREA_READ, false), 0);
	assert_int_equal(load_in(child, BASE + PAGE_SIZE), 1);
	assert_int_equal(space_protect(mm, BASE, 4 * PAGE_SIZE, AREA_READ, false),
			 -ENOMEM); /* a hole at the end */
	assert_int_equal(space_protect(mm, BASE + 1, PAGE_SIZE, AREA_READ, false), -EINVAL);
	map_pages(mm, BASE + 8 * PAGE_SIZE, 1, AREA_READ | AREA_MAYREAD | AREA_SHARED, NULL, 0);
	assert_int_equal(space_protect(mm, BASE + 8 * PAGE_SIZE, PAGE_SIZE, AREA_WRITE, false),
			 -EACCES);
	space_put(child);
	space_put(mm);
}

static void test_mremap_grows_shrinks_moves_and_refuses(void **state)
{
	struct mem_object *m = mem_object_file(16 * PAGE_SIZE, word_at);
	struct mm *mm = new_space();
	u64 v;

	(void)state;
	mm->mmap_base = 0x7f0000000000;
	map_anonymous(mm, BASE, 4);
	for (u32 p = 0; p < 4; p++)
		store_in(mm, BASE + p * PAGE_SIZE, p + 1);
	assert_int_equal(space_remap(mm, BASE, 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0, 0), BASE);
	assert_int_equal(load(BASE + 5 * PAGE_SIZE), 0);
	map_anonymous(mm, BASE + 6 * PAGE_SIZE, 1);
	assert_int_equal(space_remap(mm, BASE + 6 * PAGE_SIZE, PAGE_SIZE, PAGE_SIZE / 2, 0, 0),
			 BASE + 6 * PAGE_SIZE);
	map_pages(mm, BASE + 7 * PAGE_SIZE, 1, AREA_READ | MAY, NULL, 0);
	assert_int_equal(space_remap(mm, BASE, 7 * PAGE_SIZE, 8 * PAGE_SIZE, 0, 0), -ENOMEM);
	s64 moved = space_remap(mm, BASE, 7 * PAGE_SIZE, 8 * PAGE_SIZE, REMAP_MAYMOVE, 0);
	assert_true(moved > (s64)BASE);
	for (u32 p = 0; p < 4; p++)
		assert_int_equal(load((u64)moved + p * PAGE_SIZE), p + 1);
	assert_faults(user_load(BASE, &v, &r), SIGSEGV, SEGV_MAPERR);
	assert_int_equal(space_remap(mm, (u64)moved, 8 * PAGE_SIZE, 2 * PAGE_SIZE, 0, 0), moved);
	assert_faults(user_load((u64)moved + 2 * PAGE_SIZE, &v, &r), SIGSEGV, SEGV_MAPERR);
	assert_int_equal(space_remap(mm, (u64)moved, 2 * PAGE_SIZE, 2 * PAGE_SIZE,
				     REMAP_MAYMOVE | REMAP_FIXED, (u64)moved + PAGE_SIZE),
			 -EINVAL);
	assert_int_equal(space_remap(mm, 0x10000, PAGE_SIZE, PAGE_SIZE, REMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(space_remap(mm, (u64)moved, 2 * PAGE_SIZE, 0, 0, 0), -EINVAL);
	/* DONTUNMAP leaves the old range mapped, and empty. */
	s64 second = space_remap(mm, (u64)moved, 2 * PAGE_SIZE, 2 * PAGE_SIZE,
				 REMAP_MAYMOVE | REMAP_DONTUNMAP, 0);
	assert_true(second > 0 && second != moved);
	assert_int_equal(load((u64)second + PAGE_SIZE), 2);
	assert_int_equal(load((u64)moved + PAGE_SIZE), 0);
	/* Length 0 of a shared mapping: a second mapping of it. */
	map_pages(mm, BASE, 2, RW | AREA_SHARED, &m->object, 3 * PAGE_SIZE);
	s64 again = space_remap(mm, BASE, 0, 2 * PAGE_SIZE, REMAP_MAYMOVE, 0);
	assert_true(again > 0);
	store((u64)again, 99);
	assert_int_equal(load(BASE), 99);
	assert_int_equal(space_remap(mm, (u64)second, 0, 2 * PAGE_SIZE, REMAP_MAYMOVE, 0), -EINVAL);
	space_put(mm);
	object_put(&m->object);
}

static void test_dontneed_and_populate(void **state)
{
	struct mem_object *m = mem_object_file(8 * PAGE_SIZE, word_at);
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 8);
	map_pages(mm, BASE + 8 * PAGE_SIZE, 8, RW, &m->object, 0);
	assert_int_equal(space_advise(mm, BASE, 8 * PAGE_SIZE, MADV_POPULATE_WRITE), 0);
	assert_int_equal(space_rss(mm).anon, 8);
	store_in(mm, BASE + PAGE_SIZE, 5);
	store(BASE + 9 * PAGE_SIZE, 6);
	assert_int_equal(space_advise(mm, BASE + PAGE_SIZE, 9 * PAGE_SIZE, MADV_DONTNEED), 0);
	assert_int_equal(load(BASE + PAGE_SIZE), 0);
	assert_int_equal(load(BASE + 9 * PAGE_SIZE), PAGE_SIZE + 1);
	assert_int_equal(space_rss(mm).anon, 1);
	assert_int_equal(space_advise(mm, BASE, 17 * PAGE_SIZE, MADV_DONTNEED), -ENOMEM);
	assert_int_equal(space_rss(mm).anon, 0);
	assert_int_equal(space_advise(mm, BASE, PAGE_SIZE, 999), -EINVAL);
	assert_int_equal(space_lock(mm, BASE, PAGE_SIZE, AREA_LOCKED), 0);
	assert_int_equal(space_advise(mm, BASE, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	space_put(mm);
	object_put(&m->object);
}

static void test_advice_that_needs_no_action_or_is_refused(void **state)
{
	struct mem_object *m = mem_object_memory(4 * PAGE_SIZE, UINT64_MAX);
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 2);
	map_pages(mm, BASE + 2 * PAGE_SIZE, 2, RW | AREA_SHARED, &m->object, 0);
	map_pages(mm, BASE + 4 * PAGE_SIZE, 2,
		  (RW & ~(u32)(AREA_WRITE | AREA_MAYWRITE)) | AREA_SHARED, &m->object, 0);
	store_in(mm, BASE, 5);
	store(BASE + 2 * PAGE_SIZE, 6);
	store(BASE + 3 * PAGE_SIZE, 7);
	assert_int_equal(space_advise(mm, BASE, PAGE_SIZE, MADV_FREE), 0);
	assert_int_equal(load(BASE), 5); /* may stay until memory is short */
	assert_int_equal(space_advise(mm, BASE + 2 * PAGE_SIZE, PAGE_SIZE, MADV_FREE), -EINVAL);
	assert_int_equal(space_advise(mm, BASE + 8 * PAGE_SIZE, PAGE_SIZE, MADV_FREE), -ENOMEM);
	assert_int_equal(space_advise(mm, BASE, 6 * PAGE_SIZE, MADV_WILLNEED), 0);
	assert_int_equal(space_advise(mm, BASE, 7 * PAGE_SIZE, MADV_COLD), -ENOMEM);
	assert_int_equal(space_advise(mm, BASE, PAGE_SIZE, MADV_REMOVE), -EINVAL);
	assert_int_equal(space_advise(mm, BASE + 4 * PAGE_SIZE, PAGE_SIZE, MADV_REMOVE), -EACCES);
	assert_int_equal(space_advise(mm, BASE + 2 * PAGE_SIZE, PAGE_SIZE, MADV_REMOVE), 0);
	assert_int_equal(load(BASE + 2 * PAGE_SIZE), 0);
	assert_int_equal(load(BASE + 3 * PAGE_SIZE), 7);
	assert_int_equal(object_shmem_frames(), 2); /* the hole was read again */
	assert_int_equal(space_advise(mm, BASE, 2 * PAGE_SIZE, MADV_SEQUENTIAL), 0);
	assert_int_equal(areas_find(mm->areas, BASE)->flags & AREA_SEQ_READ, AREA_SEQ_READ);
	assert_int_equal(space_advise(mm, BASE, 2 * PAGE_SIZE, MADV_NORMAL), 0);
	assert_int_equal(areas_find(mm->areas, BASE)->flags & AREA_SEQ_READ, 0);
	assert_int_equal(space_advise(mm, BASE + 2 * PAGE_SIZE, PAGE_SIZE, MADV_WIPEONFORK),
			 -EINVAL);
	space_put(mm);
	object_put(&m->object);
}

static void test_msync_writes_what_a_shared_mapping_changed(void **state)
{
	struct mem_object *m = mem_object_file(4 * PAGE_SIZE, word_at);
	struct mm *mm = new_space();
	u64 v;

	(void)state;
	map_pages(mm, BASE, 2, RW | AREA_SHARED, &m->object, PAGE_SIZE);
	map_pages(mm, BASE + 2 * PAGE_SIZE, 1, RW, &m->object,
		  0); /* private: no business of the file */
	store_in(mm, BASE, 5);
	store(BASE + PAGE_SIZE, 6);
	store(BASE + 2 * PAGE_SIZE, 7);
	assert_int_equal(space_sync(mm, BASE, PAGE_SIZE, MS_ASYNC), 0);
	assert_int_equal(space_sync(mm, BASE, PAGE_SIZE, MS_SYNC), 0);
	memcpy(&v, m->disk + PAGE_SIZE, 8);
	assert_int_equal(v, 5);
	memcpy(&v, m->disk + 2 * PAGE_SIZE, 8);
	assert_int_equal(v, word_at(2 * PAGE_SIZE));
	store(BASE, 8); /* still writable, so msync must see it again */
	assert_int_equal(space_sync(mm, BASE, 3 * PAGE_SIZE, MS_SYNC), 0);
	memcpy(&v, m->disk + PAGE_SIZE, 8);
	assert_int_equal(v, 8);
	memcpy(&v, m->disk, 8);
	assert_int_equal(v, word_at(0));
	assert_int_equal(space_sync(mm, BASE, 4 * PAGE_SIZE, MS_SYNC), -ENOMEM);
	assert_int_equal(space_sync(mm, BASE, PAGE_SIZE, MS_SYNC | MS_ASYNC), -EINVAL);
	assert_int_equal(space_sync(mm, BASE + 1, PAGE_SIZE, MS_SYNC), -EINVAL);
	space_put(mm);
	object_put(&m->object);
}

/* --- reports --- */

static int count_area(struct mm *mm, struct area *a, void *arg)
{
	u32 *left = arg;

	(void)mm;
	assert_true(a->start >= BASE);
	return --*left == 0 ? 7 : 0;
}

static void test_areas_and_tables_are_listed(void **state)
{
	struct mm *mm = new_space();
	u32 left = 100;

	(void)state;
	for (u32 i = 0; i < 5; i++)
		map_anonymous(mm, BASE + 2 * i * PAGE_SIZE, 1);
	assert_int_equal(space_areas(mm, 0, count_area, &left), 0);
	assert_int_equal(left, 95);
	assert_int_equal(space_areas(mm, BASE + 5 * PAGE_SIZE, count_area, &left), 0);
	assert_int_equal(left, 93);
	left = 3;
	assert_int_equal(space_areas(mm, 0, count_area, &left), 7);
	assert_int_equal(space_table_bytes(mm), PAGE_SIZE);
	store_in(mm, BASE, 1);
	assert_int_equal(space_table_bytes(mm), 4 * PAGE_SIZE);
	space_put(mm);
}

static int add_usage(struct mm *mm, struct area *a, void *arg)
{
	space_usage(mm, a, arg);
	return 0;
}

/* Of all areas. */
static struct area_usage usage_of(struct mm *mm)
{
	struct area_usage u = { 0 };

	space_areas(mm, 0, add_usage, &u);
	return u;
}

static void test_shares_of_pages_add_up(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 8);
	for (u32 p = 0; p < 8; p++)
		store_in(mm, BASE + p * PAGE_SIZE, p + 1);
	struct area_usage u = usage_of(mm);
	assert_int_equal(u.rss, 8 * PAGE_SIZE);
	assert_int_equal(u.pss, 8 * USAGE_PAGE);
	assert_int_equal(u.pss_dirty, 8 * USAGE_PAGE);
	assert_int_equal(u.private_dirty, 8 * PAGE_SIZE);
	struct mm *child = new_fork(mm);
	u = usage_of(mm);
	assert_int_equal(u.pss, 4 * USAGE_PAGE);
	assert_int_equal(u.shared_dirty, 8 * PAGE_SIZE);
	store_in(child, BASE, 9);
	u64 pss = usage_of(mm).pss;
	u = usage_of(child);
	assert_int_equal(u.private_dirty, PAGE_SIZE);
	assert_int_equal(u.anonymous, 8 * PAGE_SIZE);
	pss += u.pss;
	assert_int_equal(pss, 9 * USAGE_PAGE);
	struct space_difference d;
	space_compare(mm, child, &d);
	assert_int_equal(d.changed, 1);
	assert_int_equal(d.same, 7);
	space_put(child);
	space_put(mm);
}

/* The sum of all spaces' shares is what is there, to less than a page in a million for each page. */
static void check_shares(struct mm **spaces, u32 count)
{
	u64 anon = 0, mapped = 0, there = mm_counters_sum().anon_pages * USAGE_PAGE;

	for (u32 i = 0; i < count; i++) {
		struct area_usage u = usage_of(spaces[i]);
		struct space_rss rss = space_rss(spaces[i]);

		anon += u.pss_anon;
		mapped += u.pss_shmem;
		assert_int_equal(u.pss, u.pss_anon + u.pss_file + u.pss_shmem);
		assert_int_equal(u.rss, (rss.anon + rss.file + rss.shmem) * PAGE_SIZE);
		assert_int_equal(u.anonymous, rss.anon * PAGE_SIZE);
		assert_int_equal(u.rss, u.shared_clean + u.shared_dirty + u.private_clean +
						u.private_dirty);
	}
	assert_true(anon <= there &&
		    there - anon <= mm_counters_sum().anon_pages * (USAGE_PAGE >> 20));
	there = object_shmem_frames() * USAGE_PAGE;
	assert_true(mapped <= there && there - mapped <= USAGE_PAGE);
}

/* Spaces that fork at random, write and move pages, and leave: whole tables and parts of them. */
static void family_at_random(u32 flags)
{
	enum { SPACES = 7, TABLES = 12, STEPS = 200 };
	const u64 span = TABLES * 512 * PAGE_SIZE;
	struct mm *spaces[SPACES] = { new_space() };
	u32 count = 1;

	srandom(5);
	map_pages(spaces[0], BASE, TABLES * 512, RW | flags, NULL, 0);
	map_pages(spaces[0], BASE + 2 * span, 16, RW | AREA_SHARED, NULL, 0);
	for (u32 p = 0; p < TABLES * 512; p += 3)
		store_in(spaces[0], BASE + p * PAGE_SIZE, p + 1);
	for (u32 p = 0; p < 16; p++)
		store_in(spaces[0], BASE + 2 * span + p * PAGE_SIZE, p + 1);
	for (u32 step = 0; step < STEPS; step++) {
		u32 who = (u32)random() % count, what = (u32)random() % 8;
		u64 va = BASE + (u64)(random() % (TABLES * 512)) * PAGE_SIZE;

		if (what == 0 && count < SPACES) {
			spaces[count++] = new_fork(spaces[who]);
		} else if (what == 1 && count > 1) {
			space_put(spaces[who]);
			spaces[who] = spaces[--count];
		} else if (what == 2) {
			assert_int_equal(space_advise(spaces[who], va, PAGE_SIZE, MADV_DONTNEED),
					 0);
		} else if (what == 3 && va + PAGE_SIZE != BASE + span) {
			space_remap(spaces[who], va, PAGE_SIZE, PAGE_SIZE,
				    REMAP_MAYMOVE | REMAP_FIXED, va + PAGE_SIZE);
			map_pages(spaces[who], va, 1, RW | flags, NULL, 0);
		} else {
			store_in(spaces[who], va, step + 1);
		}
		check_shares(spaces, count);
	}
	while (count)
		space_put(spaces[--count]);
}

/* The table that it moves to was never copied, yet holds what another space has too. */
static void test_shares_of_a_page_that_moved(void **state)
{
	struct mm *spaces[2] = { new_space() };
	u64 to = BASE + 1024 * PAGE_SIZE;

	(void)state;
	map_anonymous(spaces[0], BASE, 512);
	store_in(spaces[0], BASE, 1);
	spaces[1] = new_fork(spaces[0]);
	assert_int_equal(space_remap(spaces[0], BASE, 512 * PAGE_SIZE, 512 * PAGE_SIZE,
				     REMAP_MAYMOVE | REMAP_FIXED, to),
			 to);
	assert_int_equal(area_count(spaces[0]), 1);
	check_shares(spaces, 2);
	space_put(spaces[1]);
	check_shares(spaces, 1);
	space_put(spaces[0]);
}

static void test_shares_add_up_in_any_family(void **state)
{
	(void)state;
	family_at_random(0);
	family_at_random(AREA_HUGEPAGE);
}

static void test_accesses_are_forgotten(void **state)
{
	struct mm *mm = new_space();

	(void)state;
	map_anonymous(mm, BASE, 512);
	for (u32 p = 0; p < 512; p++)
		store_in(mm, BASE + p * PAGE_SIZE, p + 1);
	assert_int_equal(usage_of(mm).referenced, 512 * PAGE_SIZE);
	space_forget_accesses(mm, FORGET_MAPPED);
	assert_int_equal(usage_of(mm).referenced, 512 * PAGE_SIZE);
	space_forget_accesses(mm, FORGET_ALL);
	/* The machine reads ahead as it likes, so some of it may have been accessed again. */
	assert_true(usage_of(mm).referenced < 256 * PAGE_SIZE);
	for (u32 p = 0; p < 512; p++)
		assert_int_equal(load_in(mm, BASE + p * PAGE_SIZE), p + 1);
	assert_int_equal(usage_of(mm).referenced, 512 * PAGE_SIZE);
	space_put(mm);
}

static u64 page_info(struct mm *mm, u64 va)
{
	u64 info;

	space_page_info(mm, va, false, &info, 1);
	return info;
}

static void test_residency_and_page_information(void **state)
{
	struct mm *mm = new_space();
	u8 vec[4];

	(void)state;
	map_anonymous(mm, BASE, 4);
	store_in(mm, BASE + PAGE_SIZE, 1);
	assert_int_equal(space_residency(mm, BASE, 4, vec), 0);
	assert_memory_equal(vec, ((u8[]){ 0, 1, 0, 0 }), 4);
	assert_int_equal(space_residency(mm, BASE + PAGE_SIZE, 4, vec), -ENOMEM);
	assert_true(page_info(mm, BASE + PAGE_SIZE) == (BIT(63) | BIT(56)));
	assert_true(page_info(mm, BASE) == 0);
	struct mm *child = new_fork(mm);
	assert_true(page_info(mm, BASE + PAGE_SIZE) == BIT(63));
	space_put(child);
	u64 key[2], other[2];
	map_pages(mm, BASE + 8 * PAGE_SIZE, 1, RW | AREA_SHARED, NULL, 0);
	child = new_fork(mm);
	assert_int_equal(space_key(mm, BASE + 8 * PAGE_SIZE, true, key), 0);
	assert_int_equal(space_key(child, BASE + 8 * PAGE_SIZE, true, other), 0);
	assert_memory_equal(key, other, sizeof(key));
	assert_int_equal(space_key(mm, BASE, true, key), 0);
	assert_int_equal(space_key(child, BASE, true, other), 0);
	assert_true(key[0] != other[0]);
	space_put(child);
	space_put(mm);
}

static void test_special_pages_are_mapped_without_being_counted(void **state)
{
	struct mm *mm = new_space();
	struct page *pages[2] = { frame_alloc(PAGE_KERNEL), frame_alloc(PAGE_KERNEL) };
	struct fault_result r;

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		memset(frame_data(pages[i]), 'a' + (int)i, PAGE_SIZE);
		frame_make_immortal(pages[i]);
	}
	assert_int_equal(space_map_special(mm, BASE, pages, 2,
					   AREA_READ | AREA_EXEC | AREA_MAYREAD | AREA_MAYEXEC),
			 0);
	assert_int_equal(load_in(mm, BASE + PAGE_SIZE) & 0xff, 'b');
	assert_int_equal(user_exec(BASE, &r), 0);
	struct mm *child = new_fork(mm);
	assert_int_equal(load_in(child, BASE) & 0xff, 'a');
	assert_true(user_store(BASE, 1, &r) == -EFAULT);
	space_put(mm);
	space_put(child);
	for (u32 i = 0; i < 2; i++) {
		assert_int_equal(page_count(pages[i]), COUNT_IMMORTAL);
		pages[i]->kind = PAGE_KERNEL;
		frame_free(pages[i]);
	}
}

/* Two spaces share a leaf table. What one takes from its area must be gone from the other CPU's TLB when the other does the same. */
static void test_protection_of_a_shared_table_reaches_each_sharer(void **state)
{
	struct fault_result r;
	u64 value;

	(void)state;
	for (u64 seed = 1; seed < 20; seed++) {
		hosted_seed(seed);
		hosted_become(0);
		struct mm *a = new_space();
		map_anonymous(a, BASE, 1);
		store_in(a, BASE, 7);
		struct mm *b = new_fork(a);
		hosted_become(1);
		assert_int_equal(load_in(b, BASE), 7); /* CPU 1 keeps the translation */
		hosted_become(0);
		hosted_load_space(a);
		assert_int_equal(space_protect(a, BASE, PAGE_SIZE, 0, false), 0);
		hosted_become(1);
		assert_int_equal(space_protect(b, BASE, PAGE_SIZE, 0, false), 0);
		assert_int_equal(user_load(BASE, &value, &r), -EFAULT);
		space_put(a);
		space_put(b);
	}
	hosted_become(0);
}

static void test_no_stack_grows_over_the_null_page(void **state)
{
	struct mm *mm = new_space();
	struct fault_result r;

	(void)state;
	hosted_load_space(mm);
	map_pages(mm, MAP_ADDRESS_MIN, 1, RW | AREA_GROWSDOWN, NULL, 0);
	assert_int_equal(user_store(0, 5, &r), -EFAULT);
	assert_int_equal(user_store(MAP_ADDRESS_MIN - 8, 5, &r), -EFAULT);
	space_put(mm);
}

static void test_the_address_limit_stops_only_what_grows(void **state)
{
	struct mm *mm = new_space();
	struct map_request again = {
		.addr = BASE, .length = 8 * PAGE_SIZE, .flags = RW, .fixed = true
	};

	(void)state;
	hosted_load_space(mm);
	map_anonymous(mm, BASE, 8);
	mm->limit_as = 8 * PAGE_SIZE;
	assert_int_equal(space_map(mm, &again), BASE);
	mm->limit_as = PAGE_SIZE;
	assert_int_equal(space_protect(mm, BASE, 8 * PAGE_SIZE, AREA_READ, false), 0);
	assert_int_equal(space_unmap(mm, BASE + PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(space_remap(mm, BASE + 2 * PAGE_SIZE, 6 * PAGE_SIZE, PAGE_SIZE, 0, 0),
			 BASE + 2 * PAGE_SIZE);
	space_put(mm);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_accesses_end_with_linux_signals_and_codes),
		TEST(test_reading_untouched_memory_costs_no_page),
		TEST(test_resident_neighbours_of_a_file_page_come_along),
		TEST(test_the_last_owner_gets_its_memory_back_without_a_copy),
		TEST(test_fork_costs_the_same_for_every_size),
		TEST(test_a_table_of_groups_of_every_kind_is_copied),
		TEST(test_fork_obeys_dontfork_and_wipeonfork),
		TEST(test_shared_memory_stays_shared_over_forks),
		TEST(test_mmap_chooses_and_refuses_addresses_as_linux),
		TEST(test_brk_moves_the_end_of_the_data_and_zeroes_what_comes_back),
		TEST(test_the_stack_grows_down_to_its_limit),
		TEST(test_protection_changes_reach_pages_that_are_there),
		TEST(test_mremap_grows_shrinks_moves_and_refuses),
		TEST(test_dontneed_and_populate),
		TEST(test_advice_that_needs_no_action_or_is_refused),
		TEST(test_msync_writes_what_a_shared_mapping_changed),
		TEST(test_areas_and_tables_are_listed),
		TEST(test_shares_of_pages_add_up),
		TEST(test_shares_of_a_page_that_moved),
		TEST(test_shares_add_up_in_any_family),
		TEST(test_accesses_are_forgotten),
		TEST(test_residency_and_page_information),
		TEST(test_special_pages_are_mapped_without_being_counted),
		TEST(test_protection_of_a_shared_table_reaches_each_sharer),
		TEST(test_no_stack_grows_over_the_null_page),
		TEST(test_the_address_limit_stops_only_what_grows),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
