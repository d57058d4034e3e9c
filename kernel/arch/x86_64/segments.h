/*
 * segments.h - selectors of the GDT. User selectors are those of Linux on x86-64, because programs
 * see them in signal frames.
 *
 * SYSCALL and SYSRET compute selectors from MSR STAR: kernel CS, SS = CS + 8; user SS = base + 8,
 * CS = base + 16.
 */
#ifndef ARCH_SEGMENTS_H
#define ARCH_SEGMENTS_H

#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER_BASE 0x23 /* where Linux has 32-bit user code; unused here */
#define USER_DS 0x2b
#define USER_CS 0x33
#define TSS_SELECTOR 0x40
#define GDT_ENTRIES 10 /* the TSS takes two */

#endif
