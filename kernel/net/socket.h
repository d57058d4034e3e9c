/*
 * socket.h - sockets: what every family of them provides, and what the rest of the kernel may ask.
 *
 * A socket is an end of communication. A program has it as an open file; one that waits in a
 * listening socket's queue has no file yet. A family (AF_UNIX, AF_INET...) embeds struct socket at
 * the head of a struct of its own and fills in a table of operations; what all families have in
 * common (files, waiting, the options of SOL_SOCKET) is in socket.c and options.c. Addresses are
 * the bytes of a sockaddr of the family; the calls that programs make are decoded in
 * sys/socket.c. Data between two sockets of this machine goes through net/stream.h.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <asm/socket.h>
#include <linux/eventpoll.h>

#include "fs/iter.h"
#include "fs/vfs.h"
#include "lib/atomic.h"
#include "lib/waitq.h"

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_COUNT 46 /* families that Linux knows numbers of */

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_RDM 4
#define SOCK_SEQPACKET 5
#define SOCK_COUNT 11 /* types that there are numbers of, SOCK_PACKET (10) the last */

/* Flags of a send or receive, and of what was received. */
#define MSG_OOB 0x1u
#define MSG_PEEK 0x2u
#define MSG_DONTROUTE 0x4u
#define MSG_CTRUNC 0x8u
#define MSG_TRUNC 0x20u
#define MSG_DONTWAIT 0x40u
#define MSG_EOR 0x80u
#define MSG_WAITALL 0x100u
#define MSG_CONFIRM 0x800u
#define MSG_ERRQUEUE 0x2000u
#define MSG_NOSIGNAL 0x4000u
#define MSG_MORE 0x8000u
#define MSG_WAITFORONE 0x10000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SCM_PIDFD 4

/* Which halves are closed; shutdown(2)'s `how` plus 1. */
#define SHUTDOWN_RECEIVE 1u
#define SHUTDOWN_SEND 2u
#define SHUTDOWN_BOTH 3u

/*
 * -EPIPE is told by SIGPIPE too, unless MSG_NOSIGNAL; sendmsg of what Linux sends no signal for
 * returns this instead, and the program gets -EPIPE.
 */
#define EPIPE_QUIET 1032

#define SOCKET_ADDRESS_MAX 128u /* bytes: sizeof(struct sockaddr_storage) */

struct socket_address {
	u32 length; /* bytes in use; 0: none */
	union {
		u16 family;
		u8 bytes[SOCKET_ADDRESS_MAX];
	} __attribute__((aligned(8)));
};

/* What is sent or received beside the flags that the caller gives. */
struct message {
	struct iter *data;
	/*
	 * Send: where to, NULL: no address given. Receive: filled in with whom it is from (length 0:
	 * nobody in particular); NULL: not wanted.
	 */
	struct socket_address *address;
	u32 flags; /* receive, out: MSG_* for msg_flags */
	/* Send: ancillary data in kernel memory, a struct cmsghdr after the other. */
	const void *control;
	size_t control_length;
	/* Receive: where ancillary data go, by message_put_control. NULL, 0: nowhere. */
	u8 __user *control_out;
	size_t control_room;
};

/* How a program lays out one element of ancillary data: struct cmsghdr. The next is aligned to 8. */
struct control_header {
	u64 length; /* with this header */
	s32 level, type;
};
/* One element of the ancillary data that are sent. */
struct control {
	s32 level, type;
	const void *data;
	size_t length;
};
/*
 * Step through message->control; *offset begins at 0. 1: *out is the next; 0: no more; -EINVAL: the
 * lengths do not add up.
 */
int message_next_control(const struct message *m, size_t *offset, struct control *out);
/* Give ancillary data to the receiver: cut, with MSG_CTRUNC, where room lacks. 0 or -EFAULT. */
int message_put_control(struct message *m, s32 level, s32 type, const void *data, size_t n);

struct socket;

/*
 * A NULL entry gives the error named. deadline: when to stop waiting (socket_deadline); 0: do not
 * wait.
 */
