/*
 * signal.c - sending signals and taking them off the queues: what is pending, for whom, and who is
 * woken for it.
 *
 * Everything here is guarded by the target's signal_lock (S). The central rule is Linux's: what a
 * signal does to the target as a whole (stop signals cancel a pending SIGCONT and the reverse,
 * SIGCONT continues, a fatal one kills) happens when it is sent; handlers and stops happen when a
 * thread takes it, on its way to user mode (deliver.c). sigcalls.c has the system calls.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/resource.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/core.h"
#include "proc/ptrace_priv.h"
#include "proc/sched_priv.h"

/* --- queues --- */

void signal_queue_init(struct signal_queue *q)
{
	q->set = 0;
	q->count = 0;
	list_init(&q->infos);
}

/* A queued signal is off its queue: it is its timer's again, or freed. */
static void pending_end(struct signal_pending *e, struct signal_info *info, bool deliver)
{
	if (e->timer) {
		posix_timer_taken(e->timer, info, deliver);
		return;
	}
	uid_count_uncharge_signal(e->charged);
	kfree(e);
}

void signal_queue_flush(struct process *p, struct signal_queue *q, u64 set)
{
	struct signal_pending *e, *next;

	if (!(q->set & set))
		return;
	q->set &= ~set;
	list_for_each_safe (e, next, &q->infos, link) {
		if (!(SIGNAL_BIT(e->info.signal) & set))
			continue;
		list_remove(&e->link);
		q->count--;
		pending_end(e, NULL, false);
	}
}

/* The first queued instance of sig, or NULL; *another: there are more. */
static struct signal_pending *queue_find(struct signal_queue *q, int sig, bool *another)
{
	struct signal_pending *e, *found = NULL;

	*another = false;
	list_for_each (e, &q->infos, link) {
		if (e->info.signal != sig)
			continue;
		if (found) {
			*another = true;
			break;
		}
		found = e;
	}
	return found;
}

void signal_queue_remove(struct signal_queue *q, struct signal_pending *e)
{
	bool another;

	list_remove(&e->link);
	q->count--;
	if (!queue_find(q, e->info.signal, &another))
		q->set &= ~SIGNAL_BIT(e->info.signal);
}

static void queue_append(struct signal_queue *q, struct signal_pending *e)
{
	list_push_back(&q->infos, &e->link);
	q->count++;
	q->set |= SIGNAL_BIT(e->info.signal);
}

/* Room for a signal of p that is charged to its user, or NULL. */
static struct signal_pending *pending_new(struct process *p, u64 limit)
{
	struct signal_pending *e;

	if (!uid_count_charge_signal(p->uid_count, limit))
		return NULL;
	e = kmalloc(sizeof(*e));
	if (!e) {
		uid_count_uncharge_signal(p->uid_count);
		return NULL;
	}
	*e = (struct signal_pending){ .charged = p->uid_count };
	return e;
}

/*
 * Remember the signal. Without memory for what it carries (or beyond RLIMIT_SIGPENDING, which does
 * not count for standard signals of kill and of the kernel) only its number is kept, unless it is a
 * real-time signal with something to say, which must not be lost: -EAGAIN.
 */
static int queue_add(struct process *p, struct signal_queue *q, const struct signal_info *info)
{
	bool realtime = info->signal >= SIGRTMIN, unlimited = !realtime && info->code >= 0;
	struct signal_pending *e =
		pending_new(p, unlimited ? UINT64_MAX : p->rlimit_soft[RLIMIT_SIGPENDING]);

	if (!e && realtime && info->code != SI_USER)
		return -EAGAIN;
	if (e) {
		e->info = *info;
		queue_append(q, e);
	}
	q->set |= SIGNAL_BIT(info->signal);
	return 0;
}

/* Take the first queued instance of sig; the bit stays while another is queued. */
static void queue_take(struct process *p, struct signal_queue *q, int sig, struct signal_info *info)
{
	bool another;
	struct signal_pending *found = queue_find(q, sig, &another);

	if (!another)
		q->set &= ~SIGNAL_BIT(sig);
	if (q == &p->pending && sig == SIGALRM)
		itimer_alarm_taken(p);
	if (!found) {
		*info = (struct signal_info){ .signal = sig, .code = SI_USER };
		return;
	}
	list_remove(&found->link);
	q->count--;
	*info = found->info;
	pending_end(found, info, true);
}

/* The lowest of a set, those that faults raise first. */
static int signal_first(u64 set)
{
	u64 synchronous = set & SIGNALS_SYNCHRONOUS;

	return __builtin_ctzll(synchronous ? synchronous : set) + 1;
}

int signal_dequeue(struct thread *t, u64 blocked, struct signal_info *info)
{
	struct process *p = t->process;
	u64 own = t->pending.set & ~blocked, shared = p->pending.set & ~blocked;
	int sig;

	if (!own && !shared)
		return 0;
	sig = signal_first(own ? own : shared);
	queue_take(p, own ? &t->pending : &p->pending, sig, info);
	return sig;
}

