/*
 * ptrace.c - who traces whom: attach, detach, the ends of both, and what the tracer's wait finds.
 *
 * A trace (struct trace) is one tracer's hold on one thread. It is made at attach, or by fork for a
 * child of a tracee, and ends at detach, when the tracer ends, or when the tracer has waited for the
 * tracee's end. It is linked and unlinked under the tree lock and the tracee's signal lock together,
 * so either suffices to look at thread->trace.
 *
 * A process whose first thread is traced belongs to the tracer first: the zombie is reported to it,
 * and to the parent only when the tracer has taken it or let it go.
 *
 * ptrace_stop.c is the tracee's side, ptrace_request.c what the tracer does to one that stands
 * still. The rules are those of ptrace(2).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "arch/x86_64/trap.h"
#include "lib/err.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/ptrace.h"
#include "proc/ptrace_priv.h"
#include "proc/sched_priv.h"

#define FLAG_TF 0x100ull

/* --- linking --- */

void trace_link(struct trace *tr, struct process *tracer, struct thread *t)
{
	tr->tracer = tracer;
	tr->process = t->process;
	process_get(tr->process);
	tr->thread = t;
	tr->tid = t->tid;
	list_push_back(&tracer->tracees, &tr->link);
	t->trace = tr;
	t->tracing = (struct thread_trace){ 0 };
	if (t->tid == t->process->pid)
		t->process->trace = tr;
}

void trace_free(struct trace *tr)
{
	if (!tr)
		return;
	if (tr->process)
		process_put(tr->process);
	kfree(tr);
}

/* The thread goes on by itself: into the group stop if there is one. S held. */
static void thread_let_go(struct thread *t)
{
	bool stopped = t->tracing.stopped;

	if (stopped && t->tracing.forced_tf)
		thread_regs(t)->rflags &= ~FLAG_TF;
	t->trace = NULL;
	t->tracing = (struct thread_trace){ .resume_signal = t->tracing.resume_signal };
	atomic_and(&t->work, ~WORK_TRAP);
	if (t->process->stop_signal)
		atomic_or(&t->work, WORK_STOP);
	if (stopped)
		thread_unpark(t);
}

/* T held, S not. The caller frees tr. */
static void trace_unlink(struct trace *tr)
{
	struct process *p = tr->process;

	list_remove(&tr->link);
	if (p->trace == tr)
		p->trace = NULL;
	spin_lock(&p->signal_lock);
	if (tr->thread)
		thread_let_go(tr->thread);
	tr->thread = NULL;
	spin_unlock(&p->signal_lock);
}

/* A zombie that was its tracer's is its parent's now. T held. */
static void zombie_to_parent(struct process *p)
{
	if (p->state == PROCESS_ZOMBIE && !p->trace && process_notify_parent(p))
		process_release(p);
}

/* --- attaching --- */

int ptrace_traceme(void)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	struct trace *tr = kzalloc(sizeof(*tr));
	bool linked;

	if (!tr)
		return -ENOMEM;
	spin_lock(&tree_lock);
	spin_lock(&p->signal_lock);
	linked = !t->trace;
	if (linked)
		trace_link(tr, p->parent, t);
	spin_unlock(&p->signal_lock);
	spin_unlock(&tree_lock);
	if (!linked)
		trace_free(tr);
	return linked ? 0 : -EPERM;
}

/* T and S held. The new tracee is to stop: by a signal, or where it has stopped already. */
static void attach_stop(struct process *p, struct thread *t, bool seize)
{
	struct signal_info info = { .signal = SIGSTOP, .code = SI_KERNEL };

	if (!seize)
		signal_send_locked(p, t, &info);
	if (t->stopped) {
		atomic_or(&t->work, WORK_TRAP);
		thread_unpark(t);
	}
}

static int attach_to(struct process *p, u32 tid, struct trace *tr)
{
	struct thread *t;
	int err = -EPERM;

	if (p == process_current() || p == init_process || !process_may_trace(p))
		return -EPERM;
	spin_lock(&tree_lock);
	spin_lock(&p->signal_lock);
	t = process_thread(p, tid);
	if (t && !t->exiting && !t->trace) {
		trace_link(tr, process_current(), t);
		attach_stop(p, t, tr->seized);
		err = 0;
	}
	spin_unlock(&p->signal_lock);
	spin_unlock(&tree_lock);
	return err;
}

int ptrace_attach(u32 tid, bool seize, u64 options)
{
	struct process *p = pid_thread_process(tid);
	struct trace *tr;
	int err = -ENOMEM;

	if (!p) {
		p = process_find(tid); /* a zombie is there, but cannot be traced */
		if (!p)
			return -ESRCH;
		process_put(p);
		return -EPERM;
	}
	tr = kzalloc(sizeof(*tr));
	if (options & ~TRACE_OPTIONS) {
		err = -EIO;
	} else if (tr) {
		tr->seized = seize;
		tr->options = (u32)options;
		err = attach_to(p, tid, tr);
	}
	if (err)
		trace_free(tr);
	process_put(p);
	return err;
}

