/*
 * socket_stream.c - SOCK_STREAM of AF_UNIX: connections, their ends, and what goes through them.
 *
 * Central rule: nothing depends on how much exactly a socket holds. Next: socket_packet.c.
 */
#include "socket.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

static volatile sig_atomic_t signals;

static void count_signal(int s)
{
	signals++;
	(void)s;
}

static void on_signal(int s, int flags)
{
	struct sigaction a = { .sa_handler = count_signal, .sa_flags = flags };

	CHECK_EQ(sigaction(s, &a, NULL), 0);
}

static int error_of(int fd)
{
	int error = -1;
	socklen_t n = sizeof(error);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n), 0);
	return error;
}

static void show_poll(const char *text, int fd)
{
	struct pollfd p = {
		fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0
	};

	poll(&p, 1, 0);
	say("%s: %x\n", text, p.revents);
}

TEST(socket, stream_states)
{
	int fd = unix_socket(SOCK_STREAM), client = unix_socket(SOCK_STREAM), server;
	char b[8];

	show_poll("new", fd);
	TRY(recv(fd, b, 8, MSG_DONTWAIT));
	TRY(send(fd, b, 8, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(send_name(fd, "x", "sock"));
	TRY(accept(fd, NULL, NULL));
	TRY(shutdown(fd, SHUT_RDWR));
	show_poll("shut", fd);
	close(fd);
	fd = listen_name(SOCK_STREAM, "sock", 2);
	show_poll("listening", fd);
	TRY(recv(fd, b, 8, MSG_DONTWAIT));
	TRY(send(fd, b, 8, MSG_DONTWAIT | MSG_NOSIGNAL));
	TRY(connect_name(fd, "sock"));
	TRY(connect_name(client, "sock"));
	show_poll("pending", fd);
	show_poll("connected", client);
	TRY(send(client, "early", 5, 0));
	TRY(connect_name(client, "sock"));
	TRY(listen(client, 1));
	TRY(bind_name(client, "mine"));
	TRY(listen(client, 1));
	TRY(send_name(client, "x", "sock"));
	TRY(accept(client, NULL, NULL));
	server = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(server >= 0);
	say("%d %x\n", fcntl(server, F_GETFD), fcntl(server, F_GETFL));
	TRY(accept4(fd, NULL, NULL, 1));
	TRY(recv(server, b, 8, 0));
	TRY(recv(server, b, 8, 0));
	show_poll("accepted", server);
	close(client);
	show_poll("hung up", server);
	TRY(recv(server, b, 8, 0));
	TRY(send(server, b, 8, MSG_NOSIGNAL));
	TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
	TRY(accept(fd, NULL, NULL));
	TRY(shutdown(fd, SHUT_RD));
	TRY(accept(fd, NULL, NULL));
	client = unix_socket(SOCK_STREAM);
	TRY(connect_name(client, "sock"));
	show_poll("listening no more", fd);
}

TEST(socket, names_of_both_ends)
{
	int fd = listen_name(SOCK_STREAM, "server", 2), client = unix_socket(SOCK_STREAM), server;
	struct sockaddr_un a;
	socklen_t n;
	char b[8];

	TRY(bind_name(client, "client"));
	TRY(connect_name(client, "server"));
	memset(&a, 0, sizeof(a));
	n = sizeof(a);
	server = accept(fd, (struct sockaddr *)&a, &n);
	say("%s %u\n", a.sun_path, n);
	n = sizeof(a);
	CHECK_EQ(getsockname(server, (struct sockaddr *)&a, &n), 0);
	say("%s %u\n", a.sun_path, n);
	n = sizeof(a);
	CHECK_EQ(getpeername(client, (struct sockaddr *)&a, &n), 0);
	say("%s %u\n", a.sun_path, n);
	CHECK_EQ(write(client, "x", 1), 1);
	n = sizeof(a);
	memset(&a, 0, sizeof(a));
	TRY(recvfrom(server, b, 8, 0, (struct sockaddr *)&a, &n));
	say("%s %u\n", a.sun_path, n);
	close(client);
	n = sizeof(a);
	TRY(getpeername(server, (struct sockaddr *)&a, &n));
	say("%s %u\n", a.sun_path, n);
	n = sizeof(a);
	TRY(recvfrom(server, b, 8, 0, (struct sockaddr *)&a, &n));
	say("%u\n", n);
	client = unix_socket(SOCK_STREAM);
	TRY(connect_name(client, "server"));
	n = sizeof(a);
	TRY(accept(fd, (struct sockaddr *)8, &n));
	TRY(recv(client, b, 8, 0));
}

TEST(socket, backlog)
{
	int fd = listen_name(SOCK_STREAM, "sock", 1), client[4];
	char b[8];

	for (int i = 0; i < 4; i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		TRY(connect_name(client[i], "sock"));
	}
	/* One that waits gets through when another was accepted. */
	CHILD (0) {
		pid_t waiting = child_fork();

		if (!waiting) {
			int c = unix_socket(SOCK_STREAM);

			CHECK_EQ(connect_name(c, "sock"), 0);
			CHECK_EQ(write(c, "me", 2), 2);
			_exit(0);
		}
		usleep(20000);
		CHECK(accept(fd, NULL, NULL) >= 0);
		CHECK(accept(fd, NULL, NULL) >= 0);
		int s = accept(fd, NULL, NULL);

		CHECK(s >= 0);
		CHECK_EQ(read(s, b, 8), 2);
		child_expect(waiting, 0);
	}
	/* Those that nobody accepts are reset when the listener goes. */
	client[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	TRY(connect_name(client[0], "sock"));
	close(fd);
	show_poll("not accepted", client[0]);
	TRY(read(client[0], b, 8));
	TRY(read(client[0], b, 8));
	TRY(send(client[0], b, 8, MSG_NOSIGNAL));
	TRY(connect_name(client[1], "sock"));
}

TEST(socket, connect_waits_for_a_listener_that_goes)
{
	int fd = listen_name(SOCK_STREAM, "sock", 0), client = unix_socket(SOCK_STREAM);
	struct timeval tv = { 0, 20000 };

	TRY(connect_name(client, "sock"));
	client = unix_socket(SOCK_STREAM);
	CHECK_EQ(setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	TRY(connect_name(client, "sock")); /* until the time is over */
	pid_t waiting = child_fork();

	if (!waiting) {
		int c = unix_socket(SOCK_STREAM);

		close(fd);
		_exit(connect_name(c, "sock") == -1 && errno == ECONNREFUSED ? 0 : 1);
	}
	usleep(20000);
	close(fd);
	child_expect(waiting, 0);
}

TEST(socket, stream_shutdown)
{
	char b[16];

	for (int how = 0; how < 3; how++) {
		int fd[2];

		unix_pair(SOCK_STREAM, fd);
		say("how %d\n", how);
		CHECK_EQ(write(fd[0], "there", 5), 5);
		CHECK_EQ(write(fd[1], "back", 4), 4);
		TRY(shutdown(fd[0], how));
		show_poll("shut", fd[0]);
		show_poll("other", fd[1]);
		TRY(send(fd[0], b, 1, MSG_NOSIGNAL));
		TRY(send(fd[1], b, 1, MSG_NOSIGNAL));
		TRY(recv(fd[0], b, 16, MSG_DONTWAIT));
		TRY(recv(fd[0], b, 16, MSG_DONTWAIT));
		TRY(recv(fd[1], b, 16, MSG_DONTWAIT));
		TRY(recv(fd[1], b, 16, MSG_DONTWAIT));
		TRY(shutdown(fd[0], how));
		TRY(shutdown(fd[1], 3));
		TRY(shutdown(fd[1], -1));
		close(fd[0]);
		TRY(recv(fd[1], b, 16, MSG_DONTWAIT));
		TRY(send(fd[1], b, 1, MSG_NOSIGNAL));
		TRY(error_of(fd[1]));
	}
}

TEST(socket, broken_pipe)
{
	int fd[2];

	on_signal(SIGPIPE, 0);
	unix_pair(SOCK_STREAM, fd);
	close(fd[1]);
	TRY(write(fd[0], "x", 1));
	TRY(signals);
	TRY(send(fd[0], "x", 1, MSG_NOSIGNAL));
	TRY(signals);
	TRY(send(fd[0], "x", 1, 0));
	TRY(signals);
	TRY(write(fd[0], "x", 0));
	TRY(signals);
	unix_pair(SOCK_SEQPACKET, fd);
	close(fd[1]);
	TRY(write(fd[0], "x", 1));
	TRY(signals);
	unix_pair(SOCK_DGRAM, fd);
	close(fd[1]);
	TRY(write(fd[0], "x", 1));
	TRY(write(fd[0], "x", 1));
	TRY(shutdown(fd[0], SHUT_WR));
	TRY(write(fd[0], "x", 1));
	TRY(signals);
}

TEST(socket, reset)
{
	int fd[2];
	char b[8];

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(write(fd[0], "unread", 6), 6);
	CHECK_EQ(write(fd[1], "still", 5), 5);
	close(fd[1]);
	show_poll("reset", fd[0]);
	TRY(send(fd[0], "x", 1, MSG_NOSIGNAL));
	TRY(read(fd[0], b, 8)); /* what came before is there */
	TRY(read(fd[0], b, 8));
	TRY(read(fd[0], b, 8));
	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(write(fd[0], "unread", 6), 6);
	close(fd[1]);
	TRY(error_of(fd[0]));
	TRY(error_of(fd[0]));
	TRY(read(fd[0], b, 8));
}

TEST(socket, stream_glues_and_cuts)
{
	int fd[2];
	char b[64] = "";
	struct iovec part[3] = { { b, 2 }, { b + 2, 0 }, { b + 2, 5 } };

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(write(fd[0], "one", 3), 3);
	CHECK_EQ(write(fd[0], "two", 3), 3);
	CHECK_EQ(write(fd[0], "three", 5), 5);
	TRY(recv(fd[1], b, 4, MSG_PEEK));
	TRY(readv(fd[1], part, 3));
	say("%.7s\n", b);
	TRY(recv(fd[1], b, 64, MSG_PEEK | MSG_TRUNC));
	TRY(recv(fd[1], b, 2, MSG_TRUNC));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT | MSG_WAITALL));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT | MSG_WAITALL));
	TRY(recv(fd[1], b, 0, MSG_DONTWAIT));
	TRY(read(fd[1], b, 0));
	TRY(write(fd[0], "", 0));
	TRY(send(fd[0], "", 0, 0));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT));
	part[0].iov_base = (void *)8;
	CHECK_EQ(write(fd[0], "kept", 4), 4);
	TRY(readv(fd[1], part, 3));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT));
	TRY(writev(fd[0], part, 3));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT));
}

