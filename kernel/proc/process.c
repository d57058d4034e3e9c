/*
 * process.c - struct process: its life as a counted object, and what others may ask of it.
 *
 * References are held by the process tree (from fork until it is reaped), by each of its threads,
 * and by who has looked it up. fork.c fills a new one, exit.c empties it, wait.c reaps it.
 */
#include <asm/signal.h>
#include <linux/capability.h>

#include "arch/x86_64/panic.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

struct spinlock tree_lock = SPINLOCK_INIT(RANK_PROCESS_TREE);
struct process *init_process;

static u64 live; /* A */

u64 process_live_count(void)
{
	return load_relaxed(&live);
}

struct process *process_alloc(void)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	ref_init(&p->refs);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->group_link);
	list_init(&p->threads);
	list_init(&p->posix_timers);
	list_init(&p->tracees);
	list_init(&p->sem_undos);
	spin_init(&p->lock, RANK_PROCESS);
	spin_init(&p->signal_lock, RANK_SIGNAL);
	signal_queue_init(&p->pending);
	waitq_init(&p->child_wait);
	waitq_init(&p->signal_wait);
	waitq_init(&p->exit_wait);
	p->start_ns = clock_monotonic();
	atomic_add(&live, 1);
	return p;
}

void process_get(struct process *p)
{
	ref_get(&p->refs);
}

/*
 * The last reference may be given up where nothing may sleep: files and space were given up at
 * exit.
 */
void process_put(struct process *p)
{
	if (!ref_put(&p->refs))
		return;
	if (p->cred)
		cred_put(p->cred);
	if (p->uid_count && p->state == PROCESS_REAPED)
		uid_count_put_reaped(p->uid_count);
	else if (p->uid_count)
		uid_count_put(p->uid_count);
	atomic_sub(&live, 1);
	kfree(p);
}

/* --- counted uses of its parts --- */

struct mm *process_mm_get(struct process *p)
{
	struct mm *mm;

	spin_lock(&p->lock);
	mm = p->mm;
	if (mm)
		space_get(mm);
	spin_unlock(&p->lock);
	return mm;
}

struct files *process_files_get(struct process *p)
{
	struct files *files;

	spin_lock(&p->lock);
	files = p->files;
	if (files)
		files_get(files);
	spin_unlock(&p->lock);
	return files;
}

struct fs_context *process_fs_get(struct process *p)
{
	struct fs_context *fs;

	spin_lock(&p->lock);
	fs = p->fs;
	if (fs)
		fs_context_get(fs);
	spin_unlock(&p->lock);
	return fs;
}

struct file *process_exe_get(struct process *p)
{
	struct file *exe;

	spin_lock(&p->lock);
	exe = p->exe;
	if (exe)
		file_get(exe);
	spin_unlock(&p->lock);
	return exe;
}

struct cred *process_cred_get(struct process *p)
{
	struct cred *c;

	spin_lock(&p->lock);
	c = p->cred;
	cred_get(c);
	spin_unlock(&p->lock);
	return c;
}

u32 process_uid(struct process *p)
{
	u32 uid;

	spin_lock(&p->lock);
	uid = p->cred->uid;
	spin_unlock(&p->lock);
	return uid;
}

/* --- threads and names --- */

struct thread *process_thread(struct process *p, u32 tid)
{
	struct thread *t;

	list_for_each (t, &p->threads, thread_link) {
		if (t->tid == tid)
			return t;
	}
	return NULL;
}

