/*
 * sigframe.c - the frame on the user stack that a signal handler runs in, and the way back from it:
 * Linux's x86-64 layout.
 *
 * From high to low addresses: red zone (128 bytes, psABI 3.2.2), vector state as XSAVE writes it,
 * struct frame. The handler returns into the restorer, which calls rt_sigreturn with the stack
 * pointer just above the frame's first word. What comes back is a program's data: nothing in it is
 * believed beyond what the program could set by itself.
 */
#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <linux/signal.h>
#include <linux/errno.h>

#include "arch/x86_64/segments.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/usercopy.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process_priv.h"
#include "proc/ptrace.h"

#define RED_ZONE 128
#define FPU_ALIGN 64ull
#define FXSAVE_SIZE 512
#define FXSAVE_SOFTWARE 464 /* offset of the bytes that the processor leaves to software */
#define XSAVE_HEADER 512    /* offset of XSTATE_BV */
#define XSTATE_LEGACY 3ull  /* x87 and SSE */

#define UC_FP_XSTATE 0x1
#define UC_SIGCONTEXT_SS 0x2
#define UC_STRICT_RESTORE_SS 0x4

#define FLAG_TF 0x100ull
#define FLAG_DF 0x400ull
#define FLAG_RF 0x10000ull
#define FLAGS_USER 0x50dd5ull /* what rt_sigreturn may change: CF PF AF ZF SF TF DF OF RF AC */

struct frame {
	u64 return_address;
	struct ucontext uc;
	struct signal_info info;
};

static u32 fpu_frame_size(void)
{
	return fpu_state_size() + (fpu_features() ? FP_XSTATE_MAGIC2_SIZE : 0);
}

u64 sigframe_max_size(void)
{
	return ROUND_UP(sizeof(struct frame) + 16 + fpu_frame_size() + FPU_ALIGN - 1, 16ull);
}

/* --- the alternate stack --- */

static bool on_altstack(const struct thread *t, u64 sp)
{
	if (t->altstack_flags & SS_AUTODISARM)
		return false;
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

static u32 altstack_state(const struct thread *t, u64 sp)
{
	if (!t->altstack_size)
		return SS_DISABLE;
	return on_altstack(t, sp) ? SS_ONSTACK : 0;
}

int signal_altstack(const struct signal_stack *set, struct signal_stack *old, u64 user_sp)
{
	struct thread *t = thread_current();
	u32 mode;

	if (old) {
		old->sp = t->altstack_sp;
		old->size = t->altstack_size;
		old->flags = altstack_state(t, user_sp) | (t->altstack_flags & SS_AUTODISARM);
	}
	if (!set)
		return 0;
	if (on_altstack(t, user_sp))
		return -EPERM;
	mode = set->flags & ~SS_AUTODISARM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && set->size < MINSIGSTKSZ)
		return -ENOMEM;
	t->altstack_sp = mode == SS_DISABLE ? 0 : set->sp;
	t->altstack_size = mode == SS_DISABLE ? 0 : set->size;
	t->altstack_flags = set->flags;
	return 0;
}

/* --- building --- */

/*
 * Where the frame begins and where the vector state goes: 0, or -EFAULT where the alternate stack
 * overflows.
 */
static int frame_place(const struct regs *regs, const struct sigaction_kernel *a, u64 *frame,
		       u64 *fpu)
{
	struct thread *t = thread_current();
	bool was_on = on_altstack(t, regs->rsp), enters = false;
	u64 sp = regs->rsp - RED_ZONE;

	if (a->flags & SA_ONSTACK && altstack_state(t, sp) == 0) {
		sp = t->altstack_sp + t->altstack_size;
		enters = true;
	}
	*fpu = ROUND_DOWN(sp - fpu_frame_size(), FPU_ALIGN);
	/*
	 * As at the entry of a function: a call has pushed the return address onto an aligned
	 * stack.
	 */
	*frame = ROUND_DOWN(*fpu - sizeof(struct frame), 16ull) - 8;
	if ((was_on || enters) && !(t->altstack_flags & SS_AUTODISARM) && !on_altstack(t, *frame))
		return -EFAULT;
	return 0;
}

