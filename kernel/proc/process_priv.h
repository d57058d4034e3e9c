/*
 * process_priv.h - what the files of this folder tell each other about processes, numbers, groups
 * and signals.
 */
#ifndef PROC_PROCESS_PRIV_H
#define PROC_PROCESS_PRIV_H

#include "proc/calls.h"
#include "proc/proc.h"

/* The tree lock (T): parents, children, groups, sessions. */
extern struct spinlock tree_lock;
extern struct process *init_process; /* process 1 */

/*
 * --- numbers (pid.c): one table for threads, processes, groups and sessions, so that a number in
 * any use is not given out again ---
 */
struct session {
	u32 id;
	u32 ngroups;       /* T */
	struct tty *tty;   /* T: borrowed from fs/tty.c, which clears it */
	bool leader_alive; /* T */
};

struct pgroup {
	u32 id;
	struct session *session; /* C */
	struct list members;     /* T: struct process.group_link */
};

struct pid_entry { /* N: pid lock */
	u32 number;
	struct process *process; /* N */
	struct thread *thread;   /* N */
	struct pgroup *group;    /* N */
	struct session *session; /* N */
};

/* A free number for them. 0, or -EAGAIN: none is free, or -ENOMEM; then *number is 0. */
int pid_alloc(struct process *p, struct thread *t, u32 *number);
/* That number: also -EEXIST, -EINVAL. */
int pid_alloc_wanted(struct process *p, struct thread *t, u32 number);
void pid_set_thread(u32 number, struct thread *t); /* NULL: no thread has it any more */
void pid_clear_process(u32 number);
/* Enter a group (and session) under the number of a living process. */
void pid_set_group(u32 number, struct pgroup *g);
void pid_set_session(u32 number, struct session *s); /* NULL: gone */
struct pgroup *pid_group(u32 number);                /* T held; NULL */
struct session *pid_session(u32 number);             /* T held; NULL */
/*
 * The counted process that the thread tid belongs to, or NULL. Look for the thread again under its
 * signal lock.
 */
struct process *pid_thread_process(u32 tid);
/* The counted process with the lowest pid >= *from; *from becomes its pid. NULL: no more. */
struct process *pid_next_process(u32 *from);

/* --- processes (process.c) --- */
struct process *process_alloc(void);                       /* one reference; empty */
struct thread *process_thread(struct process *p, u32 tid); /* S held; NULL */
u64 process_runtime(struct process *p, u64 now);           /* S held: CPU ns of all its threads */
u64 thread_account_now(struct thread *t);                  /* current thread: CPU ns so far */

/* --- groups (group.c): T held --- */
void group_join(struct process *p, struct pgroup *g);
void group_leave(struct process *p); /* frees the group, and its session, with the last member */
bool group_will_be_orphaned(struct pgroup *g, const struct process *ignored);
bool group_has_stopped(struct pgroup *g);
struct pgroup *group_create_first(
	struct process *p); /* session and group of a process that has none; NULL without memory */

#define POLICY_RESET_ON_FORK 0x80 /* in thread->policy: SCHED_RESET_ON_FORK */

/* --- users (cred.c) --- */
struct cred *cred_copy(const struct cred *c);
struct cred *cred_new_root(void);
struct uid_count *
uid_count_get(u32 uid); /* finds or makes; counts one more process. NULL without memory */
void uid_count_ref(struct uid_count *u);
void uid_count_put(struct uid_count *u);
/* A process has been waited for and counts no more; it gives u up, later, by uid_count_put_reaped. */
void uid_count_reap(struct uid_count *u);
void uid_count_put_reaped(struct uid_count *u);
u32 uid_count_value(const struct uid_count *u); /* processes */
/* One more queued signal, unless there are `limit` of them: false. It keeps u. S may be held. */
bool uid_count_charge_signal(struct uid_count *u, u64 limit);
void uid_count_uncharge_signal(struct uid_count *u);
u32 uid_count_signals(const struct uid_count *u);
/* The same for the bytes (not 0) that a message queue may take. */
bool uid_count_charge_queue(struct uid_count *u, u64 bytes, u64 limit);
void uid_count_uncharge_queue(struct uid_count *u, u64 bytes);
void cred_install(struct process *p, struct cred *c); /* takes over c; the old one is given up */
void cred_apply_exec(struct process *p); /* capabilities after exec without set-user-ID */

/* --- signals (signal.c) --- */
struct posix_timer;
struct signal_pending { /* one queued signal; S of the process it is queued for */
	struct list link;
	struct signal_info info;
	struct uid_count *charged; /* C */
	struct posix_timer
		*timer; /* C: it is part of this one; NULL: it is freed when it is taken */
};

#define SIGNAL_BIT(sig) (1ull << ((sig)-1))
#define SIGNALS_STOP \
	(SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))
#define SIGNALS_SYNCHRONOUS                                                                    \
	(SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | \
	 SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))
#define SIGNALS_IGNORED_BY_DEFAULT \
	(SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGWINCH) | SIGNAL_BIT(SIGURG))

