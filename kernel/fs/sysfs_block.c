/*
 * sysfs_block.c - block devices in /sys: a directory for each below /sys/devices/virtual/block, and
 * links to it by name (/sys/block, /sys/class/block) and by number (/sys/dev/block), as lsblk and
 * libblkid look for them. Next: dev/block.h.
 *
 * A device's directory, and all in it, stands for its number (struct proc_node.number).
 */
#include <linux/stat.h>

#include "fs/blockdev.h"
#include "fs/procfs_priv.h"
#include "lib/string.h"

#define NR_REQUESTS "32\n" /* slots of dev/virtio_blk.c */

static struct block_device *device_of(const struct proc_node *n)
{
	return block_device((u32)n->number);
}

static int line(struct text *t, u64 value)
{
	text_printf(t, "%lu\n", value);
	return 0;
}

/* --- what a device is --- */

static int dev_show(struct text *t, const struct proc_node *n)
{
	u64 number = blockdev_number(device_of(n));

	text_printf(t, "%u:%u\n", DEVICE_MAJOR(number), DEVICE_MINOR(number));
	return 0;
}

static int size_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->sectors);
}

static int ro_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->readonly);
}

static int serial_show(struct text *t, const struct proc_node *n)
{
	text_printf(t, "%s\n", device_of(n)->serial);
	return 0;
}

static int alignment_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->alignment);
}

static int stat_show(struct text *t, const struct proc_node *n)
{
	text_block_statistics(t, device_of(n));
	return 0;
}

static int inflight_show(struct text *t, const struct proc_node *n)
{
	struct block_statistics s;

	block_statistics(device_of(n), &s);
	text_printf(t, "%8u %8u\n", s.in_flight, 0);
	return 0;
}

static int uevent_show(struct text *t, const struct proc_node *n)
{
	const struct block_device *d = device_of(n);
	u64 number = blockdev_number(d);

	text_printf(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=disk\n", DEVICE_MAJOR(number),
		    DEVICE_MINOR(number), d->name);
	return 0;
}

/* --- its queue --- */

static int logical_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->logical);
}

static int physical_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->physical);
}

static int io_min_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->io_min);
}

static int io_opt_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->io_opt);
}

static int discard_granularity_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->discard_granularity);
}

static int discard_max_show(struct text *t, const struct proc_node *n)
{
	return line(t, (u64)device_of(n)->discard_max * BLOCK_SECTOR);
}

static int zeroes_max_show(struct text *t, const struct proc_node *n)
{
	return line(t, (u64)device_of(n)->zeroes_max * BLOCK_SECTOR);
}

static int segments_show(struct text *t, const struct proc_node *n)
{
	return line(t, device_of(n)->segments);
}

static int max_kib_show(struct text *t, const struct proc_node *n)
{
	return line(t, kib(BLOCK_PARTS_MAX * PAGE_SIZE));
}

static int write_cache_show(struct text *t, const struct proc_node *n)
{
	text_string(t, device_of(n)->write_cache ? "write back\n" : "write through\n");
	return 0;
}

static const struct proc_entry queue_children[] = {
	PROC_FILE("discard_granularity", 0444, discard_granularity_show),
	PROC_FILE("discard_max_bytes", 0444, discard_max_show),
	PROC_FILE("discard_max_hw_bytes", 0444, discard_max_show),
	PROC_CONSTANT("discard_zeroes_data", "0\n"),
	PROC_FILE("hw_sector_size", 0444, logical_show),
	PROC_FILE("logical_block_size", 0444, logical_show),
	PROC_FILE("max_hw_sectors_kb", 0444, max_kib_show),
	PROC_FILE("max_sectors_kb", 0444, max_kib_show),
	PROC_FILE("max_segments", 0444, segments_show),
	PROC_FILE("minimum_io_size", 0444, io_min_show),
	PROC_CONSTANT("nr_requests", NR_REQUESTS),
	PROC_FILE("optimal_io_size", 0444, io_opt_show),
	PROC_FILE("physical_block_size", 0444, physical_show),
	PROC_CONSTANT("read_ahead_kb", "0\n"),
	PROC_CONSTANT("rotational", "1\n"),
	PROC_CONSTANT("scheduler", "[none]\n"),
	PROC_FILE("write_cache", 0444, write_cache_show),
	PROC_FILE("write_zeroes_max_bytes", 0444, zeroes_max_show),
	PROC_CONSTANT("zoned", "none\n"),
};

/* --- its directory --- */

