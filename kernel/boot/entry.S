/*
 * entry.S - the first instructions: from the 32-bit mode in which the PVH protocol starts us to
 * kernel_main in 64-bit mode.
 *
 * On entry: paging off, flat segments, EBX the physical address of struct pvh_start_info. The
 * tables made here map the first 4 GiB in 2 MiB pages three times: at 0 (until the jump), at the
 * direct map's base, and (its first GiB) where the kernel is linked. arch/x86_64/paging.c replaces
 * them; other processors start with them once more.
 */
#define KERNEL_BASE 0xffffffff80000000
#define PHYS(x) ((x) - KERNEL_BASE)

#define CR4_PAE 0x20
#define CR0_PG_WP_PE 0x80010001
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define PTE_TABLE 0x3	/* present, writable */
#define PTE_2M 0x83	/* present, writable, page size */

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18		/* sizes of name and value; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad PHYS(pvh_start)

	.section .text.boot, "ax"
	.code32
	.globl pvh_start
	.type pvh_start, @function
pvh_start:
	cld
	movl %ebx, %esi

	/* Four page directories, contiguous: 4 GiB. */
	movl $PHYS(boot_pd), %edi
	movl $PTE_2M, %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 1b

	movl $PHYS(boot_pdpt_low), %edi
	movl $PHYS(boot_pd) + PTE_TABLE, %eax
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	loop 1b

	movl $PHYS(boot_pd) + PTE_TABLE, PHYS(boot_pdpt_high) + 510 * 8
	movl $PHYS(boot_pdpt_low) + PTE_TABLE, PHYS(boot_pml4)
	movl $PHYS(boot_pdpt_low) + PTE_TABLE, PHYS(boot_pml4) + 256 * 8
	movl $PHYS(boot_pdpt_high) + PTE_TABLE, PHYS(boot_pml4) + 511 * 8

	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $PHYS(boot_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl $CR0_PG_WP_PE, %eax
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_pointer)
	ljmp $8, $PHYS(1f)

	.code64
1:	movq $2f, %rax
	jmp *%rax
2:	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movq $boot_stack_top, %rsp
	xorl %ebp, %ebp
	movl %esi, %edi
	call kernel_main
	ud2
	.size pvh_start, . - pvh_start

	.section .rodata, "a"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00209a0000000000	/* 64-bit code */
boot_gdt_pointer:
	.word . - boot_gdt - 1
	.long PHYS(boot_gdt)

	.bss
	.balign 4096
boot_pml4:	.skip 4096
boot_pdpt_low:	.skip 4096
boot_pdpt_high:	.skip 4096
boot_pd:	.skip 4 * 4096
	.globl boot_pml4, boot_stack, boot_stack_top
boot_stack:	.skip 16384
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
