/*
 * event.c - epoll, eventfd, signalfd, timerfd, memfd, inotify: arguments and structs; fs/epoll.c,
 * fs/eventfiles.h and fs/inotify.c do the work.
 */
#include <asm-generic/fcntl.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/signalfd.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>

#include "fs/eventfiles.h"
#include "fs/notify.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "lib/print.h"
#include "proc/calls.h"
#include "proc/proc.h"
#include "sys/path.h"
#include "sys/syscall.h"

#define EFD_SEMAPHORE 1 /* eventfd(2) */

/* A new descriptor for f, whose reference it takes; f may be an error. */
static long install(struct file *f, bool cloexec)
{
	int fd;

	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, 0, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* --- epoll --- */

SYSCALL1(epoll_create1, u32, flags)
{
	if (flags & ~(u32)EPOLL_CLOEXEC)
		return -EINVAL;
	return install(epoll_create(), flags & EPOLL_CLOEXEC);
}

SYSCALL1(epoll_create, s32, size)
{
	return size <= 0 ? -EINVAL : install(epoll_create(), false);
}

static long control(struct file *ep, int op, struct file *f, s32 fd, const struct epoll_event *e)
{
	switch (op) {
	case EPOLL_CTL_ADD:
		return epoll_add(ep, f, fd, e->events, e->data);
	case EPOLL_CTL_MOD:
		return epoll_change(ep, f, fd, e->events, e->data);
	case EPOLL_CTL_DEL:
		return epoll_remove(ep, f, fd);
	}
	return -EINVAL;
}

SYSCALL4(epoll_ctl, s32, epfd, s32, op, s32, fd, const struct epoll_event __user *, event)
{
	struct epoll_event e = {};
	struct file *ep, *f;
	long r = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&e, event, sizeof(e)))
		return -EFAULT;
	ep = fd_file(epfd);
	f = fd_file(fd);
	if (ep && f) {
		if (!f->ops->poll)
			r = -EPERM;
		else if (!file_is_epoll(ep) || ep == f)
			r = -EINVAL;
		else
			r = control(ep, op, f, fd, &e);
	}
	if (ep)
		file_put(ep);
	if (f)
		file_put(f);
	return r;
}

struct wait_output {
	struct epoll_event __user *next;
};

static int emit_event(void *arg, u32 events, u64 data)
{
	struct wait_output *out = arg;
	struct epoll_event e = { .events = events, .data = data };

	if (copy_to_user(out->next, &e, sizeof(e)))
		return -EFAULT;
	out->next++;
	return 0;
}

/* deadline 0: do not wait. */
static long do_epoll_wait(s32 epfd, struct epoll_event __user *events, s32 max, u64 deadline)
{
	struct wait_output out = { events };
	struct file *ep;
	long r = -EINVAL;

	if (max <= 0 || (u32)max > INT32_MAX / sizeof(struct epoll_event))
		return -EINVAL;
	if (!user_range_ok(events, (size_t)max * sizeof(*events)))
		return -EFAULT;
	ep = fd_file(epfd);
	if (!ep)
		return -EBADF;
	if (file_is_epoll(ep))
		r = epoll_collect(ep, (u32)max, deadline, emit_event, &out);
	file_put(ep);
	return r;
}

static u64 deadline_of_ms(s32 ms)
{
	if (ms < 0)
		return DEADLINE_NONE;
	return ms ? clock_monotonic() + (u64)ms * 1000000 : 0;
}

static int use_mask(const u64 __user *mask, size_t size)
{
	u64 m;

	if (!mask)
		return 0;
	if (size != sizeof(m))
		return -EINVAL;
	if (get_user(m, mask))
		return -EFAULT;
	signal_use_mask(m);
	return 0;
}

SYSCALL4(epoll_wait, s32, epfd, struct epoll_event __user *, events, s32, max, s32, timeout)
{
	return do_epoll_wait(epfd, events, max, deadline_of_ms(timeout));
}

SYSCALL6(epoll_pwait, s32, epfd, struct epoll_event __user *, events, s32, max, s32, timeout,
	 const u64 __user *, mask, size_t, mask_size)
{
	long r = use_mask(mask, mask_size);

	if (r)
		return r;
	r = do_epoll_wait(epfd, events, max, deadline_of_ms(timeout));
	signal_end_mask(r == -EINTR);
	return r;
}

