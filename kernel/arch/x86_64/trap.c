/*
 * trap.c - where traps go: to mm and signals above when user code made them, to a fixup when the
 * kernel touched user memory for a program, else to a panic.
 *
 * The kernel itself faults in one legal way: at an instruction that the exception table lists
 * (usercopy, XRSTOR of a program's state). Everything else that the processor complains about in
 * kernel mode is a bug.
 */
#include "arch/x86_64/trap.h"

#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/paging_priv.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/tlb_priv.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/print.h"

void trap_user(struct regs *regs, u32 vector, u64 error_code);
void trap_kernel(struct regs *regs, u32 vector, u64 error_code);
void __noreturn trap_fatal_report(struct regs *regs, u32 vector, u64 error_code);

static const char *const exception_names[] = {
	"divide error",
	"debug",
	"non-maskable interrupt",
	"breakpoint",
	"overflow",
	"bound range",
	"invalid opcode",
	"no coprocessor",
	"double fault",
	"coprocessor overrun",
	"invalid TSS",
	"segment not present",
	"stack fault",
	"general protection",
	"page fault",
	"exception 15",
	"x87 error",
	"alignment check",
	"machine check",
	"SIMD error",
};

static const char *exception_name(u32 vector)
{
	return vector < ARRAY_SIZE(exception_names) ? exception_names[vector] : "unknown exception";
}

struct fault_entry {
	u64 at, fixup;
};

extern const struct fault_entry ex_table_start[], ex_table_end[];

static const struct fault_entry *fault_entry_find(u64 rip)
{
	for (const struct fault_entry *e = ex_table_start; e < ex_table_end; e++)
		if (e->at == rip)
			return e;
	return NULL;
}

/* Interrupts are off meanwhile: it does not nest. */
static void interrupt(u32 vector, bool from_user)
{
	this_cpu()->in_interrupt = true;
	switch (vector) {
	case VECTOR_TIMER:
		apic_end_of_interrupt();
		timer_interrupt(from_user);
		break;
	case VECTOR_SHOOTDOWN:
		apic_end_of_interrupt();
		shootdown_serve();
		break;
	case VECTOR_RESCHEDULE:
		apic_end_of_interrupt();
		reschedule_interrupt();
		break;
	case VECTOR_PAUSE:
		apic_end_of_interrupt();
		pause_interrupt();
		break;
	case VECTOR_SPURIOUS: /* the APIC wants no end of interrupt for it */
		break;
	default:
		irq_dispatch(vector);
		apic_end_of_interrupt();
	}
	this_cpu()->in_interrupt = false;
}

void trap_user(struct regs *regs, u32 vector, u64 error_code)
{
	if (vector == VECTOR_PAGE_FAULT)
		user_page_fault(regs, read_cr2(), error_code, true);
	else if (vector >= VECTOR_IRQ_FIRST)
		interrupt(vector, true);
	else
		user_exception(regs, vector, error_code);
	locks_must_be_free("exception", vector);
}

#define PAGE_FAULT_RESERVED_BIT 0x8

static void kernel_page_fault(struct regs *regs, u64 error_code)
{
	u64 address = read_cr2();
	const struct fault_entry *e = fault_entry_find(regs->rip);

	if (!e || address >= USER_END || (error_code & PAGE_FAULT_RESERVED_BIT))
		panic_regs(regs, "page fault in the kernel at %#lx, error code %#lx", address,
			   error_code);
	if (user_page_fault(regs, address, error_code, false))
		return;
	regs->rip = e->fixup;
	regs->rflags &= ~RFLAGS_AC;
}

void trap_kernel(struct regs *regs, u32 vector, u64 error_code)
{
	const struct fault_entry *e;

	if (vector == VECTOR_PAGE_FAULT) {
		kernel_page_fault(regs, error_code);
		return;
	}
	if (vector >= VECTOR_IRQ_FIRST) {
		interrupt(vector, false);
		return;
	}
	e = vector == VECTOR_GENERAL_PROTECTION ? fault_entry_find(regs->rip) : NULL;
	if (!e)
		panic_regs(regs, "%s in the kernel, error code %#lx", exception_name(vector),
			   error_code);
	regs->rip = e->fixup;
	regs->rflags &= ~RFLAGS_AC;
}

/*
 * A stack that ran into its guard page shows up as a double fault: the page fault found no stack to
 * be reported on.
 */
void trap_fatal_report(struct regs *regs, u32 vector, u64 error_code)
{
	if (vector == VECTOR_NMI)
		panic_answer(regs);
	if (vector == VECTOR_DOUBLE_FAULT && vmap_is_guard(read_cr2()))
		panic_regs(regs, "kernel stack overflow at %#lx", read_cr2());
	panic_regs(regs, "%s, error code %#lx", exception_name(vector), error_code);
}
