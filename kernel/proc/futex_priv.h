/*
 * futex_priv.h - what the files of the futex implementation tell each other.
 *
 * Waiters lie in buckets by what names their word. A bucket's lock is held while the word is read or
 * changed and the queue looked at, so that the two agree: the word must be touched without sleeping
 * then. word_read and word_cas fail where a fault would be needed; the caller lets go of its locks,
 * calls word_fault_in and begins again.
 */
#ifndef PROC_FUTEX_PRIV_H
#define PROC_FUTEX_PRIV_H

#include "proc/futex.h"
#include "proc/proc.h"

struct futex_key {
	u64 part[2];
};

struct futex_bucket {
	struct spinlock lock;
	struct list waiters; /* struct futex_waiter.link, the more urgent first, else by arrival */
} __attribute__((aligned(64)));

enum futex_kind {
	FUTEX_PLAIN,
	FUTEX_TO_PI, /* waits to be moved to a lock */
	FUTEX_PI,    /* waits for a lock */
};

/* On the stack of the thread that waits. B: lock of the bucket it is in. */
struct futex_waiter {
	struct list link;            /* B */
	struct futex_bucket *bucket; /* B, old and new one to change it */
	struct futex_key key;        /* B */
	struct futex_key target;     /* C: FUTEX_TO_PI: the lock's */
	u32 bitset;                  /* C */
	u8 priority;                 /* C: of a real-time thread, else 0 */
	u8 kind;                     /* B: enum futex_kind */
	bool woken;                  /* A: taken off the queue by another (a lock: it has it) */
	bool inherited;        /* A: has the lock of a dead owner, and is to say so in the word */
	struct pi_state *pi;   /* B: of the lock; NULL but for FUTEX_PI */
	struct thread *thread; /* C */
};

int futex_key_get(struct futex_word word, bool write, struct futex_key *key);
static inline bool futex_key_same(const struct futex_key *a, const struct futex_key *b)
{
	return a->part[0] == b->part[0] && a->part[1] == b->part[1];
}
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
/* Two buckets in the order of their addresses; the same one once. */
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);

void futex_waiter_init(struct futex_waiter *w, enum futex_kind kind, u32 bitset);
void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w); /* B held */
/* B held: off the queue and on its way. The waiter lives until it has taken that lock. */
void futex_waiter_wake(struct futex_waiter *w);
void futex_waiter_move(struct futex_waiter *w, struct futex_bucket *to,
		       const struct futex_key *key); /* B of both held */
/* B held: the first that waits for the word, or NULL. */
struct futex_waiter *futex_first(struct futex_bucket *b, const struct futex_key *key);
/* Lock the bucket that w is in, wherever it was moved to. */
struct futex_bucket *futex_waiter_lock(struct futex_waiter *w);
/* Queue w, which has its key, if the word has the value. 0, -EAGAIN or -EFAULT. */
int futex_wait_begin(struct futex_waiter *w, u64 address, u32 value);
/* Until w is woken or inherits (0), the deadline (-ETIMEDOUT) or a signal (-EINTR). */
int futex_park(struct futex_waiter *w, u64 deadline);

/* Without faults: spinlocks may be held. 0 or -EFAULT. */
int word_read(u64 address, u32 *value);
int word_cas(u64 address, u32 expected, u32 desired, u32 *seen);
/* So that they go through, for reading or writing: no lock held. 0 or -EFAULT. */
int word_fault_in(u64 address, bool write);

/* futex_pi.c: t dies, or is another program from here on: its locks go to who waits for them. */
void pi_states_exit(struct thread *t);

#endif
