/*
 * memfs.c - the file system in memory: tmpfs, and over a lower tree (lower.h) the root file
 * system.
 *
 * The rule: the page cache is the upper layer. A file of the lower tree gets an inode in memory
 * whose object reads missing pages from below and keeps written ones; nothing is copied up. An
 * inode that differs from its lower file (attributes, names, bytes) is pinned: the table of lower
 * inodes, which finds them by number so that hard links share one, then holds a reference. Others
 * come and go with the name cache. Directories are in memfs_dir.c, instances in memfs_super.c.
 */
#include "fs/memfs.h"

#include <asm/fcntl.h>
#include <asm/resource.h>
#include <linux/falloc.h>
#include <linux/stat.h>

#include "fs/iter.h"
#include "fs/memfs_priv.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define PREEMPT_PAGES 64

static struct slab_cache node_cache, object_cache;

static const struct inode_ops memfs_dir_ops, memfs_link_ops, memfs_ops;

/* --- objects --- */

static struct memfs_object *object_of(struct object *o)
{
	return container_of(o, struct memfs_object, object);
}

void memfs_put(struct memfs *fs)
{
	if (ref_put(&fs->refs))
		kfree(fs);
}

static int memory_charge(struct object *o)
{
	struct memfs *fs = object_of(o)->fs;

	if (atomic_add_return(&fs->pages, 1) <= fs->page_limit && !commit_charge(NULL, 1)) {
		atomic_add(&o->charged, 1);
		return 0;
	}
	atomic_sub(&fs->pages, 1);
	return -ENOSPC;
}

static void memory_uncharge(struct object *o, u64 pages)
{
	atomic_sub(&object_of(o)->fs->pages, pages);
	atomic_sub(&o->charged, pages);
	commit_uncharge(pages);
}

static void memfs_object_free(struct object *o)
{
	struct memfs_object *m = object_of(o);

	if (m->lower)
		m->fs->lower->put(m->lower);
	memfs_put(m->fs);
	slab_free(&object_cache, m);
}

/* Pages of the lower file as far as its bytes still count, then zeros. */
static int lower_read_pages(struct object *o, u64 index, struct page **pages, u32 count)
{
	struct memfs_object *m = object_of(o);
	u64 limit = load_acquire(&m->lower_size), start = index << PAGE_SHIFT;
	u32 below = start >= limit ? 0
				   : (u32)min((u64)count, DIV_ROUND_UP(limit - start, PAGE_SIZE));
	int err = below ? m->fs->lower->read_pages(m->lower, index, pages, below) : 0;

	if (err)
		return err;
	for (u32 i = below; i < count; i++)
		machine_frame_zero(pages[i]);
	if (below && start + below * PAGE_SIZE > limit) {
		u64 tail = limit & ~PAGE_MASK;

		memset((u8 *)frame_data(pages[below - 1]) + tail, 0, PAGE_SIZE - tail);
	}
	return 0;
}

static const struct object_ops memory_object_ops = {
	.page_charge = memory_charge,
	.page_uncharge = memory_uncharge,
	.free = memfs_object_free,
};

static const struct object_ops lower_object_ops = {
	.read_pages = lower_read_pages,
	.free = memfs_object_free,
};

static struct memfs_object *memfs_object_new(struct memfs *fs, struct lower *l, u64 size)
{
	struct memfs_object *m = slab_zalloc(&object_cache);

	if (!m)
		return NULL;
	object_init(&m->object, l ? &lower_object_ops : &memory_object_ops, l ? 0 : OBJECT_SHMEM,
		    size);
	m->fs = fs;
	ref_get(&fs->refs);
	m->lower = l;
	m->lower_size = size;
	return m;
}

/* --- inodes --- */

static void set_ops(struct inode *i)
{
	i->ops = &memfs_ops;
	if (S_ISDIR(i->mode)) {
		i->ops = &memfs_dir_ops;
		i->file_ops = &memfs_dir_file_ops;
	} else if (S_ISLNK(i->mode)) {
		i->ops = &memfs_link_ops;
	} else if (S_ISREG(i->mode)) {
		i->file_ops = &memfs_file_ops;
	} else {
		inode_set_special_ops(i);
	}
}

