/*
 * cpu.c - fake CPUs: coroutines that run one at a time, in an order that the seed gives.
 *
 * Central rule: a CPU gives way only at a point (hosted_point: before a spinlock is tried and after
 * it is left, at each access to an entry), when it spins (cpu_relax) and when it sleeps; shootdowns
 * are served only where a kernel with interrupts off would: spinning, sleeping, and in user mode. A
 * CPU without a program takes them at once. Each CPU has one thread. threads.c has the same CPUs as
 * threads that really run at once. Read mmu.c next.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "hosted_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(save, bottom, size) \
	((void)(save), (void)(bottom), (void)(size))
#define __sanitizer_finish_switch_fiber(save, bottom, size) \
	((void)(save), (void)(bottom), (void)(size))
#endif

#define STACK_SIZE (512u << 10)
#define RELAX_MAX 20000000u /* spins without a user access in between: somebody hangs */

struct fake_cpu *hosted_cpu = &hosted_cpus[0];
u32 hosted_countdown = 1;

static u32 period; /* points between two switches or speculations, at most */
static u32 relaxed;

/* hosted_run's caller, and what it runs. */
static struct {
	bool active;
	u32 cpus, left;
	void (*fn)(u32 cpu, void *arg);
	void *arg;
	void *stack_pointer, *fake_stack;
	const void *stack_bottom;
	size_t stack_size;
} run;

/* --- switching stacks --- */

/* Save the callee's registers and the stack pointer, and go on where the other stack was left. */
void context_switch(void **save, void *load);
__asm__(".text\n"
	"context_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n");

static void switch_to(struct fake_cpu *next)
{
	struct fake_cpu *self = hosted_cpu;

	if (next == self)
		return;
	hosted_cpu = next;
	__sanitizer_start_switch_fiber(&self->fake_stack, next->stack, STACK_SIZE);
	context_switch(&self->stack_pointer, next->stack_pointer);
	__sanitizer_finish_switch_fiber(hosted_cpu->fake_stack, NULL, NULL);
}

static bool cpu_can_run(const struct fake_cpu *c)
{
	return c->running && (c->thread.state != THREAD_PARKED || c->mail);
}

/*
 * Now and then others are the slow ones; one of weight 0 stands still for as long as another can
 * run.
 */
static void weights_draw(void)
{
	static const u32 weights[] = { 0, 1, 4, 16 };

	for (u32 i = 0; i < HOSTED_CPUS; i++)
		hosted_cpus[i].weight = weights[hosted_random() % ARRAY_SIZE(weights)];
}

/*
 * The CPU that a lot between 0 and the sum of the weights falls on. With `even`, all weigh the
 * same. NULL: none can run.
 */
static struct fake_cpu *draw_cpu(bool even)
{
	u32 sum = 0;

	for (u32 i = 0; i < run.cpus; i++)
		if (cpu_can_run(&hosted_cpus[i]))
			sum += even ? 1 : hosted_cpus[i].weight;
	if (!sum)
		return NULL;
	u32 lot = (u32)(hosted_random() % sum);
	for (u32 i = 0;; i++) {
		struct fake_cpu *c = &hosted_cpus[i];
		u32 weight = even ? 1 : c->weight;

		if (!cpu_can_run(c))
			continue;
		if (lot < weight)
			return c;
		lot -= weight;
	}
}

/* Who runs next; perhaps the current one again. NULL: none can run. */
static struct fake_cpu *choose(void)
{
	if (hosted_random() % 64 == 0)
		weights_draw();
	struct fake_cpu *c = draw_cpu(false);
	return c ? c : draw_cpu(true);
}

void hosted_point_slow(void)
{
	hosted_countdown = 1 + (u32)(hosted_random() % period);
	if (hosted_random() % 2)
		mmu_speculate();
	if (!run.active)
		return;
	struct fake_cpu *next = choose();
	if (next)
		switch_to(next);
}

void hosted_point(void)
{
	hosted_step();
}

/* Nobody can run: what each CPU holds. */
static void __noreturn deadlock(void)
{
	for (u32 i = 0; i < run.cpus; i++) {
		const struct fake_cpu *c = &hosted_cpus[i];
		const struct lock_stack *s = &c->thread.locks;

		log_info("CPU %u: %s, %u spinlocks, sleeping locks of rank %u %u %u", i,
			 !c->running                        ? "done"
			 : c->thread.state == THREAD_PARKED ? "sleeps"
							    : "runs",
			 c->locks.depth, s->depth > 0 ? s->rank[0] : 0,
			 s->depth > 1 ? s->rank[1] : 0, s->depth > 2 ? s->rank[2] : 0);
	}
	panic("deadlock: no CPU can run");
}

