/*
 * unix_packet.c - messages whose bounds count: SOCK_DGRAM and SOCK_SEQPACKET of AF_UNIX.
 *
 * The rule: a message is received whole or cut, never in parts. What a sender has in the queues of
 * others is bounded by its SO_SNDBUF; how many messages a queue takes is bounded, too, but not for
 * the peer that is connected back (a pair has its SO_SNDBUF alone to wait for).
 */
#include <linux/time.h>
#include <linux/time_types.h>

#include "lib/print.h"
#include "mm/slab.h"
#include "net/unix_priv.h"
#include "proc/proc.h"

#define LENGTH_OVERHEAD 32 /* the longest message is so much shorter than SO_SNDBUF */

/* --- packets --- */

static void packet_free(struct unix_packet *p)
{
	struct unix_socket *from = p->from;

	ancillary_free(p->ancillary);
	net_buffers_free(&p->buffers);
	atomic_sub(&from->sent, p->charge);
	if (unix_is_writable(from))
		socket_wake_senders(&from->s);
	unix_put(from);
	kfree(p);
}

/* Of u, with the data of m and a, which is the packet's on success. ERR_PTR(-ENOMEM, -EFAULT) */
static struct unix_packet *packet_new(struct unix_socket *u, struct message *m, struct ancillary *a)
{
	struct unix_packet *p = kzalloc(sizeof(*p));
	int err;

	if (!p)
		return ERR_PTR(-ENOMEM);
	list_init(&p->link);
	list_init(&p->buffers);
	p->length = m->data->left;
	p->charge = sizeof(*p);
	err = net_buffers_fill(&p->buffers, m->data, p->length, &p->charge);
	if (err) {
		kfree(p);
		return ERR_PTR(err);
	}
	socket_get(&u->s);
	p->from = u;
	p->ancillary = a;
	atomic_add(&u->sent, p->charge);
	return p;
}

bool unix_packets_drop(struct unix_socket *u)
{
	struct list left = LIST_INIT(left);
	struct unix_packet *p, *next;

	mutex_lock(&u->reading);
	spin_lock(&u->queue_lock);
	list_for_each_safe (p, next, &u->packets, link) {
		list_remove(&p->link);
		list_push_back(&left, &p->link);
	}
	store_relaxed(&u->npackets, 0);
	store_relaxed(&u->packet_bytes, 0);
	spin_unlock(&u->queue_lock);
	mutex_unlock(&u->reading);
	if (list_empty(&left))
		return false;
	list_for_each_safe (p, next, &left, link) {
		list_remove(&p->link);
		packet_free(p);
	}
	return true;
}

/* --- room --- */

bool unix_packets_full(const struct unix_socket *u)
{
	return load_relaxed(&u->npackets) > UNIX_PACKETS_MAX;
}

bool unix_watch_room(struct unix_socket *u, struct unix_socket *peer)
{
	spin_lock(&unix_table_lock);
	if (list_empty(&u->room_link))
		list_push_back(&peer->room_watchers, &u->room_link);
	spin_unlock(&unix_table_lock);
	full_barrier(); /* against unix_wake_room */
	return !unix_packets_full(peer);
}

void unix_unwatch_room(struct unix_socket *u)
{
	spin_lock(&unix_table_lock);
	list_remove(&u->room_link);
	spin_unlock(&unix_table_lock);
}

void unix_wake_room(struct unix_socket *u)
{
	struct unix_socket *w;

	waitq_wake_one(&u->room_wait);
	full_barrier();
	while (load_relaxed(&u->room_watchers.next) != &u->room_watchers) {
		spin_lock(&unix_table_lock);
		w = list_first(&u->room_watchers, struct unix_socket, room_link);
		if (w) {
			list_remove(&w->room_link);
			socket_get(&w->s);
		}
		spin_unlock(&unix_table_lock);
		if (!w)
			break;
		socket_wake_senders(&w->s);
		unix_put(w);
	}
}

/* --- sending --- */

static bool may_begin(void *arg)
{
	const struct unix_socket *u = arg;

	return load_relaxed(&u->sent) < (u64)load_relaxed(&u->s.send_buffer) ||
	       load_relaxed(&u->s.error) || load_acquire(&u->s.shutdown) & SHUTDOWN_SEND;
}

