/*
 * proc.h - threads and processes as the rest of the kernel sees them.
 *
 * A thread is what is scheduled; a process is what has a pid, a parent, open files and signal
 * handlers; its threads share it. vfork and posix_spawn share the space between two processes,
 * threads share all. calls.h has what kernel/sys asks of this folder, timer.h the kernel's timers.
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "arch/x86_64/cpu.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/waitq.h"
#include "mm/shortage.h"
#include "proc/timer.h"

struct mm;
struct files;      /* fs/file.h */
struct fs_context; /* fs/vfs.h: root, cwd, umask */
struct file;
struct tty;
struct pgroup;     /* group.c */
struct vfork_done; /* fork.c */
struct uid_count;  /* cred.c */
struct trace;      /* ptrace_priv.h */

#define NGROUPS_KEPT 32
/* Immutable and counted: a change makes a new one. */
struct cred {
	struct refcount refs;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	u32 ngroups;
	u32 groups[NGROUPS_KEPT];
};
void cred_get(struct cred *c);
void cred_put(struct cred *c);
bool cred_in_group(const struct cred *c, u32 gid); /* fsgid or supplementary */
bool cred_capable(const struct cred *c, u32 cap);  /* CAP_* */

struct sigaction_kernel {
	u64 handler; /* SIG_DFL 0, SIG_IGN 1, or an address */
	u64 flags;
	u64 restorer;
	u64 mask;
};

#define SIGNAL_COUNT 64
struct signal_queue { /* pending signals of a thread or of a process; G: process->signal_lock */
	u64 set;      /* G: bit n-1: signal n pending */
	struct list infos; /* G: struct signal_pending (signal_priv.h), in order of arrival */
	u32 count;
};

/*
 * What a signal carries: the layout of Linux's siginfo_t (128 bytes), so that it goes to user
 * memory as it is.
 */
struct signal_info {
	s32 signal, error, code, pad;
	union {
		struct {
			u32 pid, uid;
			u64 value;
		} sent; /* kill, sigqueue */
		struct {
			u32 pid, uid;
			s32 status, pad;
			s64 user_ticks, system_ticks;
		} child;
		struct {
			u64 address;
		} fault;
		struct {
			s32 id, overrun;
			u64 value;
		} timer;
		struct {
			s64 band;
			s32 fd;
		} poll;
		u64 raw[14];
	};
};
_Static_assert(sizeof(struct signal_info) == 128, "siginfo_t");

/*
 * What a thread is to its tracer, by the thread itself: S, but O while it is not stopped. ptrace.c
 * has the whole.
 */
struct thread_trace {
	bool stopped;    /* parked for its tracer */
	bool listening;  /* ... who does not look at it any more, but waits for the next event */
	bool frozen;     /* its tracer looks at it just now: it may not even die */
	bool unreported; /* wait has not told of this stop */
	bool notify;     /* of a change of the group stop: WORK_TRAP is set for that */
	bool forced_tf;  /* the trap flag is the tracer's, not the program's */
	u8 mode;         /* TRACE_*: how it was resumed */
	u32 code;        /* of this stop, as wait reports it: signal, and event << 8 */
	int resume_signal;
	u64 message;              /* PTRACE_GETEVENTMSG */
	struct signal_info *info; /* of this stop, on its stack; NULL: none (a group stop) */
};

enum thread_state {
	THREAD_RUNNABLE, /* runs, or waits in a run queue */
	THREAD_PARKING,  /* announced that it will park; runs */
	THREAD_PARKED,   /* off the CPU until unparked */
	THREAD_DEAD,     /* will never run again */
};

/*
 * Letters: S: process->signal_lock; T: process tree lock; P: process->lock; O: only the thread
 * itself; A: atomic; C: constant.
 */
