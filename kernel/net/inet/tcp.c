/*
 * tcp.c - TCP sockets: their life, their names, listening and accepting, and what they are ready
 * for. tcp(7). Next: tcp_local.c, tcp_io.c, tcp_remote.c.
 */
#include <linux/in.h>

#include "lib/print.h"
#include "mm/slab.h"
#include "net/inet/tcp_priv.h"

/* --- life --- */

struct tcp_socket *tcp_socket_new(u32 family)
{
	struct tcp_socket *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	inet_socket_init(&t->inet, &tcp_ops, family, SOCK_STREAM, IPPROTO_TCP);
	t->inet.s.receive_buffer = TCP_RECEIVE_DEFAULT;
	t->inet.s.send_buffer = TCP_SEND_DEFAULT;
	tcp_options_init(&t->options);
	stream_init(&t->in, true);
	t->state = TCP_CLOSE_STATE;
	list_init(&t->queue);
	list_init(&t->waiting);
	list_init(&t->held);
	list_init(&t->link);
	return t;
}

struct socket *tcp_create(u32 family)
{
	struct tcp_socket *t = tcp_socket_new(family);

	return t ? &t->inet.s : ERR_PTR(-ENOMEM);
}

/* Options that a connection has from its listener. */
static void inherit(struct tcp_socket *t, struct tcp_socket *l)
{
	struct socket *to = &t->inet.s, *from = &l->inet.s;

	to->options = load_relaxed(&from->options) & ~(1u << OPTION_LISTENING);
	to->receive_buffer = load_relaxed(&from->receive_buffer);
	to->send_buffer = load_relaxed(&from->send_buffer);
	to->receive_low = load_relaxed(&from->receive_low);
	to->receive_timeout = load_relaxed(&from->receive_timeout);
	to->send_timeout = load_relaxed(&from->send_timeout);
	to->linger = load_relaxed(&from->linger);
	to->priority = load_relaxed(&from->priority);
	to->mark = load_relaxed(&from->mark);
	t->options = l->options;
	t->inet.flags = load_relaxed(&l->inet.flags);
	t->inet.ttl = load_relaxed(&l->inet.ttl);
	t->inet.hops6 = load_relaxed(&l->inet.hops6);
	t->inet.tos = load_relaxed(&l->inet.tos);
	t->inet.class6 = load_relaxed(&l->inet.class6);
	t->inet.port.v6only = load_relaxed(&l->inet.port.v6only);
	t->inet.port.uid = l->inet.port.uid;
}

struct tcp_socket *tcp_child(struct tcp_socket *l, const struct inet_end *local,
			     const struct inet_end *remote)
{
	struct tcp_socket *t = tcp_socket_new(l->inet.s.family);

	if (!t)
		return NULL;
	inherit(t, l);
	t->inet.port.local = *local;
	t->inet.port.remote = *remote;
	t->arrived = true;
	store_relaxed(&t->attempt, ATTEMPT_DONE);
	return t;
}

static void tcp_destroy(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);

	tcp_drop_data(t);
	inet_socket_finish(&t->inet);
	kfree(t);
}

bool tcp_drop_data(struct tcp_socket *t)
{
	struct list left = LIST_INIT(left);
	bool some = stream_close(&t->in, &left);

	net_buffers_free(&left);
	return some;
}

void tcp_ended(struct tcp_socket *t, s32 error)
{
	store_release(&t->state, TCP_CLOSE_STATE);
	if (error)
		store_release(&t->inet.s.error, error);
	store_release(&t->inet.s.shutdown, SHUTDOWN_BOTH);
	if (!t->inet.port.chosen || t->orphan)
		port_release(&tcp_ports, &t->inet.port);
}

void tcp_grow_buffers(struct tcp_socket *t)
{
	if (!socket_option(&t->inet.s, OPTION_SNDBUF_LOCKED))
		store_relaxed(&t->inet.s.send_buffer, TCP_SEND_CONNECTED);
}

/* --- the peer --- */

struct tcp_socket *tcp_peer(struct tcp_socket *t)
{
	struct tcp_socket *peer;

	spin_lock(&t->inet.s.lock);
	peer = t->peer;
	if (peer)
		socket_get(&peer->inet.s);
	spin_unlock(&t->inet.s.lock);
	return peer;
}

void tcp_peer_set(struct tcp_socket *t, struct tcp_socket *peer)
{
	struct tcp_socket *old;

	spin_lock(&t->inet.s.lock);
	old = t->peer;
	t->peer = peer;
	spin_unlock(&t->inet.s.lock);
	if (old)
		socket_put(&old->inet.s);
}

/* --- bind --- */

