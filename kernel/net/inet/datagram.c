/*
 * datagram.c - the queue of datagrams in a socket, and what is told beside their bytes.
 *
 * The rule: a datagram comes and goes whole. The queue is bounded by SO_RCVBUF; what does not fit
 * is dropped, as a network may do with any datagram.
 */
#include "net/inet/datagram.h"

#include <asm-generic/ioctls.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/sockios.h>
#include <linux/time.h>

#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

struct datagram {
	struct list link;
	struct list buffers;
	u32 length;
	u64 charge;
	u64 time_ns; /* real time at which it came */
	struct datagram_way way;
};

void datagram_queue_init(struct datagram_queue *q)
{
	spin_init(&q->lock, RANK_SOCKET_QUEUE);
	list_init(&q->list);
}

static void datagram_free(struct datagram *d)
{
	net_buffers_free(&d->buffers);
	kfree(d);
}

static void list_take_all(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *item = from->next;

		list_remove(item);
		list_push_back(to, item);
	}
}

void datagram_queue_close(struct datagram_queue *q)
{
	struct list left = LIST_INIT(left);
	struct datagram *d, *next;

	spin_lock(&q->lock);
	q->closed = true;
	q->charge = q->count = 0;
	list_take_all(&q->list, &left);
	spin_unlock(&q->lock);
	list_for_each_safe (d, next, &left, link) {
		list_remove(&d->link);
		datagram_free(d);
	}
}

void datagram_put(struct inet_socket *i, struct datagram_queue *q, struct list *buffers, u32 n,
		  u64 charge, const struct datagram_way *way)
{
	struct datagram *d = kmalloc(sizeof(*d));
	bool room;

	if (!d) {
		net_buffers_free(buffers);
		return;
	}
	*d = (struct datagram){
		.length = n, .charge = charge + sizeof(*d), .time_ns = clock_realtime(), .way = *way
	};
	list_init(&d->buffers);
	list_take_all(buffers, &d->buffers);
	spin_lock(&q->lock);
	room = !q->closed && q->charge <= (u64)load_relaxed(&i->s.receive_buffer);
	if (room) {
		list_push_back(&q->list, &d->link);
		q->charge += d->charge;
		store_release(&q->count, q->count + 1);
	} else {
		q->dropped++;
	}
	spin_unlock(&q->lock);
	if (room)
		socket_wake_receivers(&i->s);
	else
		datagram_free(d);
}

/* --- what is told beside the bytes --- */

static int tell_time(struct inet_socket *i, struct message *m, const struct datagram *d)
{
	u64 time[2] = { d->time_ns / NS_PER_SEC, d->time_ns % NS_PER_SEC };

	if (socket_option(&i->s, OPTION_TIMESTAMPNS))
		return message_put_control(m, SOL_SOCKET, SO_TIMESTAMPNS_OLD, time, sizeof(time));
	if (!socket_option(&i->s, OPTION_TIMESTAMP))
		return 0;
	time[1] /= 1000;
	return message_put_control(m, SOL_SOCKET, SO_TIMESTAMP_OLD, time, sizeof(time));
}

static int tell4(struct inet_socket *i, struct message *m, const struct datagram_way *w)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)w->interface };
	s32 ttl = w->ttl;
	int err = 0;

	info.ipi_addr.s_addr = info.ipi_spec_dst.s_addr = w->to.address.words[3];
	if (inet_flag(i, INET_PKTINFO))
		err = message_put_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	if (!err && inet_flag(i, INET_RECVTTL))
		err = message_put_control(m, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	if (!err && inet_flag(i, INET_RECVTOS))
		err = message_put_control(m, IPPROTO_IP, IP_TOS, &w->tos, sizeof(w->tos));
	if (!err && inet_flag(i, INET_ORIGDSTADDR)) {
		struct socket_address a;

		inet_to_sockaddr(&w->to, AF_INET, &a);
		err = message_put_control(m, IPPROTO_IP, IP_ORIGDSTADDR, a.bytes, a.length);
	}
	return err;
}

