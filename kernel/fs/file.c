/*
 * file.c - open file descriptions: their life, and the calls that go through their table of
 * operations.
 *
 * The rule: what a file may be used for (reading, writing, a position of its own) is checked here,
 * once; the operations of a kind of file rely on it. Regular files' data is in file_data.c,
 * opening by name in open.c, descriptors in files.c.
 */
#include <asm/fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "fs/iter.h"
#include "fs/notify.h"
#include "fs/poll.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/area.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define TRANSFER_MAX \
	0x7ffff000ull /* bytes of one read or write: INT_MAX rounded down to pages, as on Linux */

static struct slab_cache file_cache;

/* Where files live that no path names: a mount that is in no tree. */
static struct super anonymous_super = { .type_name = "anon_inodefs", .magic = 0x09041934 };
static struct mount anonymous_mount = {
	.refs = 1, .super = &anonymous_super, .source = "none", .options = ""
};
static u64 anonymous_ino;

void file_system_init(void)
{
	slab_cache_init(&file_cache, "file", sizeof(struct file));
	anonymous_super.dev = super_new_dev();
}

struct mount *mount_anonymous(void)
{
	return &anonymous_mount;
}

/* --- life --- */

/* A regular file that is open for writing is not run, and the other way round. */
static int write_count_get(struct inode *i)
{
	s32 n = load_relaxed(&i->write_count);

	do {
		if (n < 0)
			return -ETXTBSY;
	} while (!atomic_cas(&i->write_count, &n, n + 1));
	return 0;
}

int file_deny_write(struct file *f)
{
	s32 n = load_relaxed(&f->inode->write_count);

	do {
		if (n > 0)
			return -ETXTBSY;
	} while (!atomic_cas(&f->inode->write_count, &n, n - 1));
	return 0;
}

void file_allow_write(struct file *f)
{
	atomic_add(&f->inode->write_count, 1);
}

static bool counts_as_writer(const struct file *f)
{
	return f->can_write && S_ISREG(f->inode->mode);
}

struct file *file_alloc(const struct path *p, struct inode *i, const struct file_ops *ops,
			u32 flags)
{
	struct process *process = thread_current() ? process_current() : NULL;
	struct file *f = slab_zalloc(&file_cache);
	u32 access = flags & O_ACCMODE;
	int err;

	if (!f)
		return ERR_PTR(-ENOMEM);
	ref_init(&f->refs);
	f->ops = ops;
	f->inode = i;
	f->flags = flags &
		   ~(u32)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC); /* O_NOCTTY is for ops->open */
	if (!(flags & O_PATH)) {
		f->can_read = access == O_RDONLY || access == O_RDWR;
		f->can_write = access == O_WRONLY || access == O_RDWR;
	}
	mutex_init(&f->pos_lock, RANK_FILE_POSITION);
	spin_init(&f->owner.lock, RANK_FS);
	if (counts_as_writer(f)) {
		err = write_count_get(i);
		if (err) {
			slab_free(&file_cache, f);
			return ERR_PTR(err);
		}
	}
	if (i->object)
		f->errors_seen = object_error_sample(i->object);
	f->path = *p;
	path_get(&f->path);
	f->cred = process ? process->cred : NULL;
	if (f->cred)
		cred_get(f->cred);
	return f;
}

/* Free f, whose operations know nothing of it (any more). */
void file_free(struct file *f)
{
	if (counts_as_writer(f))
		atomic_sub(&f->inode->write_count, 1);
	path_put(&f->path);
	if (f->cred)
		cred_put(f->cred);
	slab_free(&file_cache, f);
}

