/*
 * smp.c - starts the other processors, one after the other: INIT, then start-up interrupts that
 * name the page at which to begin (Intel SDM vol. 3, 9.4.4). trampoline.S brings each to
 * secondary_main.
 *
 * Central rule: while one starts, CPU 0 waits for it and does nothing else; so what it needs on its
 * way (its stack, its struct cpu) can be in plain variables. From the moment at which it is in
 * cpus_online it takes part in shootdowns.
 */
#include "arch/x86_64/smp.h"

#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/paging_priv.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/smp_priv.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/machine.h"

#define SECOND_TRY_NS 10000000ull
#define PATIENCE_NS 2000000000ull

void __noreturn secondary_main(struct cpu *c);

/* In the order in which the firmware lists them. */
static u32 found[CPUS_MAX];
static u32 nfound;

u64 secondary_stack_top;
struct cpu *secondary_cpu;
static void (*secondary_entry)(void);
static u32 secondary_runs; /* A: the one that starts has come, and wants its clock compared */

void cpu_found(u32 apic_id)
{
	for (u32 i = 0; i < nfound; i++)
		if (found[i] == apic_id)
			return;
	if (nfound < CPUS_MAX)
		found[nfound++] = apic_id;
}

void cpus_find(u64 rsdp)
{
	if (!acpi_cpus_find(rsdp))
		mptable_cpus_find();
}

void secondary_main(struct cpu *c)
{
	cpu_init_secondary(c);
	apic_init_cpu();
	store_release(&secondary_runs, 1);
	clock_compare_secondary();
	clock_timer_init();
	atomic_or(&cpus_online, BIT(c->number));
	secondary_entry();
	panic("CPU %u has nothing to do", c->number);
}

static bool wait_until_runs(u64 ns)
{
	u64 end = clock_monotonic() + ns;

	while (!load_acquire(&secondary_runs)) {
		if (clock_monotonic() > end)
			return false;
		cpu_relax();
	}
	return true;
}

/*
 * The pauses that the manual asks for are for processors whose APIC is a chip of its own; the second
 * start-up interrupt is for one that missed the first.
 */
static bool processor_start(u32 apic_id)
{
	store_release(&secondary_runs, 0);
	apic_send_init(apic_id);
	apic_send_startup(apic_id, TRAMPOLINE >> PAGE_SHIFT);
	if (wait_until_runs(SECOND_TRY_NS))
		return true;
	apic_send_startup(apic_id, TRAMPOLINE >> PAGE_SHIFT);
	return wait_until_runs(PATIENCE_NS);
}

/*
 * What a processor was given that did not come is not taken back: it may still be on its way.
 */
static bool cpu_start(u32 number, u32 apic_id)
{
	struct cpu *c = cpu_alloc(number, apic_id);
	char *stack = c ? vmap_alloc_stack(KERNEL_STACK_SIZE) : NULL;

	if (!stack) {
		cpu_free(c);
		log_info("no memory for CPU %u", number);
		return false;
	}
	secondary_cpu = c;
	secondary_stack_top = (u64)stack + KERNEL_STACK_SIZE;
	if (!processor_start(apic_id)) {
		log_info("the processor with APIC id %u does not start", apic_id);
		return false;
	}
	clock_compare_boot();
	while (!(load_acquire(&cpus_online) & BIT(number)))
		cpu_relax();
	return true;
}

static void trampoline_place(u64 start_root)
{
	char *to = phys_to_virt(TRAMPOLINE);

	memcpy(to, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	*(u32 *)(to + (trampoline_root - trampoline_start)) = (u32)start_root;
}

void cpus_start(u64 start_root, void (*entry)(void))
{
	u32 number = 1;

	trampoline_place(start_root);
	secondary_entry = entry;
	for (u32 i = 0; i < nfound && number < CPUS_MAX; i++) {
		if (found[i] == this_cpu()->apic_id)
			continue;
		if (!cpu_start(number, found[i]))
			break;
		number++;
	}
	log_info("%u CPU(s)", number);
}
