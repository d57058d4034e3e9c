/*
 * blockdev.c - the files that stand for block devices.
 *
 * The rule: nothing is cached. A read or write of bytes goes through the device's one bounce buffer,
 * under its lock, in whole blocks; so all who have the device open, and a write of half a block,
 * agree on what is there. Swapping does not come here but goes to the driver (swapdev.c): the lock
 * may be held while a page fault waits for swap. Facts: open(2), lseek(2); Linux's block device
 * calls in <linux/fs.h>.
 */
#include "fs/blockdev.h"

#include <asm/fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "arch/x86_64/usercopy.h"
#include "fs/filesystems.h"
#include "fs/iter.h"
#include "fs/memfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define BOUNCE_SIZE (16 * PAGE_SIZE)
#define NODE_MODE (S_IFBLK | 0600)

struct disk {
	struct block_device *device; /* C */
	struct mutex lock;           /* RANK_INODE: guards L */
	u8 *bounce;                  /* L */
	struct file *owner;          /* claim_lock: opened with O_EXCL, or swapped to; NULL: none */
	bool swap;                   /* A: the owner swaps to it */
	u32 block_size;              /* A: what BLKBSZSET says; nothing depends on it */
};

static struct disk disks[BLOCK_DEVICES_MAX];
static u32 ndisks;
static struct spinlock claim_lock = SPINLOCK_INIT(RANK_FS);

static u64 disk_bytes(const struct disk *d)
{
	return d->device->sectors * BLOCK_SECTOR;
}

/* --- opening --- */

static struct disk *disk_find(u64 rdev)
{
	u32 minor = DEVICE_MINOR(rdev);

	if (DEVICE_MAJOR(rdev) != BLOCK_MAJOR || minor % BLOCK_MINORS ||
	    minor / BLOCK_MINORS >= ndisks)
		return NULL;
	return &disks[minor / BLOCK_MINORS];
}

struct block_device *blockdev_find(u64 rdev)
{
	struct disk *d = disk_find(rdev);

	return d ? d->device : NULL;
}

u64 blockdev_number(const struct block_device *d)
{
	return DEVICE_NUMBER(BLOCK_MAJOR, d->index * BLOCK_MINORS);
}

static int claim(struct disk *d, struct file *f, bool swap)
{
	int err = 0;

	spin_lock(&claim_lock);
	if (d->owner)
		err = -EBUSY;
	else
		d->owner = f;
	if (!err)
		store_release(&d->swap, swap);
	spin_unlock(&claim_lock);
	return err;
}

static int blockdev_open(struct file *f)
{
	struct disk *d = disk_find(f->inode->rdev);

	if (!d)
		return -ENXIO;
	f->data = d;
	return f->flags & O_EXCL ? claim(d, f, false) : 0;
}

static void blockdev_release(struct file *f)
{
	struct disk *d = f->data;

	spin_lock(&claim_lock);
	if (d->owner == f) {
		d->owner = NULL;
		store_release(&d->swap, false);
	}
	spin_unlock(&claim_lock);
}

int blockdev_claim_swap(struct file *f)
{
	return claim(f->data, f, true);
}

/* --- reading and writing --- */

/* A piece of a transfer: the blocks in the bounce buffer, and the bytes of them that are meant. */
struct piece {
	u64 sector;
	u32 skip, length; /* bytes: before the meant ones, and those */
	struct virtio_part blocks;
};

/* As much of [pos, pos + n) as the buffer has room for. */
static struct piece piece_at(const struct disk *d, u64 pos, u64 n)
{
	u32 block = d->device->logical;
	u32 skip = (u32)(pos & (block - 1));
	u32 length = (u32)min(n, (u64)BOUNCE_SIZE - skip);

	return (struct piece){ .sector = (pos - skip) / BLOCK_SECTOR,
			       .skip = skip,
			       .length = length,
			       .blocks = { d->bounce, ROUND_UP(skip + length, block) } };
}

