/*
 * sigcalls.c - what system calls do with signals: actions, masks, waiting for them, and sending
 * them with the caller's rights.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/capability.h>

#include "proc/process_priv.h"
#include "proc/sched_priv.h"

/* --- actions and masks --- */

static bool action_ignores(const struct sigaction_kernel *a, int sig)
{
	return a->handler == (u64)SIG_IGN ||
	       (a->handler == (u64)SIG_DFL && SIGNALS_IGNORED_BY_DEFAULT & SIGNAL_BIT(sig));
}

int signal_action(int sig, const struct sigaction_kernel *set, struct sigaction_kernel *old)
{
	struct process *p = process_current();
	struct sigaction_kernel *a;
	struct thread *t;

	if (sig < 1 || sig > SIGNAL_COUNT || (set && SIGNALS_UNBLOCKABLE & SIGNAL_BIT(sig)))
		return -EINVAL;
	a = &p->actions[sig - 1];
	spin_lock(&p->signal_lock);
	if (old)
		*old = *a;
	if (set) {
		bool ignored = action_ignores(a, sig);

		*a = *set;
		a->mask &= ~SIGNALS_UNBLOCKABLE;
		/* What is pending and now ignored is dropped (POSIX 2.4.3). */
		if (action_ignores(a, sig)) {
			signal_queue_flush(p, &p->pending, SIGNAL_BIT(sig));
			list_for_each (t, &p->threads, thread_link)
				signal_queue_flush(p, &t->pending, SIGNAL_BIT(sig));
		} else if (ignored) {
			posix_timers_unignored(p, sig);
		}
	}
	spin_unlock(&p->signal_lock);
	return 0;
}

u64 signal_get_mask(void)
{
	return thread_current()->sigmask;
}

void signal_set_mask(u64 mask)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	u64 newly_blocked;

	mask &= ~SIGNALS_UNBLOCKABLE;
	spin_lock(&p->signal_lock);
	newly_blocked = mask & ~t->sigmask;
	t->sigmask = mask;
	signal_recalc(t);
	/* Signals for the whole process that this thread was to take are now for another. */
	if (p->nthreads > 1 && p->pending.set & newly_blocked)
		signal_retarget(p);
	spin_unlock(&p->signal_lock);
}

void signal_use_mask(u64 mask)
{
	struct thread *t = thread_current();

	t->saved_sigmask = t->sigmask;
	t->restore_sigmask = true;
	signal_set_mask(mask);
}

void signal_end_mask(bool interrupted)
{
	struct thread *t = thread_current();

	if (interrupted || !t->restore_sigmask)
		return;
	t->restore_sigmask = false;
	signal_set_mask(t->saved_sigmask);
}

u64 signal_pending_in(u64 set)
{
	struct thread *t = thread_current();

	return (load_relaxed(&t->pending.set) | load_relaxed(&t->process->pending.set)) & set;
}

u64 signal_pending_blocked(void)
{
	return signal_pending_in(thread_current()->sigmask);
}

int signal_take(u64 set, struct signal_info *out)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	int sig;

	spin_lock(&p->signal_lock);
	sig = signal_dequeue(t, ~set, out);
	signal_recalc(t);
	spin_unlock(&p->signal_lock);
	return sig;
}

/* --- waiting --- */

/* Take one of the set, or announce that this thread waits for the set. */
static int take_or_wait_for(struct thread *t, u64 set, struct signal_info *info)
{
	struct process *p = t->process;
	int sig;

	spin_lock(&p->signal_lock);
	sig = signal_dequeue(t, ~set, info);
	t->sigwait = sig ? 0 : set;
	signal_recalc(t);
	/* A wake-up for a signal of the set ends the park like one that is not blocked. */
	spin_unlock(&p->signal_lock);
	return sig;
}

static void stop_waiting_for(struct thread *t)
{
	spin_lock(&t->process->signal_lock);
	t->sigwait = 0;
	signal_recalc(t);
	spin_unlock(&t->process->signal_lock);
}

int signal_timedwait(u64 set, u64 deadline_ns, struct signal_info *info)
{
	struct thread *t = thread_current();
	int sig, err = 0;

	set &= ~SIGNALS_UNBLOCKABLE;
	for (;;) {
		thread_prepare_park();
		sig = take_or_wait_for(t, set, info);
		if (sig || err) {
			thread_cancel_park();
			break;
		}
		err = thread_park(true, deadline_ns);
		if (err == -ETIMEDOUT)
			err = -EAGAIN;
	}
	stop_waiting_for(t);
	return sig ? sig : err;
}

