/*
 * virtio_priv.h - virtio devices behind memory-mapped registers, and their queues. Facts: the
 * Virtual I/O Device specification 1.1, sections 2.6 (split queues), 3.1.1 (start-up) and 4.2
 * (MMIO).
 *
 * Whatever a device reads or writes lies in the direct map: kmalloc memory and frames, never a
 * stack.
 */
#ifndef DEV_VIRTIO_PRIV_H
#define DEV_VIRTIO_PRIV_H

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "lib/lock.h"
#include "lib/types.h"

struct virtio_device {
	volatile u8 *registers; /* C */
	u32 id;                 /* C: VIRTIO_ID_* */
	u32 gsi;                /* C */
	u64 features;           /* C: agreed on */
	bool taken;             /* C: a driver has it */
};

/* The caller's lock guards a queue (Q); a queue is used by one CPU at a time. */
struct virtqueue {
	struct virtio_device *device; /* C */
	u16 index, size;              /* C */
	u16 free_head, free_count;    /* Q: descriptors not in use, linked by `next` */
	u16 added;                 /* Q: chains added; the device knows those up to the last push */
	u16 taken;                 /* Q: used chains taken back */
	struct vring_desc *desc;   /* C */
	struct vring_avail *avail; /* C */
	volatile struct vring_used *used; /* C */
	void **tokens;                    /* Q: by first descriptor of a chain */
};

/* A piece of memory for the device. */
struct virtio_buffer {
	void *data;
	u32 length;
	bool write; /* by the device */
};

/* virtio_mmio.c: the next device of this kind that no driver has, or NULL. */
struct virtio_device *virtio_take(u32 id);
/*
 * Reset and agree on those of `wanted` features that the device offers (VIRTIO_F_VERSION_1 too).
 * False if it cannot be used. Then the queues are made, and virtio_start lets it run; handler is
 * called at its interrupts (NULL: none).
 */
bool virtio_begin(struct virtio_device *d, u64 wanted);
bool virtio_start(struct virtio_device *d, void (*handler)(void *arg), void *arg);
/* Say which interrupts came and clear them: VIRTIO_MMIO_INT_*. First in each handler. */
u32 virtio_interrupt_ack(struct virtio_device *d);
u32 virtio_read32(const struct virtio_device *d, u32 offset);
void virtio_write32(struct virtio_device *d, u32 offset, u32 value);
/* Bytes of the device's own configuration. */
void virtio_config_read(const struct virtio_device *d, u32 offset, void *out, u32 size);

/* virtqueue.c: NULL: there is no such queue, or no memory. */
struct virtqueue *virtqueue_new(struct virtio_device *d, u32 index, u32 max_size);
/* One chain, seen by the device only after virtqueue_push. False: no descriptors are free. */
bool virtqueue_add(struct virtqueue *q, const struct virtio_buffer *buffers, u32 n, void *token);
/*
 * One chain of n buffers that takes a single descriptor; `table` has room for n entries and stays
 * until the chain is taken back. VIRTIO_RING_F_INDIRECT_DESC was agreed on.
 */
bool virtqueue_add_indirect(struct virtqueue *q, struct vring_desc *table,
			    const struct virtio_buffer *buffers, u32 n, void *token);
void virtqueue_push(struct virtqueue *q); /* tell the device */
/*
 * For panic: a descriptor is kept out of use; a single buffer is pushed by it later, without locks
 * and whatever state the queue is in. Nothing may be taken back from the queue after that.
 */
u16 virtqueue_reserve(struct virtqueue *q);
void virtqueue_push_reserved(struct virtqueue *q, u16 desc, const struct virtio_buffer *b);
/* The token of the next chain that the device is done with, and how much it wrote; NULL: none. */
void *virtqueue_take(struct virtqueue *q, u32 *length);
/* Whether virtqueue_take would find one. */
bool virtqueue_ready(const struct virtqueue *q);
/* Whether the device has taken all that was pushed. Without locks, for panic. */
bool virtqueue_idle(const struct virtqueue *q);
/* A hint: whether the device need interrupt when it is done with a chain. */
void virtqueue_want_interrupts(struct virtqueue *q, bool want);

/* The drivers; each takes its devices. */
void virtio_9p_init(void);
void virtio_blk_init(void);
void virtio_rng_init(void);

#endif
