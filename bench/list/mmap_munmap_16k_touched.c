/* mmap_munmap_16k_touched: a small mapping each page of which is written once. */
#include "../frame.h"

#include <sys/mman.h>

#define CALLS 1000
#define SIZE (16 * 1024ul)

static void run(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++) {
		char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			fatal("mmap");
		memory_write_each(p, SIZE);
		munmap(p, SIZE);
	}
	bench_result((double)(now() - start) / CALLS);
}

BENCH(mmap_munmap_16k_touched, .unit = "ns", .what = "mmap, touch and munmap of 16 KiB", .run = run)
