/* anonymous_read_write: a load of untouched anonymous memory, then a store, for each page. */
#include "../frame.h"

#include <sys/mman.h>

#define PAGES 4096ul

static void run(long arg)
{
	char *p = memory_map(PAGES * PAGE);
	long start = now(), middle;

	memory_read_each(p, PAGES * PAGE);
	middle = now();
	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	bench_also("read", "ns", (double)(middle - start) / PAGES);
	munmap(p, PAGES * PAGE);
}

BENCH(anonymous_read_write, .unit = "ns",
      .what = "read fault, then write fault, in anonymous memory, a page", .run = run)
