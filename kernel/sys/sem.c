/*
 * sem.c - System V semaphores: decoding. proc/sem.c does the work.
 */
#include <asm/sembuf.h>
#include <linux/ipc.h>
#include <linux/sem.h>

#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"
#include "proc/ipc.h"
#include "proc/proc.h"
#include "sys/syscall.h"

#define NS_PER_SECOND 1000000000ull

SYSCALL3(semget, s32, key, s32, count, u32, flags)
{
	return sem_get(key, count, flags);
}

/* --- semop --- */

static int operations_get(struct sem_operation *out, const struct sembuf __user *in, u32 count)
{
	struct sembuf b;

	for (u32 i = 0; i < count; i++) {
		if (copy_from_user(&b, in + i, sizeof(b)))
			return -EFAULT;
		out[i] = (struct sem_operation){
			.number = b.sem_num,
			.change = b.sem_op,
			.nowait = b.sem_flg & IPC_NOWAIT,
			.undo = b.sem_flg & SEM_UNDO,
		};
	}
	return 0;
}

static long operate(s32 id, const struct sembuf __user *user, u64 count, u64 deadline)
{
	struct sem_operation *operations;
	long err;

	if (count > SEM_OPERATIONS_MAX)
		return -E2BIG;
	if (!count)
		return -EINVAL;
	operations = kmalloc(count * sizeof(*operations));
	if (!operations)
		return -ENOMEM;
	err = operations_get(operations, user, (u32)count);
	if (!err)
		err = sem_operate(id, operations, (u32)count, deadline);
	kfree(operations);
	return err;
}

SYSCALL3(semop, s32, id, const struct sembuf __user *, user, u32, count)
{
	return operate(id, user, count, DEADLINE_NONE);
}

SYSCALL4(semtimedop, s32, id, const struct sembuf __user *, user, u32, count, const u64 __user *,
	 timeout)
{
	u64 seconds, ns;

	if (!timeout)
		return operate(id, user, count, DEADLINE_NONE);
	if (get_user(seconds, timeout) || get_user(ns, timeout + 1))
		return -EFAULT;
	if ((s64)seconds < 0 || ns >= NS_PER_SECOND)
		return -EINVAL;
	if (seconds > UINT64_MAX / 2 / NS_PER_SECOND)
		return operate(id, user, count, DEADLINE_NONE);
	return operate(id, user, count, clock_monotonic() + seconds * NS_PER_SECOND + ns);
}

/* --- semctl --- */

static long info(bool usage, void __user *out)
{
	struct seminfo i;
	u32 sets, highest;
	u64 semaphores;

	highest = sem_totals(&sets, &semaphores);
	i = (struct seminfo){
		.semmap = SEM_TOTAL_MAX,
		.semmni = SEM_SETS_MAX,
		.semmns = SEM_TOTAL_MAX,
		.semmnu = SEM_TOTAL_MAX,
		.semmsl = SEM_SET_SIZE_MAX,
		.semopm = SEM_OPERATIONS_MAX,
		.semume = SEM_OPERATIONS_MAX,
		.semusz = usage ? (int)sets : 20, /* Linux's size of a record of what to undo */
		.semvmx = SEM_VALUE_MAX,
		.semaem = usage ? (int)semaphores : (int)SEM_VALUE_MAX,
	};
	return copy_to_user(out, &i, sizeof(i)) ? -EFAULT : (long)highest;
}

static long status(s32 id, enum ipc_which which, void __user *out)
{
	struct sem_status s;
	struct semid64_ds ds;
	int err = sem_stat(id, which, &s);

	if (err)
		return err;
	memset(&ds, 0, sizeof(ds));
	ds.sem_perm.key = s.ipc.key;
	ds.sem_perm.uid = s.ipc.uid;
	ds.sem_perm.gid = s.ipc.gid;
	ds.sem_perm.cuid = s.ipc.cuid;
	ds.sem_perm.cgid = s.ipc.cgid;
	ds.sem_perm.mode = s.ipc.mode;
	ds.sem_perm.seq = (unsigned short)s.ipc.sequence;
	ds.sem_otime = s.otime;
	ds.sem_ctime = s.ctime;
	ds.sem_nsems = s.count;
	if (copy_to_user(out, &ds, sizeof(ds)))
		return -EFAULT;
	return which == IPC_BY_ID ? 0 : s.ipc.id;
}

static long change(s32 id, const void __user *in)
{
	struct semid64_ds ds;

	if (copy_from_user(&ds, in, sizeof(ds)))
		return -EFAULT;
	return sem_set_status(id, ds.sem_perm.uid, ds.sem_perm.gid, ds.sem_perm.mode);
}

/* GETALL, SETALL */
static long all(s32 id, u16 __user *user, bool set)
{
	long err = sem_count(id, set);
	u32 count = (u32)err;
	u16 *values;

	if (err < 0)
		return err;
	values = kmalloc(count * sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (set) {
		err = copy_from_user(values, user, count * sizeof(*values))
			      ? -EFAULT
			      : sem_set_all(id, values, count);
	} else {
		err = sem_get_all(id, values, count);
		if (!err && copy_to_user(user, values, count * sizeof(*values)))
			err = -EFAULT;
	}
	kfree(values);
	return err;
}

SYSCALL4(semctl, s32, id, s32, number, int, command, u64, arg)
{
	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case SEM_INFO:
		return info(command == SEM_INFO, (void __user *)arg);
	case IPC_STAT:
		return status(id, IPC_BY_ID, (void __user *)arg);
	case SEM_STAT:
		return status(id, IPC_BY_PLACE, (void __user *)arg);
	case SEM_STAT_ANY:
		return status(id, IPC_BY_PLACE_ANY, (void __user *)arg);
	case GETVAL:
		return sem_ask(id, (u32)number, SEM_ASK_VALUE);
	case GETPID:
		return sem_ask(id, (u32)number, SEM_ASK_PID);
	case GETNCNT:
		return sem_ask(id, (u32)number, SEM_ASK_INCREASE);
	case GETZCNT:
		return sem_ask(id, (u32)number, SEM_ASK_ZERO);
	case GETALL:
	case SETALL:
		return all(id, (u16 __user *)arg, command == SETALL);
	case SETVAL:
		return sem_set_one(id, (u32)number, (s32)arg);
	case IPC_SET:
		return change(id, (void __user *)arg);
	case IPC_RMID:
		return sem_remove(id);
	}
	return -EINVAL;
}
