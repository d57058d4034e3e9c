/*
 * procfs_memory_priv.h - the figures of the machine's memory that several files of /proc show.
 */
#ifndef FS_PROCFS_MEMORY_PRIV_H
#define FS_PROCFS_MEMORY_PRIV_H

#include "fs/procfs_priv.h"
#include "mm/census.h"

#define PROC_ZONE "Normal"

struct figures { /* frames, or events since boot */
	u64 zero;
	u64 total, free, available;
	u64 cache, shmem, dirty, mapped, anon, locked;
	u64 file;      /* cache without shared memory */
	u64 reclaimed; /* slabs of names and inodes, which go when memory is short */
	u64 kernel;    /* slabs and blocks that stay, stacks not included */
	u64 stacks, stacks_kib, tables;
	u64 huge_nodes, huge_frames, huge_faults, huge_fallbacks, huge_splits, huge_dissolved;
	u64 minor_faults, major_faults, faults, reused;
	u64 allocated, freed, read_kib, written_kib, written;
	u64 dirty_limit, dirty_background_limit;
	u64 anon_and_shmem;
	u64 drop_pages, drop_names; /* writes to drop_caches */
	u64 swap_cache, swap_total, swap_free, swapped_in, swapped_out;
	u64 scanned, stolen, background_scanned, background_stolen; /* by reclaim */
	u64 writing, dirtied;
	u64 oom_kills;
	u64 blocks[FRAME_ORDER_MAX + 1];
};

/* Gather all. Costs a look at each frame's descriptor. */
void proc_figures(struct figures *f);

#endif
