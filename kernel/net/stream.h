/*
 * stream.h - bytes on their way from one socket of this machine to another: copied once in, once
 * out.
 *
 * A stream lies in the socket that receives from it; the other end sends into it. For both
 * directions of a connection there are two. It is bounded by the sender's SO_SNDBUF (and the
 * receiver's SO_RCVBUF, where the family says so): a sender begins nothing beyond that. When
 * nothing more can come is said by the sockets' `shutdown` bits (SHUTDOWN_RECEIVE of the receiver:
 * end of data behind what is queued; SHUTDOWN_SEND of the sender: -EPIPE) and `error`; who sets
 * them calls socket_wake_all afterwards.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "net/buffer.h"
#include "net/socket.h"

struct stream {
	struct mutex reading; /* RANK_SOCKET_READ: who takes data */
	struct spinlock lock; /* RANK_SOCKET_QUEUE: guards Q */
	/* Q: struct net_buffer; only the holder of `reading` takes some away */
	struct list buffers;
	u64 bytes;                 /* Q, read without: to be received */
	u64 charge;                /* Q, read without: what the buffers cost */
	u64 appended;              /* Q, read without: how often something was */
	struct net_buffer *urgent; /* Q: the last byte of MSG_OOB, while it is to be received */
	bool bounded_by_reader;    /* C: of TCP: SO_RCVBUF counts, too */
	bool closed;               /* Q: the receiver is gone; data are refused */
};

void stream_init(struct stream *t, bool bounded_by_reader);
/*
 * The receiver goes: buffers are moved to `left`, for the caller to free; nothing is accepted any
 * more. True: there were some that nobody had received.
 */
bool stream_close(struct stream *t, struct list *left);

/* What sending into a stream takes beside the data. */
struct stream_send {
	struct socket *self, *peer; /* kept by the caller */
	u64 deadline;
	bool urgent; /* MSG_OOB: the last byte is out of band */
	/*
	 * Makes what the buffer with the first byte (first) or a later one carries beside its bytes:
	 * NULL: nothing, or ERR_PTR(-ENOMEM). It is the buffer's. NULL: none carries anything.
	 */
	struct ancillary *(*ancillary)(struct stream_send *s, bool first);
	void (*ancillary_free)(struct ancillary *a);
};
/*
 * self sends into t, the stream of peer: bytes; or, where there are none, -EPIPE (one of them has
 * shut down), the pending error of self, -EAGAIN, -EINTR, -ERESTARTSYS, -ENOMEM, -EFAULT.
 */
ssize stream_send(struct stream *t, struct stream_send *s, struct iter *it);

/* What receiving from a stream takes beside where to. */
struct stream_receive {
	struct socket *self, *peer; /* kept by the caller; peer NULL: nobody waits for room */
	u64 deadline;
	u32 flags;    /* MSG_PEEK (from SO_PEEK_OFF on), MSG_WAITALL */
	bool discard; /* the bytes are dropped, not copied */
	/*
	 * May data of b follow what this call has received? 0; 1: the call ends here; or errno, which
	 * is told where nothing was received. NULL: yes
	 */
	int (*before)(struct stream_receive *r, const struct net_buffer *b);
	/* Some of b was received, or looked at. False: the call ends here. NULL: it goes on */
	bool (*after)(struct stream_receive *r, struct net_buffer *b);
	void (*ancillary_free)(struct ancillary *a);
};
/* self receives from t, its own stream: bytes; 0: end of data; or an errno as above. */
ssize stream_receive(struct stream *t, struct stream_receive *r, struct iter *it);
/* MSG_OOB: the byte out of band, copied to `it`: 1, -EINVAL (there is none), -EFAULT. */
ssize stream_receive_urgent(struct stream *t, struct socket *self, struct iter *it, bool peek);
bool stream_at_mark(struct stream *t); /* SIOCATMARK: the next byte is the one out of band */

/* For poll: there is room, and so much of it that waking the sender is worth it. */
bool stream_has_room(const struct stream *t, const struct socket *sender,
		     const struct socket *receiver);
static inline u64 stream_bytes(const struct stream *t)
{
	return load_relaxed(&t->bytes);
}

#endif
