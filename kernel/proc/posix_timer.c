/*
 * posix_timer.c - timers of timer_create(2): by real, monotonic or processor time, with a signal or
 * without.
 *
 * A timer has one signal of its own, charged for when it is made. Central rule: from the expiry
 * that sends it until the signal is taken the timer stands still; then it goes on from where it
 * should be by now, and what was passed is the overrun that the signal tells. So the shortest
 * interval costs no more than the program that takes its signals. While the process ignores the
 * signal a periodic timer stands still, too.
 *
 * Real and monotonic time: a kernel timer. Processor time of this process: the scheduler's tick
 * looks (itimer.c). That of another process: a kernel timer that looks now and then.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/resource.h>
#include <linux/time.h>

#include "mm/slab.h"
#include "proc/process_priv.h"
#include "proc/sched_priv.h"

#define LOOK_MIN_NS 10000000ull /* how often another process's time is looked at, at most */

struct posix_timer {
	struct list link;         /* S: in process->posix_timers */
	struct process *process;  /* C: not counted: it takes its timers with it */
	s32 id;                   /* C */
	s32 clock;                /* C */
	struct timer_event event; /* C */
	struct process
		*measured; /* C: counted: whose processor time; NULL: a clock of the system */
	u32 measured_tid;  /* C: of one thread; 0: of the whole process */
	struct signal_pending mine; /* S */
	struct signal_queue *queue; /* S: where its signal waits, or NULL */
	bool unheard;               /* S: has expired, but the process ignores the signal */
	bool follows_clock;         /* S: `next` moves when the real-time clock is set */
	struct timer timer;
	u64 next;         /* S: the next expiry, or the one whose signal waits; 0: disarmed */
	u64 interval;     /* S */
	s64 overrun;      /* S: expiries since the last signal was taken, less the one it tells */
	s32 last_overrun; /* S: of the signal that was taken last */
};

static struct posix_timer *find(struct process *p, s32 id)
{
	struct posix_timer *t;

