/*
 * unix_gc.c - sockets that are in queued messages, and the collection of those that nobody can ever
 * receive.
 *
 * A socket that is sent through a socket may end up where only its own queue holds it: it is open,
 * by the reference of the message, and nobody can read the message. The collection finds such ones:
 *
 * - a candidate is a socket all of whose file's references come from queued messages;
 * - a candidate that is in a message of a queue which belongs to no candidate can be received, and
 *   so can all that is in its own queue, and so on;
 * - the candidates that are left are garbage: their messages are taken away and freed.
 *
 * It runs under unix_table_lock, which a receiver takes before a file that it has found in a
 * message becomes anything else; so a candidate stays one while the collection looks.
 */
#include "lib/print.h"
#include "net/unix_priv.h"

static struct list in_flight = LIST_INIT(in_flight); /* T: unix_socket.flight_link */
static bool maybe_cyclic; /* T, read without: else there is nothing to collect */

/* The AF_UNIX socket that f is, or NULL. */
static struct unix_socket *file_unix(const struct file *f)
{
	struct socket *s = file_socket(f);

	return s && s->family == AF_UNIX ? unix_of(s) : NULL;
}

void unix_flight_add(struct file *f)
{
	struct unix_socket *u = file_unix(f);

	if (u && u->in_flight++ == 0)
		list_push_back(&in_flight, &u->flight_link);
}

void unix_flight_remove(struct file *f)
{
	struct unix_socket *u = file_unix(f);

	if (!u || --u->in_flight)
		return;
	list_remove(&u->flight_link);
	if (list_empty(&in_flight))
		store_relaxed(&maybe_cyclic, false);
}

/*
 * Whatever the order in which the messages of a cycle are queued: when the last one is, the socket
 * that it is queued to is on its way already. A connection that was not accepted yet is as good as
 * in its listening socket's queue.
 */
void unix_flight_note(struct unix_socket *to)
{
	spin_lock(&unix_table_lock);
	if (to->in_flight || !load_relaxed(&to->s.ino))
		store_relaxed(&maybe_cyclic, true);
	spin_unlock(&unix_table_lock);
}

/* --- walking through queues --- */

static struct list *work; /* T: candidates that were reached, and whose queues are still to be */

static void count_down(struct unix_socket *u)
{
	u->gc_count--;
}

static void reach(struct unix_socket *u)
{
	if (u->gc_reached)
		return;
	u->gc_reached = true;
	list_push_back(work, &u->gc_link);
}

static void visit_files(const struct ancillary *a, void (*fn)(struct unix_socket *found))
{
	for (u32 i = 0; a && i < a->nfiles; i++) {
		struct unix_socket *u = file_unix(a->files[i]);

		if (u && u->gc_candidate)
			fn(u);
	}
}

/* Take *a, if it is there and holds files. */
static void take(struct ancillary **a, struct list *taken)
{
	if (!*a || !(*a)->nfiles)
		return;
	list_push_back(taken, &(*a)->link);
	*a = NULL;
}

/* Visit what is in u's own queue; or, fn NULL, take it. */
static void visit_queue(struct unix_socket *u, void (*fn)(struct unix_socket *), struct list *taken)
{
	struct unix_packet *p;
	struct net_buffer *b;

	spin_lock(&u->stream.lock);
	list_for_each (b, &u->stream.buffers, link) {
		if (fn)
			visit_files(b->ancillary, fn);
		else
			take(&b->ancillary, taken);
	}
	spin_unlock(&u->stream.lock);
	spin_lock(&u->queue_lock);
	list_for_each (p, &u->packets, link) {
		if (fn)
			visit_files(p->ancillary, fn);
		else
			take(&p->ancillary, taken);
	}
	spin_unlock(&u->queue_lock);
}

/* Likewise, with the queues of connections that wait in u. */
static void visit_held(struct unix_socket *u, void (*fn)(struct unix_socket *), struct list *taken)
{
	struct unix_socket *c;

	visit_queue(u, fn, taken);
	list_for_each (c, &u->backlog, backlog_link)
		visit_queue(c, fn, taken);
}

/* --- the collection --- */

static void choose_candidates(void)
{
	struct unix_socket *u;

	list_for_each (u, &in_flight, flight_link) {
		u->gc_candidate = load_acquire(&u->s.file->refs.n) == u->in_flight;
		u->gc_reached = false;
		u->gc_count = u->in_flight;
	}
	list_for_each (u, &in_flight, flight_link)
		if (u->gc_candidate)
			visit_held(u, count_down, NULL);
}

/* What can be received, from queues that can be read on. */
static void reach_candidates(void)
{
	struct list reached = LIST_INIT(reached);
	struct unix_socket *u;

	work = &reached;
	list_for_each (u, &in_flight, flight_link)
		if (u->gc_candidate && u->gc_count)
			reach(u);
	while ((u = list_first(&reached, struct unix_socket, gc_link))) {
		list_remove(&u->gc_link);
		visit_held(u, reach, NULL);
	}
}

/* Take the messages of all garbage. */
static void collect_messages(struct list *taken)
{
	struct unix_socket *u;

	spin_lock(&unix_table_lock);
	choose_candidates();
	reach_candidates();
	list_for_each (u, &in_flight, flight_link)
		if (u->gc_candidate && !u->gc_reached)
			visit_held(u, NULL, taken);
	list_for_each (u, &in_flight, flight_link)
		u->gc_candidate = false;
	spin_unlock(&unix_table_lock);
}

void unix_collect(void)
{
	struct list taken = LIST_INIT(taken);

	while (load_relaxed(&maybe_cyclic)) {
		collect_messages(&taken);
		if (list_empty(&taken) || !ancillary_free_all(&taken))
			return;
	}
}
