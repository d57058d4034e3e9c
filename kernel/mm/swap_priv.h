/*
 * swap_priv.h - what swap.c (slots) and swap_cache.c (pages that have one) share. Everything here is
 * guarded by swap_lock.
 */
#ifndef MM_SWAP_PRIV_H
#define MM_SWAP_PRIV_H

#include "mm/swap.h"

#define SWAP_SLOTS_PER_CHUNK (PAGE_SIZE / sizeof(struct swap_slot))
#define SLOT_BAD UINT32_MAX

struct swap_slot {
	u32 users;  /* who names it; SLOT_BAD: must not be used */
	u32 cached; /* frame number of its page in the swap cache; 0: none */
};

struct swap_chunk {
	struct swap_slot *slots; /* SWAP_SLOTS_PER_CHUNK of them, in a frame of their own */
	u32 used;                /* slots that are not free */
};

struct swap_area {
	const struct swap_ops *ops; /* NULL: not in use */
	void *device;
	struct swap_chunk *chunks;
	u64 nchunks, pages;
	u64 usable, used; /* slots: not bad; not free */
	u64 next;         /* where the next free slot is looked for */
	u64 sweep;        /* where swap_cache_shrink goes on */
	s32 priority;
	bool open; /* slots may be taken */
	u64 age;   /* order of adding */
};

extern struct swap_area swap_areas[SWAP_AREAS_MAX];
extern struct spinlock swap_lock;

/* The slot of a number that its caller names, or may be out of date (slot_find: NULL if so). */
struct swap_slot *swap_slot_at(u64 slot);
struct swap_slot *swap_slot_find(u64 slot);
u64 swap_slot_number(const struct swap_area *a, u64 page);
/* A free slot, of the open area with the highest priority; users is 1. 0: none. */
u64 swap_take_slot(void);
/* Nobody names the slot and no page is cached for it any more. */
void swap_slot_freed(u64 slot);

/* --- for swapoff --- */

/* No slots of the device's area are given out from now on. NULL: there is no such open area. */
struct swap_area *swap_area_close(const void *device);
void swap_area_reopen(struct swap_area *a);
/* Forget a closed area, if no slot is in use any more. */
bool swap_area_release(struct swap_area *a);

/*
 * p, locked by the caller, leaves the cache. The cache's reference is the caller's to give up.
 */
void swap_cache_remove(struct page *p);

#endif
