/*
 * ptrace.h - tracing, as kernel/sys asks for it: ptrace(2).
 *
 * Results are negative errno. The requests of the second part are for a tracee that stands still:
 * trace_freeze finds it, trace_thaw or trace_resume let it go.
 */
#ifndef PROC_PTRACE_H
#define PROC_PTRACE_H

#include "lib/types.h"

struct regs;
struct thread;
struct signal_info;

int ptrace_traceme(void);
int ptrace_attach(u32 tid, bool seize, u64 options);
int ptrace_kill(u32 tid);
int ptrace_interrupt(u32 tid);

/* --- system calls: sys/table.c --- */

/* Before a call: false: it is not to be made. After: whether or not it was. */
bool trace_syscall_enter(struct regs *regs);
void trace_syscall_exit(struct regs *regs);

/* --- a tracee that stands still --- */

/* It stays as it is until thawed. ERR_PTR(-ESRCH): nobody whom the caller has stopped. */
struct thread *trace_freeze(u32 tid);
void trace_thaw(struct thread *t);
enum trace_resume { RESUME_CONT, RESUME_SYSCALL, RESUME_STEP, RESUME_EMULATE, RESUME_EMULATE_STEP };
/* The two let it go on, with a signal or 0, and thaw it. -EIO: no such signal (it stands still) */
int trace_resume(struct thread *t, enum trace_resume how, u64 sig);
int trace_detach(struct thread *t, u64 sig);
int trace_listen(struct thread *t);

int trace_read_word(struct thread *t, u64 address, u64 *out);
int trace_write_word(struct thread *t, u64 address, u64 word);

/* struct user_regs_struct */
#define TRACE_REGS 27
void trace_get_regs(struct thread *t, u64 out[TRACE_REGS]);
int trace_set_reg(struct thread *t, u32 index, u64 value); /* -EIO: not that value */
u64 trace_get_reg(struct thread *t, u32 index);
/* Vector state: FXSAVE's 512 bytes, or an XSAVE area as a whole; size is what there is. */
u32 trace_fpu_size(bool whole);
int trace_get_fpu(struct thread *t, bool whole, void *out);      /* -ENOMEM */
int trace_set_fpu(struct thread *t, bool whole, const void *in); /* -EINVAL */

int trace_get_siginfo(struct thread *t, struct signal_info *out); /* -EINVAL: there is none */
int trace_set_siginfo(struct thread *t, const struct signal_info *info);
u64 trace_get_sigmask(struct thread *t);
void trace_set_sigmask(struct thread *t, u64 mask);
int trace_set_options(struct thread *t, u64 options); /* -EINVAL */
u64 trace_get_message(struct thread *t);

/* What PTRACE_GET_SYSCALL_INFO tells. */
enum trace_place { PLACE_OTHER, PLACE_ENTRY, PLACE_EXIT };
enum trace_place trace_get_place(struct thread *t);

#endif
