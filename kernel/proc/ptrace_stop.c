/*
 * ptrace_stop.c - a tracee stops for its tracer: at a signal, before and after a system call, at an
 * event, in a group stop, or because it was asked to.
 *
 * The central rule: the thread stops itself, in a place where its registers are all at the top of
 * its kernel stack, and stays there until the tracer resumes it, lets go of it, or it is killed; and
 * even when it is killed, not before the tracer has finished what it does to it (frozen). What the
 * tracer may see and change meanwhile is in thread->tracing, under the signal lock, and in the
 * registers, once the thread is off its CPU.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "arch/x86_64/trap.h"
#include "lib/err.h"
#include "lib/print.h"
#include "proc/ptrace.h"
#include "proc/ptrace_priv.h"
#include "proc/sched_priv.h"

#define FLAG_TF 0x100ull
#define EVENT_CODE(event) ((u32)(event) << 8 | SIGTRAP)
#define SYSGOOD 0x80u /* PTRACE_O_TRACESYSGOOD */
#define ENOSYS_RESULT ((u64)-ENOSYS)

/* --- stopping --- */

void trace_tell_tracer(struct thread *t, int code, int status)
{
	struct signal_info info = { .signal = SIGCHLD, .code = code };
	struct process_times times;
	struct sigaction_kernel *a;
	struct process *tracer;

	process_times(t->process, &times);
	spin_lock(&tree_lock);
	if (t->trace) {
		tracer = t->trace->tracer;
		a = &tracer->actions[SIGCHLD - 1];
		info.child.pid = t->trace->tid;
		info.child.uid = process_uid(t->process);
		info.child.status = status;
		info.child.user_ticks = (s64)(times.user_ns / 10000000);
		info.child.system_ticks = (s64)(times.system_ns / 10000000);
		spin_lock(&tracer->signal_lock);
		if (a->handler != (u64)SIG_IGN && !(a->flags & SA_NOCLDSTOP))
			signal_send_locked(tracer, NULL, &info);
		spin_unlock(&tracer->signal_lock);
		waitq_wake_all(&tracer->child_wait);
	}
	spin_unlock(&tree_lock);
}

/* Parked until resumed or killed, but in any case until thawed. */
static void stand_still(struct thread *t)
{
	struct process *p = t->process;

	for (;;) {
		bool killed, done;

		thread_prepare_park();
		spin_lock(&p->signal_lock);
		killed = trace_is_dying(t);
		done = (!t->tracing.stopped || killed) && !t->tracing.frozen;
		spin_unlock(&p->signal_lock);
		if (done) {
			thread_cancel_park();
			return;
		}
		thread_park_mode(killed ? PARK_UNINTERRUPTIBLE : PARK_KILLABLE, DEADLINE_NONE);
	}
}

/*
 * Stop, with S held, and held again afterwards. code: as wait reports it; why: CLD_TRAPPED or
 * CLD_STOPPED, for the tracer's SIGCHLD. The signal that the tracer sends the thread on with; 0 also
 * when it was killed.
 */
static int stop(struct thread *t, u32 code, int why, struct signal_info *info, u64 message)
{
	struct process *p = t->process;
	struct thread_trace *s = &t->tracing;
	int sig;

	/* Any stop will do for who asked for one; a change of the group stop is yet to be told. */
	if (!s->notify || code >> 8 == PTRACE_EVENT_STOP) {
		s->notify = false;
		atomic_and(&t->work, ~WORK_TRAP);
	}
	if (!t->trace || trace_is_dying(t))
		return 0;
	s->stopped = s->unreported = true;
	s->listening = false;
	s->code = code;
	s->info = info;
	s->message = message;
	s->resume_signal = 0;
	spin_unlock(&p->signal_lock);
	trace_tell_tracer(t, why, (int)(code & 0x7f));
	stand_still(t);
	spin_lock(&p->signal_lock);
	sig = trace_is_dying(t) ? 0 : s->resume_signal;
	s->stopped = s->listening = false;
	s->info = NULL;
	/* Sent on out of a group stop, it takes no part in it any more. */
	if (t->stopped && t->trace) {
		t->stopped = false;
		p->nstopped--;
	}
	signal_recalc(t);
	return sig;
}

static struct signal_info trap_info(int sig, u32 code)
{
	struct signal_info info;

	signal_info_user(&info, sig, (int)code);
	return info;
}

/* --- events --- */

bool trace_wants_event(const struct thread *t, u32 event)
{
	return t->trace && t->trace->options & 1u << event;
}

void trace_event(u32 event, u64 message)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	struct signal_info info;

	if (likely(!load_relaxed(&t->trace)))
		return;
	info = trap_info(SIGTRAP, EVENT_CODE(event));
	spin_lock(&p->signal_lock);
	if (trace_wants_event(t, event))
		(void)stop(t, EVENT_CODE(event), CLD_TRAPPED, &info, message);
	spin_unlock(&p->signal_lock);
}

void trace_exec(u32 old_tid)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	struct signal_info info;

	if (likely(!load_relaxed(&t->trace)))
		return;
	info = trap_info(SIGTRAP, SI_USER);
	trace_event(PTRACE_EVENT_EXEC, old_tid);
	spin_lock(&p->signal_lock);
	/* How exec is announced to who has not asked for the event. */
	if (t->trace && !t->trace->seized && !trace_wants_event(t, PTRACE_EVENT_EXEC))
		signal_send_locked(p, t, &info);
	spin_unlock(&p->signal_lock);
}

/* --- signals --- */