struct socket_ops {
	/* 0 or errno. NULL: -EOPNOTSUPP */
	int (*bind)(struct socket *s, const struct socket_address *a);
	int (*connect)(struct socket *s, const struct socket_address *a, u64 deadline);
	int (*pair)(struct socket *a, struct socket *b);
	int (*listen)(struct socket *s, u32 backlog); /* backlog: at most somaxconn */
	/* The next connection, whose reference is the caller's, or ERR_PTR. NULL: -EOPNOTSUPP */
	struct socket *(*accept)(struct socket *s, u64 deadline);
	/* peer: of the other end, or -ENOTCONN. */
	int (*getname)(struct socket *s, bool peer, struct socket_address *out);
	/*
	 * Bytes, or errno. flags: MSG_*, MSG_DONTWAIT also where the file is non-blocking. They
	 * compute their deadline themselves.
	 */
	ssize (*sendmsg)(struct socket *s, struct message *m, u32 flags);
	ssize (*recvmsg)(struct socket *s, struct message *m, u32 flags);
	int (*shutdown)(struct socket *s, u32 how); /* SHUTDOWN_*. NULL: -EOPNOTSUPP */
	/*
	 * Of levels other than SOL_SOCKET; value in kernel memory; get: at most *length bytes are
	 * written, and *length is how many. NULL: -EOPNOTSUPP
	 */
	int (*setsockopt)(struct socket *s, s32 level, s32 name, const void *value, u32 length);
	int (*getsockopt)(struct socket *s, s32 level, s32 name, void *value, u32 *length);
	u32 (*poll)(struct socket *s); /* EPOLL* that hold; the queues are registered already */
	long (*ioctl)(struct socket *s, u32 request, u64 arg); /* NULL: -ENOTTY */
	void (*release)(struct socket *s); /* the file is gone: let go of the other end */
	void (*destroy)(struct socket *s); /* the last reference is gone: free it */
	bool credentials;                  /* C: SO_PASSCRED and its like are understood */
	bool peek_offset;                  /* C: SO_PEEK_OFF is understood */
};

/* Options that are on or off: bits of struct socket's options. */
enum socket_option {
	OPTION_DEBUG,
	OPTION_REUSEADDR,
	OPTION_REUSEPORT,
	OPTION_DONTROUTE,
	OPTION_BROADCAST,
	OPTION_KEEPALIVE,
	OPTION_OOBINLINE,
	OPTION_NO_CHECK,
	OPTION_LINGER,
	OPTION_PASSCRED,
	OPTION_PASSPIDFD,
	OPTION_TIMESTAMP,
	OPTION_TIMESTAMPNS,
	OPTION_RXQ_OVFL,
	OPTION_LISTENING, /* SO_ACCEPTCONN */
	OPTION_SNDBUF_LOCKED,
	OPTION_RCVBUF_LOCKED,
};

/* Who is, or was when it connected, at the other end: SO_PEERCRED. */
struct peer_identity {
	struct process *process; /* counted; NULL: nobody */
	struct cred *cred;       /* counted */
};

/*
 * Letters: C: constant once the socket is in use; A: atomic, read without a lock; F: lock.
 */
struct socket {
	struct refcount refs;
	const struct socket_ops *ops;  /* C */
	u32 family, type, protocol;    /* C */
	u32 shutdown;                  /* A: SHUTDOWN_*: halves that are closed */
	s32 error;                     /* A: a positive errno that the next call is told; 0: none */
	u32 options;                   /* A: bit enum socket_option */
	s32 receive_buffer;            /* A: SO_RCVBUF, bytes */
	s32 send_buffer;               /* A: SO_SNDBUF, bytes */
	s32 receive_low;               /* A: SO_RCVLOWAT */
	s32 peek_offset;               /* A: SO_PEEK_OFF; -1: none */
	s32 linger;                    /* A: seconds */
	u32 priority, mark;            /* A */
	u64 receive_timeout;           /* A: ns; DEADLINE_NONE: none */
	u64 send_timeout;              /* A */
	bool polled;                   /* A: somebody has polled: wake poll_wait too */
	struct waitq receive_wait;     /* threads that wait for data or connections, each in turn */
	struct waitq send_wait;        /* threads that wait for room, each in turn */
	struct waitq poll_wait;        /* poll, epoll, and who waits for the state to change */
	struct spinlock lock;          /* RANK_SOCKET_FILE */
	struct file *file;             /* F: borrowed; NULL: none (yet, or any more) */
	u64 ino;                       /* A: of the file's inode; 0: none */
	struct peer_identity identity; /* F */
};