static int tcp_bind(struct socket *s, const struct socket_address *a)
{
	struct tcp_socket *t = tcp_of(s);
	struct port_entry *p = &t->inet.port;
	struct inet_end e;
	int err = inet_end_parse(&t->inet, a, true, &e);

	if (!err)
		err = inet_bind_check(&t->inet, &e);
	if (err)
		return err;
	tcp_lock();
	if (t->state != TCP_CLOSE_STATE || port_taken(p)) {
		err = -EINVAL;
	} else {
		p->local = e;
		if (e.port || !inet_flag(&t->inet, INET_BIND_NO_PORT))
			err = port_bind(&tcp_ports, p, false);
		p->address_chosen = !err && !inet_is_any(&e.address);
		if (err)
			port_entry_forget(p);
	}
	tcp_unlock();
	return err;
}

/* --- listening --- */

static int listen_locked(struct tcp_socket *t, u32 backlog)
{
	struct port_entry *p = &t->inet.port;
	int err = 0;

	if (t->state != TCP_CLOSE_STATE && t->state != TCP_LISTEN_STATE)
		return -EINVAL;
	if (load_relaxed(&t->attempt) != ATTEMPT_NONE)
		return -EINVAL;
	t->backlog = backlog;
	if (t->state == TCP_LISTEN_STATE)
		return 0;
	if (!port_taken(p)) {
		p->local.port = 0;
		err = port_bind(&tcp_ports, p, false);
	}
	if (!err)
		err = port_listen(&tcp_ports, p);
	if (err)
		return err;
	store_relaxed(&t->inet.s.shutdown, 0);
	store_release(&t->state, TCP_LISTEN_STATE);
	socket_set_option(&t->inet.s, OPTION_LISTENING, true);
	return 0;
}

static int tcp_listen(struct socket *s, u32 backlog)
{
	struct tcp_socket *t = tcp_of(s);
	int err;

	tcp_lock();
	err = listen_locked(t, backlog);
	tcp_unlock();
	if (err)
		return err;
	if (!inet_is_loopback(&t->inet.port.local.address))
		tcp_listen_remote(t);
	tcp_admit_waiting(t);
	return 0;
}

/* As on Linux one more fits than the backlog says. */
bool tcp_queue_full(const struct tcp_socket *l)
{
	return l->queued > l->backlog;
}

bool tcp_enqueue(struct tcp_socket *l, struct tcp_socket *child)
{
	if (l->state != TCP_LISTEN_STATE || tcp_queue_full(l))
		return false;
	list_push_back(&l->queue, &child->link);
	store_release(&l->queued, l->queued + 1);
	return true;
}

static bool may_accept(void *arg)
{
	const struct tcp_socket *t = arg;

	return load_acquire(&t->queued) || tcp_state(t) != TCP_LISTEN_STATE;
}

static struct tcp_socket *queue_take(struct tcp_socket *t)
{
	struct tcp_socket *child;

	tcp_lock();
	child = list_first(&t->queue, struct tcp_socket, link);
	if (child) {
		list_remove(&child->link);
		store_relaxed(&t->queued, t->queued - 1);
	}
	tcp_unlock();
	return child;
}

static struct socket *tcp_accept(struct socket *s, u64 deadline)
{
	struct tcp_socket *t = tcp_of(s), *child;
	int err;

	for (;;) {
		if (tcp_state(t) != TCP_LISTEN_STATE)
			return ERR_PTR(-EINVAL);
		child = queue_take(t);
		if (child)
			break;
		err = socket_wait(&s->receive_wait, may_accept, t, deadline);
		if (err)
			return ERR_PTR(err);
	}
	tcp_admit_waiting(t);
	return &child->inet.s;
}

void tcp_leave(struct tcp_socket *t, bool abort)
{
	tcp_lock();
	store_release(&t->orphan, true);
	tcp_unlock();
	if (load_relaxed(&t->remote))
		tcp_close_remote(t, abort);
	else if (abort)
		tcp_local_reset(t);
	else
		tcp_local_finish(t);
	tcp_peer_set(t, NULL);
	tcp_lock();
	if (t->state == TCP_CLOSE_STATE)
		port_release(&tcp_ports, &t->inet.port);
	tcp_unlock();
}

/* The listener goes, or stops listening: nobody will take what is in its queue. */
static void queue_drop(struct tcp_socket *t)
{
	struct tcp_socket *child;

	while ((child = queue_take(t))) {
		tcp_drop_data(child);
		tcp_leave(child, true);
		socket_put(&child->inet.s);
	}
	tcp_admit_waiting(t);
}

