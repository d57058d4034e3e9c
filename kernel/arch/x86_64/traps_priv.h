/*
 * traps_priv.h - entries, vectors, and what the files of arch/x86_64 ask of each other at start-up
 * and in traps.
 */
#ifndef ARCH_TRAPS_PRIV_H
#define ARCH_TRAPS_PRIV_H

/* Interrupt stack table slots (TSS.ist[n - 1]). */
#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_MACHINE_CHECK 3
#define IST_COUNT 3

/* Exceptions by number (Intel SDM vol. 3, table 6-1). */
#define VECTOR_NMI 2
#define VECTOR_BREAKPOINT 3
#define VECTOR_OVERFLOW 4
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_GENERAL_PROTECTION 13
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_IRQ_FIRST 32 /* lines of the I/O APICs */
#define VECTOR_IRQ_LAST 0xdf
#define VECTOR_TIMER 0xe0
#define VECTOR_SHOOTDOWN 0xe1
#define VECTOR_RESCHEDULE 0xe2
#define VECTOR_PAUSE 0xe3
#define VECTOR_SPURIOUS 0xff

/* Offsets in struct regs. */
#define REGS_RAX 80
#define REGS_RCX 88
#define REGS_ORIG_RAX 120
#define REGS_RIP 128
#define REGS_CS 136
#define REGS_RFLAGS 144
#define REGS_RSP 152
#define REGS_SS 160

#ifndef __ASSEMBLER__

#include "arch/x86_64/regs.h"
#include "lib/types.h"

_Static_assert(offsetof(struct regs, rax) == REGS_RAX, "traps_priv.h");
_Static_assert(offsetof(struct regs, orig_rax) == REGS_ORIG_RAX, "traps_priv.h");
_Static_assert(offsetof(struct regs, rip) == REGS_RIP, "traps_priv.h");
_Static_assert(offsetof(struct regs, ss) == REGS_SS, "traps_priv.h");

void syscall_entry(void);
extern const char trap_stubs[]; /* entry of vector n: TRAP_STUB_SIZE bytes each */
#define TRAP_STUB_SIZE 16

void idt_init(void);
void idt_load(void);
void fpu_init(void);
void fpu_init_cpu(void); /* on each CPU but the first */
void clock_init(void);
void clock_calibrate(void);
struct vdso_data;
void clock_tell(struct vdso_data *d); /* boot_tsc, ns_scale */
void clock_timer_init(void);          /* this CPU's timer; after clock_calibrate */

/* pause.c */
void pause_init(void);
void pause_interrupt(void);

/* ioapic.c: an I/O APIC line's vector: run its handler. */
void irq_dispatch(u32 vector);

/* panic.c: of a non-maskable interrupt: does not return if another CPU panics. */
void panic_answer(const struct regs *regs);
/* Panic with the registers of a trap. */
void __noreturn panic_regs(const struct regs *regs, const char *fmt, ...) __printf(2, 3);

#endif
#endif
