/*
 * test_object_swap.c - swapping of memory objects: bytes that went out come back, whatever happens to the object and the device meanwhile, and every slot
 * is given up.
 */
#include "race_test.h"

#include "mm/object_priv.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

#define DISK_PAGES 64
#define PAGES 12

/* A swap area in host memory. */
struct disk {
	char bytes[DISK_PAGES][PAGE_SIZE];
	u32 read_failures, write_failures;
	u64 reads, writes; /* A: calls */
	bool released;
};

static struct disk disk;

static int disk_read(void *device, u64 first, struct page **frames, u32 count)
{
	struct disk *d = device;

	atomic_add(&d->reads, 1ull);
	hosted_pause();
	if (d->read_failures) {
		d->read_failures--;
		return -EIO;
	}
	for (u32 i = 0; i < count; i++) {
		memcpy(frame_data(frames[i]), d->bytes[first + i], PAGE_SIZE);
		hosted_pause();
	}
	return 0;
}

static int disk_write(void *device, u64 first, struct page **frames, u32 count)
{
	struct disk *d = device;

	atomic_add(&d->writes, 1ull);
	for (u32 i = 0; i < count; i++) {
		hosted_pause();
		memcpy(d->bytes[first + i], frame_data(frames[i]), PAGE_SIZE);
	}
	hosted_pause();
	if (d->write_failures) {
		d->write_failures--;
		return -EIO;
	}
	return 0;
}

static void disk_release(void *device)
{
	((struct disk *)device)->released = true;
}

static void disk_add(u64 pages)
{
	static const struct swap_ops ops = { disk_read, disk_write, disk_release };
	struct swap_request r = { .ops = &ops, .device = &disk, .pages = pages, .priority = -1 };

	memset(&disk, 0, sizeof(disk));
	must(!swap_add(&r), "swap_add");
}

static void disk_remove(void)
{
	int err = swap_remove(&disk);

	must(!err && disk.released, "swapoff: %d", err);
}

/* Out with all that is idle, also with what was used just now. */
static u64 swap_out_all(void)
{
	u64 done = object_swap_out(1000);

	return done + object_swap_out(1000);
}

static u64 word_at(u32 page)
{
	return 0x1000 + page * 7;
}

static struct mem_object *filled_object(u64 charge_max)
{
	struct mem_object *m = mem_object_memory(0, charge_max);

	for (u32 p = 0; p < PAGES; p++) {
		u64 v = word_at(p);
		must(object_write(&m->object, &v, 8, p * PAGE_SIZE) == 8, "write");
	}
	must(!object_truncate(&m->object, PAGES * PAGE_SIZE), "truncate");
	return m;
}

static void must_hold(struct mem_object *m, u32 first, u32 end)
{
	for (u32 p = first; p < end; p++) {
		u64 v = 0;
		ssize n = object_read(&m->object, &v, 8, p * PAGE_SIZE);
		must(n == 8 && v == word_at(p), "page %u: %ld, %#lx", p, n, v);
	}
}

/* --- one after the other --- */

static void test_memory_goes_out_and_comes_back(void **state)
{
	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct hosted_census before = hosted_census();
	struct mem_object *m = filled_object(PAGES);
	u64 free = swap_free_slots();

	assert_int_equal(object_swap_out(5), 0); /* all were used just now */
	assert_int_equal(object_swap_out(5), 5);
	assert_int_equal(m->object.swapped, 5);
	assert_int_equal(swap_out_all(), PAGES - 5);
	assert_int_equal(object_shmem_frames(), 0);
	assert_int_equal(m->charged, PAGES); /* it is its memory all the same */
	assert_int_equal(swap_free_slots(), free - PAGES);
	hosted_check();
	assert_int_equal(object_seek_data(&m->object, PAGE_SIZE), PAGE_SIZE);
	assert_int_equal(object_seek_hole(&m->object, 0), PAGES * PAGE_SIZE);
	disk.reads = 0;
	must_hold(m, 0, PAGES);
	assert_int_equal(disk.reads, 2); /* in clusters */
	assert_int_equal(swap_free_slots(), free);
	assert_int_equal(m->object.swapped, 0);
	hosted_check();
	object_put(&m->object);
	census_must_equal(&before);
	disk_remove();
}

