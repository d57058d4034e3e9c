/* posix_spawn: of a small static program, and the wait for it. */
#include "../frame.h"

#include <spawn.h>
#include <unistd.h>

extern char **environ;

static void run(long mib)
{
	char *argv[] = { target(), NULL };
	long start;
	pid_t pid;

	memory_kept(mib);
	start = now();
	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		fatal("posix_spawn");
	child_wait(pid);
	bench_result((double)(now() - start));
}

BENCH(posix_spawn, .unit = "ns", .what = "posix_spawn of a static program, wait",
      .args = FORK_SIZES, .arg_unit = "MiB", .keeps = true, .run = run)
