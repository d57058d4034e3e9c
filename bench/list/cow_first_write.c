/* cow_first_write: the first store to each 2 MiB after a fork, which finds even the page table shared. */
#include "../frame.h"

#include <stdlib.h>

#define REGION (2 * MIB)
#define REGIONS_MAX 512ul

static void run(long mib)
{
	char *p = memory_kept(mib);
	unsigned long regions = (unsigned long)mib * MIB / REGION;
	long took[REGIONS_MAX];
	pid_t pid = child_idle();

	for (unsigned long i = 0; i < regions; i++) {
		long start = now();

		*(volatile char *)(p + i * REGION) = 2;
		took[i] = now() - start;
	}
	qsort(took, regions, sizeof(*took), compare_longs);
	bench_result((double)took[regions / 2]);
	bench_also("p99", "ns", (double)took[regions * 99 / 100]);
	bench_also("max", "ns", (double)took[regions - 1]);
	child_end(pid);
}

BENCH(cow_first_write, .unit = "ns",
      .what = "first write to each 2 MiB after fork: median, p99, largest", .args = { 64, 1024 },
      .arg_unit = "MiB", .keeps = true, .run = run)
