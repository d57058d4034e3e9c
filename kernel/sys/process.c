/* process.c - system calls that make, name, end and await processes. */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/pidfd.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "arch/x86_64/trap.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/calls.h"
#include "proc/futex.h"
#include "proc/rseq.h"
#include "sys/convert.h"
#include "sys/path.h"
#include "sys/syscall.h"

/* --- fork --- */

#define PID_NAMESPACES_MAX 32 /* nested ones, as on Linux */

SYSCALL0(fork)
{
	struct clone_request r = { .exit_signal = SIGCHLD };

	return process_clone(&r);
}

SYSCALL0(vfork)
{
	struct clone_request r = { .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD };

	return process_clone(&r);
}

SYSCALL5(clone, u64, flags, u64, stack, u64, parent_tid, u64, child_tid, u64, tls)
{
	struct clone_request r = {
		.flags = flags & 0xffffffff & ~(u64)CSIGNAL,
		.exit_signal = flags & CSIGNAL,
		.stack = stack,
		.parent_tid = parent_tid,
		.pidfd = parent_tid,
		.child_tid = child_tid,
		.tls = tls,
	};

	return process_clone(&r);
}

/* What a newer program passes beyond what is known here must be zero. */
static int clone_args_get(struct clone_args *a, u64 user, size_t size)
{
	memset(a, 0, sizeof(*a));
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (copy_from_user(a, (void __user *)user, min(size, sizeof(*a))))
		return -EFAULT;
	for (u64 i = sizeof(*a); i < size; i++) {
		u8 byte;

		if (get_user(byte, (u8 __user *)(user + i)))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

/* Rules of clone3 alone, in Linux's order. */
static int clone_args_check(const struct clone_args *a, size_t size)
{
	if (a->set_tid_size > PID_NAMESPACES_MAX || !a->set_tid != !a->set_tid_size)
		return -EINVAL;
	if (a->exit_signal & ~(u64)CSIGNAL || a->exit_signal > SIGNAL_COUNT)
		return -EINVAL;
	if (a->flags & CLONE_INTO_CGROUP && (a->cgroup > INT32_MAX || size < CLONE_ARGS_SIZE_VER2))
		return -EINVAL;
	if (a->flags & ~(0xffffffffull | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP) ||
	    a->flags & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME)))
		return -EINVAL;
	if (a->flags & CLONE_SIGHAND && a->flags & CLONE_CLEAR_SIGHAND)
		return -EINVAL;
	if (a->flags & (CLONE_THREAD | CLONE_PARENT) && a->exit_signal)
		return -EINVAL;
	if (!a->stack != !a->stack_size || !user_range_ok((void __user *)a->stack, a->stack_size))
		return -EINVAL;
	return 0;
}

/* There is one namespace of numbers, so one may be chosen. */
static int clone_wanted_tid(const struct clone_args *a, s32 *tid)
{
	s32 tids[PID_NAMESPACES_MAX];

	if (copy_from_user(tids, (void __user *)a->set_tid, a->set_tid_size * sizeof(s32)))
		return -EFAULT;
	*tid = tids[0];
	return a->set_tid_size > 1 || tids[0] <= 0 ? -EINVAL : 0;
}

SYSCALL2(clone3, u64, user, size_t, size)
{
	struct clone_args a;
	struct clone_request r;
	int err = clone_args_get(&a, user, size);

	if (err)
		return err;
	err = clone_args_check(&a, size);
	if (err)
		return err;
	r = (struct clone_request){
		.flags = a.flags,
		.exit_signal = (u32)a.exit_signal,
		.stack = a.stack + a.stack_size,
		.parent_tid = a.parent_tid,
		.child_tid = a.child_tid,
		.pidfd = a.pidfd,
		.tls = a.tls,
	};
	if (a.set_tid_size) {
		err = clone_wanted_tid(&a, &r.wanted_tid);
		if (err)
			return err;
	}
	return process_clone(&r);
}

