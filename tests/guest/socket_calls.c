/*
 * socket_calls.c - the calls on sockets: their arguments, names, options.
 *
 * Central rule: Linux judges; what is printed are results and errnos. Next: socket_stream.c.
 */
#include "socket.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <linux/sockios.h>

static void *const bad = (void *)8;

TEST(socket, create)
{
	int fd[2];

	TRY_FD(socket(AF_UNIX, SOCK_STREAM, 0));
	TRY_FD(socket(AF_UNIX, SOCK_DGRAM, 0));
	TRY_FD(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	TRY_FD(socket(AF_UNIX, SOCK_RAW, 0));
	TRY_FD(socket(AF_UNIX, SOCK_RDM, 0));
	TRY_FD(socket(AF_UNIX, 10, 0));
	TRY_FD(socket(AF_UNIX, 11, 0));
	TRY_FD(socket(AF_UNIX, 15, 0));
	TRY_FD(socket(AF_UNIX, 0, 0));
	TRY_FD(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0));
	TRY_FD(socket(AF_UNIX, SOCK_STREAM, 1));
	TRY_FD(socket(AF_UNIX, SOCK_STREAM, 2));
	TRY_FD(socket(AF_UNIX, SOCK_STREAM, -1));
	TRY_FD(socket(0, SOCK_STREAM, 0));
	TRY_FD(socket(-1, SOCK_STREAM, 0));
	TRY_FD(socket(46, SOCK_STREAM, 0));
	TRY_FD(socket(1000, 99, 0));
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, bad));
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 3, fd));
	TRY(socketpair(AF_UNIX, SOCK_RDM, 0, fd));
	TRY(socketpair(46, SOCK_STREAM, 0, fd));
	TRY(socketpair(AF_UNIX, SOCK_STREAM | 0x100000, 0, fd));
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd), 0);
	say("%d %d %x\n", fcntl(fd[0], F_GETFD), fcntl(fd[1], F_GETFD), fcntl(fd[0], F_GETFL));
	TRY(fd[0] < fd[1]);
}

TEST(socket, looks_like_a_socket)
{
	int fd = unix_socket(SOCK_STREAM);
	char path[64], link[64] = "", want[64];
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	say("%o %d %ld %ld %ld\n", st.st_mode, (int)st.st_nlink, (long)st.st_size,
	    (long)st.st_blksize, (long)st.st_blocks);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0);
	snprintf(want, sizeof(want), "socket:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(link, want);
	TRY(open(path, O_RDWR));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(pread(fd, path, 1, 0));
	TRY(pwrite(fd, path, 1, 0));
	TRY(ftruncate(fd, 0));
	TRY(fsync(fd));
	TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	TRY(ioctl(fd, 0x5401 /* TCGETS */, path));
	TRY(isatty(fd));
	TRY(fchmod(fd, 0600));
	TRY(syscall(SYS_getdents64, fd, path, 64));
}

TEST(socket, not_a_socket)
{
	struct sockaddr_un a = address_of("x");
	socklen_t n = sizeof(a);
	int on = 1, path_only = open(".", O_PATH);
	struct msghdr m = { 0 };

	for (int i = 0; i < 2; i++) {
		int fd = i ? 99 : 0;

		TRY(bind(fd, (struct sockaddr *)&a, sizeof(a)));
		TRY(connect(fd, (struct sockaddr *)&a, sizeof(a)));
		TRY(listen(fd, 1));
		TRY(accept(fd, NULL, NULL));
		TRY(getsockname(fd, (struct sockaddr *)&a, &n));
		TRY(getpeername(fd, (struct sockaddr *)&a, &n));
		TRY(send(fd, "x", 1, 0));
		TRY(recv(fd, &a, 1, 0));
		TRY(sendmsg(fd, &m, 0));
		TRY(recvmsg(fd, &m, 0));
		TRY(sendmsg(fd, bad, 0));
		TRY(shutdown(fd, 9));
		TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, &on, &n));
		TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
	}
	TRY(listen(path_only, 1));
}

