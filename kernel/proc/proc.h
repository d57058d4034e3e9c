/*
 * proc.h - threads and processes as the rest of the kernel sees them.
 *
 * A thread is what is scheduled; a process is what has a pid, a parent, open files and signal handlers; its threads share it. vfork and
 * posix_spawn share the space between two processes, threads share all.
 */
#ifndef PROC_PROC_H
#define PROC_PROC_H

#include "arch/x86_64/cpu.h"
#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/waitq.h"

struct mm;
struct files;	   /* fs/file.h */
struct fs_context; /* fs/vfs.h: root, cwd, umask */
struct file;
struct tty;

#define NGROUPS_KEPT 32
/* Immutable and counted: a change makes a new one. */
struct cred {
	struct refcount refs;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 ngroups;
	u32 groups[NGROUPS_KEPT];
};
void cred_get(struct cred *c);
void cred_put(struct cred *c);
bool cred_in_group(const struct cred *c, u32 gid);  /* fsgid or supplementary */
bool cred_capable(const struct cred *c, u32 cap);   /* CAP_* */

struct sigaction_kernel {
	u64 handler; /* SIG_DFL 0, SIG_IGN 1, or an address */
	u64 flags;
	u64 restorer;
	u64 mask;
};

#define NSIG 64
struct signal_queue { /* pending signals of a thread or of a process; G: process->signal_lock */
	u64 set;	  /* G: bit n-1: signal n pending */
	struct list infos; /* G: struct signal_info, in order of arrival */
	u32 count;
};

/* Letters: S: process->signal_lock; T: process tree lock; P: process->lock; O: only the thread itself; A: atomic; C: constant. */
struct thread {
	struct context context; /* runq lock while not running */
	void *stack;		/* C: lowest address of its kernel stack */
	struct process *process; /* C */
	struct mm *mm;		/* O: the space it runs in, NULL for kernel threads */
	u32 tid;		/* C */
	u32 state;		/* A: enum thread_state */
	u32 cpu;		/* A: runs, or last ran, here */
	u32 work;		/* A: WORK_*: what must be done before user mode */
	struct list run_link;	/* runq lock */
	struct list thread_link; /* S: in process->threads */
	struct lock_stack locks; /* O: debug builds */
	u64 sigmask, saved_sigmask; /* O (read under S): blocked signals */
	bool restore_sigmask;	    /* O: sigsuspend, ppoll: put saved_sigmask back after the handler frame is made */
	struct signal_queue pending; /* S */
	u64 altstack_sp, altstack_size; /* O */
	u32 altstack_flags;
	void *fpu;		/* O: XSAVE area */
	u64 fs_base, gs_base;	/* O: while not running */
	u64 clear_child_tid;	/* O: user address */
	u64 robust_list;	/* O */
	u64 rseq;		/* O */
	u64 park_deadline;
	u64 user_ns, system_ns, switch_stamp; /* O */
	u64 restart[6];		/* O: for restart_syscall */
	char name[16];		/* P: comm */
};

#define WORK_SIGNAL 0x1
#define WORK_RESCHED 0x2
#define WORK_STOP 0x4
#define WORK_EXIT 0x8 /* the process is exiting: die */

