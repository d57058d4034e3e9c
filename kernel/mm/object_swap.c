/*
 * object_swap.c - swapping of memory objects: tmpfs, memfd, shared anonymous and System V memory;
 * and of pages of the root file system that were changed, which stay in memory as well.
 *
 * The index of such an object has, instead of a page, a tagged value that names a swap slot
 * (object_priv.h): that is one user of the slot. It counts as the object's memory as before, for
 * limits and as data between holes.
 *
 * What has bytes of its own is told by PAGE_DIRTY from a clean page, which eviction may drop: a page
 * of a file that is read from elsewhere, or one of memory that was never written to and so is zeros.
 * A page with bytes of its own is dirty again whenever it is not on its way to a slot.
 *
 * Out: only a page that nothing but the cache refers to goes (the reclaim clock has taken it from
 * the tables). It stays in the index, locked and no longer dirty, until its bytes are in the slot. A
 * fault waits for the lock; a copy by the kernel does not, but makes the page dirty after the bytes
 * (object_page_dirty) and holds a reference until then: with either, the page stays and the slot is
 * given up. In: a fresh page takes the slot's place in the index at once, locked and not up to date,
 * so that whoever wants it waits.
 */
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/object_priv.h"
#include "mm/reclaim.h"
#include "mm/swap.h"

#define SCAN_PAGES 256u /* that are looked at without giving the lock up */
#define READ_AROUND 8u  /* slots that lie behind each other are read with the first */

u64 object_swapped(struct object *o, u64 first, u64 end)
{
	u64 n = 0;

	if (!load_relaxed(&o->swapped))
		return 0;
	spin_lock(&o->lock);
	for (u64 index = first;; index++) {
		const void *item = radix_next(&o->pages, &index);

		if (!item || index >= end)
			break;
		n += item_is_slot(item);
	}
	spin_unlock(&o->lock);
	return n;
}

/* --- out --- */

/* o->lock held. May the page go, as far as can be seen? A clean one need not be written. */
static bool page_is_idle(struct page *p)
{
	if (page_count(p) != 1 || !page_is_uptodate(p) || !page_has(p, PAGE_DIRTY))
		return false;
	if (!page_has(p, PAGE_REFERENCED))
		return true;
	page_flag_clear(p, PAGE_REFERENCED); /* a second chance */
	return false;
}

/*
 * Choose up to max idle pages of o, from where the last call stopped: each locked, clean, with a
 * reference and a slot. *ended: the end was reached, or no slot is free.
 */
static u32 pages_choose(struct object *o, u32 max, struct page **pages, u64 *slots, bool *ended)
{
	u64 index;
	u32 n = 0;

	spin_lock(&o->lock);
	index = o->evict_next;
	for (u32 seen = 0; n < max && seen < SCAN_PAGES; seen++, index++) {
		void *item = radix_next(&o->pages, &index);
		struct page *p = item;

		*ended = !item;
		if (!item)
			break;
		if (item_is_slot(item) || !page_is_idle(p) || !page_trylock(p))
			continue;
		slots[n] = swap_slot_take();
		if (!slots[n]) {
			page_unlock(p);
			*ended = true;
			break;
		}
		page_get(p);
		object_page_undirty(o, p);
		pages[n++] = p;
	}
	o->evict_next = *ended ? 0 : index;
	spin_unlock(&o->lock);
	return n;
}

/* The page's bytes are in the slot (err: they are not): true if the page is gone. */
static bool page_finish(struct object *o, struct page *p, u64 slot, int err)
{
	bool goes;

	spin_lock(&o->lock);
	goes = !err && page_count(p) == 2 && !page_has(p, PAGE_DIRTY);
	if (goes) {
		radix_replace(&o->pages, p->cache.index, item_of_slot(slot));
		object_page_leave(o, p);
		sole_add(&o->swapped, 1);
	} else {
		object_page_dirty_locked(o, p);
	}
	spin_unlock(&o->lock);
	page_unlock(p);
	if (goes)
		page_put(p); /* the cache's */
	else
		swap_slot_put(slot);
	page_put(p);
	return goes;
}

