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

/* Start to swap to the area. 0, -ENOMEM, -EPERM (SWAP_AREAS_MAX are in use). May sleep. */
int swap_add(const struct swap_request *r);
/*
 * Bring everything back from the device's area and stop using it. 0; -EINVAL: it is no swap area;
 * -ENOMEM: there is no room (the area is in use again); -EINTR. May sleep, long.
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

#endif
