/*
 * stream.c - sending into and receiving from the stream of bytes between two local sockets.
 *
 * The rule: bytes are copied outside of the spinlock. A sender fills buffers of its own and
 * appends them; a receiver, one at a time, copies out of the first buffer, which nobody else takes
 * away, and then removes it. Only what is shorter than TAIL_MAX is copied twice: it goes to the end
 * of the last buffer if there is room, so that many small sends do not take a buffer each.
 *
 * Urgent data (MSG_OOB) as on Linux: the byte stays in its place as a mark. A receive stops before
 * it once; then it is dropped, or received where SO_OOBINLINE is on; taken by MSG_OOB it leaves an
 * empty buffer, which is a mark, too. A later one makes an earlier one ordinary.
 */
#include "net/stream.h"

#include "lib/print.h"
#include "lib/string.h"

#define TAIL_MAX 128u      /* bytes that may be put to the end of the last buffer */
#define TAIL_CAPACITY 192u /* of a buffer begun by so few */
#define BATCH_MAX 32768u   /* bytes that are copied in before they are appended */
#define WAKE_FRACTION 4    /* senders are woken when no more than 1/4 of the limit is in use */
#define BATCH_OF_LIMIT 2   /* a batch is at most half of the limit */

void stream_init(struct stream *t, bool bounded_by_reader)
{
	mutex_init(&t->reading, RANK_SOCKET_READ);
	spin_init(&t->lock, RANK_SOCKET_QUEUE);
	list_init(&t->buffers);
	t->bounded_by_reader = bounded_by_reader;
}

static void list_move_all(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *item = from->next;

		list_remove(item);
		list_push_back(to, item);
	}
}

bool stream_close(struct stream *t, struct list *left)
{
	bool unread;

	spin_lock(&t->lock);
	unread = t->bytes != 0;
	t->closed = true;
	t->bytes = t->charge = 0;
	t->urgent = NULL;
	list_move_all(&t->buffers, left);
	spin_unlock(&t->lock);
	return unread;
}

/* --- sending --- */

static u64 stream_limit(const struct stream *t, const struct socket *sender,
			const struct socket *receiver)
{
	u64 limit = (u64)load_relaxed(&sender->send_buffer);

	if (t->bounded_by_reader)
		limit += (u64)load_relaxed(&receiver->receive_buffer);
	return limit;
}

bool stream_has_room(const struct stream *t, const struct socket *sender,
		     const struct socket *receiver)
{
	return load_relaxed(&t->charge) * WAKE_FRACTION <= stream_limit(t, sender, receiver);
}

/* A receiver that has shut down takes no more, but for one of TCP, whose sender never hears of it. */
static bool receiver_deaf(const struct stream *t, const struct stream_send *s)
{
	return !t->bounded_by_reader && load_acquire(&s->peer->shutdown) & SHUTDOWN_RECEIVE;
}

/* May the sender go on? 0, -EPIPE, or its pending error. */
static int send_check(const struct stream *t, const struct stream_send *s)
{
	int err;

	if (load_acquire(&s->self->shutdown) & SHUTDOWN_SEND)
		return -EPIPE;
	err = socket_take_error(s->self);
	if (err)
		return err;
	return receiver_deaf(t, s) ? -EPIPE : 0;
}

struct room_wait {
	const struct stream *t;
	const struct stream_send *s;
};

static bool room_or_end(void *arg)
{
	const struct room_wait *w = arg;

	return load_relaxed(&w->t->charge) < stream_limit(w->t, w->s->self, w->s->peer) ||
	       load_acquire(&w->s->self->shutdown) & SHUTDOWN_SEND ||
	       load_relaxed(&w->s->self->error) || receiver_deaf(w->t, w->s);
}

/* Append n bytes to the last buffer, if that has room and nothing of its own. Q held. */
static bool append_to_last(struct stream *t, const void *bytes, u32 n)
{
	struct net_buffer *last;

	if (list_empty(&t->buffers))
		return false;
	last = list_entry(t->buffers.prev, struct net_buffer, link);
	if (last->ancillary || last->urgent || last->capacity - last->offset - last->length < n)
		return false;
	memcpy(last->data + last->offset + last->length, bytes, n);
	store_release(&last->length, last->length + n);
	return true;
}

/*
 * A short piece: to the end of the last buffer, or into a new one. Bytes, or -EPIPE, -EFAULT,
 * -ENOMEM.
 */
