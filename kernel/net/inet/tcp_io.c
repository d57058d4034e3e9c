/*
 * tcp_io.c - sending and receiving over TCP, to this machine and to others.
 */
#include "net/inet/tcp_priv.h"

#include "lib/print.h"

#define MSG_FASTOPEN 0x20000000u

static bool connecting_over(void *arg)
{
	return tcp_state(arg) != TCP_SYN_SENT_STATE;
}

/* 0: t is connected, or was; or why nothing can be sent. */
static int send_check(struct tcp_socket *t, u64 deadline)
{
	int err;

	if (tcp_state(t) == TCP_SYN_SENT_STATE) {
		err = socket_wait(&t->inet.s.send_wait, connecting_over, t, deadline);
		if (err)
			return err;
	}
	err = socket_take_error(&t->inet.s);
	if (err)
		return err;
	if (load_acquire(&t->inet.s.shutdown) & SHUTDOWN_SEND)
		return -EPIPE;
	switch (tcp_state(t)) {
	case TCP_CLOSE_STATE:
	case TCP_LISTEN_STATE:
		return -EPIPE;
	default:
		return 0;
	}
}

/* Nobody is there who could receive: it goes out all the same, and the answer is a reset. */
static ssize send_into_void(struct tcp_socket *t, struct iter *it)
{
	ssize n = (ssize)it->left;

	return tcp_local_lost(t) ? n : -EPIPE;
}

static ssize send_local(struct tcp_socket *t, struct iter *it, u64 deadline, u32 flags)
{
	struct tcp_socket *peer = tcp_peer(t);
	struct stream_send send = { .self = &t->inet.s,
				    .deadline = deadline,
				    .urgent = flags & MSG_OOB };
	ssize r;

	if (!peer)
		return -EPIPE;
	send.peer = &peer->inet.s;
	if (load_acquire(&peer->orphan)) {
		r = send_into_void(t, it);
	} else {
		r = stream_send(&peer->in, &send, it);
		if (r == -EPIPE && load_acquire(&peer->orphan))
			r = send_into_void(t, it);
		if (r > 0 && flags & MSG_OOB)
			socket_signal_urgent(&peer->inet.s);
	}
	socket_put(&peer->inet.s);
	return r;
}

ssize tcp_sendmsg(struct socket *s, struct message *m, u32 flags)
{
	struct tcp_socket *t = tcp_of(s);
	u64 deadline = socket_deadline(load_relaxed(&s->send_timeout), flags);
	ssize r = 0;
	int err;

	if (flags & MSG_FASTOPEN && m->address && tcp_state(t) == TCP_CLOSE_STATE)
		r = s->ops->connect(s, m->address, deadline);
	if (!r)
		r = send_check(t, deadline);
	if (r || !m->data->left)
		return r;
	if (load_relaxed(&t->remote))
		r = tcp_send_remote(t, m->data, deadline, flags);
	else
		r = send_local(t, m->data, deadline, flags);
	if (r != -EPIPE)
		return r;
	err = socket_take_error(s);
	return err ? err : -EPIPE;
}

static bool received_some(struct stream_receive *r, struct net_buffer *b)
{
	tcp_received_remote(tcp_of(r->self));
	return true;
}

ssize tcp_recvmsg(struct socket *s, struct message *m, u32 flags)
{
	struct tcp_socket *t = tcp_of(s), *peer;
	u32 state = tcp_state(t);
	bool remote = load_relaxed(&t->remote);
	struct stream_receive r = { .self = s,
				    .deadline = socket_deadline(load_relaxed(&s->receive_timeout),
								flags),
				    .flags = flags,
				    .discard = flags & MSG_TRUNC };
	ssize n;

	if (flags & MSG_ERRQUEUE)
		return -EAGAIN;
	if (state == TCP_LISTEN_STATE)
		return -ENOTCONN;
	if (state == TCP_CLOSE_STATE && !load_relaxed(&s->error) &&
	    !(load_relaxed(&s->shutdown) & SHUTDOWN_RECEIVE))
		return -ENOTCONN;
	if (flags & MSG_OOB) {
		n = stream_receive_urgent(&t->in, s, m->data, flags & MSG_PEEK);
		if (n > 0)
			m->flags |= MSG_OOB;
		return n;
	}
	if (!m->data->left)
		return 0;
	if (remote) {
		r.after = received_some;
		n = stream_receive(&t->in, &r, m->data);
		tcp_received_remote(t);
		return n;
	}
	peer = tcp_peer(t);
	r.peer = peer ? &peer->inet.s : NULL;
	n = stream_receive(&t->in, &r, m->data);
	if (peer)
		socket_put(&peer->inet.s);
	return n;
}
