/*
 * context.c - new threads' contexts, and the small services of a CPU: idling, spinning, random
 * numbers, power.
 */
#include "arch/x86_64/asm.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/tlb_priv.h"
#include "lib/lock.h"

/* entry.S */
void context_start(void);

/* What context_switch pops, in its order. */
struct switch_frame {
	u64 r15, r14, r13, r12, rbx, rbp;
	u64 rip;
	u64 end; /* context_start's return address: none */
};

void context_init(struct context *c, void *stack_top, void (*entry)(void *), void *arg)
{
	struct switch_frame *f = (struct switch_frame *)stack_top - 1;

	*f = (struct switch_frame){
		.r12 = (u64)entry,
		.r13 = (u64)arg,
		.rip = (u64)context_start,
	};
	c->rsp = (u64)f;
}

/* STI takes effect after the next instruction, so no interrupt is lost before the HLT. */
void cpu_idle(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

void cpu_take_interrupts(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

void cpu_relax(void)
{
	cpu_pause();
	shootdown_serve();
}

#define RANDOM_TRIES 10 /* Intel SDM vol. 1, 7.3.17: RDRAND that fails more often is broken */

bool cpu_random_u64(u64 *out)
{
	for (u32 i = 0; i < RANDOM_TRIES; i++) {
		bool ok = false;

		if (cpu_features.rdseed)
			__asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(ok));
		if (!ok && cpu_features.rdrand)
			__asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
		if (ok)
			return true;
	}
	return false;
}

/*
 * microvm has no power button without ACPI. A CPU that cannot deliver an exception, nor the double
 * fault for that, shuts down, and QEMU with -no-reboot then ends (as Firecracker does).
 */
void machine_off(void)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = { 0 };

	for (;;)
		__asm__ volatile("cli; lidt %0; int3" : : "m"(none));
}
