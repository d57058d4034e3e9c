/*
 * exit.c - how threads and processes end.
 *
 * A thread ends by itself, always: whoever wants it dead sets WORK_EXIT and wakes it. The last
 * thread of a process takes the process down: it gives up timers, files and the space, and only
 * then becomes a zombie, so that who waits finds the memory free. Then its number stays until
 * wait.c reaps it, or it is reaped at once if the parent does not care.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "arch/x86_64/tlb.h"
#include "arch/x86_64/usercopy.h"
#include "fs/tty.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/space.h"
#include "proc/core.h"
#include "proc/ipc.h"
#include "proc/ptrace_priv.h"
#include "proc/sched_priv.h"

/* --- a thread --- */

/* Its times become the process's. S held. */
static void thread_bequeath(struct process *p, struct thread *t)
{
	p->dead_user_ns += thread_account_now(t) - t->system_ns;
	p->dead_system_ns += t->system_ns;
	p->min_flt += t->min_flt;
	p->maj_flt += t->maj_flt;
	p->voluntary_switches += t->voluntary_switches;
	p->involuntary_switches += t->involuntary_switches;
	memcpy(p->last_name, t->name, sizeof(p->last_name));
}

/*
 * If the others have all stopped and this one was the last that had not: the stop is complete. S
 * held.
 */
static bool stop_completed(struct process *p)
{
	if (!p->stop_signal || !p->nthreads || p->nstopped != p->nthreads)
		return false;
	p->stop_event = true;
	return true;
}

/* Out of its process. True: it was the last thread; *status gets how the process ends. */
static bool thread_unlink(struct thread *t, u32 *status)
{
	struct process *p = t->process;
	bool last, stopped;

	spin_lock(&p->signal_lock);
	if (t->stopped) {
		t->stopped = false;
		p->nstopped--;
	}
	t->exiting = true;
	thread_bequeath(p, t);
	signal_queue_flush(p, &t->pending, UINT64_MAX);
	list_remove(&t->thread_link);
	if (p->leader == t)
		p->leader = NULL;
	/* Without a common end, the process ends as its first thread did. */
	if (t->tid == p->pid && !p->exiting)
		p->group_status = *status;
	last = --p->nthreads == 0;
	if (last) {
		*status = p->group_status;
		signal_queue_flush(p, &p->pending, UINT64_MAX);
	} else {
		uid_count_put(p->uid_count);
		signal_retarget(p);
	}
	stopped = stop_completed(p);
	if (p->exec_thread && p->nthreads == 1)
		thread_unpark(p->exec_thread);
	if (p->core_thread)
		thread_unpark(p->core_thread);
	spin_unlock(&p->signal_lock);
	if (stopped)
		signal_child_event(p, CLD_STOPPED, (int)p->stop_signal);
	spin_lock(&tree_lock);
	trace_thread_exited(t, *status);
	spin_unlock(&tree_lock);
	pid_set_thread(t->tid, NULL);
	return last;
}

/* --- the tree --- */

/* Who takes the children of p: the nearest ancestor that asked for it, or process 1. T held. */
static struct process *find_reaper(struct process *p)
{
	for (struct process *a = p->parent; a && a != init_process; a = a->parent) {
		if (a->child_subreaper && a->state == PROCESS_LIVE && a->nthreads && !a->exiting)
			return a;
	}
	return init_process;
}

/*
 * A group that becomes orphaned by what happens to p while it has stopped members is continued,
 * after a SIGHUP. T held.
 */
static void group_orphan_check(struct process *p, struct process *parent)
{
	struct pgroup *g = p->group;
	struct process *m;

	if (parent->group == g || parent->group->session != g->session)
		return;
	if (!group_will_be_orphaned(g, p) || !group_has_stopped(g))
		return;
	list_for_each (m, &g->members, group_link) {
		signal_process(m, SIGHUP, NULL);
		signal_process(m, SIGCONT, NULL);
	}
}

static void reparent_child(struct process *p, struct process *child, struct process *reaper)
{
	list_remove(&child->sibling);
	child->parent = reaper;
	child->exit_signal = SIGCHLD;
	if (child->state == PROCESS_ZOMBIE) {
		list_push_front(&reaper->children, &child->sibling);
		/* Its tracer, if it has one, knows already. */
		if (!child->trace && process_notify_parent(child)) {
			process_release(child);
			return;
		}
	} else {
		list_push_back(&reaper->children, &child->sibling);
		if (child->pdeath_signal) {
			struct signal_source s = { .code = SI_USER,
						   .pid = p->pid,
						   .uid = p->cred->uid };

			signal_process(child, (int)child->pdeath_signal, &s);
		}
		group_orphan_check(child, p);
	}
}

/* The leader of a session takes the terminal with it. */
static void session_leader_exit(struct process *p)
{
	struct tty *tty = NULL;

	spin_lock(&tree_lock);
	if (p->group->session->id == p->pid) {
		p->group->session->leader_alive = false;
		tty = p->group->session->tty;
		p->group->session->tty = NULL;
	}
	spin_unlock(&tree_lock);
	if (tty)
		tty_session_ended(tty, p->pid);
}