TEST(socket, stream_wait_all)
{
	int fd[2], low = 3;
	char b[64];

	unix_pair(SOCK_STREAM, fd);
	CHILD (0) {
		close(fd[1]);
		for (int i = 0; i < 5; i++) {
			usleep(2000);
			CHECK_EQ(write(fd[0], "12", 2), 2);
		}
	}
	TRY(recv(fd[1], b, 8, MSG_WAITALL));
	pid_t pid = child_fork();

	if (!pid) {
		usleep(10000);
		CHECK_EQ(write(fd[0], "34", 2), 2);
		_exit(0);
	}
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)), 0);
	TRY(recv(fd[1], b, 64, 0));
	child_expect(pid, 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(write(fd[0], "5", 1), 1);
		usleep(10000);
		shutdown(fd[0], SHUT_WR);
		_exit(0);
	}
	TRY(recv(fd[1], b, 64, MSG_WAITALL));
	child_expect(pid, 0);
}

TEST(socket, peek_offset)
{
	int fd[2], off = 0;
	socklen_t n = sizeof(off);
	char b[64] = "";

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &off, sizeof(off)), 0);
	CHECK_EQ(write(fd[0], "aaaabbbb", 8), 8);
	for (int i = 0; i < 3; i++) {
		TRY(recv(fd[1], b, 3, MSG_PEEK | MSG_DONTWAIT));
		say("%.3s\n", b);
	}
	TRY(recv(fd[1], b, 3, MSG_PEEK | MSG_DONTWAIT));
	TRY(recv(fd[1], b, 2, 0));
	CHECK_EQ(getsockopt(fd[1], SOL_SOCKET, SO_PEEK_OFF, &off, &n), 0);
	say("%d\n", off);
	CHECK_EQ(write(fd[0], "cc", 2), 2);
	TRY(recv(fd[1], b, 9, MSG_PEEK | MSG_DONTWAIT));
	say("%.2s\n", b);
}

