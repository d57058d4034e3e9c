/* fault.h - the fault with the options that only mm itself uses. Private to mm. */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "mm/space.h"

/*
 * As space_fault. FAULT_FORCE: a write to private memory is made even where the area only MAY be
 * written (ptrace): the page becomes ours, its entry stays read-only. FAULT_HOLD: after success
 * space.rw is still held shared, so that nobody undoes it before the caller has used it.
 */
#define FAULT_FORCE 1u
#define FAULT_HOLD 2u
int fault_resolve(struct mm *mm, u64 va, u32 access, u32 flags, struct fault_result *result);

#endif
