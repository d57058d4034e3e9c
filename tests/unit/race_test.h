/*
 * race_test.h - a test under many orders of the fake CPUs.
 *
 *	PROGRAM [PATTERN [SEED [SEEDS]]]     only tests whose name matches, from that seed on, with so many orders
 *
 * A failure prints its seed. docs/testing.md names for each test the line of mm without which it fails.
 */
#ifndef RACE_TEST_H
#define RACE_TEST_H

#include <stdlib.h>

#include "mm_test.h"

#define SEEDS 1000

static u64 first_seed = 1;
static u32 seeds_wanted; /* 0: as many as the test says */

#define BASE 0x40000000ull /* where the tests map */

static inline u64 page_va(u32 page)
{
	return BASE + page * PAGE_SIZE;
}

/* A file whose words are their own offsets. */
static inline u64 offset_itself(u64 offset)
{
	return offset;
}

/* *to is at least v from now on. */
static inline void publish(u64 *to, u64 v)
{
	u64 old = load_relaxed(to);

	while (old < v && !atomic_cas(to, &old, v))
		;
}

static inline void each_seed(void (*test)(void), u32 seeds)
{
	if (seeds_wanted)
		seeds = seeds_wanted;
	for (u64 seed = first_seed; seed < first_seed + seeds; seed++) {
		hosted_seed(seed);
		struct hosted_census before = hosted_census();
		test();
		hosted_check();
		census_must_equal(&before);
	}
}

static inline void race_options(int argc, char **argv)
{
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	if (argc > 3)
		seeds_wanted = (u32)strtoul(argv[3], NULL, 0);
}

#endif
