/* parallel_faults: page faults by processes at once, each on a CPU of its own: how many of them all do in a second. */
#include "../frame.h"
#include "../parts/at_once.h"

#include <sys/mman.h>

static long once(void)
{
	munmap(memory_touched(MIB), MIB);
	return MIB / PAGE;
}

static void run(long count)
{
	at_once_measure(count, once);
}

BENCH(parallel_faults, .unit = "per s", .what = "page faults by processes at once",
      .args = { 1, 2, 4 }, .arg_unit = "CPUs", .larger = true, .mode = IN_TIME, .machine = "four",
      .run = run)
