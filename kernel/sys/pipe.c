/* pipe.c - pipe, pipe2, splice, tee, vmsplice. */
#include "fs/pipe.h"

#include <asm-generic/fcntl.h>
#include <asm/signal.h>
#include <linux/limits.h>
#include <linux/uio.h>

#include "mm/slab.h"
#include "proc/calls.h"
#include "proc/proc.h"
#include "sys/rw.h"
#include "sys/syscall.h"

#define SPLICE_F_MOVE 0x1
#define SPLICE_F_NONBLOCK 0x2
#define SPLICE_F_MORE 0x4
#define SPLICE_F_GIFT 0x8
#define SPLICE_F_ALL (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

static long do_pipe(s32 __user *user, u32 flags)
{
	struct file *end[2];
	s32 fd[2] = { -1, -1 };
	int err;

	if (flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(&end[0], &end[1], flags);
	if (err)
		return err;
	for (u32 i = 0; i < 2 && err >= 0; i++) {
		err = fd[i] = fd_install(end[i], 0, flags & O_CLOEXEC);
		if (err >= 0)
			end[i] = NULL;
	}
	if (err >= 0 && !copy_to_user(user, fd, sizeof(fd)))
		return 0;
	if (err >= 0)
		err = -EFAULT;
	for (u32 i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			fd_close(fd[i]);
		if (end[i])
			file_put(end[i]);
	}
	return err;
}

SYSCALL1(pipe, s32 __user *, fds)
{
	return do_pipe(fds, 0);
}

SYSCALL2(pipe2, s32 __user *, fds, u32, flags)
{
	return do_pipe(fds, flags);
}

/* -EPIPE is told by a signal too. */
/* The offset at *user into *pos; *out: pos, or NULL where there is no user pointer. */
static int offset_get(const u64 __user *user, u64 *pos, u64 **out)
{
	*out = NULL;
	if (!user)
		return 0;
	if (get_user(*pos, user))
		return -EFAULT;
	*out = pos;
	return (s64)*pos < 0 ? -EINVAL : 0;
}

static ssize splice_files(struct file *in, u64 __user *in_user, struct file *out,
			  u64 __user *out_user, size_t n, u32 flags)
{
	u64 in_value, out_value, *in_pos, *out_pos;
	ssize r;

	if ((file_is_pipe(in) && in_user) || (file_is_pipe(out) && out_user))
		return -ESPIPE;
	r = offset_get(in_user, &in_value, &in_pos);
	if (!r)
		r = offset_get(out_user, &out_value, &out_pos);
	if (r)
		return r;
	if ((in_pos && in->stream) || (out_pos && out->stream))
		return -EINVAL;
	r = write_result(pipe_splice(in, in_pos, out, out_pos, n, flags & SPLICE_F_NONBLOCK));
	if (in_pos && put_user(in_value, in_user))
		return -EFAULT;
	if (out_pos && put_user(out_value, out_user))
		return -EFAULT;
	return r;
}

SYSCALL6(splice, s32, fd_in, u64 __user *, off_in, s32, fd_out, u64 __user *, off_out, size_t, n,
	 u32, flags)
{
	struct file *in, *out;
	ssize r = -EBADF;

	if (flags & ~(u32)SPLICE_F_ALL)
		return -EINVAL;
	if (!n)
		return 0;
	in = fd_file(fd_in);
	out = fd_file(fd_out);
	if (in && out)
		r = splice_files(in, off_in, out, off_out, n, flags);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return r;
}

SYSCALL4(tee, s32, fd_in, s32, fd_out, size_t, n, u32, flags)
{
	struct file *in, *out;
	ssize r = -EBADF;

	if (flags & ~(u32)SPLICE_F_ALL)
		return -EINVAL;
	if (!n)
		return 0;
	in = fd_file(fd_in);
	out = fd_file(fd_out);
	if (in && out)
		r = write_result(pipe_tee(in, out, n, flags & SPLICE_F_NONBLOCK));
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return r;
}

SYSCALL4(vmsplice, s32, fd, const struct iovec __user *, vec, size_t, count, u32, flags)
{
	_Static_assert(sizeof(struct iovec) == sizeof(struct iter_part), "iovec");
	struct file *f;
	struct iter_part *parts;
	struct iter it;
	ssize r = -EFAULT;

	if ((flags & ~(u32)SPLICE_F_ALL) || count > UIO_MAXIOV)
		return -EINVAL;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	parts = kmalloc(count * sizeof(*parts) + 1);
	if (!parts) {
		r = -ENOMEM;
	} else if (!copy_from_user(parts, vec, count * sizeof(*parts))) {
		iter_init_parts(&it, parts, (u32)count);
		r = write_result(pipe_transfer(f, &it, flags & SPLICE_F_NONBLOCK));
	}
	kfree(parts);
	file_put(f);
	return r;
}
