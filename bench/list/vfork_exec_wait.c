/* vfork_exec_wait: vfork, then a small static program, and the wait for it. */
#define _GNU_SOURCE
#include "../frame.h"

#include <unistd.h>

static void run(long mib)
{
	char *argv[] = { target(), NULL };
	long start;
	pid_t pid;

	memory_kept(mib);
	start = now();
	pid = vfork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	child_wait(pid);
	bench_result((double)(now() - start));
}

BENCH(vfork_exec_wait, .unit = "ns", .what = "vfork, exec of a static program, wait",
      .args = FORK_SIZES, .arg_unit = "MiB", .keeps = true, .run = run)
