/* paging.h - for boot/: where the kernel image lies, and the direct map. */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include "mm/frame.h"

/*
 * Linker script: image_start <= text < text_end <= rodata < rodata_end <= data < image_end;
 * page-aligned, linked at KERNEL_BASE + where loaded.
 */
#define KERNEL_BASE 0xffffffff80000000ull
extern char image_start[], text_end[], rodata_end[], image_end[];

/* Physical address of a kernel-image address. */
static inline u64 image_phys(const void *p)
{
	return (u64)p - KERNEL_BASE;
}

/*
 * Map all of ram (ascending, disjoint) at the direct map's base, and the kernel image with its
 * final rights, and switch to these tables. Page tables are taken from physical memory at `tables`
 * (page-aligned, below 4 GiB); direct_map_size says how much may be needed. Returns where they end.
 */
u64 direct_map_init(const struct memory_range *ram, u32 count, u64 tables);
u64 direct_map_size(const struct memory_range *ram, u32 count);
/* What of it entries of each level map, bytes: [1] 4 KiB pages, [2] 2 MiB, [3] 1 GiB. */
extern u64 direct_map_bytes[4];

#endif
