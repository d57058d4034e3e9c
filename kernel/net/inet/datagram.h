/*
 * datagram.h - datagrams that wait in a socket (UDP, raw): each with whom it is from and how it
 * came.
 */
#ifndef NET_INET_DATAGRAM_H
#define NET_INET_DATAGRAM_H

#include "net/buffer.h"
#include "net/inet/inet_priv.h"

/* How a datagram came. */
struct datagram_way {
	struct inet_end from, to;
	u32 interface;
	u8 ttl, tos;
};

struct datagram_queue {
	struct spinlock lock; /* RANK_SOCKET_QUEUE: guards Q */
	struct list list;     /* Q: struct datagram */
	u64 charge;           /* Q, read without */
	u32 count;            /* Q, read without */
	u32 dropped;          /* Q, read without: for want of room */
	bool closed;          /* Q: nobody will take anything */
};

void datagram_queue_init(struct datagram_queue *q);
/* The socket goes. */
void datagram_queue_close(struct datagram_queue *q);
/*
 * A datagram of n bytes for i: the buffers become its own, or are freed where it has no room. Any
 * context that may take the lock; then who receives is woken.
 */
void datagram_put(struct inet_socket *i, struct datagram_queue *q, struct list *buffers, u32 n,
		  u64 charge, const struct datagram_way *way);
/* recvmsg of sockets of datagrams. */
ssize datagram_receive(struct inet_socket *i, struct datagram_queue *q, struct message *m,
		       u32 flags);
u32 datagram_first_length(struct datagram_queue *q); /* FIONREAD; 0: none */
u32 datagram_poll(struct inet_socket *i, struct datagram_queue *q);
long datagram_ioctl(struct inet_socket *i, struct datagram_queue *q, u32 request, u64 arg);

/* What the ancillary data of a send ask for. */
struct datagram_choice {
	struct inet_address from; /* the wildcard: not given */
	u32 interface;
	s32 ttl, tos; /* -1: not given */
};
int datagram_choose(const struct inet_socket *i, const struct message *m,
		    struct datagram_choice *out);

#endif
