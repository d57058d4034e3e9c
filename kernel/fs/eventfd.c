/*
 * eventfd.c - a counter that is a file: writes add, reads take all of it, or one (semaphore); each
 * waits where it cannot. eventfd(2).
 */
#include <asm-generic/fcntl.h>
#include <linux/eventpoll.h>

#include "fs/eventfiles.h"
#include "fs/iter.h"
#include "fs/poll.h"
#include "lib/print.h"
#include "mm/slab.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock; /* RANK_FS: guards count */
	u64 count;
	bool semaphore; /* C */
	struct waitq wait;
};

/* Take what a read takes: false: there is nothing. */
static bool count_take(struct eventfd *e, u64 *value)
{
	spin_lock(&e->lock);
	*value = e->semaphore ? e->count != 0 : e->count;
	e->count -= *value;
	spin_unlock(&e->lock);
	return *value != 0;
}

static bool count_add(struct eventfd *e, u64 value)
{
	bool fits;

	spin_lock(&e->lock);
	fits = value <= COUNT_MAX - e->count;
	if (fits)
		e->count += value;
	spin_unlock(&e->lock);
	return fits;
}

static ssize eventfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct eventfd *e = f->data;
	u64 value;

	if (it->left < sizeof(value))
		return -EINVAL;
	while (!count_take(e, &value)) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait, load_relaxed(&e->count));
		if (err)
			return err;
	}
	waitq_wake_key(&e->wait, EPOLLOUT | EPOLLWRNORM);
	return iter_copy_to(it, &value, sizeof(value)) == sizeof(value) ? (ssize)sizeof(value)
									: -EFAULT;
}

static ssize eventfd_write(struct file *f, struct iter *it, u64 *pos)
{
	struct eventfd *e = f->data;
	u64 value;

	if (it->left != sizeof(value))
		return -EINVAL;
	if (iter_copy_from(it, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	while (!count_add(e, value)) {
		int err;

		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&e->wait,
					       value <= COUNT_MAX - load_relaxed(&e->count));
		if (err)
			return err;
	}
	if (value)
		waitq_wake_key(&e->wait, EPOLLIN | EPOLLRDNORM);
	return sizeof(value);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->data;
	u64 count;

	poll_wait(pt, f, &e->wait);
	count = load_relaxed(&e->count);
	return (count ? EPOLLIN | EPOLLRDNORM : 0) |
	       (count < COUNT_MAX ? EPOLLOUT | EPOLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->data);
}

static void eventfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct eventfd *e = f->data;

	format(buf, size, "eventfd-count: %16lx\n", load_relaxed(&e->count));
}

static const struct file_ops eventfd_file_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.seek = file_seek_nowhere,
	.release = eventfd_release,
	.fdinfo = eventfd_fdinfo,
};

struct file *eventfd_create(u32 count, bool semaphore, u32 flags)
{
	struct eventfd *e = kzalloc(sizeof(*e));
	struct file *f;

	if (!e)
		return ERR_PTR(-ENOMEM);
	spin_init(&e->lock, RANK_FS);
	waitq_init(&e->wait);
	e->count = count;
	e->semaphore = semaphore;
	f = file_new_anonymous("anon_inode:[eventfd]", &eventfd_file_ops, e, O_RDWR | flags, 0600);
	if (IS_ERR(f))
		kfree(e);
	return f;
}