static ssize send_short(struct stream *t, struct iter *it, u32 n)
{
	u8 bytes[TAIL_MAX];
	struct net_buffer *b = NULL;
	bool done, closed;

	if (iter_copy_from(it, bytes, n) < n)
		return -EFAULT;
	for (;;) {
		spin_lock(&t->lock);
		closed = t->closed;
		done = !closed && append_to_last(t, bytes, n);
		if (!done && !closed && b) {
			memcpy(b->data, bytes, n);
			b->length = n;
			list_push_back(&t->buffers, &b->link);
			t->charge += b->charge;
			b = NULL;
			done = true;
		}
		if (done) {
			t->bytes += n;
			t->appended++;
		}
		spin_unlock(&t->lock);
		if (done || closed)
			break;
		b = net_buffer_new(TAIL_CAPACITY);
		if (!b)
			return -ENOMEM;
	}
	if (b)
		net_buffer_free(b);
	return done ? (ssize)n : -EPIPE;
}

static void batch_free(struct list *batch, const struct stream_send *s)
{
	struct net_buffer *b;

	list_for_each (b, batch, link) {
		if (b->ancillary)
			s->ancillary_free(b->ancillary);
		b->ancillary = NULL;
	}
	net_buffers_free(batch);
}

/* Give each buffer of the batch what it carries: 0 or -ENOMEM. */
static int batch_equip(struct list *batch, struct stream_send *s, bool first)
{
	struct net_buffer *b;

	list_for_each (b, batch, link) {
		struct ancillary *a = s->ancillary(s, first);

		if (IS_ERR(a))
			return (int)PTR_ERR(a);
		b->ancillary = a;
		first = false;
	}
	return 0;
}

static void batch_append(struct stream *t, struct list *batch, size_t n, u64 charge, bool urgent)
{
	if (urgent) {
		struct net_buffer *b = list_first(batch, struct net_buffer, link);

		b->urgent = true;
		t->urgent = b;
	}
	list_move_all(batch, &t->buffers);
	t->bytes += n;
	t->charge += charge;
	t->appended++;
}

/* Buffers of n bytes: n, or -EPIPE, -EFAULT, -ENOMEM. */
static ssize send_batch(struct stream *t, struct stream_send *s, struct iter *it, size_t n,
			bool first, bool urgent)
{
	struct list batch = LIST_INIT(batch);
	u64 charge = 0;
	bool closed;
	int err = net_buffers_fill(&batch, it, n, &charge);

	if (err)
		return err;
	err = s->ancillary ? batch_equip(&batch, s, first) : 0;
	if (!err) {
		spin_lock(&t->lock);
		closed = t->closed;
		if (!closed)
			batch_append(t, &batch, n, charge, urgent);
		spin_unlock(&t->lock);
		err = closed ? -EPIPE : 0;
	}
	batch_free(&batch, s);
	return err ? err : (ssize)n;
}

/* Wait for room: 0, or why not to go on. */
static int send_wait(struct stream *t, struct stream_send *s)
{
	struct room_wait w = { t, s };
	int err;

	for (;;) {
		err = send_check(t, s);
		if (err)
			return err;
		if (load_relaxed(&t->charge) < stream_limit(t, s->self, s->peer))
			return 0;
		if (!s->deadline)
			return -EAGAIN;
		err = socket_wait(&s->self->send_wait, room_or_end, &w, s->deadline);
		if (err)
			return err;
	}
}

/* How much of `left` bytes the next step takes. */
static size_t send_step(const struct stream *t, const struct stream_send *s, size_t left)
{
	u64 half = stream_limit(t, s->self, s->peer) / BATCH_OF_LIMIT;

	if (s->urgent && left > 1)
		left--;
	return min(left, min((u64)BATCH_MAX, half));
}

ssize stream_send(struct stream *t, struct stream_send *s, struct iter *it)
{
	ssize done = 0, sent;
	int err = send_check(t, s);

	while (!err && it->left) {
		bool urgent = s->urgent && it->left == 1;
		size_t n;

		err = send_wait(t, s);
		if (err)
			break;
		n = send_step(t, s, it->left);
		if (n <= TAIL_MAX && !s->ancillary && !urgent)
			sent = send_short(t, it, (u32)n);
		else
			sent = send_batch(t, s, it, n, !done, urgent);
		if (sent < 0) {
			err = (int)sent;
			break;
		}
		done += sent;
		socket_wake_receivers(s->peer);
		if (urgent)
			socket_signal_urgent(s->peer);
	}
	return done ? done : err;
}

/* --- receiving --- */

/* Where a receive stands. */
struct cursor {
	struct net_buffer *b; /* NULL: behind the last one */
	u64 skip;             /* bytes of it that are passed over (peek) */
	size_t done, wanted;  /* bytes */
};

