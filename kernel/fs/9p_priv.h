/*
 * 9p_priv.h - one request of the 9p client, as 9p_client.c and 9p_transfer.c make it. Private to
 * them.
 */
#ifndef FS_9P_PRIV_H
#define FS_9P_PRIV_H

#include "fs/9p_client.h"

struct p9_client {
	struct virtio_9p *device; /* C */
	u32 message_max;          /* C: agreed on */
	struct spinlock lock;     /* RANK_FS: guards L */
	u64 tags;                 /* L: bit n: tag n is in use */
	struct waitq tag_wait;
	u32 next_fid;   /* L: never used yet */
	u32 *free_fids; /* L: given up */
	u32 nfree;      /* L */
};

struct p9_call {
	struct p9_client *client;
	u8 type;
	u8 *memory; /* of both messages */
	u32 in_size;
	struct p9_message out, in;
};

/* Memory for a request and its answer: then its fields are put into k->out. 0 or -ENOMEM. */
int p9_call_begin(struct p9_call *k, struct p9_client *c, u8 type, u32 out_size, u32 in_size);
/*
 * Send, wait, and look at the answer's header: then its fields are got from k->in. The parts are
 * the bulk of a write or read, behind the messages. 0 or negative errno.
 */
int p9_call_send(struct p9_call *k, const struct virtio_part *out, u32 nout,
		 const struct virtio_part *in, u32 nin);
void p9_call_end(struct p9_call *k);

#endif
