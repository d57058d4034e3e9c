/*
 * pipe.h - what the system-call layer asks of pipes beside reading and writing: their size, and
 * moving data through them. pipe_create is in vfs.h.
 */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include "fs/iter.h"
#include "fs/vfs.h"

#define PIPE_DEFAULT_BUFFERS 16
#define PIPE_MAX_SIZE \
	1048576 /* what an unprivileged process may ask for: /proc/sys/fs/pipe-max-size */

bool file_is_pipe(const struct file *f);
/*
 * F_GETPIPE_SZ, F_SETPIPE_SZ: the size in bytes, or -EBADF (not a pipe), -EINVAL, -EPERM, -EBUSY
 * (holds more), -ENOMEM.
 */
long pipe_get_size(struct file *f);
long pipe_set_size(struct file *f, u64 bytes);

/*
 * splice(2): between a pipe and a file, or two pipes; *pos is used and advanced where it is given.
 * Bytes moved; 0: end of data; -EAGAIN, -EPIPE (the caller raises SIGPIPE), -EINVAL (no pipe among
 * them, or both ends of one), -ERESTARTSYS, or what reading or writing gives.
 */
ssize pipe_splice(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t n,
		  bool nonblock);
/* tee(2): copy what pipe `in` holds into pipe `out` without taking it. */
ssize pipe_tee(struct file *in, struct file *out, size_t n, bool nonblock);
/*
 * vmsplice(2): write into or read from the pipe, with its own non-blocking flag. -EBADF if f is not
 * a pipe.
 */
ssize pipe_transfer(struct file *f, struct iter *it, bool nonblock);

#endif
