/* brk_grow_shrink: the heap's end up and down again. */
#define _GNU_SOURCE
#include "../frame.h"

#include <unistd.h>

#define CALLS 1000
#define SIZE (16 * 1024l)

static void run(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++) {
		if (sbrk(SIZE) == (void *)-1 || sbrk(-SIZE) == (void *)-1)
			fatal("brk");
	}
	bench_result((double)(now() - start) / CALLS);
}

BENCH(brk_grow_shrink, .unit = "ns", .what = "brk up and down by 16 KiB", .run = run)
