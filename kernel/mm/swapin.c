/*
 * swapin.c - bringing pages back from swap: for a fault, and for swapoff.
 *
 * A swap entry is filled in place, read-only, with what it allowed when it was made (PROTOCOL rule
 * 6): also in a table that others share, because all of them agree on what is populated. What a
 * write then needs is decided by the fault as for any page.
 */
#include "lib/err.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/node.h"
#include "mm/object.h"
#include "mm/page.h"
#include "mm/reclaim.h"
#include "mm/swap_priv.h"
#include "mm/swapin.h"

/* The entry at va; empty if there is none. space.rw held. */
static struct pte leaf_entry(struct mm *mm, u64 va)
{
	bool owned;
	struct page *table = node_leaf_lock(mm, va, &owned);
	struct pte e = table ? pte_load(slot_of(table, va)) : pte_empty();

	if (table)
		spin_unlock(&table->lock);
	return e;
}

/* If the entry at va names the slot of p, which the caller has locked, put p there. space.rw held. */
static void entry_fill(struct mm *mm, u64 va, u64 slot, struct page *p)
{
	bool owned;
	struct page *table = node_leaf_lock(mm, va, &owned);

	if (!table)
		return;
	struct pte *at = slot_of(table, va);
	struct pte e = pte_load(at);
	if (pte_is_swap(e) && pte_swap_slot(e) == slot && swap_cache_holds(p, slot)) {
		page_get(p);
		pte_store(at, pte_set_accessed(pte_refilled(p, e)));
		nonresident_count(table, LEAF_ANON, -1);
		table->aged = 1; /* its pages are not all alike any more (usage.c) */
		swap_cache_filled(p);
	}
	spin_unlock(&table->lock);
}

int swap_fill(struct mm *mm, u64 va, bool *major)
{
	read_lock(&mm->rw);
	struct pte e = leaf_entry(mm, va);
	read_unlock(&mm->rw);
	if (!pte_is_swap(e))
		return 0;
	u64 slot = pte_swap_slot(e);
	struct page *p = swap_cache_page(slot, major);
	if (!p || IS_ERR(p))
		return p ? (int)PTR_ERR(p) : 0;
	for (;;) {
		read_lock(&mm->rw);
		if (page_trylock(p))
			break;
		read_unlock(&mm->rw);
		page_wait(p);
	}
	entry_fill(mm, va, slot, p);
	read_unlock(&mm->rw);
	swap_cache_release(p);
	return 0;
}

/* --- swapoff --- */

struct swap_off {
	const void *device;
	u64 va; /* where the walk found an entry of the device */
	bool found;
	u64 filled;
};

static bool find_entry(struct page *table, struct pte *slot, u64 va, void *arg)
{
	struct swap_off *s = arg;
	struct pte e = pte_load(slot);

	if (!pte_is_swap(e) || !swap_slot_is_on(pte_swap_slot(e), s->device))
		return true;
	s->found = true;
	s->va = va;
	return false;
}

/* Fill all entries of the device in one space. */
static int space_swap_in(struct mm *mm, void *arg)
{
	struct swap_off *s = arg;
	bool major;

	for (u64 va = 0;; va = s->va + PAGE_SIZE) {
		s->found = false;
		read_lock(&mm->rw);
		node_for_each_leaf(mm, va, USER_END, find_entry, s);
		read_unlock(&mm->rw);
		if (!s->found)
			return 0;
		int err;
		while ((err = swap_fill(mm, s->va, &major)) == -ENOMEM)
			if (!memory_reclaim())
				return -ENOMEM;
		if (err)
			return err;
		if (thread_interrupted() || thread_killed())
			return -EINTR;
		s->filled++;
		cpu_preempt_point();
	}
}

/* Slots of the area that are in use by entries and objects: all of them come back. */
static int area_empty(struct swap_area *a)
{
	struct swap_off s = { .device = a->device };

	/* Again for what a fork or a move carried past the walk, or is still on its way out. */
	while (!swap_area_release(a)) {
		u64 before = s.filled;
		int err = space_for_each(space_swap_in, &s);

		if (!err)
			err = object_swap_in_all(s.device, &s.filled);
		if (err)
			return err;
		if (thread_interrupted() || thread_killed())
			return -EINTR;
		if (s.filled == before) /* a write, or a space that goes, is on its way */
			cpu_preempt_point();
	}
	return 0;
}

/*
 * Is there room for what the closed area holds: free frames, clean cache, other areas? Without it,
 * bringing pages back would only end in the death of a process.
 */
static bool area_fits(const struct swap_area *a)
{
	u64 away = load_relaxed(&a->used), cached = swap_cache_frames();
	u64 files = object_cache_frames() - object_shmem_frames() - object_dirty_frames();

	return away <= cached + frame_free_count() + files + swap_free_slots();
}

int swap_remove(void *device)
{
	struct swap_area *a = swap_area_close(device);

	if (!a)
		return -EINVAL;
	int err = area_fits(a) ? area_empty(a) : -ENOMEM;
	if (err)
		swap_area_reopen(a);
	return err;
}