	list_for_each (t, &p->posix_timers, link) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

/* --- what a timer goes by --- */

static bool is_foreign(const struct posix_timer *t)
{
	return t->measured && t->measured != t->process;
}

/* Of the process whose S is held. */
static u64 cpu_time(struct process *p, u32 tid)
{
	struct thread *thread = tid ? process_thread(p, tid) : NULL;
	u64 now = clock_monotonic();

	if (tid)
		return thread ? thread_runtime(thread, now) : 0;
	return process_runtime(p, now);
}

/* What t counts in; another process's time was asked before S was taken. */
static u64 time_of(struct posix_timer *t, u64 foreign)
{
	if (!t->measured)
		return clock_monotonic();
	return is_foreign(t) ? foreign : cpu_time(t->process, t->measured_tid);
}

/* The processor time of the process that the timer measures, if that is another one. */
static u64 foreign_time(struct process *p, s32 id)
{
	struct process *other = NULL;
	struct posix_timer *t;
	u64 ns;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (t && is_foreign(t)) {
		other = t->measured;
		process_get(other);
	}
	spin_unlock(&p->signal_lock);
	if (!other)
		return 0;
	spin_lock(&other->signal_lock);
	ns = cpu_time(other, 0);
	spin_unlock(&other->signal_lock);
	process_put(other);
	return ns;
}

/* --- running: S held --- */

/* Does it wait for its next expiry? */
static bool is_running(const struct posix_timer *t)
{
	return t->next && t->event.notify != SIGEV_NONE && !t->queue && !t->unheard;
}

/* Its signal for the expiry that was. */
static void notify(struct posix_timer *t)
{
	struct thread *target = NULL;

	if (t->event.notify & SIGEV_THREAD_ID) {
		target = process_thread(t->process, t->event.tid);
		if (!target)
			return;
	}
	t->mine.info = (struct signal_info){ .signal = t->event.sig, .code = SI_TIMER };
	t->mine.info.timer.id = t->id;
	t->mine.info.timer.value = t->event.value;
	t->unheard = !signal_send_own(t->process, target, &t->mine, &t->queue) && t->interval;
}

static void expire(struct posix_timer *t)
{
	if (!t->interval)
		t->next = 0;
	notify(t);
}

static void look_again(struct posix_timer *t, u64 now)
{
	u64 left = t->next > now ? t->next - now : 0;

	timer_start(&t->timer, clock_monotonic() + max(left / scheduler_cpu_count(), LOOK_MIN_NS));
}

/* now: on its clock. The kernel timer is not pending. */
static void run(struct posix_timer *t, u64 now)
{
	if (!is_running(t))
		return;
	if (!t->measured)
		timer_start(&t->timer, t->next);
	else if (is_foreign(t))
		look_again(t, now);
	else if (now >= t->next)
		expire(t);
	else
		process_want_tick(t->process);
}

static void stop(struct posix_timer *t)
{
	timer_cancel_nowait(&t->timer);
	t->next = 0;
	t->unheard = false;
	if (t->queue)
		signal_queue_remove(t->queue, &t->mine);
	t->queue = NULL;
}

/* A periodic timer's next expiry is moved beyond now; what was passed is counted. */
static void forward(struct posix_timer *t, u64 now)
{
	u64 passed;

	if (!t->interval || now < t->next)
		return;
	passed = (now - t->next) / t->interval + 1;
	t->next += passed * t->interval;
	t->overrun += (s64)passed;
}

static void expired(struct timer *timer)
{
	struct posix_timer *t = container_of(timer, struct posix_timer, timer);
	struct process *p = t->process;
	u64 now = clock_monotonic();

	if (is_foreign(t)) {
		spin_lock(&t->measured->signal_lock);
		now = cpu_time(t->measured, 0);
		spin_unlock(&t->measured->signal_lock);
	}
	spin_lock(&p->signal_lock);
	/* Else it was set anew while this interrupt came. */
	if (is_running(t) && t->next <= now)
		expire(t);
	else if (is_running(t) && is_foreign(t))
		look_again(t, now);
	spin_unlock(&p->signal_lock);
}

void posix_timer_taken(struct posix_timer *t, struct signal_info *info, bool deliver)
{
	u64 now;

	t->queue = NULL;
	if (!deliver) {
		t->unheard = t->interval && t->next;
		return;
	}
	t->last_overrun = 0;
	if (t->interval && t->next) {
		now = time_of(t, t->next);
		forward(t, now);
		t->last_overrun = (s32)min(max(t->overrun, 0l), (s64)INT32_MAX);
		t->overrun = -1;
		run(t, now);
	}
	info->timer.overrun = t->last_overrun;
}

void posix_timers_unignored(struct process *p, int sig)
{
	struct posix_timer *t;

	list_for_each (t, &p->posix_timers, link) {
		if (t->unheard && t->event.sig == sig)
			notify(t);
	}
}

static bool runs_on_cpu_time(const struct posix_timer *t)
{
	return t->measured && !is_foreign(t) && is_running(t);
}

bool posix_timers_count_cpu(const struct process *p)
{
	struct posix_timer *t;

	list_for_each (t, &p->posix_timers, link) {
		if (runs_on_cpu_time(t))
			return true;
	}
	return false;
}

void posix_timers_check_cpu(struct process *p, u64 now)
{
	struct posix_timer *t;

	list_for_each (t, &p->posix_timers, link) {
		if (runs_on_cpu_time(t) && cpu_time(p, t->measured_tid) >= t->next)
			expire(t);
	}
}

void posix_timers_clock_set(struct process *p, s64 ahead)
{
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	list_for_each (t, &p->posix_timers, link) {
		if (!t->next || !t->follows_clock)
			continue;
		timer_cancel_nowait(&t->timer);
		t->next = (u64)max((s64)t->next - ahead, 1l);
		run(t, clock_monotonic());
	}
	spin_unlock(&p->signal_lock);
}

/* --- making --- */

/* -EINVAL: no such clock; -EOPNOTSUPP: one that has no timers. */
static int clock_check(struct posix_timer *t, s32 clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM: /* there is no clock that could wake the machine */
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	}
	return clock_measures(clock, &t->measured, &t->measured_tid);
}

static int event_check(const struct timer_event *e)
{
	switch (e->notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
	case SIGEV_THREAD_ID:
		return e->sig < 1 || e->sig > SIGNAL_COUNT ? -EINVAL : 0;
	}
	return -EINVAL;
}

static void timer_free(struct posix_timer *t)
{
	if (t->mine.charged)
		uid_count_uncharge_signal(t->mine.charged);
	if (t->measured)
		process_put(t->measured);
	kfree(t);
}

