/* fork_chain: each child forks the next and waits for it; a generation writes one page. */
#include "../frame.h"

#include <sys/mman.h>
#include <unistd.h>

#define WORKING (16 * MIB)

static void descend(long depth, char *p)
{
	pid_t pid;

	p[(size_t)depth % (WORKING / PAGE) * PAGE] = 2;
	if (!depth)
		return;
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		descend(depth - 1, p);
		_exit(0);
	}
	child_wait(pid);
}

static void run(long depth)
{
	char *p = memory_touched(WORKING);
	long start = now();

	descend(depth, p);
	bench_result((double)(now() - start) / (double)depth);
	munmap(p, WORKING);
}

BENCH(fork_chain, .unit = "ns",
      .what = "a chain of forks, each writing one page of 16 MiB, a generation", .args = { 8, 64 },
      .arg_unit = "deep", .run = run)
