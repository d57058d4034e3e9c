/*
 * futex.c - futexes: waiting in the kernel for a word of user memory to change (futex(2)).
 *
 * A waiter queues itself first and reads the word after; a waker changes the word first and looks
 * at the queue after: so one of them sees the other. The word is read with no lock held, because
 * reading may fault. A word is named by what mm says it is (space_key), so that processes that
 * share memory meet.
 */
#include <linux/futex.h>

#include "arch/x86_64/usercopy.h"
#include "mm/space.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define BUCKETS 256u
#define ROBUST_LIST_MAX 2048u

struct bucket {
	struct spinlock lock;
	struct list waiters; /* struct futex_waiter.link, in order of arrival */
};

struct futex_waiter {
	struct list link;      /* bucket lock; empty list: woken */
	struct bucket *bucket; /* bucket lock of the old and the new one to change */
	u64 key[2];
	u32 bitset;
	struct thread *thread;
	bool woken;
};

static struct bucket buckets[BUCKETS];

static struct bucket *bucket_of(const u64 key[2])
{
	u64 h = (key[0] ^ key[1] >> 2 ^ key[1] << 17) * 0x9e3779b97f4a7c15ull;
	struct bucket *b = &buckets[h >> 56];

	return b;
}

void futex_init(void)
{
	for (u32 i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, RANK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

static bool same_key(const u64 a[2], const u64 b[2])
{
	return a[0] == b[0] && a[1] == b[1];
}

static int key_get(u64 address, bool shared, u64 key[2])
{
	if (address % sizeof(u32))
		return -EINVAL;
	if (!user_range_ok((void __user *)address, sizeof(u32)))
		return -EFAULT;
	return space_key(thread_current()->mm, address, shared, key);
}

/* Bucket locked: the waiter's stack frame lives until it has taken this lock. */
static void wake_waiter(struct futex_waiter *w)
{
	list_remove(&w->link);
	store_release(&w->woken, true);
	thread_unpark(w->thread);
}

/* Up to count waiters of the key in the locked bucket. */
static u32 wake_in_bucket(struct bucket *b, const u64 key[2], u32 count, u32 bitset)
{
	struct futex_waiter *w, *next;
	u32 woken = 0;

	list_for_each_safe (w, next, &b->waiters, link) {
		if (woken == count)
			break;
		if (same_key(w->key, key) && w->bitset & bitset) {
			wake_waiter(w);
			woken++;
		}
	}
	return woken;
}

/* Off the queue, wherever it was requeued to. False: it has been woken. */
static bool waiter_remove(struct futex_waiter *w)
{
	for (;;) {
		struct bucket *b = load_acquire(&w->bucket);
		bool queued;

		spin_lock(&b->lock);
		if (w->bucket != b) {
			spin_unlock(&b->lock);
			continue;
		}
		queued = !w->woken;
		if (queued)
			list_remove(&w->link);
		spin_unlock(&b->lock);
		return queued;
	}
}

static int waiter_park(struct futex_waiter *w, u64 deadline)
{
	int err = 0;

	for (;;) {
		thread_prepare_park();
		if (load_acquire(&w->woken) || err) {
			thread_cancel_park();
			return err;
		}
		err = thread_park(true, deadline);
	}
}

/* 0, -EAGAIN (another value), -EFAULT, -ETIMEDOUT, -EINTR. */
int futex_wait(u64 address, u32 value, u32 bitset, bool shared, u64 deadline)
{
	struct futex_waiter w = { .bitset = bitset, .thread = thread_current() };
	int err = bitset ? key_get(address, shared, w.key) : -EINVAL;
	u32 now;

	if (err)
		return err;
	w.bucket = bucket_of(w.key);
	spin_lock(&w.bucket->lock);
	list_push_back(&w.bucket->waiters, &w.link);
	spin_unlock(&w.bucket->lock);
	if (get_user(now, (u32 __user *)address))
		err = -EFAULT;
	else if (now != value)
		err = -EAGAIN;
	else
		err = waiter_park(&w, deadline);
	return waiter_remove(&w) ? err : 0;
}

int futex_wake(u64 address, u32 count, u32 bitset, bool shared)
{
	struct bucket *b;
	u64 key[2];
	int err = bitset ? key_get(address, shared, key) : -EINVAL;

	if (err)
		return err;
	b = bucket_of(key);
	spin_lock(&b->lock);
	err = (int)wake_in_bucket(b, key, count, bitset);
	spin_unlock(&b->lock);
	return err;
}

void futex_wake_address(struct mm *mm, u64 va)
{
	u64 key[2];
	struct bucket *b;

	if (space_key(mm, va, true, key))
		return;
	b = bucket_of(key);
	spin_lock(&b->lock);
	wake_in_bucket(b, key, 1, FUTEX_BITSET_MATCH_ANY);
	spin_unlock(&b->lock);
}

/* Two buckets in the order of their addresses; the same one once. */
static void lock_two(struct bucket *a, struct bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

int futex_requeue(u64 from, u64 to, u32 wake, u32 requeue, bool compare, u32 value, bool shared)
{
	struct futex_waiter *w, *next;
	struct bucket *a, *b;
	u64 key[2], target[2];
	u32 woken, moved = 0, now;
	int err = key_get(from, shared, key);

	if (!err)
		err = key_get(to, shared, target);
	if (!err && compare && get_user(now, (u32 __user *)from))
		err = -EFAULT;
	if (err)
		return err;
	if (compare && now != value)
		return -EAGAIN;
	a = bucket_of(key);
	b = bucket_of(target);
	lock_two(a, b);
	woken = wake_in_bucket(a, key, wake, FUTEX_BITSET_MATCH_ANY);
	list_for_each_safe (w, next, &a->waiters, link) {
		if (moved == requeue)
			break;
		if (!same_key(w->key, key))
			continue;
		list_remove(&w->link);
		list_push_back(&b->waiters, &w->link);
		w->key[0] = target[0];
		w->key[1] = target[1];
		store_release(&w->bucket, b);
		moved++;
	}
	unlock_two(a, b);
	return (int)(woken + moved);
}

/*
 * The operation of FUTEX_WAKE_OP on the word: 0 with *matched the comparison's outcome, or errno.
 */
static int wake_operation(u64 address, u32 encoded, bool *matched)
{
	u32 op = encoded >> 28 & 7, compare = encoded >> 24 & 15;
	s32 arg = (s32)(encoded << 8) >> 20, against = (s32)(encoded << 20) >> 20;
	u32 old, seen;

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		arg = (s32)(1u << (arg & 31));
	if (get_user(old, (u32 __user *)address))
		return -EFAULT;
	for (;;) {
		u32 new;

		switch (op) {
		case FUTEX_OP_SET:
			new = (u32)arg;
			break;
		case FUTEX_OP_ADD:
			new = old + (u32)arg;
			break;
		case FUTEX_OP_OR:
			new = old | (u32)arg;
			break;
		case FUTEX_OP_ANDN:
			new = old & ~(u32)arg;
			break;
		case FUTEX_OP_XOR:
			new = old ^ (u32)arg;
			break;
		default:
			return -ENOSYS;
		}
		if (cas_user_u32((u32 __user *)address, old, new, &seen))
			return -EFAULT;
		if (seen == old)
			break;
		old = seen;
	}
	switch (compare) {
	case FUTEX_OP_CMP_EQ:
		*matched = (s32)old == against;
		return 0;
	case FUTEX_OP_CMP_NE:
		*matched = (s32)old != against;
		return 0;
	case FUTEX_OP_CMP_LT:
		*matched = (s32)old < against;
		return 0;
	case FUTEX_OP_CMP_LE:
		*matched = (s32)old <= against;
		return 0;
	case FUTEX_OP_CMP_GT:
		*matched = (s32)old > against;
		return 0;
	case FUTEX_OP_CMP_GE:
		*matched = (s32)old >= against;
		return 0;
	}
	return -ENOSYS;
}

int futex_wake_op(u64 address, u64 address2, u32 wake, u32 wake2, u32 operation, bool shared)
{
	u64 key[2], key2[2];
	bool matched = false;
	int woken, more;
	int err = key_get(address, shared, key);

	if (!err)
		err = key_get(address2, shared, key2);
	if (!err)
		err = wake_operation(address2, operation, &matched);
	if (err)
		return err;
	woken = futex_wake(address, wake, FUTEX_BITSET_MATCH_ANY, shared);
	if (woken < 0 || !matched)
		return woken;
	more = futex_wake(address2, wake2, FUTEX_BITSET_MATCH_ANY, shared);
	return more < 0 ? more : woken + more;
}

/* --- robust futexes: those that a dying thread holds are marked, and a waiter is woken --- */

static void robust_release(u64 address, u32 tid)
{
	u32 value, seen;

	if (address % sizeof(u32) || get_user(value, (u32 __user *)address))
		return;
	while ((value & FUTEX_TID_MASK) == tid) {
		if (cas_user_u32((u32 __user *)address, value,
				 (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
			return;
		if (seen == value) {
			if (value & FUTEX_WAITERS)
				futex_wake(address, 1, FUTEX_BITSET_MATCH_ANY, true);
			return;
		}
		value = seen;
	}
}

/*
 * The program's list is data that may be anything: bounded, and given up at the first bad address.
 */
void robust_list_exit(struct thread *t)
{
	u64 head = t->robust_list, entry;
	struct robust_list_head h;

	t->robust_list = 0;
	if (copy_from_user(&h, (void __user *)head, sizeof(h)))
		return;
	entry = (u64)h.list.next & ~1ull;
	for (u32 i = 0; entry != head && i < ROBUST_LIST_MAX; i++) {
		u64 next;

		if (get_user(next, (u64 __user *)entry))
			break;
		if (entry != ((u64)h.list_op_pending & ~1ull))
			robust_release(entry + (u64)h.futex_offset, t->tid);
		entry = next & ~1ull;
		cpu_preempt_point();
	}
	if (h.list_op_pending)
		robust_release(((u64)h.list_op_pending & ~1ull) + (u64)h.futex_offset, t->tid);
}
