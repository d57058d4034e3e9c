/*
 * unix_priv.h - AF_UNIX: what its files share. unix.c has sockets and their operations, unix_name.c
 * their names, unix_connect.c connections, unix_stream.c and unix_packet.c data, unix_ancillary.c
 * what goes with them, unix_gc.c sockets that nobody but sockets on their way can reach.
 *
 * Locks: a socket's `lock` for its state and connections, two by address; then `unix_table_lock`,
 * one for all, for names and for what is on its way; then a socket's queue lock.
 */
#ifndef NET_UNIX_PRIV_H
#define NET_UNIX_PRIV_H

#include "net/socket.h"
#include "net/stream.h"
#include "net/unix.h"

#define UNIX_PATH_MAX_BYTES 108u /* of sockaddr_un.sun_path */
#define UNIX_PATH_OFFSET 2u      /* where it begins */
#define UNIX_FILES_MAX 253u      /* SCM_MAX_FD: files in one message */
#define UNIX_PACKETS_MAX 10u     /* net.unix.max_dgram_qlen: queued at most, and one more */

/* A socket's address, shared with the connections that a listening one takes. Constant. */
struct unix_name {
	struct refcount refs;
	u32 length;                                           /* of the address */
	u8 bytes[UNIX_PATH_OFFSET + UNIX_PATH_MAX_BYTES + 1]; /* a struct sockaddr_un */
};

enum unix_state { UNIX_CLOSED, UNIX_LISTENING, UNIX_CONNECTED };

/* One message, where their bounds count (datagrams, SOCK_SEQPACKET). */
struct unix_packet {
	struct list link;
	struct unix_socket *from; /* counted; its `sent` is charged */
	struct ancillary *ancillary;
	struct list buffers; /* struct net_buffer */
	size_t length;
	u64 charge;
	u64 time; /* realtime ns; 0: not taken */
};

/* Letters: L: lock; T: unix_table_lock; Q: queue_lock (of a stream: its own). */
struct unix_socket {
	struct socket s;
	u64 serial;           /* C: for /proc/net/unix */
	struct spinlock lock; /* RANK_SOCKET */
	u32 state;            /* L, read without: enum unix_state */
	bool dead;            /* L, read without: its file is gone, or it was never to get one */
	struct unix_socket *peer; /* L: counted */
	/* names */
	struct mutex bind;      /* RANK_SOCKET_BIND: one bind at a time */
	struct unix_name *name; /* T: counted; set once; NULL: none */
	struct path path;       /* T: where its name is in the file system; dentry NULL: nowhere */
	struct list name_link;  /* T: in the table of abstract names */
	struct list all_link;   /* T: in the list of all */
	/* a listening one */
	/* L and T (either to read): connections, by backlog_link, each counted */
	struct list backlog, backlog_link;
	u32 backlog_count, backlog_max; /* L, read without */
	struct waitq room_wait; /* threads that wait for room in the backlog or the packets */
	/* what was sent to it */
	struct stream stream;       /* SOCK_STREAM */
	struct mutex reading;       /* RANK_SOCKET_READ: who takes packets */
	struct spinlock queue_lock; /* RANK_SOCKET_QUEUE */
	struct list packets;        /* Q: others; only the holder of `reading` takes some away */
	u32 npackets;               /* Q, read without */
	u64 packet_bytes;           /* Q, read without */
	u64 arrivals;               /* Q, read without: packets that were ever queued */
	u64 sent;                   /* A: what its packets in other sockets' queues cost */
	/* senders that poll until it has room */
	struct list room_watchers; /* T: by room_link */
	struct list room_link;     /* T: in the peer's; empty: in none */
	/* on the way (unix_gc.c) */
	u32 in_flight;                 /* T: references to its file in messages that are queued */
	struct list flight_link;       /* T: in the list of those on their way */
	u32 gc_count;                  /* T: during a collection */
	bool gc_candidate, gc_reached; /* T: likewise */
	struct list gc_link;           /* T: likewise */
};

static inline struct unix_socket *unix_of(struct socket *s)
{
	return (struct unix_socket *)s;
}
static inline void unix_put(struct unix_socket *u)
{
	if (u)
		socket_put(&u->s);
}
static inline bool unix_is_connection(const struct unix_socket *u)
{
	return u->s.type != SOCK_DGRAM;
}

extern struct spinlock unix_table_lock;
extern struct list unix_all; /* T: struct unix_socket.all_link */

/* --- unix.c --- */
struct unix_socket *unix_new(u32 type);                   /* one reference; NULL without memory */
struct unix_socket *unix_peer_get(struct unix_socket *u); /* counted, or NULL */
void unix_lock_two(struct unix_socket *a, struct unix_socket *b); /* may be the same */
void unix_unlock_two(struct unix_socket *a, struct unix_socket *b);

/* Is passing credentials asked for by u? */
bool unix_wants_credentials(const struct unix_socket *u);
/* May a sender begin another packet; poll: is it worth waking it? */
bool unix_is_writable(const struct unix_socket *u);

