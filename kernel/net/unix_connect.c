/*
 * unix_connect.c - connections of AF_UNIX sockets: pair, listen, connect, accept.
 *
 * The rule: whoever connects makes the other end himself and puts it into the listening socket's
 * backlog; it is connected before it is accepted. Both ends then hold a reference on each other
 * until they are closed.
 */
#include "mm/slab.h"
#include "net/unix_priv.h"
#include "proc/proc.h"

/* --- pairs --- */

int unix_pair(struct socket *sa, struct socket *sb)
{
	struct unix_socket *a = unix_of(sa), *b = unix_of(sb);
	struct peer_identity me = peer_identity_current();

	socket_set_identity(sa, &me);
	socket_set_identity(sb, &me);
	peer_identity_put(&me);
	unix_lock_two(a, b);
	socket_get(sb);
	a->peer = b;
	socket_get(sa);
	b->peer = a;
	store_relaxed(&a->state, UNIX_CONNECTED);
	store_relaxed(&b->state, UNIX_CONNECTED);
	unix_unlock_two(a, b);
	return 0;
}

/* --- listening --- */

int unix_listen(struct socket *s, u32 backlog)
{
	struct unix_socket *u = unix_of(s);
	struct peer_identity me;
	int err = 0;

	if (!unix_is_connection(u))
		return -EOPNOTSUPP;
	if (!load_acquire(&u->name))
		return -EINVAL;
	me = peer_identity_current();
	spin_lock(&u->lock);
	if (u->state == UNIX_CONNECTED) {
		err = -EINVAL;
	} else {
		store_relaxed(&u->backlog_max, backlog);
		store_relaxed(&u->state, UNIX_LISTENING);
		socket_set_option(s, OPTION_LISTENING, true);
	}
	spin_unlock(&u->lock);
	if (!err) {
		socket_set_identity(s, &me);
		waitq_wake_all(&u->room_wait);
	}
	peer_identity_put(&me);
	return err;
}

static bool has_connection_or_end(void *arg)
{
	const struct unix_socket *u = arg;

	return load_relaxed(&u->backlog_count) || load_relaxed(&u->s.error) ||
	       load_acquire(&u->s.shutdown) & SHUTDOWN_RECEIVE;
}

/* The next of the backlog, whose reference is the caller's, or NULL. */
static struct unix_socket *backlog_take(struct unix_socket *u)
{
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
	if (c)
		waitq_wake_one(&u->room_wait);
	return c;
}

/* Options that a connection has from the socket that accepts it. */
static void inherit_options(const struct unix_socket *from, struct unix_socket *to)
{
	socket_set_option(&to->s, OPTION_PASSCRED, socket_option(&from->s, OPTION_PASSCRED));
	socket_set_option(&to->s, OPTION_PASSPIDFD, socket_option(&from->s, OPTION_PASSPIDFD));
}

struct socket *unix_accept(struct socket *s, u64 deadline)
{
	struct unix_socket *u = unix_of(s), *c;
	int err;

	if (!unix_is_connection(u))
		return ERR_PTR(-EOPNOTSUPP);
	if (load_relaxed(&u->state) != UNIX_LISTENING)
		return ERR_PTR(-EINVAL);
	for (;;) {
		err = socket_take_error(s);
		if (err)
			return ERR_PTR(err);
		c = backlog_take(u);
		if (c)
			break;
		if (!deadline)
			return ERR_PTR(-EAGAIN);
		if (load_acquire(&s->shutdown) & SHUTDOWN_RECEIVE)
			return ERR_PTR(-EINVAL);
		err = socket_wait(&s->receive_wait, has_connection_or_end, u, deadline);
		if (err)
			return ERR_PTR(err);
	}
	if (load_relaxed(&u->backlog_count))
		waitq_wake_one(&s->receive_wait);
	inherit_options(u, c);
	return &c->s;
}

/* --- connecting --- */

static bool backlog_full(const struct unix_socket *u)
{
	return load_relaxed(&u->backlog_count) > load_relaxed(&u->backlog_max);
}

static bool backlog_has_room(void *arg)
{
	const struct unix_socket *u = arg;

	return !backlog_full(u) || load_relaxed(&u->state) != UNIX_LISTENING ||
	       load_acquire(&u->s.shutdown) & SHUTDOWN_RECEIVE;
}

#define FOUND_DEAD 1
#define FOUND_FULL 2

/* May u connect to `other`? 0, FOUND_DEAD, FOUND_FULL or errno. Both locked. */
static int connect_check(const struct unix_socket *u, const struct unix_socket *other)
{
	if (other->dead)
		return FOUND_DEAD;
	if (other->state != UNIX_LISTENING || other->s.shutdown & SHUTDOWN_RECEIVE)
		return -ECONNREFUSED;
	if (backlog_full(other))
		return FOUND_FULL;
	if (u->state == UNIX_CONNECTED)
		return -EISCONN;
	return u->state == UNIX_LISTENING ? -EINVAL : 0;
}

