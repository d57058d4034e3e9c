/*
 * socket.c - sockets as open files, and how those who wait for them learn of changes.
 *
 * The rule: a socket outlives its file as long as somebody (the other end, a queue) holds a
 * reference; release is told to the family once, when the file goes. Who waits does so without a
 * lock, on a queue for each direction whose threads are woken one at a time; pollers have a queue
 * of their own, which is not touched before somebody has polled. Next: options.c, stream.h, then a
 * family (unix.c).
 */
#include "net/socket.h"

#include <asm-generic/fcntl.h>
#include <asm/signal.h>
#include <linux/stat.h>

#include "arch/x86_64/usercopy.h"
#include "fs/poll.h"
#include "lib/print.h"
#include "proc/calls.h"

#define READ_EVENTS (EPOLLIN | EPOLLRDNORM | EPOLLRDBAND)
#define WRITE_EVENTS (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

static const struct socket_family *families[AF_COUNT];
static const struct file_ops socket_file_ops;

/* --- families --- */

void socket_register_family(const struct socket_family *f)
{
	assert(f->family < AF_COUNT && !families[f->family]);
	families[f->family] = f;
}

struct socket *socket_create(u32 family, u32 type, u32 protocol)
{
	if (family >= AF_COUNT)
		return ERR_PTR(-EAFNOSUPPORT);
	if (type >= SOCK_COUNT)
		return ERR_PTR(-EINVAL);
	if (!families[family])
		return ERR_PTR(-EAFNOSUPPORT);
	return families[family]->create(type, protocol);
}

/* --- life --- */

void socket_init(struct socket *s, const struct socket_ops *ops, u32 family, u32 type, u32 protocol)
{
	ref_init(&s->refs);
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->receive_buffer = SOCKET_BUFFER_DEFAULT;
	s->send_buffer = SOCKET_BUFFER_DEFAULT;
	s->receive_low = 1;
	s->peek_offset = -1;
	s->receive_timeout = s->send_timeout = DEADLINE_NONE;
	waitq_init(&s->receive_wait);
	waitq_init(&s->send_wait);
	waitq_init(&s->poll_wait);
	spin_init(&s->lock, RANK_SOCKET_FILE);
}

void socket_finish(struct socket *s)
{
	peer_identity_put(&s->identity);
}

void socket_put(struct socket *s)
{
	if (ref_put(&s->refs))
		s->ops->destroy(s);
}

struct file *socket_file_new(u32 flags)
{
	return file_new_anonymous("socket", &socket_file_ops, NULL, O_RDWR | (flags & O_NONBLOCK),
				  S_IFSOCK | 0777);
}

void socket_attach(struct file *f, struct socket *s)
{
	f->data = s;
	spin_lock(&s->lock);
	s->file = f;
	spin_unlock(&s->lock);
	store_relaxed(&s->ino, f->inode->ino);
}

struct socket *file_socket(const struct file *f)
{
	return f->ops == &socket_file_ops ? f->data : NULL;
}

static void socket_file_release(struct file *f)
{
	struct socket *s = f->data;

	if (!s)
		return;
	spin_lock(&s->lock);
	s->file = NULL;
	spin_unlock(&s->lock);
	store_relaxed(&s->ino, 0);
	s->ops->release(s);
	socket_put(s);
}

/* --- who is at the other end --- */

struct peer_identity peer_identity_current(void)
{
	struct peer_identity p = { process_current(), cred_current() };

	process_get(p.process);
	cred_get(p.cred);
	return p;
}

void peer_identity_put(struct peer_identity *p)
{
	if (!p->process)
		return;
	process_put(p->process);
	cred_put(p->cred);
	*p = (struct peer_identity){ 0 };
}

void socket_set_identity(struct socket *s, const struct peer_identity *from)
{
	struct peer_identity old;

	if (from->process) {
		process_get(from->process);
		cred_get(from->cred);
	}
	spin_lock(&s->lock);
	old = s->identity;
	s->identity = *from;
	spin_unlock(&s->lock);
	peer_identity_put(&old);
}

struct peer_identity socket_identity_get(struct socket *s)
{
	struct peer_identity p;

	spin_lock(&s->lock);
	p = s->identity;
	if (p.process) {
		process_get(p.process);
		cred_get(p.cred);
	}
	spin_unlock(&s->lock);
	return p;
}

/* --- waiting and waking --- */

u64 socket_deadline(u64 timeout, u32 flags)
{
	u64 now;

	if (flags & MSG_DONTWAIT)
		return 0;
	if (timeout == DEADLINE_NONE)
		return DEADLINE_NONE;
	now = clock_monotonic();
	return timeout >= DEADLINE_NONE - 1 - now ? DEADLINE_NONE - 1 : now + timeout;
}

int socket_wait(struct waitq *q, bool (*ready)(void *arg), void *arg, u64 deadline)
{
	struct waiter w;
	int err = 0;

	if (!deadline)
		return ready(arg) ? 0 : -EAGAIN;
	waiter_init(&w);
	w.exclusive = true;
	for (;;) {
		waitq_prepare(q, &w);
		if (ready(arg)) {
			thread_cancel_park();
			err = 0;
			break;
		}
		if (err) {
			thread_cancel_park();
			break;
		}
		err = thread_park(true, deadline);
	}
	waitq_finish(q, &w);
	if (!err)
		return 0;
	if (ready(arg))
		waitq_wake_one(q); /* the wake-up may have been meant for another, too */
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	return deadline == DEADLINE_NONE ? -ERESTARTSYS : -EINTR;
}

