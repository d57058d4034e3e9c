/*
 * ptrace_request.c - what a tracer does to a thread that stands still: look at it, change it, send
 * it on.
 *
 * The central rule: the thread is frozen (trace_freeze), so it is off its CPU, does not even die,
 * and all of it is the tracer's: registers at the top of its kernel stack, vector state in its save
 * area, its space. Memory is reached as by /proc/PID/mem, through the tree's own path: a write to
 * what is read-only makes a private copy, and never reaches a file or another process.
 */
#include <asm/signal.h>
#include <linux/ptrace.h>

#include "arch/x86_64/segments.h"
#include "arch/x86_64/trap.h"
#include "lib/err.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/ptrace.h"
#include "proc/ptrace_priv.h"
#include "proc/sched_priv.h"

#define FLAG_TF 0x100ull
/* What may be set: CF PF AF ZF SF TF DF OF NT RF AC (Linux's FLAG_MASK). */
#define FLAGS_SETTABLE 0x54dd5ull

/* Indices in struct user_regs_struct; the first REG_FS_BASE are struct regs. */
#define REG_CS 17
#define REG_FLAGS 18
#define REG_SS 20
#define REG_FS_BASE 21
#define REG_GS_BASE 22
_Static_assert(sizeof(struct regs) == REG_FS_BASE * sizeof(u64), "struct regs");

/* --- going on --- */

static const u8 resume_modes[] = {
	[RESUME_CONT] = 0,
	[RESUME_SYSCALL] = TRACE_SYSCALLS,
	[RESUME_STEP] = TRACE_STEP,
	[RESUME_EMULATE] = TRACE_EMULATE,
	[RESUME_EMULATE_STEP] = TRACE_EMULATE | TRACE_STEP,
};

/* The trap flag as stepping needs it; one that the program has set itself stays. */
static void set_stepping(struct thread *t, bool on)
{
	struct regs *regs = thread_regs(t);
	struct thread_trace *s = &t->tracing;

	if (on && !(regs->rflags & FLAG_TF)) {
		regs->rflags |= FLAG_TF;
		s->forced_tf = true;
	} else if (!on && s->forced_tf) {
		regs->rflags &= ~FLAG_TF;
		s->forced_tf = false;
	}
}

int trace_resume(struct thread *t, enum trace_resume how, u64 sig)
{
	struct process *p = t->process;

	if (sig > SIGNAL_COUNT)
		return -EIO;
	process_get(p);
	spin_lock(&p->signal_lock);
	set_stepping(t, resume_modes[how] & TRACE_STEP);
	t->tracing.mode = resume_modes[how];
	t->tracing.resume_signal = (int)sig;
	t->tracing.stopped = t->tracing.frozen = false;
	thread_unpark(t);
	spin_unlock(&p->signal_lock);
	process_put(p);
	return 0;
}

int trace_listen(struct thread *t)
{
	struct process *p = t->process;
	struct thread_trace *s = &t->tracing;
	int err = -EIO;

	spin_lock(&p->signal_lock);
	if (t->trace->seized && s->info && s->info->code >> 8 == PTRACE_EVENT_STOP) {
		s->listening = true;
		err = 0;
		/* What has happened since the stop is told at once. */
		if (s->notify)
			trace_want_trap(t, true);
	}
	spin_unlock(&p->signal_lock);
	return err;
}

/* --- memory --- */

int trace_read_word(struct thread *t, u64 address, u64 *out)
{
	ssize n = space_read(t->mm, address, out, sizeof(*out), SPACE_FORCE);

	return n == sizeof(*out) ? 0 : -EIO;
}

int trace_write_word(struct thread *t, u64 address, u64 word)
{
	ssize n = space_write(t->mm, address, &word, sizeof(word), SPACE_FORCE);

	return n == sizeof(word) ? 0 : -EIO;
}

/* --- registers --- */

u64 trace_get_reg(struct thread *t, u32 index)
{
	u64 value;

	if (index == REG_FS_BASE)
		return t->fs_base;
	if (index == REG_GS_BASE)
		return t->gs_base;
	if (index > REG_GS_BASE) /* DS, ES, FS and GS: null selectors */
		return 0;
	memcpy(&value, (char *)thread_regs(t) + index * sizeof(u64), sizeof(value));
	if (index == REG_FLAGS && t->tracing.forced_tf)
		value &= ~FLAG_TF;
	return value;
}