/*
 * An inode with its node, and a directory's or regular file's part. The lower handle l goes to the
 * object or the node. NULL: l is untouched
 */
static struct inode *inode_build(struct memfs *fs, u64 ino, u32 mode, struct lower *l, u64 size)
{
	struct memfs_node *n = slab_zalloc(&node_cache);
	struct inode *i;

	if (!n)
		return NULL;
	i = inode_alloc(&fs->super, ino, mode);
	if (!i)
		goto no_inode;
	n->inode = i;
	list_init(&n->table_link);
	list_init(&n->xattrs);
	if (S_ISDIR(mode)) {
		n->dir = memfs_dir_new();
		if (!n->dir)
			goto no_part;
	} else if (S_ISREG(mode)) {
		n->object = memfs_object_new(fs, l, size);
		if (!n->object)
			goto no_part;
		i->object = &n->object->object;
	}
	n->lower = S_ISREG(mode) ? NULL : l;
	n->from_lower = l != NULL;
	n->size = size;
	i->data = n;
	set_ops(i);
	return i;
no_part:
	inode_put(i); /* has no ops yet */
no_inode:
	slab_free(&node_cache, n);
	return NULL;
}

struct inode *memfs_inode_new(struct memfs *fs, u32 mode, u64 rdev)
{
	struct inode *i = inode_build(fs, atomic_add_return(&fs->last_ino, 1), mode, NULL, 0);

	if (!i)
		return NULL;
	i->rdev = rdev;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	if (S_ISDIR(mode))
		memfs_node_of(i)->size = PAGE_SIZE;
	return i;
}

static void memfs_evict(struct inode *i)
{
	struct memfs_node *n = memfs_node_of(i);
	struct memfs *fs = memfs_of(i);

	if (n->from_lower) {
		spin_lock(&fs->lock);
		list_remove(&n->table_link);
		spin_unlock(&fs->lock);
	}
	memfs_xattr_free(n);
	if (n->dir)
		memfs_dir_free(n->dir);
	if (n->object)
		object_put(&n->object->object);
	if (n->lower)
		fs->lower->put(n->lower);
	kfree(n->target);
	slab_free(&node_cache, n);
}

/* --- inodes of the lower tree --- */

static struct list *table_bucket(struct memfs *fs, u64 ino)
{
	return &fs->table[(ino ^ ino >> 20) % MEMFS_BUCKETS];
}

/*
 * T held. The live inode with this number, counted, or NULL; one whose last reference is just
 * going does not count.
 */
static struct inode *table_find(struct memfs *fs, u64 ino)
{
	struct memfs_node *n;

	list_for_each (n, table_bucket(fs, ino), table_link) {
		u32 refs = load_relaxed(&n->inode->refs.n);

		if (n->inode->ino != ino)
			continue;
		while (refs)
			if (atomic_cas(&n->inode->refs.n, &refs, refs + 1))
				return n->inode;
	}
	return NULL;
}

static struct inode *table_get(struct memfs *fs, u64 ino)
{
	struct inode *i;

	spin_lock(&fs->lock);
	i = table_find(fs, ino);
	spin_unlock(&fs->lock);
	return i;
}

struct inode *memfs_inode_build(struct memfs *fs, struct lower *l, const struct attributes *a)
{
	struct inode *i = inode_build(fs, a->ino, a->mode, l, a->size);

	if (!i)
		return NULL;
	i->uid = a->uid;
	i->gid = a->gid;
	i->nlink = a->nlink;
	i->rdev = a->rdev;
	i->atime = a->atime;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
	i->btime = a->btime;
	memfs_node_of(i)->blocks = a->blocks;
	return i;
}

struct inode *memfs_inode_lower(struct memfs *fs, struct lower *l, const struct attributes *attr)
{
	struct inode *i = table_get(fs, attr->ino), *other;

