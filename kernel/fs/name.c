/*
 * name.c - making, removing and moving names: mknod, mkdir, symlink, link, unlink, rmdir, rename.
 *
 * The rule: each call walks to the parent, locks it, looks the name up under that lock, decides
 * (Linux's errors in Linux's order), and only then lets the file system change; the name cache
 * follows it. rename locks two directories, the ancestor first; for that the tree of directories
 * stands still (rename_lock). Next: memfs.c, a file system.
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/stat.h>

#include "fs/notify.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "proc/proc.h"

static struct mutex rename_lock;

void name_init(void)
{
	mutex_init(&rename_lock, RANK_RENAME);
}

/* --- new names --- */

struct creation {
	struct walk w;     /* at the parent */
	struct inode *dir; /* locked */
	struct dentry *d;  /* counted, negative */
};

/* A negative dentry in the locked parent. */
static int creation_check(struct creation *c, bool directory)
{
	struct walk *w = &c->w;
	int err = 0;

	c->d = dentry_lookup(w->at.dentry, w->last, w->last_length);
	if (IS_ERR(c->d))
		return (int)PTR_ERR(c->d);
	if (c->d->inode)
		err = -EEXIST;
	else if (w->last_slash && !directory)
		err = -ENOENT;
	else if (path_readonly(&w->at))
		err = -EROFS;
	else if (!c->dir->ops->create && c->dir->super->flags & SUPER_NO_DENTRY_CACHE)
		err = -ENOENT;
	if (err)
		dentry_put(c->d);
	return err;
}

/* On success the parent is locked and creation_end must be called. */
static int creation_begin(struct creation *c, const struct path *start, const char *name,
			  bool directory)
{
	struct walk *w = &c->w;
	int err = walk_begin(w, start, name, 0);

	if (err)
		return err;
	err = walk_parent(w);
	if (!err && w->last_kind != LAST_NAME)
		err = -EEXIST;
	if (!err && w->last_length > NAME_MAX_BYTES)
		err = -ENAMETOOLONG;
	if (err)
		goto out;
	c->dir = w->at.dentry->inode;
	mutex_lock(&c->dir->lock);
	err = creation_check(c, directory);
	if (!err)
		return 0;
	mutex_unlock(&c->dir->lock);
out:
	walk_end(w);
	return err;
}

static void creation_end(struct creation *c)
{
	mutex_unlock(&c->dir->lock);
	dentry_put(c->d);
	walk_end(&c->w);
}

/* May a name be added to the parent? */
static int creation_permitted(const struct creation *c)
{
	return inode_permission(c->dir, MAY_WRITE | MAY_EXEC, c->w.cred);
}

/* out: where it is then, counted; or NULL. */
static int create_file(const struct path *start, const char *name, u32 mode, u64 rdev,
		       const char *target, struct path *out)
{
	struct creation c;
	struct inode *i;
	int err = creation_begin(&c, start, name, S_ISDIR(mode));

	if (err)
		return err;
	err = creation_permitted(&c);
	if (!err && (S_ISCHR(mode) || S_ISBLK(mode)) && c.w.cred &&
	    !cred_capable(c.w.cred, CAP_MKNOD))
		err = -EPERM;
	if (!err && !c.dir->ops->create)
		err = -EPERM;
	if (!err) {
		i = c.dir->ops->create(c.dir, c.w.last, c.w.last_length, mode, rdev, target,
				       c.w.cred);
		if (IS_ERR(i))
			err = (int)PTR_ERR(i);
		else
			dentry_make_positive(c.d, i);
	}
	if (!err)
		notify_name(c.dir, c.w.last, c.w.last_length,
			    IN_CREATE | (S_ISDIR(mode) ? IN_ISDIR : 0));
	if (!err && out) {
		*out = (struct path){ c.w.at.mount, c.d };
		path_get(out);
	}
	creation_end(&c);
	return err;
}

int vfs_create_socket(const char *name, u32 mode, struct path *out)
{
	return create_file(NULL, name, S_IFSOCK | (mode & 0777 & ~current_umask()), 0, NULL, out);
}

