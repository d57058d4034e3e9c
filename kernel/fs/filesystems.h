/*
 * filesystems.h - the file systems without a store that fs_init mounts, and the devices that files
 * of devfs stand for.
 */
#ifndef FS_FILESYSTEMS_H
#define FS_FILESYSTEMS_H

#include "fs/vfs.h"

/* Each makes the one instance; NULL without memory. */
struct super *procfs_new(void); /* /proc: fs/procfs.c */
struct super *sysfs_new(void);  /* /sys: fs/sysfs.c */
struct super *devfs_new(void);  /* /dev: fs/devfs.c; with directories for pts and shm */
struct super *devpts_new(void); /* /dev/pts: fs/pty.c */

/*
 * Character devices: what opening a device file leads to (fs/chardev.c). ops->open gets the file
 * with its data NULL.
 */
void chardev_register(u32 major, u32 first_minor, u32 count, const struct file_ops *ops);

#define DEVICE_NUMBER(major, minor) \
	((((u64)(major)&0xfff) << 8) | ((minor)&0xff) | (((u64)(minor) & ~0xffull) << 12))
#define DEVICE_MAJOR(dev) ((u32)(((dev) >> 8) & 0xfff))
#define DEVICE_MINOR(dev) ((u32)(((dev)&0xff) | (((dev) >> 12) & ~0xffull)))

/* The process whose directory in /proc f is, counted, or NULL. */
struct process *proc_directory_process(const struct file *f);

#endif
