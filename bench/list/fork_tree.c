/* fork_tree: chains and fans of children, and fork with many areas. */
#define _GNU_SOURCE
#include "../frame.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKING (16 * MIB)

/* Each child forks the next and waits for it; a generation writes one page. */
static void descend(long depth, char *p)
{
	pid_t pid;

	p[depth % (WORKING / PAGE) * PAGE] = 2;
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

static void chain(long depth)
{
	char *p = memory_touched(WORKING);
	long start = now();

	descend(depth, p);
	bench_result((double)(now() - start) / (double)depth);
	munmap(p, WORKING);
}

/* All children live at once, and each rewrites a sixteenth. */
static void fan(long count)
{
	char *p = memory_touched(WORKING);
	long start = now();

	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fatal("fork");
		if (pid == 0) {
			memory_write_each(p + (size_t)(i % 16) * WORKING / 16, WORKING / 16);
			_exit(0);
		}
	}
	for (long i = 0; i < count; i++)
		wait(NULL);
	bench_result((double)(now() - start) / (double)count);
	munmap(p, WORKING);
}

/* Neighbours differ in protection, so that they stay areas of their own. */
static void areas(long count)
{
	char *p = memory_map((size_t)count * PAGE);
	long start, took;
	pid_t pid;

	for (long i = 0; i < count; i += 2) {
		p[i * (long)PAGE] = 1;
		mprotect(p + i * (long)PAGE, PAGE, PROT_READ);
	}
	start = now();
	pid = fork();
	if (pid == 0)
		_exit(0);
	took = now() - start;
	child_wait(pid);
	bench_result((double)took);
	munmap(p, (size_t)count * PAGE);
}

BENCH(fork_chain, .unit = "ns",
      .what = "a chain of forks, each writing one page of 16 MiB, a generation", .args = { 8, 64 },
      .arg_unit = "deep", .run = chain)
BENCH(fork_fan, .unit = "ns", .what = "children alive at once, each rewriting 1 MiB of 16, a child",
      .args = { 4, 64 }, .arg_unit = "children", .run = fan)
BENCH(fork_areas, .unit = "ns", .what = "fork with many areas", .args = { 10, 100, 1000, 10000 },
      .arg_unit = "areas", .run = areas)