SYSCALL1(unshare, u64, flags)
{
	return process_unshare(flags);
}

SYSCALL1(set_tid_address, u64, address)
{
	thread_current()->clear_child_tid = address;
	return thread_current()->tid;
}

SYSCALL2(set_robust_list, u64, head, size_t, size)
{
	if (size != sizeof(struct robust_list_head))
		return -EINVAL;
	thread_current()->robust_list = head;
	return 0;
}

SYSCALL3(get_robust_list, s32, tid, u64 __user *, head, size_t __user *, size)
{
	u64 list;
	int err = futex_robust_list_of((u32)tid, &list);

	if (err)
		return err;
	if (put_user(sizeof(struct robust_list_head), size))
		return -EFAULT;
	return put_user(list, head);
}

SYSCALL4(rseq, u64, address, u32, size, u32, flags, u32, signature)
{
	return rseq_register(address, size, flags, signature);
}

/* --- exec --- */

/* Through a descriptor, the program is called by a name that leads to it, as on Linux. */
static char *shown_name(const struct user_path *p, int dirfd)
{
	char *name;
	size_t size;

	if (!p->start)
		return kstrdup(p->name);
	size = strlen(p->name) + 32;
	name = kmalloc(size);
	if (name)
		format(name, size, p->name[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, p->name);
	return name;
}

static long exec_at(int dirfd, const char __user *path, u64 argv, u64 envp, int flags)
{
	struct user_path p;
	char *shown;
	int err;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	err = user_path_get(&p, dirfd, path, flags);
	if (err)
		return err;
	shown = shown_name(&p, dirfd);
	err = shown ? process_exec(p.start, p.name, at_lookup_flags(flags), shown, argv, envp)
		    : -ENOMEM;
	kfree(shown);
	user_path_put(&p);
	if (err)
		return err;
	process_enter_user();
}

SYSCALL3(execve, const char __user *, path, u64, argv, u64, envp)
{
	return exec_at(AT_FDCWD, path, argv, envp, 0);
}

SYSCALL5(execveat, int, dirfd, const char __user *, path, u64, argv, u64, envp, int, flags)
{
	return exec_at(dirfd, path, argv, envp, flags);
}

/* --- exit and wait --- */

SYSCALL1(exit, int, code)
{
	thread_exit((u32)(code & 0xff) << 8);
}

SYSCALL1(exit_group, int, code)
{
	process_exit_group((u32)(code & 0xff) << 8);
}

static void wait_target(struct wait_request *r, s32 pid)
{
	r->kind = pid == -1 ? WAIT_ANY : pid > 0 ? WAIT_PID : WAIT_GROUP;
	r->id = pid > 0 ? (u32)pid : pid == 0 ? process_group_id(process_current()) : (u32)-pid;
}

SYSCALL4(wait4, s32, pid, s32 __user *, status, int, options, struct rusage __user *, usage)
{
	struct wait_request r = { .options = (u32)options | WEXITED };
	struct wait_result result;
	struct rusage ru;
	int err;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | (int)__WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	wait_target(&r, pid);
	err = process_wait(&r, &result);
	if (err || !result.pid)
		return err;
	if (status && put_user((s32)result.status, status))
		return -EFAULT;
	if (usage) {
		usage_to_rusage(&result.usage, &ru);
		if (copy_to_user(usage, &ru, sizeof(ru)))
			return -EFAULT;
	}
	return result.pid;
}

static int waitid_target(struct wait_request *r, int which, s32 id)
{
	struct process *p;

	switch (which) {
	case P_ALL:
		r->kind = WAIT_ANY;
		return 0;
	case P_PID:
		r->kind = WAIT_PID;
		r->id = (u32)id;
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		r->kind = WAIT_GROUP;
		r->id = id ? (u32)id : process_group_id(process_current());
		return id >= 0 ? 0 : -EINVAL;
	case P_PIDFD:
		p = pidfd_process(id);
		if (IS_ERR(p))
			return (int)PTR_ERR(p);
		r->kind = WAIT_PID;
		r->id = p->pid;
		process_put(p);
		return 0;
	}
	return -EINVAL;
}

SYSCALL5(waitid, int, which, s32, id, struct signal_info __user *, info, int, options,
	 struct rusage __user *, usage)
{
	struct wait_request r = { .options = (u32)options };
	struct wait_result result;
	struct rusage ru;
	int err;

	if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
			(int)__WCLONE | __WALL) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	err = waitid_target(&r, which, id);
	if (!err)
		err = process_wait(&r, &result);
	if (err)
		return err;
	if (usage && result.pid) {
		usage_to_rusage(&result.usage, &ru);
		if (copy_to_user(usage, &ru, sizeof(ru)))
			return -EFAULT;
	}
	if (info) {
		struct signal_info i = { 0 };

		if (result.pid) {
			i.signal = SIGCHLD;
			i.code = result.code;
			i.child.pid = result.pid;
			i.child.uid = result.uid;
			i.child.status = result.value;
		}
		/* Linux fills in these members alone; the rest of the program's structure stays as it was. */
		if (copy_to_user(info, &i,
				 offsetof(struct signal_info, child.status) +
					 sizeof(i.child.status)))
			return -EFAULT;
	}
	return 0;
}

