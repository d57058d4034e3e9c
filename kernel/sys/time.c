/* time.c - system calls about clocks, sleeping and timers. */
#include <asm/siginfo.h>
#include <linux/capability.h>
#include <linux/signal.h>
#include <linux/times.h>
#include <linux/timex.h>

#include "proc/calls.h"
#include "sys/convert.h"
#include "sys/futex.h"
#include "sys/poll.h"
#include "sys/syscall.h"

#define CLOCK_TICK_NS 10000000ull /* of times(2): 100 a second */

/* --- clocks --- */

SYSCALL2(clock_gettime, s32, clock, u64, out)
{
	u64 ns;
	int err = clock_read(clock, &ns);

	return err ? err : timespec_to_user(ns, out);
}

SYSCALL2(clock_getres, s32, clock, u64, out)
{
	u64 ns;
	int err = clock_resolution(clock, &ns);

	if (err || !out)
		return err;
	return timespec_to_user(ns, out);
}

SYSCALL2(clock_settime, s32, clock, u64, value)
{
	u64 ns;
	int err = timespec_from_user(value, &ns);

	return err ? err : clock_set(clock, ns);
}

SYSCALL2(gettimeofday, struct __kernel_old_timeval __user *, out, struct timezone __user *, zone)
{
	struct timezone utc = { 0 };
	struct __kernel_old_timeval tv;

	if (out) {
		ns_to_timeval(clock_realtime(), &tv);
		if (copy_to_user(out, &tv, sizeof(tv)))
			return -EFAULT;
	}
	if (zone && copy_to_user(zone, &utc, sizeof(utc)))
		return -EFAULT;
	return 0;
}

SYSCALL2(settimeofday, const struct __kernel_old_timeval __user *, value,
	 const struct timezone __user *, zone)
{
	struct __kernel_old_timeval tv;
	u64 ns;
	int err;

	if (!cred_capable(cred_current(), CAP_SYS_TIME))
		return -EPERM;
	if (!value)
		return 0;
	if (copy_from_user(&tv, value, sizeof(tv)))
		return -EFAULT;
	err = timeval_to_ns(&tv, &ns);
	return err ? err : clock_set(CLOCK_REALTIME, ns);
}

/* The clock is the host's and needs no steering: asking is answered, steering is for nobody. */
static long adjust_clock(s32 clock, struct __kernel_timex __user *user)
{
	struct __kernel_timex t;
	u64 now;

	if (copy_from_user(&t, user, sizeof(t)))
		return -EFAULT;
	if (clock != CLOCK_REALTIME)
		return clock_read(clock, &now) ? -EINVAL : -EOPNOTSUPP;
	if (t.modes && t.modes != ADJ_OFFSET_SS_READ)
		return -EPERM;
	now = clock_realtime();
	t = (struct __kernel_timex){
		.status = STA_UNSYNC,
		.precision = 1,
		.tick = 10000,
		.time = { .tv_sec = (s64)(now / NS_PER_SEC),
			  .tv_usec = (s64)(now % NS_PER_SEC / 1000) },
	};
	return copy_to_user(user, &t, sizeof(t)) ? -EFAULT : TIME_ERROR;
}

SYSCALL1(adjtimex, struct __kernel_timex __user *, user)
{
	return adjust_clock(CLOCK_REALTIME, user);
}

SYSCALL2(clock_adjtime, s32, clock, struct __kernel_timex __user *, user)
{
	return adjust_clock(clock, user);
}

SYSCALL1(time, s64 __user *, out)
{
	s64 seconds = (s64)(clock_realtime() / NS_PER_SEC);

	if (out && put_user(seconds, out))
		return -EFAULT;
	return seconds;
}

SYSCALL1(times, struct tms __user *, out)
{
	struct process_times t;
	struct tms tms;

	if (out) {
		process_times(process_current(), &t);
		tms.tms_utime = (s64)(t.user_ns / CLOCK_TICK_NS);
		tms.tms_stime = (s64)(t.system_ns / CLOCK_TICK_NS);
		tms.tms_cutime = (s64)(t.child_user_ns / CLOCK_TICK_NS);
		tms.tms_cstime = (s64)(t.child_system_ns / CLOCK_TICK_NS);
		if (copy_to_user(out, &tms, sizeof(tms)))
			return -EFAULT;
	}
	return (s64)(clock_monotonic() / CLOCK_TICK_NS);
}

/* --- sleeping --- */

