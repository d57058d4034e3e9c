/*
 * shm.c - System V shared memory: segments, who is attached to them, and when they go.
 *
 * A segment is an object of memory with a number. It is attached where an area maps it: the areas
 * count themselves, by the operations that mm calls for the file of an area (here: the attachment,
 * as on Linux each shmat opens a file of its own), so the count is right however a space came by its areas and lost them: shmat, fork, munmap of a part,
 * mremap, exec, exit. For that no two spaces share such an area (AREA_SYSV).
 *
 * The central rule: a segment goes when nothing is attached and it has been removed (IPC_RMID), at
 * whichever comes last; with rmid_forced, also when nothing is attached and it never was, or its
 * creator is gone. Who maps one counts as attached meanwhile, so what an area points to is there.
 */
#include <linux/capability.h>
#include <linux/ipc.h>
#include <linux/resource.h>

#include "lib/err.h"
#include "lib/print.h"
#include "mm/shmem.h"
#include "mm/slab.h"
#include "mm/tunable.h"
#include "mm/space.h"
#include "proc/ipc_priv.h"

#define SHM_MAX_DEFAULT (UINT64_MAX - (1ull << 24)) /* Linux: room for callers that add to it */
#define SEGMENTS_DEFAULT 4096u
#define FILE_SIZE_MAX INT64_MAX
#define HUGE_SIZE_SHIFT 26 /* SHM_HUGE_SHIFT: the logarithm of the page size in shmget's flags */
#define HUGE_SIZE_MASK 0x3fu
#define HUGE_2M 21u
#define HUGE_1G 30u
#define MAY_EXECUTE 0111u

/* Letters as in ipc_priv.h. */
struct segment {
	struct ipc_object ipc;
	struct object *memory;   /* C: a reference */
	u64 size;                /* C */
	s32 first_key;           /* C: its name, also when the key is gone */
	u32 creator_pid;         /* C */
	u32 last_pid;            /* L */
	u32 attached;            /* L: areas, and calls that are about to make one */
	s64 atime, dtime, ctime; /* L */
	struct thread *creator;  /* L: NULL: gone */
	u32 locked_by;           /* L: with SHM_LOCKED: the user on whose account */
};

/* What one shmat mapped. Each area of it has a reference, and counts in the segment. */
struct attachment {
	struct refcount refs;
	struct segment *segment; /* C */
};

static struct ipc_table table;
static u64 total_pages; /* table.lock */
static struct shm_limits limits = {
	/* table.lock */
	.max = SHM_MAX_DEFAULT,
	.all = SHM_MAX_DEFAULT,
	.segments = SEGMENTS_DEFAULT,
};

void shm_init(void)
{
	ipc_table_init(&table);
}

static u64 pages_of(const struct segment *s)
{
	return DIV_ROUND_UP(s->size, PAGE_SIZE);
}

/* Also of NULL and errors, which stay what they are. */
static struct segment *segment_of(struct ipc_object *o)
{
	return IS_ERR(o) ? ERR_PTR(PTR_ERR(o)) : (struct segment *)o;
}

/* --- the end --- */

/* With the table's lock held. */
static bool may_go(const struct segment *s)
{
	return !s->attached && (limits.rmid_forced || s->ipc.status.mode & SHM_DEST);
}

/* Out of the table: nobody finds it any more. The caller frees it without the lock. */
static void segment_unlink(struct segment *s)
{
	debug_assert(!s->attached);
	ipc_remove(&table, &s->ipc);
	total_pages -= pages_of(s);
}

static void segment_free(struct segment *s)
{
	object_put(s->memory);
	kfree(s);
}

/* --- areas --- */

/* 0 in a kernel thread that was the last to hold a space. */
static u32 current_pid(void)
{
	const struct process *p = process_current();

	return p ? p->pid : 0;
}

static void attachment_get(void *file)
{
	struct attachment *t = file;
	struct segment *s = t->segment;

	ref_get(&t->refs);
	spin_lock(&table.lock);
	s->attached++;
	s->atime = ipc_now();
	s->last_pid = current_pid();
	spin_unlock(&table.lock);
}

/* Attached once less, by an area or by a call. */
static void segment_put(struct segment *s, bool was_area)
{
	bool last;

	spin_lock(&table.lock);
	debug_assert(s->attached);
	s->attached--;
	if (was_area) {
		s->dtime = ipc_now();
		s->last_pid = current_pid();
	}
	last = may_go(s);
	if (last)
		segment_unlink(s);
	spin_unlock(&table.lock);
	if (last)
		segment_free(s);
}

static void attachment_drop(struct attachment *t)
{
	if (ref_put(&t->refs))
		kfree(t);
}