/* A lock that is taken is waited for in both ways: spinning first, and sleeping at once. */
bool cpus_are_many(void)
{
	return run.active && hosted_random() % 2;
}

void cpu_relax(void)
{
	mmu_serve_mailbox(hosted_cpu);
	if (++relaxed > RELAX_MAX)
		panic("a CPU spins for ever");
	if (!run.active)
		return;
	struct fake_cpu *next = choose();
	if (!next)
		deadlock();
	switch_to(next);
}

void cpu_preempt_point(void)
{
	mmu_serve_mailbox(hosted_cpu);
	hosted_step();
}

void hosted_pause(void)
{
	assert(hosted_cpu->locks.depth == 0);
	cpu_relax();
}

/* --- programs --- */

static void program_start(void)
{
	/* the very first program: switched to by hosted_run's caller, whose stack this names */
	if (!run.stack_bottom)
		__sanitizer_finish_switch_fiber(NULL, &run.stack_bottom, &run.stack_size);
	else
		__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
	for (;;) {
		struct fake_cpu *self = hosted_cpu;

		run.fn(self->number, run.arg);
		assert(self->locks.depth == 0 && self->thread.locks.depth == 0);
		mmu_serve_mailbox(self);
		self->running = false;
		if (--run.left) {
			struct fake_cpu *next = choose();
			if (!next)
				deadlock();
			switch_to(next);
		} else {
			run.active = false;
			hosted_cpu = &hosted_cpus[0];
			__sanitizer_start_switch_fiber(&self->fake_stack, run.stack_bottom,
						       run.stack_size);
			context_switch(&self->stack_pointer, run.stack_pointer);
			__sanitizer_finish_switch_fiber(hosted_cpu->fake_stack, NULL, NULL);
		}
		/* Here when hosted_run has started another program. */
	}
}

static void stack_prepare(struct fake_cpu *c)
{
	if (c->stack)
		return; /* it waits in program_start */
	c->stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c->stack == MAP_FAILED)
		panic("no memory for a stack");
	void **top = (void **)(c->stack + STACK_SIZE);
	*--top =
		/* program_start's return address: it has none; keeps the alignment of a call */
		NULL;
	*--top = (void *)program_start;
	top -= 6; /* callee-saved registers */
	c->stack_pointer = top;
	c->fake_stack = NULL;
}

void hosted_run(u32 cpus, void (*fn)(u32 cpu, void *arg), void *arg)
{
	assert(!run.active && cpus <= HOSTED_CPUS);
	run.active = true;
	run.cpus = run.left = cpus;
	run.fn = fn;
	run.arg = arg;
	relaxed = 0;
	for (u32 i = 0; i < cpus; i++) {
		stack_prepare(&hosted_cpus[i]);
		hosted_cpus[i].running = true;
		hosted_cpus[i].thread.state = THREAD_RUNNING;
	}
	hosted_cpu = choose();
	__sanitizer_start_switch_fiber(&run.fake_stack, hosted_cpu->stack, STACK_SIZE);
	context_switch(&run.stack_pointer, hosted_cpu->stack_pointer);
	__sanitizer_finish_switch_fiber(run.fake_stack, NULL, NULL);
}

void hosted_become(u32 cpu)
{
	assert(!run.active && cpu < HOSTED_CPUS);
	hosted_cpu = &hosted_cpus[cpu];
	relaxed = 0;
}

void hosted_cpus_reset(void)
{
	static const u32 periods[] = { 2, 4, 10, 40, 200 };

	for (u32 i = 0; i < HOSTED_CPUS; i++) {
		hosted_cpus[i].number = i;
		hosted_cpus[i].thread.number = i;
	}
	weights_draw();
	period = periods[hosted_random() % ARRAY_SIZE(periods)];
	hosted_countdown = 1;
	hosted_become(0);
}

/* --- what lib/ asks of its host --- */

void thread_prepare_park(void)
{
	hosted_cpu->thread.state = THREAD_PARKING;
	hosted_step();
}

void thread_cancel_park(void)
{
	hosted_cpu->thread.state = THREAD_RUNNING;
}

/* There is no clock and there are no signals: a park ends when somebody ends it. */
int thread_park(bool interruptible, u64 deadline_ns)
{
	struct fake_cpu *self = hosted_cpu;

	(void)interruptible;
	assert(self->locks.depth == 0 && deadline_ns == DEADLINE_NONE);
	hosted_step();
	if (self->thread.state == THREAD_PARKING)
		self->thread.state = THREAD_PARKED;
	while (self->thread.state == THREAD_PARKED) {
		if (!run.active)
			panic("deadlock: the only CPU sleeps");
		cpu_relax();
	}
	return 0;
}

void thread_unpark(struct thread *t)
{
	t->state = THREAD_RUNNING;
}
