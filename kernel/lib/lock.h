/*
 * lock.h - spinlocks, sleeping locks, and the order in which they are taken.
 *
 * Interrupts are off in the kernel (docs/architecture.md), so a spinlock is a plain atomic. Who
 * spins calls cpu_relax(), which serves shootdowns that other CPUs ask for: so a lock may be held
 * while waiting for their acknowledgement.
 */
#ifndef LIB_LOCK_H
#define LIB_LOCK_H

#include "lib/list.h"
#include "lib/types.h"

/*
 * Ranks, in the order of taking: a lock may be taken while locks of a smaller rank are held, never
 * of a greater. RANK_SLEEP_MAX splits sleeping locks (kept per thread) from spinlocks (kept per
 * CPU): no sleeping lock is taken under a spinlock.
 */
enum lock_rank {
	RANK_NONE = 0,
	/* sleeping */
	RANK_FILE_POSITION, /* fs: struct file's offset */
	RANK_SOCKET_BIND,   /* net: a socket gets its name */
	RANK_RENAME,        /* fs: one rename at a time */
	/*
	 * fs: a directory's entries; two: parent before child, else by address (under RANK_RENAME)
	 */
	RANK_INODE_DIR,
	RANK_INODE,       /* fs: a file's data and attributes; two (rename): by address */
	RANK_WATCH,       /* fs: who watches which file (epoll) */
	RANK_EPOLL,       /* fs: an epoll set; several: the watching before the watched */
	RANK_PIPE,        /* fs: a pipe's buffer */
	RANK_SOCKET_READ, /* net: who reads from a socket's stream; a datagram sent in parts */
	RANK_INET_START,  /* net: the network is started, once */
	RANK_INET,        /* net: lwIP */
	RANK_TTY,         /* fs: a terminal's state; two of a pty: master first */
	RANK_EXEC,        /* proc: exec against ptrace and /proc readers */
	RANK_OOM,         /* proc: one victim at a time is chosen */
	RANK_RECLAIM,     /* mm: one thread at a time frees frames; or brings a swap area back */
	RANK_SPACE,       /* mm: struct mm.rw; two: by address */
	RANK_OBJECT_SIZE, /* mm: an object's size and truncation */
	RANK_PAGE,        /* mm: one page of the page cache being filled (a bit lock with a wait) */
	RANK_DEVICE,      /* dev: one request at a time */
	RANK_PAUSE,       /* arch: one CPU at a time has the others stand still */
	RANK_SLEEP_MAX = 63,
	/* spinning */
	RANK_FILES,        /* fs: a process's table of open files */
	RANK_SOCKET_FILE,  /* net: a socket's file and whom it speaks with */
	RANK_PROCESS_TREE, /* proc: parents, children, groups, sessions */
	RANK_SIGNAL,       /* proc: signal state of a process; two: parent before child */
	RANK_PROCESS,      /* proc: other fields of a process */
	RANK_PID,          /* proc: the pid table */
	RANK_IPC,          /* proc: System V IPC: a table of objects, and what they say */
	RANK_SPACE_LIST,   /* mm: the list of all spaces */
	RANK_DENTRY,       /* fs: the name cache */
	RANK_FS,           /* fs: other small locks */
	RANK_SOCKET,       /* net: a socket's connections; two: by address */
	RANK_SOCKET_TABLE, /* net: names of sockets, and all of a family */
	RANK_SOCKET_QUEUE, /* net: what has been sent to a socket */
	RANK_DEV_RING,     /* dev: a virtio queue */
	RANK_OBJECT,       /* mm: an object's index of pages */
	/*
	 * mm: a node of the tree; several: parent before child; a source before its unpublished
	 * copy
	 */
	RANK_NODE,
	RANK_SWAP,        /* mm: the slots of swap areas and the swap cache */
	RANK_FUTEX,       /* proc: a bucket of futex waiters; two: by address */
	RANK_FUTEX_OWNER, /* proc: who owns which futex that is waited for */
	RANK_WAITQ,       /* lib: a wait queue */
	RANK_TIMER,       /* proc: timers of a CPU */
	RANK_RUNQ,        /* proc: a run queue; two: by CPU number */
	RANK_SLAB,        /* mm: a cache of kernel objects */
	RANK_VMAP,        /* mm: the vmap region */
	RANK_FRAME,       /* mm: the frame allocator */
	RANK_LOG,         /* dev: the kernel log: anyone may print */
};

/* 4 bytes, so that it fits into a frame descriptor. */
struct spinlock {
	u8 locked;
	u8 rank;  /* enum lock_rank */
	u8 owner; /* CPU number + 1 while locked */
	u8 unused;
};

#define SPINLOCK_INIT(r)    \
	{                   \
		.rank = (r) \
	}

static inline void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock){ .rank = (u8)rank };
}

void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_held(const struct spinlock *l); /* by this CPU */

/* A queue of parked threads; see lib/waitq.h. */
struct waitq {
	struct spinlock lock;
	struct list waiters; /* struct waiter.link */
};

/* A sleeping lock, not recursive. */
struct mutex {
	u32 locked;
	u8 rank;
	struct waitq wait;
	struct thread *owner;
};

void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);

/* A sleeping lock for many readers or one writer; a waiting writer keeps new readers out. */
struct rwlock {
	/*
	 * > 0: that many readers; -1: a writer; 0: free. Guarded by wait.lock in the slow path,
	 * atomic
	 */
	s32 count;
	u32 writers_waiting;
	u8 rank;
	struct waitq wait;
	struct thread *owner; /* of the write side */
};

void rwlock_init(struct rwlock *l, enum lock_rank rank);
void read_lock(struct rwlock *l);
bool read_trylock(struct rwlock *l);
void read_unlock(struct rwlock *l);
void write_lock(struct rwlock *l);
bool write_trylock(struct rwlock *l);
void write_unlock(struct rwlock *l);
void write_downgrade(struct rwlock *l);  /* the writer becomes a reader */
bool write_held(const struct rwlock *l); /* by this thread */

/*
 * What the locks need from their host: arch/x86_64 and proc/sched.c in the kernel, hosted/cpu.c in
 * the hosted build.
 */
#define CPUS_MAX 64       /* bits of a mask of CPUs */
u32 cpu_number(void);     /* below CPUS_MAX */
bool cpus_are_many(void); /* can who holds a lock be running while this CPU waits? */
void cpu_relax(void);     /* in a spin loop: pause, and serve this CPU's shootdown mailbox */
void cpu_preempt_point(
	void); /* in a long loop, no spinlock held: take interrupts, perhaps reschedule */

/* In the hosted build: here another fake CPU may run. */
#ifdef COPPICE_HOSTED
void hosted_point(void);
#else
static inline void hosted_point(void)
{
}
#endif

/*
 * The rank checker (lib/lock.c, debug builds). The host keeps one of these for each CPU and one for
 * each thread.
 */
#define LOCK_DEPTH_MAX 16
struct lock_stack {
	u32 depth;
	u8 rank[LOCK_DEPTH_MAX];
};
/*
 * On the way back to a program, from `what` (a call, an exception) of that number: a lock that is
 * still held is a panic, in debug builds.
 */
void locks_must_be_free(const char *what, u64 number);
struct lock_stack *lock_stack_cpu(void);
struct lock_stack *lock_stack_thread(void);

#endif