static void attachment_put(void *file)
{
	struct attachment *t = file;
	struct segment *s = t->segment;

	attachment_drop(t);
	segment_put(s, true);
}

static void attachment_describe(void *file, char *path, size_t size, u64 *dev, u64 *ino)
{
	const struct segment *s = ((struct attachment *)file)->segment;

	format(path, size, "/SYSV%08x (deleted)", (u32)s->first_key);
	*dev = 1;
	*ino = (u64)s->ipc.status.id;
}

static const struct area_file_ops attachment_area_ops = {
	.get = attachment_get,
	.put = attachment_put,
	.describe = attachment_describe,
};

/* --- shmget --- */

/* There are no huge pages to be had: what Linux says when none are reserved. */
static int huge_error(u32 flags)
{
	u32 size = flags >> HUGE_SIZE_SHIFT & HUGE_SIZE_MASK;

	if (size && size != HUGE_2M && size != HUGE_1G)
		return -EINVAL;
	return cred_capable(cred_current(), CAP_IPC_LOCK) ? -ENOMEM : -EPERM;
}

/* Is there room for so many pages more? With the table's lock held. */
static int room_check(u64 pages)
{
	return total_pages + pages < total_pages || total_pages + pages > limits.all ? -ENOSPC : 0;
}

static int size_check(u64 size)
{
	u64 pages = DIV_ROUND_UP(size, PAGE_SIZE);
	int err = 0;

	spin_lock(&table.lock);
	if (!size || size > limits.max)
		err = -EINVAL;
	else if (pages * PAGE_SIZE < size)
		err = -ENOSPC;
	else
		err = room_check(pages);
	spin_unlock(&table.lock);
	return err;
}

/* A segment that nobody can find yet, or ERR_PTR. */
static struct segment *segment_new(s32 key, u64 size, u32 flags)
{
	struct segment *s;
	int err = size_check(size);

	if (!err && flags & SHM_HUGETLB)
		err = huge_error(flags);
	if (!err && size > FILE_SIZE_MAX)
		err = -EINVAL;
	if (err)
		return ERR_PTR(err);
	s = kzalloc(sizeof(*s));
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->memory = shmem_create(size, !(flags & SHM_NORESERVE) ||
					       load_relaxed(&mm_tunables.overcommit_memory) ==
						       OVERCOMMIT_NEVER);
	if (!s->memory) {
		kfree(s);
		return ERR_PTR(-ENOMEM);
	}
	ipc_object_init(&s->ipc, key, flags);
	s->size = size;
	s->first_key = key;
	s->creator_pid = process_current()->pid;
	s->creator = thread_current();
	s->ctime = ipc_now();
	return s;
}

/* What the key finds: an identifier, 0 with *none set, or an error. With the table's lock held. */
static int find_for_get(s32 key, u64 size, u32 flags, bool *none)
{
	struct segment *s = segment_of(ipc_get_existing(&table, key, flags));

	*none = !s;
	if (!s || IS_ERR(s))
		return (int)PTR_ERR(s);
	if (s->size < size)
		return -EINVAL;
	return ipc_permits(&s->ipc, flags) ? s->ipc.status.id : -EACCES;
}

/* Enter s, unless somebody else has made one with its key meanwhile. */
static int segment_enter(struct segment *s, u32 flags)
{
	bool none;
	int id;

	spin_lock(&table.lock);
	id = find_for_get(s->first_key, s->size, flags, &none);
	if (none) {
		id = room_check(pages_of(s));
		if (!id)
			id = ipc_enter(&table, &s->ipc, limits.segments);
		if (!id) {
			total_pages += pages_of(s);
			id = s->ipc.status.id;
			s->creator->made_shm = true;
			s = NULL;
		}
	}
	spin_unlock(&table.lock);
	if (s)
		segment_free(s);
	return id;
}

int shm_get(s32 key, u64 size, u32 flags)
{
	struct segment *s;
	bool none;
	int id;

	spin_lock(&table.lock);
	id = find_for_get(key, size, flags, &none);
	spin_unlock(&table.lock);
	if (!none)
		return id;
	s = segment_new(key, size, flags);
	return IS_ERR(s) ? (int)PTR_ERR(s) : segment_enter(s, flags);
}

/* --- shmat, shmdt --- */

