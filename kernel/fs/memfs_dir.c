/*
 * memfs_dir.c - directories of memfs: what changed in memory, over what is below.
 *
 * An entry is in memory (it holds its inode), a whiteout (the lower name is gone), or of the lower
 * tree (known from its list). Until the lower list was read, a name without an entry is asked for
 * below; then the directory is `complete` and the entries are all there is. An entry that hides a
 * lower name of an incomplete directory (`over`) leaves a whiteout when it goes. Entries stay in
 * the order of their cookies, which a reader of the directory uses as its position, so that it
 * misses nothing while others make and remove names.
 */
#include <linux/stat.h>

#include "fs/memfs_priv.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"

enum entry_kind { ENTRY_MEMORY, ENTRY_WHITEOUT, ENTRY_LOWER };

struct entry {
	struct list link; /* in memfs_dir.entries */
	struct entry *hash_next;
	u64 cookie;
	u64 ino;             /* LOWER */
	struct inode *inode; /* MEMORY: counted */
	u32 hash;
	u16 length;
	u8 kind; /* enum entry_kind */
	u8 type; /* LOWER: DT_* */
	bool over;
	char name[];
};

#define FIRST_BUCKETS 16u
#define FIRST_COOKIE 2 /* 0 and 1 are "." and ".." */
#define MISSES_BEFORE_LIST \
	8 /* absent names asked for below until the list is read, to know them all */

struct memfs_dir {
	struct list entries;
	struct entry **buckets;
	u32 nbuckets, nentries;
	u32 visible; /* entries but whiteouts */
	u32 misses;
	u64 next_cookie;
	bool complete;
};

struct memfs_dir *memfs_dir_new(void)
{
	struct memfs_dir *d = kzalloc(sizeof(*d));

	if (!d)
		return NULL;
	d->buckets = kzalloc(FIRST_BUCKETS * sizeof(*d->buckets));
	if (!d->buckets) {
		kfree(d);
		return NULL;
	}
	d->nbuckets = FIRST_BUCKETS;
	d->next_cookie = FIRST_COOKIE;
	list_init(&d->entries);
	return d;
}

/* --- entries --- */

static struct entry *entry_alloc(const char *name, size_t len)
{
	struct entry *e = kzalloc(sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	list_init(&e->link);
	e->kind = ENTRY_WHITEOUT;
	e->length = (u16)len;
	e->hash = dentry_hash(NULL, name, len);
	memcpy(e->name, name, len);
	return e;
}

static struct entry *entry_find(const struct memfs_dir *d, const char *name, size_t len)
{
	u32 hash = dentry_hash(NULL, name, len);

	for (struct entry *e = d->buckets[hash % d->nbuckets]; e; e = e->hash_next)
		if (e->hash == hash && e->length == len && memcmp(e->name, name, len) == 0)
			return e;
	return NULL;
}

/* Twice the buckets; without memory the chains just get longer. */
static void buckets_grow(struct memfs_dir *d)
{
	u32 n = d->nbuckets * 2;
	struct entry **buckets = kzalloc(n * sizeof(*buckets)), *e;

	if (!buckets)
		return;
	list_for_each (e, &d->entries, link) {
		e->hash_next = buckets[e->hash % n];
		buckets[e->hash % n] = e;
	}
	kfree(d->buckets);
	d->buckets = buckets;
	d->nbuckets = n;
}

static void entry_insert(struct memfs_dir *d, struct entry *e)
{
	struct entry **bucket;

	if (d->nentries >= d->nbuckets * 2)
		buckets_grow(d);
	bucket = &d->buckets[e->hash % d->nbuckets];
	e->cookie = d->next_cookie++;
	e->hash_next = *bucket;
	*bucket = e;
	list_push_back(&d->entries, &e->link);
	d->nentries++;
	d->visible += e->kind != ENTRY_WHITEOUT;
}

static void entry_delete(struct memfs_dir *d, struct entry *e)
{
	struct entry **p = &d->buckets[e->hash % d->nbuckets];

	while (*p != e)
		p = &(*p)->hash_next;
	*p = e->hash_next;
	list_remove(&e->link);
	d->nentries--;
	d->visible -= e->kind != ENTRY_WHITEOUT;
	kfree(e);
}

/*
 * What e, in d, means from now on. Returns the inode that it held before, whose reference is the
 * caller's.
 */
static struct inode *entry_set(struct memfs_dir *d, struct entry *e, enum entry_kind kind,
			       struct inode *inode)
{
	struct inode *old = e->inode;

