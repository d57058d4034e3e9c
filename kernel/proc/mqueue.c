/*
 * mqueue.c - POSIX message queues: files without a directory, found by name. mq_overview(7).
 *
 * Messages stand in order of priority, and of arrival within one. A queue is kept by its name and
 * by each open file. One spinlock guards the names; each queue has its own for what is in it, so
 * that bytes are copied without any. The room that a queue may need is charged to the user who
 * makes it.
 */
#include "proc/mqueue.h"

#include <asm-generic/fcntl.h>
#include <asm/siginfo.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/resource.h>
#include <linux/stat.h>

#include "fs/iter.h"
#include "fs/poll.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/process_priv.h"

#define QUEUES_MAX 256u
/* The usual limits, those that users may set, and those of CAP_SYS_RESOURCE (mq_overview(7)). */
#define MESSAGES_USUAL 10
#define BYTES_USUAL 8192
#define MESSAGES_HARD 65536
#define BYTES_HARD (16 << 20)
#define MESSAGE_OVERHEAD 96 /* what a message is charged for beside its bytes */

struct mqueue {
	struct refcount refs;
	struct list link; /* names_lock: in queues while it has a name */
	char name[256];   /* C: with the slash */
	u32 uid, gid, mode;
	struct mq_limits limits;   /* C */
	struct uid_count *charged; /* C */
	u64 charge;                /* C */
	struct spinlock lock;      /* RANK_FS: guards Q */
	struct list messages;      /* Q */
	u64 count, bytes;          /* Q (count read without) */
	u32 receivers;             /* Q: threads that wait for a message */
	struct process *told;      /* Q: who is told of the next message; counted. NULL: nobody */
	struct file *told_by;      /* Q: the file it asked by */
	struct timer_event event;  /* Q */
	struct waitq wait;
};

static struct spinlock names_lock = SPINLOCK_INIT(RANK_FS);
static struct list queues = LIST_INIT(queues); /* names_lock */
static u32 nqueues;                            /* names_lock */

static const struct file_ops mq_file_ops;

/* --- messages --- */

struct mq_message *mq_message_new(size_t length)
{
	struct mq_message *m = kmalloc(sizeof(*m) + length);

	if (m)
		*m = (struct mq_message){ .length = (u32)length };
	return m;
}

void mq_message_free(struct mq_message *m)
{
	kfree(m);
}

static void message_insert(struct mqueue *q, struct mq_message *m)
{
	struct list *at = q->messages.prev;

	while (at != &q->messages &&
	       list_entry(at, struct mq_message, link)->priority < m->priority)
		at = at->prev;
	list_push_front(at, &m->link);
	q->bytes += m->length;
	store_relaxed(&q->count, q->count + 1);
}

/* --- queues --- */

static void queue_put(struct mqueue *q)
{
	struct mq_message *m, *next;

	if (!ref_put(&q->refs))
		return;
	list_for_each_safe (m, next, &q->messages, link)
		mq_message_free(m);
	uid_count_uncharge_queue(q->charged, q->charge);
	kfree(q);
}

/* names_lock held. */
static struct mqueue *queue_find(const char *name)
{
	struct mqueue *q;

	list_for_each (q, &queues, link) {
		if (strcmp(q->name + 1, name) == 0)
			return q;
	}
	return NULL;
}

/* Limits that nobody may exceed, or only the privileged. */
static int limits_check(const struct mq_limits *l)
{
	bool privileged = cred_capable(cred_current(), CAP_SYS_RESOURCE);

	if (l->messages <= 0 || l->bytes <= 0)
		return -EINVAL;
	if (l->messages > (privileged ? MESSAGES_HARD : MESSAGES_USUAL) ||
	    l->bytes > (privileged ? BYTES_HARD : BYTES_USUAL))
		return -EINVAL;
	return 0;
}

/* A new queue with one reference, charged for. */
static struct mqueue *queue_new(const char *name, u32 mode, const struct mq_limits *limits)
{
	struct mqueue *q = kzalloc(sizeof(*q));
	struct process *p = process_current();

	if (!q)
		return ERR_PTR(-ENOMEM);
	q->limits = limits ? *limits : (struct mq_limits){ MESSAGES_USUAL, BYTES_USUAL };
	q->charge = (u64)q->limits.messages * (u64)(q->limits.bytes + MESSAGE_OVERHEAD);
	spin_lock(&p->signal_lock);
	if (uid_count_charge_queue(p->uid_count, q->charge, p->rlimit_soft[RLIMIT_MSGQUEUE]))
		q->charged = p->uid_count;
	spin_unlock(&p->signal_lock);
	if (!q->charged) {
		kfree(q);
		return ERR_PTR(-EMFILE);
	}
	ref_init(&q->refs);
	list_init(&q->link);
	list_init(&q->messages);
	spin_init(&q->lock, RANK_FS);
	waitq_init(&q->wait);
	format(q->name, sizeof(q->name), "/%s", name);
	q->uid = p->cred->fsuid;
	q->gid = p->cred->fsgid;
	q->mode = mode & 07777;
	return q;
}

