/*
 * timerfd.c - timers read from a file: how often one has expired. timerfd_create(2).
 *
 * How often is computed from the clock when somebody asks: `next` is the first expiry that nobody
 * has read yet. The kernel timer only wakes; for a periodic timer it is started again by the read
 * that takes the expiries, so that what nobody reads costs nothing.
 */
#include <asm-generic/fcntl.h>
#include <linux/eventpoll.h>

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
	bool realtime;      /* C: absolute times are of that clock */
	struct waitq wait;
};

static void timerfd_expired(struct timer *t)
{
	struct timerfd *fd = container_of(t, struct timerfd, timer);

	waitq_wake_key(&fd->wait, EPOLLIN | EPOLLRDNORM);
}

static bool has_expired(const struct timerfd *t)
{
	u64 next = load_relaxed(&t->next);

	return next && clock_monotonic() >= next;
}

/* Start the timer for `next`, where there is one. Locked, the timer is not pending. */
static void arm(struct timerfd *t)
{
	if (t->next)
		timer_start(&t->timer, t->next);
}

/* Take the expiries up to now: how many. */
static u64 take_expiries(struct timerfd *t)
{
	u64 now, count = 0;

	mutex_lock(&t->lock);
	now = clock_monotonic();
	if (t->next && now >= t->next) {
		count = 1;
		if (t->interval) {
			count += (now - t->next) / t->interval;
			store_relaxed(&t->next, t->next + count * t->interval);
		} else {
			store_relaxed(&t->next, 0);
		}
		timer_cancel(&t->timer);
		arm(t);
	}
	mutex_unlock(&t->lock);
	return count;
}

static ssize timerfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct timerfd *t = f->data;
	u64 count;

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

	mutex_lock(&t->lock);
	setting_now(t, &s);
	mutex_unlock(&t->lock);
	format(buf, size,
	       "clockid: %d\nticks: %d\nsettime flags: 00\nit_value: (%llu, %llu)\n"
	       "it_interval: (%llu, %llu)\n",
	       t->realtime ? 0 : 1, has_expired(t), s.next / NS_PER_SEC, s.next % NS_PER_SEC,
	       s.interval / NS_PER_SEC, s.interval % NS_PER_SEC);
}

static const struct file_ops timerfd_file_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.fdinfo = timerfd_fdinfo,
};

/* Monotonic time at which the timer's own clock shows `at`, at least 1. */
static u64 to_monotonic(const struct timerfd *t, u64 at)
{
	u64 ahead;

	if (!t->realtime)
		return max(at, 1ul);
	ahead = clock_realtime() - clock_monotonic();
	return at > ahead ? at - ahead : 1;
}

int timerfd_set(struct file *f, const struct timerfd_setting *new, bool absolute,
		struct timerfd_setting *old)
{
	struct timerfd *t = f->data;
	u64 now = clock_monotonic(), next = 0;

	if (f->ops != &timerfd_file_ops)
		return -EINVAL;
	if (new->next && absolute)
		next = to_monotonic(t, new->next);
	else if (new->next)
		next = new->next < UINT64_MAX - now ? now + new->next : UINT64_MAX;
	mutex_lock(&t->lock);
	if (old)
		setting_now(t, old);
	timer_cancel(&t->timer);
	t->interval = new->interval;
	store_relaxed(&t->next, next);
	arm(t);
	mutex_unlock(&t->lock);
	return 0;
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

struct file *timerfd_create(bool realtime, u32 flags)
{
	struct timerfd *t = kzalloc(sizeof(*t));
	struct file *f;

	if (!t)
		return ERR_PTR(-ENOMEM);
	mutex_init(&t->lock, RANK_PIPE);
	timer_init(&t->timer, timerfd_expired);
	waitq_init(&t->wait);
	t->realtime = realtime;
	f = file_new_anonymous("anon_inode:[timerfd]", &timerfd_file_ops, t, O_RDWR | flags, 0600);
	if (IS_ERR(f))
		kfree(t);
	return f;
}
