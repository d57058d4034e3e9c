/*
 * tcp_priv.h - TCP sockets, as the files of TCP know them.
 *
 * A connection between two sockets of this machine is two streams (net/stream.h) and two states
 * that change together, under the lock of the port table (tcp_local.c); no packets are made. One to
 * another machine is a connection of lwIP's, from whose callbacks its state changes
 * (tcp_remote.c). A listener hands out both kinds.
 */
#ifndef NET_INET_TCP_PRIV_H
#define NET_INET_TCP_PRIV_H

#include "net/inet/inet_priv.h"
#include "net/stream.h"

struct tcp_pcb;

/* net.ipv4.tcp_rmem and tcp_wmem: of a new socket; and what a connection may have without being asked. */
#define TCP_RECEIVE_DEFAULT 131072
#define TCP_SEND_DEFAULT 16384
#define TCP_SEND_CONNECTED 2626560

/* Linux's numbers, which programs see in TCP_INFO and /proc/net/tcp. */
enum tcp_state_number {
	TCP_ESTABLISHED_STATE = 1,
	TCP_SYN_SENT_STATE,
	TCP_SYN_RECV_STATE,
	TCP_FIN_WAIT1_STATE,
	TCP_FIN_WAIT2_STATE,
	TCP_TIME_WAIT_STATE,
	TCP_CLOSE_STATE,
	TCP_CLOSE_WAIT_STATE,
	TCP_LAST_ACK_STATE,
	TCP_LISTEN_STATE,
};

/* What connect(2) says when it is called again. */
enum tcp_attempt {
	ATTEMPT_NONE,
	ATTEMPT_GOES_ON, /* a connection was begun, and nobody has been told how it went */
	ATTEMPT_DONE,    /* ... and it was told that it worked */
};

struct tcp_options {
	s32 nodelay, cork, quickack;                 /* A */
	s32 keep_idle, keep_interval, keep_count;    /* A: seconds, seconds, probes */
	s32 syn_count, linger2, defer_accept;        /* A */
	s32 window_clamp, user_timeout, max_segment; /* A */
	s32 fastopen, fastopen_connect, notsent_low, save_syn;
};

/*
 * T: the lock of the port table; M: the lock of lwIP; P: socket.lock; A: atomic; C: constant.
 */
struct tcp_socket {
	struct inet_socket inet;
	struct tcp_options options;
	struct stream in;
	u32 state;   /* T, read without: enum tcp_state_number */
	u32 attempt; /* A: enum tcp_attempt */
	bool orphan; /* T, read without: no file any more */
	bool reset;  /* T: ended by a reset, not by both sides */

	/* A local connection. */
	struct tcp_socket *peer; /* P: counted; NULL: none */
	bool arrived;            /* A: in the queue of a listener, or taken from it */

	/* A listener. */
	struct list queue;   /* T: connections to accept: link */
	struct list waiting; /* T: sockets that the queue has no room for: link; counted */
	struct list held;    /* T: connections of lwIP's that it has no room for: link */
	u32 queued, backlog; /* T, queued read without */
	struct remote_listener *remote_listener; /* M */
	struct list link;                        /* T */
	struct tcp_socket *listener;             /* T: in whose `waiting` it is; borrowed */

	/* A connection to another machine. */
	struct tcp_pcb *pcb; /* M; it has a reference to this socket */
	bool remote;         /* A: it is, or was one */
	u64 delivered;       /* M: bytes that lwIP has given us */
	u64 acknowledged;    /* M: ... of which it was told that there is room again */
	u32 room;            /* A: bytes that lwIP takes just now */
};

static inline struct tcp_socket *tcp_of(struct socket *s)
{
	return container_of(s, struct tcp_socket, inet.s);
}
static inline u32 tcp_state(const struct tcp_socket *t)
{
	return load_acquire(&t->state);
}
#define tcp_lock() spin_lock(&tcp_ports.lock)
#define tcp_unlock() spin_unlock(&tcp_ports.lock)

