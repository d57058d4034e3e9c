/*
 * percpu.c - the table of CPUs, and the out-of-line definitions of percpu.h's inline functions.
 */
#include "arch/x86_64/percpu.h"

#include "arch/x86_64/features.h"
#include "arch/x86_64/instr.h"
#include "lib/atomic.h"

struct cpu *cpu_table[CPUS_MAX];
u64 cpus_online;

static u32 no_work;

struct thread *thread_current(void)
{
	return this_cpu()->current;
}

u32 cpu_number(void)
{
	return this_cpu()->number;
}

bool cpus_are_many(void)
{
	u64 all = load_relaxed(&cpus_online);

	return all & (all - 1);
}

struct lock_stack *lock_stack_cpu(void)
{
	return &this_cpu()->locks;
}

void percpu_init(struct cpu *c, u32 number)
{
	c->self = c;
	c->number = number;
	c->work = &no_work;
	cpu_table[number] = c;
	wrmsr(MSR_GS_BASE, (u64)c);
	if (cpu_features.rdtscp) /* for the vDSO's getcpu */
		wrmsr(MSR_TSC_AUX, number);
}
