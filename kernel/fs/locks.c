/*
 * locks.c - advisory locks on files: flock(2), and record locks (fcntl) of processes and of open
 * files.
 *
 * Every lock is a range of an inode with an owner: the open file for flock and OFD locks, the table
 * of descriptors (which is what a process's threads share) for POSIX locks. flock and record locks
 * do not see each other. One spinlock guards all; who must wait sleeps on the inode's queue and
 * tries again when any of its locks has changed. A POSIX lock that would complete a circle of
 * waiting owners is refused (-EDEADLK).
 */
#include "fs/locks.h"

#include "lib/print.h"
#include "mm/slab.h"
#include "proc/proc.h"

enum lock_class { CLASS_FLOCK, CLASS_POSIX, CLASS_OFD };

struct lock {
	struct list link; /* in its inode's list, ordered by start */
	struct list all_link;
	struct inode *inode; /* borrowed: its locks go before it */
	enum lock_class class;
	enum lock_type type;
	u64 start, end; /* first and last byte */
	const void *owner;
	s32 pid;
};

struct file_locks {
	struct list flocks, records;
	u64 changes; /* A: counts what may let somebody go on */
	struct waitq wait;
};

/* A POSIX owner that waits, and for whom. */
struct lock_wait {
	struct list link;
	const void *owner, *blocker;
};

/* Guards all that is above, and inode->locks while it is set. */
static struct spinlock locks_lock = SPINLOCK_INIT(RANK_FS);
static struct list all_locks = LIST_INIT(all_locks);
static struct list all_waits = LIST_INIT(all_waits);

#define WAIT_CHAIN_MAX 16

/* --- pieces --- */

/* The locks of i, made if there are none; NULL without memory. */
static struct file_locks *locks_of(struct inode *i)
{
	struct file_locks *l, *mine;

	if (load_acquire(&i->locks))
		return i->locks;
	mine = kzalloc(sizeof(*mine));
	if (!mine)
		return NULL;
	list_init(&mine->flocks);
	list_init(&mine->records);
	waitq_init(&mine->wait);
	spin_lock(&locks_lock);
	l = i->locks;
	if (!l) {
		l = mine;
		store_release(&i->locks, mine);
		mine = NULL;
	}
	spin_unlock(&locks_lock);
	kfree(mine);
	return l;
}

static void lock_insert(struct list *list, struct lock *l)
{
	struct lock *at;

	list_push_back(&all_locks, &l->all_link);
	list_for_each (at, list, link) {
		if (at->start > l->start)
			break;
	}
	list_push_back(&at->link, &l->link);
}

static void lock_remove(struct lock *l)
{
	list_remove(&l->link);
	list_remove(&l->all_link);
	kfree(l);
}

static bool conflicts(const struct lock *a, const struct lock *b)
{
	return a->owner != b->owner && a->start <= b->end && b->start <= a->end &&
	       (a->type == LOCK_TYPE_WRITE || b->type == LOCK_TYPE_WRITE);
}

static struct lock *find_conflict(struct list *list, const struct lock *wanted)
{
	struct lock *l;

	if (wanted->type == LOCK_TYPE_NONE)
		return NULL;
	list_for_each (l, list, link) {
		if (conflicts(l, wanted))
			return l;
	}
	return NULL;
}

static void changed(struct file_locks *locks)
{
	atomic_add(&locks->changes, 1);
}

/* Would `owner` wait for itself if it waited for `blocker`? */
static bool is_circle(const void *owner, const void *blocker, u32 depth)
{
	struct lock_wait *w;

	if (blocker == owner)
		return true;
	if (depth == WAIT_CHAIN_MAX)
		return false;
	list_for_each (w, &all_waits, link) {
		if (w->owner == blocker && is_circle(owner, w->blocker, depth + 1))
			return true;
	}
	return false;
}

/*
 * Wait until a lock of the inode has changed since. locks_lock held, released meanwhile and taken
 * again. 0 or -ERESTARTSYS.
 */
