/*
 * procfs_vmstat.c - the same figures by Linux's names for them: vmstat, and zoneinfo, which is vmstat
 * once more with the zone's limits.
 *
 * The rule: a line is a name and what it shows; the order is Linux's (6.1). Next: procfs_frames.c.
 */
#include "fs/procfs_memory_priv.h"
#include "lib/string.h"
#include "mm/tunable.h"

struct figure_line {
	const char *name;
	u32 offset; /* into struct figures */
};

#define FIGURE(name_, field_)                                             \
	{                                                                 \
		.name = name_, .offset = offsetof(struct figures, field_) \
	}
#define NONE(name_) FIGURE(name_, zero)

/* clang-format off */
static const struct figure_line lines[] = {
	FIGURE("nr_free_pages", free),
	NONE("nr_zone_inactive_anon"),
	FIGURE("nr_zone_active_anon", anon_and_shmem),
	NONE("nr_zone_inactive_file"),
	FIGURE("nr_zone_active_file", file),
	FIGURE("nr_zone_unevictable", locked),
	FIGURE("nr_zone_write_pending", dirty),
	FIGURE("nr_mlock", locked),
	NONE("nr_bounce"),
	NONE("nr_zspages"),
	NONE("nr_free_cma"),
	FIGURE("numa_hit", allocated),
	NONE("numa_miss"),
	NONE("numa_foreign"),
	NONE("numa_interleave"),
	FIGURE("numa_local", allocated),
	NONE("numa_other"),
	NONE("nr_inactive_anon"),
	FIGURE("nr_active_anon", anon_and_shmem),
	NONE("nr_inactive_file"),
	FIGURE("nr_active_file", file),
	FIGURE("nr_unevictable", locked),
	FIGURE("nr_slab_reclaimable", reclaimed),
	FIGURE("nr_slab_unreclaimable", kernel),
	NONE("nr_isolated_anon"),
	NONE("nr_isolated_file"),
	NONE("workingset_nodes"),
	NONE("workingset_refault_anon"),
	NONE("workingset_refault_file"),
	NONE("workingset_activate_anon"),
	NONE("workingset_activate_file"),
	NONE("workingset_restore_anon"),
	NONE("workingset_restore_file"),
	NONE("workingset_nodereclaim"),
	FIGURE("nr_anon_pages", anon),
	FIGURE("nr_mapped", mapped),
	FIGURE("nr_file_pages", cache),
	FIGURE("nr_dirty", dirty),
	FIGURE("nr_writeback", writing),
	NONE("nr_writeback_temp"),
	FIGURE("nr_shmem", shmem),
	NONE("nr_shmem_hugepages"),
	NONE("nr_shmem_pmdmapped"),
	NONE("nr_file_hugepages"),
	NONE("nr_file_pmdmapped"),
	FIGURE("nr_anon_transparent_hugepages", huge_nodes),
	NONE("nr_vmscan_write"),
	NONE("nr_vmscan_immediate_reclaim"),
	FIGURE("nr_dirtied", dirtied),
	FIGURE("nr_written", written),
	NONE("nr_throttled_written"),
	NONE("nr_kernel_misc_reclaimable"),
	NONE("nr_foll_pin_acquired"),
	NONE("nr_foll_pin_released"),
	FIGURE("nr_kernel_stack", stacks_kib),
	FIGURE("nr_page_table_pages", tables),
	NONE("nr_sec_page_table_pages"),
	FIGURE("nr_swapcached", swap_cache),
	NONE("pgpromote_success"),
	NONE("pgpromote_candidate"),
	FIGURE("nr_dirty_threshold", dirty_limit),
	FIGURE("nr_dirty_background_threshold", dirty_background_limit),
	FIGURE("pgpgin", read_kib),
	FIGURE("pgpgout", written_kib),
	FIGURE("pswpin", swapped_in),
	FIGURE("pswpout", swapped_out),
	NONE("pgalloc_dma"),
	NONE("pgalloc_dma32"),
	FIGURE("pgalloc_normal", allocated),
	NONE("pgalloc_movable"),
	NONE("pgalloc_device"),
	NONE("allocstall_dma"),
	NONE("allocstall_dma32"),
	NONE("allocstall_normal"),
	NONE("allocstall_movable"),
	NONE("allocstall_device"),
	NONE("pgskip_dma"),
	NONE("pgskip_dma32"),
	NONE("pgskip_normal"),
	NONE("pgskip_movable"),
	NONE("pgskip_device"),
	FIGURE("pgfree", freed),
	NONE("pgactivate"),
	NONE("pgdeactivate"),
	NONE("pglazyfree"),
	FIGURE("pgfault", faults),
	FIGURE("pgmajfault", major_faults),
	NONE("pglazyfreed"),
	NONE("pgrefill"),
	FIGURE("pgreuse", reused),
	FIGURE("pgsteal_kswapd", background_stolen),
	FIGURE("pgsteal_direct", stolen),
	NONE("pgdemote_kswapd"),
	NONE("pgdemote_direct"),
	FIGURE("pgscan_kswapd", background_scanned),
	FIGURE("pgscan_direct", scanned),
	NONE("pgscan_direct_throttle"),
	NONE("pgscan_anon"),
	NONE("pgscan_file"),
	NONE("pgsteal_anon"),
	NONE("pgsteal_file"),
	NONE("zone_reclaim_failed"),
	NONE("pginodesteal"),
	NONE("slabs_scanned"),
	NONE("kswapd_inodesteal"),
	NONE("kswapd_low_wmark_hit_quickly"),
	NONE("kswapd_high_wmark_hit_quickly"),
	NONE("pageoutrun"),
	NONE("pgrotated"),
	FIGURE("drop_pagecache", drop_pages),
	FIGURE("drop_slab", drop_names),
	FIGURE("oom_kill", oom_kills),
	NONE("numa_pte_updates"),
	NONE("numa_huge_pte_updates"),
	NONE("numa_hint_faults"),
	NONE("numa_hint_faults_local"),
	NONE("numa_pages_migrated"),
	NONE("pgmigrate_success"),
	NONE("pgmigrate_fail"),
	NONE("thp_migration_success"),
	NONE("thp_migration_fail"),
	NONE("thp_migration_split"),
	NONE("compact_migrate_scanned"),
	NONE("compact_free_scanned"),
	NONE("compact_isolated"),
	NONE("compact_stall"),
	NONE("compact_fail"),
	NONE("compact_success"),
	NONE("compact_daemon_wake"),
	NONE("compact_daemon_migrate_scanned"),
	NONE("compact_daemon_free_scanned"),
	NONE("htlb_buddy_alloc_success"),
	NONE("htlb_buddy_alloc_fail"),
	NONE("unevictable_pgs_culled"),
	NONE("unevictable_pgs_scanned"),
	NONE("unevictable_pgs_rescued"),
	NONE("unevictable_pgs_mlocked"),
	NONE("unevictable_pgs_munlocked"),
	NONE("unevictable_pgs_cleared"),
	NONE("unevictable_pgs_stranded"),
	FIGURE("thp_fault_alloc", huge_faults),
	FIGURE("thp_fault_fallback", huge_fallbacks),
	NONE("thp_fault_fallback_charge"),
	NONE("thp_collapse_alloc"),
	NONE("thp_collapse_alloc_failed"),
	NONE("thp_file_alloc"),
	NONE("thp_file_fallback"),
	NONE("thp_file_fallback_charge"),
	NONE("thp_file_mapped"),
	FIGURE("thp_split_page", huge_dissolved),
	NONE("thp_split_page_failed"),
	NONE("thp_deferred_split_page"),
	FIGURE("thp_split_pmd", huge_splits),
	NONE("thp_scan_exceed_none_pte"),
	NONE("thp_scan_exceed_swap_pte"),
	NONE("thp_scan_exceed_share_pte"),
	NONE("thp_split_pud"),
	NONE("thp_zero_page_alloc"),
	NONE("thp_zero_page_alloc_failed"),
	NONE("thp_swpout"),
	NONE("thp_swpout_fallback"),
	NONE("balloon_inflate"),
	NONE("balloon_deflate"),
	NONE("balloon_migrate"),
	NONE("swap_ra"),
	NONE("swap_ra_hit"),
	NONE("ksm_swpin_copy"),
	NONE("cow_ksm"),
	NONE("zswpin"),
	NONE("zswpout"),
	NONE("direct_map_level2_splits"),
	NONE("direct_map_level3_splits"),
	NONE("nr_unstable"),
};
/* clang-format on */

