/*
 * stdio.c - the program's standard descriptors: what they are on the host, they are here.
 *
 * A terminal is the console, the null device is the null device; anything else is a stream to or
 * from the host, byte for byte, whose fstat shows the kind of file that it is there. Input is asked
 * for only when a program reads, so that what it does not read stays with the host.
 */
#include <asm-generic/fcntl.h>
#include <linux/stat.h>

#include "dev/device.h"
#include "fs/iter.h"
#include "fs/poll.h"
#include "fs/stdio.h"
#include "fs/tty.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"

#define STREAM_CHUNK 16384

static u32 stream_number(const struct file *f)
{
	return (u32)(u64)f->data;
}

/* One chunk: as much as the host sends at once. */
static ssize stream_read(struct file *f, struct iter *it, u64 *pos)
{
	size_t n = min(it->left, (u64)STREAM_CHUNK);
	u8 *buf;
	ssize got;

	if (!n)
		return 0;
	buf = kmalloc(n);
	if (!buf)
		return -ENOMEM;
	got = host_input(buf, n, f->flags & O_NONBLOCK);
	if (got > 0 && iter_copy_to(it, buf, got) != (size_t)got)
		got = -EFAULT;
	kfree(buf);
	return got;
}

/* Write all n bytes: how many, or an error if none. */
static ssize output_all(u32 fd, const u8 *data, size_t n, bool nonblock)
{
	size_t done = 0;

	while (done < n) {
		ssize got = host_output(fd, data + done, n - done, nonblock);

		if (got <= 0)
			return done ? (ssize)done : got;
		done += got;
	}
	return (ssize)done;
}

static ssize stream_write(struct file *f, struct iter *it, u64 *pos)
{
	size_t chunk = min(it->left, (u64)STREAM_CHUNK);
	ssize total = 0;
	u8 *buf;

	if (!chunk)
		return 0;
	buf = kmalloc(chunk);
	if (!buf)
		return -ENOMEM;
	while (it->left) {
		size_t n = iter_copy_from(it, buf, min(it->left, (u64)chunk));
		ssize done = -EFAULT;

		if (n)
			done = output_all(stream_number(f), buf, n, f->flags & O_NONBLOCK);
		if (done > 0)
			total += done;
		if (done != (ssize)n) {
			iter_revert(it, done > 0 ? n - done : n);
			total = total ? total : done;
			break;
		}
	}
	kfree(buf);
	return total;
}

static u32 stream_poll(struct file *f, struct poll_table *pt)
{
	u32 events = 0;

	if (f->can_read)
		poll_wait(pt, f, host_input_wait());
	if (f->can_write)
		poll_wait(pt, f, host_output_wait());
	if (f->can_read && host_input_ready())
		events |= EPOLLIN | EPOLLRDNORM;
	if (f->can_write && host_output_ready(stream_number(f)))
		events |= EPOLLOUT | EPOLLWRNORM;
	if (f->can_write && host_output_gone(stream_number(f)))
		events |= EPOLLERR;
	return events;
}

/* Opened again, through /proc/self/fd (/dev/stdout). */
static int stream_reopen(struct file *f)
{
	f->data = f->inode->data;
	f->stream = true;
	return 0;
}

static const struct file_ops stream_file_ops = {
	.open = stream_reopen,
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
};

static const char *stream_class(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFIFO:
		return "pipe";
	case S_IFSOCK:
		return "socket";
	case S_IFREG:
		return "/dev/host:file";
	}
	return "/dev/host:stream";
}

/*
 * Opened for reading where it is 0, and for writing where it is one of the others; a socket for
 * both.
 */
static struct file *stream_open(u32 fd, const struct host_launch_stdio *s)
{
	u32 access = fd == 0 ? O_RDONLY : O_WRONLY;
	struct file *f;

	for (u32 i = fd + 1; i < 3; i++) {
		if (launch.stdio[i].same_as == fd && launch.stdio[i].kind == HOST_STDIO_STREAM &&
		    fd == 0)
			access = O_RDWR;
	}
	if (S_ISSOCK(s->mode))
		access = O_RDWR;
	f = file_new_anonymous(stream_class(s->mode), &stream_file_ops, (void *)(u64)fd, access,
			       s->mode);
	if (!IS_ERR(f)) {
		f->inode->file_ops = &stream_file_ops;
		f->inode->data = f->data;
	}
	return f;
}

static struct file *descriptor_open(u32 fd, const struct host_launch_stdio *s)
{
	switch (s->kind) {
	case HOST_STDIO_TTY:
		return file_open(NULL, "/dev/console", O_RDWR | O_NOCTTY, 0);
	case HOST_STDIO_NULL:
		return file_open(NULL, "/dev/null", O_RDWR, 0);
	}
	return stream_open(fd, s);
}

static int descriptor_install(struct files *t, struct file *files[3], u32 fd)
{
	const struct host_launch_stdio *s = &launch.stdio[fd];
	int err;

	if (s->kind == HOST_STDIO_CLOSED)
		return 0;
	if (s->same_as < fd && files[s->same_as]) {
		files[fd] = files[s->same_as];
		file_get(files[fd]);
	} else {
		struct file *f = descriptor_open(fd, s);

		if (IS_ERR(f))
			return (int)PTR_ERR(f);
		files[fd] = f;
	}
	file_get(files[fd]);
	err = fd_replace((int)fd, files[fd], false);
	if (err < 0)
		file_put(files[fd]);
	return err;
}

int stdio_open(struct files *t)
{
	struct file *files[3] = {};
	bool terminal = launch.winsize.rows != 0;
	int err = 0;

	for (u32 fd = 0; fd < 3; fd++)
		terminal = terminal || launch.stdio[fd].kind == HOST_STDIO_TTY;
	console_start_session(terminal);
	for (u32 fd = 0; fd < 3 && err >= 0; fd++)
		err = descriptor_install(t, files, fd);
	for (u32 fd = 0; fd < 3; fd++) {
		if (files[fd])
			file_put(files[fd]);
	}
	return err < 0 ? err : 0;
}