void signal_queue_init(struct signal_queue *q);
void signal_queue_flush(struct process *p, struct signal_queue *q,
			u64 set); /* S held: drop the queued signals of set */
/* S held: take e, which is queued, off q. */
void signal_queue_remove(struct signal_queue *q, struct signal_pending *e);
/*
 * S held. t NULL: for the process as a whole. -EAGAIN: a real-time signal, and no room to queue it.
 */
int signal_send_locked(struct process *p, struct thread *t, const struct signal_info *info);
/*
 * S held. The same with the caller's own e, which is queued though others of the number are, and
 * stays the caller's. *q: where it is queued; NULL: nowhere. False: the process ignores it.
 */
bool signal_send_own(struct process *p, struct thread *t, struct signal_pending *e,
		     struct signal_queue **q);
int signal_dequeue(struct thread *t, u64 blocked,
		   struct signal_info *info); /* S held: the next one not blocked, or 0 */
void signal_recalc(
	struct thread *t); /* S held: WORK_SIGNAL says whether an unblocked signal is pending */
void signal_retarget(
	struct process *p); /* S held: a thread has left: others look at what is pending */
void process_kill_locked(struct process *p,
			 u32 status); /* S held: all threads die; status as wait(2) encodes it */
void signal_child_event(struct process *p, int code,
			int status); /* tell the parent: CLD_STOPPED, CLD_CONTINUED */
void signal_set_mask(u64 mask);      /* of the current thread */
void signal_info_user(struct signal_info *info, int sig,
		      int code); /* from the current process: pid and uid filled in */

/* --- wait.c, for tracers: T held --- */
void wait_exit_result(u32 status, struct wait_result *result);           /* status, code, value */
void wait_zombie_result(const struct process *p, struct wait_result *r); /* and what it used */
void wait_reap(struct process *p, struct wait_result *r); /* and its number is free */

/* --- frames (sigframe.c) --- */
int sigframe_setup(struct regs *regs, int sig, const struct signal_info *info,
		   const struct sigaction_kernel *action, u64 mask);

u64 sigframe_max_size(void); /* AT_MINSIGSTKSZ */

/* --- exit (exit.c) --- */
void __noreturn
thread_exit(u32 status); /* the current thread, by exit(2), or as part of its process's death */
bool process_notify_parent(
	struct process
		*p); /* T held: SIGCHLD for a zombie. True: nobody will wait for it: reap it */
void process_release(
	struct process *
		p); /* T held: out of the tree; its number is free; gives up the tree's reference */
void vfork_complete(struct thread *t); /* its parent may go on */
void futex_init(void);
/*
 * futex_robust.c: the current thread t leaves its space for good, or for another program: robust
 * futexes, locks that it owns, and the word that pthread_join waits for. May sleep.
 */
void futex_exit(struct thread *t);
void futex_exec(struct thread *t);

void oom_init(void); /* oom.c */

/* --- fork.c, exec.c, pidfd.c --- */
void thread_charge_system(u64 t0);
struct file *exec_file_get(
	struct process
		*p); /* the program's file, once more held against writing; NULL if it has exited */
void exec_file_put(struct file *f);
/*
 * The first program: from kernel memory, in a process that has no space yet. 0: enter_user with
 * thread_regs; or errno.
 */
int process_exec_kernel(const char *name, char **argv, char **envp);
int pidfd_give(struct process *p,
	       u64 user_fd); /* a new descriptor, also stored at user_fd (0: nowhere); or errno */

/* --- timers of processes --- */
void process_check_cpu_limits(struct thread *t, u64 now);      /* itimer.c; from the tick */
void space_limits_set(struct mm *mm, const struct process *p); /* limits.c: for a new space */
void limits_init(void);
void cpu_limit_changed(struct process *p); /* itimer.c: RLIMIT_CPU was set */
void itimers_exit(struct process *p);      /* itimer.c */
void posix_timers_exit(struct process *p); /* posix_timer.c */
/*
 * posix_timer.c: S held: a timer's signal is taken (deliver: to be delivered; then info->timer
 * tells the overruns and the timer goes on), or dropped.
 */
void posix_timer_taken(struct posix_timer *t, struct signal_info *info, bool deliver);
/*
 * clock.c: whose processor time the clock tells, counted; tid 0: of the whole process. -EINVAL: it
 * is no such clock, or of nobody; -EOPNOTSUPP: it is of a device.
 */
int clock_measures(s32 clock, struct process **p, u32 *tid);
/* The real-time clock has gone ahead by so many ns: timers by its time follow. */
void posix_timers_clock_set(struct process *p, s64 ahead);
/* S held: sig is not ignored any more: timers that had nobody to tell go on. */
void posix_timers_unignored(struct process *p, int sig);
/* S held, from the tick: those that count processor time. */
void posix_timers_check_cpu(struct process *p, u64 now);
/* S held: whether such a timer runs. */
bool posix_timers_count_cpu(const struct process *p);
void process_want_tick(struct process *p);  /* itimer.c: S held: what it counts has changed */
void itimer_alarm_taken(struct process *p); /* itimer.c: S held: SIGALRM was taken from its queue */

#endif
