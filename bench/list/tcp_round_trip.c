/* tcp_round_trip: by a TCP connection over loopback. */
#include "../frame.h"
#include "../parts/ping_pong.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void no_delay(int socket)
{
	int one = 1;

	setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void run(long arg)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);
	int listening = socket(AF_INET, SOCK_STREAM, 0), client, server;

	if (listening < 0 || bind(listening, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(listening, 1) || getsockname(listening, (struct sockaddr *)&a, &length))
		bench_skip("no TCP");
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client, (struct sockaddr *)&a, sizeof(a)))
		bench_skip("no loopback");
	server = accept(listening, NULL, NULL);
	no_delay(client);
	no_delay(server);
	ping_pong(client, client, server, server);
	close(client);
	close(server);
	close(listening);
}

BENCH(tcp_round_trip, .unit = "ns",
      .what = "a byte to another process and back, by TCP over loopback", .run = run)
