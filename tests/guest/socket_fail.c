/*
 * socket_fail.c - every allocation of a call on sockets failing in turn.
 *
 * Central rule: a call that fails for want of memory says so and has done nothing: the same call succeeds afterwards, and what was there before is
 * still there. Each attempt runs in a child of its own, which has the n-th allocation of one call fail (/proc/coppice/fail); n grows until it is not
 * reached. Without that file (on Linux) each call is made once, and must succeed. main.c looks for what is left behind.
 */
#include "socket.h"

#include <sys/epoll.h>
#include <sys/sendfile.h>

#define ATTEMPTS_MAX 200
#define HIT 10 /* exit statuses of an attempt: the allocation failed; it was not reached */
#define NOT_REACHED 11

static int fail_fd = -1;

static void fail_arm(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	if (fail_fd >= 0)
		CHECK_EQ(pwrite(fail_fd, text, (size_t)length, 0), length);
}

static bool fail_happened(void)
{
	char c = '0';

	if (fail_fd < 0)
		return false;
	if (pread(fail_fd, &c, 1, 0) < 0) {
		CHECK_EQ(errno, ENOMEM);
		return false;
	}
	return c == '1';
}

/* What the calls work on, made anew for each attempt. */
static int pair[2], listener, client, out = -1;
static char *big;

#define BIG 100000

static void prepare_stream(void)
{
	unix_pair(SOCK_STREAM, pair);
}

static void prepare_packets(void)
{
	unix_pair(SOCK_SEQPACKET, pair);
}

static void prepare_listener(void)
{
	listener = listen_name(SOCK_STREAM, "@coppice-fail", 5);
	client = unix_socket(SOCK_STREAM);
}

static void prepare_connection(void)
{
	prepare_listener();
	CHECK_EQ(connect_name(client, "@coppice-fail"), 0);
}

