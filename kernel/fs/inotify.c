/*
 * inotify.c - telling programs what happens to files. inotify(7).
 *
 * A watch is an inode that a group (an inotify file) watches. What happens is told to the watches
 * of the inode and, with the name, of its directory; an event waits in the group's queue until it
 * is read. One spinlock guards all. Events are told with locks of the vfs held, so a watch that
 * ends there is only taken out, and freed by its group's next call; while a watch lives it keeps
 * the name in the cache, so that the inode stays the one that lookups find.
 */
#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/stat.h>

#include "arch/x86_64/usercopy.h"
#include "fs/iter.h"
#include "fs/notify.h"
#include "fs/poll.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"

#define GROUP_WATCHES_MAX 65536u
#define GROUP_EVENTS_MAX 16384u

struct inotify {
	struct list watches; /* struct watch.group_link */
	struct list dead;    /* watches that have ended, to be freed */
	struct list events;
	u32 nwatches, nevents;
	u64 bytes; /* of all events, as read */
	s32 last_wd;
	struct waitq wait;
};

struct inotify_watch {
	struct list group_link;
	struct inotify_watch *inode_next; /* in inode->inotify */
	struct inotify *group;
	struct path path; /* counted */
	s32 wd;
	u32 mask;
};

struct event {
	struct list link;
	s32 wd;
	u32 mask, cookie,
		length; /* of the name as it is read: with NULs, a multiple of the header's size */
	char name[];
};

#define EVENT_HEADER 16u /* struct inotify_event without the name */

u32 notify_watches;
static struct spinlock notify_lock = SPINLOCK_INIT(RANK_FS);
static u32 last_cookie;

/* --- events: notify_lock held --- */

static bool same_event(const struct event *e, const struct inotify_watch *w, u32 mask, u32 cookie,
		       const char *name, size_t len)
{
	return e->wd == w->wd && e->mask == mask && e->cookie == cookie &&
	       (e->length == 0) == (len == 0) &&
	       (!len || (strlen(e->name) == len && !memcmp(e->name, name, len)));
}

static void event_queue(struct inotify *g, s32 wd, u32 mask, u32 cookie, const char *name,
			size_t len)
{
	u32 length = len ? (u32)ROUND_UP(len + 1, (size_t)EVENT_HEADER) : 0;
	struct event *e = kzalloc(sizeof(*e) + length);

	if (!e)
		return;
	*e = (struct event){ .wd = wd, .mask = mask, .cookie = cookie, .length = length };
	memcpy(e->name, name, len);
	list_push_back(&g->events, &e->link);
	g->nevents++;
	g->bytes += EVENT_HEADER + length;
	waitq_wake_key(&g->wait, EPOLLIN | EPOLLRDNORM);
}

static void watch_end(struct inotify_watch *w);

/* Tell one watch. */
static void watch_tell(struct inotify_watch *w, u32 mask, u32 cookie, const char *name, size_t len)
{
	struct inotify *g = w->group;
	struct event *last =
		list_empty(&g->events) ? NULL : list_entry(g->events.prev, struct event, link);

	if (!(w->mask & mask & IN_ALL_EVENTS))
		return;
	if (last && same_event(last, w, mask, cookie, name, len))
		return;
	if (g->nevents < GROUP_EVENTS_MAX)
		event_queue(g, w->wd, mask, cookie, name, len);
	else if (g->nevents == GROUP_EVENTS_MAX)
		event_queue(g, -1, IN_Q_OVERFLOW, 0, NULL, 0);
	if (w->mask & IN_ONESHOT)
		watch_end(w);
}

static void tell_inode(struct inode *i, u32 mask, u32 cookie, const char *name, size_t len)
{
	struct inotify_watch *w, *next;

	for (w = i->inotify; w; w = next) {
		next = w->inode_next;
		watch_tell(w, mask, cookie, name, len);
	}
}

/* --- watches: notify_lock held --- */

static struct inode *watch_inode(const struct inotify_watch *w)
{
	return w->path.dentry->inode;
}

/* Take w out; its group frees it later. */
static void watch_end(struct inotify_watch *w)
{
	struct inotify_watch **link = &watch_inode(w)->inotify;

	while (*link != w)
		link = &(*link)->inode_next;
	*link = w->inode_next;
	list_remove(&w->group_link);
	list_push_back(&w->group->dead, &w->group_link);
	w->group->nwatches--;
	atomic_sub(&notify_watches, 1);
	event_queue(w->group, w->wd, IN_IGNORED, 0, NULL, 0);
}

static struct inotify_watch *watch_find(struct inotify *g, const struct inode *i)
{
	struct inotify_watch *w;

