/* signal.c - system calls about signals. */
#include <asm/siginfo.h>
#include <linux/signal.h>

#include "arch/x86_64/trap.h"
#include "proc/calls.h"
#include "sys/convert.h"
#include "sys/syscall.h"

#define SIGSET_SIZE 8

/* As the C library passes it to rt_sigaction (the kernel's struct, not that of sigaction(2)). */
struct user_sigaction {
	u64 handler, flags, restorer, mask;
};

/*
 * Flags that Linux knows; others are cleared, so that a program can see what is supported
 * (sigaction(2), "Dynamically probing").
 */
#define SA_KNOWN                                                                                  \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_ONSTACK | SA_RESTART | \
	 SA_NODEFER | SA_RESETHAND | SA_RESTORER)

SYSCALL4(rt_sigaction, int, sig, const struct user_sigaction __user *, set,
	 struct user_sigaction __user *, old, size_t, size)
{
	struct sigaction_kernel new, before;
	struct user_sigaction u;
	int err;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		if (copy_from_user(&u, set, sizeof(u)))
			return -EFAULT;
		new = (struct sigaction_kernel){ u.handler, u.flags & SA_KNOWN, u.restorer,
						 u.mask };
	}
	err = signal_action(sig, set ? &new : NULL, &before);
	if (err || !old)
		return err;
	u = (struct user_sigaction){ before.handler, before.flags, before.restorer, before.mask };
	return copy_to_user(old, &u, sizeof(u)) ? -EFAULT : 0;
}

SYSCALL4(rt_sigprocmask, int, how, const u64 __user *, set, u64 __user *, old, size_t, size)
{
	u64 before = signal_get_mask(), mask;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (set) {
		if (get_user(mask, set))
			return -EFAULT;
		if (how == SIG_BLOCK)
			mask |= before;
		else if (how == SIG_UNBLOCK)
			mask = before & ~mask;
		else if (how != SIG_SETMASK)
			return -EINVAL;
		signal_set_mask(mask);
	}
	return old ? put_user(before, old) : 0;
}

SYSCALL2(rt_sigpending, u64 __user *, set, size_t, size)
{
	u64 pending = signal_pending_blocked();

	if (size > SIGSET_SIZE)
		return -EINVAL;
	return copy_to_user(set, &pending, size) ? -EFAULT : 0;
}

SYSCALL2(rt_sigsuspend, const u64 __user *, set, size_t, size)
{
	u64 mask;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	signal_use_mask(mask);
	while (!thread_interrupted()) {
		thread_prepare_park();
		thread_park(true, DEADLINE_NONE);
	}
	return -ERESTARTNOHAND;
}

SYSCALL0(pause)
{
	while (!thread_interrupted()) {
		thread_prepare_park();
		thread_park(true, DEADLINE_NONE);
	}
	return -ERESTARTNOHAND;
}

SYSCALL4(rt_sigtimedwait, const u64 __user *, set, struct signal_info __user *, out, u64, timeout,
	 size_t, size)
{
	u64 mask, ns, deadline = DEADLINE_NONE;
	struct signal_info info;
	int sig;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	if (timeout) {
		int err = timespec_from_user(timeout, &ns);

		if (err)
			return err;
		deadline = deadline_after(ns);
	}
	sig = signal_timedwait(mask, deadline, &info);
	if (sig > 0 && out && copy_to_user(out, &info, sizeof(info)))
		return -EFAULT;
	return sig;
}

SYSCALL0(rt_sigreturn)
{
	return signal_return(thread_regs(thread_current()));
}

