/*
 * pvh.h - what the loader hands over: the PVH boot protocol's start information (Xen,
 * docs/misc/pvh: "x86/HVM direct boot ABI").
 */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H

#include "lib/types.h"

#define PVH_MAGIC 0x336ec578

struct pvh_start_info {
	u32 magic;
	u32 version; /* 1 and later: with the memory map */
	u32 flags;
	u32 module_count;
	u64 modules;      /* physical: struct pvh_module[] */
	u64 command_line; /* physical: NUL-terminated, or 0 */
	u64 rsdp;
	u64 memory_map; /* physical: struct pvh_memory[] */
	u32 memory_map_entries;
	u32 reserved;
};

struct pvh_module {
	u64 start, size;
	u64 command_line;
	u64 reserved;
};

#define PVH_MEMORY_RAM 1

struct pvh_memory {
	u64 start, size;
	u32 type;
	u32 reserved;
};

#endif
