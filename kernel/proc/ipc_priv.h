/*
 * ipc_priv.h - what the kinds of System V IPC objects have in common: keys, numbers, owners and
 * permissions (sysvipc(7)).
 *
 * An identifier is a place in a table and a sequence number that tells its users apart. Each kind
 * has one table; its lock guards the table and what the objects say.
 */
#ifndef PROC_IPC_PRIV_H
#define PROC_IPC_PRIV_H

#include "mm/radix.h"
#include "proc/ipc.h"
#include "proc/proc.h"

#define IPC_PLACES_MAX 32768u /* an identifier is sequence number * this + place */
#define IPC_KEY_BUCKETS 64

/* The first member of every object. Letters: C: constant; L: its table's lock. */
struct ipc_object {
	struct list key_link;     /* L: in its bucket; empty for objects without a key */
	struct ipc_status status; /* L; id: C */
};

struct ipc_table {
	struct spinlock lock;
	struct radix objects;              /* L: by place */
	struct list keys[IPC_KEY_BUCKETS]; /* L */
	u32 count;                         /* L */
	u32 last_place;                    /* L: that was given out */
	u32 sequence;                      /* L */
};

void ipc_table_init(struct ipc_table *t);
void shm_init(void);
void sem_init(void);
void msg_init(void);

/* A new object's status: owner and creator are the caller. */
void ipc_object_init(struct ipc_object *o, s32 key, u32 mode);

/* --- the table's lock held --- */

/*
 * Give o a number, at most `most` objects being allowed, and enter it. -ENOSPC, -ENOMEM.
 */
int ipc_enter(struct ipc_table *t, struct ipc_object *o, u32 most);
void ipc_remove(struct ipc_table *t, struct ipc_object *o);
/* It cannot be found by its key any more (IPC_RMID of something that is in use). */
void ipc_forget_key(struct ipc_object *o);
struct ipc_object *ipc_find_key(struct ipc_table *t, s32 key); /* NULL */
/* ERR_PTR(-EINVAL): there is none of that number. */
struct ipc_object *ipc_find(struct ipc_table *t, s32 id);
/* The object whose status is asked for. ERR_PTR: -EINVAL; -EACCES: the caller may not read it. */
struct ipc_object *ipc_find_status(struct ipc_table *t, s32 id, enum ipc_which which);
/* The first object at or after *place, which is moved to it. NULL: none. */
struct ipc_object *ipc_next(struct ipc_table *t, u64 *place);
u32 ipc_highest_place(struct ipc_table *t); /* in use; 0 also if none is */

/*
 * What shmget(2) and its like find under a key: the object, NULL if one is to be made, or ERR_PTR:
 * -ENOENT, -EEXIST.
 */
struct ipc_object *ipc_get_existing(struct ipc_table *t, s32 key, u32 flags);

#define IPC_MAY_READ 0444u
#define IPC_MAY_WRITE 0222u
/* May the caller use it so? wanted: permission bits, in any of the three triples. */
bool ipc_permits(const struct ipc_object *o, u32 wanted);
/* May the caller change or remove it? */
bool ipc_owned(const struct ipc_object *o);
/* IPC_SET: 0 or -EINVAL. */
int ipc_set(struct ipc_object *o, u32 uid, u32 gid, u32 mode);

s64 ipc_now(void); /* seconds since the epoch */

#endif
