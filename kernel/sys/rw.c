/* rw.c - read, write and their family: pread, readv, preadv2... */
#include "sys/rw.h"

#include <asm/resource.h>
#include <asm/signal.h>
#include <linux/fs.h>
#include <linux/uio.h>

#include "mm/slab.h"
#include "net/socket.h"
#include "proc/proc.h"

_Static_assert(sizeof(struct iter_part) == sizeof(struct iovec),
	       "an iovec is copied into iter parts as it is");

static void signal_self(int sig)
{
	struct signal_source s = { .code = 0 /* SI_USER */,
				   .pid = process_current()->pid,
				   .uid = cred_current()->uid };

	signal_thread(thread_current(), sig, &s);
}

ssize write_result(ssize result)
{
	if (unlikely(result == -EPIPE_QUIET))
		return -EPIPE;
	if (unlikely(result == -EPIPE))
		signal_self(SIGPIPE);
	else if (unlikely(result == -EFBIG) && rlimit_get(RLIMIT_FSIZE) != RLIM_INFINITY)
		signal_self(SIGXFSZ); /* else it is the file system's limit */
	return result;
}

/* --- one buffer --- */

static ssize do_transfer(struct file *f, bool write, void __user *buf, size_t n, u64 *pos)
{
	struct iter it;

	if (write ? !f->can_write : !f->can_read)
		return -EBADF;
	if (!user_range_ok(buf, n))
		return -EFAULT;
	iter_init_user(&it, buf, n);
	return write ? write_result(file_write(f, &it, pos)) : file_read(f, &it, pos);
}

SYSCALL3(read, int, fd, void __user *, buf, size_t, n)
{
	struct file *f = fd_file(fd);
	ssize result;

	if (!f)
		return -EBADF;
	result = do_transfer(f, false, buf, n, NULL);
	file_put(f);
	return result;
}

SYSCALL3(write, int, fd, void __user *, buf, size_t, n)
{
	struct file *f = fd_file(fd);
	ssize result;

	if (!f)
		return -EBADF;
	result = do_transfer(f, true, buf, n, NULL);
	file_put(f);
	return result;
}

/* A file with positions: counted, or ERR_PTR(-EINVAL, -EBADF, -ESPIPE). */
static struct file *positioned_file(int fd, s64 pos)
{
	struct file *f;

	if (pos < 0)
		return ERR_PTR(-EINVAL);
	f = fd_file(fd);
	if (!f)
		return ERR_PTR(-EBADF);
	if (f->stream) {
		file_put(f);
		return ERR_PTR(-ESPIPE);
	}
	return f;
}

static ssize positioned_transfer(int fd, bool write, void __user *buf, size_t n, s64 offset)
{
	struct file *f = positioned_file(fd, offset);
	u64 pos = (u64)offset;
	ssize result;

	if (IS_ERR(f))
		return PTR_ERR(f);
	result = do_transfer(f, write, buf, n, &pos);
	file_put(f);
	return result;
}

SYSCALL4(pread64, int, fd, void __user *, buf, size_t, n, s64, offset)
{
	return positioned_transfer(fd, false, buf, n, offset);
}

SYSCALL4(pwrite64, int, fd, void __user *, buf, size_t, n, s64, offset)
{
	return positioned_transfer(fd, true, buf, n, offset);
}

/* --- several buffers --- */

static int vector_check(const struct user_vector *v, u64 count)
{
	u64 total = 0;

	for (u64 i = 0; i < count; i++) {
		u64 length = v->parts[i].length;

		if ((s64)length < 0 || __builtin_add_overflow(total, length, &total) ||
		    (s64)total < 0)
			return -EINVAL;
		if (!user_range_ok((void __user *)v->parts[i].base, length))
			return -EFAULT;
	}
	return 0;
}

int vector_get(struct user_vector *v, const void __user *iov, u64 count)
{
	int err = 0;

	if (count > UIO_MAXIOV)
		return -EINVAL;
	v->parts = count > IOV_FEW ? kmalloc(count * sizeof(*v->parts)) : v->few;
	if (!v->parts)
		return -ENOMEM;
	if (copy_from_user(v->parts, iov, count * sizeof(*v->parts)))
		err = -EFAULT;
	if (!err)
		err = vector_check(v, count);
	if (err) {
		vector_put(v);
		return err;
	}
	iter_init_parts(&v->it, v->parts, (u32)count);
	return 0;
}

void vector_put(struct user_vector *v)
{
	if (v->parts != v->few)
		kfree(v->parts);
}

static ssize vector_transfer(struct file *f, bool write, const void __user *iov, u64 count,
			     u64 *pos)
{
	struct user_vector v;
	ssize result;

	if (write ? !f->can_write : !f->can_read)
		return -EBADF;
	result = vector_get(&v, iov, count);
	if (result)
		return result;
	if (v.it.left)
		result = write ? write_result(file_write(f, &v.it, pos)) : file_read(f, &v.it, pos);
	vector_put(&v);
	return result;
}

static ssize fd_vector_transfer(int fd, bool write, const void __user *iov, u64 count)
{
	struct file *f = fd_file(fd);
	ssize result;

	if (!f)
		return -EBADF;
	result = vector_transfer(f, write, iov, count, NULL);
	file_put(f);
	return result;
}

SYSCALL3(readv, int, fd, const void __user *, iov, u64, count)
{
	return fd_vector_transfer(fd, false, iov, count);
}

SYSCALL3(writev, int, fd, const void __user *, iov, u64, count)
{
	return fd_vector_transfer(fd, true, iov, count);
}

static ssize positioned_vector_transfer(int fd, bool write, const void __user *iov, u64 count,
					s64 offset)
{
	struct file *f = positioned_file(fd, offset);
	u64 pos = (u64)offset;
	ssize result;

	if (IS_ERR(f))
		return PTR_ERR(f);
	result = vector_transfer(f, write, iov, count, &pos);
	file_put(f);
	return result;
}

SYSCALL4(preadv, int, fd, const void __user *, iov, u64, count, s64, offset)
{
	return positioned_vector_transfer(fd, false, iov, count, offset);
}

SYSCALL4(pwritev, int, fd, const void __user *, iov, u64, count, s64, offset)
{
	return positioned_vector_transfer(fd, true, iov, count, offset);
}

#define RWF_GRANTED (RWF_HIPRI | RWF_DSYNC | RWF_SYNC)

static ssize flagged_transfer(int fd, bool write, const void __user *iov, u64 count, s64 offset,
			      u32 flags)
{
	u64 pos = (u64)offset;
	struct file *f;
	ssize result;

	if (flags & ~(u32)RWF_GRANTED)
		return -EOPNOTSUPP;
	f = fd_file(fd);
	if (!f)
		return -EBADF;
	if (offset < -1)
		result = -EINVAL;
	else if (offset >= 0 && f->stream)
		result = -ESPIPE;
	else
		result = vector_transfer(f, write, iov, count, offset < 0 ? NULL : &pos);
	if (write && result > 0 && flags & (RWF_DSYNC | RWF_SYNC) && !f->stream) {
		int err = file_sync(f, !(flags & RWF_SYNC));

		result = err ? err : result;
	}
	file_put(f);
	return result;
}

SYSCALL6(preadv2, int, fd, const void __user *, iov, u64, count, s64, offset, u64, offset_high, u32,
	 flags)
{
	return flagged_transfer(fd, false, iov, count, offset, flags);
}

SYSCALL6(pwritev2, int, fd, const void __user *, iov, u64, count, s64, offset, u64, offset_high,
	 u32, flags)
{
	return flagged_transfer(fd, true, iov, count, offset, flags);
}
