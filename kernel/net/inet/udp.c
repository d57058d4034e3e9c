/*
 * udp.c - UDP sockets, udp(7): datagrams between sockets of this machine, and through lwIP
 * (udp_remote.c) from and to others.
 *
 * A datagram for this machine is copied from the program into buffers, which go to the receiver's
 * queue as they are.
 */
#include "net/inet/udp_priv.h"

#include <linux/in.h>
#include <linux/udp.h>

#include "lib/print.h"
#include "mm/slab.h"
#include "net/inet/group.h"
#include "net/lwip/stack.h"

#define PAYLOAD_MAX4 65507u
#define PAYLOAD_MAX6 65527u
#define CORK_PARTS_MAX PAYLOAD_MAX6
#define TTL_DEFAULT 64

static const struct socket_ops udp_ops;

#define udp_lock() spin_lock(&udp_ports.lock)
#define udp_unlock() spin_unlock(&udp_ports.lock)

struct socket *udp_create(u32 family)
{
	struct udp_socket *u = kzalloc(sizeof(*u));

	if (!u)
		return ERR_PTR(-ENOMEM);
	inet_socket_init(&u->inet, &udp_ops, family, SOCK_DGRAM, IPPROTO_UDP);
	datagram_queue_init(&u->queue);
	mutex_init(&u->cork_lock, RANK_SOCKET_READ);
	list_init(&u->cork);
	return &u->inet.s;
}

static void udp_release(struct socket *s)
{
	struct udp_socket *u = udp_of(s);

	group_leave_all(&u->inet);
	udp_lock();
	port_release(&udp_ports, &u->inet.port);
	udp_unlock();
	datagram_queue_close(&u->queue);
}

static void udp_destroy(struct socket *s)
{
	struct udp_socket *u = udp_of(s);

	datagram_queue_close(&u->queue);
	net_buffers_free(&u->cork);
	inet_socket_finish(&u->inet);
	kfree(u);
}

/* --- names --- */

static int udp_bind(struct socket *s, const struct socket_address *a)
{
	struct udp_socket *u = udp_of(s);
	struct port_entry *p = &u->inet.port;
	struct inet_end e;
	int err = inet_end_parse(&u->inet, a, true, &e);

	if (!err)
		err = inet_bind_check(&u->inet, &e);
	if (err)
		return err;
	udp_lock();
	if (port_taken(p)) {
		err = -EINVAL;
	} else {
		p->local = e;
		err = port_bind(&udp_ports, p, true);
		p->address_chosen = !err && !inet_is_any(&e.address);
		if (err)
			port_entry_forget(p);
	}
	udp_unlock();
	if (!err && !inet_is_loopback(&e.address))
		udp_hear_remote();
	return err;
}

/* A port of the kernel's choice, if it has none yet. */
static int udp_autobind(struct udp_socket *u)
{
	struct port_entry *p = &u->inet.port;
	int err = 0;

	if (port_taken(p))
		return 0;
	udp_lock();
	if (!port_taken(p)) {
		p->local.port = 0;
		err = port_bind(&udp_ports, p, true);
	}
	udp_unlock();
	return err == -EADDRINUSE ? -EAGAIN : err;
}

static void udp_disconnect(struct udp_socket *u)
{
	struct port_entry *p = &u->inet.port;

	udp_lock();
	p->remote = (struct inet_end){ 0 };
	if (!p->address_chosen)
		p->local.address = inet_wildcard(u->inet.s.family);
	if (!p->chosen) {
		port_release(&udp_ports, p);
		p->local.port = 0;
	}
	udp_unlock();
}

static int udp_connect(struct socket *s, const struct socket_address *a, u64 deadline)
{
	struct udp_socket *u = udp_of(s);
	struct port_entry *p = &u->inet.port;
	struct inet_address from;
	struct inet_end to;
	int err;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		udp_disconnect(u);
		return 0;
	}
	err = inet_end_parse(&u->inet, a, false, &to);
	if (err)
		return err;
	if (inet_is_broadcast(&to.address) && !socket_option(s, OPTION_BROADCAST))
		return -EACCES;
	if (!inet_is_local(&to.address) && !stack_start())
		return -ENETUNREACH;
	from = inet_source_for(&to.address);
	err = udp_autobind(u);
	if (err)
		return err;
	udp_lock();
	if (inet_is_any(&p->local.address) || !p->address_chosen)
		p->local.address = from;
	p->remote = to;
	udp_unlock();
	if (!inet_is_local(&to.address))
		udp_hear_remote();
	return 0;
}

