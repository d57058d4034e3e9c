/*
 * swapdev.c - swapping to block devices: between swapon(2), the header on the device, and mm/swap.h.
 *
 * The rule: the open file that swapon was given is kept until nobody swaps there any more; it is what
 * keeps others from the device (blockdev.c) and what /proc/swaps names. Moving pages takes no lock
 * and no memory of its own: that is the driver's promise (dev/block.h).
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/blockdev.h"
#include "fs/swap_header.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "mm/swap.h"

#define SECTORS_PER_PAGE (PAGE_SIZE / BLOCK_SECTOR)

_Static_assert(SWAP_CLUSTER <= BLOCK_PARTS_MAX, "a cluster is one transfer");
_Static_assert(SWAP_HEADER_SIZE == PAGE_SIZE, "a page is a page");

/* What mm knows as the device of an area. It never goes away, so that it can be asked for. */
struct swapdev {
	struct file *file;           /* lock: counted; NULL: free */
	struct block_device *device; /* C while the area is in use */
};

static struct swapdev swapdevs[SWAP_AREAS_MAX];
static struct spinlock lock = SPINLOCK_INIT(RANK_FS);

/* --- what mm asks for --- */

static int move_pages(struct swapdev *s, enum block_operation op, u64 first, struct page **frames,
		      u32 count)
{
	struct virtio_part parts[SWAP_CLUSTER];

	assert(count <= SWAP_CLUSTER);
	for (u32 i = 0; i < count; i++)
		parts[i] = (struct virtio_part){ frame_data(frames[i]), PAGE_SIZE };
	return block_transfer(s->device, op, first * SECTORS_PER_PAGE, parts, count);
}

static int swapdev_read(void *device, u64 first, struct page **frames, u32 count)
{
	return move_pages(device, BLOCK_READ, first, frames, count);
}

static int swapdev_write(void *device, u64 first, struct page **frames, u32 count)
{
	return move_pages(device, BLOCK_WRITE, first, frames, count);
}

/* Give up a place, and the device: others may open it. */
static void swapdev_release(void *device)
{
	struct swapdev *s = device;
	struct file *f;

	spin_lock(&lock);
	f = s->file;
	s->file = NULL;
	spin_unlock(&lock);
	file_put(f);
}

static const struct swap_ops swapdev_ops = {
	.read = swapdev_read,
	.write = swapdev_write,
	.release = swapdev_release,
};

/* --- start and end --- */

static struct swapdev *place_take(struct file *f, struct block_device *d)
{
	struct swapdev *s = NULL;

	spin_lock(&lock);
	for (u32 i = 0; i < SWAP_AREAS_MAX && !s; i++)
		if (!swapdevs[i].file)
			s = &swapdevs[i];
	if (s) {
		file_get(f);
		s->file = f;
		s->device = d;
	}
	spin_unlock(&lock);
	return s;
}

/* The header page, as an object of its own: ERR_PTR(-ENOMEM, -EIO, -EINVAL). */
static struct swap_header *header_read(struct block_device *d, u64 *pages)
{
	u64 device_pages = d->sectors / SECTORS_PER_PAGE;
	struct swap_header *h = kmalloc(sizeof(*h));
	struct virtio_part part = { h, sizeof(*h) };
	int err;

	if (!h)
		return ERR_PTR(-ENOMEM);
	err = device_pages ? block_transfer(d, BLOCK_READ, 0, &part, 1) : -EINVAL;
	if (!err)
		err = swap_header_check(h, device_pages, pages);
	if (!err)
		return h;
	kfree(h);
	return ERR_PTR(err);
}

static int area_start(struct swapdev *s, s32 priority, u32 flags)
{
	struct block_device *d = s->device;
	struct swap_request r = { .ops = &swapdev_ops, .device = s, .priority = priority };
	struct swap_header *h = header_read(d, &r.pages);
	int err;

	if (IS_ERR(h))
		return (int)PTR_ERR(h);
	r.bad = h->badpages;
	r.bad_count = h->nr_badpages;
	/* That it fails costs nothing but room on the host. */
	if (flags & SWAPDEV_DISCARD_ONCE)
		block_discard(d, SECTORS_PER_PAGE, (r.pages - 1) * SECTORS_PER_PAGE);
	err = swap_add(&r);
	kfree(h);
	return err;
}

int swapdev_start(struct file *f, s32 priority, u32 flags)
{
	struct block_device *d = blockdev_of(f);
	struct swapdev *s;
	int err;

	if (!d)
		return -EINVAL;
	err = blockdev_claim_swap(f);
	if (err)
		return err;
	s = place_take(f, d);
	if (!s)
		return -EPERM;
	err = area_start(s, priority, flags);
	if (err)
		swapdev_release(s);
	return err;
}

/* The place of the area on d, or NULL. */
static struct swapdev *place_find(const struct block_device *d)
{
	struct swapdev *s = NULL;

	spin_lock(&lock);
	for (u32 i = 0; i < SWAP_AREAS_MAX; i++)
		if (swapdevs[i].file && swapdevs[i].device == d)
			s = &swapdevs[i];
	spin_unlock(&lock);
	return s;
}

int swapdev_stop(struct file *f)
{
	struct block_device *d = blockdev_of(f);
	struct swapdev *s = d ? place_find(d) : NULL;

	return s ? swap_remove(s) : -EINVAL;
}

struct file *swapdev_file(void *device)
{
	struct swapdev *s = device;
	struct file *f;

	spin_lock(&lock);
	f = s->file;
	if (f)
		file_get(f);
	spin_unlock(&lock);
	return f;
}

/* --- at the start of the machine --- */

static struct file *device_open(const struct block_device *d)
{
	char name[16];
	struct file *f;
	struct path p;
	int err;

	format(name, sizeof(name), "/dev/%s", d->name);
	err = path_lookup(NULL, name, LOOKUP_FOLLOW, &p);
	if (err)
		return ERR_PTR(err);
	f = file_open_path(&p, O_RDWR);
	path_put(&p);
	return f;
}

void swapdev_start_launch(void)
{
	struct block_device *d;
	struct file *f;
	int err;

	if (!launch.swap)
		return;
	d = block_find(launch.swap);
	if (!d)
		panic("no disk with the serial number \"%s\" to swap to", launch.swap);
	f = device_open(d);
	err = IS_ERR(f) ? (int)PTR_ERR(f) : swapdev_start(f, -1, 0);
	if (err)
		panic("cannot swap to %s: error %d", d->name, -err);
	file_put(f);
}
