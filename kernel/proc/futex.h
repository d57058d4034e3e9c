/*
 * futex.h - what kernel/sys asks of futexes (futex(2)): the operations, decoded.
 *
 * A word is named by its address and by whether other processes may share it. Times are monotonic
 * nanoseconds, DEADLINE_NONE for none. All may sleep; no lock may be held. -EFAULT: the word cannot
 * be read (or written, where the operation writes); -EINVAL: not aligned, or what futex(2) says.
 */
#ifndef PROC_FUTEX_H
#define PROC_FUTEX_H

#include "lib/types.h"

struct futex_word {
	u64 address;
	bool shared;
};

/* 0, -EAGAIN (another value), -ETIMEDOUT, -EINTR. */
int futex_wait(struct futex_word word, u32 value, u32 bitset, u64 deadline);
/* How many were woken: at least one if there is one, as on Linux, whatever count says. */
int futex_wake(struct futex_word word, s32 count, u32 bitset);
/* Wakes and moves: how many of both. value NULL: whatever the word holds; else -EAGAIN. */
int futex_requeue(struct futex_word from, struct futex_word to, s32 wake, s32 requeue,
		  const u32 *value);
int futex_wake_op(struct futex_word first, struct futex_word second, s32 wake, s32 wake2,
		  u32 operation);

#define FUTEX_WAIT_MANY 128u /* words that one call may wait for */
struct futex_expected {
	struct futex_word word;
	u32 value;
};
/* Which one was woken (the last of them), or errno as futex_wait. count <= FUTEX_WAIT_MANY. */
int futex_wait_many(const struct futex_expected *words, u32 count, u64 deadline);

/* --- with an owner (futex_pi.c): the word holds the owner's tid --- */
/* try: -EAGAIN where it would wait. -EDEADLK, -ESRCH: no such owner. -EINTR: begin again. */
int futex_lock_pi(struct futex_word word, u64 deadline, bool try);
int futex_unlock_pi(struct futex_word word); /* -EPERM: it is another's */
/* Wait on `word` until another moves this thread to the lock, and get that. */
int futex_wait_requeue_pi(struct futex_word word, u32 value, u64 deadline, struct futex_word lock);
int futex_requeue_pi(struct futex_word from, struct futex_word lock, s32 requeue, u32 value);

/* Where the robust list of a thread (0: the current one) begins. -ESRCH, -EPERM. */
int futex_robust_list_of(u32 tid, u64 *head);

#endif
