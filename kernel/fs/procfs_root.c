/*
 * procfs_root.c - /proc itself: its fixed entries, and a directory for each process.
 *
 * The rule: processes are found by number when asked for; listing them goes by number too, so that
 * one which comes or goes meanwhile disturbs no other. Next: procfs_pid.c.
 */
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "proc/proc.h"

static ssize self_readlink(const struct proc_node *n, char *buf, size_t size)
{
	char text[16];
	size_t length = (size_t)format(text, sizeof(text), "%u", process_current()->pid);

	memcpy(buf, text, min(length, size));
	return (ssize)min(length, size);
}

static ssize thread_self_readlink(const struct proc_node *n, char *buf, size_t size)
{
	char text[32];
	size_t length = (size_t)format(text, sizeof(text), "%u/task/%u", process_current()->pid,
				       thread_current()->tid);

	memcpy(buf, text, min(length, size));
	return (ssize)min(length, size);
}

static ssize mounts_readlink(const struct proc_node *n, char *buf, size_t size)
{
	static const char text[] = "self/mounts";

	memcpy(buf, text, min(sizeof(text) - 1, size));
	return (ssize)min(sizeof(text) - 1, size);
}

static ssize net_readlink(const struct proc_node *n, char *buf, size_t size)
{
	static const char text[] = "self/net";

	memcpy(buf, text, min(sizeof(text) - 1, size));
	return (ssize)min(sizeof(text) - 1, size);
}

static const struct proc_entry root_children[] = {
	{ .name = "net", .mode = S_IFLNK | 0777, .readlink = net_readlink },
	{ .name = "self", .mode = S_IFLNK | 0777, .readlink = self_readlink },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .readlink = thread_self_readlink },
	{ .name = "mounts", .mode = S_IFLNK | 0777, .readlink = mounts_readlink },
	PROC_FILE("buddyinfo", 0400, proc_buddyinfo_show),
	PROC_FILE("cmdline", 0444, proc_cmdline_of_kernel_show),
	PROC_DIRECTORY("coppice", proc_coppice_children),
	PROC_FILE("cpuinfo", 0444, proc_cpuinfo_show),
	PROC_CONSTANT("devices", "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 "
				 "/dev/ptmx\n136 pts\n\nBlock devices:\n254 virtblk\n"),
	PROC_FILE("diskstats", 0444, proc_diskstats_show),
	PROC_CONSTANT("filesystems", "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevpts\nnodev"
				     "\tpipefs\nnodev\tsockfs\nnodev\t9p\n"),
	{ .name = "kpagecount", .mode = S_IFREG | 0400, .file_ops = &proc_kpagecount_ops },
	{ .name = "kpageflags", .mode = S_IFREG | 0400, .file_ops = &proc_kpageflags_ops },
	PROC_FILE("loadavg", 0444, proc_loadavg_show),
	PROC_FILE("locks", 0444, proc_locks_show),
	PROC_FILE("meminfo", 0444, proc_meminfo_show),
	PROC_FILE("partitions", 0444, proc_partitions_show),
	PROC_FILE("slabinfo", 0400, proc_slabinfo_show),
	PROC_FILE("stat", 0444, proc_system_stat_show),
	PROC_FILE("swaps", 0444, proc_swaps_show),
	PROC_DIRECTORY("sys", proc_sys_children),
	PROC_DIRECTORY("sysvipc", proc_sysvipc_children),
	PROC_FILE("uptime", 0444, proc_uptime_show),
	PROC_FILE("version", 0444, proc_version_show),
	PROC_FILE("vmstat", 0444, proc_vmstat_show),
	PROC_FILE("zoneinfo", 0400, proc_zoneinfo_show),
};

static struct inode *root_lookup(struct inode *dir, const char *name, size_t len)
{
	struct proc_node n = { .entry = &proc_process_entry, .number = -1 };
	struct inode *i;
	u32 pid;

	if (!proc_number(name, len, &pid))
		return proc_lookup_fixed(dir, name, len);
	n.process = process_find(pid);
	if (!n.process)
		return ERR_PTR(-ENOENT);
	i = proc_inode(dir->super, &n);
	process_put(n.process);
	return i;
}

struct listing {
	struct file *file;
	proc_emit emit;
	void *arg;
};

static int list_process(struct process *p, void *arg)
{
	const struct listing *l = arg;
	struct proc_node n = { .entry = &proc_process_entry, .process = p, .number = -1 };
	char name[16];
	size_t length;

	if (p->pid + PROC_FIXED_END < l->file->pos)
		return 0;
	length = (size_t)format(name, sizeof(name), "%u", p->pid);
	l->file->pos = p->pid + PROC_FIXED_END;
	if (l->emit(l->arg, name, length, proc_ino(&n), DT_DIR, l->file->pos + 1))
		return 1;
	l->file->pos++;
	return 0;
}

static int root_readdir(struct file *f, proc_emit emit, void *arg)
{
	struct listing l = { f, emit, arg };

	if (!proc_emit_fixed(f, emit, arg))
		process_for_each(list_process, &l);
	return 0;
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.revalidate = proc_revalidate,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
static const struct file_ops root_file_ops = { .readdir = root_readdir, .seek = file_seek_plain };

const struct proc_entry proc_root_entry = {
	.name = "/",
	.mode = S_IFDIR | 0555,
	.children = root_children,
	.nchildren = ARRAY_SIZE(root_children),
	.inode_ops = &root_ops,
	.file_ops = &root_file_ops,
};

struct super *procfs_new(void)
{
	return proc_super_new("proc", PROC_SUPER_MAGIC, &proc_root_entry, SUPER_NO_DENTRY_CACHE);
}
