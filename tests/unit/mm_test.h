/*
 * mm_test.h - what the tests of mm and lib share. cmocka's assertions end a test by a long jump, so programs on fake CPUs use must(), which ends the process
 * and names the seed.
 */
#ifndef MM_TEST_H
#define MM_TEST_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"
#include "lib/err.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "object_mem.h"

#define MAY (AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC)
#define RW (AREA_READ | AREA_WRITE | MAY)

#define must(cond, ...)                                                      \
	do {                                                                 \
		if (!(cond)) {                                               \
			char must_text[200];                                 \
			snprintf(must_text, sizeof(must_text), __VA_ARGS__); \
			panic("%s: %s: not %s", __func__, must_text, #cond); \
		}                                                            \
	} while (0)

static inline void map_pages(struct mm *mm, u64 va, u64 pages, u32 flags, struct object *o,
			     u64 offset)
{
	struct map_request r = { .addr = va,
				 .length = pages * PAGE_SIZE,
				 .flags = flags,
				 .fixed = true,
				 .object = o,
				 .offset = offset };
	s64 at = space_map(mm, &r);

	must(at == (s64)va, "map at %#lx: %ld", va, at);
}

static inline void map_anonymous(struct mm *mm, u64 va, u64 pages)
{
	map_pages(mm, va, pages, RW, NULL, 0);
}

static inline struct mm *new_space(void)
{
	struct mm *mm = space_create();

	must(mm, "no memory");
	return mm;
}

static inline struct mm *new_fork(struct mm *mm)
{
	struct mm *child = space_fork(mm);

	must(child, "no memory");
	return child;
}

/* In the space that is loaded. */
static inline u64 load(u64 va)
{
	struct fault_result r;
	u64 value = 0;
	int err = user_load(va, &value, &r);

	must(!err, "load at %#lx: %d, signal %d", va, err, r.signal);
	return value;
}

static inline void store(u64 va, u64 value)
{
	struct fault_result r;
	int err = user_store(va, value, &r);

	must(!err, "store at %#lx: %d, signal %d", va, err, r.signal);
}

static inline u64 add(u64 va, u64 n)
{
	struct fault_result r;
	u64 after = 0;
	int err = user_add(va, n, &after, &r);

	must(!err, "add at %#lx: %d, signal %d", va, err, r.signal);
	return after;
}

static inline u64 load_in(struct mm *mm, u64 va)
{
	hosted_load_space(mm);
	return load(va);
}

static inline void store_in(struct mm *mm, u64 va, u64 value)
{
	hosted_load_space(mm);
	store(va, value);
}

/* The signal and code that the access ends with. */
#define assert_faults(expr, expected_signal, expected_code)  \
	do {                                                 \
		struct fault_result r = { 0 };               \
		assert_int_equal(expr, -EFAULT);             \
		assert_int_equal(r.signal, expected_signal); \
		assert_int_equal(r.code, expected_code);     \
	} while (0)

/* Nothing was lost since `before`. */
static inline void census_must_equal(const struct hosted_census *before)
{
	struct hosted_census now = hosted_census();
	const char *d = hosted_census_difference(before, &now);

	must(!d, "%s", d ? d : "");
	hosted_check();
}

static inline int machine_start(void **state)
{
	(void)state;
	hosted_start(64);
	return 0;
}

#endif
