/*
 * sched.c - switching between threads, parking and waking. runq.c says who is next, balance.c where.
 *
 * The central rule: a thread's context belongs to the run queue lock of its CPU. The lock is held
 * across context_switch and released by the thread that comes next; so who holds it and finds a
 * thread parked, or in the queue, knows that its registers are saved. There is no periodic tick: a
 * CPU asks for one only while another thread waits for it. timer.c calls back here; thread.c makes
 * and frees threads.
 */
#include <linux/sched.h>

#include "arch/x86_64/percpu.h"
#include "arch/x86_64/tlb.h"
#include "arch/x86_64/trap.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/process_priv.h"
#include "proc/runq_priv.h"

struct lock_stack *lock_stack_thread(void)
{
	static struct lock_stack before_threads;
	struct thread *t = thread_current();

	return t ? &t->locks : &before_threads;
}

/*
 * What the thread ran since it got the CPU counts as user time; long kernel work is moved to system
 * time where it is done.
 */
static void account(struct runq *q, struct thread *t, u64 now)
{
	u64 ran = now - t->switch_stamp;

	t->switch_stamp = now;
	if (!thread_is_realtime(t))
		q->normal_ran = now;
	if (t == q->idle) {
		q->idle_ns += ran;
		return;
	}
	if (t->mm)
		t->user_ns += ran;
	else
		t->system_ns += ran;
	if (!thread_is_realtime(t))
		t->virtual_ns += thread_virtual(t, ran);
	runq_advance(q, now);
}

/* --- switching --- */

static bool thread_may_run_on(const struct thread *t, u32 cpu)
{
	u64 all = load_relaxed(&online), allowed = load_relaxed(&t->affinity) & all;

	return (allowed ? allowed : all) & BIT(cpu);
}

static bool thread_may_run_here(const struct thread *t)
{
	return thread_may_run_on(t, cpu_number());
}

static void save_user_state(struct runq *q, struct thread *t)
{
	t->fs_base = cpu_fs_base();
	t->gs_base = cpu_user_gs_base();
	fpu_save(t->fpu);
	t->fpu_cpu = cpu_number();
	q->fpu_owner = t;
	if (t->rseq)
		atomic_or(&t->work, WORK_RSEQ);
}

static void load_user_state(struct runq *q, struct thread *t)
{
	if (q->fpu_owner != t || t->fpu_cpu != cpu_number()) {
		fpu_load(t->fpu);
		q->fpu_owner = t;
	}
	cpu_set_fs_base(t->fs_base);
	cpu_set_user_gs_base(t->gs_base);
	cpu_set_kernel_stack((char *)t->stack + KERNEL_STACK_SIZE);
}

/*
 * Releases the lock that the thread before held while switching, and buries that thread if it is
 * dead, or sends it where it may run.
 */
static void switch_finish(void)
{
	struct runq *q = this_runq();
	struct thread *dead = q->dead, *leaving = q->leaving;

	q->dead = q->leaving = NULL;
	spin_unlock(&q->lock);
	if (unlikely(dead))
		thread_free(dead);
	if (unlikely(leaving))
		enqueue(leaving, ARRIVAL_OTHER);
}

void thread_entered(void)
{
	switch_finish();
	timer_rearm();
}

static struct thread *pick_next(struct runq *q, u64 now)
{
	struct thread *t = runq_choose(q, now);

	if (!t)
		return q->idle;
	runq_remove(q, t);
	return t;
}

/*
 * Give the CPU to the next in line. q->lock is held; it is released before this returns, in the
 * same thread, later. What the thread ran is accounted.
 */
static void switch_to_next(struct runq *q, u64 now)
{
	struct thread *prev = q->current, *next = pick_next(q, now);

	q->slice_end = q->nready ? now + TIME_SLICE_NS : DEADLINE_NONE;
	if (next == prev) {
		spin_unlock(&q->lock);
		timer_rearm();
		return;
	}
	if (prev->mm && prev->state != THREAD_DEAD)
		save_user_state(q, prev);
	next->switch_stamp = now;
	store_relaxed(&q->current, next);
	q->switches++;
	cpu_set_current(next, &next->work);
	if (next->mm) {
		space_activate(next->mm);
		load_user_state(q, next);
		if (unlikely(next->process->cpu_limited))
			q->slice_end = min(q->slice_end, now + TIME_SLICE_NS);
	} else if (prev->mm) {
		space_activate(NULL);
	}
	context_switch(&prev->context, &next->context);
	switch_finish();
	timer_rearm();
}

