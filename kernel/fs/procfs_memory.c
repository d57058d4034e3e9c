/*
 * procfs_memory.c - the machine's memory: meminfo, buddyinfo, slabinfo. Names, order and units are
 * those of Linux 6.1.
 *
 * The rule: all figures of one file are gathered first. What this kernel has not is 0. There is one
 * zone: all memory is alike. Next: procfs_vmstat.c.
 */
#include <linux/stat.h>

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "fs/procfs_memory_priv.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "mm/tunable.h"
#include "proc/oom.h"

/* --- gathering --- */

static const char *const reclaimed_caches[] = { "dentry", "inode", "lower", "9p node" };

static void add_slabs(const struct slab_cache *c, void *arg)
{
	struct figures *f = arg;

	for (u32 i = 0; i < ARRAY_SIZE(reclaimed_caches); i++)
		if (strcmp(c->name, reclaimed_caches[i]) == 0)
			f->reclaimed += c->slabs;
}

static int add_locked(struct mm *mm, void *arg)
{
	*(u64 *)arg += space_locked_bytes(mm) >> PAGE_SHIFT;
	return 0;
}

/* What of memory that can be freed may be dirty, by a percentage or by bytes. */
static u64 limit_of(const struct figures *f, u64 ratio, u64 bytes)
{
	return bytes ? bytes >> PAGE_SHIFT : f->available * ratio / 100;
}

static void gather_kernel(struct figures *f, const struct frame_census *c)
{
	slab_for_each(add_slabs, f);
	f->stacks_kib = kib(thread_live_count() * KERNEL_STACK_SIZE);
	f->stacks = f->stacks_kib >> (PAGE_SHIFT - 10);
	f->kernel = c->by_kind[PAGE_KERNEL] + c->by_kind[PAGE_SLAB] + c->by_kind[PAGE_IMMORTAL];
	f->kernel -= min(f->kernel, f->reclaimed + f->stacks);
	frame_event_counts(&f->allocated, &f->freed);
}

static void gather_events(struct figures *f)
{
	const struct mm_counters c = mm_counters_sum();
	struct reclaim_counters reclaimed[2];

	f->minor_faults = c.faults_minor;
	f->major_faults = c.faults_major;
	f->faults = f->minor_faults + f->major_faults;
	f->oom_kills = oom_kill_count();
	reclaim_counters(reclaimed);
	f->scanned = reclaimed[0].scanned;
	f->stolen = reclaimed[0].freed;
	f->background_scanned = reclaimed[1].scanned;
	f->background_stolen = reclaimed[1].freed;
	f->reused = c.pages_reused;
	f->huge_nodes = c.huge_nodes;
	f->huge_frames = f->huge_nodes * PTES_PER_TABLE;
	f->huge_faults = c.huge_faults;
	f->huge_fallbacks = c.huge_fallbacks;
	f->huge_splits = c.huge_splits;
	f->huge_dissolved = c.huge_dissolved;
	f->read_kib = kib(c.pages_read << PAGE_SHIFT);
	f->written = c.pages_written;
	f->written_kib = kib(f->written << PAGE_SHIFT);
}

void proc_figures(struct figures *f)
{
	struct frame_census census;

	*f = (struct figures){ .total = frame_managed, .free = frame_free_count() };
	frame_census(&census);
	memcpy(f->blocks, census.free_blocks, sizeof(f->blocks));
	f->mapped = census.mapped;
	f->cache = object_cache_frames();
	f->shmem = min(object_shmem_frames(), f->cache);
	f->file = f->cache - f->shmem;
	f->dirty = object_dirty_frames();
	f->writing = object_writing_frames();
	f->dirtied = object_dirtied();
	f->anon = mm_counters_sum().anon_pages;
	f->anon -= min(f->anon, census.unmapped);
	f->swap_cache = swap_cache_frames();
	f->swap_total = swap_total_slots();
	f->swap_free = swap_free_slots();
	f->swapped_in = swap_pages_in();
	f->swapped_out = swap_pages_out();
	f->tables = mm_counters_sum().tables;
	gather_kernel(f, &census);
	gather_events(f);
	f->read_kib += kib(f->swapped_in << PAGE_SHIFT); /* what is swapped is paged, too */
	f->written_kib += kib(f->swapped_out << PAGE_SHIFT);
	f->anon_and_shmem = f->anon + f->shmem;
	proc_drop_counts(&f->drop_pages, &f->drop_names);
	f->available = f->free - min(f->free, frame_reserve) + f->file + f->reclaimed;
	space_for_each(add_locked, &f->locked);
	f->locked = min(f->locked, f->anon + f->cache);
	f->dirty_limit = limit_of(f, load_relaxed(&mm_tunables.dirty_ratio),
				  load_relaxed(&mm_tunables.dirty_bytes));
	f->dirty_background_limit = limit_of(f, load_relaxed(&mm_tunables.dirty_background_ratio),
					     load_relaxed(&mm_tunables.dirty_background_bytes));
}

