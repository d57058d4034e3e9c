/*
 * pipe.c - pipes and FIFOs.
 *
 * A pipe is a queue of buffers of one page each. Readers take from the first, writers append to the
 * last; `lock` is held while bytes are copied, so a write of at most PIPE_BUF bytes, which waits
 * until all of it fits, is never torn. Who waits does so without the lock, on a queue for each
 * direction whose waiters are woken one at a time; who leaves something for the next wakes the
 * next. Pollers wait on a queue of their own, which is not touched before somebody has polled.
 *
 * A FIFO's pipe lives in inode->special from the first open to the last close. Read splice.c next
 * for moving data without a program's memory.
 */
#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <linux/capability.h>
#include <linux/stat.h>

#include "arch/x86_64/usercopy.h"
#include "fs/pipe_priv.h"
#include "fs/poll.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

static struct pipe *pipe_new(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	mutex_init(&p->lock, RANK_PIPE);
	list_init(&p->buffers);
	waitq_init(&p->read_wait);
	waitq_init(&p->write_wait);
	waitq_init(&p->poll_wait);
	waitq_init(&p->open_wait);
	p->limit = PIPE_DEFAULT_BUFFERS;
	return p;
}

/* --- buffers --- */

struct pipe_buffer *pipe_buffer_new(void)
{
	struct pipe_buffer *b = kmalloc(sizeof(*b));
	struct page *page = b ? frame_alloc(PAGE_KERNEL) : NULL;

	if (!page) {
		kfree(b);
		return NULL;
	}
	*b = (struct pipe_buffer){ .data = frame_data(page) };
	return b;
}

void pipe_buffer_free(struct pipe_buffer *b)
{
	if (!b)
		return;
	frame_free(frame_of(b->data));
	kfree(b);
}

static void pipe_free(struct pipe *p)
{
	struct pipe_buffer *b, *next;

	list_for_each_safe (b, next, &p->buffers, link)
		pipe_buffer_free(b);
	pipe_buffer_free(p->spare);
	kfree(p);
}

/* An empty buffer: the one that the last reader emptied, or a new one. Pipe locked. */
static struct pipe_buffer *buffer_obtain(struct pipe *p)
{
	struct pipe_buffer *b = p->spare;

	p->spare = NULL;
	return b ? b : pipe_buffer_new();
}

/* The first buffer is used up. Pipe locked. */
static void buffer_discard(struct pipe *p, struct pipe_buffer *b)
{
	list_remove(&b->link);
	p->count--;
	if (p->spare) {
		pipe_buffer_free(b);
		return;
	}
	b->offset = b->length = 0;
	b->packet = false;
	p->spare = b;
}

void pipe_append(struct pipe *p, struct pipe_buffer *b)
{
	list_push_back(&p->buffers, &b->link);
	p->count++;
	p->bytes += b->length;
}

struct pipe_buffer *pipe_take_first(struct pipe *p)
{
	struct pipe_buffer *b = list_first(&p->buffers, struct pipe_buffer, link);

	list_remove(&b->link);
	p->count--;
	p->bytes -= b->length;
	return b;
}

void pipe_put_back(struct pipe *p, struct pipe_buffer *b)
{
	list_push_front(&p->buffers, &b->link);
	p->count++;
	p->bytes += b->length;
}

static struct pipe_buffer *buffer_last(struct pipe *p)
{
	return list_empty(&p->buffers) ? NULL
				       : list_entry(p->buffers.prev, struct pipe_buffer, link);
}

/* Bytes that the last buffer can still take. */
static u32 tail_room(struct pipe *p)
{
	struct pipe_buffer *b = buffer_last(p);

	return b && !b->packet ? (u32)PAGE_SIZE - b->offset - b->length : 0;
}

/* --- waiting and waking --- */

static bool pipe_has_room(struct pipe *p)
{
	return load_relaxed(&p->count) < load_relaxed(&p->limit) || !load_relaxed(&p->readers);
}

static bool pipe_has_data(struct pipe *p)
{
	return load_relaxed(&p->count) || !load_relaxed(&p->writers);
}

/*
 * Wait, as one of many, until cond. A wake-up that a signal made useless is passed on. 0 or
 * -ERESTARTSYS. Pipe not locked.
 */
static int wait_in_turn(struct waitq *q, struct pipe *p, bool (*cond)(struct pipe *p))
{
	struct waiter w;
	int err = 0;

	waiter_init(&w);
	w.exclusive = true;
	for (;;) {
		waitq_prepare(q, &w);
		if (cond(p)) {
			thread_cancel_park();
			err = 0;
			break;
		}
		if (err) {
			thread_cancel_park();
			break;
		}
		err = thread_park(true, DEADLINE_NONE);
	}
	waitq_finish(q, &w);
	if (!err)
		return 0;
	if (cond(p))
		waitq_wake_one(q);
	return -ERESTARTSYS;
}

