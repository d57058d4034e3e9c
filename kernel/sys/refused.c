/*
 * refused.c - calls that Linux has and this kernel refuses, on purpose.
 *
 * Most of them Linux leaves out as well when it is built without an option; then it answers ENOSYS,
 * and programs know what to do. So does this kernel: they are no calls that are missing (table.c
 * counts those). The others every Linux has; they fail here as there for those who ask for what
 * cannot be had.
 */
#include <linux/capability.h>
#include <linux/reboot.h>

#include "fs/vfs.h"
#include "proc/calls.h"
#include "sys/syscall.h"

#define WITHOUT_OPTION(name)    \
	SYSCALL0(name)          \
	{                       \
		return -ENOSYS; \
	}

/* CONFIG_SECCOMP, CONFIG_BPF_SYSCALL, CONFIG_SECURITY_LANDLOCK, CONFIG_KEYS: what restricts others */
WITHOUT_OPTION(seccomp)
WITHOUT_OPTION(bpf)
WITHOUT_OPTION(landlock_create_ruleset)
WITHOUT_OPTION(landlock_add_rule)
WITHOUT_OPTION(landlock_restrict_self)
WITHOUT_OPTION(add_key)
WITHOUT_OPTION(request_key)
WITHOUT_OPTION(keyctl)
/* CONFIG_AIO, CONFIG_IO_URING: input and output behind a program's back */
WITHOUT_OPTION(io_setup)
WITHOUT_OPTION(io_destroy)
WITHOUT_OPTION(io_getevents)
WITHOUT_OPTION(io_pgetevents)
WITHOUT_OPTION(io_submit)
WITHOUT_OPTION(io_cancel)
WITHOUT_OPTION(io_uring_setup)
WITHOUT_OPTION(io_uring_enter)
WITHOUT_OPTION(io_uring_register)
/* CONFIG_USERFAULTFD, CONFIG_SECRETMEM, CONFIG_MIGRATION: other ways with memory */
WITHOUT_OPTION(userfaultfd)
WITHOUT_OPTION(memfd_secret)
WITHOUT_OPTION(migrate_pages)
WITHOUT_OPTION(move_pages)
WITHOUT_OPTION(set_mempolicy_home_node)
/* CONFIG_PERF_EVENTS, CONFIG_KCMP, CONFIG_FANOTIFY, CONFIG_BSD_PROCESS_ACCT: looking on */
WITHOUT_OPTION(perf_event_open)
WITHOUT_OPTION(kcmp)
WITHOUT_OPTION(fanotify_init)
WITHOUT_OPTION(fanotify_mark)
WITHOUT_OPTION(acct)
WITHOUT_OPTION(lookup_dcookie)
/* CONFIG_FHANDLE, CONFIG_QUOTACTL, CONFIG_SYSFS_SYSCALL: file systems */
WITHOUT_OPTION(name_to_handle_at)
WITHOUT_OPTION(open_by_handle_at)
WITHOUT_OPTION(quotactl)
WITHOUT_OPTION(quotactl_fd)
WITHOUT_OPTION(sysfs)
WITHOUT_OPTION(ustat)
/* CONFIG_BLOCK: disks whose requests have priorities */
WITHOUT_OPTION(ioprio_get)
WITHOUT_OPTION(ioprio_set)
/* CONFIG_MODIFY_LDT_SYSCALL, CONFIG_X86_IOPL_IOPERM, 32-bit programs: the processor */
WITHOUT_OPTION(modify_ldt)
WITHOUT_OPTION(iopl)
WITHOUT_OPTION(ioperm)
WITHOUT_OPTION(get_thread_area)
WITHOUT_OPTION(set_thread_area)
/* CONFIG_MODULES, CONFIG_KEXEC, CONFIG_PRINTK: the kernel itself */
WITHOUT_OPTION(init_module)
WITHOUT_OPTION(finit_module)
WITHOUT_OPTION(delete_module)
WITHOUT_OPTION(kexec_load)
WITHOUT_OPTION(kexec_file_load)
WITHOUT_OPTION(syslog)
/* Before Linux 5.2 and 5.12: programs use mount(2) then. */
WITHOUT_OPTION(fsopen)
WITHOUT_OPTION(fsconfig)
WITHOUT_OPTION(fsmount)
WITHOUT_OPTION(fspick)
WITHOUT_OPTION(open_tree)
WITHOUT_OPTION(move_mount)
WITHOUT_OPTION(mount_setattr)
/* Gone from Linux, or never there. */
WITHOUT_OPTION(uselib)
WITHOUT_OPTION(_sysctl)
WITHOUT_OPTION(nfsservctl)
WITHOUT_OPTION(vserver)
WITHOUT_OPTION(create_module)
WITHOUT_OPTION(get_kernel_syms)
WITHOUT_OPTION(query_module)
WITHOUT_OPTION(epoll_ctl_old)
WITHOUT_OPTION(epoll_wait_old)
WITHOUT_OPTION(afs_syscall)
WITHOUT_OPTION(getpmsg)
WITHOUT_OPTION(putpmsg)
WITHOUT_OPTION(security)
WITHOUT_OPTION(tuxcall)

/* There is one namespace of each kind: no descriptor stands for another. */
SYSCALL2(setns, int, fd, int, kind)
{
	struct file *f = fd_file(fd);

	(void)kind;
	if (!f)
		return -EBADF;
	file_put(f);
	return -EINVAL;
}

/* What is to become the root is in no namespace of its own. */
SYSCALL2(pivot_root, const char __user *, new_root, const char __user *, put_old)
{
	(void)new_root, (void)put_old;
	return cred_capable(cred_current(), CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
}

/* The machine ends with its program; only the Ctrl-Alt-Del that it has not can be switched. */
SYSCALL3(reboot, u32, magic, u32, magic2, u32, command)
{
	if (!cred_capable(cred_current(), CAP_SYS_BOOT))
		return -EPERM;
	if (magic != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	return command == LINUX_REBOOT_CMD_CAD_ON || command == LINUX_REBOOT_CMD_CAD_OFF ? 0
											 : -EINVAL;
}
