/* mqueue.c - mq_open and its like: decoding. proc/mqueue.c does the work. */
#include "proc/mqueue.h"

#include <asm-generic/fcntl.h>
#include <asm/siginfo.h>
#include <linux/mqueue.h>

#include "lib/string.h"
#include "sys/convert.h"
#include "sys/syscall.h"

#define NAME_LENGTH_MAX 254 /* with the slash, as long as other names may be */

/* The name as the C library passes it, without its slash. */
static int name_get(char name[NAME_LENGTH_MAX + 1], const char __user *user)
{
	ssize n = string_from_user(name, user, NAME_LENGTH_MAX + 1);

	if (n < 0)
		return (int)n;
	if (!name[0])
		return -ENOENT;
	for (const char *c = name; *c; c++) {
		if (*c == '/')
			return -EACCES;
	}
	return 0;
}

SYSCALL4(mq_open, const char __user *, user_name, u32, flags, u32, mode,
	 const struct mq_attr __user *, user)
{
	char name[NAME_LENGTH_MAX + 1];
	struct mq_limits limits;
	struct mq_attr a;
	struct file *f;
	int fd;

	if (user && copy_from_user(&a, user, sizeof(a)))
		return -EFAULT;
	fd = name_get(name, user_name);
	if (fd)
		return fd;
	if (user)
		limits = (struct mq_limits){ a.mq_maxmsg, a.mq_msgsize };
	f = mq_open_file(name, flags, mode & ~load_relaxed(&process_current()->fs->umask),
			 user ? &limits : NULL);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, 0, true);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL1(mq_unlink, const char __user *, user_name)
{
	char name[NAME_LENGTH_MAX + 1];
	int err = name_get(name, user_name);

	return err ? err : mq_remove(name);
}

/* A time of the real-time clock as a deadline. */
static int deadline_get(u64 user, u64 *deadline)
{
	u64 ns, now;
	int err;

	*deadline = DEADLINE_NONE;
	if (!user)
		return 0;
	err = timespec_from_user(user, &ns);
	if (err)
		return err;
	now = clock_realtime();
	*deadline = deadline_after(ns > now ? ns - now : 0);
	return 0;
}

static long send(struct file *f, const u8 __user *data, size_t size, u32 priority, u64 deadline)
{
	long longest = mq_message_size(f, true);
	struct mq_message *m;
	int err;

	if (longest < 0)
		return longest;
	if (size > (size_t)longest)
		return -EMSGSIZE;
	m = mq_message_new(size);
	if (!m)
		return -ENOMEM;
	m->priority = priority;
	err = copy_from_user(m->data, data, size) ? -EFAULT : mq_send(f, m, deadline);
	if (err)
		mq_message_free(m);
	return err;
}

SYSCALL5(mq_timedsend, int, fd, const u8 __user *, data, size_t, size, u32, priority, u64, timeout)
{
	struct file *f;
	u64 deadline;
	long r = deadline_get(timeout, &deadline);

	if (r)
		return r;
	if (priority >= MQ_PRIORITY_MAX)
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = send(f, data, size, priority, deadline);
	file_put(f);
	return r;
}

/* A message that cannot be stored is lost, as on Linux. */
static long receive(struct file *f, u8 __user *data, size_t size, u32 __user *priority,
		    u64 deadline)
{
	long longest = mq_message_size(f, false), r;
	struct mq_message *m;

	if (longest < 0)
		return longest;
	if (size < (size_t)longest)
		return -EMSGSIZE;
	m = mq_receive(f, deadline);
	if (IS_ERR(m))
		return PTR_ERR(m);
	r = (long)m->length;
	if ((priority && put_user(m->priority, priority)) || copy_to_user(data, m->data, m->length))
		r = -EFAULT;
	mq_message_free(m);
	return r;
}

SYSCALL5(mq_timedreceive, int, fd, u8 __user *, data, size_t, size, u32 __user *, priority, u64,
	 timeout)
{
	struct file *f;
	u64 deadline;
	long r = deadline_get(timeout, &deadline);

	if (r)
		return r;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = receive(f, data, size, priority, deadline);
	file_put(f);
	return r;
}

SYSCALL2(mq_notify, int, fd, const struct sigevent __user *, user)
{
	struct timer_event e;
	struct sigevent s;
	struct file *f;
	long r;

	if (user) {
		if (copy_from_user(&s, user, sizeof(s)))
			return -EFAULT;
		e = (struct timer_event){ .notify = s.sigev_notify,
					  .sig = s.sigev_signo,
					  .value = (u64)s.sigev_value.sival_ptr };
		/* SIGEV_THREAD tells through a netlink socket that the C library has made. */
		if (e.notify == SIGEV_THREAD)
			return -EBADF;
		if (e.notify != SIGEV_NONE && e.notify != SIGEV_SIGNAL)
			return -EINVAL;
		if (e.notify == SIGEV_SIGNAL && (e.sig < 1 || e.sig > SIGNAL_COUNT))
			return -EINVAL;
	}
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = mq_tell(f, user ? &e : NULL);
	file_put(f);
	return r;
}

static long getsetattr(struct file *f, const struct mq_attr *set, struct mq_attr *old)
{
	u32 flags = load_relaxed(&f->flags);
	struct mq_limits limits;
	u64 count;
	int err = mq_figures(f, &limits, &count);

	if (err)
		return err;
	*old = (struct mq_attr){ .mq_flags = flags & O_NONBLOCK,
				 .mq_maxmsg = limits.messages,
				 .mq_msgsize = limits.bytes,
				 .mq_curmsgs = (s64)count };
	if (set)
		store_relaxed(&f->flags, (flags & ~(u32)O_NONBLOCK) | (u32)set->mq_flags);
	return 0;
}

SYSCALL3(mq_getsetattr, int, fd, const struct mq_attr __user *, user, struct mq_attr __user *, out)
{
	struct mq_attr set, old;
	struct file *f;
	long r;

	if (user && copy_from_user(&set, user, sizeof(set)))
		return -EFAULT;
	if (user && set.mq_flags & ~(s64)O_NONBLOCK)
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	r = getsetattr(f, user ? &set : NULL, &old);
	file_put(f);
	if (r || !out)
		return r;
	return copy_to_user(out, &old, sizeof(old)) ? -EFAULT : 0;
}
