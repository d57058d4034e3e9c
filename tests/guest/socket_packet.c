/*
 * socket_packet.c - SOCK_DGRAM and SOCK_SEQPACKET of AF_UNIX.
 *
 * Central rule: as in socket_stream.c. Next: socket_rights.c.
 */
#include "socket.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/time.h>

static void show_poll(const char *text, int fd)
{
	struct pollfd p = {
		fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0
	};

	poll(&p, 1, 0);
	say("%s: %x\n", text, p.revents);
}

TEST(socket, datagrams)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM);
	struct sockaddr_un from;
	socklen_t n = sizeof(from);
	char t[16] = "";

	show_poll("new", a);
	TRY(send(a, "x", 1, MSG_DONTWAIT));
	TRY(recv(a, t, 8, MSG_DONTWAIT));
	TRY(listen(a, 1));
	TRY(accept(a, NULL, NULL));
	TRY(send_name(a, "x", "b"));
	TRY(bind_name(b, "b"));
	TRY(send_name(a, "unnamed", "b"));
	TRY(bind_name(a, "a"));
	TRY(send_name(a, "", "b"));
	TRY(send_name(a, "named", "b"));
	show_poll("some", b);
	TRY(recvfrom(b, t, 16, 0, (struct sockaddr *)&from, &n));
	say("%u %s\n", n, from.sun_path); /* by now it has a name */
	n = sizeof(from);
	TRY(recvfrom(b, t, 16, 0, (struct sockaddr *)&from, &n));
	say("%u %s\n", n, from.sun_path);
	TRY(recv(b, t, 2, MSG_TRUNC | MSG_PEEK));
	TRY(recv(b, t, 2, MSG_PEEK));
	struct iovec part = { t, 2 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	TRY(recvmsg(b, &m, 0));
	say("%x\n", m.msg_flags);
	TRY(recv(b, t, 2, MSG_DONTWAIT));
	/* To oneself. */
	TRY(send_name(b, "me", "b"));
	TRY(recv(b, t, 16, MSG_DONTWAIT));
	TRY(connect_name(b, "b"));
	TRY(send(b, "me", 2, 0));
	TRY(recv(b, t, 16, MSG_DONTWAIT));
	TRY(send_name(a, "x", "b")); /* b hears only itself */
	int s = listen_name(SOCK_STREAM, "stream", 1);
	TRY(send_name(a, "x", "stream"));
	TRY(connect_name(a, "stream"));
	close(s);
	TRY(send_name(a, "x", "stream"));
}

TEST(socket, datagram_peers)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM), c = unix_socket(SOCK_DGRAM),
	    pair[2];
	sa_family_t none = AF_UNSPEC;
	struct sockaddr_un name;
	socklen_t n = sizeof(name);
	char t[16];

	CHECK_EQ(bind_name(a, "a"), 0);
	CHECK_EQ(bind_name(b, "b"), 0);
	CHECK_EQ(bind_name(c, "c"), 0);
	TRY(connect_name(a, "b"));
	TRY(getpeername(a, (struct sockaddr *)&name, &n));
	TRY(connect_name(c, "a")); /* a hears only b */
	TRY(send_name(c, "x", "a"));
	TRY(send_name(b, "from b", "a"));
	TRY(recv(a, t, 16, 0));
	TRY(send(a, "x", 1, 0));
	TRY(send_name(a, "x", "c")); /* but may speak with others */
	TRY(connect_name(b, "a"));
	TRY(send(b, "lost", 4, 0));
	TRY(connect_name(a, "c")); /* what came from b is dropped, and b is told */
	TRY(recv(a, t, 16, MSG_DONTWAIT));
	show_poll("b", b);
	TRY(send(b, "x", 1, 0));
	TRY(send(b, "x", 1, 0));
	TRY(connect(a, (struct sockaddr *)&none, sizeof(none)));
	TRY(connect(a, (struct sockaddr *)&none, 1));
	TRY(getpeername(a, (struct sockaddr *)&name, (n = sizeof(name), &n)));
	TRY(send(a, "x", 1, 0));
	TRY(connect_name(c, "a"));
	close(a);
	show_poll("dead peer", c);
	TRY(send(c, "x", 1, 0));
	TRY(send(c, "x", 1, 0));
	TRY(connect_name(c, "a"));
	unix_pair(SOCK_DGRAM, pair);
	TRY(send(pair[0], "x", 1, 0));
	TRY(send_name(pair[0], "x", "c"));
	close(pair[1]);
	show_poll("half", pair[0]);
	TRY(recv(pair[0], t, 16, MSG_DONTWAIT));
	TRY(send(pair[0], "x", 1, 0));
	TRY(send(pair[0], "x", 1, 0));
}

