/*
 * msg.c - System V message queues.
 *
 * The central rule is that of sem.c: who cannot go on queues at the queue, and whoever changes it
 * does what has become possible on behalf of those who wait, in their order, and wakes them with the
 * result. So a message goes straight to the receiver that waits for it, and a sender that waits for
 * room is woken when its message has been put.
 *
 * All is guarded by the table's lock (L).
 */
#include <linux/capability.h>
#include <linux/ipc.h>

#include "lib/err.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"
#include "proc/ipc_priv.h"

struct msg_queue {
	struct ipc_object ipc;
	s64 stime, rtime, ctime;        /* L */
	u64 bytes, limit;               /* L: in messages; and how many there may be */
	u32 count;                      /* L: messages */
	u32 send_pid, receive_pid;      /* L: who did it last */
	struct list messages;           /* L: struct message.link */
	struct list senders, receivers; /* L: struct msg_call.link */
};

/* A call that waits. */
struct msg_call {
	struct list link; /* L */
	struct thread *thread;
	struct message *message; /* L: to be sent, or received */
	s64 type;                /* of a receiver: what it wants */
	u64 room;
	u32 flags;
	u32 pid;
	bool done; /* L: result is valid */
	int result;
};

static struct ipc_table table;
static u64 total_bytes, total_messages; /* L */

void msg_init(void)
{
	ipc_table_init(&table);
}

static struct msg_queue *queue_of(struct ipc_object *o)
{
	return (struct msg_queue *)o; /* the first member; also NULL and errors */
}

struct message *message_new(u64 size)
{
	struct message *m = kmalloc(sizeof(*m) + size);

	if (m)
		m->size = size;
	return m;
}

void message_free(struct message *m)
{
	kfree(m);
}

/* --- messages: L held --- */

static void queue_put(struct msg_queue *q, struct message *m)
{
	list_push_back(&q->messages, &m->link);
	q->bytes += m->size;
	q->count++;
	total_bytes += m->size;
	total_messages++;
}

static void queue_take(struct msg_queue *q, struct message *m)
{
	list_remove(&m->link);
	q->bytes -= m->size;
	q->count--;
	total_bytes -= m->size;
	total_messages--;
}

static bool has_room(const struct msg_queue *q, const struct message *m)
{
	return q->bytes + m->size <= q->limit && q->count + 1 <= q->limit;
}

static bool is_wanted(const struct message *m, s64 type, u32 flags)
{
	if (!type)
		return true;
	if (type < 0)
		return m->type <= -type;
	return (m->type == type) == !(flags & MSG_EXCEPT);
}

/* Of those up to a type the lowest, else the first that is wanted. */
static struct message *find_wanted(const struct msg_queue *q, s64 type, u32 flags)
{
	struct message *m, *found = NULL;

	list_for_each (m, &q->messages, link) {
		if (!is_wanted(m, type, flags) || (found && m->type >= found->type))
			continue;
		found = m;
		if (type >= 0)
			break;
	}
	return found;
}

/* MSG_COPY: by its place in the queue. */
static struct message *find_place(const struct msg_queue *q, s64 place)
{
	struct message *m;

	list_for_each (m, &q->messages, link) {
		if (place-- == 0)
			return m;
	}
	return NULL;
}

/* --- on behalf of others: L held --- */

static void finish_call(struct msg_call *c, int result)
{
	list_remove(&c->link);
	c->result = result;
	c->done = true;
	thread_unpark(c->thread);
}

static void note_received(struct msg_queue *q, u32 pid)
{
	q->receive_pid = pid;
	q->rtime = ipc_now();
}

/* To a receiver that waits for it. False: there is none. Those with too little room hear of that. */
static bool hand_over(struct msg_queue *q, struct message *m)
{
	struct msg_call *c, *next;

	list_for_each_safe (c, next, &q->receivers, link) {
		if (!is_wanted(m, c->type, c->flags))
			continue;
		if (m->size > c->room && !(c->flags & MSG_NOERROR)) {
			finish_call(c, -E2BIG);
			continue;
		}
		c->message = m;
		note_received(q, c->pid);
		finish_call(c, 0);
		return true;
	}
	return false;
}

static void send(struct msg_queue *q, struct message *m, u32 pid)
{
	q->send_pid = pid;
	q->stime = ipc_now();
	if (!hand_over(q, m))
		queue_put(q, m);
}

