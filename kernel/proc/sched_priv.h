/*
 * sched_priv.h - what the scheduler, the timers and the life of threads tell each other.
 */
#ifndef PROC_SCHED_PRIV_H
#define PROC_SCHED_PRIV_H

#include "arch/x86_64/percpu.h"
#include "proc/proc.h"

#define CPU_NONE UINT32_MAX
#define TIME_SLICE_NS 10000000ull    /* what a thread runs at a time when others wait */
#define WAKEUP_GRANULE_NS 1000000ull /* what a thread may have had more than one that wakes */

enum park_mode {
	PARK_UNINTERRUPTIBLE,
	PARK_KILLABLE,      /* ends early when the process dies */
	PARK_INTERRUPTIBLE, /* ends early for signals, stops and death */
};

/* sched.c */
void scheduler_init(void);
int thread_park_mode(enum park_mode mode, u64 deadline_ns);
/*
 * Wake t for work that was set in t->work: a park that this work may end, ends. If it runs
 * elsewhere in user mode, it comes to look.
 */
void thread_interrupt(struct thread *t);
/* Until t, which is about to park, has left its CPU: then its registers are saved. */
void thread_wait_off_cpu(const struct thread *t);
/* A new thread, for the first time; forked: of a process with a copy of the current thread's space. */
void thread_make_runnable(struct thread *t, bool forked);
void __noreturn thread_die(void); /* leave the CPU for good; the next thread frees what is left */
void thread_resched(void);        /* preempted: let others run */
void scheduler_tick(u64 now);     /* from the timer interrupt */
u64 scheduler_next_tick(void);    /* when this CPU wants the next tick; DEADLINE_NONE: never */
void scheduler_want_tick(void);   /* the running thread came under a CPU-time limit */
/* t's affinity, or its nice value or policy, has changed. t cannot go away meanwhile. */
void scheduler_affinity_changed(struct thread *t);
void scheduler_priority_changed(struct thread *t);

/* load.c */
bool cpu_is_online(u32 cpu);
u64 cpus_online_mask(void);
u64 thread_runtime(const struct thread *t, u64 now); /* CPU ns up to now */

/*
 * timer.c: arm this CPU's clock for its first timer or the scheduler's tick, if that is earlier
 * than what is armed.
 */
void timer_rearm(void);

/* thread.c */
struct thread *
thread_alloc(bool user); /* with a stack; user: also room for vector state. NULL without memory */
void thread_free(struct thread *t); /* not running anywhere */
void thread_entered(void);          /* sched.c: the first thing that a new thread calls */

#endif
