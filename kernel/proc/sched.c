/*
 * sched.c - which thread runs: a run queue for each CPU, round robin with time slices, parking and
 * waking.
 *
 * The central rule: a thread's context belongs to the run queue lock of its CPU. The lock is held
 * across context_switch and released by the thread that comes next; so who holds it and finds a
 * thread parked knows that its registers are saved. There is no periodic tick: a CPU asks for one
 * only while another thread waits for it. timer.c calls back here; thread.c makes and frees
 * threads.
 */
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/tlb.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

/* Q: lock. L: this CPU only. */
struct runq {
	struct spinlock lock;
	struct list ready;      /* Q: struct thread.run_link */
	u32 nready;             /* Q */
	struct thread *current; /* Q */
	struct thread *idle;    /* C */
	struct thread *dead; /* Q: switched away from for the last time: the next thread frees it */
	struct thread *fpu_owner; /* L: whose state the vector registers hold */
	u64 slice_end;            /* Q: when current must make room; DEADLINE_NONE: nobody waits */
	u64 idle_ns, switches;    /* L */
};

static struct runq runqs[CPUS_MAX] = { [0 ... CPUS_MAX - 1] = { .lock = SPINLOCK_INIT(RANK_RUNQ),
								.slice_end = DEADLINE_NONE } };
static u64 online; /* A: bit n: CPU n schedules */

static struct runq *this_runq(void)
{
	return &runqs[cpu_number()];
}

struct lock_stack *lock_stack_thread(void)
{
	static struct lock_stack before_threads;
	struct thread *t = thread_current();

	return t ? &t->locks : &before_threads;
}

bool cpu_is_online(u32 cpu)
{
	return cpu < CPUS_MAX && load_relaxed(&online) & BIT(cpu);
}

u64 cpus_online_mask(void)
{
	return load_relaxed(&online);
}

u32 scheduler_cpu_count(void)
{
	return (u32)__builtin_popcountll(load_relaxed(&online));
}

/* --- accounting --- */

u64 thread_runtime(const struct thread *t, u64 now)
{
	u64 ns = t->user_ns + t->system_ns;

	if (runqs[t->cpu].current == t && now > t->switch_stamp)
		ns += now - t->switch_stamp;
	return ns;
}

/*
 * Load averages: how many threads are runnable, smoothed over 1, 5 and 15 minutes. Nobody counts
 * periodically on an idle machine: each look brings the averages up to date, as if the present
 * number had held since the last look; the smoothing of 5 seconds at a time is Linux's.
 */
#define LOAD_INTERVAL_NS (5 * NS_PER_SEC)
#define LOAD_ONE 2048u
#define LOAD_STEPS_MAX 1024u

void scheduler_load_average(u32 load[3])
{
	static const u32 keep[3] = { 1884, 2014, 2037 }; /* e^(-5s/period) in 1/2048 */
	static u64 averages[3], last;
	u64 now = clock_monotonic(),
	    steps = min((now - last) / LOAD_INTERVAL_NS, (u64)LOAD_STEPS_MAX);
	u64 active = (scheduler_runnable_count() ? scheduler_runnable_count() - 1 : 0) * 65536ull;

	for (u64 s = 0; s < steps; s++) {
		for (u32 i = 0; i < 3; i++)
			averages[i] =
				(averages[i] * keep[i] + active * (LOAD_ONE - keep[i])) / LOAD_ONE;
	}
	if (steps)
		last = now;
	for (u32 i = 0; i < 3; i++)
		load[i] = (u32)averages[i];
}

/* A longer slice for the nicer: 10 ms at nice 0, 20 ms at -20, 1 ms at 19. */
static u64 thread_slice(const struct thread *t)
{
	s32 share = 20 - t->nice;

	return max(TIME_SLICE_NS / 20 * (u64)share, TIME_SLICE_NS / 10);
}

/*
 * What the thread ran since it got the CPU counts as user time; long kernel work is moved to system
 * time where it is done.
 */
static void account(struct runq *q, struct thread *t, u64 now)
{
	u64 ran = now - t->switch_stamp;

	t->switch_stamp = now;
	t->slice_ns += ran;
	if (t == q->idle)
		q->idle_ns += ran;
	else if (t->mm)
		t->user_ns += ran;
	else
		t->system_ns += ran;
}

/* --- switching --- */

