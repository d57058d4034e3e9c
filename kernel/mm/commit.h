/*
 * commit.h - the commit charge: how much memory has been promised (Linux: Committed_AS), and what of
 * it may be.
 *
 * Who owes what: a space, its areas with AREA_ACCOUNT (their sum stands at the root of the area
 * index, so fork adds one number); an object of shared memory, its size, or its pages as they come.
 */
#ifndef MM_COMMIT_H
#define MM_COMMIT_H

#include "lib/types.h"

struct mm;

/*
 * Promise so many pages more; mm, the space that asks, or NULL (it pays a reserve in mode NEVER). 0
 * or -ENOMEM.
 */
int commit_charge(struct mm *mm, u64 pages);
/* As commit_charge, for a fork, of areas that were promised already: one by one they pass. */
int commit_charge_fork(struct mm *mm, u64 pages);
void commit_uncharge(u64 pages);

u64 commit_charged(void); /* pages */
u64 commit_limit(void);   /* pages: what mode NEVER would allow */

#endif
