/*
 * sem.c - System V semaphores: sets of them, operations on several at once, and what is undone when
 * a process ends.
 *
 * The central rule of semop(2): the operations of one call happen all at once or not at all. A call
 * that cannot go on queues itself at the set; whoever changes a set tries the calls in the queue in
 * their order, does what has become possible on their behalf, and wakes them with the result. So
 * nobody who is woken has to look again, and who came first is served first.
 *
 * All is guarded by the table's lock (L).
 */
#include <linux/ipc.h>

#include "lib/err.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"
#include "proc/ipc_priv.h"

#define ADJUST_MAX SEM_VALUE_MAX /* SEMAEM */

struct semaphore {
	u32 value, pid; /* L: of the last to operate on it */
};

struct sem_set {
	struct ipc_object ipc;
	s64 otime, ctime;        /* L */
	u32 count;               /* C */
	struct list waiting;     /* L: struct sem_call.link, in order of arrival */
	struct list undos;       /* L: struct sem_undo.set_link */
	struct semaphore sems[]; /* L */
};

/* What a process has to undo in one set: there is one for each set it has used SEM_UNDO on. */
struct sem_undo {
	struct list process_link; /* L: in process->sem_undos */
	struct list set_link;     /* L */
	struct sem_set *set;      /* C */
	s32 adjust[];             /* L: to be added at the end, for each semaphore */
};

/* A call that is under way. */
struct sem_call {
	struct list link; /* L: while it waits */
	const struct sem_operation *operations;
	u32 count;
	struct sem_undo *undo; /* NULL: nothing is undone */
	u32 pid;
	const struct sem_operation *blocking; /* L: what it waits for */
	struct thread *thread;
	bool done; /* L: result is valid */
	int result;
};

static struct ipc_table table;
static u64 total; /* L: semaphores in all sets */

void sem_init(void)
{
	ipc_table_init(&table);
}

static struct sem_set *set_of(struct ipc_object *o)
{
	return (struct sem_set *)o; /* the first member; also NULL and errors */
}

/* --- operations: L held --- */

static void take_back(struct sem_set *s, struct sem_call *c, u32 done)
{
	while (done--) {
		const struct sem_operation *o = &c->operations[done];

		s->sems[o->number].value -= (u32)o->change;
		if (o->undo)
			c->undo->adjust[o->number] += o->change;
	}
}

/* One operation: 0; 1: it has to wait; or -ERANGE. */
static int operate_one(struct sem_set *s, struct sem_call *c, const struct sem_operation *o)
{
	struct semaphore *sem = &s->sems[o->number];
	s32 value = (s32)sem->value + o->change;

	if ((!o->change && sem->value) || value < 0)
		return 1;
	if (value > (s32)SEM_VALUE_MAX)
		return -ERANGE;
	if (o->undo) {
		s32 adjust = c->undo->adjust[o->number] - o->change;

		if (adjust < -(s32)ADJUST_MAX - 1 || adjust > (s32)ADJUST_MAX)
			return -ERANGE;
		c->undo->adjust[o->number] = adjust;
	}
	sem->value = (u32)value;
	return 0;
}

/* All of the call's operations, or none: 0; 1: it has to wait; -EAGAIN, -ERANGE. */
static int operate(struct sem_set *s, struct sem_call *c)
{
	int r = 0;
	u32 i;

	for (i = 0; i < c->count && !r; i++) {
		r = operate_one(s, c, &c->operations[i]);
		if (r) {
			take_back(s, c, i);
			c->blocking = &c->operations[i];
		}
	}
	if (r == 1 && c->blocking->nowait)
		return -EAGAIN;
	for (i = 0; i < c->count && !r; i++)
		s->sems[c->operations[i].number].pid = c->pid;
	return r;
}

static bool alters(const struct sem_call *c)
{
	for (u32 i = 0; i < c->count; i++) {
		if (c->operations[i].change)
			return true;
	}
	return false;
}

static void finish_call(struct sem_call *c, int result)
{
	list_remove(&c->link);
	c->result = result;
	c->done = true;
	thread_unpark(c->thread);
}

