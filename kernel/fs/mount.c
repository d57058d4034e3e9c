/*
 * mount.c - mounts, places in the tree (struct path), their text, and each process's root and
 * current directory.
 *
 * The rule: a mount joins a super's root dentry to a dentry of another mount; both joints are
 * counted, so a mounted place cannot go away. The list is short, and only dentries that count
 * mounts on them are looked for in it. Next: walk.c.
 */
#include <linux/stat.h>

#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

struct mount *root_mount;
static struct list mounts = LIST_INIT(mounts); /* D */
static u32 last_mount_id = 20;                 /* D */

/* --- places --- */

void path_get(const struct path *p)
{
	mount_get(p->mount);
	dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	struct mount *m = p->mount;

	if (p->dentry)
		dentry_put(p->dentry);
	if (m)
		mount_put(m);
	*p = (struct path){ NULL, NULL };
}

void mount_put(struct mount *m)
{
	while (m && atomic_sub_return(&m->refs, 1) == 0) {
		struct mount *parent = m->parent;

		dentry_put(m->root);
		if (m->at)
			dentry_put(m->at);
		if (atomic_sub_return(&m->super->mounts, 1) == 0 && m->super->ops &&
		    m->super->ops->release)
			m->super->ops->release(m->super);
		kfree(m->source);
		kfree(m->options);
		kfree(m);
		m = parent;
	}
}

bool path_unlinked(const struct path *p)
{
	return load_relaxed(&p->dentry->unlinked);
}

u32 path_mount_id(const struct path *p)
{
	return p->mount->id;
}

bool path_is_mount_root(const struct path *p)
{
	return p->dentry == p->mount->root;
}

/* --- the tree of mounts --- */

struct mount *mount_on_locked(const struct mount *parent, const struct dentry *at)
{
	struct mount *m;

	list_for_each (m, &mounts, link)
		if (m->parent == parent && m->at == at)
			return m;
	return NULL;
}

static struct mount *mount_alloc(struct super *s, struct dentry *root, const char *source,
				 const char *options)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->source = kstrdup(source);
	m->options = kstrdup(options);
	if (!m->source || !m->options) {
		kfree(m->source);
		kfree(m->options);
		kfree(m);
		return NULL;
	}
	m->refs = 1;
	m->super = s;
	atomic_add(&s->mounts, 1);
	m->root = root;
	m->readonly = strncmp(options, "ro", 2) == 0 && (options[2] == '\0' || options[2] == ',');
	list_init(&m->link);
	return m;
}

/* Mount root, a dentry of s, at p. */
static int mount_at(const struct path *p, struct super *s, struct dentry *root, const char *source,
		    const char *options)
{
	struct mount *m;

	if (S_ISDIR(p->dentry->inode->mode) != S_ISDIR(root->inode->mode))
		return -ENOTDIR;
	m = mount_alloc(s, root, source, options);
	if (!m)
		return -ENOMEM;
	dentry_get(root);
	path_get(p);
	spin_lock(&dentry_lock);
	m->parent = p->mount;
	m->at = p->dentry;
	m->at->mounts++;
	m->id = ++last_mount_id;
	list_push_back(&mounts, &m->link);
	spin_unlock(&dentry_lock);
	return 0;
}

/* Make the directory that the walk's last component names, if it lacks; `at` becomes it. */
static int walk_make_directory(struct walk *w)
{
	struct inode *dir = w->at.dentry->inode, *inode;
	struct dentry *d;
	int err = 0;

	mutex_lock(&dir->lock);
	d = dentry_lookup(w->at.dentry, w->last, w->last_length);
	if (!IS_ERR(d) && !d->inode) {
		inode = dir->ops->create ? dir->ops->create(dir, w->last, w->last_length,
							    S_IFDIR | 0755, 0, NULL, NULL)
					 : ERR_PTR(-EROFS);
		if (IS_ERR(inode))
			err = (int)PTR_ERR(inode);
		else
			dentry_make_positive(d, inode);
	}
	mutex_unlock(&dir->lock);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (!err && S_ISDIR(d->inode->mode))
		return walk_enter(w, d);
	dentry_put(d);
	return err ? err : -ENOTDIR;
}

/* Make all of the path `name` that lacks: the place, counted. */
static int make_directories(const char *name, struct path *out)
{
	struct walk w;
	const char *end = name;
	int err = 0;

	mount_root_path(out);
	while (!err && *end) {
		struct path start = *out;
		size_t len;

		while (*end == '/')
			end++;
		len = 0;
		while (end[len] && end[len] != '/')
			len++;
		if (len == 0)
			break;
		err = walk_begin(&w, &start, ".", 0);
		if (err)
			break;
		w.cred = NULL;
		w.last = end;
		w.last_length = len;
		err = walk_make_directory(&w);
		if (!err) {
			path_get(&w.at);
			path_put(out);
			*out = w.at;
		}
		walk_end(&w);
		end += len;
	}
	if (err)
		path_put(out);
	return err;
}

