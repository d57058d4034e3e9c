/* futex.c - the futex system call. */
#include "sys/futex.h"

#include <linux/futex.h>

#include "sys/convert.h"
#include "sys/syscall.h"

/*
 * The monotonic deadline of a wait's timeout: relative, or (absolute) of the monotonic or the
 * real-time clock.
 */
static int futex_deadline(u64 timeout, bool absolute, bool realtime, u64 *deadline)
{
	u64 ns, offset;
	int err;

	*deadline = DEADLINE_NONE;
	if (!timeout)
		return 0;
	err = timespec_from_user(timeout, &ns);
	if (err)
		return err;
	if (!absolute) {
		*deadline = deadline_after(ns);
		return 0;
	}
	offset = realtime ? clock_realtime() - clock_monotonic() : 0;
	*deadline = ns > offset ? ns - offset : 1;
	return 0;
}

/* restart: [1] address, [2] value and bitset, [3] shared, [4] deadline. */
static long wait(u64 address, u32 value, u32 bitset, bool shared, u64 deadline)
{
	struct thread *t = thread_current();
	int err = futex_wait(address, value, bitset, shared, deadline);

	if (err != -EINTR)
		return err;
	if (deadline == DEADLINE_NONE)
		return -ERESTARTSYS;
	t->restart[0] = RESTART_FUTEX;
	t->restart[1] = address;
	t->restart[2] = (u64)bitset << 32 | value;
	t->restart[3] = shared;
	t->restart[4] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long futex_restart(void)
{
	const u64 *r = thread_current()->restart;

	return wait(r[1], (u32)r[2], (u32)(r[2] >> 32), r[3], r[4]);
}

SYSCALL6(futex, u64, address, int, operation, u32, value, u64, timeout, u64, address2, u32, value3)
{
	bool shared = !(operation & FUTEX_PRIVATE_FLAG),
	     realtime = operation & FUTEX_CLOCK_REALTIME;
	int command = operation & FUTEX_CMD_MASK, err;
	u64 deadline;

	if (realtime && command != FUTEX_WAIT_BITSET && command != FUTEX_WAIT)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		err = futex_deadline(timeout, command == FUTEX_WAIT_BITSET, realtime, &deadline);
		if (err)
			return err;
		return wait(address, value, command == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY : value3,
			    shared, deadline);
	case FUTEX_WAKE:
		return futex_wake(address, value, FUTEX_BITSET_MATCH_ANY, shared);
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, value, value3, shared);
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
		if ((s32)value < 0 || (s32)timeout < 0)
			return -EINVAL;
		return futex_requeue(address, address2, value, (u32)timeout,
				     command == FUTEX_CMP_REQUEUE, value3, shared);
	case FUTEX_WAKE_OP:
		return futex_wake_op(address, address2, value, (u32)timeout, value3, shared);
	}
	return -ENOSYS;
}