/* There is more room than before. */
static void serve_senders(struct msg_queue *q)
{
	struct msg_call *c, *next;

	list_for_each_safe (c, next, &q->senders, link) {
		if (!has_room(q, c->message))
			continue;
		send(q, c->message, c->pid);
		finish_call(c, 0);
	}
}

/* --- waiting --- */

static void call_init(struct msg_call *c)
{
	c->thread = thread_current();
	c->pid = process_current()->pid;
}

/* Until somebody has done it, or a signal comes. */
static int wait_for_turn(struct msg_call *c)
{
	int err = 0;

	for (;;) {
		bool done;

		thread_prepare_park();
		spin_lock(&table.lock);
		done = c->done;
		if (!done && err)
			list_remove(&c->link);
		spin_unlock(&table.lock);
		if (done || err) {
			thread_cancel_park();
			return done ? c->result : -ERESTARTNOHAND;
		}
		err = thread_park(true, DEADLINE_NONE);
	}
}

/* L held: the queue, if the caller has the permissions, or ERR_PTR. */
static struct msg_queue *queue_for(s32 id, u32 wanted)
{
	struct msg_queue *q = queue_of(ipc_find(&table, id));

	if (IS_ERR(q))
		return q;
	return ipc_permits(&q->ipc, wanted) ? q : ERR_PTR(-EACCES);
}

int msg_send(s32 id, struct message *m, bool nowait)
{
	struct msg_call c = { .message = m };
	struct msg_queue *q;
	int r = 0;

	call_init(&c);
	spin_lock(&table.lock);
	q = queue_for(id, IPC_MAY_WRITE);
	if (IS_ERR(q)) {
		r = (int)PTR_ERR(q);
	} else if (has_room(q, m)) {
		send(q, m, c.pid);
	} else if (nowait) {
		r = -EAGAIN;
	} else {
		list_push_back(&q->senders, &c.link);
		r = 1;
	}
	spin_unlock(&table.lock);
	return r == 1 ? wait_for_turn(&c) : r;
}

/* L held. 0 with c->message, 1: wait, or an error. */
static int receive(struct msg_queue *q, struct msg_call *c)
{
	struct message *m = find_wanted(q, c->type, c->flags);

	if (!m && c->flags & IPC_NOWAIT)
		return -ENOMSG;
	if (!m) {
		list_push_back(&q->receivers, &c->link);
		return 1;
	}
	if (m->size > c->room && !(c->flags & MSG_NOERROR))
		return -E2BIG;
	queue_take(q, m);
	note_received(q, c->pid);
	c->message = m;
	serve_senders(q);
	return 0;
}

int msg_receive(s32 id, u64 room, s64 type, u32 flags, struct message **out)
{
	/* -INT64_MIN is none: all types. */
	struct msg_call c = { .type = max(type, -INT64_MAX), .room = room, .flags = flags };
	struct msg_queue *q;
	int r;

	call_init(&c);
	spin_lock(&table.lock);
	q = queue_for(id, IPC_MAY_READ);
	r = IS_ERR(q) ? (int)PTR_ERR(q) : receive(q, &c);
	spin_unlock(&table.lock);
	if (r == 1)
		r = wait_for_turn(&c);
	*out = c.message;
	return r;
}

int msg_copy(s32 id, u64 room, s64 place, bool noerror, struct message **out)
{
	struct message *copy = message_new(min(room, (u64)MSG_SIZE_MAX)), *m = NULL;
	struct msg_queue *q;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	spin_lock(&table.lock);
	q = queue_for(id, IPC_MAY_READ);
	if (!IS_ERR(q))
		m = find_place(q, place);
	if (IS_ERR(q))
		r = (int)PTR_ERR(q);
	else if (!m)
		r = -ENOMSG;
	else if (m->size > room) /* Linux copies whole messages only */
		r = noerror ? -EINVAL : -E2BIG;
	if (!r) {
		copy->type = m->type;
		copy->size = m->size;
		memcpy(copy->data, m->data, copy->size);
		*out = copy;
		copy = NULL;
	}
	spin_unlock(&table.lock);
	message_free(copy);
	return r;
}

/* --- msgget, msgctl --- */

static int find_for_get(s32 key, u32 flags, bool *none)
{
	struct msg_queue *q = queue_of(ipc_get_existing(&table, key, flags));

	*none = !q;
	if (!q || IS_ERR(q))
		return (int)PTR_ERR(q);
	return ipc_permits(&q->ipc, flags) ? q->ipc.status.id : -EACCES;
}

