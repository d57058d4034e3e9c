/*
 * counters.h - what mm counts: events and what is alive, for the machine, and events for each space.
 *
 * Central rule: a count is kept where only one CPU writes it (or, of a space, few do) and summed by
 * who reads: threads that fault at the same time must not wait for each other's cache lines. A sum is
 * exact when nothing runs; the counts of one CPU may be negative (as u64s that wrap), as what was
 * made on one is freed on another.
 */
#ifndef MM_COUNTERS_H
#define MM_COUNTERS_H

#include "lib/atomic.h"
#include "lib/lock.h"
#include "lib/types.h"

#define COUNTER_LINE 64 /* bytes */

struct mm_counters { /* since boot */
	u64 forks;
	u64 tables_copied, tables_adopted, pages_copied, pages_reused, pages_zeroed;
	u64 faults_minor, faults_major, faults_spurious;
	u64 tables, anon_pages; /* alive now */
	u64 huge_nodes;         /* alive now */
	/*
	 * 2 MiB pages: faults that got one, or found no free block; leaves that were split; nodes
	 * that ended by it
	 */
	u64 huge_faults, huge_fallbacks, huge_splits, huge_dissolved;
	u64 spaces; /* alive now */
	u64 shootdowns;
	u64 pages_read, pages_written; /* pages of objects, from and to where their bytes are */
} __attribute__((aligned(COUNTER_LINE)));

/* O: by number of the CPU. Nothing interrupts a count: see lock.h. */
extern struct mm_counters mm_counters[CPUS_MAX];

#define mm_count(field, n) sole_add(&mm_counters[cpu_number()].field, (u64)(n))

/* All CPUs' counts. */
struct mm_counters mm_counters_sum(void);

/* Events since the space was made; they count for the machine, too. */
struct space_counters { /* A */
	u64 faults_minor, faults_major, faults_spurious;
	u64 tables_copied, tables_adopted, pages_copied, pages_reused, pages_zeroed;
};
#define SPACE_COUNTERS 4 /* CPUs share them, by number */

#define space_count_alone(mm, field, n) \
	atomic_add(&(mm)->counters[cpu_number() % SPACE_COUNTERS].field, (u64)(n))
#define space_count(mm, field, n)                \
	do {                                     \
		space_count_alone(mm, field, n); \
		mm_count(field, n);              \
	} while (0)

struct mm;
struct space_counters space_counters_sum(const struct mm *mm);

#endif