static u64 object_swap_some(struct object *o, u32 max, bool *ended)
{
	struct page *pages[SWAP_CLUSTER];
	u64 slots[SWAP_CLUSTER], done = 0;
	u32 count = pages_choose(o, min(max, SWAP_CLUSTER), pages, slots, ended), n;

	for (u32 i = 0; i < count; i += n) {
		for (n = 1; i + n < count && slots[i + n] == slots[i] + n;)
			n++;
		int err = swap_write(slots[i], &pages[i], n);
		for (u32 j = i; j < i + n; j++)
			done += page_finish(o, pages[j], slots[j], err);
	}
	return done;
}

static bool may_be_swapped(const struct object *o)
{
	return load_relaxed(&o->dirty_count) && !o->ops->write_pages &&
	       !load_relaxed(&o->unswappable);
}

u64 object_swap_out(u64 max)
{
	u64 done = 0;

	for (u64 looks = object_count(); looks && done < max && swap_free_slots(); looks--) {
		struct object *o = objects_rotate(may_be_swapped);
		bool ended = false;

		if (!o)
			continue;
		while (done < max && !ended) {
			done += object_swap_some(o, (u32)min(max - done, (u64)SWAP_CLUSTER),
						 &ended);
			cpu_preempt_point();
		}
		object_put(o);
	}
	return done;
}

/* --- in --- */

/*
 * Put pages in the places of the slots from index on that lie behind each other: how many. 0: the
 * first is not there any more.
 */
static u32 pages_enter(struct object *o, u64 index, u64 slot, struct page **pages, u32 max)
{
	u32 n = 0;

	spin_lock(&o->lock);
	while (n < max && radix_find(&o->pages, index + n) == item_of_slot(slot + n)) {
		radix_replace(&o->pages, index + n, pages[n]);
		object_page_enter(o, pages[n], index + n);
		object_page_dirty_locked(o, pages[n]);
		sole_add(&o->swapped, -1);
		n++;
	}
	spin_unlock(&o->lock);
	return n;
}

/* The page could not be read: its slot takes its place again. It is locked, so it is attached. */
static void page_take_back(struct object *o, struct page *p, u64 slot)
{
	spin_lock(&o->lock);
	radix_replace(&o->pages, p->cache.index, item_of_slot(slot));
	object_page_leave(o, p);
	sole_add(&o->swapped, 1);
	spin_unlock(&o->lock);
	page_unlock(p);
	page_put(p);
}

int object_swap_in(struct object *o, u64 index, u64 slot)
{
	struct page *pages[READ_AROUND];
	u32 have = 0, n;
	int err;

	while (have < READ_AROUND && (pages[have] = object_page_new(o)))
		have++;
	if (!have)
		return -ENOMEM;
	n = pages_enter(o, index, slot, pages, have);
	object_pages_free(&pages[n], have - n);
	if (!n)
		return 0;
	err = swap_read(slot, pages, n);
	for (u32 i = 0; i < n; i++) {
		if (err) {
			page_take_back(o, pages[i], slot + i);
			continue;
		}
		page_flag_set(pages[i], PAGE_UPTODATE);
		page_unlock(pages[i]);
		swap_slot_put(slot + i);
	}
	return err;
}

/* --- swapoff --- */

static bool is_swapped(const struct object *o)
{
	return load_relaxed(&o->swapped);
}

/* The slot of the first page at or after *index that is on the device; 0: there is none. */
static u64 next_on_device(struct object *o, u64 *index, const void *device)
{
	void *item;

	spin_lock(&o->lock);
	for (; (item = radix_next(&o->pages, index)); ++*index)
		if (item_is_slot(item) && swap_slot_is_on(item_slot(item), device))
			break;
	spin_unlock(&o->lock);
	return item ? item_slot(item) : 0;
}

/* Fills no holes: what is truncated meanwhile is just not there. */
static int object_bring_back(struct object *o, const void *device, u64 *filled)
{
	u64 index = 0, slot;

	while ((slot = next_on_device(o, &index, device))) {
		int err = object_swap_in(o, index, slot);

		if (err && !(err == -ENOMEM && memory_reclaim()))
			return err;
		if (thread_interrupted() || thread_killed())
			return -EINTR;
		++*filled;
		cpu_preempt_point();
	}
	return 0;
}

int object_swap_in_all(const void *device, u64 *filled)
{
	int err = 0;

	for (u64 looks = object_count(); looks && !err; looks--) {
		struct object *o = objects_rotate(is_swapped);

		if (!o)
			continue;
		err = object_bring_back(o, device, filled);
		object_put(o);
	}
	return err;
}
