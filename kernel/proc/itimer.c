/*
 * itimer.c - interval timers (setitimer, alarm) and the limits of CPU time.
 *
 * ITIMER_REAL is a kernel timer. What is measured in CPU time is looked at by the scheduler's tick,
 * which runs while a process has such a timer or a limit (process->cpu_limited).
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define NEVER 0 /* itimer_next */

static void send(struct process *p, int sig)
{
	struct signal_info info = { .signal = sig, .code = SI_KERNEL };

	signal_send_locked(p, NULL, &info);
}

static void real_timer_expired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, real_timer);
	u64 now = clock_monotonic();

	spin_lock(&p->signal_lock);
	/* Unless it was set anew while this interrupt came. */
	if (p->itimer_next[ITIMER_REAL] != NEVER && p->itimer_next[ITIMER_REAL] <= now) {
		send(p, SIGALRM);
		if (!p->itimer_interval[ITIMER_REAL])
			p->itimer_next[ITIMER_REAL] = NEVER;
	}
	spin_unlock(&p->signal_lock);
}

/*
 * A periodic timer goes on when its signal is taken, as on Linux: so the shortest interval costs no
 * more than the program that takes the signals. Expiries that were missed come as one.
 */
void itimer_alarm_taken(struct process *p)
{
	u64 now = clock_monotonic(), next = p->itimer_next[ITIMER_REAL],
	    interval = p->itimer_interval[ITIMER_REAL];

	if (next == NEVER || next > now || !interval || p->real_timer.pending)
		return;
	p->itimer_next[ITIMER_REAL] = next + interval * ((now - next) / interval + 1);
	timer_start(&p->real_timer, p->itimer_next[ITIMER_REAL]);
}

static u64 user_ns(struct process *p, u64 now)
{
	u64 ns = p->dead_user_ns;
	struct thread *t;

	list_for_each (t, &p->threads, thread_link)
		ns += thread_runtime(t, now) - t->system_ns;
	return ns;
}

/* What the timer counts in. S held. */
static u64 timer_now(struct process *p, u32 which)
{
	u64 now = clock_monotonic();

	if (which == ITIMER_REAL)
		return now;
	return which == ITIMER_VIRTUAL ? user_ns(p, now) : process_runtime(p, now);
}

static void get_locked(struct process *p, u32 which, struct itimer_value *out)
{
	u64 next = p->itimer_next[which], now = timer_now(p, which);

	out->interval_ns = p->itimer_interval[which];
	/* A timer that is due but has not rung yet does not look disarmed. */
	out->value_ns = next == NEVER ? 0 : next > now ? next - now : 1000;
}

void itimer_get(u32 which, struct itimer_value *out)
{
	struct process *p = process_current();

	spin_lock(&p->signal_lock);
	get_locked(p, which, out);
	spin_unlock(&p->signal_lock);
}

static void update_cpu_limited(struct process *p)
{
	p->cpu_limited = p->itimer_next[ITIMER_VIRTUAL] != NEVER ||
			 p->itimer_next[ITIMER_PROF] != NEVER || posix_timers_count_cpu(p) ||
			 p->rlimit_soft[RLIMIT_CPU] != UINT64_MAX;
}

void process_want_tick(struct process *p)
{
	update_cpu_limited(p);
	scheduler_want_tick();
}

void cpu_limit_changed(struct process *p)
{
	spin_lock(&p->signal_lock);
	process_want_tick(p);
	spin_unlock(&p->signal_lock);
}

void itimer_set(u32 which, const struct itimer_value *v, struct itimer_value *old)
{
	struct process *p = process_current();

	spin_lock(&p->signal_lock);
	if (old)
		get_locked(p, which, old);
	p->itimer_interval[which] = v->interval_ns;
	p->itimer_next[which] = v->value_ns ? timer_now(p, which) + v->value_ns : NEVER;
	if (which == ITIMER_REAL) {
		timer_cancel_nowait(&p->real_timer);
		p->real_timer.fn = real_timer_expired;
		if (v->value_ns)
			timer_start(&p->real_timer, p->itimer_next[which]);
	} else {
		process_want_tick(p);
	}
	spin_unlock(&p->signal_lock);
}

void itimers_exit(struct process *p)
{
	spin_lock(&p->signal_lock);
	p->itimer_next[ITIMER_REAL] = NEVER;
	p->itimer_interval[ITIMER_REAL] = 0;
	spin_unlock(&p->signal_lock);
	timer_cancel(&p->real_timer);
}

static void check_cpu_timer(struct process *p, u32 which, u64 now, int sig)
{
	u64 used = which == ITIMER_VIRTUAL ? user_ns(p, now) : process_runtime(p, now);

	if (p->itimer_next[which] == NEVER || used < p->itimer_next[which])
		return;
	if (p->itimer_interval[which])
		p->itimer_next[which] += p->itimer_interval[which];
	else
		p->itimer_next[which] = NEVER;
	send(p, sig);
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second after, SIGKILL at the hard limit. */
static void check_cpu_limit(struct process *p, u64 now)
{
	u64 seconds = process_runtime(p, now) / NS_PER_SEC;

	if (seconds < p->rlimit_soft[RLIMIT_CPU])
		return;
	if (seconds >= p->rlimit_hard[RLIMIT_CPU]) {
		process_kill_locked(p, SIGKILL);
	} else if (seconds > p->cpu_limit_warned || !p->cpu_limit_warned) {
		p->cpu_limit_warned = seconds;
		send(p, SIGXCPU);
	}
}

void process_check_cpu_limits(struct thread *t, u64 now)
{
	struct process *p = t->process;

	spin_lock(&p->signal_lock);
	check_cpu_timer(p, ITIMER_VIRTUAL, now, SIGVTALRM);
	check_cpu_timer(p, ITIMER_PROF, now, SIGPROF);
	posix_timers_check_cpu(p, now);
	check_cpu_limit(p, now);
	update_cpu_limited(p);
	spin_unlock(&p->signal_lock);
}
