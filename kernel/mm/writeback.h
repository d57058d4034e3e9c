/*
 * writeback.h - writing dirty pages out in the background: when, and how much at a time.
 *
 * mm knows no time of its own: who runs the background work (fs/flusher.c) says what time it is.
 */
#ifndef MM_WRITEBACK_H
#define MM_WRITEBACK_H

#include "lib/waitq.h"
#include "mm/object.h"

/* As Linux's vm.dirty_*; atomic. Ratios are percent of memory. */
struct writeback_settings {
	u32 background_ratio;   /* more dirty pages than that are written out at once */
	u32 ratio;              /* at that, who writes writes out too */
	u32 expire_centisecs;   /* older ones are written out */
	u32 interval_centisecs; /* how often that is looked for */
};
extern struct writeback_settings writeback_settings;

/* Woken when there is more dirty than the background ratio allows: writeback_is_due. */
extern struct waitq writeback_wait;
bool writeback_is_due(void);

/*
 * One round of the background work, at `now` (ns of any clock that does not go back): write out
 * what has been dirty since `expired` or before, then more while there is too much. May sleep.
 */
void writeback_run(u64 now, u64 expired);

/*
 * A writer has made pages of o dirty: wake the background work if there is much, and write some of
 * o's pages out where there is too much. No lock of RANK_SPACE or above may be held. May sleep.
 */
void writeback_balance(struct object *o);

#endif
