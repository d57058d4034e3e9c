/*
 * vdso_data.h - what the kernel tells the vDSO, in a page that programs may read ("[vvar]").
 *
 * All but realtime_offset is constant once the first program runs.
 */
#ifndef ARCH_VDSO_DATA_H
#define ARCH_VDSO_DATA_H

#include "lib/types.h"

/* Monotonic ns = (tsc - boot_tsc) * ns_scale >> CLOCK_SCALE_SHIFT, as clock.c computes it. */
#define CLOCK_SCALE_SHIFT 32

struct vdso_data {
	u64 boot_tsc, ns_scale;
	u64 realtime_offset; /* A: real time minus monotonic time, ns */
	u32 has_rdtscp;      /* RDTSCP tells the CPU's number */
};

#endif