/* Wait until u may have another message in other sockets' queues. */
static int wait_for_buffer(struct unix_socket *u, u64 deadline)
{
	int err;

	for (;;) {
		err = socket_take_error(&u->s);
		if (err)
			return err;
		if (load_acquire(&u->s.shutdown) & SHUTDOWN_SEND)
			return -EPIPE_QUIET;
		if (may_begin(u))
			return 0;
		if (!deadline)
			return -EAGAIN;
		err = socket_wait(&u->s.send_wait, may_begin, u, deadline);
		if (err)
			return err;
	}
}

#define FOUND_DEAD 1
#define FOUND_FULL 2

/* 0: p is in the queue of `other`. FOUND_*: it is not, yet. Or errno. */
static int deliver(struct unix_socket *u, struct unix_socket *other, struct unix_packet *p)
{
	int r = 0;

	spin_lock(&other->lock);
	if (other->peer && other->peer != u)
		r = -EPERM;
	else if (other->dead)
		r = FOUND_DEAD;
	else if (other->s.shutdown & SHUTDOWN_RECEIVE)
		r = -EPIPE_QUIET;
	else if (other != u && other->peer != u && unix_packets_full(other))
		r = FOUND_FULL;
	if (!r) {
		if (socket_option(&other->s, OPTION_TIMESTAMP) ||
		    socket_option(&other->s, OPTION_TIMESTAMPNS))
			p->time = clock_realtime();
		if (p->ancillary && p->ancillary->nfiles)
			unix_flight_note(other);
		spin_lock(&other->queue_lock);
		list_push_back(&other->packets, &p->link);
		store_relaxed(&other->arrivals, other->arrivals + 1);
		store_relaxed(&other->npackets, other->npackets + 1);
		store_relaxed(&other->packet_bytes, other->packet_bytes + p->length);
		spin_unlock(&other->queue_lock);
	}
	spin_unlock(&other->lock);
	if (!r)
		socket_wake_receivers(&other->s);
	return r;
}

struct room_wait {
	const struct unix_socket *u, *other;
};

static bool has_room_or_end(void *arg)
{
	const struct unix_socket *other = ((const struct room_wait *)arg)->other;

	return !unix_packets_full(other) || load_acquire(&other->dead) ||
	       load_acquire(&other->s.shutdown) & SHUTDOWN_RECEIVE;
}

/* The peer that u was connected to is gone. */
static int forget_dead_peer(struct unix_socket *u, struct unix_socket *other)
{
	bool was_peer;

	if (u->s.type == SOCK_SEQPACKET)
		return -EPIPE_QUIET;
	spin_lock(&u->lock);
	was_peer = u->peer == other;
	if (was_peer) {
		u->peer = NULL;
		store_relaxed(&u->state, UNIX_CLOSED);
	}
	spin_unlock(&u->lock);
	if (was_peer) {
		unix_unwatch_room(u);
		unix_disconnected(u, other);
		unix_put(other);
	}
	return -ECONNREFUSED;
}

/* Whom a message goes to, counted; by name, or the peer. ERR_PTR */
static struct unix_socket *destination(struct unix_socket *u, const struct socket_address *a)
{
	struct unix_socket *other;

	if (a)
		return unix_find(a, u->s.type);
	other = unix_peer_get(u);
	return other ? other : ERR_PTR(-ENOTCONN);
}

static int send_packet(struct unix_socket *u, const struct socket_address *a, struct unix_packet *p,
		       u64 deadline)
{
	for (;;) {
		struct unix_socket *other = destination(u, a);
		struct room_wait w = { u, other };
		int r;

		if (IS_ERR(other))
			return (int)PTR_ERR(other);
		r = deliver(u, other, p);
		if (r == FOUND_DEAD && !a)
			r = forget_dead_peer(u, other);
		if (r == FOUND_FULL && !deadline)
			r = -EAGAIN;
		if (r == FOUND_FULL)
			r = socket_wait(&other->room_wait, has_room_or_end, &w, deadline)
				    ?: FOUND_FULL;
		unix_put(other);
		if (r <= 0)
			return r;
	}
}

