/*
 * waitq.c - queues of waiting threads.
 *
 * Central rule: whoever is woken leaves the queue at once, under its lock; so two wake-ups never
 * meet the same sleeper, and a thread that has come back from waitq_finish is in nobody's hands.
 * Shared waiters stand in front of exclusive ones: waking one wakes all of the former. waitq.h has
 * the protocol.
 */
#include "lib/waitq.h"

#include "lib/atomic.h"

void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, RANK_WAITQ);
	list_init(&q->waiters);
}

void waiter_init(struct waiter *w)
{
	*w = (struct waiter){ .thread = thread_current() };
	list_init(&w->link);
}

/* q->lock held. */
static void waiter_enqueue(struct waitq *q, struct waiter *w)
{
	if (!list_empty(&w->link))
		return;
	if (w->exclusive)
		list_push_back(&q->waiters, &w->link);
	else
		list_push_front(&q->waiters, &w->link);
}

/*
 * Announced before queued: a wake-up that finds w takes it off the queue, and must then keep the
 * thread from parking, for the condition may be gone again when the thread tests it.
 */
void waitq_prepare(struct waitq *q, struct waiter *w)
{
	thread_prepare_park();
	waitq_add(q, w);
	full_barrier(); /* the caller tests its condition now; against waitq_wake */
}

/* The lock is taken even when w is off the queue: its waker may still be busy with it. */
void waitq_finish(struct waitq *q, struct waiter *w)
{
	waitq_remove(q, w);
}

void waitq_add(struct waitq *q, struct waiter *w)
{
	spin_lock(&q->lock);
	waiter_enqueue(q, w);
	spin_unlock(&q->lock);
}

void waitq_remove(struct waitq *q, struct waiter *w)
{
	spin_lock(&q->lock);
	list_remove(&w->link);
	spin_unlock(&q->lock);
}

/* Wake one waiter; true if it counts as woken. q->lock held. */
static bool waiter_wake(struct waiter *w, u64 key)
{
	if (w->wake)
		return w->wake(w, key);
	list_remove(&w->link);
	thread_unpark(w->thread);
	return true;
}

/* Wake all shared waiters and up to `exclusive` of the others. */
static void waitq_wake(struct waitq *q, u64 key, u32 exclusive)
{
	struct waiter *w, *next;

	hosted_point();
	full_barrier(); /* the condition was changed before the queue is looked at */
	if (list_empty(&q->waiters))
		return;
	spin_lock(&q->lock);
	list_for_each_safe (w, next, &q->waiters, link)
		if (waiter_wake(w, key) && w->exclusive && --exclusive == 0)
			break;
	spin_unlock(&q->lock);
}

void waitq_wake_all(struct waitq *q)
{
	waitq_wake(q, UINT64_MAX, UINT32_MAX);
}

void waitq_wake_one(struct waitq *q)
{
	waitq_wake(q, UINT64_MAX, 1);
}

void waitq_wake_key(struct waitq *q, u64 key)
{
	waitq_wake(q, key, UINT32_MAX);
}
