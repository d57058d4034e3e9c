/*
 * balance.c - which CPU a thread runs on.
 *
 * A new or woken thread goes to a CPU that idles, if there is one: the one it ran on last, rather. But
 * a thread that wakes another and then sleeps itself (two ends of a pipe, a parent that waits for its
 * child) hands its CPU over: waking a second CPU would cost both more than it gives. Who does so is
 * learnt: from what it did the last few times.
 *
 * A child of fork waits a moment where its parent runs, even if another CPU idles. Both write at once
 * to the same few pages (the stack, locks of the allocator): who comes first copies a path of tables,
 * and who comes after that takes the old ones over; together, both copy them and wait for each other.
 * And a parent that soon sleeps (to wait for the child, mostly) needs no second CPU.
 *
 * Nothing balances periodically: a CPU that runs out of work looks for threads that wait elsewhere,
 * and one whose threads wait looks at its ticks for a CPU that idles or has less to do.
 */
#include "lib/print.h"
#include "proc/runq_priv.h"

#define WAIT_BEFORE_PULL_NS 200000ull /* a thread that has waited so long is not about to be run */
#define PUSH_INTERVAL_NS 20000000ull
#define HEAD_START_NS 500000ull /* of a parent before its child */
#define HANDOFF_NS 500000ull    /* between a wake-up and sleep */
#define HANDOFF_SURE 2u
#define HANDOFF_MAX 3u

static u64 allowed_cpus(const struct thread *t)
{
	u64 all = load_relaxed(&online), allowed = load_relaxed(&t->affinity) & all;

	return allowed ? allowed : all;
}

/* --- handing over --- */

/* The current thread wakes or makes another; not called in an interrupt, which wakes for devices. */
static bool hands_over(struct thread *self, u64 now)
{
	if (self->last_wake && self->handoff)
		self->handoff--;
	self->last_wake = now;
	return self->exiting || self->handoff >= HANDOFF_SURE;
}

void handoff_learn(struct thread *t, u64 now)
{
	if (!t->last_wake)
		return;
	if (now - t->last_wake > HANDOFF_NS)
		t->handoff -= t->handoff > 0;
	else if (t->handoff < HANDOFF_MAX)
		t->handoff++;
	t->last_wake = 0;
}

/* --- choosing --- */

/* Only one may wake up a CPU that halts. */
static bool claim_idle(u32 cpu)
{
	return __atomic_fetch_and(&idle_cpus, ~BIT(cpu), __ATOMIC_ACQ_REL) & BIT(cpu);
}

/* How many threads a CPU has: a hint. */
static u32 cpu_load(u32 cpu)
{
	const struct runq *q = &runqs[cpu];

	return load_relaxed(&q->nready) + (load_relaxed(&q->current) != q->idle);
}

static u32 least_loaded(u64 cpus)
{
	u32 best = (u32)__builtin_ctzll(cpus);

	for (; cpus; cpus &= cpus - 1) {
		u32 cpu = (u32)__builtin_ctzll(cpus);

		if (cpu_load(cpu) < cpu_load(best))
			best = cpu;
	}
	return best;
}

/* May t wait for the current thread, which made it, while another CPU idles? */
static bool waits_for_parent(const struct thread *t)
{
	u64 allowed = allowed_cpus(t);

	return allowed & BIT(cpu_number()) && !load_relaxed(&this_runq()->nready) &&
	       load_relaxed(&idle_cpus) & allowed;
}

/* *claimed: the CPU halts, and it is the caller's to kick it. */
static u32 choose_cpu(const struct thread *t, bool woken, bool handed_over, bool *claimed)
{
	u64 allowed = allowed_cpus(t), idle;
	u32 self = cpu_number(), last = load_relaxed(&t->cpu);

	*claimed = false;
	if (handed_over && allowed & BIT(self) && !load_relaxed(&runqs[self].nready))
		return self;
	if (allowed & BIT(last) && cpu_load(last) == 0) {
		*claimed = claim_idle(last);
		return last;
	}
	while ((idle = load_relaxed(&idle_cpus) & allowed)) {
		u32 cpu = (u32)__builtin_ctzll(idle);

		if (claim_idle(cpu)) {
			*claimed = true;
			return cpu;
		}
	}
	return woken && allowed & BIT(last) ? last : least_loaded(allowed);
}

/*
 * t is in q now, whose lock is held: is q's CPU to be interrupted, to run it or to tick? Sets what
 * that CPU will find.
 */