TEST(socket, addresses)
{
	struct sockaddr_un a = address_of("x");
	struct sockaddr_storage big = { .ss_family = AF_UNIX };
	int fd = unix_socket(SOCK_STREAM);
	socklen_t n;

	TRY(bind(fd, (struct sockaddr *)&a, 1));
	TRY(bind(fd, (struct sockaddr *)&a, 0));
	TRY(bind(fd, (struct sockaddr *)&a, (socklen_t)-1));
	TRY(bind(fd, (struct sockaddr *)&big, 111));
	TRY(bind(fd, (struct sockaddr *)&big, 128));
	TRY(bind(fd, (struct sockaddr *)&big, 129));
	TRY(bind(fd, bad, 10));
	a.sun_family = AF_INET;
	TRY(bind(fd, (struct sockaddr *)&a, 10));
	TRY(connect(fd, (struct sockaddr *)&a, 10));
	TRY(connect(fd, (struct sockaddr *)&a, 1));
	TRY(connect(fd, (struct sockaddr *)&a, 2));
	TRY(connect(fd, bad, 10));
	n = sizeof(a);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	say("unnamed: %u, family %u\n", n, a.sun_family);
	n = 1;
	TRY(getsockname(fd, (struct sockaddr *)&a, &n));
	say("%u\n", n);
	n = (socklen_t)-1;
	TRY(getsockname(fd, (struct sockaddr *)&a, &n));
	n = sizeof(a);
	TRY(getsockname(fd, bad, &n));
	TRY(getsockname(fd, (struct sockaddr *)&a, bad));
	TRY(getpeername(fd, (struct sockaddr *)&a, &n));
}

TEST(socket, path_names)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int fd = unix_socket(SOCK_STREAM), other = unix_socket(SOCK_STREAM),
	    client = unix_socket(SOCK_STREAM);
	char longest[109], target[32] = "";
	struct stat st;

	umask(027);
	TRY(bind_name(fd, "sock"));
	CHECK_EQ(stat("sock", &st), 0);
	say("%o %ld\n", st.st_mode, (long)st.st_size);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	say("%u %s\n", n, a.sun_path);
	TRY(bind_name(fd, "sock"));
	TRY(bind_name(fd, "other"));
	TRY(access("other", F_OK));
	TRY(bind_name(other, "sock"));
	TRY(bind_name(other, "no/such"));
	TRY(bind_name(other, "sock/x"));
	TRY(bind_name(other, "."));
	TRY(open("sock", O_RDWR));
	TRY(open("sock", O_RDONLY | O_CREAT, 0600));
	TRY_FD(open("sock", O_PATH));
	TRY(connect_name(client, "sock"));
	TRY(connect_name(client, "none"));
	TRY(connect_name(client, "."));
	TRY(listen(other, 1));
	TRY(listen(fd, 1));
	TRY(symlink("sock", "link"));
	TRY(connect_name(client, "link"));
	TRY(readlink("link", target, sizeof(target)));
	TRY(bind_name(other, "link"));
	/* Its name moves, and goes: the socket stays. */
	TRY(rename("sock", "moved"));
	close(client);
	client = unix_socket(SOCK_STREAM);
	TRY(connect_name(client, "sock"));
	TRY(connect_name(client, "moved"));
	TRY(unlink("moved"));
	TRY(getpeername(client, (struct sockaddr *)&a, (n = sizeof(a), &n)));
	say("%s\n", a.sun_path);
	TRY(bind_name(other, "moved"));
	close(client);
	client = unix_socket(SOCK_STREAM);
	TRY(connect_name(client, "moved")); /* nobody listens */
	close(other);
	TRY(connect_name(client, "moved")); /* nobody is there */
	TRY(mknod("node", S_IFSOCK | 0777, 0));
	TRY(connect_name(client, "node"));
	TRY(link("moved", "hard"));
	TRY(connect_name(client, "hard"));
	/* All of sun_path, without a zero at the end. */
	memset(longest, 'l', sizeof(longest));
	a.sun_family = AF_UNIX;
	memcpy(a.sun_path, longest, 108);
	other = unix_socket(SOCK_STREAM);
	TRY(bind(other, (struct sockaddr *)&a, sizeof(a)));
	n = sizeof(a);
	TRY(getsockname(other, (struct sockaddr *)&a, &n));
	say("%u\n", n);
	longest[108] = 0;
	TRY(access(longest, F_OK));
}

