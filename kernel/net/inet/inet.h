/*
 * inet.h - what others may know of AF_INET and AF_INET6: for /proc/net and /proc/sys/net.
 */
#ifndef NET_INET_INET_H
#define NET_INET_INET_H

#include "lib/types.h"

struct inet_socket_info {
	u32 family;
	u32 local[4], remote[4]; /* as IPv6 addresses, network order */
	u16 local_port, remote_port;
	u32 state;              /* Linux's number of it */
	u64 sending, receiving; /* bytes */
	u64 time_left_ns;       /* of one that only keeps its port */
	bool kept;              /* ... it is one */
	u32 uid, references, dropped;
	u64 ino;
};
/* Calls fn for each socket that has a port, of UDP or of TCP, under a spinlock. */
void inet_for_each(bool udp, void (*fn)(const struct inet_socket_info *i, void *arg), void *arg);
u32 inet_kept_ports(void);

struct inet_interface_info {
	u32 index;
	char name[16];
	u64 received, received_bytes, received_dropped;
	u64 sent, sent_bytes, sent_dropped;
	u32 naddress6;
	struct {
		u8 bytes[16];
		u32 prefix, scope; /* RT_SCOPE_* */
	} address6[2];
	bool gateway;                  /* it leads out: by the router `gateway4` */
	u32 gateway4, address4, mask4; /* host order */
	u32 flags, mtu;                /* IFF_* */
};
/* Interfaces have the numbers 1, 2... False: there is no such. May sleep. */
bool inet_interface(u32 index, struct inet_interface_info *out);

/* net.ipv4.ip_local_port_range and ip_unprivileged_port_start. False: no such range. */
void inet_port_range(u32 *first, u32 *last);
bool inet_set_port_range(u32 first, u32 last);
u32 inet_unprivileged_port(void);
bool inet_set_unprivileged_port(u32 port);

#endif
