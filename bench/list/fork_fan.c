/* fork_fan: children that live at once, each of which rewrites a sixteenth of what it inherits. */
#include "../frame.h"

#include <sys/mman.h>
#include <unistd.h>

#define WORKING (16 * MIB)
#define PARTS 16

static void run(long count)
{
	char *p = memory_touched(WORKING);
	long start = now();

	for (long i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fatal("fork");
		if (pid == 0) {
			memory_write_each(p + (size_t)(i % PARTS) * (WORKING / PARTS),
					  WORKING / PARTS);
			_exit(0);
		}
	}
	for (long i = 0; i < count; i++)
		child_wait(-1);
	bench_result((double)(now() - start) / (double)count);
	munmap(p, WORKING);
}

BENCH(fork_fan, .unit = "ns", .what = "children alive at once, each rewriting 1 MiB of 16, a child",
      .args = { 4, 64 }, .arg_unit = "children", .run = run)
