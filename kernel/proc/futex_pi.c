/*
 * futex_pi.c - futexes with an owner: the word holds the tid of the thread that has the lock, and the
 * kernel passes it on (futex(2), FUTEX_LOCK_PI and its like).
 *
 * A lock that is waited for has a struct pi_state, which says who owns it. It lives while somebody is
 * queued for it, and its owner keeps it in a list, so that a dying owner's locks are passed on.
 * Giving up a lock hands it to the first waiter: the word, the state and the queue change together
 * under the bucket's lock. The scheduler runs all threads in turn, whatever their policy, so the owner
 * of a lock is never kept off the CPU by those who wait less: it needs no lent priority.
 *
 * An owner is found by its tid, and kept from dying by its process's signal lock, which comes before
 * the bucket's lock.
 */
#include <linux/futex.h>

#include "arch/x86_64/usercopy.h"
#include "mm/slab.h"
#include "proc/futex_priv.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

/* Guards which thread owns which state and which one it waits for (L). Below a bucket's lock (B). */
static struct spinlock pi_lock = SPINLOCK_INIT(RANK_FUTEX_OWNER);

struct pi_state {
	struct futex_key key; /* C: of the word */
	struct list link;     /* L: in owner->pi_states */
	struct thread *owner; /* B and L to change it */
	u32 waiters;          /* B: queued for it */
	bool inherited; /* B: the owner is still to write itself into the word of a dead one */
};

/* What an attempt comes to, or a negative errno. */
enum outcome {
	PI_TAKEN, /* the word says so */
	PI_WAIT,  /* there is a state to wait for */
	PI_RETRY, /* the word has changed */
	PI_FAULT, /* the word must be faulted in for writing */
	PI_DYING, /* the owner is dying: look again when it is dead */
};

/* A word, and the owner that it names, held so that they stay. */
struct attempt {
	struct futex_word word;
	struct futex_key key;
	struct futex_bucket *bucket;
	struct futex_bucket *also;     /* another bucket to be held, or NULL */
	u32 value;                     /* of the word */
	struct process *owner_process; /* its signal lock is held; NULL: the word names no thread */
	struct thread *owner;
};

/* --- states: B held --- */

static void state_set_owner(struct pi_state *s, struct thread *owner)
{
	spin_lock(&pi_lock);
	list_remove(&s->link);
	s->owner = owner;
	list_push_back(&owner->pi_states, &s->link);
	if (owner->pi_waits_for == s)
		owner->pi_waits_for = NULL;
	spin_unlock(&pi_lock);
}

static struct pi_state *state_new(const struct futex_key *key, struct thread *owner)
{
	struct pi_state *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	s->key = *key;
	list_init(&s->link);
	state_set_owner(s, owner);
	return s;
}

static void state_free_unused(struct pi_state *s)
{
	if (s->waiters)
		return;
	spin_lock(&pi_lock);
	list_remove(&s->link);
	spin_unlock(&pi_lock);
	kfree(s);
}

/* Would t, waiting for s, wait for itself? */
static bool state_would_deadlock(const struct pi_state *s, const struct thread *t)
{
	bool found = false;

	spin_lock(&pi_lock);
	while (s && !found) {
		found = s->owner == t;
		s = s->owner->pi_waits_for;
	}
	spin_unlock(&pi_lock);
	return found;
}

/* w, which is in the bucket, waits for s. */
static void state_join(struct pi_state *s, struct futex_waiter *w)
{
	w->kind = FUTEX_PI;
	w->pi = s;
	s->waiters++;
	spin_lock(&pi_lock);
	w->thread->pi_waits_for = s;
	spin_unlock(&pi_lock);
}

/* w waits no more. */
static void state_leave(struct futex_waiter *w)
{
	struct pi_state *s = w->pi;

	spin_lock(&pi_lock);
	w->thread->pi_waits_for = NULL;
	spin_unlock(&pi_lock);
	w->pi = NULL;
	s->waiters--;
	state_free_unused(s);
}

/* --- attempts --- */

static int attempt_prepare(struct attempt *a, struct futex_word word)
{
	int err = futex_key_get(word, true, &a->key);

	a->word = word;
	a->also = NULL;
	if (!err)
		a->bucket = futex_bucket_of(&a->key);
	return err;
}

static void attempt_end(struct attempt *a)
{
	futex_unlock_two(a->bucket, a->also ? a->also : a->bucket);
	if (a->owner_process) {
		spin_unlock(&a->owner_process->signal_lock);
		process_put(a->owner_process);
	}
}

