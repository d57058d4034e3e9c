/*
 * splice.c - splice, tee: data between a pipe and another file without a program's memory.
 *
 * Whole buffers move where both sides are pipes; else the bytes are copied once, from or to a
 * buffer that is in no pipe at that moment, so that no pipe is locked while the other file reads or
 * writes. What the other file did not take is put back in front; what it gave is appended even if
 * the pipe has filled up meanwhile: data never gets lost.
 */
#include <asm-generic/fcntl.h>

#include "fs/pipe_priv.h"
#include "lib/string.h"
#include "proc/proc.h"

/*
 * Wait until p has a buffer to take and take it, cut to n bytes. NULL: end of data.
 * ERR_PTR(-EAGAIN, -ERESTARTSYS, -ENOMEM).
 */
static struct pipe_buffer *take_buffer(struct pipe *p, size_t n, bool nonblock)
{
	struct pipe_buffer *b = NULL, *part;
	bool more;

	mutex_lock(&p->lock);
	while (!p->count) {
		bool ended = !p->writers;

		mutex_unlock(&p->lock);
		if (ended)
			return NULL;
		if (nonblock)
			return ERR_PTR(-EAGAIN);
		int err = pipe_wait_data(p);

		if (err)
			return ERR_PTR(err);
		mutex_lock(&p->lock);
	}
	b = pipe_take_first(p);
	if (b->length > n) {
		part = pipe_buffer_new();
		if (part) {
			memcpy(part->data, b->data + b->offset, n);
			part->length = n;
			b->offset += n;
			b->length -= n;
		}
		pipe_put_back(p, b);
		b = part ? part : ERR_PTR(-ENOMEM);
	}
	more = p->count != 0;
	mutex_unlock(&p->lock);
	if (more)
		waitq_wake_one(&p->read_wait);
	return b;
}

static void put_back(struct pipe *p, struct pipe_buffer *b)
{
	mutex_lock(&p->lock);
	pipe_put_back(p, b);
	mutex_unlock(&p->lock);
	pipe_wake_readers(p);
}

/* Wait until p can take a buffer: buffers it can take, or -EPIPE, -EAGAIN, -ERESTARTSYS. */
static ssize wait_room(struct pipe *p, bool nonblock)
{
	for (;;) {
		ssize room;

		mutex_lock(&p->lock);
		room = p->count < p->limit ? (ssize)(p->limit - p->count) : 0;
		if (!p->readers)
			room = -EPIPE;
		mutex_unlock(&p->lock);
		if (room)
			return room;
		if (nonblock)
			return -EAGAIN;
		int err = pipe_wait_room(p);

		if (err)
			return err;
	}
}

static void append(struct pipe *p, struct pipe_buffer *b)
{
	mutex_lock(&p->lock);
	pipe_append(p, b);
	mutex_unlock(&p->lock);
	pipe_wake_readers(p);
}

static ssize splice_pipe_to_pipe(struct pipe *in, struct pipe *out, size_t n, bool nonblock)
{
	ssize done = 0;

	while ((size_t)done < n) {
		ssize room = wait_room(out, nonblock || done);
		struct pipe_buffer *b;

		if (room < 0)
			return done ? done : room;
		b = take_buffer(in, n - done, nonblock || done);
		if (!b || IS_ERR(b))
			return done || !b ? done : PTR_ERR(b);
		done += b->length;
		append(out, b);
		pipe_wake_writers(in);
	}
	return done;
}

/* Write b out; what is left is put back. Bytes, or an error if none. */
static ssize write_buffer(struct pipe *in, struct pipe_buffer *b, struct file *out, u64 *pos)
{
	struct iter it;
	ssize got;

	iter_init_kernel(&it, b->data + b->offset, b->length);
	got = file_write(out, &it, pos);
	if (got > 0) {
		b->offset += got;
		b->length -= got;
	}
	if (b->length)
		put_back(in, b);
	else
		pipe_buffer_free(b);
	return got;
}

static ssize splice_pipe_to_file(struct pipe *in, struct file *out, u64 *pos, size_t n,
				 bool nonblock)
{
	ssize done = 0;

	while ((size_t)done < n) {
		struct pipe_buffer *b = take_buffer(in, n - done, nonblock || done);
		ssize got;
		u32 length;

		if (!b || IS_ERR(b))
			return done || !b ? done : PTR_ERR(b);
		length = b->length;
		got = write_buffer(in, b, out, pos);
		if (got < 0)
			return done ? done : got;
		done += got;
		pipe_wake_writers(in);
		if ((size_t)got < length)
			break;
	}
	return done;
}

