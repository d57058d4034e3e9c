/*
 * reclaim.h - getting frames back when they run short.
 *
 * User memory (PAGE_ANON, PAGE_CACHE, tables) leaves a reserve of frames untouched, so that the
 * kernel's own allocations go through while reclaim works; frame_alloc for user memory fails at the
 * reserve, its caller unwinds until it holds nothing, calls memory_reclaim and tries again.
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

#include "lib/types.h"

/*
 * Free some frames: clean cache pages are dropped, anonymous and shared memory goes to swap, dirty
 * file pages are written. No spinlock, space lock, page lock or object lock may be held; an inode's
 * lock may. May sleep. False: nothing could be freed; the caller's memory must come from a victim
 * (proc/oom.c) or its call fails with ENOMEM.
 */
bool memory_reclaim(void);

struct mm;
struct area;
/*
 * madvise's MADV_COLD, and (out) MADV_PAGEOUT: private memory and mappings of the space alone in
 * [start, end) count as not used lately, or are taken out at once, if nothing else maps them; clean
 * pages of the area's object leave the cache, too. a: the area that the range lies in (NULL: some),
 * counted. No lock held; may sleep.
 */
void memory_advise(struct mm *mm, u64 start, u64 end, bool out, const struct area *a);

/* What has been done since boot, by who needed memory [0] and by the thread [1]: pages. A */
struct reclaim_counters {
	u64 scanned; /* looked at by the back hand */
	u64 freed;
};
void reclaim_counters(struct reclaim_counters out[2]);

/* A hint, cheap, from anywhere without a spinlock: wake the thread below if frames run short. */
void memory_want(void);

/* The body of the thread that keeps some frames free ahead of need. Never returns. */
void reclaim_thread(void *unused);

void reclaim_init(void);
/* Set the reserve (frame_reserve) by the machine's size: from then on vm.min_free_kbytes says it. */
void reclaim_reserve(void);

#endif
