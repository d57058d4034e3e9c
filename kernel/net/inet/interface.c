/*
 * interface.c - what there is to say of each interface; see net/lwip/stack.c for where the
 * addresses come from.
 */
#include "net/inet/interface.h"

#include <linux/in.h>
#include <linux/rtnetlink.h>

#include "dev/network.h"
#include "lib/string.h"
#include "net/lwip/stack.h"

#define UP (IFF_UP | IFF_RUNNING | IFF_LOWER_UP)

static void loopback(struct interface *out)
{
	*out = (struct interface){ .index = INTERFACE_LOOPBACK,
				   .name = "lo",
				   .flags = UP | IFF_LOOPBACK,
				   .mtu = LOOPBACK_MTU,
				   .address4 = INADDR_LOOPBACK,
				   .prefix4 = 8,
				   .naddress6 = 1 };
	out->address6[0].address.bytes[15] = 1;
	out->address6[0].prefix = 128;
	out->address6[0].scope = RT_SCOPE_HOST;
}

static void network(struct interface *out)
{
	*out = (struct interface){ .index = INTERFACE_NETWORK,
				   .name = "eth0",
				   .flags = UP | IFF_BROADCAST | IFF_MULTICAST,
				   .mtu = NETWORK_MTU,
				   .address4 = NETWORK_ADDRESS4,
				   .prefix4 = NETWORK_PREFIX4,
				   .naddress6 = 2 };
	network_address(out->mac);
	out->address6[0].address = inet_network6(1);
	out->address6[0].prefix = NETWORK_PREFIX6;
	out->address6[0].scope = RT_SCOPE_SITE;
	out->address6[1].address = inet_network6(0);
	out->address6[1].prefix = NETWORK_PREFIX6;
	out->address6[1].scope = RT_SCOPE_LINK;
}

bool interface_by_index(u32 index, struct interface *out)
{
	if (index == INTERFACE_LOOPBACK) {
		loopback(out);
		return true;
	}
	if (index != INTERFACE_NETWORK || !stack_start())
		return false;
	network(out);
	return true;
}

bool interface_by_name(const char *name, struct interface *out)
{
	for (u32 i = 1; interface_by_index(i, out); i++)
		if (strcmp(out->name, name) == 0)
			return true;
	return false;
}
