/*
 * pause.c - the other CPUs stand still while one looks at what they would change.
 *
 * They stop where interrupts are taken: in user mode, idle, or at a preemption point. So none stands
 * in the middle of something that a spinlock guards, and none that waits for a lock is stopped while
 * the one that holds it goes on. Meanwhile they serve shootdowns.
 */
#include "arch/x86_64/apic_priv.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/traps_priv.h"
#include "lib/atomic.h"

static struct mutex pause_mutex; /* one at a time */
static bool pausing;             /* A */
static u32 paused;               /* A: how many stand still */

void pause_init(void)
{
	mutex_init(&pause_mutex, RANK_PAUSE);
}

void pause_interrupt(void)
{
	atomic_add(&paused, 1);
	while (load_acquire(&pausing))
		cpu_relax();
	atomic_sub(&paused, 1);
}

void cpus_pause(void)
{
	u64 others;

	mutex_lock(&pause_mutex);
	others = load_acquire(&cpus_online) & ~BIT(cpu_number());
	store_release(&pausing, true);
	for (u64 left = others; left; left &= left - 1)
		apic_send(cpu_table[__builtin_ctzll(left)]->apic_id, VECTOR_PAUSE);
	while (load_acquire(&paused) != (u32)__builtin_popcountll(others))
		cpu_relax();
}

void cpus_resume(void)
{
	store_release(&pausing, false);
	while (load_acquire(&paused))
		cpu_relax();
	mutex_unlock(&pause_mutex);
}
