/*
 * virtqueue.c - split virtqueues: chains of buffers handed to a device and taken back.
 *
 * Central rule: the device sees a chain when avail->idx says so, which virtqueue_push does once for
 * all that was added; so several chains, or none, become visible together. x86 keeps the order of
 * stores, so only the one place where a store must be seen before a later load has a barrier.
 */
#include <linux/virtio_mmio.h>

#include "dev/virtio_priv.h"
#include "lib/atomic.h"
#include "mm/machine.h"
#include "mm/slab.h"

static void write_address(struct virtio_device *d, u32 low_offset, const volatile void *p)
{
	u64 phys = virt_to_phys((const void *)p);

	virtio_write32(d, low_offset, (u32)phys);
	virtio_write32(d, low_offset + 4, (u32)(phys >> 32));
}

static void queue_register(struct virtqueue *q)
{
	struct virtio_device *d = q->device;

	virtio_write32(d, VIRTIO_MMIO_QUEUE_NUM, q->size);
	write_address(d, VIRTIO_MMIO_QUEUE_DESC_LOW, q->desc);
	write_address(d, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q->avail);
	write_address(d, VIRTIO_MMIO_QUEUE_USED_LOW, q->used);
	virtio_write32(d, VIRTIO_MMIO_QUEUE_READY, 1);
}

struct virtqueue *virtqueue_new(struct virtio_device *d, u32 index, u32 max_size)
{
	struct virtqueue *q;
	u32 size;

	virtio_write32(d, VIRTIO_MMIO_QUEUE_SEL, index);
	size = min(virtio_read32(d, VIRTIO_MMIO_QUEUE_NUM_MAX), max_size);
	if (size == 0)
		return NULL;
	size = BIT(31 - __builtin_clz(size)); /* a power of two */
	q = kzalloc(sizeof(*q));
	if (!q)
		return NULL;
	q->device = d;
	q->index = (u16)index;
	q->size = (u16)size;
	q->free_count = (u16)size;
	q->desc = kzalloc(size * sizeof(*q->desc));
	q->avail = kzalloc(sizeof(*q->avail) + (size + 1) * sizeof(*q->avail->ring));
	q->used = kzalloc(sizeof(*q->used) + size * sizeof(*q->used->ring) + sizeof(u16));
	q->tokens = kzalloc(size * sizeof(*q->tokens));
	if (!q->desc || !q->avail || !q->used || !q->tokens)
		goto fail;
	for (u32 i = 0; i < size; i++)
		q->desc[i].next = (u16)(i + 1);
	queue_register(q);
	return q;
fail:
	kfree(q->tokens);
	kfree((void *)q->used);
	kfree(q->avail);
	kfree(q->desc);
	kfree(q);
	return NULL;
}

static void desc_fill(struct vring_desc *desc, const struct virtio_buffer *b)
{
	desc->addr = virt_to_phys(b->data);
	desc->len = b->length;
	desc->flags = b->write ? VRING_DESC_F_WRITE : 0;
}

static void chain_added(struct virtqueue *q, u16 head, void *token)
{
	q->tokens[head] = token;
	q->avail->ring[q->added++ % q->size] = head;
}

bool virtqueue_add(struct virtqueue *q, const struct virtio_buffer *buffers, u32 n, void *token)
{
	u16 head = q->free_head, at = head;

	if (q->free_count < n)
		return false;
	for (u32 i = 0; i < n; i++) {
		struct vring_desc *desc = &q->desc[at];

		desc_fill(desc, &buffers[i]);
		if (i + 1 < n)
			desc->flags |= VRING_DESC_F_NEXT;
		at = desc->next;
	}
	q->free_head = at;
	q->free_count -= (u16)n;
	chain_added(q, head, token);
	return true;
}

bool virtqueue_add_indirect(struct virtqueue *q, struct vring_desc *table,
			    const struct virtio_buffer *buffers, u32 n, void *token)
{
	u16 head = q->free_head;

	if (q->free_count == 0)
		return false;
	for (u32 i = 0; i < n; i++) {
		desc_fill(&table[i], &buffers[i]);
		table[i].next = (u16)(i + 1);
		if (i + 1 < n)
			table[i].flags |= VRING_DESC_F_NEXT;
	}
	q->free_head = q->desc[head].next;
	q->free_count--;
	q->desc[head].addr = virt_to_phys(table);
	q->desc[head].len = n * (u32)sizeof(*table);
	q->desc[head].flags = VRING_DESC_F_INDIRECT;
	chain_added(q, head, token);
	return true;
}

void virtqueue_push(struct virtqueue *q)
{
	store_release(&q->avail->idx, q->added);
	full_barrier(); /* the device looks at idx after it has cleared the flag */
	if (!(q->used->flags & VRING_USED_F_NO_NOTIFY))
		virtio_write32(q->device, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

u16 virtqueue_reserve(struct virtqueue *q)
{
	u16 desc = q->free_head;

	q->free_head = q->desc[desc].next;
	q->free_count--;
	return desc;
}

void virtqueue_push_reserved(struct virtqueue *q, u16 desc, const struct virtio_buffer *b)
{
	desc_fill(&q->desc[desc], b);
	q->avail->ring[q->avail->idx % q->size] = desc;
	q->added = q->avail->idx + 1;
	virtqueue_push(q);
}

static void chain_free(struct virtqueue *q, u16 head)
{
	u16 at = head;

	q->free_count++;
	while (q->desc[at].flags & VRING_DESC_F_NEXT) {
		at = q->desc[at].next;
		q->free_count++;
	}
	q->desc[at].next = q->free_head;
	q->free_head = head;
}

void *virtqueue_take(struct virtqueue *q, u32 *length)
{
	volatile struct vring_used_elem *e;
	void *token;
	u16 head;

	if (load_acquire(&q->used->idx) == q->taken)
		return NULL;
	e = &q->used->ring[q->taken++ % q->size];
	head = (u16)e->id % q->size;
	*length = e->len;
	token = q->tokens[head];
	chain_free(q, head);
	return token;
}

bool virtqueue_ready(const struct virtqueue *q)
{
	return load_acquire(&q->used->idx) != q->taken;
}

bool virtqueue_idle(const struct virtqueue *q)
{
	return load_acquire(&q->used->idx) == load_relaxed(&q->avail->idx);
}

void virtqueue_want_interrupts(struct virtqueue *q, bool want)
{
	store_release(&q->avail->flags, want ? 0 : VRING_AVAIL_F_NO_INTERRUPT);
	full_barrier(); /* whoever wants them looks at the used ring next */
}
