/*
 * dentry.c - the cache of names: what a directory says a name means, existing or not, kept as long
 * as memory allows.
 *
 * The rule: a dentry holds its parent and its inode, so a cached name keeps what it needs to be
 * found. A dentry that nobody uses stays hashed, in the LRU list, until it is shrunk away; one
 * that is no longer found dies with its last reference. `inode` is set at most once. The hash is
 * changed by who holds the directory's lock, so a miss under that lock is a miss. Next: walk.c.
 */
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/shrink.h"
#include "mm/slab.h"

#define HASH_BUCKETS 16384u

struct spinlock dentry_lock = SPINLOCK_INIT(RANK_DENTRY);
static struct dentry *hash_table[HASH_BUCKETS]; /* D */
static struct list unused = LIST_INIT(unused);  /* D: dentry.lru_link, least recently used first */
static u64 unused_count;                        /* D */
static u64 unused_max;
static struct slab_cache dentry_cache;

#define SHRINK_BATCH 64
#define UNUSED_MIN 4096ull
#define UNUSED_MAX 262144ull

static struct shrinker dentry_shrinker = { .shrink = dentry_shrink };

void dentry_init(void)
{
	shrinker_register(&dentry_shrinker);
	slab_cache_init(&dentry_cache, "dentry", sizeof(struct dentry));
	/*
	 * A name and its inode take about half a KiB: an eighth of memory for names that nobody
	 * uses.
	 */
	unused_max = clamp(frame_managed, UNUSED_MIN, UNUSED_MAX);
}

struct inode *dentry_inode(const struct dentry *d)
{
	return load_acquire(&d->inode);
}

u32 dentry_hash(const struct dentry *parent, const char *name, size_t len)
{
	u64 h = (u64)parent >> 4;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (u8)name[i]) * 0x100000001b3ull;
	return (u32)(h ^ h >> 32);
}

/* --- life --- */

static void dentry_free_name(struct dentry *d)
{
	if (d->name != d->inline_name)
		kfree(d->name);
}

static struct dentry *dentry_alloc(struct super *s, const char *name, size_t len)
{
	struct dentry *d = slab_zalloc(&dentry_cache);

	if (!d)
		return NULL;
	d->name = d->inline_name;
	if (len >= DENTRY_INLINE_NAME) {
		d->name = kmalloc(len + 1);
		if (!d->name) {
			slab_free(&dentry_cache, d);
			return NULL;
		}
	}
	memcpy(d->name, name, len);
	d->name[len] = '\0';
	d->length = (u16)len;
	d->refs = 1;
	d->super = s;
	list_init(&d->lru_link);
	list_init(&d->children);
	list_init(&d->child_link);
	return d;
}

struct dentry *dentry_new_root(struct super *s, struct inode *inode, const char *name)
{
	struct dentry *d = dentry_alloc(s, name, min(strlen(name), (size_t)NAME_MAX_BYTES));

	if (!d)
		return NULL;
	d->parent = d;
	d->inode = inode;
	return d;
}

struct dentry *dentry_new_unlinked(struct dentry *parent, struct inode *inode)
{
	char name[24];
	struct dentry *d;

	format(name, sizeof(name), "#%lu", inode->ino);
	d = dentry_new_root(parent->super, inode, name);
	if (!d)
		return NULL;
	dentry_get(parent);
	d->parent = parent;
	d->unlinked = true;
	return d;
}

void dentry_get_locked(struct dentry *d)
{
	if (atomic_add_return(&d->refs, 1) == 1 && !list_empty(&d->lru_link)) {
		list_remove(&d->lru_link);
		unused_count--;
	}
}

static void dentry_hash_locked(struct dentry *d)
{
	struct dentry **slot = &hash_table[d->hash % HASH_BUCKETS];

	d->hash_next = *slot;
	d->hash_slot = slot;
	if (*slot)
		(*slot)->hash_slot = &d->hash_next;
	*slot = d;
	list_push_back(&d->parent->children, &d->child_link);
	d->hashed = true;
}

static void dentry_unhash_locked(struct dentry *d)
{
	if (!d->hashed)
		return;
	*d->hash_slot = d->hash_next;
	if (d->hash_next)
		d->hash_next->hash_slot = d->hash_slot;
	list_remove(&d->child_link);
	d->hashed = false;
}