TEST(socket, out_of_band)
{
	int fd[2], mark, on = 1;
	char b[64];

	unix_pair(SOCK_STREAM, fd);
	TRY(send(fd[0], "", 0, MSG_OOB));
	TRY(recv(fd[1], b, 8, MSG_OOB));
	TRY(send(fd[0], "abc!", 4, MSG_OOB));
	TRY(send(fd[0], "def", 3, 0));
	show_poll("urgent", fd[1]);
	TRY(recv(fd[1], b, 1, MSG_OOB | MSG_PEEK));
	TRY(recv(fd[1], b, 8, MSG_OOB));
	TRY(recv(fd[1], b, 8, MSG_OOB));
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	say("at mark %d\n", mark);
	TRY(recv(fd[1], b, 64, 0)); /* up to the mark */
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	say("at mark %d\n", mark);
	TRY(recv(fd[1], b, 64, 0));
	/* Not taken, it is dropped. */
	TRY(send(fd[0], "abc!", 4, MSG_OOB));
	TRY(send(fd[0], "def", 3, 0));
	TRY(recv(fd[1], b, 64, 0));
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	say("at mark %d\n", mark);
	TRY(recv(fd[1], b, 64, 0));
	TRY(recv(fd[1], b, 8, MSG_OOB));
	/* A second one makes the first ordinary. */
	TRY(send(fd[0], "1", 1, MSG_OOB));
	TRY(send(fd[0], "2", 1, MSG_OOB));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT));
	TRY(recv(fd[1], b, 64, MSG_DONTWAIT));
	/* In line. */
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)), 0);
	TRY(send(fd[0], "abc!", 4, MSG_OOB));
	TRY(send(fd[0], "def", 3, 0));
	TRY(recv(fd[1], b, 8, MSG_OOB));
	TRY(recv(fd[1], b, 64, 0));
	CHECK_EQ(ioctl(fd[1], SIOCATMARK, &mark), 0);
	say("at mark %d\n", mark);
	TRY(recv(fd[1], b, 64, 0));
}

