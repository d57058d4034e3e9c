/*
 * stat.c - what is known of a file, and changes of it: stat, statx, access, chmod, chown, utimes,
 * statfs, readlink.
 */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/utime.h>

#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/path.h"
#include "sys/syscall.h"

/* --- stat --- */

static long stat_out(const struct path *p, struct stat __user *user)
{
	struct attributes a;
	struct stat s;
	int err = vfs_getattr(p, &a);

	if (err)
		return err;
	s = (struct stat){
		.st_dev = a.dev,
		.st_ino = a.ino,
		.st_nlink = a.nlink,
		.st_mode = a.mode,
		.st_uid = a.uid,
		.st_gid = a.gid,
		.st_rdev = a.rdev,
		.st_size = (long)a.size,
		.st_blksize = a.block_size,
		.st_blocks = (long)a.blocks,
		.st_atime = (unsigned long)a.atime.sec,
		.st_atime_nsec = a.atime.nsec,
		.st_mtime = (unsigned long)a.mtime.sec,
		.st_mtime_nsec = a.mtime.nsec,
		.st_ctime = (unsigned long)a.ctime.sec,
		.st_ctime_nsec = a.ctime.nsec,
	};
	return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

static long stat_at(int dirfd, const char __user *name, struct stat __user *user, int flags)
{
	struct path p;
	long result;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	result = user_path_lookup(dirfd, name, flags, at_lookup_flags(flags), &p);
	if (result)
		return result;
	result = stat_out(&p, user);
	path_put(&p);
	return result;
}

static long stat_fd(int fd, struct stat __user *user)
{
	struct file *f = fd_file_any(fd);
	long result;

	if (!f)
		return -EBADF;
	result = stat_out(&f->path, user);
	file_put(f);
	return result;
}

SYSCALL2(stat, const char __user *, name, struct stat __user *, user)
{
	return stat_at(AT_FDCWD, name, user, 0);
}

SYSCALL2(lstat, const char __user *, name, struct stat __user *, user)
{
	return stat_at(AT_FDCWD, name, user, AT_SYMLINK_NOFOLLOW);
}

SYSCALL2(fstat, int, fd, struct stat __user *, user)
{
	return stat_fd(fd, user);
}

SYSCALL4(newfstatat, int, dirfd, const char __user *, name, struct stat __user *, user, int, flags)
{
	char first;

	/* How the C library writes fstat; NULL is as good as "". */
	if (flags == AT_EMPTY_PATH && dirfd >= 0 && (!name || (!get_user(first, name) && !first)))
		return stat_fd(dirfd, user);
	return stat_at(dirfd, name, user, flags);
}

/* --- statx --- */

static struct statx_timestamp statx_time(struct timespec_ns t)
{
	return (struct statx_timestamp){ .tv_sec = t.sec, .tv_nsec = t.nsec };
}

/* Major and minor number of a device as statx has them apart. */
static u32 device_major(u64 dev)
{
	return (u32)(dev >> 8 & 0xfff);
}

static u32 device_minor(u64 dev)
{
	return (u32)((dev & 0xff) | (dev >> 12 & 0xfff00));
}

static long statx_out(const struct path *p, struct statx __user *user)
{
	struct attributes a;
	struct statx s;
	int err = vfs_getattr(p, &a);

	if (err)
		return err;
	s = (struct statx){
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID,
		.stx_blksize = a.block_size,
		.stx_nlink = a.nlink,
		.stx_uid = a.uid,
		.stx_gid = a.gid,
		.stx_mode = (u16)a.mode,
		.stx_ino = a.ino,
		.stx_size = a.size,
		.stx_blocks = a.blocks,
		.stx_attributes = path_is_mount_root(p) ? STATX_ATTR_MOUNT_ROOT : 0,
		.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT,
		.stx_atime = statx_time(a.atime),
		.stx_btime = statx_time(a.btime),
		.stx_ctime = statx_time(a.ctime),
		.stx_mtime = statx_time(a.mtime),
		.stx_rdev_major = device_major(a.rdev),
		.stx_rdev_minor = device_minor(a.rdev),
		.stx_dev_major = device_major(a.dev),
		.stx_dev_minor = device_minor(a.dev),
		.stx_mnt_id = path_mount_id(p),
	};
	return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

SYSCALL5(statx, int, dirfd, const char __user *, name, int, flags, u32, mask, struct statx __user *,
	 user)
{
	struct path p;
	long result;

	if (mask & STATX__RESERVED || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
	    flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	result = !name && flags & AT_EMPTY_PATH
			 ? fd_path(dirfd, true, &p)
			 : user_path_lookup(dirfd, name, flags, at_lookup_flags(flags), &p);
	if (result)
		return result;
	result = statx_out(&p, user);
	path_put(&p);
	return result;
}

/* --- access --- */

static long do_access(int dirfd, const char __user *name, u32 may, int flags)
{
	struct user_path p;
	int err;

	if (may & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = user_path_get(&p, dirfd, name, flags);
	if (err)
		return err;
	err = vfs_access(p.start, p.name, may, at_lookup_flags(flags), flags & AT_EACCESS);
	user_path_put(&p);
	return err;
}

SYSCALL2(access, const char __user *, name, u32, may)
{
	return do_access(AT_FDCWD, name, may, 0);
}

SYSCALL3(faccessat, int, dirfd, const char __user *, name, u32, may)
{
	return do_access(dirfd, name, may, 0);
}

SYSCALL4(faccessat2, int, dirfd, const char __user *, name, u32, may, int, flags)
{
	return do_access(dirfd, name, may, flags);
}

/* --- chmod, chown --- */

static long change_at(int dirfd, const char __user *name, int flags,
		      const struct attribute_change *change)
{
	struct path p;
	long result;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	result = user_path_lookup(dirfd, name, flags, at_lookup_flags(flags), &p);
	if (result)
		return result;
	if (change->valid & SET_MODE && S_ISLNK(dentry_inode(p.dentry)->mode))
		result = -EOPNOTSUPP;
	else
		result = vfs_setattr(&p, change);
	path_put(&p);
	return result;
}

static long change_fd(int fd, const struct attribute_change *change)
{
	struct file *f = fd_file(fd);
	long result;

	if (!f)
		return -EBADF;
	result = vfs_setattr(&f->path, change);
	file_put(f);
	return result;
}

static struct attribute_change mode_change(u32 mode)
{
	return (struct attribute_change){ .valid = SET_MODE, .mode = mode & 07777 };
}

SYSCALL2(chmod, const char __user *, name, u32, mode)
{
	struct attribute_change c = mode_change(mode);

	return change_at(AT_FDCWD, name, 0, &c);
}

SYSCALL2(fchmod, int, fd, u32, mode)
{
	struct attribute_change c = mode_change(mode);

	return change_fd(fd, &c);
}

SYSCALL3(fchmodat, int, dirfd, const char __user *, name, u32, mode)
{
	struct attribute_change c = mode_change(mode);

	return change_at(dirfd, name, 0, &c);
}

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
SYSCALL4(fchmodat2, int, dirfd, const char __user *, name, u32, mode, int, flags)
{
	struct attribute_change c = mode_change(mode);

	return change_at(dirfd, name, flags, &c);
}

static struct attribute_change owner_change(u32 uid, u32 gid)
{
	struct attribute_change c = { .uid = uid, .gid = gid };

	if (uid != UINT32_MAX)
		c.valid |= SET_UID;
	if (gid != UINT32_MAX)
		c.valid |= SET_GID;
	return c;
}

SYSCALL3(chown, const char __user *, name, u32, uid, u32, gid)
{
	struct attribute_change c = owner_change(uid, gid);

	return change_at(AT_FDCWD, name, 0, &c);
}

SYSCALL3(lchown, const char __user *, name, u32, uid, u32, gid)
{
	struct attribute_change c = owner_change(uid, gid);

	return change_at(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, &c);
}

SYSCALL3(fchown, int, fd, u32, uid, u32, gid)
{
	struct attribute_change c = owner_change(uid, gid);

	return change_fd(fd, &c);
}

SYSCALL5(fchownat, int, dirfd, const char __user *, name, u32, uid, u32, gid, int, flags)
{
	struct attribute_change c = owner_change(uid, gid);

	return change_at(dirfd, name, flags, &c);
}

/* --- times --- */

#define NSEC_NOW 0x3fffffff  /* UTIME_NOW */
#define NSEC_OMIT 0x3ffffffe /* UTIME_OMIT */

static int time_change(const struct __kernel_timespec *t, struct timespec_ns *out, u32 *valid,
		       u32 given, u32 now)
{
	if (t->tv_nsec == NSEC_OMIT)
		return 0;
	if (t->tv_nsec == NSEC_NOW) {
		*valid |= now;
		return 0;
	}
	if ((u64)t->tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*out = (struct timespec_ns){ t->tv_sec, (u32)t->tv_nsec };
	*valid |= given;
	return 0;
}

/* times: two, or NULL for the present moment. */
static long set_times(int dirfd, const char __user *name, const struct __kernel_timespec *times,
		      int flags)
{
	struct attribute_change c = { .valid = SET_ATIME_NOW | SET_MTIME_NOW };
	int err = 0;

	if (times) {
		c.valid = 0;
		err = time_change(&times[0], &c.atime, &c.valid, SET_ATIME, SET_ATIME_NOW);
		if (!err)
			err = time_change(&times[1], &c.mtime, &c.valid, SET_MTIME, SET_MTIME_NOW);
		if (err)
			return err;
		if (!c.valid)
			return 0;
	}
	if (!name && dirfd != AT_FDCWD)
		return flags ? -EINVAL : change_fd(dirfd, &c);
	return change_at(dirfd, name, flags, &c);
}

SYSCALL4(utimensat, int, dirfd, const char __user *, name, const struct __kernel_timespec __user *,
	 user, int, flags)
{
	struct __kernel_timespec times[2];

	if (user && copy_from_user(times, user, sizeof(times)))
		return -EFAULT;
	return set_times(dirfd, name, user ? times : NULL, flags);
}

static long set_timevals(int dirfd, const char __user *name,
			 const struct __kernel_old_timeval __user *user)
{
	struct __kernel_old_timeval old[2];
	struct __kernel_timespec times[2];

	if (!user)
		return set_times(dirfd, name, NULL, 0);
	if (copy_from_user(old, user, sizeof(old)))
		return -EFAULT;
	for (u32 i = 0; i < 2; i++) {
		if ((u64)old[i].tv_usec >= 1000000)
			return -EINVAL;
		times[i] = (struct __kernel_timespec){ old[i].tv_sec, old[i].tv_usec * 1000 };
	}
	return set_times(dirfd, name, times, 0);
}

SYSCALL2(utimes, const char __user *, name, const struct __kernel_old_timeval __user *, times)
{
	return set_timevals(AT_FDCWD, name, times);
}

SYSCALL3(futimesat, int, dirfd, const char __user *, name,
	 const struct __kernel_old_timeval __user *, times)
{
	return set_timevals(dirfd, name, times);
}

SYSCALL2(utime, const char __user *, name, const struct utimbuf __user *, user)
{
	struct __kernel_timespec times[2] = { 0 };
	struct utimbuf u;

	if (!user)
		return set_times(AT_FDCWD, name, NULL, 0);
	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	times[0].tv_sec = u.actime;
	times[1].tv_sec = u.modtime;
	return set_times(AT_FDCWD, name, times, 0);
}

/* --- statfs --- */

#define ST_RDONLY 0x1
#define ST_VALID 0x20
#define ST_RELATIME 0x1000

static long statfs_out(const struct path *p, struct statfs __user *user)
{
	struct super *super = dentry_inode(p->dentry)->super;
	struct statfs_info info;
	struct statfs s;
	int err = vfs_statfs(p, &info);

	if (err)
		return err;
	s = (struct statfs){
		.f_type = super->magic,
		.f_bsize = (long)info.block_size,
		.f_blocks = (long)info.blocks,
		.f_bfree = (long)info.blocks_free,
		.f_bavail = (long)info.blocks_available,
		.f_files = (long)info.files,
		.f_ffree = (long)info.files_free,
		.f_fsid = { { (int)super->dev, 0 } },
		.f_namelen = info.name_max,
		.f_frsize = (long)info.block_size,
		.f_flags = ST_VALID | ST_RELATIME | (super->flags & SUPER_READONLY ? ST_RDONLY : 0),
	};
	return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

SYSCALL2(statfs, const char __user *, name, struct statfs __user *, user)
{
	struct path p;
	long result = user_path_lookup(AT_FDCWD, name, 0, LOOKUP_FOLLOW, &p);

	if (result)
		return result;
	result = statfs_out(&p, user);
	path_put(&p);
	return result;
}

SYSCALL2(fstatfs, int, fd, struct statfs __user *, user)
{
	struct path p;
	long result = fd_path(fd, true, &p);

	if (result)
		return result;
	result = statfs_out(&p, user);
	path_put(&p);
	return result;
}

/* --- readlink --- */

static ssize readlink_out(const struct path *p, char __user *user, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);
	char *buf;
	ssize n;

	if (!i->ops || !i->ops->readlink)
		return -EINVAL;
	size = min(size, (size_t)PATH_MAX);
	buf = kmalloc(size);
	if (!buf)
		return -ENOMEM;
	n = i->ops->readlink(i, buf, size);
	if (n > 0 && copy_to_user(user, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	return n;
}

static long do_readlink(int dirfd, const char __user *name, char __user *user, int size)
{
	struct user_path up;
	struct path p;
	long result;

	if (size <= 0)
		return -EINVAL;
	result = user_path_get(&up, dirfd, name, AT_EMPTY_PATH);
	if (result)
		return result;
	result = path_lookup(up.start, up.name, LOOKUP_EMPTY, &p);
	if (!result) {
		result = readlink_out(&p, user, (size_t)size);
		/* "" names a link only if its descriptor was opened as one. */
		if (result == -EINVAL && !up.name[0])
			result = -ENOENT;
		path_put(&p);
	}
	user_path_put(&up);
	return result;
}

SYSCALL3(readlink, const char __user *, name, char __user *, user, int, size)
{
	return do_readlink(AT_FDCWD, name, user, size);
}

SYSCALL4(readlinkat, int, dirfd, const char __user *, name, char __user *, user, int, size)
{
	return do_readlink(dirfd, name, user, size);
}