struct process {
	struct refcount refs;
	u32 pid;		  /* C */
	struct process *parent;	  /* T */
	struct list children;	  /* T */
	struct list sibling;	  /* T */
	struct pgroup *group;	  /* T; its session is group->session */
	struct list group_link;	  /* T */
	struct list threads;	  /* S */
	u32 nthreads;		  /* S */
	struct thread *leader;	  /* S */
	struct spinlock lock;	  /* RANK_PROCESS: guards P */
	struct mm *mm;		  /* P: NULL once it has exited */
	struct files *files;	  /* P: NULL once exited */
	struct fs_context *fs;	  /* P */
	struct cred *cred;	  /* P: replaced as a whole */
	struct spinlock signal_lock; /* RANK_SIGNAL */
	struct sigaction_kernel actions[NSIG]; /* S */
	struct signal_queue pending; /* S */
	u32 exit_status;	  /* T: as wait(2) encodes it */
	u32 exit_signal;	  /* C: to the parent */
	u32 state;		  /* T: enum process_state */
	struct waitq child_wait;  /* parents wait here for children */
	struct file *exe;	  /* P: a reference */
	u64 start_ns;		  /* C */
	u64 rlimit_soft[16], rlimit_hard[16]; /* P */
	u32 oom_score_adj;
	bool execed;		  /* T: has called exec since fork (setpgid) */
	bool dumpable, no_new_privs, child_subreaper; /* P */
	u32 pdeath_signal;	  /* P */
	u64 child_user_ns, child_system_ns, min_flt, maj_flt, child_min_flt, child_maj_flt; /* T */
	u64 itimer_next[3], itimer_interval[3]; /* S: ITIMER_REAL (monotonic ns), VIRTUAL, PROF */
};

struct thread *thread_current(void);
static inline struct process *process_current(void)
{
	return thread_current()->process;
}

/* A counted process by pid in any state, or NULL. */
struct process *process_find(u32 pid);
void process_get(struct process *p);
void process_put(struct process *p);
/* Calls fn for each process (counted while it runs; fn may sleep), in pid order; stops at non-zero. For /proc. */
int process_for_each(int (*fn)(struct process *p, void *arg), void *arg);
/* Counted uses of parts of another process: NULL if it has exited. */
struct mm *process_mm_get(struct process *p);
struct files *process_files_get(struct process *p);
struct cred *process_cred_get(struct process *p); /* counted */
static inline struct cred *cred_current(void)
{
	return process_current()->cred; /* stable for the running process's own threads until it changes it itself */
}
u32 process_parent_pid(struct process *p);
u32 process_group_id(struct process *p);
u32 process_session_id(struct process *p);
char process_state_letter(struct process *p); /* R S D Z T */
/* Terminal of the session, for /proc and /dev/tty: borrowed, may be NULL. */
struct tty *process_tty(struct process *p);

u64 rlimit_get(u32 resource); /* soft limit of the current process */

/* Signals from the kernel. */
struct signal_source {
	int code;     /* si_code: SI_USER, SI_KERNEL, SEGV_MAPERR... */
	u64 address;  /* si_addr */
	u32 pid, uid; /* si_pid, si_uid */
	s64 value;    /* si_value, si_status */
};
void signal_thread(struct thread *t, int sig, const struct signal_source *s);	/* as tgkill: no permission check */
void signal_process(struct process *p, int sig, const struct signal_source *s);
void signal_group(u32 pgid, int sig, const struct signal_source *s); /* all of a process group; ESRCH is ignored */
/* A fault of the current thread: delivered even if blocked or ignored (then it kills). */
void signal_fault(int sig, int code, u64 address);
bool signal_is_ignored(int sig); /* blocked or ignored by the current process: SIGTTIN, SIGTTOU rules */

/* Terminals (fs/tty.c) ask: */
bool process_group_is_orphaned(u32 pgid);
bool session_has_group(u32 sid, u32 pgid);

/* A kernel thread. NULL without memory. */
struct thread *kthread_create(void (*fn)(void *), void *arg, const char *name);

/* Scheduling. */
void thread_yield(void);
u64 clock_realtime(void);		/* ns since the epoch */
void clock_set_realtime(u64 ns);	/* from the host, at start */

/* Start: the first process, from the launch record (dev/launch.h); runs in its own thread. Never returns. */
void __noreturn proc_start(void);
void proc_init(void); /* scheduler of CPU 0, pid table */

/* Counters for /proc/coppice and --stats. */
u64 process_live_count(void);
u64 thread_live_count(void);
u64 process_fork_count(void);

#endif