void signal_recalc(struct thread *t)
{
	if (((t->pending.set | t->process->pending.set) & ~t->sigmask) ||
	    t->process->notify_continue)
		atomic_or(&t->work, WORK_SIGNAL);
	else
		atomic_and(&t->work, ~WORK_SIGNAL);
}

/* --- sending --- */

static bool ignores(const struct process *p, int sig)
{
	u64 handler = p->actions[sig - 1].handler;

	return handler == (u64)SIG_IGN ||
	       (handler == (u64)SIG_DFL && SIGNALS_IGNORED_BY_DEFAULT & SIGNAL_BIT(sig));
}

/* Would the signal kill by its default action? */
static bool is_fatal(const struct process *p, int sig)
{
	return p->actions[sig - 1].handler == (u64)SIG_DFL &&
	       !((SIGNALS_IGNORED_BY_DEFAULT | SIGNALS_STOP) & SIGNAL_BIT(sig));
}

static void wake_for_work(struct thread *t, u32 work)
{
	atomic_or(&t->work, work);
	thread_interrupt(t);
}

void process_kill_locked(struct process *p, u32 status)
{
	struct thread *t;

	if (p->exiting)
		return;
	p->exiting = true;
	p->group_status = status;
	p->stop_signal = 0;
	list_for_each (t, &p->threads, thread_link)
		wake_for_work(t, WORK_EXIT);
}

static void flush_everywhere(struct process *p, u64 set)
{
	struct thread *t;

	signal_queue_flush(p, &p->pending, set);
	list_for_each (t, &p->threads, thread_link)
		signal_queue_flush(p, &t->pending, set);
}

/*
 * SIGCONT, whatever its handler: who is stopped, or about to, goes on, and the parent hears of it
 * if they all had stopped.
 */
static void continue_process(struct process *p)
{
	struct thread *t;

	flush_everywhere(p, SIGNALS_STOP);
	p->stop_taken = false;
	list_for_each (t, &p->threads, thread_link) {
		if (t->trace && t->trace->seized)
			trace_want_trap(t, true);
	}
	if (!p->stop_signal)
		return;
	if (p->nstopped == p->nthreads) {
		p->notify_continue = true;
		p->continue_event = true;
	}
	p->stop_signal = 0;
	p->stop_event = false;
	p->nstopped = 0;
	list_for_each (t, &p->threads, thread_link) {
		atomic_and(&t->work, ~WORK_STOP);
		if (p->notify_continue)
			atomic_or(&t->work, WORK_SIGNAL);
		if (t->stopped) {
			t->stopped = false;
			if (!t->tracing.stopped) /* that one waits for its tracer */
				thread_unpark(t);
		}
	}
}

/*
 * A stopped thread takes nothing (but SIGKILL, which asks nobody): the signal stays pending until
 * it is continued.
 */
static bool wants(const struct thread *t, int sig)
{
	return !t->exiting && !t->stopped && !t->tracing.stopped &&
	       (!(t->sigmask & SIGNAL_BIT(sig)) || t->sigwait & SIGNAL_BIT(sig));
}

/*
 * Who takes a signal that was sent to the process: the leader if it does not block it, else any
 * that does not.
 */
static struct thread *choose_target(struct process *p, int sig)
{
	struct thread *t;

	if (p->leader && wants(p->leader, sig))
		return p->leader;
	list_for_each (t, &p->threads, thread_link) {
		if (wants(t, sig))
			return t;
	}
	return NULL;
}

/* What became of a signal that was sent. */
enum sent { SENT_QUEUE, SENT_DROPPED, SENT_IGNORED };

/*
 * What a signal does when it is sent, and who takes it: SENT_QUEUE: it is to be queued, for *target
 * if that is not NULL. only_one: not if one of its number is there already.
 */
static enum sent send_begin(struct process *p, struct thread *t, int sig, bool only_one,
			    struct thread **target)
{
	const struct signal_queue *q = t ? &t->pending : &p->pending;
	struct thread *addressee;
	u64 bit = SIGNAL_BIT(sig);

	if (p == init_process || !p->nthreads || p->exiting)
		return SENT_DROPPED;
	if (sig == SIGKILL) {
		process_kill_locked(p, SIGKILL);
		return SENT_DROPPED;
	}
	if (bit & SIGNALS_STOP)
		flush_everywhere(p, SIGNAL_BIT(SIGCONT));
	else if (sig == SIGCONT)
		continue_process(p);
	*target = t && wants(t, sig) ? t : NULL;
	if (!t)
		*target = choose_target(p, sig);
	/*
	 * A blocked signal is kept although it is ignored: the action may change before it is
	 * unblocked; and so is one that a tracer may want to see.
	 */
	addressee = *target ? *target : t ? t : p->leader;
	if (ignores(p, sig) && addressee && !(addressee->sigmask & bit) && !addressee->trace)
		return SENT_IGNORED;
	if (only_one && q->set & bit)
		return SENT_DROPPED;
	if (*target && is_fatal(p, sig) && !core_is_wanted(p, sig) && !(*target)->trace &&
	    !((*target)->sigmask & bit) && !((*target)->sigwait & bit)) {
		process_kill_locked(p, (u32)sig);
		return SENT_DROPPED;
	}
	return SENT_QUEUE;
}

