/*
 * numa.c - system calls about memory nodes, of which there is one: every policy means the same, so they are checked and forgotten.
 */
#include <linux/mempolicy.h>

#include "mm/space.h"
#include "proc/calls.h"
#include "sys/syscall.h"

#define NODE_ONLY 1ull /* the mask of all nodes */

/* The nodes in a mask of maxnode bits (as the callers count: one more than is looked at). */
static int mask_get(const u64 __user *user, u64 maxnode, u64 *mask)
{
	*mask = 0;
	if (!user || maxnode <= 1)
		return 0;
	if (maxnode > PAGE_SIZE * 8)
		return -EINVAL;
	if (get_user(*mask, user))
		return -EFAULT;
	if (maxnode <= 64)
		*mask &= BIT(maxnode - 1) - 1;
	for (u64 i = 1; i < DIV_ROUND_UP(maxnode - 1, 64); i++) {
		u64 more;

		if (get_user(more, user + i))
			return -EFAULT;
		if (more)
			return -EINVAL;
	}
	return 0;
}

static int policy_check(int mode, const u64 __user *user, u64 maxnode)
{
	int policy = mode & ~MPOL_MODE_FLAGS, err;
	u64 mask;

	if (policy < MPOL_DEFAULT || policy >= MPOL_MAX)
		return -EINVAL;
	err = mask_get(user, maxnode, &mask);
	if (err)
		return err;
	if (policy == MPOL_DEFAULT || policy == MPOL_LOCAL)
		return mask ? -EINVAL : 0;
	if (policy == MPOL_PREFERRED && !mask)
		return 0;
	return mask & NODE_ONLY ? 0 : -EINVAL;
}

SYSCALL3(set_mempolicy, int, mode, const u64 __user *, mask, u64, maxnode)
{
	return policy_check(mode, mask, maxnode);
}

SYSCALL6(mbind, u64, addr, u64, length, int, mode, const u64 __user *, mask, u64, maxnode, u32,
	 flags)
{
	if (addr % PAGE_SIZE || flags & ~(u32)MPOL_MF_VALID)
		return -EINVAL;
	return policy_check(mode, mask, maxnode);
}

SYSCALL5(get_mempolicy, s32 __user *, mode, u64 __user *, mask, u64, maxnode, u64, addr, u64, flags)
{
	bool members = flags & MPOL_F_MEMS_ALLOWED;

	if (flags & ~(u64)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) ||
	    (members && flags & (MPOL_F_NODE | MPOL_F_ADDR)))
		return -EINVAL;
	if (addr && !(flags & MPOL_F_ADDR))
		return -EINVAL;
	if (mode && put_user(MPOL_DEFAULT, mode))
		return -EFAULT;
	if (!mask)
		return 0;
	if (maxnode < 1)
		return -EINVAL;
	return put_user(members ? NODE_ONLY : 0ull, mask);
}
