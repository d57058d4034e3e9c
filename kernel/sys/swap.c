/*
 * swap.c - swapon(2) and swapoff(2).
 *
 * Errors come in Linux's order: flags, privilege, the name, what is there. Swap areas are block
 * devices; the file systems here have no blocks of which a swap file could consist.
 */
#include <asm-generic/fcntl.h>
#include <linux/capability.h>

#include "fs/blockdev.h"
#include "mm/shortage.h"
#include "proc/proc.h"
#include "sys/path.h"
#include "sys/syscall.h"

/* Facts: swapon(2); no uapi header has them. */
#define SWAP_FLAG_PREFER 0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAG_DISCARD 0x10000u       /* and, without the next two, both of them */
#define SWAP_FLAG_DISCARD_ONCE 0x20000u  /* the whole area, now */
#define SWAP_FLAG_DISCARD_PAGES 0x40000u /* pages when they are freed: a hint, not taken */
#define SWAP_FLAGS                                                                             \
	(SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE | \
	 SWAP_FLAG_DISCARD_PAGES)

#define PRIORITY_NONE (-1)

/* The file that a program names: counted, or ERR_PTR. */
static struct file *open_named(const char __user *name)
{
	struct user_path p;
	struct file *f;
	int err = user_path_get(&p, AT_FDCWD, name, 0);

	if (err)
		return ERR_PTR(err);
	f = file_open(p.start, p.name, O_RDWR | O_LARGEFILE, 0);
	user_path_put(&p);
	return f;
}

static u32 discard_flags(u32 flags)
{
	bool once = flags & SWAP_FLAG_DISCARD &&
		    (flags & SWAP_FLAG_DISCARD_ONCE || !(flags & SWAP_FLAG_DISCARD_PAGES));

	return once ? SWAPDEV_DISCARD_ONCE : 0;
}

SYSCALL2(swapon, const char __user *, name, u32, flags)
{
	s32 priority = PRIORITY_NONE;
	struct file *f;
	int err;

	if (flags & ~SWAP_FLAGS)
		return -EINVAL;
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & SWAP_FLAG_PREFER)
		priority = (s32)(flags & SWAP_FLAG_PRIO_MASK);
	f = open_named(name);
	if (IS_ERR(f))
		return PTR_ERR(f);
	err = swapdev_start(f, priority, discard_flags(flags));
	file_put(f);
	return err;
}

/*
 * That memory runs out means here that what was swapped has no room: it stays there. Nobody is killed
 * for it; but when others run out of memory meanwhile, this process is the first to go, as on Linux.
 */
static int stop(struct file *f)
{
	struct shortage *shortage = shortage_current();
	struct process *self = process_current();
	u64 shortages = shortage->count;
	int err;

	store_relaxed(&self->oom_origin, true);
	err = swapdev_stop(f);
	store_relaxed(&self->oom_origin, false);
	shortage->count = shortages;
	return err;
}

SYSCALL1(swapoff, const char __user *, name)
{
	struct file *f;
	int err;

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return -EPERM;
	f = open_named(name);
	if (IS_ERR(f))
		return PTR_ERR(f);
	err = stop(f);
	file_put(f);
	return err;
}
