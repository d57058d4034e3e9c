/*
 * timer.h - one-shot kernel timers.
 *
 * Each CPU keeps its timers in a heap ordered by deadline and arms its hardware for the first. A
 * timer's function runs in the timer interrupt of the CPU that started it: it may wake and send
 * signals, but not sleep.
 */
#ifndef PROC_TIMER_H
#define PROC_TIMER_H

#include "lib/heap.h"

struct timer {
	struct heap_node node; /* key: the deadline, monotonic ns */
	void (*fn)(struct timer *t);
	u32 cpu; /* whose heap, while pending */
	bool pending;
};

static inline void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	*t = (struct timer){ .fn = fn };
}

/* Start t, which must not be pending. */
void timer_start(struct timer *t, u64 deadline_ns);
/*
 * On return t is not pending and its function does not run (unless the caller is that function).
 * True if it was pending.
 */
bool timer_cancel(struct timer *t);
/*
 * As timer_cancel, but does not wait for a function that runs on another CPU. For callers that hold
 * a lock which that function takes.
 */
bool timer_cancel_nowait(struct timer *t);

#endif