int vfs_mknod(const struct path *start, const char *name, u32 mode, u64 rdev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return create_file(start, name, (mode & S_IFMT) | (mode & 07777 & ~current_umask()), rdev,
			   NULL, NULL);
}

int vfs_mkdir(const struct path *start, const char *name, u32 mode)
{
	return create_file(start, name, S_IFDIR | (mode & 01777 & ~current_umask()), 0, NULL, NULL);
}

int vfs_symlink(const char *target, const struct path *start, const char *name)
{
	return create_file(start, name, S_IFLNK | 0777, 0, target, NULL);
}

/*
 * fs.protected_hardlinks: a link to what is not one's own only if one could read and write it
 * anyway.
 */
static bool link_source_forbidden(struct inode *i)
{
	if (inode_owned(i))
		return false;
	return !S_ISREG(i->mode) || i->mode & S_ISUID ||
	       (i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) ||
	       vfs_permission(i, MAY_READ | MAY_WRITE);
}

static int link_locked(struct creation *c, struct path *old)
{
	struct inode *i = old->dentry->inode;
	int err;

	if (old->mount != c->w.at.mount)
		return -EXDEV;
	if (link_source_forbidden(i))
		return -EPERM;
	err = creation_permitted(c);
	if (err)
		return err;
	if (!c->dir->ops->link || S_ISDIR(i->mode))
		return -EPERM;
	mutex_lock(&i->lock);
	if (i->nlink == 0 && !i->linkable)
		err = -ENOENT;
	else
		err = c->dir->ops->link(c->dir, c->w.last, c->w.last_length, i);
	if (!err) {
		i->linkable = false;
		inode_get(i);
		dentry_make_positive(c->d, i);
	}
	mutex_unlock(&i->lock);
	return err;
}

int vfs_link(const struct path *oldstart, const char *oldname, const struct path *newstart,
	     const char *newname, u32 lookup_flags)
{
	struct creation c;
	struct path old;
	int err = path_lookup(oldstart, oldname, lookup_flags, &old);

	if (err)
		return err;
	err = creation_begin(&c, newstart, newname, false);
	if (!err) {
		err = link_locked(&c, &old);
		if (!err) {
			notify_self(old.dentry->inode, IN_ATTRIB);
			notify_name(c.dir, c.w.last, c.w.last_length, IN_CREATE);
		}
		creation_end(&c);
	}
	path_put(&old);
	return err;
}

/* --- removal --- */

/*
 * May the name d be removed from its parent, which is locked? directory: by rmdir, or a rename
 * that a directory takes part in.
 */
static int may_remove(const struct walk *w, const struct dentry *d, bool directory)
{
	const struct inode *dir = w->at.dentry->inode;
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC, w->cred);

	if (err)
		return err;
	if (inode_sticky_forbids(dir, d->inode, w->cred))
		return -EPERM;
	if (directory && !S_ISDIR(d->inode->mode))
		return -ENOTDIR;
	if (!directory && S_ISDIR(d->inode->mode))
		return -EISDIR;
	return 0;
}

/* Parent locked. */
static int remove_locked(struct walk *w, struct dentry *d, bool directory)
{
	struct inode *dir = w->at.dentry->inode, *victim = d->inode;
	int (*op)(struct inode *, const char *, size_t, struct inode *) =
		directory ? dir->ops->rmdir : dir->ops->unlink;
	int err;

	if (!victim)
		return -ENOENT;
	if (!directory && w->last_slash)
		return S_ISDIR(victim->mode) ? -EISDIR : -ENOTDIR;
	err = may_remove(w, d, directory);
	if (err)
		return err;
	if (!op)
		return -EPERM;
	if (load_relaxed(&d->mounts))
		return -EBUSY;
	mutex_lock(&victim->lock);
	err = op(dir, w->last, w->last_length, victim);
	mutex_unlock(&victim->lock);
	if (!err) {
		dentry_unlink(d);
		notify_removed(dir, w->last, w->last_length, victim);
	}
	return err;
}

static int special_name_error(enum last_kind kind, bool directory)
{
	if (!directory)
		return -EISDIR;
	return kind == LAST_DOT ? -EINVAL : kind == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
}

