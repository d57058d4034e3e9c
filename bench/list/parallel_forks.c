/* parallel_forks: fork, exit, wait by processes at once, each on a CPU of its own: how many of them all do in a second. */
#include "../frame.h"
#include "../parts/at_once.h"

#include <unistd.h>

static long once(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	child_wait(pid);
	return 1;
}

static void run(long count)
{
	at_once_measure(count, once);
}

BENCH(parallel_forks, .unit = "per s", .what = "fork, exit, wait by processes at once",
      .args = { 1, 2, 4 }, .arg_unit = "CPUs", .larger = true, .mode = IN_TIME, .machine = "four",
      .run = run)