static inline bool socket_option(const struct socket *s, enum socket_option o)
{
	return load_relaxed(&s->options) >> o & 1;
}
void socket_set_option(struct socket *s, enum socket_option o, bool on);

/* --- families --- */

struct socket_family {
	u32 family;
	/*
	 * A new socket without a file, one reference: socket_init has been called, ops are set.
	 * ERR_PTR(-ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EPERM, -ENOMEM)
	 */
	struct socket *(*create)(u32 type, u32 protocol);
};
/* At start, once for each family. */
void socket_register_family(const struct socket_family *f);
/* Fill in what all sockets have; the defaults of options. */
void socket_init(struct socket *s, const struct socket_ops *ops, u32 family, u32 type,
		 u32 protocol);
/* For ops->destroy: give up what socket_init and its options hold. */
void socket_finish(struct socket *s);

/* --- life --- */

static inline void socket_get(struct socket *s)
{
	ref_get(&s->refs);
}
void socket_put(struct socket *s); /* may sleep */
/* By family, type and protocol, as socket(2); no file. ERR_PTR */
struct socket *socket_create(u32 family, u32 type, u32 protocol);
/*
 * A file without a socket: every call fails until socket_attach has given it one, whose reference
 * it takes over. flags: O_NONBLOCK. ERR_PTR
 */
struct file *socket_file_new(u32 flags);
void socket_attach(struct file *f, struct socket *s);
/* The socket of an open file, borrowed; NULL: it is none. */
struct socket *file_socket(const struct file *f);

/* --- waiting and waking --- */

/* When a call that may wait so long gives up: 0 with MSG_DONTWAIT. timeout: ns or DEADLINE_NONE */
u64 socket_deadline(u64 timeout, u32 flags);
/*
 * Wait in q, a queue of s, until ready(arg), in turn with others. 0, -EAGAIN (deadline), -EINTR or
 * -ERESTARTSYS (as Linux: by whether there is a deadline). No lock held.
 */
int socket_wait(struct waitq *q, bool (*ready)(void *arg), void *arg, u64 deadline);
/* There are data or a connection to take; there is room again; the state has changed for all. */
void socket_wake_receivers(struct socket *s);
void socket_wake_senders(struct socket *s);
void socket_wake_all(struct socket *s);
/* An urgent byte (MSG_OOB) has come. */
void socket_signal_urgent(struct socket *s);
/* The pending error as a negative errno, which is told once; 0: none. */
int socket_take_error(struct socket *s);

/* --- options (options.c) --- */

#define SEND_BUFFER_MIN 4608
#define RECEIVE_BUFFER_MIN 2304
#define SOCKET_BUFFER_DEFAULT 212992
#define SOCKET_BUFFER_MAX 4194304
#define SOCKET_BACKLOG_MAX 4096u /* net.core.somaxconn */

/*
 * All levels; other than SOL_SOCKET only where ops->setsockopt is. value in kernel memory, length
 * as the program gave it. 0 or errno.
 */
int socket_set_option_value(struct socket *s, s32 level, s32 name, const void *value, u32 length);
/* At most *length bytes of value are written; *length: how many. */
int socket_get_option_value(struct socket *s, s32 level, s32 name, void *value, u32 *length);

/* Who calls is at the other end of s: SO_PEERCRED. */
void socket_set_identity(struct socket *s, const struct peer_identity *from);
struct peer_identity socket_identity_get(struct socket *s); /* counted */
struct peer_identity peer_identity_current(void);           /* counted */
void peer_identity_put(struct peer_identity *p);

/* --- the calls, on a socket that the file names --- */

u32 socket_file_flags(const struct file *f); /* MSG_DONTWAIT where it is non-blocking */
ssize socket_send(struct file *f, struct message *m, u32 flags);
ssize socket_receive(struct file *f, struct message *m, u32 flags);

/* --- start --- */
void net_init(void); /* registers the families; once, before the first program */

#endif
