/*
 * blockdev.h - the files that stand for block devices (/dev/vda), and swapping to them.
 */
#ifndef FS_BLOCKDEV_H
#define FS_BLOCKDEV_H

#include "dev/block.h"
#include "fs/vfs.h"

/* Give each device a node in the file system that becomes /dev. 0 or -ENOMEM. */
int blockdev_init(struct super *dev);
/* What f stands for, or NULL: it is no open block device. */
struct block_device *blockdev_of(struct file *f);
/* The device of a number (st_rdev), or NULL. */
struct block_device *blockdev_find(u64 rdev);
u64 blockdev_number(const struct block_device *d);
/*
 * Swap to the device that f, open for writing, stands for: from now on nobody else may open it
 * with O_EXCL or write to it, until f is released. -EBUSY: somebody has it open with O_EXCL, or
 * swaps to it.
 */
int blockdev_claim_swap(struct file *f);

/* --- swapdev.c --- */
#define SWAPDEV_DISCARD_ONCE 0x1 /* discard the whole area, where the device can, before use */
/*
 * Start to swap to what f (open for reading and writing; it gets a reference) stands for. priority
 * as in mm/swap.h. -EINVAL: no block device, or no swap area that can be used; -EBUSY; -EIO;
 * -ENOMEM; -EPERM: too many.
 */
int swapdev_start(struct file *f, s32 priority, u32 flags);
/* Stop to swap to what f stands for. -EINVAL: nobody does; -ENOMEM; -EINTR. Sleeps, long. */
int swapdev_stop(struct file *f);
/* What the launch record names is in use from here on, or there is no machine. */
void swapdev_start_launch(void);
/*
 * Where the n-th area in use (mm/swap.h: swap_status) was opened: a counted file, or NULL: it is
 * not in use any more.
 */
struct file *swapdev_file(void *device);

#endif
