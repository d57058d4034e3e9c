/*
 * convert.h - our addresses as lwIP's, and back.
 */
#ifndef NET_INET_CONVERT_H
#define NET_INET_CONVERT_H

#include <lwip/ip_addr.h>
#include <lwip/netif.h>

#include "lib/string.h"
#include "net/inet/inet_priv.h"

static inline void inet_to_lwip(const struct inet_address *a, ip_addr_t *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_is4(a)) {
		IP_SET_TYPE(out, IPADDR_TYPE_V4);
		ip_2_ip4(out)->addr = a->words[3];
	} else {
		IP_SET_TYPE(out, IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(out)->addr, a->bytes, sizeof(a->bytes));
	}
}

/* A link-local address is that of the interface n. */
static inline void inet_set_zone(ip_addr_t *a, const struct netif *n)
{
	if (IP_IS_V6(a))
		ip6_addr_assign_zone(ip_2_ip6(a), IP6_UNKNOWN, n);
}

static inline void inet_from_lwip(const ip_addr_t *a, struct inet_address *out)
{
	if (IP_IS_V4(a))
		*out = (struct inet_address){ .words = { 0, 0, 0xffff0000u, ip_2_ip4(a)->addr } };
	else
		memcpy(out->bytes, ip_2_ip6(a)->addr, sizeof(out->bytes));
}

#endif
