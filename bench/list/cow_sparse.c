/* cow_sparse: stores at random after a fork, so that most of them are the first under their table. */
#include "../frame.h"

#define WRITES 512

static void run(long mib)
{
	size_t pages = (size_t)mib * MIB / PAGE;
	char *p = memory_kept(mib);
	pid_t pid = child_idle();
	unsigned long seed = 1;
	long start = now();

	for (int i = 0; i < WRITES; i++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		*(volatile char *)(p + (seed >> 33) % pages * PAGE) = 2;
	}
	bench_result((double)(now() - start) / WRITES);
	child_end(pid);
}

BENCH(cow_sparse, .unit = "ns", .what = "random writes after fork, a write", .args = { 64, 256 },
      .arg_unit = "MiB", .keeps = true, .run = run)
