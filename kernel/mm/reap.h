/*
 * reap.h - taking the memory of a space whose processes are being killed, before they are gone.
 */
#ifndef MM_REAP_H
#define MM_REAP_H

#include "mm/space.h"

/*
 * Detach all pages and tables of the space, which is doomed from now on: every fault in it fails
 * with -EFAULT, and it cannot be forked. All processes that use it must have been told to die
 * already. Takes mm->rw exclusively; needs no memory. How many frames came free.
 */
u64 space_reap(struct mm *mm);
/* Frames that would come free if the space went: those that no other space has too. */
u64 space_exclusive_frames(struct mm *mm);

#endif
