/* memory_of_forks: what idle children of a large process take, in a machine that has done nothing before. */
#include "../frame.h"

#include <unistd.h>

#define CHILDREN 100
#define WARMING 16      /* children that are there before: what is taken once is not counted */
#define REST_US 1500000 /* for counters that are brought up to date each second */

static void run(long mib)
{
	pid_t children[WARMING + CHILDREN];
	double free_before, tables_before;

	memory_kept(mib);
	for (int i = 0; i < WARMING; i++)
		children[i] = child_idle();
	usleep(REST_US);
	free_before = meminfo("MemFree");
	tables_before = meminfo("PageTables");
	for (int i = WARMING; i < WARMING + CHILDREN; i++)
		children[i] = child_idle();
	usleep(REST_US);
	bench_result(free_before - meminfo("MemFree"));
	bench_also("tables", "bytes", meminfo("PageTables") - tables_before);
	for (int i = 0; i < WARMING + CHILDREN; i++)
		child_end(children[i]);
}

BENCH(memory_of_forks, .unit = "bytes",
      .what = "memory that 100 idle children of a process take; page tables of it",
      .args = { 16, 1024 }, .arg_unit = "MiB", .keeps = true, .once = true, .machine = "memory",
      .run = run)