static int remove_name(const struct path *start, const char *name, bool directory)
{
	struct inode *dir;
	struct dentry *d;
	struct walk w;
	int err = walk_begin(&w, start, name, 0);

	if (err)
		return err;
	err = walk_parent(&w);
	if (!err && w.last_kind != LAST_NAME)
		err = special_name_error(w.last_kind, directory);
	if (!err && path_readonly(&w.at))
		err = -EROFS;
	if (!err && w.last_length > NAME_MAX_BYTES)
		err = -ENAMETOOLONG;
	if (err)
		goto out;
	dir = w.at.dentry->inode;
	mutex_lock(&dir->lock);
	d = dentry_lookup(w.at.dentry, w.last, w.last_length);
	err = IS_ERR(d) ? (int)PTR_ERR(d) : remove_locked(&w, d, directory);
	mutex_unlock(&dir->lock);
	if (!IS_ERR(d))
		dentry_put(d);
out:
	walk_end(&w);
	return err;
}

int vfs_unlink(const struct path *start, const char *name)
{
	return remove_name(start, name, false);
}

int vfs_rmdir(const struct path *start, const char *name)
{
	return remove_name(start, name, true);
}

/* --- rename --- */

struct renaming {
	struct walk old, new;           /* at the parents */
	struct dentry *source, *target; /* counted; target maybe negative */
	bool exchange, noreplace;
};

/* Directories: the ancestor first, else by address; inodes of rank RANK_INODE after them. */
static void lock_pair(struct inode *a, struct inode *b, bool a_first)
{
	if (a == b) {
		mutex_lock(&a->lock);
		return;
	}
	mutex_lock(a_first ? &a->lock : &b->lock);
	mutex_lock(a_first ? &b->lock : &a->lock);
}

