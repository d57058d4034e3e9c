/*
 * unix.c - AF_UNIX sockets: their life, and their tables of operations. unix(7) is what they do;
 * unix_priv.h says which file has which part.
 *
 * The rule: what a socket keeps of others is counted; what others keep of it they give up when it
 * is released, which is when its file goes. A connection that nobody accepts is released by the
 * socket that listened.
 */
#include <asm-generic/ioctls.h>
#include <linux/sockios.h>

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "net/families.h"
#include "net/unix_priv.h"
#include "proc/proc.h"

#define WRITABLE_FRACTION 4 /* writable while no more than 1/4 of SO_SNDBUF is in use */

struct spinlock unix_table_lock = SPINLOCK_INIT(RANK_SOCKET_TABLE);
struct list unix_all = LIST_INIT(unix_all);
static u32 live; /* T, read without: how many these are */

static const struct socket_ops stream_ops, packet_ops, sequence_ops;

/* --- life --- */

static const struct socket_ops *type_ops(u32 type)
{
	if (type == SOCK_STREAM)
		return &stream_ops;
	return type == SOCK_SEQPACKET ? &sequence_ops : &packet_ops;
}

struct unix_socket *unix_new(u32 type)
{
	static u64 last_serial; /* T */
	struct unix_socket *u = kzalloc(sizeof(*u));

	if (!u)
		return NULL;
	socket_init(&u->s, type_ops(type), AF_UNIX, type, 0);
	spin_init(&u->lock, RANK_SOCKET);
	spin_init(&u->queue_lock, RANK_SOCKET_QUEUE);
	mutex_init(&u->bind, RANK_SOCKET_BIND);
	mutex_init(&u->reading, RANK_SOCKET_READ);
	waitq_init(&u->room_wait);
	stream_init(&u->stream, false);
	list_init(&u->name_link);
	list_init(&u->backlog);
	list_init(&u->backlog_link);
	list_init(&u->packets);
	list_init(&u->room_watchers);
	list_init(&u->room_link);
	list_init(&u->flight_link);
	list_init(&u->gc_link);
	spin_lock(&unix_table_lock);
	u->serial = ++last_serial;
	list_push_back(&unix_all, &u->all_link); /* by serial */
	store_relaxed(&live, live + 1);
	spin_unlock(&unix_table_lock);
	return u;
}

static struct socket *unix_create(u32 type, u32 protocol)
{
	struct unix_socket *u;

	if (protocol && protocol != AF_UNIX)
		return ERR_PTR(-EPROTONOSUPPORT);
	if (type == SOCK_RAW) /* as on Linux: the same by another name */
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return ERR_PTR(-ESOCKTNOSUPPORT);
	u = unix_new(type);
	return u ? &u->s : ERR_PTR(-ENOMEM);
}

static void unix_destroy(struct socket *s)
{
	struct unix_socket *u = unix_of(s);

	spin_lock(&unix_table_lock);
	list_remove(&u->all_link);
	store_relaxed(&live, live - 1);
	spin_unlock(&unix_table_lock);
	unix_name_free(u);
	socket_finish(s);
	kfree(u);
}

struct unix_socket *unix_peer_get(struct unix_socket *u)
{
	struct unix_socket *peer;

	spin_lock(&u->lock);
	peer = u->peer;
	if (peer)
		socket_get(&peer->s);
	spin_unlock(&u->lock);
	return peer;
}

void unix_lock_two(struct unix_socket *a, struct unix_socket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock(a < b ? &b->lock : &a->lock);
}

