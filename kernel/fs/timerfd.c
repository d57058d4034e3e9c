/*
 * timerfd.c - timers read from a file: how often one has expired. timerfd_create(2).
 *
 * How often is computed from the clock when somebody asks: `next` is the first expiry that nobody
 * has read yet. The kernel timer only wakes; for a periodic timer it is started again by the read
 * that takes the expiries, so that what nobody reads costs nothing.
 *
 * Those that wait for a time of the real-time clock are on a list, for when that is set.
 */
#include <asm-generic/fcntl.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/time.h>
#include <linux/timerfd.h>

#include "fs/eventfiles.h"
#include "fs/iter.h"
#include "fs/poll.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/proc.h"

struct timerfd {
	struct mutex lock;  /* RANK_PIPE: guards L */
	struct timer timer; /* L (started and cancelled) */
	u64 next;           /* L (read without): monotonic ns; 0: off, or the one expiry was read */
	u64 interval;       /* L */
	s32 clock;          /* C: CLOCK_* */
	u32 set_flags;      /* L: TFD_* that it was set with, for fdinfo */
	bool follows_clock; /* L: `next` moves when the real-time clock is set */
	bool cancelled;     /* L (read without): that has happened, and a read is to tell */
	struct list link;   /* followers_lock: in followers while it follows */
	struct waitq wait;
};

static struct mutex followers_lock = {
	.rank = RANK_WATCH,
	.wait = WAITQ_INIT(followers_lock.wait),
};
static struct list followers = LIST_INIT(followers);

static void timerfd_expired(struct timer *t)
{
	struct timerfd *fd = container_of(t, struct timerfd, timer);

	waitq_wake_key(&fd->wait, EPOLLIN | EPOLLRDNORM);
}

static bool has_expired(const struct timerfd *t)
{
	u64 next = load_relaxed(&t->next);

	return (next && clock_monotonic() >= next) || load_relaxed(&t->cancelled);
}

/* Start the timer for `next`, where there is one. Locked, the timer is not pending. */
static void arm(struct timerfd *t)
{
	if (t->next)
		timer_start(&t->timer, t->next);
}

/* Expiries up to now that nobody has read. Locked. */
static u64 expiries(const struct timerfd *t, u64 now)
{
	if (!t->next || now < t->next)
		return 0;
	return t->interval ? 1 + (now - t->next) / t->interval : 1;
}

/* Take the expiries up to now: how many, or -ECANCELED. */
static s64 take_expiries(struct timerfd *t)
{
	s64 count;
	u64 now;

	mutex_lock(&t->lock);
	now = clock_monotonic();
	count = (s64)expiries(t, now);
	if (t->cancelled) {
		count = -ECANCELED;
		store_relaxed(&t->cancelled, false);
	} else if (count) {
		store_relaxed(&t->next, t->interval ? t->next + (u64)count * t->interval : 0);
		timer_cancel(&t->timer);
		arm(t);
	}
	mutex_unlock(&t->lock);
	return count;
}

static ssize timerfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct timerfd *t = f->data;
	s64 count;

	if (it->left < sizeof(count))
		return -EINVAL;
	while (!(count = take_expiries(t))) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wait, has_expired(t));
		if (err)
			return err;
	}
	if (count < 0)
		return count;
	return iter_copy_to(it, &count, sizeof(count)) == sizeof(count) ? (ssize)sizeof(count)
									: -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->data;

	poll_wait(pt, f, &t->wait);
	return has_expired(t) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->data;

	mutex_lock(&followers_lock);
	list_remove(&t->link);
	mutex_unlock(&followers_lock);
	timer_cancel(&t->timer);
	kfree(t);
}

static void setting_now(const struct timerfd *t, struct timerfd_setting *out)
{
	u64 now = clock_monotonic();

	out->interval = t->interval;
	out->next = 0;
	if (!t->next)
		return;
	if (now < t->next)
		out->next = t->next - now;
	else if (t->interval)
		out->next = t->interval - (now - t->next) % t->interval;
}

static void timerfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct timerfd *t = f->data;
	struct timerfd_setting s;
	u64 ticks;

	mutex_lock(&t->lock);
	setting_now(t, &s);
	ticks = expiries(t, clock_monotonic());
	mutex_unlock(&t->lock);
	format(buf, size,
	       "clockid: %d\nticks: %lu\nsettime flags: 0%o\nit_value: (%lu, %lu)\n"
	       "it_interval: (%lu, %lu)\n",
	       t->clock, ticks, t->set_flags, (u64)(s.next / NS_PER_SEC),
	       (u64)(s.next % NS_PER_SEC), (u64)(s.interval / NS_PER_SEC),
	       (u64)(s.interval % NS_PER_SEC));
}