int process_for_each_thread(struct process *p, int (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *t;
	int r = 0;

	spin_lock(&p->signal_lock);
	list_for_each (t, &p->threads, thread_link) {
		r = fn(t, arg);
		if (r)
			break;
	}
	spin_unlock(&p->signal_lock);
	return r;
}

/* The thread that stands for the process: its leader, or the first that still lives. S held. */
static struct thread *process_first_thread(struct process *p)
{
	return p->leader ? p->leader : list_first(&p->threads, struct thread, thread_link);
}

void process_name(struct process *p, char name[16])
{
	struct thread *t;

	spin_lock(&p->signal_lock);
	t = process_first_thread(p);
	memcpy(name, t ? t->name : p->last_name, 16);
	spin_unlock(&p->signal_lock);
}

int thread_name(struct process *p, u32 tid, char name[16])
{
	struct thread *t;

	spin_lock(&p->signal_lock);
	t = process_thread(p, tid);
	if (t)
		memcpy(name, t->name, 16);
	spin_unlock(&p->signal_lock);
	return t ? 0 : -ESRCH;
}

void process_set_name(const char *name)
{
	struct thread *t = thread_current();
	struct process *p = t->process;

	spin_lock(&p->signal_lock);
	memset(t->name, 0, sizeof(t->name));
	string_copy(t->name, name, sizeof(t->name));
	spin_unlock(&p->signal_lock);
}

char process_state_letter(struct process *p)
{
	struct thread *t;
	char letter;

	if (load_relaxed(&p->state) != PROCESS_LIVE)
		return 'Z';
	spin_lock(&p->signal_lock);
	t = process_first_thread(p);
	letter = t ? thread_state_letter(t) : 'R';
	spin_unlock(&p->signal_lock);
	return letter;
}

void process_signals(struct process *p, struct process_signals *out)
{
	struct thread *t;

	*out = (struct process_signals){ 0 };
	spin_lock(&p->signal_lock);
	t = process_first_thread(p);
	if (t) {
		out->blocked = t->sigmask;
		out->pending = t->pending.set;
	}
	out->shared_pending = p->pending.set;
	out->queued = uid_count_signals(p->uid_count);
	for (int sig = 1; sig <= SIGNAL_COUNT; sig++) {
		u64 handler = p->actions[sig - 1].handler;

		if (handler == (u64)SIG_IGN)
			out->ignored |= SIGNAL_BIT(sig);
		else if (handler != (u64)SIG_DFL)
			out->caught |= SIGNAL_BIT(sig);
	}
	spin_unlock(&p->signal_lock);
}

/*
 * Linux's ptrace_may_access for a caller who goes by these ids: they are p's throughout, and it is
 * dumpable, or CAP_SYS_PTRACE.
 */
static bool may_access(struct process *p, u32 uid, u32 gid)
{
	const struct cred *me = cred_current();
	struct cred *c;
	bool same;

	if (p == process_current())
		return true;
	c = process_cred_get(p);
	same = uid == c->euid && uid == c->suid && uid == c->uid && gid == c->egid &&
	       gid == c->sgid && gid == c->gid && p->dumpable &&
	       !(c->cap_permitted & ~me->cap_permitted);
	cred_put(c);
	return same || cred_capable(me, CAP_SYS_PTRACE);
}

/* With the file-system ids: for /proc. */
bool process_may_inspect(struct process *p)
{
	return may_access(p, cred_current()->fsuid, cred_current()->fsgid);
}

/* With the real ids: for ptrace. */
bool process_may_trace(struct process *p)
{
	return may_access(p, cred_current()->uid, cred_current()->gid);
}

int process_set_subreaper(bool on)
{
	process_current()->child_subreaper = on;
	return 0;
}

/* --- times --- */

u64 thread_account_now(struct thread *t)
{
	return thread_runtime(t, clock_monotonic());
}

/* Runtime that no switch has accounted yet counts as user time. */
static void thread_add_times(struct thread *t, u64 now, u64 *user, u64 *system)
{
	*user += thread_runtime(t, now) - t->system_ns;
	*system += t->system_ns;
}

u64 process_runtime(struct process *p, u64 now)
{
	u64 ns = p->dead_user_ns + p->dead_system_ns;
	struct thread *t;

	list_for_each (t, &p->threads, thread_link)
		ns += thread_runtime(t, now);
	return ns;
}

void process_times(struct process *p, struct process_times *out)
{
	u64 now = clock_monotonic();
	struct thread *t;

	spin_lock(&tree_lock);
	*out = (struct process_times){ .child_user_ns = p->child_user_ns,
				       .child_system_ns = p->child_system_ns,
				       .child_min_flt = p->child_min_flt,
				       .child_maj_flt = p->child_maj_flt };
	spin_lock(&p->signal_lock);
	out->user_ns = p->dead_user_ns;
	out->system_ns = p->dead_system_ns;
	out->min_flt = p->min_flt;
	out->maj_flt = p->maj_flt;
	out->voluntary_switches = p->voluntary_switches;
	out->involuntary_switches = p->involuntary_switches;
	out->nthreads = p->nthreads;
	list_for_each (t, &p->threads, thread_link) {
		thread_add_times(t, now, &out->user_ns, &out->system_ns);
		out->min_flt += t->min_flt;
		out->maj_flt += t->maj_flt;
		out->voluntary_switches += t->voluntary_switches;
		out->involuntary_switches += t->involuntary_switches;
	}
	t = process_first_thread(p);
	out->nice = t ? t->nice : 0;
	spin_unlock(&p->signal_lock);
	spin_unlock(&tree_lock);
}

static u64 process_peak_rss_kib(struct process *p)
{
	struct mm *mm = process_mm_get(p);
	u64 kib = p->max_rss;

	if (mm) {
		struct space_rss now = space_rss(mm);
		u64 pages = max(load_relaxed(&mm->peak_rss_pages), now.anon + now.file + now.shmem);

		kib = max(kib, pages * (PAGE_SIZE / 1024));
		space_put(mm);
	}
	return kib;
}

void process_usage(struct process *p, struct wait_usage *own, struct wait_usage *children)
{
	struct process_times times;

	process_times(p, &times);
	*own = (struct wait_usage){ .user_ns = times.user_ns,
				    .system_ns = times.system_ns,
				    .min_flt = times.min_flt,
				    .maj_flt = times.maj_flt,
				    .max_rss_kib = process_peak_rss_kib(p),
				    .voluntary = times.voluntary_switches,
				    .involuntary = times.involuntary_switches };
	*children = (struct wait_usage){ .user_ns = times.child_user_ns,
					 .system_ns = times.child_system_ns,
					 .min_flt = times.child_min_flt,
					 .maj_flt = times.child_maj_flt,
					 .max_rss_kib = p->child_max_rss,
					 .voluntary = p->child_voluntary,
					 .involuntary = p->child_involuntary };
}

void thread_usage(struct wait_usage *out)
{
	struct thread *t = thread_current();

	*out = (struct wait_usage){ .min_flt = t->min_flt,
				    .maj_flt = t->maj_flt,
				    .max_rss_kib = process_peak_rss_kib(t->process),
				    .voluntary = t->voluntary_switches,
				    .involuntary = t->involuntary_switches };
	thread_add_times(t, clock_monotonic(), &out->user_ns, &out->system_ns);
}

void panic_dump_process(void)
{
	struct thread *t = thread_current();

	if (!t)
		panic_print("no thread yet\n");
	else
		panic_print("thread %u (%.16s) of process %u\n", t->tid, t->name,
			    t->process ? t->process->pid : 0);
}