/* Q held. */
static struct net_buffer *buffer_next(struct stream *t, struct net_buffer *b)
{
	return b->link.next == &t->buffers ? NULL
					   : list_entry(b->link.next, struct net_buffer, link);
}

/* To the next buffer, nothing having been received from this one. */
static void cursor_step(struct stream *t, struct cursor *c)
{
	spin_lock(&t->lock);
	c->b = buffer_next(t, c->b);
	spin_unlock(&t->lock);
}

static void ancillary_drop(struct net_buffer *b, const struct stream_receive *r)
{
	if (b->ancillary)
		r->ancillary_free(b->ancillary);
	b->ancillary = NULL;
}

/* b was taken out of the list; it is nobody else's now. */
static void buffer_discard(struct stream *t, const struct stream_receive *r, struct net_buffer *b)
{
	ancillary_drop(b, r);
	net_buffer_free(b);
	if (r->peer && stream_has_room(t, r->peer, r->self))
		socket_wake_senders(r->peer);
}

/* Take b out, whatever it still holds. Q and `reading` held. */
static void buffer_detach(struct stream *t, struct net_buffer *b)
{
	list_remove(&b->link);
	t->bytes -= b->length;
	t->charge -= b->charge;
}

/*
 * c stands at a mark or at an empty buffer: step over it as urgent data want it. True: the call
 * ends here. Q is not held, `reading` is.
 */
static bool pass_mark(struct stream *t, const struct stream_receive *r, struct cursor *c)
{
	struct net_buffer *b = c->b, *next;
	bool peek = r->flags & MSG_PEEK, in_line = socket_option(r->self, OPTION_OOBINLINE),
	     is_mark, newer, stop, pass;

	spin_lock(&t->lock);
	is_mark = t->urgent == b;
	newer = t->urgent && !is_mark;
	next = buffer_next(t, b);
	stop = c->done && (is_mark || (!b->length && !newer));
	if (is_mark && !stop && !peek)
		t->urgent = NULL;
	pass = !stop && !(is_mark && in_line);
	if (pass && !peek)
		buffer_detach(t, b);
	spin_unlock(&t->lock);
	if (!pass)
		return stop;
	c->b = next;
	if (!peek)
		buffer_discard(t, r, b);
	return false;
}

/* Is b a mark that has to be dealt with? */
static bool is_special(struct stream *t, const struct net_buffer *b)
{
	return b->urgent && (!b->length || load_relaxed(&t->urgent) == b);
}

/* Copy from the cursor's buffer: bytes, or -EFAULT with nothing taken. */
static ssize buffer_copy(const struct stream_receive *r, struct cursor *c, struct iter *it)
{
	u32 length = load_acquire(&c->b->length);
	size_t n = min((u64)length - c->skip, c->wanted - c->done), got;

	if (r->discard)
		return (ssize)n;
	got = iter_copy_to(it, c->b->data + c->b->offset + c->skip, n);
	if (got == n)
		return (ssize)n;
	iter_revert(it, got);
	return -EFAULT;
}

/* n bytes of b were received: it may be used up now, and then c goes on to the next. */
static void buffer_consume(struct stream *t, const struct stream_receive *r, struct cursor *c,
			   u32 n)
{
	struct net_buffer *b = c->b, *next;
	bool empty;

	spin_lock(&t->lock);
	b->offset += n;
	b->length -= n;
	t->bytes -= n;
	empty = b->length == 0;
	next = buffer_next(t, b);
	if (empty)
		buffer_detach(t, b);
	spin_unlock(&t->lock);
	if (!empty)
		return;
	c->b = next;
	buffer_discard(t, r, b);
}

static void peek_offset_move(struct socket *s, s32 by)
{
	s32 offset = load_relaxed(&s->peek_offset);

	if (offset >= 0)
		store_relaxed(&s->peek_offset, max(offset + by, 0));
}

/*
 * Receive what is there, from the first buffer on. 0: all of it, and there may be more to come; 1:
 * the call ends here; -EFAULT where nothing was received. `reading` held.
 */
static int receive_queued(struct stream *t, struct stream_receive *r, struct iter *it,
			  struct cursor *c)
{
	bool peek = r->flags & MSG_PEEK, last;

