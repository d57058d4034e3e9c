/*
 * inet.c - what the sockets of AF_INET and AF_INET6 have in common: making them, and the addresses
 * that programs give and ask for.
 */
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "lib/print.h"
#include "lib/string.h"
#include "net/families.h"
#include "net/inet/inet_priv.h"
#include "net/inet/netlink.h"
#include "net/lwip/stack.h"
#include "proc/proc.h"

void inet_socket_init(struct inet_socket *i, const struct socket_ops *ops, u32 family, u32 type,
		      u32 protocol)
{
	socket_init(&i->s, ops, family, type, protocol);
	port_entry_init(&i->port, family, process_current() ? cred_current()->euid : 0,
			&i->s.options);
	i->ttl = i->hops6 = -1;
	i->multicast_ttl = i->multicast_hops6 = 1;
	i->mtu_discover = IP_PMTUDISC_WANT;
	i->mtu_discover6 = IPV6_PMTUDISC_WANT;
	list_init(&i->memberships);
}

void inet_socket_finish(struct inet_socket *i)
{
	debug_assert(list_empty(&i->port.link));
	socket_finish(&i->s);
}

/* --- addresses that programs name --- */

static int parse4(const struct inet_socket *i, const struct socket_address *a, bool own,
		  struct inet_end *out)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)a->bytes;

	if (a->length < SOCKADDR_IN_SIZE)
		return -EINVAL;
	if (a->family != AF_INET &&
	    (a->family != AF_UNSPEC || (own && in->sin_addr.s_addr != INADDR_ANY)))
		return -EAFNOSUPPORT;
	if (i->s.family == AF_INET6 && inet_flag(i, INET_V6ONLY))
		return -ENETUNREACH;
	*out = (struct inet_end){ .address = inet_address4(__builtin_bswap32(in->sin_addr.s_addr)),
				  .port = __builtin_bswap16(in->sin_port) };
	return 0;
}

static int parse6(const struct inet_socket *i, const struct socket_address *a, bool own,
		  struct inet_end *out)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a->bytes;

	if (a->length < SOCKADDR_IN6_SIZE_MIN)
		return -EINVAL;
	if (a->family != AF_INET6)
		return -EAFNOSUPPORT;
	memset(out, 0, sizeof(*out));
	memcpy(&out->address, &in6->sin6_addr, sizeof(out->address));
	out->port = __builtin_bswap16(in6->sin6_port);
	if (a->length >= SOCKADDR_IN6_SIZE)
		out->scope = in6->sin6_scope_id;
	if (inet_is4(&out->address) && inet_flag(i, INET_V6ONLY))
		return own ? -EINVAL : -ENETUNREACH;
	return 0;
}

int inet_end_parse(const struct inet_socket *i, const struct socket_address *a, bool own,
		   struct inet_end *out)
{
	int err;

	if (i->s.family == AF_INET)
		err = parse4(i, a, own, out);
	else if (!own && i->s.type != SOCK_STREAM && a->length >= sizeof(u16) &&
		 a->family == AF_INET)
		err = parse4(i, a, own, out);
	else
		err = parse6(i, a, own, out);
	if (!err && !own && inet_is_any(&out->address)) {
		bool four = inet_is4(&out->address) || inet_is4(&i->port.local.address);

		out->address = four ? inet_address4(INADDR_LOOPBACK)
				    : (struct inet_address){ .bytes = { [15] = 1 } };
	}
	return err;
}

static bool capable(u32 capability)
{
	return cred_capable(cred_current(), capability);
}

int inet_bind_check(const struct inet_socket *i, const struct inet_end *e)
{
	const struct inet_address *a = &e->address;

	if (!inet_is_any(a) && !inet_is_local(a)) {
		if (inet_is_multicast(a)) {
			if (i->s.type == SOCK_STREAM)
				return inet_is4(a) ? -EADDRNOTAVAIL : -EINVAL;
		} else if (!inet_is_broadcast(a) && !inet_flag(i, INET_FREEBIND) &&
			   !inet_flag(i, INET_TRANSPARENT)) {
			return -EADDRNOTAVAIL;
		}
	}
	if (inet_is_link_local6(a) && !e->scope)
		return -EINVAL;
	if (e->port && e->port < load_relaxed(&port_unprivileged) && !capable(CAP_NET_BIND_SERVICE))
		return -EACCES;
	return 0;
}

int inet_getname(struct socket *s, bool peer, struct socket_address *out)
{
	struct inet_socket *i = inet_of(s);
	const struct inet_end *e = peer ? &i->port.remote : &i->port.local;

	if (peer && !e->port)
		return -ENOTCONN;
	inet_to_sockaddr(e, s->family, out);
	return 0;
}

/* --- the families --- */

static struct socket *create(u32 family, u32 type, u32 protocol)
{
	u32 icmp = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	if (protocol > 255)
		return ERR_PTR(-EINVAL);
	switch (type) {
	case SOCK_STREAM:
		if (protocol && protocol != IPPROTO_TCP)
			return ERR_PTR(-EPROTONOSUPPORT);
		return tcp_create(family);
	case SOCK_DGRAM:
		if (protocol == icmp)
			return raw_create(family, type, protocol);
		if (protocol && protocol != IPPROTO_UDP)
			return ERR_PTR(-EPROTONOSUPPORT);
		return udp_create(family);
	case SOCK_RAW:
		if (!protocol)
			return ERR_PTR(-EPROTONOSUPPORT);
		if (!capable(CAP_NET_RAW))
			return ERR_PTR(-EPERM);
		return raw_create(family, type, protocol);
	default:
		return ERR_PTR(-ESOCKTNOSUPPORT);
	}
}

static struct socket *create4(u32 type, u32 protocol)
{
	return create(AF_INET, type, protocol);
}

static struct socket *create6(u32 type, u32 protocol)
{
	return create(AF_INET6, type, protocol);
}

void inet_init(void)
{
	static const struct socket_family four = { .family = AF_INET, .create = create4 };
	static const struct socket_family six = { .family = AF_INET6, .create = create6 };

	tcp_sockets_init();
	udp_sockets_init();
	socket_register_family(&four);
	socket_register_family(&six);
	socket_register_family(&netlink_family);
}