static u64 figure(const struct figures *f, const struct figure_line *l)
{
	return *(const u64 *)((const char *)f + l->offset);
}

int proc_vmstat_show(struct text *t, const struct proc_node *n)
{
	struct figures f;

	proc_figures(&f);
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++)
		text_printf(t, "%s %lu\n", lines[i].name, figure(&f, &lines[i]));
	return 0;
}

/* --- zoneinfo --- */

static void zone_lines(struct text *t, const struct figures *f, u32 first, u32 end)
{
	for (u32 i = first; i < end; i++)
		text_printf(t, "\n      %-12s %lu", lines[i].name, figure(f, &lines[i]));
}

/* The line of that name. */
static u32 line_of(const char *name)
{
	u32 i = 0;

	while (strcmp(lines[i].name, name) != 0)
		i++;
	return i;
}

int proc_zoneinfo_show(struct text *t, const struct proc_node *n)
{
	u32 node = line_of("nr_inactive_anon"), node_end = line_of("nr_dirty_threshold");
	u64 reserve = load_relaxed(&mm_tunables.min_free) >> (PAGE_SHIFT - 10);
	struct figures f;

	proc_figures(&f);
	text_printf(t, "Node 0, zone %8s\n  per-node stats", PROC_ZONE);
	zone_lines(t, &f, node, node_end);
	text_printf(t,
		    "\n  pages free     %lu\n        boost    0\n        min      %lu\n        "
		    "low      %lu\n        high     %lu",
		    f.free, reserve, reserve, reserve);
	text_printf(t,
		    "\n        spanned  %lu\n        present  %lu\n        managed  %lu\n        "
		    "cma      0\n        protection: (0, 0)",
		    frame_total, frame_total, f.total);
	zone_lines(t, &f, 0, node);
	text_string(t, "\n  pagesets\n  node_unreclaimable:  0\n  start_pfn:           0\n");
	return 0;
}
