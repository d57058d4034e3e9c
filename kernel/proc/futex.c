/*
 * futex.c - futexes: waiting in the kernel for a word of user memory to change (futex(2)).
 *
 * A waiter compares the word and queues itself under the lock of its bucket; a waker changes the
 * word first and looks at the queue under that lock after: so none is missed. A word is named by
 * what mm says it is (space_key), so that processes that share memory meet. futex_pi.c has the locks
 * with an owner, futex_robust.c what becomes of a dying thread's.
 */
#include <linux/futex.h>
#include <linux/sched.h>

#include "arch/x86_64/usercopy.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/futex_priv.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define BUCKET_BITS 10
#define BUCKETS (1u << BUCKET_BITS)

static struct futex_bucket buckets[BUCKETS];

void futex_init(void)
{
	for (u32 i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

/* --- words --- */

int word_read(u64 address, u32 *value)
{
	struct thread *t = thread_current();
	int err;

	t->faults_off = true;
	err = get_user(*value, (u32 __user *)address);
	t->faults_off = false;
	return err;
}

int word_cas(u64 address, u32 expected, u32 desired, u32 *seen)
{
	struct thread *t = thread_current();
	int err;

	t->faults_off = true;
	err = cas_user_u32((u32 __user *)address, expected, desired, seen);
	t->faults_off = false;
	return err;
}

/* Exchanging a value for itself is a write that changes nothing. */
int word_fault_in(u64 address, bool write)
{
	u32 value, seen;

	if (get_user(value, (u32 __user *)address))
		return -EFAULT;
	return write ? cas_user_u32((u32 __user *)address, value, value, &seen) : 0;
}

/* Aligned addresses leave the lowest bits of a key free. */
#define KEY_SHARED_PRIVATE \
	1 /* may be shared, says the program, but is memory of this space alone */

int futex_key_get(struct futex_word word, bool write, struct futex_key *key)
{
	struct mm *mm = thread_current()->mm;
	int err;

	if (word.address % sizeof(u32))
		return -EINVAL;
	if (!user_range_ok((void __user *)word.address, sizeof(u32)))
		return -EFAULT;
	if (word.shared && word_fault_in(word.address, write))
		return -EFAULT;
	err = space_key(mm, word.address, word.shared, key->part);
	if (!err && word.shared && key->part[0] == mm->id)
		key->part[1] |= KEY_SHARED_PRIVATE;
	return err;
}

/* --- buckets --- */

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
	u64 h = (key->part[0] ^ key->part[1] >> 2 ^ key->part[1] << 17) * 0x9e3779b97f4a7c15ull;

	return &buckets[h >> (64 - BUCKET_BITS)];
}

void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock(a < b ? &b->lock : &a->lock);
}

void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

void futex_waiter_init(struct futex_waiter *w, enum futex_kind kind, u32 bitset)
{
	struct thread *t = thread_current();
	u32 policy = t->policy & ~(u32)POLICY_RESET_ON_FORK;

	*w = (struct futex_waiter){ .kind = (u8)kind, .bitset = bitset, .thread = t };
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		w->priority = t->rt_priority;
}

void futex_enqueue(struct futex_bucket *b, struct futex_waiter *w)
{
	struct list *after = b->waiters.prev;

	while (after != &b->waiters &&
	       list_entry(after, struct futex_waiter, link)->priority < w->priority)
		after = after->prev;
	list_push_front(after, &w->link);
	store_release(&w->bucket, b);
}

void futex_waiter_wake(struct futex_waiter *w)
{
	list_remove(&w->link);
	store_release(&w->woken, true);
	thread_unpark(w->thread);
}

void futex_waiter_move(struct futex_waiter *w, struct futex_bucket *to, const struct futex_key *key)
{
	w->key = *key;
	if (w->bucket == to)
		return;
	list_remove(&w->link);
	futex_enqueue(to, w);
}

struct futex_waiter *futex_first(struct futex_bucket *b, const struct futex_key *key)
{
	struct futex_waiter *w;

	list_for_each (w, &b->waiters, link) {
		if (futex_key_same(&w->key, key))
			return w;
	}
	return NULL;
}

struct futex_bucket *futex_waiter_lock(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = load_acquire(&w->bucket);

		spin_lock(&b->lock);
		if (w->bucket == b)
			return b;
		spin_unlock(&b->lock);
	}
}

/* --- waiting --- */