/* --- meminfo --- */

static void frames_line(struct text *t, const char *name, u64 frames)
{
	text_printf(t, "%-16s%8lu kB\n", name, (u64)(frames << (PAGE_SHIFT - 10)));
}

/* Nothing sorts pages into active and inactive ones: all that could be reclaimed counts as active. */
static void meminfo_user(struct text *t, const struct figures *f)
{
	frames_line(t, "MemTotal:", f->total);
	frames_line(t, "MemFree:", f->free);
	frames_line(t, "MemAvailable:", f->available);
	frames_line(t, "Buffers:", 0);
	frames_line(t, "Cached:", f->cache);
	frames_line(t, "SwapCached:", f->swap_cache);
	frames_line(t, "Active:", f->anon + f->cache);
	frames_line(t, "Inactive:", 0);
	frames_line(t, "Active(anon):", f->anon_and_shmem);
	frames_line(t, "Inactive(anon):", 0);
	frames_line(t, "Active(file):", f->file);
	frames_line(t, "Inactive(file):", 0);
	frames_line(t, "Unevictable:", f->locked);
	frames_line(t, "Mlocked:", f->locked);
	frames_line(t, "SwapTotal:", f->swap_total);
	frames_line(t, "SwapFree:", f->swap_free);
	frames_line(t, "Zswap:", 0);
	frames_line(t, "Zswapped:", 0);
	frames_line(t, "Dirty:", f->dirty);
	frames_line(t, "Writeback:", f->writing);
	frames_line(t, "AnonPages:", f->anon);
	frames_line(t, "Mapped:", f->mapped);
	frames_line(t, "Shmem:", f->shmem);
}

static void meminfo_kernel(struct text *t, const struct figures *f)
{
	frames_line(t, "KReclaimable:", f->reclaimed);
	frames_line(t, "Slab:", f->reclaimed + f->kernel);
	frames_line(t, "SReclaimable:", f->reclaimed);
	frames_line(t, "SUnreclaim:", f->kernel);
	frames_line(t, "KernelStack:", f->stacks);
	frames_line(t, "PageTables:", f->tables);
	frames_line(t, "SecPageTables:", 0);
	frames_line(t, "NFS_Unstable:", 0);
	frames_line(t, "Bounce:", 0);
	frames_line(t, "WritebackTmp:", 0);
	frames_line(t, "CommitLimit:", commit_limit());
	frames_line(t, "Committed_AS:", commit_charged());
	text_string(t, "VmallocTotal:   34359738367 kB\n");
	frames_line(t, "VmallocUsed:", f->stacks);
	frames_line(t, "VmallocChunk:", 0);
	frames_line(t, "Percpu:", 0);
	text_string(t, "HardwareCorrupted:     0 kB\n");
}

int proc_meminfo_show(struct text *t, const struct proc_node *n)
{
	struct figures f;

	proc_figures(&f);
	meminfo_user(t, &f);
	meminfo_kernel(t, &f);
	frames_line(t, "AnonHugePages:", f.huge_frames);
	frames_line(t, "ShmemHugePages:", 0);
	frames_line(t, "ShmemPmdMapped:", 0);
	frames_line(t, "FileHugePages:", 0);
	frames_line(t, "FilePmdMapped:", 0);
	text_string(t, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        "
		       "0\nHugePages_Surp:        0\nHugepagesize:       2048 kB\n");
	frames_line(t, "Hugetlb:", 0);
	frames_line(t, "DirectMap4k:", direct_map_bytes[1] >> PAGE_SHIFT);
	frames_line(t, "DirectMap2M:", direct_map_bytes[2] >> PAGE_SHIFT);
	frames_line(t, "DirectMap1G:", direct_map_bytes[3] >> PAGE_SHIFT);
	return 0;
}

/* --- the allocator --- */

int proc_buddyinfo_show(struct text *t, const struct proc_node *n)
{
	struct figures f;

	proc_figures(&f);
	text_printf(t, "Node 0, zone %8s ", PROC_ZONE);
	for (u32 order = 0; order <= FRAME_ORDER_MAX; order++)
		text_printf(t, "%6lu ", f.blocks[order]);
	text_string(t, "\n");
	return 0;
}

static void slab_line(const struct slab_cache *c, void *arg)
{
	u32 per_slab = (u32)PAGE_SIZE / c->size;

	text_printf(arg,
		    "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata %6lu %6lu %6u\n",
		    c->name, slab_objects(c), c->slabs * per_slab, c->size, per_slab, 1, 0, 0, 0,
		    c->slabs, c->slabs, 0);
}

int proc_slabinfo_show(struct text *t, const struct proc_node *n)
{
	text_string(
		t,
		"slabinfo - version: 2.1\n"
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		" : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
		"<num_slabs> <sharedavail>\n");
	slab_for_each(slab_line, t);
	return 0;
}