	for (w = i->inotify; w && w->group != g; w = w->inode_next)
		;
	return w;
}

/* Free what has ended. notify_lock not held. */
static void bury(struct inotify *g)
{
	struct inotify_watch *w;

	for (;;) {
		spin_lock(&notify_lock);
		w = list_first(&g->dead, struct inotify_watch, group_link);
		if (w)
			list_remove(&w->group_link);
		spin_unlock(&notify_lock);
		if (!w)
			return;
		path_put(&w->path);
		kfree(w);
	}
}

/* --- what the vfs tells --- */

void notify_name_watched(struct inode *dir, const char *name, size_t len, u32 mask, u32 cookie)
{
	if (!load_relaxed(&dir->inotify))
		return;
	spin_lock(&notify_lock);
	tell_inode(dir, mask, cookie, name, len);
	spin_unlock(&notify_lock);
}

void notify_self_watched(struct inode *i, u32 mask)
{
	if (!load_relaxed(&i->inotify))
		return;
	spin_lock(&notify_lock);
	tell_inode(i, mask, 0, NULL, 0);
	if (mask & IN_DELETE_SELF) {
		while (i->inotify)
			watch_end(i->inotify);
	}
	spin_unlock(&notify_lock);
}

void notify_dentry_watched(struct dentry *d, u32 mask)
{
	struct inode *dir;

	if (S_ISDIR(d->inode->mode))
		mask |= IN_ISDIR;
	spin_lock(&dentry_lock);
	dir = d->parent && d->parent != d && !d->unlinked ? d->parent->inode : NULL;
	if (dir && dir->inotify)
		notify_name_watched(dir, d->name, d->length, mask, 0);
	spin_unlock(&dentry_lock);
	notify_self_watched(d->inode, mask);
}

static u32 kind_of(const struct inode *i)
{
	return S_ISDIR(i->mode) ? IN_ISDIR : 0;
}

void notify_removed(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	bool last = victim->nlink == 0 || S_ISDIR(victim->mode);

	if (!load_relaxed(&notify_watches))
		return;
	if (!S_ISDIR(victim->mode))
		notify_self_watched(victim, IN_ATTRIB);
	if (last)
		notify_self_watched(victim, IN_DELETE_SELF);
	notify_name_watched(dir, name, len, IN_DELETE | kind_of(victim), 0);
}

void notify_renamed(struct inode *old_dir, const char *old, size_t old_len, struct inode *new_dir,
		    const char *new, size_t new_len, struct inode *moved, struct inode *replaced)
{
	u32 cookie, kind = kind_of(moved);

	if (!load_relaxed(&notify_watches))
		return;
	cookie = atomic_add_return(&last_cookie, 1);
	notify_name_watched(old_dir, old, old_len, IN_MOVED_FROM | kind, cookie);
	notify_name_watched(new_dir, new, new_len, IN_MOVED_TO | kind, cookie);
	notify_self_watched(moved, IN_MOVE_SELF);
	if (!replaced)
		return;
	notify_self_watched(replaced, IN_ATTRIB);
	if (replaced->nlink == 0 || S_ISDIR(replaced->mode))
		notify_self_watched(replaced, IN_DELETE_SELF);
}

/* --- the group as a file --- */

/* Take the first event if it fits into n bytes: NULL: none. ERR_PTR(-EINVAL): it does not fit. */
static struct event *event_take(struct inotify *g, u64 n)
{
	struct event *e;

	spin_lock(&notify_lock);
	e = list_first(&g->events, struct event, link);
	if (e && EVENT_HEADER + e->length > n) {
		e = ERR_PTR(-EINVAL);
	} else if (e) {
		list_remove(&e->link);
		g->nevents--;
		g->bytes -= EVENT_HEADER + e->length;
	}
	spin_unlock(&notify_lock);
	return e;
}

static bool event_copy(const struct event *e, struct iter *it)
{
	struct inotify_event header = {
		.wd = e->wd, .mask = e->mask, .cookie = e->cookie, .len = e->length
	};

	return iter_copy_to(it, &header, EVENT_HEADER) == EVENT_HEADER &&
	       iter_copy_to(it, e->name, e->length) == e->length;
}

