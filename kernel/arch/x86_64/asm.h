/*
 * asm.h - macros shared by assembler files and inline assembler: the exception table, and SMAP's
 * window.
 *
 * An exception-table entry says: if the instruction at the first address faults, go on at the
 * second (with RFLAGS.AC clear). An SMAP site is three bytes of no-operation that cpu_init_boot
 * turns into STAC or CLAC where the CPU has them.
 */
#ifndef ARCH_ASM_H
#define ARCH_ASM_H

#ifdef __ASSEMBLER__
/* clang-format off */

.macro FUNCTION name
	.globl \name
	.type \name, @function
	.balign 16
\name:
.endm

.macro END name
	.size \name, . - \name
.endm

.macro ON_FAULT at, fixup
	.pushsection .ex_table, "a"
	.quad \at, \fixup
	.popsection
.endm

.macro SMAP_SITE open
771:	.byte 0x0f, 0x1f, 0x00
	.pushsection .smap_sites, "a"
	.quad 771b, \open
	.popsection
.endm

.macro SMAP_OPEN
	SMAP_SITE 1
.endm

.macro SMAP_CLOSE
	SMAP_SITE 0
.endm

/* clang-format on */
#else

#define ON_FAULT(at, fixup)               \
	".pushsection .ex_table, \"a\"\n" \
	".quad " at ", " fixup "\n"       \
	".popsection\n"
#define SMAP_SITE_(open)                    \
	"771: .byte 0x0f, 0x1f, 0x00\n"     \
	".pushsection .smap_sites, \"a\"\n" \
	".quad 771b, " open "\n"            \
	".popsection\n"
#define SMAP_OPEN SMAP_SITE_("1")
#define SMAP_CLOSE SMAP_SITE_("0")

#endif
#endif