/* --- delivery in this machine --- */

/* A copy of what the buffers hold. False: no memory. */
static bool buffers_copy(const struct list *from, struct list *to, u64 *charge)
{
	const struct net_buffer *b;

	list_for_each (b, from, link) {
		struct net_buffer *copy = net_buffer_new(b->length);

		if (!copy) {
			net_buffers_free(to);
			return false;
		}
		memcpy(copy->data, b->data + b->offset, b->length);
		copy->length = b->length;
		*charge += copy->charge;
		list_push_back(to, &copy->link);
	}
	return true;
}

static bool takes(struct port_entry *e, const struct datagram_way *w)
{
	if (e->local.port != w->to.port || !port_accepts(e, &w->to.address))
		return false;
	return !e->remote.port ||
	       (e->remote.port == w->from.port && inet_equal(&e->remote.address, &w->from.address));
}

/* Of several the one that says most of whom it takes; of equals the youngest, or by lot. */
static u32 rank(const struct port_entry *e, const struct datagram_way *w)
{
	return 4 * (e->remote.port != 0) + 2 * !inet_is_any(&e->local.address) +
	       ((e->family == AF_INET) == inet_is4(&w->to.address));
}

static struct udp_socket *socket_find(const struct datagram_way *w)
{
	struct list *head = port_bucket(&udp_ports, w->to.port);
	struct port_entry *e, *best = NULL;
	u32 best_rank = 0, equals = 0, pick;

	list_for_each (e, head, link) {
		u32 r = takes(e, w) ? 1 + rank(e, w) : 0;

		if (!r || r < best_rank)
			continue;
		equals = r == best_rank ? equals + port_reuseport(e) : port_reuseport(e);
		best = e;
		best_rank = r;
	}
	if (!best)
		return NULL;
	pick = equals > 1 ? port_spread(&w->from, &w->to, equals) : 0;
	if (equals > 1) {
		list_for_each (e, head, link) {
			if (!takes(e, w) || 1 + rank(e, w) != best_rank || !port_reuseport(e))
				continue;
			if (!pick--) {
				best = e;
				break;
			}
		}
	}
	return container_of(best, struct udp_socket, inet.port);
}

bool udp_deliver(struct list *buffers, u32 n, u64 charge, const struct datagram_way *w)
{
	struct udp_socket *u;

	udp_lock();
	u = socket_find(w);
	if (u)
		socket_get(&u->inet.s);
	udp_unlock();
	if (!u)
		return false;
	datagram_put(&u->inet, &u->queue, buffers, n, charge, w);
	socket_put(&u->inet.s);
	return true;
}

/* The next after `last` (NULL: the first) who gets what is for a group: counted. */
static struct udp_socket *group_next(const struct datagram_way *w, u32 skip)
{
	struct list *head = port_bucket(&udp_ports, w->to.port);
	struct udp_socket *u = NULL;
	struct port_entry *e;

	udp_lock();
	list_for_each (e, head, link) {
		struct udp_socket *candidate = container_of(e, struct udp_socket, inet.port);

		if (!takes(e, w) || (inet_is_multicast(&w->to.address) &&
				     !group_joined(&candidate->inet, &w->to.address)))
			continue;
		if (skip--)
			continue;
		u = candidate;
		socket_get(&u->inet.s);
		break;
	}
	udp_unlock();
	return u;
}

void udp_deliver_group(const struct list *buffers, u32 n, const struct datagram_way *w)
{
	struct udp_socket *u;

	for (u32 i = 0; (u = group_next(w, i)); i++) {
		struct list copy = LIST_INIT(copy);
		u64 charge = 0;

		if (buffers_copy(buffers, &copy, &charge))
			datagram_put(&u->inet, &u->queue, &copy, n, charge, w);
		socket_put(&u->inet.s);
	}
}

/* --- sending --- */

struct sending {
	struct inet_end to;
	struct inet_address from;
	struct datagram_choice choice;
	bool connected;
};

