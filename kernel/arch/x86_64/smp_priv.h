/* smp_priv.h - processors while they are found and started, inside of arch/x86_64. */
#ifndef ARCH_SMP_PRIV_H
#define ARCH_SMP_PRIV_H

#include "lib/types.h"

struct cpu;

/* acpi.c, mptable.c: call cpu_found for each usable processor. False: no such tables. */
bool acpi_cpus_find(u64 rsdp);
bool mptable_cpus_find(void);
void cpu_found(u32 apic_id);

/* gdt.c: a struct cpu with all that the processor looks at. NULL without memory. */
struct cpu *cpu_alloc(u32 number, u32 apic_id);
void cpu_free(struct cpu *c);
/* The calling processor becomes c: as cpu_init_boot for CPU 0. */
void cpu_init_secondary(struct cpu *c);

/* clock.c: the two halves of one comparison of the TSCs of CPU 0 and one that starts. */
void clock_compare_boot(void);
void clock_compare_secondary(void);

/* trampoline.S: copied to TRAMPOLINE, where a processor begins in real mode. */
#define TRAMPOLINE 0x8000
extern char trampoline_start[], trampoline_root[], trampoline_end[];
extern u64 secondary_stack_top; /* smp.c, read by trampoline.S */
extern struct cpu *secondary_cpu;

#endif
