/* sched.c - system calls about scheduling: one policy, round robin by nice values; the others' names are known and refused or ignored as Linux does for the unprivileged. */
#include <linux/capability.h>
#include <linux/sched.h>

#include "proc/calls.h"
#include "sys/convert.h"
#include "sys/syscall.h"

#define REALTIME_PRIORITY_MIN 1
#define REALTIME_PRIORITY_MAX 99

struct user_sched_param {
	s32 priority;
};

SYSCALL0(sched_yield)
{
	thread_yield();
	return 0;
}

/* Is there a thread of that number (0: the current one)? */
static int thread_exists(s32 tid)
{
	u64 mask;

	return tid < 0 ? -EINVAL : affinity_get((u32)tid, &mask);
}

SYSCALL3(sched_getaffinity, s32, tid, u32, size, void __user *, out)
{
	u64 mask;
	int err;

	if (size < sizeof(mask) || size % sizeof(u64))
		return -EINVAL;
	err = tid < 0 ? -ESRCH : affinity_get((u32)tid, &mask);
	if (err)
		return err;
	return copy_to_user(out, &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

SYSCALL3(sched_setaffinity, s32, tid, u32, size, const void __user *, in)
{
	u64 mask = 0;

	if (copy_from_user(&mask, in, min((size_t)size, sizeof(mask))))
		return -EFAULT;
	return tid < 0 ? -ESRCH : affinity_set((u32)tid, mask);
}

static int policy_check(int policy, s32 priority)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return priority ? -EINVAL : 0;
	case SCHED_FIFO:
	case SCHED_RR:
		return priority < REALTIME_PRIORITY_MIN || priority > REALTIME_PRIORITY_MAX ? -EINVAL : -EPERM;
	}
	return -EINVAL;
}

SYSCALL1(sched_getscheduler, s32, tid)
{
	int err = thread_exists(tid);

	return err ? err : SCHED_NORMAL;
}

SYSCALL3(sched_setscheduler, s32, tid, int, policy, const struct user_sched_param __user *, user)
{
	struct user_sched_param p;
	int err;

	if (!user || tid < 0)
		return -EINVAL;
	if (copy_from_user(&p, user, sizeof(p)))
		return -EFAULT;
	err = thread_exists(tid);
	return err ? err : policy_check(policy & ~SCHED_RESET_ON_FORK, p.priority);
}

SYSCALL2(sched_getparam, s32, tid, struct user_sched_param __user *, out)
{
	int err = out ? thread_exists(tid) : -EINVAL;

	return err ? err : put_user((struct user_sched_param){ 0 }, out);
}

SYSCALL2(sched_setparam, s32, tid, const struct user_sched_param __user *, user)
{
	struct user_sched_param p;
	int err;

	if (!user || tid < 0)
		return -EINVAL;
	if (copy_from_user(&p, user, sizeof(p)))
		return -EFAULT;
	err = thread_exists(tid);
	return err ? err : p.priority ? -EINVAL : 0;
}

static long priority_bound(int policy, long realtime)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return realtime;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	}
	return -EINVAL;
}

SYSCALL1(sched_get_priority_max, int, policy)
{
	return priority_bound(policy, REALTIME_PRIORITY_MAX);
}

SYSCALL1(sched_get_priority_min, int, policy)
{
	return priority_bound(policy, REALTIME_PRIORITY_MIN);
}

#define ROUND_ROBIN_NS 10000000ull

SYSCALL2(sched_rr_get_interval, s32, tid, u64, out)
{
	int err = thread_exists(tid);

	return err ? err : timespec_to_user(ROUND_ROBIN_NS, out);
}

SYSCALL2(getpriority, int, which, u32, who)
{
	return priority_get(which, who);
}

SYSCALL3(setpriority, int, which, u32, who, int, nice)
{
	return priority_set(which, who, nice);
}

SYSCALL3(getcpu, u32 __user *, cpu, u32 __user *, node, void __user *, unused)
{
	if ((cpu && put_user(thread_current()->cpu, cpu)) || (node && put_user(0u, node)))
		return -EFAULT;
	return 0;
}
