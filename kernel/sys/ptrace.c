/*
 * ptrace.c - ptrace(2): decoding. kernel/proc/ptrace*.c do the work.
 */
#include <asm/ptrace-abi.h>
#include <asm/signal.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <linux/uio.h>

#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "proc/ptrace.h"
#include "sys/syscall.h"

/* Linux's struct user, longer by two words than the one of <sys/user.h>. */
#define USER_SIZE 928u
#define USER_DEBUG_REGISTERS 848u
#define USER_DEBUG_END (USER_DEBUG_REGISTERS + 8 * sizeof(u64))
#define USER_REGISTERS (TRACE_REGS * sizeof(u64))

#define PTRACE_ARCH_GET_FS 0x1003 /* arch_prctl(2) */
#define PTRACE_ARCH_GET_GS 0x1004
#define PTRACE_ARCH_SET_GS 0x1001
#define PTRACE_ARCH_SET_FS 0x1002
#define REG_RIP 16
#define REG_RSP 19
#define REG_FS_BASE 21
#define REG_GS_BASE 22
#define REG_RAX 10
#define REG_ORIG_RAX 15

/* --- words --- */

static long peek(struct thread *t, u64 address, u64 __user *out)
{
	u64 word;
	int err = trace_read_word(t, address, &word);

	return err ? err : put_user(word, out);
}

static bool user_offset_ok(u64 offset)
{
	return offset % sizeof(u64) == 0 && offset < USER_SIZE;
}

static long peek_user(struct thread *t, u64 offset, u64 __user *out)
{
	u64 word = 0;

	if (!user_offset_ok(offset))
		return -EIO;
	if (offset < USER_REGISTERS)
		word = trace_get_reg(t, (u32)(offset / sizeof(u64)));
	return put_user(word, out);
}

/* No debug register can be set to anything: they stay zero. */
static long poke_user(struct thread *t, u64 offset, u64 word)
{
	if (!user_offset_ok(offset))
		return -EIO;
	if (offset < USER_REGISTERS)
		return trace_set_reg(t, (u32)(offset / sizeof(u64)), word);
	return offset >= USER_DEBUG_REGISTERS && offset < USER_DEBUG_END && !word ? 0 : -EIO;
}

static long arch_prctl_of(struct thread *t, u64 code, u64 arg)
{
	switch (code) {
	case PTRACE_ARCH_GET_FS:
		return put_user(trace_get_reg(t, REG_FS_BASE), (u64 __user *)arg);
	case PTRACE_ARCH_GET_GS:
		return put_user(trace_get_reg(t, REG_GS_BASE), (u64 __user *)arg);
	case PTRACE_ARCH_SET_FS:
		return trace_set_reg(t, REG_FS_BASE, arg) ? -EPERM : 0;
	case PTRACE_ARCH_SET_GS:
		return trace_set_reg(t, REG_GS_BASE, arg) ? -EPERM : 0;
	}
	return -EINVAL;
}

/* --- sets of registers --- */

static long get_regs(struct thread *t, void __user *out, size_t size)
{
	u64 regs[TRACE_REGS];

	trace_get_regs(t, regs);
	return copy_to_user(out, regs, size) ? -EFAULT : 0;
}

/* One after the other, as Linux: those before one that is refused stay changed. */
static long set_regs(struct thread *t, const void __user *in, size_t size)
{
	u64 regs[TRACE_REGS];
	int err = 0;

	if (copy_from_user(regs, in, size))
		return -EFAULT;
	for (u32 i = 0; i < size / sizeof(u64) && !err; i++)
		err = trace_set_reg(t, i, regs[i]);
	return err;
}

static long get_fpu(struct thread *t, bool whole, void __user *out, size_t size)
{
	void *buf = kmalloc(trace_fpu_size(whole));
	long err = buf ? trace_get_fpu(t, whole, buf) : -ENOMEM;

	if (!err && copy_to_user(out, buf, size))
		err = -EFAULT;
	kfree(buf);
	return err;
}