static int piece_move(struct disk *d, enum block_operation op, const struct piece *p)
{
	return block_transfer(d->device, op, p->sector, &p->blocks, 1);
}

/* Bytes that were read, or errno. */
static ssize piece_read(struct disk *d, const struct piece *p, struct iter *it)
{
	ssize result;

	mutex_lock(&d->lock);
	result = piece_move(d, BLOCK_READ, p);
	if (!result)
		result = (ssize)iter_copy_to(it, d->bounce + p->skip, p->length) ?: -EFAULT;
	mutex_unlock(&d->lock);
	return result;
}

/* The whole piece is written, or nothing: what half a block holds besides is read first. */
static ssize piece_write(struct disk *d, const struct piece *p, struct iter *it)
{
	ssize result = 0;
	size_t copied;

	mutex_lock(&d->lock);
	if (p->length < p->blocks.length)
		result = piece_move(d, BLOCK_READ, p);
	if (!result) {
		copied = iter_copy_from(it, d->bounce + p->skip, p->length);
		if (copied < p->length) {
			iter_revert(it, copied);
			result = -EFAULT;
		}
	}
	if (!result)
		result = piece_move(d, BLOCK_WRITE, p);
	mutex_unlock(&d->lock);
	return result ? result : p->length;
}

static ssize transfer(struct disk *d, struct iter *it, u64 *pos, bool write)
{
	u64 end = disk_bytes(d);
	ssize done = 0;

	while (it->left && *pos < end) {
		struct piece p = piece_at(d, *pos, min(it->left, end - *pos));
		ssize n = write ? piece_write(d, &p, it) : piece_read(d, &p, it);

		if (n < 0)
			return done ? done : n;
		*pos += (u64)n;
		done += n;
		if (n < p.length || thread_killed())
			break;
		cpu_preempt_point();
	}
	return done;
}

static ssize blockdev_read(struct file *f, struct iter *it, u64 *pos)
{
	return transfer(f->data, it, pos, false);
}

static ssize blockdev_write(struct file *f, struct iter *it, u64 *pos)
{
	struct disk *d = f->data;
	ssize done;

	if (d->device->readonly)
		return -EPERM;
	if (load_acquire(&d->swap))
		return -ETXTBSY;
	if (!it->left)
		return 0;
	if (*pos >= disk_bytes(d))
		return -ENOSPC;
	done = transfer(d, it, pos, true);
	if (done > 0 && f->flags & O_DSYNC && block_flush(d->device))
		return -EIO;
	return done;
}

static int blockdev_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
	struct disk *d = f->data;

	return block_flush(d->device);
}

/* Not beyond the end, where nothing can be. */
static s64 blockdev_seek(struct file *f, s64 offset, int whence)
{
	s64 size = (s64)disk_bytes(f->data), pos;

	switch (whence) {
	case SEEK_SET:
		pos = offset;
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow((s64)f->pos, offset, &pos))
			return -EINVAL;
		break;
	case SEEK_END:
		if (__builtin_add_overflow(size, offset, &pos))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (pos < 0 || pos > size)
		return -EINVAL;
	f->pos = (u64)pos;
	return pos;
}

/* --- ioctl --- */

/* Discard, or fill with zeros, the bytes [start, start + length) that `arg` names. */
static long ioctl_range(struct file *f, bool zero, const u64 __user *arg)
{
	struct disk *d = f->data;
	u64 range[2], end, mask = d->device->logical - 1;
	u64 sector, sectors;

	if (!f->can_write)
		return -EBADF;
	if (!zero && !d->device->discard_max)
		return -EOPNOTSUPP;
	if (copy_from_user(range, arg, sizeof(range)))
		return -EFAULT;
	if (d->device->readonly)
		return -EPERM;
	if ((range[0] | range[1]) & mask || !range[1] ||
	    __builtin_add_overflow(range[0], range[1], &end) || end > disk_bytes(d))
		return -EINVAL;
	if (load_acquire(&d->swap))
		return -EBUSY;
	sector = range[0] / BLOCK_SECTOR;
	sectors = range[1] / BLOCK_SECTOR;
	return zero ? block_zero(d->device, sector, sectors, true)
		    : block_discard(d->device, sector, sectors);
}

