/*
 * file.c - open files and descriptors: open, close, dup, fcntl, lseek, getdents, sync, space. Data
 * moves in rw.c and transfer.c.
 */
#include <asm/fcntl.h>
#include <asm/resource.h>
#include <asm/signal.h>
#include <linux/close_range.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/path.h"
#include "sys/rw.h"
#include "sys/syscall.h"

/* --- open --- */

#define OPEN_FLAGS                                                                            \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | \
	 O_DSYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |   \
	 O_CLOEXEC | O_PATH | O_TMPFILE)

static long open_common(int dirfd, const char __user *user, u32 flags, u32 mode, u32 lookup_flags)
{
	struct user_path p;
	struct file *f;
	int fd, err;

	err = user_path_get(&p, dirfd, user, 0);
	if (err)
		return err;
	err = fd_check_free();
	if (err) {
		user_path_put(&p);
		return err;
	}
	f = file_open_lookup(p.start, p.name, flags, mode, lookup_flags);
	user_path_put(&p);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long do_open(int dirfd, const char __user *user, u32 flags, u32 mode)
{
	return open_common(dirfd, user, (flags & OPEN_FLAGS) | O_LARGEFILE, mode & 07777, 0);
}

SYSCALL3(open, const char __user *, path, u32, flags, u32, mode)
{
	return do_open(AT_FDCWD, path, flags, mode);
}

SYSCALL2(creat, const char __user *, path, u32, mode)
{
	return do_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

SYSCALL4(openat, int, dirfd, const char __user *, path, u32, flags, u32, mode)
{
	return do_open(dirfd, path, flags, mode);
}

static const struct {
	u32 resolve, lookup;
} resolve_flags[] = {
	{ RESOLVE_NO_XDEV, LOOKUP_NO_XDEV },         { RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGIC },
	{ RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS }, { RESOLVE_BENEATH, LOOKUP_BENEATH },
	{ RESOLVE_IN_ROOT, LOOKUP_IN_ROOT },         { RESOLVE_CACHED, LOOKUP_CACHED },
};

static int open_how_check(const struct open_how *how, u32 *lookup_flags)
{
	u64 resolve = how->resolve;
	bool creates = how->flags & (O_CREAT | __O_TMPFILE);

	*lookup_flags = 0;
	for (u32 i = 0; i < ARRAY_SIZE(resolve_flags); i++) {
		if (resolve & resolve_flags[i].resolve)
			*lookup_flags |= resolve_flags[i].lookup;
		resolve &= ~(u64)resolve_flags[i].resolve;
	}
	if (resolve || how->flags & ~(u64)OPEN_FLAGS || how->mode & (creates ? ~07777ull : ~0ull))
		return -EINVAL;
	if ((how->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) ==
	    (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how->flags & O_PATH &&
	    how->flags & ~(u64)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	if (how->resolve & RESOLVE_CACHED && how->flags & (O_TRUNC | O_CREAT | __O_TMPFILE))
		return -EAGAIN;
	return 0;
}

#define OPEN_HOW_SIZE_FIRST 24u /* of the first version of struct open_how */

/* Bytes beyond what this kernel knows must be zero. */
static int tail_is_zero(const u8 __user *p, size_t n)
{
	for (; n; p++, n--) {
		u8 byte;

		if (get_user(byte, p))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

SYSCALL4(openat2, int, dirfd, const char __user *, path, const struct open_how __user *, user,
	 size_t, size)
{
	struct open_how how = { 0 };
	u32 lookup_flags;
	int err;

	if (size < OPEN_HOW_SIZE_FIRST)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (copy_from_user(&how, user, min(size, sizeof(how))))
		return -EFAULT;
	err = size > sizeof(how)
		      ? tail_is_zero((const u8 __user *)user + sizeof(how), size - sizeof(how))
		      : 0;
	if (!err)
		err = open_how_check(&how, &lookup_flags);
	return err ? err : open_common(dirfd, path, (u32)how.flags, (u32)how.mode, lookup_flags);
}

SYSCALL1(close, int, fd)
{
	return fd_close(fd);
}

SYSCALL3(close_range, u32, first, u32, last, u32, flags)
{
	int err = 0;

	if (flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE)
		err = files_unshare(process_current());
	if (err)
		return err;
	return flags & CLOSE_RANGE_CLOEXEC ? fd_set_cloexec_range(first, last)
					   : fd_close_range(first, last);
}

/* --- dup --- */

static long dup_from(int fd, u32 lowest, bool cloexec)
{
	struct file *f = fd_file_any(fd);
	int result;

	if (!f)
		return -EBADF;
	result = fd_install(f, lowest, cloexec);
	if (result < 0)
		file_put(f);
	return result;
}

static long dup_to(int fd, int to, bool cloexec)
{
	struct file *f = fd_file_any(fd);
	int result;

	if (!f)
		return -EBADF;
	result = fd_replace(to, f, cloexec);
	if (result < 0)
		file_put(f);
	return result;
}

SYSCALL1(dup, int, fd)
{
	return dup_from(fd, 0, false);
}

SYSCALL2(dup2, int, fd, int, to)
{
	if (fd == to)
		return fd_get_cloexec(fd) < 0 ? -EBADF : fd;
	return dup_to(fd, to, false);
}

SYSCALL3(dup3, int, fd, int, to, u32, flags)
{
	if (flags & ~(u32)O_CLOEXEC || fd == to)
		return -EINVAL;
	return dup_to(fd, to, flags & O_CLOEXEC);
}

/* --- position --- */

SYSCALL3(lseek, int, fd, s64, offset, u32, whence)
{
	struct file *f = fd_file(fd);
	s64 result;

	if (!f)
		return -EBADF;
	result = whence > SEEK_HOLE ? -EINVAL : file_seek(f, offset, (int)whence);
	file_put(f);
	return result;
}

/* --- getdents --- */

/* Entries are laid out in kernel memory and copied out at the end. */
struct dents {
	u8 *buf;
	size_t size, used;
	bool old; /* struct linux_dirent of getdents(2): the type lies in the last byte */
	bool too_small;
};

#define DENTS_BUFFER 32768u
#define DIRENT64_HEAD 19u /* d_ino, d_off, d_reclen, d_type */
#define DIRENT_HEAD 18u   /* d_ino, d_off, d_reclen */

static int dents_emit(void *arg, const char *name, size_t len, u64 ino, u32 type, u64 next_pos)
{
	struct dents *d = arg;
	size_t head = d->old ? DIRENT_HEAD : DIRENT64_HEAD;
	u16 size = (u16)ROUND_UP(head + len + 1 + d->old, sizeof(u64));
	u8 *p = d->buf + d->used;

	if (d->used + size > d->size) {
		d->too_small = d->used == 0;
		return 1;
	}
	memset(p + size - 8, 0, 8);
	memcpy(p, &ino, 8);
	memcpy(p + 8, &next_pos, 8);
	memcpy(p + 16, &size, 2);
	memcpy(p + head, name, len);
	p[head + len] = '\0';
	p[d->old ? size - 1u : 18u] = (u8)type;
	d->used += size;
	return 0;
}

static ssize read_entries(struct file *f, struct dents *d, void __user *user)
{
	u64 pos = f->pos;
	int err = file_readdir(f, dents_emit, d);

	if (d->used == 0)
		return err ? err : d->too_small ? -EINVAL : 0;
	if (!copy_to_user(user, d->buf, d->used))
		return (ssize)d->used;
	mutex_lock(&f->pos_lock);
	f->pos = pos; /* what did not arrive is read again */
	mutex_unlock(&f->pos_lock);
	return -EFAULT;
}

static long do_getdents(int fd, void __user *user, u32 size, bool old)
{
	struct dents d = { .size = min(size, DENTS_BUFFER), .old = old };
	struct file *f = fd_file(fd);
	ssize result;

	if (!f)
		return -EBADF;
	d.buf = kmalloc(d.size ? d.size : 1);
	result = d.buf ? read_entries(f, &d, user) : -ENOMEM;
	kfree(d.buf);
	file_put(f);
	return result;
}

SYSCALL3(getdents64, int, fd, void __user *, buf, u32, size)
{
	return do_getdents(fd, buf, size, false);
}

SYSCALL3(getdents, int, fd, void __user *, buf, u32, size)
{
	return do_getdents(fd, buf, size, true);
}

/* --- to the disk --- */

static long do_fsync(int fd, bool data_only)
{
	struct file *f = fd_file(fd);
	int err;

	if (!f)
		return -EBADF;
	err = file_sync(f, data_only);
	file_put(f);
	return err;
}

SYSCALL1(fsync, int, fd)
{
	return do_fsync(fd, false);
}

SYSCALL1(fdatasync, int, fd)
{
	return do_fsync(fd, true);
}

/* What can be written lies in the object; the rest of what fsync(2) does is not wanted here. */
static long sync_part(struct file *f, s64 offset, s64 length, u32 flags)
{
	struct object *o = f->inode->object;
	u32 mode = f->inode->mode;
	s64 end;

	if (flags & ~(u32)(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			   SYNC_FILE_RANGE_WAIT_AFTER) ||
	    offset < 0 || length < 0 || __builtin_add_overflow(offset, length, &end))
		return -EINVAL;
	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode) && !S_ISBLK(mode))
		return -ESPIPE;
	if (!o || load_relaxed(&o->kept_dirty))
		return 0;
	if (flags & SYNC_FILE_RANGE_WRITE)
		(void)object_sync(o, (u64)offset, length ? (u64)end : UINT64_MAX);
	if (!(flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER)))
		return 0;
	object_sync_wait(o, (u64)offset, length ? (u64)end : UINT64_MAX);
	return object_error_check(o, &f->errors_seen);
}

SYSCALL4(sync_file_range, int, fd, s64, offset, s64, length, u32, flags)
{
	struct file *f = fd_file(fd);
	long result;

	if (!f)
		return -EBADF;
	result = sync_part(f, offset, length, flags);
	file_put(f);
	return result;
}

SYSCALL0(sync)
{
	vfs_sync();
	return 0;
}

SYSCALL1(syncfs, int, fd)
{
	struct file *f = fd_file(fd);
	int err;

	if (!f)
		return -EBADF;
	err = super_sync(f->inode->super);
	file_put(f);
	return err;
}

/* --- advice --- */

SYSCALL4(fadvise64, int, fd, s64, offset, s64, length, int, advice)
{
	struct file *f = fd_file(fd);
	long result = 0;

	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		result = -ESPIPE;
	else if (length < 0)
		result = -EINVAL;
	else
		result = file_advise(f, (u64)offset, (u64)length, advice);
	file_put(f);
	return result;
}

SYSCALL3(readahead, int, fd, s64, offset, size_t, n)
{
	struct file *f = fd_file(fd);
	long result = 0;

	if (!f)
		return -EBADF;
	if (!f->can_read)
		result = -EBADF;
	else if (!S_ISREG(f->inode->mode) || !f->inode->object || (ssize)n < 0)
		result = -EINVAL;
	else
		file_read_ahead(f, (u64)offset, n);
	file_put(f);
	return result;
}

/* --- space --- */

static long allocate_check(struct file *f, int mode, s64 offset, s64 length)
{
	s64 end;

	if (offset < 0 || length <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
		     FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) ==
	    (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!f->can_write)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode))
		return -ENODEV;
	if (__builtin_add_overflow(offset, length, &end))
		return -EFBIG;
	return f->ops->fallocate ? 0 : -EOPNOTSUPP;
}

SYSCALL4(fallocate, int, fd, int, mode, s64, offset, s64, length)
{
	struct file *f = fd_file(fd);
	long result;

	if (!f)
		return -EBADF;
	result = allocate_check(f, mode, offset, length);
	if (!result)
		result = write_result(f->ops->fallocate(f, mode, (u64)offset, (u64)length));
	file_put(f);
	return result;
}

SYSCALL2(ftruncate, int, fd, s64, size)
{
	struct file *f;
	long result;

	if (size < 0)
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	result = write_result(vfs_truncate(f, &f->path, (u64)size));
	file_put(f);
	return result;
}

SYSCALL2(truncate, const char __user *, path, s64, size)
{
	struct path p;
	long result;

	if (size < 0)
		return -EINVAL;
	result = user_path_lookup(AT_FDCWD, path, 0, LOOKUP_FOLLOW, &p);
	if (result)
		return result;
	result = write_result(vfs_truncate(NULL, &p, (u64)size));
	path_put(&p);
	return result;
}
