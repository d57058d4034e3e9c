/* fcntl.c - fcntl(2) and flock(2). */
#include <asm/fcntl.h>
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#include "fs/eventfiles.h"
#include "fs/locks.h"
#include "fs/pipe.h"
#include "fs/vfs.h"
#include "proc/proc.h"
#include "sys/owner.h"
#include "sys/syscall.h"

#define SETTABLE_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

/* --- record locks --- */

static int lock_type_get(s16 type, enum lock_type *out)
{
	switch (type) {
	case F_RDLCK:
		*out = LOCK_TYPE_READ;
		return 0;
	case F_WRLCK:
		*out = LOCK_TYPE_WRITE;
		return 0;
	case F_UNLCK:
		*out = LOCK_TYPE_NONE;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The absolute range that a struct flock means for f. */
static int lock_from_user(struct file *f, const struct flock *u, struct record_lock *l)
{
	s64 base, start, end;

	switch (u->l_whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = (s64)f->pos;
		break;
	case SEEK_END:
		base = f->inode->object ? (s64)f->inode->object->size : 0;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, u->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	end = INT64_MAX;
	if (u->l_len > 0 && __builtin_add_overflow(start, u->l_len - 1, &end))
		return -EOVERFLOW;
	if (u->l_len < 0) {
		end = start - 1;
		start += u->l_len;
		if (start < 0)
			return -EINVAL;
	}
	*l = (struct record_lock){ .start = (u64)start, .end = (u64)end };
	return lock_type_get(u->l_type, &l->type);
}

static long lock_query(struct file *f, struct flock __user *user, bool ofd)
{
	struct record_lock l;
	struct flock u;
	int err;

	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	if (ofd && u.l_pid)
		return -EINVAL;
	err = lock_from_user(f, &u, &l);
	if (!err && l.type == LOCK_TYPE_NONE && !ofd)
		err = -EINVAL;
	if (!err)
		err = locks_record_get(f, &l, ofd);
	if (err)
		return err;
	u.l_type = F_UNLCK;
	if (l.type != LOCK_TYPE_NONE) {
		u.l_type = l.type == LOCK_TYPE_READ ? F_RDLCK : F_WRLCK;
		u.l_whence = SEEK_SET;
		u.l_start = (s64)l.start;
		u.l_len = l.end >= INT64_MAX ? 0 : (s64)(l.end - l.start + 1);
		u.l_pid = l.pid;
	}
	return copy_to_user(user, &u, sizeof(u)) ? -EFAULT : 0;
}

/*
 * A close of fd that ran meanwhile has removed the process's locks before this one came: take it
 * back.
 */
static void lock_undo_if_closed(int fd, struct file *f, struct record_lock *l)
{
	struct file *now = fd_file(fd);

	if (now != f) {
		l->type = LOCK_TYPE_NONE;
		locks_record_set(f, l, false, false);
	}
	if (now)
		file_put(now);
}

static long lock_change(int fd, struct file *f, const struct flock __user *user, bool ofd,
			bool wait)
{
	struct record_lock l;
	struct flock u;
	int err;

	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	if (ofd && u.l_pid)
		return -EINVAL;
	err = lock_from_user(f, &u, &l);
	if (!err)
		err = locks_record_set(f, &l, ofd, wait);
	if (!err && !ofd && l.type != LOCK_TYPE_NONE)
		lock_undo_if_closed(fd, f, &l);
	return err;
}

SYSCALL2(flock, int, fd, u32, operation)
{
	struct file *f;
	enum lock_type type;
	long result;

	switch (operation & ~(u32)LOCK_NB) {
	case LOCK_SH:
		type = LOCK_TYPE_READ;
		break;
	case LOCK_EX:
		type = LOCK_TYPE_WRITE;
		break;
	case LOCK_UN:
		type = LOCK_TYPE_NONE;
		break;
	default:
		return -EINVAL;
	}
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	if (type != LOCK_TYPE_NONE && !f->can_read && !f->can_write)
		result = -EBADF;
	else
		result = locks_flock(f, type, !(operation & LOCK_NB));
	file_put(f);
	return result;
}

/* --- who is told of readiness --- */

s32 file_owner_number(struct file *f)
{
	struct file_owner o;

	file_get_owner(f, &o);
	return o.type == FILE_OWNER_GROUP ? -(s32)o.id : (s32)o.id;
}

int file_owner_from_number(struct file *f, s32 number)
{
	if (number == INT32_MIN)
		return -EINVAL;
	return file_set_owner(f, number < 0 ? FILE_OWNER_GROUP : FILE_OWNER_PROCESS,
			      number < 0 ? -number : number);
}

static long get_owner(struct file *f, struct f_owner_ex __user *user)
{
	struct f_owner_ex u;
	struct file_owner o;

	file_get_owner(f, &o);
	u.type = (s32)o.type;
	u.pid = (s32)o.id;
	return copy_to_user(user, &u, sizeof(u)) ? -EFAULT : 0;
}

static long set_owner(struct file *f, const struct f_owner_ex __user *user)
{
	struct f_owner_ex u;

	if (copy_from_user(&u, user, sizeof(u)))
		return -EFAULT;
	if ((u32)u.type > FILE_OWNER_GROUP)
		return -EINVAL;
	return file_set_owner(f, (u32)u.type, u.pid);
}

/* --- fcntl --- */

static long set_flags(struct file *f, u32 flags)
{
	u32 old = load_relaxed(&f->flags);

	if (flags & O_NOATIME && !(old & O_NOATIME) && !inode_owned(f->inode))
		return -EPERM;
	store_relaxed(&f->flags, (old & ~(u32)SETTABLE_FLAGS) | (flags & SETTABLE_FLAGS));
	return 0;
}

static long duplicate(struct file *f, u64 lowest, bool cloexec)
{
	int fd;

	if (lowest >= rlimit_get(RLIMIT_NOFILE))
		return -EINVAL;
	file_get(f);
	fd = fd_install(f, (u32)lowest, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

/*
 * No file system here has leases, as network file systems on Linux have none: nobody holds one, and
 * asking for one says so, after what is wrong in any case.
 */
static long lease_refuse(struct file *f, u64 type)
{
	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (type == F_UNLCK)
		return -EAGAIN;
	if (cred_current()->fsuid != f->inode->uid && !cred_capable(cred_current(), CAP_LEASE))
		return -EACCES;
	return -EINVAL;
}

/* What may be asked of a descriptor whatever it was opened for. *handled is false for the rest. */
static long fcntl_descriptor(int fd, struct file *f, u32 command, u64 arg, bool *handled)
{
	int flag;

	*handled = true;
	switch (command) {
	case F_DUPFD:
		return duplicate(f, arg, false);
	case F_DUPFD_CLOEXEC:
		return duplicate(f, arg, true);
	case F_GETFD:
		flag = fd_get_cloexec(fd);
		return flag < 0 ? flag : flag ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_cloexec(fd, arg & FD_CLOEXEC);
	case F_GETFL:
		return load_relaxed(&f->flags);
	default:
		*handled = false;
		return 0;
	}
}

static long fcntl_file(int fd, struct file *f, u32 command, u64 arg)
{
	switch (command) {
	case F_SETFL:
		return set_flags(f, (u32)arg);
	case F_GETLK:
	case F_OFD_GETLK:
		return lock_query(f, (struct flock __user *)arg, command == F_OFD_GETLK);
	case F_SETLK:
	case F_SETLKW:
		return lock_change(fd, f, (const struct flock __user *)arg, false,
				   command == F_SETLKW);
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_change(fd, f, (const struct flock __user *)arg, true,
				   command == F_OFD_SETLKW);
	case F_GETOWN:
		return file_owner_number(f);
	case F_SETOWN:
		return file_owner_from_number(f, (s32)arg);
	case F_GETOWN_EX:
		return get_owner(f, (struct f_owner_ex __user *)arg);
	case F_SETOWN_EX:
		return set_owner(f, (const struct f_owner_ex __user *)arg);
	case F_GETPIPE_SZ:
		return pipe_get_size(f);
	case F_SETPIPE_SZ:
		return pipe_set_size(f, arg);
	case F_GETLEASE:
		return F_UNLCK;
	case F_SETLEASE:
		return lease_refuse(f, arg);
	case F_ADD_SEALS:
		return memfd_add_seals(f, (u32)arg);
	case F_GET_SEALS:
		return memfd_get_seals(f);
	default:
		return -EINVAL;
	}
}

SYSCALL3(fcntl, int, fd, u32, command, u64, arg)
{
	struct file *f = fd_file_any(fd);
	bool handled;
	long result;

	if (!f)
		return -EBADF;
	result = fcntl_descriptor(fd, f, command, arg, &handled);
	if (!handled)
		result = f->flags & O_PATH ? -EBADF : fcntl_file(fd, f, command, arg);
	file_put(f);
	return result;
}
