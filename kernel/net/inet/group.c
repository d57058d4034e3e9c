/*
 * group.c - multicast groups: which sockets have joined which. Memberships are guarded by the lock
 * of UDP's port table; lwIP is told of those on the network, so that routers and others hear of it.
 */
#include "net/inet/group.h"

#include <linux/in.h>
#include <linux/in6.h>

#include <lwip/igmp.h>
#include <lwip/mld6.h>

#include "mm/slab.h"
#include "net/inet/convert.h"
#include "net/lwip/stack.h"

#define MEMBERSHIPS_MAX 20u /* of a socket: net.ipv4.igmp_max_memberships */

struct membership {
	struct list link;     /* in inet_socket.memberships */
	struct list all_link; /* in all */
	struct inet_address group;
	u32 interface;
};

static struct list all = LIST_INIT(all);

#define group_lock() spin_lock(&udp_ports.lock)
#define group_unlock() spin_unlock(&udp_ports.lock)

bool group_interface_exists(u32 index)
{
	return index == INTERFACE_LOOPBACK || (index == INTERFACE_NETWORK && stack_start());
}

/* lwIP counts joins itself. */
static void tell_lwip(const struct membership *m, bool join)
{
	ip_addr_t group;
	struct netif *n;

	if (m->interface != INTERFACE_NETWORK)
		return;
	inet_to_lwip(&m->group, &group);
	stack_lock();
	n = stack_network();
	if (IP_IS_V4(&group)) {
		if (join)
			igmp_joingroup_netif(n, ip_2_ip4(&group));
		else
			igmp_leavegroup_netif(n, ip_2_ip4(&group));
	} else {
		ip6_addr_assign_zone(ip_2_ip6(&group), IP6_MULTICAST, n);
		if (join)
			mld6_joingroup_netif(n, ip_2_ip6(&group));
		else
			mld6_leavegroup_netif(n, ip_2_ip6(&group));
	}
	stack_unlock();
}

static struct membership *find(struct inet_socket *i, const struct membership *like, u32 *count)
{
	struct membership *m, *found = NULL;

	*count = 0;
	list_for_each (m, &i->memberships, link) {
		++*count;
		if (inet_equal(&m->group, &like->group) &&
		    (!like->interface || m->interface == like->interface))
			found = m;
	}
	return found;
}

static int join(struct inet_socket *i, const struct membership *like)
{
	struct membership *m = kmalloc(sizeof(*m));
	u32 count;
	int err = 0;

	if (!m)
		return -ENOMEM;
	*m = *like;
	group_lock();
	if (find(i, m, &count))
		err = -EADDRINUSE;
	else if (count >= MEMBERSHIPS_MAX && inet_is4(&m->group))
		err = -ENOBUFS;
	if (!err) {
		list_push_back(&i->memberships, &m->link);
		list_push_back(&all, &m->all_link);
	}
	group_unlock();
	if (err)
		kfree(m);
	else
		tell_lwip(like, true);
	return err;
}

static int leave(struct inet_socket *i, const struct membership *like)
{
	struct membership *m;
	u32 count;

	group_lock();
	m = find(i, like, &count);
	if (m) {
		list_remove(&m->link);
		list_remove(&m->all_link);
	}
	group_unlock();
	if (!m)
		return -EADDRNOTAVAIL;
	tell_lwip(m, false);
	kfree(m);
	return 0;
}

void group_leave_all(struct inet_socket *i)
{
	struct membership *m;

	for (;;) {
		group_lock();
		m = list_first(&i->memberships, struct membership, link);
		if (m) {
			list_remove(&m->link);
			list_remove(&m->all_link);
		}
		group_unlock();
		if (!m)
			return;
		tell_lwip(m, false);
		kfree(m);
	}
}

bool group_joined(struct inet_socket *i, const struct inet_address *group)
{
	struct membership *m;

	list_for_each (m, &i->memberships, link)
		if (inet_equal(&m->group, group))
			return true;
	if (inet_flag(i, INET_MULTICAST_ALL_OFF) || !inet_is4(group))
		return false;
	list_for_each (m, &all, all_link)
		if (inet_equal(&m->group, group))
			return true;
	return false;
}

/* --- as programs ask --- */

static int parse4(const void *value, u32 length, struct membership *out)
{
	struct ip_mreqn r = { 0 };
	struct inet_address own;

	if (length < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&r, value, min(length, (u32)sizeof(r)));
	out->group = inet_address4(__builtin_bswap32(r.imr_multiaddr.s_addr));
	out->interface = (u32)r.imr_ifindex;
	if (!out->interface && r.imr_address.s_addr) {
		own = inet_address4(__builtin_bswap32(r.imr_address.s_addr));
		if (!inet_is_local(&own))
			return -ENODEV;
		out->interface = inet_is_loopback(&own) ? INTERFACE_LOOPBACK : INTERFACE_NETWORK;
	}
	return 0;
}

static int parse6(const void *value, u32 length, struct membership *out)
{
	struct ipv6_mreq r;

	if (length < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	memcpy(&out->group, &r.ipv6mr_multiaddr, sizeof(out->group));
	out->interface = (u32)r.ipv6mr_ifindex;
	return inet_is4(&out->group) ? -EINVAL : 0;
}

/* struct group_req: the interface, and a sockaddr of either family in 128 bytes */
static int parse_any(const void *value, u32 length, struct membership *out)
{
	struct {
		u32 interface, unused;
		struct socket_address_bytes {
			u16 family;
			u8 bytes[SOCKET_ADDRESS_MAX - sizeof(u16)];
		} group;
	} r;

	if (length < sizeof(r))
		return -EINVAL;
	memcpy(&r, value, sizeof(r));
	out->interface = r.interface;
	if (r.group.family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, &r.group, sizeof(in));
		out->group = inet_address4(__builtin_bswap32(in.sin_addr.s_addr));
	} else if (r.group.family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, &r.group, sizeof(in6));
		memcpy(&out->group, &in6.sin6_addr, sizeof(out->group));
	} else {
		return -EADDRNOTAVAIL;
	}
	return 0;
}

int group_option(struct inet_socket *i, s32 level, s32 name, const void *value, u32 length)
{
	struct membership m = { .interface = 0 };
	bool joining =
		name == MCAST_JOIN_GROUP ||
		(level == IPPROTO_IP ? name == IP_ADD_MEMBERSHIP : name == IPV6_ADD_MEMBERSHIP);
	int err;

	if (i->s.type == SOCK_STREAM)
		return -EPROTO;
	if (name == MCAST_JOIN_GROUP || name == MCAST_LEAVE_GROUP)
		err = parse_any(value, length, &m);
	else
		err = level == IPPROTO_IP ? parse4(value, length, &m) : parse6(value, length, &m);
	if (err)
		return err;
	if (!inet_is_multicast(&m.group))
		return -EINVAL;
	if (m.interface && !group_interface_exists(m.interface))
		return -ENODEV;
	if (!joining)
		return leave(i, &m);
	if (!m.interface)
		m.interface = stack_start() ? INTERFACE_NETWORK : INTERFACE_LOOPBACK;
	return join(i, &m);
}
