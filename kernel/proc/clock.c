/*
 * clock.c - the clocks of clock_gettime(2), and sleeping by them.
 *
 * All of them come from the monotonic clock: real time is it plus an offset that the host gives,
 * CPU clocks are what the scheduler accounted.
 */
#include <linux/capability.h>
#include <linux/time.h>

#include "arch/x86_64/vdso.h"
#include "fs/eventfiles.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

/*
 * Clock ids of other processes and threads: ~pid in the upper bits, below it 4 for a thread, and
 * which of three kinds.
 */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KIND 3

#define CPU_LOOK_NS 1000000ul

static u64 realtime_offset; /* A: real time minus monotonic time, ns */
static u32 clock_sets;      /* A: how often a program has set the real-time clock */
static struct waitq clock_set_wait = WAITQ_INIT(clock_set_wait); /* who sleeps by it */

u64 clock_realtime(void)
{
	return clock_monotonic() + load_relaxed(&realtime_offset);
}

void clock_set_realtime(u64 ns)
{
	u64 offset = ns - clock_monotonic();

	store_relaxed(&realtime_offset, offset);
	vdso_set_realtime_offset(offset);
}

static u64 process_cpu_ns(struct process *p)
{
	u64 ns;

	spin_lock(&p->signal_lock);
	ns = process_runtime(p, clock_monotonic());
	spin_unlock(&p->signal_lock);
	return ns;
}

int clock_measures(s32 clock, struct process **p, u32 *tid)
{
	struct process *self = process_current();
	u32 id = ~(u32)(clock >> 3);

	*tid = 0;
	if (clock >= 0) {
		if (clock != CLOCK_PROCESS_CPUTIME_ID && clock != CLOCK_THREAD_CPUTIME_ID)
			return -EINVAL;
		if (clock == CLOCK_THREAD_CPUTIME_ID)
			*tid = thread_current()->tid;
		process_get(self);
		*p = self;
		return 0;
	}
	if ((clock & CPU_CLOCK_KIND) == CPU_CLOCK_KIND)
		return clock & CPU_CLOCK_THREAD ? -EINVAL : -EOPNOTSUPP;
	if (clock & CPU_CLOCK_THREAD) {
		*tid = id ? id : thread_current()->tid;
		*p = pid_thread_process(*tid);
	} else {
		*p = process_find(id ? id : self->pid);
	}
	if (*p && (!*tid || *p == self))
		return 0;
	if (*p)
		process_put(*p);
	*p = NULL;
	return -EINVAL;
}

/*
 * The CPU clock of another process or thread, by clock_getcpuclockid(3) or
 * pthread_getcpuclockid(3).
 */
static int foreign_cpu_clock(s32 clock, u64 *ns)
{
	struct process *p;
	struct thread *t;
	u32 tid;
	int err = clock_measures(clock, &p, &tid);

	if (err)
		return -EINVAL;
	spin_lock(&p->signal_lock);
	t = tid ? process_thread(p, tid) : NULL;
	if (!tid)
		*ns = process_runtime(p, clock_monotonic());
	else if (t)
		*ns = thread_runtime(t, clock_monotonic());
	else
		err = -EINVAL;
	spin_unlock(&p->signal_lock);
	process_put(p);
	return err;
}

int clock_read(s32 clock, u64 *ns)
{
	if (clock < 0)
		return foreign_cpu_clock(clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_realtime();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_monotonic();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_cpu_ns(process_current());
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_account_now(thread_current());
		return 0;
	}
	return -EINVAL;
}

#define COARSE_RESOLUTION_NS 4000000

int clock_resolution(s32 clock, u64 *ns)
{
	u64 now;

	*ns = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE
		      ? COARSE_RESOLUTION_NS
		      : 1;
	return clock_read(clock, &now);
}

static int tell_timers(struct process *p, void *ahead)
{
	posix_timers_clock_set(p, *(s64 *)ahead);
	return 0;
}

/* Who waits for a time of the real-time clock is told by how much it has gone ahead. */
int clock_set(s32 clock, u64 ns)
{
	u64 before;
	s64 ahead;

	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (!cred_capable(cred_current(), CAP_SYS_TIME))
		return -EPERM;
	before = clock_realtime();
	clock_set_realtime(ns);
	ahead = (s64)(ns - before);
	process_for_each(tell_timers, &ahead);
	timerfds_clock_set(ahead);
	atomic_add(&clock_sets, 1);
	waitq_wake_all(&clock_set_wait);
	return 0;
}

static bool can_sleep_by(s32 clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
		return true;
	}
	return clock < 0;
}

/*
 * When to look whether `left` has passed on the clock. A process's CPU clock runs at most as fast
 * as all CPUs together, and may not run at all: it is not looked at more often than now and then.
 */
static u64 look_time(s32 clock, u64 left)
{
	u64 now = clock_monotonic();

	if (clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID)
		left = max(left / scheduler_cpu_count(), CPU_LOOK_NS);
	return left >= DEADLINE_NONE - now ? DEADLINE_NONE - 1 : now + left;
}

static bool is_settable(s32 clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == CLOCK_REALTIME_ALARM;
}

/*
 * Until the deadline of the monotonic clock, a signal (-EINTR), or the clock is set more often than
 * `sets`.
 */
static int sleep_once(s32 clock, u64 deadline, u32 sets)
{
	if (is_settable(clock))
		return wait_event_deadline(&clock_set_wait, load_relaxed(&clock_sets) != sets,
					   deadline);
	thread_prepare_park();
	return thread_park(true, deadline);
}

int clock_sleep_until(s32 clock, u64 ns, u64 *remaining)
{
	int err = 0;
	u64 now;

	if (!can_sleep_by(clock))
		return clock_read(clock, &now) ? -EINVAL : -EOPNOTSUPP;
	for (;;) {
		u32 sets = load_acquire(&clock_sets);

		err = clock_read(clock, &now);
		if (err || now >= ns)
			return err;
		if (sleep_once(clock, look_time(clock, ns - now), sets) == -EINTR) {
			clock_read(clock, &now);
			if (remaining)
				*remaining = ns > now ? ns - now : 0;
			return -EINTR;
		}
	}
}