void file_put(struct file *f)
{
	if (!ref_put(&f->refs))
		return;
	if (!(f->flags & O_PATH))
		notify_dentry(f->path.dentry, f->can_write ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	if (f->watchers)
		epoll_file_released(f);
	if (f->inode->locks)
		locks_file_released(f);
	if (f->ops->release)
		f->ops->release(f);
	file_free(f);
}

struct file *file_new_anonymous(const char *class_name, const struct file_ops *ops, void *data,
				u32 flags, u32 mode)
{
	struct inode *i = inode_alloc(&anonymous_super, atomic_add_return(&anonymous_ino, 1), mode);
	struct path p = { &anonymous_mount, NULL };
	const struct cred *cred = cred_current();
	struct file *f;

	if (!i)
		return ERR_PTR(-ENOMEM);
	i->uid = cred->fsuid;
	i->gid = cred->fsgid;
	p.dentry = dentry_new_root(&anonymous_super, i, class_name);
	if (!p.dentry) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	f = file_alloc(&p, i, ops, flags);
	dentry_put(p.dentry);
	if (!IS_ERR(f)) {
		f->stream = true;
		f->data = data;
	}
	return f;
}

struct file *file_new_alias(struct file *like, const struct file_ops *ops, void *data, u32 flags)
{
	struct file *f = file_alloc(&like->path, like->inode, ops, flags);

	if (!IS_ERR(f)) {
		f->stream = like->stream;
		f->data = data;
	}
	return f;
}

/* --- transfers --- */

typedef ssize (*transfer)(struct file *f, struct iter *it, u64 *pos);

static ssize file_transfer_at(struct file *f, transfer op, struct iter *it, u64 *pos)
{
	if ((s64)it->left < 0 || (!f->addresses && (s64)(*pos + it->left) < 0))
		return -EINVAL;
	if ((s64)*pos < 0 && it->left >= -*pos)
		return -EOVERFLOW;
	it->left = min(it->left, TRANSFER_MAX);
	return op(f, it, pos);
}

static ssize file_transfer(struct file *f, transfer op, struct iter *it, u64 *pos)
{
	u64 none = 0;
	ssize result;

	if (!op)
		return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
	if (f->stream)
		return file_transfer_at(f, op, it, &none);
	if (pos)
		return file_transfer_at(f, op, it, pos);
	mutex_lock(&f->pos_lock);
	result = file_transfer_at(f, op, it, &f->pos);
	mutex_unlock(&f->pos_lock);
	return result;
}

/* For /proc/PID/io. */
static ssize account(u64 *calls, u64 *bytes, ssize result)
{
	store_relaxed(calls, load_relaxed(calls) + 1);
	if (result > 0)
		store_relaxed(bytes, load_relaxed(bytes) + (u64)result);
	return result;
}

static ssize read_with(struct file *f, transfer op, struct iter *it, u64 *pos)
{
	struct process *p = process_current();
	ssize done;

	if (!f->can_read)
		return -EBADF;
	done = account(&p->reads, &p->bytes_read, file_transfer(f, op, it, pos));
	if (done > 0)
		notify_dentry(f->path.dentry, IN_ACCESS);
	return done;
}

ssize file_read(struct file *f, struct iter *it, u64 *pos)
{
	return read_with(f, f->ops->read, it, pos);
}

ssize file_read_nonblock(struct file *f, struct iter *it, u64 *pos)
{
	return read_with(f, f->ops->read_nonblock ? f->ops->read_nonblock : f->ops->read, it, pos);
}

ssize file_write(struct file *f, struct iter *it, u64 *pos)
{
	struct process *p = process_current();
	ssize done;

	if (!f->can_write)
		return -EBADF;
	done = account(&p->writes, &p->bytes_written, file_transfer(f, f->ops->write, it, pos));
	if (done > 0)
		notify_dentry(f->path.dentry, IN_MODIFY);
	return done;
}

ssize file_read_kernel(struct file *f, void *buf, size_t n, u64 offset)
{
	size_t done = 0;

	while (done < n) {
		u64 pos = offset + done;
		struct iter it;
		ssize got;

		iter_init_kernel(&it, (u8 *)buf + done, n - done);
		got = file_read(f, &it, &pos);
		if (got < 0)
			return done ? (ssize)done : got;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize)done;
}

/* --- position --- */

s64 file_seek(struct file *f, s64 offset, int whence)
{
	s64 result;

	if (!f->ops->seek)
		return -ESPIPE;
	mutex_lock(&f->pos_lock);
	result = f->ops->seek(f, offset, whence);
	mutex_unlock(&f->pos_lock);
	return result;
}

/* The new position, if it is one. */
static s64 seek_to(struct file *f, s64 base, s64 offset)
{
	s64 pos;

	if (__builtin_add_overflow(base, offset, &pos))
		return -EOVERFLOW;
	if (pos < 0)
		return -EINVAL;
	f->pos = (u64)pos;
	return pos;
}

s64 file_seek_nowhere(struct file *f, s64 offset, int whence)
{
	return 0;
}

s64 file_seek_plain(struct file *f, s64 offset, int whence)
{
	switch (whence) {
	case SEEK_SET:
		return seek_to(f, 0, offset);
	case SEEK_CUR:
		return seek_to(f, (s64)f->pos, offset);
	default:
		return -EINVAL;
	}
}

/*
 * Data and holes: where memory has no page is a hole; a file with bytes elsewhere is one piece of
 * data.
 */
static s64 seek_extent(struct file *f, s64 offset, bool hole)
{
	struct object *o = f->inode->object;
	u64 size = load_acquire(&f->inode->object->size), found;

	if (offset < 0 || (u64)offset >= size)
		return -ENXIO;
	if (o->ops->read_pages)
		found = hole ? size : (u64)offset;
	else
		found = hole ? object_seek_hole(o, (u64)offset) : object_seek_data(o, (u64)offset);
	if (!hole && found >= size)
		return -ENXIO;
	return seek_to(f, (s64)min(found, size), 0);
}

s64 file_seek_object(struct file *f, s64 offset, int whence)
{
	switch (whence) {
	case SEEK_END:
		return seek_to(f, (s64)load_acquire(&f->inode->object->size), offset);
	case SEEK_DATA:
		return seek_extent(f, offset, false);
	case SEEK_HOLE:
		return seek_extent(f, offset, true);
	default:
		return file_seek_plain(f, offset, whence);
	}
}

/* --- directories --- */

int file_readdir(struct file *f,
		 int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
			     u64 next_pos),
		 void *arg)
{
	int err = -ENOENT;

	if (!f->ops->readdir)
		return -ENOTDIR;
	mutex_lock(&f->pos_lock);
	mutex_lock(&f->inode->lock);
	if (!f->path.dentry->unlinked)
		err = f->ops->readdir(f, emit, arg);
	mutex_unlock(&f->inode->lock);
	mutex_unlock(&f->pos_lock);
	if (!err)
		notify_dentry(f->path.dentry, IN_ACCESS);
	return err;
}