/* --- children of tracees --- */

int trace_for_child(struct thread *self, u64 clone_flags, u32 exit_signal, struct trace **tr,
		    u32 *event)
{
	u32 kind = clone_flags & CLONE_VFORK ? PTRACE_EVENT_VFORK
		   : exit_signal != SIGCHLD  ? PTRACE_EVENT_CLONE
					     : PTRACE_EVENT_FORK;
	bool traced, wants;

	*tr = NULL;
	*event = 0;
	if (likely(!load_relaxed(&self->trace)))
		return 0;
	spin_lock(&self->process->signal_lock);
	traced = self->trace;
	wants = !(clone_flags & CLONE_UNTRACED) && trace_wants_event(self, kind);
	spin_unlock(&self->process->signal_lock);
	if (wants)
		*event = kind;
	if (!wants && !(traced && clone_flags & CLONE_PTRACE))
		return 0;
	*tr = kzalloc(sizeof(**tr));
	return *tr ? 0 : -ENOMEM;
}

void trace_link_child(struct trace *tr, struct thread *self, struct thread *child)
{
	const struct trace *own = self->trace;

	if (!own) { /* detached meanwhile */
		trace_free(tr);
		return;
	}
	tr->seized = own->seized;
	tr->options = load_relaxed(&own->options);
	trace_link(tr, own->tracer, child);
	if (tr->seized) {
		atomic_or(&child->work, WORK_TRAP);
	} else {
		child->pending.set |= SIGNAL_BIT(SIGSTOP);
		atomic_or(&child->work, WORK_SIGNAL);
	}
}

/* --- ends --- */

static void tell_of_end(const struct trace *tr)
{
	struct process *tracer = tr->tracer;
	u32 killed = tr->exit_status & 0x7f;
	struct signal_info info = { .signal = SIGCHLD, .code = killed ? CLD_KILLED : CLD_EXITED };

	info.child.pid = tr->tid;
	info.child.uid = process_uid(tr->process);
	info.child.status = (s32)(killed ? killed : tr->exit_status >> 8);
	spin_lock(&tracer->signal_lock);
	signal_send_locked(tracer, NULL, &info);
	spin_unlock(&tracer->signal_lock);
	waitq_wake_all(&tracer->child_wait);
}

void trace_thread_exited(struct thread *t, u32 status)
{
	struct process *p = t->process;
	struct trace *tr = t->trace;

	if (likely(!tr))
		return;
	spin_lock(&p->signal_lock);
	t->trace = NULL;
	tr->thread = NULL;
	spin_unlock(&p->signal_lock);
	tr->exit_status = status;
	/* The first thread's end is the process's, which comes with the last thread. */
	if (p->trace != tr)
		tell_of_end(tr);
}

void trace_tracer_exited(struct process *p)
{
	struct trace *tr, *next;

	list_for_each_safe (tr, next, &p->tracees, link) {
		struct process *tracee = tr->process;

		if (tr->options & PTRACE_O_EXITKILL) {
			spin_lock(&tracee->signal_lock);
			process_kill_locked(tracee, SIGKILL);
			spin_unlock(&tracee->signal_lock);
		}
		trace_unlink(tr);
		zombie_to_parent(tracee);
		trace_free(tr);
	}
}

void trace_renumber(struct thread *t, u32 pid)
{
	struct process *p = t->process;
	struct trace *old = p->trace;

	if (old && old != t->trace) { /* the first thread's, which is gone without a word */
		trace_unlink(old);
		trace_free(old);
	}
	p->trace = t->trace;
	if (t->trace)
		t->trace->tid = pid;
}

/* --- waiting: T held --- */

static bool is_eligible(const struct trace *tr, const struct wait_request *r)
{
	if (r->kind == WAIT_PID)
		return tr->tid == r->id;
	return r->kind == WAIT_ANY || (tr->process->group && tr->process->group->id == r->id);
}

static bool take_stop(struct trace *tr, const struct wait_request *r, struct wait_result *result)
{
	struct process *p = tr->process;
	struct thread_trace *s;
	bool taken = false;

	spin_lock(&p->signal_lock);
	s = tr->thread ? &tr->thread->tracing : NULL;
	if (s && s->stopped && !s->listening && s->unreported) {
		taken = true;
		result->code = CLD_TRAPPED;
		result->value = (int)s->code;
		result->status = s->code << 8 | 0x7f;
		if (!(r->options & WNOWAIT))
			s->unreported = false;
	}
	spin_unlock(&p->signal_lock);
	return taken;
}

