/* pipe_round_trip: by two pipes. */
#include "../frame.h"
#include "../parts/ping_pong.h"

#include <unistd.h>

static void run(long arg)
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

BENCH(pipe_round_trip, .unit = "ns", .what = "a byte to another process and back, by pipes",
      .run = run)
