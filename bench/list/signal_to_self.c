/* signal_to_self: raised, handled, and back. */
#include "../frame.h"

#include <signal.h>

#define SIGNALS 1000

static void nothing(int signal)
{
}

static void run(long arg)
{
	long start;

	signal(SIGUSR1, nothing);
	start = now();
	for (int i = 0; i < SIGNALS; i++)
		raise(SIGUSR1);
	bench_result((double)(now() - start) / SIGNALS);
}

BENCH(signal_to_self, .unit = "ns", .what = "raise, and a handler that does nothing", .run = run)
