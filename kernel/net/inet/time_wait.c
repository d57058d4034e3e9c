/*
 * time_wait.c - ports of TCP connections that have ended in good order: they are kept for a minute
 * (RFC 9293, 3.3.2), so that bind(2) gives EADDRINUSE without SO_REUSEADDR, as on Linux.
 *
 * All is guarded by the lock of TCP's port table. The list is in the order of time, and one timer
 * runs for its head.
 */
#include "arch/x86_64/cpu.h"
#include "mm/slab.h"
#include "net/inet/inet_priv.h"
#include "proc/timer.h"

#define TIME_WAIT_NS (60 * NS_PER_SEC)
#define REPLACEABLE_NS NS_PER_SEC /* after so long a new connection may have the same two ends */
#define TIME_WAIT_MAX 16384u      /* net.ipv4.tcp_max_tw_buckets */

struct time_wait {
	struct port_entry port;
	struct list link;
	u64 due; /* monotonic ns */
};

static void expire(struct timer *t);

static struct list waiting = LIST_INIT(waiting);
static struct timer timer = { .fn = expire };
static bool armed;
static u32 count;

static struct time_wait *of(const struct port_entry *e)
{
	return container_of((struct port_entry *)e, struct time_wait, port);
}

static void arm(void)
{
	struct time_wait *first = list_first(&waiting, struct time_wait, link);

	if (armed || !first)
		return;
	armed = true;
	timer_start(&timer, first->due);
}

void time_wait_drop(struct port_entry *e)
{
	struct time_wait *w = of(e);

	port_release(&tcp_ports, e);
	list_remove(&w->link);
	count--;
	kfree(w);
}

static void expire(struct timer *t)
{
	u64 now = clock_monotonic();
	struct time_wait *w;

	spin_lock(&tcp_ports.lock);
	while ((w = list_first(&waiting, struct time_wait, link)) && w->due <= now)
		time_wait_drop(&w->port);
	armed = false;
	arm();
	spin_unlock(&tcp_ports.lock);
}

void time_wait_enter(const struct port_entry *e)
{
	struct time_wait *w = kzalloc(sizeof(*w));

	if (!w)
		return; /* the port is free at once */
	if (count == TIME_WAIT_MAX)
		time_wait_drop(&list_first(&waiting, struct time_wait, link)->port);
	port_entry_init(&w->port, e->family, e->uid, NULL);
	w->port.local = e->local;
	w->port.remote = e->remote;
	w->port.v6only = load_relaxed(&e->v6only);
	w->port.reuse = port_reuse(e);
	w->port.reuseport = port_reuseport(e);
	w->port.time_wait = true;
	w->due = clock_monotonic() + TIME_WAIT_NS;
	port_inherit(&tcp_ports, &w->port);
	list_push_back(&waiting, &w->link);
	count++;
	arm();
}

bool time_wait_replaceable(const struct port_entry *e)
{
	return time_wait_left(e) <= TIME_WAIT_NS - REPLACEABLE_NS;
}

u64 time_wait_left(const struct port_entry *e)
{
	u64 now = clock_monotonic(), due = of(e)->due;

	return due > now ? due - now : 0;
}

u32 time_wait_count(void)
{
	return load_relaxed(&count);
}
