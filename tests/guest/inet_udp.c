/*
 * inet_udp.c - UDP over loopback: datagrams, who gets them, what is told beside them; and what programs ask of interfaces.
 */
#include "check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

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

static int udp(void)
{
	return MUST(socket(AF_INET, SOCK_DGRAM, 0));
}

static int port_of(int fd)
{
	struct sockaddr_in6 a;
	socklen_t n = sizeof(a);

	MUST(getsockname(fd, (struct sockaddr *)&a, &n));
	return ntohs(a.sin6_port);
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

static ssize_t send_to(int fd, int port, const char *text)
{
	struct sockaddr_in a = loopback(port);

	return sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a));
}

static int bound(void)
{
	int fd = udp();

	MUST(bind_to(fd, 0));
	return fd;
}

static int events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };

	poll(&p, 1, 0);
	return p.revents;
}

static void set(int fd, int level, int name, int v)
{
	MUST(setsockopt(fd, level, name, &v, sizeof(v)));
}

static int get(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	MUST(getsockopt(fd, level, name, &v, &n));
	return v;
}

TEST(inet, datagrams_stay_whole)
{
	int a = bound(), b = udp(), n;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char buffer[16];

	CHECK_EQ(events_of(a), POLLOUT);
	CHECK_EQ(send_to(b, port_of(a), "first"), 5);
	CHECK_EQ(send_to(b, port_of(a), ""), 0);
	CHECK_EQ(send_to(b, port_of(a), "second one"), 10);
	CHECK_EQ(events_of(a), POLLIN | POLLOUT);
	MUST(ioctl(a, FIONREAD, &n));
	CHECK_EQ(n, 5);
	CHECK_EQ(recv(a, buffer, 16, MSG_PEEK), 5);
	CHECK_EQ(recvfrom(a, buffer, 2, MSG_TRUNC, (struct sockaddr *)&from, &size), 5);
	CHECK_EQ(ntohs(from.sin_port), port_of(b));
	CHECK_EQ(recv(a, buffer, 16, 0), 0);
	CHECK_EQ(recv(a, buffer, 6, 0), 6);
	CHECK_EQ(memcmp(buffer, "second", 6), 0);
	CHECK_ERRNO(recv(a, buffer, 16, MSG_DONTWAIT), EAGAIN);
}

TEST(inet, large_datagrams)
{
	static char data[65600], got[65600];
	int a = bound(), b = udp();

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 11 >> 2;
	MUST(connect_to(b, port_of(a)));
	CHECK_EQ(send(b, data, 65507, 0), 65507);
	CHECK_ERRNO(send(b, data, 65508, 0), EMSGSIZE);
	CHECK_EQ(recv(a, got, sizeof(got), 0), 65507);
	CHECK_EQ(memcmp(data, got, 65507), 0);
	CHECK_EQ(send(b, "one ", 4, MSG_MORE), 4);
	CHECK_EQ(send(b, "datagram", 8, 0), 8);
	CHECK_EQ(recv(a, got, sizeof(got), 0), 12);
}

/* What is sent in parts is copied while the datagram is held: from a page that is not there yet, too. */
TEST(inet, parts_of_a_datagram_from_untouched_memory)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char got[3 * 4096];
	int a = bound(), b = udp();

	MUST(connect_to(b, port_of(a)));
	CHECK_EQ(send(b, p, PAGE, MSG_MORE), PAGE);
	CHECK_EQ(send(b, p + PAGE, PAGE, 0), PAGE);
	CHECK_EQ(recv(a, got, sizeof(got), 0), 2 * PAGE);
	CHECK_ERRNO(send(b, (void *)PAGE, PAGE, MSG_MORE), EFAULT);
}

TEST(inet, connected_datagram_sockets)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int a = bound(), b = bound(), c = bound(), port;
	char byte;

	CHECK_ERRNO(send(a, "x", 1, 0), EDESTADDRREQ);
	MUST(connect_to(a, port_of(b)));
	CHECK_EQ(send_to(c, port_of(a), "from a stranger"), 15);
	CHECK_EQ(events_of(a), POLLOUT);
	CHECK_EQ(send_to(b, port_of(a), "y"), 1);
	CHECK_EQ(recv(a, &byte, 1, 0), 1);
	CHECK_EQ(send(a, "z", 1, 0), 1);
	CHECK_EQ(recv(b, &byte, 1, 0), 1);
	port = port_of(b);
	close(b);
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_EQ(events_of(a), POLLOUT | POLLERR);
	CHECK_ERRNO(recv(a, &byte, 1, MSG_DONTWAIT), ECONNREFUSED);
	CHECK_EQ(send(a, "x", 1, 0), 1);
	CHECK_ERRNO(send(a, "x", 1, 0), ECONNREFUSED);
	MUST(connect(a, &none, sizeof(none)));
	CHECK_ERRNO(send(a, "x", 1, 0), EDESTADDRREQ);
	CHECK_EQ(send_to(a, port, "x"), 1);
	CHECK_EQ(get(a, SOL_SOCKET, SO_ERROR), 0);
}

TEST(inet, ports_of_datagram_sockets)
{
	int a = bound(), b = udp(), count[2] = { 0, 0 }, port = port_of(a);
	char byte;

	CHECK_ERRNO(bind_to(b, port), EADDRINUSE);
	set(a, SOL_SOCKET, SO_REUSEADDR, 1);
	set(b, SOL_SOCKET, SO_REUSEADDR, 1);
	MUST(bind_to(b, port));
	CHECK_EQ(send_to(a, port, "x"), 1);
	CHECK_EQ(recv(b, &byte, 1, MSG_DONTWAIT), 1);
	close(a);
	close(b);
	a = udp();
	b = udp();
	set(a, SOL_SOCKET, SO_REUSEPORT, 1);
	set(b, SOL_SOCKET, SO_REUSEPORT, 1);
	MUST(bind_to(a, 0));
	MUST(bind_to(b, port_of(a)));
	for (int i = 0; i < 64; i++) {
		int c = udp();

		CHECK_EQ(send_to(c, port_of(a), "x"), 1);
		if (recv(a, &byte, 1, MSG_DONTWAIT) == 1)
			count[0]++;
		else if (recv(b, &byte, 1, MSG_DONTWAIT) == 1)
			count[1]++;
		close(c);
	}
	CHECK_EQ(count[0] + count[1], 64);
	CHECK(count[0] > 5 && count[1] > 5);
}