SYSCALL6(epoll_pwait2, s32, epfd, struct epoll_event __user *, events, s32, max,
	 const struct __kernel_timespec __user *, timeout, const u64 __user *, mask, size_t,
	 mask_size)
{
	u64 deadline = DEADLINE_NONE;
	struct __kernel_timespec ts;
	long r;

	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NS_PER_SEC)
			return -EINVAL;
		if (!ts.tv_sec && !ts.tv_nsec)
			deadline = 0;
		else if ((u64)ts.tv_sec < UINT64_MAX / NS_PER_SEC / 2)
			deadline =
				clock_monotonic() + (u64)ts.tv_sec * NS_PER_SEC + (u64)ts.tv_nsec;
	}
	r = use_mask(mask, mask_size);
	if (r)
		return r;
	r = do_epoll_wait(epfd, events, max, deadline);
	signal_end_mask(r == -EINTR);
	return r;
}

/* --- eventfd --- */

static long do_eventfd(u32 count, u32 flags)
{
	if (flags & ~(u32)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return install(eventfd_create(count, flags & EFD_SEMAPHORE, flags & O_NONBLOCK),
		       flags & O_CLOEXEC);
}

SYSCALL1(eventfd, u32, count)
{
	return do_eventfd(count, 0);
}

SYSCALL2(eventfd2, u32, count, u32, flags)
{
	return do_eventfd(count, flags);
}

/* --- signalfd --- */

static long do_signalfd(s32 fd, const u64 __user *user, size_t size, u32 flags)
{
	struct file *f;
	long r;
	u64 mask;

	if (flags & ~(u32)(SFD_CLOEXEC | SFD_NONBLOCK) || size != sizeof(mask))
		return -EINVAL;
	if (get_user(mask, user))
		return -EFAULT;
	if (fd == -1)
		return install(signalfd_create(mask, flags & SFD_NONBLOCK), flags & SFD_CLOEXEC);
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = signalfd_change(f, mask);
	file_put(f);
	return r ? r : fd;
}

SYSCALL3(signalfd, s32, fd, const u64 __user *, mask, size_t, size)
{
	return do_signalfd(fd, mask, size, 0);
}

SYSCALL4(signalfd4, s32, fd, const u64 __user *, mask, size_t, size, u32, flags)
{
	return do_signalfd(fd, mask, size, flags);
}

/* --- timerfd --- */

SYSCALL2(timerfd_create, s32, clock, u32, flags)
{
	if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_ALARM && clock != CLOCK_MONOTONIC &&
	    clock != CLOCK_BOOTTIME && clock != CLOCK_BOOTTIME_ALARM)
		return -EINVAL;
	return install(timerfd_create(clock, flags & TFD_NONBLOCK), flags & TFD_CLOEXEC);
}

static bool timespec_ok(const struct __kernel_timespec *ts)
{
	return ts->tv_sec >= 0 && (u64)ts->tv_nsec < NS_PER_SEC;
}

static u64 timespec_to_ns(const struct __kernel_timespec *ts)
{
	u64 longest = INT64_MAX / NS_PER_SEC;

	return (u64)ts->tv_sec >= longest ? INT64_MAX
					  : (u64)ts->tv_sec * NS_PER_SEC + (u64)ts->tv_nsec;
}

static struct __kernel_itimerspec setting_to_user(const struct timerfd_setting *s)
{
	return (struct __kernel_itimerspec){
		.it_interval = { s->interval / NS_PER_SEC, s->interval % NS_PER_SEC },
		.it_value = { s->next / NS_PER_SEC, s->next % NS_PER_SEC },
	};
}

SYSCALL4(timerfd_settime, s32, fd, u32, flags, const struct __kernel_itimerspec __user *, user_new,
	 struct __kernel_itimerspec __user *, user_old)
{
	struct timerfd_setting new, old;
	struct __kernel_itimerspec spec;
	struct file *f;
	long r;

