/*
 * trampoline.S - the first instructions of every processor but the first: from real mode, at a page
 * below 1 MiB where smp.c has put a copy of them, to 64-bit code in the kernel.
 *
 * A processor starts at CS:IP = TRAMPOLINE >> 4 : 0 (Intel SDM vol. 3, 9.4). Paging and protection
 * are switched on in one step, which is allowed once long mode is enabled (10.8.5); the tables are
 * those the first processor started with, and are left as soon as possible.
 */
#include "arch/x86_64/asm.h"

#define TRAMPOLINE 0x8000	/* as smp_priv.h has it */
#define AT(x) (TRAMPOLINE + (x) - trampoline_start)
#define LOCAL(x) ((x) - trampoline_start)

#define CR4_PAE 0x20
#define CR0_PG_WP_PE 0x80010001
#define MSR_EFER 0xc0000080
#define EFER_NXE_LME 0x900
#define CODE64 8

	.section .rodata, "a"
	.balign 16
	.globl trampoline_start, trampoline_root, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl LOCAL(trampoline_gdt_pointer)
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl LOCAL(trampoline_root), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	xorl %edx, %edx
	movl $EFER_NXE_LME, %eax
	wrmsr
	movl $CR0_PG_WP_PE, %eax
	movl %eax, %cr0
	ljmpl $CODE64, $AT(1f)

	.code64
1:	movq $secondary_start, %rax
	jmp *%rax

	.balign 8
trampoline_gdt:
	.quad 0
	.quad 0x00209b0000000000	/* 64-bit code */
trampoline_gdt_pointer:
	.word . - trampoline_gdt - 1
	.long AT(trampoline_gdt)
	.balign 4
trampoline_root:
	.long 0
trampoline_end:

	.text
	/* The stack is in the vmap region, which only the kernel's own root maps. */
FUNCTION secondary_start
	movq kernel_root(%rip), %rax
	movq %rax, %cr3
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq secondary_stack_top(%rip), %rsp
	movq secondary_cpu(%rip), %rdi
	xorl %ebp, %ebp
	call secondary_main
	ud2
END secondary_start

	.section .note.GNU-stack, "", @progbits
