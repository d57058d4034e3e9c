/*
 * commit.c - the commit charge (proc_sys_vm(5), overcommit_memory).
 *
 * It counts promises, not pages: what private writable areas and shared memory may come to need. A
 * charge is made before the first change that cannot be taken back, and returned with what it was
 * made for; nothing here looks at tables.
 */
#include "mm/commit.h"

#include "lib/atomic.h"
#include "lib/err.h"
#include "mm/frame.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "mm/tunable.h"

#define KIB_PER_PAGE (PAGE_SIZE / 1024)
/* A space pays at most this share of its own size as a reserve. */
#define SPACE_SHARE 32

static u64 charged; /* atomic: pages */

u64 commit_charged(void)
{
	return load_relaxed(&charged);
}

u64 commit_limit(void)
{
	u64 kbytes = load_relaxed(&mm_tunables.overcommit_kbytes);
	u64 memory = kbytes ? kbytes / KIB_PER_PAGE
			    : frame_managed * load_relaxed(&mm_tunables.overcommit_ratio) / 100;

	return memory + swap_total_slots();
}

/* What this caller may bring the charge to in mode NEVER. */
static u64 limit_for(struct mm *mm)
{
	u64 limit = commit_limit(), kept = 0;

	if (!mm_is_privileged(MM_PRIVILEGE_COMMIT))
		kept = load_relaxed(&mm_tunables.admin_reserve) / KIB_PER_PAGE;
	if (mm)
		kept += min(areas_summary(mm->areas)->bytes / PAGE_SIZE / SPACE_SHARE,
			    load_relaxed(&mm_tunables.user_reserve) / KIB_PER_PAGE);
	return limit > kept ? limit - kept : 0;
}

int commit_charge_fork(struct mm *mm, u64 pages)
{
	u64 now = atomic_add_return(&charged, pages);

	if (!pages || load_relaxed(&mm_tunables.overcommit_memory) != OVERCOMMIT_NEVER ||
	    now < limit_for(mm))
		return 0;
	commit_uncharge(pages);
	return -ENOMEM;
}

int commit_charge(struct mm *mm, u64 pages)
{
	if (load_relaxed(&mm_tunables.overcommit_memory) == OVERCOMMIT_GUESS &&
	    pages > frame_managed + swap_total_slots())
		return -ENOMEM;
	return commit_charge_fork(mm, pages);
}

void commit_uncharge(u64 pages)
{
	atomic_sub(&charged, pages);
}