TEST(socket, datagram_shutdown)
{
	for (int how = 0; how < 3; how++) {
		int fd[2];
		char t[8];

		unix_pair(SOCK_DGRAM, fd);
		CHECK_EQ(send(fd[1], "x", 1, 0), 1);
		say("how %d\n", how);
		TRY(shutdown(fd[0], how));
		show_poll("shut", fd[0]);
		show_poll("other", fd[1]);
		TRY(send(fd[0], "x", 1, MSG_NOSIGNAL));
		TRY(send(fd[1], "x", 1, MSG_NOSIGNAL));
		TRY(recv(fd[0], t, 8, MSG_DONTWAIT));
		TRY(recv(fd[0], t, 8, MSG_DONTWAIT));
		if (how != 1)
			TRY(recv(fd[0], t, 8, 0));
	}
}

TEST(socket, sequenced_packets)
{
	int l = listen_name(SOCK_SEQPACKET, "sock", 1), c = unix_socket(SOCK_SEQPACKET), s;
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	char t[16] = "";

	show_poll("new", c);
	TRY(send(c, "x", 1, 0));
	TRY(recv(c, t, 1, MSG_DONTWAIT));
	TRY(send_name(c, "x", "sock"));
	TRY(connect_name(unix_socket(SOCK_STREAM), "sock"));
	TRY(connect_name(c, "sock"));
	s = accept(l, NULL, NULL);
	CHECK(s >= 0);
	TRY(send(c, "first", 5, MSG_EOR));
	TRY(send(c, "", 0, 0));
	TRY(send_name(c, "third", "nowhere")); /* the name is not looked at */
	struct iovec part = { t, 3 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	TRY(recvmsg(s, &m, 0));
	say("%.3s %x\n", t, m.msg_flags);
	TRY(recv(s, t, 16, 0));
	TRY(recvfrom(s, t, 16, 0, (struct sockaddr *)&a, &n));
	say("%.5s %u\n", t, n);
	TRY(recv(s, t, 16, MSG_DONTWAIT));
	TRY(write(c, "w", 1));
	TRY(read(s, t, 16));
	TRY(shutdown(c, SHUT_WR));
	show_poll("end", s);
	TRY(recv(s, t, 16, MSG_DONTWAIT));
	TRY(recv(s, t, 16, 0));
	TRY(send(s, "back", 4, 0));
	close(c);
	show_poll("reset", s);
	TRY(send(s, "x", 1, MSG_NOSIGNAL));
	TRY(recv(s, t, 16, 0));
	TRY(recv(s, t, 16, 0));
	TRY(recv(s, t, 16, 0));
}

TEST(socket, packets_are_bounded)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM), pair[2], size = 5000,
	    queued = 0;
	char *big = calloc(1, 1 << 20), t[8];
	struct timeval tv = { 0, 10000 };

	CHECK_EQ(bind_name(b, "b"), 0);
	CHECK_EQ(connect_name(a, "b"), 0);
	CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	TRY(send(a, big, 10000, 0));
	TRY(send(a, big, 9969, 0));
	TRY(send(a, big, 9968, MSG_DONTWAIT));
	TRY(recv(b, big, 1 << 20, 0));
	size = 1 << 20;
	CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(a, "x", 1, MSG_DONTWAIT) == 1)
		queued++;
	say("%d, %s\n", queued, errno_name(errno));
	show_poll("full", a);
	CHECK_EQ(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	TRY(send(a, "x", 1, 0));
	TRY(recv(b, t, 8, 0));
	show_poll("room", a);
	/* Who waits gets through. */
	CHECK_EQ(send(a, "x", 1, 0), 1);
	pid_t pid = child_fork();

	if (!pid) {
		struct pollfd p = { a, POLLOUT, 0 };

		CHECK_EQ(poll(&p, 1, -1), 1);
		CHECK_EQ(send(a, "late", 4, MSG_DONTWAIT), 4);
		_exit(0);
	}
	usleep(20000);
	for (int i = 0; i < queued; i++)
		CHECK_EQ(recv(b, t, 8, 0), 1);
	TRY(recv(b, t, 8, 0));
	child_expect(pid, 0);
	/* A pair has only SO_SNDBUF to wait for. */
	unix_pair(SOCK_DGRAM, pair);
	for (queued = 0; send(pair[0], "x", 1, MSG_DONTWAIT) == 1 && queued < 20; queued++)
		;
	CHECK(queued > 11);
	while (send(pair[0], big, 1000, MSG_DONTWAIT) == 1000)
		;
	say("%s\n", errno_name(errno));
	show_poll("pair", pair[0]);
	free(big);
}