/* The set has changed: do what can be done now, again from the first after each that alters it. */
static void serve_waiting(struct sem_set *s)
{
	struct sem_call *c, *next;
	bool again;

	do {
		again = false;
		list_for_each_safe (c, next, &s->waiting, link) {
			int r = operate(s, c);

			if (r == 1)
				continue;
			if (!r)
				s->otime = ipc_now();
			again = !r && alters(c);
			finish_call(c, r);
			if (again)
				break;
		}
	} while (again);
}

/* --- what is undone --- */

static struct sem_undo *undo_find(const struct process *p, const struct sem_set *s)
{
	struct sem_undo *u;

	list_for_each (u, &p->sem_undos, process_link) {
		if (u->set == s)
			return u;
	}
	return NULL;
}

static void undo_free(struct sem_undo *u)
{
	list_remove(&u->process_link);
	list_remove(&u->set_link);
	kfree(u);
}

static void undo_apply(struct sem_undo *u, u32 pid)
{
	struct sem_set *s = u->set;

	for (u32 i = 0; i < s->count; i++) {
		if (!u->adjust[i])
			continue;
		s->sems[i].value =
			(u32)clamp((s32)s->sems[i].value + u->adjust[i], 0, (s32)SEM_VALUE_MAX);
		s->sems[i].pid = pid;
	}
}

void sem_process_exit(struct process *p)
{
	struct sem_undo *u, *next;

	spin_lock(&table.lock);
	list_for_each_safe (u, next, &p->sem_undos, process_link) {
		struct sem_set *s = u->set;

		undo_apply(u, p->pid);
		undo_free(u);
		s->otime = ipc_now();
		serve_waiting(s);
	}
	spin_unlock(&table.lock);
}

/* A value was set: nobody's earlier changes of it count any more (all: of the whole set). */
static void undo_forget(struct sem_set *s, u32 number, bool all)
{
	struct sem_undo *u;

	list_for_each (u, &s->undos, set_link) {
		if (all)
			memset(u->adjust, 0, s->count * sizeof(u->adjust[0]));
		else
			u->adjust[number] = 0;
	}
}

/* --- semget --- */

static struct sem_set *set_new(s32 key, u32 count, u32 flags)
{
	struct sem_set *s = kzalloc(sizeof(*s) + count * sizeof(s->sems[0]));

	if (!s)
		return NULL;
	ipc_object_init(&s->ipc, key, flags);
	s->count = count;
	s->ctime = ipc_now();
	list_init(&s->waiting);
	list_init(&s->undos);
	return s;
}

/* What the key finds: an identifier, 0 with *none set, or an error. L held. */
static int find_for_get(s32 key, s32 count, u32 flags, bool *none)
{
	struct sem_set *s = set_of(ipc_get_existing(&table, key, flags));

	*none = !s;
	if (!s || IS_ERR(s))
		return (int)PTR_ERR(s);
	if (count > (s32)s->count)
		return -EINVAL;
	return ipc_permits(&s->ipc, flags) ? s->ipc.status.id : -EACCES;
}

int sem_get(s32 key, s32 count, u32 flags)
{
	struct sem_set *s;
	bool none;
	int id;

	if (count < 0 || count > (s32)SEM_SET_SIZE_MAX)
		return -EINVAL;
	spin_lock(&table.lock);
	id = find_for_get(key, count, flags, &none);
	spin_unlock(&table.lock);
	if (!none)
		return id;
	if (!count)
		return -EINVAL;
	s = set_new(key, (u32)count, flags);
	if (!s)
		return -ENOMEM;
	spin_lock(&table.lock);
	id = find_for_get(key, count, flags, &none);
	if (none && total + (u32)count > SEM_TOTAL_MAX)
		id = -ENOSPC;
	else if (none)
		id = ipc_enter(&table, &s->ipc, SEM_SETS_MAX);
	if (none && !id) {
		total += (u32)count;
		id = s->ipc.status.id;
		s = NULL;
	}
	spin_unlock(&table.lock);
	kfree(s);
	return id;
}

/* --- semop --- */

/* L held. Which semaphores there are, and whether the caller may. */
static int check_call(const struct sem_set *s, const struct sem_call *c)
{
	for (u32 i = 0; i < c->count; i++) {
		if (c->operations[i].number >= s->count)
			return -EFBIG;
	}
	return ipc_permits(&s->ipc, alters(c) ? IPC_MAY_WRITE : IPC_MAY_READ) ? 0 : -EACCES;
}