int mount_add(const char *path, struct super *s, const char *source, const char *options)
{
	struct path at;
	int err;

	if (!root_mount) {
		root_mount = mount_alloc(s, s->root, source, options);
		if (!root_mount)
			return -ENOMEM;
		dentry_get(s->root);
		root_mount->id = ++last_mount_id;
		list_push_back(&mounts, &root_mount->link);
		return 0;
	}
	err = make_directories(path, &at);
	if (!err) {
		err = mount_new(&at, s, source, options);
		path_put(&at);
	}
	return err;
}

int mount_bind(const struct path *from, const struct path *at, const char *source, bool readonly)
{
	return mount_at(at, from->mount->super, from->dentry, source, readonly ? "ro" : "");
}

int mount_new(const struct path *at, struct super *s, const char *source, const char *options)
{
	return mount_at(at, s, s->root, source, options);
}

int mount_set_readonly(const struct path *p, bool on)
{
	if (p->dentry != p->mount->root)
		return -EINVAL;
	p->mount->readonly = on;
	return 0;
}

int mount_remove(const struct path *p, bool lazy)
{
	struct mount *m = p->mount, *child;
	struct dentry *at = NULL;
	struct mount *parent = NULL;
	int err = 0;

	spin_lock(&dentry_lock);
	if (p->dentry != m->root || !m->parent)
		err = m == root_mount && p->dentry == m->root ? -EBUSY : -EINVAL;
	list_for_each (child, &mounts, link)
		if (child->parent == m)
			err = err ? err : -EBUSY;
	if (!err && !lazy && load_acquire(&m->refs) > 2) /* the list's, and p */
		err = -EBUSY;
	if (!err) {
		list_remove(&m->link);
		at = m->at;
		parent = m->parent;
		at->mounts--;
		m->at = NULL;
		m->parent = NULL;
	}
	spin_unlock(&dentry_lock);
	if (err)
		return err;
	dentry_put(at);
	mount_put(parent);
	mount_put(m);
	return 0;
}

int mount_for_each(int (*fn)(struct mount *m, void *arg), void *arg)
{
	struct mount *m, *next;
	int result = 0;

	spin_lock(&dentry_lock);
	m = list_first(&mounts, struct mount, link);
	if (m)
		mount_get(m);
	spin_unlock(&dentry_lock);
	while (m) {
		result = fn(m, arg);
		spin_lock(&dentry_lock);
		next = NULL;
		/* One that was unmounted meanwhile ends the list. */
		if (!result && !list_empty(&m->link) && m->link.next != &mounts) {
			next = list_entry(m->link.next, struct mount, link);
			mount_get(next);
		}
		spin_unlock(&dentry_lock);
		mount_put(m);
		m = next;
	}
	return result;
}

int super_sync(struct super *s)
{
	return s->ops && s->ops->sync ? s->ops->sync(s) : 0;
}

static int sync_mount(struct mount *m, void *arg)
{
	super_sync(m->super);
	return 0;
}

void vfs_sync(void)
{
	mount_for_each(sync_mount, NULL);
}

/* As the kernel writes names into /proc/mounts: what separates fields is escaped. */
static void escape_text(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 5 < size; text++) {
		if (strchr(" \t\n\\", *text))
			n += (size_t)format(out + n, size - n, "\\%03o", (u8)*text);
		else
			out[n++] = *text;
	}
	out[n] = '\0';
}

void mount_describe(struct mount *m, char *buf, size_t size, bool mountinfo)
{
	struct path p = { m, m->root };
	char *text = kmalloc(3 * PATH_MAX_BYTES), *where, *source;
	const char *access = m->readonly || m->super->flags & SUPER_READONLY ? "ro" : "rw";
	u64 dev = m->super->dev;

	buf[0] = '\0';
	if (!text)
		return;
	where = path_text(&p, text, PATH_MAX_BYTES);
	if (!IS_ERR(where)) {
		escape_text(text + PATH_MAX_BYTES, PATH_MAX_BYTES, where);
		source = text + 2 * PATH_MAX_BYTES;
		escape_text(source, PATH_MAX_BYTES, m->source);
		if (mountinfo)
			format(buf, size, "%u %u %u:%u / %s %s,relatime - %s %s %s\n", m->id,
			       m->parent ? m->parent->id : 1, (u32)(dev >> 8 & 0xfff),
			       (u32)(dev & 0xff), text + PATH_MAX_BYTES, access,
			       m->super->type_name, source, access);
		else
			format(buf, size, "%s %s %s %s,relatime 0 0\n", source,
			       text + PATH_MAX_BYTES, m->super->type_name, access);
	}
	kfree(text);
}