TEST(inet, shut_down_datagram_sockets)
{
	int a = bound(), b = bound();
	char byte;

	CHECK_ERRNO(shutdown(udp(), SHUT_RD), ENOTCONN);
	MUST(connect_to(a, port_of(b)));
	MUST(shutdown(a, SHUT_RD));
	CHECK_EQ(recv(a, &byte, 1, 0), 0);
	CHECK_EQ(events_of(a), POLLIN | POLLOUT | POLLRDHUP);
	MUST(shutdown(a, SHUT_WR));
	CHECK_ERRNO(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(events_of(a), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(inet, what_is_told_beside_a_datagram)
{
	char data[16], control[256];
	struct iovec part = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int a = bound(), b = udp(), seen = 0;

	set(a, IPPROTO_IP, IP_PKTINFO, 1);
	set(a, IPPROTO_IP, IP_RECVTTL, 1);
	set(a, IPPROTO_IP, IP_RECVTOS, 1);
	set(b, IPPROTO_IP, IP_TTL, 9);
	set(b, IPPROTO_IP, IP_TOS, 8);
	CHECK_EQ(send_to(b, port_of(a), "x"), 1);
	CHECK_EQ(recvmsg(a, &m, 0), 1);
	CHECK_EQ(m.msg_flags, 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct in_pktinfo info;

		CHECK_EQ(c->cmsg_level, IPPROTO_IP);
		if (c->cmsg_type == IP_PKTINFO) {
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			CHECK_EQ(info.ipi_ifindex, 1);
			CHECK_EQ(info.ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
			CHECK_EQ(info.ipi_spec_dst.s_addr, htonl(INADDR_LOOPBACK));
			seen |= 1;
		} else if (c->cmsg_type == IP_TTL) {
			CHECK_EQ(*(int *)CMSG_DATA(c), 9);
			seen |= 2;
		} else if (c->cmsg_type == IP_TOS) {
			CHECK_EQ(*CMSG_DATA(c), 8);
			seen |= 4;
		}
	}
	CHECK_EQ(seen, 7);
}

TEST(inet, datagrams_of_both_versions)
{
	int a = MUST(socket(AF_INET6, SOCK_DGRAM, 0)), b = udp(),
	    c = MUST(socket(AF_INET6, SOCK_DGRAM, 0));
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, from, to;
	socklen_t n = sizeof(from);
	char buffer[64];

	MUST(bind(a, (struct sockaddr *)&any, sizeof(any)));
	CHECK_EQ(send_to(b, port_of(a), "four"), 4);
	CHECK_EQ(recvfrom(a, buffer, 64, 0, (struct sockaddr *)&from, &n), 4);
	CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, buffer, 64), "::ffff:127.0.0.1");
	CHECK_EQ(sendto(a, "back", 4, 0, (struct sockaddr *)&from, n), 4);
	CHECK_EQ(recv(b, buffer, 64, MSG_DONTWAIT), 4);
	to = any;
	to.sin6_addr = in6addr_loopback;
	to.sin6_port = htons(port_of(a));
	CHECK_EQ(sendto(c, "six", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	CHECK_EQ(recvfrom(a, buffer, 64, 0, (struct sockaddr *)&from, &n), 3);
	CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, buffer, 64), "::1");
}

TEST(inet, what_ioctl_tells_of_loopback)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = udp();

	MUST(ioctl(fd, SIOCGIFINDEX, &r));
	CHECK_EQ(r.ifr_ifindex, 1);
	MUST(ioctl(fd, SIOCGIFNAME, &r));
	CHECK_STR(r.ifr_name, "lo");
	MUST(ioctl(fd, SIOCGIFFLAGS, &r));
	CHECK_EQ(r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING),
		 IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	MUST(ioctl(fd, SIOCGIFADDR, &r));
	CHECK_EQ(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	MUST(ioctl(fd, SIOCGIFMTU, &r));
	CHECK_EQ(r.ifr_mtu, 65536);
	strcpy(r.ifr_name, "none");
	CHECK_ERRNO(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
}

TEST(inet, misused_datagram_sockets)
{
	struct sockaddr_in a = loopback(0);
	int fd = udp();

	CHECK_ERRNO(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), EINVAL);
	a.sin_addr.s_addr = INADDR_BROADCAST;
	a.sin_port = htons(9);
	CHECK_ERRNO(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), EACCES);
	CHECK_ERRNO(sendto(fd, "x", 1, MSG_OOB, (struct sockaddr *)&a, sizeof(a)), EOPNOTSUPP);
	CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	CHECK_ERRNO(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &a, 4), EINVAL);
}

TEST(inet, a_full_receiver_drops)
{
	int a = bound(), b = udp(), got = 0;
	static char data[1000];

	set(a, SOL_SOCKET, SO_RCVBUF, 4000);
	MUST(connect_to(b, port_of(a)));
	for (int i = 0; i < 200; i++)
		CHECK_EQ(send(b, data, sizeof(data), 0), 1000);
	while (recv(a, data, sizeof(data), MSG_DONTWAIT) == 1000)
		got++;
	CHECK(got >= 2 && got < 50);
}