/* --- sending --- */

void signal_info_user(struct signal_info *info, int sig, int code)
{
	struct process *p = process_current();

	*info = (struct signal_info){ .signal = sig, .code = code };
	info->sent.pid = p->pid;
	info->sent.uid = cred_current()->uid;
}

/* kill(2): same user, CAP_KILL, or SIGCONT within the session. T may be held. */
static bool may_signal(struct process *p, int sig, bool same_session)
{
	const struct cred *me = cred_current();
	struct cred *c = process_cred_get(p);
	bool ok = me->euid == c->suid || me->euid == c->uid || me->uid == c->suid ||
		  me->uid == c->uid || cred_capable(me, CAP_KILL) ||
		  (sig == SIGCONT && same_session);

	cred_put(c);
	return ok;
}

/* T held. Signal 0 asks whether one could. */
static int kill_one(struct process *p, const struct signal_info *info)
{
	int err = 0;

	if (!p->group)
		return -ESRCH;
	if (info->signal < 0 || info->signal > SIGNAL_COUNT)
		return -EINVAL;
	if (!may_signal(p, info->signal, p->group->session == process_current()->group->session))
		return -EPERM;
	if (!info->signal)
		return 0;
	spin_lock(&p->signal_lock);
	err = signal_send_locked(p, NULL, info);
	spin_unlock(&p->signal_lock);
	return err;
}

static int kill_group(u32 pgid, const struct signal_info *info)
{
	struct process *p;
	struct pgroup *g;
	int last = -ESRCH;
	bool success = false;

	spin_lock(&tree_lock);
	g = pgid ? pid_group(pgid) : process_current()->group;
	if (g) {
		list_for_each (p, &g->members, group_link) {
			last = kill_one(p, info);
			success |= !last;
		}
	}
	spin_unlock(&tree_lock);
	return success ? 0 : last;
}

int signal_send_process(struct process *p, const struct signal_info *info)
{
	int err;

	spin_lock(&tree_lock);
	err = kill_one(p, info);
	spin_unlock(&tree_lock);
	return err;
}

static int kill_process(u32 pid, const struct signal_info *info)
{
	struct process *p = process_find(pid);
	int err;

	if (!p) /* the number of any of its threads means the process, too */
		p = pid_thread_process(pid);
	if (!p)
		return -ESRCH;
	err = signal_send_process(p, info);
	process_put(p);
	return err;
}

/* All but process 1 and the caller. As on Linux, a lack of rights is not reported. */
static int kill_everybody(const struct signal_info *info)
{
	struct process *p;
	int result = -ESRCH;
	u32 pid = 2;

	for (; (p = pid_next_process(&pid)); pid++) {
		int err = 0;

		if (p != process_current()) {
			err = signal_send_process(p, info);
			if (err != -EPERM || result == -ESRCH)
				result = err == -EPERM ? 0 : err;
		}
		process_put(p);
	}
	return result;
}

int signal_kill(s32 pid, const struct signal_info *info)
{
	if (pid > 0)
		return kill_process((u32)pid, info);
	if (pid == INT32_MIN)
		return -ESRCH;
	return pid == -1 ? kill_everybody(info) : kill_group((u32)-pid, info);
}

int signal_tgkill(s32 tgid, s32 tid, const struct signal_info *info)
{
	struct process *p;
	struct thread *t;
	int err = -ESRCH;

	if (tid <= 0 || tgid < 0)
		return -EINVAL;
	p = pid_thread_process((u32)tid);
	if (!p)
		return -ESRCH;
	if (!tgid || p->pid == (u32)tgid) {
		err = 0;
		if (info->signal < 0 || info->signal > SIGNAL_COUNT)
			err = -EINVAL;
		else if (!may_signal(p, info->signal,
				     process_session_id(p) ==
					     process_session_id(process_current())))
			err = -EPERM;
		spin_lock(&p->signal_lock);
		t = process_thread(p, (u32)tid);
		if (!t)
			err = -ESRCH;
		else if (!err && info->signal)
			err = signal_send_locked(p, t, info);
		spin_unlock(&p->signal_lock);
	}
	process_put(p);
	return err;
}