/* --- unix_name.c --- */
int unix_bind(struct socket *s, const struct socket_address *a);
int unix_autobind(struct unix_socket *u); /* 0 also if it has a name */
/* Is `a` an address with a name? 0 or -EINVAL */
int unix_check_address(const struct socket_address *a);
/* The socket of the type that has the name: counted; ERR_PTR(-ECONNREFUSED, -EPROTOTYPE...). */
struct unix_socket *unix_find(const struct socket_address *a, u32 type);
void unix_name_get(const struct unix_socket *u, struct socket_address *out);
/* `to`, which nobody else knows, shares the name of u. */
void unix_name_share(struct unix_socket *u, struct unix_socket *to);
void unix_name_unshare(struct unix_socket *u);
void unix_name_forget(struct unix_socket *u); /* it is not found any more */
void unix_name_free(struct unix_socket *u);   /* the last reference is gone */

/* --- unix_connect.c --- */
int unix_pair(struct socket *a, struct socket *b);
int unix_listen(struct socket *s, u32 backlog);
struct socket *unix_accept(struct socket *s, u64 deadline);
int unix_connect(struct socket *s, const struct socket_address *a, u64 deadline);
int unix_connect_packet(struct socket *s, const struct socket_address *a, u64 deadline);
/* u sends and receives packets and is connected: not any more, and what it got is dropped. */
void unix_disconnected(struct unix_socket *u, struct unix_socket *old);

/* --- unix_stream.c, unix_packet.c --- */
ssize unix_stream_sendmsg(struct socket *s, struct message *m, u32 flags);
ssize unix_stream_recvmsg(struct socket *s, struct message *m, u32 flags);
ssize unix_packet_sendmsg(struct socket *s, struct message *m, u32 flags);
ssize unix_packet_recvmsg(struct socket *s, struct message *m, u32 flags);
/* A sender may have to wait for the receiver to take packets. */
bool unix_packets_full(const struct unix_socket *u);
bool unix_packets_drop(struct unix_socket *u); /* all go: true if there were some */
/* u polls until its peer, which is full, has room: true if it has by now. */
bool unix_watch_room(struct unix_socket *u, struct unix_socket *peer);
void unix_unwatch_room(struct unix_socket *u);
void unix_wake_room(struct unix_socket *u); /* u has room: who waits for it learns of it */

/* --- unix_ancillary.c --- */

/* What goes with bytes: who sent them, and open files. */
struct ancillary {
	struct list link;        /* while it is on its way to be freed */
	struct process *process; /* counted; NULL: nobody says who sent it */
	u32 uid, gid;
	u32 nfiles;
	bool counted;                       /* T: its sockets are counted as on their way */
	u32 uid_in_flight;                  /* T: on whose account */
	struct file *files[UNIX_FILES_MAX]; /* counted; the last ones are not allocated */
};
/*
 * What the sender of m says: 0 and *out (NULL: nothing), or -EINVAL, -EPERM, -EBADF, -ESRCH,
 * -ENOMEM.
 */
int ancillary_from_message(const struct message *m, struct ancillary **out);
/* As of the current process, without files; NULL without memory. */
struct ancillary *ancillary_of_sender(void);
/* *a, which may be NULL, says who sends it: the current process unless it does. 0 or -ENOMEM */
int ancillary_identify(struct ancillary **a);
struct ancillary *
ancillary_copy_identity(const struct ancillary *a); /* no files; NULL: no memory */
/* The files are on their way from now on: 0 or -ETOOMANYREFS. */
int ancillary_depart(struct ancillary *a);
/* One with room for the files of a: NULL without memory. */
struct ancillary *ancillary_room(const struct ancillary *a);
/* Move the files of a, which is in a queue, to `into`; or, peek, give `into` the same ones. */
void ancillary_take_files(struct ancillary *a, struct ancillary *into, bool peek);
void ancillary_arrive(struct ancillary *a); /* it is in no queue any more */
/* Give up a; the files are closed. No spinlock held; never nests deeper than one level. */
void ancillary_free(struct ancillary *a);
/* Likewise all in the list, by link. False: they are left to the freeing that this one is in. */
bool ancillary_free_all(struct list *list);

/* What a receiver has collected, and tells the program at the end. */
struct unix_received {
	struct process *process; /* counted; NULL: unknown */
	u32 uid, gid;
	bool identified;         /* the three are set */
	struct ancillary *files; /* NULL: none; it may turn out to have none */
};
void received_identify(struct unix_received *r, const struct ancillary *a);
bool received_same_sender(const struct unix_received *r, const struct ancillary *a);
void received_free(struct unix_received *r);
/* Tell it, installing files, and free it: 0 or -EFAULT. */
int received_tell(struct unix_received *r, struct unix_socket *u, struct message *m, u32 flags);

/* --- unix_gc.c --- */
/* T held: f is in one more, one fewer queued message. */
void unix_flight_add(struct file *f);
void unix_flight_remove(struct file *f);
/* Files are about to be put into the queue of `to`: may they be in a cycle then? */
void unix_flight_note(struct unix_socket *to);

#endif
