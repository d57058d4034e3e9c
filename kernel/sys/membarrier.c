/* membarrier.c - memory barriers on all CPUs that run a program's threads. */
#include <linux/membarrier.h>

#include "mm/space.h"
#include "proc/calls.h"
#include "sys/syscall.h"

#define COMMANDS                                                                       \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |                     \
	 MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED | \
	 MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)

static int barrier_space(struct mm *mm, void *unused)
{
	tlb_shoot_all(mm);
	return 0;
}

/* Every CPU that runs the space takes part in a shootdown, which orders its memory accesses before and after. */
SYSCALL3(membarrier, int, command, u32, flags, int, cpu)
{
	if (flags)
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return COMMANDS;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
		tlb_shoot_all(thread_current()->mm);
		return 0;
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		return space_for_each(barrier_space, NULL);
	}
	return -EINVAL;
}
