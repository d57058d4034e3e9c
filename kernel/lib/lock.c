/*
 * lock.c - spinlocks, sleeping locks and the rank checker.
 *
 * Central rule: an uncontended lock is one atomic instruction, and everything about waiting happens
 * under the wait queue's lock: who must wait enqueues first and then looks at the lock once more;
 * who unlocks changes the lock first and then looks at the queue. Either order finds the other. A
 * debug build keeps the ranks of what a CPU or thread holds, and panics at the first lock that is
 * taken out of order.
 */
#include "lib/lock.h"

#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/waitq.h"

/* --- ranks --- */

#ifdef COPPICE_DEBUG

/* Ranks of which one may hold several; the order among those is in the rank's comment. */
static bool rank_may_repeat(u8 rank)
{
	switch (rank) {
	case RANK_INODE_DIR:
	case RANK_INODE:
	case RANK_EPOLL:
	case RANK_TTY:
	case RANK_SPACE:
	case RANK_SIGNAL:
	case RANK_SOCKET:
	case RANK_NODE:
	case RANK_FUTEX:
	case RANK_WAITQ: /* one queue's wake function wakes another: epoll */
	case RANK_RUNQ:
		return true;
	default:
		return false;
	}
}

static void rank_check(const struct lock_stack *s, u8 rank)
{
	for (u32 i = 0; i < s->depth; i++)
		if (s->rank[i] > rank || (s->rank[i] == rank && !rank_may_repeat(rank)))
			panic("lock of rank %u taken while one of rank %u is held", rank,
			      s->rank[i]);
}

static void rank_push(struct lock_stack *s, u8 rank)
{
	assert(s->depth < LOCK_DEPTH_MAX);
	s->rank[s->depth++] = rank;
}

static void rank_pop(struct lock_stack *s, u8 rank)
{
	u32 i = s->depth;

	while (i > 0 && s->rank[i - 1] != rank)
		i--;
	assert(i > 0);
	for (s->depth--; i <= s->depth; i++)
		s->rank[i - 1] = s->rank[i];
}

static void spin_note_before(const struct spinlock *l)
{
	assert(!spin_held(l));
	rank_check(lock_stack_cpu(), l->rank);
}

static void spin_note_locked(struct spinlock *l)
{
	store_relaxed(&l->owner, (u8)(cpu_number() + 1));
	rank_push(lock_stack_cpu(), l->rank);
}

static void spin_note_unlock(struct spinlock *l)
{
	assert(spin_held(l));
	store_relaxed(&l->owner, (u8)0);
	rank_pop(lock_stack_cpu(), l->rank);
}

/* May sleep: so not under a spinlock. */
static void sleep_note_before(u8 rank)
{
	if (lock_stack_cpu()->depth)
		panic("sleeping lock of rank %u taken under a spinlock of rank %u", rank,
		      lock_stack_cpu()->rank[0]);
	rank_check(lock_stack_thread(), rank);
}

static void sleep_note_locked(u8 rank)
{
	rank_push(lock_stack_thread(), rank);
}

static void sleep_note_unlock(u8 rank)
{
	rank_pop(lock_stack_thread(), rank);
}

void locks_must_be_free(const char *what, u64 number)
{
	const struct lock_stack *t = lock_stack_thread(), *c = lock_stack_cpu();

	if (t->depth || c->depth)
		panic("%s %lu leaves with a lock of rank %u held", what, (unsigned long)number,
		      t->depth ? t->rank[0] : c->rank[0]);
}

#else

void locks_must_be_free(const char *what, u64 number)
{
}

static inline void spin_note_before(const struct spinlock *l)
{
}

static inline void spin_note_locked(struct spinlock *l)
{
}

static inline void spin_note_unlock(struct spinlock *l)
{
}

static inline void sleep_note_before(u8 rank)
{
}

static inline void sleep_note_locked(u8 rank)
{
}

static inline void sleep_note_unlock(u8 rank)
{
}

#endif

/* --- spinlocks --- */

void spin_lock(struct spinlock *l)
{
	hosted_point();
	spin_note_before(l);
	while (unlikely(__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)))
		while (load_relaxed(&l->locked))
			cpu_relax();
	spin_note_locked(l);
}

bool spin_trylock(struct spinlock *l)
{
	hosted_point();
	if (load_relaxed(&l->locked) || __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE))
		return false;
	spin_note_locked(l);
	return true;
}

void spin_unlock(struct spinlock *l)
{
	spin_note_unlock(l);
	store_release(&l->locked, 0);
	hosted_point();
}

/* The owner is kept in debug builds; a release build knows only that somebody holds it. */
bool spin_held(const struct spinlock *l)
{
#ifdef COPPICE_DEBUG
	return load_relaxed(&l->locked) && load_relaxed(&l->owner) == cpu_number() + 1;
#else
	return load_relaxed(&l->locked);
#endif
}

/* --- sleeping locks: before sleep --- */