struct thread {
	struct context context;  /* runq lock while not running */
	void *stack;             /* C: lowest address of its kernel stack */
	struct process *process; /* C; NULL for kernel threads that belong to none */
	struct mm *
		/*
		 * O: the space it runs in, NULL for kernel threads. The process's use of it counts
		 * for all its threads
		 */
		mm;
	u32 tid;                   /* C but for exec, which gives the process's pid */
	u32 state;                 /* A: enum thread_state */
	u32 cpu;                   /* A: runs, or last ran, here */
	u32 work;                  /* A: WORK_*: what must be done before user mode */
	struct heap_node run_node; /* runq lock: in its CPU's queue */
	bool queued;               /* runq lock: it is in there */
	u8 handoff;                /* O: how surely it sleeps when it has woken another */
	u64 virtual_ns;            /* runq lock: runtime, weighted by nice, that orders the queue */
	u64 ready_since;           /* runq lock: when it was queued */
	u64 last_wake;             /* O: when it last woke another, if it has not slept since */
	struct list thread_link;   /* S: in process->threads */
	struct lock_stack locks;   /* O: debug builds */
	u64 sigmask, saved_sigmask; /* O (read under S): blocked signals */
	/* O: sigsuspend, ppoll: put saved_sigmask back after the handler frame is made */
	bool restore_sigmask;
	struct signal_queue pending;    /* S */
	u64 altstack_sp, altstack_size; /* O */
	u32 altstack_flags;
	void *fpu;             /* O: XSAVE area */
	u64 fs_base, gs_base;  /* O: while not running */
	u64 clear_child_tid;   /* O: user address */
	u64 robust_list;       /* O */
	bool faults_off;       /* O: its accesses to user memory fail where they would fault */
	bool core_joined;      /* S: stands still until the core dump is written */
	bool futex_exiting;    /* S: takes no more futexes: they are being given up */
	struct list pi_states; /* the lock of futex_pi.c: what it owns of what is waited for */
	struct pi_state *pi_waits_for; /* that lock: what it waits for; NULL */
	u64 rseq;                      /* O: user address of its struct rseq; 0: none (rseq.c) */
	u32 rseq_size, rseq_signature; /* O */
	u32 rseq_cpu;                  /* O: what was last written there; CPU_NONE */
	u64 park_deadline;
	u64 user_ns, system_ns, switch_stamp; /* O */
	u64 restart[6];                       /* O: for restart_syscall: [0] is enum restart_kind */
	char name[16];                        /* P: comm */

	struct cred *cred;       /* O: a reference; see cred_current */
	u8 park_mode;            /* A: enum park_mode while parked */
	bool park_expired;       /* A: the deadline of this park has passed */
	bool stopped;            /* S: parked by a stop signal */
	bool exiting;            /* S: has begun to die: takes no more signals */
	struct timer park_timer; /* O */
	void *fpu_block;         /* C: what was allocated for fpu */
	u32 fpu_cpu;  /* O: CPU whose registers still hold its state, if that CPU agrees */
	s32 nice;     /* P: -20 to 19 */
	u64 affinity; /* P: bit n: may run on CPU n */
	u8 policy,
		/*
		 * P: SCHED_* and priority as sched_setscheduler(2) set them; all run by nice alone
		 */
		rt_priority;
	u64 sigwait;                                  /* S: signals that sigtimedwait waits for */
	u32 min_flt, maj_flt;                         /* O */
	u64 voluntary_switches, involuntary_switches; /* O */
	u64 start_ns;                                 /* C */
	struct vfork_done *vfork;    /* O: a parent waits until this thread leaves its space */
	u32 timer_slack;             /* O: prctl */
	u8 memory_failure;           /* O: prctl: PR_MCE_KILL_*, remembered */
	struct trace *trace;         /* T and S: NULL: nobody traces it */
	struct thread_trace tracing; /* S */
	bool made_shm;               /* O: has created System V shared memory (shm.c) */
	u64 set_child_tid; /* O: user address that a new thread writes its tid to; 0: none */
	u64 trap_number, trap_error, trap_address; /* O: of its last exception, for signal frames */
	struct shortage shortage;                  /* O */
	void (*entry)(void *arg);                  /* C: kernel threads */
	void *entry_arg;
};