TEST(socket, timeouts)
{
	int fd[2];
	struct timeval tv = { 0, 10000 };
	char *big = calloc(1, 1 << 20);

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	TRY(recv(fd[0], big, 1, 0));
	TRY(read(fd[0], big, 1));
	ssize_t n = send(fd[0], big, 1 << 20, 0); /* as much as fits */
	CHECK(n > 0 && n < 1 << 20);
	TRY(send(fd[0], big, 1 << 20, 0));
	show_poll("full", fd[0]);
	show_poll("to be read", fd[1]);
	free(big);
}

TEST(socket, signals_interrupt)
{
	struct itimerval it = { .it_value.tv_usec = 10000 };
	struct timeval tv = { 5, 0 };
	int fd[2];
	char b[8];

	on_signal(SIGALRM, 0);
	unix_pair(SOCK_STREAM, fd);
	setitimer(ITIMER_REAL, &it, NULL);
	TRY(read(fd[0], b, 8));
	/* With a time-out it is never restarted. */
	on_signal(SIGALRM, SA_RESTART);
	CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	setitimer(ITIMER_REAL, &it, NULL);
	TRY(read(fd[0], b, 8));
	TRY(signals);
	pid_t pid = child_fork();

	if (!pid) {
		usleep(40000);
		CHECK_EQ(write(fd[0], "late", 4), 4);
		_exit(0);
	}
	tv.tv_sec = 0;
	CHECK_EQ(setsockopt(fd[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	setitimer(ITIMER_REAL, &it, NULL);
	TRY(read(fd[1], b, 8));
	TRY(signals);
	child_expect(pid, 0);
}

/* Bytes through a pair in pieces of odd sizes, both ways at once; each must arrive, in order. */
TEST(socket, stream_carries_all)
{
	enum { TOTAL = 3000000 };
	int fd[2], small = 5000;

	for (int round = 0; round < 2; round++) {
		unix_pair(SOCK_STREAM, fd);
		if (round)
			CHECK_EQ(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)),
				 0);
		pid_t pid = child_fork();
		static unsigned char b[70000];
		unsigned seed = 1;
		size_t done = 0;

		if (!pid) {
			close(fd[1]);
			while (done < TOTAL) {
				size_t n;

				seed = seed * 1103515245 + 12345;
				n = seed >> 16 & (seed & 0x100 ? 65535 : 63);

				n = n > TOTAL - done ? TOTAL - done : n;
				for (size_t i = 0; i < n; i++)
					b[i] = (unsigned char)((done + i) * 7 >> 3);
				CHECK_EQ(write(fd[0], b, n), n);
				done += n;
			}
			_exit(0);
		}
		close(fd[0]);
		for (;;) {
			ssize_t n = read(fd[1], b,
					 ((seed = seed * 1103515245 + 12345) >> 8 & 65535) + 1);

			if (!n)
				break;
			CHECK(n > 0);
			for (ssize_t i = 0; i < n; i++)
				CHECK(b[i] == (unsigned char)((done + (size_t)i) * 7 >> 3));
			done += (size_t)n;
		}
		CHECK_EQ(done, TOTAL);
		child_expect(pid, 0);
		close(fd[1]);
	}
}

TEST(socket, several_writers_and_readers)
{
	enum { EACH = 4000, WRITERS = 4, READERS = 3 };
	int fd[2], result[2];
	pid_t writers[WRITERS], readers[READERS];
	long sum = 0;

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(pipe(result), 0);
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = child_fork();
		if (writers[i])
			continue;
		close(fd[1]);
		for (int k = 0; k < EACH; k++)
			CHECK_EQ(write(fd[0], "x", 1), 1);
		_exit(0);
	}
	for (int i = 0; i < READERS; i++) {
		readers[i] = child_fork();
		if (readers[i])
			continue;
		long n, all = 0;
		char b[10];

		close(fd[0]);
		while ((n = read(fd[1], b, 10)) > 0)
			all += n;
		CHECK_EQ(n, 0);
		CHECK_EQ(write(result[1], &all, sizeof(all)), sizeof(all));
		_exit(0);
	}
	close(fd[0]);
	for (int i = 0; i < WRITERS; i++)
		child_expect(writers[i], 0);
	for (int i = 0; i < READERS; i++) {
		long n;

		child_expect(readers[i], 0);
		CHECK_EQ(read(result[0], &n, sizeof(n)), sizeof(n));
		sum += n;
	}
	CHECK_EQ(sum, EACH * WRITERS);
}

