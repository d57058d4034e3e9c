/*
 * buffer.h - pieces of kernel memory that hold what was sent and not received yet.
 *
 * Small ones are one kernel object, others a page of their own. `charge` is what a buffer costs;
 * who queues it bounds the sum.
 */
#ifndef NET_BUFFER_H
#define NET_BUFFER_H

#include "fs/iter.h"
#include "lib/list.h"

struct ancillary; /* of the family: what is sent beside the bytes */

struct net_buffer {
	struct list link;
	u8 *data;
	u32 offset, length; /* bytes [offset, offset + length) of data are what it holds */
	u32 capacity;
	u32 charge;                  /* bytes of memory */
	bool urgent;                 /* one byte of MSG_OOB */
	struct ancillary *ancillary; /* the holder frees it before the buffer; NULL: none */
};

/* With room for n bytes, or as many of them as a buffer can hold. NULL without memory. */
struct net_buffer *net_buffer_new(size_t n);
void net_buffer_free(struct net_buffer *b);
/*
 * New buffers with the next n bytes of it, appended to list: 0, -ENOMEM, -EFAULT; then list is as
 * it was, though it may have been consumed. *charge grows by what they cost.
 */
int net_buffers_fill(struct list *list, struct iter *it, size_t n, u64 *charge);
/* Copy bytes [from, from + n) of those in list: bytes copied, fewer only at a bad address. */
size_t net_buffers_copy(const struct list *list, size_t from, struct iter *it, size_t n);
void net_buffers_free(struct list *list);

#endif
