/*
 * 9p_rw_file.c - the data of files in a writable 9p file system.
 *
 * The rule: the page cache has the truth while the file is in use; the host's file has all of it
 * once the file is closed, synchronised, or the machine is about to end. What decides how long the
 * host's file is, is the size here: a write-out never reaches beyond it, and after a truncation
 * here the host's file is cut under the same lock that write-outs take. The fids that are open on
 * the host are shared by all open files of an inode.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/9p_rw_priv.h"
#include "fs/iter.h"
#include "lib/string.h"
#include "mm/writeback.h"

static struct p9_node *node_of_object(struct object *o)
{
	return container_of(o, struct p9_node, object);
}

static struct p9_client *client_of(const struct p9_node *n)
{
	return p9fs_of(n->inode)->client;
}

/* --- fids that are open; all with N held --- */

/* Open the file anew in this way. */
static int open_fid(struct p9_node *n, u32 flags, u32 *out)
{
	u32 fid = p9_node_fid(n), open;
	int err = fid == P9_NO_FID ? -ENOENT : p9_walk(client_of(n), fid, NULL, 0, &open);

	if (err)
		return err;
	err = p9_open(client_of(n), open, flags);
	if (err)
		p9_clunk(client_of(n), open);
	else
		*out = open;
	return err;
}

static int need_read_fid(struct p9_node *n)
{
	return n->read_fid != P9_NO_FID ? 0 : open_fid(n, O_RDONLY, &n->read_fid);
}

/* Writing parts of pages takes reading too; a file that may be written to only is opened so. */
static int need_write_fid(struct p9_node *n)
{
	int err;

	if (n->write_fid != P9_NO_FID)
		return 0;
	err = open_fid(n, O_RDWR, &n->write_fid);
	if (err == -EACCES)
		return open_fid(n, O_WRONLY, &n->write_fid);
	if (!err && n->read_fid == P9_NO_FID)
		n->read_fid = n->write_fid;
	return err;
}

void p9_node_close_fids(struct p9_node *n)
{
	if (n->write_fid != P9_NO_FID && n->write_fid != n->read_fid)
		p9_clunk(client_of(n), n->write_fid);
	if (n->read_fid != P9_NO_FID)
		p9_clunk(client_of(n), n->read_fid);
	n->read_fid = n->write_fid = P9_NO_FID;
}

/* --- pages --- */

static int p9fs_read_pages(struct object *o, u64 index, struct page **pages, u32 count)
{
	struct p9_node *n = node_of_object(o);
	u64 start = index << PAGE_SHIFT;
	int err = 0;

	mutex_lock(&n->lock);
	while (count && !err) {
		u32 part = min(count, P9_PAGES_MAX);

		err = start < n->host_limit ? need_read_fid(n) : 0;
		if (!err && start < n->host_limit)
			err = p9_read_pages(client_of(n), n->read_fid, start, pages, part,
					    part * (u32)PAGE_SIZE);
		for (u32 i = 0; i < part && !err; i++, start += PAGE_SIZE) {
			u64 keep = start < n->host_limit ? min(n->host_limit - start, PAGE_SIZE)
							 : 0;

			memset((u8 *)frame_data(pages[i]) + keep, 0, PAGE_SIZE - keep);
		}
		pages += part;
		count -= part;
	}
	mutex_unlock(&n->lock);
	return err == -ENOENT ? -EIO : err;
}

/* What is beyond the size by now is not written. */
static int p9fs_write_pages(struct object *o, u64 index, struct page **pages, u32 count)
{
	struct p9_node *n = node_of_object(o);
	u64 start = index << PAGE_SHIFT, size;
	int err = 0;

	mutex_lock(&n->lock);
	size = load_acquire(&o->size);
	if (!n->inode || n->host_limit != UINT64_MAX)
		/*
		 * It was unlinked and is closed; or the host's file is not what it should be any
		 * more, and nobody can name it.
		 */
		err = -EIO;
	else if (start < size)
		err = need_write_fid(n);
	if (!err && start < size) {
		err = p9_write_pages(client_of(n), n->write_fid, start, pages,
				     (u32)min(size - start, count * PAGE_SIZE));
		n->written = true;
	}
	mutex_unlock(&n->lock);
	return err;
}

static void p9fs_object_free(struct object *o)
{
	p9_node_free(node_of_object(o));
}

static const struct object_ops p9fs_object_ops = {
	.read_pages = p9fs_read_pages,
	.write_pages = p9fs_write_pages,
	.free = p9fs_object_free,
};

void p9_node_object_init(struct p9_node *n, u64 size)
{
	object_init(&n->object, &p9fs_object_ops, 0, size);
}

