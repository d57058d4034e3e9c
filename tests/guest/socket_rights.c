/*
 * socket_rights.c - descriptors and credentials in messages.
 *
 * Central rule: a descriptor that was passed is the same open file, and one that nobody took is closed. Next: socket_event.c.
 */
#include "socket.h"

#include <poll.h>
#include <sys/resource.h>

/* How many bytes, descriptors and flags a receive gives; the descriptors are closed. */
static void show_receive(int fd, int room, int flags)
{
	int fds[300], count;
	char text[64] = "";
	ssize_t n = receive_descriptors(fd, text, sizeof(text) - 1, fds, room, &count, &flags);

	say("%zd \"%s\" %d %x%s\n", n < 0 ? -1 : n, text, count, flags,
	    count && fcntl(fds[0], F_GETFD) == FD_CLOEXEC ? " cloexec" : "");
	for (int i = 0; i < count; i++)
		close(fds[i]);
}

/* Whether the other end of a pipe is closed. */
static bool is_closed(int read_end)
{
	struct pollfd p = { read_end, POLLIN, 0 };

	poll(&p, 1, 0);
	return p.revents & POLLHUP;
}

TEST(socket, pass_descriptors)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (unsigned t = 0; t < COUNT_OF(types); t++) {
		int fd[2], p[2], got, count, flags = 0;
		char text[8];

		unix_pair(types[t], fd);
		CHECK_EQ(pipe(p), 0);
		CHECK_EQ(send_descriptors(fd[0], "take", &p[1], 1, 0), 4);
		close(p[1]);
		CHECK(!is_closed(p[0]));
		CHECK_EQ(receive_descriptors(fd[1], text, 8, &got, 1, &count, &flags), 4);
		CHECK_EQ(count, 1);
		CHECK_EQ(write(got, "it", 2), 2);
		CHECK_EQ(read(p[0], text, 8), 2);
		close(got);
		CHECK(is_closed(p[0]));
		/* Nobody takes it. */
		CHECK_EQ(pipe(p), 0);
		CHECK_EQ(send_descriptors(fd[0], "lose", &p[1], 1, 0), 4);
		close(p[1]);
		TRY(recv(fd[1], text, 8, 0));
		CHECK(is_closed(p[0]));
		CHECK_EQ(pipe(p), 0);
		CHECK_EQ(send_descriptors(fd[0], "drop", &p[1], 1, 0), 4);
		close(p[1]);
		close(fd[1]);
		CHECK(is_closed(p[0]));
	}
}

TEST(socket, descriptor_limits)
{
	int fd[2], fds[300];

	unix_pair(SOCK_DGRAM, fd);
	for (int i = 0; i < 300; i++)
		fds[i] = i % 3;
	TRY(send_descriptors(fd[0], "x", fds, 253, 0));
	TRY(send_descriptors(fd[0], "x", fds, 254, 0));
	TRY(send_descriptors(fd[0], "none", fds, 0, 0));
	fds[2] = 99;
	TRY(send_descriptors(fd[0], "x", fds, 3, 0));
	fds[2] = -1;
	TRY(send_descriptors(fd[0], "x", fds, 3, 0));
	fds[2] = open(".", O_PATH);
	TRY(send_descriptors(fd[0], "path", fds, 3, 0));
	show_receive(fd[1], 253, 0);
	show_receive(fd[1], 2, 0);
	show_receive(fd[1], 2, 0); /* room for two of three */
	for (int room = 0; room < 4; room++) {
		fds[2] = 2;
		CHECK_EQ(send_descriptors(fd[0], "some", fds, 3, 0), 4);
		show_receive(fd[1], room, MSG_CMSG_CLOEXEC);
	}
	/* Not more than there may be open. */
	CHILD (0) {
		struct rlimit r = { (rlim_t)fds[0] + 12, 12 };
		int highest = open("/", O_RDONLY);

		r.rlim_cur = r.rlim_max = (rlim_t)highest + 2;
		CHECK_EQ(send_descriptors(fd[0], "some", fds, 3, 0), 4);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
		show_receive(fd[1], 3, 0);
	}
}