static bool arrival_noted(struct runq *q, struct thread *t, enum arrival how, u64 now)
{
	struct thread *running = q->current;
	bool woken = how == ARRIVAL_WOKEN;
	u64 look = woken                   ? now + WAKEUP_GRANULE_NS
		   : how == ARRIVAL_FORKED ? now + HEAD_START_NS
					   : running->switch_stamp + TIME_SLICE_NS;

	if (running == q->idle)
		return false; /* looks before it halts */
	if (runq_preempts(q, t, now, woken ? WAKEUP_GRANULE_NS : TIME_SLICE_NS)) {
		atomic_or(&running->work, WORK_RESCHED);
		return true;
	}
	if (look >= q->slice_end)
		return false;
	q->slice_end = look;
	return true;
}

void enqueue(struct thread *t, enum arrival how)
{
	struct thread *self = thread_current();
	u64 now = clock_monotonic();
	bool handed_over = !this_cpu()->in_interrupt && self && hands_over(self, now);
	bool claimed, kick;
	struct runq *q;
	u32 cpu;

	if (how == ARRIVAL_FORKED) {
		if (waits_for_parent(t))
			handed_over = true;
		else
			how = ARRIVAL_OTHER;
	}
	for (;;) {
		cpu = choose_cpu(t, how == ARRIVAL_WOKEN, handed_over, &claimed);
		q = &runqs[cpu];
		spin_lock(&q->lock);
		runq_advance(q, now);
		runq_place(q, t, load_relaxed(&runqs[t->cpu].clock));
		__atomic_store_n(&t->cpu, cpu, __ATOMIC_SEQ_CST); /* against affinity_changed */
		if (likely(allowed_cpus(t) & BIT(cpu)))
			break;
		spin_unlock(&q->lock);
		if (claimed)
			cpu_kick(cpu);
	}
	runq_insert(q, t, now);
	kick = arrival_noted(q, t, how, now) || claimed;
	spin_unlock(&q->lock);
	if (!kick)
		return;
	if (cpu != cpu_number())
		cpu_kick(cpu);
	else
		timer_rearm();
}

/* --- moving those that wait --- */

static void lock_two(struct runq *a, struct runq *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	spin_lock(a < b ? &b->lock : &a->lock);
}

/* Move one thread that has waited for min_wait, or waits behind another. Both locked. */
static struct thread *move_one(struct runq *from, struct runq *to, u64 min_wait, u64 now)
{
	u32 cpu = (u32)(to - runqs);

	for (struct heap_node *n = from->ready; n; n = heap_next(n)) {
		struct thread *t = container_of(n, struct thread, run_node);

		if (!(allowed_cpus(t) & BIT(cpu)))
			continue;
		if (from->nready < 2 && now - min(now, t->ready_since) < min_wait)
			continue;
		runq_remove(from, t);
		runq_place(to, t, from->clock);
		store_relaxed(&t->cpu, cpu);
		runq_insert(to, t, now);
		return t;
	}
	return NULL;
}

bool balance_pull(struct runq *q)
{
	u64 others = load_relaxed(&online) & ~BIT(cpu_number());
	struct runq *busiest = NULL;
	struct thread *t;

	for (; others; others &= others - 1) {
		struct runq *o = &runqs[__builtin_ctzll(others)];

		if (load_relaxed(&o->nready) > (busiest ? load_relaxed(&busiest->nready) : 0))
			busiest = o;
	}
	if (!busiest)
		return false;
	lock_two(q, busiest);
	t = move_one(busiest, q, WAIT_BEFORE_PULL_NS, clock_monotonic());
	spin_unlock(&busiest->lock);
	spin_unlock(&q->lock);
	return t;
}

static void push_to(struct runq *q, u32 cpu, u64 now)
{
	struct runq *to = &runqs[cpu];
	struct thread *t;
	bool kick;

	lock_two(q, to);
	t = move_one(q, to, 0, now);
	kick = t && (arrival_noted(to, t, ARRIVAL_OTHER, now) || claim_idle(cpu));
	spin_unlock(&to->lock);
	spin_unlock(&q->lock);
	if (kick)
		cpu_kick(cpu);
}

void balance_push(struct runq *q, u64 now)
{
	u64 others = load_relaxed(&online) & ~BIT(cpu_number()), idle;
	u32 cpu;

	if (!load_relaxed(&q->nready) || !others)
		return;
	idle = load_relaxed(&idle_cpus) & others;
	if (idle) {
		cpu_kick((u32)__builtin_ctzll(idle)); /* it pulls what may run there */
		return;
	}
	if (now - q->pushed < PUSH_INTERVAL_NS)
		return;
	q->pushed = now;
	cpu = least_loaded(others);
	if (cpu_load(cpu) + 2 <= cpu_load(cpu_number()))
		push_to(q, cpu, now);
}
