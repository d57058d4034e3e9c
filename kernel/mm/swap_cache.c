/*
 * swap_cache.c - pages whose bytes are, or will be, in a slot of a swap area.
 *
 * Central rules. A page of the swap cache is writable nowhere and so does not change: it is written
 * out once, and its slot stays right. It leaves the cache only under its lock: when nobody names the
 * slot any more, or when it is clean and nothing but the cache refers to it (then the slot has the
 * bytes). While it is read or written it is locked; whoever wants it waits.
 *
 * PROTOCOL rule 2 follows: a page in the cache has the cache's reference, so its count is not 1, and
 * nobody takes it for his alone. Read reclaim.c next.
 */
#include "lib/print.h"
#include "mm/node.h"
#include "mm/page.h"
#include "mm/swap_priv.h"

/* A read brings in the named neighbours in the aligned window of so many slots. */
#define READ_AROUND 8u

static u64 cached_pages; /* written under swap_lock, read by anybody */

u64 swap_cache_frames(void)
{
	return load_relaxed(&cached_pages);
}

void swap_cache_remove(struct page *p)
{
	u64 slot = p->cache.index;
	struct swap_slot *s = swap_slot_at(slot);

	debug_assert(page_has(p, PAGE_SWAPCACHE) && s->cached == page_number(p));
	s->cached = 0;
	sole_add(&cached_pages, -1ull);
	page_flag_clear(p, PAGE_SWAPCACHE | PAGE_DIRTY | PAGE_UPTODATE | PAGE_REFERENCED);
	p->cache.index = 0;
	if (!s->users)
		swap_slot_freed(slot);
}

/* swap_lock held; p has the caller's lock. The cache takes a reference. */
static void cache_insert(struct page *p, u64 slot, u16 flags)
{
	swap_slot_at(slot)->cached = (u32)page_number(p);
	p->cache.index = slot;
	page_flag_set(p, (u16)(PAGE_SWAPCACHE | flags));
	page_get(p);
	sole_add(&cached_pages, 1ull);
}

u64 swap_cache_add(struct page *p)
{
	u64 slot;

	debug_assert(p->kind == PAGE_ANON && page_has(p, PAGE_LOCKED));
	spin_lock(&swap_lock);
	if (page_has(p, PAGE_SWAPCACHE)) {
		slot = p->cache.index;
		swap_slot_at(slot)->users++;
	} else {
		slot = swap_take_slot();
		if (slot)
			cache_insert(p, slot, PAGE_DIRTY | PAGE_UPTODATE);
	}
	spin_unlock(&swap_lock);
	return slot;
}

struct page *swap_cache_find(u64 slot)
{
	struct page *p = NULL;

	spin_lock(&swap_lock);
	struct swap_slot *s = swap_slot_find(slot);
	if (s && s->cached && page_is_uptodate(page_at(s->cached))) {
		p = page_at(s->cached);
		page_get(p);
		page_referenced(p);
	}
	spin_unlock(&swap_lock);
	return p;
}

void swap_cache_filled(struct page *p)
{
	bool last;

	spin_lock(&swap_lock);
	struct swap_slot *s = swap_slot_at(p->cache.index);
	debug_assert(s->users);
	last = --s->users == 0;
	if (last)
		swap_cache_remove(p);
	spin_unlock(&swap_lock);
	if (last)
		page_put(p); /* the cache's; the entry has one */
}

/* swap_lock held: may the slot's page be read in by whoever reads a neighbour? */
static bool slot_wants_page(u64 slot)
{
	struct swap_slot *s = swap_slot_find(slot);

	return s && s->users && s->users != SLOT_BAD && !s->cached;
}

/*
 * Put as many of the frames as fit into the cache for the run of slots around `slot` that want a
 * page: *first, and how many. swap_lock is taken.
 */
static u32 cache_insert_run(u64 slot, struct page **frames, u32 nframes, u64 *first)
{
	u64 low = ROUND_DOWN(slot, READ_AROUND), high = low + READ_AROUND;
	u64 start = slot, end = slot + 1;
	u32 n = 0;

	spin_lock(&swap_lock);
	if (slot_wants_page(slot)) {
		while (end < high && end - start < nframes && slot_wants_page(end))
			end++;
		while (start > low && end - start < nframes && slot_wants_page(start - 1))
			start--;
		for (u64 at = start; at < end; at++, n++) {
			frames[n]->flags = PAGE_LOCKED;
			cache_insert(frames[n], at, 0);
		}
	}
	spin_unlock(&swap_lock);
	*first = start;
	return n;
}

/* A read is over: the pages have their slots' bytes, or (err) are nobody's. */
static void cache_read_done(struct page **frames, u32 n, int err)
{
	for (u32 i = 0; i < n; i++) {
		struct page *p = frames[i];

		if (!err) {
			page_flag_set(p, PAGE_UPTODATE);
			swap_cache_release(p);
			continue;
		}
		spin_lock(&swap_lock);
		swap_cache_remove(p);
		spin_unlock(&swap_lock);
		page_unlock(p);
		node_drop(p); /* the cache's reference */
		node_drop(p);
	}
}