/* What only the administrator may ask for. */
static long ioctl_admin(struct disk *d, u32 request, u64 arg)
{
	s32 size;

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return -EACCES;
	if (request == BLKFLSBUF)
		return 0; /* nothing is cached */
	if (request != BLKBSZSET)
		return -EINVAL; /* read-only, read-ahead, partitions: as they are */
	if (!arg)
		return -EINVAL;
	if (get_user(size, (const s32 __user *)arg))
		return -EFAULT;
	if (size < (s32)d->device->logical || size > (s32)PAGE_SIZE || size & (size - 1))
		return -EINVAL;
	store_relaxed(&d->block_size, (u32)size);
	return 0;
}

#define PUT(type, value) put_user((type)(value), (type __user *)arg)

static long ioctl_sizes(struct disk *d, u32 request, u64 arg)
{
	const struct block_device *b = d->device;

	switch (request) {
	case BLKGETSIZE64:
		return PUT(u64, disk_bytes(d));
	case BLKGETSIZE:
		return PUT(u64, b->sectors);
	case BLKSSZGET:
		return PUT(s32, b->logical);
	case BLKPBSZGET:
		return PUT(u32, b->physical);
	case BLKBSZGET:
		return PUT(s32, load_relaxed(&d->block_size));
	case BLKIOMIN:
		return PUT(u32, b->io_min);
	case BLKIOOPT:
		return PUT(u32, b->io_opt);
	case BLKALIGNOFF:
		return PUT(s32, b->alignment);
	case BLKROGET:
		return PUT(s32, b->readonly);
	case BLKSECTGET:
		return PUT(u16, BLOCK_PARTS_MAX * (PAGE_SIZE / BLOCK_SECTOR));
	case BLKROTATIONAL:
		return PUT(u16, 1); /* nobody knows what the host has: as Linux says of it */
	case BLKRAGET:
	case BLKFRAGET:
		return arg ? PUT(u64, 0) : -EINVAL;
	case BLKDISCARDZEROES:
		return PUT(u32, 0);
	default:
		return -ENOTTY;
	}
}

static long blockdev_ioctl(struct file *f, u32 request, u64 arg)
{
	struct disk *d = f->data;

	switch (request) {
	case BLKDISCARD:
	case BLKZEROOUT:
		return ioctl_range(f, request == BLKZEROOUT, (const u64 __user *)arg);
	case BLKSECDISCARD:
		return f->can_write ? -EOPNOTSUPP : -EBADF;
	case BLKFLSBUF:
	case BLKBSZSET:
	case BLKROSET:
	case BLKRASET:
	case BLKFRASET:
	case BLKRRPART:
		return ioctl_admin(d, request, arg);
	default:
		return ioctl_sizes(d, request, arg);
	}
}

const struct file_ops block_device_file_ops = {
	.open = blockdev_open,
	.release = blockdev_release,
	.read = blockdev_read,
	.write = blockdev_write,
	.seek = blockdev_seek,
	.ioctl = blockdev_ioctl,
	.fsync = blockdev_fsync,
};

struct block_device *blockdev_of(struct file *f)
{
	struct disk *d = f->ops == &block_device_file_ops ? f->data : NULL;

	return d ? d->device : NULL;
}

int blockdev_init(struct super *dev)
{
	struct block_device *b;

	while (ndisks < BLOCK_DEVICES_MAX && (b = block_device(ndisks))) {
		struct disk *d = &disks[ndisks];

		d->device = b;
		d->block_size = (u32)PAGE_SIZE;
		mutex_init(&d->lock, RANK_INODE);
		d->bounce = kmalloc(BOUNCE_SIZE);
		if (!d->bounce || memfs_add(dev, b->name, NODE_MODE, blockdev_number(b), NULL))
			return -ENOMEM;
		ndisks++;
	}
	return 0;
}