static ssize inotify_read(struct file *f, struct iter *it, u64 *pos)
{
	struct inotify *g = f->data;
	u64 wanted = it->left;
	bool copied;

	bury(g);
	for (;;) {
		struct event *e = event_take(g, it->left);
		ssize done = (ssize)(wanted - it->left);
		int err;

		if (e && !IS_ERR(e)) {
			copied = event_copy(e, it);
			kfree(e);
			if (!copied)
				return done ? done : -EFAULT;
			continue;
		}
		if (done)
			return done;
		if (e)
			return PTR_ERR(e);
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&g->wait, load_relaxed(&g->nevents));
		if (err)
			return err;
	}
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *g = f->data;

	poll_wait(pt, f, &g->wait);
	return load_relaxed(&g->nevents) ? EPOLLIN | EPOLLRDNORM : 0;
}

static long inotify_ioctl(struct file *f, u32 request, u64 arg)
{
	struct inotify *g = f->data;

	if (request != FIONREAD)
		return -ENOTTY;
	return put_user((s32)load_relaxed(&g->bytes), (s32 __user *)arg);
}

static void inotify_release(struct file *f)
{
	struct inotify *g = f->data;
	struct inotify_watch *w;
	struct event *e, *next;

	spin_lock(&notify_lock);
	while ((w = list_first(&g->watches, struct inotify_watch, group_link)))
		watch_end(w);
	spin_unlock(&notify_lock);
	bury(g);
	list_for_each_safe (e, next, &g->events, link)
		kfree(e);
	kfree(g);
}

static void inotify_fdinfo(struct file *f, char *buf, size_t size)
{
	struct inotify *g = f->data;
	struct inotify_watch *w;
	size_t used = 0;

	*buf = 0;
	spin_lock(&notify_lock);
	list_for_each (w, &g->watches, group_link) {
		struct inode *i = watch_inode(w);

		if (used >= size)
			break;
		used += (size_t)format(buf + used, size - used,
				       "inotify wd:%x ino:%lx sdev:%lx mask:%x ignored_mask:0\n",
				       w->wd, i->ino, i->super->dev, w->mask & IN_ALL_EVENTS);
	}
	spin_unlock(&notify_lock);
}

static const struct file_ops inotify_file_ops = {
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.seek = file_seek_nowhere,
	.release = inotify_release,
	.fdinfo = inotify_fdinfo,
};

struct file *inotify_create(u32 flags)
{
	struct inotify *g = kzalloc(sizeof(*g));
	struct file *f;

	if (!g)
		return ERR_PTR(-ENOMEM);
	list_init(&g->watches);
	list_init(&g->dead);
	list_init(&g->events);
	waitq_init(&g->wait);
	f = file_new_anonymous("anon_inode:inotify", &inotify_file_ops, g, O_RDONLY | flags, 0600);
	if (IS_ERR(f))
		kfree(g);
	return f;
}

/* --- adding and removing watches --- */

/*
 * notify_lock held. w is used if the inode has no watch of the group yet: the number, or an error.
 */
static int add_locked(struct inotify *g, struct inotify_watch *w, u32 mask, bool *used)
{
	struct inode *i = watch_inode(w);
	struct inotify_watch *old = watch_find(g, i);

	*used = false;
	if (old && (mask & IN_MASK_CREATE))
		return -EEXIST;
	if (old) {
		old->mask = mask & IN_MASK_ADD ? old->mask | mask : mask;
		return old->wd;
	}
	if (g->nwatches == GROUP_WATCHES_MAX)
		return -ENOSPC;
	*used = true;
	w->wd = ++g->last_wd;
	w->inode_next = i->inotify;
	store_release(&i->inotify, w);
	list_push_back(&g->watches, &w->group_link);
	g->nwatches++;
	atomic_add(&notify_watches, 1);
	return w->wd;
}

int inotify_add(struct file *f, const struct path *p, u32 mask)
{
	struct inotify *g = f->data;
	struct inotify_watch *w;
	bool used;
	int wd;

	if (f->ops != &inotify_file_ops)
		return -EINVAL;
	bury(g);
	w = kzalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	list_init(&w->group_link);
	w->group = g;
	w->mask = mask;
	w->path = *p;
	path_get(&w->path);
	spin_lock(&notify_lock);
	wd = add_locked(g, w, mask, &used);
	spin_unlock(&notify_lock);
	if (!used) {
		path_put(&w->path);
		kfree(w);
	}
	return wd;
}

int inotify_remove(struct file *f, s32 wd)
{
	struct inotify *g = f->data;
	struct inotify_watch *w;
	int err = -EINVAL;

	if (f->ops != &inotify_file_ops)
		return err;
	spin_lock(&notify_lock);
	list_for_each (w, &g->watches, group_link) {
		if (w->wd == wd) {
			watch_end(w);
			err = 0;
			break;
		}
	}
	spin_unlock(&notify_lock);
	bury(g);
	return err;
}