	if (!i) {
		i = memfs_inode_build(fs, l, attr);
		if (!i) {
			fs->lower->put(l);
			return ERR_PTR(-ENOMEM);
		}
		spin_lock(&fs->lock);
		other = table_find(fs, attr->ino);
		if (!other)
			list_push_back(table_bucket(fs, attr->ino), &memfs_node_of(i)->table_link);
		spin_unlock(&fs->lock);
		if (!other)
			return i;
		inode_put(i); /* and with it l */
		return other;
	}
	fs->lower->put(l);
	return i;
}

void memfs_pin(struct inode *i)
{
	struct memfs_node *n = memfs_node_of(i);
	struct memfs *fs = memfs_of(i);

	if (!n->from_lower || load_relaxed(&n->pinned))
		return;
	spin_lock(&fs->lock);
	if (!n->pinned && i->nlink) {
		n->pinned = true;
		inode_get(i);
	}
	spin_unlock(&fs->lock);
}

void memfs_unlinked(struct inode *i)
{
	struct memfs_node *n = memfs_node_of(i);
	struct memfs *fs = memfs_of(i);
	bool unpin = false;

	if (i->nlink)
		i->nlink = S_ISDIR(i->mode) ? 0 : i->nlink - 1;
	i->ctime = time_now();
	if (i->nlink) {
		memfs_pin(i);
		return;
	}
	spin_lock(&fs->lock);
	unpin = n->pinned;
	n->pinned = false;
	spin_unlock(&fs->lock);
	if (unpin)
		inode_put(i);
}

/* --- attributes --- */

static int memfs_getattr(struct inode *i, struct attributes *out)
{
	struct memfs_node *n = memfs_node_of(i);

	inode_attributes(i, out);
	if (!n->object) {
		out->size = n->size;
		out->blocks = n->from_lower ? n->blocks : S_ISDIR(i->mode) ? PAGE_SIZE / 512 : 0;
	} else if (n->from_lower) {
		bool same = out->size == n->size && !load_relaxed(&i->object->dirty_count) &&
			    !load_relaxed(&i->object->swapped);

		out->blocks = same ? n->blocks
				   : DIV_ROUND_UP(out->size, PAGE_SIZE) * (PAGE_SIZE / 512);
	}
	return 0;
}

static int memfs_setattr(struct inode *i, const struct attribute_change *c)
{
	struct memfs_node *n = memfs_node_of(i);

	memfs_pin(i);
	/*
	 * First the limit, so that no page read meanwhile brings bytes back that are being cut
	 * off.
	 */
	if (c->valid & SET_SIZE && n->object && c->size < n->object->lower_size)
		store_release(&n->object->lower_size, c->size);
	return inode_change(i, c);
}

static ssize memfs_readlink(struct inode *i, char *buf, size_t size)
{
	struct memfs_node *n = memfs_node_of(i);
	char *text = load_acquire(&n->target);
	size_t len;

	if (!text) {
		ssize got;

		mutex_lock(&i->lock);
		if (!n->target) {
			text = kzalloc(PATH_MAX_BYTES);
			got = text ? memfs_of(i)->lower->readlink(n->lower, text,
								  PATH_MAX_BYTES - 1)
				   : -ENOMEM;
			if (got >= 0)
				store_release(&n->target, kstrdup(text));
			kfree(text);
		} else {
			got = 0;
		}
		text = n->target;
		mutex_unlock(&i->lock);
		if (!text)
			return got < 0 ? got : -ENOMEM;
	}
	len = min(strlen(text), size);
	memcpy(buf, text, len);
	return (ssize)len;
}

static const struct inode_ops memfs_ops = {
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};

static const struct inode_ops memfs_link_ops = {
	.readlink = memfs_readlink,
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};

