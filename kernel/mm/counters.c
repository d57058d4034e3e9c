/* counters.c - the sums of counters.h. */
#include "mm/counters.h"

#include "mm/space.h"

struct mm_counters mm_counters[CPUS_MAX];

static void sum(u64 *to, const u64 *from, size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] += load_relaxed(&from[i]);
}

struct mm_counters mm_counters_sum(void)
{
	struct mm_counters all = { 0 };

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
		sum(&all.forks, &mm_counters[cpu].forks, sizeof(all));
	return all;
}

struct space_counters space_counters_sum(const struct mm *mm)
{
	struct space_counters all = { 0 };

	for (u32 i = 0; i < SPACE_COUNTERS; i++)
		sum(&all.faults_minor, &mm->counters[i].faults_minor, sizeof(all));
	return all;
}