/* Into its process, with a number and the room for its signal: 0, -EAGAIN, -EINVAL. */
static int timer_enter(struct posix_timer *t, const struct timer_event *e)
{
	struct process *p = t->process;

	if (e && e->notify == SIGEV_THREAD_ID && !process_thread(p, e->tid))
		return -EINVAL;
	if (!uid_count_charge_signal(p->uid_count, p->rlimit_soft[RLIMIT_SIGPENDING]))
		return -EAGAIN;
	t->mine.charged = p->uid_count;
	t->mine.timer = t;
	t->id = (s32)p->next_timer_id++;
	t->event = e ? *e
		     : (struct timer_event){ .notify = SIGEV_SIGNAL,
					     .sig = SIGALRM,
					     .value = (u64)t->id };
	list_push_back(&p->posix_timers, &t->link);
	return 0;
}

int posix_timer_create(s32 clock, const struct timer_event *e)
{
	struct process *p = process_current();
	struct posix_timer *t = kzalloc(sizeof(*t));
	int err;

	if (!t)
		return -EAGAIN;
	t->process = p;
	t->clock = clock;
	timer_init(&t->timer, expired);
	err = clock_check(t, clock);
	if (!err && e)
		err = event_check(e);
	if (!err) {
		spin_lock(&p->signal_lock);
		err = timer_enter(t, e);
		spin_unlock(&p->signal_lock);
	}
	if (err) {
		timer_free(t);
		return err;
	}
	return t->id;
}

/* --- setting and asking --- */

/* Without a signal nothing happens at the expiry: it is looked for when somebody asks. */
static void value_get(struct posix_timer *t, u64 now, struct itimer_value *out)
{
	bool silent = t->event.notify == SIGEV_NONE;

	if (!is_running(t))
		forward(t, now);
	out->interval_ns = t->interval;
	out->value_ns = t->next > now ? t->next - now : t->next && !silent;
}

/* The time of a setting, on what the timer counts in. */
static u64 deadline_of(const struct posix_timer *t, bool absolute, u64 value, u64 now)
{
	u64 ahead;

	if (!value)
		return 0;
	if (!absolute)
		return value > UINT64_MAX - now ? UINT64_MAX : now + value;
	if (!t->follows_clock)
		return value;
	ahead = clock_realtime() - clock_monotonic();
	return value > ahead ? value - ahead : 1;
}

int posix_timer_settime(s32 id, bool absolute, const struct itimer_value *v,
			struct itimer_value *old)
{
	struct process *p = process_current();
	u64 foreign = foreign_time(p, id), now;
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (t) {
		now = time_of(t, foreign);
		value_get(t, now, old);
		stop(t);
		t->interval = v->value_ns ? v->interval_ns : 0;
		t->overrun = -1;
		t->last_overrun = 0;
		t->follows_clock = absolute &&
				   (t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI);
		t->next = deadline_of(t, absolute, v->value_ns, now);
		run(t, now);
	}
	spin_unlock(&p->signal_lock);
	return t ? 0 : -EINVAL;
}

int posix_timer_gettime(s32 id, struct itimer_value *out)
{
	struct process *p = process_current();
	u64 foreign = foreign_time(p, id);
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (t)
		value_get(t, time_of(t, foreign), out);
	spin_unlock(&p->signal_lock);
	return t ? 0 : -EINVAL;
}

int posix_timer_getoverrun(s32 id)
{
	struct process *p = process_current();
	struct posix_timer *t;
	int overrun;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	overrun = t ? t->last_overrun : -EINVAL;
	spin_unlock(&p->signal_lock);
	return overrun;
}

/* --- ends --- */

/* Out of its process. S held. */
static void timer_leave(struct posix_timer *t)
{
	stop(t);
	list_remove(&t->link);
}

/* Nobody finds it any more; its function may still run. */
static void timer_end(struct posix_timer *t)
{
	timer_cancel(&t->timer);
	timer_free(t);
}

int posix_timer_delete(s32 id)
{
	struct process *p = process_current();
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (t)
		timer_leave(t);
	spin_unlock(&p->signal_lock);
	if (!t)
		return -EINVAL;
	timer_end(t);
	return 0;
}

void posix_timers_exit(struct process *p)
{
	for (;;) {
		struct posix_timer *t;

		spin_lock(&p->signal_lock);
		t = list_first(&p->posix_timers, struct posix_timer, link);
		if (t)
			timer_leave(t);
		spin_unlock(&p->signal_lock);
		if (!t)
			return;
		timer_end(t);
	}
}
