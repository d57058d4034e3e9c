/*
 * port.c - who has which port: the rules of bind(2), listen(2) and connect(2) for TCP and UDP.
 *
 * Central rule, socket(7) and ip(7): two sockets may have the same port only if their addresses
 * differ and neither is the wildcard, or both allow it: SO_REUSEADDR on both while the first does not listen,
 * or SO_REUSEPORT on both of one user. Ports that the kernel chose for connections are shared by
 * connections to different places.
 */
#include <linux/in.h>

#include "dev/device.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "net/inet/inet_priv.h"

#define BUCKETS 1024u
#define LISTEN_BUCKETS 64u
#define TRIES_TO_BE_ALONE 64u /* ports looked at for one that nobody has */

u32 port_first = PORT_FIRST_DEFAULT, port_last = PORT_LAST_DEFAULT,
    port_unprivileged = 1024; /* net.ipv4.ip_unprivileged_port_start */
struct port_table tcp_ports, udp_ports;

void port_table_init(struct port_table *t)
{
	spin_init(&t->lock, RANK_SOCKET_TABLE);
	t->buckets = kmalloc(BUCKETS * sizeof(*t->buckets));
	t->listeners = kmalloc(LISTEN_BUCKETS * sizeof(*t->listeners));
	if (!t->buckets || !t->listeners)
		panic("no memory for the table of ports");
	for (u32 i = 0; i < BUCKETS; i++)
		list_init(&t->buckets[i]);
	for (u32 i = 0; i < LISTEN_BUCKETS; i++)
		list_init(&t->listeners[i]);
}

void port_entry_forget(struct port_entry *e)
{
	e->local = (struct inet_end){ .address = inet_wildcard(e->family) };
}

void port_entry_init(struct port_entry *e, u32 family, u32 uid, const u32 *options)
{
	list_init(&e->link);
	list_init(&e->listen_link);
	e->family = family;
	e->uid = uid;
	e->options = options;
	port_entry_forget(e);
}

bool port_reuse(const struct port_entry *e)
{
	return e->options ? load_relaxed(e->options) >> OPTION_REUSEADDR & 1 : e->reuse;
}

bool port_reuseport(const struct port_entry *e)
{
	return e->options ? load_relaxed(e->options) >> OPTION_REUSEPORT & 1 : e->reuseport;
}

struct list *port_bucket(struct port_table *t, u16 port)
{
	return &t->buckets[port % BUCKETS];
}

/* --- conflicts --- */

/* Does the wildcard of e stand for IPv4, for IPv6? */
static bool covers4(const struct port_entry *e)
{
	return e->family == AF_INET || !load_relaxed(&e->v6only);
}

static bool addresses_meet(const struct port_entry *a, const struct port_entry *b)
{
	const struct inet_address *x = &a->local.address, *y = &b->local.address;
	bool any_x = inet_is_any(x), any_y = inet_is_any(y);
	bool four_x = inet_is4(x), four_y = inet_is4(y);

	if (any_x && any_y)
		return four_x == four_y || (covers4(a) && covers4(b));
	if (any_x)
		return four_x == four_y || (!four_x && covers4(a));
	if (any_y)
		return four_x == four_y || (!four_y && covers4(b));
	return inet_equal(x, y);
}

/* May both have the port, though their addresses meet? */
static bool both_allow(const struct port_entry *a, const struct port_entry *b, bool udp)
{
	if (port_reuseport(a) && port_reuseport(b) && (a->uid == b->uid || b->time_wait))
		return true;
	return port_reuse(a) && port_reuse(b) && (udp || !b->listening);
}

static bool conflicts(struct port_table *t, const struct port_entry *e, u16 port, bool udp)
{
	struct port_entry *other;

	list_for_each (other, port_bucket(t, port), link) {
		if (other != e && other->local.port == port && addresses_meet(e, other) &&
		    !both_allow(e, other, udp))
			return true;
	}
	return false;
}

static bool anybody(struct port_table *t, u16 port)
{
	struct port_entry *other;

	list_for_each (other, port_bucket(t, port), link)
		if (other->local.port == port)
			return true;
	return false;
}

/* --- taking and giving up --- */

static void port_enter(struct port_table *t, struct port_entry *e, u16 port)
{
	e->local.port = port;
	list_push_back(port_bucket(t, port), &e->link);
}

void port_release(struct port_table *t, struct port_entry *e)
{
	list_remove(&e->link);
	list_remove(&e->listen_link);
	e->listening = false;
	e->chosen = false;
}

void port_inherit(struct port_table *t, struct port_entry *e)
{
	port_enter(t, e, e->local.port);
}

/* Walk the range of ports from a random one on. */
struct walk {
	u32 first, count, at, seen;
};

static void walk_begin(struct walk *w)
{
	u32 first = load_relaxed(&port_first), last = load_relaxed(&port_last), r;

	random_bytes(&r, sizeof(r));
	w->first = first;
	w->count = last >= first ? last - first + 1 : 1;
	w->at = r % w->count;
	w->seen = 0;
}

static bool walk_next(struct walk *w, u16 *port)
{
	if (w->seen == w->count)
		return false;
	*port = (u16)(w->first + (w->at + w->seen++) % w->count);
	return true;
}

