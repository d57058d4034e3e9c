/*
 * socket.c - the calls on sockets: socket, bind, connect, accept, and what tells and sets their
 * names and options. Messages are in message.c, what sockets are in net/socket.h.
 *
 * The rule: arguments are checked here, in Linux's order; families get what is in kernel memory.
 */
#include "sys/socket.h"

#include <asm-generic/fcntl.h>

#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/syscall.h"

#define SOCK_CLOEXEC O_CLOEXEC
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)
#define SOCK_TYPE_MASK 0xfu
#define OPTION_VALUE_MAX 4096u /* bytes of an option's value */
#define COMMON_VALUE_MAX 16u   /* of one of SOL_SOCKET */

/* --- what the calls share --- */

struct file *socket_fd_file(int fd)
{
	struct file *f = fd_file(fd);

	if (!f)
		return ERR_PTR(-EBADF);
	if (!file_socket(f)) {
		file_put(f);
		return ERR_PTR(-ENOTSOCK);
	}
	return f;
}

int address_from_user(struct socket_address *a, const void __user *user, s32 length)
{
	if (length < 0 || (u32)length > SOCKET_ADDRESS_MAX)
		return -EINVAL;
	memset(a, 0, sizeof(*a));
	a->length = (u32)length;
	return length && copy_from_user(a->bytes, user, (size_t)length) ? -EFAULT : 0;
}