static void test_mapped_pages_stay_until_they_are_taken_from_the_tables(void **state)
{
	struct fault_result r;
	u64 v;

	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = filled_object(PAGES);
	struct mm *mm = new_space();
	map_pages(mm, BASE, PAGES, RW | AREA_SHARED, &m->object, 0);
	for (u32 p = 0; p < 4; p++)
		store_in(mm, page_va(p), 100 + p);
	assert_int_equal(swap_out_all(), PAGES - 4);
	assert_int_equal(space_unmap(mm, page_va(0), PAGE_SIZE), 0);
	assert_int_equal(swap_out_all(), 1);
	assert_int_equal(user_load(page_va(7), &v, &r), 0);
	assert_int_equal(v, word_at(7));
	assert_true(r.major);
	store(page_va(8), 108); /* came along */
	assert_int_equal(object_read(&m->object, &v, 8, 0), 8);
	assert_int_equal(v, 100);
	hosted_check();
	space_put(mm);
	assert_int_equal(swap_out_all() > 0, true);
	assert_int_equal(object_read(&m->object, &v, 8, 8 * PAGE_SIZE), 8);
	assert_int_equal(v, 108);
	object_put(&m->object);
	disk_remove();
}

static void test_truncating_and_punching_give_slots_up(void **state)
{
	u64 v = 1;

	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = filled_object(PAGES);
	u64 free = swap_free_slots();
	assert_int_equal(swap_out_all(), PAGES);
	assert_int_equal(object_punch(&m->object, 2 * PAGE_SIZE, 5 * PAGE_SIZE), 0);
	assert_int_equal(m->charged, PAGES - 3);
	assert_int_equal(swap_free_slots(), free - PAGES + 3);
	assert_int_equal(object_read(&m->object, &v, 8, 3 * PAGE_SIZE), 8);
	assert_int_equal(v, 0);
	assert_int_equal(object_truncate(&m->object, 7 * PAGE_SIZE + 4),
			 0); /* cuts a page that is out */
	assert_int_equal(object_truncate(&m->object, 8 * PAGE_SIZE), 0);
	assert_int_equal(object_read(&m->object, &v, 8, 7 * PAGE_SIZE), 8);
	assert_int_equal(v, word_at(7) & 0xffffffff);
	must_hold(m, 0, 2);
	must_hold(m, 5, 7);
	hosted_check();
	object_put(&m->object); /* with slots */
	assert_int_equal(swap_free_slots(), free);
	disk_remove();
}

static void test_errors_of_the_device_lose_nothing(void **state)
{
	struct fault_result r;
	u64 v;

	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = filled_object(PAGES);
	u64 free = swap_free_slots();
	object_swap_out(1000);
	disk.write_failures = 1;
	assert_int_equal(object_swap_out(8), 4); /* the first eight could not be written */
	assert_int_equal(swap_free_slots(), free - 4);
	assert_int_equal(swap_out_all(), 8);
	disk.read_failures = 2;
	assert_int_equal(object_read(&m->object, &v, 8, 0), -EIO);
	struct mm *mm = new_space();
	map_pages(mm, BASE, PAGES, RW | AREA_SHARED, &m->object, 0);
	hosted_load_space(mm);
	assert_int_equal(user_load(BASE, &v, &r), -EFAULT);
	assert_int_equal(r.signal, SIGBUS);
	assert_int_equal(m->object.swapped, PAGES);
	hosted_check();
	must_hold(m, 0, PAGES);
	space_put(mm);
	object_put(&m->object);
	disk_remove();
}

static void test_each_allocation_of_bringing_a_page_back_may_fail(void **state)
{
	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = filled_object(PAGES);
	ssize n = 0;
	u64 v;

	for (u32 fail = 0; n != 8; fail++) {
		assert_int_equal(swap_out_all(), fail ? 0 : PAGES);
		alloc_fail_after(fail);
		n = object_read(&m->object, &v, 8, 5 * PAGE_SIZE);
		alloc_fail_after(UINT64_MAX);
		assert_true(n == 8 || (n == -ENOMEM && m->object.swapped == PAGES));
		hosted_check();
	}
	must_hold(m, 0, PAGES);
	object_put(&m->object);
	disk_remove();
}

static void test_full_swap_and_what_must_stay(void **state)
{
	(void)state;
	hosted_seed(1);
	disk_add(6); /* five slots */
	struct mem_object *m = filled_object(PAGES), *kept = filled_object(PAGES);
	kept->object.unswappable = true;
	assert_int_equal(swap_out_all(), 5);
	assert_int_equal(swap_out_all(), 0);
	assert_int_equal(kept->object.swapped, 0);
	must_hold(m, 0, PAGES);
	must_hold(kept, 0, PAGES);
	hosted_check();
	object_put(&m->object);
	object_put(&kept->object);
	disk_remove();
}

static void test_swapoff_brings_objects_back(void **state)
{
	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = filled_object(PAGES);
	assert_int_equal(swap_out_all(), PAGES);
	disk_remove();
	assert_int_equal(m->object.swapped, 0);
	must_hold(m, 0, PAGES);
	hosted_check();
	object_put(&m->object);
}