static int port_choose(struct port_table *t, struct port_entry *e, bool udp)
{
	struct walk w;
	u16 port;

	walk_begin(&w);
	while (walk_next(&w, &port)) {
		if (w.seen <= TRIES_TO_BE_ALONE ? anybody(t, port) : conflicts(t, e, port, udp))
			continue;
		port_enter(t, e, port);
		return 0;
	}
	return -EADDRINUSE;
}

int port_bind(struct port_table *t, struct port_entry *e, bool udp)
{
	u16 port = e->local.port;

	if (!port)
		return port_choose(t, e, udp);
	if (conflicts(t, e, port, udp))
		return -EADDRINUSE;
	port_enter(t, e, port);
	e->chosen = true;
	return 0;
}

static bool ends_equal(const struct inet_end *a, const struct inet_end *b)
{
	return a->port == b->port && inet_equal(&a->address, &b->address);
}

static bool twins(const struct port_entry *a, const struct port_entry *b)
{
	return ends_equal(&a->remote, &b->remote) &&
	       inet_equal(&a->local.address, &b->local.address);
}

struct port_entry *port_find_twin(struct port_table *t, const struct port_entry *e)
{
	struct port_entry *other;

	list_for_each (other, port_bucket(t, e->local.port), link)
		if (other != e && other->local.port == e->local.port && twins(other, e))
			return other;
	return NULL;
}

/*
 * Can e have this port beside the others, for a connection to another place than theirs? One that
 * is over, and is *old, may be replaced.
 */
static bool connection_fits(struct port_table *t, struct port_entry *e, u16 port,
			    struct port_entry **old)
{
	struct port_entry *other;

	*old = NULL;
	list_for_each (other, port_bucket(t, port), link) {
		if (other->local.port != port)
			continue;
		if (other->chosen || other->listening || !other->remote.port)
			return false;
		if (!twins(other, e))
			continue;
		if (!other->time_wait || !time_wait_replaceable(other))
			return false;
		*old = other;
	}
	return true;
}

int port_bind_connect(struct port_table *t, struct port_entry *e)
{
	struct port_entry *old;
	struct walk w;
	u16 port;

	walk_begin(&w);
	while (walk_next(&w, &port)) {
		if (!connection_fits(t, e, port, &old))
			continue;
		if (old)
			time_wait_drop(old);
		port_enter(t, e, port);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

/* --- listening --- */

int port_listen(struct port_table *t, struct port_entry *e)
{
	e->listening = true;
	if (conflicts(t, e, e->local.port, false)) {
		e->listening = false;
		return -EADDRINUSE;
	}
	list_push_back(&t->listeners[e->local.port % LISTEN_BUCKETS], &e->listen_link);
	return 0;
}

bool port_accepts(const struct port_entry *e, const struct inet_address *to)
{
	if (!inet_is_any(&e->local.address))
		return inet_equal(&e->local.address, to);
	if (inet_is4(to))
		return covers4(e);
	return e->family == AF_INET6 && !inet_is4(&e->local.address);
}

/* How well e, which accepts it, is meant: a named address before the wildcard. */
static u32 rank(const struct port_entry *e, const struct inet_address *to)
{
	return 2 * !inet_is_any(&e->local.address) + ((e->family == AF_INET) == inet_is4(to));
}

u32 port_spread(const struct inet_end *from, const struct inet_end *to, u32 n)
{
	u32 h = 2166136261u; /* FNV-1a over what tells connections apart */

	for (u32 i = 0; i < 4; i++)
		h = (h ^ from->address.words[i] ^ to->address.words[i]) * 16777619u;
	h = (h ^ from->port) * 16777619u;
	h = (h ^ to->port) * 16777619u;
	h ^= h >> 15;
	return (u32)((u64)(h * 2654435769u) * n >> 32);
}

struct port_entry *port_find_listener(struct port_table *t, const struct inet_end *to,
				      const struct inet_end *from)
{
	struct list *head = &t->listeners[to->port % LISTEN_BUCKETS];
	struct port_entry *e, *best = NULL;
	u32 best_rank = 0, equals = 0, pick;

	list_for_each (e, head, listen_link) {
		u32 r = e->local.port == to->port && port_accepts(e, &to->address)
				? 1 + rank(e, &to->address)
				: 0;

		if (r == 0 || r < best_rank)
			continue;
		equals = r == best_rank ? equals + 1 : 1;
		if (r > best_rank || !best)
			best = e;
		best_rank = r;
	}
	if (equals < 2)
		return best;
	pick = port_spread(from, to, equals);
	list_for_each (e, head, listen_link) {
		if (e->local.port != to->port || !port_accepts(e, &to->address) ||
		    1 + rank(e, &to->address) != best_rank)
			continue;
		if (!pick--)
			return e;
	}
	return best;
}

void port_for_each(struct port_table *t, void (*fn)(struct port_entry *e, void *arg), void *arg)
{
	struct port_entry *e;

	spin_lock(&t->lock);
	for (u32 i = 0; i < BUCKETS; i++)
		list_for_each (e, &t->buckets[i], link)
			fn(e, arg);
	spin_unlock(&t->lock);
}