#define WORK_SIGNAL 0x1
#define WORK_RESCHED 0x2
#define WORK_STOP 0x4
#define WORK_EXIT 0x8  /* the process is exiting: die */
#define WORK_TRAP 0x10 /* stop for the tracer */
#define WORK_RSEQ 0x20 /* has been off the CPU: rseq.c */
#define WORK_INTERRUPTS (WORK_SIGNAL | WORK_STOP | WORK_EXIT | WORK_TRAP) /* end a sleep early */

enum process_state {
	PROCESS_LIVE,
	PROCESS_ZOMBIE, /* exited, waits for its parent */
	PROCESS_REAPED, /* no pid any more */
};

#define RLIMIT_COUNT 16

struct process {
	struct refcount refs;
	u32 pid;                                       /* C */
	struct process *parent;                        /* T */
	struct list children;                          /* T */
	struct list sibling;                           /* T */
	struct pgroup *group;                          /* T; its session is group->session */
	struct list group_link;                        /* T */
	struct list threads;                           /* S */
	u32 nthreads;                                  /* S */
	struct thread *leader;                         /* S */
	struct spinlock lock;                          /* RANK_PROCESS: guards P */
	struct mm *mm;                                 /* P: NULL once it has exited */
	struct files *files;                           /* P: NULL once exited */
	struct fs_context *fs;                         /* P */
	struct cred *cred;                             /* P: replaced as a whole */
	struct spinlock signal_lock;                   /* RANK_SIGNAL */
	struct sigaction_kernel actions[SIGNAL_COUNT]; /* S */
	struct signal_queue pending;                   /* S */
	u32 exit_status;                               /* T: as wait(2) encodes it */
	u32 exit_signal;                               /* T: to the parent; 0: none */
	u32 state;                                     /* T: enum process_state */
	struct waitq child_wait;                       /* parents wait here for children */
	struct file *exe;                              /* P: a reference */
	u64 start_ns;                                  /* C */
	u64 rlimit_soft[RLIMIT_COUNT], rlimit_hard[RLIMIT_COUNT]; /* P */
	u32 oom_score_adj;                                        /* A: a signed number */
	u32 oom_score_adj_min; /* A: a signed number: how low it may be set without privilege */
	bool oom_victim;       /* A: killed for want of memory */
	bool oom_origin; /* A: is bringing memory back from swap: if there is no room, it is why */
	bool execed;     /* T: has called exec since fork (setpgid) */
	bool dumpable, no_new_privs, child_subreaper; /* P */
	u32 pdeath_signal;                            /* P */
	u64 child_user_ns, child_system_ns, min_flt, maj_flt, child_min_flt,
		child_maj_flt; /* T (own: of threads that have exited, S) */
	u64 itimer_next[3],
		itimer_interval[3]; /* S: ITIMER_REAL (monotonic ns), VIRTUAL, PROF (CPU ns) */

	bool exiting;                    /* S: all threads must die; group_status says how */
	u32 group_status;                /* S */
	u32 stop_signal;                 /* S: the stop in force or under way; 0: none */
	bool stop_taken;                 /* S: a stop signal was taken, and not continued since */
	u32 nstopped;                    /* S: threads that have stopped */
	bool stop_event, continue_event; /* S: not yet reported by wait: stopped, continued */
	bool vfork_child;                /* T: shares its parent's space */
	bool cpu_limited;         /* S: a CPU-time timer or limit is set: the scheduler ticks */
	struct waitq signal_wait; /* signalfd: woken when a signal becomes pending */
	struct waitq
		exit_wait; /* pidfd, exec: woken when threads exit and when it becomes a zombie */
	struct timer real_timer;  /* S: ITIMER_REAL */
	struct list posix_timers; /* S: struct posix_timer (posix_timer.c) */
	u32 next_timer_id;        /* S */
	u32 personality;          /* P */
	u64 reads, writes, bytes_read,
		/*
		 * of read(2) and write(2) and their like; no lock: of two threads at the same time
		 * one may not count
		 */
		bytes_written;
	u64 dead_user_ns, dead_system_ns; /* S: of threads that have exited */
	u64 child_max_rss, max_rss;       /* T: KiB; max_rss: of images that exec replaced */
	u64 voluntary_switches, involuntary_switches, child_voluntary, child_involuntary; /* S, T */
	u64 cpu_limit_warned;        /* S: seconds at which RLIMIT_CPU was last reported */
	char last_name[16];          /* S: comm of the last thread that exited */
	bool notify_continue;        /* S: the parent is still to be told that it continues */
	struct thread *exec_thread;  /* S: waits for the others to die */
	struct thread *core_thread;  /* S: writes a core dump; the others wait for it (core.c) */
	struct uid_count *uid_count; /* T and S: what its real user has (cred.c) */
	struct list sem_undos;       /* the lock of sem.c: what to undo of System V semaphores */
	struct list tracees;         /* T: struct trace.link: whom it traces */
	/* T: who traces its first thread: a zombie is that process's before it is the parent's */
	struct trace *trace;
};

