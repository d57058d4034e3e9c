/* mremap_move: touched memory gets another address. */
#define _GNU_SOURCE
#include "../frame.h"

#include <sys/mman.h>

#define SIZE (64 * MIB)

static void run(long arg)
{
	char *p = memory_touched(SIZE), *hole = memory_map(SIZE);
	long start = now();

	p = mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	bench_result((double)(now() - start));
	if (p == MAP_FAILED)
		fatal("mremap");
	munmap(p, SIZE);
}

BENCH(mremap_move, .unit = "ns", .what = "mremap that moves 64 MiB of touched memory", .run = run)
