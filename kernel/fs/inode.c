/*
 * inode.c - inodes: their life, who may do what with them, and changes of their attributes.
 *
 * The rule: permission is decided here, from the inode's fields and the caller's credentials, and
 * nowhere in a file system. Mode, owner, times and link count change under inode->lock only. Next:
 * dentry.c, the names of inodes.
 */
#include <asm/resource.h>
#include <linux/capability.h>
#include <linux/stat.h>

#include "fs/notify.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

static struct slab_cache inode_cache;

void inode_system_init(void)
{
	slab_cache_init(&inode_cache, "inode", sizeof(struct inode));
}

u64 super_new_dev(void)
{
	static u64 last = 16;
	u64 minor = atomic_add_return(&last, 1);

	/*
	 * Of major 0, as Linux gives to file systems without a device; the number's upper bits go
	 * where st_dev has them.
	 */
	return (minor & 0xff) | (minor & ~0xffull) << 12;
}

struct timespec_ns time_now(void)
{
	u64 ns = clock_realtime();

	return (struct timespec_ns){ (s64)(ns / NS_PER_SEC), (u32)(ns % NS_PER_SEC) };
}

struct inode *inode_alloc(struct super *s, u64 ino, u32 mode)
{
	struct inode *i = slab_zalloc(&inode_cache);

	if (!i)
		return NULL;
	ref_init(&i->refs);
	i->super = s;
	i->ino = ino;
	i->mode = mode;
	i->nlink = 1;
	mutex_init(&i->lock, S_ISDIR(mode) ? RANK_INODE_DIR : RANK_INODE);
	i->atime = i->mtime = i->ctime = i->btime = time_now();
	return i;
}

void inode_put(struct inode *i)
{
	if (!ref_put(&i->refs))
		return;
	if (i->locks)
		locks_inode_free(i);
	if (i->ops && i->ops->evict)
		i->ops->evict(i);
	slab_free(&inode_cache, i);
}

void inode_set_special_ops(struct inode *i)
{
	if (S_ISFIFO(i->mode))
		i->file_ops = &fifo_file_ops;
	else if (S_ISCHR(i->mode))
		i->file_ops = &char_device_file_ops;
	else if (S_ISBLK(i->mode))
		i->file_ops = &block_device_file_ops;
}

void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode, const struct cred *cred)
{
	i->uid = cred ? cred->fsuid : 0;
	i->gid = cred ? cred->fsgid : 0;
	if (dir && dir->mode & S_ISGID) {
		i->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && cred &&
			 !cred_in_group(cred, i->gid) && !cred_capable(cred, CAP_FSETID))
			mode &= ~S_ISGID;
	}
	i->mode = mode;
}

void inode_attributes(struct inode *i, struct attributes *out)
{
	*out = (struct attributes){
		.dev = i->super->dev,
		.ino = i->ino,
		.mode = i->mode,
		.nlink = i->nlink,
		.uid = i->uid,
		.gid = i->gid,
		.rdev = i->rdev,
		.block_size = PAGE_SIZE,
		.atime = i->atime,
		.mtime = i->mtime,
		.ctime = i->ctime,
		.btime = i->btime,
	};
	if (i->object) {
		out->size = load_acquire(&i->object->size);
		out->blocks =
			(load_relaxed(&i->object->page_count) + load_relaxed(&i->object->swapped)) *
			(PAGE_SIZE / 512);
	}
}

/* --- permission --- */

/* The three mode bits that hold for cred, as MAY_*. */
static u32 inode_granted(const struct inode *i, const struct cred *cred)
{
	if (cred->fsuid == i->uid)
		return i->mode >> 6 & 7;
	if (cred_in_group(cred, i->gid))
		return i->mode >> 3 & 7;
	return i->mode & 7;
}