static void listen_end(struct tcp_socket *t)
{
	tcp_unlisten_remote(t);
	tcp_lock();
	store_release(&t->state, TCP_CLOSE_STATE);
	list_remove(&t->inet.port.listen_link);
	t->inet.port.listening = false;
	if (!t->inet.port.chosen)
		port_release(&tcp_ports, &t->inet.port);
	tcp_unlock();
	socket_set_option(&t->inet.s, OPTION_LISTENING, false);
	queue_drop(t);
	socket_wake_all(&t->inet.s);
}

/* --- connecting --- */

static bool attempt_over(void *arg)
{
	return tcp_state(arg) != TCP_SYN_SENT_STATE;
}

/* T held. */
static void name_undo(struct tcp_socket *t)
{
	struct port_entry *p = &t->inet.port;

	p->remote = (struct inet_end){ 0 };
	if (!p->chosen) {
		port_release(&tcp_ports, p);
		p->local.port = 0;
	}
	if (!p->address_chosen)
		p->local.address = inet_wildcard(t->inet.s.family);
}

void tcp_attempt_undo(struct tcp_socket *t)
{
	tcp_lock();
	store_release(&t->state, TCP_CLOSE_STATE);
	name_undo(t);
	tcp_unlock();
}

/* The socket is as good as new, but for a name that bind gave it. */
static void connection_forget(struct tcp_socket *t)
{
	tcp_lock();
	store_release(&t->state, TCP_CLOSE_STATE);
	name_undo(t);
	t->inet.s.shutdown = 0;
	t->reset = false;
	tcp_unlock();
	spin_lock(&t->in.lock);
	t->in.closed = false;
	spin_unlock(&t->in.lock);
	store_relaxed(&t->inet.s.error, 0);
	store_relaxed(&t->attempt, ATTEMPT_NONE);
}

static int tcp_disconnect(struct tcp_socket *t)
{
	u32 state = tcp_state(t);

	if (state == TCP_LISTEN_STATE) {
		listen_end(t);
	} else {
		if (load_relaxed(&t->remote))
			tcp_close_remote(t, true);
		else
			tcp_local_reset(t);
		tcp_stop_waiting(t);
		tcp_drop_data(t);
		socket_wake_all(&t->inet.s);
		tcp_peer_set(t, NULL);
	}
	connection_forget(t);
	if (state != TCP_LISTEN_STATE && state != TCP_CLOSE_STATE)
		store_release(&t->inet.s.error, ECONNRESET);
	return 0;
}

/* The attempt failed: the socket may be used again. */
static int attempt_failed(struct tcp_socket *t, int err)
{
	tcp_disconnect(t);
	return err;
}

/* How the attempt went, which is over. */
static int attempt_result(struct tcp_socket *t)
{
	int err = socket_take_error(&t->inet.s);

	if (err)
		return attempt_failed(t, err);
	if (tcp_state(t) == TCP_CLOSE_STATE && (t->reset || !t->inet.port.remote.port))
		return attempt_failed(t, -ECONNABORTED);
	store_relaxed(&t->attempt, ATTEMPT_DONE);
	return 0;
}

/* 0: connected; -EINPROGRESS: not yet; or why not. */
static int attempt_begin(struct tcp_socket *t, const struct socket_address *a)
{
	struct inet_end to;
	int err = inet_end_parse(&t->inet, a, false, &to);

	if (err)
		return err;
	if (inet_is_multicast(&to.address) || inet_is_broadcast(&to.address))
		return -ENETUNREACH;
	if (inet_is4(&to.address) != inet_is4(&t->inet.port.local.address) &&
	    !inet_is_any(&t->inet.port.local.address))
		return inet_is4(&to.address) ? -ENETUNREACH : -EINVAL;
	store_relaxed(&t->attempt, ATTEMPT_GOES_ON);
	err = inet_is_local(&to.address) ? tcp_connect_local(t, &to) : tcp_connect_remote(t, &to);
	if (err && err != -EINPROGRESS && err != -ECONNREFUSED)
		store_relaxed(&t->attempt, ATTEMPT_NONE);
	return err;
}

/* Who does not wait learns of the answer later, as on Linux. */
static int attempt_unheard(struct tcp_socket *t, int err)
{
	if (err == -ECONNREFUSED) {
		tcp_lock();
		t->reset = true;
		tcp_ended(t, ECONNREFUSED);
		tcp_unlock();
		socket_wake_all(&t->inet.s);
	}
	return !err || err == -ECONNREFUSED ? -EINPROGRESS : err;
}