int pipe_wait_room(struct pipe *p)
{
	return wait_in_turn(&p->write_wait, p, pipe_has_room);
}

int pipe_wait_data(struct pipe *p)
{
	return wait_in_turn(&p->read_wait, p, pipe_has_data);
}

void pipe_wake_readers(struct pipe *p)
{
	waitq_wake_one(&p->read_wait);
	if (load_relaxed(&p->polled))
		waitq_wake_key(&p->poll_wait, EPOLLIN | EPOLLRDNORM);
}

void pipe_wake_writers(struct pipe *p)
{
	waitq_wake_one(&p->write_wait);
	if (load_relaxed(&p->polled))
		waitq_wake_key(&p->poll_wait, EPOLLOUT | EPOLLWRNORM);
}

/* An end was closed or opened: everybody looks again. */
static void wake_everybody(struct pipe *p)
{
	waitq_wake_all(&p->read_wait);
	waitq_wake_all(&p->write_wait);
	waitq_wake_all(&p->open_wait);
	waitq_wake_key(&p->poll_wait,
		       EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM | EPOLLERR | EPOLLHUP);
}

/* --- reading --- */

/*
 * Copy what is there: bytes, or -EFAULT. Pipe locked. Here as in writes a bad address in the middle
 * of a buffer's bytes leaves all of these where they were, as on Linux.
 */
static ssize read_available(struct pipe *p, struct iter *it)
{
	ssize done = 0;

	while (it->left && p->count) {
		struct pipe_buffer *b = list_first(&p->buffers, struct pipe_buffer, link);
		size_t want = min((u64)b->length, it->left);
		size_t got = iter_copy_to(it, b->data + b->offset, want);
		bool packet = b->packet;

		if (got < want) {
			iter_revert(it, got);
			return done ? done : -EFAULT;
		}
		done += got;
		if (packet)
			got = b->length; /* the rest of a packet is lost */
		b->offset += got;
		b->length -= got;
		p->bytes -= got;
		if (!b->length)
			buffer_discard(p, b);
		if (packet)
			break;
	}
	return done;
}

static ssize pipe_do_read(struct pipe *p, struct iter *it, bool nonblock)
{
	if (!it->left)
		return 0;
	mutex_lock(&p->lock);
	for (;;) {
		if (p->count) {
			bool was_full = p->count >= p->limit;
			ssize done = read_available(p, it);
			bool more = p->count != 0;

			was_full = was_full && p->count < p->limit;
			mutex_unlock(&p->lock);
			if (was_full)
				pipe_wake_writers(p);
			if (more)
				waitq_wake_one(&p->read_wait);
			return done;
		}
		if (!p->writers) {
			mutex_unlock(&p->lock);
			return 0;
		}
		mutex_unlock(&p->lock);
		if (nonblock)
			return -EAGAIN;
		int err = pipe_wait_data(p);

		if (err)
			return err;
		mutex_lock(&p->lock);
	}
}

/* --- writing --- */

/*
 * The part of a write of n bytes that would not fill a page of its own, if the last buffer has room
 * for all of it; else 0.
 */
static u32 tail_part(struct pipe *p, u64 n)
{
	u32 part = (u32)(n % PAGE_SIZE);

	return part <= tail_room(p) ? part : 0;
}

/* Append n bytes to the last buffer: n or -EFAULT. */
static ssize fill_tail(struct pipe *p, struct iter *it, size_t n)
{
	struct pipe_buffer *b = buffer_last(p);
	size_t got = iter_copy_from(it, b->data + b->offset + b->length, n);

	if (got < n) {
		iter_revert(it, got);
		return -EFAULT;
	}
	b->length += got;
	p->bytes += got;
	return (ssize)got;
}

/*
 * Put n bytes into new buffers as far as the limit: bytes (0: no room), or -EFAULT, -ENOMEM if
 * none. Pipe locked.
 */
static ssize fill_buffers(struct pipe *p, struct iter *it, bool packet)
{
	ssize done = 0;

	while (it->left && p->count < p->limit) {
		struct pipe_buffer *b = buffer_obtain(p);
		size_t n = min((u64)PAGE_SIZE, it->left);
		size_t got;

		if (!b)
			return done ? done : -ENOMEM;
		got = iter_copy_from(it, b->data, n);
		if (got < n) {
			iter_revert(it, got);
			pipe_buffer_free(b);
			return done ? done : -EFAULT;
		}
		b->length = got;
		b->packet = packet;
		pipe_append(p, b);
		done += got;
	}
	return done;
}