/* What nobody wrote to is dropped like a clean page of a file; all else stays, back from swap too. */
static void test_holes_that_were_looked_at_take_no_slot(void **state)
{
	struct fault_result r;
	u64 v;

	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = mem_object_memory(PAGES * PAGE_SIZE, PAGES);
	struct object *o = &m->object;
	struct mm *mm = new_space();
	map_pages(mm, BASE, PAGES, RW | AREA_SHARED, o, 0);
	hosted_load_space(mm);
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(user_load(page_va(p), &v, &r), 0);
	for (u32 p = 0; p < 4; p++)
		assert_int_equal(user_store(page_va(p), word_at(p), &r), 0);
	memory_advise(mm, BASE, page_va(8), true, areas_find(mm->areas, BASE));
	assert_int_equal(o->page_count, PAGES - 4); /* 4 to 7 are gone */
	memory_advise(mm, BASE, page_va(8), true, areas_find(mm->areas, BASE));
	space_put(mm);
	assert_int_equal(swap_out_all(), 4);
	assert_int_equal(object_evict(1000) + object_evict(1000), PAGES - 8);
	assert_int_equal(o->page_count, 0);
	hosted_check();
	must_hold(m, 0, 4);
	assert_int_equal(object_evict(1000) + object_evict(1000), 0); /* from swap: not clean */
	must_hold(m, 0, 4);
	object_put(o);
	disk_remove();
}

static void test_changed_pages_of_a_file_go_to_swap_and_clean_ones_are_dropped(void **state)
{
	struct fault_result r;
	u64 v = 5;

	(void)state;
	hosted_seed(1);
	disk_add(DISK_PAGES);
	struct mem_object *m = mem_object_changed(PAGES * PAGE_SIZE, offset_itself);
	struct object *o = &m->object;
	for (u32 p = 0; p < PAGES; p++)
		assert_int_equal(object_read(o, &v, 8, p * PAGE_SIZE), 8);
	for (u32 p = 0; p < 4; p++) {
		v = word_at(p);
		assert_int_equal(object_write(o, &v, 8, p * PAGE_SIZE), 8);
	}
	assert_int_equal(swap_out_all(), 4);
	assert_int_equal(object_evict(1000) + object_evict(1000), PAGES - 4);
	assert_int_equal(object_cache_frames(), 0);
	hosted_check();
	struct mm *mm = new_space();
	map_pages(mm, BASE, PAGES, RW | AREA_SHARED, o, 0);
	hosted_load_space(mm);
	assert_int_equal(user_load(BASE, &v, &r), 0);
	assert_int_equal(v, word_at(0));
	assert_int_equal(load(page_va(6)), 6 * PAGE_SIZE);
	space_put(mm);
	assert_int_equal(object_evict(1000) + object_evict(1000) > 0, true); /* the clean ones */
	disk.write_failures = 1;
	object_swap_out(1000);
	object_swap_out(1000);
	disk.read_failures = 1;
	(void)object_read(o, &v, 8, 0);
	object_evict(1000), object_evict(1000);
	hosted_check();
	must_hold(m, 0, 4);
	for (u32 p = 4; p < PAGES; p++) {
		assert_int_equal(object_read(o, &v, 8, p * PAGE_SIZE), 8);
		assert_int_equal(v, p * PAGE_SIZE);
	}
	object_put(o);
	disk_remove();
}

/* --- at once --- */

struct together {
	struct mem_object *m;
	struct mm *mm[2];
	u32 left;
};

static u64 place_of(u32 cpu, u32 page)
{
	return page * PAGE_SIZE + 64 * (cpu + 1);
}

/* One stores through a mapping that it gives up again and again, two write; the last swaps out. */
static void together_cpu(u32 cpu, void *arg)
{
	struct together *t = arg;
	struct object *o = &t->m->object;
	u64 v;

	if (cpu == 3) {
		while (load_acquire(&t->left)) {
			object_swap_out(4);
			hosted_pause();
		}
		return;
	}
	for (u64 i = 1; i <= 12; i++) {
		u32 page = (u32)i % 4;

		if (cpu == 0) {
			hosted_load_space(t->mm[0]);
			map_pages(t->mm[0], BASE, PAGES, RW | AREA_SHARED, o, 0);
			must(load(BASE + place_of(0, page)) == (i > 4 ? i - 4 : 0),
			     "stored before");
			store(BASE + place_of(0, page), i);
			must(!space_unmap(t->mm[0], BASE, PAGES * PAGE_SIZE), "munmap");
		} else {
			must(object_read(o, &v, 8, place_of(cpu, page)) == 8 &&
				     v == (i > 4 ? i - 4 : 0),
			     "cpu %u reads %lu in round %lu", cpu, v, i);
			must(object_write(o, &i, 8, place_of(cpu, page)) == 8, "write");
		}
	}
	atomic_sub_return(&t->left, 1);
}

