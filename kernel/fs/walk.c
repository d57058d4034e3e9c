/*
 * walk.c - from a path to a place: the walk along its components.
 *
 * The rule: the part of a path whose names are cached directories is walked under dentry_lock in
 * one go (walk_cached), taking a reference only where it stops; one component that is not is then
 * done the long way (walk_step), and so on. A symlink puts its text in front of the rest.
 * walk_parent stops before the last component, for whoever creates, removes or opens it. Next:
 * name.c.
 */
#include <linux/stat.h>

#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

int walk_begin(struct walk *w, const struct path *start, const char *name, u32 flags)
{
	struct process *p = thread_current() ? process_current() : NULL;
	struct fs_context *fs = p ? p->fs : NULL;
	bool absolute = name[0] == '/';

	if (!name[0] && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (absolute && flags & LOOKUP_BENEATH)
		return -EXDEV;
	*w = (struct walk){ .flags = flags, .rest = name, .cred = fs ? cred_current() : NULL };
	if (!fs) {
		mount_root_path(&w->root);
		w->at = start && !absolute ? *start : w->root;
		path_get(&w->at);
		return 0;
	}
	spin_lock(&fs->lock);
	w->root = fs->root;
	w->at = start ? *start : fs->cwd;
	if (flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH))
		w->root = w->at;
	if (absolute)
		w->at = w->root;
	path_get(&w->root);
	path_get(&w->at);
	spin_unlock(&fs->lock);
	if (absolute && flags & LOOKUP_NO_XDEV && start && start->mount != w->at.mount) {
		walk_end(w);
		return -EXDEV;
	}
	return 0;
}

void walk_end(struct walk *w)
{
	path_put(&w->at);
	path_put(&w->root);
	kfree(w->buffer);
}

static const char *skip_slashes(const char *s)
{
	while (*s == '/')
		s++;
	return s;
}

static size_t component_length(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != '/')
		n++;
	return n;
}

static enum last_kind component_kind(const char *name, size_t len)
{
	if (name[0] != '.' || len > 2)
		return LAST_NAME;
	if (len == 1)
		return LAST_DOT;
	return name[1] == '.' ? LAST_DOTDOT : LAST_NAME;
}

/* --- cached directories --- */

/* The cached directory that `name` means in d, or NULL if it takes the long way. D held. */
static struct dentry *cached_directory(const struct walk *w, struct dentry *d, const char *name,
				       size_t len)
{
	struct inode *dir = d->inode;
	struct dentry *child;

	if (len > NAME_MAX_BYTES || component_kind(name, len) != LAST_NAME || !S_ISDIR(dir->mode) ||
	    dir->ops->revalidate || inode_permission(dir, MAY_EXEC, w->cred))
		return NULL;
	child = dentry_find_locked(d, name, len, dentry_hash(d, name, len));
	if (!child || !child->inode || !S_ISDIR(child->inode->mode) ||
	    (child->mounts && w->flags & LOOKUP_NO_XDEV))
		return NULL;
	return child;
}

static void walk_cached(struct walk *w)
{
	struct path p = w->at;
	const char *rest = w->rest;

	spin_lock(&dentry_lock);
	for (;;) {
		const char *name = skip_slashes(rest);
		size_t len = component_length(name);
		struct dentry *child;
		struct mount *m;

		if (len == 0 || !*skip_slashes(name + len))
			break; /* the last one */
		child = cached_directory(w, p.dentry, name, len);
		if (!child)
			break;
		p.dentry = child;
		while (p.dentry->mounts && (m = mount_on_locked(p.mount, p.dentry)))
			p = (struct path){ m, m->root };
		rest = name + len;
	}
	if (rest != w->rest) {
		dentry_get_locked(p.dentry);
		mount_get(p.mount);
	}
	spin_unlock(&dentry_lock);
	if (rest != w->rest) {
		path_put(&w->at);
		w->at = p;
		w->rest = rest;
	}
}

/* --- one component --- */

/* May the walk look into where it is? */
static int walk_check_directory(const struct walk *w)
{
	const struct inode *dir = w->at.dentry->inode;

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	return inode_permission(dir, MAY_EXEC, w->cred);
}

