/*
 * procfs_pid.c - the directory of a process, and of each of its threads: the table of what is in
 * them, and the short files.
 *
 * Next: procfs_status.c, procfs_maps.c, procfs_mm.c, procfs_fd.c, procfs_task.c for the long ones.
 */
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/oom.h>
#include <linux/stat.h>

#include "fs/filesystems.h"
#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/space.h"
#include "proc/oom.h"

/* --- limits --- */

static const struct {
	const char *name, *unit;
} limits[RLIMIT_COUNT] = {
	{ "Max cpu time", "seconds" },     { "Max file size", "bytes" },
	{ "Max data size", "bytes" },      { "Max stack size", "bytes" },
	{ "Max core file size", "bytes" }, { "Max resident set", "bytes" },
	{ "Max processes", "processes" },  { "Max open files", "files" },
	{ "Max locked memory", "bytes" },  { "Max address space", "bytes" },
	{ "Max file locks", "locks" },     { "Max pending signals", "signals" },
	{ "Max msgqueue size", "bytes" },  { "Max nice priority", NULL },
	{ "Max realtime priority", NULL }, { "Max realtime timeout", "us" },
};

static void limit_add(struct text *t, u64 value)
{
	if (value == UINT64_MAX)
		text_printf(t, "%-20s ", "unlimited");
	else
		text_printf(t, "%-20lu ", value);
}

static int limits_show(struct text *t, const struct proc_node *n)
{
	struct process *p = n->process;

	text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (u32 i = 0; i < RLIMIT_COUNT; i++) {
		u64 soft, hard;

		spin_lock(&p->lock);
		soft = p->rlimit_soft[i];
		hard = p->rlimit_hard[i];
		spin_unlock(&p->lock);
		text_printf(t, "%-25s ", limits[i].name);
		limit_add(t, soft);
		limit_add(t, hard);
		if (limits[i].unit)
			text_printf(t, "%-10s\n", limits[i].unit);
		else
			text_string(t, "\n");
	}
	return 0;
}

/* --- who dies first when memory runs out --- */

static s32 score_adj(const struct process *p)
{
	return (s32)load_relaxed(&p->oom_score_adj);
}

/* proc(5): thousandths of memory and swap, so moved and scaled that 0 means: never. */
static int oom_score_show(struct text *t, const struct proc_node *n)
{
	s64 badness = oom_badness(n->process), score = 0;

	if (badness != OOM_NEVER)
		score = (1000 + badness * 1000 / (s64)oom_total_pages()) * 2 / 3;
	text_printf(t, "%ld\n", score);
	return 0;
}

static int oom_score_adj_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%d\n", score_adj(n->process));
	return 0;
}

static int oom_adj_show(struct text *t, const struct proc_node *n)
{
	s32 adj = score_adj(n->process);

	text_printf(t, "%d\n",
		    adj == OOM_SCORE_ADJ_MAX ? OOM_ADJUST_MAX
					     : adj * -OOM_DISABLE / OOM_SCORE_ADJ_MAX);
	return 0;
}

int proc_parse_number(const char *text, s64 *out)
{
	const char *end;
	bool negative;

	while (*text == ' ')
		text++;
	negative = *text == '-';
	text += *text == '-' || *text == '+';
	if (*text < '0' || *text > '9')
		return -EINVAL;
	*out = (s64)string_to_u64(text, &end);
	if (negative)
		*out = -*out;
	while (*end == ' ' || *end == '\n')
		end++;
	return *end ? -EINVAL : 0;
}

/*
 * Without privilege not below what somebody with it has set last (through oom_adj: not below what is),
 * or a process could hide from the consequences of its own greed.
 */
static int set_score_adj(struct process *p, s64 adj, s32 lowest)
{
	bool privileged = cred_capable(cred_current(), CAP_SYS_RESOURCE);

	if (adj < lowest && !privileged)
		return -EACCES;
	store_relaxed(&p->oom_score_adj, (u32)(s32)adj);
	if (privileged)
		store_relaxed(&p->oom_score_adj_min, (u32)(s32)adj);
	return 0;
}

static int oom_score_adj_store(const char *text, const struct proc_node *n)
{
	s64 adj;
	int err = proc_parse_number(text, &adj);

	if (err)
		return err;
	if (adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX)
		return -EINVAL;
	return set_score_adj(n->process, adj, (s32)load_relaxed(&n->process->oom_score_adj_min));
}

static int oom_adj_store(const char *text, const struct proc_node *n)
{
	s64 adj;
	int err = proc_parse_number(text, &adj);

	if (err)
		return err;
	if (adj < OOM_DISABLE || adj > OOM_ADJUST_MAX)
		return -EINVAL;
	adj = adj == OOM_ADJUST_MAX ? OOM_SCORE_ADJ_MAX : adj * OOM_SCORE_ADJ_MAX / -OOM_DISABLE;
	return set_score_adj(n->process, adj, score_adj(n->process));
}

/* --- others --- */

/*
 * The machine has no storage of its own: what a program reads and writes comes from memory or goes
 * through the host.
 */
