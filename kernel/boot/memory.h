/* memory.h - what memory there is, and what in it is taken, as the loader says. */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include "boot/pvh.h"
#include "mm/frame.h"

#define BOOT_RANGES_MAX 32

struct boot_memory {
	struct memory_range usable[BOOT_RANGES_MAX]; /* RAM: whole pages, ascending, disjoint */
	u32 nusable;
	struct memory_range reserved[BOOT_RANGES_MAX]; /* taken; whole pages, in no order */
	u32 nreserved;
};

/*
 * Fill *m from the loader's memory map and structures, which are read through the direct map.
 * Panics if there is no memory map.
 */
void boot_memory_find(struct boot_memory *m, const struct pvh_start_info *info);
/*
 * Find room of `size` bytes behind the kernel image, and reserve it. Its physical address; panics
 * if there is none.
 */
u64 boot_memory_take(struct boot_memory *m, u64 size);
void boot_memory_reserve(struct boot_memory *m, u64 start, u64 size);

#endif