int file_emit_dots(struct file *f,
		   int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
			       u64 next_pos),
		   void *arg)
{
	if (f->pos == 0) {
		if (emit(arg, ".", 1, f->inode->ino, DT_DIR, 1))
			return 1;
		f->pos = 1;
	}
	if (f->pos == 1) {
		u64 ino;

		spin_lock(&dentry_lock);
		ino = f->path.dentry->parent->inode->ino;
		spin_unlock(&dentry_lock);
		if (emit(arg, "..", 2, ino, DT_DIR, 2))
			return 1;
		f->pos = 2;
	}
	return 0;
}

int file_sync_range(struct file *f, u64 start, u64 end, bool data_only)
{
	if (f->stream)
		return -EINVAL;
	return f->ops->fsync ? f->ops->fsync(f, start, end, data_only) : 0;
}

int file_sync(struct file *f, bool data_only)
{
	return file_sync_range(f, 0, UINT64_MAX, data_only);
}

/* --- areas that map files --- */

static void area_file_get(void *file)
{
	file_get(file);
}

static void area_file_put(void *file)
{
	file_put(file);
}

static void area_file_describe(void *file, char *path, size_t size, u64 *dev, u64 *ino)
{
	struct file *f = file;
	char *text = path_text(&f->path, path, size);

	if (IS_ERR(text))
		path[0] = '\0';
	else
		memmove(path, text, strlen(text) + 1);
	*dev = f->inode->super->dev;
	*ino = f->inode->ino;
}

static int area_file_sync(void *file, u64 start, u64 end)
{
	return file_sync_range(file, start, end, true);
}

static int area_file_punch(void *file, u64 start, u64 end)
{
	struct file *f = file;

	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	return f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start);
}

static int area_file_remap(void *file, u32 *flags)
{
	struct file *f = file;

	return f->ops->map_check ? f->ops->map_check(f, flags) : 0;
}

const struct area_file_ops file_area_ops = {
	.get = area_file_get,
	.put = area_file_put,
	.describe = area_file_describe,
	.sync = area_file_sync,
	.punch = area_file_punch,
	.remap = area_file_remap,
};