/* The dentry of name in `at`, a directory that was checked. */
static struct dentry *walk_find(struct walk *w, const char *name, size_t len)
{
	struct inode *dir = w->at.dentry->inode;
	struct dentry *d;

	if (len > NAME_MAX_BYTES)
		return ERR_PTR(-ENAMETOOLONG);
	if (likely(!dir->ops->revalidate)) {
		d = dentry_find(w->at.dentry, name, len);
		if (d)
			return d;
	}
	if (w->flags & LOOKUP_CACHED)
		return ERR_PTR(-EAGAIN);
	mutex_lock(&dir->lock);
	d = dentry_lookup(w->at.dentry, name, len);
	mutex_unlock(&dir->lock);
	return d;
}

struct dentry *walk_find_last(struct walk *w)
{
	return walk_find(w, w->last, w->last_length);
}

int walk_enter(struct walk *w, struct dentry *d)
{
	struct path p = { w->at.mount, d };

	if (likely(!load_relaxed(&d->mounts))) {
		dentry_put(w->at.dentry);
		w->at.dentry = d;
		return 0;
	}
	spin_lock(&dentry_lock);
	for (struct mount *m; (m = mount_on_locked(p.mount, p.dentry));)
		p = (struct path){ m, m->root };
	if (p.dentry != d) {
		mount_get(p.mount);
		dentry_get_locked(p.dentry);
	}
	spin_unlock(&dentry_lock);
	if (p.dentry == d) {
		dentry_put(w->at.dentry);
		w->at.dentry = d;
		return 0;
	}
	dentry_put(d);
	path_put(&w->at);
	w->at = p;
	return w->flags & LOOKUP_NO_XDEV ? -EXDEV : 0;
}

static int walk_dotdot(struct walk *w)
{
	struct path p;
	bool crossed;

	spin_lock(&dentry_lock);
	p = w->at;
	while (p.dentry == p.mount->root && p.mount->parent &&
	       !(p.mount == w->root.mount && p.dentry == w->root.dentry))
		p = (struct path){ p.mount->parent, p.mount->at };
	if (p.mount == w->root.mount && p.dentry == w->root.dentry) {
		spin_unlock(&dentry_lock);
		return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
	}
	p.dentry = p.dentry->parent;
	crossed = p.mount != w->at.mount;
	for (struct mount *m; p.dentry->mounts && (m = mount_on_locked(p.mount, p.dentry));)
		p = (struct path){ m, m->root };
	mount_get(p.mount);
	dentry_get_locked(p.dentry);
	spin_unlock(&dentry_lock);
	path_put(&w->at);
	w->at = p;
	return crossed && w->flags & LOOKUP_NO_XDEV ? -EXDEV : 0;
}

int walk_last_special(struct walk *w)
{
	return w->last_kind == LAST_DOTDOT ? walk_dotdot(w) : 0;
}

/* --- symlinks --- */

/* Put the link's text in front of the rest. */
static int walk_push_text(struct walk *w, struct inode *link, bool slash)
{
	char small[160], *text = small, *joined;
	size_t rest_length = strlen(w->rest);
	ssize n = link->ops->readlink ? link->ops->readlink(link, small, sizeof(small)) : -EINVAL;

	if (n == sizeof(small)) {
		text = kmalloc(PATH_MAX_BYTES);
		if (!text)
			return -ENOMEM;
		n = link->ops->readlink(link, text, PATH_MAX_BYTES);
	}
	joined = n > 0 ? kmalloc((size_t)n + rest_length + 2) : NULL;
	if (joined) {
		memcpy(joined, text, (size_t)n);
		if (slash)
			joined[n] = '/';
		memcpy(joined + n + slash, w->rest, rest_length + 1);
		kfree(w->buffer);
		w->rest = w->buffer = joined;
	}
	if (text != small)
		kfree(text);
	if (n <= 0)
		return n ? (int)n : -ENOENT;
	return joined ? 0 : -ENOMEM;
}

