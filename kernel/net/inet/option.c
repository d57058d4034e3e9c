/*
 * option.c - the options of levels IPPROTO_IP and IPPROTO_IPV6: ip(7), ipv6(7).
 *
 * Options that are on or off are bits, found by name in a table; the others have a case each.
 */
#include <linux/capability.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>

#include "lib/string.h"
#include "net/inet/group.h"
#include "net/inet/inet_priv.h"
#include "net/lwip/stack.h"
#include "proc/proc.h"

#define TTL_DEFAULT 64
#define IPV6_PMTU_CACHE_MTU 65536 /* what loopback lets through */

struct flag_name {
	u8 name;
	u8 flag; /* enum inet_flag */
	bool privileged;
	bool inverted; /* the flag says that the option is off */
};

static const struct flag_name ip_flags[] = {
	{ IP_FREEBIND, INET_FREEBIND },
	{ IP_TRANSPARENT, INET_TRANSPARENT, .privileged = true },
	{ IP_PKTINFO, INET_PKTINFO },
	{ IP_RECVTTL, INET_RECVTTL },
	{ IP_RECVTOS, INET_RECVTOS },
	{ IP_RECVERR, INET_RECVERR },
	{ IP_RECVORIGDSTADDR, INET_ORIGDSTADDR },
	{ IP_BIND_ADDRESS_NO_PORT, INET_BIND_NO_PORT },
	{ IP_NODEFRAG, INET_NODEFRAG },
	{ IP_MULTICAST_LOOP, INET_MULTICAST_OFF, .inverted = true },
	{ IP_MULTICAST_ALL, INET_MULTICAST_ALL_OFF, .inverted = true },
};

static const struct flag_name ipv6_flags[] = {
	{ IPV6_RECVPKTINFO, INET_RECVPKTINFO6 },
	{ IPV6_RECVHOPLIMIT, INET_RECVHOPLIMIT6 },
	{ IPV6_RECVTCLASS, INET_RECVTCLASS6 },
	{ IPV6_RECVERR, INET_RECVERR6 },
	{ IPV6_MULTICAST_LOOP, INET_MULTICAST_OFF6, .inverted = true },
	{ IPV6_AUTOFLOWLABEL, INET_AUTOFLOWLABEL6 },
	{ IPV6_FREEBIND, INET_FREEBIND },
	{ IPV6_TRANSPARENT, INET_TRANSPARENT, .privileged = true },
};

/* --- values --- */

int option_number(const void *value, u32 length, s32 *out)
{
	if (length >= sizeof(*out)) {
		memcpy(out, value, sizeof(*out));
		return 0;
	}
	if (length == 0)
		return -EINVAL;
	*out = *(const u8 *)value;
	return 0;
}

int option_give_bytes(void *value, u32 *length, const void *from, u32 n)
{
	*length = min(*length, n);
	memcpy(value, from, *length);
	return 0;
}

int option_give(void *value, u32 *length, s32 number)
{
	return option_give_bytes(value, length, &number, sizeof(number));
}

/* Of level IPPROTO_IP: whoever has room for less than a number gets a byte. */
static int give_short(void *value, u32 *length, s32 number)
{
	if (*length > 0 && *length < sizeof(number) && number >= 0 && number <= 255) {
		*(u8 *)value = (u8)number;
		*length = 1;
		return 0;
	}
	return option_give(value, length, number);
}

static const struct flag_name *flag_find(const struct flag_name *table, u32 n, s32 name)
{
	for (u32 i = 0; i < n; i++)
		if (table[i].name == name)
			return &table[i];
	return NULL;
}

static int flag_set(struct inet_socket *i, const struct flag_name *f, bool on)
{
	u32 bit = 1u << f->flag;

	if (f->privileged && on && !cred_capable(cred_current(), CAP_NET_ADMIN) &&
	    !cred_capable(cred_current(), CAP_NET_RAW))
		return -EPERM;
	if (on != f->inverted)
		atomic_or(&i->flags, bit);
	else
		atomic_and(&i->flags, ~bit);
	return 0;
}

static bool flag_value(const struct inet_socket *i, const struct flag_name *f)
{
	return inet_flag(i, f->flag) != f->inverted;
}

/* *to = v if it is in the range; -1 means the default, `normal`. */
static int set_range(s32 *to, s32 v, s32 lowest, s32 highest, s32 normal)
{
	if (v == -1)
		v = normal;
	else if (v < lowest || v > highest)
		return -EINVAL;
	store_relaxed(to, v);
	return 0;
}

