/* cow_sole_owner: stores to touched memory after a fork, when the child has left. */
#include "../frame.h"

#include <sys/mman.h>

#define PAGES 8192ul

static void run(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	long start;

	child_end(child_idle());
	start = now();
	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	munmap(p, PAGES * PAGE);
}

BENCH(cow_sole_owner, .unit = "ns", .what = "write after the child has left, a page", .run = run)