/* arch/x86_64/percpu.h has the inline form where there is one. */
struct thread *thread_current(void);
static inline struct process *process_current(void)
{
	return thread_current()->process;
}

/* A counted process by pid in any state, or NULL. */
struct process *process_find(u32 pid);
void process_get(struct process *p);
void process_put(struct process *p);
/*
 * Calls fn for each process (counted while it runs; fn may sleep), in pid order; stops at non-zero.
 * For /proc.
 */
int process_for_each(int (*fn)(struct process *p, void *arg), void *arg);
/*
 * Calls fn for each thread of p, with p->signal_lock held: fn must not sleep. For /proc/PID/task.
 */
int process_for_each_thread(struct process *p, int (*fn)(struct thread *t, void *arg), void *arg);
/* Counted uses of parts of another process: NULL if it has exited. */
struct mm *process_mm_get(struct process *p);
struct files *process_files_get(struct process *p);
struct fs_context *process_fs_get(struct process *p);
struct file *process_exe_get(struct process *p);
struct cred *process_cred_get(struct process *p); /* counted */
u32 process_uid(struct process *p);               /* its real user */
/*
 * Whose credentials this thread goes by: those its process had when it last entered the kernel, so
 * that another thread may change them meanwhile. Borrowed until it changes them itself. The kernel's
 * own threads go by those of process 1, which do not change.
 */
static inline struct cred *cred_current(void)
{
	struct thread *t = thread_current();

	return t->cred ? t->cred : t->process->cred;
}
/* As system calls enter: the credentials of the process again, if another thread has changed them. */
void cred_refresh(struct thread *t);
static inline void cred_enter(struct thread *t)
{
	if (unlikely(t->cred != load_relaxed(&t->process->cred)))
		cred_refresh(t);
}
u32 process_parent_pid(struct process *p);
u32 process_tracer_pid(struct process *p, u32 tid); /* who traces its thread tid; 0: nobody */
u32 process_group_id(struct process *p);
u32 process_session_id(struct process *p);
char process_state_letter(struct process *p); /* R S D Z T */
char thread_state_letter(const struct thread *t);
/* Name (comm) of the process's first thread, at most 16 bytes with the NUL. */
void process_name(struct process *p, char name[16]);
/* CPU time of all its threads, living and dead. */
struct process_times {
	u64 user_ns, system_ns;             /* own */
	u64 child_user_ns, child_system_ns; /* of children that were waited for */
	u64 min_flt, maj_flt, child_min_flt, child_maj_flt;
	u64 voluntary_switches, involuntary_switches;
	s32 nice;
	u32 nthreads;
};
void process_times(struct process *p, struct process_times *out);
/*
 * Blocked, pending, ignored and caught signals, for /proc/PID/status; pending: of the first thread,
 * shared: of the process.
 */
struct process_signals {
	u64 blocked, pending, shared_pending, ignored, caught;
	u32 queued;
};
void process_signals(struct process *p, struct process_signals *out);
/*
 * May the current process look at p's memory and open files (the rule of ptrace(2),
 * PTRACE_MODE_READ)?
 */