/* Where to, and from where: 0 or errno. */
static int sending_begin(struct udp_socket *u, struct message *m, struct sending *s)
{
	struct inet_socket *i = &u->inet;
	int err;

	s->connected = !m->address;
	if (m->address) {
		err = inet_end_parse(i, m->address, false, &s->to);
		if (!err && !s->to.port)
			err = -EINVAL;
	} else {
		s->to = i->port.remote;
		err = s->to.port ? 0 : -EDESTADDRREQ;
	}
	if (!err)
		err = datagram_choose(i, m, &s->choice);
	if (err)
		return err;
	if (inet_is_broadcast(&s->to.address) && !socket_option(&i->s, OPTION_BROADCAST))
		return -EACCES;
	if (inet_is4(&s->to.address) != inet_is4(&i->port.local.address) &&
	    !inet_is_any(&i->port.local.address))
		return -ENETUNREACH;
	if (!inet_is_any(&s->choice.from))
		s->from = s->choice.from;
	else if (!inet_is_any(&i->port.local.address) && !inet_is_multicast(&i->port.local.address))
		s->from = i->port.local.address;
	else
		s->from = inet_source_for(&s->to.address);
	return udp_autobind(u);
}

static u8 choose_ttl(const struct inet_socket *i, const struct sending *s)
{
	bool four = inet_is4(&s->to.address), group = inet_is_multicast(&s->to.address);
	s32 ttl = s->choice.ttl;

	if (ttl < 0)
		ttl = group ? (four ? load_relaxed(&i->multicast_ttl)
				    : load_relaxed(&i->multicast_hops6))
			    : (four ? load_relaxed(&i->ttl) : load_relaxed(&i->hops6));
	return (u8)(ttl < 0 ? TTL_DEFAULT : ttl);
}

static void way_fill(const struct inet_socket *i, const struct sending *s, struct datagram_way *w)
{
	bool four = inet_is4(&s->to.address);

	*w = (struct datagram_way){ .to = s->to, .interface = INTERFACE_LOOPBACK };
	w->from.address = s->from;
	w->from.port = i->port.local.port;
	w->ttl = choose_ttl(i, s);
	w->tos = (u8)(s->choice.tos >= 0 ? (u32)s->choice.tos
					 : load_relaxed(four ? &i->tos : &i->class6));
}

/* Send what the buffers hold; they are used up or stay for the caller to free. */
static int datagram_send(struct udp_socket *u, const struct sending *s, struct list *buffers, u32 n,
			 u64 charge)
{
	struct inet_socket *i = &u->inet;
	struct datagram_way w;
	bool four = inet_is4(&s->to.address), group = inet_is_multicast(&s->to.address);

	way_fill(i, s, &w);
	if (group || inet_is_broadcast(&s->to.address)) {
		if (!group || !inet_flag(i, four ? INET_MULTICAST_OFF : INET_MULTICAST_OFF6))
			udp_deliver_group(buffers, n, &w);
		if (load_relaxed(&i->multicast_interface) == INTERFACE_LOOPBACK)
			return 0;
		return stack_start() ? udp_send_remote(&w, buffers, n) : -ENETUNREACH;
	}
	if (!inet_is_local(&s->to.address)) {
		if (!stack_start())
			return -ENETUNREACH;
		udp_hear_remote();
		return udp_send_remote(&w, buffers, n);
	}
	if (udp_deliver(buffers, n, charge, &w))
		return 0;
	/* Nobody has the port: who is connected is told. */
	if (i->port.remote.port) {
		store_release(&i->s.error, ECONNREFUSED);
		socket_wake_all(&i->s);
	}
	return 0;
}

/* The next part of a datagram that is sent in parts (MSG_MORE, UDP_CORK), or all of it. */
static ssize send_corked(struct udp_socket *u, struct sending *s, struct message *m, bool more)
{
	size_t n = m->data->left;
	ssize r;

	if (u->cork_length + n > CORK_PARTS_MAX)
		return -EMSGSIZE;
	r = net_buffers_fill(&u->cork, m->data, n, &u->cork_charge);
	if (r)
		return r;
	if (!u->corked)
		u->cork_to = s->to;
	u->corked = more;
	u->cork_length += (u32)n;
	if (more)
		return (ssize)n;
	s->to = u->cork_to;
	r = datagram_send(u, s, &u->cork, u->cork_length, u->cork_charge);
	net_buffers_free(&u->cork);
	u->cork_length = 0;
	u->cork_charge = 0;
	return r ? r : (ssize)n;
}

