/*
 * rseq.c - restartable sequences (rseq(2)): a program may say in memory which stretch of code it is in
 * that must run on one CPU without a break; when the thread has been off the CPU, or gets a signal,
 * inside of it, it goes on at the stretch's abort handler instead. The same memory tells the program
 * which CPU it runs on.
 *
 * The scheduler sets WORK_RSEQ when a registered thread leaves a CPU; all else happens on the way back
 * to user mode. What is read is a program's data: what is wrong with it is answered by SIGSEGV.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "arch/x86_64/percpu.h"
#include "arch/x86_64/tlb.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/usercopy.h"
#include "mm/space.h"
#include "proc/process_priv.h"
#include "proc/rseq.h"
#include "proc/sched_priv.h"

/* struct rseq and struct rseq_cs of <linux/rseq.h>, as of Linux 6.3. */
#define RSEQ_ORIGINAL_SIZE 32u /* also the alignment that comes with it */
#define RSEQ_ALIGN 32u
#define RSEQ_UNREGISTER 1u
#define RSEQ_CPU_ID_UNINITIALIZED UINT32_MAX

#define OFFSET_SECTION 8 /* u64: address of a struct section, or 0 */
#define OFFSET_FLAGS 16

struct rseq_cpu { /* at offset 0 */
	u32 start, id;
};

struct rseq_node { /* at offset 20 */
	u32 node, concurrency_id;
};
#define OFFSET_NODE 20

struct rseq_section {
	u32 version, flags;
	u64 start, length, abort;
};

static u64 __user *section_pointer(const struct thread *t)
{
	return (u64 __user *)(t->rseq + OFFSET_SECTION);
}

static int write_cpu(struct thread *t, struct rseq_cpu cpu, struct rseq_node node)
{
	if (copy_to_user((void __user *)t->rseq, &cpu, sizeof(cpu)) ||
	    copy_to_user((void __user *)(t->rseq + OFFSET_NODE), &node, sizeof(node)))
		return -EFAULT;
	return 0;
}

/* The number of the CPU serves as concurrency id: no two running threads share it. */
static int update_cpu(struct thread *t)
{
	u32 cpu = cpu_number();
	struct rseq_cpu now = { cpu, cpu };
	struct rseq_node node = { 0, cpu };

	if (t->rseq_cpu == cpu)
		return 0;
	t->rseq_cpu = cpu;
	return write_cpu(t, now, node);
}

/* 1: the section at `address` is in force for code at rip, whose abort handler is *abort. */
static int read_section(const struct thread *t, u64 address, u64 rip, u64 *abort)
{
	struct rseq_section s;
	u32 signature, flags;

	if (copy_from_user(&s, (void __user *)address, sizeof(s)))
		return -EFAULT;
	if (s.version || s.start >= USER_END || s.length >= USER_END ||
	    s.start + s.length >= USER_END || s.abort >= USER_END || s.abort - s.start < s.length)
		return -EINVAL;
	if (get_user(signature, (u32 __user *)(s.abort - sizeof(signature))))
		return -EFAULT;
	if (signature != t->rseq_signature)
		return -EINVAL;
	if (rip - s.start >= s.length)
		return 0;
	if (get_user(flags, (u32 __user *)(t->rseq + OFFSET_FLAGS)))
		return -EFAULT;
	*abort = s.abort;
	return flags || s.flags ? -EINVAL : 1;
}

/* To the abort handler if the code at regs is in a section; and that is over. */
static int leave_section(struct thread *t, struct regs *regs)
{
	u64 address, abort;
	int r;

	if (get_user(address, section_pointer(t)))
		return -EFAULT;
	if (!address)
		return 0;
	r = read_section(t, address, regs->rip, &abort);
	if (r < 0 || put_user(0ull, section_pointer(t)))
		return -EFAULT;
	if (r)
		regs->rip = abort;
	return 0;
}

void rseq_before_handler(struct regs *regs)
{
	struct thread *t = thread_current();

	if (t->rseq && leave_section(t, regs))
		signal_fault(SIGSEGV, SI_KERNEL, 0);
}

void rseq_resume(struct regs *regs)
{
	struct thread *t = thread_current();

	atomic_and(&t->work, ~WORK_RSEQ);
	if (t->rseq && (leave_section(t, regs) || update_cpu(t)))
		signal_fault(SIGSEGV, SI_KERNEL, 0);
}

void rseq_inherit(struct thread *child, const struct thread *parent)
{
	if (!parent->rseq)
		return;
	child->rseq = parent->rseq;
	child->rseq_size = parent->rseq_size;
	child->rseq_signature = parent->rseq_signature;
	child->rseq_cpu = CPU_NONE;
	atomic_or(&child->work, WORK_RSEQ);
}

void rseq_interrupt(u32 cpu)
{
	struct process *p = process_current();
	struct thread *t;

	spin_lock(&p->signal_lock);
	list_for_each (t, &p->threads, thread_link) {
		if (t->rseq && (cpu == RSEQ_ALL_CPUS || load_relaxed(&t->cpu) == cpu))
			atomic_or(&t->work, WORK_RSEQ);
	}
	spin_unlock(&p->signal_lock);
	/* Who is in user mode comes in to look. */
	tlb_shoot_all(p->mm);
}

/* --- registration --- */

static int unregister(struct thread *t, u64 address, u32 size, u32 signature)
{
	struct rseq_cpu none = { 0, RSEQ_CPU_ID_UNINITIALIZED };
	struct rseq_node node = { 0, 0 };

	if (!t->rseq || t->rseq != address || t->rseq_size != size)
		return -EINVAL;
	if (t->rseq_signature != signature)
		return -EPERM;
	if (write_cpu(t, none, node))
		return -EFAULT;
	t->rseq = 0;
	return 0;
}

int rseq_register(u64 address, u32 size, u32 flags, u32 signature)
{
	struct thread *t = thread_current();

	if (flags == RSEQ_UNREGISTER)
		return unregister(t, address, size, signature);
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != address || t->rseq_size != size)
			return -EINVAL;
		return t->rseq_signature != signature ? -EPERM : -EBUSY;
	}
	if (size < RSEQ_ORIGINAL_SIZE || address % RSEQ_ALIGN)
		return -EINVAL;
	if (!user_range_ok((void __user *)address, size))
		return -EFAULT;
	if (put_user(0ull, (u64 __user *)(address + OFFSET_SECTION)))
		return -EFAULT;
	t->rseq = address;
	t->rseq_size = size;
	t->rseq_signature = signature;
	t->rseq_cpu = CPU_NONE;
	atomic_or(&t->work, WORK_RSEQ);
	return 0;
}