/* How it is to be mapped. */
static int attach_request(u64 addr, u32 flags, struct map_request *r)
{
	*r = (struct map_request){
		.addr = addr,
		.flags = AREA_SHARED | AREA_SYSV | AREA_READ | AREA_MAYREAD | AREA_MAYEXEC,
		.fixed = addr != 0,
		.noreplace = !(flags & SHM_REMAP),
		.file_ops = &attachment_area_ops,
	};
	r->flags |= flags & SHM_RDONLY ? AREA_READ_FILE : AREA_WRITE | AREA_MAYWRITE;
	if (flags & SHM_EXEC)
		r->flags |= AREA_EXEC;
	if (flags & SHM_RND)
		r->addr = ROUND_DOWN(addr, PAGE_SIZE); /* SHMLBA */
	if (r->addr % PAGE_SIZE || (flags & SHM_REMAP && !r->addr))
		return -EINVAL;
	return 0;
}

/* The segment, which counts as attached until segment_put, or ERR_PTR. */
static struct segment *segment_get(s32 id, u32 wanted)
{
	struct segment *s;

	spin_lock(&table.lock);
	s = segment_of(ipc_find(&table, id));
	if (!IS_ERR(s) && !ipc_permits(&s->ipc, wanted))
		s = ERR_PTR(-EACCES);
	if (!IS_ERR(s))
		s->attached++;
	spin_unlock(&table.lock);
	return s;
}

static u32 permissions_wanted(u32 flags)
{
	u32 wanted = IPC_MAY_READ;

	if (!(flags & SHM_RDONLY))
		wanted |= IPC_MAY_WRITE;
	return flags & SHM_EXEC ? wanted | MAY_EXECUTE : wanted;
}

static s64 attachment_map(struct segment *s, struct map_request *r)
{
	struct attachment *t = kmalloc(sizeof(*t));

	if (!t)
		return -ENOMEM;
	ref_init(&t->refs);
	t->segment = s;
	r->file = t;
	s64 at = space_map(thread_current()->mm, r);
	attachment_drop(t);
	return at;
}

s64 shm_attach(s32 id, u64 addr, u32 flags)
{
	struct map_request r;
	struct segment *s;
	s64 at;
	int err = id < 0 ? -EINVAL : attach_request(addr, flags, &r);

	if (err)
		return err;
	s = segment_get(id, permissions_wanted(flags));
	if (IS_ERR(s))
		return PTR_ERR(s);
	r.length = s->size;
	r.object = s->memory;
	at = r.addr && r.noreplace && r.addr + s->size < r.addr ? -EINVAL : attachment_map(s, &r);
	segment_put(s, false);
	return at == -EEXIST ? -EINVAL : at;
}

static u64 attachment_size(const void *file)
{
	return ((const struct attachment *)file)->segment->size;
}

int shm_detach(u64 addr)
{
	return space_detach(thread_current()->mm, addr, &attachment_area_ops, attachment_size);
}

/* --- shmctl --- */

static void fill_status(const struct segment *s, struct shm_status *out)
{
	*out = (struct shm_status){
		.ipc = s->ipc.status,
		.size = s->size,
		.atime = s->atime,
		.dtime = s->dtime,
		.ctime = s->ctime,
		.creator_pid = s->creator_pid,
		.last_pid = s->last_pid,
		.attached = s->attached,
		.resident_pages = load_relaxed(&s->memory->page_count),
		.swapped_pages = load_relaxed(&s->memory->swapped),
	};
}

int shm_stat(s32 id, enum ipc_which which, struct shm_status *out)
{
	spin_lock(&table.lock);
	struct ipc_object *o = ipc_find_status(&table, id, which);
	if (!IS_ERR(o))
		fill_status(segment_of(o), out);
	spin_unlock(&table.lock);
	return IS_ERR(o) ? (int)PTR_ERR(o) : 0;
}

bool shm_next(u64 *place, struct shm_status *out)
{
	struct ipc_object *o;

	spin_lock(&table.lock);
	o = ipc_next(&table, place);
	if (o)
		fill_status(segment_of(o), out);
	spin_unlock(&table.lock);
	return o;
}

void shm_totals(struct shm_totals *out)
{
	struct ipc_object *o;

	spin_lock(&table.lock);
	*out = (struct shm_totals){
		.used = table.count,
		.pages = total_pages,
		.highest = ipc_highest_place(&table),
	};
	for (u64 place = 0; (o = ipc_next(&table, &place)); place++) {
		out->resident_pages += load_relaxed(&segment_of(o)->memory->page_count);
		out->swapped_pages += load_relaxed(&segment_of(o)->memory->swapped);
	}
	spin_unlock(&table.lock);
}

int shm_set(s32 id, u32 uid, u32 gid, u32 mode)
{
	struct segment *s;
	int err;

	spin_lock(&table.lock);
	s = segment_of(ipc_find(&table, id));
	if (IS_ERR(s))
		err = (int)PTR_ERR(s);
	else
		err = ipc_owned(&s->ipc) ? ipc_set(&s->ipc, uid, gid, mode) : -EPERM;
	if (!err)
		s->ctime = ipc_now();
	spin_unlock(&table.lock);
	return err;
}

