/* page_stosb: what it takes to clear a page by rep stosb, without any kernel: to tell a fault's own cost from the page's (docs/benchmarks.md). */
#include "../frame.h"

#define PAGES 256

static _Alignas(4096) char page[2][PAGE];

static void run(long arg)
{
	long start = now();

	for (int i = 0; i < PAGES; i++) {
		char *to = page[0];
		unsigned long count = PAGE / 1;

		__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
	}
	bench_result((double)(now() - start) / PAGES);
}

BENCH(page_stosb, .unit = "ns", .what = "clear a page by rep stosb, in user mode", .run = run)
