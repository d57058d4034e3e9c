/* page_movsq: what it takes to copy a page by rep movsq, without any kernel: to tell a fault's own cost from the page's (docs/benchmarks.md). */
#include "../frame.h"

#define PAGES 256

static _Alignas(4096) char page[2][PAGE];

static void run(long arg)
{
	long start = now();

	for (int i = 0; i < PAGES; i++) {
		char *to = page[0], *from = page[1];
		unsigned long count = PAGE / 8;

		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	}
	bench_result((double)(now() - start) / PAGES);
}

BENCH(page_movsq, .unit = "ns", .what = "copy a page by rep movsq, in user mode", .run = run)