static ssize put_text(char *buf, size_t size, const char *text)
{
	size_t length = min(strlen(text), size);

	memcpy(buf, text, length);
	return (ssize)length;
}

static ssize subsystem_readlink(const struct proc_node *n, char *buf, size_t size)
{
	return put_text(buf, size, "../../../../class/block");
}

#define EMPTY_DIRECTORY(name_)                        \
	{                                             \
		.name = name_, .mode = S_IFDIR | 0555 \
	}

static const struct proc_entry device_children[] = {
	PROC_FILE("alignment_offset", 0444, alignment_show),
	PROC_CONSTANT("capability", "0\n"),
	PROC_FILE("dev", 0444, dev_show),
	PROC_CONSTANT("discard_alignment", "0\n"),
	PROC_CONSTANT("ext_range", "16\n"),
	PROC_CONSTANT("hidden", "0\n"),
	EMPTY_DIRECTORY("holders"),
	PROC_FILE("inflight", 0444, inflight_show),
	PROC_DIRECTORY("queue", queue_children),
	PROC_CONSTANT("range", "16\n"),
	PROC_CONSTANT("removable", "0\n"),
	PROC_FILE("ro", 0444, ro_show),
	PROC_FILE("serial", 0444, serial_show),
	PROC_FILE("size", 0444, size_show),
	EMPTY_DIRECTORY("slaves"),
	PROC_FILE("stat", 0444, stat_show),
	{ .name = "subsystem", .mode = S_IFLNK | 0777, .readlink = subsystem_readlink },
	PROC_FILE("uevent", 0444, uevent_show),
};
_Static_assert(BLOCK_MINORS == 16, "range, ext_range");

/* --- the directories with a name for each device --- */

/* A link's argument is the way from it to /sys. */
static ssize device_readlink(const struct proc_node *n, char *buf, size_t size)
{
	char text[64];

	format(text, sizeof(text), "%sdevices/virtual/block/%s", (const char *)n->entry->arg,
	       device_of(n)->name);
	return put_text(buf, size, text);
}

#define DEVICE_LINK(name_, up_)                                                                \
	{                                                                                      \
		.name = name_, .mode = S_IFLNK | 0777, .readlink = device_readlink, .arg = up_ \
	}

/* What is in a directory of kind SYS_BLOCK_*. */
static const struct proc_entry members[] = {
	[SYS_BLOCK_DEVICES] = PROC_DIRECTORY("device", device_children),
	[SYS_BLOCK_ALL] = DEVICE_LINK("block", "../"),
	[SYS_BLOCK_CLASS] = DEVICE_LINK("class", "../../"),
	[SYS_BLOCK_NUMBERS] = DEVICE_LINK("number", "../../"),
};

static u32 kind_of(const struct inode *dir)
{
	return (u32)(u64)proc_node(dir)->entry->arg;
}

static size_t member_name(u32 kind, const struct block_device *d, char name[16])
{
	u64 number = blockdev_number(d);

	if (kind == SYS_BLOCK_NUMBERS)
		return (size_t)format(name, 16, "%u:%u", DEVICE_MAJOR(number),
				      DEVICE_MINOR(number));
	return (size_t)format(name, 16, "%s", d->name);
}

static struct inode *block_lookup(struct inode *dir, const char *wanted, size_t len)
{
	struct proc_node n = { .entry = &members[kind_of(dir)] };
	struct block_device *d;
	char name[16];

	for (; (d = device_of(&n)); n.number++)
		if (member_name(kind_of(dir), d, name) == len && memcmp(name, wanted, len) == 0)
			return proc_inode(dir->super, &n);
	return ERR_PTR(-ENOENT);
}

static int block_readdir(struct file *f, proc_emit emit, void *arg)
{
	u32 kind = kind_of(f->inode);
	struct proc_node n = { .entry = &members[kind] };
	struct block_device *d;
	char name[16];

	if (proc_emit_fixed(f, emit, arg))
		return 0;
	for (;; f->pos++) {
		n.number = (s32)(f->pos - PROC_FIXED_END);
		d = device_of(&n);
		if (!d || emit(arg, name, member_name(kind, d, name), proc_ino(&n),
			       DT_OF_MODE(n.entry->mode), f->pos + 1))
			return 0;
	}
}

const struct inode_ops sys_block_ops = { .lookup = block_lookup,
					 .setattr = proc_setattr,
					 .evict = proc_evict };
const struct file_ops sys_block_file_ops = { .readdir = block_readdir, .seek = file_seek_plain };
