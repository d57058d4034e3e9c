/* fault.h - the fault with the options that only mm itself uses. Private to mm. */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include "mm/space.h"

/*
 * As space_fault. force: a write to private memory is made even where the area only MAY be written
 * (ptrace): the page becomes ours, its entry stays read-only.
 */
int fault_resolve(struct mm *mm, u64 va, u32 access, bool force, struct fault_result *result);

#endif
