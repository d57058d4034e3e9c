/*
 * raw.c - raw sockets, raw(7): IP packets of one protocol, as ping and traceroute send them. All of
 * them go through lwIP, also those of loopback, which lwIP answers (ICMP echo).
 */
#include <linux/icmpv6.h>
#include <linux/in.h>
#include <linux/in6.h>

#include <lwip/ip.h>
#include <lwip/raw.h>

#include "lib/print.h"
#include "mm/slab.h"
#include "net/inet/convert.h"
#include "net/inet/datagram.h"
#include "net/inet/group.h"
#include "net/lwip/stack.h"

#define RAW_LEVEL 255 /* SOL_RAW */
#define ICMP_FILTER_NAME 1
#define FILTER_WORDS 8 /* 256 kinds of ICMPv6 message */
#define ICMPV6_CHECKSUM_AT 2
#define CHECKSUM_AT_MAX 1024
#define PACKET_MAX 65515u

struct raw_socket {
	struct inet_socket inet;
	struct datagram_queue queue;
	struct raw_pcb *pcb;      /* M */
	u32 filter[FILTER_WORDS]; /* A: kinds of ICMP message that are not wanted */
};

static const struct socket_ops raw_ops;

static struct raw_socket *raw_of(struct socket *s)
{
	return container_of(s, struct raw_socket, inet.s);
}

/* --- receiving --- */

static bool filtered(const struct raw_socket *r, struct pbuf *p, u16 header)
{
	u8 kind = pbuf_get_at(p, header);

	if (r->inet.s.protocol != IPPROTO_ICMP && r->inet.s.protocol != IPPROTO_ICMPV6)
		return false;
	if (r->inet.s.protocol == IPPROTO_ICMP && kind >= 32)
		return false;
	return load_relaxed(&r->filter[kind / 32]) >> (kind % 32) & 1;
}

static void queue_packet(struct raw_socket *r, struct pbuf *p, u16 from)
{
	struct datagram_way w = { .interface = ip_current_input_netif() == stack_loopback()
						       ? INTERFACE_LOOPBACK
						       : INTERFACE_NETWORK };
	struct list buffers = LIST_INIT(buffers);
	u64 charge = 0;
	u32 n = p->tot_len - from;

	inet_from_lwip(ip_current_src_addr(), &w.from.address);
	inet_from_lwip(ip_current_dest_addr(), &w.to.address);
	w.from.scope = w.interface;
	if (ip_current_is_v6()) {
		w.ttl = IP6H_HOPLIM(ip6_current_header());
		w.tos = IP6H_TC(ip6_current_header());
	} else {
		w.ttl = IPH_TTL(ip4_current_header());
		w.tos = IPH_TOS(ip4_current_header());
	}
	for (u32 at = 0; at < n;) {
		struct net_buffer *b = net_buffer_new(n - at);

		if (!b) {
			net_buffers_free(&buffers);
			return;
		}
		b->length = pbuf_copy_partial(p, b->data, (u16)min(b->capacity, n - at),
					      (u16)(from + at));
		at += b->length;
		charge += b->charge;
		list_push_back(&buffers, &b->link);
	}
	datagram_put(&r->inet, &r->queue, &buffers, n, charge, &w);
}

/* IPv4 packets come with their header, IPv6 ones without: raw(7), RFC 3542. lwIP goes on with it. */
static u8_t on_packet(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
	struct raw_socket *r = arg;
	const struct port_entry *e = &r->inet.port;
	u16 header = ip_current_header_tot_len();
	struct inet_address sender;

	inet_from_lwip(ip_current_src_addr(), &sender);
	if (!inet_is_any(&e->remote.address) && !inet_equal(&e->remote.address, &sender))
		return 0;
	if (header < p->tot_len && !filtered(r, p, header))
		queue_packet(r, p, ip_current_is_v6() ? header : 0);
	return 0;
}

static ssize raw_recvmsg(struct socket *s, struct message *m, u32 flags)
{
	return datagram_receive(&raw_of(s)->inet, &raw_of(s)->queue, m, flags);
}

/* --- sending --- */

