/* switches: to another process and back, by a pipe, a Unix socket and TCP; a signal to itself. */
#define _GNU_SOURCE
#include "../frame.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUND_TRIPS 500
#define SIGNALS 1000

/* A byte goes to a child at `there` and comes back from `back`; the child uses the other ends. */
static void ping_pong(int there, int back, int child_in, int child_out)
{
	pid_t pid = fork();
	long start = 0;
	char c = 0;

	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		for (int i = 0; i <= ROUND_TRIPS; i++) {
			if (read(child_in, &c, 1) != 1 || write(child_out, &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i <= ROUND_TRIPS; i++) {
		if (i == 1)
			start = now();
		if (write(there, &c, 1) != 1 || read(back, &c, 1) != 1)
			fatal("ping-pong");
	}
	bench_result((double)(now() - start) / ROUND_TRIPS);
	child_wait(pid);
}

static void by_pipe(long arg)
{
	int there[2], back[2];

	if (pipe(there) || pipe(back))
		fatal("pipe");
	ping_pong(there[1], back[0], there[0], back[1]);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
}

static void by_unix(long arg)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		bench_skip("no Unix sockets");
	ping_pong(pair[0], pair[0], pair[1], pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static void by_tcp(long arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);
	int listening = socket(AF_INET, SOCK_STREAM, 0), one = 1, client, server;

	if (listening < 0 || bind(listening, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(listening, 1) || getsockname(listening, (struct sockaddr *)&a, &length))
		bench_skip("no TCP");
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client, (struct sockaddr *)&a, sizeof(a)))
		bench_skip("no loopback");
	server = accept(listening, NULL, NULL);
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ping_pong(client, client, server, server);
	close(client);
	close(server);
	close(listening);
}

static void nothing(int signal)
{
}

static void to_self(long arg)
{
	long start;

	signal(SIGUSR1, nothing);
	start = now();
	for (int i = 0; i < SIGNALS; i++)
		raise(SIGUSR1);
	bench_result((double)(now() - start) / SIGNALS);
}

BENCH(pipe_round_trip, .unit = "ns", .what = "a byte to another process and back, by pipes",
      .run = by_pipe)
BENCH(unix_round_trip, .unit = "ns", .what = "a byte to another process and back, by a Unix socket",
      .run = by_unix)
BENCH(tcp_round_trip, .unit = "ns",
      .what = "a byte to another process and back, by TCP over loopback", .run = by_tcp)
BENCH(signal_to_self, .unit = "ns", .what = "raise, and a handler that does nothing",
      .run = to_self)
