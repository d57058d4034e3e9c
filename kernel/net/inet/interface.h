/*
 * interface.h - the network interfaces as programs see them: lo, and eth0 where there is a device.
 */
#ifndef NET_INET_INTERFACE_H
#define NET_INET_INTERFACE_H

#include "net/inet/inet_priv.h"

/* <linux/if.h> leaves this one to the C library. */
struct sockaddr {
	u16 sa_family;
	char sa_data[14];
};
#include <linux/if.h>

struct interface {
	u32 index;
	char name[16];
	u32 flags; /* IFF_* */
	u32 mtu;
	u8 mac[6];
	u32 address4; /* host order */
	u32 prefix4;
	u32 naddress6;
	struct {
		struct inet_address address;
		u32 prefix, scope; /* scope: RT_SCOPE_* */
	} address6[2];
};

/* False: there is none. They have the indices 1, 2 in a row. */
bool interface_by_index(u32 index, struct interface *out);
bool interface_by_name(const char *name, struct interface *out);

#endif