static int io_show(struct text *t, const struct proc_node *n)
{
	const struct process *p = n->process;

	text_printf(t, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\n",
		    load_relaxed(&p->bytes_read), load_relaxed(&p->bytes_written),
		    load_relaxed(&p->reads), load_relaxed(&p->writes));
	text_string(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
	return 0;
}

static int personality_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%08x\n", load_relaxed(&n->process->personality));
	return 0;
}

int proc_constant_show(struct text *t, const struct proc_node *n)
{
	text_string(t, n->entry->arg);
	return 0;
}

/* One user namespace, in which all ids mean what they are. */
#define ID_MAP "         0          0 4294967295\n"
#define USER_NAMESPACE_FILE(name_, text_)                                                       \
	{                                                                                       \
		.name = name_, .mode = S_IFREG | 0644, .show = proc_constant_show, .arg = text_ \
	}

#define LINK(name_, follow_)                                                              \
	{                                                                                 \
		.name = name_, .mode = S_IFLNK | 0777, .inspect = true, .follow = follow_ \
	}
#define MEMORY_FILE(name_, mode_, ops_)                                                        \
	{                                                                                      \
		.name = name_, .mode = S_IFREG | (mode_), .inspect = true, .file_ops = &(ops_) \
	}

#define DYNAMIC(name_, mode_, ops_, file_ops_)                                  \
	{                                                                       \
		.name = name_, .mode = S_IFDIR | (mode_), .inode_ops = &(ops_), \
		.file_ops = &(file_ops_)                                        \
	}

/* clang-format off */
/* What a process and each of its threads have. */
#define COMMON_ENTRIES                                                                  \
	DYNAMIC("fd", 0500, proc_fd_ops, proc_fd_file_ops),                             \
	DYNAMIC("fdinfo", 0555, proc_fdinfo_ops, proc_fdinfo_file_ops),                 \
	PROC_INSPECT("environ", 0400, proc_environ_show),                               \
	PROC_INSPECT("auxv", 0400, proc_auxv_show),                                     \
	PROC_FILE("status", 0444, proc_status_show),                                    \
	PROC_INSPECT("personality", 0400, personality_show),                            \
	PROC_FILE("limits", 0444, limits_show),                                         \
	PROC_WRITABLE("comm", 0644, proc_comm_show, proc_comm_store),                   \
	PROC_FILE("cmdline", 0444, proc_cmdline_show),                                  \
	PROC_FILE("stat", 0444, proc_stat_show),                                        \
	PROC_FILE("statm", 0444, proc_statm_show),                                      \
	PROC_INSPECT("maps", 0444, proc_maps_show),                                     \
	MEMORY_FILE("mem", 0600, proc_mem_file_ops),                                    \
	LINK("cwd", proc_cwd_follow),                                                   \
	LINK("root", proc_root_follow),                                                 \
	LINK("exe", proc_exe_follow),                                                   \
	PROC_FILE("mounts", 0444, proc_mounts_show),                                    \
	PROC_DIRECTORY("net", proc_net_children),                                       \
	PROC_FILE("mountinfo", 0444, proc_mountinfo_show),                              \
	PROC_INSPECT("numa_maps", 0444, proc_numa_maps_show),                           \
	PROC_INSPECT("smaps", 0444, proc_smaps_show),                                   \
	PROC_INSPECT("smaps_rollup", 0444, proc_smaps_rollup_show),                     \
	PROC_WRITABLE("clear_refs", 0200, NULL, proc_clear_refs_store),                 \
	MEMORY_FILE("pagemap", 0400, proc_pagemap_file_ops),                            \
	PROC_CONSTANT("wchan", "0"),                                                    \
	PROC_CONSTANT("cgroup", "0::/\n"),                                              \
	PROC_INSPECT("io", 0400, io_show),                                              \
	PROC_FILE("oom_score", 0444, oom_score_show),                                   \
	PROC_WRITABLE("oom_adj", 0644, oom_adj_show, oom_adj_store),                    \
	PROC_WRITABLE("oom_score_adj", 0644, oom_score_adj_show, oom_score_adj_store),  \
	USER_NAMESPACE_FILE("uid_map", ID_MAP),                                         \
	USER_NAMESPACE_FILE("gid_map", ID_MAP)
/* clang-format on */

static const struct proc_entry process_children[] = {
	DYNAMIC("task", 0555, proc_task_ops, proc_task_file_ops),
	DYNAMIC("map_files", 0500, proc_map_files_ops, proc_map_files_file_ops),
	COMMON_ENTRIES,
	USER_NAMESPACE_FILE("setgroups", "allow\n"),
};

static const struct proc_entry thread_children[] = { COMMON_ENTRIES };

const struct proc_entry proc_process_entry = PROC_DIRECTORY("PID", process_children);
const struct proc_entry proc_thread_entry = PROC_DIRECTORY("TID", thread_children);

struct process *proc_directory_process(const struct file *f)
{
	const struct proc_node *n = proc_node(f->inode);

	if (f->inode->super->magic != PROC_SUPER_MAGIC || n->entry != &proc_process_entry)
		return NULL;
	process_get(n->process);
	return n->process;
}