/* A thread other than the first: nobody but the tracer hears of its end. */
static bool take_thread_exit(struct trace *tr, const struct wait_request *r,
			     struct wait_result *result)
{
	wait_exit_result(tr->exit_status, result);
	if (!(r->options & WNOWAIT)) {
		trace_unlink(tr);
		trace_free(tr);
	}
	return true;
}

static bool take_process_exit(struct trace *tr, const struct wait_request *r,
			      struct wait_result *result)
{
	struct process *p = tr->process;
	bool is_parent = p->parent == process_current();

	if (p->state != PROCESS_ZOMBIE)
		return false;
	if (r->options & WNOWAIT || !is_parent)
		wait_zombie_result(p, result);
	if (r->options & WNOWAIT)
		return true;
	trace_unlink(tr);
	if (is_parent)
		wait_reap(p, result);
	else
		zombie_to_parent(p);
	trace_free(tr);
	return true;
}

static bool take_exit(struct trace *tr, const struct wait_request *r, struct wait_result *result)
{
	if (tr->thread || !(r->options & WEXITED))
		return false;
	return tr->process->trace == tr ? take_process_exit(tr, r, result)
					: take_thread_exit(tr, r, result);
}

int trace_wait_scan(struct process *self, const struct wait_request *r, struct wait_result *result)
{
	struct trace *tr, *next;
	int found = -ECHILD;

	list_for_each_safe (tr, next, &self->tracees, link) {
		u32 tid = tr->tid, uid = process_uid(tr->process);

		if (!is_eligible(tr, r))
			continue;
		found = 0;
		if (take_exit(tr, r, result) || take_stop(tr, r, result)) {
			result->pid = tid;
			result->uid = uid;
			return 1;
		}
	}
	return found;
}

/* --- what needs no stop --- */

/* The caller's tracee tid, with its S held and its process counted, or NULL. */
static struct thread *tracee_lock(u32 tid, struct process **out)
{
	struct process *p = pid_thread_process(tid);
	struct thread *t;

	if (!p)
		return NULL;
	spin_lock(&p->signal_lock);
	t = process_thread(p, tid);
	if (t && t->trace && t->trace->tracer == process_current()) {
		*out = p;
		return t;
	}
	spin_unlock(&p->signal_lock);
	process_put(p);
	return NULL;
}

static void tracee_unlock(struct process *p)
{
	spin_unlock(&p->signal_lock);
	process_put(p);
}

int ptrace_kill(u32 tid)
{
	struct process *p;

	if (!tracee_lock(tid, &p))
		return -ESRCH;
	process_kill_locked(p, SIGKILL);
	tracee_unlock(p);
	return 0;
}

int ptrace_interrupt(u32 tid)
{
	struct process *p;
	struct thread *t = tracee_lock(tid, &p);
	int err = 0;

	if (!t)
		return -ESRCH;
	if (t->trace->seized)
		trace_want_trap(t, false);
	else
		err = -EIO;
	tracee_unlock(p);
	return err;
}

struct thread *trace_freeze(u32 tid)
{
	struct process *p;
	struct thread *t = tracee_lock(tid, &p);
	bool stands;

	if (!t)
		return ERR_PTR(-ESRCH);
	stands = t->tracing.stopped && !t->tracing.listening && !t->tracing.frozen &&
		 !trace_is_dying(t);
	t->tracing.frozen |= stands;
	tracee_unlock(p);
	if (!stands)
		return ERR_PTR(-ESRCH);
	thread_wait_off_cpu(t);
	return t;
}

void trace_thaw(struct thread *t)
{
	struct process *p = t->process;

	process_get(p); /* it may die as soon as it can */
	spin_lock(&p->signal_lock);
	t->tracing.frozen = false;
	/* One that was killed or sent on meanwhile waits for this; others stay as they are. */
	if (trace_is_dying(t) || !t->tracing.stopped)
		thread_unpark(t);
	spin_unlock(&p->signal_lock);
	process_put(p);
}

int trace_detach(struct thread *t, u64 sig)
{
	struct process *p = t->process;
	struct trace *tr = t->trace;

	if (sig > SIGNAL_COUNT)
		return -EIO;
	process_get(p);
	spin_lock(&tree_lock);
	t->tracing.resume_signal = (int)sig;
	trace_unlink(tr);
	spin_unlock(&tree_lock);
	trace_free(tr);
	process_put(p);
	return 0;
}

u32 process_tracer_pid(struct process *p, u32 tid)
{
	struct thread *t;
	u32 pid = 0;

	spin_lock(&p->signal_lock);
	t = process_thread(p, tid);
	if (t && t->trace)
		pid = t->trace->tracer->pid;
	spin_unlock(&p->signal_lock);
	return pid;
}
