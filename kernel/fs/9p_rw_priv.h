/*
 * 9p_rw_priv.h - what the files of the writable 9p file system share: 9p_rw.c (inodes),
 * 9p_rw_name.c (directories), 9p_rw_file.c (data).
 */
#ifndef FS_9P_RW_PRIV_H
#define FS_9P_RW_PRIV_H

#include "fs/9p_client.h"
#include "fs/vfs.h"

#define P9FS_BUCKETS 256u

struct p9fs {
	struct super super;
	struct p9_client *client;
	struct spinlock lock; /* RANK_FS: T */
	struct list table
		[P9FS_BUCKETS]; /* T: nodes whose file has a name on the host, by inode number */
};

/*
 * One name of a file that is not a directory, with a fid that was reached through it: when the name
 * goes, that fid is of no use any more.
 */
struct p9_name {
	struct list link;
	u32 fid;
	u64 dir; /* inode number of its directory */
	u16 length;
	char text[];
};

/*
 * What an inode has here. I: the inode's lock; N: lock; T: p9fs.lock; C: constant. No 9p call is
 * made without either the file's own fids being constant (directories) or `lock` held, so that
 * nobody gives up a fid that is in use.
 */
struct p9_node {
	struct object object; /* regular files */
	/* C; N: NULL once it has gone: the object may be left to whoever looks for memory */
	struct inode *inode;
	struct list table_link;  /* T */
	struct mutex lock;       /* RANK_DEVICE */
	u32 dir_fid;             /* C: directories */
	struct list names;       /* N: struct p9_name: those that were met */
	u32 read_fid, write_fid; /* N: open for reading, writing; may be the same; or P9_NO_FID */
	u32 opens;               /* N: open files */
	bool unlinked;           /* N: the last name is gone from the host */
	/*
	 * N: bytes of the host's file that count, where it could not be truncated (it has no name)
	 */
	u64 host_limit;
	bool written;     /* N: the host's file has times of its own */
	u64 size, blocks; /* I: blocks: as the host said; size: of what has no object */
	bool resized;     /* I: blocks is out of date */
};

static inline struct p9fs *p9fs_of(const struct inode *i)
{
	return i->super->data;
}

static inline struct p9_node *p9_node_of(const struct inode *i)
{
	return i->data;
}

/* --- 9p_rw.c --- */
/*
 * The inode of the file with these attributes, which fid was found to be by its name in dir; takes
 * over fid in any case. Counted, or ERR_PTR(-ENOMEM).
 */
struct inode *p9fs_inode(struct p9fs *fs, const struct attributes *attr, u32 fid, u64 dir,
			 const char *name, size_t len);
/* A record of a name, without a fid yet; NULL without memory. */
struct p9_name *p9_name_new(u64 dir, const char *name, size_t len);
void p9_name_add(
	struct p9_node *n,
	struct p9_name *name); /* takes it over; what was known of the same name is given up */
void p9_name_remove(struct p9_node *n, u64 dir, const char *name, size_t len);
/* The file is called otherwise now; its fid followed. spare: the new record, taken over. */
void p9_name_move(struct p9_node *n, u64 old_dir, const char *old_name, size_t old_len,
		  struct p9_name *spare);
/* N held: a fid that names the file, or P9_NO_FID. */
u32 p9_node_fid(const struct p9_node *n);
/* Inode locked: it has lost a name; what follows from having lost the last one. */
void p9_node_unlinked(struct inode *i, bool last);
void p9_node_free(struct p9_node *n);
int p9fs_getattr(struct inode *i, struct attributes *out);
int p9fs_setattr(struct inode *i, const struct attribute_change *change);
void p9fs_evict(struct inode *i);

/* --- 9p_rw_name.c --- */
extern const struct inode_ops p9fs_dir_ops;
extern const struct file_ops p9fs_dir_file_ops;

/* --- 9p_rw_file.c --- */
extern const struct file_ops p9fs_file_ops;
void p9_node_object_init(struct p9_node *n, u64 size);
int p9_node_setsize(struct inode *i, u64 size); /* inode locked */
/* Write out what is dirty of [start, end) (bytes), and the times. 0 or errno. */
int p9_node_flush(struct p9_node *n, u64 start, u64 end);
/* If programs stored to it through mappings lately, that has changed its times. */
void p9_node_stored(struct p9_node *n);
void p9_node_close_fids(struct p9_node *n); /* N held */

#endif
