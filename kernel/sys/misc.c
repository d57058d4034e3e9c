/* misc.c - system calls about the machine, limits, and what has no better place. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/securebits.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "arch/x86_64/cpu.h"
#include "dev/device.h"
#include "fs/uts.h"
#include "lib/string.h"
#include "mm/object.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "proc/calls.h"
#include "sys/convert.h"
#include "sys/syscall.h"

/* --- names --- */

SYSCALL1(uname, struct new_utsname __user *, out)
{
	struct new_utsname u;

	memset(&u, 0, sizeof(u));
	string_copy(u.sysname, UTS_SYSNAME, sizeof(u.sysname));
	string_copy(u.release, UTS_RELEASE, sizeof(u.release));
	string_copy(u.version, UTS_VERSION, sizeof(u.version));
	string_copy(u.machine, UTS_MACHINE, sizeof(u.machine));
	uts_get(UTS_HOSTNAME, u.nodename);
	uts_get(UTS_DOMAINNAME, u.domainname);
	return copy_to_user(out, &u, sizeof(u)) ? -EFAULT : 0;
}
_Static_assert(UTS_NAME_MAX == __NEW_UTS_LEN, "struct new_utsname");

static int set_name(enum uts_name which, const char __user *user, int length)
{
	char name[UTS_NAME_MAX];

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return -EPERM;
	if (length < 0 || length > UTS_NAME_MAX)
		return -EINVAL;
	if (copy_from_user(name, user, (size_t)length))
		return -EFAULT;
	return uts_set(which, name, (size_t)length);
}

SYSCALL2(sethostname, const char __user *, name, int, length)
{
	return set_name(UTS_HOSTNAME, name, length);
}

SYSCALL2(setdomainname, const char __user *, name, int, length)
{
	return set_name(UTS_DOMAINNAME, name, length);
}

/* --- the machine --- */

SYSCALL1(sysinfo, struct sysinfo __user *, out)
{
	struct sysinfo i;
	u32 load[3];

	memset(&i, 0, sizeof(i));
	scheduler_load_average(load);
	for (u32 n = 0; n < 3; n++)
		i.loads[n] = load[n];
	i.uptime = (s64)(clock_monotonic() / NS_PER_SEC);
	i.totalram = frame_managed * PAGE_SIZE;
	i.freeram = frame_free_count() * PAGE_SIZE;
	i.sharedram = object_shmem_frames() * PAGE_SIZE;
	i.totalswap = swap_total_slots() * PAGE_SIZE;
	i.freeswap = swap_free_slots() * PAGE_SIZE;
	i.procs = (u16)min(thread_live_count(), (u64)UINT16_MAX);
	i.mem_unit = 1;
	return copy_to_user(out, &i, sizeof(i)) ? -EFAULT : 0;
}

#define RANDOM_CHUNK 256u

