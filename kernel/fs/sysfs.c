/*
 * sysfs.c - /sys: the few files that programs read there, made of entries as /proc is (procfs_priv.h).
 */
#include <linux/magic.h>
#include <linux/stat.h>

#include "fs/procfs_priv.h"

static const struct proc_entry sysfs_root_entry = { .name = "/", .mode = S_IFDIR | 0555 };

struct super *sysfs_new(void)
{
	return proc_super_new("sysfs", SYSFS_MAGIC, &sysfs_root_entry);
}