void unix_unlock_two(struct unix_socket *a, struct unix_socket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* --- release --- */

static void buffers_free(struct list *left)
{
	struct net_buffer *b;

	list_for_each (b, left, link) {
		ancillary_free(b->ancillary);
		b->ancillary = NULL;
	}
	net_buffers_free(left);
}

/* All that was sent to u is gone: true if there was something. */
static bool queues_drop(struct unix_socket *u)
{
	struct list left = LIST_INIT(left);
	bool unread = stream_close(&u->stream, &left);

	buffers_free(&left);
	return unix_packets_drop(u) || unread;
}

/* The other end of a connection learns that u is gone. lost: what it has sent was not received. */
static void hang_up(struct unix_socket *peer, bool lost)
{
	if (lost)
		store_relaxed(&peer->s.error, ECONNRESET);
	atomic_or(&peer->s.shutdown, SHUTDOWN_BOTH);
	socket_wake_all(&peer->s);
}

static void watchers_dismiss(struct unix_socket *u)
{
	unix_unwatch_room(u);
	waitq_wake_all(&u->room_wait);
	unix_wake_room(u);
}

static void release_one(struct unix_socket *u, bool never_accepted)
{
	struct unix_socket *peer;
	bool lost;

	unix_name_forget(u);
	spin_lock(&u->lock);
	u->dead = true;
	store_relaxed(&u->state, UNIX_CLOSED);
	peer = u->peer;
	u->peer = NULL;
	spin_unlock(&u->lock);
	atomic_or(&u->s.shutdown, SHUTDOWN_BOTH);
	lost = queues_drop(u) || never_accepted;
	if (peer && unix_is_connection(u))
		hang_up(peer, lost);
	watchers_dismiss(u);
	unix_put(peer);
}

/* Nobody will accept these any more. */
static void backlog_drop(struct unix_socket *u)
{
	for (;;) {
		struct unix_socket *c;

		spin_lock(&u->lock);
		c = list_first(&u->backlog, struct unix_socket, backlog_link);
		if (c) {
			spin_lock(&unix_table_lock);
			list_remove(&c->backlog_link);
			spin_unlock(&unix_table_lock);
			store_relaxed(&u->backlog_count, u->backlog_count - 1);
		}
		spin_unlock(&u->lock);
		if (!c)
			return;
		release_one(c, true);
		unix_put(c);
	}
}

static void unix_release(struct socket *s)
{
	release_one(unix_of(s), false);
	backlog_drop(unix_of(s));
	unix_collect();
}

/* --- names --- */

static int unix_getname(struct socket *s, bool peer, struct socket_address *out)
{
	struct unix_socket *u = unix_of(s), *other;

	if (!peer) {
		unix_name_get(u, out);
		return 0;
	}
	other = unix_peer_get(u);
	if (!other)
		return -ENOTCONN;
	unix_name_get(other, out);
	unix_put(other);
	return 0;
}

/* --- state --- */

bool unix_wants_credentials(const struct unix_socket *u)
{
	return socket_option(&u->s, OPTION_PASSCRED) || socket_option(&u->s, OPTION_PASSPIDFD);
}

static int unix_shutdown(struct socket *s, u32 how)
{
	struct unix_socket *u = unix_of(s), *peer;
	u32 theirs = (how & SHUTDOWN_RECEIVE ? SHUTDOWN_SEND : 0) |
		     (how & SHUTDOWN_SEND ? SHUTDOWN_RECEIVE : 0);

	atomic_or(&s->shutdown, how);
	peer = unix_is_connection(u) ? unix_peer_get(u) : NULL;
	if (peer) {
		atomic_or(&peer->s.shutdown, theirs);
		socket_wake_all(&peer->s);
		unix_put(peer);
	}
	waitq_wake_all(&u->room_wait);
	socket_wake_all(s);
	return 0;
}

bool unix_is_writable(const struct unix_socket *u)
{
	return load_relaxed(&u->state) != UNIX_LISTENING &&
	       load_relaxed(&u->sent) * WRITABLE_FRACTION <= (u64)load_relaxed(&u->s.send_buffer);
}

/* What holds whatever the type. */
static u32 poll_common(const struct unix_socket *u)
{
	u32 shutdown = load_acquire(&u->s.shutdown), events = 0;

	if (load_relaxed(&u->s.error))
		events |= EPOLLERR;
	if (shutdown == SHUTDOWN_BOTH)
		events |= EPOLLHUP;
	if (shutdown & SHUTDOWN_RECEIVE)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (load_relaxed(&u->backlog_count) || load_relaxed(&u->npackets) ||
	    stream_bytes(&u->stream))
		events |= EPOLLIN | EPOLLRDNORM;
	if (unix_is_connection(u) && load_relaxed(&u->state) == UNIX_CLOSED)
		events |= EPOLLHUP;
	return events;
}

static u32 stream_poll(struct socket *s)
{
	struct unix_socket *u = unix_of(s), *peer = unix_peer_get(u);
	u32 events = poll_common(u);
	bool writable = load_relaxed(&u->state) != UNIX_LISTENING;

	if (peer)
		writable = stream_has_room(&peer->stream, s, &peer->s);
	unix_put(peer);
	if (writable)
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	if (load_relaxed(&u->stream.urgent))
		events |= EPOLLPRI;
	return events;
}

static u32 packet_poll(struct socket *s)
{
	struct unix_socket *u = unix_of(s), *peer = unix_peer_get(u);
	u32 events = poll_common(u);
	bool writable = unix_is_writable(u);

	if (writable && peer && load_relaxed(&peer->peer) != u && unix_packets_full(peer))
		writable = unix_watch_room(u, peer);
	unix_put(peer);
	if (writable)
		events |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return events;
}

/* --- ioctl --- */

/* Bytes that wait to be received; of datagrams: of the first. */
static s64 unix_readable(struct unix_socket *u)
{
	struct unix_packet *p;
	s64 n = 0;

	if (load_relaxed(&u->state) == UNIX_LISTENING)
		return -EINVAL;
	if (u->s.type == SOCK_STREAM)
		return (s64)stream_bytes(&u->stream);
	if (u->s.type == SOCK_SEQPACKET)
		return (s64)load_relaxed(&u->packet_bytes);
	spin_lock(&u->queue_lock);
	p = list_first(&u->packets, struct unix_packet, link);
	if (p)
		n = (s64)p->length;
	spin_unlock(&u->queue_lock);
	return n;
}

/* What it has sent and others have not received yet costs. */
static s64 unix_unsent(struct unix_socket *u)
{
	struct unix_socket *peer;
	s64 n;

	if (load_relaxed(&u->state) == UNIX_LISTENING)
		return -EINVAL;
	if (u->s.type != SOCK_STREAM)
		return (s64)load_relaxed(&u->sent);
	peer = unix_peer_get(u);
	n = peer ? (s64)load_relaxed(&peer->stream.charge) : 0;
	unix_put(peer);
	return n;
}

static long unix_ioctl(struct socket *s, u32 request, u64 arg)
{
	struct unix_socket *u = unix_of(s);
	s64 n;

	switch (request) {
	case SIOCINQ:
		n = unix_readable(u);
		break;
	case SIOCOUTQ:
		n = unix_unsent(u);
		break;
	case SIOCATMARK:
		if (s->type != SOCK_STREAM)
			return -EOPNOTSUPP;
		n = stream_at_mark(&u->stream);
		break;
	default:
		return -ENOTTY;
	}
	return n < 0 ? n : put_user((s32)n, (s32 __user *)arg);
}

/* --- for /proc --- */

/* T held. */
static void describe(const struct unix_socket *u, struct unix_socket_info *i)
{
	*i = (struct unix_socket_info){
		.serial = u->serial,
		.ino = load_relaxed(&u->s.ino),
		.references = load_relaxed(&u->s.refs.n) + 1, /* Linux's table holds one, too */
		.type = u->s.type,
		.listening = load_relaxed(&u->state) == UNIX_LISTENING,
		.connected = load_relaxed(&u->state) == UNIX_CONNECTED,
	};
	if (!u->name)
		return;
	i->name_length = u->name->length - UNIX_PATH_OFFSET;
	memcpy(i->name, u->name->bytes + UNIX_PATH_OFFSET, i->name_length);
	if (i->name[0])
		i->name_length--; /* a path's zero */
}

u32 unix_live_count(void)
{
	return load_relaxed(&live);
}

int unix_for_each(int (*fn)(const struct unix_socket_info *i, void *arg), void *arg)
{
	u64 last = 0;

	for (;;) {
		struct unix_socket_info i = { 0 };
		struct unix_socket *u;
		int r;

		spin_lock(&unix_table_lock);
		list_for_each (u, &unix_all, all_link) {
			if (u->serial <= last)
				continue;
			describe(u, &i);
			break;
		}
		spin_unlock(&unix_table_lock);
		if (!i.serial)
			return 0;
		last = i.serial;
		r = fn(&i, arg);
		if (r)
			return r;
	}
}

/* --- the family --- */

static const struct socket_ops stream_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.pair = unix_pair,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.sendmsg = unix_stream_sendmsg,
	.recvmsg = unix_stream_recvmsg,
	.shutdown = unix_shutdown,
	.poll = stream_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
	.destroy = unix_destroy,
	.credentials = true,
	.peek_offset = true,
};

static const struct socket_ops sequence_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.pair = unix_pair,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.sendmsg = unix_packet_sendmsg,
	.recvmsg = unix_packet_recvmsg,
	.shutdown = unix_shutdown,
	.poll = packet_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
	.destroy = unix_destroy,
	.credentials = true,
	.peek_offset = true,
};

static const struct socket_ops packet_ops = {
	.bind = unix_bind,
	.connect = unix_connect_packet,
	.pair = unix_pair,
	.getname = unix_getname,
	.sendmsg = unix_packet_sendmsg,
	.recvmsg = unix_packet_recvmsg,
	.shutdown = unix_shutdown,
	.poll = packet_poll,
	.ioctl = unix_ioctl,
	.release = unix_release,
	.destroy = unix_destroy,
	.credentials = true,
	.peek_offset = true,
};

const struct socket_family unix_family = { .family = AF_UNIX, .create = unix_create };