/* Read the slot's page, and its neighbours' as far as there are frames. 0, -ENOMEM or -EIO. */
static int slot_read(u64 slot)
{
	struct page *frames[READ_AROUND];
	u64 first;
	u32 have = 0;

	while (have < READ_AROUND && (frames[have] = anon_alloc()))
		have++;
	if (!have)
		return -ENOMEM;
	u32 n = cache_insert_run(slot, frames, have, &first);
	while (have > n)
		anon_free(frames[--have]);
	if (!n) /* somebody else was first, or nobody wants it any more */
		return 0;
	int err = swap_read(first, frames, n);
	cache_read_done(frames, n, err);
	return err;
}

struct page *swap_cache_page(u64 slot, bool *major)
{
	for (;;) {
		struct page *p = NULL;

		spin_lock(&swap_lock);
		struct swap_slot *s = swap_slot_find(slot);
		bool wanted = s && s->users && s->users != SLOT_BAD;
		if (wanted && s->cached) {
			p = page_at(s->cached);
			page_get(p);
			page_referenced(p);
		}
		spin_unlock(&swap_lock);
		if (!wanted)
			return NULL;
		if (p) {
			if (page_is_uptodate(p))
				return p;
			page_wait(p);
			node_drop(p);
			continue;
		}
		*major = true;
		int err = slot_read(slot);
		if (err)
			return ERR_PTR(err);
	}
}

/* In order of slots, so that neighbours are written together. */
static void sort_by_slot(struct page **pages, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		struct page *p = pages[i];
		u32 at = i;

		for (; at > 0 && pages[at - 1]->cache.index > p->cache.index; at--)
			pages[at] = pages[at - 1];
		pages[at] = p;
	}
}

void swap_cache_write(struct page **pages, u32 count)
{
	u32 n;

	sort_by_slot(pages, count);
	for (u32 i = 0; i < count; i += n) {
		u64 first = pages[i]->cache.index;

		for (n = 1; i + n < count && pages[i + n]->cache.index == first + n;)
			n++;
		if (swap_write(first, &pages[i], n))
			continue;
		for (u32 j = i; j < i + n; j++)
			page_flag_clear(pages[j], PAGE_DIRTY);
	}
}

/*
 * Unlock p and give up the caller's reference. It leaves the cache if nobody names the slot any more
 * or, if it is to be evicted, if it is clean and nothing but the cache and the caller refers to it: a
 * new reference would come from an entry, or from the cache under swap_lock.
 */
static bool cache_release(struct page *p, bool evict)
{
	bool freed = false;

	spin_lock(&swap_lock);
	if (page_has(p, PAGE_SWAPCACHE)) {
		bool unused = !swap_slot_at(p->cache.index)->users;
		bool idle = page_count(p) == 2;

		if (unused || (evict && idle && !page_has(p, PAGE_DIRTY))) {
			swap_cache_remove(p);
			atomic_sub(page_count_slot(p), 1);
			freed = idle;
		}
	}
	page_unlock(p);
	spin_unlock(&swap_lock);
	node_drop(p);
	return freed;
}

void swap_cache_release(struct page *p)
{
	(void)cache_release(p, false);
}

bool swap_cache_evict(struct page *p)
{
	return cache_release(p, true);
}

/* --- pages that nothing refers to: read ahead, or written in vain --- */

/*
 * swap_lock held. The next such page of the area from its sweep on, locked and with a reference;
 * *left: slots that may still be looked at.
 */
static struct page *area_next_idle(struct swap_area *a, u64 *left)
{
	for (; *left; --*left) {
		u64 at = a->sweep < a->pages ? a->sweep : 0;

		a->sweep = at + 1;
		struct swap_slot *s = swap_slot_at(swap_slot_number(a, at));
		if (!s->cached)
			continue;
		struct page *p = page_at(s->cached);
		if (page_count(p) != 1 || !page_trylock(p))
			continue;
		if (!page_has(p, PAGE_REFERENCED)) {
			page_get(p);
			return p;
		}
		page_flag_clear(p, PAGE_REFERENCED); /* a second chance */
		page_unlock(p);
	}
	return NULL;
}

u64 swap_cache_shrink(u64 max)
{
	struct page *pages[SWAP_CLUSTER];
	u64 freed = 0;
	u32 n = 0, dirty = 0;

	max = min(max, (u64)SWAP_CLUSTER);
	spin_lock(&swap_lock);
	for (u32 i = 0; i < SWAP_AREAS_MAX && load_relaxed(&cached_pages); i++) {
		u64 left = swap_areas[i].pages;

		while (n < max && (pages[n] = area_next_idle(&swap_areas[i], &left)))
			n++;
	}
	spin_unlock(&swap_lock);
	for (u32 i = 0; i < n; i++) { /* dirty ones first */
		struct page *p = pages[i];

		if (page_has(p, PAGE_DIRTY)) {
			pages[i] = pages[dirty];
			pages[dirty++] = p;
		}
	}
	swap_cache_write(pages, dirty);
	for (u32 i = 0; i < n; i++)
		freed += swap_cache_evict(pages[i]);
	return freed;
}

void swap_for_each_cached(void (*fn)(struct page *p, u64 slot, void *arg), void *arg)
{
	for (u32 i = 0; i < SWAP_AREAS_MAX; i++) {
		const struct swap_area *a = &swap_areas[i];

		for (u64 page = 0; a->ops && page < a->pages; page++) {
			u64 slot = swap_slot_number(a, page);

			if (swap_slot_at(slot)->cached)
				fn(page_at(swap_slot_at(slot)->cached), slot, arg);
		}
	}
}