void trace_get_regs(struct thread *t, u64 out[TRACE_REGS])
{
	for (u32 i = 0; i < TRACE_REGS; i++)
		out[i] = trace_get_reg(t, i);
}

/* A trap flag that the tracer sets so is the program's from now on. */
static void set_flags(struct thread *t, u64 value)
{
	struct regs *regs = thread_regs(t);

	if (value & FLAG_TF)
		t->tracing.forced_tf = false;
	else if (t->tracing.forced_tf)
		value |= FLAG_TF;
	regs->rflags = (regs->rflags & ~FLAGS_SETTABLE) | (value & FLAGS_SETTABLE);
}

int trace_set_reg(struct thread *t, u32 index, u64 value)
{
	if (index == REG_FS_BASE || index == REG_GS_BASE) {
		if (value >= USER_END)
			return -EIO;
		*(index == REG_FS_BASE ? &t->fs_base : &t->gs_base) = value;
		return 0;
	}
	/* Only flat 64-bit segments: there are no others. */
	if (index == REG_CS || index == REG_SS)
		return value == (index == REG_CS ? USER_CS : USER_DS) ? 0 : -EIO;
	if (index > REG_GS_BASE)
		return value ? -EIO : 0;
	if (index == REG_FLAGS)
		set_flags(t, value);
	else
		memcpy((char *)thread_regs(t) + index * sizeof(u64), &value, sizeof(value));
	return 0;
}

u32 trace_fpu_size(bool whole)
{
	return whole ? fpu_state_size() : FPU_LEGACY_SIZE;
}

int trace_get_fpu(struct thread *t, bool whole, void *out)
{
	void *area = kmalloc(fpu_state_size());

	if (!area)
		return -ENOMEM;
	fpu_export(t->fpu, area);
	memcpy(out, area, trace_fpu_size(whole));
	kfree(area);
	return 0;
}

int trace_set_fpu(struct thread *t, bool whole, const void *in)
{
	int err = fpu_import(t->fpu, in, !whole);

	t->fpu_cpu = CPU_NONE; /* what a CPU may still hold is not it any more */
	return err;
}

/* --- signals --- */

int trace_get_siginfo(struct thread *t, struct signal_info *out)
{
	struct process *p = t->process;
	int err = -EINVAL;

	spin_lock(&p->signal_lock);
	if (t->tracing.info) {
		*out = *t->tracing.info;
		err = 0;
	}
	spin_unlock(&p->signal_lock);
	return err;
}

int trace_set_siginfo(struct thread *t, const struct signal_info *info)
{
	struct process *p = t->process;
	int err = -EINVAL;

	spin_lock(&p->signal_lock);
	if (t->tracing.info) {
		*t->tracing.info = *info;
		err = 0;
	}
	spin_unlock(&p->signal_lock);
	return err;
}

u64 trace_get_sigmask(struct thread *t)
{
	return t->restore_sigmask ? t->saved_sigmask : t->sigmask;
}

void trace_set_sigmask(struct thread *t, u64 mask)
{
	struct process *p = t->process;

	spin_lock(&p->signal_lock);
	t->sigmask = mask & ~SIGNALS_UNBLOCKABLE;
	t->restore_sigmask = false;
	spin_unlock(&p->signal_lock);
}

/* --- what is asked, and what is told --- */

int trace_set_options(struct thread *t, u64 options)
{
	struct process *p = t->process;

	if (options & ~TRACE_OPTIONS)
		return -EINVAL;
	spin_lock(&p->signal_lock);
	t->trace->options = (u32)options;
	spin_unlock(&p->signal_lock);
	return 0;
}

u64 trace_get_message(struct thread *t)
{
	return t->tracing.message;
}

/* As on Linux told apart from other stops only with PTRACE_O_TRACESYSGOOD. */
enum trace_place trace_get_place(struct thread *t)
{
	const struct signal_info *info = t->tracing.info;

	if (!info || info->code != (SIGTRAP | 0x80))
		return PLACE_OTHER;
	return t->tracing.message == PTRACE_EVENTMSG_SYSCALL_ENTRY  ? PLACE_ENTRY
	       : t->tracing.message == PTRACE_EVENTMSG_SYSCALL_EXIT ? PLACE_EXIT
								    : PLACE_OTHER;
}
