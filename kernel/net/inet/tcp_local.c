/*
 * tcp_local.c - TCP connections between two sockets of this machine: how they come about, and how
 * they end.
 *
 * Central rule: no packets are made, but everything happens as if they were, and arrived at once:
 * the states of both ends change together under the lock of the port table, in the order of RFC
 * 9293. Who is to be woken is woken after that.
 */
#include "net/inet/tcp_priv.h"

/* --- connecting --- */

/* t and child, which has come to l, are connected. T held. */
static void establish(struct tcp_socket *t, struct tcp_socket *l, struct tcp_socket *child)
{
	socket_get(&child->inet.s);
	store_release(&t->peer, child);
	socket_get(&t->inet.s);
	child->peer = t;
	tcp_grow_buffers(t);
	tcp_grow_buffers(child);
	port_inherit(&tcp_ports, &child->inet.port);
	child->state = TCP_ESTABLISHED_STATE;
	store_relaxed(&t->inet.s.shutdown, 0);
	store_release(&t->state, TCP_ESTABLISHED_STATE);
	tcp_enqueue(l, child);
}

/* The listener for where t wants to: 0: connected; -EINPROGRESS: it waits; or errno. T held. */
static int knock(struct tcp_socket *t, struct tcp_socket **listener)
{
	const struct port_entry *p = &t->inet.port;
	struct port_entry *found = port_find_listener(&tcp_ports, &p->remote, &p->local);
	struct tcp_socket *l, *child;

	if (!found)
		return -ECONNREFUSED;
	l = container_of(found, struct tcp_socket, inet.port);
	*listener = l;
	socket_get(&l->inet.s);
	if (tcp_queue_full(l)) {
		store_release(&t->state, TCP_SYN_SENT_STATE);
		socket_get(&t->inet.s);
		list_push_back(&l->waiting, &t->link);
		t->listener = l;
		return -EINPROGRESS;
	}
	child = tcp_child(l, &p->remote, &p->local);
	if (!child)
		return -ENOMEM;
	establish(t, l, child);
	return 0;
}

/* A name for t's end of a connection to where p->remote says. T held. */
static int take_port(struct port_entry *p)
{
	struct port_entry *twin;

	if (!port_taken(p))
		return port_bind_connect(&tcp_ports, p);
	twin = port_find_twin(&tcp_ports, p);
	if (!twin)
		return 0;
	if (!twin->time_wait || !time_wait_replaceable(twin))
		return -EADDRNOTAVAIL;
	time_wait_drop(twin);
	return 0;
}

int tcp_connect_local(struct tcp_socket *t, const struct inet_end *to)
{
	struct port_entry *p = &t->inet.port;
	struct inet_address from = inet_source_for(&to->address);
	struct tcp_socket *l = NULL;
	int err;

	tcp_lock();
	if (inet_is_any(&p->local.address))
		p->local.address = from;
	p->remote = *to;
	err = take_port(p);
	if (!err)
		err = knock(t, &l);
	tcp_unlock();
	if (err && err != -EINPROGRESS && err != -ECONNREFUSED)
		tcp_attempt_undo(t);
	if (!l)
		return err;
	if (!err) {
		socket_wake_receivers(&l->inet.s);
		socket_wake_all(&t->inet.s);
	}
	socket_put(&l->inet.s);
	return err;
}

/* The first that waits for l, out of the list, connected or refused; NULL: none can be helped. */
static struct tcp_socket *admit_one(struct tcp_socket *l)
{
	struct tcp_socket *t, *child;

	tcp_lock();
	t = list_first(&l->waiting, struct tcp_socket, link);
	if (t && l->state == TCP_LISTEN_STATE && tcp_queue_full(l))
		t = NULL;
	if (t) {
		list_remove(&t->link);
		t->listener = NULL;
		child = l->state == TCP_LISTEN_STATE
				? tcp_child(l, &t->inet.port.remote, &t->inet.port.local)
				: NULL;
		if (child) {
			establish(t, l, child);
		} else {
			t->reset = true;
			tcp_ended(t, ECONNREFUSED);
		}
	}
	tcp_unlock();
	return t;
}

