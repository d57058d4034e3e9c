/*
 * pid.c - the numbers that name threads, processes, groups and sessions.
 *
 * One table for all four uses: a number is free only when nothing goes by it any more, so a new
 * process never gets the number of a group that still lives. Two levels: 8192 leaves of 512
 * entries; a leaf exists while it holds one. Numbers are given out in ascending order, and wrap at
 * PID_MAX as on Linux with its largest pid_max.
 */
#include "lib/lock.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/process_priv.h"

#define PID_MAX 4194304u
#define PID_WRAP_TO 300u /* as Linux: the low numbers are for what starts with the system */
#define LEAF_ENTRIES 512u

static struct spinlock pid_lock = SPINLOCK_INIT(RANK_PID); /* guards all below, and N */
static struct pid_entry **leaves[PID_MAX / LEAF_ENTRIES];
static u16 leaf_used[PID_MAX / LEAF_ENTRIES];
static u32 last_number;

static struct pid_entry *entry_find(u32 number)
{
	struct pid_entry **leaf;

	if (number >= PID_MAX)
		return NULL;
	leaf = leaves[number / LEAF_ENTRIES];
	return leaf ? leaf[number % LEAF_ENTRIES] : NULL;
}

/* A leaf for the number: 0 or -ENOMEM. */
static int leaf_ensure(u32 number)
{
	struct pid_entry ***leaf = &leaves[number / LEAF_ENTRIES];

	if (!*leaf)
		*leaf = kzalloc(LEAF_ENTRIES * sizeof(struct pid_entry *));
	return *leaf ? 0 : -ENOMEM;
}

/* The next number without an entry: 0 or -EAGAIN. */
static int next_free(u32 *out)
{
	u32 number = last_number;

	for (u32 tries = 0; tries < PID_MAX; tries++) {
		number = number + 1 < PID_MAX ? number + 1 : PID_WRAP_TO;
		if (!entry_find(number)) {
			*out = number;
			return 0;
		}
	}
	return -EAGAIN;
}

/* pid_lock held: e becomes the entry of a number without one. */
static int entry_add(struct pid_entry *e, u32 number, struct process *p, struct thread *t)
{
	int err = leaf_ensure(number);

	if (err)
		return err;
	*e = (struct pid_entry){ .number = number, .process = p, .thread = t };
	leaves[number / LEAF_ENTRIES][number % LEAF_ENTRIES] = e;
	leaf_used[number / LEAF_ENTRIES]++;
	return 0;
}

int pid_alloc(struct process *p, struct thread *t, u32 *out)
{
	struct pid_entry *e = kmalloc(sizeof(*e));
	u32 number;
	int err;

	*out = 0;
	if (!e)
		return -ENOMEM;
	spin_lock(&pid_lock);
	err = next_free(&number);
	if (!err)
		err = entry_add(e, number, p, t);
	if (!err)
		*out = last_number = number;
	spin_unlock(&pid_lock);
	if (err)
		kfree(e);
	return err;
}

int pid_alloc_wanted(struct process *p, struct thread *t, u32 number)
{
	struct pid_entry *e;
	int err;

	if (!number || number >= PID_MAX)
		return -EINVAL;
	e = kmalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	spin_lock(&pid_lock);
	err = entry_find(number) ? -EEXIST : entry_add(e, number, p, t);
	spin_unlock(&pid_lock);
	if (err)
		kfree(e);
	return err;
}

/* Free what nothing uses any more. pid_lock held; it is released. */
static void entry_settle(struct pid_entry *e)
{
	u32 leaf = e->number / LEAF_ENTRIES;
	struct pid_entry **empty = NULL;

	if (e->process || e->thread || e->group || e->session) {
		spin_unlock(&pid_lock);
		return;
	}
	leaves[leaf][e->number % LEAF_ENTRIES] = NULL;
	if (--leaf_used[leaf] == 0) {
		empty = leaves[leaf];
		leaves[leaf] = NULL;
	}
	spin_unlock(&pid_lock);
	kfree(e);
	kfree(empty);
}

static struct pid_entry *entry_lock(u32 number)
{
	struct pid_entry *e;

	spin_lock(&pid_lock);
	e = entry_find(number);
	assert(e);
	return e;
}

void pid_set_thread(u32 number, struct thread *t)
{
	struct pid_entry *e = entry_lock(number);

	e->thread = t;
	/*
	 * A thread's own number names no process: then its process stood in the entry for
	 * pid_thread_process.
	 */
	if (!t && e->process && e->process->pid != number)
		e->process = NULL;
	entry_settle(e);
}

void pid_clear_process(u32 number)
{
	struct pid_entry *e = entry_lock(number);

	e->process = NULL;
	e->thread = NULL;
	entry_settle(e);
}

void pid_set_group(u32 number, struct pgroup *g)
{
	struct pid_entry *e = entry_lock(number);

	e->group = g;
	entry_settle(e);
}

void pid_set_session(u32 number, struct session *s)
{
	struct pid_entry *e = entry_lock(number);

	e->session = s;
	entry_settle(e);
}

struct pgroup *pid_group(u32 number)
{
	struct pid_entry *e;
	struct pgroup *g;

	spin_lock(&pid_lock);
	e = entry_find(number);
	g = e ? e->group : NULL;
	spin_unlock(&pid_lock);
	return g;
}

struct session *pid_session(u32 number)
{
	struct pid_entry *e;
	struct session *s;

	spin_lock(&pid_lock);
	e = entry_find(number);
	s = e ? e->session : NULL;
	spin_unlock(&pid_lock);
	return s;
}

static struct process *find(u32 number, bool by_thread)
{
	struct pid_entry *e;
	struct process *p = NULL;

	spin_lock(&pid_lock);
	e = entry_find(number);
	/* A process that is being made has no pid yet, and is not found by its thread either. */
	if (e && e->process &&
	    (by_thread ? e->thread && load_acquire(&e->process->pid)
		       : load_acquire(&e->process->pid) == number)) {
		p = e->process;
		process_get(p);
	}
	spin_unlock(&pid_lock);
	return p;
}

struct process *process_find(u32 pid)
{
	return find(pid, false);
}

struct process *pid_thread_process(u32 tid)
{
	return find(tid, true);
}

struct process *pid_next_process(u32 *from)
{
	struct process *p = NULL;

	spin_lock(&pid_lock);
	for (u32 n = *from; n < PID_MAX && !p; n++) {
		struct pid_entry *e;

		if (!leaves[n / LEAF_ENTRIES]) {
			n |= LEAF_ENTRIES - 1;
			continue;
		}
		e = leaves[n / LEAF_ENTRIES][n % LEAF_ENTRIES];
		if (e && e->process && e->process->pid == n) {
			p = e->process;
			process_get(p);
			*from = n;
		}
	}
	spin_unlock(&pid_lock);
	return p;
}

int process_for_each(int (*fn)(struct process *p, void *arg), void *arg)
{
	struct process *p;
	int r = 0;

	for (u32 pid = 1; !r && (p = pid_next_process(&pid)); pid++) {
		r = fn(p, arg);
		process_put(p);
	}
	return r;
}

u32 process_last_pid(void)
{
	return load_relaxed(&last_number);
}
