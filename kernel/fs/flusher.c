/*
 * flusher.c - the thread that writes dirty pages out in the background. What it does and why is in
 * mm/writeback.h; here is only when.
 */
#include "arch/x86_64/cpu.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "mm/writeback.h"
#include "proc/proc.h"

#define NS_PER_CENTISEC 10000000ull

static u64 centisecs_ns(const u32 *setting)
{
	return load_relaxed(setting) * NS_PER_CENTISEC;
}

static void flusher(void *unused)
{
	for (;;) {
		u64 interval = centisecs_ns(&writeback_settings.interval_centisecs);
		u64 age = centisecs_ns(&writeback_settings.expire_centisecs);
		u64 now = clock_monotonic();
		bool stuck;

		writeback_run(now, now > age ? now - age : 0);
		stuck = writeback_is_due(); /* the host refuses, or nobody may write it: not at once again */
		if (stuck)
			interval = max(interval, NS_PER_SEC);
		(void)wait_event_deadline(&writeback_wait, !stuck && writeback_is_due(),
					  interval ? now + interval : DEADLINE_NONE);
	}
}

void flusher_start(void)
{
	if (!kthread_create(flusher, NULL, "flusher"))
		panic("no memory for the thread that writes back");
}
