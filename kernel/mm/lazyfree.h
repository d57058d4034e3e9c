/* lazyfree.h - MADV_FREE. Private to mm. */
#ifndef MM_LAZYFREE_H
#define MM_LAZYFREE_H

#include "mm/space.h"

/*
 * The private pages of [start, end) that are this space's alone may be dropped until they are written
 * to. No lock held.
 */
void space_free_lazily(struct mm *mm, u64 start, u64 end);

#endif