SYSCALL3(getrandom, u8 __user *, out, size_t, n, u32, flags)
{
	u8 chunk[RANDOM_CHUNK];
	bool fault = false;
	size_t done = 0;

	if (flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	n = min(n, (size_t)INT32_MAX);
	while (done < n) {
		size_t part = min(n - done, (size_t)RANDOM_CHUNK), left;

		random_bytes(chunk, part);
		left = copy_to_user(out + done, chunk, part);
		done += part - left;
		if (left) {
			fault = true;
			break;
		}
		cpu_preempt_point();
		if (done % PAGE_SIZE == 0 && done < n && thread_interrupted())
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	return done || !fault ? (long)done : -EFAULT;
}

/* --- limits and usage --- */

static int limits_get(struct process *p, u32 resource, struct rlimit64 *out)
{
	spin_lock(&p->lock);
	*out = (struct rlimit64){ p->rlimit_soft[resource], p->rlimit_hard[resource] };
	spin_unlock(&p->lock);
	return 0;
}

SYSCALL2(getrlimit, u32, resource, struct rlimit64 __user *, out)
{
	struct rlimit64 l;

	if (resource >= RLIMIT_COUNT)
		return -EINVAL;
	limits_get(process_current(), resource, &l);
	return copy_to_user(out, &l, sizeof(l)) ? -EFAULT : 0;
}

SYSCALL2(setrlimit, u32, resource, const struct rlimit64 __user *, set)
{
	struct rlimit64 l;

	if (resource >= RLIMIT_COUNT)
		return -EINVAL;
	if (copy_from_user(&l, set, sizeof(l)))
		return -EFAULT;
	return rlimit_set(process_current(), resource, l.rlim_cur, l.rlim_max);
}

static int limits_exchange(struct process *p, u32 resource, const struct rlimit64 *set,
			   struct rlimit64 *old)
{
	int err = process_may_change(p);

	if (err)
		return err;
	limits_get(p, resource, old);
	return set ? rlimit_set(p, resource, set->rlim_cur, set->rlim_max) : 0;
}

SYSCALL4(prlimit64, s32, pid, u32, resource, const struct rlimit64 __user *, user,
	 struct rlimit64 __user *, out)
{
	struct rlimit64 set, old;
	struct process *p;
	int err;

	if (resource >= RLIMIT_COUNT)
		return -EINVAL;
	if (user && copy_from_user(&set, user, sizeof(set)))
		return -EFAULT;
	p = process_find(pid ? (u32)pid : process_current()->pid);
	if (!p)
		return -ESRCH;
	err = limits_exchange(p, resource, user ? &set : NULL, &old);
	process_put(p);
	if (err || !out)
		return err;
	return copy_to_user(out, &old, sizeof(old)) ? -EFAULT : 0;
}

SYSCALL2(getrusage, int, who, struct rusage __user *, out)
{
	struct wait_usage own, children;
	struct rusage ru;

	if (who == RUSAGE_THREAD)
		thread_usage(&own);
	else if (who == RUSAGE_SELF || who == RUSAGE_CHILDREN)
		process_usage(process_current(), &own, &children);
	else
		return -EINVAL;
	usage_to_rusage(who == RUSAGE_CHILDREN ? &children : &own, &ru);
	return copy_to_user(out, &ru, sizeof(ru)) ? -EFAULT : 0;
}

/* --- the thread's segment bases --- */

SYSCALL2(arch_prctl, int, code, u64, address)
{
	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (address >= USER_END)
			return -EPERM;
		if (code == ARCH_SET_FS)
			cpu_set_fs_base(address);
		else
			cpu_set_user_gs_base(address);
		return 0;
	case ARCH_GET_FS:
		return put_user(cpu_fs_base(), (u64 __user *)address);
	case ARCH_GET_GS:
		return put_user(cpu_user_gs_base(), (u64 __user *)address);
	case ARCH_GET_CPUID:
		return 1;
	}
	return -EINVAL;
}

/* A terminal that is hung up by force: for programs that log users in, which do not run here. */
SYSCALL0(vhangup)
{
	return -EPERM;
}

#define PERSONALITY_ASK 0xffffffffu

SYSCALL1(personality, u32, persona)
{
	struct process *p = process_current();
	u32 before = p->personality;

	if (persona != PERSONALITY_ASK)
		p->personality = persona;
	return before;
}

/* --- prctl --- */

static long prctl_name(bool set, char __user *user)
{
	struct thread *t = thread_current();
	char name[16] = { 0 };
	ssize n;

	if (!set) {
		thread_name(t->process, t->tid, name);
		return copy_to_user(user, name, sizeof(name)) ? -EFAULT : 0;
	}
	n = string_length_user(user, sizeof(name) - 1);
	if (n < 0 || copy_from_user(name, user, (size_t)n))
		return -EFAULT;
	process_set_name(name);
	return 0;
}

static long prctl_capability(u32 option, u64 a, u64 b, u64 c, u64 d)
{
	const struct cred *cred = cred_current();

	switch (option) {
	case PR_CAPBSET_READ:
		return a > CAP_LAST_CAP ? -EINVAL : !!(cred->cap_bounding & BIT(a));
	case PR_CAPBSET_DROP:
		return cred_drop_bounding((u32)min(a, (u64)UINT32_MAX));
	case PR_CAP_AMBIENT:
		return c || d ? -EINVAL : cred_ambient((u32)a, (u32)min(b, (u64)UINT32_MAX));
	case PR_GET_SECUREBITS:
		return cred->securebits;
	case PR_SET_SECUREBITS:
		return cred_set_securebits((u32)a);
	case PR_GET_KEEPCAPS:
		return !!(cred->securebits & (1u << SECURE_KEEP_CAPS));
	}
	if (a > 1)
		return -EINVAL;
	return cred_set_keep_capabilities(a);
}

static long prctl_process(u32 option, u64 a, u64 b, u64 c, u64 d)
{
	struct process *p = process_current();

	switch (option) {
	case PR_SET_PDEATHSIG:
		if (a > SIGNAL_COUNT)
			return -EINVAL;
		p->pdeath_signal = (u32)a;
		return 0;
	case PR_GET_PDEATHSIG:
		return put_user((s32)p->pdeath_signal, (s32 __user *)a);
	case PR_SET_DUMPABLE:
		if (a > 1)
			return -EINVAL;
		p->dumpable = a;
		return 0;
	case PR_GET_DUMPABLE:
		return p->dumpable;
	case PR_SET_NO_NEW_PRIVS:
		if (a != 1 || b || c || d)
			return -EINVAL;
		p->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS:
		return a || b || c || d ? -EINVAL : p->no_new_privs;
	case PR_SET_CHILD_SUBREAPER:
		return process_set_subreaper(a);
	}
	return put_user((s32)p->child_subreaper, (s32 __user *)a);
}

static long prctl_slack(u32 option, u64 ns)
{
	struct thread *t = thread_current();

	if (option == PR_GET_TIMERSLACK)
		return t->timer_slack;
	t->timer_slack = ns && ns <= UINT32_MAX ? (u32)ns : 50000;
	return 0;
}

/* The time-stamp counter is for everybody; that reading it kills cannot be had. */
static long prctl_tsc(u32 option, u64 a)
{
	if (option == PR_GET_TSC)
		return put_user((s32)PR_TSC_ENABLE, (s32 __user *)a);
	return a == PR_TSC_ENABLE ? 0 : -EINVAL;
}

/* When to die of memory that the hardware has lost, which does not happen here. */
static long prctl_memory_failure(u32 option, u64 a, u64 b, u64 c, u64 d)
{
	struct thread *t = thread_current();

	if (option == PR_MCE_KILL_GET)
		return a || b || c || d ? -EINVAL : t->memory_failure;
	if (c || d)
		return -EINVAL;
	if (a == PR_MCE_KILL_CLEAR && !b)
		t->memory_failure = PR_MCE_KILL_DEFAULT;
	else if (a == PR_MCE_KILL_SET && b <= PR_MCE_KILL_DEFAULT)
		t->memory_failure = (u8)b;
	else
		return -EINVAL;
	return 0;
}

#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED BIT(1)
#endif

static long prctl_huge(u32 option, u64 a, u64 b, u64 c, u64 d)
{
	u8 *disabled = &thread_current()->mm->huge_disabled;

	if (option == PR_GET_THP_DISABLE) {
		if (a || b || c || d)
			return -EINVAL;
		return load_relaxed(disabled) == HUGE_UNLESS_ADVISED
			       ? (long)(1 | PR_THP_DISABLE_EXCEPT_ADVISED)
			       : load_relaxed(disabled);
	}
	if (c || d || (b && !a) || b & ~PR_THP_DISABLE_EXCEPT_ADVISED)
		return -EINVAL;
	store_relaxed(disabled, !a ? HUGE_ENABLED : b ? HUGE_UNLESS_ADVISED : HUGE_DISABLED);
	return 0;
}

SYSCALL5(prctl, u32, option, u64, a, u64, b, u64, c, u64, d)
{
	switch (option) {
	case PR_SET_NAME:
	case PR_GET_NAME:
		return prctl_name(option == PR_SET_NAME, (char __user *)a);
	case PR_SET_PDEATHSIG:
	case PR_GET_PDEATHSIG:
	case PR_SET_DUMPABLE:
	case PR_GET_DUMPABLE:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_CHILD_SUBREAPER:
	case PR_GET_CHILD_SUBREAPER:
		return prctl_process(option, a, b, c, d);
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
		return prctl_capability(option, a, b, c, d);
	case PR_SET_TIMERSLACK:
	case PR_GET_TIMERSLACK:
		return prctl_slack(option, a);
	case PR_GET_TIMING:
		return PR_TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return a == PR_TIMING_STATISTICAL ? 0 : -EINVAL;
	case PR_GET_THP_DISABLE:
	case PR_SET_THP_DISABLE:
		return prctl_huge(option, a, b, c, d);
	case PR_GET_TSC:
	case PR_SET_TSC:
		return prctl_tsc(option, a);
	case PR_MCE_KILL_GET:
	case PR_MCE_KILL:
		return prctl_memory_failure(option, a, b, c, d);
	case PR_GET_TID_ADDRESS:
		return put_user(thread_current()->clear_child_tid, (u64 __user *)a);
	case PR_SET_VMA: /* names for anonymous memory: as on a Linux that was built without */
	default:
		return -EINVAL;
	}
}
