/*
 * convert.h - between the kernel's times and usages and the structs of Linux's uapi.
 */
#ifndef SYS_CONVERT_H
#define SYS_CONVERT_H

#include <linux/resource.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "proc/calls.h"

#define NS_MAX ((u64)INT64_MAX)

static inline void ns_to_timeval(u64 ns, struct __kernel_old_timeval *tv)
{
	tv->tv_sec = (s64)(ns / NS_PER_SEC);
	tv->tv_usec = (s64)(ns % NS_PER_SEC / 1000);
}

static inline void ns_to_timespec(u64 ns, struct __kernel_timespec *ts)
{
	ts->tv_sec = (s64)(ns / NS_PER_SEC);
	ts->tv_nsec = (s64)(ns % NS_PER_SEC);
}

/* -EINVAL for what is no time; what lies beyond 292 years is cut there. */
static inline int timespec_to_ns(const struct __kernel_timespec *ts, u64 *ns)
{
	if (ts->tv_sec < 0 || (u64)ts->tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*ns = (u64)ts->tv_sec >= NS_MAX / NS_PER_SEC
		      ? NS_MAX
		      : (u64)ts->tv_sec * NS_PER_SEC + (u64)ts->tv_nsec;
	return 0;
}

static inline int timeval_to_ns(const struct __kernel_old_timeval *tv, u64 *ns)
{
	if (tv->tv_sec < 0 || (u64)tv->tv_usec >= 1000000)
		return -EINVAL;
	*ns = (u64)tv->tv_sec >= NS_MAX / NS_PER_SEC
		      ? NS_MAX
		      : (u64)tv->tv_sec * NS_PER_SEC + (u64)tv->tv_usec * 1000;
	return 0;
}

static inline int timespec_from_user(u64 user, u64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, (void __user *)user, sizeof(ts)))
		return -EFAULT;
	return timespec_to_ns(&ts, ns);
}

static inline int timespec_to_user(u64 ns, u64 user)
{
	struct __kernel_timespec ts;

	ns_to_timespec(ns, &ts);
	return copy_to_user((void __user *)user, &ts, sizeof(ts)) ? -EFAULT : 0;
}

/* A time from now as a deadline of the monotonic clock. */
static inline u64 deadline_after(u64 ns)
{
	u64 now = clock_monotonic();

	return ns > NS_MAX - now ? DEADLINE_NONE - 1 : now + ns;
}

static inline void usage_to_rusage(const struct wait_usage *u, struct rusage *out)
{
	struct __kernel_old_timeval user, system;

	memset(out, 0, sizeof(*out));
	ns_to_timeval(u->user_ns, &user);
	ns_to_timeval(u->system_ns, &system);
	out->ru_utime.tv_sec = user.tv_sec;
	out->ru_utime.tv_usec = user.tv_usec;
	out->ru_stime.tv_sec = system.tv_sec;
	out->ru_stime.tv_usec = system.tv_usec;
	out->ru_maxrss = (s64)u->max_rss_kib;
	out->ru_minflt = (s64)u->min_flt;
	out->ru_majflt = (s64)u->maj_flt;
	out->ru_nvcsw = (s64)u->voluntary;
	out->ru_nivcsw = (s64)u->involuntary;
}

#endif
