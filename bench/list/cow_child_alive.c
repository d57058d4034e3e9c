/* cow_child_alive: stores to touched memory after a fork, while the child lives. */
#include "../frame.h"

#include <sys/mman.h>

#define PAGES 8192ul

static void run(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	pid_t pid = child_idle();
	long start = now();

	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	child_end(pid);
	munmap(p, PAGES * PAGE);
}

BENCH(cow_child_alive, .unit = "ns", .what = "write after fork, the child alive, a page",
      .run = run)