/*
 * Give up one reference, D held. True: d was the last user's and is not to be cached: the caller
 * frees it after dropping the lock (dentry_destroy).
 */
static bool dentry_put_locked(struct dentry *d)
{
	if (atomic_sub_return(&d->refs, 1) != 0)
		return false;
	if (d->hashed && !(d->super->flags & SUPER_NO_DENTRY_CACHE)) {
		list_push_back(&unused, &d->lru_link);
		unused_count++;
		return false;
	}
	dentry_unhash_locked(d);
	return true;
}

/*
 * Free an unreferenced, unhashed dentry. Returns its parent, one of whose references the caller
 * now holds, or NULL.
 */
static struct dentry *dentry_destroy(struct dentry *d)
{
	struct dentry *parent = d->parent == d ? NULL : d->parent;

	if (d->inode)
		inode_put(d->inode);
	dentry_free_name(d);
	slab_free(&dentry_cache, d);
	return parent;
}

void dentry_put(struct dentry *d)
{
	while (d) {
		u32 refs = load_relaxed(&d->refs);
		bool last;

		while (refs > 1)
			if (atomic_cas(&d->refs, &refs, refs - 1))
				return;
		spin_lock(&dentry_lock);
		last = dentry_put_locked(d);
		spin_unlock(&dentry_lock);
		if (!last)
			return;
		d = dentry_destroy(d);
	}
}

/* Take d, unused and hashed, out of the cache: the caller destroys it. D held. */
static void dentry_drop_locked(struct dentry *d)
{
	list_remove(&d->lru_link);
	unused_count--;
	dentry_unhash_locked(d);
}

/* Free all that are linked by lru_link to `dropped`. */
static void dentry_destroy_list(struct list *dropped)
{
	struct dentry *d;

	while ((d = list_first(dropped, struct dentry, lru_link))) {
		list_remove(&d->lru_link);
		dentry_put(dentry_destroy(d));
	}
}

u64 dentry_shrink(u64 n)
{
	u64 done = 0;

	while (done < n) {
		struct dentry *d;

		spin_lock(&dentry_lock);
		d = list_first(&unused, struct dentry, lru_link);
		if (d)
			dentry_drop_locked(d);
		spin_unlock(&dentry_lock);
		if (!d)
			break;
		done++;
		dentry_put(dentry_destroy(d));
	}
	return done;
}

void dentry_shrink_super(struct super *s)
{
	struct list dropped = LIST_INIT(dropped);
	struct dentry *d, *next;
	bool more;

	/*
	 * Freeing the names in a directory makes the directory's own unused: until there are none.
	 */
	do {
		spin_lock(&dentry_lock);
		list_for_each_safe (d, next, &unused, lru_link) {
			if (d->super != s)
				continue;
			dentry_drop_locked(d);
			list_push_back(&dropped, &d->lru_link);
		}
		spin_unlock(&dentry_lock);
		more = !list_empty(&dropped);
		dentry_destroy_list(&dropped);
	} while (more);
}

/* --- finding --- */

struct dentry *dentry_find_locked(struct dentry *parent, const char *name, size_t len, u32 hash)
{
	for (struct dentry *d = hash_table[hash % HASH_BUCKETS]; d; d = d->hash_next)
		if (d->hash == hash && d->parent == parent && d->length == len &&
		    memcmp(d->name, name, len) == 0)
			return d;
	return NULL;
}

struct dentry *dentry_find(struct dentry *parent, const char *name, size_t len)
{
	u32 hash = dentry_hash(parent, name, len);
	struct dentry *d;

	spin_lock(&dentry_lock);
	d = dentry_find_locked(parent, name, len, hash);
	if (d)
		dentry_get_locked(d);
	spin_unlock(&dentry_lock);
	return d;
}

/* Is the cached d still what its file system would say? If not, it is forgotten. */
static bool dentry_valid(struct dentry *d)
{
	struct inode *dir = d->parent->inode;

	if (likely(!dir->ops->revalidate) ||
	    dir->ops->revalidate(dir, d->name, d->length, d->inode))
		return true;
	dentry_forget(d);
	return false;
}

struct dentry *dentry_lookup(struct dentry *parent, const char *name, size_t len)
{
	struct inode *dir = parent->inode, *inode;
	struct dentry *d;

