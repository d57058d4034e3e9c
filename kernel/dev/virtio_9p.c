/*
 * virtio_9p.c - the transport of 9p: requests to the devices that stand for host directories.
 *
 * Central rule: a request has a slot while it is under way, and the slot outlives it, so the
 * interrupt handler never touches what belongs to a thread that has gone on. A request is one
 * indirect chain, so it takes one descriptor however many pages it reads. Next: fs/9p_client.c.
 */
#include <linux/virtio_9p.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "dev/dev_priv.h"
#include "dev/virtio_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"

#define SLOTS 32u
#define EXTRA_MAX 32u
#define BUFFERS_MAX (EXTRA_MAX + 2)
#define DEVICES_MAX 16u
#define TAG_MAX 64u
/* QEMU's queue has room for as many pages, and so many are what its other guests ask for. */
#define MESSAGE_MAX (512u * 1024)

struct slot {
	struct slot *next; /* free list: lock */
	struct waitq wait;
	bool done;  /* A */
	u32 length; /* what the device wrote; valid once done */
	struct vring_desc table[BUFFERS_MAX];
};

struct virtio_9p {
	struct virtio_device *device;
	struct virtqueue *queue; /* lock */
	struct spinlock lock;    /* RANK_DEV_RING */
	struct slot *free;       /* lock */
	struct waitq slot_wait;  /* for a free slot */
	u64 requests;            /* A: statistics */
	char tag[TAG_MAX];       /* C */
};

static struct virtio_9p *devices[DEVICES_MAX];
static u32 ndevices;

/* --- slots --- */

static struct slot *slot_take(struct virtio_9p *d)
{
	struct slot *s;

	spin_lock(&d->lock);
	s = d->free;
	if (s)
		d->free = s->next;
	spin_unlock(&d->lock);
	return s;
}

static void slot_give(struct virtio_9p *d, struct slot *s)
{
	spin_lock(&d->lock);
	s->next = d->free;
	d->free = s;
	spin_unlock(&d->lock);
	waitq_wake_one(&d->slot_wait);
}

/* --- requests --- */

static u32 buffers_list(struct virtio_buffer *b, const void *head, u32 size,
			const struct virtio_part *extra, u32 nextra, bool write)
{
	u32 n = 0;

	assert(nextra <= EXTRA_MAX);
	b[n++] = (struct virtio_buffer){ (void *)head, size, write };
	for (u32 i = 0; i < nextra; i++)
		b[n++] = (struct virtio_buffer){ extra[i].data, extra[i].length, write };
	return n;
}

ssize virtio_9p_request(struct virtio_9p *d, const void *out, u32 out_size, void *in, u32 in_size,
			const struct virtio_part *extra_out, u32 nout,
			const struct virtio_part *extra_in, u32 nin)
{
	struct virtio_buffer buffers[BUFFERS_MAX];
	struct slot *s;
	ssize length;
	bool added;
	u32 n;

	assert(nout + nin <= EXTRA_MAX);
	n = buffers_list(buffers, out, out_size, extra_out, nout, false);
	n += buffers_list(buffers + n, in, in_size, extra_in, nin, true);
	wait_event(&d->slot_wait, (s = slot_take(d)));
	s->done = false;
	spin_lock(&d->lock);
	added = virtqueue_add_indirect(d->queue, s->table, buffers, n, s);
	if (added)
		virtqueue_push(d->queue);
	spin_unlock(&d->lock);
	if (added) {
		wait_event(&s->wait, load_acquire(&s->done));
		atomic_add(&d->requests, 1);
	}
	length = added ? (ssize)s->length : -EIO;
	slot_give(d, s);
	return length;
}

static void interrupt(void *arg)
{
	struct virtio_9p *d = arg;
	struct slot *s;
	u32 length;

	virtio_interrupt_ack(d->device);
	for (;;) {
		spin_lock(&d->lock);
		s = virtqueue_take(d->queue, &length);
		spin_unlock(&d->lock);
		if (!s)
			return;
		s->length = length;
		store_release(&s->done, true);
		waitq_wake_all(&s->wait);
	}
}

u32 virtio_9p_max_message(struct virtio_9p *d)
{
	return MESSAGE_MAX;
}

u64 virtio_9p_requests(void)
{
	u64 n = 0;

	for (u32 i = 0; i < ndevices; i++)
		n += load_relaxed(&devices[i]->requests);
	return n;
}

struct virtio_9p *virtio_9p_find(const char *tag)
{
	for (u32 i = 0; i < ndevices; i++)
		if (strcmp(devices[i]->tag, tag) == 0)
			return devices[i];
	return NULL;
}

/* --- start --- */

static bool slots_make(struct virtio_9p *d)
{
	for (u32 i = 0; i < SLOTS; i++) {
		struct slot *s = kzalloc(sizeof(*s));

		if (!s)
			return false;
		waitq_init(&s->wait);
		s->next = d->free;
		d->free = s;
	}
	return true;
}

static void slots_free(struct virtio_9p *d)
{
	while (d->free) {
		struct slot *s = d->free;

		d->free = s->next;
		kfree(s);
	}
}

static void tag_read(struct virtio_9p *d)
{
	u16 length;

	virtio_config_read(d->device, offsetof(struct virtio_9p_config, tag_len), &length,
			   sizeof(length));
	length = min(length, (u16)(TAG_MAX - 1));
	virtio_config_read(d->device, offsetof(struct virtio_9p_config, tag), d->tag, length);
}

static bool device_start(struct virtio_9p *d)
{
	u64 wanted = BIT(VIRTIO_9P_MOUNT_TAG) | BIT(VIRTIO_RING_F_INDIRECT_DESC);

	spin_init(&d->lock, RANK_DEV_RING);
	waitq_init(&d->slot_wait);
	if (!virtio_begin(d->device, wanted) || (d->device->features & wanted) != wanted)
		return false;
	tag_read(d);
	d->queue = virtqueue_new(d->device, 0, SLOTS);
	return d->queue && d->queue->size == SLOTS && slots_make(d) &&
	       virtio_start(d->device, interrupt, d);
}

void virtio_9p_init(void)
{
	struct virtio_device *device;

	while (ndevices < DEVICES_MAX && (device = virtio_take(VIRTIO_ID_9P))) {
		struct virtio_9p *d = kzalloc(sizeof(*d));

		if (!d)
			return;
		d->device = device;
		if (device_start(d)) {
			devices[ndevices++] = d;
			log_info("virtio-9p: \"%s\"", d->tag);
		} else {
			/* The queue stays: the device knows of it. */
			slots_free(d);
			kfree(d);
		}
	}
}