/*
 * Find whom the word names, and lock. PI_WAIT (everything is held), or PI_RETRY or -EFAULT with
 * nothing held.
 */
static int attempt_begin(struct attempt *a)
{
	u32 tid, now;
	int err;

	a->owner_process = NULL;
	a->owner = NULL;
	if (get_user(a->value, (u32 __user *)a->word.address))
		return -EFAULT;
	tid = a->value & FUTEX_TID_MASK;
	if (tid)
		a->owner_process = pid_thread_process(tid);
	if (a->owner_process) {
		spin_lock(&a->owner_process->signal_lock);
		a->owner = process_thread(a->owner_process, tid);
	}
	futex_lock_two(a->bucket, a->also ? a->also : a->bucket);
	err = word_read(a->word.address, &now);
	if (!err && now == a->value)
		return PI_WAIT;
	attempt_end(a);
	return PI_RETRY;
}

/* After an attempt that has not come to an end: 0 to begin again. */
static int attempt_again(const struct attempt *a, int outcome)
{
	if (outcome < 0)
		return outcome;
	if (outcome == PI_FAULT)
		return word_fault_in(a->word.address, true);
	if (outcome == PI_DYING)
		thread_yield();
	return thread_killed() ? -EINTR : 0;
}

static int attempt_write(const struct attempt *a, u32 value)
{
	u32 seen;

	if (word_cas(a->word.address, a->value, value, &seen))
		return PI_FAULT;
	return seen == a->value ? PI_TAKEN : PI_RETRY;
}

/* Somebody waits for the lock already: does the word agree with what is known? */
static int check_state(const struct attempt *a, const struct futex_waiter *first)
{
	const struct pi_state *s = first->pi;
	u32 tid = a->value & FUTEX_TID_MASK;

	if (!s)
		return -EINVAL;
	if (s->inherited || (a->value & FUTEX_OWNER_DIED && !tid))
		return PI_WAIT;
	return tid == s->owner->tid ? PI_WAIT : -EINVAL;
}

/* Nobody waits yet: say in the word that somebody does, and make a state for the owner. */
static int make_state(struct attempt *a, struct pi_state **state)
{
	if (!(a->value & FUTEX_WAITERS)) {
		int r = attempt_write(a, a->value | FUTEX_WAITERS);

		if (r != PI_TAKEN)
			return r;
	}
	if (!a->owner)
		return -ESRCH;
	if (!a->owner->mm && !a->owner->futex_exiting)
		return -EPERM;
	if (a->owner->futex_exiting)
		return PI_DYING;
	*state = state_new(&a->key, a->owner);
	return *state ? PI_WAIT : -ENOMEM;
}

/*
 * All is held: t takes the lock (others wait for it: says the word if `more`), or *state is what it
 * has to wait for.
 */
static int attempt_lock(struct attempt *a, struct thread *t, bool more, struct pi_state **state)
{
	struct futex_waiter *first = futex_first(a->bucket, &a->key);
	u32 tid = a->value & FUTEX_TID_MASK;
	int r;

	if (tid == t->tid)
		return -EDEADLK;
	if (first) {
		r = check_state(a, first);
		*state = first->pi;
	} else if (!tid) {
		return attempt_write(a, (a->value & FUTEX_OWNER_DIED) | t->tid |
						(more ? FUTEX_WAITERS : 0));
	} else {
		r = make_state(a, state);
	}
	if (r == PI_WAIT && state_would_deadlock(*state, t)) {
		state_free_unused(*state);
		return -EDEADLK;
	}
	return r;
}

/* --- taking and giving up --- */

/*
 * The owner has died, and the first waiter is told that the lock is its own: it writes itself into
 * the word, which another's memory may not be mapped for. B held.
 */
static void pass_on(struct pi_state *s, struct futex_bucket *b)
{
	struct futex_waiter *first = futex_first(b, &s->key);

	state_set_owner(s, first->thread);
	s->inherited = true;
	store_release(&first->inherited, true);
	thread_unpark(first->thread);
}

/* B held: w leaves without having written the word, which is bad: the next may try. */
static void inherit_fail(struct futex_waiter *w, struct futex_bucket *b)
{
	struct pi_state *s = w->pi;
	bool others = s->waiters > 1;

	list_remove(&w->link);
	state_leave(w);
	if (others)
		pass_on(s, b);
}

