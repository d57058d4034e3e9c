/*
 * posix_timer.c - timers of timer_create(2): by real or monotonic time, with a signal or without.
 *
 * At most one signal of a timer is queued; expirations meanwhile are counted, and reported as the
 * overrun of the signal when it is delivered.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/time.h>

#include "mm/slab.h"
#include "proc/process_priv.h"

#define OVERRUN_MAX INT32_MAX

struct posix_timer {
	struct list link;         /* S: in process->posix_timers */
	struct process *process;  /* C: not counted: it takes its timers with it */
	s32 id;                   /* C */
	s32 clock;                /* C */
	struct timer_event event; /* C */
	struct timer timer;
	u64 next;         /* S: monotonic ns, 0: disarmed */
	u64 interval;     /* S */
	u64 overrun;      /* S: since the signal was queued */
	s32 last_overrun; /* S: of the signal delivered last */
	bool queued;      /* S */
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

/* Its signal, or one more overrun. S held. */
static void notify(struct posix_timer *t, u64 expirations)
{
	struct signal_info info = { .signal = t->event.sig, .code = SI_TIMER };
	struct thread *target = NULL;

	if (t->event.notify == SIGEV_NONE)
		return;
	if (t->queued) {
		t->overrun += expirations;
		return;
	}
	t->overrun = expirations - 1;
	if (t->event.notify & SIGEV_THREAD_ID) {
		target = process_thread(t->process, t->event.tid);
		if (!target)
			return;
	}
	info.timer.id = t->id;
	info.timer.value = t->event.value;
	t->queued = true;
	if (signal_send_locked(t->process, target, &info))
		t->queued = false;
}

static void expired(struct timer *timer)
{
	struct posix_timer *t = container_of(timer, struct posix_timer, timer);
	struct process *p = t->process;
	u64 now = clock_monotonic(), expirations = 1;

	spin_lock(&p->signal_lock);
	if (t->next && t->next <= now) { /* else it was set anew while this interrupt came */
		if (t->interval) {
			expirations = (now - t->next) / t->interval + 1;
			t->next += expirations * t->interval;
			timer_start(timer, t->next);
		} else {
			t->next = 0;
		}
		notify(t, expirations);
	}
	spin_unlock(&p->signal_lock);
}

void posix_timer_delivered(struct process *p, struct signal_info *info)
{
	struct posix_timer *t = find(p, info->timer.id);

	if (!t || !t->queued)
		return;
	t->queued = false;
	t->last_overrun = (s32)min(t->overrun, (u64)OVERRUN_MAX);
	t->overrun = 0;
	info->timer.overrun = t->last_overrun;
}

static bool clock_ok(s32 clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return true;
	}
	return false;
}

static int event_check(const struct timer_event *e)
{
	if (e->notify == SIGEV_NONE)
		return 0;
	if (e->sig < 1 || e->sig > SIGNAL_COUNT)
		return -EINVAL;
	return e->notify == SIGEV_SIGNAL || e->notify == SIGEV_THREAD ||
			       e->notify == SIGEV_THREAD_ID
		       ? 0
		       : -EINVAL;
}

int posix_timer_create(s32 clock, const struct timer_event *e)
{
	struct process *p = process_current();
	struct posix_timer *t;
	int err = e ? event_check(e) : 0;

	if (err || !clock_ok(clock))
		return -EINVAL;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -EAGAIN;
	t->process = p;
	t->clock = clock;
	timer_init(&t->timer, expired);
	spin_lock(&p->signal_lock);
	if (e && e->notify == SIGEV_THREAD_ID && !process_thread(p, e->tid)) {
		spin_unlock(&p->signal_lock);
		kfree(t);
		return -EINVAL;
	}
	t->id = (s32)p->next_timer_id++;
	t->event = e ? *e
		     : (struct timer_event){ .notify = SIGEV_SIGNAL,
					     .sig = SIGALRM,
					     .value = (u64)t->id };
	list_push_back(&p->posix_timers, &t->link);
	spin_unlock(&p->signal_lock);
	return t->id;
}

static void value_get(const struct posix_timer *t, struct itimer_value *out)
{
	u64 now = clock_monotonic();

	out->interval_ns = t->interval;
	out->value_ns = !t->next ? 0 : t->next > now ? t->next - now : 1;
}

/* The monotonic time of a setting. */
static u64 deadline_of(const struct posix_timer *t, bool absolute, u64 value)
{
	bool real = t->clock == CLOCK_REALTIME || t->clock == CLOCK_TAI ||
		    t->clock == CLOCK_REALTIME_ALARM;
	u64 now = clock_monotonic(), then;

	if (!value)
		return 0;
	if (!absolute)
		return now + value;
	then = real ? value - (clock_realtime() - now) : value;
	return real && value < clock_realtime() ? now : max(then, 1ull);
}

int posix_timer_settime(s32 id, bool absolute, const struct itimer_value *v,
			struct itimer_value *old)
{
	struct process *p = process_current();
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (!t) {
		spin_unlock(&p->signal_lock);
		return -EINVAL;
	}
	if (old)
		value_get(t, old);
	timer_cancel_nowait(&t->timer);
	t->interval = v->value_ns ? v->interval_ns : 0;
	t->overrun = 0;
	t->next = deadline_of(t, absolute, v->value_ns);
	if (t->next)
		timer_start(&t->timer, t->next);
	spin_unlock(&p->signal_lock);
	return 0;
}

int posix_timer_gettime(s32 id, struct itimer_value *out)
{
	struct process *p = process_current();
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (t)
		value_get(t, out);
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

int posix_timer_delete(s32 id)
{
	struct process *p = process_current();
	struct posix_timer *t;

	spin_lock(&p->signal_lock);
	t = find(p, id);
	if (t) {
		t->next = 0;
		list_remove(&t->link);
	}
	spin_unlock(&p->signal_lock);
	if (!t)
		return -EINVAL;
	timer_cancel(&t->timer);
	kfree(t);
	return 0;
}

void posix_timers_exit(struct process *p)
{
	for (;;) {
		struct posix_timer *t;

		spin_lock(&p->signal_lock);
		t = list_first(&p->posix_timers, struct posix_timer, link);
		if (t) {
			t->next = 0;
			list_remove(&t->link);
		}
		spin_unlock(&p->signal_lock);
		if (!t)
			return;
		timer_cancel(&t->timer);
		kfree(t);
	}
}
