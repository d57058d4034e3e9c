/*
 * tunable.h - the values under /proc/sys/vm that an administrator may change while the machine
 * runs. fs/procfs_vm.c shows and sets them and keeps them within their limits; who acts on one reads
 * it with load_relaxed when it is needed. Names, units and defaults are Linux's (its
 * Documentation/admin-guide/sysctl/vm.rst).
 */
#ifndef MM_TUNABLE_H
#define MM_TUNABLE_H

#include "lib/types.h"

#define OVERCOMMIT_GUESS 0u
#define OVERCOMMIT_ALWAYS 1u
#define OVERCOMMIT_NEVER 2u

/* A: all of them. */
struct mm_tunables {
	u64 overcommit_memory;  /* OVERCOMMIT_* */
	u64 overcommit_ratio;   /* percent of memory; 0 while overcommit_kbytes is in force */
	u64 overcommit_kbytes;  /* KiB; 0: overcommit_ratio is in force */
	u64 admin_reserve;      /* KiB kept for those with CAP_SYS_ADMIN */
	u64 user_reserve;       /* KiB kept for a user to help himself, under OVERCOMMIT_NEVER */
	u64 max_map_count;      /* areas of one space */
	u64 min_free;           /* KiB; 0: what mm thinks right */
	u64 swappiness;         /* 0-200: how readily anonymous pages go, 100: as files' pages do */
	u64 page_cluster;       /* log2 of the pages read ahead from swap */
	u64 vfs_cache_pressure; /* percent: how readily names go, 100: as pages do */
	u64 panic_on_oom;
	u64 oom_kill_allocating_task;
	u64 oom_dump_tasks;
	u64 dirty_ratio, dirty_bytes; /* of memory, percent or bytes: one of them is 0 */
	u64 dirty_background_ratio, dirty_background_bytes;
	u64 dirty_expire;    /* 1/100 s: dirty pages older than this are written */
	u64 dirty_writeback; /* 1/100 s between rounds of writing; 0: none */
};

extern struct mm_tunables mm_tunables;

#endif
