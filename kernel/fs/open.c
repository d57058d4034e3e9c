/*
 * open.c - from a name to an open file: existing files, O_CREAT, O_TMPFILE, O_PATH.
 *
 * The rule: errors come in Linux's order: what is wrong with the path, then with the kind of file,
 * then permission, then what the file system or device says. Everything that opens an existing
 * place ends in open_place. Next: file.c.
 */
#include <asm/fcntl.h>
#include <linux/capability.h>
#include <linux/stat.h>

#include "fs/notify.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "proc/proc.h"

static const struct file_ops path_only_ops; /* of O_PATH: nothing but the place */

/* What the flags ask of the file, as MAY_*. */
static u32 flags_permission(u32 flags)
{
	static const u8 by_access[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
					 MAY_READ | MAY_WRITE };

	return by_access[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);
}

static int open_permission(const struct path *p, u32 flags, const struct cred *cred)
{
	struct inode *i = p->dentry->inode;
	u32 may = flags_permission(flags);
	int err;

	if (S_ISLNK(i->mode))
		return -ELOOP;
	if (S_ISDIR(i->mode) && may & MAY_WRITE)
		return -EISDIR;
	if (may & MAY_WRITE && S_ISREG(i->mode) && path_readonly(p))
		return -EROFS;
	err = inode_permission(i, may, cred);
	if (!err && flags & O_NOATIME && cred && !inode_owned(i))
		err = -EPERM;
	return err;
}

static int open_truncate(struct inode *i)
{
	int err;

	mutex_lock(&i->lock);
	inode_drop_privileges(i);
	err = inode_setattr(i, &(struct attribute_change){ .valid = SET_SIZE, .size = 0 });
	mutex_unlock(&i->lock);
	return err;
}

/* Open what is at p; created: just now, by this call, so it may be used whatever its mode. */
static struct file *open_place(const struct path *p, u32 flags, bool created,
			       const struct cred *cred)
{
	struct inode *i = p->dentry->inode;
	struct file *f;
	int err;

	if (flags & O_PATH)
		return file_alloc(p, i, &path_only_ops,
				  flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW));
	err = created ? 0 : open_permission(p, flags, cred);
	if (err)
		return ERR_PTR(err);
	if (!i->file_ops)
		return ERR_PTR(-ENXIO);
	f = file_alloc(p, i, i->file_ops, flags);
	if (IS_ERR(f))
		return f;
	if (f->ops->open) {
		f->flags |= flags & O_EXCL; /* of a block device: nobody else may */
		err = f->ops->open(f);
		if (err) {
			file_free(f);
			return ERR_PTR(err);
		}
	}
	f->flags &= ~(u32)(O_NOCTTY | O_EXCL);
	if (flags & O_TRUNC && !created && S_ISREG(i->mode) && !f->stream) {
		err = open_truncate(i);
		if (err) {
			file_put(f);
			return ERR_PTR(err);
		}
		notify_dentry(p->dentry, IN_MODIFY);
	}
	notify_dentry(p->dentry, IN_OPEN);
	return f;
}

struct file *file_open_path(const struct path *p, u32 flags)
{
	return open_place(p, flags, false, process_current() ? cred_current() : NULL);
}

/* --- O_CREAT --- */

/* Directory locked. Make the file that d, negative, names. */
static int create_regular(struct walk *w, struct dentry *d, u32 mode)
{
	struct inode *dir = w->at.dentry->inode, *inode;
	int err = path_readonly(&w->at) ? -EROFS
					: inode_permission(dir, MAY_WRITE | MAY_EXEC, w->cred);

	if (err)
		return err;
	if (!dir->ops->create)
		return dir->super->flags & SUPER_NO_DENTRY_CACHE ? -ENOENT : -EACCES;
	inode = dir->ops->create(dir, w->last, w->last_length, S_IFREG | (mode & 07777), 0, NULL,
				 w->cred);
	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	dentry_make_positive(d, inode);
	notify_name(dir, w->last, w->last_length, IN_CREATE);
	return 0;
}

/* The dentry of the last component, made if it lacks: counted. ERR_PTR */
static struct dentry *find_or_create(struct walk *w, u32 mode, bool *created)
{
	struct inode *dir = w->at.dentry->inode;
	struct dentry *d = walk_find_last(w);
	int err = 0;

	*created = false;
	if (IS_ERR(d) || dentry_inode(d))
		return d;
	dentry_put(d);
	mutex_lock(&dir->lock);
	d = dentry_lookup(w->at.dentry, w->last, w->last_length);
	if (!IS_ERR(d) && !d->inode) {
		err = create_regular(w, d, mode);
		*created = !err;
	}
	mutex_unlock(&dir->lock);
	if (err) {
		dentry_put(d);
		return ERR_PTR(err);
	}
	return d;
}

/*
 * O_CREAT means to make a file of one's own: not to open what somebody else has put into a sticky
 * directory that all may write to.
 */
