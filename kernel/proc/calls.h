/*
 * calls.h - what kernel/sys asks of processes: the system calls, with their arguments decoded and
 * in kernel memory.
 *
 * Results are negative errno unless a comment says more. User pointers stay with kernel/sys, but
 * for addresses that the kernel itself uses later (tids, robust lists, stacks), which are plain
 * u64.
 */
#ifndef PROC_CALLS_H
#define PROC_CALLS_H

#include "proc/proc.h"

struct regs;
struct path;

/* --- fork.c --- */
struct clone_request {
	u64 flags; /* CLONE_*, without the exit signal */
	u32 exit_signal;
	u64 stack;                        /* the child's stack pointer; 0: as the parent's */
	u64 parent_tid, child_tid, pidfd; /* user addresses */
	u64 tls;
	s32 wanted_tid; /* 0: any that is free */
};
long process_clone(const struct clone_request *r); /* the child's tid, in the parent */

int process_unshare(u64 flags); /* unshare(2) */

/* --- exit.c, wait.c --- */
void __noreturn process_exit_group(u32 status); /* as wait(2) encodes it */
void __noreturn thread_exit(u32 status);

enum wait_kind { WAIT_ANY, WAIT_PID, WAIT_GROUP };
struct wait_request {
	enum wait_kind kind;
	u32 id;
	u32 options; /* WEXITED, WSTOPPED, WCONTINUED, WNOHANG, WNOWAIT, __WALL, __WCLONE */
};
struct wait_usage { /* of the child and all that it waited for */
	u64 user_ns, system_ns, min_flt, maj_flt, max_rss_kib, voluntary, involuntary;
};
struct wait_result {
	u32 pid, uid;
	u32 status;      /* as wait(2) encodes it */
	int code, value; /* si_code CLD_*, si_status */
	struct wait_usage usage;
};
/* 0 with result->pid 0: WNOHANG and nothing has happened. -ECHILD, -ERESTARTSYS. */
int process_wait(const struct wait_request *r, struct wait_result *result);

/*
 * --- exec.c: argv and envp are user arrays of user strings. 0: the process is the new program; the
 * caller gives up what it holds and calls process_enter_user ---
 */
int process_exec(const struct path *start, const char *name, u32 lookup_flags,
		 const char *shown_name, u64 argv, u64 envp);

/* Leave for user mode with the registers of thread_regs. */
void __noreturn process_enter_user(void);

/* --- pidfd.c --- */
int pidfd_open(u32 pid, bool nonblock);
int pidfd_for(struct process *p); /* a descriptor for p, which the caller keeps a reference of */
struct process *pidfd_process(int fd); /* counted, or ERR_PTR(-EBADF) */
/* The same for pidfd_send_signal, which takes an open /proc/PID as well. */
struct process *pidfd_target(int fd);

/* --- group.c --- */
int process_setpgid(u32 pid, u32 pgid);
int process_getpgid(u32 pid);
int process_getsid(u32 pid);
int process_setsid(void);

/* --- signal.c --- */
int signal_action(int sig, const struct sigaction_kernel *set, struct sigaction_kernel *old);
u64 signal_get_mask(void);
void signal_set_mask(u64 mask);
u64 signal_pending_blocked(void); /* sigpending */
/* kill(2) and its like, with the caller's permissions. */
int signal_kill(s32 pid, const struct signal_info *info);
int signal_send_process(struct process *p,
			const struct signal_info *info); /* as kill, to a process already found */
int signal_tgkill(s32 tgid, s32 tid, const struct signal_info *info); /* tgid 0: any */
void signal_info_user(struct signal_info *info, int sig, int code);
/*
 * Wait with another mask (sigsuspend, ppoll...): the old mask comes back on the way to user mode,
 * after a handler's frame was made.
 */
void signal_use_mask(u64 mask);
/*
 * The call ends: if no signal interrupted it, the old mask is back at once, and what came meanwhile
 * stays pending. Also where signal_use_mask was not called.
 */
void signal_end_mask(bool interrupted);
int signal_timedwait(u64 set, u64 deadline_ns,
		     struct signal_info *info); /* the signal, -EAGAIN, -EINTR */