int address_to_user(const struct socket_address *a, void __user *user, s32 __user *user_length)
{
	s32 room;

	if (get_user(room, user_length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (copy_to_user(user, a->bytes, min((u32)room, a->length)))
		return -EFAULT;
	return put_user((s32)a->length, user_length);
}

/* --- making sockets --- */

/* A file for s, whose reference it takes over, also on failure. ERR_PTR */
static struct file *file_for(struct socket *s, u32 flags)
{
	struct file *f;

	if (IS_ERR(s))
		return (struct file *)s;
	f = socket_file_new(flags);
	if (IS_ERR(f)) {
		s->ops->release(s);
		socket_put(s);
	} else {
		socket_attach(f, s);
	}
	return f;
}

static long install(struct file *f, u32 flags)
{
	int fd;

	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, 0, flags & SOCK_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

SYSCALL3(socket, s32, family, s32, type, s32, protocol)
{
	u32 flags = (u32)type & ~SOCK_TYPE_MASK;

	if (flags & ~(u32)SOCK_FLAGS)
		return -EINVAL;
	return install(
		file_for(socket_create((u32)family, (u32)type & SOCK_TYPE_MASK, (u32)protocol),
			 flags),
		flags);
}

/* Two connected sockets as files: 0, or errno and none. */
static int pair_create(u32 family, u32 type, u32 protocol, u32 flags, struct file *pair[2])
{
	int err;

	for (u32 i = 0; i < 2; i++) {
		pair[i] = file_for(socket_create(family, type, protocol), flags);
		if (IS_ERR(pair[i])) {
			if (i)
				file_put(pair[0]);
			return (int)PTR_ERR(pair[i]);
		}
	}
	err = -EOPNOTSUPP;
	if (file_socket(pair[0])->ops->pair)
		err = file_socket(pair[0])->ops->pair(file_socket(pair[0]), file_socket(pair[1]));
	if (err) {
		file_put(pair[0]);
		file_put(pair[1]);
	}
	return err;
}

SYSCALL4(socketpair, s32, family, s32, type, s32, protocol, s32 __user *, user)
{
	u32 flags = (u32)type & ~SOCK_TYPE_MASK;
	struct file *pair[2];
	s32 fd[2] = { -1, -1 };
	int err;

	if (flags & ~(u32)SOCK_FLAGS)
		return -EINVAL;
	err = fd_check_free();
	/* Linux stores the numbers before it makes the sockets. */
	if (!err && copy_to_user(user, fd, sizeof(fd)))
		err = -EFAULT;
	if (!err)
		err = pair_create((u32)family, (u32)type & SOCK_TYPE_MASK, (u32)protocol, flags,
				  pair);
	if (err)
		return err;
	for (u32 i = 0; i < 2 && err >= 0; i++) {
		err = fd[i] = fd_install(pair[i], 0, flags & SOCK_CLOEXEC);
		if (err >= 0)
			pair[i] = NULL;
	}
	if (err >= 0 && !copy_to_user(user, fd, sizeof(fd)))
		return 0;
	if (err >= 0)
		err = -EFAULT;
	for (u32 i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			fd_close(fd[i]);
		if (pair[i])
			file_put(pair[i]);
	}
	return err;
}

/* --- names and connections --- */

SYSCALL3(bind, s32, fd, const void __user *, user, s32, length)
{
	struct file *f = socket_fd_file(fd);
	struct socket_address a;
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	r = address_from_user(&a, user, length);
	if (!r)
		r = file_socket(f)->ops->bind ? file_socket(f)->ops->bind(file_socket(f), &a)
					      : -EOPNOTSUPP;
	file_put(f);
	return r;
}

SYSCALL3(connect, s32, fd, const void __user *, user, s32, length)
{
	struct file *f = socket_fd_file(fd);
	struct socket_address a;
	struct socket *s;
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	s = file_socket(f);
	r = address_from_user(&a, user, length);
	if (!r && !s->ops->connect)
		r = -EOPNOTSUPP;
	if (!r)
		r = s->ops->connect(
			s, &a,
			socket_deadline(load_relaxed(&s->send_timeout), socket_file_flags(f)));
	file_put(f);
	return r;
}

SYSCALL2(listen, s32, fd, s32, backlog)
{
	struct file *f = socket_fd_file(fd);
	struct socket *s;
	long r = -EOPNOTSUPP;

	if (IS_ERR(f))
		return PTR_ERR(f);
	s = file_socket(f);
	if (s->ops->listen)
		r = s->ops->listen(s, min((u32)backlog, SOCKET_BACKLOG_MAX));
	file_put(f);
	return r;
}

/* The next connection of f as a file, its peer's name in *peer if that is wanted. ERR_PTR */
static struct file *accept_file(struct file *f, u32 flags, struct socket_address *peer)
{
	struct socket *s = file_socket(f), *new;
	struct file *file;
	int err;

	if (!s->ops->accept)
		return ERR_PTR(-EOPNOTSUPP);
	file = socket_file_new(flags); /* first: a connection is not taken in vain */
	if (IS_ERR(file))
		return file;
	new = s->ops->accept(
		s, socket_deadline(load_relaxed(&s->receive_timeout), socket_file_flags(f)));
	if (IS_ERR(new)) {
		file_put(file);
		return (struct file *)new;
	}
	socket_attach(file, new);
	err = peer ? new->ops->getname(new, true, peer) : 0;
	if (err) {
		file_put(file);
		return ERR_PTR(-ECONNABORTED);
	}
	return file;
}

static long do_accept(s32 fd, void __user *user, s32 __user *user_length, u32 flags)
{
	struct file *f, *new;
	struct socket_address peer;
	long r;

	if (flags & ~(u32)SOCK_FLAGS)
		return -EINVAL;
	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = fd_check_free();
	if (!r) {
		new = accept_file(f, flags, user ? &peer : NULL);
		r = IS_ERR(new) ? PTR_ERR(new) : 0;
	}
	if (!r && user) {
		r = address_to_user(&peer, user, user_length);
		if (r)
			file_put(new);
	}
	if (!r)
		r = install(new, flags);
	file_put(f);
	return r;
}

SYSCALL3(accept, s32, fd, void __user *, user, s32 __user *, length)
{
	return do_accept(fd, user, length, 0);
}

SYSCALL4(accept4, s32, fd, void __user *, user, s32 __user *, length, u32, flags)
{
	return do_accept(fd, user, length, flags);
}

static long do_getname(s32 fd, void __user *user, s32 __user *user_length, bool peer)
{
	struct file *f = socket_fd_file(fd);
	struct socket_address a;
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	r = file_socket(f)->ops->getname(file_socket(f), peer, &a);
	if (!r)
		r = address_to_user(&a, user, user_length);
	file_put(f);
	return r;
}

SYSCALL3(getsockname, s32, fd, void __user *, user, s32 __user *, length)
{
	return do_getname(fd, user, length, false);
}

SYSCALL3(getpeername, s32, fd, void __user *, user, s32 __user *, length)
{
	return do_getname(fd, user, length, true);
}

SYSCALL2(shutdown, s32, fd, u32, how)
{
	struct file *f = socket_fd_file(fd);
	struct socket *s;
	long r = -EINVAL;

	if (IS_ERR(f))
		return PTR_ERR(f);
	s = file_socket(f);
	if (!s->ops->shutdown)
		r = -EOPNOTSUPP;
	else if (how < SHUTDOWN_BOTH)
		r = s->ops->shutdown(s, how + 1);
	file_put(f);
	return r;
}

/* --- options --- */

static long set_option(struct socket *s, s32 level, s32 name, const void __user *user, s32 length)
{
	u32 most = level == SOL_SOCKET ? COMMON_VALUE_MAX : OPTION_VALUE_MAX, n;
	void *value;
	long r = -EFAULT;

	if (length < 0)
		return -EINVAL;
	if (level != SOL_SOCKET && !s->ops->setsockopt)
		return -EOPNOTSUPP;
	n = min((u32)length, most);
	value = kmalloc(n + 1);
	if (!value)
		return -ENOMEM;
	if (!copy_from_user(value, user, n))
		r = socket_set_option_value(s, level, name, value, n);
	kfree(value);
	return r;
}

SYSCALL5(setsockopt, s32, fd, s32, level, s32, name, const void __user *, value, s32, length)
{
	struct file *f;
	long r;

	f = socket_fd_file(fd);
	if (IS_ERR(f))
		return PTR_ERR(f);
	r = set_option(file_socket(f), level, name, value, length);
	file_put(f);
	return r;
}

static long get_option(struct socket *s, s32 level, s32 name, void __user *user,
		       s32 __user *user_length)
{
	s32 length;
	u32 n;
	void *value;
	long r;

	if (get_user(length, user_length))
		return -EFAULT;
	if (length < 0)
		return -EINVAL;
	n = min((u32)length, OPTION_VALUE_MAX);
	value = kzalloc(n + 1);
	if (!value)
		return -ENOMEM;
	r = socket_get_option_value(s, level, name, value, &n);
	if (!r && copy_to_user(user, value, n))
		r = -EFAULT;
	/* -ERANGE: there is more; how much is told */
	if ((!r || r == -ERANGE) && put_user((s32)n, user_length))
		r = -EFAULT;
	kfree(value);
	return r;
}

SYSCALL5(getsockopt, s32, fd, s32, level, s32, name, void __user *, value, s32 __user *, length)
{
	struct file *f = socket_fd_file(fd);
	long r;

	if (IS_ERR(f))
		return PTR_ERR(f);
	r = get_option(file_socket(f), level, name, value, length);
	file_put(f);
	return r;
}