int futex_park(struct futex_waiter *w, u64 deadline)
{
	int err = 0;

	for (;;) {
		thread_prepare_park();
		if (load_acquire(&w->woken) || load_acquire(&w->inherited) || err) {
			thread_cancel_park();
			return err;
		}
		err = thread_park(true, deadline);
	}
}

int futex_wait_begin(struct futex_waiter *w, u64 address, u32 value)
{
	struct futex_bucket *b = futex_bucket_of(&w->key);

	for (;;) {
		u32 now;
		int err;

		spin_lock(&b->lock);
		err = word_read(address, &now);
		if (!err && now == value) {
			futex_enqueue(b, w);
			spin_unlock(&b->lock);
			return 0;
		}
		spin_unlock(&b->lock);
		if (!err)
			return -EAGAIN;
		if (word_fault_in(address, false))
			return -EFAULT;
	}
}

/* Off the queue, wherever it was moved to. False: it has been woken. */
static bool wait_end(struct futex_waiter *w)
{
	struct futex_bucket *b = futex_waiter_lock(w);
	bool queued = !w->woken;

	list_remove(&w->link);
	spin_unlock(&b->lock);
	return queued;
}

int futex_wait(struct futex_word word, u32 value, u32 bitset, u64 deadline)
{
	struct futex_waiter w;
	int err;

	if (!bitset)
		return -EINVAL;
	futex_waiter_init(&w, FUTEX_PLAIN, bitset);
	err = futex_key_get(word, false, &w.key);
	if (!err)
		err = futex_wait_begin(&w, word.address, value);
	if (err)
		return err;
	err = futex_park(&w, deadline);
	return wait_end(&w) ? err : 0;
}

static bool any_woken(const struct futex_waiter *w, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		if (load_acquire(&w[i].woken))
			return true;
	}
	return false;
}

static int park_many(const struct futex_waiter *w, u32 count, u64 deadline)
{
	int err = 0;

	for (;;) {
		thread_prepare_park();
		if (any_woken(w, count) || err) {
			thread_cancel_park();
			return err;
		}
		err = thread_park(true, deadline);
	}
}

/* Off all queues: the last that was woken, or -1. */
static int end_many(struct futex_waiter *w, u32 count)
{
	int woken = -1;

	for (u32 i = 0; i < count; i++) {
		if (!wait_end(&w[i]))
			woken = (int)i;
	}
	return woken;
}

int futex_wait_many(const struct futex_expected *words, u32 count, u64 deadline)
{
	struct futex_waiter *w = kmalloc(count * sizeof(*w));
	int err = 0, woken;
	u32 n;

	if (!w)
		return -ENOMEM;
	for (n = 0; n < count && !err; n++) {
		futex_waiter_init(&w[n], FUTEX_PLAIN, FUTEX_BITSET_MATCH_ANY);
		err = futex_key_get(words[n].word, false, &w[n].key);
	}
	if (err) {
		kfree(w);
		return err;
	}
	for (n = 0; n < count; n++) {
		err = futex_wait_begin(&w[n], words[n].word.address, words[n].value);
		if (err)
			break;
	}
	if (!err)
		err = park_many(w, count, deadline);
	woken = end_many(w, n);
	kfree(w);
	return woken >= 0 ? woken : err;
}

/* --- waking --- */

/*
 * B held: up to count waiters of the word. -EINVAL: they wait for a lock, which has other calls.
 */
static int wake_in_bucket(struct futex_bucket *b, const struct futex_key *key, s32 count,
			  u32 bitset)
{
	struct futex_waiter *w, *next;
	s32 woken = 0;

	list_for_each_safe (w, next, &b->waiters, link) {
		if (!futex_key_same(&w->key, key))
			continue;
		if (w->kind != FUTEX_PLAIN)
			return -EINVAL;
		if (!(w->bitset & bitset))
			continue;
		futex_waiter_wake(w);
		if (++woken >= count)
			break;
	}
	return woken;
}

int futex_wake(struct futex_word word, s32 count, u32 bitset)
{
	struct futex_bucket *b;
	struct futex_key key;
	int err = bitset ? futex_key_get(word, false, &key) : -EINVAL;

	if (err)
		return err;
	b = futex_bucket_of(&key);
	spin_lock(&b->lock);
	err = wake_in_bucket(b, &key, count, bitset);
	spin_unlock(&b->lock);
	return err;
}

