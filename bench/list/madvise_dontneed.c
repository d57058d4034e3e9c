/* madvise_dontneed: gives touched memory back. */
#define _GNU_SOURCE
#include "../frame.h"

#include <sys/mman.h>

#define SIZE (16 * MIB)

static void run(long arg)
{
	char *p = memory_touched(SIZE);
	long start = now();

	madvise(p, SIZE, MADV_DONTNEED);
	bench_result((double)(now() - start) / (double)(SIZE / PAGE));
	munmap(p, SIZE);
}

BENCH(madvise_dontneed, .unit = "ns", .what = "MADV_DONTNEED of touched memory, a page", .run = run)
