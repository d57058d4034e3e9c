/*
 * rseq.h - restartable sequences (rseq.c): what the calls and the way back to user mode ask.
 */
#ifndef PROC_RSEQ_H
#define PROC_RSEQ_H

#include "lib/types.h"

struct regs;
struct thread;

#define RSEQ_FEATURE_SIZE \
	28 /* AT_RSEQ_FEATURE_SIZE: bytes of struct rseq that are kept up to date */
#define RSEQ_FEATURE_ALIGN 32

/* rseq(2) of the current thread: 0, -EINVAL, -EPERM, -EBUSY, -EFAULT. */
int rseq_register(u64 address, u32 size, u32 flags, u32 signature);
/* WORK_RSEQ is set: on the way to user mode with regs. */
void rseq_resume(struct regs *regs);
/* A handler is about to interrupt the code at regs. */
void rseq_before_handler(struct regs *regs);
/* fork: the child, which nobody has seen, runs on a copy of the parent's memory. */
void rseq_inherit(struct thread *child, const struct thread *parent);
/*
 * Sections that threads of this process are in (on that CPU, or on RSEQ_ALL_CPUS) begin anew before they
 * go on. For membarrier. No lock may be held.
 */
#define RSEQ_ALL_CPUS UINT32_MAX
void rseq_interrupt(u32 cpu);

#endif
