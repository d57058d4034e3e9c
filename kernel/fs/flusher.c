/*
 * flusher.c - the thread that writes dirty pages out in the background. What it does and why is in
 * mm/writeback.h; here is only when.
 */
#include "arch/x86_64/cpu.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "mm/tunable.h"
#include "mm/writeback.h"
#include "proc/proc.h"

#define NS_PER_CENTISEC 10000000ull
#define LOOK_NS (5 * NS_PER_SEC) /* how often, where nothing is to be written for its age */

static u64 centisecs_ns(const u64 *tunable)
{
	return load_relaxed(tunable) * NS_PER_CENTISEC;
}

static void flusher(void *unused)
{
	for (;;) {
		u64 interval = centisecs_ns(&mm_tunables.dirty_writeback);
		u64 age = centisecs_ns(&mm_tunables.dirty_expire);
		u64 now = clock_monotonic();
		bool stuck;

		writeback_run(now, interval && now > age ? now - age : 0);
		/* The host refuses, or what is dirty is not for the background: not at once again. */
		stuck = writeback_is_due();
		if (stuck || !interval)
			interval = LOOK_NS;
		(void)wait_event_deadline(&writeback_wait, !stuck && writeback_is_due(),
					  now + interval);
	}
}

void flusher_start(void)
{
	if (!kthread_create(flusher, NULL, "flusher"))
		panic("no memory for the thread that writes back");
}