/* Both buckets held. */
static int requeue_locked(struct futex_bucket *a, struct futex_bucket *b,
			  const struct futex_key *from, const struct futex_key *to, s32 wake,
			  s32 requeue)
{
	struct futex_waiter *w, *next;
	s32 done = 0;

	list_for_each_safe (w, next, &a->waiters, link) {
		if (done - wake >= requeue)
			break;
		if (!futex_key_same(&w->key, from))
			continue;
		if (w->kind != FUTEX_PLAIN)
			return -EINVAL;
		if (++done <= wake)
			futex_waiter_wake(w);
		else
			futex_waiter_move(w, b, to);
	}
	return done;
}

int futex_requeue(struct futex_word from, struct futex_word to, s32 wake, s32 requeue,
		  const u32 *value)
{
	struct futex_key key, target;
	struct futex_bucket *a, *b;
	int err = wake < 0 || requeue < 0 ? -EINVAL : futex_key_get(from, false, &key);

	if (!err)
		err = futex_key_get(to, false, &target);
	if (err)
		return err;
	a = futex_bucket_of(&key);
	b = futex_bucket_of(&target);
	for (;;) {
		u32 now;
		int result = 0;

		futex_lock_two(a, b);
		err = value ? word_read(from.address, &now) : 0;
		if (!err)
			result = value && now != *value
					 ? -EAGAIN
					 : requeue_locked(a, b, &key, &target, wake, requeue);
		futex_unlock_two(a, b);
		if (!err)
			return result;
		if (word_fault_in(from.address, false))
			return -EFAULT;
	}
}

/* --- FUTEX_WAKE_OP --- */

/* 0, or -ENOSYS for what is no operation. */
static int operation_result(u32 encoded, u32 old, u32 *result)
{
	u32 arg = (u32)((s32)(encoded << 8) >> 20);

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = 1u << (arg & 31);
	switch (encoded >> 28 & 7) {
	case FUTEX_OP_SET:
		*result = arg;
		return 0;
	case FUTEX_OP_ADD:
		*result = old + arg;
		return 0;
	case FUTEX_OP_OR:
		*result = old | arg;
		return 0;
	case FUTEX_OP_ANDN:
		*result = old & ~arg;
		return 0;
	case FUTEX_OP_XOR:
		*result = old ^ arg;
		return 0;
	}
	return -ENOSYS;
}

/* Does the old value compare as asked? 0 or 1, or -ENOSYS. */
static int operation_compare(u32 encoded, s32 old)
{
	s32 against = (s32)(encoded << 20) >> 20;

	switch (encoded >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return old == against;
	case FUTEX_OP_CMP_NE:
		return old != against;
	case FUTEX_OP_CMP_LT:
		return old < against;
	case FUTEX_OP_CMP_LE:
		return old <= against;
	case FUTEX_OP_CMP_GT:
		return old > against;
	case FUTEX_OP_CMP_GE:
		return old >= against;
	}
	return -ENOSYS;
}

/*
 * B held: change the word as asked; 0 or 1 as the comparison came out, -ENOSYS, or -EFAULT where it
 * must be faulted in.
 */
static int operate(u64 address, u32 encoded)
{
	u32 old, new, seen;
	int err = word_read(address, &old);

	while (!err) {
		err = operation_result(encoded, old, &new);
		if (!err)
			err = word_cas(address, old, new, &seen);
		if (err)
			break;
		if (seen == old)
			return operation_compare(encoded, (s32)old);
		old = seen;
	}
	return err;
}

int futex_wake_op(struct futex_word first, struct futex_word second, s32 wake, s32 wake2,
		  u32 operation)
{
	struct futex_key key, key2;
	struct futex_bucket *a, *b;
	int err = futex_key_get(first, false, &key);

	if (!err)
		err = futex_key_get(second, true, &key2);
	if (err)
		return err;
	a = futex_bucket_of(&key);
	b = futex_bucket_of(&key2);
	for (;;) {
		int matched, woken = 0, more = 0;

		futex_lock_two(a, b);
		matched = operate(second.address, operation);
		if (matched >= 0)
			woken = wake_in_bucket(a, &key, wake, FUTEX_BITSET_MATCH_ANY);
		if (matched > 0 && woken >= 0)
			more = wake_in_bucket(b, &key2, wake2, FUTEX_BITSET_MATCH_ANY);
		futex_unlock_two(a, b);
		if (matched < 0 && matched != -EFAULT)
			return matched;
		if (matched >= 0)
			return woken < 0 ? woken : more < 0 ? more : woken + more;
		if (word_fault_in(second.address, true))
			return -EFAULT;
	}
}
