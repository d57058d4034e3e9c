/*
 * memfs_priv.h - what the files of memfs share: memfs.c (inodes, files), memfs_super.c
 * (instances), memfs_dir.c (directories), memfs_xattr.c.
 */
#ifndef FS_MEMFS_PRIV_H
#define FS_MEMFS_PRIV_H

#include "fs/memfs.h"

#define MEMFS_BUCKETS 1024

struct memfs {
	struct refcount refs; /* the super's, and one of each object */
	struct super super;
	const struct lower_ops *lower; /* NULL: all is in memory */
	struct lower *lower_root;      /* C: the root inode's handle, for statfs */
	u64 last_ino;                  /* atomic */
	u64 page_limit, pages;         /* of files made in memory; pages: atomic */
	struct spinlock lock;          /* RANK_FS: guards T */
	/* T: inodes that have a lower file, by number (struct memfs_node.table_link) */
	struct list table[MEMFS_BUCKETS];
};

/* The bytes of a regular file. It may outlive the inode, and then keeps the lower file. */
struct memfs_object {
	struct object object;
	struct memfs *fs;    /* counted */
	struct lower *lower; /* NULL: memory */
	/* atomic: bytes of the lower file that still count: truncation never lets them come back */
	u64 lower_size;
};

struct memfs_dir; /* memfs_dir.c */

/* inode->data. L: inode->lock; T: memfs.lock. */
struct memfs_node {
	struct inode *inode;
	/* C: directory, symlink...: the file below; regular files' is in the object */
	struct lower *lower;
	bool from_lower; /* C: in the table */
	/* T: the table holds a reference, since the inode differs from what is below */
	bool pinned;
	struct list table_link; /* T */
	u64 size, blocks;       /* C: as the lower file has them; size: L for symlinks */
	char *target;           /* L: text of a symlink, once known */
	struct memfs_dir *dir;  /* L: entries of a directory */
	struct memfs_object *object;
	struct list xattrs; /* L */
};

static inline struct memfs *memfs_of(const struct inode *i)
{
	return container_of(i->super, struct memfs, super);
}

static inline struct memfs_node *memfs_node_of(const struct inode *i)
{
	return i->data;
}

/* --- memfs.c --- */
extern const struct file_ops memfs_dir_file_ops, memfs_file_ops;
void memfs_inode_init(void);
void memfs_put(struct memfs *fs);
/* nlink 1 (directory: 2); NULL without memory */
struct inode *memfs_inode_new(struct memfs *fs, u32 mode, u64 rdev);
/*
 * The inode of a lower file (takes over the handle, also on failure): counted, the one that is
 * known already if there is one. ERR_PTR
 */
struct inode *memfs_inode_lower(struct memfs *fs, struct lower *l, const struct attributes *attr);
/* A new inode for the lower file l, not in the table. NULL without memory: l stays the caller's. */
struct inode *memfs_inode_build(struct memfs *fs, struct lower *l, const struct attributes *attr);
void memfs_pin(struct inode *i);      /* it is about to differ from the lower file: keep it */
void memfs_unlinked(struct inode *i); /* locked: one name less; the last one lets it go */

/* --- memfs_dir.c: directory locked, but for new and free --- */
struct memfs_dir *memfs_dir_new(void);
void memfs_dir_free(struct memfs_dir *d);
/*
 * Take any directory (its reference is the caller's then) or other inode out of d: for taking a
 * whole tree down. NULL: nothing left
 */
struct inode *memfs_dir_take(struct memfs_dir *d);
struct inode *memfs_lookup(struct inode *dir, const char *name, size_t len);
struct inode *memfs_create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev,
			   const char *target, const struct cred *cred);
struct inode *memfs_tmpfile(struct inode *dir, u32 mode, const struct cred *cred);
int memfs_link(struct inode *dir, const char *name, size_t len, struct inode *target);
int memfs_unlink(struct inode *dir, const char *name, size_t len, struct inode *victim);
int memfs_rmdir(struct inode *dir, const char *name, size_t len, struct inode *victim);
int memfs_rename(struct inode *olddir, const char *oldname, size_t oldlen, struct inode *source,
		 struct inode *newdir, const char *newname, size_t newlen, struct inode *target,
		 bool exchange);
int memfs_readdir(struct file *f,
		  int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
			      u64 next_pos),
		  void *arg);

/* --- memfs_xattr.c --- */
ssize memfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int memfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size,
		   int flags);
ssize memfs_listxattr(struct inode *inode, char *list, size_t size);
int memfs_removexattr(struct inode *inode, const char *name);
void memfs_xattr_free(struct memfs_node *n);

#endif