TEST(socket, permissions)
{
	int fd = listen_name(SOCK_STREAM, "sock", 5);

	if (!is_root())
		return;
	CHECK_EQ(chmod(".", 0755), 0);
	for (int mode = 0; mode <= 0777; mode += 0111) {
		CHECK_EQ(chmod("sock", (mode_t)mode), 0);
		CHILD (0) {
			int client = unix_socket(SOCK_STREAM);

			become_user();
			say("%o: ", mode);
			TRY(connect_name(client, "sock"));
			TRY(bind_name(client, "mine"));
		}
	}
	close(fd);
}

TEST(socket, abstract_names)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int fd = unix_socket(SOCK_STREAM), same = unix_socket(SOCK_STREAM),
	    dgram = unix_socket(SOCK_DGRAM), c = unix_socket(SOCK_STREAM);

	TRY(bind_name(fd, "@coppice-test-name"));
	TRY(bind_name(same, "@coppice-test-name"));
	TRY(bind_name(fd, "@coppice-test-name2"));
	TRY(bind_name(dgram, "@coppice-test-name"));
	TRY(connect_name(c, "@coppice-test-name"));
	TRY(listen(fd, 0));
	TRY(connect_name(c, "@coppice-test-nam"));
	TRY(connect_name(c, "@coppice-test-name"));
	CHECK_EQ(getpeername(c, (struct sockaddr *)&a, &n), 0);
	say("%u %.*s\n", n, (int)n - 3, a.sun_path + 1);
	close(fd);
	TRY(bind_name(same, "@coppice-test-name"));
	/* Zeros inside count. */
	a = address_of("@coppice");
	a.sun_path[20] = 'x';
	fd = unix_socket(SOCK_DGRAM);
	TRY(bind(fd, (struct sockaddr *)&a, 2 + 21));
	TRY(send_name(dgram, "x", "@coppice"));
	TRY(sendto(dgram, "x", 1, 0, (struct sockaddr *)&a, 2 + 21));
	TRY(sendto(dgram, "x", 1, 0, (struct sockaddr *)&a, 2 + 22));
}

