/*
 * inet_tcp.c - TCP over loopback: what bind, listen, connect, accept, shutdown and close do, in good order and not, and what poll says.
 */
#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* What the call gives; it must not fail. */
static long must(int line, const char *what, long r)
{
	if (r < 0)
		check_failed(__FILE_NAME__, line, "%s: %s", what, strerror(errno));
	return r;
}
#define MUST(call) must(__LINE__, #call, (call))

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int port_of(int fd)
{
	struct sockaddr_in6 a; /* the port is in the same place in both */
	socklen_t n = sizeof(a);

	MUST(getsockname(fd, (struct sockaddr *)&a, &n));
	return ntohs(a.sin6_port);
}

static int tcp(void)
{
	return MUST(socket(AF_INET, SOCK_STREAM, 0));
}

static int bind_to(int fd, int port)
{
	struct sockaddr_in a = loopback(port);

	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static int connect_to(int fd, int port)
{
	struct sockaddr_in a = loopback(port);

	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static int listener(int backlog)
{
	int fd = tcp();

	MUST(bind_to(fd, 0));
	MUST(listen(fd, backlog));
	return fd;
}

static void pair(int fds[2])
{
	int l = listener(1);

	fds[0] = tcp();
	MUST(connect_to(fds[0], port_of(l)));
	fds[1] = MUST(accept(l, NULL, NULL));
	close(l);
}

static int events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	poll(&p, 1, 0);
	return p.revents;
}

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	MUST(getsockopt(fd, level, name, &v, &n));
	CHECK_EQ(n, sizeof(v));
	return v;
}

static void set(int fd, int level, int name, int v)
{
	MUST(setsockopt(fd, level, name, &v, sizeof(v)));
}

