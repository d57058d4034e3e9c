/*
 * 9p_rw.c - a host directory as a writable file system: its inodes and their attributes.
 *
 * The rule: what changes names or attributes is done on the host before it is done here, at once;
 * only file data waits in the page cache, until fsync, close, sync, or until much has gathered.
 * Nobody else changes the directory meanwhile, so what was learnt stays true. The server finds
 * files by path: a fid is good as long as the name it was found by, so a file with several names
 * keeps a fid for each that it was met by. Next: 9p_rw_name.c.
 */
#include <linux/stat.h>

#include "fs/9p_rw_priv.h"
#include "fs/lower.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"

#define P9FS_MAGIC 0x01021997 /* V9FS_MAGIC */

static struct slab_cache node_cache;
static const struct inode_ops p9fs_link_ops, p9fs_file_inode_ops;

/* --- names of a file --- */

struct p9_name *p9_name_new(u64 dir, const char *name, size_t len)
{
	struct p9_name *n = kmalloc(sizeof(*n) + len);

	if (!n)
		return NULL;
	list_init(&n->link);
	n->fid = P9_NO_FID;
	n->dir = dir;
	n->length = (u16)len;
	memcpy(n->text, name, len);
	return n;
}

/* N held. Take the record of a name out: NULL if there is none. */
static struct p9_name *name_take(struct p9_node *n, u64 dir, const char *name, size_t len)
{
	struct p9_name *m;

	list_for_each (m, &n->names, link) {
		if (m->dir != dir || m->length != len || memcmp(m->text, name, len) != 0)
			continue;
		list_remove(&m->link);
		return m;
	}
	return NULL;
}

static void name_free(struct p9_node *n, struct p9_name *m)
{
	if (m && m->fid != P9_NO_FID)
		p9_clunk(p9fs_of(n->inode)->client, m->fid);
	kfree(m);
}

void p9_name_add(struct p9_node *n, struct p9_name *name)
{
	struct p9_name *old;

	mutex_lock(&n->lock);
	old = name_take(n, name->dir, name->text, name->length);
	list_push_front(&n->names, &name->link);
	mutex_unlock(&n->lock);
	name_free(n, old);
}

void p9_name_remove(struct p9_node *n, u64 dir, const char *name, size_t len)
{
	struct p9_name *old;

	mutex_lock(&n->lock);
	old = name_take(n, dir, name, len);
	mutex_unlock(&n->lock);
	name_free(n, old);
}

void p9_name_move(struct p9_node *n, u64 old_dir, const char *old_name, size_t old_len,
		  struct p9_name *spare)
{
	struct p9_name *old;

	mutex_lock(&n->lock);
	old = name_take(n, old_dir, old_name, old_len);
	if (old) {
		spare->fid = old->fid;
		list_push_front(&n->names, &spare->link);
	}
	mutex_unlock(&n->lock);
	kfree(old ? old : spare);
}

u32 p9_node_fid(const struct p9_node *n)
{
	if (S_ISDIR(n->inode->mode))
		return n->dir_fid;
	return list_empty(&n->names) ? P9_NO_FID : list_first(&n->names, struct p9_name, link)->fid;
}

/* --- the table --- */

static struct list *table_bucket(struct p9fs *fs, u64 ino)
{
	return &fs->table[(ino ^ ino >> 20) % P9FS_BUCKETS];
}

/* T held. Count the inode once more, unless its last reference is just going. */
static bool inode_get_live(struct inode *i)
{
	u32 refs = load_relaxed(&i->refs.n);

	while (refs)
		if (atomic_cas(&i->refs.n, &refs, refs + 1))
			return true;
	return false;
}

/* T held. The live inode with this number and type, counted. */
static struct inode *table_find(struct p9fs *fs, const struct attributes *attr)
{
	struct p9_node *n;

	list_for_each (n, table_bucket(fs, attr->ino), table_link) {
		struct inode *i = n->inode;

		if (i->ino == attr->ino && (i->mode & S_IFMT) == (attr->mode & S_IFMT) &&
		    inode_get_live(i))
			return i;
	}
	return NULL;
}

static void table_remove(struct p9_node *n)
{
	struct p9fs *fs = p9fs_of(n->inode);

	spin_lock(&fs->lock);
	list_remove(&n->table_link);
	spin_unlock(&fs->lock);
}

void p9_node_unlinked(struct inode *i, bool last)
{
	struct p9_node *n = p9_node_of(i);

	i->ctime = time_now();
	if (!last)
		return;
	/* Its number may be given to another file as soon as the host has let it go. */
	table_remove(n);
	mutex_lock(&n->lock);
	n->unlinked = true;
	mutex_unlock(&n->lock);
	if (i->object) /* nobody will look for its bytes */
		store_relaxed(&i->object->kept_dirty, true);
}

/* --- inodes --- */

