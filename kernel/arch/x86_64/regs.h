/*
 * regs.h - a user program's registers as the kernel keeps them, at the top of the thread's kernel
 * stack.
 *
 * The order is that of Linux's struct pt_regs (and user_regs_struct), so that entry code, signal
 * frames and ptrace agree.
 */
#ifndef ARCH_REGS_H
#define ARCH_REGS_H

#include "lib/types.h"

struct regs {
	u64 r15, r14, r13, r12, rbp, rbx;
	u64 r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	u64 orig_rax; /* system-call number; -1 outside a system call */
	u64 rip, cs, rflags, rsp, ss;
};

#endif
