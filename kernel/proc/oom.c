/*
 * oom.c - out of memory: who dies, so that the rest can go on.
 *
 * Nobody waits for memory with a space or page lock held: the fault, or the system call, has undone
 * what it began and comes here with nothing but perhaps file locks. Read proc/fault.c for who calls.
 */
#include "proc/oom.h"

#include <linux/oom.h>

#include "mm/frame.h"
#include "mm/space.h"
#include "proc/process_priv.h"

u64 oom_total_pages(void)
{
	return frame_managed;
}

s64 oom_badness(struct process *p)
{
	s32 adjust = (s32)load_relaxed(&p->oom_score_adj);
	struct space_rss rss;
	struct mm *mm;
	u64 tables;

	if (p == init_process || adjust == OOM_SCORE_ADJ_MIN)
		return OOM_NEVER;
	mm = process_mm_get(p);
	if (!mm)
		return OOM_NEVER;
	rss = space_rss(mm);
	tables = space_table_bytes(mm) / PAGE_SIZE;
	space_put(mm);
	return (s64)(rss.anon + rss.file + rss.shmem + tables) +
	       adjust * ((s64)oom_total_pages() / OOM_SCORE_ADJ_MAX);
}
