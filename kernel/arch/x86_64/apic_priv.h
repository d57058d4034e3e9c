/* apic_priv.h - the local APIC: interrupts to this CPU, between CPUs, and its timer. */
#ifndef ARCH_APIC_PRIV_H
#define ARCH_APIC_PRIV_H

#include "lib/types.h"

void apic_init(void);     /* for all CPUs, and CPU 0's own */
void apic_init_cpu(void); /* another CPU's own, by itself */
void apic_end_of_interrupt(void);
/* Raise vector on the CPU with this APIC id. */
void apic_send(u32 apic_id, u8 vector);
void apic_send_nmi(u32 apic_id);
/* To start a processor: it waits after the first, and begins at that page after the second. */
void apic_send_init(u32 apic_id);
void apic_send_startup(u32 apic_id, u8 page);

/* The count-down timer at APIC_TIMER_HZ; 0 stops it. */
#define APIC_TIMER_HZ 1000000000ull
void apic_timer_start(u32 count);
u32 apic_timer_count(void);
/*
 * How the timer's interrupt comes about from now on: by the count, or by the TSC deadline register.
 */
void apic_timer_mode(bool deadline, bool masked);

void ioapic_init(void);

#endif
