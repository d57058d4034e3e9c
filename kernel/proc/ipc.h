/*
 * ipc.h - System V IPC as the rest of the kernel sees it: the system calls with their arguments in
 * kernel memory, and what /proc shows.
 */
#ifndef PROC_IPC_H
#define PROC_IPC_H

#include "lib/types.h"

struct thread;

/* Start, before the first program. */
void ipc_init(void);

struct ipc_status { /* struct ipc64_perm */
	s32 key;
	s32 id;
	u32 uid, gid, cuid, cgid;
	u32 mode; /* permission bits, and SHM_DEST, SHM_LOCKED */
	u32 sequence;
};

/* --- shared memory (shm.c): shmop(2), shmctl(2); results are negative errno --- */

/* Flags of shmget, of shmat, and of a segment's mode: Linux's (its <linux/shm.h> needs a C library) */
#define SHM_HUGETLB 04000u
#define SHM_NORESERVE 010000u
#define SHM_RDONLY 010000u
#define SHM_RND 020000u
#define SHM_REMAP 040000u
#define SHM_EXEC 0100000u
#define SHM_DEST 01000u
#define SHM_LOCKED 02000u

struct shm_status {
	struct ipc_status ipc;
	u64 size;                /* bytes */
	s64 atime, dtime, ctime; /* seconds since the epoch; 0: never */
	u32 creator_pid, last_pid;
	u64 attached; /* areas that map it, in all spaces */
	u64 resident_pages, swapped_pages;
};

struct shm_totals {
	u32 used;  /* segments */
	u64 pages; /* of all segments, whether or not they are there */
	u64 resident_pages, swapped_pages;
	u32 highest; /* place in use: what SHM_INFO and IPC_INFO return */
};

int shm_get(s32 key, u64 size, u32 flags);   /* the identifier */
s64 shm_attach(s32 id, u64 addr, u32 flags); /* the address */
int shm_detach(u64 addr);

enum shm_which {
	SHM_BY_ID,        /* IPC_STAT */
	SHM_BY_PLACE,     /* SHM_STAT */
	SHM_BY_PLACE_ANY, /* SHM_STAT_ANY: whatever its permissions */
};
int shm_stat(s32 id, enum shm_which which, struct shm_status *out);
int shm_set(s32 id, u32 uid, u32 gid, u32 mode);
int shm_remove(s32 id);
int shm_lock_memory(s32 id, bool on);
void shm_totals(struct shm_totals *out);
/* The first segment at or after *place, which is moved to it: for /proc. False: no more. */
bool shm_next(u64 *place, struct shm_status *out);

/* What /proc/sys/kernel says. Setting: -EINVAL. */
struct shm_limits {
	u64 max;          /* shmmax: bytes of a segment */
	u64 all;          /* shmall: pages of all */
	u32 segments;     /* shmmni */
	bool rmid_forced; /* shm_rmid_forced: who is attached to nowhere goes with its creator */
};
void shm_get_limits(struct shm_limits *out);
int shm_set_limits(const struct shm_limits *set);

/* A thread is about to go, after its space: what it created has no creator any more. */
void shm_creator_gone(struct thread *t);

#endif
