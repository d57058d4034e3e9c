/*
 * stack.h - TCP/IP to other machines: lwIP, its lock, its thread and its interfaces.
 *
 * lwIP runs under one lock, in whoever calls it and in a thread of its own that takes what the
 * network device receives and drives lwIP's timers. The thread, the device and all the rest start
 * when the first socket asks for them (stack_start).
 */
#ifndef NET_LWIP_STACK_H
#define NET_LWIP_STACK_H

#include "lib/types.h"

struct netif;
struct ip_addr;

/* Start, if it was not tried yet. False: there is no network device, but loopback works. May sleep. */
bool stack_start(void);
/* Whether there is a network beside loopback. */
bool stack_online(void);

/*
 * Around each use of lwIP; what was sent meanwhile goes to the device at the end. Sleeps; RANK_INET.
 * lwIP's callbacks run under it, in any thread.
 */
void stack_lock(void);
void stack_unlock(void);

/* The interface to the network (NULL: none) and loopback. */
struct netif *stack_network(void);
struct netif *stack_loopback(void);

/* Linux's index and name of the interfaces. */
#define INTERFACE_LOOPBACK 1u
#define INTERFACE_NETWORK 2u

/* QEMU's user network: the addresses that it gives a guest, and its own. */
#define NETWORK_ADDRESS4 0x0a00020fu /* 10.0.2.15 */
#define NETWORK_GATEWAY4 0x0a000202u
#define NETWORK_PREFIX4 24
#define NETWORK_PREFIX6 64
#define NETWORK_MTU 1500
#define LOOPBACK_MTU 65536

#endif
