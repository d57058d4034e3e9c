/* fork: what a child costs, by the memory that its parent has touched. */
#define _GNU_SOURCE
#include "../frame.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* 1 stands for the program's own memory alone, some 0.4 MiB. */
#define SIZES                              \
	{                                  \
		1, 16, 64, 256, 1024, 4096 \
	}

extern char **environ;

static const char *target(void)
{
	const char *path = getenv("BENCH_TARGET");

	if (!path)
		bench_skip("BENCH_TARGET, a static program that ends at once, is not named");
	return path;
}

static long fork_only(void)
{
	long start = now(), took;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	took = now() - start;
	child_wait(pid);
	return took;
}

static long fork_exit_wait(void)
{
	long start = now();
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	child_wait(pid);
	return now() - start;
}

static long fork_exec_wait(char **argv)
{
	long start = now();
	pid_t pid = fork();

	if (pid == 0) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	child_wait(pid);
	return now() - start;
}

static long spawn_wait(char **argv)
{
	long start = now();
	pid_t pid;

	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ))
		fatal("posix_spawn");
	child_wait(pid);
	return now() - start;
}

/* All four with the same memory, which is kept from call to call: touching 4 GiB takes long. */
static void run(long mib)
{
	static char *memory;
	static long have;
	char *argv[] = { (char *)target(), NULL };

	if (have != mib && have > 1)
		munmap(memory, (size_t)have * MIB);
	if (have != mib && mib > 1)
		memory = memory_touched((size_t)mib * MIB);
	have = mib;
	bench_result((double)fork_only());
	bench_also("exit_wait", (double)fork_exit_wait());
	bench_also("exec_wait", (double)fork_exec_wait(argv));
	bench_also("spawn_wait", (double)spawn_wait(argv));
}

static void run_vfork(long arg)
{
	char *argv[] = { (char *)target(), NULL };
	long start = now();
	pid_t pid = vfork();

	if (pid == 0) {
		execve(argv[0], argv, environ);
		_exit(127);
	}
	child_wait(pid);
	bench_result((double)(now() - start));
}

BENCH(vfork_exec_wait, .unit = "ns", .what = "vfork, exec of a static program, wait",
      .run = run_vfork)
BENCH(fork, .unit = "ns",
      .what = "fork until it returns; with exit and wait; with exec of a static program; "
	      "posix_spawn",
      .args = SIZES, .arg_unit = "MiB", .run = run)
