/*
 * entry.S - all ways into the kernel and out of it.
 *
 * Each entry builds a struct regs on the stack and calls C with interrupts off. From user mode GS
 * is swapped once on the way in and once on the way out; from the kernel it is left alone; double
 * fault, NMI and machine check may come between and take struct cpu from their own stack. There is
 * one way out to user mode, return_to_user, and a short cut of it for system calls that come back
 * to where they were made (SYSRET). trap.c is the C side.
 */
#include "arch/x86_64/asm.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/traps_priv.h"

#define RFLAGS_IF 0x200
#define RFLAGS_FIXED 0x2
/* What a program may have set: CF PF AF ZF SF TF DF OF RF AC ID, and bit 1. */
#define RFLAGS_USER 0x250dd7
/* Of these SYSRET can restore all but TF and RF. */
#define RFLAGS_SYSRET 0x240cd7

	.section .text.entry, "ax"

/* Below orig_rax and rdi, which each entry pushes itself. */
.macro PUSH_REGS
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

/*
 * SYSCALL: RCX is the user's RIP, R11 its RFLAGS; all else is the user's, the stack pointer too.
 */
FUNCTION syscall_entry
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_STACK_TOP, %rsp
	pushq $USER_DS
	pushq %gs:CPU_USER_RSP
	pushq %r11
	pushq $USER_CS
	pushq %rcx
	pushq %rax
	pushq %rdi
	PUSH_REGS
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call syscall_dispatch
syscall_exit:
	movq %gs:CPU_WORK, %rax
	cmpl $0, (%rax)
	jne syscall_work
	/*
	 * SYSRET takes RIP from RCX and RFLAGS from R11: only if these are what they were, and it
	 * can load them.
	 */
	movq REGS_RIP(%rsp), %rcx
	movq %rcx, %rax
	shrq $47, %rax
	jnz return_to_user
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	cmpq REGS_RFLAGS - 56(%rsp), %r11
	jne syscall_slow_popped
	cmpq REGS_RCX - 56(%rsp), %rcx
	jne syscall_slow_popped
	movq %r11, %rax
	andq $~RFLAGS_SYSRET, %rax
	cmpq $RFLAGS_IF, %rax
	jne syscall_slow_popped
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rdx	/* rcx again: overwritten by the next */
	popq %rdx
	popq %rsi
	popq %rdi
	movq REGS_RSP - REGS_ORIG_RAX(%rsp), %rsp
	swapgs
	sysretq

syscall_slow_popped:
	subq $56, %rsp
	jmp return_to_user

syscall_work:
	movq %rsp, %rdi
	call return_to_user_work
	jmp syscall_exit
END syscall_entry

/*
 * Out to user mode with the registers at RSP. CS, SS and RFLAGS are forced to what user code may
 * have; an RIP that IRETQ would fault on becomes the exception that the user's own jump there would
 * have been.
 */
FUNCTION return_to_user
	movq %gs:CPU_WORK, %rax
	cmpl $0, (%rax)
	jne 1f
	movq REGS_RIP(%rsp), %rax
	shrq $47, %rax
	jnz 2f
	movq $USER_CS, REGS_CS(%rsp)
	movq $USER_DS, REGS_SS(%rsp)
	movq REGS_RFLAGS(%rsp), %rax
	andl $RFLAGS_USER, %eax
	orl $RFLAGS_IF | RFLAGS_FIXED, %eax
	movq %rax, REGS_RFLAGS(%rsp)
	POP_REGS
	addq $8, %rsp
	swapgs
	iretq
1:	movq %rsp, %rdi
	call return_to_user_work
	jmp return_to_user
2:	movq %rsp, %rdi
	movl $VECTOR_GENERAL_PROTECTION, %esi
	xorl %edx, %edx
	call user_exception
	jmp return_to_user
END return_to_user

/* void enter_user(struct regs *regs) */
FUNCTION enter_user
	movq %rdi, %rsp
	xorl %ebp, %ebp
	jmp return_to_user
END enter_user

/*
 * The 256 entries of the IDT. Each makes the stack look alike (an error code, then rdi) and passes
 * its number in EDI.
 */
	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 256
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
	pushq $0	/* the others push an error code themselves */
	.endif
	pushq %rdi
	movl $vector, %edi
	.if vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_NMI || vector == VECTOR_MACHINE_CHECK
	jmp trap_fatal
	.else
	jmp trap_common
	.endif
	vector = vector + 1
	.endr
	.balign 16

FUNCTION trap_common
	PUSH_REGS
	movl %edi, %esi
	movq %rsp, %rdi
	movq REGS_ORIG_RAX(%rsp), %rdx
	movq $-1, REGS_ORIG_RAX(%rsp)
	cld
	SMAP_CLOSE
	testb $3, REGS_CS(%rsp)
	jz 1f
	swapgs
	xorl %ebp, %ebp
	call trap_user
	jmp return_to_user
1:	call trap_kernel
	POP_REGS
	addq $8, %rsp
	iretq
END trap_common

/*
 * On the exception's own stack, above whose frame lies struct cpu (gdt.c). Never returns, so the
 * old GS base is not kept.
 */
FUNCTION trap_fatal
	PUSH_REGS
	movl %edi, %esi
	movl $0xc0000101, %ecx
	movl REGS_SS + 8(%rsp), %eax
	movl REGS_SS + 12(%rsp), %edx
	wrmsr
	cld
	SMAP_CLOSE
	movq %rsp, %rdi
	movq REGS_ORIG_RAX(%rsp), %rdx
	call trap_fatal_report
	ud2
END trap_fatal

/*
 * void context_switch(struct context *prev, struct context *next): struct context is the stack
 * pointer, below which lie the registers that a C function must preserve.
 */
	.text
FUNCTION context_switch
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq (%rsi), %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
END context_switch

/*
 * Where the first switch to a thread returns to: context_init put the function and its argument
 * into R12 and R13.
 */
FUNCTION context_start
	movq %r13, %rdi
	xorl %ebp, %ebp
	call *%r12
	ud2
END context_start

	.section .note.GNU-stack, "", @progbits
