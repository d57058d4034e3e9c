/*
 * procfs_coppice.c - /proc/coppice: our own counters, for tests, for benchmarks, and for who wants
 * to know why memory is not shared any more.
 *
 * Lines of a name and a number. counters is the whole machine, self the reading process's space,
 * also beside its parent's; check walks all of memory and says whether the invariants hold; fail
 * makes allocations fail.
 * docs/counters.md explains the names.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "mm/shortage.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/proc.h"

#define CHECK_TEXT 512

static void line(struct text *t, const char *name, u64 value)
{
	text_printf(t, "%s %lu\n", name, value);
}

static int count_object(struct object *o, void *arg)
{
	++*(u64 *)arg;
	return 0;
}

static void add_slab_objects(const struct slab_cache *c, void *arg)
{
	*(u64 *)arg += slab_objects(c);
}

static void memory_lines(struct text *t)
{
	const struct mm_counters c = mm_counters_sum();
	u64 free, objects = 0, cache_objects = 0;

	cpus_pause();
	slab_trim_all(); /* objects that are free hold no frames then */
	cpus_resume();
	free = frame_free_count();

	slab_for_each(add_slab_objects, &objects);
	object_for_each(count_object, &cache_objects);
	line(t, "frames_total", frame_managed);
	line(t, "frames_free", free);
	line(t, "frames_used", frame_managed - free);
	line(t, "frames_cache", object_cache_frames());
	line(t, "frames_shmem", object_shmem_frames());
	line(t, "frames_kept", thread_kept_frames());
	line(t, "tables", c.tables);
	line(t, "anon_pages", c.anon_pages);
	line(t, "nodes", c.tables + c.anon_pages);
	line(t, "huge_pages", c.huge_nodes);
	line(t, "areas", area_live_count());
	line(t, "area_nodes", area_node_live_count());
	line(t, "objects", objects);
	line(t, "cache_objects", cache_objects);
}

static int counters_show(struct text *t, const struct proc_node *n)
{
	const struct mm_counters c = mm_counters_sum();

	memory_lines(t);
	line(t, "processes", process_live_count());
	line(t, "threads", thread_live_count());
	line(t, "spaces", c.spaces);
	line(t, "forks", c.forks);
	line(t, "fork_ns_last", load_relaxed(&space_fork_ns_last));
	line(t, "tables_copied", c.tables_copied);
	line(t, "tables_adopted", c.tables_adopted);
	line(t, "pages_copied", c.pages_copied);
	line(t, "pages_reused", c.pages_reused);
	line(t, "pages_zeroed", c.pages_zeroed);
	line(t, "huge_faults", c.huge_faults);
	line(t, "huge_fallbacks", c.huge_fallbacks);
	line(t, "huge_splits", c.huge_splits);
	line(t, "faults_minor", c.faults_minor);
	line(t, "faults_major", c.faults_major);
	line(t, "faults_spurious", c.faults_spurious);
	line(t, "shootdowns", c.shootdowns);
	return 0;
}

static int check_show(struct text *t, const struct proc_node *n)
{
	char *first = kzalloc(CHECK_TEXT);
	u32 violations;

	if (!first)
		return -ENOMEM;
	cpus_pause();
	violations = mm_check(first, CHECK_TEXT);
	cpus_resume();
	if (violations)
		text_printf(t, "%s\nviolations %u\n", first, violations);
	else
		text_string(t, "ok\n");
	kfree(first);
	return 0;
}

/* --- one space --- */

static void space_lines(struct text *t, struct mm *mm)
{
	const struct space_counters c = space_counters_sum(mm);
	struct space_rss rss = space_rss(mm);

	line(t, "tables_copied", c.tables_copied);
	line(t, "tables_adopted", c.tables_adopted);
	line(t, "pages_copied", c.pages_copied);
	line(t, "pages_reused", c.pages_reused);
	line(t, "pages_zeroed", c.pages_zeroed);
	line(t, "faults_minor", c.faults_minor);
	line(t, "faults_major", c.faults_major);
	line(t, "faults_spurious", c.faults_spurious);
	line(t, "rss_anon", rss.anon);
	line(t, "rss_file", rss.file);
	line(t, "rss_shmem", rss.shmem);
	line(t, "table_bytes", space_table_bytes(mm));
}

static void parent_lines(struct text *t, struct mm *mm)
{
	struct process *parent = process_find(process_parent_pid(process_current()));
	struct mm *other = parent && process_may_inspect(parent) ? process_mm_get(parent) : NULL;
	struct space_difference d;

	if (parent)
		process_put(parent);
	if (!other)
		return;
	space_compare(mm, other, &d);
	space_put(other);
	line(t, "shared_pages_parent", d.same);
	line(t, "changed_pages_parent", d.changed);
	line(t, "shared_tables_parent", d.tables_same);
	line(t, "changed_tables_parent", d.tables_changed);
}

static int self_show(struct text *t, const struct proc_node *n)
{
	struct mm *mm = process_mm_get(process_current());

	if (!mm)
		return -ESRCH;
	space_lines(t, mm);
	parent_lines(t, mm);
	space_put(mm);
	return 0;
}

/* --- failing allocations, in the kernel with all checks --- */

#ifdef COPPICE_DEBUG
/*
 * Writing N makes the N-th allocation of the writing thread from now fail, once (0: none); reading
 * says whether that has happened. Reading allocates too: if it fails itself, it has not.
 */
static int fail_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%u\n", shortage_current()->failed);
	return 0;
}

static int fail_store(const char *text, const struct proc_node *n)
{
	const char *end;
	u64 number = string_to_u64(text, &end);

	if (end == text || (*end && *end != '\n'))
		return -EINVAL;
	alloc_fail_once(number);
	return 0;
}
#endif

const struct proc_entry proc_coppice_children[PROC_COPPICE_CHILDREN] = {
	PROC_FILE("check", 0444, check_show),
	PROC_FILE("counters", 0444, counters_show),
#ifdef COPPICE_DEBUG
	PROC_WRITABLE("fail", 0666, fail_show, fail_store),
#endif
	PROC_FILE("self", 0444, self_show),
};