/*
 * Rounds that who finds a lock taken looks again before it sleeps. Most are held for a few
 * microseconds, by a thread that runs on another CPU: to halt this one, and to be woken by an
 * interrupt, takes both longer than that. Who holds one may sleep, so it is no more than a try.
 */
#define SPIN_ROUNDS 100

static bool spin_for(bool (*try)(void *lock), void *lock)
{
	if (!cpus_are_many())
		return false;
	for (u32 i = 0; i < SPIN_ROUNDS; i++) {
		if (try(lock))
			return true;
		cpu_relax();
	}
	return false;
}

/* --- mutexes --- */

enum { MUTEX_FREE, MUTEX_LOCKED, MUTEX_CONTENDED /* locked, and perhaps somebody waits */ };

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	*m = (struct mutex){ .rank = (u8)rank };
	waitq_init(&m->wait);
}

static bool mutex_try(void *lock)
{
	struct mutex *m = lock;
	u32 expected = MUTEX_FREE;

	return load_relaxed(&m->locked) == MUTEX_FREE &&
	       atomic_cas(&m->locked, &expected, MUTEX_LOCKED);
}

static void mutex_lock_slow(struct mutex *m)
{
	struct waiter w;

	if (spin_for(mutex_try, m))
		return;
	waiter_init(&w);
	w.exclusive = true;
	for (;;) {
		waitq_prepare(&m->wait, &w);
		if (atomic_exchange(&m->locked, MUTEX_CONTENDED) == MUTEX_FREE)
			break;
		thread_park(false, DEADLINE_NONE);
	}
	thread_cancel_park();
	waitq_finish(&m->wait, &w);
}

void mutex_lock(struct mutex *m)
{
	u32 expected = MUTEX_FREE;

	sleep_note_before(m->rank);
	debug_assert(load_relaxed(&m->owner) != thread_current());
	if (unlikely(!atomic_cas(&m->locked, &expected, MUTEX_LOCKED)))
		mutex_lock_slow(m);
	store_relaxed(&m->owner, thread_current());
	sleep_note_locked(m->rank);
}

bool mutex_trylock(struct mutex *m)
{
	u32 expected = MUTEX_FREE;

	if (!atomic_cas(&m->locked, &expected, MUTEX_LOCKED))
		return false;
	store_relaxed(&m->owner, thread_current());
	sleep_note_locked(m->rank);
	return true;
}

void mutex_unlock(struct mutex *m)
{
	debug_assert(load_relaxed(&m->owner) == thread_current());
	store_relaxed(&m->owner, NULL);
	sleep_note_unlock(m->rank);
	if (unlikely(atomic_exchange(&m->locked, MUTEX_FREE) == MUTEX_CONTENDED))
		waitq_wake_one(&m->wait);
}

/* --- reader-writer locks ---
 *
 * Phases alternate when both wait: a writer that leaves lets in all readers that queued meanwhile,
 * and the last reader that leaves wakes one writer. Readers are granted the lock by whoever wakes
 * them; a writer that is woken tries again, and stays in the queue until it has the lock.
 */

#define RW_WRITER (-1)

struct rw_waiter {
	struct waiter waiter; /* exclusive: a writer */
	bool granted;         /* guarded by the queue's lock */
};

void rwlock_init(struct rwlock *l, enum lock_rank rank)
{
	*l = (struct rwlock){ .rank = (u8)rank };
	waitq_init(&l->wait);
}

static bool rw_anyone_waits(const struct rwlock *l)
{
	return !list_empty(&l->wait.waiters);
}

static bool rw_try_read(struct rwlock *l)
{
	s32 n = load_relaxed(&l->count);

	hosted_point();
	while (n >= 0 && !load_relaxed(&l->writers_waiting))
		if (likely(atomic_cas(&l->count, &n, n + 1)))
			return true;
	return false;
}

static bool rw_try_write(struct rwlock *l)
{
	s32 n = 0;

	return load_relaxed(&l->count) == 0 && atomic_cas(&l->count, &n, RW_WRITER);
}

static bool spinning_read(void *lock)
{
	return rw_try_read(lock);
}

static bool spinning_write(void *lock)
{
	return rw_try_write(lock);
}

/*
 * Give the lock to all queued readers: how many. wait.lock held; the caller adds them to the count.
 */
static s32 rw_grant_readers(struct rwlock *l)
{
	struct waiter *w, *next;
	s32 granted = 0;

	list_for_each_safe (w, next, &l->wait.waiters, link) {
		if (w->exclusive)
			continue;
		list_remove(&w->link);
		container_of(w, struct rw_waiter, waiter)->granted = true;
		granted++;
		thread_unpark(w->thread);
	}
	return granted;
}

/* wait.lock held. */
static void rw_wake_writer(struct rwlock *l)
{
	struct waiter *w;

	list_for_each (w, &l->wait.waiters, link) {
		if (w->exclusive) {
			thread_unpark(w->thread);
			return;
		}
	}
}

