/* transfer.c - data from file to file inside the kernel: sendfile, copy_file_range. */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/rw.h"
#include "sys/syscall.h"

#define BUFFER_SIZE 32768u

/* One bufferful of at most n bytes; positions advance by what was written. */
static ssize copy_once(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, void *buf,
		       size_t n)
{
	u64 pos = *in_pos;
	struct iter it;
	ssize got, put;

	iter_init_kernel(&it, buf, n);
	got = file_read(in, &it, &pos);
	if (got <= 0)
		return got;
	iter_init_kernel(&it, buf, (size_t)got);
	put = file_write(out, &it, out_pos);
	if (put > 0)
		*in_pos += (u64)put;
	return put;
}

/* Copy n bytes; out_pos NULL: at out's own position. Bytes copied, or an errno if none. */
static ssize copy_between(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t n)
{
	void *buf = kmalloc(BUFFER_SIZE);
	ssize done = 0;

	if (!buf)
		return -ENOMEM;
	while ((size_t)done < n) {
		size_t part = min(n - (size_t)done, (size_t)BUFFER_SIZE);
		ssize r = copy_once(in, in_pos, out, out_pos, buf, part);

		if (r <= 0) {
			done = done ? done : r;
			break;
		}
		done += r;
		if ((size_t)r < part || thread_interrupted())
			break;
		cpu_preempt_point();
	}
	kfree(buf);
	return done;
}

/* From in's own position, which moves, or from *offset. */
static ssize send_from(struct file *in, struct file *out, s64 *offset, size_t n)
{
	u64 pos;
	ssize result;

	if (offset) {
		pos = (u64)*offset;
		result = copy_between(in, &pos, out, NULL, n);
		*offset = (s64)pos;
		return result;
	}
	mutex_lock(&in->pos_lock);
	pos = in->pos;
	mutex_unlock(&in->pos_lock); /* out's own position has the same rank */
	result = copy_between(in, &pos, out, NULL, n);
	mutex_lock(&in->pos_lock);
	in->pos = pos;
	mutex_unlock(&in->pos_lock);
	return result;
}

static ssize sendfile_check(struct file *in, struct file *out, const s64 *offset)
{
	if (!in->can_read || !out->can_write)
		return -EBADF;
	if (offset && in->stream)
		return -ESPIPE;
	if (offset && *offset < 0)
		return -EINVAL;
	if (in->stream || !in->ops->read || out->flags & O_APPEND)
		return -EINVAL;
	return 0;
}

SYSCALL4(sendfile, int, fd_out, int, fd_in, s64 __user *, user_offset, size_t, n)
{
	s64 value, *offset = user_offset ? &value : NULL;
	struct file *in, *out;
	ssize result = -EBADF;

	if (offset && get_user(value, user_offset))
		return -EFAULT;
	in = fd_file(fd_in);
	out = fd_file(fd_out);
	if (in && out)
		result = sendfile_check(in, out, offset);
	if (!result)
		result = write_result(send_from(in, out, offset, n));
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	if (offset && result >= 0 && put_user(value, user_offset))
		result = -EFAULT;
	return result;
}

/* --- copy_file_range --- */

/* One of the two ends: where it stands, and where that is put back to. */
struct range_end {
	struct file *f;
	s64 __user *user;
	u64 pos;
};

static int range_end_get(struct range_end *e)
{
	if (e->user)
		return get_user(e->pos, e->user);
	mutex_lock(&e->f->pos_lock);
	e->pos = e->f->pos;
	mutex_unlock(&e->f->pos_lock);
	return 0;
}

static int range_end_put(struct range_end *e)
{
	if (e->user)
		return put_user((s64)e->pos, e->user);
	mutex_lock(&e->f->pos_lock);
	e->f->pos = e->pos;
	mutex_unlock(&e->f->pos_lock);
	return 0;
}

static int range_check(const struct range_end *in, const struct range_end *out, size_t *n)
{
	u32 in_mode = in->f->inode->mode, out_mode = out->f->inode->mode;

	if (S_ISDIR(in_mode) || S_ISDIR(out_mode))
		return -EISDIR;
	if (!S_ISREG(in_mode) || !S_ISREG(out_mode))
		return -EINVAL;
	if (!in->f->can_read || !out->f->can_write || out->f->flags & O_APPEND)
		return -EBADF;
	/* Since Linux 5.19, unless the file system can do better. */
	if (in->f->inode->super != out->f->inode->super)
		return -EXDEV;
	if (in->pos + *n < in->pos || out->pos + *n < out->pos)
		return -EOVERFLOW;
	if ((s64)in->pos < 0 || (s64)out->pos < 0)
		return -EINVAL;
	if (in->f->inode->object)
		*n = min(*n, in->f->inode->object->size > in->pos
				     ? in->f->inode->object->size - in->pos
				     : 0);
	if (*n && out->pos == INT64_MAX)
		return -EFBIG;
	*n = min(*n, (u64)INT64_MAX - out->pos);
	if (in->f->inode == out->f->inode && in->pos < out->pos + *n && out->pos < in->pos + *n)
		return -EINVAL;
	return 0;
}

static ssize copy_range(struct range_end *in, struct range_end *out, size_t n)
{
	ssize result;

	if (range_end_get(in) || range_end_get(out))
		return -EFAULT;
	result = range_check(in, out, &n);
	if (result || !n)
		return result;
	result = write_result(copy_between(in->f, &in->pos, out->f, &out->pos, n));
	if (result > 0 && (range_end_put(in) || range_end_put(out)))
		return -EFAULT;
	return result;
}

SYSCALL6(copy_file_range, int, fd_in, s64 __user *, off_in, int, fd_out, s64 __user *, off_out,
	 size_t, n, u32, flags)
{
	struct range_end in = { .f = fd_file(fd_in), .user = off_in },
			 out = { .f = fd_file(fd_out), .user = off_out };
	ssize result;

	if (!in.f || !out.f)
		result = -EBADF;
	else if (flags)
		result = -EINVAL;
	else
		result = copy_range(&in, &out, n);
	if (in.f)
		file_put(in.f);
	if (out.f)
		file_put(out.f);
	return result;
}