/* The queue of that name, once more referenced; or `made` enters it, once more referenced. */
static struct mqueue *queue_enter(const char *name, struct mqueue *made, bool exclusive)
{
	struct mqueue *q;

	spin_lock(&names_lock);
	q = queue_find(name);
	if (q && exclusive) {
		q = ERR_PTR(-EEXIST);
	} else if (!q && !made) {
		q = ERR_PTR(-ENOENT);
	} else if (!q && nqueues >= QUEUES_MAX && !cred_capable(cred_current(), CAP_SYS_RESOURCE)) {
		q = ERR_PTR(-ENOSPC);
	} else {
		if (!q) {
			q = made;
			list_push_back(&queues, &q->link);
			nqueues++;
			ref_get(&q->refs);
		}
		ref_get(&q->refs);
	}
	spin_unlock(&names_lock);
	return q;
}

/* May the current process open q so? */
static int access_check(const struct mqueue *q, u32 flags)
{
	static const u32 wanted[] = { [O_RDONLY] = 4, [O_WRONLY] = 2, [O_RDWR] = 6 };
	const struct cred *c = cred_current();
	u32 mode = q->mode;

	if (c->fsuid == q->uid)
		mode >>= 6;
	else if (cred_in_group(c, q->gid))
		mode >>= 3;
	if (!(wanted[flags & O_ACCMODE] & ~mode) || cred_capable(c, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

/* Takes a reference to q over. */
static struct file *queue_file(struct mqueue *q, u32 flags)
{
	struct file *f = file_new_anonymous(q->name, &mq_file_ops, q,
					    flags & (O_ACCMODE | O_NONBLOCK), S_IFREG | q->mode);

	if (IS_ERR(f))
		queue_put(q);
	else
		f->stream = false;
	return f;
}

struct file *mq_open_file(const char *name, u32 flags, u32 mode, const struct mq_limits *limits)
{
	bool create = flags & O_CREAT;
	struct mqueue *made = NULL, *q;
	int err;

	if ((flags & O_ACCMODE) == O_ACCMODE)
		return ERR_PTR(-EINVAL);
	q = queue_enter(name, NULL, create && flags & O_EXCL);
	if (create && PTR_ERR(q) == -ENOENT) {
		err = limits ? limits_check(limits) : 0;
		if (err)
			return ERR_PTR(err);
		made = queue_new(name, mode, limits);
		if (IS_ERR(made))
			return ERR_PTR(PTR_ERR(made));
		q = queue_enter(name, made, flags & O_EXCL);
	}
	if (made)
		queue_put(made);
	if (IS_ERR(q))
		return ERR_PTR(PTR_ERR(q));
	/* Who makes it may use it whatever its mode. */
	err = q == made ? 0 : access_check(q, flags);
	if (err) {
		queue_put(q);
		return ERR_PTR(err);
	}
	return queue_file(q, flags);
}

int mq_remove(const char *name)
{
	const struct cred *c = cred_current();
	struct mqueue *q;
	int err = 0;

	spin_lock(&names_lock);
	q = queue_find(name);
	if (!q)
		err = -ENOENT;
	else if (c->fsuid != q->uid && c->fsuid && !cred_capable(c, CAP_FOWNER))
		err = -EPERM; /* of the directory that Linux shows them in: everybody's, sticky */
	if (!err) {
		list_remove(&q->link);
		nqueues--;
	}
	spin_unlock(&names_lock);
	if (!err)
		queue_put(q);
	return err;
}

/* --- telling --- */

/* Nobody is told any more. Locked; the reference is the caller's to put. */
static struct process *untell(struct mqueue *q)
{
	struct process *p = q->told;

	q->told = NULL;
	q->told_by = NULL;
	return p;
}

int mq_tell(struct file *f, const struct timer_event *e)
{
	struct process *self = process_current(), *gone = NULL;
	struct mqueue *q = f->data;
	int err = 0;

	if (f->ops != &mq_file_ops)
		return -EBADF;
	spin_lock(&q->lock);
	if (q->told && load_relaxed(&q->told->state) != PROCESS_LIVE)
		gone = untell(q);
	if (!e && q->told == self) {
		gone = untell(q);
	} else if (e && q->told) {
		err = -EBUSY;
	} else if (e) {
		process_get(self);
		q->told = self;
		q->told_by = f;
		q->event = *e;
	}
	spin_unlock(&q->lock);
	if (gone)
		process_put(gone);
	return err;
}

static void tell(struct process *p, const struct timer_event *e)
{
	const struct signal_source s = { .code = SI_MESGQ,
					 .pid = process_current()->pid,
					 .uid = cred_current()->uid,
					 .value = (s64)e->value };

	if (e->notify == SIGEV_SIGNAL && load_relaxed(&p->state) == PROCESS_LIVE)
		signal_process(p, e->sig, &s);
	process_put(p);
}

/* --- sending and receiving --- */

static bool has_room(const struct mqueue *q)
{
	return load_relaxed(&q->count) < (u64)q->limits.messages;
}

static bool has_message(const struct mqueue *q)
{
	return load_relaxed(&q->count) != 0;
}

long mq_message_size(struct file *f, bool to_send)
{
	struct mqueue *q = f->data;

	if (f->ops != &mq_file_ops || !(to_send ? f->can_write : f->can_read))
		return -EBADF;
	return q->limits.bytes;
}

/* Wait until cond may be: 0, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS. */
static int wait_for(struct file *f, bool (*cond)(const struct mqueue *q), u64 deadline)
{
	struct mqueue *q = f->data;
	int err;

	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	err = wait_event_deadline(&q->wait, cond(q), deadline);
	return err == -EINTR ? -ERESTARTSYS : err;
}

static bool try_send(struct mqueue *q, struct mq_message *m)
{
	struct process *told = NULL;
	struct timer_event event;
	bool sent;

	spin_lock(&q->lock);
	sent = has_room(q);
	if (sent && !q->count && !q->receivers && q->told) {
		event = q->event;
		told = untell(q);
	}
	if (sent)
		message_insert(q, m);
	spin_unlock(&q->lock);
	if (sent)
		waitq_wake_key(&q->wait, EPOLLIN | EPOLLRDNORM);
	if (told)
		tell(told, &event);
	return sent;
}

int mq_send(struct file *f, struct mq_message *m, u64 deadline)
{
	int err = 0;

	while (!err && !try_send(f->data, m))
		err = wait_for(f, has_room, deadline);
	return err;
}

static struct mq_message *try_receive(struct mqueue *q)
{
	struct mq_message *m;

	spin_lock(&q->lock);
	m = list_first(&q->messages, struct mq_message, link);
	if (m) {
		list_remove(&m->link);
		q->bytes -= m->length;
		store_relaxed(&q->count, q->count - 1);
	}
	spin_unlock(&q->lock);
	if (m)
		waitq_wake_key(&q->wait, EPOLLOUT | EPOLLWRNORM);
	return m;
}

static void receivers_change(struct mqueue *q, u32 change)
{
	spin_lock(&q->lock);
	q->receivers += change;
	spin_unlock(&q->lock);
}

struct mq_message *mq_receive(struct file *f, u64 deadline)
{
	struct mqueue *q = f->data;
	struct mq_message *m;
	int err;

	while (!(m = try_receive(q))) {
		receivers_change(q, 1);
		err = wait_for(f, has_message, deadline);
		receivers_change(q, (u32)-1);
		if (err)
			return ERR_PTR(err);
	}
	return m;
}

int mq_figures(struct file *f, struct mq_limits *limits, u64 *count)
{
	struct mqueue *q = f->data;

	if (f->ops != &mq_file_ops)
		return -EBADF;
	*limits = q->limits;
	*count = load_relaxed(&q->count);
	return 0;
}

/* --- the file --- */

/* What mq_overview(7) says of the files under /dev/mqueue. */
static ssize mq_read(struct file *f, struct iter *it, u64 *pos)
{
	struct mqueue *q = f->data;
	char text[80];
	size_t n;

	spin_lock(&q->lock);
	n = (size_t)format(text, sizeof(text),
			   "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6u\n", q->bytes,
			   q->told ? q->event.notify : 0,
			   q->told && q->event.notify == SIGEV_SIGNAL ? q->event.sig : 0,
			   q->told ? q->told->pid : 0);
	spin_unlock(&q->lock);
	if (*pos >= n)
		return 0;
	n = min(n - *pos, it->left);
	if (iter_copy_to(it, text + *pos, n) != n)
		return -EFAULT;
	*pos += n;
	return (ssize)n;
}

static u32 mq_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->data;

	poll_wait(pt, f, &q->wait);
	return (has_message(q) ? EPOLLIN | EPOLLRDNORM : 0) |
	       (has_room(q) ? EPOLLOUT | EPOLLWRNORM : 0);
}

static void mq_release(struct file *f)
{
	struct mqueue *q = f->data;
	struct process *gone = NULL;

	spin_lock(&q->lock);
	if (q->told_by == f)
		gone = untell(q);
	spin_unlock(&q->lock);
	if (gone)
		process_put(gone);
	queue_put(q);
}

static const struct file_ops mq_file_ops = {
	.read = mq_read,
	.seek = file_seek_plain,
	.poll = mq_poll,
	.release = mq_release,
};
