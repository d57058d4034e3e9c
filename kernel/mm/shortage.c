/*
 * shortage.c - see shortage.h.
 */
#include "mm/shortage.h"

/* Nobody is killed for a larger block: it may be missing while there is memory enough. */
#define SHORTAGE_ORDER_MAX 3u

bool alloc_faults_used;

static void fail_set(u64 n, bool on)
{
	struct shortage *s = shortage_current();

	s->fail_in = n;
	s->fail_on = on;
	s->failed = false;
	store_relaxed(&alloc_faults_used, true);
}

void alloc_fail_once(u64 n)
{
	fail_set(n, false);
}

void alloc_fail_after(u64 n)
{
	fail_set(n + 1, true);
}

bool alloc_fails_as_asked(void)
{
	struct shortage *s = shortage_current();

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