/* What is wrong with a message before there is a packet; *a: the address to be used. */
static int send_check(struct unix_socket *u, const struct message *m, u32 flags,
		      const struct socket_address **a)
{
	int err = 0;

	*a = u->s.type == SOCK_DGRAM && m->address && m->address->length ? m->address : NULL;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (*a)
		err = unix_check_address(*a);
	if (!err && unix_wants_credentials(u))
		err = unix_autobind(u);
	if (!err && m->data->left > (u64)load_relaxed(&u->s.send_buffer) - LENGTH_OVERHEAD)
		err = -EMSGSIZE;
	return err;
}

/* Is who sends to be told? If the receiver asks for it later, it is not known any more. */
static bool receiver_wants_credentials(struct unix_socket *u, const struct socket_address *a)
{
	struct unix_socket *other = destination(u, a);
	bool wants = !IS_ERR(other) && unix_wants_credentials(other);

	if (!IS_ERR(other))
		unix_put(other);
	return wants;
}

static ssize send_message(struct unix_socket *u, struct message *m, struct ancillary **a, u32 flags)
{
	u64 deadline = socket_deadline(load_relaxed(&u->s.send_timeout), flags);
	const struct socket_address *to;
	struct unix_packet *p;
	ssize length;
	int err = send_check(u, m, flags, &to);

	if (!err)
		err = wait_for_buffer(u, deadline);
	if (!err && (unix_wants_credentials(u) || receiver_wants_credentials(u, to)))
		err = ancillary_identify(a);
	if (!err)
		err = ancillary_depart(*a);
	if (err)
		return err;
	p = packet_new(u, m, *a);
	if (IS_ERR(p))
		return PTR_ERR(p);
	*a = NULL;
	length = (ssize)p->length;
	err = send_packet(u, to, p, deadline);
	if (err)
		packet_free(p);
	return err ? err : length;
}

ssize unix_packet_sendmsg(struct socket *s, struct message *m, u32 flags)
{
	struct unix_socket *u = unix_of(s);
	struct ancillary *a;
	ssize r = 0;

	if (s->type == SOCK_SEQPACKET) {
		r = socket_take_error(s);
		if (!r && load_relaxed(&u->state) != UNIX_CONNECTED)
			r = -ENOTCONN;
	}
	if (!r)
		r = ancillary_from_message(m, &a);
	if (r)
		return r;
	r = send_message(u, m, &a, flags);
	ancillary_free(a);
	return r;
}

/* --- receiving --- */

struct packet_wait {
	const struct unix_socket *u;
	u64 seen; /* arrivals */
};

static bool has_packet_or_end(void *arg)
{
	const struct packet_wait *w = arg;

	return load_relaxed(&w->u->arrivals) != w->seen || load_relaxed(&w->u->s.error) ||
	       load_acquire(&w->u->s.shutdown) & SHUTDOWN_RECEIVE;
}

/*
 * The packet that is to be received, and how much of it is passed over (peek): NULL if there is
 * none among those that have arrived until now (*seen). `reading` held.
 */
static struct unix_packet *packet_find(struct unix_socket *u, bool peek, size_t *skip, u64 *seen)
{
	s32 offset = load_relaxed(&u->s.peek_offset);
	struct unix_packet *p, *found = NULL;

	*skip = peek && offset > 0 ? (size_t)offset : 0;
	spin_lock(&u->queue_lock);
	*seen = u->arrivals;
	list_for_each (p, &u->packets, link) {
		if (!*skip || *skip < p->length) {
			found = p;
			break;
		}
		*skip -= p->length;
	}
	spin_unlock(&u->queue_lock);
	return found;
}

static void packet_detach(struct unix_socket *u, struct unix_packet *p)
{
	spin_lock(&u->queue_lock);
	list_remove(&p->link);
	store_relaxed(&u->npackets, u->npackets - 1);
	store_relaxed(&u->packet_bytes, u->packet_bytes - p->length);
	spin_unlock(&u->queue_lock);
}

/* None is queued: 1: the end; 0: look again; or errno. */
static int receive_wait(struct unix_socket *u, u64 deadline, u64 seen)
{
	struct packet_wait w = { u, seen };
	bool ended = load_acquire(&u->s.shutdown) & SHUTDOWN_RECEIVE;

	if (!deadline)
		return ended && u->s.type == SOCK_SEQPACKET ? 1 : -EAGAIN;
	if (ended)
		return load_relaxed(&u->arrivals) == seen; /* what came before it counts */
	return socket_wait(&u->s.receive_wait, has_packet_or_end, &w, deadline);
}

