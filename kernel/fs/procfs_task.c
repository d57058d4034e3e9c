/*
 * procfs_task.c - /proc/PID/task: a directory for each thread of a process.
 *
 * The rule: a thread is known by its number alone, and looked for again under the process's lock
 * each time. Next: procfs_status.c.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "proc/proc.h"

static int thread_has_number(struct thread *t, void *arg)
{
	return t->tid == *(u32 *)arg;
}

static struct inode *task_lookup(struct inode *dir, const char *name, size_t len)
{
	struct proc_node n = *proc_node(dir);

	n.entry = &proc_thread_entry;
	if (!proc_number(name, len, &n.tid) ||
	    !process_for_each_thread(n.process, thread_has_number, &n.tid))
		return ERR_PTR(-ENOENT);
	return proc_inode(dir->super, &n);
}

static bool task_revalidate(struct inode *dir, const char *name, size_t len, struct inode *cached)
{
	u32 tid;

	return cached && proc_is_current(cached) && proc_number(name, len, &tid) &&
	       process_for_each_thread(proc_node(dir)->process, thread_has_number, &tid);
}

struct next_thread {
	u32 from, found; /* the lowest number >= from; UINT32_MAX: none */
};

static int find_next(struct thread *t, void *arg)
{
	struct next_thread *next = arg;

	if (t->tid >= next->from && t->tid < next->found)
		next->found = t->tid;
	return 0;
}

static int task_readdir(struct file *f, proc_emit emit, void *arg)
{
	struct proc_node n = *proc_node(f->inode);

	if (proc_emit_fixed(f, emit, arg))
		return 0;
	n.entry = &proc_thread_entry;
	for (;;) {
		struct next_thread next = { (u32)(f->pos - PROC_FIXED_END), UINT32_MAX };
		char name[16];
		size_t length;

		process_for_each_thread(n.process, find_next, &next);
		if (next.found == UINT32_MAX)
			return 0;
		n.tid = next.found;
		f->pos = PROC_FIXED_END + next.found;
		length = (size_t)format(name, sizeof(name), "%u", next.found);
		if (emit(arg, name, length, proc_ino(&n), DT_DIR, f->pos + 1))
			return 0;
		f->pos++;
	}
}

/* As everywhere, a directory has a link from each directory in it: programs count threads so. */
static int task_getattr(struct inode *i, struct attributes *out)
{
	struct process_times times;

	process_times(proc_node(i)->process, &times);
	inode_attributes(i, out);
	out->nlink = 2 + times.nthreads;
	return 0;
}

const struct inode_ops proc_task_ops = {
	.lookup = task_lookup,
	.revalidate = task_revalidate,
	.getattr = task_getattr,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
const struct file_ops proc_task_file_ops = { .readdir = task_readdir, .seek = file_seek_plain };