int shm_remove(s32 id)
{
	struct segment *s;
	bool gone = false;
	int err = 0;

	spin_lock(&table.lock);
	s = segment_of(ipc_find(&table, id));
	if (IS_ERR(s)) {
		err = (int)PTR_ERR(s);
	} else if (!ipc_owned(&s->ipc)) {
		err = -EPERM;
	} else {
		/* Its key is free again, though it stays until nothing is attached. */
		ipc_forget_key(&s->ipc);
		s->ipc.status.mode |= SHM_DEST;
		gone = may_go(s);
		if (gone)
			segment_unlink(s);
	}
	spin_unlock(&table.lock);
	if (gone)
		segment_free(s);
	return err;
}

/* Bytes of segments that are locked on the account of a user. With the table's lock held. */
static u64 locked_bytes(u32 uid)
{
	struct ipc_object *o;
	u64 bytes = 0;

	for (u64 place = 0; (o = ipc_next(&table, &place)); place++) {
		const struct segment *s = segment_of(o);

		if (o->status.mode & SHM_LOCKED && s->locked_by == uid)
			bytes += pages_of(s) * PAGE_SIZE;
	}
	return bytes;
}

/* The rule of shmctl(2): owners may lock within RLIMIT_MEMLOCK. With the table's lock held. */
static int lock_check(const struct segment *s, bool on)
{
	const struct cred *c = cred_current();
	u64 limit = rlimit_get(RLIMIT_MEMLOCK), room;

	if (cred_capable(c, CAP_IPC_LOCK))
		return 0;
	if (c->euid != s->ipc.status.uid && c->euid != s->ipc.status.cuid)
		return -EPERM;
	if (!on || s->ipc.status.mode & SHM_LOCKED)
		return on && !limit ? -EPERM : 0;
	if (!limit)
		return -EPERM;
	room = limit - min(limit, locked_bytes(c->uid));
	return ROUND_DOWN(room, PAGE_SIZE) / PAGE_SIZE < pages_of(s) ? -ENOMEM : 0;
}

int shm_lock_memory(s32 id, bool on)
{
	struct segment *s;
	int err;

	spin_lock(&table.lock);
	s = segment_of(ipc_find(&table, id));
	err = IS_ERR(s) ? (int)PTR_ERR(s) : lock_check(s, on);
	if (!err && on && !(s->ipc.status.mode & SHM_LOCKED)) {
		s->ipc.status.mode |= SHM_LOCKED;
		s->locked_by = cred_current()->uid;
	} else if (!err && !on) {
		s->ipc.status.mode &= ~(u32)SHM_LOCKED;
	}
	if (!err)
		store_relaxed(&s->memory->unswappable, on);
	spin_unlock(&table.lock);
	return err;
}

/* --- creators, and what goes with them --- */

/*
 * Take one orphan that may go out of the table, from *place on. It is freed without the lock, so
 * one at a time.
 */
static struct segment *orphan_unlink(u64 *place)
{
	struct segment *found = NULL;
	struct ipc_object *o;

	spin_lock(&table.lock);
	for (; (o = ipc_next(&table, place)); ++*place) {
		if (!segment_of(o)->creator && may_go(segment_of(o))) {
			found = segment_of(o);
			segment_unlink(found);
			break;
		}
	}
	spin_unlock(&table.lock);
	return found;
}

static void drop_orphans(void)
{
	struct segment *s;
	u64 place = 0;

	while ((s = orphan_unlink(&place)))
		segment_free(s);
}

void shm_creator_gone(struct thread *t)
{
	struct ipc_object *o;
	bool forced;

	if (!t->made_shm)
		return;
	spin_lock(&table.lock);
	for (u64 place = 0; (o = ipc_next(&table, &place)); place++) {
		if (segment_of(o)->creator == t)
			segment_of(o)->creator = NULL;
	}
	forced = limits.rmid_forced;
	spin_unlock(&table.lock);
	if (forced)
		drop_orphans();
}

void shm_get_limits(struct shm_limits *out)
{
	spin_lock(&table.lock);
	*out = limits;
	spin_unlock(&table.lock);
}

int shm_set_limits(const struct shm_limits *set)
{
	if (set->segments > IPC_PLACES_MAX)
		return -EINVAL;
	spin_lock(&table.lock);
	limits = *set;
	spin_unlock(&table.lock);
	if (set->rmid_forced)
		drop_orphans();
	return 0;
}
