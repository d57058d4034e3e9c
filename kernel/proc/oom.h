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

#endif