long signal_return(struct regs *regs);          /* rt_sigreturn */
struct signal_stack {
	u64 sp, size;
	u32 flags;
};
int signal_altstack(const struct signal_stack *set, struct signal_stack *old, u64 user_sp);

/* What restart_syscall continues: thread->restart[0]. */
enum restart_kind { RESTART_NONE, RESTART_NANOSLEEP, RESTART_POLL, RESTART_FUTEX };

/* --- cred.c: Linux's rules for who may change what; UINT32_MAX: leave --- */
int cred_set_uids(u32 ruid, u32 euid, u32 suid);
int cred_set_gids(u32 rgid, u32 egid, u32 sgid);
int cred_setreuid(u32 ruid, u32 euid);
int cred_setregid(u32 rgid, u32 egid);
int cred_setuid(u32 uid);
int cred_setgid(u32 gid);
u32 cred_setfsuid(u32 uid);
u32 cred_setfsgid(u32 gid);
int cred_setgroups(const u32 *groups, u32 n);
int cred_capset(u64 effective, u64 permitted, u64 inheritable);
int cred_drop_bounding(u32 cap);
int cred_ambient(u32 operation, u32 cap);
int cred_set_securebits(u32 bits);
int cred_set_keep_capabilities(bool on); /* PR_SET_KEEPCAPS */

/* --- time: clock.c, itimer.c, posix_timer.c --- */
int clock_read(s32 clock, u64 *ns);
int clock_resolution(s32 clock, u64 *ns);
/*
 * Sleep until a time of that clock; remaining (may be NULL) gets what is left. 0, -EINTR by a
 * signal, -EINVAL.
 */
int clock_sleep_until(s32 clock, u64 ns, u64 *remaining);
int clock_set(s32 clock, u64 ns);
struct itimer_value {
	u64 interval_ns, value_ns; /* value: from now; 0: disarmed */
};
void itimer_get(u32 which, struct itimer_value *out);
void itimer_set(u32 which, const struct itimer_value *v, struct itimer_value *old);

struct timer_event { /* struct sigevent */
	int notify, sig;
	u32 tid;
	u64 value;
};
int posix_timer_create(s32 clock, const struct timer_event *e); /* e NULL: SIGALRM. The id */
int posix_timer_settime(s32 id, bool absolute, const struct itimer_value *v,
			struct itimer_value *old);
int posix_timer_gettime(s32 id, struct itimer_value *out);
int posix_timer_getoverrun(s32 id);
int posix_timer_delete(s32 id);

/* --- limits and priorities (limits.c) --- */
int rlimit_set(struct process *p, u32 resource, u64 soft, u64 hard);
int process_may_change(struct process *p); /* prlimit, setpriority: 0 or -EPERM */
/* Priorities: which as PRIO_*. get: 20 - nice, the highest. */
int priority_get(int which, u32 who);
int priority_set(int which, u32 who, s32 nice);
/* Affinity of a thread (0: current). */
int affinity_get(u32 tid, u64 *mask);
int affinity_set(u32 tid, u64 mask);
/* Policy of a thread (0: current): remembered and reported; all threads are scheduled alike. */
struct sched_policy {
	u32 policy, priority; /* SCHED_*, with SCHED_RESET_ON_FORK or not */
	s32 nice;
};
int policy_get(u32 tid, struct sched_policy *out);
int policy_set(u32 tid, const struct sched_policy *set, bool set_nice);

/* --- init.c --- */
/*
 * sys/table.c: the system calls that programs asked for and the kernel lacks, as "number name
 * count\n" lines: bytes in buf.
 */
size_t syscall_missing_text(char *buf, size_t size);

/* --- process.c --- */
void process_usage(struct process *p, struct wait_usage *own, struct wait_usage *children);
void thread_usage(struct wait_usage *out); /* RUSAGE_THREAD: the current one */
void process_set_name(const char *name);
/* The name of thread tid of process p (comm), or -ESRCH. */
int thread_name(struct process *p, u32 tid, char name[16]);
int process_set_subreaper(bool on);

#endif