static void send_end(struct process *p, struct thread *target)
{
	waitq_wake_all(&p->signal_wait);
	if (target)
		wake_for_work(target, WORK_SIGNAL);
}

int signal_send_locked(struct process *p, struct thread *t, const struct signal_info *info)
{
	struct thread *target;
	int err;

	if (send_begin(p, t, info->signal, info->signal < SIGRTMIN, &target) != SENT_QUEUE)
		return 0;
	err = queue_add(p, t ? &t->pending : &p->pending, info);
	if (!err)
		send_end(p, target);
	return err;
}

bool signal_send_own(struct process *p, struct thread *t, struct signal_pending *e,
		     struct signal_queue **q)
{
	struct thread *target;
	enum sent sent = send_begin(p, t, e->info.signal, false, &target);

	*q = NULL;
	if (sent != SENT_QUEUE)
		return sent != SENT_IGNORED;
	*q = t ? &t->pending : &p->pending;
	queue_append(*q, e);
	send_end(p, target);
	return true;
}

void signal_retarget(struct process *p)
{
	struct thread *t;

	list_for_each (t, &p->threads, thread_link) {
		if (p->pending.set & ~t->sigmask && !t->exiting)
			wake_for_work(t, WORK_SIGNAL);
	}
}

/* --- from the kernel --- */

static void info_from_source(struct signal_info *info, int sig, const struct signal_source *s)
{
	*info = (struct signal_info){ .signal = sig, .code = s ? s->code : SI_KERNEL };
	if (!s)
		return;
	if (sig == SIGCHLD && s->code > 0) {
		info->child.pid = s->pid;
		info->child.uid = s->uid;
		info->child.status = (s32)s->value;
	} else if (s->address || (SIGNALS_SYNCHRONOUS & SIGNAL_BIT(sig) && s->code > 0)) {
		info->fault.address = s->address;
	} else if (sig == SIGIO && s->code > 0) {
		info->poll.band = s->value;
	} else {
		info->sent.pid = s->pid;
		info->sent.uid = s->uid;
		info->sent.value = (u64)s->value;
	}
}

void signal_thread(struct thread *t, int sig, const struct signal_source *s)
{
	struct process *p = t->process;
	struct signal_info info;

	info_from_source(&info, sig, s);
	spin_lock(&p->signal_lock);
	signal_send_locked(p, t, &info);
	spin_unlock(&p->signal_lock);
}

void signal_process(struct process *p, int sig, const struct signal_source *s)
{
	struct signal_info info;

	info_from_source(&info, sig, s);
	spin_lock(&p->signal_lock);
	signal_send_locked(p, NULL, &info);
	spin_unlock(&p->signal_lock);
}

void signal_group(u32 pgid, int sig, const struct signal_source *s)
{
	struct process *p;
	struct pgroup *g;

	spin_lock(&tree_lock);
	g = pid_group(pgid);
	if (g) {
		list_for_each (p, &g->members, group_link)
			signal_process(p, sig, s);
	}
	spin_unlock(&tree_lock);
}

void signal_fault(int sig, int code, u64 address)
{
	struct thread *t = thread_current();
	struct process *p = t->process;
	struct signal_info info = { .signal = sig, .code = code };
	struct sigaction_kernel *a = &p->actions[sig - 1];

	info.fault.address = address;
	if (!t->mm)
		panic("signal %d for a kernel thread, address %#lx", sig, address);
	spin_lock(&p->signal_lock);
	if (a->handler == (u64)SIG_IGN || t->sigmask & SIGNAL_BIT(sig)) {
		*a = (struct sigaction_kernel){ .handler = (u64)SIG_DFL };
		t->sigmask &= ~SIGNAL_BIT(sig);
	}
	signal_send_locked(p, t, &info);
	signal_recalc(t);
	spin_unlock(&p->signal_lock);
}

bool signal_is_ignored(int sig)
{
	struct thread *t = thread_current();

	return t->sigmask & SIGNAL_BIT(sig) ||
	       load_relaxed(&t->process->actions[sig - 1].handler) == (u64)SIG_IGN;
}

/* The parent is told by SIGCHLD, unless it does not want to hear of stops, and by its wait. */
void signal_child_event(struct process *p, int code, int status)
{
	struct signal_info info = { .signal = SIGCHLD, .code = code };
	struct process_times times;
	struct process *parent;
	struct sigaction_kernel *a;

	process_times(p, &times);
	spin_lock(&tree_lock);
	parent = p->parent;
	info.child.pid = p->pid;
	info.child.uid = process_uid(p);
	info.child.status = status;
	info.child.user_ticks = (s64)(times.user_ns / 10000000);
	info.child.system_ticks = (s64)(times.system_ns / 10000000);
	spin_lock(&parent->signal_lock);
	a = &parent->actions[SIGCHLD - 1];
	if (a->handler != (u64)SIG_IGN && !(a->flags & SA_NOCLDSTOP))
		signal_send_locked(parent, NULL, &info);
	spin_unlock(&parent->signal_lock);
	waitq_wake_all(&parent->child_wait);
	spin_unlock(&tree_lock);
}