bool process_notify_parent(struct process *p)
{
	/* A tracer hears of it first; who is not the parent by SIGCHLD in any case. */
	struct process *parent = p->trace ? p->trace->tracer : p->parent;
	u32 signal = parent == p->parent ? p->exit_signal : SIGCHLD;
	struct sigaction_kernel *a = &parent->actions[SIGCHLD - 1];
	struct signal_info info = { .signal = (s32)signal };
	bool unwanted = false;

	info.code = p->exit_status & 0x80   ? CLD_DUMPED
		    : p->exit_status & 0x7f ? CLD_KILLED
					    : CLD_EXITED;
	info.child.pid = p->pid;
	info.child.uid = p->cred->uid;
	info.child.status = info.code == CLD_EXITED ? (s32)(p->exit_status >> 8)
						    : (s32)(p->exit_status & 0x7f);
	info.child.user_ticks = (s64)(p->dead_user_ns / 10000000);
	info.child.system_ticks = (s64)(p->dead_system_ns / 10000000);
	spin_lock(&parent->signal_lock);
	if (!p->trace && signal == SIGCHLD &&
	    (a->handler == (u64)SIG_IGN || a->flags & SA_NOCLDWAIT))
		unwanted = true;
	if (signal && signal <= SIGNAL_COUNT && !(unwanted && a->handler == (u64)SIG_IGN))
		signal_send_locked(parent, NULL, &info);
	spin_unlock(&parent->signal_lock);
	waitq_wake_all(&parent->child_wait);
	return unwanted;
}

void process_release(struct process *p)
{
	list_remove(&p->sibling);
	group_leave(p);
	p->state = PROCESS_REAPED;
	uid_count_reap(p->uid_count); /* who has waited for it may fork instead of it at once */
	p->parent = NULL;
	pid_clear_process(p->pid);
	process_put(p);
}

/* Children to their new parent; p becomes a zombie, and goes at once if nobody waits for it. */
static void process_become_zombie(struct process *p, u32 status)
{
	struct process *child, *next, *reaper;

	session_leader_exit(p);
	spin_lock(&tree_lock);
	trace_tracer_exited(p);
	reaper = find_reaper(p);
	list_for_each_safe (child, next, &p->children, sibling)
		reparent_child(p, child, reaper);
	p->exit_status = status;
	p->state = PROCESS_ZOMBIE;
	group_orphan_check(p, p->parent);
	/* Zombies stand first, so that wait finds them without passing the living. */
	list_remove(&p->sibling);
	list_push_front(&p->parent->children, &p->sibling);
	waitq_wake_all(&p->exit_wait);
	if (process_notify_parent(p))
		process_release(p);
	spin_unlock(&tree_lock);
}

/* --- a process --- */

static void process_drop_files(struct process *p)
{
	struct files *files;
	struct fs_context *fs;
	struct file *exe;

	spin_lock(&p->lock);
	files = p->files;
	fs = p->fs;
	exe = p->exe;
	p->files = NULL;
	p->fs = NULL;
	p->exe = NULL;
	spin_unlock(&p->lock);
	if (files)
		files_put(files);
	if (fs)
		fs_context_put(fs);
	if (exe)
		exec_file_put(exe);
}

static void process_drop_space(struct process *p)
{
	struct mm *mm;

	spin_lock(&p->lock);
	mm = p->mm;
	p->mm = NULL;
	spin_unlock(&p->lock);
	if (!mm) /* the first program, which could not be started */
		return;
	(void)space_rss(mm); /* brings the peak up to date */
	p->max_rss = max(p->max_rss, load_relaxed(&mm->peak_rss_pages) * (PAGE_SIZE / 1024));
	space_put(mm);
}

static void __noreturn process_exit(struct thread *t, u32 status)
{
	struct process *p = t->process;

	itimers_exit(p);
	posix_timers_exit(p);
	process_drop_files(p);
	process_drop_space(p);
	sem_process_exit(p);
	shm_creator_gone(t);
	vfork_complete(t);
	process_become_zombie(p, status);
	thread_die();
}

void thread_exit(u32 status)
{
	struct thread *t = thread_current();
	u64 t0 = clock_monotonic();

	if (t->process == init_process)
		panic("process 1 ends");
	core_join(t);
	if (!thread_killed())
		trace_event(PTRACE_EVENT_EXIT, status);
	if (t->mm)
		futex_exit(t);
	/*
	 * From here on it is a kernel thread: the last one of the process may take the space away.
	 */
	t->mm = NULL;
	space_activate(NULL);
	thread_charge_system(t0);
	if (thread_unlink(t, &status))
		process_exit(t, status);
	shm_creator_gone(t);
	vfork_complete(t);
	thread_die();
}

void process_exit_group(u32 status)
{
	struct process *p = process_current();

	trace_event(PTRACE_EVENT_EXIT, status);
	spin_lock(&p->signal_lock);
	process_kill_locked(p, status);
	spin_unlock(&p->signal_lock);
	thread_exit(status);
}
