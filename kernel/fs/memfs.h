/*
 * memfs.h - the file system in memory: tmpfs, and with a lower tree (lower.h) the root file system.
 */
#ifndef FS_MEMFS_H
#define FS_MEMFS_H

#include "fs/lower.h"
#include "fs/vfs.h"

#define MEMFS_UNLIMITED UINT64_MAX
/*
 * A tmpfs that holds at most page_limit pages (0: half of memory; or MEMFS_UNLIMITED). NULL without
 * memory.
 */
struct super *memfs_new(u32 root_mode, u64 page_limit);
/* Memory over a lower tree, whose root handle it takes over on success. NULL without memory. */
struct super *memfs_new_over(const struct lower_ops *ops, struct lower *root,
			     const struct attributes *attr, u64 page_limit);
/* For mount(2): options as "size=64m,mode=1777"; ERR_PTR(-EINVAL, -ENOMEM). */
struct super *memfs_new_options(const char *options);

/*
 * Add a file while a file system is being built (devices in /dev): path from s's root without a
 * leading slash, its directories exist; mode with S_IFMT; rdev for devices; target for symlinks.
 * Owner 0:0. 0 or errno.
 */
int memfs_add(struct super *s, const char *path, u32 mode, u64 rdev, const char *target);

/*
 * An open regular file in memory that has no name in any directory (memfd, System V shared
 * memory): name is the text for /proc/PID/fd and maps. NULL without memory.
 */
struct file *memfs_file_unnamed(const char *name, u32 mode, u32 flags);

/* Once, before the first memfs. */
void memfs_init(void);

#endif
