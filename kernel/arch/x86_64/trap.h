/*
 * trap.h - what traps call, and how the layers above start and resume user code.
 *
 * Upward hooks (declared here, implemented where the comment says):
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include "arch/x86_64/regs.h"
#include "lib/types.h"

struct thread;

/* sys/table.c: decode regs->rax, run the call, put the result into regs->rax. */
void syscall_dispatch(struct regs *regs);

/*
 * proc/signal.c: called with interrupts off on every return to user mode that has work to do
 * (thread->work != 0: signal pending, need reschedule, stop). May change regs to enter a handler,
 * may not return (the thread dies). Loops until no work is left.
 */
void return_to_user_work(struct regs *regs);

/*
 * proc/fault.c: a user-mode exception other than a page fault. vector as in Intel SDM vol. 3 table
 * 6-1. It raises the signal that Linux raises (#DE SIGFPE/FPE_INTDIV, #UD SIGILL/ILL_ILLOPN, #GP
 * SIGSEGV/SI_KERNEL, #BP SIGTRAP, #DB, #MF, #XM, #AC ...).
 */
void user_exception(struct regs *regs, u32 vector, u64 error_code);

/*
 * proc/fault.c: a page fault on a user address, from user mode or (usercopy) from the kernel.
 * error_code as the CPU pushes it (bit 0 present, 1 write, 2 user, 4 instruction fetch). Calls mm's
 * space_fault; from user mode it raises SIGSEGV or SIGBUS itself and returns true; from the kernel
 * it returns false if the access cannot be made, and the usercopy fixup runs.
 */
bool user_page_fault(struct regs *regs, u64 address, u64 error_code, bool from_user);

/* proc/timer.c: the timer interrupt of this CPU. */
void timer_interrupt(bool from_user);
/* proc/sched.c: another CPU has called cpu_kick for this one. */
void reschedule_interrupt(void);
/* dev: a device interrupt; vector is what irq_register returned. */
typedef void (*irq_handler)(void *arg);
/*
 * Route I/O APIC line gsi to handler (called with interrupts off, may wake, may not sleep). 0 or
 * -EBUSY/-EINVAL.
 */
int irq_register(u32 gsi, irq_handler handler, void *arg);

/* The registers of the current thread's user state (top of its kernel stack). */
struct regs *thread_regs(struct thread *t);

#endif
