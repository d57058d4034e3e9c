/*
 * oom.h - what happens when memory runs out and nothing can be reclaimed.
 */
#ifndef PROC_OOM_H
#define PROC_OOM_H

#include "proc/proc.h"

/*
 * How good a victim p is, in pages: what it has in memory and in swap, and its page tables, moved by
 * oom_score_adj in thousandths of oom_total_pages() (Linux's rule). OOM_NEVER: it may not be killed
 * for this, or has no space any more. May sleep.
 */
#define OOM_NEVER INT64_MIN
s64 oom_badness(struct process *p);
u64 oom_total_pages(void); /* memory and swap */

/*
 * The current thread's allocation has failed, and it has undone all that it did for it: wait until
 * there is memory, for which somebody may have to be killed. No lock of RANK_OOM or above, and no
 * spinlock may be held. True: try again. False: give up: the thread is to die (it may have been
 * chosen itself), or there is nobody who may be killed; `must`: then the current process is.
 */
bool oom_wait(bool must);
/*
 * As oom_wait for a call that has failed with -ENOMEM, if that was for want of memory: `before` is
 * shortage_current()->count of when it began.
 */
bool oom_retry(u64 before);

u64 oom_kill_count(void); /* since boot */

#endif