/* u and c, which nobody knows yet, are the ends of a connection now. u and `other` locked. */
static void connect_ends(struct unix_socket *u, struct unix_socket *other, struct unix_socket *c)
{
	socket_get(&c->s);
	u->peer = c;
	socket_get(&u->s);
	c->peer = u;
	c->state = UNIX_CONNECTED;
	store_release(&u->state, UNIX_CONNECTED);
	spin_lock(&unix_table_lock);
	list_push_back(&other->backlog, &c->backlog_link);
	spin_unlock(&unix_table_lock);
	store_relaxed(&other->backlog_count, other->backlog_count + 1);
}

/* u's end says who is at the other: who listens, as it was when that began. */
static void identify_listener(struct unix_socket *u, struct unix_socket *other)
{
	struct peer_identity listener = socket_identity_get(&other->s);

	socket_set_identity(&u->s, &listener);
	peer_identity_put(&listener);
}

/* Connect u to `other` by c: 0 (then c is in the backlog), or as connect_check. */
static int connect_try(struct unix_socket *u, struct unix_socket *other, struct unix_socket *c)
{
	int r;

	unix_name_share(other, c);
	inherit_options(other, c);
	unix_lock_two(u, other);
	r = connect_check(u, other);
	if (!r)
		connect_ends(u, other, c);
	unix_unlock_two(u, other);
	if (r)
		unix_name_unshare(c);
	return r;
}

static int connect_with(struct unix_socket *u, const struct socket_address *a, u64 deadline,
			struct unix_socket *c)
{
	for (;;) {
		struct unix_socket *other = unix_find(a, u->s.type);
		int r;

		if (IS_ERR(other))
			return (int)PTR_ERR(other);
		r = connect_try(u, other, c);
		if (!r) {
			identify_listener(u, other);
			socket_wake_receivers(&other->s);
			socket_wake_senders(&u->s);
		}
		if (r == FOUND_FULL)
			r = deadline ? socket_wait(&other->room_wait, backlog_has_room, other,
						   deadline)
					       ?: FOUND_FULL
				     : -EAGAIN;
		unix_put(other);
		if (r <= 0)
			return r;
	}
}

int unix_connect(struct socket *s, const struct socket_address *a, u64 deadline)
{
	struct unix_socket *u = unix_of(s), *c;
	struct peer_identity me;
	int err = unix_check_address(a);

	if (!err && unix_wants_credentials(u))
		err = unix_autobind(u);
	if (err)
		return err;
	c = unix_new(s->type);
	if (!c)
		return -ENOMEM;
	me = peer_identity_current();
	socket_set_identity(&c->s, &me);
	peer_identity_put(&me);
	err = connect_with(u, a, deadline, c);
	if (err)
		unix_put(c);
	return err;
}

/* --- where there are no connections: a peer is whom messages go to, and may come from --- */

void unix_disconnected(struct unix_socket *u, struct unix_socket *old)
{
	if (!unix_packets_drop(u))
		return;
	unix_wake_room(u);
	spin_lock(&old->lock);
	if (!old->dead && old->peer == u)
		store_relaxed(&old->s.error, ECONNRESET);
	spin_unlock(&old->lock);
	socket_wake_all(&old->s);
}

/*
 * other (NULL: nobody), whose reference is taken over, becomes u's peer, *old is what it was before:
 * 0, FOUND_DEAD, or -EPERM (it speaks with somebody else).
 */
static int peer_replace(struct unix_socket *u, struct unix_socket *other, struct unix_socket **old)
{
	int r = 0;

	unix_lock_two(u, other ? other : u);
	if (other && other->dead)
		r = FOUND_DEAD;
	else if (other && other->peer && other->peer != u)
		r = -EPERM;
	if (!r) {
		*old = u->peer;
		u->peer = other;
		store_relaxed(&u->state, other ? UNIX_CONNECTED : UNIX_CLOSED);
	}
	unix_unlock_two(u, other ? other : u);
	return r;
}

int unix_connect_packet(struct socket *s, const struct socket_address *a, u64 deadline)
{
	struct unix_socket *u = unix_of(s), *other = NULL, *old = NULL;
	int r;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		r = peer_replace(u, NULL, &old);
	} else {
		r = unix_check_address(a);
		if (!r && unix_wants_credentials(u))
			r = unix_autobind(u);
		if (r)
			return r;
		do {
			other = unix_find(a, s->type);
			if (IS_ERR(other))
				return (int)PTR_ERR(other);
			r = peer_replace(u, other, &old);
			if (r)
				unix_put(other);
		} while (r == FOUND_DEAD);
	}
	if (r)
		return r;
	unix_unwatch_room(u);
	if (old && old != other)
		unix_disconnected(u, old);
	socket_wake_senders(s);
	unix_put(old);
	return 0;
}
