/*
 * epoll.c - epoll sets.
 *
 * An item is a file under a descriptor's number; it has a waiter on each queue that the file names
 * and stays there. A wake-up puts the item on the ready list, no more: whether the file is ready is
 * asked when events are collected, which takes items off the list one by one, asks, reports, and
 * puts level-triggered ones back at the end. So a wake-up after the asking finds the item off the
 * list and puts it on again: none is lost.
 *
 * Locks: watch_lock guards which file is in which set (also the shape of nested sets), `lock` of a
 * set its items, the spinlock `ready_lock` its ready list; it is taken by wake functions, so it has
 * the rank of a wait queue. A set holds no references on its files: who releases a file takes it
 * out first.
 */
#include <asm-generic/fcntl.h>
#include <linux/stat.h>

#include "fs/poll.h"
#include "fs/vfs.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define ITEM_HOOKS 3     /* queues that a file names, at most */
#define NESTING_MAX 4u   /* sets in sets */
#define FIRST_BUCKETS 8u /* power of 2 */
/* What is not an event but a mode. */
#define EVENT_MODES (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)
#define EXCLUSIVE_ALLOWED \
	(EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct epoll {
	struct file *file;           /* C: whose data this is */
	struct mutex lock;           /* RANK_EPOLL: guards L */
	struct epoll_item **buckets; /* L: by fd */
	u32 nbuckets, count;         /* L */
	struct spinlock ready_lock;  /* RANK_WAITQ: guards R */
	struct list ready;           /* R: items that may have events */
	u32 ready_count;             /* R */
	struct waitq wait;           /* who collects: one is woken at a time */
	struct waitq poll_wait;      /* who watches this set */
};

struct epoll_hook {
	struct waiter waiter;
	struct waitq *q;
	struct epoll_item *item;
};

struct epoll_item {
	struct epoll_item *bucket_next; /* L */
	struct epoll_item *file_next;   /* watch_lock: in file->watchers */
	struct list ready_link;         /* R: empty: not on the list */
	struct epoll *ep;               /* C */
	struct file *file;              /* C */
	int fd;                         /* C */
	u32 events;                     /* L; read by wake functions */
	u64 data;                       /* L */
	struct poll_table table;        /* while it is added */
	u32 nhooks;                     /* C */
	struct epoll_hook hooks[ITEM_HOOKS];
};

static const struct file_ops epoll_file_ops;
static struct mutex watch_lock = {
	.rank = RANK_WATCH,
	.wait = WAITQ_INIT(watch_lock.wait),
};

bool file_is_epoll(const struct file *f)
{
	return f->ops == &epoll_file_ops;
}

/* --- the ready list --- */

/* True if it was not on the list. */
static bool ready_push(struct epoll_item *i)
{
	struct epoll *ep = i->ep;
	bool pushed;

	spin_lock(&ep->ready_lock);
	pushed = list_empty(&i->ready_link);
	if (pushed) {
		list_push_back(&ep->ready, &i->ready_link);
		ep->ready_count++;
	}
	spin_unlock(&ep->ready_lock);
	return pushed;
}

static void ready_remove_locked(struct epoll_item *i)
{
	if (list_empty(&i->ready_link))
		return;
	list_remove(&i->ready_link);
	i->ep->ready_count--;
}

static struct epoll_item *ready_pop(struct epoll *ep)
{
	struct epoll_item *i;

	spin_lock(&ep->ready_lock);
	i = list_first(&ep->ready, struct epoll_item, ready_link);
	if (i)
		ready_remove_locked(i);
	spin_unlock(&ep->ready_lock);
	return i;
}

static bool has_ready(struct epoll *ep)
{
	return load_relaxed(&ep->ready_count) != 0;
}

static void tell_watchers(struct epoll *ep)
{
	waitq_wake_one(&ep->wait);
	waitq_wake_key(&ep->poll_wait, EPOLLIN | EPOLLRDNORM);
}

static bool hook_wake(struct waiter *w, u64 key)
{
	struct epoll_item *i = container_of(w, struct epoll_hook, waiter)->item;
	u32 events = load_relaxed(&i->events);
	bool waiting;

	if (!(events & ~EVENT_MODES) || !(key & events & ~EVENT_MODES))
		return false;
	waiting = !list_empty(&i->ep->wait.waiters) || !list_empty(&i->ep->poll_wait.waiters);
	ready_push(i);
	tell_watchers(i->ep);
	return waiting;
}

/* --- items --- */

static struct epoll_item **bucket_of(struct epoll *ep, int fd)
{
	return &ep->buckets[(u32)fd & (ep->nbuckets - 1)];
}

/* Where the item is linked in its bucket; *result is NULL if there is none. */
static struct epoll_item **item_find(struct epoll *ep, const struct file *f, int fd)
{
	struct epoll_item **at = bucket_of(ep, fd);

	while (*at && ((*at)->file != f || (*at)->fd != fd))
		at = &(*at)->bucket_next;
	return at;
}

/* Room for one more item: doubles the buckets if it can. */
static void buckets_grow(struct epoll *ep)
{
	u32 old = ep->nbuckets;
	struct epoll_item **buckets, **before = ep->buckets;

	if (ep->count < old)
		return;
	buckets = kzalloc(2 * old * sizeof(struct epoll_item *));
	if (!buckets)
		return;
	ep->buckets = buckets;
	ep->nbuckets = 2 * old;
	for (u32 b = 0; b < old; b++) {
		struct epoll_item *i, *next;

		for (i = before[b]; i; i = next) {
			struct epoll_item **at = bucket_of(ep, i->fd);

			next = i->bucket_next;
			i->bucket_next = *at;
			*at = i;
		}
	}
	kfree(before);
}

static void hook_add(struct poll_table *pt, struct file *f, struct waitq *q)
{
	struct epoll_item *i = container_of(pt, struct epoll_item, table);
	struct epoll_hook *h = &i->hooks[i->nhooks];

	assert(i->nhooks < ITEM_HOOKS);
	i->nhooks++;
	waiter_init(&h->waiter);
	h->waiter.wake = hook_wake;
	h->waiter.exclusive = i->events & EPOLLEXCLUSIVE;
	h->q = q;
	h->item = i;
	waitq_add(q, &h->waiter);
}

/* Take *at out of its set and away from its file. watch_lock and the set are locked. */
static void item_remove(struct epoll_item **at)
{
	struct epoll_item *i = *at, **link;
	struct epoll *ep = i->ep;

	for (u32 h = 0; h < i->nhooks; h++)
		waitq_remove(i->hooks[h].q, &i->hooks[h].waiter);
	spin_lock(&ep->ready_lock);
	ready_remove_locked(i);
	spin_unlock(&ep->ready_lock);
	*at = i->bucket_next;
	ep->count--;
	for (link = &i->file->watchers; *link != i; link = &(*link)->file_next)
		;
	store_release(link, i->file_next); /* the last touch of the file: it may go now */
	kfree(i);
}

/* What the item's file is ready for, of what it is asked for. Set locked. */
static u32 item_ask(struct epoll_item *i, struct poll_table *pt)
{
	return file_poll(i->file, pt) & i->events & ~EVENT_MODES;
}

/* --- nested sets --- */

/*
 * How many sets deep what the set watches is (0: no sets), or NESTING_MAX + 1 if `wanted` is among
 * them. watch_lock held.
 */
static u32 depth_below(struct epoll *ep, const struct epoll *wanted)
{
	u32 depth = 0;

	if (ep == wanted)
		return NESTING_MAX + 1;
	mutex_lock(&ep->lock);
	for (u32 b = 0; b < ep->nbuckets && depth <= NESTING_MAX; b++) {
		struct epoll_item *i;

		for (i = ep->buckets[b]; i && depth <= NESTING_MAX; i = i->bucket_next) {
			if (file_is_epoll(i->file))
				depth = max(depth, depth_below(i->file->data, wanted) + 1);
		}
	}
	mutex_unlock(&ep->lock);
	return depth;
}

/* How many sets there are one in another that watch this one. watch_lock held. */
static u32 depth_above(const struct epoll *ep)
{
	u32 depth = 0;

	for (struct epoll_item *i = ep->file->watchers; i; i = i->file_next)
		depth = max(depth, depth_above(i->ep) + 1);
	return depth;
}

/* --- epoll_ctl --- */

/* Both locked, the item is not there yet. */
static int item_add(struct epoll *ep, struct file *f, int fd, u32 events, u64 data)
{
	struct epoll_item *i = kzalloc(sizeof(*i)), **bucket;

	if (!i)
		return -ENOMEM;
	buckets_grow(ep);
	list_init(&i->ready_link);
	i->ep = ep;
	i->file = f;
	i->fd = fd;
	i->events = events | EPOLLERR | EPOLLHUP;
	i->data = data;
	i->table.add = hook_add;
	bucket = bucket_of(ep, fd);
	i->bucket_next = *bucket;
	*bucket = i;
	ep->count++;
	i->file_next = f->watchers;
	f->watchers = i;
	if (item_ask(i, &i->table) && ready_push(i))
		tell_watchers(ep);
	return 0;
}

int epoll_add(struct file *epf, struct file *f, int fd, u32 events, u64 data)
{
	struct epoll *ep = epf->data;
	int err;

	if (!f->ops->poll)
		return -EPERM;
	if (f == epf)
		return -EINVAL;
	if ((events & EPOLLEXCLUSIVE) && (file_is_epoll(f) || (events & ~EXCLUSIVE_ALLOWED)))
		return -EINVAL;
	mutex_lock(&watch_lock);
	if (file_is_epoll(f) && depth_below(f->data, ep) + depth_above(ep) >= NESTING_MAX) {
		mutex_unlock(&watch_lock);
		return -ELOOP;
	}
	mutex_lock(&ep->lock);
	err = *item_find(ep, f, fd) ? -EEXIST : item_add(ep, f, fd, events, data);
	mutex_unlock(&ep->lock);
	mutex_unlock(&watch_lock);
	return err;
}

int epoll_change(struct file *epf, struct file *f, int fd, u32 events, u64 data)
{
	struct epoll *ep = epf->data;
	struct epoll_item *i;
	int err = -ENOENT;

	if (events & EPOLLEXCLUSIVE)
		return -EINVAL;
	mutex_lock(&ep->lock);
	i = *item_find(ep, f, fd);
	if (i && (i->events & EPOLLEXCLUSIVE)) {
		err = -EINVAL;
	} else if (i) {
		store_relaxed(&i->events, events | EPOLLERR | EPOLLHUP);
		i->data = data;
		full_barrier(); /* a wake-up sees the new events, or its cause is seen here */
		if (item_ask(i, NULL) && ready_push(i))
			tell_watchers(ep);
		err = 0;
	}
	mutex_unlock(&ep->lock);
	return err;
}

int epoll_remove(struct file *epf, struct file *f, int fd)
{
	struct epoll *ep = epf->data;
	struct epoll_item **at;
	int err = -ENOENT;

	mutex_lock(&watch_lock);
	mutex_lock(&ep->lock);
	at = item_find(ep, f, fd);
	if (*at) {
		item_remove(at);
		err = 0;
	}
	mutex_unlock(&ep->lock);
	mutex_unlock(&watch_lock);
	return err;
}

void epoll_file_released(struct file *f)
{
	mutex_lock(&watch_lock);
	while (f->watchers) {
		struct epoll *ep = f->watchers->ep;

		mutex_lock(&ep->lock);
		item_remove(item_find(ep, f, f->watchers->fd));
		mutex_unlock(&ep->lock);
	}
	mutex_unlock(&watch_lock);
}

/* --- epoll_wait --- */

/*
 * Report i, which is off the ready list, if it has events: 1, 0, or the error of emit. Set locked.
 */
static int item_report(struct epoll_item *i, int (*emit)(void *arg, u32 events, u64 data),
		       void *arg)
{
	u32 events = item_ask(i, NULL);
	int err;

	if (!events)
		return 0;
	err = emit(arg, events, i->data);
	if (err) {
		ready_push(i);
		return err;
	}
	if (i->events & EPOLLONESHOT)
		store_relaxed(&i->events, i->events & EVENT_MODES);
	else if (!(i->events & EPOLLET))
		ready_push(i);
	return 1;
}

/* Report what is ready now, at most max. */
static int harvest(struct epoll *ep, u32 max, int (*emit)(void *arg, u32 events, u64 data),
		   void *arg)
{
	int done = 0, err = 0;
	u32 look;

	mutex_lock(&ep->lock);
	/* Those that are put back meanwhile are for the next time. */
	for (look = load_relaxed(&ep->ready_count); look && (u32)done < max; look--) {
		struct epoll_item *i = ready_pop(ep);

		err = i ? item_report(i, emit, arg) : 0;
		if (!i || err < 0)
			break;
		done += err;
	}
	mutex_unlock(&ep->lock);
	if (has_ready(ep))
		waitq_wake_one(&ep->wait);
	return done ? done : err;
}

/* Wait, as one of many, for something on the ready list: 0, -ETIMEDOUT, -EINTR. */
static int wait_ready(struct epoll *ep, u64 deadline)
{
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	w.exclusive = true;
	for (;;) {
		waitq_prepare(&ep->wait, &w);
		if (has_ready(ep) || err) {
			thread_cancel_park();
			break;
		}
		err = thread_park(true, deadline);
	}
	waitq_finish(&ep->wait, &w);
	return has_ready(ep) ? 0 : err;
}

int epoll_collect(struct file *epf, u32 max, u64 deadline,
		  int (*emit)(void *arg, u32 events, u64 data), void *arg)
{
	struct epoll *ep = epf->data;

	for (;;) {
		int r = has_ready(ep) ? harvest(ep, max, emit, arg) : 0;

		if (r || !deadline)
			return r;
		r = wait_ready(ep, deadline);
		if (r)
			return r == -ETIMEDOUT ? 0 : r;
	}
}

/* --- the set as a file --- */

/* Ready if one of the items is; those that are not leave the ready list. */
static u32 epoll_poll(struct file *f, struct poll_table *pt)
{
	struct epoll *ep = f->data;
	u32 events = 0, look;

	poll_wait(pt, f, &ep->poll_wait);
	mutex_lock(&ep->lock);
	for (look = load_relaxed(&ep->ready_count); look && !events; look--) {
		struct epoll_item *i = ready_pop(ep);

		if (i && item_ask(i, NULL)) {
			ready_push(i);
			events = EPOLLIN | EPOLLRDNORM;
		}
	}
	mutex_unlock(&ep->lock);
	return events;
}

static long epoll_ioctl(struct file *f, u32 request, u64 arg)
{
	return -EINVAL;
}

static void epoll_release(struct file *f)
{
	struct epoll *ep = f->data;

	mutex_lock(&watch_lock);
	mutex_lock(&ep->lock);
	for (u32 b = 0; b < ep->nbuckets; b++) {
		while (ep->buckets[b])
			item_remove(&ep->buckets[b]);
	}
	mutex_unlock(&ep->lock);
	mutex_unlock(&watch_lock);
	kfree(ep->buckets);
	kfree(ep);
}

static void epoll_fdinfo(struct file *f, char *buf, size_t size)
{
	struct epoll *ep = f->data;
	size_t used = 0;

	*buf = 0;
	mutex_lock(&ep->lock);
	for (u32 b = 0; b < ep->nbuckets; b++) {
		struct epoll_item *i;

		for (i = ep->buckets[b]; i && used < size; i = i->bucket_next)
			used += (size_t)format(
				buf + used, size - used,
				"tfd: %8d events: %8x data: %16lx  pos:%lu ino:%lx sdev:%lx\n",
				i->fd, i->events, i->data, i->file->pos, i->file->inode->ino,
				i->file->inode->super->dev);
	}
	mutex_unlock(&ep->lock);
}

static const struct file_ops epoll_file_ops = {
	.poll = epoll_poll,
	.ioctl = epoll_ioctl,
	.seek = file_seek_nowhere,
	.release = epoll_release,
	.fdinfo = epoll_fdinfo,
};

struct file *epoll_create(void)
{
	struct epoll *ep = kzalloc(sizeof(*ep));
	struct file *f = ERR_PTR(-ENOMEM);

	if (!ep)
		return f;
	mutex_init(&ep->lock, RANK_EPOLL);
	spin_init(&ep->ready_lock, RANK_WAITQ);
	list_init(&ep->ready);
	waitq_init(&ep->wait);
	waitq_init(&ep->poll_wait);
	ep->nbuckets = FIRST_BUCKETS;
	ep->buckets = kzalloc(FIRST_BUCKETS * sizeof(struct epoll_item *));
	if (ep->buckets)
		f = file_new_anonymous("anon_inode:[eventpoll]", &epoll_file_ops, ep, O_RDWR, 0600);
	if (IS_ERR(f)) {
		kfree(ep->buckets);
		kfree(ep);
	} else {
		ep->file = f;
	}
	return f;
}