static void read_lock_slow(struct rwlock *l)
{
	struct rw_waiter w = { 0 };

	waiter_init(&w.waiter);
	spin_lock(&l->wait.lock);
	list_push_back(&l->wait.waiters, &w.waiter.link);
	full_barrier(); /* queued before the lock is looked at: against write_unlock */
	if (rw_try_read(l)) {
		list_remove(&w.waiter.link);
		w.granted = true;
	}
	while (!w.granted) {
		thread_prepare_park();
		spin_unlock(&l->wait.lock);
		thread_park(false, DEADLINE_NONE);
		spin_lock(&l->wait.lock);
	}
	spin_unlock(&l->wait.lock);
}

void read_lock(struct rwlock *l)
{
	sleep_note_before(l->rank);
	if (unlikely(!rw_try_read(l) && !spin_for(spinning_read, l)))
		read_lock_slow(l);
	sleep_note_locked(l->rank);
}

bool read_trylock(struct rwlock *l)
{
	if (!rw_try_read(l))
		return false;
	sleep_note_locked(l->rank);
	return true;
}

/*
 * The last reader has left. Readers in the queue stand behind a writer, or are about to be let in
 * by the one that left before.
 */
static void read_unlock_slow(struct rwlock *l)
{
	spin_lock(&l->wait.lock);
	rw_wake_writer(l);
	spin_unlock(&l->wait.lock);
}

void read_unlock(struct rwlock *l)
{
	debug_assert(load_relaxed(&l->count) > 0);
	sleep_note_unlock(l->rank);
	if (atomic_sub_return(&l->count, 1) == 0 && unlikely(rw_anyone_waits(l)))
		read_unlock_slow(l);
}

static void write_lock_slow(struct rwlock *l)
{
	struct rw_waiter w = { 0 };

	atomic_add(&l->writers_waiting, 1); /* keeps new readers out while this spins, too */
	if (spin_for(spinning_write, l)) {
		atomic_sub(&l->writers_waiting, 1);
		return;
	}
	waiter_init(&w.waiter);
	w.waiter.exclusive = true;
	spin_lock(&l->wait.lock);
	list_push_back(&l->wait.waiters, &w.waiter.link);
	/* queued before the lock is looked at: against read_unlock and write_unlock */
	full_barrier();
	while (!rw_try_write(l)) {
		thread_prepare_park();
		spin_unlock(&l->wait.lock);
		thread_park(false, DEADLINE_NONE);
		spin_lock(&l->wait.lock);
	}
	atomic_sub(&l->writers_waiting, 1);
	list_remove(&w.waiter.link);
	spin_unlock(&l->wait.lock);
}

void write_lock(struct rwlock *l)
{
	sleep_note_before(l->rank);
	debug_assert(!write_held(l));
	if (unlikely(!rw_try_write(l)))
		write_lock_slow(l);
	store_relaxed(&l->owner, thread_current());
	sleep_note_locked(l->rank);
}

bool write_trylock(struct rwlock *l)
{
	if (!rw_try_write(l))
		return false;
	store_relaxed(&l->owner, thread_current());
	sleep_note_locked(l->rank);
	return true;
}

/*
 * The lock was left and then somebody found in the queue, who had perhaps seen it taken. Let them
 * in as if it had been free, unless the lock is taken again: then the queue is the business of who
 * leaves it.
 */
static void write_left_late(struct rwlock *l)
{
	spin_lock(&l->wait.lock);
	if (!rw_try_read(l)) {
		if (load_relaxed(&l->count) == 0)
			rw_wake_writer(l);
		spin_unlock(&l->wait.lock);
		return;
	}
	atomic_add(&l->count, rw_grant_readers(l));
	spin_unlock(&l->wait.lock);
	if (atomic_sub_return(&l->count, 1) == 0 && rw_anyone_waits(l))
		read_unlock_slow(l);
}

/* Leave the lock to `readers` and to all readers that wait; with neither, to the next writer. */
static void write_leave(struct rwlock *l, s32 readers)
{
	if (likely(!rw_anyone_waits(l))) {
		hosted_point();
		__atomic_exchange_n(&l->count, readers, __ATOMIC_SEQ_CST);
		hosted_point();
		if (unlikely(rw_anyone_waits(l)))
			write_left_late(l);
		return;
	}
	spin_lock(&l->wait.lock);
	readers += rw_grant_readers(l);
	__atomic_exchange_n(&l->count, readers, __ATOMIC_SEQ_CST);
	if (readers == 0)
		rw_wake_writer(l);
	spin_unlock(&l->wait.lock);
}

void write_unlock(struct rwlock *l)
{
	debug_assert(write_held(l));
	store_relaxed(&l->owner, NULL);
	sleep_note_unlock(l->rank);
	write_leave(l, 0);
}

void write_downgrade(struct rwlock *l)
{
	debug_assert(write_held(l));
	store_relaxed(&l->owner, NULL);
	write_leave(l, 1);
}

bool write_held(const struct rwlock *l)
{
	return load_relaxed(&l->count) == RW_WRITER && load_relaxed(&l->owner) == thread_current();
}
