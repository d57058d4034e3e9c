/*
 * memfd.c - files of memfd_create(2): memory without a name, and the seals that forbid changing it.
 *
 * The file is one of memfs; what a seal may forbid passes through here first. Who changes the
 * contents holds `lock` shared from the look at the seals to the end of the change, who adds seals
 * holds it exclusively: so nothing that a seal forbids is still under way when adding it returns.
 */
#include <asm-generic/fcntl.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "fs/eventfiles.h"
#include "fs/iter.h"
#include "fs/memfs.h"
#include "fs/memfs_priv.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "mm/space.h"

#define SEALS_WRITE (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define SEALS_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | SEALS_WRITE | MEMFD_SEAL_EXEC)
#define MODE_EXEC 0111u

struct memfd {
	struct rwlock lock; /* RANK_INODE_DIR */
	/*
	 * Shared mappings on their way, which a scan of all areas does not find yet. Grows under
	 * `lock` shared, so it does not while seals are added.
	 */
	u32 maps_coming;
	u64 huge;  /* constant: size of the pages of a hugetlb file; 0: it is none */
	u32 seals; /* changes under `lock` and the inode's lock: either is enough to read */
	const struct inode_ops *memfs_ops;
};

static const struct file_ops memfd_file_ops;
static struct inode_ops memfd_inode_ops; /* memfs's, with what a seal may forbid replaced */

static struct memfd *memfd_of(const struct inode *i)
{
	return i->special;
}

/* --- changes --- */

/*
 * Cut a write at pos to the pages that lie wholly below the size, if the file must not grow: 0 or
 * -EPERM.
 */
static int write_permitted(struct inode *i, u32 seals, struct iter *it, u64 pos)
{
	u64 size = i->object->size;

	if (seals & SEALS_WRITE)
		return -EPERM;
	if (!(seals & F_SEAL_GROW) || pos + it->left <= size)
		return 0;
	size = ROUND_DOWN(size, PAGE_SIZE);
	if (pos >= size)
		return -EPERM;
	it->left = size - pos;
	return 0;
}

static ssize memfd_write(struct file *f, struct iter *it, u64 *pos)
{
	struct memfd *m = memfd_of(f->inode);
	u64 at = f->flags & O_APPEND ? f->inode->object->size : *pos;
	ssize r;

	if (m->huge)
		return -EINVAL;
	if (!it->left) /* no seal forbids that */
		return 0;
	read_lock(&m->lock);
	r = write_permitted(f->inode, m->seals, it, at);
	if (!r)
		r = file_write_object(f, it, pos);
	read_unlock(&m->lock);
	return r;
}

static int memfd_fallocate(struct file *f, int mode, u64 offset, u64 length)
{
	struct memfd *m = memfd_of(f->inode);
	bool changes = mode & FALLOC_FL_PUNCH_HOLE;
	int err;

	read_lock(&m->lock);
	if ((m->seals & SEALS_WRITE) && changes)
		err = -EPERM;
	else if ((m->seals & F_SEAL_GROW) && !changes &&
		 offset + length > f->inode->object->size) /* even if the size is kept */
		err = -EPERM;
	else
		err = memfs_file_ops.fallocate(f, mode, offset, length);
	read_unlock(&m->lock);
	return err;
}

/* Inode locked. */
static int memfd_setattr(struct inode *i, const struct attribute_change *c)
{
	struct memfd *m = memfd_of(i);

	if (c->valid & SET_SIZE) {
		u64 size = i->object->size;

		if (m->huge && c->size % m->huge)
			return -EINVAL;
		if ((c->size < size && (m->seals & F_SEAL_SHRINK)) ||
		    (c->size > size && (m->seals & F_SEAL_GROW)))
			return -EPERM;
	}
	if (c->valid & SET_MODE && m->seals & MEMFD_SEAL_EXEC && (c->mode ^ i->mode) & MODE_EXEC)
		return -EPERM;
	return m->memfs_ops->setattr(i, c);
}

static void memfd_evict(struct inode *i)
{
	struct memfd *m = memfd_of(i);

	m->memfs_ops->evict(i);
	kfree(m);
}

static int memfd_open(struct file *f)
{
	if (f->can_write && (memfd_of(f->inode)->seals & F_SEAL_WRITE))
		return -EPERM;
	return memfs_file_ops.open(f);
}

/* --- seals --- */

static int is_writable_map_of(struct mm *mm, struct area *a, void *object)
{
	return a->object == object && (a->flags & AREA_SHARED) && (a->flags & AREA_MAYWRITE);
}

