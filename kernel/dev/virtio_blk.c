/*
 * virtio_blk.c - disks.
 *
 * Central rule: a request needs no memory but its slot, and the slots are made at start; so pages
 * can be written out when there is no memory left, in the middle of a fault. A request is one
 * indirect chain in one descriptor; its header and status lie in the slot too, which is given back
 * only when the device is done with it. Facts: Virtual I/O Device specification 1.1, section 5.2.
 */
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "arch/x86_64/cpu.h"
#include "dev/block.h"
#include "dev/dev_priv.h"
#include "dev/virtio_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"

#define SLOTS 32u
#define BUFFERS_MAX (BLOCK_PARTS_MAX + 2) /* header, data, status */
/* A chain is not longer than the queue. */
#define QUEUE_SIZE 64u

struct slot {
	struct slot *next; /* free list: lock */
	struct waitq wait;
	bool done; /* A */
	u8 status; /* written by the device: VIRTIO_BLK_S_* */
	struct virtio_blk_outhdr header;
	struct virtio_blk_discard_write_zeroes range;
	struct vring_desc table[BUFFERS_MAX];
};

struct virtio_blk {
	struct block_device block;
	struct virtio_device *device;
	struct virtqueue *queue;            /* lock */
	struct spinlock lock;               /* RANK_DEV_RING */
	struct slot *free;                  /* lock */
	struct waitq slot_wait;             /* for a free slot */
	struct block_statistics statistics; /* lock */
	u64 busy_since;                     /* lock; while any request is under way */
};

static struct virtio_blk *devices[BLOCK_DEVICES_MAX];
static u32 ndevices;

static struct virtio_blk *driver_of(struct block_device *d)
{
	return container_of(d, struct virtio_blk, block);
}

/* --- slots --- */

static struct slot *slot_take(struct virtio_blk *b)
{
	struct slot *s;

	spin_lock(&b->lock);
	s = b->free;
	if (s) {
		b->free = s->next;
		if (b->statistics.in_flight++ == 0)
			b->busy_since = clock_monotonic();
	}
	spin_unlock(&b->lock);
	return s;
}

static void slot_give(struct virtio_blk *b, struct slot *s, enum block_operation op, u64 sectors,
		      u64 began)
{
	u64 now = clock_monotonic();

	spin_lock(&b->lock);
	s->next = b->free;
	b->free = s;
	b->statistics.requests[op]++;
	b->statistics.sectors[op] += sectors;
	b->statistics.ns[op] += now - began;
	if (--b->statistics.in_flight == 0)
		b->statistics.busy_ns += now - b->busy_since;
	spin_unlock(&b->lock);
	waitq_wake_one(&b->slot_wait);
}

/* --- requests --- */

