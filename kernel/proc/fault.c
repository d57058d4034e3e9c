/*
 * fault.c - page faults and exceptions of programs: what mm cannot make good becomes a signal; no
 * memory means that somebody dies.
 *
 * Read mm/fault.c for what a fault does to the space, oom.c for who dies.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "arch/x86_64/trap.h"
#include "lib/print.h"
#include "mm/space.h"
#include "proc/oom.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define ERROR_WRITE 0x2
#define ERROR_USER 0x4
#define ERROR_FETCH 0x10

#define VECTOR_PAGE_FAULT 14

/* --- page faults --- */

static u32 access_of(u64 error_code)
{
	u32 access = error_code & ERROR_FETCH   ? ACCESS_EXEC
		     : error_code & ERROR_WRITE ? ACCESS_WRITE
						: ACCESS_READ;

	return error_code & ERROR_USER ? access | ACCESS_USER : access;
}

static void remember_trap(struct thread *t, u64 number, u64 error_code, u64 address)
{
	t->trap_number = number;
	t->trap_error = error_code;
	t->trap_address = address;
}

bool user_page_fault(struct regs *regs, u64 address, u64 error_code, bool from_user)
{
	struct thread *t = thread_current();
	struct fault_result result = { 0 };
	int err;

	if (!t->mm || (!from_user && t->faults_off))
		return false;
	while ((err = space_fault(t->mm, address, access_of(error_code), &result)) == -ENOMEM) {
		if (!oom_wait(true)) /* dying: by the way back to user mode */
			return from_user;
	}
	if (likely(!err)) {
		if (result.major)
			t->maj_flt++;
		else
			t->min_flt++;
		return true;
	}
	if (!from_user)
		return false;
	remember_trap(t, VECTOR_PAGE_FAULT, error_code, address);
	signal_fault(result.signal ? result.signal : SIGBUS,
		     result.signal ? result.code : BUS_ADRERR, address);
	return true;
}

/* --- exceptions --- */

#define FPU_CONTROL 0
#define FPU_STATUS 2
#define FPU_MXCSR 24

/*
 * Which unmasked floating-point exception happened: si_code, from the x87 or SSE status (same bits,
 * Intel SDM vol. 1, 8.1.3 and 10.2.3).
 */
static int floating_point_code(bool sse)
{
	struct thread *t = thread_current();
	const u8 *area = t->fpu;
	u32 pending;

	fpu_save(t->fpu);
	if (sse) {
		u32 mxcsr = *(const u32 *)(area + FPU_MXCSR);

		pending = mxcsr & ~(mxcsr >> 7);
	} else {
		pending = *(const u16 *)(area + FPU_STATUS) & ~*(const u16 *)(area + FPU_CONTROL);
	}
	if (pending & 0x01)
		return FPE_FLTINV;
	if (pending & 0x04)
		return FPE_FLTDIV;
	if (pending & 0x08)
		return FPE_FLTOVF;
	if (pending & 0x12)
		return FPE_FLTUND;
	return pending & 0x20 ? FPE_FLTRES : 0;
}

void user_exception(struct regs *regs, u32 vector, u64 error_code)
{
	struct thread *t = thread_current();
	int code;

	remember_trap(t, vector, error_code, t->trap_address);
	switch (vector) {
	case 0:
		return signal_fault(SIGFPE, FPE_INTDIV, regs->rip);
	case 1:
		return signal_fault(SIGTRAP, TRAP_TRACE, regs->rip);
	case 3:
		return signal_fault(SIGTRAP, SI_KERNEL, 0);
	case 6:
		return signal_fault(SIGILL, ILL_ILLOPN, regs->rip);
	case 11:
	case 12:
		return signal_fault(SIGBUS, SI_KERNEL, 0);
	case 16:
	case 19:
		code = floating_point_code(vector == 19);
		if (code)
			signal_fault(SIGFPE, code, regs->rip);
		return;
	case 17:
		return signal_fault(SIGBUS, BUS_ADRALN, 0);
	default: /* #OF, #BR, #TS, #GP and what else there is */
		return signal_fault(SIGSEGV, SI_KERNEL, 0);
	}
}
