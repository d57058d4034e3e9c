/*
 * clock.c - the clocks of clock_gettime(2), and sleeping by them.
 *
 * All of them come from the monotonic clock: real time is it plus an offset that the host gives,
 * CPU clocks are what the scheduler accounted.
 */
#include <linux/capability.h>
#include <linux/time.h>

#include "proc/process_priv.h"
#include "proc/sched_priv.h"

/*
 * Clock ids of other processes and threads: ~pid in the upper bits, below it 4 for a thread, and
 * which of three kinds.
 */
#define CPU_CLOCK_THREAD 4
#define CPU_CLOCK_KIND 3

static u64 realtime_offset; /* A: real time minus monotonic time, ns */

u64 clock_realtime(void)
{
	return clock_monotonic() + load_relaxed(&realtime_offset);
}

void clock_set_realtime(u64 ns)
{
	store_relaxed(&realtime_offset, ns - clock_monotonic());
}

static u64 process_cpu_ns(struct process *p)
{
	u64 ns;

	spin_lock(&p->signal_lock);
	ns = process_runtime(p, clock_monotonic());
	spin_unlock(&p->signal_lock);
	return ns;
}

/*
 * The CPU clock of another process or thread, by clock_getcpuclockid(3) or
 * pthread_getcpuclockid(3).
 */
static int foreign_cpu_clock(s32 clock, u64 *ns)
{
	u32 id = ~(u32)(clock >> 3);
	struct process *p;
	struct thread *t;
	int err = 0;

	if ((clock & CPU_CLOCK_KIND) == 3)
		return -EINVAL;
	if (clock & CPU_CLOCK_THREAD)
		p = id ? pid_thread_process(id) : pid_thread_process(thread_current()->tid);
	else
		p = process_find(id ? id : process_current()->pid);
	if (!p)
		return -EINVAL;
	if (!(clock & CPU_CLOCK_THREAD)) {
		*ns = process_cpu_ns(p);
	} else if (p != process_current()) {
		err = -EINVAL;
	} else {
		spin_lock(&p->signal_lock);
		t = process_thread(p, id ? id : thread_current()->tid);
		if (t)
			*ns = thread_runtime(t, clock_monotonic());
		else
			err = -EINVAL;
		spin_unlock(&p->signal_lock);
	}
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

int clock_set(s32 clock, u64 ns)
{
	if (clock != CLOCK_REALTIME)
		return -EINVAL;
	if (!cred_capable(cred_current(), CAP_SYS_TIME))
		return -EPERM;
	clock_set_realtime(ns);
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
 * A CPU clock does not run faster than the monotonic one: so sleep at least for what is missing,
 * and look again.
 */
int clock_sleep_until(s32 clock, u64 ns, u64 *remaining)
{
	int err = 0;
	u64 now;

	if (!can_sleep_by(clock))
		return clock == CLOCK_THREAD_CPUTIME_ID || clock_read(clock, &now) ? -EINVAL
										   : -EOPNOTSUPP;
	for (;;) {
		u64 left, deadline;

		err = clock_read(clock, &now);
		if (err || now >= ns)
			return err;
		left = ns - now;
		deadline = clock_monotonic() + left;
		thread_prepare_park();
		if (deadline < left) /* beyond the end of time */
			deadline = DEADLINE_NONE - 1;
		if (thread_park(true, deadline) == -EINTR) {
			clock_read(clock, &now);
			if (remaining)
				*remaining = ns > now ? ns - now : 0;
			return -EINTR;
		}
	}
}
