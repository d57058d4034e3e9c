/* anonymous_write: first stores to private anonymous memory, for each page. */
#include "../frame.h"

#include <sys/mman.h>

#define PAGES 4096ul

static void run(long arg)
{
	char *p = memory_map(PAGES * PAGE);
	long start = now();

	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	munmap(p, PAGES * PAGE);
}

BENCH(anonymous_write, .unit = "ns", .what = "write fault in anonymous memory, a page", .run = run)
