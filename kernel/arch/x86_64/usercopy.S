/*
 * usercopy.S - the loops that touch user memory (usercopy.c checks ranges and has their contracts).
 *
 * Each faulting instruction has an exception-table entry. When words fault, the rest is tried byte
 * by byte, so that the count of bytes done is exact up to the page edge. Registers RDI, RSI and RDX
 * are dst, src and n; the result is the bytes left.
 */
#include "arch/x86_64/asm.h"

	.text

/*
 * size_t user_copy(void *dst, const void *src, size_t n): either side is user memory. One word, the
 * commonest size, is done without a loop.
 */
FUNCTION user_copy
	SMAP_OPEN
	cmpq $8, %rdx
	je 5f
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	SMAP_CLOSE
	movq %rcx, %rax
	ret
3:	SMAP_OPEN
	leaq (%rdx, %rcx, 8), %rcx
	jmp 2b
4:	movq %rcx, %rax
	ret
5:	movq (%rsi), %rax
6:	movq %rax, (%rdi)
	SMAP_CLOSE
	xorl %eax, %eax
	ret
7:	SMAP_OPEN
	movl $8, %ecx
	jmp 2b
	ON_FAULT 1b, 3b
	ON_FAULT 2b, 4b
	ON_FAULT 5b, 7b
	ON_FAULT 6b, 7b
END user_copy

/* size_t user_clear(void *dst, size_t n) */
FUNCTION user_clear
	SMAP_OPEN
	xorl %eax, %eax
	movq %rsi, %rcx
	shrq $3, %rcx
	andl $7, %esi
1:	rep stosq
	movl %esi, %ecx
2:	rep stosb
	SMAP_CLOSE
	movq %rcx, %rax
	ret
3:	SMAP_OPEN
	leaq (%rsi, %rcx, 8), %rcx
	jmp 2b
4:	movq %rcx, %rax
	ret
	ON_FAULT 1b, 3b
	ON_FAULT 2b, 4b
END user_clear

/*
 * ssize user_string(char *dst, const char *src, size_t n): copy up to and with a NUL, at most n
 * bytes. The bytes before the NUL; n if there is none; -1 after a fault. Aligned words are taken whole while they have no zero byte (w - 0x01.. & ~w &
 * 0x80.. is 0) and lie inside of n; they cross no page, so no fault comes before its byte's turn.
 */
FUNCTION user_string
	SMAP_OPEN
	xorl %ecx, %ecx
	movabsq $0x0101010101010101, %r8
	movabsq $0x8080808080808080, %r9
1:	cmpq %rdx, %rcx
	je 4f
	/* Eight bytes at a time where they are aligned (so they lie in one page), fit, and hold no NUL: */
	leaq (%rsi, %rcx), %r10
	testb $7, %r10b
	jnz 2f
	leaq 8(%rcx), %r11
	cmpq %rdx, %r11
	ja 2f
6:	movq (%r10), %rax
	movq %rax, %r10
	subq %r8, %r10
	notq %rax
	andq %rax, %r10
	notq %rax
	testq %r9, %r10 /* (word - 0x01...) & ~word & 0x80...: not zero if a byte is */
	jnz 2f
	movq %rax, (%rdi, %rcx)
	movq %r11, %rcx
	jmp 1b
2:	movb (%rsi, %rcx), %al
	movb %al, (%rdi, %rcx)
	testb %al, %al
	jz 4f
	incq %rcx
	jmp 1b
4:	SMAP_CLOSE
	movq %rcx, %rax
	ret
5:	movq $-1, %rax
	ret
	ON_FAULT 2b, 5b
	ON_FAULT 6b, 5b
END user_string

/*
 * ssize user_string_length(const char *src, size_t n): as user_string, without a copy. All by aligned
 * words: what lies in one with the string's first byte but before it counts as not zero.
 */
FUNCTION user_string_length
	testq %rsi, %rsi
	jz 5f
	SMAP_OPEN
	movabsq $0x0101010101010101, %r8
	movabsq $0x8080808080808080, %r9
	leal (, %rdi, 8), %ecx
	movq $-1, %r10
	shlq %cl, %r10 /* by 8 bits for each byte before it: the count is modulo 64 */
	notq %r10
	movq %rdi, %rdx
	andq $-8, %rdx
1:	movq (%rdx), %rax
	orq %r10, %rax
2:	movq %rax, %r11
	subq %r8, %r11
	notq %rax
	andq %r9, %r11
	andq %rax, %r11 /* not zero if a byte is; the lowest bit is of the first that is */
	jnz 4f
	addq $8, %rdx
	movq %rdx, %rax
	subq %rdi, %rax
	cmpq %rsi, %rax
	jae 5f
3:	movq (%rdx), %rax
	jmp 2b
4:	bsfq %r11, %rax
	shrq $3, %rax
	addq %rdx, %rax
	subq %rdi, %rax
	cmpq %rsi, %rax
	cmovaq %rsi, %rax
	SMAP_CLOSE
	ret
5:	SMAP_CLOSE
	movq %rsi, %rax
	ret
6:	movq $-1, %rax
	ret
	ON_FAULT 1b, 6b
	ON_FAULT 3b, 6b
END user_string_length

/* int user_cas_u32(u32 *p, u32 expected, u32 desired, u32 *old): 0, or -1 after a fault */
FUNCTION user_cas_u32
	SMAP_OPEN
	movl %esi, %eax
1:	lock cmpxchgl %edx, (%rdi)
	SMAP_CLOSE
	movl %eax, (%rcx)
	xorl %eax, %eax
	ret
2:	movl $-1, %eax
	ret
	ON_FAULT 1b, 2b
END user_cas_u32

	.section .note.GNU-stack, "", @progbits
