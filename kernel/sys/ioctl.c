/* ioctl.c - ioctl: what every descriptor understands is done here, the rest is the file's own. */
#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <linux/stat.h>

#include "fs/vfs.h"
#include "proc/proc.h"
#include "sys/owner.h"
#include "sys/syscall.h"

static long set_flag(struct file *f, u32 flag, const s32 __user *arg)
{
	s32 on;

	if (get_user(on, arg))
		return -EFAULT;
	if (on)
		atomic_or(&f->flags, flag);
	else
		atomic_and(&f->flags, ~flag);
	return 0;
}

/* Bytes from the position to the end. */
static long readable_bytes(struct file *f, s32 __user *arg)
{
	u64 size = load_acquire(&f->inode->object->size);

	return put_user((s32)(size > f->pos ? size - f->pos : 0), arg);
}

static long file_ioctl(struct file *f, s32 fd, u32 request, u64 arg)
{
	struct attributes a;
	s32 n;

	switch (request) {
	case FIOCLEX:
		return fd_set_cloexec(fd, true);
	case FIONCLEX:
		return fd_set_cloexec(fd, false);
	case FIONBIO:
		return set_flag(f, O_NONBLOCK, (const s32 __user *)arg);
	case FIOASYNC:
		return set_flag(f, FASYNC, (const s32 __user *)arg);
	case FIOSETOWN:
	case SIOCSPGRP:
		if (!S_ISSOCK(f->inode->mode))
			break;
		return get_user(n, (const s32 __user *)arg) ?: file_owner_from_number(f, n);
	case FIOGETOWN:
	case SIOCGPGRP:
		if (!S_ISSOCK(f->inode->mode))
			break;
		return put_user(file_owner_number(f), (s32 __user *)arg);
	case FIOQSIZE:
		if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode) &&
		    !S_ISLNK(f->inode->mode))
			return -ENOTTY;
		inode_attributes(f->inode, &a);
		return put_user((s64)a.size, (s64 __user *)arg);
	case FIONREAD:
		if (S_ISREG(f->inode->mode) && f->inode->object)
			return readable_bytes(f, (s32 __user *)arg);
		break;
	case FIGETBSZ:
		return put_user((s32)PAGE_SIZE, (s32 __user *)arg);
	}
	return f->ops->ioctl ? f->ops->ioctl(f, request, arg) : -ENOTTY;
}

SYSCALL3(ioctl, s32, fd, u32, request, u64, arg)
{
	struct file *f = fd_file(fd);
	long r;

	if (!f)
		return -EBADF;
	r = f->flags & O_PATH ? -EBADF : file_ioctl(f, fd, request, arg);
	file_put(f);
	return r;
}
