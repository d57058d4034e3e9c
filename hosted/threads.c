/*
 * threads.c - the fake CPUs as threads of the host, which really run at once: for ThreadSanitizer.
 *
 * In place of cpu.c. Which order things happen in is the host's affair, so a seed repeats what
 * programs ask for and no more; what is found instead is whatever no order forbids. Central rule:
 * between CPUs only what kernel/ synchronizes is synchronized: the mailboxes here order a sender's
 * request and its being served, as an interrupt and its acknowledgement do, and nothing else; and a
 * user's loads and stores are relaxed. A page that some CPU still reaches while another copies, frees
 * or fills it is therefore a data race. A CPU whose program has ended goes on to serve its mailbox
 * until all have.
 */
#include <pthread.h>
#include <sched.h>

#include "hosted_priv.h"
#include "lib/atomic.h"
#include "lib/print.h"

#define RELAX_MAX 50000000u /* spins without a step in between: somebody hangs */

HOSTED_PER_CPU struct fake_cpu *hosted_cpu;
HOSTED_PER_CPU u32 hosted_countdown = 1;

static HOSTED_PER_CPU u32 relaxed;
static u32 period; /* points between two speculations, at most */

/* What hosted_run runs. */
static struct {
	bool active;
	u32 left; /* A: programs that have not returned */
	void (*fn)(u32 cpu, void *arg);
	void *arg;
} run;

void hosted_point_slow(void)
{
	hosted_countdown = 1 + (u32)(hosted_random() % period);
	relaxed = 0;
	if (hosted_random() % 2)
		mmu_speculate();
	if (run.active && hosted_random() % 4 == 0)
		sched_yield();
}

void hosted_point(void)
{
	hosted_step();
}

/* As in cpu.c. */
bool cpus_are_many(void)
{
	return run.active && hosted_random() % 2;
}

void cpu_relax(void)
{
	mmu_serve_mailbox(hosted_cpu);
	if (++relaxed > RELAX_MAX)
		panic("CPU %u spins for ever", hosted_cpu->number);
	if (run.active)
		sched_yield();
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

static void *program_start(void *cpu)
{
	struct fake_cpu *self = cpu;

	hosted_cpu = self;
	hosted_random_start(1 + self->number);
	run.fn(self->number, run.arg);
	assert(self->locks.depth == 0 && self->thread.locks.depth == 0);
	atomic_sub_return(&run.left, 1);
	while (load_acquire(&run.left))
		hosted_pause();
	return NULL;
}

/* A CPU that takes no part has no space loaded: nobody would serve its mailbox. */
void hosted_run(u32 cpus, void (*fn)(u32 cpu, void *arg), void *arg)
{
	pthread_t threads[HOSTED_CPUS];

	assert(!run.active && cpus <= HOSTED_CPUS);
	run.active = true;
	run.left = cpus;
	run.fn = fn;
	run.arg = arg;
	for (u32 i = 0; i < HOSTED_CPUS; i++) {
		assert(i < cpus || !hosted_cpus[i].space);
		hosted_cpus[i].running = i < cpus;
		hosted_cpus[i].thread.state = THREAD_RUNNING;
	}
	for (u32 i = 0; i < cpus; i++)
		if (pthread_create(&threads[i], NULL, program_start, &hosted_cpus[i]))
			panic("no thread for CPU %u", i);
	for (u32 i = 0; i < cpus; i++)
		pthread_join(threads[i], NULL);
	for (u32 i = 0; i < cpus; i++)
		hosted_cpus[i].running = false;
	run.active = false;
	hosted_become(0);
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
	period = periods[hosted_random() % ARRAY_SIZE(periods)];
	hosted_countdown = 1;
	hosted_become(0);
}

/* --- what lib/ asks of its host --- */

void thread_prepare_park(void)
{
	store_relaxed(&hosted_cpu->thread.state, THREAD_PARKING);
	full_barrier();
}

void thread_cancel_park(void)
{
	store_relaxed(&hosted_cpu->thread.state, THREAD_RUNNING);
}

/* A park ends when somebody ends it; the CPU has nothing else to do meanwhile but its mailbox. */
int thread_park(bool interruptible, u64 deadline_ns)
{
	u32 *state = &hosted_cpu->thread.state, expected = THREAD_PARKING;

	(void)interruptible;
	assert(hosted_cpu->locks.depth == 0 && deadline_ns == DEADLINE_NONE);
	if (!run.active)
		panic("deadlock: the only CPU sleeps");
	if (atomic_cas(state, &expected, THREAD_PARKED))
		while (load_acquire(state) == THREAD_PARKED)
			cpu_relax();
	return 0;
}

void thread_unpark(struct thread *t)
{
	atomic_exchange(&t->state, THREAD_RUNNING);
}