static int tell6(struct inet_socket *i, struct message *m, const struct datagram_way *w)
{
	struct in6_pktinfo info = { .ipi6_ifindex = (int)w->interface };
	s32 hops = w->ttl, class = w->tos;
	int err = 0;

	memcpy(&info.ipi6_addr, &w->to.address, sizeof(info.ipi6_addr));
	if (inet_flag(i, INET_RECVPKTINFO6))
		err = message_put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	if (!err && inet_flag(i, INET_RECVHOPLIMIT6))
		err = message_put_control(m, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (!err && inet_flag(i, INET_RECVTCLASS6))
		err = message_put_control(m, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
	return err;
}

static int tell(struct inet_socket *i, struct message *m, const struct datagram *d)
{
	int err = tell_time(i, m, d);

	if (!err && i->s.family == AF_INET6)
		err = tell6(i, m, &d->way);
	if (!err && (i->s.family == AF_INET || inet_is4(&d->way.from.address)))
		err = tell4(i, m, &d->way);
	return err;
}

/* --- receiving --- */

struct receive_wait {
	const struct inet_socket *i;
	const struct datagram_queue *q;
};

static bool datagram_or_end(void *arg)
{
	const struct receive_wait *w = arg;

	return load_acquire(&w->q->count) || load_relaxed(&w->i->s.error) ||
	       load_relaxed(&w->i->s.shutdown) & SHUTDOWN_RECEIVE;
}

/* The first datagram, out of the queue; who only looks gives it back. */
static struct datagram *queue_take(struct datagram_queue *q)
{
	struct datagram *d;

	spin_lock(&q->lock);
	d = list_first(&q->list, struct datagram, link);
	if (d) {
		list_remove(&d->link);
		q->charge -= d->charge;
		q->count--;
	}
	spin_unlock(&q->lock);
	return d;
}

static void queue_give_back(struct datagram_queue *q, struct datagram *d)
{
	bool closed;

	spin_lock(&q->lock);
	closed = q->closed;
	if (!closed) {
		list_push_front(&q->list, &d->link);
		q->charge += d->charge;
		q->count++;
	}
	spin_unlock(&q->lock);
	if (closed)
		datagram_free(d);
}

static ssize datagram_tell(struct inet_socket *i, const struct datagram *d, struct message *m,
			   u32 flags)
{
	size_t n = min((u64)d->length, m->data->left);
	int err;

	if (net_buffers_copy(&d->buffers, 0, m->data, n) < n)
		return -EFAULT;
	if (n < d->length)
		m->flags |= MSG_TRUNC;
	if (m->address)
		inet_to_sockaddr(&d->way.from, i->s.family, m->address);
	err = tell(i, m, d);
	if (err)
		return err;
	return flags & MSG_TRUNC ? (ssize)d->length : (ssize)n;
}

ssize datagram_receive(struct inet_socket *i, struct datagram_queue *q, struct message *m,
		       u32 flags)
{
	u64 deadline = socket_deadline(load_relaxed(&i->s.receive_timeout), flags);
	struct receive_wait w = { i, q };
	struct datagram *d;
	ssize r;
	int err;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	for (;;) {
		err = socket_take_error(&i->s);
		if (err)
			return err;
		d = queue_take(q);
		if (d)
			break;
		if (load_relaxed(&i->s.shutdown) & SHUTDOWN_RECEIVE)
			return 0;
		err = socket_wait(&i->s.receive_wait, datagram_or_end, &w, deadline);
		if (err)
			return err;
	}
	r = datagram_tell(i, d, m, flags);
	if (flags & MSG_PEEK)
		queue_give_back(q, d);
	else
		datagram_free(d);
	if (load_relaxed(&q->count))
		waitq_wake_one(&i->s.receive_wait);
	return r;
}

u32 datagram_first_length(struct datagram_queue *q)
{
	struct datagram *d;
	u32 n;

	spin_lock(&q->lock);
	d = list_first(&q->list, struct datagram, link);
	n = d ? d->length : 0;
	spin_unlock(&q->lock);
	return n;
}

u32 datagram_poll(struct inet_socket *i, struct datagram_queue *q)
{
	u32 shutdown = load_acquire(&i->s.shutdown), events = EPOLLOUT | EPOLLWRNORM;

	if (load_relaxed(&i->s.error))
		events |= EPOLLERR;
	if (shutdown & SHUTDOWN_RECEIVE)
		events |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (shutdown == SHUTDOWN_BOTH)
		events |= EPOLLHUP;
	if (load_acquire(&q->count))
		events |= EPOLLIN | EPOLLRDNORM;
	return events | EPOLLWRBAND;
}

long datagram_ioctl(struct inet_socket *i, struct datagram_queue *q, u32 request, u64 arg)
{
	switch (request) {
	case FIONREAD:
		return put_user((s32)datagram_first_length(q), (s32 __user *)arg);
	case SIOCOUTQ:
		return put_user(0, (s32 __user *)arg);
	default:
		return inet_ioctl(&i->s, request, arg);
	}
}

/* --- sending: what is asked for beside the bytes --- */

static int choose4(const struct control *c, struct datagram_choice *out)
{
	struct in_pktinfo info;
	s32 v;

	switch (c->type) {
	case IP_PKTINFO:
		if (c->length != sizeof(info))
			return -EINVAL;
		memcpy(&info, c->data, sizeof(info));
		out->interface = (u32)info.ipi_ifindex;
		if (info.ipi_spec_dst.s_addr)
			out->from = inet_address4(__builtin_bswap32(info.ipi_spec_dst.s_addr));
		return 0;
	case IP_TTL:
	case IP_TOS:
		if (option_number(c->data, (u32)c->length, &v) ||
		    (c->type == IP_TTL ? v < 1 : v < 0) || v > 255)
			return -EINVAL;
		*(c->type == IP_TTL ? &out->ttl : &out->tos) = v;
		return 0;
	case IP_RETOPTS:
		return 0;
	default:
		return -EINVAL;
	}
}

static int choose6(const struct control *c, struct datagram_choice *out)
{
	struct in6_pktinfo info;
	s32 v;

	switch (c->type) {
	case IPV6_PKTINFO:
		if (c->length < sizeof(info))
			return -EINVAL;
		memcpy(&info, c->data, sizeof(info));
		out->interface = (u32)info.ipi6_ifindex;
		memcpy(&out->from, &info.ipi6_addr, sizeof(out->from));
		return 0;
	case IPV6_HOPLIMIT:
	case IPV6_TCLASS:
		if (c->length != sizeof(v) || option_number(c->data, (u32)c->length, &v) ||
		    v < -1 || v > 255)
			return -EINVAL;
		*(c->type == IPV6_HOPLIMIT ? &out->ttl : &out->tos) = v;
		return 0;
	default:
		return -EINVAL;
	}
}

int datagram_choose(const struct inet_socket *i, const struct message *m,
		    struct datagram_choice *out)
{
	struct control c;
	size_t offset = 0;
	int r;

	*out = (struct datagram_choice){ .ttl = -1, .tos = -1 };
	while ((r = message_next_control(m, &offset, &c)) > 0) {
		if (c.level == IPPROTO_IP)
			r = choose4(&c, out);
		else if (c.level == IPPROTO_IPV6 && i->s.family == AF_INET6)
			r = choose6(&c, out);
		else if (c.level == SOL_SOCKET)
			r = c.type == SCM_RIGHTS || c.type == SCM_CREDENTIALS
				    ? 0
				    : -EINVAL; /* others' */
		if (r < 0)
			return r;
	}
	if (!r && !inet_is_any(&out->from) && !inet_is_local(&out->from))
		return -EINVAL;
	return r;
}