static ssize splice_file_to_pipe(struct file *in, u64 *pos, struct pipe *out, size_t n,
				 bool nonblock)
{
	ssize room = wait_room(out, nonblock);
	ssize done = 0;

	if (room < 0)
		return room;
	for (; room && (size_t)done < n; room--) {
		struct pipe_buffer *b = pipe_buffer_new();
		size_t want = min((size_t)PAGE_SIZE, n - done);
		struct iter it;
		ssize got;

		if (!b)
			return done ? done : -ENOMEM;
		iter_init_kernel(&it, b->data, want);
		got = nonblock ? file_read_nonblock(in, &it, pos) : file_read(in, &it, pos);
		if (got <= 0) {
			pipe_buffer_free(b);
			return done ? done : got;
		}
		b->length = got;
		append(out, b);
		done += got;
		if ((size_t)got < want || in->stream)
			break;
	}
	return done;
}

ssize pipe_splice(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t n,
		  bool nonblock)
{
	bool from_pipe = file_is_pipe(in), to_pipe = file_is_pipe(out);

	if (!in->can_read || !out->can_write)
		return -EBADF;
	if ((from_pipe && in_pos) || (to_pipe && out_pos))
		return -ESPIPE;
	if (!from_pipe && !to_pipe)
		return -EINVAL;
	if (!to_pipe && (out->flags & O_APPEND))
		return -EINVAL;
	if (!n)
		return 0;
	if (from_pipe && to_pipe) {
		if (in->data == out->data)
			return -EINVAL;
		nonblock = nonblock || (in->flags & O_NONBLOCK) || (out->flags & O_NONBLOCK);
		return splice_pipe_to_pipe(in->data, out->data, n, nonblock);
	}
	if (from_pipe)
		return splice_pipe_to_file(in->data, out, out_pos, n,
					   nonblock || (in->flags & O_NONBLOCK));
	return splice_file_to_pipe(in, in_pos, out->data, n, nonblock || (out->flags & O_NONBLOCK));
}

/* A copy of the first n bytes of `from`. */
static struct pipe_buffer *buffer_copy(const struct pipe_buffer *from, size_t n)
{
	struct pipe_buffer *b = pipe_buffer_new();

	if (!b)
		return NULL;
	b->length = min((u32)n, from->length);
	b->packet = from->packet;
	memcpy(b->data, from->data + from->offset, b->length);
	return b;
}

/*
 * Copies of what p holds now, at most n bytes and `room` buffers, onto list: bytes, or -ENOMEM if
 * none.
 */
static ssize copy_buffers(struct pipe *p, size_t n, ssize room, struct list *copies)
{
	struct pipe_buffer *b, *copy;
	ssize done = 0;

	mutex_lock(&p->lock);
	list_for_each (b, &p->buffers, link) {
		if (!room-- || (size_t)done == n)
			break;
		copy = buffer_copy(b, n - done);
		if (!copy) {
			done = done ? done : -ENOMEM;
			break;
		}
		list_push_back(copies, &copy->link);
		done += copy->length;
	}
	mutex_unlock(&p->lock);
	return done;
}

ssize pipe_tee(struct file *in, struct file *out, size_t n, bool nonblock)
{
	struct pipe *from = in->data, *to = out->data;
	struct list copies = LIST_INIT(copies);
	struct pipe_buffer *b, *next;
	ssize done;

	if (!in->can_read || !out->can_write)
		return -EBADF;
	if (!file_is_pipe(in) || !file_is_pipe(out) || from == to)
		return -EINVAL;
	nonblock = nonblock || (in->flags & O_NONBLOCK) || (out->flags & O_NONBLOCK);
	if (!n)
		return 0;
	for (;;) {
		ssize room = wait_room(to, nonblock);

		if (room < 0)
			return room;
		done = copy_buffers(from, n, room, &copies);
		if (done || !load_relaxed(&from->writers))
			break;
		if (nonblock)
			return -EAGAIN;
		int err = pipe_wait_data(from);

		if (err)
			return err;
	}
	list_for_each_safe (b, next, &copies, link) {
		list_remove(&b->link);
		append(to, b);
	}
	return done;
}