bool process_may_inspect(struct process *p);
/* The same for what changes it (PTRACE_MODE_ATTACH). */
bool process_may_trace(struct process *p);

/* Terminal of the session, for /proc and /dev/tty: borrowed, may be NULL. */
struct tty *process_tty(struct process *p);
/*
 * Make tty the terminal of the current session: -EPERM unless the caller leads a session that has
 * none.
 */
int session_set_tty(struct tty *tty);
/* The session sid has no terminal any more (TIOCNOTTY by its leader, hang-up). */
void session_clear_tty(u32 sid);

u64 rlimit_get(u32 resource); /* soft limit of the current process */

/* Signals from the kernel. */
struct signal_source {
	int code;     /* si_code: SI_USER, SI_KERNEL, SEGV_MAPERR... */
	u64 address;  /* si_addr */
	u32 pid, uid; /* si_pid, si_uid */
	s64 value;    /* si_value, si_status */
};
void signal_thread(struct thread *t, int sig,
		   const struct signal_source *s); /* as tgkill: no permission check */
void signal_process(struct process *p, int sig,
		    const struct signal_source *s); /* s NULL: from the kernel (SI_KERNEL) */
void signal_group(u32 pgid, int sig,
		  const struct signal_source *s); /* all of a process group; ESRCH is ignored */
/* A fault of the current thread: delivered even if blocked or ignored (then it kills). */
void signal_fault(int sig, int code, u64 address);
bool signal_is_ignored(
	int sig); /* blocked or ignored by the current process: SIGTTIN, SIGTTOU rules */
/*
 * For signalfd: the signals of `set` that are pending for the current thread or its process, and
 * taking one (its number, or 0).
 */
u64 signal_pending_in(u64 set);
int signal_take(u64 set, struct signal_info *out);

/* Terminals (fs/tty.c) ask: */
bool process_group_is_orphaned(u32 pgid);
bool session_has_group(u32 sid, u32 pgid);

/* A kernel thread. NULL without memory. */
struct thread *kthread_create(void (*fn)(void *), void *arg, const char *name);

/* Scheduling. */
void thread_yield(void);
u64 clock_realtime(void);        /* ns since the epoch */
void clock_set_realtime(u64 ns); /* from the host, at start */
/* As thread_park(interruptible), but only the death of the process ends the wait early (-EINTR). */
int thread_park_killable(u64 deadline_ns);
/* The idle loop of this CPU: the last call of its start. */
void __noreturn scheduler_start(void);
u32 scheduler_cpu_count(void);
/*
 * Run-queue figures for /proc: threads that are runnable now; ns that all CPUs have spent idle;
 * context switches.
 */
u32 scheduler_runnable_count(void);
u64 scheduler_idle_ns(void);
u64 scheduler_cpu_idle_ns(u32 cpu); /* of one CPU */
u64 scheduler_switch_count(void);
void scheduler_load_average(u32 load[3]); /* over 1, 5 and 15 minutes, in 1/65536 */

/*
 * Start: the first process, from the launch record (dev/launch.h). The calling thread becomes
 * process 1, the kernel's own init, which runs no program: it takes orphans, and ends the machine
 * when the program has ended.
 */
void __noreturn proc_start(void);
/*
 * The calling code becomes CPU 0's idle thread (it must not sleep); process 1 exists, for kernel
 * threads. After cpu_init_memory and the slab.
 */
void proc_init(void);
/*
 * The command gives up: end the machine as soon as possible, sending what it asked for. Any
 * context.
 */
void proc_power_off(void);

/* One line about the current process, for panic. */
void panic_dump_process(void);

/* Counters for /proc/coppice and --stats. */
u64 process_live_count(void);
u64 thread_live_count(void);
u64 thread_kept_frames(void); /* of dead threads, kept for the next ones */
u32 threads_max(void);        /* that there may be (limits.c) */
u64 process_fork_count(void);
u32 process_last_pid(void);

#endif