static int status_errno(u8 status)
{
	switch (status) {
	case VIRTIO_BLK_S_OK:
		return 0;
	case VIRTIO_BLK_S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

/* What a request is: the device's name for it, and the memory that goes with it. */
struct request {
	enum block_operation op; /* what it counts as */
	u32 type;                /* VIRTIO_BLK_T_* */
	u64 sector, sectors;
	const struct virtio_part *parts;
	u32 nparts;
	bool device_writes; /* into the parts */
};

/* Hand the request to the device: its chain lies in the slot. False: the queue is broken. */
static bool slot_submit(struct virtio_blk *b, struct slot *s, const struct request *r)
{
	struct virtio_buffer buffers[BUFFERS_MAX];
	u32 n = 0;
	bool added;

	s->done = false;
	s->status = VIRTIO_BLK_S_IOERR;
	s->header = (struct virtio_blk_outhdr){ .type = r->type, .sector = r->sector };
	buffers[n++] = (struct virtio_buffer){ &s->header, sizeof(s->header), false };
	for (u32 i = 0; i < r->nparts; i++)
		buffers[n++] = (struct virtio_buffer){ r->parts[i].data, r->parts[i].length,
						       r->device_writes };
	buffers[n++] = (struct virtio_buffer){ &s->status, sizeof(s->status), true };
	spin_lock(&b->lock);
	added = virtqueue_add_indirect(b->queue, s->table, buffers, n, s);
	if (added)
		virtqueue_push(b->queue);
	spin_unlock(&b->lock);
	return added;
}

/* The caller has filled s->range where the request has one. Gives the slot back. */
static int slot_run(struct virtio_blk *b, struct slot *s, const struct request *r)
{
	u64 began = clock_monotonic();
	int err = -EIO;

	if (slot_submit(b, s, r)) {
		wait_event(&s->wait, load_acquire(&s->done));
		err = status_errno(s->status);
	}
	slot_give(b, s, r->op, r->sectors, began);
	return err;
}

static struct slot *slot_wait_for(struct virtio_blk *b)
{
	struct slot *s;

	wait_event(&b->slot_wait, (s = slot_take(b)));
	return s;
}

static void interrupt(void *arg)
{
	struct virtio_blk *b = arg;
	struct slot *s;
	u32 length;

	virtio_interrupt_ack(b->device);
	for (;;) {
		spin_lock(&b->lock);
		s = virtqueue_take(b->queue, &length);
		spin_unlock(&b->lock);
		if (!s)
			return;
		store_release(&s->done, true);
		waitq_wake_all(&s->wait);
	}
}

/* --- what others ask for --- */

int block_transfer(struct block_device *d, enum block_operation op, u64 sector,
		   const struct virtio_part *parts, u32 n)
{
	struct virtio_blk *b = driver_of(d);

	assert(n <= BLOCK_PARTS_MAX);
	while (n) {
		u32 count = min(n, d->segments);
		struct request r = { .op = op,
				     .type = op == BLOCK_READ ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
				     .sector = sector,
				     .parts = parts,
				     .nparts = count,
				     .device_writes = op == BLOCK_READ };
		int err;

		for (u32 i = 0; i < count; i++)
			r.sectors += parts[i].length / BLOCK_SECTOR;
		assert(sector + r.sectors <= d->sectors);
		err = slot_run(b, slot_wait_for(b), &r);
		if (err)
			return -EIO;
		sector += r.sectors;
		parts += count;
		n -= count;
	}
	return 0;
}

int block_flush(struct block_device *d)
{
	struct virtio_blk *b = driver_of(d);
	struct request r = { .op = BLOCK_FLUSH, .type = VIRTIO_BLK_T_FLUSH };

	if (!d->write_cache)
		return 0;
	return slot_run(b, slot_wait_for(b), &r) ? -EIO : 0;
}

/* A request for each `most` sectors of a range. */
static int range_request(struct virtio_blk *b, u32 type, u64 sector, u64 count, u32 most, u32 flags)
{
	if (!most)
		return -EOPNOTSUPP;
	while (count) {
		struct slot *s = slot_wait_for(b);
		u32 sectors = (u32)min(count, (u64)most);
		struct virtio_part part = { &s->range, sizeof(s->range) };
		struct request r = { .op = BLOCK_DISCARD,
				     .type = type,
				     .sectors = sectors,
				     .parts = &part,
				     .nparts = 1 };
		int err;

		s->range = (struct virtio_blk_discard_write_zeroes){ sector, sectors, flags };
		err = slot_run(b, s, &r);
		if (err)
			return err;
		sector += sectors;
		count -= sectors;
	}
	return 0;
}

int block_discard(struct block_device *d, u64 sector, u64 count)
{
	return range_request(driver_of(d), VIRTIO_BLK_T_DISCARD, sector, count, d->discard_max, 0);
}

int block_zero(struct block_device *d, u64 sector, u64 count, bool unmap)
{
	return range_request(driver_of(d), VIRTIO_BLK_T_WRITE_ZEROES, sector, count, d->zeroes_max,
			     unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0);
}

void block_statistics(struct block_device *d, struct block_statistics *out)
{
	struct virtio_blk *b = driver_of(d);

	spin_lock(&b->lock);
	*out = b->statistics;
	if (out->in_flight)
		out->busy_ns += clock_monotonic() - b->busy_since;
	spin_unlock(&b->lock);
}

struct block_device *block_device(u32 n)
{
	return n < ndevices ? &devices[n]->block : NULL;
}

struct block_device *block_find(const char *serial)
{
	for (u32 i = 0; i < ndevices; i++)
		if (strcmp(devices[i]->block.serial, serial) == 0)
			return &devices[i]->block;
	return NULL;
}

/* --- start --- */

static bool has(const struct virtio_blk *b, u32 feature)
{
	return b->device->features & BIT(feature);
}

/* The topology is in logical blocks, for devices that tell of it. */
static void config_topology(struct virtio_blk *b, const struct virtio_blk_config *c)
{
	struct block_device *d = &b->block;
	u32 exponent = c->physical_block_exp;

	if (!has(b, VIRTIO_BLK_F_TOPOLOGY))
		return;
	if (exponent < 16)
		d->physical = d->io_min = d->logical << exponent;
	if (c->min_io_size)
		d->io_min = c->min_io_size * d->logical;
	d->io_opt = c->opt_io_size * d->logical;
	d->alignment = c->alignment_offset * d->logical;
}

static void config_ranges(struct virtio_blk *b, const struct virtio_blk_config *c)
{
	struct block_device *d = &b->block;
	u32 granularity = c->discard_sector_alignment * BLOCK_SECTOR;

	if (has(b, VIRTIO_BLK_F_DISCARD) && c->max_discard_seg) {
		d->discard_max = c->max_discard_sectors;
		d->discard_granularity = max(granularity, d->logical);
		if (d->discard_granularity & (d->discard_granularity - 1))
			d->discard_granularity = d->logical;
	}
	if (has(b, VIRTIO_BLK_F_WRITE_ZEROES) && c->max_write_zeroes_seg)
		d->zeroes_max = c->max_write_zeroes_sectors;
	/* So that what is cut off at the most is still whole blocks. */
	d->discard_max = ROUND_DOWN(d->discard_max, d->logical / BLOCK_SECTOR);
	d->zeroes_max = ROUND_DOWN(d->zeroes_max, d->logical / BLOCK_SECTOR);
}

/* What the device says of itself. False: it is nothing that can be used. */
static bool config_take(struct virtio_blk *b)
{
	struct block_device *d = &b->block;
	struct virtio_blk_config c;
	u32 segments;

	virtio_config_read(b->device, 0, &c, sizeof(c));
	d->sectors = c.capacity;
	d->logical = has(b, VIRTIO_BLK_F_BLK_SIZE) ? c.blk_size : BLOCK_SECTOR;
	if (d->logical < BLOCK_SECTOR || d->logical > PAGE_SIZE || d->logical & (d->logical - 1) ||
	    d->sectors > INT64_MAX / BLOCK_SECTOR)
		return false;
	d->sectors = ROUND_DOWN(d->sectors, d->logical / BLOCK_SECTOR);
	d->physical = d->io_min = d->logical;
	d->readonly = has(b, VIRTIO_BLK_F_RO);
	d->write_cache = has(b, VIRTIO_BLK_F_FLUSH);
	segments = has(b, VIRTIO_BLK_F_SEG_MAX) ? c.seg_max : 1;
	d->segments = clamp(segments, 1u, min(BLOCK_PARTS_MAX, b->queue->size - 2u));
	config_topology(b, &c);
	config_ranges(b, &c);
	return true;
}

static bool slots_make(struct virtio_blk *b)
{
	for (u32 i = 0; i < SLOTS; i++) {
		struct slot *s = kzalloc(sizeof(*s));

		if (!s)
			return false;
		waitq_init(&s->wait);
		s->next = b->free;
		b->free = s;
	}
	return true;
}

static void slots_free(struct virtio_blk *b)
{
	while (b->free) {
		struct slot *s = b->free;

		b->free = s->next;
		kfree(s);
	}
}

static bool device_start(struct virtio_blk *b)
{
	u64 needed = BIT(VIRTIO_RING_F_INDIRECT_DESC);
	u64 wanted = needed | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_RO) |
		     BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
		     BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_DISCARD) |
		     BIT(VIRTIO_BLK_F_WRITE_ZEROES);

	spin_init(&b->lock, RANK_DEV_RING);
	waitq_init(&b->slot_wait);
	if (!virtio_begin(b->device, wanted) || (b->device->features & needed) != needed)
		return false;
	b->queue = virtqueue_new(b->device, 0, QUEUE_SIZE);
	return b->queue && b->queue->size >= SLOTS && config_take(b) && slots_make(b) &&
	       virtio_start(b->device, interrupt, b);
}

