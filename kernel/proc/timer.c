/*
 * timer.c - kernel timers: one heap for each CPU, and the clock interrupt.
 *
 * The clock of a CPU is armed lazily: it may ring too early (nothing is due; it is armed anew),
 * never too late. sched.c is the other user of the clock: it asks for a tick while threads compete
 * for the CPU.
 */
#include "arch/x86_64/trap.h"
#include "lib/lock.h"
#include "lib/print.h"
#include "proc/sched_priv.h"

struct cpu_timers {
	struct spinlock lock;
	struct heap_node *root; /* lock: the earliest: struct timer.node */
	struct timer *running;  /* A: whose function runs now; set with the lock held */
	u64 armed;              /* this CPU only: what the hardware is set to */
};

static struct cpu_timers cpu_timers[CPUS_MAX] = {
	[0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT(RANK_TIMER), .armed = DEADLINE_NONE }
};

static void take_out(struct cpu_timers *c, struct timer *t)
{
	heap_remove(&c->root, &t->node);
	t->pending = false;
}

void timer_start(struct timer *t, u64 deadline_ns)
{
	u32 cpu = cpu_number();
	struct cpu_timers *c = &cpu_timers[cpu];

	debug_assert(!t->pending);
	spin_lock(&c->lock);
	t->node.key = deadline_ns;
	t->cpu = cpu;
	t->pending = true;
	heap_insert(&c->root, &t->node);
	spin_unlock(&c->lock);
	if (deadline_ns < c->armed) {
		c->armed = deadline_ns;
		timer_arm(deadline_ns);
	}
}

/* Out of its heap, wherever it moves. False: it was in none. */
static bool take_out_anywhere(struct timer *t)
{
	while (load_acquire(&t->pending)) {
		struct cpu_timers *c = &cpu_timers[load_relaxed(&t->cpu)];
		bool found;

		spin_lock(&c->lock);
		found = t->pending && &cpu_timers[t->cpu] == c;
		if (found)
			take_out(c, t);
		spin_unlock(&c->lock);
		if (found)
			return true;
		cpu_relax();
	}
	return false;
}

/* Does its function run on another CPU? It may have been started anew since, on any. */
static bool runs_elsewhere(const struct timer *t)
{
	for (u64 others = cpus_online_mask() & ~BIT(cpu_number()); others; others &= others - 1)
		if (load_acquire(&cpu_timers[__builtin_ctzll(others)].running) == t)
			return true;
	return false;
}

bool timer_cancel(struct timer *t)
{
	bool was_pending = take_out_anywhere(t);

	/* A function that runs may start its timer again. */
	while (runs_elsewhere(t)) {
		cpu_relax();
		was_pending |= take_out_anywhere(t);
	}
	return take_out_anywhere(t) || was_pending;
}

bool timer_cancel_nowait(struct timer *t)
{
	return take_out_anywhere(t);
}

void timer_rearm(void)
{
	struct cpu_timers *c = &cpu_timers[cpu_number()];
	u64 want = scheduler_next_tick();

	spin_lock(&c->lock);
	if (c->root)
		want = min(want, c->root->key);
	spin_unlock(&c->lock);
	if (want < c->armed) {
		c->armed = want;
		timer_arm(want);
	}
}

/*
 * Run what is due. The lock is not held while a function runs, so that it may start its timer
 * again.
 */
static void timers_expire(struct cpu_timers *c, u64 now)
{
	spin_lock(&c->lock);
	while (c->root && c->root->key <= now) {
		struct timer *t = container_of(c->root, struct timer, node);

		take_out(c, t);
		store_relaxed(&c->running, t);
		spin_unlock(&c->lock);
		t->fn(t);
		spin_lock(&c->lock);
		store_release(&c->running, NULL);
	}
	spin_unlock(&c->lock);
}

void timer_interrupt(bool from_user)
{
	struct cpu_timers *c = &cpu_timers[cpu_number()];
	u64 now = clock_monotonic();

	c->armed = DEADLINE_NONE;
	timers_expire(c, now);
	scheduler_tick(now);
	timer_rearm();
}