TEST(socket, autobind)
{
	sa_family_t family = AF_UNIX;
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int fd = unix_socket(SOCK_DGRAM), other = unix_socket(SOCK_DGRAM), on = 1, pair[2];

	TRY(bind(fd, (struct sockaddr *)&family, sizeof(family)));
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	say("%u %d\n", n, a.sun_path[0]);
	for (int i = 1; i < 6; i++)
		CHECK(strchr("0123456789abcdef", a.sun_path[i]));
	TRY(bind(fd, (struct sockaddr *)&family, sizeof(family)));
	TRY(bind_name(fd, "x"));
	/* With SO_PASSCRED a name comes with the first use. */
	CHECK_EQ(setsockopt(other, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	TRY(getsockname(other, (struct sockaddr *)&a, (n = sizeof(a), &n)));
	say("%u\n", n);
	TRY(connect_name(other, "nobody"));
	TRY(getsockname(other, (struct sockaddr *)&a, (n = sizeof(a), &n)));
	say("%u\n", n);
	unix_pair(SOCK_DGRAM, pair);
	CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	TRY(send(pair[0], "x", 1, 0));
	TRY(getsockname(pair[0], (struct sockaddr *)&a, (n = sizeof(a), &n)));
	say("%u\n", n);
}

static void show_option(int fd, const char *text, int name)
{
	int value = -77;
	socklen_t n = sizeof(value);

	if (getsockopt(fd, SOL_SOCKET, name, &value, &n))
		say("%s: %s\n", text, errno_name(errno));
	else
		say("%s: %d (%u)\n", text, value, n);
}

#define SHOW(fd, name) show_option(fd, #name, name)
#define SET(fd, name, value)                                            \
	do {                                                            \
		int v_ = value;                                         \
		say("%s = %d: ", #name, v_);                            \
		TRY(setsockopt(fd, SOL_SOCKET, name, &v_, sizeof(v_))); \
		show_option(fd, #name, name);                           \
	} while (0)

TEST(socket, options)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (unsigned i = 0; i < COUNT_OF(types); i++) {
		int fd = unix_socket(types[i]);

		SHOW(fd, SO_TYPE);
		SHOW(fd, SO_DOMAIN);
		SHOW(fd, SO_PROTOCOL);
		SHOW(fd, SO_ERROR);
		SHOW(fd, SO_ACCEPTCONN);
		SHOW(fd, SO_REUSEADDR);
		SHOW(fd, SO_KEEPALIVE);
		SHOW(fd, SO_BROADCAST);
		SHOW(fd, SO_RCVLOWAT);
		SHOW(fd, SO_SNDLOWAT);
		SHOW(fd, SO_PASSCRED);
		SHOW(fd, SO_PEEK_OFF);
		SHOW(fd, SO_PRIORITY);
		SHOW(fd, SO_PEERSEC);
		SHOW(fd, 9999);
		SET(fd, SO_TYPE, 1);
		SET(fd, SO_ERROR, 1);
		SET(fd, SO_ACCEPTCONN, 1);
		SET(fd, SO_REUSEADDR, 5);
		SET(fd, SO_REUSEADDR, 0);
		SET(fd, SO_REUSEPORT, 1);
		SET(fd, SO_KEEPALIVE, 1);
		SET(fd, SO_BROADCAST, 1);
		SET(fd, SO_DONTROUTE, -1);
		SET(fd, SO_OOBINLINE, 1);
		SET(fd, SO_PASSCRED, 1);
		SET(fd, SO_RCVLOWAT, 0);
		SET(fd, SO_RCVLOWAT, -5);
		SET(fd, SO_SNDLOWAT, 5);
		SET(fd, SO_PEEK_OFF, 3);
		SET(fd, SO_PEEK_OFF, -1);
		SET(fd, SO_PRIORITY, 6);
		SET(fd, SO_TIMESTAMP, 1);
		SET(fd, SO_TIMESTAMP, 0);
		SET(fd, 9999, 1);
		SET(fd, SO_SNDBUF, 0);
		SET(fd, SO_RCVBUF, 0);
		SET(fd, SO_SNDBUF, 100000);
		SET(fd, SO_RCVBUF, 100000);
	}
}

TEST(socket, option_arguments)
{
	int fd = unix_socket(SOCK_STREAM), value = 1;
	struct linger linger = { 1, 30 };
	struct timeval tv = { 1, 500000 };
	char buffer[64] = { 0 };
	socklen_t n = 0;

	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 3));
	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, (socklen_t)-1));
	TRY(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, 4));
	TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, 4));
	TRY(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, 8));
	TRY(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	tv.tv_usec = 1000000;
	TRY(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	tv = (struct timeval){ 2, 0 };
	TRY(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	n = sizeof(tv);
	TRY(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &n));
	say("%ld.%06ld %u\n", (long)tv.tv_sec, (long)tv.tv_usec, n);
	n = sizeof(linger);
	TRY(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &n));
	say("%d %d %u\n", linger.l_onoff, linger.l_linger, n);
	n = 2;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, buffer, &n));
	say("%u %d\n", n, buffer[0]);
	n = 64;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, buffer, &n));
	say("%u\n", n);
	n = (socklen_t)-1;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, buffer, &n));
	n = 4;
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, bad, &n));
	TRY(getsockopt(fd, SOL_SOCKET, SO_TYPE, buffer, bad));
	TRY(getsockopt(fd, SOL_SOCKET, SO_PEERNAME, buffer, &n));
	TRY(setsockopt(fd, 0, 1, &value, 4));
	TRY(getsockopt(fd, 6, 1, buffer, &n));
	TRY(setsockopt(fd, 0, 1, bad, 4));
}