static int wait_for_change(struct file_locks *locks, struct lock_wait *w)
{
	u64 before = load_relaxed(&locks->changes);
	int err;

	list_push_back(&all_waits, &w->link);
	spin_unlock(&locks_lock);
	err = wait_event_interruptible(&locks->wait, load_relaxed(&locks->changes) != before);
	spin_lock(&locks_lock);
	list_remove(&w->link);
	return err;
}

/* --- applying: locks_lock held --- */

/*
 * Take [start, end) of `wanted` out of l, which overlaps it and has the same owner; *spare becomes
 * the part behind, where there are two.
 */
static void cut(struct list *list, struct lock *l, const struct lock *wanted, struct lock **spare)
{
	if (l->start < wanted->start && l->end > wanted->end) {
		struct lock *behind = *spare;

		*spare = NULL;
		*behind = *l;
		behind->start = wanted->end + 1;
		l->end = wanted->start - 1;
		lock_insert(list, behind);
	} else if (l->start < wanted->start) {
		l->end = wanted->start - 1;
	} else if (l->end > wanted->end) {
		list_remove(&l->link);
		list_remove(&l->all_link);
		l->start = wanted->end + 1;
		lock_insert(list, l);
	} else {
		lock_remove(l);
	}
}

static bool touches(const struct lock *a, const struct lock *b)
{
	return a->start <= b->end + (b->end != UINT64_MAX) &&
	       b->start <= a->end + (a->end != UINT64_MAX);
}

/*
 * Make `wanted` (a kernel object, used or freed here) true for its owner. spare: another, for a
 * lock that is split.
 */
static void apply(struct list *list, struct lock *wanted, struct lock *spare)
{
	struct lock *l, *next;

	list_for_each_safe (l, next, list, link) {
		if (l->owner != wanted->owner || !touches(l, wanted))
			continue;
		if (l->type == wanted->type) {
			wanted->start = min(wanted->start, l->start);
			wanted->end = max(wanted->end, l->end);
			lock_remove(l);
		} else if (l->start <= wanted->end && wanted->start <= l->end) {
			cut(list, l, wanted, &spare);
		}
	}
	if (wanted->type == LOCK_TYPE_NONE)
		kfree(wanted);
	else
		lock_insert(list, wanted);
	kfree(spare);
}

/*
 * Set `model` on the inode of f, waiting if need be: 0, -EAGAIN, -EDEADLK, -ERESTARTSYS, -ENOMEM.
 */
static int set(struct inode *i, const struct lock *model, bool wait)
{
	struct file_locks *locks = locks_of(i);
	struct lock *wanted = kmalloc(sizeof(*wanted)), *spare = kmalloc(sizeof(*spare)), *other;
	struct list *list;
	int err = 0;

	if (!locks || !wanted || !spare) {
		kfree(wanted);
		kfree(spare);
		return -ENOMEM;
	}
	*wanted = *model;
	wanted->inode = i;
	list = model->class == CLASS_FLOCK ? &locks->flocks : &locks->records;
	spin_lock(&locks_lock);
	while (!err && (other = find_conflict(list, wanted))) {
		struct lock_wait w = { .owner = wanted->owner, .blocker = other->owner };

		if (!wait)
			err = -EAGAIN;
		else if (wanted->class == CLASS_POSIX && is_circle(w.owner, w.blocker, 0))
			err = -EDEADLK;
		else
			err = wait_for_change(locks, &w);
	}
	if (err) {
		kfree(wanted);
		kfree(spare);
	} else {
		apply(list, wanted, spare);
		changed(locks);
	}
	spin_unlock(&locks_lock);
	if (!err)
		waitq_wake_all(&locks->wait);
	return err;
}

/* --- flock --- */

int locks_flock(struct file *f, enum lock_type type, bool wait)
{
	struct lock model = { .class = CLASS_FLOCK,
			      .type = type,
			      .end = UINT64_MAX,
			      .owner = f,
			      .pid = (s32)process_current()->pid };
	struct lock none = model;
	int err;

	if (type == LOCK_TYPE_NONE)
		return f->inode->locks ? set(f->inode, &model, false) : 0;
	err = set(f->inode, &model, false);
	if (err != -EAGAIN)
		return err;
	/*
	 * A change of kind gives the old lock up before it waits, or fails (flock(2)), so that two
	 * that change do not wait for each other.
	 */
	none.type = LOCK_TYPE_NONE;
	err = set(f->inode, &none, false);
	if (err)
		return err;
	return wait ? set(f->inode, &model, true) : -EAGAIN;
}