TEST(socket, descriptors_and_bytes)
{
	int fd[2], p[2];

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(fd[0], "before", 6), 6);
	CHECK_EQ(send_descriptors(fd[0], "with", p, 2, 0), 4);
	CHECK_EQ(write(fd[0], "after", 5), 5);
	CHECK_EQ(send_descriptors(fd[0], "more", p, 1, 0), 4);
	show_receive(fd[1], 2, MSG_PEEK);
	show_receive(fd[1], 2, 0);
	show_receive(fd[1], 2, 0);
	show_receive(fd[1], 2, MSG_DONTWAIT);
	TRY(send_descriptors(fd[0], "", p, 1, 0)); /* no bytes to go with */
	show_receive(fd[1], 2, MSG_DONTWAIT);
	/* A part of the bytes takes all descriptors. */
	CHECK_EQ(send_descriptors(fd[0], "abcdef", p, 2, 0), 6);
	char b[8];
	int fds[2], count, flags = 0;
	TRY(receive_descriptors(fd[1], b, 2, fds, 2, &count, &flags));
	say("%d\n", count);
	flags = MSG_PEEK;
	TRY(receive_descriptors(fd[1], b, 2, fds, 2, &count, &flags));
	say("%d\n", count);
	show_receive(fd[1], 2, 0);
	/* Peeking gives descriptors of its own, each time. */
	CHECK_EQ(send_descriptors(fd[0], "peek", p, 2, 0), 4);
	show_receive(fd[1], 2, MSG_PEEK);
	show_receive(fd[1], 2, MSG_PEEK);
	show_receive(fd[1], 2, 0);
	unix_pair(SOCK_DGRAM, fd);
	CHECK_EQ(send_descriptors(fd[0], "", p, 2, 0), 0);
	show_receive(fd[1], 2, MSG_PEEK);
	show_receive(fd[1], 2, 0);
}

/* The pipe's write end is in a message that only garbage holds; a socket that is closed then collects it. */
static void collect_and_check(int read_end)
{
	close(unix_socket(SOCK_DGRAM));
	for (int i = 0; i < 1000 && !is_closed(read_end); i++) /* Linux collects later */
		usleep(1000);
	CHECK(is_closed(read_end));
}

TEST(socket, cycles_are_collected)
{
	int a[2], b[2], p[2];

	/* Into itself. */
	unix_pair(SOCK_STREAM, a);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_descriptors(a[0], "self", (int[]){ a[1], p[1] }, 2, 0), 4);
	close(a[0]);
	close(a[1]);
	close(p[1]);
	collect_and_check(p[0]);
	/* Each in the other. */
	unix_pair(SOCK_DGRAM, a);
	unix_pair(SOCK_DGRAM, b);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_descriptors(a[0], "b", (int[]){ b[1], p[1] }, 2, 0), 1);
	CHECK_EQ(send_descriptors(b[0], "a", &a[1], 1, 0), 1);
	close(p[1]);
	close(a[1]);
	close(b[1]);
	close(unix_socket(
		SOCK_DGRAM)); /* they can be reached: a[0] sends to them, but nobody receives */
	close(a[0]);
	close(b[0]);
	collect_and_check(p[0]);
	/* What can be received through others stays. */
	unix_pair(SOCK_STREAM, a);
	unix_pair(SOCK_STREAM, b);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_descriptors(a[0], "x", &p[1], 1, 0), 1);
	CHECK_EQ(send_descriptors(b[0], "y", &a[1], 1, 0), 1);
	close(p[1]);
	close(a[1]);
	close(a[0]);
	close(unix_socket(SOCK_DGRAM));
	usleep(10000);
	CHECK(!is_closed(p[0]));
	int got, last, count, flags = 0;
	char text[8];
	CHECK_EQ(receive_descriptors(b[1], text, 8, &got, 1, &count, &flags), 1);
	CHECK_EQ(count, 1);
	flags = 0;
	CHECK_EQ(receive_descriptors(got, text, 8, &last, 1, &count, &flags), 1);
	CHECK_EQ(count, 1);
	CHECK_EQ(write(last, "z", 1), 1);
	CHECK_EQ(read(p[0], text, 8), 1);
}

