/*
 * runq.c - the order in which threads of one CPU run.
 *
 * Central rule: each thread has a virtual time, which goes on while it runs: the faster, the nicer it
 * is; whose is least runs next. Who sleeps does not gain more than WAKE_CREDIT_NS on the others by it:
 * enough to be served at once, not enough to keep them from running. Real-time threads (sched(7)) come
 * before all others, by priority and then by arrival; but of a second they leave 50 ms to the others,
 * as Linux's do, so that one that never sleeps does not take the machine with it.
 */
#include <linux/sched.h>

#include "proc/process_priv.h"
#include "proc/runq_priv.h"

#define WAKE_CREDIT_NS 3000000ll
#define REALTIME_MAX_NS 950000000ull
#define NORMAL_LEAST_NS 50000000ull
#define NICE_MIN (-20)
#define NICE_LEVELS 40
#define WEIGHT_NICE_0 1024u
#define WEIGHT_IDLE 3u /* SCHED_IDLE */
#define VIRTUAL_START BIT(40)

#define KEY_NORMAL BIT(63)
#define KEY_PRIORITY_SHIFT 48
#define REALTIME_PRIORITY_MAX 99u

/* Ten per cent of the CPU for a level, as nice(2) has it on Linux: a quarter more weight. C. */
static u32 weights[NICE_LEVELS];

struct runq runqs[CPUS_MAX] = { [0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT(RANK_RUNQ),
							 .clock = VIRTUAL_START,
							 .slice_end = DEADLINE_NONE } };
u64 online;
u64 idle_cpus;

void weights_init(void)
{
	u32 w = WEIGHT_NICE_0;

	for (s32 nice = 0; nice >= NICE_MIN; nice--, w += w / 4)
		weights[nice - NICE_MIN] = w;
	w = WEIGHT_NICE_0 * 4 / 5;
	for (s32 nice = 1; nice < NICE_LEVELS + NICE_MIN; nice++, w -= w / 5)
		weights[nice - NICE_MIN] = w;
}

static u32 policy_of(const struct thread *t)
{
	return t->policy & ~(u32)POLICY_RESET_ON_FORK;
}

bool thread_is_realtime(const struct thread *t)
{
	u32 policy = policy_of(t);

	return policy == SCHED_FIFO || policy == SCHED_RR;
}

u64 thread_virtual(const struct thread *t, u64 ran)
{
	u32 weight = policy_of(t) == SCHED_IDLE ? WEIGHT_IDLE : weights[t->nice - NICE_MIN];

	return weight == WEIGHT_NICE_0 ? ran : ran * WEIGHT_NICE_0 / weight;
}

u64 runq_current_virtual(const struct runq *q, u64 now)
{
	const struct thread *t = q->current;

	return t->virtual_ns + thread_virtual(t, now - min(now, t->switch_stamp));
}

void runq_advance(struct runq *q, u64 now)
{
	const struct thread *first = runq_first(q);
	u64 least = UINT64_MAX;

	if (q->current != q->idle && !thread_is_realtime(q->current))
		least = runq_current_virtual(q, now);
	if (first && !thread_is_realtime(first))
		least = min(least, first->virtual_ns);
	if (least != UINT64_MAX)
		q->clock = max(q->clock, least);
}

static u64 runq_key(struct runq *q, struct thread *t)
{
	if (!thread_is_realtime(t))
		return KEY_NORMAL | t->virtual_ns;
	return (u64)(REALTIME_PRIORITY_MAX - t->rt_priority) << KEY_PRIORITY_SHIFT | q->sequence++;
}

void runq_insert(struct runq *q, struct thread *t, u64 now)
{
	t->run_node.key = runq_key(q, t);
	t->ready_since = now;
	t->queued = true;
	heap_insert(&q->ready, &t->run_node);
	store_relaxed(&q->nready, q->nready + 1);
}

void runq_remove(struct runq *q, struct thread *t)
{
	heap_remove(&q->ready, &t->run_node);
	t->queued = false;
	store_relaxed(&q->nready, q->nready - 1);
}

void runq_place(struct runq *q, struct thread *t, u64 from)
{
	s64 ahead = (s64)(t->virtual_ns - from);

	t->virtual_ns = q->clock + (u64)max(ahead, -WAKE_CREDIT_NS);
}

static struct thread *first_normal(const struct runq *q)
{
	struct thread *best = NULL;

	for (struct heap_node *n = q->ready; n; n = heap_next(n)) {
		struct thread *t = container_of(n, struct thread, run_node);

		if (!thread_is_realtime(t) && (!best || n->key < best->run_node.key))
			best = t;
	}
	return best;
}

bool runq_owes_normal(const struct runq *q, u64 now)
{
	return now > q->normal_ran + REALTIME_MAX_NS && first_normal(q);
}

struct thread *runq_choose(struct runq *q, u64 now)
{
	struct thread *t = runq_first(q);

	if (likely(!t || !thread_is_realtime(t)))
		return t;
	q->normal_until = 0;
	if (runq_owes_normal(q, now)) {
		q->normal_until = now + NORMAL_LEAST_NS;
		return first_normal(q);
	}
	return t;
}

bool runq_preempts(const struct runq *q, const struct thread *t, u64 now, u64 granule)
{
	const struct thread *c = q->current;

	if (c == q->idle)
		return true;
	if (thread_is_realtime(t) && now < q->normal_until)
		return false;
	if (thread_is_realtime(t))
		return !thread_is_realtime(c) || t->rt_priority > c->rt_priority;
	return !thread_is_realtime(c) && runq_current_virtual(q, now) > t->virtual_ns + granule;
}