extern const struct socket_ops tcp_ops; /* tcp.c */

/* tcp.c */
struct tcp_socket *tcp_socket_new(u32 family);
/* A connection that came to listener l: its options are l's, its ends are given. NULL: no memory */
struct tcp_socket *tcp_child(struct tcp_socket *l, const struct inet_end *local,
			     const struct inet_end *remote);
/* Into l's queue, if it listens and has room: false: not. T held; then wake l's receivers. */
bool tcp_enqueue(struct tcp_socket *l, struct tcp_socket *child);
bool tcp_queue_full(const struct tcp_socket *l); /* T held */
/* t's connection has ended (T held): nothing more goes in or out; who waits is to be woken. */
void tcp_ended(struct tcp_socket *t, s32 error);
/* Connected: a socket whose SO_SNDBUF was left alone may send more at a time. */
void tcp_grow_buffers(struct tcp_socket *t);
/* Free what nobody has received. True: there was something. */
bool tcp_drop_data(struct tcp_socket *t);

struct tcp_socket *tcp_peer(struct tcp_socket *t); /* counted, or NULL */
/* takes over the reference */
void tcp_peer_set(struct tcp_socket *t, struct tcp_socket *peer);

/* t connects to nowhere after all: it has the name that bind gave it, or none. */
void tcp_attempt_undo(struct tcp_socket *t);

/* tcp_local.c */
/* 0: connected; -EINPROGRESS: the listener has no room yet; -ECONNREFUSED, -EADDRNOTAVAIL, -ENOMEM */
int tcp_connect_local(struct tcp_socket *t, const struct inet_end *to);
/* No file leads to t any more: it says goodbye, or (abort) breaks off. */
void tcp_leave(struct tcp_socket *t, bool abort);
/* l has room again, or has gone: those that wait for it. */
void tcp_admit_waiting(struct tcp_socket *l);
void tcp_local_finish(struct tcp_socket *t); /* t says that it sends nothing more */
void tcp_local_reset(struct tcp_socket *t);  /* t breaks the connection off */
/* t is told that nobody is at the other end any more. False: it was told before. */
bool tcp_local_lost(struct tcp_socket *t);
void tcp_stop_waiting(struct tcp_socket *t); /* t gives its attempt up */

/* tcp_io.c */
ssize tcp_sendmsg(struct socket *s, struct message *m, u32 flags);
ssize tcp_recvmsg(struct socket *s, struct message *m, u32 flags);

/* tcp_option.c */
void tcp_options_init(struct tcp_options *o);
int tcp_setsockopt(struct socket *s, s32 level, s32 name, const void *value, u32 length);
int tcp_getsockopt(struct socket *s, s32 level, s32 name, void *value, u32 *length);
long tcp_ioctl(struct socket *s, u32 request, u64 arg);

/* tcp_remote.c */
int tcp_connect_remote(struct tcp_socket *t, const struct inet_end *to);
void tcp_listen_remote(struct tcp_socket *t); /* be heard from other machines, too */
/* A connection that was held has come into the queue. */
void tcp_admitted_remote(struct tcp_socket *t);
void tcp_unlisten_remote(struct tcp_socket *t);
ssize tcp_send_remote(struct tcp_socket *t, struct iter *it, u64 deadline, u32 flags);
/* Some data were received: tell lwIP that there is room. */
void tcp_received_remote(struct tcp_socket *t);
void tcp_finish_remote(struct tcp_socket *t);
void tcp_close_remote(struct tcp_socket *t, bool abort);
void tcp_options_remote(struct tcp_socket *t); /* they have changed */
u64 tcp_unsent_remote(struct tcp_socket *t);   /* bytes that nobody has acknowledged */
struct tcp_info;
void tcp_info_remote(struct tcp_socket *t, struct tcp_info *info);

#endif