static bool wants_undo(const struct sem_call *c)
{
	for (u32 i = 0; i < c->count; i++) {
		if (c->operations[i].undo)
			return true;
	}
	return false;
}

/*
 * The caller's undo record for the set, made if there is none, which lets go of the lock for a
 * while: then *s is looked up again. NULL: *err says why.
 */
static struct sem_undo *undo_get(struct sem_set **s, s32 id, int *err)
{
	struct process *p = process_current();
	struct sem_undo *u = undo_find(p, *s), *fresh;

	if (u)
		return u;
	u32 count = (*s)->count;
	spin_unlock(&table.lock);
	fresh = kzalloc(sizeof(*fresh) + count * sizeof(fresh->adjust[0]));
	spin_lock(&table.lock);
	*s = set_of(ipc_find(&table, id));
	*err = !fresh ? -ENOMEM : IS_ERR(*s) ? -EIDRM : 0;
	u = *err ? NULL : undo_find(p, *s); /* another thread may have made one meanwhile */
	if (*err || u) {
		kfree(fresh);
		return u;
	}
	fresh->set = *s;
	list_push_back(&p->sem_undos, &fresh->process_link);
	list_push_back(&(*s)->undos, &fresh->set_link);
	return fresh;
}

/* Until somebody has done it, or it is given up. */
static int wait_for_turn(struct sem_call *c, u64 deadline)
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
			return done ? c->result : err;
		}
		err = thread_park(true, deadline);
		if (err == -ETIMEDOUT)
			err = -EAGAIN;
	}
}

int sem_operate(s32 id, const struct sem_operation *operations, u32 count, u64 deadline)
{
	struct sem_call c = { .operations = operations,
			      .count = count,
			      .pid = process_current()->pid,
			      .thread = thread_current() };
	struct sem_set *s;
	int r;

	spin_lock(&table.lock);
	s = set_of(ipc_find(&table, id));
	r = IS_ERR(s) ? (int)PTR_ERR(s) : check_call(s, &c);
	if (!r && wants_undo(&c))
		c.undo = undo_get(&s, id, &r);
	if (!r) {
		r = operate(s, &c);
		if (r == 1) {
			list_push_back(&s->waiting, &c.link);
		} else if (!r) {
			s->otime = ipc_now();
			if (alters(&c))
				serve_waiting(s);
		}
	}
	spin_unlock(&table.lock);
	return r == 1 ? wait_for_turn(&c, deadline) : r;
}

/* --- semctl --- */

/* L held: the set, if the caller has the permissions, or ERR_PTR. */
static struct sem_set *set_for(s32 id, u32 wanted)
{
	struct sem_set *s = set_of(ipc_find(&table, id));

	if (IS_ERR(s))
		return s;
	return ipc_permits(&s->ipc, wanted) ? s : ERR_PTR(-EACCES);
}

static u32 count_waiting(const struct sem_set *s, u32 number, bool for_zero)
{
	struct sem_call *c;
	u32 n = 0;

	list_for_each (c, &s->waiting, link)
		n += c->blocking->number == number && !c->blocking->change == for_zero;
	return n;
}

int sem_ask(s32 id, u32 number, enum sem_question what)
{
	struct sem_set *s;
	int r = -EINVAL;

	spin_lock(&table.lock);
	s = set_for(id, IPC_MAY_READ);
	if (IS_ERR(s))
		r = (int)PTR_ERR(s);
	else if (number < s->count)
		r = (int)(what == SEM_ASK_VALUE ? s->sems[number].value
			  : what == SEM_ASK_PID ? s->sems[number].pid
						: count_waiting(s, number, what == SEM_ASK_ZERO));
	spin_unlock(&table.lock);
	return r;
}

int sem_count(s32 id, bool alter)
{
	struct sem_set *s;
	int r;

	spin_lock(&table.lock);
	s = set_for(id, alter ? IPC_MAY_WRITE : IPC_MAY_READ);
	r = IS_ERR(s) ? (int)PTR_ERR(s) : (int)s->count;
	spin_unlock(&table.lock);
	return r;
}

int sem_get_all(s32 id, u16 *values, u32 count)
{
	struct sem_set *s;
	int err = 0;

	spin_lock(&table.lock);
	s = set_for(id, IPC_MAY_READ);
	if (IS_ERR(s) || s->count != count) /* removed meanwhile */
		err = -EIDRM;
	for (u32 i = 0; !err && i < count; i++)
		values[i] = (u16)s->sems[i].value;
	spin_unlock(&table.lock);
	return err;
}

