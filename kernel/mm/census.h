/*
 * census.h - what the frames are used for, by a look at each descriptor.
 */
#ifndef MM_CENSUS_H
#define MM_CENSUS_H

#include "mm/frame.h"

struct frame_census {
	u64 by_kind[PAGE_KINDS];
	u64 mapped;   /* cache pages that tables refer to */
	u64 unmapped; /* private pages that only the swap cache has */
	u64 free_blocks[FRAME_ORDER_MAX +
			1]; /* of the allocator, by order; CPUs keep single frames beside */
};

/*
 * Costs some instructions for each frame that is in use, takes no lock and lets others run meanwhile:
 * exact only if nothing changes.
 */
void frame_census(struct frame_census *out);

/* How many tables refer to a page; its membership in a cache is none. 0 of what is never mapped. */
u32 page_mappings(const struct page *p);

#endif