static long set_fpu(struct thread *t, bool whole, const void __user *in)
{
	u32 size = trace_fpu_size(whole);
	void *buf = kmalloc(size);
	long err = buf ? 0 : -ENOMEM;

	if (!err && copy_from_user(buf, in, size))
		err = -EFAULT;
	if (!err)
		err = trace_set_fpu(t, whole, buf);
	kfree(buf);
	return err;
}

static u32 regset_size(u64 type)
{
	switch (type) {
	case NT_PRSTATUS:
		return USER_REGISTERS;
	case NT_PRFPREG:
		return trace_fpu_size(false);
	case NT_X86_XSTATE:
		return trace_fpu_size(true);
	}
	return 0;
}

static long set_regset(struct thread *t, u64 type, const struct iovec *iov)
{
	if (type == NT_PRSTATUS)
		return set_regs(t, iov->iov_base, iov->iov_len);
	if (iov->iov_len != regset_size(type))
		return type == NT_X86_XSTATE ? -EFAULT : -EINVAL;
	return set_fpu(t, type == NT_X86_XSTATE, iov->iov_base);
}

static long regset(struct thread *t, u64 type, struct iovec __user *user_iov, bool set)
{
	u32 size = regset_size(type);
	struct iovec iov;
	long err;

	if (copy_from_user(&iov, user_iov, sizeof(iov)))
		return -EFAULT;
	if (!size || iov.iov_len % sizeof(u64))
		return -EINVAL;
	iov.iov_len = min(iov.iov_len, size);
	if (set)
		err = set_regset(t, type, &iov);
	else if (type == NT_PRSTATUS)
		err = get_regs(t, iov.iov_base, iov.iov_len);
	else
		err = get_fpu(t, type == NT_X86_XSTATE, iov.iov_base, iov.iov_len);
	return err ? err : put_user((u64)iov.iov_len, (u64 __user *)&user_iov->iov_len);
}

/* --- what happened --- */

static long get_siginfo(struct thread *t, void __user *out)
{
	struct signal_info info;
	int err = trace_get_siginfo(t, &info);

	if (err)
		return err;
	return copy_to_user(out, &info, sizeof(info)) ? -EFAULT : 0;
}

static long set_siginfo(struct thread *t, const void __user *in)
{
	struct signal_info info;

	return copy_from_user(&info, in, sizeof(info)) ? -EFAULT : trace_set_siginfo(t, &info);
}

static long get_sigmask(struct thread *t, u64 size, u64 __user *out)
{
	return size == sizeof(u64) ? put_user(trace_get_sigmask(t), out) : -EINVAL;
}

static long set_sigmask(struct thread *t, u64 size, const u64 __user *in)
{
	u64 mask;

	if (size != sizeof(u64))
		return -EINVAL;
	if (get_user(mask, in))
		return -EFAULT;
	trace_set_sigmask(t, mask);
	return 0;
}

/* How much there is to tell is the result, also where the program has less room. */
static long get_syscall_info(struct thread *t, u64 room, void __user *out)
{
	static const u32 argument_registers[] = { 14, 13, 12, 7, 9, 8 }; /* RDI RSI RDX R10 R8 R9 */
	struct ptrace_syscall_info info;
	size_t size = offsetof(struct ptrace_syscall_info, entry);
	s64 result = (s64)trace_get_reg(t, REG_RAX);

	memset(&info, 0, sizeof(info));
	info.arch = AUDIT_ARCH_X86_64;
	info.instruction_pointer = trace_get_reg(t, REG_RIP);
	info.stack_pointer = trace_get_reg(t, REG_RSP);
	switch (trace_get_place(t)) {
	case PLACE_ENTRY:
		info.op = PTRACE_SYSCALL_INFO_ENTRY;
		info.entry.nr = trace_get_reg(t, REG_ORIG_RAX);
		for (u32 i = 0; i < ARRAY_SIZE(argument_registers); i++)
			info.entry.args[i] = trace_get_reg(t, argument_registers[i]);
		size = offsetof(struct ptrace_syscall_info, entry.args) + sizeof(info.entry.args);
		break;
	case PLACE_EXIT:
		info.op = PTRACE_SYSCALL_INFO_EXIT;
		info.exit.rval = result;
		info.exit.is_error = result < 0 && result >= -MAX_ERRNO;
		size = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
		break;
	case PLACE_OTHER:
		break;
	}
	return copy_to_user(out, &info, min(size, room)) ? -EFAULT : (long)size;
}

