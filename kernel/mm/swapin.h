/* swapin.h - filling swap entries. Private to mm. */
#ifndef MM_SWAPIN_H
#define MM_SWAPIN_H

#include "mm/space.h"

/*
 * If the entry at va names a swap slot, bring the page back and put it there, read-only. 0: done, or
 * there is something else by now; -ENOMEM; -EIO. *major is set if it was read. No lock held; may
 * sleep.
 */
int swap_fill(struct mm *mm, u64 va, bool *major);

#endif