/* Let others run. Yielding: before this thread, even if it has had less of the CPU than they. */
static void requeue_current(bool yielding)
{
	struct thread *t = thread_current();
	u64 now = clock_monotonic();
	struct runq *q = this_runq();

	spin_lock(&q->lock);
	account(q, t, now);
	if (t == q->idle) {
		switch_to_next(q, now);
		return;
	}
	if (unlikely(!thread_may_run_here(t))) {
		q->leaving = t;
	} else {
		struct thread *first = runq_first(q);

		if (yielding && first && !thread_is_realtime(first))
			t->virtual_ns = max(t->virtual_ns, first->virtual_ns + 1);
		runq_insert(q, t, now);
	}
	switch_to_next(q, now);
}

void thread_yield(void)
{
	struct thread *t = thread_current();

	atomic_and(&t->work, ~WORK_RESCHED);
	if (!this_runq()->nready && thread_may_run_here(t))
		return;
	t->voluntary_switches++;
	requeue_current(true);
}

void thread_resched(void)
{
	struct thread *t = thread_current();

	atomic_and(&t->work, ~WORK_RESCHED);
	if (!this_runq()->nready && thread_may_run_here(t))
		return;
	t->involuntary_switches++;
	requeue_current(false);
}

void cpu_preempt_point(void)
{
	struct thread *t = thread_current();

	cpu_take_interrupts();
	if (t && load_relaxed(&t->work) & WORK_RESCHED)
		thread_resched();
}

void __noreturn thread_die(void)
{
	struct runq *q = this_runq();
	struct thread *t = thread_current();
	u64 now = clock_monotonic();

	spin_lock(&q->lock);
	account(q, t, now);
	t->state = THREAD_DEAD;
	q->dead = t;
	q->fpu_owner = NULL;
	switch_to_next(q, now);
	panic("a dead thread runs");
}

/* --- run queues --- */

void thread_make_runnable(struct thread *t, bool forked)
{
	struct runq *q = this_runq();

	t->state = THREAD_RUNNABLE;
	t->cpu = cpu_number();
	/*
	 * It begins a slice behind where its maker is now: who forks goes on, also at the end of a slice
	 * of its own, and gains no time by it.
	 */
	spin_lock(&q->lock);
	runq_advance(q, clock_monotonic());
	t->virtual_ns = q->clock + thread_virtual(t, TIME_SLICE_NS);
	spin_unlock(&q->lock);
	enqueue(t, forked ? ARRIVAL_FORKED : ARRIVAL_OTHER);
}

/* Is it time to look for another thread than q's current one? q->lock held. */
static bool slice_is_over(struct runq *q, u64 now)
{
	struct thread *t = q->current, *first = runq_first(q);

	if (!first)
		return false;
	if (runq_preempts(q, first, now, 0))
		return true;
	if (thread_is_realtime(t) && runq_owes_normal(q, now))
		return true;
	return (t->policy & ~(u32)POLICY_RESET_ON_FORK) == SCHED_RR && thread_is_realtime(first) &&
	       first->rt_priority == t->rt_priority;
}

void scheduler_tick(u64 now)
{
	struct runq *q = this_runq();
	struct thread *t = q->current;
	bool over = false;

	if (!t || t == q->idle)
		return;
	if (t->mm && t->process->cpu_limited)
		process_check_cpu_limits(t, now);
	spin_lock(&q->lock);
	if (now >= q->slice_end) {
		over = slice_is_over(q, now);
		if (over)
			atomic_or(&t->work, WORK_RESCHED);
		q->slice_end = q->nready || (t->mm && t->process->cpu_limited) ? now + TIME_SLICE_NS
									       : DEADLINE_NONE;
	}
	spin_unlock(&q->lock);
	balance_push(q, now);
}

