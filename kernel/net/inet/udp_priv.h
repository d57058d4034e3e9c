/* udp_priv.h - UDP sockets, as the files of UDP know them. */
#ifndef NET_INET_UDP_PRIV_H
#define NET_INET_UDP_PRIV_H

#include "lib/string.h"
#include "net/inet/datagram.h"

struct udp_socket {
	struct inet_socket inet;
	struct datagram_queue queue;
	struct mutex cork_lock;  /* RANK_SOCKET_READ: guards K */
	struct list cork;        /* K: what was sent with MSG_MORE */
	u32 cork_length;         /* K */
	u64 cork_charge;         /* K */
	bool corked;             /* K, read without: there is such a datagram */
	struct inet_end cork_to; /* K */
	bool cork_option;        /* A: UDP_CORK */
};

static inline struct udp_socket *udp_of(struct socket *s)
{
	return container_of(s, struct udp_socket, inet.s);
}

/*
 * udp.c: a datagram for a port of this machine. False: nobody has it, and the buffers stay the
 * caller's. No lock held but lwIP's.
 */
bool udp_deliver(struct list *buffers, u32 n, u64 charge, const struct datagram_way *w);
/* One for a group, or for all: to each a copy; the buffers stay the caller's. */
void udp_deliver_group(const struct list *buffers, u32 n, const struct datagram_way *w);

/* udp_remote.c */
void udp_hear_remote(void); /* from now on datagrams from other machines are delivered */
int udp_send_remote(const struct datagram_way *w, const struct list *buffers, u32 n);

#endif