/* The serial number, where it has one: text, not terminated if it fills its place. */
static void serial_read(struct virtio_blk *b)
{
	u8 *text = kzalloc(BLOCK_SERIAL_MAX);
	struct virtio_part part = { text, BLOCK_SERIAL_MAX };
	struct request r = { .op = BLOCK_READ,
			     .type = VIRTIO_BLK_T_GET_ID,
			     .parts = &part,
			     .nparts = 1,
			     .device_writes = true };

	if (text && slot_run(b, slot_wait_for(b), &r) == 0)
		memcpy(b->block.serial, text, BLOCK_SERIAL_MAX);
	kfree(text);
}

void virtio_blk_init(void)
{
	struct virtio_device *device;

	while (ndevices < BLOCK_DEVICES_MAX && (device = virtio_take(VIRTIO_ID_BLOCK))) {
		struct virtio_blk *b = kzalloc(sizeof(*b));

		if (!b)
			return;
		b->device = device;
		if (!device_start(b)) {
			/* The queue stays: the device knows of it. */
			slots_free(b);
			kfree(b);
			continue;
		}
		b->block.index = ndevices;
		memcpy(b->block.name, "vd", 2);
		b->block.name[2] = (char)('a' + ndevices);
		serial_read(b);
		memset(&b->statistics, 0, sizeof(b->statistics));
		devices[ndevices++] = b;
		log_info("virtio-blk: %s, %lu sectors, \"%s\"", b->block.name, b->block.sectors,
			 b->block.serial);
	}
}