/*
 * Put what fits of a write; first: nothing of it has been put yet. One that must not be torn is not
 * begun before there is room for all of it, which is a buffer of its own or the end of the last.
 * Pipe locked.
 */
static ssize write_fitting(struct pipe *p, struct iter *it, bool packet, bool first)
{
	/* Behind what was written as a stream also the end of a packet, as on Linux. */
	u32 tail = first ? tail_part(p, it->left) : 0;
	ssize done = 0, more;

	if (tail) {
		done = fill_tail(p, it, tail);
		if (done < 0)
			return done;
	}
	more = fill_buffers(p, it, packet);
	return more < 0 && done ? done : done + more;
}

static ssize pipe_do_write(struct pipe *p, struct iter *it, bool nonblock, bool packet)
{
	ssize total = 0;
	int err = 0;

	if (!it->left)
		return 0;
	mutex_lock(&p->lock);
	for (;;) {
		bool was_empty = p->count == 0;
		ssize done;

		if (!p->readers) {
			err = -EPIPE;
			break;
		}
		done = write_fitting(p, it, packet, !total);
		if (done < 0) {
			err = (int)done;
			break;
		}
		total += done;
		if (done && (was_empty || load_relaxed(&p->polled))) {
			mutex_unlock(&p->lock);
			pipe_wake_readers(p);
			if (!it->left)
				goto pass_on;
			mutex_lock(&p->lock);
			continue;
		}
		if (!it->left)
			break;
		if (done)
			continue;
		if (nonblock) {
			err = -EAGAIN;
			break;
		}
		mutex_unlock(&p->lock);
		err = pipe_wait_room(p);
		mutex_lock(&p->lock);
		if (err)
			break;
	}
	mutex_unlock(&p->lock);
pass_on:
	if (pipe_has_room(p))
		waitq_wake_one(&p->write_wait);
	return total ? total : err;
}

static ssize pipe_read(struct file *f, struct iter *it, u64 *pos)
{
	return pipe_do_read(f->data, it, f->flags & O_NONBLOCK);
}

static ssize pipe_write(struct file *f, struct iter *it, u64 *pos)
{
	return pipe_do_write(f->data, it, f->flags & O_NONBLOCK, f->flags & O_DIRECT);
}

/* --- the file operations --- */

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->data;
	u32 events = 0;

	if (pt) {
		store_relaxed(&p->polled, true);
		full_barrier();
	}
	poll_wait(pt, f, &p->poll_wait);
	if (f->can_read) {
		if (load_relaxed(&p->count))
			events |= EPOLLIN | EPOLLRDNORM;
		/*
		 * Opened before any writer came (open_fifo keeps that in the unused position): not
		 * hung up yet.
		 */
		if (!load_relaxed(&p->writers) && load_relaxed(&p->writer_opens) != f->pos)
			events |= EPOLLHUP;
	}
	if (f->can_write) {
		if (load_relaxed(&p->count) < load_relaxed(&p->limit))
			events |= EPOLLOUT | EPOLLWRNORM;
		if (!load_relaxed(&p->readers))
			events |= EPOLLERR;
	}
	return events;
}

static long pipe_ioctl(struct file *f, u32 request, u64 arg)
{
	struct pipe *p = f->data;

	if (request != FIONREAD)
		return -ENOTTY;
	return put_user((s32)load_relaxed(&p->bytes), (s32 __user *)arg);
}

/* The ends that f stands for come (1) or go (-1). Pipe locked. */
static void count_ends(struct pipe *p, const struct file *f, s32 change)
{
	if (f->can_read)
		p->readers += change;
	if (f->can_write)
		p->writers += change;
	if (change > 0) {
		p->reader_opens += f->can_read;
		p->writer_opens += f->can_write;
	}
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->data;
	struct inode *inode = f->inode;
	bool last;

	/*
	 * The inode's lock keeps an open of the FIFO from finding a pipe that is about to go; and the
	 * end that is the last from taking it away before the one before has done with it.
	 */
	mutex_lock(&inode->lock);
	mutex_lock(&p->lock);
	count_ends(p, f, -1);
	last = !p->readers && !p->writers;
	mutex_unlock(&p->lock);
	if (last && inode->special == p)
		inode->special = NULL;
	if (!last)
		wake_everybody(p);
	mutex_unlock(&inode->lock);
	if (last)
		pipe_free(p);
}

static const struct file_ops pipe_file_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

