/*
 * ptrace_priv.h - what tracing (ptrace(2)) is made of, and where it hooks into the life of threads.
 *
 * The tracer is a process: any of its threads may ask (Linux: the one thread that attached). The
 * tracee is a thread.
 */
#ifndef PROC_PTRACE_PRIV_H
#define PROC_PTRACE_PRIV_H

#include <linux/ptrace.h>

#include "proc/process_priv.h"

/*
 * One tracer's hold on one thread, from attach to detach. It outlives the thread, until the tracer
 * has waited for its end. T: the tree lock; S: the tracee's signal lock.
 */
struct trace {
	struct list link;        /* T: in tracer->tracees */
	struct process *tracer;  /* C while linked */
	struct process *process; /* C: the tracee's, counted */
	struct thread *thread;   /* T and S: NULL: it has exited */
	u32 tid;                 /* T */
	bool seized;             /* C */
	u32 options;             /* S: PTRACE_O_* */
	u32 exit_status;         /* T: as wait encodes it */
};

/* There is no seccomp that could be suspended. */
#define TRACE_OPTIONS ((u64)(PTRACE_O_MASK & ~PTRACE_O_SUSPEND_SECCOMP))

/* struct thread_trace.mode */
#define TRACE_SYSCALLS 0x1
#define TRACE_STEP 0x2
#define TRACE_EMULATE 0x4 /* calls are reported, and not made */

/* S held: killed with its process, or alone, by another thread's exec. */
static inline bool trace_is_dying(const struct thread *t)
{
	return t->process->exiting || load_relaxed(&t->work) & WORK_EXIT;
}

/* --- ptrace.c: who traces whom --- */

/* T and S held. The thread takes over the trace; process: its own, for a first thread. */
void trace_link(struct trace *tr, struct process *tracer, struct thread *t);
/* A trace for a child that self is making, if self's tracer is to have it too: *event as below. */
int trace_for_child(struct thread *self, u64 clone_flags, u32 exit_signal, struct trace **tr,
		    u32 *event);
/* T held and the child's S: the child can be seen from now on. Gives tr up if nobody wants it. */
void trace_link_child(struct trace *tr, struct thread *self, struct thread *child);
void trace_free(struct trace *tr);
/* T held, S not: the thread leaves its process. */
void trace_thread_exited(struct thread *t, u32 status);
/* T held: the process ends: who is traced by it goes free. */
void trace_tracer_exited(struct process *p);
/* T held: the last thread t of a process takes the process's number (exec). */
void trace_renumber(struct thread *t, u32 pid);
/* T held: 1: *result is filled; 0: there are tracees like that; -ECHILD. */
int trace_wait_scan(struct process *self, const struct wait_request *r, struct wait_result *result);

/* --- ptrace_stop.c: the tracee stops. No lock held but where it says so --- */

/*
 * S held, and held again afterwards: the tracer sees the signal first. The signal to go on with,
 * with *info changed accordingly, or 0.
 */
int trace_signal_stop(struct thread *t, int sig, struct signal_info *info);
/* An event that the tracer may have asked to hear of. */
void trace_event(u32 event, u64 message);
bool trace_wants_event(const struct thread *t, u32 event); /* S held, or in the thread itself */
void trace_exec(u32 old_tid);                              /* the program has been replaced */
/* WORK_TRAP or (when traced) WORK_STOP is set. */
void trace_trap(struct thread *t);
/* S held: t is to stop by trace_trap; notify: because the group stop has changed. */
void trace_want_trap(struct thread *t, bool notify);
/*
 * Around the frame of a handler: the tracer's trap flag is not saved in it; true: the thread goes in
 * single steps, and stops at the handler's first instruction.
 */
bool trace_hide_step(struct regs *regs);
void trace_handler_entered(void);

/* T not held: a state that the tracer waits for has come. */
void trace_tell_tracer(struct thread *t, int code, int status);

#endif
