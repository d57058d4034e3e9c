/*
 * swap.h - swap areas: places outside memory for the bytes of pages that no file holds, and the swap
 * cache.
 *
 * A *slot* is one page of a swap area; its number names it in markers of the tree (pte_swap) and in
 * objects that are memory. A slot counts who names it; a page whose bytes are (or will be) in a slot
 * is in the swap cache, found by the slot's number. Read reclaim.c next: it moves pages out.
 */
#ifndef MM_SWAP_H
#define MM_SWAP_H

#include "mm/frame.h"

/* Most pages that one call of swap_ops moves. */
#define SWAP_CLUSTER 32u
#define SWAP_AREAS_MAX 4u

/* What mm asks of the device behind a swap area. */
struct swap_ops {
	/*
	 * Move `count` frames from or to the device's pages [first, first + count). May sleep;
	 * must not allocate memory (it is called to free some). 0 or -EIO.
	 */
	int (*read)(void *device, u64 first, struct page **frames, u32 count);
	int (*write)(void *device, u64 first, struct page **frames, u32 count);
	/* The area is in use no more (after swap_remove succeeded). May sleep. */
	void (*release)(void *device);
};

struct swap_request {
	const struct swap_ops *ops;
	void *device;
	u64 pages;      /* of the area; page 0 is the header and is never used */
	const u32 *bad; /* pages that must not be used */
	u32 bad_count;
	s32 priority; /* >= 0: as asked for; -1: below all that are there */
};

/*
 * Start to swap to the area. 0, -ENOMEM, -EPERM (SWAP_AREAS_MAX are in use), -EINVAL (no usable
 * page). May sleep.
 */
int swap_add(const struct swap_request *r);
/*
 * Bring everything back from the device's area and stop using it. 0; -EINVAL: it is no swap area;
 * -EBUSY: somebody else is at it; -ENOMEM: there is no room (the area is in use again); -EINTR; -EIO.
 * May sleep, long. No lock may be held.
 */
int swap_remove(void *device);

struct swap_status {
	void *device;
	u64 pages, used; /* usable ones, and those with bytes in them */
	s32 priority;
};
/* Of the n-th area in use, in order of adding. False: there are not so many. */
bool swap_status(u32 n, struct swap_status *out);

u64 swap_total_slots(void);
u64 swap_free_slots(void);
u64 swap_cache_frames(void); /* pages in the swap cache */
u64 swap_pages_in(void);     /* since boot, read and written */
u64 swap_pages_out(void);

/* --- slots: for mm --- */

/*
 * A free slot, named once, by the caller: who puts its bytes there with swap_write. 0: there is none.
 */
u64 swap_slot_take(void);
/* One more names the slot; one less. At the last its bytes are forgotten. Any lock up to RANK_NODE. */
void swap_slot_get(u64 slot);
void swap_slot_put(u64 slot);
/* How many name it. */
u32 swap_slot_users(u64 slot);
/* Its area, by number from 0, and its page there. */
u32 swap_slot_area(u64 slot);
u64 swap_slot_page(u64 slot);
/* Does the slot lie in the device's area? */
bool swap_slot_is_on(u64 slot, const void *device);
/* Bytes from or to `count` (at most SWAP_CLUSTER) consecutive slots. May sleep. 0 or -EIO. */
int swap_read(u64 slot, struct page **frames, u32 count);
int swap_write(u64 slot, struct page **frames, u32 count);

/* --- the swap cache: private pages --- */

/*
 * p, private and locked by the caller, will go to a slot: the slot, named once more for an entry that
 * the caller replaces by it. Puts p into the swap cache, dirty, if it is not there. 0: no slot is
 * free. Never sleeps.
 */
u64 swap_cache_add(struct page *p);
/*
 * The page of a slot, up to date, with a temporary reference; reads it, and neighbours, if need be:
 * then *major is set. NULL: nobody names the slot any more; ERR_PTR(-ENOMEM, -EIO). May sleep.
 */
struct page *swap_cache_page(u64 slot, bool *major);
/* The same if it is there and up to date; else NULL. Never sleeps. */
struct page *swap_cache_find(u64 slot);
/* Is p, locked by the caller, (still) the slot's page? */
static inline bool swap_cache_holds(const struct page *p, u64 slot)
{
	return (load_relaxed(&p->flags) & PAGE_SWAPCACHE) && p->cache.index == slot;
}
/*
 * An entry that named the slot of p, locked by the caller, refers to p itself now. If it was the last
 * to name it, p leaves the cache.
 */
void swap_cache_filled(struct page *p);
/*
 * Write locked, dirty pages of the cache out, in any order; count <= SWAP_CLUSTER. A page that could
 * not be written stays dirty. May sleep.
 */
void swap_cache_write(struct page **pages, u32 count);
/*
 * Unlock p and give up the caller's reference; p leaves the cache if nobody names its slot any more.
 */
void swap_cache_release(struct page *p);
/*
 * The same, and p also leaves the cache if it is clean and nothing else refers to it: true if that
 * freed the frame.
 */
bool swap_cache_evict(struct page *p);
/* Free pages of the cache that no entry refers to, at most max: how many. */
u64 swap_cache_shrink(u64 max);

/* --- for the checker --- */

/* Calls fn for each page of the cache with its slot. */
void swap_for_each_cached(void (*fn)(struct page *p, u64 slot, void *arg), void *arg);
/* Over all slots: the sum of users * swap_slot_hash(slot). */
u64 swap_users_sum(void);
static inline u64 swap_slot_hash(u64 slot)
{
	u64 h = (slot + 1) * 0x9e3779b97f4a7c15ull;

	return (h ^ h >> 29) * 0xbf58476d1ce4e5b9ull;
}

#endif