int inode_permission(const struct inode *i, u32 may, const struct cred *cred)
{
	if (may & MAY_WRITE && i->super->flags & SUPER_READONLY &&
	    (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		return -EROFS;
	if (!cred || (may & ~inode_granted(i, cred)) == 0)
		return 0;
	if (S_ISDIR(i->mode)) {
		if (!(may & MAY_WRITE) && cred_capable(cred, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_capable(cred, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (may == MAY_READ && cred_capable(cred, CAP_DAC_READ_SEARCH))
		return 0;
	/* Even with all rights a file is executable only if somebody may execute it. */
	if ((!(may & MAY_EXEC) || i->mode & (S_IXUSR | S_IXGRP | S_IXOTH)) &&
	    cred_capable(cred, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int vfs_permission(struct inode *i, u32 may)
{
	return inode_permission(i, may, cred_current());
}

/* What access(2) asks about: the caller with its real ids. A new cred, or NULL without memory. */
static struct cred *real_cred(const struct cred *cred)
{
	struct cred *c = kmalloc(sizeof(*c));

	if (!c)
		return NULL;
	*c = *cred;
	c->fsuid = c->uid;
	c->fsgid = c->gid;
	c->cap_effective = c->uid == 0 ? c->cap_permitted : 0;
	return c;
}

int vfs_access(const struct path *start, const char *name, u32 may, u32 lookup_flags,
	       bool effective)
{
	const struct cred *cred = cred_current();
	struct cred *real = NULL;
	struct walk w;
	int err;

	if (!effective && (cred->uid != cred->fsuid || cred->gid != cred->fsgid ||
			   (cred->uid && cred->cap_effective))) {
		real = real_cred(cred);
		if (!real)
			return -ENOMEM;
	}
	err = walk_begin(&w, start, name, lookup_flags);
	if (err)
		goto out;
	w.cred = real ? real : cred;
	err = walk_whole(&w);
	if (!err && may)
		err = inode_permission(w.at.dentry->inode, may, w.cred);
	if (!err && may & MAY_WRITE && path_readonly(&w.at) &&
	    (S_ISREG(w.at.dentry->inode->mode) || S_ISDIR(w.at.dentry->inode->mode)))
		err = -EROFS;
	walk_end(&w);
out:
	kfree(real);
	return err;
}

bool inode_owned(const struct inode *i)
{
	const struct cred *cred = cred_current();

	return cred->fsuid == i->uid || cred_capable(cred, CAP_FOWNER);
}

/* May cred not remove victim from dir, because dir is sticky and neither is its own? */
bool inode_sticky_forbids(const struct inode *dir, const struct inode *victim,
			  const struct cred *cred)
{
	if (!cred || !(dir->mode & S_ISVTX))
		return false;
	return cred->fsuid != victim->uid && cred->fsuid != dir->uid &&
	       !cred_capable(cred, CAP_FOWNER);
}

bool path_readonly(const struct path *p)
{
	return p->mount->readonly || p->mount->super->flags & SUPER_READONLY;
}

/* --- attributes --- */

int vfs_getattr(const struct path *p, struct attributes *out)
{
	struct inode *i = p->dentry->inode;

	if (i->ops && i->ops->getattr)
		return i->ops->getattr(i, out);
	inode_attributes(i, out);
	return 0;
}

int inode_change(struct inode *i, const struct attribute_change *c)
{
	struct timespec_ns now = time_now();

	if (c->valid & SET_SIZE) {
		int err = i->object ? object_truncate(i->object, c->size) : -EINVAL;

		if (err)
			return err;
		i->mtime = now;
	}
	if (c->valid & SET_MODE)
		i->mode = (i->mode & S_IFMT) | (c->mode & 07777);
	if (c->valid & SET_UID)
		i->uid = c->uid;
	if (c->valid & SET_GID)
		i->gid = c->gid;
	if (c->valid & (SET_ATIME | SET_ATIME_NOW))
		i->atime = c->valid & SET_ATIME_NOW ? now : c->atime;
	if (c->valid & (SET_MTIME | SET_MTIME_NOW))
		i->mtime = c->valid & SET_MTIME_NOW ? now : c->mtime;
	i->ctime = now;
	return 0;
}

int inode_setattr(struct inode *i, const struct attribute_change *c)
{
	return i->ops && i->ops->setattr ? i->ops->setattr(i, c) : inode_change(i, c);
}

/*
 * The set-ID bits that a change by the caller ends: set-group-ID only where it means execution, or
 * somebody else's group.
 */
static u32 endangered_bits(const struct inode *i)
{
	const struct cred *cred = cred_current();
	u32 bits = i->mode & S_ISUID;

	if (i->mode & S_ISGID && (i->mode & S_IXGRP || (!cred_in_group(cred, i->gid) &&
							!cred_capable(cred, CAP_FSETID))))
		bits |= S_ISGID;
	return bits;
}

/* chown(2): may the caller, and what becomes of the set-ID bits? */
static int chown_check(const struct inode *i, struct attribute_change *c)
{
	const struct cred *cred = cred_current();
	bool owner = cred->fsuid == i->uid;

	if (!cred_capable(cred, CAP_CHOWN)) {
		if (c->valid & SET_UID && (!owner || c->uid != i->uid))
			return -EPERM;
		if (c->valid & SET_GID &&
		    (!owner || (c->gid != i->gid && !cred_in_group(cred, c->gid))))
			return -EPERM;
	}
	if (!S_ISDIR(i->mode) && !(c->valid & SET_MODE) && i->mode & (S_ISUID | S_ISGID)) {
		c->mode = i->mode & ~endangered_bits(i);
		c->valid |= SET_MODE;
	}
	return 0;
}

static int chmod_check(const struct inode *i, struct attribute_change *c)
{
	if (!inode_owned(i))
		return -EPERM;
	if (!cred_in_group(cred_current(), i->gid) && !cred_capable(cred_current(), CAP_FSETID))
		c->mode &= ~S_ISGID;
	return 0;
}

static int utimes_check(const struct inode *i, const struct attribute_change *c)
{
	u32 times = c->valid & (SET_ATIME | SET_MTIME | SET_ATIME_NOW | SET_MTIME_NOW);

	if (times == 0 || inode_owned(i))
		return 0;
	if (times == (SET_ATIME_NOW | SET_MTIME_NOW))
		return inode_permission(i, MAY_WRITE, cred_current());
	return -EPERM;
}

/* A change of one of the times alone looks as if the file had been read, or written. */
static u32 change_events(const struct attribute_change *c)
{
	u32 atime = c->valid & (SET_ATIME | SET_ATIME_NOW),
	    mtime = c->valid & (SET_MTIME | SET_MTIME_NOW);
	u32 events = c->valid & SET_SIZE ? IN_MODIFY : 0;

	if (c->valid & (SET_MODE | SET_UID | SET_GID) || (atime && mtime))
		events |= IN_ATTRIB;
	else if (atime)
		events |= IN_ACCESS;
	else if (mtime)
		events |= IN_MODIFY;
	return events;
}

int vfs_setattr(const struct path *p, const struct attribute_change *change)
{
	struct attribute_change c = *change;
	struct inode *i = p->dentry->inode;
	int err = 0;

	if (path_readonly(p))
		return -EROFS;
	mutex_lock(&i->lock);
	if (c.valid & SET_MODE)
		err = chmod_check(i, &c);
	if (!err && c.valid & (SET_UID | SET_GID))
		err = chown_check(i, &c);
	if (!err)
		err = utimes_check(i, &c);
	if (!err)
		err = inode_setattr(i, &c);
	mutex_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, change_events(&c));
	return err;
}

/* A write by somebody without CAP_FSETID ends them. */
void inode_drop_privileges(struct inode *i)
{
	u32 drop;

	if (likely(!(i->mode & (S_ISUID | S_ISGID))))
		return;
	drop = endangered_bits(i);
	if (drop && !cred_capable(cred_current(), CAP_FSETID))
		inode_setattr(i, &(struct attribute_change){ .valid = SET_MODE,
							     .mode = i->mode & ~drop });
}

int vfs_truncate(struct file *f, const struct path *p, u64 size)
{
	struct inode *i = p->dentry->inode;
	int err;

	if (S_ISDIR(i->mode) && !f)
		return -EISDIR;
	if (!S_ISREG(i->mode) || !i->object || (f && !f->can_write))
		return -EINVAL;
	if (!f) {
		if (path_readonly(p))
			return -EROFS;
		err = vfs_permission(i, MAY_WRITE);
		if (err)
			return err;
		if (load_acquire(&i->write_count) < 0)
			return -ETXTBSY;
	}
	mutex_lock(&i->lock);
	if (size > i->object->size && size > rlimit_get(RLIMIT_FSIZE)) {
		err = -EFBIG;
	} else {
		inode_drop_privileges(i);
		err = inode_setattr(i,
				    &(struct attribute_change){ .valid = SET_SIZE, .size = size });
	}
	mutex_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_MODIFY);
	return err;
}

int vfs_statfs(const struct path *p, struct statfs_info *out)
{
	struct super *s = p->mount->super;

	*out = (struct statfs_info){ .block_size = PAGE_SIZE, .name_max = NAME_MAX_BYTES };
	return s->ops && s->ops->statfs ? s->ops->statfs(s, out) : 0;
}
