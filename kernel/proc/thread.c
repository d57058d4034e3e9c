/*
 * thread.c - the life of struct thread: kernel stack, room for vector state, and the threads that
 * never leave the kernel.
 *
 * Threads come and go with every command of a shell, so each CPU keeps a few dead ones with stack
 * and vector area for the next. Read sched.c next.
 */
#include <linux/prctl.h>
#include <linux/signal.h>

#include "arch/x86_64/trap.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define KEPT_MAX 16
#define FPU_ALIGN 64ull

/* This CPU only: nothing can come between, for interrupts are off and nothing here sleeps. */
static struct kept_threads {
	struct thread *first; /* linked through entry_arg */
	u32 count;
} kept[CPUS_MAX];
static u64 live;       /* A */
static u64 kept_count; /* A: of all CPUs */

u64 thread_live_count(void)
{
	return load_relaxed(&live);
}

/* A stack, and what is smaller: never less than they take. */
u64 thread_kept_frames(void)
{
	u64 bytes = KERNEL_STACK_SIZE + sizeof(struct thread) + fpu_state_size() + FPU_ALIGN;

	return load_relaxed(&kept_count) * DIV_ROUND_UP(bytes, PAGE_SIZE);
}

struct shortage *shortage_current(void)
{
	static struct shortage at_boot;
	struct thread *t = thread_current();

	return t ? &t->shortage : &at_boot;
}

static struct thread *thread_take_kept(void)
{
	struct kept_threads *k = &kept[cpu_number()];
	struct thread *t = k->first;

	if (t) {
		k->first = t->entry_arg;
		k->count--;
		atomic_sub(&kept_count, 1);
	}
	return t;
}

/* Everything but the stack and the vector area starts anew. */
static void thread_reset(struct thread *t, void *stack, void *fpu_block)
{
	memset(t, 0, sizeof(*t));
	t->stack = stack;
	t->fpu_block = fpu_block;
	t->fpu = (void *)ROUND_UP((u64)fpu_block, FPU_ALIGN);
	t->fpu_cpu = CPU_NONE;
	t->affinity = UINT64_MAX;
	t->timer_slack = 50000;
	t->memory_failure = PR_MCE_KILL_DEFAULT;
	t->altstack_flags = SS_DISABLE;
	t->switch_stamp = t->start_ns = clock_monotonic();
	list_init(&t->thread_link);
	list_init(&t->pi_states);
	signal_queue_init(&t->pending);
}

static void thread_destroy(struct thread *t)
{
	vmap_free_stack(t->stack, KERNEL_STACK_SIZE);
	kfree(t->fpu_block);
	kfree(t);
}

/*
 * Take out the one with the highest stack: then those that are kept hold on to few of the vmap
 * region's page tables.
 */
static struct thread *kept_take_highest(struct kept_threads *k)
{
	struct thread *highest = k->first, *before = NULL;

	for (struct thread *t = k->first, *next; (next = t->entry_arg); t = next) {
		if (next->stack > highest->stack) {
			highest = next;
			before = t;
		}
	}
	if (before)
		before->entry_arg = highest->entry_arg;
	else
		k->first = highest->entry_arg;
	k->count--;
	atomic_sub(&kept_count, 1);
	return highest;
}

struct thread *thread_alloc(bool user)
{
	struct thread *t = thread_take_kept();

	if (!t) {
		t = kzalloc(sizeof(*t));
		if (!t)
			return NULL;
		t->stack = vmap_alloc_stack(KERNEL_STACK_SIZE);
		if (!t->stack) {
			kfree(t);
			return NULL;
		}
	}
	if (user && !t->fpu_block) {
		/* XSAVE leaves parts of the header as they are, and XRSTOR wants zeros there. */
		t->fpu_block = kzalloc(fpu_state_size() + FPU_ALIGN);
		if (!t->fpu_block) {
			thread_destroy(t);
			return NULL;
		}
	}
	thread_reset(t, t->stack, t->fpu_block);
	atomic_add(&live, 1);
	return t;
}

void thread_free(struct thread *t)
{
	struct kept_threads *k = &kept[cpu_number()];
	struct process *p = t->process;

	if (t->cred)
		cred_put(t->cred);
	atomic_sub(&live, 1);
	t->entry_arg = k->first;
	k->first = t;
	k->count++;
	atomic_add(&kept_count, 1);
	if (k->count > KEPT_MAX)
		thread_destroy(kept_take_highest(k));
	if (p)
		process_put(p);
}

/* Where the entry code puts them: on top of the empty stack. */
struct regs *thread_regs(struct thread *t)
{
	return (struct regs *)((char *)t->stack + KERNEL_STACK_SIZE) - 1;
}

static void kthread_start(void *arg)
{
	struct thread *t = arg;

	thread_entered();
	t->entry(t->entry_arg);
	thread_die();
}

struct thread *kthread_create(void (*fn)(void *), void *arg, const char *name)
{
	struct thread *t = thread_alloc(false);

	if (!t)
		return NULL;
	t->process = init_process; /* for its credentials and its view of the files */
	process_get(init_process);
	t->entry = fn;
	t->entry_arg = arg;
	string_copy(t->name, name, sizeof(t->name));
	context_init(&t->context, (char *)t->stack + KERNEL_STACK_SIZE, kthread_start, t);
	thread_make_runnable(t, false);
	return t;
}

char thread_state_letter(const struct thread *t)
{
	u32 state = load_relaxed(&t->state);

	if (t->tracing.stopped)
		return 't';
	if (t->stopped)
		return 'T';
	if (state ==
	    THREAD_PARKED) /* one of the kernel's own threads takes no signals, and is idle */
		return t->park_mode == PARK_INTERRUPTIBLE || !t->mm ? 'S' : 'D';
	return state == THREAD_DEAD ? 'X' : 'R';
}