static void save_user_state(struct runq *q, struct thread *t)
{
	t->fs_base = cpu_fs_base();
	t->gs_base = cpu_user_gs_base();
	fpu_save(t->fpu);
	t->fpu_cpu = cpu_number();
	q->fpu_owner = t;
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
 * dead.
 */
static void switch_finish(void)
{
	struct runq *q = this_runq();
	struct thread *dead = q->dead;

	q->dead = NULL;
	spin_unlock(&q->lock);
	if (unlikely(dead))
		thread_free(dead);
}

void thread_entered(void)
{
	switch_finish();
	timer_rearm();
}

static struct thread *pick_next(struct runq *q)
{
	struct thread *t = list_first(&q->ready, struct thread, run_link);

	if (!t)
		return q->idle;
	list_remove(&t->run_link);
	q->nready--;
	return t;
}

/*
 * Give the CPU to the next in line. q->lock is held; it is released before this returns, in the
 * same thread, later.
 */
static void switch_to_next(struct runq *q)
{
	struct thread *prev = q->current, *next = pick_next(q);
	u64 now = clock_monotonic();

	account(q, prev, now);
	next->slice_ns = 0;
	q->slice_end = q->nready ? now + thread_slice(next) : DEADLINE_NONE;
	if (next == prev) {
		spin_unlock(&q->lock);
		timer_rearm();
		return;
	}
	if (prev->mm && prev->state != THREAD_DEAD)
		save_user_state(q, prev);
	next->switch_stamp = now;
	q->current = next;
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

/* Current goes to the end of the queue. */
static void requeue_current(void)
{
	struct runq *q = this_runq();
	struct thread *t = thread_current();

	spin_lock(&q->lock);
	if (t != q->idle) {
		list_push_back(&q->ready, &t->run_link);
		q->nready++;
	}
	switch_to_next(q);
}

void thread_yield(void)
{
	struct thread *t = thread_current();

	atomic_and(&t->work, ~WORK_RESCHED);
	if (!this_runq()->nready)
		return;
	t->voluntary_switches++;
	requeue_current();
}

void thread_resched(void)
{
	struct thread *t = thread_current();

	atomic_and(&t->work, ~WORK_RESCHED);
	if (!this_runq()->nready)
		return;
	t->involuntary_switches++;
	requeue_current();
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

	spin_lock(&q->lock);
	t->state = THREAD_DEAD;
	q->dead = t;
	q->fpu_owner = NULL;
	switch_to_next(q);
	panic("a dead thread runs");
}

/* --- run queues --- */

/* Where t should run: where it ran last if that CPU is idle or no other one is. */
static u32 choose_cpu(const struct thread *t)
{
	u64 allowed = load_relaxed(&online) & t->affinity;
	u32 last = t->cpu;

	if (!allowed)
		return last;
	if (allowed & BIT(last) && runqs[last].current == runqs[last].idle)
		return last;
	for (u64 left = allowed; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		if (runqs[cpu].current == runqs[cpu].idle && !runqs[cpu].nready)
			return cpu;
	}
	return allowed & BIT(last) ? last : (u32)__builtin_ctzll(allowed);
}

/* t is runnable and in no queue. woken: it has slept, so that who runs now makes room soon. */
static void enqueue(struct thread *t, bool woken)
{
	u32 cpu = choose_cpu(t);
	struct runq *q = &runqs[cpu];
	struct thread *running;

	spin_lock(&q->lock);
	t->cpu = cpu;
	list_push_back(&q->ready, &t->run_link);
	q->nready++;
	running = q->current;
	if (running != q->idle) {
		u64 end =
			running->switch_stamp + (woken ? WAKEUP_GRANULE_NS : thread_slice(running));

		q->slice_end = min(q->slice_end, end);
	}
	spin_unlock(&q->lock);
	if (cpu != cpu_number())
		cpu_kick(cpu);
	else if (running != q->idle)
		timer_rearm();
}

void thread_make_runnable(struct thread *t)
{
	t->state = THREAD_RUNNABLE;
	t->cpu = cpu_number();
	enqueue(t, false);
}

void scheduler_tick(u64 now)
{
	struct runq *q = this_runq();
	struct thread *t = q->current;

	if (!t || t == q->idle)
		return;
	if (t->mm && t->process->cpu_limited)
		process_check_cpu_limits(t, now);
	spin_lock(&q->lock);
	if (now >= q->slice_end) {
		if (q->nready)
			atomic_or(&t->work, WORK_RESCHED);
		q->slice_end = t->mm && t->process->cpu_limited ? now + TIME_SLICE_NS
								: DEADLINE_NONE;
	}
	spin_unlock(&q->lock);
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
	struct runq *q;

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
	q = this_runq();
	spin_lock(&q->lock);
	if (t->state == THREAD_PARKING) {
		t->state = THREAD_PARKED;
		t->voluntary_switches++;
		switch_to_next(q);
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
	q = &runqs[t->cpu]; /* a parked thread's CPU does not change */
	spin_lock(&q->lock);
	parked = t->state == THREAD_PARKED;
	if (parked)
		t->state = THREAD_RUNNABLE;
	spin_unlock(&q->lock);
	if (parked)
		enqueue(t, true);
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

	for (;;) {
		spin_lock(&q->lock);
		if (q->nready) {
			switch_to_next(q);
		} else {
			spin_unlock(&q->lock);
			cpu_idle();
		}
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
	list_init(&q->ready);
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

/* --- figures --- */

u32 scheduler_runnable_count(void)
{
	u32 n = 0;

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (cpu_is_online(cpu))
			n += runqs[cpu].nready + (runqs[cpu].current != runqs[cpu].idle);
	}
	return n;
}

u64 scheduler_cpu_idle_ns(u32 cpu)
{
	struct runq *q = &runqs[cpu];

	if (!cpu_is_online(cpu))
		return 0;
	return q->idle_ns + (q->current == q->idle ? clock_monotonic() - q->idle->switch_stamp : 0);
}

u64 scheduler_idle_ns(void)
{
	u64 ns = 0;

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
		ns += scheduler_cpu_idle_ns(cpu);
	return ns;
}

u64 scheduler_switch_count(void)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
		n += runqs[cpu].switches;
	return n;
}
