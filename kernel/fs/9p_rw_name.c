/*
 * 9p_rw_name.c - names in a writable 9p file system: finding, making, removing, listing.
 *
 * The rule: the host first; if it refuses, nothing has changed here. The attributes of a new file
 * are asked for, because the host decides about its owner. A directory's list is taken whole when
 * its reading begins, so that positions in it mean something. Next: 9p_rw_file.c.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/9p_rw_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

static u32 fid_of(const struct inode *dir)
{
	return p9_node_of(dir)->dir_fid;
}

static void dir_changed(struct inode *dir)
{
	dir->mtime = dir->ctime = time_now();
}

/* --- finding --- */

static struct inode *p9fs_lookup(struct inode *dir, const char *name, size_t len)
{
	struct p9fs *fs = p9fs_of(dir);
	struct attributes attr;
	u32 fid;
	int err = p9_walk(fs->client, fid_of(dir), name, len, &fid);

	if (err)
		return ERR_PTR(err);
	err = p9_getattr(fs->client, fid, &attr);
	if (err) {
		p9_clunk(fs->client, fid);
		return ERR_PTR(err);
	}
	return p9fs_inode(fs, &attr, fid, dir->ino, name, len);
}

/* --- making --- */

/* The host made the file for whom it could; give it to its owner here, if the host lets us. */
static void settle_owner(struct p9fs *fs, u32 fid, u32 mode, u32 uid, u32 gid,
			 struct attributes *attr)
{
	struct attribute_change owner = { .valid = SET_UID | SET_GID, .uid = uid, .gid = gid };
	struct attribute_change permissions = { .valid = SET_MODE, .mode = mode };

	if (attr->uid == uid && attr->gid == gid)
		return;
	if (p9_setattr(fs->client, fid, &owner))
		return;
	attr->uid = uid;
	attr->gid = gid;
	/* A change of owner ends set-ID bits. */
	if (mode & (S_ISUID | S_ISGID) && !S_ISLNK(mode) &&
	    p9_setattr(fs->client, fid, &permissions))
		attr->mode &= ~(u32)(S_ISUID | S_ISGID);
}

/*
 * The inode of what was just made under this name. If it cannot be had, the file is removed again.
 */
static struct inode *made(struct inode *dir, const char *name, size_t len, u32 mode, u32 uid,
			  u32 gid)
{
	struct p9fs *fs = p9fs_of(dir);
	struct attributes attr;
	struct inode *i;
	u32 fid;
	int err = p9_walk(fs->client, fid_of(dir), name, len, &fid);

	if (err)
		goto fail;
	err = p9_getattr(fs->client, fid, &attr);
	if (err) {
		p9_clunk(fs->client, fid);
		goto fail;
	}
	settle_owner(fs, fid, mode, uid, gid, &attr);
	i = p9fs_inode(fs, &attr, fid, dir->ino, name, len);
	if (!IS_ERR(i)) {
		if (S_ISDIR(mode))
			dir->nlink++;
		dir_changed(dir);
		return i;
	}
	err = (int)PTR_ERR(i);
fail:
	(void)p9_unlink(fs->client, fid_of(dir), name, len, S_ISDIR(mode));
	return ERR_PTR(err);
}

/*
 * A regular file is made open, for reading and writing whatever its mode; that fid is kept for
 * whoever opens it next.
 */
static struct inode *create_regular(struct inode *dir, const char *name, size_t len, u32 mode,
				    u32 uid, u32 gid)
{
	struct p9fs *fs = p9fs_of(dir);
	struct p9_node *n;
	struct inode *i;
	u32 open;
	int err = p9_walk(fs->client, fid_of(dir), NULL, 0, &open);

	if (err)
		return ERR_PTR(err);
	err = p9_create(fs->client, open, name, len, O_CREAT | O_EXCL | O_RDWR, mode & ~(u32)S_IFMT,
			gid);
	i = err ? ERR_PTR(err) : made(dir, name, len, mode, uid, gid);
	if (IS_ERR(i)) {
		p9_clunk(fs->client, open);
		return i;
	}
	n = p9_node_of(i);
	mutex_lock(&n->lock);
	n->read_fid = n->write_fid = open;
	mutex_unlock(&n->lock);
	return i;
}

