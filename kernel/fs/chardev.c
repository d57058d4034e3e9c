/*
 * chardev.c - character devices: from the number in a device file to the operations behind it. The
 * drivers register at start.
 */
#include "fs/filesystems.h"
#include "lib/print.h"

#define CHARDEV_RANGES 16

static struct chardev_range {
	u32 major, first, count;
	const struct file_ops *ops;
} ranges[CHARDEV_RANGES];
static u32 nranges;

void chardev_register(u32 major, u32 first_minor, u32 count, const struct file_ops *ops)
{
	assert(nranges < CHARDEV_RANGES);
	ranges[nranges++] = (struct chardev_range){ major, first_minor, count, ops };
}

static const struct file_ops *find(u64 device)
{
	u32 major = DEVICE_MAJOR(device), minor = DEVICE_MINOR(device);

	for (u32 i = 0; i < nranges; i++) {
		const struct chardev_range *r = &ranges[i];

		if (r->major == major && minor - r->first < r->count)
			return r->ops;
	}
	return NULL;
}

static int chardev_open(struct file *f)
{
	const struct file_ops *ops = find(f->inode->rdev);

	if (!ops)
		return -ENXIO;
	f->ops = ops;
	return ops->open ? ops->open(f) : 0;
}

const struct file_ops char_device_file_ops = {
	.open = chardev_open,
};
