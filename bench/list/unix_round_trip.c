/* unix_round_trip: by a Unix stream socket. */
#include "../frame.h"
#include "../parts/ping_pong.h"

#include <sys/socket.h>
#include <unistd.h>

static void run(long arg)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		bench_skip("no Unix sockets");
	ping_pong(pair[0], pair[0], pair[1], pair[1]);
	close(pair[0]);
	close(pair[1]);
}

BENCH(unix_round_trip, .unit = "ns", .what = "a byte to another process and back, by a Unix socket",
      .run = run)
