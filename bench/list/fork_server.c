/* fork_server: what a fuzzer does: a warmed-up process forks a child for every input, which runs a little, touches some pages, and ends. */
#define _GNU_SOURCE
#include "../frame.h"

#include <sys/mman.h>
#include <unistd.h>

#define EXECUTIONS 100
#define TOUCHED 32ul

static void run(long mib)
{
	size_t size = (size_t)mib * MIB;
	char *p = memory_touched(size);
	long start = now();

	for (int i = 0; i < EXECUTIONS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fatal("fork");
		if (pid == 0) {
			for (unsigned long t = 0; t < TOUCHED; t++)
				*(volatile char *)(p + t * (size / TOUCHED)) = (char)i;
			_exit(0);
		}
		child_wait(pid);
	}
	bench_result(1e9 * EXECUTIONS / (double)(now() - start));
	munmap(p, size);
}

BENCH(fork_server, .unit = "per s", .what = "executions of a fork server, each touching 32 pages",
      .args = { 16, 256 }, .arg_unit = "MiB", .run = run)