/* --- numbers, groups, sessions --- */

SYSCALL0(getpid)
{
	return process_current()->pid;
}

SYSCALL0(gettid)
{
	return thread_current()->tid;
}

SYSCALL0(getppid)
{
	return process_parent_pid(process_current());
}

SYSCALL2(setpgid, s32, pid, s32, pgid)
{
	if (pgid < 0)
		return -EINVAL;
	return process_setpgid((u32)pid, (u32)pgid);
}

SYSCALL1(getpgid, s32, pid)
{
	return process_getpgid((u32)pid);
}

SYSCALL0(getpgrp)
{
	return process_getpgid(0);
}

SYSCALL1(getsid, s32, pid)
{
	return process_getsid((u32)pid);
}

SYSCALL0(setsid)
{
	return process_setsid();
}

/* --- pidfds --- */

SYSCALL2(pidfd_open, s32, pid, u32, flags)
{
	if (flags & ~(u32)PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	return pidfd_open((u32)pid, flags & PIDFD_NONBLOCK);
}

/* A copy of a descriptor of somebody whom the caller could trace. */
SYSCALL3(pidfd_getfd, int, pidfd, u32, target, u32, flags)
{
	struct process *p;
	struct files *files;
	struct file *f = NULL;
	int fd;

	if (flags)
		return -EINVAL;
	p = pidfd_process(pidfd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	files = process_files_get(p);
	fd = files ? -EBADF : -ESRCH;
	if (files && !process_may_trace(p))
		fd = -EPERM;
	else if (files)
		f = files_file(files, target);
	if (f) {
		fd = fd_install(f, 0, true);
		if (fd < 0)
			file_put(f);
	}
	if (files)
		files_put(files);
	process_put(p);
	return fd;
}

SYSCALL4(pidfd_send_signal, int, fd, int, sig, const struct signal_info __user *, user_info, u32,
	 flags)
{
	struct signal_info info;
	struct process *p;
	int err;

	if (flags || sig < 0 || sig > SIGNAL_COUNT)
		return -EINVAL;
	signal_info_user(&info, sig, SI_USER);
	p = pidfd_target(fd);
	if (IS_ERR(p))
		return PTR_ERR(p);
	err = 0;
	if (user_info) {
		if (copy_from_user(&info, user_info, sizeof(info)))
			err = -EFAULT;
		else if (info.signal != sig)
			err = -EINVAL;
		else if (p != process_current() && (info.code >= 0 || info.code == SI_TKILL))
			err = -EPERM;
	}
	if (!err)
		err = signal_send_process(p, &info);
	process_put(p);
	return err;
}