static bool is_planted(const struct inode *dir, const struct inode *i, const struct cred *cred)
{
	if ((dir->mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH) || S_ISREG(i->mode) ||
	    S_ISFIFO(i->mode) || !cred)
		return false;
	return i->uid != dir->uid && i->uid != cred->fsuid;
}

/*
 * The last component exists as d (takes over its reference): 0: opened into *out; 1: a symlink was
 * followed, walk on.
 */
static int open_existing(struct walk *w, struct dentry *d, u32 flags, bool created,
			 struct file **out)
{
	bool done = true;
	int err = 0;

	if (flags & O_EXCL && !created)
		err = -EEXIST;
	else if (S_ISDIR(d->inode->mode))
		err = -EISDIR;
	else if ((!S_ISLNK(d->inode->mode) || flags & O_NOFOLLOW) &&
		 is_planted(w->at.dentry->inode, d->inode, w->cred))
		err = -EACCES;
	else if (S_ISLNK(d->inode->mode) && flags & O_NOFOLLOW)
		err = -ELOOP;
	if (err)
		dentry_put(d);
	else if (S_ISLNK(d->inode->mode))
		err = walk_follow(w, d, false, &done);
	else
		err = walk_enter(w, d);
	if (err)
		return err;
	if (!done)
		return 1;
	if (S_ISDIR(w->at.dentry->inode->mode))
		return -EISDIR;
	*out = open_place(&w->at, flags, created, w->cred);
	return 0;
}

static struct file *open_create(struct walk *w, u32 flags, u32 mode)
{
	struct file *f = NULL;
	struct dentry *d;
	bool created;
	int err;

	do {
		err = walk_parent(w);
		if (err)
			break;
		if (w->last_kind != LAST_NAME) {
			err = walk_last_special(w);
			if (!err)
				err = flags & O_EXCL ? -EEXIST : -EISDIR;
			break;
		}
		if (w->last_slash) {
			err = -EISDIR;
			break;
		}
		d = find_or_create(w, mode, &created);
		err = IS_ERR(d) ? (int)PTR_ERR(d) : open_existing(w, d, flags, created, &f);
	} while (err == 1);
	return err ? ERR_PTR(err) : f;
}

/* --- O_TMPFILE --- */

static struct file *open_unnamed(struct walk *w, u32 flags, u32 mode)
{
	struct path p;
	struct inode *dir, *i;
	struct file *f;
	int err;

	w->flags |= LOOKUP_DIRECTORY;
	err = walk_whole(w);
	if (err)
		return ERR_PTR(err);
	dir = w->at.dentry->inode;
	if (path_readonly(&w->at))
		return ERR_PTR(-EROFS);
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC, w->cred);
	if (err)
		return ERR_PTR(err);
	if (!dir->ops->tmpfile)
		return ERR_PTR(-EOPNOTSUPP);
	mutex_lock(&dir->lock);
	i = dir->ops->tmpfile(dir, S_IFREG | (mode & 07777), w->cred);
	mutex_unlock(&dir->lock);
	if (IS_ERR(i))
		return (struct file *)i;
	i->linkable = !(flags & O_EXCL);
	p.mount = w->at.mount;
	p.dentry = dentry_new_unlinked(w->at.dentry, i);
	if (!p.dentry) {
		inode_put(i);
		return ERR_PTR(-ENOMEM);
	}
	f = open_place(&p, flags, true, w->cred);
	dentry_put(p.dentry);
	return f;
}

/* --- all of them --- */

/* What openat(2) and openat2(2) forbid. */
static int check_flags(u32 flags)
{
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	if (flags & __O_TMPFILE &&
	    ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	return 0;
}

struct file *file_open_lookup(const struct path *start, const char *name, u32 flags, u32 mode,
			      u32 lookup_flags)
{
	struct walk w;
	struct file *f;
	int err;

	if (flags & O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	err = check_flags(flags);
	if (err)
		return ERR_PTR(err);
	if (!(flags & O_NOFOLLOW))
		lookup_flags |= LOOKUP_FOLLOW;
	if (flags & O_DIRECTORY)
		lookup_flags |= LOOKUP_DIRECTORY;
	err = walk_begin(&w, start, name, lookup_flags);
	if (err)
		return ERR_PTR(err);
	mode &= ~current_umask();
	if (flags & __O_TMPFILE) {
		f = open_unnamed(&w, flags, mode);
	} else if (flags & O_CREAT) {
		f = open_create(&w, flags, mode);
	} else {
		err = walk_whole(&w);
		f = err ? ERR_PTR(err) : open_place(&w.at, flags, false, w.cred);
	}
	walk_end(&w);
	return f;
}

struct file *file_open(const struct path *start, const char *name, u32 flags, u32 mode)
{
	return file_open_lookup(start, name, flags, mode, 0);
}