/* The same of those from other machines: into the queue, or broken off. False: none. */
static bool admit_held(struct tcp_socket *l)
{
	struct tcp_socket *t;
	bool listens;

	tcp_lock();
	listens = l->state == TCP_LISTEN_STATE;
	t = list_first(&l->held, struct tcp_socket, link);
	if (t && listens && tcp_queue_full(l))
		t = NULL;
	if (t) {
		socket_get(&t->inet.s);
		list_remove(&t->link);
		if (listens)
			tcp_enqueue(l, t);
	}
	tcp_unlock();
	if (!t)
		return false;
	if (listens) {
		tcp_admitted_remote(t);
		socket_wake_receivers(&l->inet.s);
	} else {
		tcp_drop_data(t);
		tcp_leave(t, true);
		socket_put(&t->inet.s);
	}
	socket_put(&t->inet.s);
	return true;
}

void tcp_admit_waiting(struct tcp_socket *l)
{
	struct tcp_socket *t;

	while (!list_empty(&l->held) && admit_held(l))
		;

	while (!list_empty(&l->waiting) && (t = admit_one(l))) {
		socket_wake_all(&t->inet.s);
		socket_wake_receivers(&l->inet.s);
		socket_put(&t->inet.s);
	}
}

void tcp_stop_waiting(struct tcp_socket *t)
{
	bool waited;

	tcp_lock();
	waited = t->listener;
	if (waited) {
		list_remove(&t->link);
		t->listener = NULL;
		store_release(&t->state, TCP_CLOSE_STATE);
	}
	tcp_unlock();
	if (waited)
		socket_put(&t->inet.s);
}

/* --- ending --- */

/* t has said its last word, and its peer has heard it. T held. */
static void finish(struct tcp_socket *t, struct tcp_socket *peer)
{
	if (t->state == TCP_ESTABLISHED_STATE) {
		store_release(&t->state, TCP_FIN_WAIT2_STATE);
		store_release(&peer->state, TCP_CLOSE_WAIT_STATE);
		atomic_or(&peer->inet.s.shutdown, SHUTDOWN_RECEIVE);
		return;
	}
	/* The other end was first: that one keeps its port for a while. */
	time_wait_enter(&peer->inet.port);
	tcp_ended(peer, 0);
	tcp_ended(t, 0);
}

void tcp_local_finish(struct tcp_socket *t)
{
	struct tcp_socket *peer = tcp_peer(t);
	bool heard = false;

	if (!peer)
		return;
	tcp_lock();
	if (t->state == TCP_ESTABLISHED_STATE || t->state == TCP_CLOSE_WAIT_STATE) {
		finish(t, peer);
		heard = true;
	}
	tcp_unlock();
	if (heard)
		socket_wake_all(&peer->inet.s);
	socket_put(&peer->inet.s);
}

void tcp_local_reset(struct tcp_socket *t)
{
	struct tcp_socket *peer = tcp_peer(t);
	bool heard;

	if (!peer)
		return;
	tcp_lock();
	heard = t->state != TCP_CLOSE_STATE && peer->state != TCP_CLOSE_STATE;
	if (heard) {
		peer->reset = true;
		tcp_ended(peer, peer->state == TCP_CLOSE_WAIT_STATE ? EPIPE : ECONNRESET);
	}
	if (t->state != TCP_CLOSE_STATE) {
		t->reset = true;
		tcp_ended(t, 0);
	}
	tcp_unlock();
	if (heard)
		socket_wake_all(&peer->inet.s);
	socket_put(&peer->inet.s);
}

bool tcp_local_lost(struct tcp_socket *t)
{
	struct tcp_socket *peer = tcp_peer(t);
	bool lost = false;

	tcp_lock();
	if (peer && peer->orphan && peer->state != TCP_CLOSE_STATE)
		tcp_ended(peer, 0); /* it answers by a reset, and is gone */
	if (t->state != TCP_CLOSE_STATE) {
		t->reset = true;
		lost = true;
		tcp_ended(t, t->state == TCP_CLOSE_WAIT_STATE ? EPIPE : ECONNRESET);
	}
	tcp_unlock();
	if (lost)
		socket_wake_all(&t->inet.s);
	if (peer)
		socket_put(&peer->inet.s);
	return lost;
}
