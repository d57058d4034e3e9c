/*
 * deliver.c - what a thread does on its way back to user mode: die, stop, make room for others, and
 * take its signals.
 *
 * return_to_user_work is the only place where a thread acts on signals; signal.c leaves notes for
 * it in thread->work. It also finishes interrupted system calls: they returned -ERESTART*, and are
 * either run again or end with EINTR, as the signal's action says (signal(7)).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "arch/x86_64/trap.h"
#include "lib/print.h"
#include "proc/core.h"
#include "proc/ptrace_priv.h"
#include "proc/rseq.h"
#include "proc/sched_priv.h"

#define SYSCALL_LENGTH 2 /* of the SYSCALL instruction */
#define NR_RESTART_SYSCALL 219

/* --- stopping --- */

/*
 * Park until SIGCONT or death, or until a tracer takes over. The last thread to stop tells the
 * parent. One that a tracer let go of counts as stopped already.
 */
static void stop_here(struct thread *t)
{
	struct process *p = t->process;
	int sig = 0;

	spin_lock(&p->signal_lock);
	if (!t->trace)
		atomic_and(&t->work, ~WORK_TRAP);
	if (!(t->work & WORK_STOP) || p->exiting) {
		atomic_and(&t->work, ~WORK_STOP);
		spin_unlock(&p->signal_lock);
		return;
	}
	if (!t->stopped && ++p->nstopped == p->nthreads) {
		p->stop_event = true;
		sig = (int)p->stop_signal;
	}
	t->stopped = true;
	spin_unlock(&p->signal_lock);
	if (sig)
		signal_child_event(p, CLD_STOPPED, sig);
	for (;;) {
		thread_prepare_park();
		if (!load_acquire(&t->stopped) || load_acquire(&t->work) & WORK_TRAP) {
			thread_cancel_park();
			return;
		}
		if (thread_park_mode(PARK_KILLABLE, DEADLINE_NONE) == -EINTR)
			return; /* killed: exit.c takes it out of the count */
	}
}

/* The action of a stop signal: all threads are to stop. S held. */
static void begin_stop(struct process *p, int sig)
{
	struct thread *t;

	if (p->exiting)
		return;
	p->continue_event = p->notify_continue = false;
	p->stop_signal = (u32)sig;
	list_for_each (t, &p->threads, thread_link) {
		if (t->stopped)
			continue;
		atomic_or(&t->work, WORK_STOP);
		thread_interrupt(t);
	}
}

/*
 * Terminal stops have no effect in an orphaned group; asking takes the tree lock, so S, which is
 * held, is let go meanwhile: a SIGCONT that comes then wins.
 */
static void stop_by_signal(struct process *p, int sig)
{
	bool orphaned;

	if (sig != SIGSTOP) {
		p->stop_taken = true;
		spin_unlock(&p->signal_lock);
		orphaned = process_group_is_orphaned(process_group_id(p));
		spin_lock(&p->signal_lock);
		if (orphaned || !p->stop_taken)
			return;
	}
	begin_stop(p, sig);
}

/* --- taking a signal --- */

/* How the call that a signal interrupted ends when a handler runs. */
static void finish_syscall_for_handler(struct regs *regs, u64 flags)
{
	if ((s64)regs->orig_rax < 0)
		return;
	switch (-(s64)regs->rax) {
	case ERESTARTSYS:
		if (flags & SA_RESTART)
			goto restart;
		regs->rax = (u64)-EINTR;
		break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		regs->rax = (u64)-EINTR;
		break;
	case ERESTARTNOINTR:
		goto restart;
	}
	regs->orig_rax = UINT64_MAX;
	return;
restart:
	regs->rax = regs->orig_rax;
	regs->rip -= SYSCALL_LENGTH;
	regs->orig_rax = UINT64_MAX;
}

/* No handler runs: the call begins again. */
static void restart_syscall(struct regs *regs)
{
	if ((s64)regs->orig_rax < 0)
		return;
	switch (-(s64)regs->rax) {
	case ERESTARTSYS:
	case ERESTARTNOHAND:
	case ERESTARTNOINTR:
		regs->rax = regs->orig_rax;
		regs->rip -= SYSCALL_LENGTH;
		break;
	case ERESTART_RESTARTBLOCK:
		regs->rax = NR_RESTART_SYSCALL;
		regs->rip -= SYSCALL_LENGTH;
		break;
	}
	regs->orig_rax = UINT64_MAX;
}

/*
 * Run the handler: build its frame and block what it asks to block. Without room for the frame the
 * program dies by SIGSEGV.
 */
