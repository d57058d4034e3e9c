/*
 * memory_for_programs: how much of the machine's memory a program gets: what the kernel says is available at rest, and how much a program has written when
 * it is killed because there is no more.
 */
#include "../frame.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT (4096 * MIB)

static void write_until_killed(int report)
{
	char *p = memory_map(LIMIT);

	for (unsigned long mib = 1; mib <= LIMIT / MIB; mib++) {
		memory_write_each(p + (mib - 1) * MIB, MIB);
		if (write(report, &mib, sizeof(mib)) != sizeof(mib))
			break;
	}
	_exit(0);
}

static void run(long arg)
{
	unsigned long mib = 0;
	int fds[2];
	pid_t pid;

	bench_result(meminfo("MemAvailable"));
	if (pipe(fds))
		fatal("pipe");
	pid = fork();
	if (pid == 0)
		write_until_killed(fds[1]);
	close(fds[1]);
	while (read(fds[0], &mib, sizeof(mib)) == sizeof(mib))
		;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	bench_also("written", "bytes", (double)(mib * MIB));
}

BENCH(memory_for_programs, .unit = "bytes",
      .what = "of 128 MiB: memory available at rest; what a program can write", .once = true,
      .larger = true, .machine = "idle", .run = run)