/* w has the lock of a dead owner: write so into the word. 0 or -EFAULT. */
static int inherit(struct futex_waiter *w, u64 address)
{
	for (;;) {
		struct futex_bucket *b = futex_waiter_lock(w);
		u32 value, seen;
		int err = word_read(address, &value);

		if (!err)
			err = word_cas(address, value,
				       FUTEX_WAITERS | FUTEX_OWNER_DIED | w->thread->tid, &seen);
		if (!err && seen == value) {
			w->pi->inherited = false;
			list_remove(&w->link);
			state_leave(w);
			spin_unlock(&b->lock);
			return 0;
		}
		spin_unlock(&b->lock);
		if (err && word_fault_in(address, true)) {
			b = futex_waiter_lock(w);
			inherit_fail(w, b);
			spin_unlock(&b->lock);
			return -EFAULT;
		}
	}
}

/* After a wait that ended with err: 0 if the lock is ours all the same. */
static int lock_end(struct futex_waiter *w, u64 address, int err)
{
	struct futex_bucket *b = futex_waiter_lock(w);
	bool inherited = w->inherited;

	if (!w->woken && !inherited) {
		list_remove(&w->link);
		if (w->pi)
			state_leave(w);
	}
	if (w->woken)
		err = 0;
	spin_unlock(&b->lock);
	return inherited ? inherit(w, address) : err;
}

/* All is held: queue w for the state, or do without a wait. */
static int lock_queue(struct attempt *a, struct futex_waiter *w, struct pi_state *state, bool try)
{
	if (try) {
		state_free_unused(state);
		return -EAGAIN;
	}
	w->key = a->key;
	futex_enqueue(a->bucket, w);
	state_join(state, w);
	return PI_WAIT;
}

int futex_lock_pi(struct futex_word word, u64 deadline, bool try)
{
	struct futex_waiter w;
	struct attempt a;
	int r = attempt_prepare(&a, word);

	if (r)
		return r;
	futex_waiter_init(&w, FUTEX_PI, FUTEX_BITSET_MATCH_ANY);
	for (;;) {
		struct pi_state *state;

		r = attempt_begin(&a);
		if (r == PI_WAIT) {
			r = attempt_lock(&a, w.thread, false, &state);
			if (r == PI_WAIT)
				r = lock_queue(&a, &w, state, try);
			attempt_end(&a);
		}
		if (r == PI_TAKEN || r == PI_WAIT)
			break;
		r = attempt_again(&a, r);
		if (r)
			return r;
	}
	if (r == PI_TAKEN)
		return 0;
	return lock_end(&w, word.address, futex_park(&w, deadline));
}

/* B held: from this thread to the first waiter, or to nobody. */
static int unlock_locked(struct attempt *a)
{
	struct thread *self = thread_current();
	struct futex_waiter *first = futex_first(a->bucket, &a->key);
	struct pi_state *s;
	int r;

	if (!first)
		return attempt_write(a, 0);
	s = first->pi;
	if (!s || s->owner != self)
		return -EINVAL;
	r = attempt_write(a, FUTEX_WAITERS | first->thread->tid);
	if (r != PI_TAKEN)
		return r;
	state_set_owner(s, first->thread);
	state_leave(first);
	futex_waiter_wake(first);
	return PI_TAKEN;
}

int futex_unlock_pi(struct futex_word word)
{
	u32 self = thread_current()->tid;
	struct attempt a = { 0 };
	int r;

	if (get_user(a.value, (u32 __user *)word.address))
		return -EFAULT;
	if ((a.value & FUTEX_TID_MASK) != self)
		return -EPERM;
	r = attempt_prepare(&a, word);
	while (!r) {
		if (get_user(a.value, (u32 __user *)word.address))
			return -EFAULT;
		if ((a.value & FUTEX_TID_MASK) != self)
			return -EPERM;
		spin_lock(&a.bucket->lock);
		r = unlock_locked(&a);
		spin_unlock(&a.bucket->lock);
		if (r == PI_TAKEN)
			return 0;
		r = attempt_again(&a, r);
	}
	return r;
}

/* --- waiters that are moved to a lock --- */

int futex_wait_requeue_pi(struct futex_word word, u32 value, u64 deadline, struct futex_word lock)
{
	struct futex_waiter w;
	struct futex_bucket *b;
	int err;

	futex_waiter_init(&w, FUTEX_TO_PI, FUTEX_BITSET_MATCH_ANY);
	err = futex_key_get(lock, true, &w.target);
	if (!err)
		err = futex_key_get(word, false, &w.key);
	if (!err && futex_key_same(&w.key, &w.target))
		err = -EINVAL;
	if (!err)
		err = futex_wait_begin(&w, word.address, value);
	if (err)
		return err;
	err = futex_park(&w, deadline);
	b = futex_waiter_lock(&w);
	/* Once moved, the call cannot begin again: it would not find the value. */
	if (err == -EINTR && w.kind == FUTEX_PI)
		err = -EAGAIN;
	spin_unlock(&b->lock);
	return lock_end(&w, lock.address, err);
}

