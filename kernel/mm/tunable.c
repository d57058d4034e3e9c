/*
 * tunable.c - what the values of /proc/sys/vm are as long as nobody changes them.
 */
#include "mm/tunable.h"

struct mm_tunables mm_tunables = {
	.overcommit_memory = OVERCOMMIT_GUESS,
	.overcommit_ratio = 50,
	.admin_reserve = 8192,
	.user_reserve = 131072,
	.max_map_count = 65530,
	.swappiness = 60,
	.page_cluster = 3,
	.vfs_cache_pressure = 100,
	.oom_dump_tasks = 1,
	.dirty_ratio = 20,
	.dirty_background_ratio = 10,
	.dirty_expire = 3000,
	.dirty_writeback = 500,
};