static void inode_set(struct inode *i, const struct attributes *a)
{
	struct p9_node *n = p9_node_of(i);

	i->uid = a->uid;
	i->gid = a->gid;
	i->nlink = a->nlink;
	i->rdev = a->rdev;
	i->atime = a->atime;
	i->mtime = a->mtime;
	i->ctime = i->btime = a->ctime;
	n->size = a->size;
	n->blocks = a->blocks;
	i->ops = &p9fs_file_inode_ops;
	if (S_ISDIR(i->mode)) {
		i->ops = &p9fs_dir_ops;
		i->file_ops = &p9fs_dir_file_ops;
	} else if (S_ISLNK(i->mode)) {
		i->ops = &p9fs_link_ops;
	} else if (S_ISREG(i->mode)) {
		p9_node_object_init(n, a->size);
		i->object = &n->object;
		i->file_ops = &p9fs_file_ops;
	} else {
		inode_set_special_ops(i);
	}
}

/* A new inode that is in no table and has no fid yet. */
static struct inode *inode_build(struct p9fs *fs, const struct attributes *attr)
{
	struct p9_node *n = slab_zalloc(&node_cache);
	struct inode *i;

	if (!n)
		return NULL;
	i = inode_alloc(&fs->super, attr->ino, attr->mode);
	if (!i) {
		slab_free(&node_cache, n);
		return NULL;
	}
	n->inode = i;
	n->dir_fid = n->read_fid = n->write_fid = P9_NO_FID;
	n->host_limit = UINT64_MAX;
	list_init(&n->table_link);
	list_init(&n->names);
	mutex_init(&n->lock, RANK_DEVICE);
	i->data = n;
	inode_set(i, attr);
	return i;
}

void p9_node_free(struct p9_node *n)
{
	slab_free(&node_cache, n);
}

void p9fs_evict(struct inode *i)
{
	struct p9_node *n = p9_node_of(i);
	struct p9_client *c = p9fs_of(i)->client;

	table_remove(n);
	if (S_ISREG(i->mode) && !n->unlinked)
		(void)p9_node_flush(n, 0, UINT64_MAX);
	mutex_lock(&n->lock);
	p9_node_close_fids(n);
	while (!list_empty(&n->names)) {
		struct p9_name *name = list_first(&n->names, struct p9_name, link);

		list_remove(&name->link);
		name_free(n, name);
	}
	n->inode = NULL;
	mutex_unlock(&n->lock);
	if (n->dir_fid != P9_NO_FID)
		p9_clunk(c, n->dir_fid);
	if (S_ISREG(i->mode))
		object_put(&n->object); /* frees the node */
	else
		p9_node_free(n);
}

/* The inode in the table, made if it lacks; a directory takes over fid if it is new (*used). */
static struct inode *inode_find_or_make(struct p9fs *fs, const struct attributes *attr, u32 fid,
					bool *used)
{
	struct inode *i, *other;

	*used = false;
	spin_lock(&fs->lock);
	i = table_find(fs, attr);
	spin_unlock(&fs->lock);
	if (i)
		return i;
	i = inode_build(fs, attr);
	if (!i)
		return ERR_PTR(-ENOMEM);
	spin_lock(&fs->lock);
	other = table_find(fs, attr);
	if (!other)
		list_push_back(table_bucket(fs, attr->ino), &p9_node_of(i)->table_link);
	spin_unlock(&fs->lock);
	if (other) {
		inode_put(i);
		return other;
	}
	if (S_ISDIR(i->mode)) {
		p9_node_of(i)->dir_fid = fid;
		*used = true;
	}
	return i;
}

struct inode *p9fs_inode(struct p9fs *fs, const struct attributes *attr, u32 fid, u64 dir,
			 const char *name, size_t len)
{
	struct p9_name *n = S_ISDIR(attr->mode) ? NULL : p9_name_new(dir, name, len);
	struct inode *i;
	bool used;

	if (!n && !S_ISDIR(attr->mode)) {
		p9_clunk(fs->client, fid);
		return ERR_PTR(-ENOMEM);
	}
	i = inode_find_or_make(fs, attr, fid, &used);
	if (!IS_ERR(i) && n) {
		n->fid = fid;
		p9_name_add(p9_node_of(i), n);
		return i;
	}
	kfree(n);
	if (!used)
		p9_clunk(fs->client, fid);
	return i;
}

/* --- attributes --- */

int p9fs_getattr(struct inode *i, struct attributes *out)
{
	struct p9_node *n = p9_node_of(i);

	if (S_ISREG(i->mode))
		p9_node_stored(n);
	inode_attributes(i, out);
	if (!S_ISREG(i->mode))
		out->size = n->size;
	out->blocks = n->resized ? ROUND_UP(out->size, PAGE_SIZE) / 512 : n->blocks;
	return 0;
}

