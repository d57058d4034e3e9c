/* fork_areas: fork of a process with many areas. */
#include "../frame.h"

#include <sys/mman.h>
#include <unistd.h>

/* Neighbours differ in protection, so that they stay areas of their own. */
static void run(long count)
{
	char *p = memory_map((size_t)count * PAGE);
	long start;
	pid_t pid;

	for (long i = 0; i < count; i += 2) {
		p[i * (long)PAGE] = 1;
		if (mprotect(p + i * (long)PAGE, PAGE, PROT_READ))
			fatal("mprotect");
	}
	start = now();
	pid = fork();
	if (pid == 0)
		_exit(0);
	bench_result((double)(now() - start));
	child_wait(pid);
	munmap(p, (size_t)count * PAGE);
}

BENCH(fork_areas, .unit = "ns", .what = "fork with many areas", .args = { 10, 100, 1000, 10000 },
      .arg_unit = "areas", .run = run)
