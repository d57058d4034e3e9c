/* netlink.h - the family AF_NETLINK (netlink.c). */
#ifndef NET_INET_NETLINK_H
#define NET_INET_NETLINK_H

#include "net/socket.h"

#define SOL_NETLINK 270

extern const struct socket_family netlink_family;

#endif
