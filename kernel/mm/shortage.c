/*
 * shortage.c - see shortage.h.
 */
#include "mm/shortage.h"

#include "lib/atomic.h"
#include "lib/err.h"

/* Nobody is killed for a larger block: it may be missing while there is memory enough. */
#define SHORTAGE_ORDER_MAX 3u

static bool faults_used; /* A: a test has asked for a failure: look at each thread's wish */

static void fail_set(u64 n, bool on)
{
	struct shortage *s = shortage_current();

	s->fail_in = n;
	s->fail_on = on;
	s->failed = false;
	store_relaxed(&faults_used, true);
}

void alloc_fail_once(u64 n)
{
	fail_set(n, false);
}

void alloc_fail_after(u64 n)
{
	fail_set(n + 1, true);
}

bool alloc_should_fail(void)
{
	struct shortage *s;

	if (likely(!load_relaxed(&faults_used)))
		return false;
	s = shortage_current();
	if (!s->fail_in)
		return false;
	if (s->fail_in > 1) {
		s->fail_in--;
		return false;
	}
	s->failed = true;
	if (!s->fail_on)
		s->fail_in = 0;
	return true;
}

void alloc_short(u32 order)
{
	if (order <= SHORTAGE_ORDER_MAX)
		shortage_current()->count++;
}
