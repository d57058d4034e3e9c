/*
 * ipc.h - System V IPC as the rest of the kernel sees it: the system calls with their arguments in
 * kernel memory, and what /proc shows.
 */
#ifndef PROC_IPC_H
#define PROC_IPC_H

#include "lib/list.h"
#include "lib/types.h"

struct process;
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

/* What IPC_STAT, SHM_STAT and SHM_STAT_ANY, and their like for other kinds, go by. */
enum ipc_which {
	IPC_BY_ID,
	IPC_BY_PLACE,
	IPC_BY_PLACE_ANY, /* whatever its permissions */
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

int shm_stat(s32 id, enum ipc_which which, struct shm_status *out);
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

/* --- semaphores (sem.c): semop(2), semctl(2) --- */

#define SEM_VALUE_MAX 32767u      /* SEMVMX */
#define SEM_OPERATIONS_MAX 500u   /* SEMOPM */
#define SEM_SETS_MAX 32000u       /* SEMMNI */
#define SEM_SET_SIZE_MAX 32000u   /* SEMMSL */
#define SEM_TOTAL_MAX 1024000000u /* SEMMNS */

struct sem_operation {
	u16 number;
	bool nowait, undo;
	s32 change;
};

struct sem_status {
	struct ipc_status ipc;
	s64 otime, ctime; /* seconds since the epoch; 0: never */
	u32 count;
};

int sem_get(s32 key, s32 count, u32 flags); /* the identifier */
/* deadline: DEADLINE_NONE, or when to give up, with -EAGAIN. -EINTR, -EIDRM. May sleep. */
int sem_operate(s32 id, const struct sem_operation *operations, u32 count, u64 deadline);
enum sem_question { SEM_ASK_VALUE, SEM_ASK_PID, SEM_ASK_INCREASE, SEM_ASK_ZERO };
int sem_ask(s32 id, u32 number, enum sem_question what);
/* How many there are in the set that the caller may read, or alter. */
int sem_count(s32 id, bool alter);
int sem_get_all(s32 id, u16 *values, u32 count);
int sem_set_all(s32 id, const u16 *values, u32 count);
int sem_set_one(s32 id, u32 number, s32 value);
int sem_stat(s32 id, enum ipc_which which, struct sem_status *out);
int sem_set_status(s32 id, u32 uid, u32 gid, u32 mode);
int sem_remove(s32 id);
u32 sem_totals(u32 *sets, u64 *semaphores); /* the highest place in use */
bool sem_next(u64 *place, struct sem_status *out);
/* The process ends, or leaves what it shares (CLONE_SYSVSEM): what it is to undo is undone. */
void sem_process_exit(struct process *p);

/* --- message queues (msg.c): msgop(2), msgctl(2) --- */

#define MSG_SIZE_MAX 8192     /* MSGMAX */
#define MSG_QUEUE_BYTES 16384 /* MSGMNB */
#define MSG_QUEUES_MAX 32000  /* MSGMNI */
#define MSG_NOERROR 010000u   /* flags of msgrcv: Linux's */
#define MSG_EXCEPT 020000u
#define MSG_COPY 040000u

struct message {
	struct list link;
	s64 type;
	u64 size;
	u8 data[];
};

struct msg_status {
	struct ipc_status ipc;
	s64 stime, rtime, ctime; /* seconds since the epoch; 0: never */
	u64 bytes, limit;
	u32 count, send_pid, receive_pid;
};

struct message *message_new(u64 size); /* NULL without memory */
void message_free(struct message *m);
int msg_get(s32 key, u32 flags); /* the identifier */
/* 0: the queue has m. -ERESTARTNOHAND. May sleep. */
int msg_send(s32 id, struct message *m, bool nowait);
/* 0: *out is the caller's. flags: IPC_NOWAIT, MSG_NOERROR, MSG_EXCEPT. -ERESTARTNOHAND. May sleep. */
int msg_receive(s32 id, u64 room, s64 type, u32 flags, struct message **out);
/* MSG_COPY: *out is a copy of the message at a place of the queue. */
int msg_copy(s32 id, u64 room, s64 place, bool noerror, struct message **out);
int msg_stat(s32 id, enum ipc_which which, struct msg_status *out);
int msg_set(s32 id, u32 uid, u32 gid, u32 mode, u64 limit);
int msg_remove(s32 id);
u32 msg_totals(u32 *queues, u64 *messages, u64 *bytes); /* the highest place in use */
bool msg_next(u64 *place, struct msg_status *out);

#endif