	if (parent->unlinked)
		return ERR_PTR(-ENOENT);
	d = dentry_find(parent, name, len);
	if (d && dentry_valid(d))
		return d;
	if (d)
		dentry_put(d);
	d = dentry_alloc(parent->super, name, len);
	if (!d)
		return ERR_PTR(-ENOMEM);
	inode = dir->ops->lookup ? dir->ops->lookup(dir, name, len) : ERR_PTR(-ENOENT);
	if (IS_ERR(inode) && PTR_ERR(inode) != -ENOENT) {
		dentry_free_name(d);
		slab_free(&dentry_cache, d);
		return (struct dentry *)inode;
	}
	d->inode = IS_ERR(inode) ? NULL : inode;
	d->hash = dentry_hash(parent, name, len);
	spin_lock(&dentry_lock);
	dentry_get_locked(parent);
	d->parent = parent;
	if (d->inode || !(parent->super->flags & SUPER_NO_DENTRY_CACHE))
		dentry_hash_locked(d);
	spin_unlock(&dentry_lock);
	if (load_relaxed(&unused_count) > unused_max)
		dentry_shrink(SHRINK_BATCH);
	return d;
}

/* --- changes --- */

void dentry_make_positive(struct dentry *d, struct inode *inode)
{
	spin_lock(&dentry_lock);
	store_release(&d->inode, inode);
	if (!d->hashed)
		dentry_hash_locked(d);
	spin_unlock(&dentry_lock);
}

void dentry_forget(struct dentry *d)
{
	spin_lock(&dentry_lock);
	dentry_unhash_locked(d);
	spin_unlock(&dentry_lock);
}

void dentry_unlink(struct dentry *d)
{
	struct list dropped = LIST_INIT(dropped);
	struct dentry *child, *next;

	spin_lock(&dentry_lock);
	dentry_unhash_locked(d);
	d->unlinked = true;
	/* What is known not to be in a removed directory is of no use any more. */
	list_for_each_safe (child, next, &d->children, child_link) {
		if (list_empty(&child->lru_link)) {
			dentry_unhash_locked(child);
		} else {
			dentry_drop_locked(child);
			list_push_back(&dropped, &child->lru_link);
		}
	}
	spin_unlock(&dentry_lock);
	dentry_destroy_list(&dropped);
}

bool dentry_spare_name(size_t len, char **out)
{
	*out = len < DENTRY_INLINE_NAME ? NULL : kmalloc(len + 1);
	return len < DENTRY_INLINE_NAME || *out;
}

void dentry_move(struct dentry *d, struct dentry *target, char *spare)
{
	struct dentry *old_parent = d->parent, *new_parent = target->parent;
	char *old_name;

	spin_lock(&dentry_lock);
	dentry_unhash_locked(d);
	dentry_unhash_locked(target);
	target->unlinked = target->inode != NULL;
	old_name = d->name;
	d->name = spare ? spare : d->inline_name;
	memcpy(d->name, target->name, target->length + 1u);
	d->length = target->length;
	d->hash = target->hash;
	dentry_get_locked(new_parent);
	d->parent = new_parent;
	dentry_hash_locked(d);
	spin_unlock(&dentry_lock);
	if (old_name != d->inline_name)
		kfree(old_name);
	dentry_put(old_parent);
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *parent;
	char *name_a, *name_b, inline_a[DENTRY_INLINE_NAME];
	u16 length;
	u32 hash;

	spin_lock(&dentry_lock);
	dentry_unhash_locked(a);
	dentry_unhash_locked(b);
	name_a = a->name == a->inline_name ? NULL : a->name;
	name_b = b->name == b->inline_name ? NULL : b->name;
	memcpy(inline_a, a->inline_name, sizeof(inline_a));
	memcpy(a->inline_name, b->inline_name, sizeof(inline_a));
	memcpy(b->inline_name, inline_a, sizeof(inline_a));
	a->name = name_b ? name_b : a->inline_name;
	b->name = name_a ? name_a : b->inline_name;
	length = a->length, a->length = b->length, b->length = length;
	hash = a->hash, a->hash = b->hash, b->hash = hash;
	parent = a->parent, a->parent = b->parent, b->parent = parent;
	dentry_hash_locked(a);
	dentry_hash_locked(b);
	spin_unlock(&dentry_lock);
}

bool dentry_is_below(const struct dentry *d, const struct dentry *ancestor)
{
	while (d != ancestor && d->parent != d)
		d = d->parent;
	return d == ancestor;
}
