/*
 * socket_event.c - waiting for sockets: poll, epoll, SIGIO.
 *
 * Central rule: as in socket_stream.c.
 */
#include "socket.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static void show_epoll(const char *text, int ep)
{
	struct epoll_event e[8];
	int n = epoll_wait(ep, e, 8, 0);

	say("%s:", text);
	for (int i = 0; i < n; i++)
		say(" %d=%x", e[i].data.fd, e[i].events);
	say("\n");
}

/* Under the number id. */
static void watch(int ep, int fd, int id, uint32_t events)
{
	struct epoll_event e = { events, { .fd = id } };

	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
}

TEST(socket, epoll_level_and_edge)
{
	int ep = epoll_create1(0), fd[2];
	char b[8];

	unix_pair(SOCK_STREAM, fd);
	watch(ep, fd[1], 1, EPOLLIN | EPOLLRDHUP);
	show_epoll("nothing", ep);
	CHECK_EQ(write(fd[0], "ab", 2), 2);
	show_epoll("level", ep);
	show_epoll("level again", ep);
	CHECK_EQ(read(fd[1], b, 1), 1);
	show_epoll("half read", ep);
	CHECK_EQ(read(fd[1], b, 1), 1);
	show_epoll("read", ep);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, fd[1],
			   &(struct epoll_event){ EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
						  { .fd = 2 } }),
		 0);
	show_epoll("edge: writable", ep);
	show_epoll("edge: told", ep);
	CHECK_EQ(write(fd[0], "ab", 2), 2);
	show_epoll("edge: data", ep);
	show_epoll("edge: told", ep);
	CHECK_EQ(write(fd[0], "ab", 2), 2);
	show_epoll("edge: more", ep);
	CHECK_EQ(shutdown(fd[0], SHUT_WR), 0);
	show_epoll("edge: half closed", ep);
	close(fd[0]);
	show_epoll("edge: closed", ep);
	show_epoll("edge: told", ep);
}

TEST(socket, epoll_listener)
{
	int ep = epoll_create1(0), l = listen_name(SOCK_STREAM, "sock", 5), c[3];

	watch(ep, l, 1, EPOLLIN | EPOLLET);
	show_epoll("nobody", ep);
	for (int i = 0; i < 3; i++) {
		c[i] = unix_socket(SOCK_STREAM);
		if (i == 0)
			watch(ep, c[i], 10, EPOLLIN | EPOLLOUT | EPOLLET);
		CHECK_EQ(connect_name(c[i], "sock"), 0);
		show_epoll("connection", ep);
	}
	CHECK(accept(l, NULL, NULL) >= 0);
	show_epoll("accepted", ep);
	close(l);
	show_epoll("closed", ep);
}

TEST(socket, epoll_room)
{
	int ep = epoll_create1(0), fd[2];
	static char b[70000];
	ssize_t queued = 0, n;

	unix_pair(SOCK_STREAM, fd);
	watch(ep, fd[0], 1, EPOLLOUT | EPOLLET);
	show_epoll("new", ep);
	while ((n = send(fd[0], b, sizeof(b), MSG_DONTWAIT)) > 0)
		queued += n;
	show_epoll("full", ep);
	while (queued > 0) {
		n = read(fd[1], b, sizeof(b));
		CHECK(n > 0);
		queued -= n;
	}
	show_epoll("read", ep);
	show_epoll("told", ep);
	/* A child that waits is woken. */
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL), 0);
	watch(ep, fd[1], 2, EPOLLIN);
	pid_t pid = child_fork();

	if (!pid) {
		struct epoll_event e;

		CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
		_exit(e.events == EPOLLIN ? 0 : 1);
	}
	usleep(10000);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	child_expect(pid, 0);
}

static volatile sig_atomic_t signals, urgent;

static void count_signal(int s)
{
	if (s == SIGURG)
		urgent++;
	else
		signals++;
}

TEST(socket, signal_driven)
{
	int fd[2], on = 1, owner = 0;
	char b[8];

	signal(SIGIO, count_signal);
	signal(SIGURG, count_signal);
	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	TRY(signals);
	TRY(fcntl(fd[1], F_GETOWN));
	CHECK_EQ(fcntl(fd[1], F_SETOWN, getpid()), 0);
	CHECK_EQ(ioctl(fd[1], FIOGETOWN, &owner), 0);
	CHECK_EQ(owner, getpid());
	CHECK_EQ(write(fd[0], "x", 1), 1);
	TRY(signals); /* O_ASYNC is not on */
	CHECK_EQ(fcntl(fd[1], F_SETFL, O_ASYNC), 0);
	TRY(!!(fcntl(fd[1], F_GETFL) & O_ASYNC));
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK(signals > 0);
	signals = 0;
	on = 0;
	CHECK_EQ(ioctl(fd[1], FIOASYNC, &on), 0);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	TRY(signals);
	CHECK_EQ(fcntl(fd[1], F_SETFL, O_ASYNC), 0);
	CHECK_EQ(fcntl(fd[1], F_SETOWN, -getpgrp()), 0);
	CHECK_EQ(write(fd[0], "x", 1), 1);
	CHECK(signals > 0);
	CHECK_EQ(send(fd[0], "!", 1, MSG_OOB), 1);
	CHECK(urgent > 0);
	signals = 0;
	close(fd[0]);
	CHECK(signals > 0);
	TRY(recv(fd[1], b, 3, 0));
}

TEST(socket, proc_net_unix)
{
	int fd = listen_name(SOCK_STREAM, "listed", 1), a = unix_socket(SOCK_DGRAM);
	static char text[1 << 18];
	char *line;

	CHECK_EQ(bind_name(a, "@coppice-listed"), 0);
	CHECK(file_read_text("/proc/net/unix", text, sizeof(text)) > 0);
	say("%.*s\n", (int)strcspn(text, "\n"), text);
	line = strstr(text, " listed\n");
	CHECK(line);
	while (line > text && line[-1] != '\n')
		line--;
	say("%.35s\n", line + 18);
	line = strstr(text, " @coppice-listed\n");
	CHECK(line);
	while (line > text && line[-1] != '\n')
		line--;
	say("%.35s\n", line + 18);
	close(fd);
}
