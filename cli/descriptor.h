/*
 * descriptor.h - what the command's own descriptors 0, 1 and 2 are, and handles on them that do
 * not block.
 */
#ifndef CLI_DESCRIPTOR_H
#define CLI_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dev/host_protocol.h"

struct descriptor {
	enum host_stdio_kind kind;
	mode_t mode;          /* st_mode */
	unsigned int same_as; /* the lowest of the three that is the same open file */
};

/*
 * Say what descriptors 0, 1 and 2 are. One that is closed is opened on /dev/null afterwards, so
 * that no file of the command gets its number. Terminals are HOST_STDIO_TTY when they are the same
 * device as the first terminal found (there is one console in the guest); another terminal is a
 * stream.
 */
void descriptors_survey(struct descriptor descriptors[3]);

/* The first of the three that is HOST_STDIO_TTY, or -1. */
int descriptors_terminal(const struct descriptor descriptors[3]);

/*
 * How to move bytes through a file without ever blocking on it, or, where that cannot be had,
 * without blocking for long.
 */
enum handle_way {
	HANDLE_NONE,        /* nothing there: no input; output is thrown away */
	HANDLE_NONBLOCKING, /* an open file description of our own with O_NONBLOCK */
	HANDLE_SOCKET,      /* send and recv with MSG_DONTWAIT */
	/*
	 * A description that is shared: poll, then move at most PIPE_BUF, which does not block
	 * unless another process was faster.
	 */
	HANDLE_POLLED,
	HANDLE_FILE, /* regular files and devices that do not wait for a peer */
};

struct handle {
	enum handle_way way;
	int fd;
};

/*
 * A handle on `fd` for `access` (O_RDONLY, O_WRONLY or O_RDWR). O_NONBLOCK is never set on the
 * description that `fd` refers to, because the shell and other programs share it; pipes and
 * terminals are opened anew instead.
 */
struct handle handle_open(int fd, int access);

/* As read(2) and write(2), with EAGAIN for "not now". A write of 0 bytes is not done. */
ssize_t handle_read(const struct handle *handle, void *buffer, size_t length);
ssize_t handle_write(const struct handle *handle, const void *buffer, size_t length);

#endif