static int send_locked(struct raw_socket *r, const struct inet_end *to, const u8 *bytes, u32 n)
{
	struct inet_socket *i = &r->inet;
	bool four = inet_is4(&to->address);
	s32 ttl = load_relaxed(four ? &i->ttl : &i->hops6);
	struct netif *n_out = inet_is_loopback(&to->address) ? stack_loopback() : stack_network();
	struct pbuf *p = pbuf_alloc(PBUF_IP, (u16)n, PBUF_RAM);
	ip_addr_t address;
	err_t err;

	if (!p)
		return -ENOBUFS;
	pbuf_take(p, bytes, (u16)n);
	inet_to_lwip(&to->address, &address);
	if (n_out)
		inet_set_zone(&address, n_out);
	r->pcb->ttl = (u8)(ttl > 0 ? ttl : RAW_TTL);
	r->pcb->tos = (u8)load_relaxed(four ? &i->tos : &i->class6);
	if (four && inet_flag(i, INET_HDRINCL))
		raw_set_flags(r->pcb, RAW_FLAGS_HDRINCL);
	else
		raw_clear_flags(r->pcb, RAW_FLAGS_HDRINCL);
	if (socket_option(&i->s, OPTION_BROADCAST))
		ip_set_option(r->pcb, SOF_BROADCAST);
	err = raw_sendto(r->pcb, p, &address);
	pbuf_free(p);
	if (err == ERR_OK)
		return 0;
	return err == ERR_RTE ? -ENETUNREACH : err == ERR_VAL ? -EINVAL : -ENOBUFS;
}

static ssize raw_sendmsg(struct socket *s, struct message *m, u32 flags)
{
	struct raw_socket *r = raw_of(s);
	size_t n = m->data->left;
	struct inet_end to;
	u8 *bytes;
	int err;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (n > PACKET_MAX)
		return -EMSGSIZE;
	if (m->address) {
		err = inet_end_parse(&r->inet, m->address, false, &to);
		if (err)
			return err;
	} else {
		to = r->inet.port.remote;
		if (inet_is_any(&to.address))
			return -EDESTADDRREQ;
	}
	if (inet_is_broadcast(&to.address) && !socket_option(s, OPTION_BROADCAST))
		return -EACCES;
	bytes = kmalloc(n + 1);
	if (!bytes)
		return -ENOMEM;
	err = iter_copy_from(m->data, bytes, n) < n ? -EFAULT : 0;
	if (!err) {
		stack_lock();
		err = send_locked(r, &to, bytes, (u32)n);
		stack_unlock();
	}
	kfree(bytes);
	return err ? err : (ssize)n;
}

/* --- names --- */

static int rawsock_bind(struct socket *s, const struct socket_address *a)
{
	struct raw_socket *r = raw_of(s);
	struct inet_end e;
	ip_addr_t address;
	int err = inet_end_parse(&r->inet, a, true, &e);

	if (err)
		return err;
	e.port = 0;
	err = inet_bind_check(&r->inet, &e);
	if (err)
		return err;
	inet_to_lwip(&e.address, &address);
	stack_lock();
	r->inet.port.local = e;
	raw_bind(r->pcb, &address);
	stack_unlock();
	return 0;
}

static int rawsock_connect(struct socket *s, const struct socket_address *a, u64 deadline)
{
	struct raw_socket *r = raw_of(s);
	struct inet_end to = { .address = inet_wildcard(s->family) };
	int err = 0;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family != AF_UNSPEC)
		err = inet_end_parse(&r->inet, a, false, &to);
	if (err)
		return err;
	stack_lock();
	r->inet.port.remote = to;
	stack_unlock();
	return 0;
}

static int raw_getname(struct socket *s, bool peer, struct socket_address *out)
{
	struct raw_socket *r = raw_of(s);

	if (peer && inet_is_any(&r->inet.port.remote.address))
		return -ENOTCONN;
	inet_to_sockaddr(peer ? &r->inet.port.remote : &r->inet.port.local, s->family, out);
	return 0;
}

/* --- options --- */

static u32 filter_size(const struct socket *s, s32 level, s32 name)
{
	if (s->protocol == IPPROTO_ICMP && level == RAW_LEVEL && name == ICMP_FILTER_NAME)
		return sizeof(u32);
	if (s->protocol == IPPROTO_ICMPV6 && level == IPPROTO_ICMPV6 && name == ICMPV6_FILTER)
		return FILTER_WORDS * sizeof(u32);
	return 0;
}

