/*
 * procfs_vm.c - /proc/sys/vm: the values that steer the memory manager (mm/tunable.h), and
 * drop_caches.
 *
 * The rule: a value is one line of a table, with its limits; what a write means beyond that is the
 * table's `changed`. A write is a decimal or hexadecimal number, blanks around it; anything else, or
 * a number outside the limits, is -EINVAL and changes nothing. Next: procfs_coppice.c.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "mm/object.h"
#include "mm/tunable.h"

struct tunable {
	u64 *value;
	u64 min, max;
	u64 *other; /* of the two one is in force: setting this makes the other 0 */
};

/* --- numbers --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The first number of text. False: it is none, or negative, or does not fit. */
static bool parse(const char *text, u64 *out)
{
	const char *end;

	while (is_blank(*text))
		text++;
	if (*text < '0' || *text > '9')
		return false;
	*out = string_to_u64(text, &end);
	return (!*end || is_blank(*end)) && end - text <= 19;
}

static int tunable_show(struct text *t, const struct proc_node *n)
{
	const struct tunable *v = n->entry->arg;

	text_printf(t, "%lu\n", load_relaxed(v->value));
	return 0;
}

static int tunable_store(const char *text, const struct proc_node *n)
{
	const struct tunable *v = n->entry->arg;
	u64 value;

	if (!parse(text, &value) || value < v->min || value > v->max)
		return -EINVAL;
	store_relaxed(v->value, value);
	if (v->other)
		store_relaxed(v->other, (u64)0);
	return 0;
}

/* --- caches --- */

#define DROP_PAGES 1
#define DROP_NAMES 2
#define DROP_QUIETLY 4

static u64 drops_of_pages, drops_of_names; /* A: since boot */

void proc_drop_counts(u64 *pages, u64 *names)
{
	*pages = load_relaxed(&drops_of_pages);
	*names = load_relaxed(&drops_of_names);
}

/* What is clean and unused goes at once. A second round takes what was used a moment ago. */
static int drop_caches_store(const char *text, const struct proc_node *n)
{
	u64 what;

	if (!parse(text, &what) || what < DROP_PAGES || what > DROP_QUIETLY)
		return -EINVAL;
	if (what & DROP_NAMES) {
		atomic_add(&drops_of_names, 1);
		dentry_shrink(UINT64_MAX);
	}
	if (!(what & DROP_PAGES))
		return 0;
	atomic_add(&drops_of_pages, 1);
	while (object_evict(UINT64_MAX))
		;
	return 0;
}

/* --- the table --- */

#define VALUE(field_, min_, max_)                                      \
	(const struct tunable)                                         \
	{                                                              \
		.value = &mm_tunables.field_, .min = min_, .max = max_ \
	}
#define VALUE_OR(field_, min_, max_, other_)                            \
	(const struct tunable)                                          \
	{                                                               \
		.value = &mm_tunables.field_, .min = min_, .max = max_, \
		.other = &mm_tunables.other_                            \
	}
#define TUNABLE(name_, value_)                                               \
	{                                                                    \
		.name = name_, .mode = S_IFREG | 0644, .show = tunable_show, \
		.store = tunable_store, .arg = &(value_)                     \
	}

#define INT_LIMIT 0x7fffffffull
#define LONG_LIMIT 0x7fffffffffffffffull

const struct proc_entry proc_sys_vm_children[PROC_SYS_VM_CHILDREN] = {
	TUNABLE("admin_reserve_kbytes", VALUE(admin_reserve, 0, LONG_LIMIT)),
	TUNABLE("dirty_background_bytes",
		VALUE_OR(dirty_background_bytes, 1, LONG_LIMIT, dirty_background_ratio)),
	TUNABLE("dirty_background_ratio",
		VALUE_OR(dirty_background_ratio, 0, 100, dirty_background_bytes)),
	TUNABLE("dirty_bytes", VALUE_OR(dirty_bytes, 2 * PAGE_SIZE, LONG_LIMIT, dirty_ratio)),
	TUNABLE("dirty_expire_centisecs", VALUE(dirty_expire, 0, INT_LIMIT)),
	TUNABLE("dirty_ratio", VALUE_OR(dirty_ratio, 0, 100, dirty_bytes)),
	TUNABLE("dirty_writeback_centisecs", VALUE(dirty_writeback, 0, INT_LIMIT)),
	{ .name = "drop_caches", .mode = S_IFREG | 0200, .store = drop_caches_store },
	PROC_PARAMETER("hugetlb_shm_group", "0\n"),
	PROC_PARAMETER("laptop_mode", "0\n"),
	PROC_PARAMETER("legacy_va_layout", "0\n"),
	TUNABLE("max_map_count", VALUE(max_map_count, 0, INT_LIMIT)),
	TUNABLE("min_free_kbytes", VALUE(min_free, 0, INT_LIMIT)),
	PROC_PARAMETER("mmap_min_addr", "65536\n"),
	PROC_PARAMETER("nr_hugepages", "0\n"),
	PROC_PARAMETER("nr_overcommit_hugepages", "0\n"),
	TUNABLE("oom_dump_tasks", VALUE(oom_dump_tasks, 0, INT_LIMIT)),
	TUNABLE("oom_kill_allocating_task", VALUE(oom_kill_allocating_task, 0, INT_LIMIT)),
	TUNABLE("overcommit_kbytes", VALUE_OR(overcommit_kbytes, 0, LONG_LIMIT, overcommit_ratio)),
	TUNABLE("overcommit_memory", VALUE(overcommit_memory, 0, OVERCOMMIT_NEVER)),
	TUNABLE("overcommit_ratio", VALUE_OR(overcommit_ratio, 0, INT_LIMIT, overcommit_kbytes)),
	TUNABLE("page-cluster", VALUE(page_cluster, 0, 31)),
	TUNABLE("panic_on_oom", VALUE(panic_on_oom, 0, 2)),
	TUNABLE("swappiness", VALUE(swappiness, 0, 200)),
	TUNABLE("user_reserve_kbytes", VALUE(user_reserve, 0, LONG_LIMIT)),
	TUNABLE("vfs_cache_pressure", VALUE(vfs_cache_pressure, 0, INT_LIMIT)),
	PROC_PARAMETER("zone_reclaim_mode", "0\n"),
};
