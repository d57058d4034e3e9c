/*
 * 9p_client.h - the operations of 9p2000.L that the file systems over it use. Private to fs/
 * (9p_*.c).
 *
 * A fid is the client's number for a file on the server; who has got one from a call here gives it
 * up by p9_clunk. All calls may sleep, and several may run at the same time. Results: 0 or the
 * server's negative errno; -EIO for a broken answer, -ENOMEM.
 */
#ifndef FS_9P_CLIENT_H
#define FS_9P_CLIENT_H

#include "dev/device.h"
#include "fs/9p_message.h"
#include "fs/vfs.h"

struct p9_client;

/* Connect to the device with this tag; root becomes the fid of its root. ERR_PTR(-ENODEV, ...). */
struct p9_client *p9_connect(const char *tag, u32 *root);
void p9_disconnect(struct p9_client *c);

/* name NULL: another fid for the same file. Else the file that name means in the directory fid. */
int p9_walk(struct p9_client *c, u32 fid, const char *name, size_t len, u32 *out);
void p9_clunk(struct p9_client *c, u32 fid);
/* attributes.ino is the qid's path; dev is not set. */
int p9_getattr(struct p9_client *c, u32 fid, struct attributes *out);
int p9_setattr(struct p9_client *c, u32 fid, const struct attribute_change *change);
ssize p9_readlink(struct p9_client *c, u32 fid, char *buf, size_t size);
int p9_statfs(struct p9_client *c, u32 fid, struct statfs_info *out);

/* Open the file that fid means; fid is for reading and writing from then on. flags: O_*. */
int p9_open(struct p9_client *c, u32 fid, u32 flags);
/* Make a regular file in the directory fid, and open it: fid means the file from then on. */
int p9_create(struct p9_client *c, u32 fid, const char *name, size_t len, u32 flags, u32 mode,
	      u32 gid);
/* Other kinds: mode with S_IFMT; target for symlinks. */
int p9_make(struct p9_client *c, u32 dir, const char *name, size_t len, u32 mode, u64 rdev,
	    const char *target, u32 gid);
int p9_link(struct p9_client *c, u32 dir, const char *name, size_t len, u32 fid);
int p9_unlink(struct p9_client *c, u32 dir, const char *name, size_t len, bool directory);
int p9_rename(struct p9_client *c, u32 old_dir, const char *old_name, size_t old_len, u32 new_dir,
	      const char *new_name, size_t new_len);
int p9_fsync(struct p9_client *c, u32 fid, bool data_only);

/*
 * Pages from or to an open file, at most P9_PAGES_MAX; `bytes` of them count. read: what lies
 * beyond those, or beyond the file's end, is zeroed.
 */
#define P9_PAGES_MAX 32u
int p9_read_pages(struct p9_client *c, u32 fid, u64 offset, struct page **pages, u32 count,
		  u32 bytes);
int p9_write_pages(struct p9_client *c, u32 fid, u64 offset, struct page **pages, u32 bytes);

/*
 * All entries of the directory fid (not open), but "." and "..". emit: non-zero ends the reading
 * and is returned. type: DT_*.
 */
int p9_list(struct p9_client *c, u32 fid,
	    int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type), void *arg);

#endif
