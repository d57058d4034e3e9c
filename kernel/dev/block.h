/*
 * block.h - block devices: disks of the machine, as file systems, swap and /sys see them. Driver:
 * virtio_blk.c. The files that stand for them: fs/blockdev.c.
 */
#ifndef DEV_BLOCK_H
#define DEV_BLOCK_H

#include "dev/device.h"

#define BLOCK_SECTOR 512u     /* what sectors count, whatever the device's own blocks are */
#define BLOCK_PARTS_MAX 32u   /* pieces of memory in one transfer */
#define BLOCK_MAJOR 254u      /* "virtblk" in /proc/devices */
#define BLOCK_MINORS 16u      /* of each device: the whole of it, and partitions */
#define BLOCK_DEVICES_MAX 26u /* a letter for each */
#define BLOCK_SERIAL_MAX 20u

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_DISCARD, BLOCK_FLUSH, BLOCK_OPERATIONS };

struct block_statistics { /* of what has ended */
	u64 requests[BLOCK_OPERATIONS];
	u64 sectors[BLOCK_OPERATIONS];
	u64 ns[BLOCK_OPERATIONS]; /* the sum of their times */
	u64 busy_ns;              /* while any was under way */
	u32 in_flight;
};

/* All of it constant. Sizes in bytes where no unit is given. */
struct block_device {
	u32 index;
	char name[8]; /* "vda" */
	char serial[BLOCK_SERIAL_MAX + 1];
	u64 sectors;
	u32 logical, physical;      /* size of a block: a power of two, at most a page; logical
				       divides all transfers */
	u32 io_min, io_opt;         /* good sizes of a transfer; io_opt 0: unknown */
	u32 alignment;              /* of the first physical block */
	u32 segments;               /* pieces of memory that one request takes */
	u32 discard_max;            /* sectors in one request; 0: it cannot discard */
	u32 discard_granularity;    /* a power of two; 0: it cannot discard */
	u32 zeroes_max;             /* sectors in one request; 0: it cannot write zeros */
	bool readonly, write_cache; /* write_cache: what is written is safe after block_flush */
};

/* The n-th device, or NULL: there are not so many. */
struct block_device *block_device(u32 n);
/* The device with this serial number, or NULL. */
struct block_device *block_find(const char *serial);

/*
 * Move bytes between the device, from `sector` on, and up to BLOCK_PARTS_MAX pieces of kernel
 * memory, frames or kmalloc's. The range lies on the device, and each piece is a multiple of
 * `logical`. Sleeps until it is done; allocates nothing; holds nothing that a fault needs, so that
 * it may be called to swap. 0 or -EIO.
 */
int block_transfer(struct block_device *d, enum block_operation op, u64 sector,
		   const struct virtio_part *parts, u32 n);
/* What was written before is safe. 0 or -EIO. */
int block_flush(struct block_device *d);
/* The bytes of a range are not needed any more. 0, -EIO, -EOPNOTSUPP. */
int block_discard(struct block_device *d, u64 sector, u64 count);
/* Make a range zeros without sending them. 0, -EIO, -EOPNOTSUPP. */
int block_zero(struct block_device *d, u64 sector, u64 count, bool unmap);
void block_statistics(struct block_device *d, struct block_statistics *out);

#endif
