/*
 * boot: instructions from the machine's start to this program's first: the time-stamp counter, which starts at 0 with the machine and under -icount counts
 * instructions. Read before anything else runs.
 */
#include "../frame.h"

#include <x86intrin.h>

static unsigned long long first;

__attribute__((constructor(101))) static void stamp(void)
{
	first = __rdtsc();
}

static void run(long arg)
{
	bench_result((double)first);
}

BENCH(boot, .unit = "ticks",
      .what = "from the start of the machine to the program (its first run after boot)",
      .once = true, .run = run)