TEST(socket, files_into_sockets)
{
	int fd[2], file = file_make("f", 3 * PAGE), p[2];
	static char b[4 * PAGE];
	off_t at = PAGE - 1;

	unix_pair(SOCK_STREAM, fd);
	TRY(sendfile(fd[0], file, &at, 2));
	TRY(recv(fd[1], b, sizeof(b), 0));
	say("%d %d\n", b[0], b[1]);
	TRY(sendfile(fd[0], file, NULL, 4 * PAGE));
	TRY(recv(fd[1], b, sizeof(b), MSG_WAITALL | MSG_DONTWAIT));
	TRY(sendfile(file, fd[0], NULL, 1));
	CHECK_EQ(pipe(p), 0);
	CHECK_EQ(write(p[1], "through a pipe", 14), 14);
	TRY(splice(p[0], NULL, fd[0], NULL, 100, 0));
	TRY(splice(fd[1], NULL, p[1], NULL, 100, 0));
	TRY(read(p[0], b, 100));
	TRY(splice(fd[1], NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK));
	at = 0;
	TRY(splice(fd[1], &at, p[1], NULL, 100, 0));
	close(fd[1]);
	signal(SIGPIPE, SIG_IGN);
	TRY(sendfile(fd[0], file, &at, 2));
}

TEST(socket, identity_of_the_peer)
{
	struct ucred c = { -1, 0, 0 };
	socklen_t n = sizeof(c);
	int fd[2], l = listen_name(SOCK_STREAM, "sock", 5), s = unix_socket(SOCK_STREAM);

	TRY(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &n));
	say("%d %d %d %u\n", c.pid, (int)c.uid, (int)c.gid, n);
	unix_pair(SOCK_STREAM, fd);
	TRY(getsockopt(fd[0], SOL_SOCKET, SO_PEERCRED, &c, &n));
	CHECK_EQ(c.pid, getpid());
	CHECK_EQ(c.uid, geteuid());
	TRY(getsockopt(l, SOL_SOCKET, SO_PEERCRED, &c, &n));
	CHECK_EQ(c.pid, getpid());
	n = 5;
	TRY(getsockopt(l, SOL_SOCKET, SO_PEERCRED, &c, &n));
	say("%u\n", n);
	CHECK_EQ(chmod("sock", 0777), 0);
	CHECK_EQ(chmod(".", 0755), 0);
	pid_t pid = child_fork();

	if (!pid) {
		if (is_root())
			become_user();
		CHECK_EQ(connect_name(s, "sock"), 0);
		n = sizeof(c);
		CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &n), 0);
		CHECK_EQ(c.pid, getppid());
		_exit(0);
	}
	child_expect(pid, 0);
	s = accept(l, NULL, NULL);
	n = sizeof(c);
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &n), 0);
	CHECK_EQ(c.pid, pid); /* though it is gone */
	if (is_root())
		say("%d %d\n", (int)c.uid, (int)c.gid);
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
	int pidfd = -1;

	n = sizeof(pidfd);
	TRY(getsockopt(fd[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n));
	CHECK(pidfd > 2);
	TRY(getsockopt(unix_socket(SOCK_STREAM), SOL_SOCKET, SO_PEERPIDFD, &pidfd, &n));
}
