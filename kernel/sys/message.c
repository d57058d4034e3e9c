/*
 * message.c - the calls that send and receive messages: sendto, sendmsg, sendmmsg, recvfrom,
 * recvmsg, recvmmsg.
 */
#include <linux/time_types.h>
#include <linux/uio.h>

#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/convert.h"
#include "sys/rw.h"
#include "sys/socket.h"
#include "sys/syscall.h"

#define CONTROL_MAX 131072u /* bytes of ancillary data: net.core.optmem_max */
/* What only the kernel says to itself. */
#define SEND_INTERNAL_FLAGS 0x0a080000u
#define MSG_CMSG_COMPAT 0x80000000u

/* struct msghdr and struct mmsghdr of 64-bit programs. */
struct user_message {
	u64 name;
	s32 name_length;
	u64 parts, nparts;
	u64 control, control_length;
	u32 flags;
};
struct user_messages {
	struct user_message m;
	u32 length;
};
_Static_assert(sizeof(struct user_message) == 56 && sizeof(struct user_messages) == 64, "msghdr");

/* --- sending --- */

static ssize send_result(ssize r, u32 flags)
{
	return r == -EPIPE && flags & MSG_NOSIGNAL ? r : write_result(r);
}

SYSCALL6(sendto, s32, fd, void __user *, buf, size_t, n, u32, flags, const void __user *, user, s32,
	 length)
{
	struct socket_address a;
	struct message m = { 0 };
	struct iter it;
	struct file *f;
	ssize r;

	if (!user_range_ok(buf, n))
		return -EFAULT;
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	iter_init_user(&it, buf, min(n, (size_t)TRANSFER_MAX));
	m.data = &it;
	r = user ? address_from_user(&a, user, length) : 0;
	m.address = user ? &a : NULL;
	if (!r)
		r = send_result(socket_send(f, &m, flags & ~SEND_INTERNAL_FLAGS), flags);
	file_put(f);
	return r;
}

/* What a struct user_message names, in kernel memory. */
struct sending {
	struct socket_address address;
	struct user_vector v;
	struct message m;
	void *control;
};

static int vector_from_user(struct user_vector *v, const struct user_message *u)
{
	int err;

	if (u->nparts > UIO_MAXIOV)
		return -EMSGSIZE;
	err = vector_get(v, (const void __user *)u->parts, u->nparts);
	if (!err)
		v->it.left = min(v->it.left, (u64)TRANSFER_MAX);
	return err;
}

static int control_from_user(struct sending *s, const struct user_message *u)
{
	if (!u->control_length)
		return 0;
	if (u->control_length > CONTROL_MAX)
		return -ENOBUFS;
	s->control = kmalloc(u->control_length);
	if (!s->control)
		return -ENOBUFS;
	if (copy_from_user(s->control, (const void __user *)u->control, u->control_length))
		return -EFAULT;
	s->m.control = s->control;
	s->m.control_length = u->control_length;
	return 0;
}

static int name_from_user(struct sending *s, const struct user_message *u)
{
	s32 length = u->name ? u->name_length : 0;

	if (length < 0)
		return -EINVAL;
	if (!length)
		return 0;
	s->m.address = &s->address;
	return address_from_user(&s->address, (const void __user *)u->name,
				 min(length, (s32)SOCKET_ADDRESS_MAX));
}

/* 0 or errno; sending_end ends it on success. */
static int sending_begin(struct sending *s, const struct user_message *u)
{
	int err;

	s->m = (struct message){ .data = &s->v.it };
	s->control = NULL;
	err = name_from_user(s, u);
	if (err)
		return err;
	err = vector_from_user(&s->v, u);
	if (err)
		return err;
	err = control_from_user(s, u);
	if (err) {
		kfree(s->control);
		vector_put(&s->v);
	}
	return err;
}

static void sending_end(struct sending *s)
{
	kfree(s->control);
	vector_put(&s->v);
}

static ssize send_message(struct file *f, const struct user_message __user *user, u32 flags)
{
	struct user_message u;
	struct sending s;
	ssize r;

	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	r = sending_begin(&s, &u);
	if (r)
		return r;
	/* An end of record may be told in the message, too. */
	flags = (flags & ~SEND_INTERNAL_FLAGS) | (u.flags & MSG_EOR);
	r = send_result(socket_send(f, &s.m, flags), flags);
	sending_end(&s);
	return r;
}

SYSCALL3(sendmsg, s32, fd, const struct user_message __user *, user, u32, flags)
{
	struct file *f;
	ssize r;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = send_message(f, user, flags);
	file_put(f);
	return r;
}

