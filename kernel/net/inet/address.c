/*
 * address.c - IP addresses: which are whose, and as programs write them.
 *
 * The routes are few and fixed: loopback, the user network's own prefix, and its router for the
 * rest (net/lwip/stack.c).
 */
#include <linux/in.h>
#include <linux/in6.h>

#include <lwip/netif.h>

#include "lib/string.h"
#include "net/inet/inet_priv.h"
#include "net/lwip/stack.h"

static u32 swap32(u32 v)
{
	return __builtin_bswap32(v);
}

struct inet_address inet_address4(u32 host_order)
{
	return (struct inet_address){ .words = { 0, 0, 0xffff0000u, swap32(host_order) } };
}

u32 inet_get4(const struct inet_address *a)
{
	return swap32(a->words[3]);
}

struct inet_address inet_wildcard(u32 family)
{
	return family == AF_INET ? inet_address4(INADDR_ANY) : (struct inet_address){ 0 };
}

bool inet_equal(const struct inet_address *a, const struct inet_address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool inet_is_any(const struct inet_address *a)
{
	return a->words[0] == 0 && a->words[1] == 0 && a->words[3] == 0 &&
	       (a->words[2] == 0 || a->words[2] == 0xffff0000u);
}

bool inet_is_loopback(const struct inet_address *a)
{
	if (inet_is4(a))
		return inet_get4(a) >> 24 == 127;
	return a->words[0] == 0 && a->words[1] == 0 && a->words[2] == 0 && a->words[3] == swap32(1);
}

bool inet_is_multicast(const struct inet_address *a)
{
	return inet_is4(a) ? inet_get4(a) >> 28 == 0xe : a->bytes[0] == 0xff;
}

bool inet_is_broadcast(const struct inet_address *a)
{
	u32 mask = ~0u << (32 - NETWORK_PREFIX4), v4 = inet_get4(a);

	return inet_is4(a) && (v4 == ~0u || v4 == (NETWORK_ADDRESS4 | ~mask) || v4 == 0x7fffffffu);
}

bool inet_is_link_local6(const struct inet_address *a)
{
	return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

struct inet_address inet_network6(u32 index)
{
	struct inet_address a = { 0 };
	struct netif *n = stack_network();

	if (n)
		memcpy(a.bytes, netif_ip6_addr(n, index)->addr, sizeof(a.bytes));
	return a;
}

bool inet_is_local(const struct inet_address *a)
{
	struct inet_address own;

	if (inet_is_loopback(a))
		return true;
	if (inet_is4(a))
		return inet_get4(a) == NETWORK_ADDRESS4 && stack_start();
	if (!stack_start())
		return false;
	for (u32 i = 0; i < 2; i++) {
		own = inet_network6(i);
		if (inet_equal(a, &own))
			return true;
	}
	return false;
}

struct inet_address inet_source_for(const struct inet_address *to)
{
	if (inet_is4(to)) {
		if (inet_is_loopback(to))
			return inet_address4(INADDR_LOOPBACK);
		return inet_address4(NETWORK_ADDRESS4);
	}
	if (inet_is_local(to))
		return *to;
	return inet_network6(inet_is_link_local6(to) || to->bytes[0] == 0xff ? 0 : 1);
}

void inet_to_sockaddr(const struct inet_end *e, u32 family, struct socket_address *out)
{
	memset(out, 0, sizeof(*out));
	out->family = (u16)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out->bytes;

		in->sin_port = __builtin_bswap16(e->port);
		in->sin_addr.s_addr = e->address.words[3];
		out->length = SOCKADDR_IN_SIZE;
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out->bytes;

		in6->sin6_port = __builtin_bswap16(e->port);
		memcpy(&in6->sin6_addr, &e->address, sizeof(e->address));
		in6->sin6_scope_id = inet_is_link_local6(&e->address) ? e->scope : 0;
		out->length = SOCKADDR_IN6_SIZE;
	}
}
