/*
 * futex.c - the futex system calls: futex, futex_waitv, and those that do one thing of it.
 */
#include "sys/futex.h"

#include <linux/futex.h>
#include <linux/time.h>

#include "mm/slab.h"
#include "proc/futex.h"
#include "sys/convert.h"
#include "sys/syscall.h"

/* Size and kind of a word, in flags of futex_waitv and its like; linux-libc-dev has them since 6.7. */
#define FLAG_SIZE 0x3u
#define FLAG_SIZE_U32 0x2u
#define FLAG_PRIVATE 0x80u
#define FLAGS_KNOWN (FLAG_SIZE | FLAG_PRIVATE)

/* --- time --- */

/* ns of the monotonic or of the real-time clock as a monotonic deadline. */
static u64 deadline_of(u64 ns, bool realtime)
{
	u64 offset = realtime ? clock_realtime() - clock_monotonic() : 0;

	return ns > offset ? ns - offset : 1;
}

/*
 * The deadline of a call's timeout: relative, or (absolute) of the monotonic or the real-time clock.
 */
static int futex_deadline(u64 timeout, bool absolute, bool realtime, u64 *deadline)
{
	u64 ns;
	int err;

	*deadline = DEADLINE_NONE;
	if (!timeout)
		return 0;
	err = timespec_from_user(timeout, &ns);
	if (err)
		return err;
	*deadline = absolute ? deadline_of(ns, realtime) : deadline_after(ns);
	return 0;
}

/* --- waiting --- */

/* restart: [1] address, [2] value and bitset, [3] shared, [4] deadline. */
static long wait(struct futex_word word, u32 value, u32 bitset, u64 deadline)
{
	struct thread *t = thread_current();
	int err = futex_wait(word, value, bitset, deadline);

	if (err != -EINTR)
		return err;
	if (deadline == DEADLINE_NONE)
		return -ERESTARTSYS;
	t->restart[0] = RESTART_FUTEX;
	t->restart[1] = word.address;
	t->restart[2] = (u64)bitset << 32 | value;
	t->restart[3] = word.shared;
	t->restart[4] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long futex_restart(void)
{
	const u64 *r = thread_current()->restart;
	struct futex_word word = { r[1], r[3] };

	return wait(word, (u32)r[2], (u32)(r[2] >> 32), r[4]);
}

static long begin_again(int err)
{
	return err == -EINTR ? -ERESTARTNOINTR : err;
}

static bool has_timeout(int command)
{
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return true;
	}
	return false;
}

static bool may_choose_clock(int command)
{
	return command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_REQUEUE_PI ||
	       command == FUTEX_LOCK_PI2;
}