	if (copy_from_user(&spec, user_new, sizeof(spec)))
		return -EFAULT;
	if (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ||
	    !timespec_ok(&spec.it_value) || !timespec_ok(&spec.it_interval))
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	new.interval = timespec_to_ns(&spec.it_interval);
	new.next = timespec_to_ns(&spec.it_value);
	r = timerfd_set(f, &new, flags, &old);
	file_put(f);
	if (r || !user_old)
		return r;
	spec = setting_to_user(&old);
	return copy_to_user(user_old, &spec, sizeof(spec)) ? -EFAULT : 0;
}

SYSCALL2(timerfd_gettime, s32, fd, struct __kernel_itimerspec __user *, user)
{
	struct timerfd_setting setting;
	struct __kernel_itimerspec spec;
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = timerfd_get(f, &setting);
	file_put(f);
	if (r)
		return r;
	spec = setting_to_user(&setting);
	return copy_to_user(user, &spec, sizeof(spec)) ? -EFAULT : 0;
}

/* --- memfd --- */

#define MEMFD_NAME_MAX 249 /* NAME_MAX without "memfd:" */
/* Younger than the headers of Debian 12. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 0x10u
#endif
#define MEMFD_KNOWN (MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC | MFD_HUGETLB)
#define MEMFD_HUGE_SIZE (MFD_HUGE_MASK << MFD_HUGE_SHIFT) /* with MFD_HUGETLB */

static struct file *memfd_new_huge(const char *name, u32 mode, u32 flags, u32 seals)
{
	u32 size = flags & MEMFD_HUGE_SIZE;
	char path[sizeof("/memfd:") + MEMFD_NAME_MAX];

	if (size && size != MFD_HUGE_2MB && size != MFD_HUGE_1GB)
		return ERR_PTR(-ENODEV);
	format(path, sizeof(path), "/memfd:%s", name);
	return memfd_create_huge(path, mode, O_RDWR, seals,
				 size == MFD_HUGE_1GB ? 1ull << 30 : 2ull << 20);
}

SYSCALL2(memfd_create, const char __user *, user_name, u32, flags)
{
	char name[MEMFD_NAME_MAX + 1];
	u32 seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL, mode = 0777;
	u32 known = MEMFD_KNOWN | (flags & MFD_HUGETLB ? MEMFD_HUGE_SIZE : 0);
	ssize n;

	if (flags & ~known || (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	if (flags & MFD_NOEXEC_SEAL) { /* never to be executed; implies MFD_ALLOW_SEALING */
		mode = 0666;
		seals = MEMFD_SEAL_EXEC;
	}
	n = string_from_user(name, user_name, sizeof(name));
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	return install(flags & MFD_HUGETLB ? memfd_new_huge(name, mode, flags, seals)
					   : memfd_create_file(name, mode, O_RDWR, seals),
		       flags & MFD_CLOEXEC);
}

/* --- inotify --- */

#define INOTIFY_MODES \
	(IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ONESHOT)

static long do_inotify_init(u32 flags)
{
	if (flags & ~(u32)(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	return install(inotify_create(flags & IN_NONBLOCK), flags & IN_CLOEXEC);
}

SYSCALL0(inotify_init)
{
	return do_inotify_init(0);
}

SYSCALL1(inotify_init1, u32, flags)
{
	return do_inotify_init(flags);
}

SYSCALL3(inotify_add_watch, s32, fd, const char __user *, name, u32, mask)
{
	u32 lookup = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) |
		     (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	struct file *f;
	struct path p;
	long r;

	if (!(mask & IN_ALL_EVENTS) || mask & ~(u32)(IN_ALL_EVENTS | IN_UNMOUNT | INOTIFY_MODES) ||
	    (mask & IN_MASK_ADD && mask & IN_MASK_CREATE))
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = user_path_lookup(AT_FDCWD, name, 0, lookup, &p);
	if (!r) {
		r = vfs_permission(dentry_inode(p.dentry), MAY_READ);
		if (!r)
			r = inotify_add(f, &p, mask);
		path_put(&p);
	}
	file_put(f);
	return r;
}

SYSCALL2(inotify_rm_watch, s32, fd, s32, wd)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = inotify_remove(f, wd);
	file_put(f);
	return r;
}