	d->visible += (kind != ENTRY_WHITEOUT) - (e->kind != ENTRY_WHITEOUT);
	e->kind = kind;
	e->inode = inode;
	if (inode)
		inode_get(inode);
	return old;
}

/* The name of e is gone: forgotten, or hidden if it shows below. */
static void entry_remove(struct memfs_dir *d, struct entry *e)
{
	struct inode *old;

	if (e->over && !d->complete) {
		old = entry_set(d, e, ENTRY_WHITEOUT, NULL);
	} else {
		old = e->inode;
		entry_delete(d, e);
	}
	if (old)
		inode_put(old);
}

/*
 * name means inode from now on; e: its entry, or NULL and spare a fresh one. hides: without an
 * entry, the name shows below.
 */
static void entry_put(struct memfs_dir *d, struct entry *e, struct entry *spare, bool hides,
		      struct inode *inode)
{
	struct inode *old;

	if (!e) {
		e = spare;
		e->over = hides;
		entry_insert(d, e);
	}
	old = entry_set(d, e, ENTRY_MEMORY, inode);
	if (old)
		inode_put(old);
}

/* The entry of name, or NULL and a fresh one in *spare: false without memory. */
static bool entry_prepare(struct memfs_dir *d, const char *name, size_t len, struct entry **e,
			  struct entry **spare)
{
	*e = entry_find(d, name, len);
	*spare = *e ? NULL : entry_alloc(name, len);
	return *e || *spare;
}

void memfs_dir_free(struct memfs_dir *d)
{
	while (!list_empty(&d->entries)) {
		struct entry *e = list_first(&d->entries, struct entry, link);

		if (e->inode)
			inode_put(e->inode);
		entry_delete(d, e);
	}
	kfree(d->buckets);
	kfree(d);
}

struct inode *memfs_dir_take(struct memfs_dir *d)
{
	while (!list_empty(&d->entries)) {
		struct entry *e = list_first(&d->entries, struct entry, link);
		struct inode *i = e->inode;

		entry_delete(d, e);
		if (i)
			return i;
	}
	return NULL;
}

/* --- the lower list --- */

static int add_lower_entry(void *arg, const char *name, size_t len, u64 ino, u32 type)
{
	struct memfs_dir *d = arg;
	struct entry *e = entry_find(d, name, len);

	if (e) {
		e->over = true;
		return 0;
	}
	e = entry_alloc(name, len);
	if (!e)
		return -ENOMEM;
	e->kind = ENTRY_LOWER;
	e->over = true;
	e->ino = ino;
	e->type = (u8)type;
	entry_insert(d, e);
	return 0;
}

/*
 * Make the directory complete. After a failure half-way the entries read so far stay: they are
 * right.
 */
static int dir_load(struct memfs_node *n)
{
	int err;

	if (n->dir->complete || !n->lower)
		return 0;
	err = memfs_of(n->inode)->lower->readdir(n->lower, add_lower_entry, n->dir);
	if (!err)
		n->dir->complete = true;
	return err;
}

static bool dir_is_empty(struct memfs_node *n, int *err)
{
	*err = dir_load(n);
	return !*err && n->dir->visible == 0;
}

/* --- lookup --- */

static struct inode *lookup_lower(struct memfs_node *n, const char *name, size_t len)
{
	struct memfs *fs = memfs_of(n->inode);
	struct attributes attr;
	struct lower *l;
	int err = fs->lower->lookup(n->lower, name, len, &l, &attr);

	return err ? ERR_PTR(err) : memfs_inode_lower(fs, l, &attr);
}

struct inode *memfs_lookup(struct inode *dir, const char *name, size_t len)
{
	struct memfs_node *n = memfs_node_of(dir);
	struct entry *e = entry_find(n->dir, name, len);
	struct inode *i;

	if (e && e->kind == ENTRY_MEMORY) {
		inode_get(e->inode);
		return e->inode;
	}
	if (e ? e->kind == ENTRY_WHITEOUT : n->dir->complete || !n->lower)
		return ERR_PTR(-ENOENT);
	i = lookup_lower(n, name, len);
	if (PTR_ERR(i) == -ENOENT && ++n->dir->misses == MISSES_BEFORE_LIST)
		dir_load(n); /* if it fails, names are asked for one by one */
	return i;
}

/* --- changes --- */

/* dir's entries have changed. */
static void dir_changed(struct inode *dir)
{
	memfs_pin(dir);
	dir->mtime = dir->ctime = time_now();
}

/* An inode for a new file in dir: counted, or ERR_PTR(-ENOMEM). */
static struct inode *new_inode(struct inode *dir, u32 mode, u64 rdev, const char *target,
			       const struct cred *cred)
{
	struct inode *i = memfs_inode_new(memfs_of(dir), mode, rdev);
	struct memfs_node *n;

	if (!i)
		return ERR_PTR(-ENOMEM);
	inode_init_owner(i, dir, mode, cred);
	n = memfs_node_of(i);
	if (target) {
		n->size = strlen(target);
		n->target = kstrdup(target);
		if (!n->target) {
			inode_put(i);
			return ERR_PTR(-ENOMEM);
		}
	}
	return i;
}

struct inode *memfs_create(struct inode *dir, const char *name, size_t len, u32 mode, u64 rdev,
			   const char *target, const struct cred *cred)
{
	struct memfs_dir *d = memfs_node_of(dir)->dir;
	struct entry *e, *spare;
	struct inode *i = new_inode(dir, mode, rdev, target, cred);

	if (IS_ERR(i))
		return i;
	if (!entry_prepare(d, name, len, &e, &spare)) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	entry_put(d, e, spare, false, i);
	if (S_ISDIR(mode))
		dir->nlink++;
	dir_changed(dir);
	return i;
}

struct inode *memfs_tmpfile(struct inode *dir, u32 mode, const struct cred *cred)
{
	struct inode *i = new_inode(dir, mode, 0, NULL, cred);