SYSCALL2(sigaltstack, const stack_t __user *, set, stack_t __user *, old)
{
	u64 sp = thread_regs(thread_current())->rsp;
	struct signal_stack new, before;
	stack_t user;
	int err;

	if (set) {
		if (copy_from_user(&user, set, sizeof(user)))
			return -EFAULT;
		new = (struct signal_stack){ .sp = (u64)user.ss_sp,
					     .size = user.ss_size,
					     .flags = (u32)user.ss_flags };
	}
	err = signal_altstack(set ? &new : NULL, &before, sp);
	if (err || !old)
		return err;
	user = (stack_t){ .ss_sp = (void *)before.sp,
			  .ss_flags = (int)before.flags,
			  .ss_size = before.size };
	return copy_to_user(old, &user, sizeof(user)) ? -EFAULT : 0;
}

/* --- sending --- */

SYSCALL2(kill, s32, pid, int, sig)
{
	struct signal_info info;

	signal_info_user(&info, sig, SI_USER);
	return signal_kill(pid, &info);
}

SYSCALL3(tgkill, s32, tgid, s32, tid, int, sig)
{
	struct signal_info info;

	if (tgid <= 0)
		return -EINVAL;
	signal_info_user(&info, sig, SI_TKILL);
	return signal_tgkill(tgid, tid, &info);
}

SYSCALL2(tkill, s32, tid, int, sig)
{
	struct signal_info info;

	signal_info_user(&info, sig, SI_TKILL);
	return signal_tgkill(0, tid, &info);
}

#define SI_KNOWN_LOWEST SI_DETHREAD
#define SI_ASYNCNL_CODE (-60)
#define INFO_CARRIED 48u /* bytes of struct signal_info that Linux keeps of any signal */

#ifndef SI_DETHREAD
#define SI_DETHREAD (-7)
#endif

/* Codes of which Linux knows what else the info holds. */
static bool code_is_known(int sig, int code)
{
	static const u8 codes[SIGNAL_COUNT + 1] = {
		[SIGILL] = NSIGILL,   [SIGFPE] = NSIGFPE,   [SIGSEGV] = NSIGSEGV,
		[SIGBUS] = NSIGBUS,   [SIGTRAP] = NSIGTRAP, [SIGCHLD] = NSIGCHLD,
		[SIGPOLL] = NSIGPOLL, [SIGSYS] = NSIGSYS,
	};

	if (code == SI_KERNEL || code == SI_ASYNCNL_CODE)
		return true;
	if (code <= SI_USER)
		return code >= SI_KNOWN_LOWEST;
	return code <= NSIGPOLL || (sig > 0 && sig <= SIGNAL_COUNT && code <= codes[sig]);
}

/* What is not known to mean anything would be lost: it must not be there. */
static bool carries_too_much(const struct signal_info *info)
{
	const u8 *bytes = (const u8 *)info;

	if (code_is_known(info->signal, info->code))
		return false;
	for (u32 i = INFO_CARRIED; i < sizeof(*info); i++) {
		if (bytes[i])
			return true;
	}
	return false;
}

/* A program may not pretend to be the kernel, or kill(2), towards others. */
static int queued_info(struct signal_info *info, const struct signal_info __user *user, int sig,
		       bool to_self)
{
	if (copy_from_user(info, user, sizeof(*info)))
		return -EFAULT;
	info->signal = sig;
	if (carries_too_much(info))
		return -E2BIG;
	if (!to_self && (info->code >= 0 || info->code == SI_TKILL))
		return -EPERM;
	return 0;
}

SYSCALL3(rt_sigqueueinfo, s32, pid, int, sig, const struct signal_info __user *, user)
{
	struct signal_info info;
	int err = queued_info(&info, user, sig, (u32)pid == process_current()->pid);

	if (err)
		return err;
	return pid > 0 ? signal_kill(pid, &info) : -ESRCH;
}

SYSCALL4(rt_tgsigqueueinfo, s32, tgid, s32, tid, int, sig, const struct signal_info __user *, user)
{
	struct signal_info info;
	int err = queued_info(&info, user, sig, (u32)tid == thread_current()->tid);

	if (err)
		return err;
	return tgid > 0 ? signal_tgkill(tgid, tid, &info) : -EINVAL;
}
