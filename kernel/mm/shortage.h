/*
 * shortage.h - what the allocations of one thread met: failures that a test asked for, and want of
 * memory.
 *
 * A call that fails with -ENOMEM has undone all that it did, so it may be made again once there is
 * memory; the count of shortages tells such a failure from a limit that was reached.
 */
#ifndef MM_SHORTAGE_H
#define MM_SHORTAGE_H

#include "lib/atomic.h"
#include "lib/err.h"
#include "lib/types.h"

/* Only the thread itself touches it. */
struct shortage {
	u64 count; /* allocations that failed for want of frames */
	/* Tests: the fail_in-th allocation from now fails (1: the next); 0: none is to fail. */
	u64 fail_in;
	bool fail_on; /* and so do all after it, until fail_in is set anew */
	bool failed;  /* it has happened */
};

/* The current thread's. Implemented by proc/thread.c and hosted/host.c. */
struct shortage *shortage_current(void);

/*
 * Wait until somebody has given memory back, or was killed for it, as a fault may that holds no lock
 * of mm. False: give up (the thread is to die, or nobody may be killed). Implemented by proc/oom.c
 * and hosted/host.c.
 */
bool shortage_wait(void);

/* Make the n-th allocation of this thread from now fail, once (0: forget it). */
void alloc_fail_once(u64 n);
/* As alloc_fail_once(n + 1), and all that follow; UINT64_MAX: none. */
void alloc_fail_after(u64 n);

/* --- for allocators, that is frame.c and slab.c --- */
extern bool alloc_faults_used; /* A: a test has asked for a failure: look at each thread's wish */
bool alloc_fails_as_asked(void);
static inline bool alloc_should_fail(void)
{
	return unlikely(load_relaxed(&alloc_faults_used)) && alloc_fails_as_asked();
}
/* A block of 2^order frames was not to be had. */
void alloc_short(u32 order);

#endif
