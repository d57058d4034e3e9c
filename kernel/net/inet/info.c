/*
 * info.c - what /proc tells of sockets, interfaces and parameters; the texts are fs/procfs_inet.c's.
 */
#include "net/inet/inet.h"

#include "dev/network.h"
#include "lib/string.h"
#include "net/inet/interface.h"
#include "net/inet/tcp_priv.h"
#include "net/inet/udp_priv.h"
#include "net/lwip/stack.h"

#define PORT_MAX 65535u

struct walk {
	bool udp;
	void (*fn)(const struct inet_socket_info *i, void *arg);
	void *arg;
};

static void tell_socket(const struct inet_socket *i, struct inet_socket_info *out)
{
	out->ino = load_relaxed(&i->s.ino);
	out->references = load_relaxed(&i->s.refs.n);
}

static void tell_tcp(struct port_entry *e, struct inet_socket_info *out)
{
	struct tcp_socket *t = container_of(e, struct tcp_socket, inet.port);

	out->state = t->state;
	out->receiving = t->state == TCP_LISTEN_STATE ? t->queued : stream_bytes(&t->in);
	tell_socket(&t->inet, out);
}

static void tell_udp(struct port_entry *e, struct inet_socket_info *out)
{
	struct udp_socket *u = container_of(e, struct udp_socket, inet.port);

	out->state = e->remote.port ? TCP_ESTABLISHED_STATE : TCP_CLOSE_STATE;
	out->receiving = load_relaxed(&u->queue.charge);
	out->dropped = load_relaxed(&u->queue.dropped);
	tell_socket(&u->inet, out);
}

static void tell(struct port_entry *e, void *arg)
{
	struct walk *w = arg;
	struct inet_socket_info i = { .family = e->family,
				      .local_port = e->local.port,
				      .remote_port = e->remote.port,
				      .uid = e->uid,
				      .kept = e->time_wait };

	memcpy(i.local, e->local.address.words, sizeof(i.local));
	memcpy(i.remote, e->remote.address.words, sizeof(i.remote));
	if (e->time_wait) {
		i.state = TCP_TIME_WAIT_STATE;
		i.time_left_ns = time_wait_left(e);
	} else if (w->udp) {
		tell_udp(e, &i);
	} else {
		tell_tcp(e, &i);
	}
	w->fn(&i, w->arg);
}

void inet_for_each(bool udp, void (*fn)(const struct inet_socket_info *i, void *arg), void *arg)
{
	struct walk w = { udp, fn, arg };

	port_for_each(udp ? &udp_ports : &tcp_ports, tell, &w);
}

u32 inet_kept_ports(void)
{
	return time_wait_count();
}

bool inet_interface(u32 index, struct inet_interface_info *out)
{
	struct network_counters c = { 0 };
	struct interface n;

	if (!interface_by_index(index, &n))
		return false;
	*out = (struct inet_interface_info){ .index = index,
					     .naddress6 = n.naddress6,
					     .address4 = n.address4,
					     .mask4 = ~0u << (32 - n.prefix4),
					     .flags = n.flags,
					     .mtu = n.mtu };
	string_copy(out->name, n.name, sizeof(out->name));
	for (u32 i = 0; i < n.naddress6; i++) {
		memcpy(out->address6[i].bytes, n.address6[i].address.bytes, 16);
		out->address6[i].prefix = n.address6[i].prefix;
		out->address6[i].scope = n.address6[i].scope;
	}
	if (index != INTERFACE_NETWORK)
		return true;
	out->gateway = true;
	out->gateway4 = NETWORK_GATEWAY4;
	network_counters(&c);
	out->received = c.received;
	out->received_bytes = c.received_bytes;
	out->received_dropped = c.received_dropped;
	out->sent = c.sent;
	out->sent_bytes = c.sent_bytes;
	out->sent_dropped = c.sent_dropped;
	return true;
}

void inet_port_range(u32 *first, u32 *last)
{
	*first = load_relaxed(&port_first);
	*last = load_relaxed(&port_last);
}

bool inet_set_port_range(u32 first, u32 last)
{
	if (first < 1 || last > PORT_MAX || first > last)
		return false;
	store_relaxed(&port_first, first);
	store_relaxed(&port_last, last);
	return true;
}

u32 inet_unprivileged_port(void)
{
	return load_relaxed(&port_unprivileged);
}

bool inet_set_unprivileged_port(u32 port)
{
	if (port > PORT_MAX)
		return false;
	store_relaxed(&port_unprivileged, port);
	return true;
}
