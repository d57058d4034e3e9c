/* fork: until it returns to the parent. */
#include "../frame.h"

#include <unistd.h>

static void run(long mib)
{
	long start;
	pid_t pid;

	memory_kept(mib);
	start = now();
	pid = fork();
	if (pid == 0)
		_exit(0);
	bench_result((double)(now() - start));
	child_wait(pid);
}

BENCH(fork, .unit = "ns", .what = "fork until it returns", .args = FORK_SIZES, .arg_unit = "MiB",
      .keeps = true, .run = run)