	while (c->b) {
		u64 length;
		ssize got;

		if (is_special(t, c->b)) {
			struct net_buffer *b = c->b;

			if (pass_mark(t, r, c))
				return 1;
			if (c->b != b)
				continue;
		}
		length = load_acquire(&c->b->length);
		if (c->skip && c->skip >= length) {
			c->skip -= length;
			cursor_step(t, c);
			continue;
		}
		got = r->before ? r->before(r, c->b) : 0;
		if (!got)
			got = buffer_copy(r, c, it);
		else if (got == 1)
			return 1;
		if (got < 0)
			return c->done ? 1 : (int)got;
		c->done += (size_t)got;
		last = r->after && !r->after(r, c->b);
		peek_offset_move(r->self, peek ? (s32)got : -(s32)got);
		if (peek) {
			c->skip = 0;
			cursor_step(t, c);
		} else {
			buffer_consume(t, r, c, (u32)got);
		}
		if (last || c->done == c->wanted)
			return 1;
	}
	return peek && c->done;
}

struct data_wait {
	const struct stream *t;
	const struct socket *self;
	u64 seen; /* appends */
};

static bool data_or_end(void *arg)
{
	const struct data_wait *w = arg;

	return load_relaxed(&w->t->appended) != w->seen ||
	       load_acquire(&w->self->shutdown) & SHUTDOWN_RECEIVE || load_relaxed(&w->self->error);
}

/* Nothing is queued: 1: the end; 0: look again; or errno. `reading` is released and taken. */
static int receive_wait(struct stream *t, struct stream_receive *r, u64 seen)
{
	struct data_wait w = { t, r->self, seen };
	int err = socket_take_error(r->self);

	if (err)
		return err;
	if (load_acquire(&r->self->shutdown) & SHUTDOWN_RECEIVE)
		return load_relaxed(&t->appended) == seen; /* what came before it counts */
	if (!r->deadline)
		return -EAGAIN;
	mutex_unlock(&t->reading);
	err = socket_wait(&r->self->receive_wait, data_or_end, &w, r->deadline);
	mutex_lock(&t->reading);
	return err;
}

/* Put the cursor to where this call (goes on to) receive from; *seen: appends until now. */
static void cursor_set(struct stream *t, const struct stream_receive *r, struct cursor *c,
		       u64 *seen)
{
	s32 offset = load_relaxed(&r->self->peek_offset);

	c->skip = r->flags & MSG_PEEK && offset > 0 ? (u64)offset : 0;
	spin_lock(&t->lock);
	c->b = list_first(&t->buffers, struct net_buffer, link);
	*seen = t->appended;
	spin_unlock(&t->lock);
}

ssize stream_receive(struct stream *t, struct stream_receive *r, struct iter *it)
{
	struct cursor c = { .wanted = it->left };
	size_t target = r->flags & MSG_WAITALL
				? c.wanted
				: min(c.wanted, (size_t)load_relaxed(&r->self->receive_low));
	u64 seen;
	int end = 0;

	target = max(target, (size_t)1);
	mutex_lock(&t->reading);
	for (;;) {
		cursor_set(t, r, &c, &seen);
		end = receive_queued(t, r, it, &c);
		if (end || c.done >= target)
			break;
		end = receive_wait(t, r, seen);
		if (end)
			break;
	}
	mutex_unlock(&t->reading);
	if (stream_bytes(t))
		waitq_wake_one(&r->self->receive_wait);
	if (c.done)
		return (ssize)c.done;
	return end < 0 ? end : 0;
}

/* --- urgent data --- */

ssize stream_receive_urgent(struct stream *t, struct socket *self, struct iter *it, bool peek)
{
	struct net_buffer *b;
	u8 byte = 0;

	if (socket_option(self, OPTION_OOBINLINE))
		return -EINVAL;
	mutex_lock(&t->reading);
	spin_lock(&t->lock);
	b = t->urgent;
	if (b) {
		byte = b->data[b->offset];
		if (!peek) {
			t->urgent = NULL;
			t->bytes -= b->length;
			b->length = 0; /* it stays as a mark */
		}
	}
	spin_unlock(&t->lock);
	mutex_unlock(&t->reading);
	if (!b)
		return -EINVAL;
	if (!it->left)
		return 1;
	return iter_copy_to(it, &byte, 1) == 1 ? 1 : -EFAULT;
}

bool stream_at_mark(struct stream *t)
{
	struct net_buffer *b, *next;
	bool at = false;

	spin_lock(&t->lock);
	b = list_first(&t->buffers, struct net_buffer, link);
	if (b && b == t->urgent) {
		at = true;
	} else if (b && b->urgent && !b->length) {
		next = buffer_next(t, b);
		at = !t->urgent || next == t->urgent;
	}
	spin_unlock(&t->lock);
	return at;
}