/* --- IPPROTO_IP --- */

static int set_multicast_interface4(struct inet_socket *i, const void *value, u32 length)
{
	struct ip_mreqn r = { 0 };

	if (i->s.type == SOCK_STREAM)
		return -EINVAL;
	if (length < sizeof(struct in_addr))
		return -EINVAL;
	if (length >= sizeof(r))
		memcpy(&r, value, sizeof(r));
	else if (length >= sizeof(struct ip_mreq))
		memcpy(&r, value, sizeof(struct ip_mreq));
	else
		memcpy(&r.imr_address, value, sizeof(r.imr_address));
	if (!r.imr_ifindex && r.imr_address.s_addr) {
		struct inet_address a = inet_address4(__builtin_bswap32(r.imr_address.s_addr));

		if (!inet_is_local(&a))
			return -EADDRNOTAVAIL;
		r.imr_ifindex = inet_is_loopback(&a) ? INTERFACE_LOOPBACK : INTERFACE_NETWORK;
	}
	if (r.imr_ifindex && !group_interface_exists((u32)r.imr_ifindex))
		return -EADDRNOTAVAIL;
	store_relaxed(&i->multicast_interface, (u32)r.imr_ifindex);
	return 0;
}

static int set4(struct inet_socket *i, s32 name, const void *value, u32 length)
{
	const struct flag_name *f = flag_find(ip_flags, ARRAY_SIZE(ip_flags), name);
	s32 v = 0;

	switch (name) {
	case IP_ADD_MEMBERSHIP:
	case IP_DROP_MEMBERSHIP:
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return group_option(i, IPPROTO_IP, name, value, length);
	case IP_MULTICAST_IF:
		return set_multicast_interface4(i, value, length);
	case IP_OPTIONS:
		return length ? -EINVAL : 0; /* no options are sent */
	}
	if (option_number(value, length, &v))
		v = 0;
	if (f)
		return flag_set(i, f, v != 0);
	switch (name) {
	case IP_TOS:
		store_relaxed(&i->tos, (u32)v & 0xff);
		return 0;
	case IP_TTL:
		if (length < 1 || (v != -1 && (v < 1 || v > 255)))
			return -EINVAL;
		store_relaxed(&i->ttl, v);
		return 0;
	case IP_MULTICAST_TTL:
		if (i->s.type == SOCK_STREAM || length < 1)
			return -EINVAL;
		return set_range(&i->multicast_ttl, v, 0, 255, 1);
	case IP_MTU_DISCOVER:
		if (v < IP_PMTUDISC_DONT || v > IP_PMTUDISC_OMIT)
			return -EINVAL;
		store_relaxed(&i->mtu_discover, (u32)v);
		return 0;
	case IP_HDRINCL:
		if (i->s.type != SOCK_RAW)
			return -ENOPROTOOPT;
		return flag_set(i, &(struct flag_name){ IP_HDRINCL, INET_HDRINCL }, v != 0);
	case IP_MINTTL:
		return v < 0 || v > 255 ? -EINVAL : 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* The largest packet on the way to where the socket is connected to. */
static int give_mtu(struct inet_socket *i, void *value, u32 *length)
{
	if (!i->port.remote.port)
		return -ENOTCONN;
	return option_give(value, length,
			   inet_is_local(&i->port.remote.address) ? LOOPBACK_MTU : NETWORK_MTU);
}

static int get4(struct inet_socket *i, s32 name, void *value, u32 *length)
{
	const struct flag_name *f = flag_find(ip_flags, ARRAY_SIZE(ip_flags), name);
	s32 v;

	if (f)
		return give_short(value, length, flag_value(i, f));
	switch (name) {
	case IP_TOS:
		return give_short(value, length, (s32)load_relaxed(&i->tos));
	case IP_TTL:
		v = load_relaxed(&i->ttl);
		return give_short(value, length, v < 0 ? TTL_DEFAULT : v);
	case IP_MULTICAST_TTL:
		return give_short(value, length, load_relaxed(&i->multicast_ttl));
	case IP_MTU_DISCOVER:
		return give_short(value, length, (s32)load_relaxed(&i->mtu_discover));
	case IP_HDRINCL:
		return give_short(value, length, inet_flag(i, INET_HDRINCL));
	case IP_MINTTL:
		return give_short(value, length, 0);
	case IP_OPTIONS:
		*length = 0;
		return 0;
	case IP_MTU:
		return give_mtu(i, value, length);
	case IP_MULTICAST_IF:
		return option_give_bytes(value, length, &(u32){ 0 }, sizeof(u32));
	default:
		return -ENOPROTOOPT;
	}
}

/* --- IPPROTO_IPV6 --- */

static int set_v6only(struct inet_socket *i, bool on)
{
	if (i->port.local.port)
		return -EINVAL;
	store_relaxed(&i->port.v6only, on);
	return flag_set(i, &(struct flag_name){ IPV6_V6ONLY, INET_V6ONLY }, on);
}

static int set6(struct inet_socket *i, s32 name, const void *value, u32 length)
{
	const struct flag_name *f = flag_find(ipv6_flags, ARRAY_SIZE(ipv6_flags), name);
	s32 v;

	switch (name) {
	case IPV6_ADD_MEMBERSHIP:
	case IPV6_DROP_MEMBERSHIP:
	case MCAST_JOIN_GROUP:
	case MCAST_LEAVE_GROUP:
		return group_option(i, IPPROTO_IPV6, name, value, length);
	}
	if (length < sizeof(v))
		return -EINVAL;
	memcpy(&v, value, sizeof(v));
	if (f)
		return flag_set(i, f, v != 0);
	switch (name) {
	case IPV6_V6ONLY:
		return set_v6only(i, v != 0);
	case IPV6_UNICAST_HOPS:
		return set_range(&i->hops6, v, 0, 255, -1);
	case IPV6_MULTICAST_HOPS:
		if (i->s.type == SOCK_STREAM)
			return -ENOPROTOOPT;
		return set_range(&i->multicast_hops6, v, 0, 255, 1);
	case IPV6_MULTICAST_IF:
		if (i->s.type == SOCK_STREAM)
			return -ENOPROTOOPT;
		if (v && !group_interface_exists((u32)v))
			return -ENODEV;
		store_relaxed(&i->multicast_interface, (u32)v);
		return 0;
	case IPV6_TCLASS:
		return set_range((s32 *)&i->class6, v, 0, 255, 0);
	case IPV6_MTU_DISCOVER:
		if (v < IPV6_PMTUDISC_DONT || v > IPV6_PMTUDISC_OMIT)
			return -EINVAL;
		store_relaxed(&i->mtu_discover6, (u32)v);
		return 0;
	case IPV6_MTU:
		return v && v < IPV6_MIN_MTU ? -EINVAL : 0;
	case IPV6_DONTFRAG:
	case IPV6_ADDR_PREFERENCES:
		return 0; /* there is nothing to choose from */
	default:
		return -ENOPROTOOPT;
	}
}

static int get6(struct inet_socket *i, s32 name, void *value, u32 *length)
{
	const struct flag_name *f = flag_find(ipv6_flags, ARRAY_SIZE(ipv6_flags), name);
	s32 v;

	if (f)
		return option_give(value, length, flag_value(i, f));
	switch (name) {
	case IPV6_V6ONLY:
		return option_give(value, length, inet_flag(i, INET_V6ONLY));
	case IPV6_UNICAST_HOPS:
		v = load_relaxed(&i->hops6);
		return option_give(value, length, v < 0 ? TTL_DEFAULT : v);
	case IPV6_MULTICAST_HOPS:
		return option_give(value, length, load_relaxed(&i->multicast_hops6));
	case IPV6_MULTICAST_IF:
		return option_give(value, length, (s32)load_relaxed(&i->multicast_interface));
	case IPV6_TCLASS:
		return option_give(value, length, (s32)load_relaxed(&i->class6));
	case IPV6_MTU_DISCOVER:
		return option_give(value, length, (s32)load_relaxed(&i->mtu_discover6));
	case IPV6_MTU:
		return give_mtu(i, value, length);
	case IPV6_DONTFRAG:
	case IPV6_ADDR_PREFERENCES:
		return option_give(value, length, 0);
	default:
		return -ENOPROTOOPT;
	}
}

int inet_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length)
{
	if (level == IPPROTO_IP)
		return set4(inet_of(s), name, value, length);
	if (level == IPPROTO_IPV6 && s->family == AF_INET6)
		return set6(inet_of(s), name, value, length);
	return -ENOPROTOOPT;
}

int inet_getsockopt(struct socket *s, s32 level, s32 name, void *value, u32 *length)
{
	if (level == IPPROTO_IP)
		return get4(inet_of(s), name, value, length);
	if (level == IPPROTO_IPV6 && s->family == AF_INET6)
		return get6(inet_of(s), name, value, length);
	return -ENOPROTOOPT;
}
