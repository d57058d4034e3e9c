/*
 * smp.h - which processors the machine has, and how they are started; for boot/.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include "lib/types.h"

/*
 * Look through what the firmware says for processors: ACPI's tables if rsdp (physical) is not 0,
 * else MP tables. Before direct_map_init, while the first 4 GiB are mapped whatever they are. Without
 * tables there is one processor.
 */
void cpus_find(u64 rsdp);
/*
 * Start all processors that were found, up to CPUS_MAX; each enters the kernel with start_root
 * (physical, below 4 GiB: page tables that map the first 2 MiB where they are, and the kernel image),
 * becomes a CPU like the first, and calls entry. After cpu_init_interrupts, on CPU 0; not yet
 * started when this is called: threads. One that does not come is left out.
 */
void cpus_start(u64 start_root, void (*entry)(void));

#endif