int trace_signal_stop(struct thread *t, int sig, struct signal_info *info)
{
	struct process *tracer;
	int now;

	if (!t->trace)
		return sig;
	tracer = t->trace->tracer;
	now = stop(t, (u32)sig, CLD_TRAPPED, info, 0);
	if (!now || now == info->signal)
		return now;
	/* Another one: then what came with the first means nothing. */
	*info = (struct signal_info){ .signal = now, .code = SI_USER };
	if (t->trace && t->trace->tracer == tracer) {
		info->sent.pid = tracer->pid;
		info->sent.uid = process_uid(tracer);
	}
	if (!(t->sigmask & SIGNAL_BIT(now)))
		return now;
	signal_send_locked(t->process, t, info);
	return 0;
}

bool trace_hide_step(struct regs *regs)
{
	struct thread *t = thread_current();
	bool stepping;

	if (likely(!load_relaxed(&t->trace)))
		return false;
	spin_lock(&t->process->signal_lock);
	stepping = t->tracing.mode & TRACE_STEP;
	if (t->tracing.forced_tf)
		regs->rflags &= ~FLAG_TF;
	t->tracing.forced_tf = false;
	spin_unlock(&t->process->signal_lock);
	return stepping;
}

void trace_handler_entered(void)
{
	struct thread *t = thread_current();
	struct signal_info info = trap_info(SIGTRAP, SIGTRAP);

	spin_lock(&t->process->signal_lock);
	(void)stop(t, SIGTRAP, CLD_TRAPPED, &info, 0);
	spin_unlock(&t->process->signal_lock);
}

/* --- system calls --- */

/* S not held. The tracer may send a signal with the thread. */
static void syscall_stop(struct thread *t, u64 message)
{
	struct process *p = t->process;
	struct signal_info info;
	u32 code = SIGTRAP;
	int sig;

	spin_lock(&p->signal_lock);
	if (t->trace && t->trace->options & PTRACE_O_TRACESYSGOOD)
		code |= SYSGOOD;
	spin_unlock(&p->signal_lock);
	info = trap_info(SIGTRAP, code);
	spin_lock(&p->signal_lock);
	sig = stop(t, code, CLD_TRAPPED, &info, message);
	if (sig) {
		info = (struct signal_info){ .signal = sig, .code = SI_KERNEL };
		signal_send_locked(p, t, &info);
	}
	spin_unlock(&p->signal_lock);
}

bool trace_syscall_enter(struct regs *regs)
{
	struct thread *t = thread_current();
	u8 mode = load_relaxed(&t->tracing.mode);

	if (!(mode & (TRACE_SYSCALLS | TRACE_EMULATE)))
		return true;
	regs->rax = ENOSYS_RESULT; /* what a call that is skipped gives */
	syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_ENTRY);
	return !(mode & TRACE_EMULATE) && (s32)regs->orig_rax != -1 && !thread_killed();
}

void trace_syscall_exit(struct regs *regs)
{
	struct thread *t = thread_current();
	u8 mode = load_relaxed(&t->tracing.mode);

	if (mode & TRACE_EMULATE)
		return;
	if (mode & TRACE_SYSCALLS)
		syscall_stop(t, PTRACE_EVENTMSG_SYSCALL_EXIT);
	/* The processor's own trap would come one instruction late. */
	else if (mode & TRACE_STEP)
		signal_fault(SIGTRAP, TRAP_BRKPT, regs->rip);
}

/* --- group stops, and stops on request --- */

/* S held. A stop signal wants all threads to stop: this one counts from now on. True: the last. */
static bool join_group_stop(struct process *p, struct thread *t)
{
	atomic_and(&t->work, ~WORK_STOP);
	if (!p->stop_signal || p->exiting || t->stopped)
		return false;
	t->stopped = true;
	atomic_or(&t->work, WORK_TRAP);
	if (++p->nstopped != p->nthreads)
		return false;
	p->stop_event = true;
	return true;
}

static bool parent_traces(struct process *p, struct thread *t)
{
	bool same;

	spin_lock(&tree_lock);
	same = t->trace && t->trace->tracer == p->parent;
	spin_unlock(&tree_lock);
	return same;
}

void trace_trap(struct thread *t)
{
	struct process *p = t->process;
	struct signal_info info;
	bool complete = false;
	u32 sig;

	spin_lock(&p->signal_lock);
	if (t->work & WORK_STOP)
		complete = join_group_stop(p, t);
	sig = p->stop_signal;
	spin_unlock(&p->signal_lock);
	if (complete && !parent_traces(p, t))
		signal_child_event(p, CLD_STOPPED, (int)sig);
	info = trap_info(SIGTRAP, 0);
	spin_lock(&p->signal_lock);
	sig = p->stop_signal;
	if (t->trace && t->work & WORK_TRAP && t->trace->seized) {
		u32 code = (sig ? sig : SIGTRAP) | PTRACE_EVENT_STOP << 8;

		info.signal = (s32)(sig ? sig : SIGTRAP);
		info.code = (s32)code;
		(void)stop(t, code, CLD_STOPPED, &info, 0);
	} else if (t->trace && t->work & WORK_TRAP && sig) {
		(void)stop(t, sig, CLD_STOPPED, NULL, 0);
	} else { /* continued, or let go, meanwhile */
		t->tracing.notify = false;
		atomic_and(&t->work, ~WORK_TRAP);
	}
	spin_unlock(&p->signal_lock);
}

void trace_want_trap(struct thread *t, bool notify)
{
	t->tracing.notify |= notify;
	atomic_or(&t->work, WORK_TRAP);
	if (t->tracing.listening) {
		t->tracing.listening = t->tracing.stopped = false;
		thread_unpark(t);
	} else if (!t->tracing.stopped) {
		thread_interrupt(t);
	}
}
