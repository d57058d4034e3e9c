/*
 * sched.c - system calls about scheduling. All threads run round robin, by nice value; the policies
 * of sched(7) are remembered and reported, no more.
 */
#include <linux/capability.h>
#include <linux/sched.h>
#include <linux/sched/types.h>

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

SYSCALL1(sched_getscheduler, s32, tid)
{
	struct sched_policy s;
	int err = tid < 0 ? -EINVAL : policy_get((u32)tid, &s);

	return err ? err : (long)s.policy;
}

SYSCALL3(sched_setscheduler, s32, tid, int, policy, const struct user_sched_param __user *, user)
{
	struct user_sched_param p;
	struct sched_policy s;

	if (!user || tid < 0 || policy < 0)
		return -EINVAL;
	if (copy_from_user(&p, user, sizeof(p)))
		return -EFAULT;
	s = (struct sched_policy){ .policy = (u32)policy, .priority = (u32)p.priority };
	return policy_set((u32)tid, &s, false);
}

SYSCALL2(sched_getparam, s32, tid, struct user_sched_param __user *, out)
{
	struct sched_policy s;
	int err = out && tid >= 0 ? policy_get((u32)tid, &s) : -EINVAL;

	return err ? err : put_user((struct user_sched_param){ (s32)s.priority }, out);
}

SYSCALL2(sched_setparam, s32, tid, const struct user_sched_param __user *, user)
{
	struct user_sched_param p;
	struct sched_policy s;
	int err;

	if (!user || tid < 0)
		return -EINVAL;
	if (copy_from_user(&p, user, sizeof(p)))
		return -EFAULT;
	err = policy_get((u32)tid, &s);
	s.priority = (u32)p.priority;
	return err ? err : policy_set((u32)tid, &s, false);
}

SYSCALL4(sched_getattr, s32, tid, struct sched_attr __user *, out, u32, size, u32, flags)
{
	struct sched_policy s;
	struct sched_attr a;
	int err;

	if (!out || tid < 0 || flags || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
		return -EINVAL;
	err = policy_get((u32)tid, &s);
	if (err)
		return err;
	a = (struct sched_attr){
		.size = min(size, (u32)sizeof(a)),
		.sched_policy = s.policy & ~(u32)SCHED_RESET_ON_FORK,
		.sched_flags = s.policy & SCHED_RESET_ON_FORK ? SCHED_FLAG_RESET_ON_FORK : 0,
		.sched_nice = s.nice,
		.sched_priority = s.priority,
	};
	return copy_to_user(out, &a, a.size) ? -EFAULT : 0;
}

SYSCALL3(sched_setattr, s32, tid, const struct sched_attr __user *, user, u32, flags)
{
	struct sched_attr a = { 0 };
	struct sched_policy s;
	u32 size;

	if (!user || tid < 0 || flags)
		return -EINVAL;
	if (get_user(size, &user->size))
		return -EFAULT;
	if (!size)
		size = SCHED_ATTR_SIZE_VER0;
	if (size < SCHED_ATTR_SIZE_VER0 || size > sizeof(a))
		return -E2BIG;
	if (copy_from_user(&a, user, size))
		return -EFAULT;
	if (a.sched_policy == SCHED_DEADLINE)
		return -EPERM;
	s = (struct sched_policy){ .policy = a.sched_policy,
				   .priority = a.sched_priority,
				   .nice = a.sched_nice };
	if (a.sched_flags & SCHED_FLAG_RESET_ON_FORK)
		s.policy |= SCHED_RESET_ON_FORK;
	return policy_set((u32)tid, &s,
			  a.sched_policy == SCHED_NORMAL || a.sched_policy == SCHED_BATCH);
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