TEST(socket, cycles_that_can_be_received_stay)
{
	int a[2], b[2], p[2], self, end[3], count, flags = 0;
	char text[8];

	unix_pair(SOCK_STREAM, a);
	unix_pair(SOCK_STREAM, b);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_descriptors(a[0], "x", (int[]){ a[1], p[1] }, 2, 0), 1);
	CHECK_EQ(send_descriptors(b[0], "y", &a[1], 1, 0), 1);
	close(p[1]);
	close(a[0]);
	close(a[1]);
	close(unix_socket(SOCK_DGRAM));
	usleep(10000);
	CHECK(!is_closed(p[0]));
	CHECK_EQ(receive_descriptors(b[1], text, 8, &self, 1, &count, &flags), 1);
	CHECK_EQ(count, 1);
	flags = 0;
	CHECK_EQ(receive_descriptors(self, text, 8, end, 3, &count, &flags), 1);
	CHECK_EQ(count, 2);
	CHECK_EQ(write(end[1], "z", 1), 1);
	CHECK_EQ(read(p[0], text, 8), 1);
}

TEST(socket, cycles_through_a_listener)
{
	int l = listen_name(SOCK_STREAM, "sock", 5), c = unix_socket(SOCK_STREAM), p[2];

	CHECK_EQ(connect_name(c, "sock"), 0);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(send_descriptors(c, "l", (int[]){ l, p[1] }, 2, 0), 1);
	close(p[1]);
	close(l);
	close(c);
	collect_and_check(p[0]);
}

/* Each socket holds the one before: closing the last closes all, however many there are. */
TEST(socket, long_chains)
{
	enum { LENGTH = 5000 };
	int p[2], last;

	CHECK_EQ(pipe(p), 0);
	last = p[1];
	for (int i = 0; i < LENGTH; i++) {
		int pair[2];

		unix_pair(SOCK_DGRAM, pair);
		CHECK_EQ(send_descriptors(pair[0], "x", &last, 1, 0), 1);
		close(last);
		close(pair[0]);
		last = pair[1];
	}
	CHECK(!is_closed(p[0]));
	close(last);
	collect_and_check(p[0]);
}

TEST(socket, too_many_on_the_way)
{
	if (!is_root())
		return;
	CHECK_EQ(chmod(".", 0755), 0);
	CHILD (0) {
		struct rlimit r = { 50, 50 };
		int fd[2], n = 0;

		become_user();
		unix_pair(SOCK_DGRAM, fd);
		CHECK_EQ(setrlimit(RLIMIT_NOFILE, &r), 0);
		while (send_descriptors(fd[0], "x", fd, 2, MSG_DONTWAIT) == 1 && n < 1000)
			n++;
		say("%d %s\n", n, errno_name(errno));
	}
}

/* --- credentials --- */

static void show_credentials(int fd, int flags, pid_t self)
{
	char control[256], text[16] = "";
	struct iovec part = { text, 15 };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &m, flags);

	say("%zd \"%s\" %x", n, text, m.msg_flags);
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct ucred u;

		memcpy(&u, CMSG_DATA(c), sizeof(u));
		say(" %d/%d/%zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_type == SCM_CREDENTIALS)
			say(" %s %d %d",
			    u.pid == self ? "self"
			    : u.pid       ? "other"
					  : "nobody",
			    (int)u.uid == (int)getuid() ? -2 : (int)u.uid,
			    (int)u.gid == (int)getgid() ? -2 : (int)u.gid);
	}
	say("\n");
}

