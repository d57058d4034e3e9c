/*
 * unix_stream.c - data on SOCK_STREAM sockets of AF_UNIX: net/stream.h, and what goes with the
 * bytes.
 *
 * The rule: files go with the first byte of a send, and a receive that got files ends there;
 * credentials go with every byte, if either end asks for them, and what different senders wrote is
 * then never received at once.
 */
#include "net/unix_priv.h"

/* --- sending --- */

struct unix_stream_send {
	struct stream_send s;
	struct ancillary *first;    /* with the files; NULL once it is the stream's */
	struct ancillary *identity; /* for later buffers; NULL: none */
};

static struct ancillary *send_ancillary(struct stream_send *s, bool first)
{
	struct unix_stream_send *us = (struct unix_stream_send *)s;
	struct ancillary *a = us->first;

	if (first) {
		us->first = NULL;
		return a;
	}
	if (!us->identity)
		return NULL;
	a = ancillary_copy_identity(us->identity);
	return a ? a : ERR_PTR(-ENOMEM);
}

/* Who sends is told where one of both asks for it, or the message says it. */
static int send_equip(struct unix_stream_send *us, const struct unix_socket *u,
		      struct unix_socket *peer)
{
	int err = 0;

	if (unix_wants_credentials(u) || unix_wants_credentials(peer))
		err = ancillary_identify(&us->first);
	if (err || !us->first)
		return err;
	us->s.ancillary = send_ancillary;
	us->s.ancillary_free = ancillary_free;
	if (us->first->process) {
		us->identity = ancillary_copy_identity(us->first);
		if (!us->identity)
			return -ENOMEM;
	}
	err = ancillary_depart(us->first);
	if (!err && us->first->nfiles)
		unix_flight_note(peer);
	return err;
}

static ssize send_to_peer(struct unix_socket *u, struct unix_socket *peer, struct ancillary *a,
			  struct message *m, u32 flags)
{
	struct unix_stream_send us = {
		.s = { .self = &u->s,
		       .peer = &peer->s,
		       .deadline = socket_deadline(load_relaxed(&u->s.send_timeout), flags),
		       .urgent = flags & MSG_OOB },
		.first = a,
	};
	ssize r = send_equip(&us, u, peer);

	if (!r)
		r = stream_send(&peer->stream, &us.s, m->data);
	ancillary_free(us.first);
	ancillary_free(us.identity);
	return r;
}

ssize unix_stream_sendmsg(struct socket *s, struct message *m, u32 flags)
{
	struct unix_socket *u = unix_of(s), *peer = NULL;
	struct ancillary *a;
	ssize r = ancillary_from_message(m, &a);

	if (r)
		return r;
	if (flags & MSG_OOB && !m->data->left)
		r = -EOPNOTSUPP;
	else if (m->address && m->address->length)
		r = load_relaxed(&u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else if (!(peer = unix_peer_get(u)))
		r = -ENOTCONN;
	if (r) {
		ancillary_free(a);
		return r;
	}
	r = send_to_peer(u, peer, a, m, flags);
	unix_put(peer);
	return r;
}

/* --- receiving --- */

struct unix_stream_receive {
	struct stream_receive r;
	struct unix_received got;
	struct message *m;
};

static int receive_before(struct stream_receive *r, const struct net_buffer *b)
{
	struct unix_stream_receive *ur = (struct unix_stream_receive *)r;

	if (unix_wants_credentials(unix_of(r->self))) {
		if (!ur->got.identified)
			received_identify(&ur->got, b->ancillary);
		else if (!received_same_sender(&ur->got, b->ancillary))
			return 1;
	}
	if (b->ancillary && b->ancillary->nfiles) {
		ur->got.files = ancillary_room(b->ancillary);
		if (!ur->got.files)
			return -ENOMEM;
	}
	return 0;
}

static bool receive_after(struct stream_receive *r, struct net_buffer *b)
{
	struct unix_stream_receive *ur = (struct unix_stream_receive *)r;

	if (!b->ancillary || !b->ancillary->nfiles)
		return true;
	ancillary_take_files(b->ancillary, ur->got.files, r->flags & MSG_PEEK);
	return false;
}

/* The peer's name, if it has one. */
static void name_sender(struct message *m, const struct unix_socket *peer)
{
	if (!m->address || !peer)
		return;
	unix_name_get(peer, m->address);
	if (m->address->length == UNIX_PATH_OFFSET)
		m->address->length = 0;
}

static ssize receive_urgent(struct unix_socket *u, struct message *m, u32 flags)
{
	ssize r = stream_receive_urgent(&u->stream, &u->s, m->data, flags & MSG_PEEK);

	if (r > 0)
		m->flags |= MSG_OOB;
	return r;
}

ssize unix_stream_recvmsg(struct socket *s, struct message *m, u32 flags)
{
	struct unix_socket *u = unix_of(s), *peer;
	struct unix_stream_receive ur = {
		.r = { .self = s,
		       .deadline = socket_deadline(load_relaxed(&s->receive_timeout), flags),
		       .flags = flags,
		       .before = receive_before,
		       .after = receive_after,
		       .ancillary_free = ancillary_free },
		.m = m,
	};
	ssize r;
	int err;

	if (load_relaxed(&u->state) != UNIX_CONNECTED)
		return -EINVAL;
	if (flags & MSG_OOB)
		return receive_urgent(u, m, flags);
	peer = unix_peer_get(u);
	ur.r.peer = peer ? &peer->s : NULL;
	r = stream_receive(&u->stream, &ur.r, m->data);
	if (r > 0)
		name_sender(m, peer);
	unix_put(peer);
	if (r < 0) {
		received_free(&ur.got);
		return r;
	}
	err = received_tell(&ur.got, u, m, flags);
	return err ? err : r;
}
