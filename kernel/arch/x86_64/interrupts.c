/*
 * interrupts.c - brings up interrupts and time on CPU 0. They stay off until the scheduler idles or
 * user code runs.
 */
#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/atomic.h"

void cpu_init_interrupts(void)
{
	apic_init();
	ioapic_init();
	clock_calibrate();
	pause_init();
	atomic_or(&cpus_online, BIT(cpu_number()));
}