static int walk_follow_text(struct walk *w, struct inode *link, bool slash)
{
	int err = walk_push_text(w, link, slash);

	if (err || w->rest[0] != '/')
		return err;
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if (w->flags & LOOKUP_NO_XDEV && w->at.mount != w->root.mount)
		return -EXDEV;
	path_get(&w->root);
	path_put(&w->at);
	w->at = w->root;
	return 0;
}

static int walk_follow_magic(struct walk *w, struct inode *link)
{
	struct path p;
	int err;

	if (w->flags & LOOKUP_NO_MAGIC)
		return -ELOOP;
	if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
		return -EXDEV;
	err = link->ops->follow(link, &p);
	if (err)
		return err;
	if (w->flags & LOOKUP_NO_XDEV && p.mount != w->at.mount) {
		path_put(&p);
		return -EXDEV;
	}
	path_put(&w->at);
	w->at = p;
	return 0;
}

int walk_follow(struct walk *w, struct dentry *d, bool slash, bool *done)
{
	struct inode *link = d->inode;
	int err;

	*done = false;
	if (++w->links > LINKS_MAX || w->flags & LOOKUP_NO_SYMLINKS) {
		err = -ELOOP;
	} else if (link->ops->follow) {
		err = walk_follow_magic(w, link);
		*done = true;
	} else {
		err = walk_follow_text(w, link, slash);
	}
	dentry_put(d);
	return err;
}

/* --- the walk --- */

/* A component in the middle; w->rest is behind it already. */
static int walk_step(struct walk *w, const char *name, size_t len)
{
	enum last_kind kind = component_kind(name, len);
	struct dentry *d;
	bool done;

	if (kind != LAST_NAME)
		return kind == LAST_DOT ? 0 : walk_dotdot(w);
	d = walk_find(w, name, len);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (!dentry_inode(d)) {
		dentry_put(d);
		return -ENOENT;
	}
	if (S_ISLNK(d->inode->mode))
		return walk_follow(w, d, true, &done);
	return walk_enter(w, d);
}

int walk_parent(struct walk *w)
{
	for (;;) {
		const char *name, *after;
		size_t len;
		int err;

		walk_cached(w);
		name = skip_slashes(w->rest);
		len = component_length(name);
		after = skip_slashes(name + len);
		w->last = name;
		w->last_length = len;
		w->last_slash = len && name[len] == '/';
		w->rest = after;
		if (len == 0) {
			w->last_kind = LAST_ROOT;
			return 0;
		}
		err = walk_check_directory(w);
		if (err)
			return err;
		if (!*after) {
			w->last_kind = component_kind(name, len);
			return 0;
		}
		err = walk_step(w, name, len);
		if (err)
			return err;
	}
}

int walk_whole(struct walk *w)
{
	struct dentry *d;
	bool slash = false, done;
	int err;

	for (;;) {
		err = walk_parent(w);
		if (err)
			return err;
		slash |= w->last_slash;
		if (w->last_kind != LAST_NAME) {
			err = walk_last_special(w);
			break;
		}
		d = walk_find_last(w);
		if (IS_ERR(d))
			return (int)PTR_ERR(d);
		if (!dentry_inode(d)) {
			dentry_put(d);
			return -ENOENT;
		}
		if (!S_ISLNK(d->inode->mode) || !(slash || w->flags & LOOKUP_FOLLOW)) {
			err = walk_enter(w, d);
			break;
		}
		err = walk_follow(w, d, false, &done);
		if (err || done)
			break;
	}
	if (!err && (slash || w->flags & LOOKUP_DIRECTORY) && !S_ISDIR(w->at.dentry->inode->mode))
		err = -ENOTDIR;
	return err;
}

int path_lookup(const struct path *start, const char *name, u32 flags, struct path *out)
{
	struct walk w;
	int err = walk_begin(&w, start, name, flags);

	if (err)
		return err;
	err = flags & LOOKUP_PARENT ? walk_parent(&w) : walk_whole(&w);
	if (!err) {
		*out = w.at;
		w.at = (struct path){ NULL, NULL };
	}
	walk_end(&w);
	return err;
}