/* restart: [1] the clock, [2] the time on it, [3] where the rest goes. */
static long sleep_until(s32 clock, u64 ns, u64 rest_user, bool relative)
{
	struct thread *t = thread_current();
	u64 rest = 0;
	int err = clock_sleep_until(clock, ns, &rest);

	if (err != -EINTR)
		return err;
	if (!relative)
		return -ERESTARTNOHAND;
	if (rest_user && timespec_to_user(rest, rest_user))
		return -EFAULT;
	t->restart[0] = RESTART_NANOSLEEP;
	t->restart[1] = (u64)(s64)clock;
	t->restart[2] = ns;
	t->restart[3] = rest_user;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_for(s32 clock, u64 ns, u64 rest_user)
{
	u64 now;
	int err = clock_read(clock, &now);

	if (err)
		return err;
	return sleep_until(clock, ns > NS_MAX - now ? NS_MAX : now + ns, rest_user, true);
}

SYSCALL2(nanosleep, u64, request, u64, rest)
{
	u64 ns;
	int err = timespec_from_user(request, &ns);

	return err ? err : sleep_for(CLOCK_MONOTONIC, ns, rest);
}

SYSCALL4(clock_nanosleep, s32, clock, int, flags, u64, request, u64, rest)
{
	u64 ns, now;
	int err;

	if (clock >= 0 && clock_read(clock, &now))
		return -EINVAL;
	err = timespec_from_user(request, &ns);
	if (err)
		return err;
	if (flags & TIMER_ABSTIME)
		return sleep_until(clock, ns, 0, false);
	/* A relative sleep by the real-time clock does not notice when that is set. */
	return sleep_for(clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock, ns, rest);
}

SYSCALL0(restart_syscall)
{
	struct thread *t = thread_current();
	u64 kind = t->restart[0];

	t->restart[0] = RESTART_NONE;
	if (kind == RESTART_NANOSLEEP)
		return sleep_until((s32)t->restart[1], t->restart[2], t->restart[3], true);
	if (kind == RESTART_FUTEX)
		return futex_restart();
	if (kind == RESTART_POLL)
		return poll_restart(t->restart);
	return -EINTR;
}

/* --- interval timers --- */

struct user_itimerval {
	struct __kernel_old_timeval interval, value;
};

static int itimer_to_user(const struct itimer_value *v, struct user_itimerval __user *out)
{
	struct user_itimerval u;

	ns_to_timeval(v->interval_ns, &u.interval);
	ns_to_timeval(v->value_ns, &u.value);
	return copy_to_user(out, &u, sizeof(u)) ? -EFAULT : 0;
}

SYSCALL2(getitimer, u32, which, struct user_itimerval __user *, out)
{
	struct itimer_value v;

	if (which > ITIMER_PROF)
		return -EINVAL;
	itimer_get(which, &v);
	return itimer_to_user(&v, out);
}

SYSCALL3(setitimer, u32, which, const struct user_itimerval __user *, set,
	 struct user_itimerval __user *, old)
{
	struct itimer_value v = { 0 }, before;
	struct user_itimerval u;

	if (set) {
		if (copy_from_user(&u, set, sizeof(u)))
			return -EFAULT;
		if (timeval_to_ns(&u.interval, &v.interval_ns) ||
		    timeval_to_ns(&u.value, &v.value_ns))
			return -EINVAL;
	}
	if (which > ITIMER_PROF)
		return -EINVAL;
	v.value_ns = min(v.value_ns, NS_MAX / 2);
	itimer_set(which, &v, &before);
	return old ? itimer_to_user(&before, old) : 0;
}

SYSCALL1(alarm, u32, seconds)
{
	struct itimer_value v = { .value_ns = seconds * NS_PER_SEC }, before;
	u64 left;

	itimer_set(ITIMER_REAL, &v, &before);
	left = (before.value_ns + NS_PER_SEC / 2) / NS_PER_SEC;
	return before.value_ns && !left ? 1 : (long)left;
}

/* --- timers of timer_create --- */

struct user_itimerspec {
	struct __kernel_timespec interval, value;
};

static int itimerspec_to_user(const struct itimer_value *v, u64 out)
{
	struct user_itimerspec u;

	ns_to_timespec(v->interval_ns, &u.interval);
	ns_to_timespec(v->value_ns, &u.value);
	return copy_to_user((void __user *)out, &u, sizeof(u)) ? -EFAULT : 0;
}

SYSCALL3(timer_create, s32, clock, const struct sigevent __user *, user, s32 __user *, out)
{
	struct timer_event e;
	struct sigevent s;
	int id;

	if (user) {
		if (copy_from_user(&s, user, sizeof(s)))
			return -EFAULT;
		e = (struct timer_event){ .notify = s.sigev_notify,
					  .sig = s.sigev_signo,
					  .tid = (u32)s._sigev_un._tid,
					  .value = (u64)s.sigev_value.sival_ptr };
	}
	id = posix_timer_create(clock, user ? &e : NULL);
	if (id < 0)
		return id;
	if (put_user(id, out)) {
		posix_timer_delete(id);
		return -EFAULT;
	}
	return 0;
}

SYSCALL4(timer_settime, s32, id, int, flags, const struct user_itimerspec __user *, set, u64, old)
{
	struct itimer_value v, before;
	struct user_itimerspec u;
	int err;

	if (!set)
		return -EINVAL;
	if (copy_from_user(&u, set, sizeof(u)))
		return -EFAULT;
	if (timespec_to_ns(&u.interval, &v.interval_ns) || timespec_to_ns(&u.value, &v.value_ns))
		return -EINVAL;
	v.value_ns = min(v.value_ns, NS_MAX / 2);
	err = posix_timer_settime(id, flags & TIMER_ABSTIME, &v, &before);
	if (err || !old)
		return err;
	return itimerspec_to_user(&before, old);
}

SYSCALL2(timer_gettime, s32, id, u64, out)
{
	struct itimer_value v;
	int err = posix_timer_gettime(id, &v);

	return err ? err : itimerspec_to_user(&v, out);
}

SYSCALL1(timer_getoverrun, s32, id)
{
	return posix_timer_getoverrun(id);
}

SYSCALL1(timer_delete, s32, id)
{
	return posix_timer_delete(id);
}