/* Both buckets held: move those that wait at `from`, all but `done`, to the state. */
static int move_waiters(struct attempt *a, const struct futex_key *from, struct thread *owner,
			struct pi_state *state, s32 requeue, s32 done)
{
	struct futex_waiter *w, *next;
	int err = 0;

	list_for_each_safe (w, next, &a->also->waiters, link) {
		if (done - 1 >= requeue)
			break;
		if (!futex_key_same(&w->key, from))
			continue;
		err = w->kind == FUTEX_TO_PI && futex_key_same(&w->target, &a->key) ? 0 : -EINVAL;
		if (!err && !state) {
			state = state_new(&a->key, owner);
			err = state ? 0 : -ENOMEM;
		}
		if (!err && state_would_deadlock(state, w->thread))
			err = -EDEADLK;
		if (err)
			break;
		futex_waiter_move(w, a->bucket, &a->key);
		state_join(state, w);
		done++;
	}
	if (state)
		state_free_unused(state);
	return err ? err : done;
}

/* All is held: the first waiter gets the lock, or is moved to it with the others. */
static int requeue_locked(struct attempt *a, const struct futex_key *from, s32 requeue, s32 *moved)
{
	struct futex_waiter *first = futex_first(a->also, from);
	struct thread *owner = NULL;
	struct pi_state *state = NULL;
	int r;

	*moved = 0;
	if (!first)
		return PI_TAKEN;
	if (first->kind != FUTEX_TO_PI || !futex_key_same(&first->target, &a->key))
		return -EINVAL;
	r = attempt_lock(a, first->thread, requeue > 0, &state);
	if (r != PI_TAKEN && r != PI_WAIT)
		return r;
	if (r == PI_TAKEN) {
		owner = first->thread;
		futex_waiter_wake(first);
	}
	r = move_waiters(a, from, owner, state, requeue, owner ? 1 : 0);
	*moved = r;
	return r < 0 ? r : PI_TAKEN;
}

int futex_requeue_pi(struct futex_word from, struct futex_word lock, s32 requeue, u32 value)
{
	struct futex_key key;
	struct attempt a;
	s32 moved = 0;
	int r = requeue < 0 ? -EINVAL : futex_key_get(from, false, &key);

	if (!r)
		r = attempt_prepare(&a, lock);
	if (!r && futex_key_same(&key, &a.key))
		r = -EINVAL;
	if (r)
		return r;
	a.also = futex_bucket_of(&key);
	for (;;) {
		u32 now;

		if (get_user(now, (u32 __user *)from.address))
			return -EFAULT;
		r = attempt_begin(&a);
		if (r == PI_WAIT) {
			if (word_read(from.address, &now))
				r = PI_RETRY;
			else
				r = now != value ? -EAGAIN
						 : requeue_locked(&a, &key, requeue, &moved);
			attempt_end(&a);
		}
		if (r == PI_TAKEN)
			return moved;
		r = attempt_again(&a, r);
		if (r)
			return r;
	}
}

/* --- death --- */

/* L held: is s, which may have gone since it was looked at, still t's, and guarded by b? */
static bool state_is_owned(const struct pi_state *s, const struct thread *t,
			   const struct futex_bucket *b)
{
	const struct pi_state *own;

	list_for_each (own, &t->pi_states, link) {
		if (own == s)
			return futex_bucket_of(&s->key) == b;
	}
	return false;
}

/* Pass on what seems to be t's first state. False: it has none. */
static bool pass_on_first(struct thread *t)
{
	struct futex_bucket *b = NULL;
	struct pi_state *s;
	bool owned;

	spin_lock(&pi_lock);
	s = list_first(&t->pi_states, struct pi_state, link);
	if (s)
		b = futex_bucket_of(&s->key);
	spin_unlock(&pi_lock);
	if (!s)
		return false;
	spin_lock(&b->lock);
	spin_lock(&pi_lock);
	owned = state_is_owned(s, t, b);
	spin_unlock(&pi_lock);
	if (owned)
		pass_on(s, b);
	spin_unlock(&b->lock);
	return true;
}

void pi_states_exit(struct thread *t)
{
	while (pass_on_first(t))
		;
}
