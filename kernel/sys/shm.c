/*
 * shm.c - System V shared memory: decoding. proc/shm.c does the work.
 */
#include <asm/shmbuf.h>
#include <linux/ipc.h>

#include "lib/string.h"
#include "proc/ipc.h"
#include "proc/proc.h"
#include "sys/syscall.h"

/* shmctl(2). <linux/shm.h>, which has these, needs a C library. */
#define SHM_LOCK 11
#define SHM_UNLOCK 12
#define SHM_STAT 13
#define SHM_INFO 14
#define SHM_STAT_ANY 15
#define SHMMIN 1

struct shm_info {
	int used_ids;
	u64 shm_tot, shm_rss, shm_swp; /* pages */
	u64 swap_attempts, swap_successes;
};

SYSCALL3(shmget, s32, key, u64, size, u32, flags)
{
	return shm_get(key, size, flags);
}

SYSCALL3(shmat, s32, id, u64, addr, u32, flags)
{
	return shm_attach(id, addr, flags);
}

SYSCALL1(shmdt, u64, addr)
{
	return shm_detach(addr);
}

/* --- shmctl --- */

static long limits_info(void __user *out)
{
	struct shm_limits limits;
	struct shm_totals totals;
	struct shminfo64 info;

	shm_get_limits(&limits);
	shm_totals(&totals);
	info = (struct shminfo64){
		.shmmax = limits.max,
		.shmmin = SHMMIN,
		.shmmni = limits.segments,
		.shmseg = limits.segments,
		.shmall = limits.all,
	};
	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : (long)totals.highest;
}

static long usage_info(void __user *out)
{
	struct shm_totals totals;
	struct shm_info info;

	shm_totals(&totals);
	memset(&info, 0, sizeof(info));
	info.used_ids = (int)totals.used;
	info.shm_tot = totals.pages;
	info.shm_rss = totals.resident_pages;
	info.shm_swp = totals.swapped_pages;
	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : (long)totals.highest;
}

/* By a place in the table the identifier is the result. */
static long status(s32 id, enum ipc_which which, void __user *out)
{
	struct shm_status s;
	struct shmid64_ds ds;
	int err = shm_stat(id, which, &s);

	if (err)
		return err;
	memset(&ds, 0, sizeof(ds));
	ds.shm_perm.key = s.ipc.key;
	ds.shm_perm.uid = s.ipc.uid;
	ds.shm_perm.gid = s.ipc.gid;
	ds.shm_perm.cuid = s.ipc.cuid;
	ds.shm_perm.cgid = s.ipc.cgid;
	ds.shm_perm.mode = s.ipc.mode;
	ds.shm_perm.seq = (unsigned short)s.ipc.sequence;
	ds.shm_segsz = s.size;
	ds.shm_atime = s.atime;
	ds.shm_dtime = s.dtime;
	ds.shm_ctime = s.ctime;
	ds.shm_cpid = (s32)s.creator_pid;
	ds.shm_lpid = (s32)s.last_pid;
	ds.shm_nattch = s.attached;
	if (copy_to_user(out, &ds, sizeof(ds)))
		return -EFAULT;
	return which == IPC_BY_ID ? 0 : s.ipc.id;
}

static long change(s32 id, const void __user *in)
{
	struct shmid64_ds ds;

	if (copy_from_user(&ds, in, sizeof(ds)))
		return -EFAULT;
	return shm_set(id, ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.mode);
}

SYSCALL3(shmctl, s32, id, int, command, void __user *, arg)
{
	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
		return limits_info(arg);
	case SHM_INFO:
		return usage_info(arg);
	case IPC_STAT:
		return status(id, IPC_BY_ID, arg);
	case SHM_STAT:
		return status(id, IPC_BY_PLACE, arg);
	case SHM_STAT_ANY:
		return status(id, IPC_BY_PLACE_ANY, arg);
	case IPC_SET:
		return change(id, arg);
	case IPC_RMID:
		return shm_remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock_memory(id, command == SHM_LOCK);
	}
	return -EINVAL;
}