/* Where in the packet lwIP is to put a checksum: ipv6(7); -1: nowhere. */
static int set_checksum(struct raw_socket *r, s32 level, const void *value, u32 length)
{
	s32 at;

	if (length < sizeof(at))
		return -EINVAL;
	memcpy(&at, value, sizeof(at));
	if (r->inet.s.protocol == IPPROTO_ICMPV6 && level == IPPROTO_IPV6)
		return -EINVAL;
	if (at > 0 && (at & 1 || at > CHECKSUM_AT_MAX))
		return -EINVAL;
	stack_lock();
	r->pcb->chksum_reqd = at >= 0;
	r->pcb->chksum_offset = (u16)max(at, 0);
	stack_unlock();
	return 0;
}

static int raw_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length)
{
	u32 size = filter_size(s, level, name);

	if (size) {
		memcpy(raw_of(s)->filter, value, min(length, size));
		return 0;
	}
	if ((level == IPPROTO_IPV6 || level == RAW_LEVEL) && name == IPV6_CHECKSUM &&
	    s->family == AF_INET6)
		return set_checksum(raw_of(s), level, value, length);
	return inet_setsockopt(s, level, name, value, length);
}

static int raw_getsockopt(struct socket *s, s32 level, s32 name, void *value, u32 *length)
{
	u32 size = filter_size(s, level, name);

	if (size)
		return option_give_bytes(value, length, raw_of(s)->filter, size);
	return inet_getsockopt(s, level, name, value, length);
}

static u32 raw_poll(struct socket *s)
{
	return datagram_poll(&raw_of(s)->inet, &raw_of(s)->queue);
}

static long raw_ioctl(struct socket *s, u32 request, u64 arg)
{
	return datagram_ioctl(&raw_of(s)->inet, &raw_of(s)->queue, request, arg);
}

static int raw_shutdown(struct socket *s, u32 how)
{
	atomic_or(&s->shutdown, how);
	socket_wake_all(s);
	return inet_is_any(&inet_of(s)->port.remote.address) ? -ENOTCONN : 0;
}

/* --- life --- */

static void raw_release(struct socket *s)
{
	struct raw_socket *r = raw_of(s);

	group_leave_all(&r->inet);
	stack_lock();
	raw_remove(r->pcb);
	stack_unlock();
	datagram_queue_close(&r->queue);
}

static void raw_destroy(struct socket *s)
{
	struct raw_socket *r = raw_of(s);

	datagram_queue_close(&r->queue);
	inet_socket_finish(&r->inet);
	kfree(r);
}

struct socket *raw_create(u32 family, u32 type, u32 protocol)
{
	struct raw_socket *r;
	struct raw_pcb *pcb;

	if (type == SOCK_DGRAM)
		return ERR_PTR(-EACCES); /* net.ipv4.ping_group_range names nobody */
	r = kzalloc(sizeof(*r));
	if (!r)
		return ERR_PTR(-ENOMEM);
	stack_start();
	inet_socket_init(&r->inet, &raw_ops, family, type, protocol);
	datagram_queue_init(&r->queue);
	r->inet.port.remote.address = inet_wildcard(family);
	if (protocol == IPPROTO_RAW)
		r->inet.flags |= 1u << INET_HDRINCL;
	stack_lock();
	pcb = raw_new_ip_type(family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6, (u8)protocol);
	if (pcb) {
		raw_recv(pcb, on_packet, r);
		pcb->chksum_reqd = protocol == IPPROTO_ICMPV6;
		pcb->chksum_offset = ICMPV6_CHECKSUM_AT;
	}
	r->pcb = pcb;
	stack_unlock();
	if (pcb)
		return &r->inet.s;
	raw_destroy(&r->inet.s);
	return ERR_PTR(-ENOMEM);
}

static const struct socket_ops raw_ops = {
	.bind = rawsock_bind,
	.connect = rawsock_connect,
	.getname = raw_getname,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.shutdown = raw_shutdown,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.poll = raw_poll,
	.ioctl = raw_ioctl,
	.release = raw_release,
	.destroy = raw_destroy,
};
