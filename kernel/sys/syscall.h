/*
 * syscall.h - how a system call is defined.
 *
 *	SYSCALL3(read, int, fd, void __user *, buf, size_t, count)
 *	{
 *		...
 *	}
 *
 * defines the handler and registers it under __NR_read in the linker section from which sys/table.c
 * builds the table. A call that no file defines returns -ENOSYS and is counted for
 * --missing-syscalls.
 */
#ifndef SYS_SYSCALL_H
#define SYS_SYSCALL_H

#include <asm/unistd_64.h>

/* Younger than the headers of Debian 12. */
#ifndef __NR_futex_wake
#define __NR_futex_wake 454
#define __NR_futex_wait 455
#define __NR_futex_requeue 456
#endif
#ifndef __NR_mseal
#define __NR_mseal 462
#endif

#include "arch/x86_64/regs.h"
#include "arch/x86_64/usercopy.h"
#include "lib/err.h"
#include "lib/types.h"

struct syscall_entry {
	u32 number;
	u32 args;
	const char *name;
	long (*call)(u64, u64, u64, u64, u64, u64);
};

/* table.c: build the table; once, before the first program. */
void syscall_init(void);

#define SYSCALL_REGISTER_(nm, n, fn)                                                           \
	static const struct syscall_entry syscall_entry_##nm                                   \
		__attribute__((used, aligned(8), section(".syscalls"))) = { __NR_##nm, n, #nm, \
									    fn };

#define SYSCALL0(nm)                                                         \
	static long sys_##nm(void);                                          \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		(void)a, (void)b, (void)c, (void)d, (void)e, (void)f;        \
		return sys_##nm();                                           \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 0, sys_entry_##nm)                             \
	static long sys_##nm(void)
#define SYSCALL1(nm, t1, n1)                                                 \
	static long sys_##nm(t1 n1);                                         \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		(void)b, (void)c, (void)d, (void)e, (void)f;                 \
		return sys_##nm((t1)a);                                      \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 1, sys_entry_##nm)                             \
	static long sys_##nm(t1 n1)
#define SYSCALL2(nm, t1, n1, t2, n2)                                         \
	static long sys_##nm(t1 n1, t2 n2);                                  \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		(void)c, (void)d, (void)e, (void)f;                          \
		return sys_##nm((t1)a, (t2)b);                               \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 2, sys_entry_##nm)                             \
	static long sys_##nm(t1 n1, t2 n2)
#define SYSCALL3(nm, t1, n1, t2, n2, t3, n3)                                 \
	static long sys_##nm(t1 n1, t2 n2, t3 n3);                           \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		(void)d, (void)e, (void)f;                                   \
		return sys_##nm((t1)a, (t2)b, (t3)c);                        \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 3, sys_entry_##nm)                             \
	static long sys_##nm(t1 n1, t2 n2, t3 n3)
#define SYSCALL4(nm, t1, n1, t2, n2, t3, n3, t4, n4)                         \
	static long sys_##nm(t1 n1, t2 n2, t3 n3, t4 n4);                    \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		(void)e, (void)f;                                            \
		return sys_##nm((t1)a, (t2)b, (t3)c, (t4)d);                 \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 4, sys_entry_##nm)                             \
	static long sys_##nm(t1 n1, t2 n2, t3 n3, t4 n4)
#define SYSCALL5(nm, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5)                 \
	static long sys_##nm(t1 n1, t2 n2, t3 n3, t4 n4, t5 n5);             \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		(void)f;                                                     \
		return sys_##nm((t1)a, (t2)b, (t3)c, (t4)d, (t5)e);          \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 5, sys_entry_##nm)                             \
	static long sys_##nm(t1 n1, t2 n2, t3 n3, t4 n4, t5 n5)
#define SYSCALL6(nm, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5, t6, n6)         \
	static long sys_##nm(t1 n1, t2 n2, t3 n3, t4 n4, t5 n5, t6 n6);      \
	static long sys_entry_##nm(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) \
	{                                                                    \
		return sys_##nm((t1)a, (t2)b, (t3)c, (t4)d, (t5)e, (t6)f);   \
	}                                                                    \
	SYSCALL_REGISTER_(nm, 6, sys_entry_##nm)                             \
	static long sys_##nm(t1 n1, t2 n2, t3 n3, t4 n4, t5 n5, t6 n6)

#endif
