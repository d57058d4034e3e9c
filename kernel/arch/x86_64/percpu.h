/*
 * percpu.h - what each CPU has of its own, reached through GS while in the kernel.
 *
 * The scheduler says who runs by cpu_set_current(); thread_current() is then one load. The fields
 * up to `number` are used by entry.S, which knows their offsets by the names below.
 */
#ifndef ARCH_PERCPU_H
#define ARCH_PERCPU_H

#define CPU_SELF 0
#define CPU_CURRENT 8
#define CPU_WORK 16
#define CPU_STACK_TOP 24
#define CPU_USER_RSP 32
#define CPU_NUMBER 40

#ifndef __ASSEMBLER__

#include "lib/lock.h"
#include "lib/waitq.h"

struct thread;
struct mm;
struct shootdown;
struct tss;

/* A shootdown on its way to one CPU: a link in that CPU's mailbox. */
struct shootdown_letter {
	struct shootdown_letter *next;
	struct shootdown *request;
};

/* O: written by this CPU only. A: atomic, by all. C: constant once the CPU runs. */
struct cpu {
	struct cpu *self;       /* C */
	struct thread *current; /* O */
	u32 *work;       /* O: the current thread's flags: not 0: return_to_user_work has to do */
	void *stack_top; /* O: kernel stack for SYSCALL */
	u64 user_rsp;    /* O: SYSCALL entry: the user's stack pointer for a few instructions */
	u32 number;      /* C */
	u32 apic_id;     /* C */
	u32 icr_high; /* O: what that register of this CPU's xAPIC holds (0 after reset: SDM vol. 3, table 11-1) */
	bool in_interrupt;       /* O: not on behalf of the current thread */
	struct tss *tss;         /* C: names the stack for entries from user mode through the IDT */
	struct lock_stack locks; /* O: debug builds */
	struct mm *space;     /* O: whose root is in CR3, lazily or not; NULL: the kernel's own */
	u64 space_generation; /* O: up to which shootdown of that space this CPU's TLB is good */
	struct shootdown_letter *mailbox; /* A */
	struct shootdown_letter
		letters[CPUS_MAX]; /* O: what this CPU sent, one for each receiver */
};

_Static_assert(offsetof(struct cpu, self) == CPU_SELF, "percpu.h");
_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "percpu.h");
_Static_assert(offsetof(struct cpu, work) == CPU_WORK, "percpu.h");
_Static_assert(offsetof(struct cpu, stack_top) == CPU_STACK_TOP, "percpu.h");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "percpu.h");
_Static_assert(offsetof(struct cpu, number) == CPU_NUMBER, "percpu.h");

extern struct cpu *cpu_table[CPUS_MAX]; /* by number; NULL: there is no such CPU */
extern u64 cpus_online;                 /* A: bit n: CPU n takes interrupts */

static inline struct cpu *this_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:%c1, %0" : "=r"(c) : "i"(CPU_SELF));
	return c;
}

/*
 * The definitions that lib/waitq.h and lib/lock.h ask of their host, inline where this header is
 * included; percpu.c has them for the rest. Not volatile: wherever a thread runs, it is itself.
 */
extern inline __attribute__((gnu_inline, always_inline)) struct thread *thread_current(void)
{
	struct thread *t;

	__asm__("movq %%gs:%c1, %0" : "=r"(t) : "i"(CPU_CURRENT));
	return t;
}

extern inline __attribute__((gnu_inline, always_inline)) u32 cpu_number(void)
{
	u32 n;

	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(n) : "i"(CPU_NUMBER));
	return n;
}

/* Scheduler: from now on t runs here; work: its flags, which the way back to user mode tests. */
static inline void cpu_set_current(struct thread *t, u32 *work)
{
	struct cpu *c = this_cpu();

	c->work = work;
	c->current = t;
	__asm__ volatile("" : : : "memory");
}

/* The calling CPU is c from now on: before anything else on it; see cpu_init_boot. */
void percpu_init(struct cpu *c, u32 number);

#endif
#endif