u64 scheduler_next_tick(void)
{
	return this_runq()->slice_end;
}

void scheduler_want_tick(void)
{
	struct runq *q = this_runq();

	spin_lock(&q->lock);
	q->slice_end = min(q->slice_end, clock_monotonic() + TIME_SLICE_NS);
	spin_unlock(&q->lock);
	timer_rearm();
}

/* Somebody has put a thread into this CPU's queue, or work before its thread. */
void reschedule_interrupt(void)
{
	timer_rearm();
}

/* t's queue, locked: the one that it is in, runs from, or was in last. */
static struct runq *thread_runq_lock(const struct thread *t)
{
	for (;;) {
		u32 cpu = load_acquire(&t->cpu);
		struct runq *q = &runqs[cpu];

		spin_lock(&q->lock);
		if (load_relaxed(&t->cpu) == cpu)
			return q;
		spin_unlock(&q->lock);
	}
}

/*
 * Who runs where it may not leaves on its way to user mode; who waits there is moved by its own CPU;
 * who sleeps, or is between two queues, will be put where it may run.
 */
void scheduler_affinity_changed(struct thread *t)
{
	struct runq *q;
	bool moves;

	full_barrier(); /* the affinity is set before the CPU is read: against enqueue */
	q = thread_runq_lock(t);
	moves = t->queued && !thread_may_run_on(t, (u32)(q - runqs));
	if (moves)
		runq_remove(q, t);
	else if (q->current == t)
		atomic_or(&t->work, WORK_RESCHED);
	spin_unlock(&q->lock);
	if (moves)
		enqueue(t, ARRIVAL_OTHER);
	else if (t != thread_current() && load_relaxed(&q->current) == t)
		cpu_kick((u32)(q - runqs));
}

void scheduler_priority_changed(struct thread *t)
{
	struct runq *q = thread_runq_lock(t);
	u64 now = clock_monotonic();
	bool preempts = false;

	if (t->queued) {
		runq_remove(q, t);
		runq_place(q, t, q->clock);
		runq_insert(q, t, now);
		preempts = runq_preempts(q, t, now, 0);
	} else if (q->current == t && runq_first(q)) {
		runq_place(q, t, q->clock);
		preempts = runq_preempts(q, runq_first(q), now, 0);
	}
	if (preempts && q->current != q->idle)
		atomic_or(&q->current->work, WORK_RESCHED);
	spin_unlock(&q->lock);
	if (preempts && q != this_runq())
		cpu_kick((u32)(q - runqs));
}

/* --- parking --- */

void thread_prepare_park(void)
{
	struct thread *t = thread_current();

	__atomic_store_n(&t->state, THREAD_PARKING, __ATOMIC_SEQ_CST);
}

void thread_cancel_park(void)
{
	__atomic_store_n(&thread_current()->state, THREAD_RUNNABLE, __ATOMIC_SEQ_CST);
}

bool thread_killed(void)
{
	return load_relaxed(&thread_current()->work) & WORK_EXIT;
}

bool thread_interrupted(void)
{
	return load_relaxed(&thread_current()->work) & WORK_INTERRUPTS;
}

/* Does the work that is set end a park of this mode? */
static bool park_is_interrupted(const struct thread *t, enum park_mode mode)
{
	u32 work = load_relaxed(&t->work);

	if (mode == PARK_INTERRUPTIBLE)
		return work & WORK_INTERRUPTS;
	return mode == PARK_KILLABLE && work & WORK_EXIT;
}

static void park_timer_expired(struct timer *timer)
{
	struct thread *t = container_of(timer, struct thread, park_timer);

	store_release(&t->park_expired, true);
	thread_unpark(t);
}