static const struct file_ops timerfd_file_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.seek = file_seek_nowhere,
	.release = timerfd_release,
	.fdinfo = timerfd_fdinfo,
};

/* --- setting --- */

static bool is_realtime(const struct timerfd *t)
{
	return t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM;
}

/* Monotonic time at which the timer's own clock shows `at`, at least 1. */
static u64 to_monotonic(const struct timerfd *t, u64 at)
{
	u64 ahead;

	if (!is_realtime(t))
		return max(at, 1ul);
	ahead = clock_realtime() - clock_monotonic();
	return at > ahead ? at - ahead : 1;
}

static u64 next_of(const struct timerfd *t, const struct timerfd_setting *new, u32 flags)
{
	u64 now = clock_monotonic();

	if (!new->next)
		return 0;
	if (flags & TFD_TIMER_ABSTIME)
		return to_monotonic(t, new->next);
	return new->next < UINT64_MAX - now ? now + new->next : UINT64_MAX;
}

/* Locked, and followers_lock. */
static int set_locked(struct timerfd *t, const struct timerfd_setting *new, u32 flags)
{
	bool cancelled = t->cancelled;

	timer_cancel(&t->timer);
	t->interval = new->interval;
	t->set_flags = flags;
	t->follows_clock = is_realtime(t) && flags & TFD_TIMER_ABSTIME;
	store_relaxed(&t->cancelled, false);
	list_remove(&t->link);
	if (t->follows_clock)
		list_push_back(&followers, &t->link);
	store_relaxed(&t->next, next_of(t, new, flags));
	arm(t);
	/* It is set all the same (timerfd_create(2)). */
	return cancelled && t->follows_clock && flags & TFD_TIMER_CANCEL_ON_SET ? -ECANCELED : 0;
}

static int clock_permitted(s32 clock)
{
	bool alarm = clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM;

	return alarm && !cred_capable(cred_current(), CAP_WAKE_ALARM) ? -EPERM : 0;
}

int timerfd_set(struct file *f, const struct timerfd_setting *new, u32 flags,
		struct timerfd_setting *old)
{
	struct timerfd *t = f->data;
	int err;

	if (f->ops != &timerfd_file_ops)
		return -EINVAL;
	err = clock_permitted(t->clock);
	if (err)
		return err;
	mutex_lock(&followers_lock);
	mutex_lock(&t->lock);
	setting_now(t, old);
	err = set_locked(t, new, flags);
	mutex_unlock(&t->lock);
	mutex_unlock(&followers_lock);
	return err;
}

/* The clock was set: the expiry moves; who asked for it is told. Its list is locked. */
static void follow(struct timerfd *t, s64 ahead)
{
	mutex_lock(&t->lock);
	if (t->next) {
		timer_cancel(&t->timer);
		store_relaxed(&t->next, (u64)max((s64)t->next - ahead, 1l));
		arm(t);
	}
	if (t->set_flags & TFD_TIMER_CANCEL_ON_SET)
		store_relaxed(&t->cancelled, true);
	mutex_unlock(&t->lock);
	if (t->set_flags & TFD_TIMER_CANCEL_ON_SET)
		waitq_wake_key(&t->wait, EPOLLIN | EPOLLRDNORM);
}

void timerfds_clock_set(s64 ahead)
{
	struct timerfd *t;

	mutex_lock(&followers_lock);
	list_for_each (t, &followers, link)
		follow(t, ahead);
	mutex_unlock(&followers_lock);
}

int timerfd_get(struct file *f, struct timerfd_setting *out)
{
	struct timerfd *t = f->data;

	if (f->ops != &timerfd_file_ops)
		return -EINVAL;
	mutex_lock(&t->lock);
	setting_now(t, out);
	mutex_unlock(&t->lock);
	return 0;
}

struct file *timerfd_create(s32 clock, u32 flags)
{
	struct timerfd *t;
	struct file *f;
	int err = clock_permitted(clock);

	if (err)
		return ERR_PTR(err);
	t = kzalloc(sizeof(*t));
	if (!t)
		return ERR_PTR(-ENOMEM);
	mutex_init(&t->lock, RANK_PIPE);
	timer_init(&t->timer, timerfd_expired);
	waitq_init(&t->wait);
	list_init(&t->link);
	t->clock = clock;
	f = file_new_anonymous("anon_inode:[timerfd]", &timerfd_file_ops, t, O_RDWR | flags, 0600);
	if (IS_ERR(f))
		kfree(t);
	return f;
}
