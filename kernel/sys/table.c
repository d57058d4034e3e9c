/*
 * table.c - from a system-call number to its handler.
 *
 * Handlers register themselves (syscall.h); the linker gathers the entries, syscall_init spreads
 * them into one array by number. What no file defines is -ENOSYS, and counted for
 * --missing-syscalls.
 */
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/trap.h"
#include "lib/print.h"
#include "mm/shortage.h"
#include "proc/calls.h"
#include "proc/ptrace.h"
#include "proc/oom.h"
#include "sys/names.h"
#include "sys/syscall.h"

#define SYSCALL_MAX 512u
#define TRIES_MAX 64u

typedef long (*syscall_fn)(u64, u64, u64, u64, u64, u64);

extern const struct syscall_entry syscalls_start[], syscalls_end[];

static syscall_fn table[SYSCALL_MAX];
static u32 missing[SYSCALL_MAX]; /* A: how often it was asked for */
static u32 missing_beyond;       /* A: numbers that Linux has not either */

void syscall_init(void)
{
	for (const struct syscall_entry *e = syscalls_start; e < syscalls_end; e++) {
		if (e->number >= SYSCALL_MAX || table[e->number])
			panic("system call %u (%s) is defined twice, or beyond the table",
			      e->number, e->name);
		table[e->number] = e->call;
	}
}

static long count_missing(u32 number)
{
	atomic_add(number < SYSCALL_MAX ? &missing[number] : &missing_beyond, 1);
	return -ENOSYS;
}

/*
 * A call that fails for want of memory has done nothing: it is made again once there is some, as
 * Linux makes its allocations wait. Not for ever: a large block may be missing although there is.
 */
static long call_with_memory(syscall_fn call, struct regs *regs)
{
	u64 shortages;
	u32 tries = 0;
	long result;

	do {
		shortages = shortage_current()->count;
		result = call(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9);
	} while (unlikely(result == -ENOMEM) && tries++ < TRIES_MAX && oom_retry(shortages));
	return result;
}

/* Only the lower half of RAX is the number, as on Linux. */
void syscall_dispatch(struct regs *regs)
{
	u8 traced = load_relaxed(&thread_current()->tracing.mode);
	u32 number;
	long result;

	cred_enter(thread_current());
	if (unlikely(traced) && !trace_syscall_enter(regs)) {
		trace_syscall_exit(regs);
		return;
	}
	number = (u32)regs->orig_rax;
	if (likely(number < SYSCALL_MAX && table[number]))
		result = call_with_memory(table[number], regs);
	else
		result = count_missing(number);
	locks_must_be_free("system call", number);
	regs->rax = (u64)result;
	if (unlikely(load_relaxed(&thread_current()->tracing.mode))) {
		trace_syscall_exit(regs);
		result = (long)regs->rax;
	}
	/*
	 * Interrupted: whether or not the signal is still there, the way back must settle how the
	 * call ends.
	 */
	if (unlikely(result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK))
		atomic_or(&thread_current()->work, WORK_SIGNAL);
}

size_t syscall_missing_text(char *buf, size_t size)
{
	size_t n = 0;

	for (u32 number = 0; number <= SYSCALL_MAX; number++) {
		u32 count = load_relaxed(number < SYSCALL_MAX ? &missing[number] : &missing_beyond);
		const char *name = syscall_name(number);

		if (count)
			n += (size_t)format(buf + n, size - n, "%u %s %u\n", number,
					    name ? name : "unknown", count);
		if (n >= size)
			return size - 1;
	}
	return n;
}
