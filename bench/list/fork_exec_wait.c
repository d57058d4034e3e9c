/* fork_exec_wait: a child that becomes a small static program, and the wait for it. */
#include "../frame.h"

#include <unistd.h>

static void run(long mib)
{
	char *argv[] = { target(), NULL };
	long start;
	pid_t pid;

	memory_kept(mib);
	start = now();
	pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	child_wait(pid);
	bench_result((double)(now() - start));
}

BENCH(fork_exec_wait, .unit = "ns", .what = "fork, exec of a static program, wait",
      .args = FORK_SIZES, .arg_unit = "MiB", .keeps = true, .run = run)