TEST(inet, a_connection_carries_bytes_both_ways)
{
	char buffer[64];
	int fds[2];

	pair(fds);
	CHECK_EQ(events_of(fds[0]), POLLOUT);
	CHECK_EQ(write(fds[0], "hello", 5), 5);
	CHECK_EQ(events_of(fds[1]), POLLIN | POLLOUT);
	CHECK_EQ(recv(fds[1], buffer, sizeof(buffer), MSG_PEEK), 5);
	CHECK_EQ(recv(fds[1], buffer, 2, 0), 2);
	CHECK_EQ(recv(fds[1], buffer, sizeof(buffer), 0), 3);
	CHECK_EQ(memcmp(buffer, "llo", 3), 0);
	CHECK_ERRNO(recv(fds[1], buffer, sizeof(buffer), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(fds[1], "ab", 2, MSG_MORE), 2);
	CHECK_EQ(send(fds[1], "cd", 2, 0), 2);
	CHECK_EQ(recv(fds[0], buffer, 4, MSG_WAITALL), 4);
	CHECK_EQ(memcmp(buffer, "abcd", 4), 0);
}

TEST(inet, names_of_both_ends_agree)
{
	int l = listener(1), c = tcp(), s;
	struct sockaddr_in a, b;
	socklen_t n = sizeof(a);

	CHECK_ERRNO(getpeername(c, (struct sockaddr *)&a, &n), ENOTCONN);
	MUST(getsockname(c, (struct sockaddr *)&a, &n));
	CHECK_EQ(a.sin_port, 0);
	CHECK_EQ(a.sin_addr.s_addr, INADDR_ANY);
	MUST(connect_to(c, port_of(l)));
	n = sizeof(a);
	s = MUST(accept(l, (struct sockaddr *)&a, &n));
	CHECK_EQ(n, sizeof(a));
	n = sizeof(b);
	MUST(getsockname(c, (struct sockaddr *)&b, &n));
	CHECK_EQ(memcmp(&a, &b, sizeof(a)), 0);
	CHECK_EQ(a.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	MUST(getpeername(s, (struct sockaddr *)&b, &n));
	CHECK_EQ(memcmp(&a, &b, sizeof(a)), 0);
	CHECK_EQ(port_of(s), port_of(l));
	CHECK(port_of(c) >= 32768 && port_of(c) <= 60999);
}

TEST(inet, half_closed_and_closed_connections)
{
	char buffer[8];
	int fds[2];

	pair(fds);
	MUST(shutdown(fds[0], SHUT_WR));
	CHECK_ERRNO(send(fds[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(events_of(fds[1]), POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(fds[1], buffer, 8), 0);
	CHECK_EQ(write(fds[1], "late", 4), 4);
	CHECK_EQ(read(fds[0], buffer, 8), 4);
	CHECK_EQ(events_of(fds[0]), POLLOUT);
	MUST(shutdown(fds[1], SHUT_WR));
	CHECK_EQ(read(fds[0], buffer, 8), 0);
	CHECK_EQ(events_of(fds[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_EQ(events_of(fds[1]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_ERRNO(shutdown(fds[0], SHUT_WR), ENOTCONN);
}

TEST(inet, writing_to_who_has_closed_is_told_by_a_reset)
{
	char buffer[8];
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	pair(fds);
	close(fds[1]);
	CHECK_EQ(read(fds[0], buffer, 8), 0);
	CHECK_EQ(write(fds[0], "x", 1), 1);
	CHECK_EQ(events_of(fds[0]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	CHECK_EQ(option(fds[0], SOL_SOCKET, SO_ERROR), EPIPE);
	CHECK_ERRNO(write(fds[0], "x", 1), EPIPE);
	CHECK_EQ(read(fds[0], buffer, 8), 0);
}

TEST(inet, unread_data_or_linger_zero_break_a_connection)
{
	struct linger now = { 1, 0 };
	char buffer[8];
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	pair(fds);
	CHECK_EQ(write(fds[0], "unread", 6), 6);
	close(fds[1]);
	CHECK_ERRNO(read(fds[0], buffer, 8), ECONNRESET);
	CHECK_EQ(read(fds[0], buffer, 8), 0);
	CHECK_ERRNO(write(fds[0], "x", 1), EPIPE);
	close(fds[0]);

	pair(fds);
	CHECK_EQ(write(fds[1], "last", 4), 4);
	MUST(setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	close(fds[1]);
	CHECK_EQ(read(fds[0], buffer, 8), 4);
	CHECK_ERRNO(write(fds[0], "x", 1), ECONNRESET);
	CHECK_ERRNO(write(fds[0], "x", 1), EPIPE);
}

TEST(inet, connecting_to_nobody)
{
	int l = listener(1), port = port_of(l), c = tcp();
	char buffer[8];

	close(l);
	CHECK_ERRNO(connect_to(c, port), ECONNREFUSED);
	CHECK_EQ(option(c, SOL_SOCKET, SO_ERROR), 0);
	CHECK_ERRNO(read(c, buffer, 8), ENOTCONN);
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(events_of(c), POLLOUT | POLLHUP);
	close(c);

	c = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK_ERRNO(connect_to(c, port), EINPROGRESS);
	CHECK_EQ(events_of(c), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLERR);
	CHECK_EQ(option(c, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(option(c, SOL_SOCKET, SO_ERROR), 0);
	CHECK_ERRNO(connect_to(c, port), ECONNABORTED);
}

TEST(inet, connecting_without_waiting)
{
	int l = listener(4), c = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	CHECK_ERRNO(accept4(l, NULL, NULL, SOCK_NONBLOCK | 0x40), EINVAL);
	MUST(fcntl(l, F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_ERRNO(connect_to(c, port_of(l)), EINPROGRESS);
	CHECK_EQ(events_of(c), POLLOUT);
	CHECK_EQ(option(c, SOL_SOCKET, SO_ERROR), 0);
	CHECK_EQ(events_of(l), POLLIN);
	MUST(connect_to(c, port_of(l)));
	CHECK_ERRNO(connect_to(c, port_of(l)), EISCONN);
	MUST(accept(l, NULL, NULL));
	CHECK_EQ(events_of(l), 0);
}

TEST(inet, ports_that_are_taken)
{
	int a = tcp(), b = tcp(), port, fds[2];

	MUST(bind_to(a, 0));
	port = port_of(a);
	CHECK_ERRNO(bind_to(a, 0), EINVAL);
	CHECK_ERRNO(bind_to(b, port), EADDRINUSE);
	set(a, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_ERRNO(bind_to(b, port), EADDRINUSE);
	set(b, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind_to(b, port));
	MUST(listen(a, 1));
	CHECK_ERRNO(listen(b, 1), EADDRINUSE);
	close(b);
	b = tcp();
	set(b, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_ERRNO(bind_to(b, port), EADDRINUSE);
	close(a);
	MUST(bind_to(b, port));
	MUST(listen(b, 1));

	/* The first to close keeps the port for a while. */
	fds[0] = tcp();
	MUST(connect_to(fds[0], port));
	fds[1] = MUST(accept(b, NULL, NULL));
	close(fds[1]);
	close(fds[0]);
	close(b);
	a = tcp();
	CHECK_ERRNO(bind_to(a, port), EADDRINUSE);
	set(a, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind_to(a, port));
}

TEST(inet, several_listeners_share_a_port)
{
	int a = tcp(), b = tcp(), c, port, count[2] = { 0, 0 };
	struct linger now = { 1, 0 }; /* no port is kept after a connection's end */

	MUST(setsockopt(a, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	MUST(setsockopt(b, SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
	set(a, SOL_SOCKET, SO_REUSEPORT, 1);
	set(b, SOL_SOCKET, SO_REUSEPORT, 1);
	MUST(bind_to(a, 0));
	port = port_of(a);
	MUST(bind_to(b, port));
	MUST(listen(a, 64));
	MUST(listen(b, 64));
	for (int i = 0; i < 64; i++) {
		c = tcp();
		MUST(connect_to(c, port));
		if (events_of(a) & POLLIN) {
			close(MUST(accept(a, NULL, NULL)));
			count[0]++;
		} else {
			close(MUST(accept(b, NULL, NULL)));
			count[1]++;
		}
		close(c);
	}
	CHECK(count[0] > 5 && count[1] > 5);
	c = tcp();
	CHECK_ERRNO(bind_to(c, port), EADDRINUSE);
}

TEST(inet, what_waits_for_a_listener_that_closes)
{
	int l = listener(2), c = tcp();
	char byte;

	MUST(connect_to(c, port_of(l)));
	CHECK_EQ(write(c, "x", 1), 1);
	close(l);
	CHECK_ERRNO(read(c, &byte, 1), ECONNRESET);
}

TEST(inet, misused_sockets)
{
	struct sockaddr_in a = loopback(1), other = loopback(0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	int fd = tcp(), l = listener(1);
	char byte;

	CHECK_ERRNO(bind(fd, (struct sockaddr *)&a, 8), EINVAL);
	CHECK_ERRNO(bind(fd, (struct sockaddr *)&six, sizeof(six)), EAFNOSUPPORT);
	other.sin_addr.s_addr = htonl(0x08080808);
	CHECK_ERRNO(bind(fd, (struct sockaddr *)&other, sizeof(other)), EADDRNOTAVAIL);
	CHECK_ERRNO(connect(fd, (struct sockaddr *)&a, 8), EINVAL);
	CHECK_ERRNO(connect(fd, (struct sockaddr *)&six, sizeof(six)), EAFNOSUPPORT);
	CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
	CHECK_ERRNO(read(fd, &byte, 1), ENOTCONN);
	CHECK_ERRNO(shutdown(fd, SHUT_RDWR), ENOTCONN);
	CHECK_ERRNO(read(l, &byte, 1), ENOTCONN);
	CHECK_ERRNO(send(l, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(connect_to(l, 1), EISCONN);
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0, 0 }), EOPNOTSUPP);
	CHECK_ERRNO(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &byte, 1), EINVAL);
	CHECK_ERRNO(setsockopt(fd, IPPROTO_TCP, 999, &a, sizeof(int)), ENOPROTOOPT);
}

TEST(inet, options_are_kept_and_inherited)
{
	int l = listener(1), c = tcp(), s;
	char name[16] = { 0 };
	socklen_t n = sizeof(name);

	CHECK_EQ(option(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_EQ(option(c, SOL_SOCKET, SO_ACCEPTCONN), 0);
	CHECK_EQ(option(c, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(option(c, SOL_SOCKET, SO_DOMAIN), AF_INET);
	CHECK_EQ(option(c, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_KEEPINTVL), 75);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_KEEPCNT), 9);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_NODELAY), 0);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_MAXSEG), 536);
	CHECK_EQ(option(c, IPPROTO_IP, IP_TTL), 64);
	set(l, IPPROTO_TCP, TCP_NODELAY, 7);
	set(l, IPPROTO_TCP, TCP_KEEPIDLE, 30);
	set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(l, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	set(c, IPPROTO_TCP, TCP_CORK, 1);
	set(c, IPPROTO_IP, IP_TTL, 33);
	set(c, IPPROTO_IP, IP_TOS, 0x10);
	CHECK_EQ(option(c, IPPROTO_TCP, TCP_CORK), 1);
	CHECK_EQ(option(c, IPPROTO_IP, IP_TTL), 33);
	CHECK_EQ(option(c, IPPROTO_IP, IP_TOS), 0x10);
	MUST(connect_to(c, port_of(l)));
	s = MUST(accept(l, NULL, NULL));
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	CHECK_EQ(option(s, SOL_SOCKET, SO_KEEPALIVE), 1);
	CHECK_EQ(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
	CHECK_EQ(option(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
	MUST(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n));
	CHECK_EQ(n, 16);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 0 }, sizeof(int)), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_TTL, &(int){ 256 }, sizeof(int)), EINVAL);
}

TEST(inet, tcp_info_names_the_state)
{
	struct tcp_info info;
	socklen_t n = sizeof(info);
	int fds[2], l = listener(3), c = tcp();

	MUST(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &n));
	CHECK_EQ(info.tcpi_state, TCP_CLOSE);
	MUST(connect_to(c, port_of(l)));
	MUST(getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &n));
	CHECK_EQ(info.tcpi_state, TCP_LISTEN);
	CHECK_EQ(info.tcpi_unacked, 1);
	CHECK_EQ(info.tcpi_sacked, 3);
	pair(fds);
	MUST(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &n));
	CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
	MUST(shutdown(fds[0], SHUT_WR));
	MUST(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &info, &n));
	CHECK(info.tcpi_state == TCP_FIN_WAIT1 ||
	      info.tcpi_state == TCP_FIN_WAIT2); /* until it is acknowledged, and from then on */
	MUST(getsockopt(fds[1], IPPROTO_TCP, TCP_INFO, &info, &n));
	CHECK_EQ(info.tcpi_state, TCP_CLOSE_WAIT);
}

TEST(inet, bytes_out_of_band)
{
	char buffer[8];
	int fds[2], mark;

	pair(fds);
	CHECK_EQ(send(fds[0], "abc", 3, MSG_OOB), 3);
	CHECK_EQ(events_of(fds[1]), POLLIN | POLLOUT | POLLPRI);
	CHECK_EQ(recv(fds[1], buffer, 8, 0), 2);
	MUST(ioctl(fds[1], SIOCATMARK, &mark));
	CHECK_EQ(mark, 1);
	CHECK_EQ(recv(fds[1], buffer, 8, MSG_OOB), 1);
	CHECK_EQ(buffer[0], 'c');
	CHECK_ERRNO(recv(fds[1], buffer, 8, MSG_OOB), EINVAL);
	CHECK_EQ(send(fds[0], "d", 1, 0), 1);
	CHECK_EQ(recv(fds[1], buffer, 8, 0), 1);
}

TEST(inet, sockets_of_both_versions)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, from;
	socklen_t n = sizeof(from);
	char text[64];
	int l = MUST(socket(AF_INET6, SOCK_STREAM, 0)),
	    only = MUST(socket(AF_INET6, SOCK_STREAM, 0)), c = tcp(), s, port;

	CHECK_EQ(option(l, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	MUST(bind(l, (struct sockaddr *)&any, sizeof(any)));
	MUST(listen(l, 4));
	port = port_of(l);
	CHECK_ERRNO(bind_to(c, port), EADDRINUSE);
	MUST(connect_to(c, port));
	s = MUST(accept(l, (struct sockaddr *)&from, &n));
	CHECK_EQ(n, sizeof(from));
	CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)), "::ffff:127.0.0.1");
	CHECK_EQ(write(c, "4", 1), 1);
	CHECK_EQ(read(s, text, 8), 1);
	c = MUST(socket(AF_INET6, SOCK_STREAM, 0));
	any.sin6_port = htons(port);
	any.sin6_addr = in6addr_loopback;
	MUST(connect(c, (struct sockaddr *)&any, sizeof(any)));
	s = MUST(accept(l, (struct sockaddr *)&from, &n));
	CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)), "::1");
	close(l);

	set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	any.sin6_port = 0;
	any.sin6_addr = in6addr_any;
	MUST(bind(only, (struct sockaddr *)&any, sizeof(any)));
	MUST(listen(only, 4));
	port = port_of(only);
	c = tcp();
	CHECK_ERRNO(connect_to(c, port), ECONNREFUSED);
	MUST(bind_to(c, port));
	CHECK_ERRNO(setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)), EINVAL);
}

/* More than the buffers of a connection hold, so that the sender has to wait. */
#define MUCH (24u << 20)

TEST(inet, much_data_arrives_in_order)
{
	static uint32_t block[16384];
	uint32_t next = 0;
	ssize_t n, part = 0;
	int fds[2];
	pid_t pid;

	pair(fds);
	pid = MUST(fork());
	if (pid == 0) {
		uint32_t count = 0;

		close(fds[1]);
		while (count < MUCH / 4) {
			for (size_t i = 0; i < COUNT_OF(block); i++)
				block[i] = count++;
			for (size_t at = 0; at < sizeof(block); at += n)
				if ((n = write(fds[0], (char *)block + at, sizeof(block) - at)) <=
				    0)
					_exit(1);
		}
		_exit(0);
	}
	close(fds[0]);
	while ((n = read(fds[1], (char *)block + part, 30000)) > 0) {
		n += part;
		for (ssize_t i = 0; i < n / 4; i++)
			if (block[i] != next++)
				FAIL("a word is wrong");
		part = n % 4;
		memmove(block, (char *)block + n - part, part);
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(next, MUCH / 4);
	child_expect(pid, 0);
}

TEST(inet, room_comes_back_when_data_are_read)
{
	static char block[65536];
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	size_t sent = 0, got = 0;
	ssize_t n;
	int fds[2], ep = MUST(epoll_create1(0));

	pair(fds);
	MUST(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	MUST(fcntl(fds[1], F_SETFL, O_NONBLOCK));
	MUST(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &e));
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	while ((n = write(fds[0], block, sizeof(block))) > 0)
		sent += n;
	CHECK_ERRNO(write(fds[0], block, 1), EAGAIN);
	CHECK_EQ(events_of(fds[0]), 0);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	while ((n = read(fds[1], block, sizeof(block))) > 0 || got < sent)
		got += n > 0 ? n : 0;
	CHECK_EQ(got, sent);
	CHECK_EQ(epoll_wait(ep, &e, 1, 1000), 1);
	CHECK_EQ(events_of(fds[0]), POLLOUT);
}

TEST(inet, a_file_is_sent)
{
	int fd = MUST(open("file", O_RDWR | O_CREAT, 0600)), fds[2];
	static char data[100000], got[100000];
	off_t offset = 1000;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 >> 3;
	CHECK_EQ(write(fd, data, sizeof(data)), (ssize_t)sizeof(data));
	pair(fds);
	CHECK_EQ(sendfile(fds[0], fd, &offset, 90000), 90000);
	CHECK_EQ(offset, 91000);
	while (n < 90000)
		n += MUST(read(fds[1], got + n, sizeof(got) - n));
	CHECK_EQ(memcmp(got, data + 1000, 90000), 0);
}

TEST(inet, a_disconnected_socket_can_be_used_again)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int l = listener(4), c = tcp(), s;
	char byte;

	MUST(connect_to(c, port_of(l)));
	s = MUST(accept(l, NULL, NULL));
	MUST(connect(c, &none, sizeof(none)));
	CHECK_ERRNO(read(s, &byte, 1), ECONNRESET);
	close(s);
	CHECK_ERRNO(read(c, &byte, 1), ECONNRESET);
	CHECK_ERRNO(read(c, &byte, 1), ENOTCONN);
	MUST(connect_to(c, port_of(l)));
	s = MUST(accept(l, NULL, NULL));
	CHECK_EQ(write(c, "y", 1), 1);
	CHECK_EQ(read(s, &byte, 1), 1);
}

TEST(inet, time_outs_and_full_queues)
{
	struct timeval soon = { 0, 20000 };
	int l = listener(0), c[3], fds[2];
	char byte;

	pair(fds);
	MUST(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	CHECK_ERRNO(read(fds[0], &byte, 1), EAGAIN);
	c[0] = tcp();
	MUST(connect_to(c[0], port_of(l)));
	c[1] = MUST(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK_ERRNO(connect_to(c[1], port_of(l)), EINPROGRESS);
	CHECK_EQ(events_of(c[1]), 0);
	CHECK_ERRNO(connect_to(c[1], port_of(l)), EALREADY);
	MUST(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	close(MUST(accept(l, NULL, NULL)));
}
