/*
 * membarrier.c - memory barriers on all CPUs that run a program's threads (membarrier(2)).
 *
 * Every CPU that runs the space takes part in a shootdown, which orders its accesses to memory before
 * and after, and serialises its instructions by loading CR3. What a program has registered for belongs
 * to its space: forks keep it, exec does not.
 */
#include <linux/membarrier.h>

#include "arch/x86_64/percpu.h"
#include "mm/space.h"
#include "proc/calls.h"
#include "proc/rseq.h"
#include "sys/syscall.h"

#ifndef MEMBARRIER_CMD_GET_REGISTRATIONS /* linux-libc-dev has it since 6.3 */
#define MEMBARRIER_CMD_GET_REGISTRATIONS (1 << 9)
#endif

#define COMMANDS                                                                                  \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                \
	 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |            \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |                                    \
	 MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ | \
	 MEMBARRIER_CMD_GET_REGISTRATIONS)

/* The command by which a program registers for this one; 0: it needs not. */
static u32 registration_of(u32 command)
{
	switch (command) {
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		return MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
	}
	return 0;
}

static long barrier_private(struct mm *mm, u32 command, u32 flags, s32 cpu)
{
	if (!(load_relaxed(&mm->membarriers) & registration_of(command)))
		return -EPERM;
	if (command != MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)
		tlb_shoot_all(mm);
	else if (!(flags & MEMBARRIER_CMD_FLAG_CPU))
		rseq_interrupt(RSEQ_ALL_CPUS);
	else if (cpu >= 0 && cpu < CPUS_MAX)
		rseq_interrupt((u32)cpu);
	return 0;
}

SYSCALL3(membarrier, u32, command, u32, flags, s32, cpu)
{
	struct mm *mm = thread_current()->mm;

	if (flags &&
	    (command != MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ || flags != MEMBARRIER_CMD_FLAG_CPU))
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return COMMANDS;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		tlb_shoot_machine();
		return 0;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		atomic_or(&mm->membarriers, command);
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return barrier_private(mm, command, flags, cpu);
	case MEMBARRIER_CMD_GET_REGISTRATIONS:
		return load_relaxed(&mm->membarriers);
	}
	return -EINVAL;
}
