/* collapse.h - making 2 MiB pages of small ones. Private to mm. */
#ifndef MM_COLLAPSE_H
#define MM_COLLAPSE_H

#include "mm/space.h"

/*
 * Make one 2 MiB page of what is at va, a multiple of 2 MiB. 0; -EINVAL: it cannot be, or nothing is
 * there; -ENOMEM: there is no such block; -EAGAIN: pages are in swap; -EFAULT: guards are there. No
 * lock held; may sleep.
 */
int space_collapse(struct mm *mm, u64 va);

#endif
