/*
 * notify.h - where the vfs tells of what happens to files, and who watches them (inotify.c). Masks
 * are IN_* of inotify(7).
 *
 * The calls of the first part are made where something has happened, whatever locks are held but
 * spinlocks; where nobody watches anything they cost one load.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include <linux/inotify.h>

#include "fs/vfs.h"

extern u32 notify_watches; /* A: in the whole system */

void notify_name_watched(struct inode *dir, const char *name, size_t len, u32 mask, u32 cookie);
void notify_dentry_watched(struct dentry *d, u32 mask);
void notify_self_watched(struct inode *i, u32 mask);

/* Of a name in a directory, for those who watch the directory. With IN_ISDIR where it is one. */
static inline void notify_name(struct inode *dir, const char *name, size_t len, u32 mask)
{
	if (unlikely(load_relaxed(&notify_watches)))
		notify_name_watched(dir, name, len, mask, 0);
}

/* Of a file by one of its names, for those who watch it or the directory of that name. */
static inline void notify_dentry(struct dentry *d, u32 mask)
{
	if (unlikely(load_relaxed(&notify_watches)))
		notify_dentry_watched(d, mask);
}

/* Of a file, whatever it is called. IN_DELETE_SELF ends the watches. */
static inline void notify_self(struct inode *i, u32 mask)
{
	if (unlikely(load_relaxed(&notify_watches)))
		notify_self_watched(i, mask);
}

/* The name was removed from its directory: of the name, and of the file. */
void notify_removed(struct inode *dir, const char *name, size_t len, struct inode *victim);
/* A name has become another; replaced: what the new name meant before, or NULL. */
void notify_renamed(struct inode *old_dir, const char *old, size_t old_len, struct inode *new_dir,
		    const char *new, size_t new_len, struct inode *moved, struct inode *replaced);

/* --- for inotify's calls --- */

struct file *inotify_create(u32 flags); /* O_NONBLOCK. ERR_PTR */
/*
 * Watch p's file: the watch's number; -EINVAL (f is no such file), -EEXIST, -ENOSPC, -ENOMEM. mask:
 * IN_ALL_EVENTS, IN_MASK_ADD, _CREATE, IN_ONESHOT.
 */
int inotify_add(struct file *f, const struct path *p, u32 mask);
int inotify_remove(struct file *f, s32 wd); /* 0 or -EINVAL */

#endif