TEST(socket, options_for_the_privileged)
{
	CHILD (0) {
		int fd = unix_socket(SOCK_STREAM);

		if (is_root()) {
			SET(fd, SO_SNDBUFFORCE, 10000000);
			SET(fd, SO_MARK, 7);
			SET(fd, SO_PRIORITY, 9);
			SET(fd, SO_DEBUG, 1);
			become_user();
			SET(fd, SO_SNDBUFFORCE, 10000000);
			SET(fd, SO_RCVBUFFORCE, 10000000);
			SET(fd, SO_MARK, 8);
			SET(fd, SO_PRIORITY, 9);
			SET(fd, SO_DEBUG, 1);
			SET(fd, SO_DEBUG, 0);
		}
	}
}

TEST(socket, message_arguments)
{
	char text[8], control[64];
	struct iovec part = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	int fd[2];

	unix_pair(SOCK_DGRAM, fd);
	TRY(sendmsg(fd[0], bad, 0));
	m.msg_iovlen = 1025;
	TRY(sendmsg(fd[0], &m, 0));
	m.msg_iovlen = 1;
	m.msg_iov = bad;
	TRY(sendmsg(fd[0], &m, 0));
	m.msg_iov = &part;
	m.msg_name = text;
	m.msg_namelen = (socklen_t)-1;
	TRY(sendmsg(fd[0], &m, 0));
	m.msg_name = NULL;
	TRY(sendmsg(fd[0], &m, 0));
	m.msg_namelen = 0;
	m.msg_control = bad;
	m.msg_controllen = 32;
	TRY(sendmsg(fd[0], &m, 0));
	m.msg_controllen = (size_t)1 << 40;
	TRY(sendmsg(fd[0], &m, 0));
	m.msg_controllen = 8;
	m.msg_control = text;
	TRY(sendmsg(fd[0], &m, 0));
	TRY(send(fd[0], bad, 5, 0));
	TRY(send(fd[0], bad, 0, 0));
	TRY(send(fd[0], "x", 1, MSG_OOB));
	TRY(send(fd[0], "x", 1, MSG_CONFIRM | MSG_DONTROUTE | MSG_MORE | 0x02000000));
	for (int i = 0; i < 4; i++)
		TRY(recv(fd[1], text, 8, MSG_DONTWAIT));
	TRY(recv(fd[1], text, 8, MSG_DONTWAIT));
	TRY(recv(fd[1], text, 8, MSG_DONTWAIT | MSG_OOB));
	TRY(recv(fd[1], text, 8, MSG_DONTWAIT | MSG_ERRQUEUE));
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	TRY(recv(fd[1], bad, 8, MSG_DONTWAIT));
	TRY(recv(fd[1], text, 8, MSG_DONTWAIT)); /* what could not be copied is gone */
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	TRY(syscall(SYS_recvfrom, fd[1], text, 8, MSG_DONTWAIT, control, bad));
	m = (struct msghdr){ .msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_flags = -1,
			     .msg_control = NULL,
			     .msg_controllen = 50 };
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	TRY(recvmsg(fd[1], &m, MSG_CMSG_CLOEXEC));
	say("%x %zu %u\n", m.msg_flags, m.msg_controllen, m.msg_namelen);
}