static int tcp_connect(struct socket *s, const struct socket_address *a, u64 deadline)
{
	struct tcp_socket *t = tcp_of(s);
	int err;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC)
		return tcp_disconnect(t);
	if (load_relaxed(&t->attempt) == ATTEMPT_DONE || tcp_state(t) == TCP_LISTEN_STATE)
		return -EISCONN;
	if (load_relaxed(&t->attempt) == ATTEMPT_NONE) {
		err = attempt_begin(t, a);
		if (!deadline)
			return attempt_unheard(t, err);
		if (!err)
			store_relaxed(&t->attempt, ATTEMPT_DONE);
		if (err == -ECONNREFUSED)
			return attempt_failed(t, err);
		if (err != -EINPROGRESS)
			return err;
	} else if (!deadline && tcp_state(t) == TCP_SYN_SENT_STATE) {
		return -EALREADY;
	}
	err = socket_wait(&s->send_wait, attempt_over, t, deadline);
	if (err)
		return err == -EAGAIN ? -EINPROGRESS : err;
	return attempt_result(t);
}

/* --- names --- */

static int tcp_getname(struct socket *s, bool peer, struct socket_address *out)
{
	u32 state = tcp_state(tcp_of(s));

	if (peer && (state == TCP_CLOSE_STATE || state == TCP_SYN_SENT_STATE))
		return -ENOTCONN;
	return inet_getname(s, peer, out);
}

/* --- the end --- */

static int tcp_shutdown(struct socket *s, u32 how)
{
	struct tcp_socket *t = tcp_of(s);
	u32 state = tcp_state(t);

	if (state == TCP_LISTEN_STATE) {
		if (how & SHUTDOWN_RECEIVE)
			listen_end(t);
		return 0;
	}
	if (state == TCP_SYN_SENT_STATE) {
		tcp_stop_waiting(t);
		if (load_relaxed(&t->remote))
			tcp_close_remote(t, true);
		tcp_lock();
		t->reset = true;
		tcp_ended(t, ECONNRESET);
		tcp_unlock();
		socket_wake_all(s);
		return 0;
	}
	if (state == TCP_CLOSE_STATE)
		return -ENOTCONN;
	atomic_or(&s->shutdown, how);
	if (how & SHUTDOWN_SEND) {
		if (load_relaxed(&t->remote))
			tcp_finish_remote(t);
		else
			tcp_local_finish(t);
	}
	socket_wake_all(s);
	return 0;
}

static bool lingers_not(const struct socket *s)
{
	return socket_option(s, OPTION_LINGER) && load_relaxed(&s->linger) == 0;
}

static void tcp_release(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);
	bool unread;

	if (tcp_state(t) == TCP_LISTEN_STATE)
		listen_end(t);
	tcp_stop_waiting(t);
	unread = tcp_drop_data(t);
	tcp_leave(t, unread || lingers_not(s));
}

/* --- readiness --- */

static u32 write_events(struct tcp_socket *t)
{
	struct tcp_socket *peer;
	bool room;

	if (load_relaxed(&t->inet.s.shutdown) & SHUTDOWN_SEND)
		return EPOLLOUT | EPOLLWRNORM;
	if (load_relaxed(&t->remote)) {
		room = load_relaxed(&t->room) != 0;
	} else {
		peer = tcp_peer(t);
		room = !peer || stream_has_room(&peer->in, &t->inet.s, &peer->inet.s);
		if (peer)
			socket_put(&peer->inet.s);
	}
	return room ? EPOLLOUT | EPOLLWRNORM : 0;
}

static u32 tcp_poll(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s);
	u32 state = tcp_state(t), shutdown = load_acquire(&s->shutdown), events = 0;

	if (state == TCP_LISTEN_STATE)
		return load_acquire(&t->queued) ? EPOLLIN | EPOLLRDNORM : 0;
	if (shutdown == SHUTDOWN_BOTH || state == TCP_CLOSE_STATE)
		events |= EPOLLHUP;
	if (shutdown & SHUTDOWN_RECEIVE)
		events |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (state != TCP_SYN_SENT_STATE) {
		if (stream_bytes(&t->in) &&
		    stream_bytes(&t->in) >= (u64)load_relaxed(&s->receive_low))
			events |= EPOLLIN | EPOLLRDNORM;
		if (load_relaxed(&t->in.urgent))
			events |= EPOLLPRI;
		events |= write_events(t);
	}
	if (load_relaxed(&s->error))
		events |= EPOLLERR;
	return events;
}

const struct socket_ops tcp_ops = {
	.bind = tcp_bind,
	.connect = tcp_connect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.getname = tcp_getname,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.poll = tcp_poll,
	.ioctl = tcp_ioctl,
	.release = tcp_release,
	.destroy = tcp_destroy,
	.peek_offset = true,
};

void tcp_sockets_init(void)
{
	port_table_init(&tcp_ports);
}
