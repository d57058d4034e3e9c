/*
 * boot: instructions from the machine's start to the first of the first program: the time-stamp counter, which starts at 0 with the machine and under -icount
 * counts instructions. On Linux the first program is ../init.c, which hands its reading down.
 */
#include "../frame.h"

#include <stdlib.h>
#include <x86intrin.h>

static unsigned long long first;

__attribute__((constructor(101))) static void stamp(void)
{
	first = __rdtsc();
}

static void run(long arg)
{
	const char *of_init = getenv("FIRST_INSTRUCTION");

	bench_result(of_init ? strtod(of_init, NULL) : (double)first);
}

BENCH(boot, .unit = "ns",
      .what = "from the start of the machine to the first program's first instruction",
      .once = true, .machine = "boot", .run = run)