/* --- ptrace --- */

/* Requests after which it still stands. */
static long request_standing(struct thread *t, u64 request, u64 addr, u64 data)
{
	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(t, addr, (u64 __user *)data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return trace_write_word(t, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, (u64 __user *)data);
	case PTRACE_POKEUSR:
		return poke_user(t, addr, data);
	case PTRACE_GETREGS:
		return get_regs(t, (void __user *)data, USER_REGISTERS);
	case PTRACE_SETREGS:
		return set_regs(t, (void __user *)data, USER_REGISTERS);
	case PTRACE_GETFPREGS:
		return get_fpu(t, false, (void __user *)data, trace_fpu_size(false));
	case PTRACE_SETFPREGS:
		return set_fpu(t, false, (void __user *)data);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset(t, addr, (struct iovec __user *)data, request == PTRACE_SETREGSET);
	case PTRACE_ARCH_PRCTL:
		return arch_prctl_of(t, data, addr);
	case PTRACE_GETSIGINFO:
		return get_siginfo(t, (void __user *)data);
	case PTRACE_SETSIGINFO:
		return set_siginfo(t, (void __user *)data);
	case PTRACE_GETSIGMASK:
		return get_sigmask(t, addr, (u64 __user *)data);
	case PTRACE_SETSIGMASK:
		return set_sigmask(t, addr, (u64 __user *)data);
	case PTRACE_SETOPTIONS:
	case PTRACE_OLDSETOPTIONS:
		return trace_set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_user(trace_get_message(t), (u64 __user *)data);
	case PTRACE_GET_SYSCALL_INFO:
		return get_syscall_info(t, addr, (void __user *)data);
	case PTRACE_LISTEN:
		return trace_listen(t);
	}
	return -EIO;
}

static long request_stopped(struct thread *t, u64 request, u64 addr, u64 data)
{
	long result;

	switch (request) {
	case PTRACE_CONT:
		result = trace_resume(t, RESUME_CONT, data);
		break;
	case PTRACE_SYSCALL:
		result = trace_resume(t, RESUME_SYSCALL, data);
		break;
	case PTRACE_SINGLESTEP:
		result = trace_resume(t, RESUME_STEP, data);
		break;
	case PTRACE_SYSEMU:
		result = trace_resume(t, RESUME_EMULATE, data);
		break;
	case PTRACE_SYSEMU_SINGLESTEP:
		result = trace_resume(t, RESUME_EMULATE_STEP, data);
		break;
	case PTRACE_DETACH:
		result = trace_detach(t, data);
		break;
	default:
		result = request_standing(t, request, addr, data);
		trace_thaw(t);
		return result;
	}
	if (result)
		trace_thaw(t);
	return result;
}

SYSCALL4(ptrace, u64, request, s32, pid, u64, addr, u64, data)
{
	struct thread *t;

	switch (request) {
	case PTRACE_TRACEME:
		return ptrace_traceme();
	case PTRACE_ATTACH:
		return ptrace_attach((u32)pid, false, 0);
	case PTRACE_SEIZE:
		/* An address means nothing, so it is as wrong as an option that there is not. */
		return ptrace_attach((u32)pid, true, addr ? UINT64_MAX : data);
	case PTRACE_KILL:
		return ptrace_kill((u32)pid);
	case PTRACE_INTERRUPT:
		return ptrace_interrupt((u32)pid);
	}
	t = trace_freeze((u32)pid);
	return IS_ERR(t) ? PTR_ERR(t) : request_stopped(t, request, addr, data);
}
