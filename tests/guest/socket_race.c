/*
 * socket_race.c - processes that work on the same sockets at once.
 *
 * Central rule: whatever the order, nothing that was sent is received twice or changed, and at the end nothing is left: a pipe whose write end was
 * sent through all of them is closed once the sockets are, cycles included.
 */
#include "socket.h"

#include <poll.h>
#include <sys/epoll.h>

enum { PROCESSES = 4, ROUNDS = 1500, SOCKETS = 6 };

static int ends[SOCKETS], write_end;

static unsigned next(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

/* Sends one of the sockets and the pipe's end through another. */
static void pass(unsigned *seed)
{
	int fds[2] = { ends[next(seed) % SOCKETS], write_end };
	ssize_t n = send_descriptors(ends[next(seed) % SOCKETS], "pass", fds, 2,
				     MSG_DONTWAIT | MSG_NOSIGNAL);

	CHECK(n == 4 || errno == EAGAIN || errno == EPIPE || errno == ECONNREFUSED ||
	      errno == ECONNRESET);
}

static void take(unsigned *seed)
{
	int fds[8], count, flags = MSG_DONTWAIT | (next(seed) % 4 ? 0 : MSG_PEEK);
	char text[8];
	ssize_t n = receive_descriptors(ends[next(seed) % SOCKETS], text, sizeof(text), fds, 8,
					&count, &flags);

	for (ssize_t i = 0; i < n; i++)
		CHECK(memchr("pass", text[i], 4));
	for (int i = 0; n >= 0 && i < count; i++) {
		CHECK(fcntl(fds[i], F_GETFD) >= 0);
		close(fds[i]);
	}
}

/* A pair of its own, one end in the other: garbage, but for what the collection does. */
static void litter(void)
{
	int pair[2];

	unix_pair(SOCK_STREAM, pair);
	CHECK_EQ(send_descriptors(pair[0], "litter", (int[]){ pair[1], pair[0], write_end }, 3, 0),
		 6);
	close(pair[0]);
	close(pair[1]);
}

static void connect_and_accept(int listener)
{
	int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), s;

	if (connect_name(c, "sock") == 0)
		CHECK(send(c, "hello", 5, MSG_NOSIGNAL) == 5 || errno == EPIPE);
	s = accept(listener, NULL, NULL);
	if (s >= 0)
		close(s);
	close(c);
}

static void work(unsigned seed, int listener)
{
	for (int i = 0; i < ROUNDS; i++) {
		switch (next(&seed) % 8) {
		case 0:
		case 1:
		case 2:
			pass(&seed);
			break;
		case 3:
		case 4:
		case 5:
			take(&seed);
			break;
		case 6:
			litter();
			break;
		default:
			connect_and_accept(listener);
		}
	}
}

TEST(socket_race, files_on_their_way)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	int p[2], listener = listen_name(SOCK_STREAM, "sock", 3);
	pid_t pids[PROCESSES];
	struct pollfd poll_end;

	CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(pipe(p), 0);
	write_end = p[1];
	for (int i = 0; i < SOCKETS; i += 2)
		unix_pair(types[i / 2], ends + i);
	for (unsigned i = 0; i < PROCESSES; i++) {
		pids[i] = child_fork();
		if (!pids[i]) {
			work(i + 1, listener);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		child_expect(pids[i], 0);
	for (int i = 0; i < SOCKETS; i++)
		close(ends[i]);
	close(p[1]);
	close(listener);
	close(unix_socket(SOCK_DGRAM));
	poll_end = (struct pollfd){ p[0], POLLIN, 0 };
	CHECK_EQ(poll(&poll_end, 1, 5000), 1); /* Linux collects later */
	CHECK(poll_end.revents & POLLHUP);
}

/* Who waits for a datagram socket that is full, for a listener, or for data is woken, however many wait. */
TEST(socket_race, many_wait)
{
	enum { EACH = 300 };
	int l = listen_name(SOCK_STREAM, "stream", 1), d = unix_socket(SOCK_DGRAM);
	pid_t pids[2 * PROCESSES];
	char text[8];

	CHECK_EQ(bind_name(d, "dgram"), 0);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = child_fork();
		if (!pids[i]) {
			int s = unix_socket(SOCK_DGRAM);

			CHECK_EQ(connect_name(s, "dgram"), 0);
			for (int k = 0; k < EACH; k++)
				CHECK_EQ(send(s, "x", 1, 0), 1);
			_exit(0);
		}
		pids[PROCESSES + i] = child_fork();
		if (!pids[PROCESSES + i]) {
			for (int k = 0; k < EACH / 10; k++) {
				int c = unix_socket(SOCK_STREAM);

				CHECK_EQ(connect_name(c, "stream"), 0);
				CHECK_EQ(write(c, "ab", 2), 2);
				CHECK_EQ(recv(c, text, 8, 0), 1);
				close(c);
			}
			_exit(0);
		}
	}
	pid_t server = child_fork();

	if (!server) {
		for (int k = 0; k < PROCESSES * (EACH / 10); k++) {
			int s = accept(l, NULL, NULL);

			CHECK(s >= 0);
			CHECK_EQ(recv(s, text, 2, MSG_WAITALL), 2);
			CHECK_EQ(write(s, "!", 1), 1);
			close(s);
		}
		_exit(0);
	}
	for (int k = 0; k < PROCESSES * EACH; k++)
		CHECK_EQ(recv(d, text, 8, 0), 1);
	child_expect(server, 0);
	for (int i = 0; i < 2 * PROCESSES; i++)
		child_expect(pids[i], 0);
}