int p9fs_setattr(struct inode *i, const struct attribute_change *change)
{
	struct attribute_change rest = *change;
	struct p9_node *n = p9_node_of(i);
	int err = 0;
	u32 fid;

	if (change->valid & SET_SIZE) {
		err = p9_node_setsize(i, change->size);
		if (err)
			return err;
		i->mtime = i->ctime = time_now();
	}
	rest.valid &= ~(u32)SET_SIZE;
	if (!rest.valid)
		return 0;
	mutex_lock(&n->lock);
	fid = p9_node_fid(n);
	if (fid != P9_NO_FID && !n->unlinked)
		err = p9_setattr(p9fs_of(i)->client, fid, &rest);
	mutex_unlock(&n->lock);
	return err ? err : inode_change(i, &rest);
}

static ssize p9fs_readlink(struct inode *i, char *buf, size_t size)
{
	struct p9_node *n = p9_node_of(i);
	ssize result;
	u32 fid;

	mutex_lock(&n->lock);
	fid = p9_node_fid(n);
	result = fid == P9_NO_FID ? -ENOENT : p9_readlink(p9fs_of(i)->client, fid, buf, size);
	mutex_unlock(&n->lock);
	return result;
}

static const struct inode_ops p9fs_link_ops = {
	.readlink = p9fs_readlink,
	.getattr = p9fs_getattr,
	.setattr = p9fs_setattr,
	.evict = p9fs_evict,
};

static const struct inode_ops p9fs_file_inode_ops = {
	.getattr = p9fs_getattr,
	.setattr = p9fs_setattr,
	.evict = p9fs_evict,
};

/* --- the file system --- */

static int p9fs_statfs(struct super *s, struct statfs_info *out)
{
	struct p9fs *fs = s->data;

	return p9_statfs(fs->client, p9_node_of(s->root->inode)->dir_fid, out);
}

/* T held. The inode in this bucket with dirty pages that has the lowest number above `after`. */
static struct inode *bucket_next_dirty(struct p9fs *fs, u32 bucket, u64 after)
{
	struct inode *found = NULL;
	struct p9_node *n;

	list_for_each (n, &fs->table[bucket], table_link) {
		struct inode *i = n->inode;

		if (i->object && object_needs_sync(i->object) && i->ino > after &&
		    (!found || i->ino < found->ino))
			found = i;
	}
	return found;
}

/*
 * The next inode with dirty pages, counted, in the order of buckets and numbers: so a file that
 * gets dirty again does not hold up the others. One that is just going writes its pages itself.
 */
static struct inode *next_dirty(struct p9fs *fs, u32 *bucket, u64 *after)
{
	struct inode *i = NULL;

	spin_lock(&fs->lock);
	while (*bucket < P9FS_BUCKETS) {
		i = bucket_next_dirty(fs, *bucket, *after);
		if (!i) {
			(*bucket)++;
			*after = 0;
			continue;
		}
		*after = i->ino;
		if (inode_get_live(i))
			break;
		i = NULL;
	}
	spin_unlock(&fs->lock);
	return i;
}

static int p9fs_sync(struct super *s)
{
	struct p9fs *fs = s->data;
	struct inode *i;
	u64 after = 0;
	int result = 0;
	u32 bucket = 0;

	while ((i = next_dirty(fs, &bucket, &after))) {
		int err = p9_node_flush(p9_node_of(i), 0, UINT64_MAX);

		result = result ? result : err;
		inode_put(i);
	}
	return result;
}

static const struct super_ops p9fs_super_ops = {
	.statfs = p9fs_statfs,
	.sync = p9fs_sync,
};

static struct p9fs *p9fs_new(struct p9_client *c)
{
	struct p9fs *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	fs->client = c;
	spin_init(&fs->lock, RANK_FS);
	for (u32 b = 0; b < P9FS_BUCKETS; b++)
		list_init(&fs->table[b]);
	fs->super = (struct super){
		.ops = &p9fs_super_ops,
		.dev = super_new_dev(),
		.magic = P9FS_MAGIC,
		.type_name = "9p",
		.data = fs,
	};
	return fs;
}

/* The root directory, with fid as its fid. */
static int p9fs_make_root(struct p9fs *fs, u32 fid)
{
	struct attributes attr;
	struct inode *i;
	int err = p9_getattr(fs->client, fid, &attr);

	if (err)
		return err;
	if (!S_ISDIR(attr.mode))
		return -ENOTDIR;
	i = p9fs_inode(fs, &attr, fid, 0, "", 0);
	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	fs->super.root = dentry_new_root(&fs->super, i, "/");
	if (fs->super.root)
		return 0;
	inode_put(i);
	return -ENOMEM;
}

struct super *p9fs_mount(const char *tag)
{
	struct p9_client *c;
	struct p9fs *fs;
	u32 fid;

	if (!node_cache.size)
		slab_cache_init(&node_cache, "9p node", sizeof(struct p9_node));
	c = p9_connect(tag, &fid);
	if (IS_ERR(c))
		return NULL;
	fs = p9fs_new(c);
	if (fs && p9fs_make_root(fs, fid) == 0)
		return &fs->super;
	kfree(fs);
	p9_disconnect(c);
	return NULL;
}