/* sig, to whom F_SETOWN names; SIGIO only where O_ASYNC is on. */
static void signal_owner(struct socket *s, int sig)
{
	struct file_owner owner = { 0 };

	spin_lock(&s->lock);
	if (s->file && (sig != SIGIO || load_relaxed(&s->file->flags) & FASYNC))
		file_get_owner(s->file, &owner);
	spin_unlock(&s->lock);
	file_owner_signal(&owner, sig);
}

static void wake_pollers(struct socket *s, u32 events)
{
	if (load_relaxed(&s->polled))
		waitq_wake_key(&s->poll_wait, events);
	signal_owner(s, SIGIO);
}

void socket_wake_receivers(struct socket *s)
{
	waitq_wake_one(&s->receive_wait);
	wake_pollers(s, READ_EVENTS);
}

void socket_wake_senders(struct socket *s)
{
	waitq_wake_one(&s->send_wait);
	wake_pollers(s, WRITE_EVENTS);
}

void socket_wake_all(struct socket *s)
{
	waitq_wake_all(&s->receive_wait);
	waitq_wake_all(&s->send_wait);
	wake_pollers(s, READ_EVENTS | WRITE_EVENTS | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
}

void socket_signal_urgent(struct socket *s)
{
	if (load_relaxed(&s->polled))
		waitq_wake_key(&s->poll_wait, EPOLLPRI);
	signal_owner(s, SIGURG);
}

int socket_take_error(struct socket *s)
{
	return load_relaxed(&s->error) ? -atomic_exchange(&s->error, 0) : 0;
}

/* --- ancillary data --- */

int message_next_control(const struct message *m, size_t *offset, struct control *out)
{
	const u8 *at = (const u8 *)m->control + *offset;
	size_t left = *offset < m->control_length ? m->control_length - *offset : 0;
	struct control_header h;

	if (left < sizeof(h))
		return 0;
	__builtin_memcpy(&h, at, sizeof(h));
	if (h.length < sizeof(h) || h.length > left)
		return -EINVAL;
	*out = (struct control){ .level = h.level,
				 .type = h.type,
				 .data = at + sizeof(h),
				 .length = h.length - sizeof(h) };
	*offset += (h.length + 7) & ~7ull;
	return 1;
}

int message_put_control(struct message *m, s32 level, s32 type, const void *data, size_t n)
{
	struct control_header h = { sizeof(h) + n, level, type };
	size_t whole = (h.length + 7) & ~7ull;

	if (!m->control_out || m->control_room < sizeof(h)) {
		m->flags |= MSG_CTRUNC;
		return 0;
	}
	if (m->control_room < h.length) {
		m->flags |= MSG_CTRUNC;
		h.length = m->control_room;
	}
	if (copy_to_user(m->control_out, &h, sizeof(h)) ||
	    copy_to_user(m->control_out + sizeof(h), data, h.length - sizeof(h)))
		return -EFAULT;
	whole = min(whole, m->control_room);
	m->control_out += whole;
	m->control_room -= whole;
	return 0;
}

/* --- the file operations --- */

u32 socket_file_flags(const struct file *f)
{
	return load_relaxed(&f->flags) & O_NONBLOCK ? MSG_DONTWAIT : 0;
}

ssize socket_send(struct file *f, struct message *m, u32 flags)
{
	struct socket *s = f->data;

	return s->ops->sendmsg(s, m, flags | socket_file_flags(f));
}

ssize socket_receive(struct file *f, struct message *m, u32 flags)
{
	struct socket *s = f->data;

	return s->ops->recvmsg(s, m, flags | socket_file_flags(f));
}

static ssize socket_file_read(struct file *f, struct iter *it, u64 *pos)
{
	struct message m = { .data = it };

	return it->left ? socket_receive(f, &m, 0) : 0;
}

static ssize socket_file_read_nonblock(struct file *f, struct iter *it, u64 *pos)
{
	struct message m = { .data = it };

	return it->left ? socket_receive(f, &m, MSG_DONTWAIT) : 0;
}

static ssize socket_file_write(struct file *f, struct iter *it, u64 *pos)
{
	struct socket *s = f->data;
	struct message m = { .data = it };

	return socket_send(f, &m, s->type == SOCK_SEQPACKET ? MSG_EOR : 0);
}

static u32 socket_file_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->data;

	if (pt) {
		store_relaxed(&s->polled, true);
		full_barrier();
	}
	poll_wait(pt, f, &s->poll_wait);
	return s->ops->poll(s);
}

static long socket_file_ioctl(struct file *f, u32 request, u64 arg)
{
	struct socket *s = f->data;

	return s->ops->ioctl ? s->ops->ioctl(s, request, arg) : -ENOTTY;
}

static const struct file_ops socket_file_ops = {
	.read = socket_file_read,
	.read_nonblock = socket_file_read_nonblock,
	.write = socket_file_write,
	.poll = socket_file_poll,
	.ioctl = socket_file_ioctl,
	.release = socket_file_release,
};
