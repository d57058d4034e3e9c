/*
 * waitq.h - waiting for a condition.
 *
 * Protocol, free of lost wake-ups: enqueue and announce the park (waitq_prepare), test the
 * condition, then park. A wake between the two makes thread_park return at once. The waker changes
 * the condition first and wakes after.
 */
#ifndef LIB_WAITQ_H
#define LIB_WAITQ_H

#include "lib/err.h"
#include "lib/lock.h"

struct thread;

struct waiter {
	struct list link; /* in waitq.waiters */
	struct thread *thread;
	/*
	 * Called under the queue's lock instead of unparking, when not NULL (poll, epoll). True:
	 * count it as one woken.
	 */
	bool (*wake)(struct waiter *w, u64 key);
	bool exclusive; /* waitq_wake_one stops after one of these */
};

#define WAITQ_INIT(q)                                                                \
	{                                                                            \
		.lock = SPINLOCK_INIT(RANK_WAITQ), .waiters = LIST_INIT((q).waiters) \
	}

void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w); /* for the current thread */
/*
 * Put w on q and announce that this thread is about to park. May be repeated with the same w in a
 * loop.
 */
void waitq_prepare(struct waitq *q, struct waiter *w);
/* Take w off q; the thread is running again. */
void waitq_finish(struct waitq *q, struct waiter *w);
/* Add and remove a waiter with a wake function, without parking. */
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_remove(struct waitq *q, struct waiter *w);

void waitq_wake_all(struct waitq *q);
void waitq_wake_one(struct waitq *q);
void waitq_wake_key(struct waitq *q,
		    u64 key); /* all, passing key (poll event bits) to wake functions */

#define DEADLINE_NONE UINT64_MAX

/*
 * Supplied by the host (proc/sched.c; hosted/cpu.c). Times are nanoseconds of the monotonic clock.
 * thread_prepare_park: from now until thread_park an unpark is not lost. thread_park: leave the CPU
 * until unparked or past the deadline, or (interruptible) until a signal is pending; returns 0,
 * -ETIMEDOUT or -EINTR. No spinlock may be held.
 */
struct thread *thread_current(void);
void thread_prepare_park(void);
int thread_park(bool interruptible, u64 deadline_ns);
void thread_cancel_park(void);        /* instead of thread_park: the condition held already */
void thread_unpark(struct thread *t); /* any context */
bool thread_killed(void);             /* the current thread is to die: long work stops */
bool thread_interrupted(void);        /* an unblocked signal is pending for the current thread */

/*
 * Wait until cond; no spinlock held; cond is evaluated without locks and may be evaluated several
 * times.
 */
#define wait_event(q, cond) ((void)wait_event_until_(q, cond, false, DEADLINE_NONE))
/* 0, or -ERESTARTSYS when a signal arrived first. */
#define wait_event_interruptible(q, cond)                                    \
	({                                                                   \
		int wei_r = wait_event_until_(q, cond, true, DEADLINE_NONE); \
		wei_r == -EINTR ? -ERESTARTSYS : wei_r;                      \
	})
/* 0, -ETIMEDOUT, or -EINTR when a signal arrived first. */
#define wait_event_deadline(q, cond, deadline) wait_event_until_(q, cond, true, deadline)

#define wait_event_until_(q, cond, interruptible, deadline)                       \
	({                                                                        \
		int we_result = 0;                                                \
		if (!(cond)) {                                                    \
			struct waiter we_waiter;                                  \
			waiter_init(&we_waiter);                                  \
			for (;;) {                                                \
				waitq_prepare(q, &we_waiter);                     \
				if (cond) {                                       \
					thread_cancel_park();                     \
					we_result = 0;                            \
					break;                                    \
				}                                                 \
				if (we_result) {                                  \
					thread_cancel_park();                     \
					break;                                    \
				}                                                 \
				we_result = thread_park(interruptible, deadline); \
			}                                                         \
			waitq_finish(q, &we_waiter);                              \
		}                                                                 \
		we_result;                                                        \
	})

#endif
