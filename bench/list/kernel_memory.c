/* kernel_memory: what the kernel itself takes: for idle children of a large process, for a small process, and at rest. */
#define _GNU_SOURCE
#include "../frame.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHILDREN 100
#define SMALL_CHILDREN 32

static void for_children(long mib)
{
	char *p = memory_touched((size_t)mib * MIB);
	pid_t children[CHILDREN];
	double free_before = meminfo("MemFree"), tables_before = meminfo("PageTables");

	for (int i = 0; i < CHILDREN; i++)
		children[i] = child_idle();
	usleep(100000); /* they have come to rest */
	bench_result(free_before - meminfo("MemFree"));
	bench_also("tables", meminfo("PageTables") - tables_before);
	for (int i = 0; i < CHILDREN; i++)
		child_end(children[i]);
	munmap(p, (size_t)mib * MIB);
}

/* A static program that waits at its standard input. */
static void for_program(long arg)
{
	char *path = getenv("BENCH_TARGET"), *argv[] = { path, "wait", NULL };
	double before = meminfo("MemFree");
	int fds[2];

	if (!path)
		bench_skip("BENCH_TARGET is not named");
	if (pipe(fds))
		fatal("pipe");
	for (int i = 0; i < SMALL_CHILDREN; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			dup2(fds[0], 0);
			close(fds[1]);
			execv(path, argv);
			_exit(127);
		}
	}
	usleep(300000);
	bench_result((before - meminfo("MemFree")) / SMALL_CHILDREN);
	close(fds[1]);
	close(fds[0]);
	for (int i = 0; i < SMALL_CHILDREN; i++)
		child_wait(-1);
}

static void at_rest(long arg)
{
	bench_result(meminfo("MemTotal") - meminfo("MemAvailable"));
	bench_also("total", meminfo("MemTotal"));
}

BENCH(memory_of_forks, .unit = "bytes", .what = "memory that 100 idle children of a process take",
      .args = { 16, 1024 }, .arg_unit = "MiB", .run = for_children)
BENCH(memory_of_program, .unit = "bytes",
      .what = "memory that a small static program takes, its own pages included",
      .run = for_program)
BENCH(memory_at_rest, .unit = "bytes",
      .what = "memory not available to programs; and all that the kernel counts", .once = true,
      .run = at_rest)
