/*
 * lower.h - what lies under memfs: a tree of files that never changes, read on demand (the host's,
 * over 9p: fs/9p_lower.c).
 *
 * memfs (memfs.h) asks once for each name, each directory's list, each link's text and each page,
 * and keeps the answers; so nothing here needs a cache of its own. A struct lower is a handle to
 * one file below; memfs has at most one for each file and puts it when the inode goes. All calls
 * may sleep; several may run at the same time, also on the same handle. They are made with inode
 * locks, an object's size lock or page locks held.
 */
#ifndef FS_LOWER_H
#define FS_LOWER_H

#include "fs/vfs.h"

struct lower; /* of the implementer */

struct lower_ops {
	/*
	 * Find name in the directory dir: *out becomes a new handle and *attr the file's
	 * attributes. attr->ino identifies the file in the whole tree (hard links have the same),
	 * attr->dev is not used. Or -ENOENT, -EACCES, -EIO, -ENOMEM.
	 */
	int (*lookup)(struct lower *dir, const char *name, size_t len, struct lower **out,
		      struct attributes *attr);
	/*
	 * Call emit for every entry but "." and ".."; type is a DT_*. emit returns 0, or an errno
	 * that ends the reading and is returned.
	 */
	int (*readdir)(struct lower *dir,
		       int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type),
		       void *arg);
	/* Symlink text, not terminated: its length (cut at size). */
	ssize (*readlink)(struct lower *link, char *buf, size_t size);
	/*
	 * Fill count locked pages (contiguous in the file, from page index on) with the file's
	 * bytes; what lies beyond its end is zeroed. As object_ops.read_pages: 0 or negative
	 * errno.
	 */
	int (*read_pages)(struct lower *file, u64 index, struct page **pages, u32 count);
	int (*statfs)(struct lower *root, struct statfs_info *out);
	void (*put)(struct lower *l);
};

/*
 * The tree under a 9p tag, read only (fs/9p_lower.c): its operations, root handle and the root's
 * attributes. 0 or errno.
 */
int p9_lower_attach(const char *tag, const struct lower_ops **ops, struct lower **root,
		    struct attributes *attr);
/*
 * A writable host directory as a file system of its own (fs/9p_rw.c): NULL if there is no such
 * tag, or no memory.
 */
struct super *p9fs_mount(const char *tag);

#endif