/* The fourth argument is a time, or a number. */
SYSCALL6(futex, u64, address, int, operation, u32, value, u64, timeout, u64, address2, u32, value3)
{
	bool shared = !(operation & FUTEX_PRIVATE_FLAG),
	     realtime = operation & FUTEX_CLOCK_REALTIME;
	struct futex_word word = { address, shared }, second = { address2, shared };
	int command = operation & FUTEX_CMD_MASK, err;
	s32 count = (s32)value, count2 = (s32)timeout;
	u64 deadline = DEADLINE_NONE;

	if (has_timeout(command)) {
		err = futex_deadline(timeout, command != FUTEX_WAIT,
				     realtime || command == FUTEX_LOCK_PI, &deadline);
		if (err)
			return err;
	}
	if (realtime && !may_choose_clock(command))
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		return wait(word, value, FUTEX_BITSET_MATCH_ANY, deadline);
	case FUTEX_WAIT_BITSET:
		return wait(word, value, value3, deadline);
	case FUTEX_WAKE:
		return futex_wake(word, count, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(word, count, value3);
	case FUTEX_REQUEUE:
		return futex_requeue(word, second, count, count2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(word, second, count, count2, &value3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(word, second, count, count2, value3);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return begin_again(futex_lock_pi(word, deadline, false));
	case FUTEX_TRYLOCK_PI:
		return begin_again(futex_lock_pi(word, DEADLINE_NONE, true));
	case FUTEX_UNLOCK_PI:
		return begin_again(futex_unlock_pi(word));
	case FUTEX_WAIT_REQUEUE_PI:
		return address == address2
			       ? -EINVAL
			       : begin_again(futex_wait_requeue_pi(word, value, deadline, second));
	case FUTEX_CMP_REQUEUE_PI:
		if (count != 1)
			return -EINVAL;
		return begin_again(futex_requeue_pi(word, second, count2, value3));
	}
	return -ENOSYS;
}

/* --- calls that do one thing --- */

static int clock_is_realtime(s32 clock)
{
	return clock == CLOCK_REALTIME ? 1 : clock == CLOCK_MONOTONIC ? 0 : -EINVAL;
}

static int clock_deadline(u64 timeout, s32 clock, u64 *deadline)
{
	int realtime = clock_is_realtime(clock);

	*deadline = DEADLINE_NONE;
	if (!timeout)
		return 0;
	return realtime < 0 ? realtime : futex_deadline(timeout, true, realtime, deadline);
}

static bool flags_ok(u64 flags)
{
	return !(flags & ~(u64)FLAGS_KNOWN) && (flags & FLAG_SIZE) == FLAG_SIZE_U32;
}

static struct futex_word word_of(u64 address, u64 flags)
{
	return (struct futex_word){ address, !(flags & FLAG_PRIVATE) };
}

static int waitv_get(struct futex_expected *to, u64 from, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		struct futex_waitv v;

		if (copy_from_user(&v, (void __user *)(from + i * sizeof(v)), sizeof(v)))
			return -EFAULT;
		if (!flags_ok(v.flags) || v.__reserved || v.val >> 32)
			return -EINVAL;
		to[i] = (struct futex_expected){ word_of(v.uaddr, v.flags), (u32)v.val };
	}
	return 0;
}

SYSCALL5(futex_waitv, u64, waiters, u32, count, u32, flags, u64, timeout, s32, clock)
{
	struct futex_expected *words;
	u64 deadline;
	int err;

	if (flags || !count || count > FUTEX_WAIT_MANY || !waiters)
		return -EINVAL;
	err = clock_deadline(timeout, clock, &deadline);
	if (err)
		return err;
	words = kmalloc(count * sizeof(*words));
	if (!words)
		return -ENOMEM;
	err = waitv_get(words, waiters, count);
	if (!err)
		err = futex_wait_many(words, count, deadline);
	kfree(words);
	return err == -EINTR ? -ERESTARTSYS : err;
}

SYSCALL4(futex_wake, u64, address, u64, mask, s32, count, u32, flags)
{
	if (!flags_ok(flags) || mask >> 32)
		return -EINVAL;
	/* Unlike the old call it wakes none where none are asked for. */
	return count ? futex_wake(word_of(address, flags), count, (u32)mask) : 0;
}

SYSCALL6(futex_wait, u64, address, u64, value, u64, mask, u32, flags, u64, timeout, s32, clock)
{
	u64 deadline;
	int err;

	if (!flags_ok(flags) || value >> 32 || mask >> 32)
		return -EINVAL;
	err = clock_deadline(timeout, clock, &deadline);
	if (err)
		return err;
	return wait(word_of(address, flags), (u32)value, (u32)mask, deadline);
}

SYSCALL4(futex_requeue, u64, waiters, u32, flags, s32, wake, s32, requeue)
{
	struct futex_expected two[2];
	int err;

	if (flags || !waiters)
		return -EINVAL;
	err = waitv_get(two, waiters, ARRAY_SIZE(two));
	if (err)
		return err;
	return futex_requeue(two[0].word, two[1].word, wake, requeue, &two[0].value);
}