/* --- record locks --- */

static struct lock record_model(struct file *f, const struct record_lock *l, bool ofd)
{
	return (struct lock){ .class = ofd ? CLASS_OFD : CLASS_POSIX,
			      .type = l->type,
			      .start = l->start,
			      .end = l->end,
			      .owner = ofd ? (void *)f : (void *)process_current()->files,
			      .pid = ofd ? -1 : (s32)process_current()->pid };
}

int locks_record_set(struct file *f, const struct record_lock *l, bool ofd, bool wait)
{
	struct lock model = record_model(f, l, ofd);

	if ((l->type == LOCK_TYPE_READ && !f->can_read) ||
	    (l->type == LOCK_TYPE_WRITE && !f->can_write))
		return -EBADF;
	if (l->type == LOCK_TYPE_NONE && !f->inode->locks)
		return 0;
	return set(f->inode, &model, wait);
}

int locks_record_get(struct file *f, struct record_lock *l, bool ofd)
{
	struct lock model = record_model(f, l, ofd), *other = NULL;

	spin_lock(&locks_lock);
	if (f->inode->locks)
		other = find_conflict(&f->inode->locks->records, &model);
	if (other)
		*l = (struct record_lock){ other->type, other->start, other->end, other->pid };
	else
		l->type = LOCK_TYPE_NONE;
	spin_unlock(&locks_lock);
	return 0;
}

/* --- ends --- */

/* Remove the locks of an owner: how many. locks_lock held. */
static u32 remove_owned(struct list *list, const void *owner)
{
	struct lock *l, *next;
	u32 removed = 0;

	list_for_each_safe (l, next, list, link) {
		if (l->owner == owner) {
			lock_remove(l);
			removed++;
		}
	}
	return removed;
}

static void owner_gone(struct inode *i, const void *owner)
{
	struct file_locks *locks = i->locks;
	u32 removed;

	spin_lock(&locks_lock);
	removed = remove_owned(&locks->flocks, owner) + remove_owned(&locks->records, owner);
	if (removed)
		changed(locks);
	spin_unlock(&locks_lock);
	if (removed)
		waitq_wake_all(&locks->wait);
}

void locks_file_released(struct file *f)
{
	owner_gone(f->inode, f);
}

void locks_descriptor_closed(struct file *f, struct files *owner)
{
	owner_gone(f->inode, owner);
}

void locks_inode_free(struct inode *i)
{
	assert(list_empty(&i->locks->flocks) && list_empty(&i->locks->records));
	kfree(i->locks);
	i->locks = NULL;
}

/* --- /proc/locks --- */

static void describe(const struct lock *l, u32 number, char *line, size_t size)
{
	static const char *const classes[] = { "FLOCK ", "POSIX ", "OFDLCK" };
	u64 dev = l->inode->super->dev;
	char end[24] = "EOF";

	if (l->end < INT64_MAX)
		format(end, sizeof(end), "%lu", l->end);
	format(line, size, "%u: %s ADVISORY  %s %d %02x:%02x:%lu %lu %s\n", number,
	       classes[l->class], l->type == LOCK_TYPE_WRITE ? "WRITE" : "READ ", l->pid,
	       (u32)(dev >> 8 & 0xfff), (u32)(dev & 0xff), l->inode->ino, l->start, end);
}

void locks_for_each(void (*fn)(const char *line, void *arg), void *arg)
{
	struct lock *l;
	char line[160];
	u32 number = 0;

	spin_lock(&locks_lock);
	list_for_each (l, &all_locks, all_link) {
		describe(l, ++number, line, sizeof(line));
		fn(line, arg);
	}
	spin_unlock(&locks_lock);
}
