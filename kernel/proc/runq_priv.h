/*
 * runq_priv.h - run queues: what the scheduler's files share. runq.c keeps the order, balance.c moves
 * threads between queues, sched.c switches, load.c has the figures.
 */
#ifndef PROC_RUNQ_PRIV_H
#define PROC_RUNQ_PRIV_H

#include "arch/x86_64/percpu.h"
#include "proc/sched_priv.h"

/* Q: lock. L: this CPU only. A: others may read it without the lock, as a hint. */
struct runq {
	struct spinlock lock;
	struct heap_node *ready; /* Q: struct thread.run_node, by runq_key */
	u32 nready;              /* Q, A */
	struct thread *current;  /* Q, A */
	struct thread *idle;     /* C */
	u64 clock;               /* Q, A: virtual time: the least that a thread here is at */
	u64 sequence;            /* Q: of real-time threads that came */
	u64 slice_end;       /* Q: when to look whether current makes room; DEADLINE_NONE: never */
	u64 normal_ran;      /* Q: when last one ran that is not real-time */
	u64 normal_until;    /* Q: until then real-time threads wait */
	u64 pushed;          /* L: when this CPU last gave a thread to another */
	struct thread *dead; /* Q: switched away from for the last time: the next thread frees it */
	struct thread *
		leaving; /* Q: switched away from, and may not run here: the next thread moves it */
	struct thread *fpu_owner; /* L: whose state the vector registers hold */
	u64 idle_ns, switches;    /* L */
};

extern struct runq runqs[CPUS_MAX];
extern u64 online; /* A: bit n: CPU n schedules */
extern u64
	idle_cpus; /* A: bit n: CPU n halts, or is about to, and nobody has chosen it to wake up */

static inline struct runq *this_runq(void)
{
	return &runqs[cpu_number()];
}

/* --- runq.c: q->lock held --- */
void weights_init(void);
bool thread_is_realtime(const struct thread *t);
/* How far ran ns take t on in virtual time: less for the less nice. */
u64 thread_virtual(const struct thread *t, u64 ran);
/* Virtual time of q's current thread, which it was given the CPU at switch_stamp. */
u64 runq_current_virtual(const struct runq *q, u64 now);
void runq_advance(struct runq *q, u64 now); /* the clock, to the least of current and ready */
void runq_insert(struct runq *q, struct thread *t, u64 now);
void runq_remove(struct runq *q, struct thread *t);
static inline struct thread *runq_first(const struct runq *q)
{
	return q->ready ? container_of(q->ready, struct thread, run_node) : NULL;
}
/*
 * Who is next, still in the queue; NULL: nobody. Real-time threads leave a little to the others, which
 * starts here.
 */
struct thread *runq_choose(struct runq *q, u64 now);
/* Real-time threads have run here all the time that they may, and another waits. */
bool runq_owes_normal(const struct runq *q, u64 now);
/* t's virtual time was of a queue whose clock is at `from`, perhaps long ago: make it one of q's. */
void runq_place(struct runq *q, struct thread *t, u64 from);
/* Should t, which is ready, run instead of q's current thread? */
bool runq_preempts(const struct runq *q, const struct thread *t, u64 now, u64 granule);

/* --- balance.c: no queue is locked --- */
enum arrival {
	ARRIVAL_OTHER,
	ARRIVAL_WOKEN,  /* it has slept */
	ARRIVAL_FORKED, /* new, with a copy of the current thread's space */
};
/* t is runnable and in no queue. */
void enqueue(struct thread *t, enum arrival how);
/* For this CPU, which has nothing to do: take a thread from a queue in which it waits. */
bool balance_pull(struct runq *q);
/* Threads wait here, perhaps while another CPU has less to do. */
void balance_push(struct runq *q, u64 now);
/* The current thread sleeps: did it wake another just before? */
void handoff_learn(struct thread *t, u64 now);

#endif