static int write_fpu(u64 to)
{
	u32 size = fpu_state_size();
	struct _fpx_sw_bytes software = { 0 };
	int err = fpu_save_user((void __user *)to);

	if (err)
		return err;
	if (fpu_features()) {
		software.magic1 = FP_XSTATE_MAGIC1;
		software.extended_size = size + FP_XSTATE_MAGIC2_SIZE;
		software.xfeatures = fpu_features();
		software.xstate_size = size;
		if (put_user((u32)FP_XSTATE_MAGIC2, (u32 __user *)(to + size)))
			return -EFAULT;
	}
	return copy_to_user((void __user *)(to + FXSAVE_SOFTWARE), &software, sizeof(software))
		       ? -EFAULT
		       : 0;
}

/* *c is zero. */
static void context_fill(struct sigcontext *c, const struct regs *r, const struct thread *t,
			 u64 fpu, u64 mask)
{
	c->r8 = r->r8;
	c->r9 = r->r9;
	c->r10 = r->r10;
	c->r11 = r->r11;
	c->r12 = r->r12;
	c->r13 = r->r13;
	c->r14 = r->r14;
	c->r15 = r->r15;
	c->rdi = r->rdi;
	c->rsi = r->rsi;
	c->rbp = r->rbp;
	c->rbx = r->rbx;
	c->rdx = r->rdx;
	c->rax = r->rax;
	c->rcx = r->rcx;
	c->rsp = r->rsp;
	c->rip = r->rip;
	c->eflags = r->rflags;
	c->cs = USER_CS;
	c->ss = USER_DS;
	c->err = t->trap_error;
	c->trapno = t->trap_number;
	c->cr2 = t->trap_address;
	c->oldmask = mask;
	c->fpstate = (void *)fpu;
}

int sigframe_setup(struct regs *regs, int sig, const struct signal_info *info,
		   const struct sigaction_kernel *a, u64 mask)
{
	struct thread *t = thread_current();
	struct frame f;
	u64 frame, fpu;
	int err = frame_place(regs, a, &frame, &fpu);

	if (err || !(a->flags & SA_RESTORER) || a->handler >= USER_END)
		return -EFAULT;
	err = write_fpu(fpu);
	if (err)
		return err;
	f.return_address = a->restorer;
	f.info = *info;
	memset(&f.uc, 0, sizeof(f.uc));
	f.uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
			(fpu_features() ? UC_FP_XSTATE : 0);
	f.uc.uc_stack.ss_sp = (void *)t->altstack_sp;
	f.uc.uc_stack.ss_flags = (int)t->altstack_flags;
	f.uc.uc_stack.ss_size = t->altstack_size;
	context_fill(&f.uc.uc_mcontext, regs, t, fpu, mask);
	f.uc.uc_sigmask = mask;
	if (copy_to_user((void __user *)frame, &f, sizeof(f)))
		return -EFAULT;
	if (t->altstack_flags & SS_AUTODISARM) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	regs->rdi = (u64)sig;
	regs->rsi = frame + offsetof(struct frame, info);
	regs->rdx = frame + offsetof(struct frame, uc);
	regs->rax = 0;
	regs->rip = a->handler;
	regs->rsp = frame;
	regs->rflags &= ~(FLAG_DF | FLAG_RF | FLAG_TF);
	fpu_reset();
	return 0;
}

/* --- returning --- */

