/*
 * load.c - figures about scheduling, for /proc: what runs, what has run, and how busy the CPUs are.
 * Queues are looked at without their locks: each number was right a moment ago.
 */
#include "proc/runq_priv.h"

bool cpu_is_online(u32 cpu)
{
	return cpu < CPUS_MAX && load_relaxed(&online) & BIT(cpu);
}

u64 cpus_online_mask(void)
{
	return load_relaxed(&online);
}

u32 scheduler_cpu_count(void)
{
	return (u32)__builtin_popcountll(load_relaxed(&online));
}

u64 thread_runtime(const struct thread *t, u64 now)
{
	u64 ns = t->user_ns + t->system_ns;

	if (runqs[t->cpu].current == t && now > t->switch_stamp)
		ns += now - t->switch_stamp;
	return ns;
}

u32 scheduler_runnable_count(void)
{
	u32 n = 0;

	for (u64 left = load_relaxed(&online); left; left &= left - 1) {
		const struct runq *q = &runqs[__builtin_ctzll(left)];

		n += load_relaxed(&q->nready) + (load_relaxed(&q->current) != q->idle);
	}
	return n;
}

u64 scheduler_cpu_idle_ns(u32 cpu)
{
	const struct runq *q = &runqs[cpu];
	u64 now = clock_monotonic(), since;

	if (!cpu_is_online(cpu))
		return 0;
	since = load_relaxed(&q->idle->switch_stamp);
	return load_relaxed(&q->idle_ns) +
	       (load_relaxed(&q->current) == q->idle ? now - min(now, since) : 0);
}

u64 scheduler_idle_ns(void)
{
	u64 ns = 0;

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
		ns += scheduler_cpu_idle_ns(cpu);
	return ns;
}

u64 scheduler_switch_count(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
		n += load_relaxed(&runqs[cpu].switches);
	return n;
}

/*
 * Load averages: how many threads are runnable, smoothed over 1, 5 and 15 minutes. Nobody counts
 * periodically on an idle machine: each look brings the averages up to date, as if the present
 * number had held since the last look; the smoothing of 5 seconds at a time is Linux's.
 */
#define LOAD_INTERVAL_NS (5 * NS_PER_SEC)
#define LOAD_ONE 2048u
#define LOAD_STEPS_MAX 1024u

static struct spinlock load_lock = SPINLOCK_INIT(RANK_RUNQ); /* the two below */
static u64 load_averages[3], load_last;

void scheduler_load_average(u32 load[3])
{
	static const u32 keep[3] = { 1884, 2014, 2037 }; /* e^(-5s/period) in 1/2048 */
	u32 runnable = scheduler_runnable_count();
	u64 active = (runnable ? runnable - 1 : 0) * 65536ull, now = clock_monotonic(), steps;

	spin_lock(&load_lock);
	steps = min((now - min(now, load_last)) / LOAD_INTERVAL_NS, (u64)LOAD_STEPS_MAX);
	for (u64 s = 0; s < steps; s++) {
		for (u32 i = 0; i < 3; i++)
			load_averages[i] =
				(load_averages[i] * keep[i] + active * (LOAD_ONE - keep[i])) /
				LOAD_ONE;
	}
	if (steps)
		load_last = now;
	for (u32 i = 0; i < 3; i++)
		load[i] = (u32)load_averages[i];
	spin_unlock(&load_lock);
}