int msg_get(s32 key, u32 flags)
{
	struct msg_queue *fresh = kzalloc(sizeof(*fresh));
	bool none;
	int id;

	if (!fresh)
		return -ENOMEM;
	ipc_object_init(&fresh->ipc, key, flags);
	fresh->limit = MSG_QUEUE_BYTES;
	fresh->ctime = ipc_now();
	list_init(&fresh->messages);
	list_init(&fresh->senders);
	list_init(&fresh->receivers);
	spin_lock(&table.lock);
	id = find_for_get(key, flags, &none);
	if (none)
		id = ipc_enter(&table, &fresh->ipc, MSG_QUEUES_MAX);
	if (none && !id) {
		id = fresh->ipc.status.id;
		fresh = NULL;
	}
	spin_unlock(&table.lock);
	kfree(fresh);
	return id;
}

static void fill_status(const struct msg_queue *q, struct msg_status *out)
{
	*out = (struct msg_status){
		.ipc = q->ipc.status,
		.stime = q->stime,
		.rtime = q->rtime,
		.ctime = q->ctime,
		.bytes = q->bytes,
		.limit = q->limit,
		.count = q->count,
		.send_pid = q->send_pid,
		.receive_pid = q->receive_pid,
	};
}

int msg_stat(s32 id, enum ipc_which which, struct msg_status *out)
{
	spin_lock(&table.lock);
	struct ipc_object *o = ipc_find_status(&table, id, which);
	if (!IS_ERR(o))
		fill_status(queue_of(o), out);
	spin_unlock(&table.lock);
	return IS_ERR(o) ? (int)PTR_ERR(o) : 0;
}

bool msg_next(u64 *place, struct msg_status *out)
{
	struct ipc_object *o;

	spin_lock(&table.lock);
	o = ipc_next(&table, place);
	if (o)
		fill_status(queue_of(o), out);
	spin_unlock(&table.lock);
	return o;
}

u32 msg_totals(u32 *queues, u64 *messages, u64 *bytes)
{
	u32 highest;

	spin_lock(&table.lock);
	*queues = table.count;
	*messages = total_messages;
	*bytes = total_bytes;
	highest = ipc_highest_place(&table);
	spin_unlock(&table.lock);
	return highest;
}

/* L held: the queue, if the caller may change it, or ERR_PTR. */
static struct msg_queue *owned_queue(s32 id)
{
	struct msg_queue *q = queue_of(ipc_find(&table, id));

	return IS_ERR(q) || ipc_owned(&q->ipc) ? q : ERR_PTR(-EPERM);
}

int msg_set(s32 id, u32 uid, u32 gid, u32 mode, u64 limit)
{
	struct msg_queue *q;
	int err;

	spin_lock(&table.lock);
	q = owned_queue(id);
	if (IS_ERR(q))
		err = (int)PTR_ERR(q);
	else if (limit > MSG_QUEUE_BYTES && !cred_capable(cred_current(), CAP_SYS_RESOURCE))
		err = -EPERM;
	else
		err = ipc_set(&q->ipc, uid, gid, mode);
	if (!err) {
		q->limit = limit;
		q->ctime = ipc_now();
		serve_senders(q);
	}
	spin_unlock(&table.lock);
	return err;
}

/* Nobody finds it any more, and nobody waits for it. */
static void free_queue(struct msg_queue *q)
{
	struct message *m, *next;

	list_for_each_safe (m, next, &q->messages, link)
		message_free(m);
	kfree(q);
}

static void give_up_calls(struct list *calls)
{
	struct msg_call *c, *next;

	list_for_each_safe (c, next, calls, link)
		finish_call(c, -EIDRM);
}

int msg_remove(s32 id)
{
	struct msg_queue *q;

	spin_lock(&table.lock);
	q = owned_queue(id);
	if (!IS_ERR(q)) {
		ipc_remove(&table, &q->ipc);
		total_bytes -= q->bytes;
		total_messages -= q->count;
		give_up_calls(&q->senders);
		give_up_calls(&q->receivers);
	}
	spin_unlock(&table.lock);
	if (IS_ERR(q))
		return (int)PTR_ERR(q);
	free_queue(q);
	return 0;
}