static const struct inode_ops memfs_dir_ops = {
	.lookup = memfs_lookup,
	.create = memfs_create,
	.link = memfs_link,
	.unlink = memfs_unlink,
	.rmdir = memfs_rmdir,
	.rename = memfs_rename,
	.tmpfile = memfs_tmpfile,
	.getattr = memfs_getattr,
	.setattr = memfs_setattr,
	.getxattr = memfs_getxattr,
	.setxattr = memfs_setxattr,
	.listxattr = memfs_listxattr,
	.removexattr = memfs_removexattr,
	.evict = memfs_evict,
};

/* --- files --- */

static int memfs_open(struct file *f)
{
	if (f->can_write)
		memfs_pin(f->inode);
	return 0;
}

/*
 * Put zeros into [start, end) of a file whose bytes are below: a page that is dropped would come
 * back.
 */
static int zero_lower(struct object *o, u64 start, u64 end)
{
	while (start < end) {
		u64 offset = start & ~PAGE_MASK, n = min(PAGE_SIZE - offset, end - start);
		struct page *p = object_page_write(o, start >> PAGE_SHIFT, n == PAGE_SIZE);

		if (IS_ERR(p))
			return (int)PTR_ERR(p);
		memset((u8 *)frame_data(p) + offset, 0, n);
		object_page_dirty(o, p);
		page_put(p);
		start += n;
		if ((start >> PAGE_SHIFT) % PREEMPT_PAGES == 0)
			cpu_preempt_point();
	}
	return 0;
}

static int file_punch(struct inode *i, u64 start, u64 end)
{
	/* Also beyond the end: the last page goes whole, and so do pages that were kept there. */
	if (!memfs_node_of(i)->from_lower)
		return object_punch(i->object, start, end);
	end = min(end, i->object->size);
	return start < end ? zero_lower(i->object, start, end) : 0;
}

/* Give every page of [start, end) its memory. On failure the new ones beyond the size go again. */
static int file_reserve(struct inode *i, u64 start, u64 end)
{
	struct object *o = i->object;

	for (u64 index = start >> PAGE_SHIFT; index < DIV_ROUND_UP(end, PAGE_SIZE); index++) {
		int err = object_page_allocate(o, index);

		if (err) {
			u64 kept = ROUND_UP(o->size, PAGE_SIZE);

			if (kept < end)
				object_punch(o, kept, ROUND_UP(end, PAGE_SIZE));
			return err;
		}
		if (index % PREEMPT_PAGES == 0)
			cpu_preempt_point();
	}
	return 0;
}

static int fallocate_locked(struct inode *i, int mode, u64 start, u64 end)
{
	bool keep = mode & FALLOC_FL_KEEP_SIZE;
	int err = 0;

	if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = file_punch(i, start, end);
	} else {
		/* As on Linux's tmpfs, also where the size is kept. */
		if (end > i->object->size && end > rlimit_get(RLIMIT_FSIZE))
			return -EFBIG;
		/* A lower file has its memory on the host. */
		if (!memfs_node_of(i)->from_lower)
			err = file_reserve(i, start, end);
		if (!err && !keep)
			object_grow(i->object, end);
	}
	if (!err)
		i->mtime = i->ctime = time_now();
	return err;
}

static int memfs_fallocate(struct file *f, int mode, u64 offset, u64 length)
{
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) /* as Linux's tmpfs */
		return -EOPNOTSUPP;
	mutex_lock(&f->inode->lock);
	inode_drop_privileges(f->inode);
	err = fallocate_locked(f->inode, mode, offset, offset + length);
	mutex_unlock(&f->inode->lock);
	return err;
}

const struct file_ops memfs_file_ops = {
	.open = memfs_open,
	.read = file_read_object,
	.write = file_write_object,
	.seek = file_seek_object,
	.fallocate = memfs_fallocate,
};

const struct file_ops memfs_dir_file_ops = {
	.seek = file_seek_plain,
	.readdir = memfs_readdir,
};

void memfs_inode_init(void)
{
	slab_cache_init(&node_cache, "memfs_node", sizeof(struct memfs_node));
	slab_cache_init(&object_cache, "memfs_object", sizeof(struct memfs_object));
}
