/* paging.h - for boot/: the direct map. */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include "mm/frame.h"

/*
 * Map all of ram (ascending, disjoint) at the direct map's base, and the kernel image with its final rights, and switch to these tables.
 * Page tables are taken from physical memory at `tables` (page-aligned, below 4 GiB); direct_map_size says how much may be needed. Returns where they end.
 */
u64 direct_map_init(const struct memory_range *ram, u32 count, u64 tables);
u64 direct_map_size(const struct memory_range *ram, u32 count);

#endif