static void enter_handler(struct regs *regs, int sig, const struct signal_info *info,
			  const struct sigaction_kernel *a)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	u64 old_mask = t->restore_sigmask ? t->saved_sigmask : t->sigmask;
	bool stepping;

	finish_syscall_for_handler(regs, a->flags);
	rseq_before_handler(regs);
	stepping = trace_hide_step(regs);
	if (sigframe_setup(regs, sig, info, a, old_mask)) {
		if (sig == SIGSEGV) {
			spin_lock(&p->signal_lock);
			p->actions[SIGSEGV - 1].handler = (u64)SIG_DFL;
			spin_unlock(&p->signal_lock);
		}
		signal_fault(SIGSEGV, SI_KERNEL, 0);
		return;
	}
	spin_lock(&p->signal_lock);
	t->restore_sigmask = false;
	t->sigmask |= a->mask;
	if (!(a->flags & SA_NODEFER))
		t->sigmask |= SIGNAL_BIT(sig);
	t->sigmask &= ~SIGNALS_UNBLOCKABLE;
	signal_recalc(t);
	spin_unlock(&p->signal_lock);
	if (stepping)
		trace_handler_entered();
}

/* Nothing to handle: put back the mask of sigsuspend, and let the call begin again. */
static void resume_without_handler(struct regs *regs, struct thread *t)
{
	restart_syscall(regs);
	if (t->restore_sigmask) {
		t->restore_sigmask = false;
		signal_set_mask(t->saved_sigmask);
	}
}

/*
 * Take one signal that needs action: its number with *info and *a filled, or 0. Stops and kills
 * have been carried out.
 */
static int take_signal(struct thread *t, struct signal_info *info, struct sigaction_kernel *a)
{
	struct process *p = t->process;
	int sig;

	spin_lock(&p->signal_lock);
	while (!p->exiting && !(t->work & (WORK_STOP | WORK_TRAP)) &&
	       (sig = signal_dequeue(t, t->sigmask, info))) {
		sig = trace_signal_stop(t, sig, info);
		if (!sig)
			continue;
		*a = p->actions[sig - 1];
		if (a->handler == (u64)SIG_IGN)
			continue;
		if (a->handler != (u64)SIG_DFL) {
			if (a->flags & SA_RESETHAND)
				p->actions[sig - 1].handler = (u64)SIG_DFL;
			spin_unlock(&p->signal_lock);
			return sig;
		}
		if (SIGNALS_IGNORED_BY_DEFAULT & SIGNAL_BIT(sig))
			continue;
		if (SIGNALS_STOP & SIGNAL_BIT(sig)) {
			stop_by_signal(p, sig);
			continue;
		}
		if (t->trace) {
			spin_unlock(&p->signal_lock);
			trace_event(PTRACE_EVENT_EXIT, (u64)sig);
			spin_lock(&p->signal_lock);
		}
		if (!core_is_wanted(p, sig)) {
			process_kill_locked(p, (u32)sig);
			continue;
		}
		spin_unlock(&p->signal_lock);
		core_kill(info);
		spin_lock(&p->signal_lock);
		break;
	}
	signal_recalc(t);
	spin_unlock(&p->signal_lock);
	return 0;
}

static void tell_continued(struct process *p)
{
	bool tell;

	spin_lock(&p->signal_lock);
	tell = p->notify_continue;
	p->notify_continue = false;
	spin_unlock(&p->signal_lock);
	if (tell)
		signal_child_event(p, CLD_CONTINUED, SIGCONT);
}

static void deliver(struct regs *regs, struct thread *t)
{
	struct sigaction_kernel action;
	struct signal_info info;
	int sig;

	if (load_relaxed(&t->process->notify_continue))
		tell_continued(t->process);
	sig = take_signal(t, &info, &action);
	if (sig)
		enter_handler(regs, sig, &info, &action);
	else if (!(load_relaxed(&t->work) & WORK_INTERRUPTS))
		resume_without_handler(regs, t);
}

void return_to_user_work(struct regs *regs)
{
	struct thread *t = thread_current();
	u32 work;

	while ((work = load_acquire(&t->work))) {
		if (work & WORK_EXIT)
			thread_exit(t->process->group_status);
		if (work & WORK_RESCHED)
			thread_resched();
		if (work & WORK_RSEQ)
			rseq_resume(regs);
		if (work & (WORK_STOP | WORK_TRAP)) {
			/*
			 * The call that the stop interrupted begins again afterwards: deliver sees
			 * to it.
			 */
			if (load_relaxed(&t->trace))
				trace_trap(t);
			else
				stop_here(t);
			atomic_or(&t->work, WORK_SIGNAL);
		} else if (work & WORK_SIGNAL) {
			deliver(regs, t);
		}
	}
}