static struct inode *p9fs_create(struct inode *dir, const char *name, size_t len, u32 mode,
				 u64 rdev, const char *target, const struct cred *cred)
{
	u32 uid = cred ? cred->fsuid : 0, gid = cred ? cred->fsgid : 0;
	int err;

	if (dir->mode & S_ISGID) {
		gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	if (S_ISREG(mode))
		return create_regular(dir, name, len, mode, uid, gid);
	err = p9_make(p9fs_of(dir)->client, fid_of(dir), name, len, mode, rdev, target, gid);
	if (err == -ENXIO)
		err = -EPERM; /* QEMU makes no special files: mknod(2) has this error for it */
	return err ? ERR_PTR(err) : made(dir, name, len, mode, uid, gid);
}

static int p9fs_link(struct inode *dir, const char *name, size_t len, struct inode *target)
{
	struct p9fs *fs = p9fs_of(dir);
	struct p9_node *n = p9_node_of(target);
	struct p9_name *record = p9_name_new(dir->ino, name, len);
	int err = -ENOENT;
	u32 fid;

	if (!record)
		return -ENOMEM;
	mutex_lock(&n->lock);
	fid = p9_node_fid(n);
	if (fid != P9_NO_FID)
		err = p9_link(fs->client, fid_of(dir), name, len, fid);
	mutex_unlock(&n->lock);
	if (err) {
		kfree(record);
		return err;
	}
	/* Without a fid by this name the file is reached by the others. */
	if (p9_walk(fs->client, fid_of(dir), name, len, &record->fid) == 0)
		p9_name_add(n, record);
	else
		kfree(record);
	target->nlink++;
	target->ctime = time_now();
	dir_changed(dir);
	return 0;
}

/* --- removing --- */

/* A file that is not a directory has lost a name. */
static void lost_name(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	p9_name_remove(p9_node_of(victim), dir->ino, name, len);
	if (victim->nlink)
		victim->nlink--;
	p9_node_unlinked(victim, victim->nlink == 0);
}

static void lost_directory(struct inode *dir, struct inode *victim)
{
	victim->nlink = 0;
	dir->nlink--;
	p9_node_unlinked(victim, true);
}

static int p9fs_unlink(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	int err = p9_unlink(p9fs_of(dir)->client, fid_of(dir), name, len, false);

	if (err)
		return err;
	lost_name(dir, name, len, victim);
	dir_changed(dir);
	return 0;
}

static int p9fs_rmdir(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	int err = p9_unlink(p9fs_of(dir)->client, fid_of(dir), name, len, true);

	if (err)
		return err;
	lost_directory(dir, victim);
	dir_changed(dir);
	return 0;
}

/* The server moves its fids with the file: those below a directory too. */
static int p9fs_rename(struct inode *olddir, const char *oldname, size_t oldlen,
		       struct inode *source, struct inode *newdir, const char *newname,
		       size_t newlen, struct inode *target, bool exchange)
{
	struct p9_name *record = NULL;
	int err;

	if (exchange)
		return -EINVAL; /* 9p has no such request */
	if (!S_ISDIR(source->mode)) {
		record = p9_name_new(newdir->ino, newname, newlen);
		if (!record)
			return -ENOMEM;
	}
	err = p9_rename(p9fs_of(olddir)->client, fid_of(olddir), oldname, oldlen, fid_of(newdir),
			newname, newlen);
	if (err) {
		kfree(record);
		return err;
	}
	if (target && S_ISDIR(target->mode))
		lost_directory(newdir, target);
	else if (target)
		lost_name(newdir, newname, newlen, target);
	if (record)
		p9_name_move(p9_node_of(source), olddir->ino, oldname, oldlen, record);
	if (S_ISDIR(source->mode)) {
		olddir->nlink--;
		newdir->nlink++;
	}
	source->ctime = time_now();
	dir_changed(olddir);
	dir_changed(newdir);
	return 0;
}

const struct inode_ops p9fs_dir_ops = {
	.lookup = p9fs_lookup,
	.create = p9fs_create,
	.link = p9fs_link,
	.unlink = p9fs_unlink,
	.rmdir = p9fs_rmdir,
	.rename = p9fs_rename,
	.getattr = p9fs_getattr,
	.setattr = p9fs_setattr,
	.evict = p9fs_evict,
};

/* --- listing --- */

#define FIRST_POSITION 2 /* after the dots */

struct list_entry {
	struct list link;
	u64 ino;
	u8 type;
	u8 length;
	char name[];
};

/*
 * Of one open directory: the list as it was when its reading began. Guarded by the file's position
 * lock.
 */
struct dir_list {
	struct list entries;
	struct list *next; /* the entry at `position`, or the head */
	u64 position;
};

static int list_add(void *arg, const char *name, size_t len, u64 ino, u32 type)
{
	struct dir_list *l = arg;
	struct list_entry *e;

	if (len > UINT8_MAX)
		return 0; /* no program could name it */
	e = kmalloc(sizeof(*e) + len);
	if (!e)
		return -ENOMEM;
	e->ino = ino;
	e->type = (u8)type;
	e->length = (u8)len;
	memcpy(e->name, name, len);
	list_push_back(&l->entries, &e->link);
	return 0;
}

static void dir_list_clear(struct dir_list *l)
{
	while (!list_empty(&l->entries)) {
		struct list_entry *e = list_first(&l->entries, struct list_entry, link);

		list_remove(&e->link);
		kfree(e);
	}
}

/* Read the list anew. */
static int dir_list_load(struct file *f)
{
	struct dir_list *l = f->data;
	int err;

	if (!l) {
		l = kmalloc(sizeof(*l));
		if (!l)
			return -ENOMEM;
		list_init(&l->entries);
		f->data = l;
	}
	dir_list_clear(l);
	err = p9_list(p9fs_of(f->inode)->client, fid_of(f->inode), list_add, l);
	if (err)
		dir_list_clear(l);
	l->next = l->entries.next;
	l->position = FIRST_POSITION;
	return err;
}

/* Go to the entry at f->pos. */
static void dir_list_seek(struct dir_list *l, u64 position)
{
	if (position < l->position) {
		l->next = l->entries.next;
		l->position = FIRST_POSITION;
	}
	for (; l->position < position && l->next != &l->entries; l->position++)
		l->next = l->next->next;
}

static int p9fs_readdir(struct file *f,
			int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
				    u64 next_pos),
			void *arg)
{
	struct dir_list *l;
	int err;

	if (file_emit_dots(f, emit, arg))
		return 0;
	if (!f->data || f->pos == FIRST_POSITION) {
		err = dir_list_load(f);
		if (err)
			return err;
	}
	l = f->data;
	dir_list_seek(l, f->pos);
	while (l->next != &l->entries) {
		struct list_entry *e = list_entry(l->next, struct list_entry, link);

		if (emit(arg, e->name, e->length, e->ino, e->type, f->pos + 1))
			break;
		l->next = l->next->next;
		l->position++;
		f->pos++;
	}
	return 0;
}

static void p9fs_dir_release(struct file *f)
{
	if (f->data)
		dir_list_clear(f->data);
	kfree(f->data);
}

const struct file_ops p9fs_dir_file_ops = {
	.release = p9fs_dir_release,
	.seek = file_seek_plain,
	.readdir = p9fs_readdir,
};
