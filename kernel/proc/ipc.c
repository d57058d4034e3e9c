/*
 * ipc.c - the tables of System V IPC objects: numbers, keys and permissions.
 *
 * Numbers are given out as Linux does: places in turn, so that one is not soon used again, and
 * within half as many again as are in use, so that they stay small; whenever the turn begins anew
 * the sequence number goes up.
 */
#include "proc/ipc_priv.h"

#include <linux/capability.h>
#include <linux/ipc.h>

#include "lib/err.h"

#define PLACES_MIN 64u /* the shortest turn */
#define SEQUENCE_END 65535u
#define PERMISSION_BITS 0777u

void ipc_table_init(struct ipc_table *t)
{
	*t = (struct ipc_table){ .last_place = IPC_PLACES_MAX };
	spin_init(&t->lock, RANK_IPC);
	for (u32 i = 0; i < IPC_KEY_BUCKETS; i++)
		list_init(&t->keys[i]);
}

void ipc_init(void)
{
	shm_init();
	sem_init();
	msg_init();
}

void ipc_object_init(struct ipc_object *o, s32 key, u32 mode)
{
	const struct cred *c = cred_current();

	list_init(&o->key_link);
	o->status = (struct ipc_status){
		.key = key,
		.uid = c->euid,
		.gid = c->egid,
		.cuid = c->euid,
		.cgid = c->egid,
		.mode = mode & PERMISSION_BITS,
	};
}

s64 ipc_now(void)
{
	return (s64)(clock_realtime() / 1000000000);
}

/* --- the table --- */

static struct list *bucket(struct ipc_table *t, s32 key)
{
	return &t->keys[((u32)key * 0x9e3779b1u) >> 26]; /* Fibonacci hashing: the upper 6 bits */
}

static u32 place_of(s32 id)
{
	return (u32)id % IPC_PLACES_MAX;
}

/* The next free place of the turn; there is one: fewer than `end` are in use. */
static u32 next_free_place(struct ipc_table *t, u32 end)
{
	u32 place = t->last_place + 1 < end ? t->last_place + 1 : 0;

	while (radix_find(&t->objects, place))
		place = place + 1 < end ? place + 1 : 0;
	return place;
}

int ipc_enter(struct ipc_table *t, struct ipc_object *o, u32 most)
{
	u32 place;
	int err;

	if (t->count >= most)
		return -ENOSPC;
	place = next_free_place(t, min(max(t->count * 3 / 2, PLACES_MIN), IPC_PLACES_MAX));
	err = radix_insert(&t->objects, place, o);
	if (err)
		return err;
	if (t->last_place != IPC_PLACES_MAX && place <= t->last_place)
		t->sequence = (t->sequence + 1) % SEQUENCE_END;
	t->last_place = place;
	t->count++;
	o->status.sequence = t->sequence;
	o->status.id = (s32)(t->sequence * IPC_PLACES_MAX + place);
	if (o->status.key != IPC_PRIVATE)
		list_push_back(bucket(t, o->status.key), &o->key_link);
	return 0;
}

void ipc_forget_key(struct ipc_object *o)
{
	list_remove(&o->key_link);
	o->status.key = IPC_PRIVATE;
}

void ipc_remove(struct ipc_table *t, struct ipc_object *o)
{
	ipc_forget_key(o);
	radix_remove(&t->objects, place_of(o->status.id));
	t->count--;
}

struct ipc_object *ipc_find_key(struct ipc_table *t, s32 key)
{
	struct ipc_object *o;

	list_for_each (o, bucket(t, key), key_link) {
		if (o->status.key == key)
			return o;
	}
	return NULL;
}

/* Whatever its sequence number. */
static struct ipc_object *ipc_find_place(struct ipc_table *t, s32 id)
{
	struct ipc_object *o = id < 0 ? NULL : radix_find(&t->objects, place_of(id));

	return o ? o : ERR_PTR(-EINVAL);
}

struct ipc_object *ipc_find(struct ipc_table *t, s32 id)
{
	struct ipc_object *o = ipc_find_place(t, id);

	return IS_ERR(o) || o->status.id == id ? o : ERR_PTR(-EINVAL);
}

struct ipc_object *ipc_find_status(struct ipc_table *t, s32 id, enum ipc_which which)
{
	struct ipc_object *o = which == IPC_BY_ID ? ipc_find(t, id) : ipc_find_place(t, id);

	if (!IS_ERR(o) && which != IPC_BY_PLACE_ANY && !ipc_permits(o, IPC_MAY_READ))
		return ERR_PTR(-EACCES);
	return o;
}

struct ipc_object *ipc_next(struct ipc_table *t, u64 *place)
{
	return radix_next(&t->objects, place);
}

u32 ipc_highest_place(struct ipc_table *t)
{
	u32 highest = 0;

	for (u64 place = 0; ipc_next(t, &place); place++)
		highest = (u32)place;
	return highest;
}

struct ipc_object *ipc_get_existing(struct ipc_table *t, s32 key, u32 flags)
{
	struct ipc_object *o = key == IPC_PRIVATE ? NULL : ipc_find_key(t, key);

	if (o && flags & IPC_CREAT && flags & IPC_EXCL)
		return ERR_PTR(-EEXIST);
	if (!o && key != IPC_PRIVATE && !(flags & IPC_CREAT))
		return ERR_PTR(-ENOENT);
	return o;
}

/* --- permissions --- */

bool ipc_permits(const struct ipc_object *o, u32 wanted)
{
	const struct cred *c = cred_current();
	const struct ipc_status *s = &o->status;
	u32 granted = s->mode;

	wanted |= wanted >> 3 | wanted >> 6;
	if (c->euid == s->cuid || c->euid == s->uid)
		granted >>= 6;
	else if (cred_in_group(c, s->cgid) || cred_in_group(c, s->gid))
		granted >>= 3;
	return !(wanted & ~granted & 7) || cred_capable(c, CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_object *o)
{
	const struct cred *c = cred_current();

	return c->euid == o->status.cuid || c->euid == o->status.uid ||
	       cred_capable(c, CAP_SYS_ADMIN);
}

int ipc_set(struct ipc_object *o, u32 uid, u32 gid, u32 mode)
{
	if (uid == UINT32_MAX || gid == UINT32_MAX)
		return -EINVAL;
	o->status.uid = uid;
	o->status.gid = gid;
	o->status.mode = (o->status.mode & ~PERMISSION_BITS) | (mode & PERMISSION_BITS);
	return 0;
}
