/* apic_priv.h - the local APIC: interrupts to this CPU, between CPUs, and its timer. */
#ifndef ARCH_APIC_PRIV_H
#define ARCH_APIC_PRIV_H

#include "lib/types.h"

void apic_init(void);
void apic_end_of_interrupt(void);
/* Raise vector on the CPU with this APIC id. */
void apic_send(u32 apic_id, u8 vector);

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