static void set_values(struct sem_set *s, u32 first, const u16 *values, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		s->sems[first + i].value = values[i];
		s->sems[first + i].pid = process_current()->pid;
	}
	undo_forget(s, first, count == s->count);
	s->ctime = ipc_now();
	serve_waiting(s);
}

int sem_set_all(s32 id, const u16 *values, u32 count)
{
	struct sem_set *s;
	int err = 0;

	for (u32 i = 0; i < count && !err; i++)
		err = values[i] > SEM_VALUE_MAX ? -ERANGE : 0;
	spin_lock(&table.lock);
	s = err ? ERR_PTR(err) : set_for(id, IPC_MAY_WRITE);
	if (IS_ERR(s))
		err = (int)PTR_ERR(s);
	else if (s->count != count) /* another of that number by now */
		err = -EIDRM;
	else
		set_values(s, 0, values, count);
	spin_unlock(&table.lock);
	return err;
}

int sem_set_one(s32 id, u32 number, s32 value)
{
	u16 values[] = { (u16)value };
	struct sem_set *s;
	int err = 0;

	if (value < 0 || value > (s32)SEM_VALUE_MAX)
		return -ERANGE;
	spin_lock(&table.lock);
	s = set_of(ipc_find(&table, id));
	if (IS_ERR(s))
		err = (int)PTR_ERR(s);
	else if (number >= s->count)
		err = -EINVAL;
	else if (!ipc_permits(&s->ipc, IPC_MAY_WRITE))
		err = -EACCES;
	else
		set_values(s, number, values, 1);
	spin_unlock(&table.lock);
	return err;
}

static void fill_status(const struct sem_set *s, struct sem_status *out)
{
	*out = (struct sem_status){
		.ipc = s->ipc.status, .otime = s->otime, .ctime = s->ctime, .count = s->count
	};
}

int sem_stat(s32 id, enum ipc_which which, struct sem_status *out)
{
	spin_lock(&table.lock);
	struct ipc_object *o = ipc_find_status(&table, id, which);
	if (!IS_ERR(o))
		fill_status(set_of(o), out);
	spin_unlock(&table.lock);
	return IS_ERR(o) ? (int)PTR_ERR(o) : 0;
}

bool sem_next(u64 *place, struct sem_status *out)
{
	struct ipc_object *o;

	spin_lock(&table.lock);
	o = ipc_next(&table, place);
	if (o)
		fill_status(set_of(o), out);
	spin_unlock(&table.lock);
	return o;
}

u32 sem_totals(u32 *sets, u64 *semaphores)
{
	u32 highest;

	spin_lock(&table.lock);
	*sets = table.count;
	*semaphores = total;
	highest = ipc_highest_place(&table);
	spin_unlock(&table.lock);
	return highest;
}

int sem_set_status(s32 id, u32 uid, u32 gid, u32 mode)
{
	struct sem_set *s;
	int err;

	spin_lock(&table.lock);
	s = set_of(ipc_find(&table, id));
	if (IS_ERR(s))
		err = (int)PTR_ERR(s);
	else
		err = ipc_owned(&s->ipc) ? ipc_set(&s->ipc, uid, gid, mode) : -EPERM;
	if (!err)
		s->ctime = ipc_now();
	spin_unlock(&table.lock);
	return err;
}

int sem_remove(s32 id)
{
	struct sem_call *c, *next_call;
	struct sem_undo *u, *next_undo;
	struct sem_set *s;
	int err = 0;

	spin_lock(&table.lock);
	s = set_of(ipc_find(&table, id));
	if (IS_ERR(s))
		err = (int)PTR_ERR(s);
	else if (!ipc_owned(&s->ipc))
		err = -EPERM;
	if (!err) {
		ipc_remove(&table, &s->ipc);
		total -= s->count;
		list_for_each_safe (u, next_undo, &s->undos, set_link)
			undo_free(u);
		list_for_each_safe (c, next_call, &s->waiting, link)
			finish_call(c, -EIDRM);
	}
	spin_unlock(&table.lock);
	if (!err)
		kfree(s);
	return err;
}