/* The next packet, `reading` held: 0; or, not held: 1: the end of data; or errno. */
static int packet_wait(struct unix_socket *u, u32 flags, struct unix_packet **p, size_t *skip)
{
	u64 deadline = socket_deadline(load_relaxed(&u->s.receive_timeout), flags), seen;
	int r;

	for (;;) {
		r = socket_take_error(&u->s);
		if (r)
			return r;
		mutex_lock(&u->reading);
		*p = packet_find(u, flags & MSG_PEEK, skip, &seen);
		if (*p)
			return 0;
		mutex_unlock(&u->reading);
		r = receive_wait(u, deadline, seen);
		if (r)
			return r;
	}
}

static void peek_offset_move(struct socket *s, s64 by)
{
	s32 offset = load_relaxed(&s->peek_offset);

	if (offset >= 0)
		store_relaxed(&s->peek_offset, (s32)max(offset + by, (s64)0));
}

static int tell_time(struct unix_socket *u, const struct unix_packet *p, struct message *m)
{
	u64 now = p->time ? p->time : clock_realtime();
	s64 t[2] = { (s64)(now / NS_PER_SEC), (s64)(now % NS_PER_SEC) };

	if (socket_option(&u->s, OPTION_TIMESTAMPNS))
		return message_put_control(m, SOL_SOCKET, SO_TIMESTAMPNS_OLD, t, sizeof(t));
	if (!socket_option(&u->s, OPTION_TIMESTAMP))
		return 0;
	t[1] /= 1000;
	return message_put_control(m, SOL_SOCKET, SO_TIMESTAMP_OLD, t, sizeof(t));
}

static int take_files(struct unix_packet *p, struct unix_received *got, bool peek)
{
	if (!peek) {
		ancillary_arrive(p->ancillary);
		got->files = p->ancillary;
		p->ancillary = NULL;
		return 0;
	}
	got->files = ancillary_room(p->ancillary);
	if (!got->files)
		return -ENOMEM;
	ancillary_take_files(p->ancillary, got->files, true);
	return 0;
}

/* Tell what came with p. */
static int tell_rest(struct unix_socket *u, struct unix_packet *p, struct message *m, u32 flags)
{
	struct unix_received got = { 0 };
	int err;

	if (m->address) {
		unix_name_get(p->from, m->address);
		if (m->address->length == UNIX_PATH_OFFSET)
			m->address->length = 0;
	}
	err = tell_time(u, p, m);
	if (err)
		return err;
	received_identify(&got, p->ancillary);
	if (p->ancillary && p->ancillary->nfiles)
		err = take_files(p, &got, flags & MSG_PEEK);
	if (!err)
		return received_tell(&got, u, m, flags);
	received_free(&got);
	return err;
}

/* Copy p out, from skip on: what the call returns. */
static ssize packet_tell(struct unix_socket *u, struct unix_packet *p, size_t skip,
			 struct message *m, u32 flags)
{
	size_t rest = p->length - skip, n = min(rest, m->data->left);
	int err;

	if (n < rest)
		m->flags |= MSG_TRUNC;
	if (net_buffers_copy(&p->buffers, skip, m->data, n) < n)
		return -EFAULT;
	peek_offset_move(&u->s, flags & MSG_PEEK ? (s64)n : -(s64)p->length);
	err = tell_rest(u, p, m, flags);
	if (err)
		return err;
	return (ssize)(flags & MSG_TRUNC ? rest : n);
}

ssize unix_packet_recvmsg(struct socket *s, struct message *m, u32 flags)
{
	struct unix_socket *u = unix_of(s);
	bool peek = flags & MSG_PEEK;
	struct unix_packet *p;
	size_t skip;
	ssize r;

	if (s->type == SOCK_SEQPACKET && load_relaxed(&u->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	r = packet_wait(u, flags, &p, &skip);
	if (r)
		return r < 0 ? r : 0;
	if (!peek) {
		packet_detach(u, p);
		mutex_unlock(&u->reading);
		unix_wake_room(u);
	}
	r = packet_tell(u, p, skip, m, flags);
	if (peek)
		mutex_unlock(&u->reading);
	else
		packet_free(p);
	if (load_relaxed(&u->npackets))
		waitq_wake_one(&s->receive_wait);
	return r;
}
