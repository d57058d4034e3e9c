/* socket.h - what the tests of sockets share. */
#ifndef GUEST_SOCKET_H
#define GUEST_SOCKET_H

#include "check.h"

#include <sys/socket.h>
#include <sys/un.h>

/* The address of a path, or of an abstract name where it begins with '@'; the length is address_length's. */
static inline struct sockaddr_un address_of(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strncpy(a.sun_path, name, sizeof(a.sun_path) - 1);
	if (name[0] == '@')
		a.sun_path[0] = 0;
	return a;
}

static inline socklen_t address_length(const char *name)
{
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) +
			   (name[0] != '@'));
}

static inline int bind_name(int fd, const char *name)
{
	struct sockaddr_un a = address_of(name);

	return bind(fd, (struct sockaddr *)&a, address_length(name));
}

static inline int connect_name(int fd, const char *name)
{
	struct sockaddr_un a = address_of(name);

	return connect(fd, (struct sockaddr *)&a, address_length(name));
}

static inline ssize_t send_name(int fd, const char *text, const char *name)
{
	struct sockaddr_un a = address_of(name);

	return sendto(fd, text, strlen(text), MSG_DONTWAIT, (struct sockaddr *)&a,
		      address_length(name));
}

static inline int unix_socket(int type)
{
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	return fd;
}

static inline void unix_pair(int type, int fd[2])
{
	CHECK_EQ(socketpair(AF_UNIX, type, 0, fd), 0);
}

/* A socket that listens under the name. */
static inline int listen_name(int type, const char *name, int backlog)
{
	int fd = unix_socket(type);

	CHECK_EQ(bind_name(fd, name), 0);
	CHECK_EQ(listen(fd, backlog), 0);
	return fd;
}

/* Sends text with descriptors. */
static inline ssize_t send_descriptors(int fd, const char *text, const int *fds, int count,
				       int flags)
{
	char control[CMSG_SPACE(sizeof(int) * 300)] = { 0 };
	struct iovec part = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(sizeof(int) * count) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	return sendmsg(fd, &m, flags);
}

/* Receives up to `size` bytes and `room` descriptors; *count is how many came, *flags what msg_flags says. */
static inline ssize_t receive_descriptors(int fd, char *text, size_t size, int *fds, int room,
					  int *count, int *flags)
{
	char control[CMSG_SPACE(sizeof(int) * 300)] = { 0 };
	struct iovec part = { text, size };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_LEN(sizeof(int) * room) };
	ssize_t n = recvmsg(fd, &m, *flags);

	*count = 0;
	*flags = m.msg_flags;
	if (n < 0)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), sizeof(int) * (size_t)*count);
	}
	return n;
}

#endif
