/* mmap_munmap_1g: a large mapping that is never touched. */
#include "../frame.h"

#include <sys/mman.h>

#define CALLS 100
#define SIZE (1024 * MIB)

static void run(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++) {
		char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			fatal("mmap");
		munmap(p, SIZE);
	}
	bench_result((double)(now() - start) / CALLS);
}

BENCH(mmap_munmap_1g, .unit = "ns", .what = "mmap and munmap of 1 GiB, untouched", .run = run)
