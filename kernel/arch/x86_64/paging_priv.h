/* paging_priv.h - the kernel's own page tables. */
#ifndef ARCH_PAGING_PRIV_H
#define ARCH_PAGING_PRIV_H

#include "arch/x86_64/paging.h"
#include "arch/x86_64/pte.h"
#include "lib/types.h"

#define VMAP_BASE 0xffffc00000000000ull

/* C: the table that maps the kernel half alone; its upper entries are in every root. */
extern u64 kernel_root; /* physical */

/* C after cpu_init_memory: the entries of kernel_root that are in use, few of 256. */
struct kernel_top {
	u32 slot;
	u64 entry;
};
extern struct kernel_top kernel_top[];
extern u32 kernel_top_count;

/*
 * The entry of va in a table of `level` below the kernel's root; missing tables are made when
 * `make`, else NULL. NULL without memory too.
 */
u64 *kernel_entry(u64 va, u32 level, bool make);
/* Whether the kernel can read the byte at va now: a walk of its tables. For backtraces. */
bool kernel_mapped(u64 va);

void vmap_init(void);
bool vmap_is_guard(u64 va);

#endif