SYSCALL4(sendmmsg, s32, fd, struct user_messages __user *, user, u32, count, u32, flags)
{
	struct file *f;
	ssize r = 0;
	u32 done = 0;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	count = min(count, (u32)UIO_MAXIOV);
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	while (done < count) {
		r = send_message(f, &user[done].m, flags);
		if (r >= 0 && put_user((u32)r, &user[done].length))
			r = -EFAULT;
		if (r < 0)
			break;
		done++;
		if (thread_interrupted())
			break;
		cpu_preempt_point();
	}
	file_put(f);
	return done ? (ssize)done : r;
}

/* --- receiving --- */

SYSCALL6(recvfrom, s32, fd, void __user *, buf, size_t, n, u32, flags, void __user *, user,
	 s32 __user *, length)
{
	struct socket_address a = { 0 };
	struct message m = { .address = user ? &a : NULL };
	struct iter it;
	struct file *f;
	ssize r;

	if (!user_range_ok(buf, n))
		return -EFAULT;
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	iter_init_user(&it, buf, min(n, (size_t)TRANSFER_MAX));
	m.data = &it;
	r = socket_receive(f, &m, flags);
	if (r >= 0 && user && address_to_user(&a, user, length))
		r = -EFAULT;
	file_put(f);
	return r;
}

/* Tell what was received beside the bytes. */
static int receive_finish(struct user_message __user *user, const struct user_message *u,
			  const struct message *m)
{
	int err = 0;

	if (u->name)
		err = address_to_user(m->address, (void __user *)u->name, &user->name_length);
	if (!err)
		err = put_user(m->flags, &user->flags);
	if (!err)
		err = put_user(u->control_length - m->control_room, &user->control_length);
	return err;
}

/* *out_flags: what msg_flags says. */
static ssize receive_message(struct file *f, struct user_message __user *user, u32 flags,
			     u32 *out_flags)
{
	struct user_message u;
	struct user_vector v;
	struct socket_address a = { 0 };
	struct message m = { .data = &v.it, .flags = flags & MSG_CMSG_CLOEXEC };
	ssize r;

	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	if (u.name && u.name_length < 0)
		return -EINVAL;
	r = vector_from_user(&v, &u);
	if (r)
		return r;
	m.address = u.name ? &a : NULL;
	m.control_out = (u8 __user *)u.control;
	m.control_room = u.control_length;
	r = socket_receive(f, &m, flags);
	if (r >= 0) {
		int err = receive_finish(user, &u, &m);

		r = err ? err : r;
	}
	*out_flags = m.flags;
	vector_put(&v);
	return r;
}

SYSCALL3(recvmsg, s32, fd, struct user_message __user *, user, u32, flags)
{
	struct file *f;
	u32 out;
	ssize r;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = receive_message(f, user, flags, &out);
	file_put(f);
	return r;
}

/* Messages until count, the deadline (looked at after each), or an error: how many, or errno. */
static ssize receive_messages(struct file *f, struct user_messages __user *user, u32 count,
			      u32 flags, u64 deadline)
{
	struct socket *s = file_socket(f);
	ssize r = socket_take_error(s);
	u32 done = 0, out;

	while (!r && done < count) {
		r = receive_message(f, &user[done].m, flags & ~MSG_WAITFORONE, &out);
		if (r >= 0 && put_user((u32)r, &user[done].length))
			r = -EFAULT;
		if (r < 0)
			break;
		r = 0;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (out & MSG_OOB || clock_monotonic() >= deadline)
			break;
		cpu_preempt_point();
	}
	if (done && r && r != -EAGAIN && r != -ERESTARTSYS && r != -EINTR)
		store_relaxed(&s->error, (s32)-r); /* the next call tells */
	return done ? (ssize)done : r;
}

SYSCALL5(recvmmsg, s32, fd, struct user_messages __user *, user, u32, count, u32, flags,
	 struct __kernel_timespec __user *, user_timeout)
{
	u64 ns = 0, deadline = DEADLINE_NONE, now;
	struct file *f;
	ssize r;
	int err;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (user_timeout) {
		err = timespec_from_user((u64)user_timeout, &ns);
		if (err)
			return err;
		deadline = deadline_after(ns);
	}
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = receive_messages(f, user, min(count, (u32)UIO_MAXIOV), flags, deadline);
	file_put(f);
	now = clock_monotonic();
	if (r > 0 && user_timeout &&
	    timespec_to_user(deadline > now ? deadline - now : 0, (u64)user_timeout))
		return -EFAULT;
	return r;
}
