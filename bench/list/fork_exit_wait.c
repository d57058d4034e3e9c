/* fork_exit_wait: a child that ends at once, and the wait for it. */
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
	child_wait(pid);
	bench_result((double)(now() - start));
}

BENCH(fork_exit_wait, .unit = "ns", .what = "fork, exit of the child, wait", .args = FORK_SIZES,
      .arg_unit = "MiB", .keeps = true, .run = run)
