/*
 * vdso.h - the shared library that every program finds in its space (vdso(7)): clocks without a system
 * call. Its code is vdso/vdso.c.
 */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H

#include "lib/types.h"

struct mm;

/* Once, after clock_calibrate and cpu_init_memory. */
void vdso_init(void);
/* Bytes that vdso_map takes: the data, and above it the image. */
u64 vdso_size(void);
/* Map both into a space that nobody runs in, and set mm->vdso. 0 or -ENOMEM. */
int vdso_map(struct mm *mm, u64 address);
void vdso_set_realtime_offset(u64 ns);

#endif