static int maps_writable(struct mm *mm, void *object)
{
	return space_areas(mm, 0, is_writable_map_of, object);
}

long memfd_get_seals(struct file *f)
{
	return f->ops == &memfd_file_ops ? (long)memfd_of(f->inode)->seals : -EINVAL;
}

/* With SEALS_WRITE it cannot be made writable later either. */
static int memfd_map_check(struct file *f, u32 *flags)
{
	if (!(memfd_of(f->inode)->seals & SEALS_WRITE))
		return 0;
	*flags &= ~(u32)AREA_MAYWRITE;
	return *flags & AREA_WRITE ? -EPERM : 0;
}

void memfd_map_begin(struct file *f)
{
	struct memfd *m = memfd_of(f->inode);

	if (f->ops != &memfd_file_ops)
		return;
	read_lock(&m->lock);
	atomic_add(&m->maps_coming, 1);
	read_unlock(&m->lock);
}

void memfd_map_end(struct file *f)
{
	if (f->ops == &memfd_file_ops)
		atomic_sub(&memfd_of(f->inode)->maps_coming, 1);
}

long memfd_add_seals(struct file *f, u32 seals)
{
	struct inode *i = f->inode;
	struct memfd *m = memfd_of(i);
	int err = 0;

	if (f->ops != &memfd_file_ops || (seals & ~(u32)SEALS_ALL))
		return -EINVAL;
	if (!f->can_write)
		return -EPERM;
	write_lock(&m->lock);
	mutex_lock(&i->lock);
	if (seals & MEMFD_SEAL_EXEC &&
	    i->mode & MODE_EXEC) /* what can be executed stays as it is */
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | SEALS_WRITE;
	if (m->seals & F_SEAL_SEAL)
		err = -EPERM;
	else if ((seals & F_SEAL_WRITE) && !(m->seals & F_SEAL_WRITE) &&
		 (load_acquire(&m->maps_coming) || space_for_each(maps_writable, i->object)))
		err = -EBUSY;
	else
		m->seals |= seals;
	mutex_unlock(&i->lock);
	write_unlock(&m->lock);
	return err;
}

/* --- the file --- */

static const struct file_ops memfd_file_ops = {
	.open = memfd_open,
	.read = file_read_object,
	.write = memfd_write,
	.seek = file_seek_object,
	.fallocate = memfd_fallocate,
	.map_check = memfd_map_check,
};

static struct file *memfd_new(const char *path, u32 mode, u32 flags, u32 seals)
{
	struct memfd *m = kzalloc(sizeof(*m));
	struct file *f;

	if (!m)
		return ERR_PTR(-ENOMEM);
	f = memfs_file_unnamed(path, mode, flags);
	if (!f) {
		kfree(m);
		return ERR_PTR(-ENOMEM);
	}
	rwlock_init(&m->lock, RANK_INODE_DIR);
	m->seals = seals;
	m->memfs_ops = f->inode->ops;
	memfd_inode_ops = *m->memfs_ops;
	memfd_inode_ops.setattr = memfd_setattr;
	memfd_inode_ops.evict = memfd_evict;
	f->inode->special = m;
	f->inode->ops = &memfd_inode_ops;
	f->inode->file_ops = &memfd_file_ops;
	f->ops = &memfd_file_ops;
	return f;
}

struct file *memfd_create_file(const char *name, u32 mode, u32 flags, u32 seals)
{
	char path[260];

	format(path, sizeof(path), "/memfd:%s", name);
	return memfd_new(path, mode, flags, seals);
}

/* --- huge pages: none are set aside --- */

/* memfs's, but that no page can be had: whoever faults on one gets SIGBUS, fallocate ENOSPC. */
static struct object_ops huge_object_ops;

static int huge_page_charge(struct object *o)
{
	return -ENOSPC;
}

static void huge_page_uncharge(struct object *o, u64 pages)
{
}

struct file *memfd_create_huge(const char *path, u32 mode, u32 flags, u32 seals, u64 huge)
{
	struct file *f = memfd_new(path, mode, flags, seals);

	if (IS_ERR(f))
		return f;
	struct object *o = f->inode->object;
	if (o->ops != &huge_object_ops)
		huge_object_ops = *o->ops;
	huge_object_ops.page_charge = huge_page_charge;
	huge_object_ops.page_uncharge = huge_page_uncharge;
	o->ops = &huge_object_ops;
	memfd_of(f->inode)->huge = huge;
	return f;
}

u64 memfd_huge_size(const struct file *f)
{
	return f->ops == &memfd_file_ops ? memfd_of(f->inode)->huge : 0;
}