void mount_root_path(struct path *out)
{
	out->mount = root_mount;
	out->dentry = root_mount->root;
	path_get(out);
}

/* --- text --- */

static bool text_prepend(char *buf, char **start, const char *s, size_t n)
{
	if ((size_t)(*start - buf) < n)
		return false;
	*start -= n;
	memcpy(*start, s, n);
	return true;
}

/* A file that no path names. */
static char *anonymous_text(const struct dentry *d, char *buf, size_t size)
{
	const char *deleted = d->unlinked ? " (deleted)" : "";
	int n;

	if (strchr(d->name, '/') || strchr(d->name, ':'))
		n = format(buf, size, "%s%s", d->name, deleted);
	else
		n = format(buf, size, "%s:[%lu]%s", d->name, d->inode->ino, deleted);
	return (size_t)n < size ? buf : ERR_PTR(-ENAMETOOLONG);
}

u32 current_umask(void)
{
	struct process *p = thread_current() ? process_current() : NULL;

	return p && p->fs ? load_relaxed(&p->fs->umask) : 0;
}

static void current_root(struct path *out)
{
	struct process *p = thread_current() ? process_current() : NULL;

	if (!p || !p->fs) {
		mount_root_path(out);
		return;
	}
	spin_lock(&p->fs->lock);
	*out = p->fs->root;
	path_get(out);
	spin_unlock(&p->fs->lock);
}

char *path_text(const struct path *p, char *buf, size_t size)
{
	char *start = buf + size;
	struct dentry *d = p->dentry;
	struct mount *m = p->mount;
	struct path root;
	bool fits, reached = false;

	if (m == mount_anonymous())
		return anonymous_text(d, buf, size);
	current_root(&root);
	spin_lock(&dentry_lock);
	fits = text_prepend(buf, &start, "", 1);
	if (d->unlinked)
		fits = fits && text_prepend(buf, &start, " (deleted)", 10);
	if (m == root.mount && d == root.dentry)
		fits = fits && text_prepend(buf, &start, "/", 1);
	while (fits) {
		while (d == m->root && m->parent && !(m == root.mount && d == root.dentry)) {
			d = m->at;
			m = m->parent;
		}
		reached = m == root.mount && d == root.dentry;
		if (reached || d->parent == d)
			break;
		fits = text_prepend(buf, &start, d->name, d->length) &&
		       text_prepend(buf, &start, "/", 1);
		d = d->parent;
	}
	spin_unlock(&dentry_lock);
	path_put(&root);
	if (!fits)
		return ERR_PTR(-ENAMETOOLONG);
	return reached ? start : ERR_PTR(-ENOENT);
}

/* --- per-process names --- */

struct fs_context *fs_context_new(void)
{
	struct fs_context *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->refs);
	spin_init(&c->lock, RANK_FS);
	c->umask = 022;
	mount_root_path(&c->root);
	mount_root_path(&c->cwd);
	return c;
}

struct fs_context *fs_context_copy(struct fs_context *old)
{
	struct fs_context *c = kzalloc(sizeof(*c));

	if (!c)
		return NULL;
	ref_init(&c->refs);
	spin_init(&c->lock, RANK_FS);
	spin_lock(&old->lock);
	c->root = old->root;
	c->cwd = old->cwd;
	c->umask = old->umask;
	path_get(&c->root);
	path_get(&c->cwd);
	spin_unlock(&old->lock);
	return c;
}

void fs_context_get(struct fs_context *c)
{
	ref_get(&c->refs);
}

void fs_context_put(struct fs_context *c)
{
	if (!ref_put(&c->refs))
		return;
	path_put(&c->root);
	path_put(&c->cwd);
	kfree(c);
}

void fs_context_cwd(struct fs_context *c, struct path *out)
{
	spin_lock(&c->lock);
	*out = c->cwd;
	path_get(out);
	spin_unlock(&c->lock);
}

static int context_set(struct fs_context *c, struct path *field, const struct path *p)
{
	struct path old;

	if (!S_ISDIR(p->dentry->inode->mode))
		return -ENOTDIR;
	path_get(p);
	spin_lock(&c->lock);
	old = *field;
	*field = *p;
	spin_unlock(&c->lock);
	path_put(&old);
	return 0;
}

int fs_context_set_cwd(struct fs_context *c, const struct path *p)
{
	return context_set(c, &c->cwd, p);
}

int fs_context_set_root(struct fs_context *c, const struct path *p)
{
	return context_set(c, &c->root, p);
}