static ssize_t send_credentials(int fd, const char *text, struct ucred u, size_t length)
{
	char control[CMSG_SPACE(sizeof(u))] = { 0 };
	struct iovec part = { (void *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = length;
	memcpy(CMSG_DATA(c), &u, sizeof(u));
	return sendmsg(fd, &m, 0);
}

TEST(socket, credentials)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct ucred me = { getpid(), getuid(), getgid() };
	int on = 1;

	for (unsigned t = 0; t < COUNT_OF(types); t++) {
		int fd[2];

		unix_pair(types[t], fd);
		CHECK_EQ(write(fd[0], "unasked", 7), 7);
		CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
		CHECK_EQ(write(fd[0], "asked", 5), 5);
		show_credentials(fd[1], 0, getpid());
		show_credentials(fd[1], MSG_PEEK, getpid());
		show_credentials(fd[1], 0, getpid());
		TRY(send_credentials(fd[0], "said", me, CMSG_LEN(sizeof(me))));
		show_credentials(fd[1], 0, getpid());
		CHILD (0)
			CHECK_EQ(write(fd[0], "child", 5), 5);
		CHECK_EQ(write(fd[0], "me", 2), 2);
		CHECK_EQ(write(fd[0], "me", 2), 2);
		show_credentials(fd[1], 0, getpid());
		show_credentials(fd[1], 0, getpid());
		if (types[t] != SOCK_STREAM)
			show_credentials(fd[1], 0, getpid());
		show_credentials(fd[1], MSG_DONTWAIT, getpid());
		close(fd[0]);
		if (types[t] != SOCK_DGRAM)
			show_credentials(fd[1], MSG_DONTWAIT, getpid());
	}
}

TEST(socket, false_credentials)
{
	int fd[2];
	struct ucred me = { getpid(), getuid(), getgid() }, u = me;

	unix_pair(SOCK_DGRAM, fd);
	TRY(send_credentials(fd[0], "x", me, CMSG_LEN(sizeof(me) - 1)));
	TRY(send_credentials(fd[0], "x", me, CMSG_LEN(sizeof(me)) + 100));
	TRY(send_credentials(fd[0], "x", me, 4));
	if (is_root()) {
		u.pid = 999999;
		TRY(send_credentials(fd[0], "x", u, CMSG_LEN(sizeof(u))));
		u = (struct ucred){ 1, 77, 78 };
		TRY(send_credentials(fd[0], "x", u, CMSG_LEN(sizeof(u))));
		CHILD (0) {
			become_user();
			u = (struct ucred){ getpid(), 1000, 1000 };
			TRY(send_credentials(fd[0], "x", u, CMSG_LEN(sizeof(u))));
			u.pid = getppid();
			TRY(send_credentials(fd[0], "x", u, CMSG_LEN(sizeof(u))));
			u = (struct ucred){ getpid(), 0, 1000 };
			TRY(send_credentials(fd[0], "x", u, CMSG_LEN(sizeof(u))));
			u = (struct ucred){ getpid(), 1000, 0 };
			TRY(send_credentials(fd[0], "x", u, CMSG_LEN(sizeof(u))));
		}
	}
}

TEST(socket, credentials_and_descriptors)
{
	int fd[2], p[2], on = 1, off = 0;
	char control[20], text[8];
	struct iovec part = { text, 8 };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	CHECK_EQ(send_descriptors(fd[0], "both", p, 2, 0), 4);
	show_credentials(fd[1], 0, getpid());
	/* Too little room for them. */
	CHECK_EQ(send_descriptors(fd[0], "both", p, 2, 0), 4);
	TRY(recvmsg(fd[1], &m, 0));
	say("%x %zu\n", m.msg_flags, m.msg_controllen);
	m.msg_control = NULL;
	m.msg_controllen = 0;
	CHECK_EQ(write(fd[0], "none", 4), 4);
	TRY(recvmsg(fd[1], &m, 0));
	say("%x %zu\n", m.msg_flags, m.msg_controllen);
	/* A connection takes the option from whom it was made by. */
	int l = unix_socket(SOCK_STREAM), c = unix_socket(SOCK_STREAM), s;
	socklen_t n = sizeof(on);
	CHECK_EQ(bind_name(l, "sock"), 0);
	CHECK_EQ(setsockopt(l, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	CHECK_EQ(listen(l, 1), 0);
	CHECK_EQ(connect_name(c, "sock"), 0);
	CHECK_EQ(write(c, "early", 5), 5);
	s = accept(l, NULL, NULL);
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_PASSCRED, &off, &n), 0);
	say("%d\n", off);
	show_credentials(s, 0, getpid());
}
