/* families.h - the families of sockets that there are; init.c registers them. */
#ifndef NET_FAMILIES_H
#define NET_FAMILIES_H

#include "net/socket.h"

extern const struct socket_family unix_family; /* unix.c */
#ifdef COPPICE_INET
void inet_init(void); /* inet/inet.c: AF_INET and AF_INET6; it registers them itself */
#endif

#endif