static void prepare_credentials(void)
{
	int on = 1;

	prepare_packets();
	CHECK_EQ(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
}

static void prepare_files(void)
{
	prepare_stream();
	CHECK_EQ(send_descriptors(pair[0], "with", pair, 2, 0), 4);
}

static void prepare_file_packets(void)
{
	prepare_packets();
	CHECK_EQ(send_descriptors(pair[0], "with", pair, 2, 0), 4);
}

static void prepare_data(void)
{
	prepare_stream();
	CHECK_EQ(write(pair[0], big, BIG), BIG);
}

/* The calls: 0, or -1 with errno. */

static int do_socket(void)
{
	return (out = socket(AF_UNIX, SOCK_STREAM, 0)) < 0 ? -1 : 0;
}

static int do_pair(void)
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static int do_bind_path(void)
{
	return bind_name(pair[0], "fail-path");
}

static int do_bind_abstract(void)
{
	return bind_name(pair[0], "@coppice-fail-name");
}

static int do_autobind(void)
{
	sa_family_t family = AF_UNIX;

	return bind(pair[0], (struct sockaddr *)&family, sizeof(family));
}

static int do_connect(void)
{
	return connect_name(client, "@coppice-fail");
}

static int do_accept(void)
{
	return (out = accept(listener, NULL, NULL)) < 0 ? -1 : 0;
}

static int do_send_short(void)
{
	return write(pair[0], "short", 5) == 5 ? 0 : -1;
}

/* As much as was sent before memory ran out is sent; the rest goes on. */
static int do_send_long(void)
{
	size_t done = 0;

	while (done < BIG) {
		ssize_t n = write(pair[0], big + done, BIG - done);

		if (n < 0 && !done)
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

static int do_send_packet(void)
{
	return send(pair[0], big, BIG, 0) == BIG ? 0 : -1;
}

static int do_send_files(void)
{
	return send_descriptors(pair[0], "files", pair, 2, 0) == 5 ? 0 : -1;
}

static int do_receive_files(int flags)
{
	int fds[2], count;
	char text[8];

	if (receive_descriptors(pair[1], text, 8, fds, 2, &count, &flags) < 0)
		return -1;
	if (count != 2 && fail_fd < 0)
		FAIL("%d descriptors", count);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	return 0;
}

static int do_receive(void)
{
	return do_receive_files(0);
}

static int do_peek(void)
{
	return do_receive_files(MSG_PEEK);
}

static int do_send_credentials(void)
{
	return write(pair[0], "who", 3) == 3 ? 0 : -1;
}

static int do_read_long(void)
{
	return recv(pair[1], big, BIG, MSG_WAITALL) == BIG ? 0 : -1;
}

static int do_option(void)
{
	int on = 1;

	return setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

static int do_peer_pidfd(void)
{
	int fd = -1;
	socklen_t n = sizeof(fd);

	return getsockopt(pair[0], SOL_SOCKET, 77 /* SO_PEERPIDFD */, &fd, &n);
}

static int do_epoll(void)
{
	struct epoll_event e = { EPOLLIN, { .fd = 1 } };
	int ep = epoll_create1(0), r;

	if (ep < 0)
		return -1;
	r = epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &e);
	close(ep);
	return r;
}

static int do_shutdown(void)
{
	return shutdown(pair[0], SHUT_WR);
}

static int do_close(void)
{
	return close(pair[0]) || close(pair[1]) ? -1 : 0;
}

static const struct {
	const char *name;
	void (*prepare)(void);
	int (*call)(void);
	bool once; /* what it takes is gone, whether it fails or not */
	bool never_fails;
} calls[] = {
	{ "socket", NULL, do_socket, false, false },
	{ "socketpair", NULL, do_pair, false, false },
	{ "bind to a path", prepare_stream, do_bind_path, false, false },
	{ "bind to a name", prepare_stream, do_bind_abstract, false, false },
	{ "bind to any name", prepare_stream, do_autobind, false, false },
	{ "connect", prepare_listener, do_connect, false, false },
	{ "accept", prepare_connection, do_accept, false, false },
	{ "send a few bytes", prepare_stream, do_send_short, false, false },
	{ "send many bytes", prepare_stream, do_send_long, false, false },
	{ "send a packet", prepare_packets, do_send_packet, false, false },
	{ "send files", prepare_stream, do_send_files, false, false },
	{ "send files in a packet", prepare_packets, do_send_files, false, false },
	{ "send with credentials", prepare_credentials, do_send_credentials, false, false },
	{ "receive files", prepare_files, do_receive, false, false },
	{ "receive files in a packet", prepare_file_packets, do_receive, true, false },
	{ "look at files", prepare_files, do_peek, false, false },
	{ "look at files in a packet", prepare_file_packets, do_peek, false, false },
	{ "receive bytes", prepare_data, do_read_long, false, true },
	{ "setsockopt", prepare_stream, do_option, false, false },
	{ "SO_PEERPIDFD", prepare_stream, do_peer_pidfd, false, false },
	{ "epoll", prepare_stream, do_epoll, false, false },
	{ "shutdown", prepare_data, do_shutdown, false, true },
	{ "close", prepare_files, do_close, true, true },
};

/* One attempt: the n-th allocation of call i fails. */
static void attempt(unsigned i, int n)
{
	int r, error;
	bool hit;

	unlink("fail-path");
	if (calls[i].prepare)
		calls[i].prepare();
	fail_arm(n);
	r = calls[i].call();
	error = errno;
	hit = fail_happened();
	fail_arm(0);
	if (r && (!hit || (error != ENOMEM && error != ENOBUFS)))
		FAIL("%s fails with %s at allocation %d", calls[i].name, errno_name(error), n);
	if (r && calls[i].never_fails)
		FAIL("%s fails with %s", calls[i].name, errno_name(error));
	if (r && !calls[i].once && calls[i].call())
		FAIL("%s fails with %s after allocation %d has failed", calls[i].name,
		     errno_name(errno), n);
	_exit(hit ? HIT : NOT_REACHED);
}

TEST(socket_fail, each_allocation)
{
	fail_fd = open("/proc/coppice/fail", O_RDWR | O_CLOEXEC);
	big = calloc(1, BIG);
	memset(big, 1, BIG);
	for (unsigned i = 0; i < COUNT_OF(calls); i++) {
		int n = 1, status;

		do {
			pid_t pid = child_fork();

			if (!pid)
				attempt(i, n);
			CHECK_EQ(waitpid(pid, &status, 0), pid);
			CHECK(WIFEXITED(status));
			status = WEXITSTATUS(status);
			if (status != HIT && status != NOT_REACHED)
				FAIL("%s: attempt %d ends with %d", calls[i].name, n, status);
		} while (status == HIT && ++n < ATTEMPTS_MAX);
		CHECK(n < ATTEMPTS_MAX);
		say("%s\n", calls[i].name);
	}
	free(big);
}
