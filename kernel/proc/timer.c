/*
 * timer.c - kernel timers: one pairing heap for each CPU, and the clock interrupt.
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
	struct timer *root;    /* lock: the earliest */
	struct timer *running; /* lock: whose function runs now */
	u64 armed;             /* this CPU only: what the hardware is set to */
};

static struct cpu_timers cpu_timers[CPUS_MAX] = {
	[0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT(RANK_TIMER), .armed = DEADLINE_NONE }
};

static struct timer *heap_meld(struct timer *a, struct timer *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->deadline < a->deadline) {
		struct timer *earlier = b;

		b = a;
		a = earlier;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* One heap of a list of siblings: meld them in pairs, then the pairs. */
static struct timer *heap_meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL;

	while (first) {
		struct timer *a = first, *b = a->next, *pair;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		pair = heap_meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct timer *next = pairs->next;

		pairs->next = NULL;
		root = heap_meld(root, pairs);
		pairs = next;
	}
	return root;
}

static void heap_remove(struct cpu_timers *c, struct timer *t)
{
	struct timer *below = heap_meld_siblings(t->child);

	if (c->root == t) {
		c->root = below;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		c->root = heap_meld(c->root, below);
	}
	t->child = t->next = t->prev = NULL;
	t->pending = false;
}

void timer_start(struct timer *t, u64 deadline_ns)
{
	u32 cpu = cpu_number();
	struct cpu_timers *c = &cpu_timers[cpu];

	debug_assert(!t->pending);
	spin_lock(&c->lock);
	t->deadline = deadline_ns;
	t->child = t->next = t->prev = NULL;
	t->cpu = cpu;
	t->pending = true;
	c->root = heap_meld(c->root, t);
	spin_unlock(&c->lock);
	if (deadline_ns < c->armed) {
		c->armed = deadline_ns;
		timer_arm(deadline_ns);
	}
}

/* One try. *running: its function runs, or it moves between CPUs. */
static bool cancel_once(struct timer *t, bool *running)
{
	struct cpu_timers *c = &cpu_timers[load_relaxed(&t->cpu)];
	bool was_pending;

	spin_lock(&c->lock);
	was_pending = t->pending && &cpu_timers[t->cpu] == c;
	*running = c->running == t && c != &cpu_timers[cpu_number()];
	if (was_pending)
		heap_remove(c, t);
	spin_unlock(&c->lock);
	if (!was_pending && load_acquire(&t->pending))
		*running = true;
	return was_pending;
}

bool timer_cancel(struct timer *t)
{
	bool running;

	for (;;) {
		if (cancel_once(t, &running))
			return true;
		if (!running)
			return false;
		cpu_relax();
	}
}

bool timer_cancel_nowait(struct timer *t)
{
	bool running;

	return cancel_once(t, &running);
}

void timer_rearm(void)
{
	struct cpu_timers *c = &cpu_timers[cpu_number()];
	u64 want = scheduler_next_tick();

	spin_lock(&c->lock);
	if (c->root)
		want = min(want, c->root->deadline);
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
	while (c->root && c->root->deadline <= now) {
		struct timer *t = c->root;

		heap_remove(c, t);
		c->running = t;
		spin_unlock(&c->lock);
		t->fn(t);
		spin_lock(&c->lock);
		c->running = NULL;
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
