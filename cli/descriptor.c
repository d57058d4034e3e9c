/*
 * descriptor.c - what descriptors 0, 1 and 2 are, and handles on them that do not block.
 *
 * Central rule: the command must not change what it shares. Its standard descriptors are open file
 * descriptions that its parent and the other programs of a pipeline use too, and O_NONBLOCK
 * belongs to the description: a shell whose terminal turns non-blocking fails. So a pipe or a
 * terminal is opened a second time through /proc/self/fd, which yields a description of our own.
 * Next: sink.c, which writes through handles.
 */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Whether a and b are the same open file description, as after 2>&1. */
static bool same_description(int a, int b, const struct stat *stat_a, const struct stat *stat_b)
{
	long order = syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);

	if (order >= 0)
		return order == 0;
	/*
	 * kcmp may be filtered. The same pipe or terminal with the same flags is as good as the
	 * same description.
	 */
	return stat_a->st_dev == stat_b->st_dev && stat_a->st_ino == stat_b->st_ino &&
	       !S_ISREG(stat_a->st_mode) && fcntl(a, F_GETFL) == fcntl(b, F_GETFL);
}

static enum host_stdio_kind descriptor_kind(int fd, const struct stat *stat, dev_t terminal)
{
	if (!S_ISCHR(stat->st_mode))
		return HOST_STDIO_STREAM;
	if (stat->st_rdev == makedev(1, 3))
		return HOST_STDIO_NULL;
	if (isatty(fd) && (terminal == 0 || stat->st_rdev == terminal))
		return HOST_STDIO_TTY;
	return HOST_STDIO_STREAM;
}

void descriptors_survey(struct descriptor descriptors[3])
{
	struct stat stats[3];
	dev_t terminal = 0;

	for (unsigned int fd = 0; fd < 3; fd++) {
		struct descriptor *d = &descriptors[fd];

		*d = (struct descriptor){ .kind = HOST_STDIO_CLOSED, .same_as = fd };
		if (fstat(fd, &stats[fd]) != 0)
			continue;
		d->mode = stats[fd].st_mode;
		d->kind = descriptor_kind(fd, &stats[fd], terminal);
		if (d->kind == HOST_STDIO_TTY)
			terminal = stats[fd].st_rdev;
		for (unsigned int lower = 0; lower < fd; lower++) {
			if (descriptors[lower].kind != HOST_STDIO_CLOSED &&
			    same_description(lower, fd, &stats[lower], &stats[fd])) {
				d->same_as = lower;
				break;
			}
		}
	}
	for (unsigned int fd = 0; fd < 3; fd++) {
		/*
		 * open takes the lowest free number, which is this one: those below are open by
		 * now.
		 */
		if (descriptors[fd].kind == HOST_STDIO_CLOSED && open("/dev/null", O_RDWR) < 0)
			return;
	}
}

int descriptors_terminal(const struct descriptor descriptors[3])
{
	for (int fd = 0; fd < 3; fd++) {
		if (descriptors[fd].kind == HOST_STDIO_TTY)
			return fd;
	}
	return -1;
}

/* The master side of a pty answers TIOCGPTN; opening it anew would make another pty. */
static bool is_pty_master(int fd)
{
	unsigned int number;

	return ioctl(fd, TIOCGPTN, &number) == 0;
}

struct handle handle_open(int fd, int access)
{
	struct stat stat;
	char path[40];
	int own;

	if (fstat(fd, &stat) != 0)
		return (struct handle){ HANDLE_NONE, -1 };
	if (S_ISSOCK(stat.st_mode))
		return (struct handle){ HANDLE_SOCKET, fd };
	if (!S_ISFIFO(stat.st_mode) && !isatty(fd))
		return (struct handle){ HANDLE_FILE, fd };
	if (is_pty_master(fd))
		return (struct handle){ HANDLE_POLLED, fd };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return (struct handle){ HANDLE_POLLED, fd };
	return (struct handle){ HANDLE_NONBLOCKING, own };
}

/* Whether `event` is there now, for descriptors that would block otherwise. */
static bool is_ready(int fd, short event)
{
	struct pollfd pollfd = { .fd = fd, .events = event };

	return poll(&pollfd, 1, 0) > 0;
}

ssize_t handle_read(const struct handle *handle, void *buffer, size_t length)
{
	switch (handle->way) {
	case HANDLE_NONE:
		return 0;
	case HANDLE_SOCKET:
		return recv(handle->fd, buffer, length, MSG_DONTWAIT);
	case HANDLE_POLLED:
		if (!is_ready(handle->fd, POLLIN)) {
			errno = EAGAIN;
			return -1;
		}
		return read(handle->fd, buffer, length);
	case HANDLE_NONBLOCKING:
	case HANDLE_FILE:
		break;
	}
	return read(handle->fd, buffer, length);
}

ssize_t handle_write(const struct handle *handle, const void *buffer, size_t length)
{
	switch (handle->way) {
	case HANDLE_NONE:
		return length;
	case HANDLE_SOCKET:
		return send(handle->fd, buffer, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	case HANDLE_POLLED:
		if (!is_ready(handle->fd, POLLOUT)) {
			errno = EAGAIN;
			return -1;
		}
		return write(handle->fd, buffer, length < PIPE_BUF ? length : PIPE_BUF);
	case HANDLE_NONBLOCKING:
	case HANDLE_FILE:
		break;
	}
	return write(handle->fd, buffer, length);
}