/* A queue that others have filled. */
TEST(socket, room_for_another_sender)
{
	int a = unix_socket(SOCK_DGRAM), b = unix_socket(SOCK_DGRAM), c = unix_socket(SOCK_DGRAM);
	char t[8];

	CHECK_EQ(bind_name(b, "b"), 0);
	CHECK_EQ(connect_name(a, "b"), 0);
	CHECK_EQ(connect_name(c, "b"), 0);
	while (send(a, "x", 1, MSG_DONTWAIT) == 1)
		;
	show_poll("full", c);
	TRY(send(c, "x", 1, MSG_DONTWAIT));
	pid_t pid = child_fork();

	if (!pid) {
		struct pollfd p = { c, POLLOUT, 0 };

		CHECK_EQ(poll(&p, 1, -1), 1);
		_exit(0);
	}
	usleep(20000);
	CHECK_EQ(recv(b, t, 8, 0), 1);
	child_expect(pid, 0);
	show_poll("room", c);
	TRY(send(c, "x", 1, MSG_DONTWAIT));
	close(b);
	show_poll("gone", c);
}

TEST(socket, datagram_peek_offset)
{
	int fd[2], off = 0;
	char t[16];

	unix_pair(SOCK_DGRAM, fd);
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)), 0);
	CHECK_EQ(send(fd[0], "abcdef", 6, 0), 6);
	CHECK_EQ(send(fd[0], "ghi", 3, 0), 3);
	for (int i = 0; i < 5; i++) {
		ssize_t n = recv(fd[1], t, 4, MSG_PEEK | MSG_DONTWAIT);

		say("%zd %.*s\n", n, n > 0 ? (int)n : 0, t);
	}
	TRY(recv(fd[1], t, 16, 0));
	TRY(recv(fd[1], t, 4, MSG_PEEK | MSG_DONTWAIT));
}

TEST(socket, timestamps)
{
	int fd[2], on = 1;
	char t[8], control[256];
	struct iovec part = { t, 8 };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct timeval tv, now;

	unix_pair(SOCK_DGRAM, fd);
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)), 0);
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	TRY(recvmsg(fd[1], &m, 0));
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	CHECK(c);
	say("%d %d %zu\n", c->cmsg_level, c->cmsg_type, c->cmsg_len);
	memcpy(&tv, CMSG_DATA(c), sizeof(tv));
	gettimeofday(&now, NULL);
	CHECK(tv.tv_sec <= now.tv_sec && tv.tv_sec > now.tv_sec - 100 && tv.tv_usec < 1000000);
}