TEST(socket, many_messages)
{
	int fd[2];
	char text[4][8];
	struct iovec part[4];
	struct mmsghdr m[4] = { 0 };
	struct timespec zero = { 0, 0 }, wrong = { 0, -1 };

	unix_pair(SOCK_DGRAM, fd);
	for (int i = 0; i < 4; i++) {
		part[i] = (struct iovec){ text[i], (size_t)i + 1 };
		snprintf(text[i], 8, "%d%d%d%d", i, i, i, i);
		m[i].msg_hdr.msg_iov = &part[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	TRY(sendmmsg(fd[0], m, 4, 0));
	say("%u %u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len, m[3].msg_len);
	for (int i = 0; i < 4; i++)
		part[i].iov_len = 8;
	memset(text, 0, sizeof(text));
	TRY(recvmmsg(fd[1], m, 3, 0, NULL));
	say("%u %u %u %s %s %s\n", m[0].msg_len, m[1].msg_len, m[2].msg_len, text[0], text[1],
	    text[2]);
	TRY(recvmmsg(fd[1], m, 3, MSG_WAITFORONE, NULL));
	TRY(recvmmsg(fd[1], m, 3, MSG_DONTWAIT, NULL));
	TRY(recvmmsg(fd[1], m, 3, MSG_DONTWAIT, &wrong));
	CHECK_EQ(send(fd[0], "x", 1, 0), 1);
	TRY(recvmmsg(fd[1], m, 3, 0, &zero));
	TRY(sendmmsg(fd[0], m, 0, 0));
	TRY(recvmmsg(fd[1], m, 0, 0, NULL));
	m[1].msg_hdr.msg_iov = bad;
	TRY(sendmmsg(fd[0], m, 4, 0));
	TRY(sendmmsg(fd[0], m + 1, 3, 0));
}

TEST(socket, queries)
{
	int fd[2], n = -1;
	char text[16];

	unix_pair(SOCK_STREAM, fd);
	CHECK_EQ(ioctl(fd[0], SIOCOUTQ, &n), 0);
	say("%d\n", n);
	CHECK_EQ(write(fd[0], "hello", 5), 5);
	CHECK_EQ(ioctl(fd[0], SIOCOUTQ, &n), 0);
	CHECK(n >= 5);
	TRY(ioctl(fd[1], FIONREAD, &n));
	say("%d\n", n);
	TRY(ioctl(fd[0], FIONREAD, &n));
	say("%d\n", n);
	CHECK_EQ(read(fd[1], text, 3), 3);
	TRY(ioctl(fd[1], SIOCINQ, &n));
	say("%d\n", n);
	TRY(ioctl(fd[1], FIONREAD, bad));
	CHECK_EQ(read(fd[1], text, 3), 2);
	CHECK_EQ(ioctl(fd[0], SIOCOUTQ, &n), 0);
	say("%d\n", n);
	n = 1;
	TRY(ioctl(fd[1], FIONBIO, &n));
	TRY(read(fd[1], text, 1));
	n = 0;
	TRY(ioctl(fd[1], FIONBIO, &n));
	TRY(fcntl(fd[1], F_GETFL));
	TRY(ioctl(listen_name(SOCK_STREAM, "l", 1), FIONREAD, &n));
	unix_pair(SOCK_DGRAM, fd);
	CHECK_EQ(write(fd[0], "hello", 5), 5);
	CHECK_EQ(write(fd[0], "you", 3), 3);
	TRY(ioctl(fd[1], FIONREAD, &n));
	say("%d\n", n);
	unix_pair(SOCK_SEQPACKET, fd);
	CHECK_EQ(write(fd[0], "hello", 5), 5);
	CHECK_EQ(write(fd[0], "you", 3), 3);
	TRY(ioctl(fd[1], FIONREAD, &n));
	say("%d\n", n);
}
