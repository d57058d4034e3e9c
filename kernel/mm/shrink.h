/*
 * shrink.h - caches of other layers that give memory back when mm asks.
 */
#ifndef MM_SHRINK_H
#define MM_SHRINK_H

#include "lib/list.h"
#include "lib/types.h"

/*
 * Free up to n objects that can be made again: how many. Called with no spinlock, space, page or
 * object lock held, but perhaps with file locks: it must wait for none of them. It must not
 * allocate memory.
 */
struct shrinker {
	u64 (*shrink)(u64 n);
	struct list link; /* shrink.c */
};

/* For good. */
void shrinker_register(struct shrinker *s);
/* Ask each for up to n: how many objects went. */
u64 shrink_caches(u64 n);

#endif