/* Do the marks say that the frame holds all of the vector state? */
static bool is_whole_fpu(u64 from)
{
	u32 size = fpu_state_size(), magic2;
	struct _fpx_sw_bytes software;

	if (copy_from_user(&software, (void __user *)(from + FXSAVE_SOFTWARE), sizeof(software)))
		return false;
	return software.magic1 == FP_XSTATE_MAGIC1 && software.xstate_size == size &&
	       get_user(magic2, (u32 __user *)(from + size)) == 0 && magic2 == FP_XSTATE_MAGIC2;
}

/*
 * What FXSAVE covers; the rest is in its initial state. Read into a buffer, as that may sleep and a
 * switch saves the registers in the thread's own area; but loaded from there: XSAVEOPT believes that
 * the area it loaded from last still holds what was loaded.
 */
static int restore_legacy_fpu(u64 from, void *area)
{
	char *buf = kzalloc(fpu_state_size());
	int err;

	if (!buf)
		return -ENOMEM;
	err = copy_from_user(buf, (void __user *)from, FXSAVE_SIZE) ? -EFAULT : 0;
	if (fpu_features())
		*(u64 *)(buf + XSAVE_HEADER) = XSTATE_LEGACY;
	if (!err) {
		memcpy(area, buf, fpu_state_size());
		err = fpu_load_checked(area);
	}
	kfree(buf);
	return err;
}

static int restore_fpu(u64 from)
{
	int err = 0;

	if (!from)
		fpu_reset();
	else if (fpu_features() && is_whole_fpu(from))
		err = fpu_load_user((const void __user *)from);
	else
		err = restore_legacy_fpu(from, thread_current()->fpu);
	if (err)
		fpu_reset();
	return err;
}

/*
 * Only 64-bit code and the flat data segment: others would fault on the way to user mode, as on
 * Linux.
 */
static bool segments_ok(const struct ucontext *uc)
{
	if ((uc->uc_mcontext.cs | 3) != USER_CS)
		return false;
	return !(uc->uc_flags & UC_STRICT_RESTORE_SS) || (uc->uc_mcontext.ss | 3) == USER_DS;
}

static void restore_registers(struct regs *r, const struct sigcontext *c)
{
	*r = (struct regs){
		.r8 = c->r8,
		.r9 = c->r9,
		.r10 = c->r10,
		.r11 = c->r11,
		.r12 = c->r12,
		.r13 = c->r13,
		.r14 = c->r14,
		.r15 = c->r15,
		.rdi = c->rdi,
		.rsi = c->rsi,
		.rbp = c->rbp,
		.rbx = c->rbx,
		.rdx = c->rdx,
		.rax = c->rax,
		.rcx = c->rcx,
		.rsp = c->rsp,
		.rip = c->rip,
		.cs = USER_CS,
		.ss = USER_DS,
		.rflags = (r->rflags & ~FLAGS_USER) | (c->eflags & FLAGS_USER),
		.orig_rax = UINT64_MAX,
	};
}

long signal_return(struct regs *regs)
{
	u64 frame = regs->rsp - sizeof(u64);
	struct ucontext uc;
	struct signal_stack stack;

	if (copy_from_user(&uc, (void __user *)(frame + offsetof(struct frame, uc)), sizeof(uc)) ||
	    restore_fpu((u64)uc.uc_mcontext.fpstate) || uc.uc_mcontext.rip >= USER_END ||
	    !segments_ok(&uc)) {
		signal_fault(SIGSEGV, SI_KERNEL, 0);
		return 0;
	}
	signal_set_mask(uc.uc_sigmask);
	restore_registers(regs, &uc.uc_mcontext);
	stack = (struct signal_stack){ .sp = (u64)uc.uc_stack.ss_sp,
				       .size = uc.uc_stack.ss_size,
				       .flags = (u32)uc.uc_stack.ss_flags };
	/* A stack that is refused stays as it is: Linux ignores that too. */
	(void)signal_altstack(&stack, NULL, regs->rsp);
	trace_syscall_exit(regs);
	if (load_acquire(&thread_current()->work))
		return_to_user_work(regs);
	enter_user(regs);
}