/* --- size --- */

/*
 * N held. The host's file gets the size; by its owner even where its mode forbids, as for who has
 * it open.
 */
static int host_truncate(struct p9_node *n, u64 size)
{
	struct attribute_change cut = { .valid = SET_SIZE, .size = size };
	struct attribute_change mode = { .valid = SET_MODE, .mode = n->inode->mode | S_IWUSR };
	struct p9_client *c = client_of(n);
	u32 fid = p9_node_fid(n);
	int err;

	if (fid == P9_NO_FID || n->unlinked) {
		n->host_limit = min(n->host_limit, size);
		return 0;
	}
	n->written = true;
	err = p9_setattr(c, fid, &cut);
	if (err != -EACCES || n->inode->mode & S_IWUSR || p9_setattr(c, fid, &mode))
		return err;
	err = p9_setattr(c, fid, &cut);
	mode.mode = n->inode->mode;
	(void)p9_setattr(c, fid, &mode);
	return err;
}

int p9_node_setsize(struct inode *i, u64 size)
{
	struct p9_node *n = p9_node_of(i);
	int err;

	/* The host first: if it refuses, bytes that were not written out yet are still there. */
	mutex_lock(&n->lock);
	err = host_truncate(n, size);
	mutex_unlock(&n->lock);
	if (err)
		return err;
	n->resized = true;
	return object_truncate(&n->object, size);
}

/* --- writing out --- */

void p9_node_stored(struct p9_node *n)
{
	if (object_was_stored_to(&n->object))
		n->inode->mtime = n->inode->ctime = time_now();
}

int p9_node_flush(struct p9_node *n, u64 start, u64 end)
{
	struct attribute_change times = { .valid = SET_MTIME };
	int err;
	u32 fid;

	p9_node_stored(n);
	times.mtime = n->inode->mtime;
	err = object_sync(&n->object, start, end);

	if (!load_relaxed(&n->written))
		return err;
	mutex_lock(&n->lock);
	fid = p9_node_fid(n);
	n->written = false;
	/* The host counts the write-out as the change; but the program has seen another time. */
	if (fid != P9_NO_FID && !n->unlinked)
		(void)p9_setattr(client_of(n), fid, &times);
	mutex_unlock(&n->lock);
	return err;
}

/* --- open files --- */

/* The file is opened on the host at once, so that it stays reachable when it loses its name. */
static int p9fs_open(struct file *f)
{
	struct p9_node *n = p9_node_of(f->inode);
	int err = 0;

	mutex_lock(&n->lock);
	if (f->can_write)
		err = need_write_fid(n);
	if (!err && f->can_read)
		err = need_read_fid(n);
	if (!err)
		n->opens++;
	else if (n->opens == 0)
		p9_node_close_fids(n);
	mutex_unlock(&n->lock);
	return err;
}

static void p9fs_release(struct file *f)
{
	struct p9_node *n = p9_node_of(f->inode);

	if (!load_relaxed(&n->unlinked))
		(void)p9_node_flush(n, 0, UINT64_MAX);
	mutex_lock(&n->lock);
	if (--n->opens == 0)
		p9_node_close_fids(n);
	mutex_unlock(&n->lock);
}

static int p9fs_fsync(struct file *f, u64 start, u64 end, bool data_only)
{
	struct p9_node *n = p9_node_of(f->inode);
	int err;

	if (load_relaxed(&n->unlinked))
		return 0;
	(void)p9_node_flush(n, start, end);
	/* This failure, or one that was met when nobody could be told. */
	err = object_error_check(&n->object, &f->errors_seen);
	mutex_lock(&n->lock);
	if (!err && n->write_fid != P9_NO_FID)
		err = p9_fsync(client_of(n), n->write_fid, data_only);
	mutex_unlock(&n->lock);
	return err;
}

static ssize p9fs_write(struct file *f, struct iter *it, u64 *pos)
{
	struct p9_node *n = p9_node_of(f->inode);
	ssize done = file_write_object(f, it, pos);
	int err = 0;

	if (done <= 0)
		return done;
	n->resized = true;
	writeback_balance(&n->object);
	if (f->flags & O_DSYNC)
		err = p9fs_fsync(f, *pos - (u64)done, *pos, !(f->flags & __O_SYNC));
	return err ? err : done;
}

const struct file_ops p9fs_file_ops = {
	.open = p9fs_open,
	.release = p9fs_release,
	.read = file_read_object,
	.write = p9fs_write,
	.seek = file_seek_object,
	.fsync = p9fs_fsync,
};