int thread_park_mode(enum park_mode mode, u64 deadline_ns)
{
	struct thread *t = thread_current();
	u32 parking = THREAD_PARKING;
	struct runq *q;
	u64 now;

	store_release(&t->park_mode, (u8)mode);
	full_barrier();
	if (park_is_interrupted(t, mode)) {
		thread_cancel_park();
		return -EINTR;
	}
	if (deadline_ns != DEADLINE_NONE) {
		if (deadline_ns <= clock_monotonic()) {
			thread_cancel_park();
			return -ETIMEDOUT;
		}
		t->park_expired = false;
		timer_init(&t->park_timer, park_timer_expired);
		timer_start(&t->park_timer, deadline_ns);
	}
	now = clock_monotonic();
	handoff_learn(t, now);
	q = this_runq();
	spin_lock(&q->lock);
	/* In one step: who unparks a thread that has not parked yet holds no lock. */
	if (atomic_cas(&t->state, &parking, THREAD_PARKED)) {
		t->voluntary_switches++;
		account(q, t, now);
		switch_to_next(q, now);
	} else {
		spin_unlock(&q->lock);
	}
	if (deadline_ns != DEADLINE_NONE) {
		timer_cancel(&t->park_timer);
		if (t->park_expired)
			return -ETIMEDOUT;
	}
	return park_is_interrupted(t, mode) ? -EINTR : 0;
}

int thread_park(bool interruptible, u64 deadline_ns)
{
	return thread_park_mode(interruptible ? PARK_INTERRUPTIBLE : PARK_UNINTERRUPTIBLE,
				deadline_ns);
}

int thread_park_killable(u64 deadline_ns)
{
	return thread_park_mode(PARK_KILLABLE, deadline_ns);
}

void thread_unpark(struct thread *t)
{
	u32 state = THREAD_PARKING;
	struct runq *q;
	bool parked;

	full_barrier();
	if (atomic_cas(&t->state, &state, THREAD_RUNNABLE) || state != THREAD_PARKED)
		return;
	/* It may have run and parked elsewhere since: the lock that it parked under is the right one. */
	q = thread_runq_lock(t);
	parked = t->state == THREAD_PARKED;
	if (parked)
		t->state = THREAD_RUNNABLE;
	spin_unlock(&q->lock);
	if (parked)
		enqueue(t, ARRIVAL_WOKEN);
}

void thread_wait_off_cpu(const struct thread *t)
{
	for (;;) {
		struct runq *q = &runqs[load_relaxed(&t->cpu)];
		bool runs;

		spin_lock(&q->lock);
		runs = q->current == t;
		spin_unlock(&q->lock);
		if (!runs)
			return;
		cpu_relax();
	}
}

void thread_interrupt(struct thread *t)
{
	full_barrier();
	if (park_is_interrupted(t, load_acquire(&t->park_mode)))
		thread_unpark(t);
	if (t != thread_current() && t->cpu != cpu_number() && runqs[t->cpu].current == t)
		cpu_kick(t->cpu);
}

/* --- idle, start --- */

static void __noreturn idle_loop(void)
{
	struct runq *q = this_runq();
	u64 bit = BIT(cpu_number());

	for (;;) {
		spin_lock(&q->lock);
		if (q->nready) {
			u64 now = clock_monotonic();

			account(q, q->idle, now);
			switch_to_next(q, now);
			continue;
		}
		/* Who adds a thread from now on finds the bit, and interrupts. */
		atomic_or(&idle_cpus, bit);
		spin_unlock(&q->lock);
		if (!balance_pull(q)) {
			space_idle();
			cpu_idle();
		}
		atomic_and(&idle_cpus, ~bit);
	}
}

/*
 * The code that runs now becomes this CPU's idle thread; it may create threads, but not sleep,
 * until it calls scheduler_start.
 */
void scheduler_init(void)
{
	struct runq *q = this_runq();
	struct thread *idle = kzalloc(sizeof(*idle));

	if (!idle)
		panic("no memory for the idle thread");
	format(idle->name, sizeof(idle->name), "idle/%u", cpu_number());
	idle->cpu = cpu_number();
	idle->switch_stamp = clock_monotonic();
	idle->process = init_process;
	weights_init();
	q->current = q->idle = idle;
	cpu_set_current(idle, &idle->work);
	atomic_or(&online, BIT(cpu_number()));
}

void scheduler_start(void)
{
	if (!this_runq()->idle)
		scheduler_init();
	idle_loop();
}