static void together_run(void)
{
	disk_add(DISK_PAGES);
	struct together t = { .m = filled_object(PAGES), .mm = { new_space() }, .left = 3 };
	u64 v;

	hosted_run(4, together_cpu, &t);
	swap_out_all();
	hosted_check();
	for (u32 cpu = 0; cpu < 3; cpu++)
		for (u32 page = 0; page < 4; page++)
			must(object_read(&t.m->object, &v, 8, place_of(cpu, page)) == 8 &&
				     v == (page ? 8 + page : 12),
			     "cpu %u page %u: %lu", cpu, page, v);
	must_hold(t.m, 0, PAGES);
	space_put(t.mm[0]);
	object_put(&t.m->object);
	disk_remove();
}

static void test_stores_and_writes_while_memory_goes_out_are_not_lost(void **state)
{
	(void)state;
	each_seed(together_run, SEEDS);
}

static u64 stored_before(u64 i)
{
	return i > 4 ? i - 4 : 0;
}

/* Two write, one drops what is clean, one swaps out what is not. */
static void changed_cpu(u32 cpu, void *arg)
{
	struct together *t = arg;
	struct object *o = &t->m->object;
	u64 v;

	if (cpu >= 2) {
		while (load_acquire(&t->left)) {
			(void)(cpu == 2 ? object_swap_out(4) : object_evict(4));
			hosted_pause();
		}
		return;
	}
	for (u64 i = 1; i <= 12; i++) {
		u64 at = place_of(cpu, (u32)i % 4);

		must(object_read(o, &v, 8, at) == 8 && v == (stored_before(i) ?: at),
		     "cpu %u reads %lu in round %lu", cpu, v, i);
		must(object_write(o, &i, 8, at) == 8, "write");
	}
	atomic_sub_return(&t->left, 1);
}

static void changed_run(void)
{
	disk_add(DISK_PAGES);
	struct together t = { .m = mem_object_changed(PAGES * PAGE_SIZE, offset_itself),
			      .left = 2 };
	u64 v;

	hosted_run(4, changed_cpu, &t);
	hosted_check();
	for (u32 cpu = 0; cpu < 2; cpu++)
		for (u32 page = 0; page < 4; page++)
			must(object_read(&t.m->object, &v, 8, place_of(cpu, page)) == 8 &&
				     v == (page ? 8 + page : 12),
			     "cpu %u page %u: %lu", cpu, page, v);
	object_put(&t.m->object);
	disk_remove();
}

static void test_changed_pages_are_never_dropped(void **state)
{
	(void)state;
	each_seed(changed_run, SEEDS);
}

/* Truncation, punching and swapoff against pages that go out and come back. */
static void cut_cpu(u32 cpu, void *arg)
{
	struct together *t = arg;
	struct object *o = &t->m->object;
	u64 v;

	switch (cpu) {
	case 0:
		for (u32 i = 0; i < 6; i++) {
			must(!object_punch(o, 6 * PAGE_SIZE, PAGES * PAGE_SIZE), "punch");
			v = 9;
			must(object_write(o, &v, 8, (6 + i) * PAGE_SIZE) == 8, "write");
		}
		atomic_sub_return(&t->left, 1);
		break;
	case 1:
		for (u32 i = 0; i < 12; i++)
			must_hold(t->m, i % 6, i % 6 + 1);
		atomic_sub_return(&t->left, 1);
		break;
	case 2:
		while (load_acquire(&t->left)) {
			object_swap_out(4);
			hosted_pause();
		}
		break;
	default:
		disk_remove();
	}
}

static void cut_run(void)
{
	disk_add(DISK_PAGES);
	struct together t = { .m = filled_object(PAGES), .left = 2 };

	hosted_run(4, cut_cpu, &t);
	hosted_check();
	must_hold(t.m, 0, 6);
	object_put(&t.m->object);
}

static void test_cutting_and_swapoff_while_memory_goes_out(void **state)
{
	(void)state;
	each_seed(cut_run, SEEDS);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_goes_out_and_comes_back),
		cmocka_unit_test(test_mapped_pages_stay_until_they_are_taken_from_the_tables),
		cmocka_unit_test(test_truncating_and_punching_give_slots_up),
		cmocka_unit_test(test_errors_of_the_device_lose_nothing),
		cmocka_unit_test(test_each_allocation_of_bringing_a_page_back_may_fail),
		cmocka_unit_test(test_full_swap_and_what_must_stay),
		cmocka_unit_test(test_swapoff_brings_objects_back),
		cmocka_unit_test(test_holes_that_were_looked_at_take_no_slot),
		cmocka_unit_test(
			test_changed_pages_of_a_file_go_to_swap_and_clean_ones_are_dropped),
		cmocka_unit_test(test_changed_pages_are_never_dropped),
		cmocka_unit_test(test_stores_and_writes_while_memory_goes_out_are_not_lost),
		cmocka_unit_test(test_cutting_and_swapoff_while_memory_goes_out),
	};

	race_options(argc, argv);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