static void unlock_pair(struct inode *a, struct inode *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

static void rename_lock_parents(struct renaming *r)
{
	struct dentry *old = r->old.at.dentry, *new = r->new.at.dentry;
	bool old_first;

	if (old != new)
		mutex_lock(&rename_lock);
	old_first = dentry_is_below(new, old) ||
		    (!dentry_is_below(old, new) && old->inode < new->inode);
	lock_pair(old->inode, new->inode, old_first);
}

static void rename_unlock_parents(struct renaming *r)
{
	unlock_pair(r->old.at.dentry->inode, r->new.at.dentry->inode);
	if (r->old.at.dentry != r->new.at.dentry)
		mutex_unlock(&rename_lock);
}

/*
 * Both parents locked: find source and target, counted, and check what does not depend on
 * permission.
 */
static int rename_find(struct renaming *r)
{
	struct dentry *old_dir = r->old.at.dentry, *new_dir = r->new.at.dentry;
	bool directory;

	r->source = dentry_lookup(old_dir, r->old.last, r->old.last_length);
	if (IS_ERR(r->source))
		return (int)PTR_ERR(r->source);
	r->target = dentry_lookup(new_dir, r->new.last, r->new.last_length);
	if (IS_ERR(r->target)) {
		dentry_put(r->source);
		return (int)PTR_ERR(r->target);
	}
	if (!r->source->inode)
		return -ENOENT;
	if (r->noreplace && r->target->inode)
		return -EEXIST;
	if (r->exchange && !r->target->inode)
		return -ENOENT;
	directory = S_ISDIR(r->source->inode->mode);
	if (!directory && (r->old.last_slash || (!r->exchange && r->new.last_slash)))
		return -ENOTDIR;
	if (r->exchange && r->new.last_slash && !S_ISDIR(r->target->inode->mode))
		return -ENOTDIR;
	if (dentry_is_below(new_dir, r->source))
		return -EINVAL;
	if (dentry_is_below(old_dir, r->target))
		return r->exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int rename_permission(struct renaming *r)
{
	struct inode *source = r->source->inode, *target = r->target->inode;
	bool moved = r->old.at.dentry != r->new.at.dentry;
	int err = may_remove(&r->old, r->source, S_ISDIR(source->mode));

	if (err)
		return err;
	if (!target)
		err = inode_permission(r->new.at.dentry->inode, MAY_WRITE | MAY_EXEC, r->new.cred);
	else
		err = may_remove(&r->new, r->target,
				 S_ISDIR(r->exchange ? target->mode : source->mode));
	if (err)
		return err;
	/* A directory's ".." changes. */
	if (moved && S_ISDIR(source->mode))
		err = inode_permission(source, MAY_WRITE, r->old.cred);
	if (!err && moved && r->exchange && S_ISDIR(target->mode))
		err = inode_permission(target, MAY_WRITE, r->old.cred);
	if (err)
		return err;
	if (!r->old.at.dentry->inode->ops->rename)
		return -EPERM;
	return load_relaxed(&r->source->mounts) || load_relaxed(&r->target->mounts) ? -EBUSY : 0;
}

/* Directories before others (their rank), else by address. */
static bool lock_before(const struct inode *a, const struct inode *b)
{
	if (S_ISDIR(a->mode) != S_ISDIR(b->mode))
		return S_ISDIR(a->mode);
	return a < b;
}

static int rename_apply(struct renaming *r)
{
	struct inode *old_dir = r->old.at.dentry->inode, *new_dir = r->new.at.dentry->inode;
	struct inode *source = r->source->inode, *target = r->target->inode;
	char *spare;
	int err;

	if (!dentry_spare_name(r->new.last_length, &spare))
		return -ENOMEM;
	lock_pair(source, target ? target : source, target && lock_before(source, target));
	err = old_dir->ops->rename(old_dir, r->old.last, r->old.last_length, source, new_dir,
				   r->new.last, r->new.last_length, target, r->exchange);
	unlock_pair(source, target ? target : source);
	if (err || r->exchange)
		kfree(spare);
	if (err)
		return err;
	if (r->exchange)
		dentry_exchange(r->source, r->target);
	else
		dentry_move(r->source, r->target, spare);
	notify_renamed(old_dir, r->old.last, r->old.last_length, new_dir, r->new.last,
		       r->new.last_length, source, r->exchange ? NULL : target);
	if (r->exchange)
		notify_renamed(new_dir, r->new.last, r->new.last_length, old_dir, r->old.last,
			       r->old.last_length, target, NULL);
	return 0;
}

static int rename_locked(struct renaming *r)
{
	int err = rename_find(r);

	if (IS_ERR(r->source) || IS_ERR(r->target))
		return err;
	if (!err && r->source->inode != r->target->inode) {
		err = rename_permission(r);
		if (!err)
			err = rename_apply(r);
	}
	dentry_put(r->source);
	dentry_put(r->target);
	return err;
}

/* Both walks are at their parents. */
static int rename_check_names(struct renaming *r)
{
	if (r->old.at.mount != r->new.at.mount)
		return -EXDEV;
	if (r->old.last_kind != LAST_NAME)
		return -EBUSY;
	if (r->new.last_kind != LAST_NAME)
		return r->noreplace ? -EEXIST : -EBUSY;
	if (path_readonly(&r->old.at))
		return -EROFS;
	if (r->old.last_length > NAME_MAX_BYTES || r->new.last_length > NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	return 0;
}

int vfs_rename(const struct path *oldstart, const char *oldname, const struct path *newstart,
	       const char *newname, u32 rename_flags)
{
	struct renaming *r;
	int err;

	if (rename_flags & ~(u32)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    rename_flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	r = kzalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->exchange = rename_flags & RENAME_EXCHANGE;
	r->noreplace = rename_flags & RENAME_NOREPLACE;
	err = walk_begin(&r->old, oldstart, oldname, 0);
	if (err)
		goto out;
	err = walk_parent(&r->old);
	if (err)
		goto out_old;
	err = walk_begin(&r->new, newstart, newname, 0);
	if (err)
		goto out_old;
	err = walk_parent(&r->new);
	if (!err)
		err = rename_check_names(r);
	if (!err) {
		rename_lock_parents(r);
		err = rename_locked(r);
		rename_unlock_parents(r);
	}
	walk_end(&r->new);
out_old:
	walk_end(&r->old);
out:
	kfree(r);
	return err;
}