int pipe_create(struct file **read_end, struct file **write_end, u32 flags)
{
	struct pipe *p = pipe_new();
	struct file *r, *w;

	if (!p)
		return -ENOMEM;
	r = file_new_anonymous("pipe", &pipe_file_ops, p, O_RDONLY | (flags & O_NONBLOCK),
			       S_IFIFO | 0600);
	if (IS_ERR(r)) {
		pipe_free(p);
		return (int)PTR_ERR(r);
	}
	count_ends(p, r, 1);
	/* Opened again through /proc/self/fd it behaves as a FIFO. */
	r->inode->file_ops = &fifo_file_ops;
	r->inode->special = p;
	w = file_new_alias(r, &pipe_file_ops, p, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
	if (IS_ERR(w)) {
		file_put(r);
		return (int)PTR_ERR(w);
	}
	mutex_lock(&p->lock);
	count_ends(p, w, 1);
	mutex_unlock(&p->lock);
	*read_end = r;
	*write_end = w;
	return 0;
}

/* --- FIFOs --- */

/* The FIFO's pipe, made if this is the first to open it, with f counted. */
static struct pipe *fifo_join(struct file *f)
{
	struct inode *inode = f->inode;
	struct pipe *p;

	mutex_lock(&inode->lock);
	p = inode->special;
	if (!p)
		p = inode->special = pipe_new();
	if (p) {
		mutex_lock(&p->lock);
		count_ends(p, f, 1);
		if (f->can_read && !p->writers)
			f->pos = p->writer_opens;
		mutex_unlock(&p->lock);
	}
	mutex_unlock(&inode->lock);
	return p;
}

/* Wait until somebody has opened the other end since: *opens is no more what it was. */
static int wait_for_partner(struct pipe *p, u32 *opens, u32 *present)
{
	u32 before = load_relaxed(opens);

	if (load_relaxed(present))
		return 0;
	return wait_event_interruptible(&p->open_wait, load_relaxed(opens) != before);
}

/*
 * fifo(7): a reader waits for a writer and the other way round; without blocking a reader gets
 * through and a writer without readers gets -ENXIO; both directions at once never wait.
 */
static int fifo_open(struct file *f)
{
	struct pipe *p = fifo_join(f);
	int err = 0;

	if (!p)
		return -ENOMEM;
	f->ops = &pipe_file_ops;
	f->data = p;
	f->stream = true;
	waitq_wake_all(&p->open_wait);
	/*
	 * A pipe without a name, opened again through /proc/PID/fd, has had its partners: nobody
	 * waits.
	 */
	if ((f->can_read && f->can_write) || f->path.mount == mount_anonymous())
		return 0;
	if (f->can_read && !(f->flags & O_NONBLOCK))
		err = wait_for_partner(p, &p->writer_opens, &p->writers);
	else if (f->can_write && !(f->flags & O_NONBLOCK))
		err = wait_for_partner(p, &p->reader_opens, &p->readers);
	else if (f->can_write && !load_relaxed(&p->readers))
		err = -ENXIO;
	if (!err)
		return 0;
	pipe_release(f);
	f->data = NULL;
	return err;
}

const struct file_ops fifo_file_ops = {
	.open = fifo_open,
};

/* --- sizes --- */

bool file_is_pipe(const struct file *f)
{
	return f->ops == &pipe_file_ops;
}

long pipe_get_size(struct file *f)
{
	struct pipe *p = f->data;

	return file_is_pipe(f) ? (long)(load_relaxed(&p->limit) * PAGE_SIZE) : -EBADF;
}

long pipe_set_size(struct file *f, u64 bytes)
{
	struct pipe *p = f->data;
	u64 buffers = 1;
	bool grown;

	if (!file_is_pipe(f))
		return -EBADF;
	if (bytes > BIT(31))
		return -EINVAL;
	while (buffers * PAGE_SIZE < bytes)
		buffers *= 2;
	if (buffers * PAGE_SIZE > PIPE_MAX_SIZE && buffers > p->limit &&
	    !cred_capable(cred_current(), CAP_SYS_RESOURCE))
		return -EPERM;
	mutex_lock(&p->lock);
	if (buffers < p->count) {
		mutex_unlock(&p->lock);
		return -EBUSY;
	}
	grown = buffers > p->limit;
	store_relaxed(&p->limit, (u32)buffers);
	mutex_unlock(&p->lock);
	if (grown)
		pipe_wake_writers(p);
	return (long)(buffers * PAGE_SIZE);
}

ssize pipe_transfer(struct file *f, struct iter *it, bool nonblock)
{
	if (!file_is_pipe(f))
		return -EBADF;
	nonblock = nonblock || (f->flags & O_NONBLOCK);
	if (f->can_write)
		return pipe_do_write(f->data, it, nonblock, f->flags & O_DIRECT);
	return pipe_do_read(f->data, it, nonblock);
}
