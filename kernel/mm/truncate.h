/* truncate.h - taking an object's pages out of every space that maps them. Private to mm. */
#ifndef MM_TRUNCATE_H
#define MM_TRUNCATE_H

#include "lib/types.h"

struct object;

/*
 * Pages [first, end) of o are detached: replace every leaf that maps that part of o by a marker;
 * with `copies` (truncation, not hole punching: as Linux) private copies of it too. On return no
 * CPU can use them. No lock of RANK_SPACE or above may be held. May sleep.
 */
void truncate_unmap(struct object *o, u64 first, u64 end, bool copies);

#endif