static ssize send_one(struct udp_socket *u, struct sending *s, struct message *m)
{
	struct list buffers = LIST_INIT(buffers);
	size_t n = m->data->left;
	u64 charge = 0;
	int err = net_buffers_fill(&buffers, m->data, n, &charge);

	if (err)
		return err;
	err = datagram_send(u, s, &buffers, (u32)n, charge);
	net_buffers_free(&buffers);
	return err ? err : (ssize)n;
}

static ssize udp_sendmsg(struct socket *sock, struct message *m, u32 flags)
{
	struct udp_socket *u = udp_of(sock);
	struct sending s;
	bool more = flags & MSG_MORE || load_relaxed(&u->cork_option);
	ssize r;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->data->left > UINT16_MAX)
		return -EMSGSIZE;
	r = sending_begin(u, m, &s);
	if (r)
		return r;
	r = socket_take_error(sock);
	if (r)
		return r;
	if (load_acquire(&sock->shutdown) & SHUTDOWN_SEND)
		return -EPIPE;
	if (m->data->left > (inet_is4(&s.to.address) ? PAYLOAD_MAX4 : PAYLOAD_MAX6))
		return -EMSGSIZE;
	if (!more && !load_relaxed(&u->corked))
		return send_one(u, &s, m);
	mutex_lock(&u->cork_lock);
	r = send_corked(u, &s, m, more);
	mutex_unlock(&u->cork_lock);
	return r;
}

static ssize udp_recvmsg(struct socket *s, struct message *m, u32 flags)
{
	return datagram_receive(&udp_of(s)->inet, &udp_of(s)->queue, m, flags);
}

/* --- the rest --- */

static int udp_shutdown(struct socket *s, u32 how)
{
	atomic_or(&s->shutdown, how);
	socket_wake_all(s);
	return inet_of(s)->port.remote.port ? 0 : -ENOTCONN;
}

/* The end of UDP_CORK sends what there is. */
static int set_cork(struct udp_socket *u, bool on)
{
	struct sending s = { .to = u->cork_to, .choice = { .ttl = -1, .tos = -1 } };
	struct iter none;
	struct message m = { .data = &none };

	store_relaxed(&u->cork_option, on);
	if (on || !load_relaxed(&u->corked))
		return 0;
	iter_init_kernel(&none, NULL, 0);
	s.from = inet_source_for(&s.to.address);
	mutex_lock(&u->cork_lock);
	if (u->corked)
		send_corked(u, &s, &m, false);
	mutex_unlock(&u->cork_lock);
	return 0;
}

static int udp_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length)
{
	s32 v;

	if (level != IPPROTO_UDP)
		return inet_setsockopt(s, level, name, value, length);
	if (length < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	switch (name) {
	case UDP_CORK:
		return set_cork(udp_of(s), v != 0);
	case UDP_NO_CHECK6_TX:
	case UDP_NO_CHECK6_RX:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_getsockopt(struct socket *s, s32 level, s32 name, void *value, u32 *length)
{
	if (level != IPPROTO_UDP)
		return inet_getsockopt(s, level, name, value, length);
	switch (name) {
	case UDP_CORK:
		return option_give(value, length, load_relaxed(&udp_of(s)->cork_option));
	case UDP_NO_CHECK6_TX:
	case UDP_NO_CHECK6_RX:
	case UDP_SEGMENT:
		return option_give(value, length, 0);
	default:
		return -ENOPROTOOPT;
	}
}

static u32 udp_poll(struct socket *s)
{
	return datagram_poll(&udp_of(s)->inet, &udp_of(s)->queue);
}

static long udp_ioctl(struct socket *s, u32 request, u64 arg)
{
	return datagram_ioctl(&udp_of(s)->inet, &udp_of(s)->queue, request, arg);
}

static const struct socket_ops udp_ops = {
	.bind = udp_bind,
	.connect = udp_connect,
	.getname = inet_getname,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.shutdown = udp_shutdown,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.poll = udp_poll,
	.ioctl = udp_ioctl,
	.release = udp_release,
	.destroy = udp_destroy,
};

void udp_sockets_init(void)
{
	port_table_init(&udp_ports);
}
