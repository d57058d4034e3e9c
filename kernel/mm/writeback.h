/*
 * writeback.h - writing dirty pages out in the background: when, and how much at a time.
 *
 * The limits are mm_tunables.dirty_*. mm knows no time of its own: who runs the background work (fs/flusher.c) says what time it is.
 */
#ifndef MM_WRITEBACK_H
#define MM_WRITEBACK_H

#include "lib/waitq.h"
#include "mm/object.h"

/* Woken when there is more dirty than may wait (vm.dirty_background_*): writeback_is_due. */
extern struct waitq writeback_wait;
bool writeback_is_due(void);

/*
 * One round of the background work, at `now` (ns of any clock that does not go back): write out
 * what has been dirty since `expired` or before, then more while there is too much. May sleep.
 */
void writeback_run(u64 now, u64 expired);

/*
 * A writer has made pages of o dirty: wake the background work if there is much, and write some of
 * o's pages out where there is too much (vm.dirty_*). No lock of RANK_SPACE or above may be held. May sleep.
 */
void writeback_balance(struct object *o);

#endif