	if (!IS_ERR(i))
		i->nlink = 0;
	return i;
}

int memfs_link(struct inode *dir, const char *name, size_t len, struct inode *target)
{
	struct memfs_dir *d = memfs_node_of(dir)->dir;
	struct entry *e, *spare;

	if (!entry_prepare(d, name, len, &e, &spare))
		return -ENOMEM;
	entry_put(d, e, spare, false, target);
	target->nlink++;
	memfs_pin(target);
	target->ctime = time_now();
	dir_changed(dir);
	return 0;
}

/* Take name out of dir. A name without an entry shows below: it gets a whiteout. */
static int dir_remove(struct inode *dir, const char *name, size_t len)
{
	struct memfs_dir *d = memfs_node_of(dir)->dir;
	struct entry *e, *spare;

	if (!entry_prepare(d, name, len, &e, &spare))
		return -ENOMEM;
	if (e) {
		entry_remove(d, e);
	} else {
		spare->over = true;
		entry_insert(d, spare);
	}
	dir_changed(dir);
	return 0;
}

int memfs_unlink(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	int err = dir_remove(dir, name, len);

	if (!err)
		memfs_unlinked(victim);
	return err;
}

int memfs_rmdir(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	int err;

	if (!dir_is_empty(memfs_node_of(victim), &err))
		return err ? err : -ENOTEMPTY;
	err = dir_remove(dir, name, len);
	if (!err) {
		dir->nlink--;
		memfs_unlinked(victim);
	}
	return err;
}

/* What a rename has in one directory: the entry of the name there, or a fresh one. */
struct place {
	struct memfs_dir *dir;
	struct entry *e, *spare;
};

static void rename_exchange(struct place *old, struct inode *source, struct place *new,
			    struct inode *target)
{
	entry_put(old->dir, old->e, old->spare, true, target);
	entry_put(new->dir, new->e, new->spare, true, source);
}

static void rename_replace(struct place *old, struct inode *source, struct place *new,
			   struct inode *target)
{
	entry_put(new->dir, new->e, new->spare, target != NULL, source);
	if (old->e) {
		entry_remove(old->dir, old->e);
	} else {
		old->spare->over = true;
		entry_insert(old->dir, old->spare);
	}
}

int memfs_rename(struct inode *olddir, const char *oldname, size_t oldlen, struct inode *source,
		 struct inode *newdir, const char *newname, size_t newlen, struct inode *target,
		 bool exchange)
{
	struct place old = { .dir = memfs_node_of(olddir)->dir },
		     new = { .dir = memfs_node_of(newdir)->dir };
	int from = S_ISDIR(source->mode), to = target && S_ISDIR(target->mode), err;

	if (to && !exchange && !dir_is_empty(memfs_node_of(target), &err))
		return err ? err : -ENOTEMPTY;
	if (!entry_prepare(old.dir, oldname, oldlen, &old.e, &old.spare))
		return -ENOMEM;
	if (!entry_prepare(new.dir, newname, newlen, &new.e, &new.spare)) {
		kfree(old.spare);
		return -ENOMEM;
	}
	if (exchange) {
		rename_exchange(&old, source, &new, target);
		olddir->nlink += (u32)(to - from);
		newdir->nlink += (u32)(from - to);
		target->ctime = time_now();
	} else {
		rename_replace(&old, source, &new, target);
		olddir->nlink -= (u32)from;
		newdir->nlink += (u32)(from - to);
		if (target)
			memfs_unlinked(target);
	}
	source->ctime = time_now();
	dir_changed(olddir);
	dir_changed(newdir);
	return 0;
}

/* --- reading --- */

int memfs_readdir(struct file *f,
		  int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
			      u64 next_pos),
		  void *arg)
{
	struct memfs_node *n = memfs_node_of(f->inode);
	struct entry *e;
	int err = dir_load(n);

	if (err || file_emit_dots(f, emit, arg))
		return err;
	list_for_each (e, &n->dir->entries, link) {
		bool memory = e->kind == ENTRY_MEMORY;

		if (e->cookie < f->pos || e->kind == ENTRY_WHITEOUT)
			continue;
		if (emit(arg, e->name, e->length, memory ? e->inode->ino : e->ino,
			 memory ? DT_OF_MODE(e->inode->mode) : e->type, e->cookie + 1))
			return 0;
		f->pos = e->cookie + 1;
	}
	return 0;
}
