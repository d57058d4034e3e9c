/*
 * procfs.c - inodes and open files of trees made of entries (procfs_priv.h): what /proc and /sys
 * have in common.
 *
 * The rule: nothing about a process is kept but a reference to it. Every lookup, link and read asks
 * anew, and finds nothing once the process is gone; /proc keeps no names that nobody uses. A read
 * from the start of a file makes its text, and reads further on see that same text, so that what a
 * program reads in pieces fits together. Next: procfs_root.c.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/iter.h"
#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define STORE_MAX 256u /* bytes of one write that count */

/* --- inodes --- */

u64 proc_ino(const struct proc_node *n)
{
	u64 h = (u64)n->entry;

	if (n->entry->name[0] == '/')
		return 1;
	if (n->process)
		h ^= (u64)n->process->pid * 0x9e3779b97f4a7c15ull;
	h ^= ((u64)n->tid << 32 | (u32)n->number) * 0xc2b2ae3d27d4eb4full;
	h ^= (n->start ^ n->end << 20) * 0x165667b19e3779f9ull;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ull;
	return h >>
	       24; /* 40 bits: unique for all that exists at a time, and short enough for columns */
}

void proc_owner(const struct proc_node *n, u32 *uid, u32 *gid)
{
	bool public = S_ISDIR(n->entry->mode);
	struct cred *c;

	*uid = *gid = 0;
	if (!n->process || !(public || n->process->dumpable))
		return;
	c = process_cred_get(n->process);
	*uid = c->euid;
	*gid = c->egid;
	cred_put(c);
}

bool proc_is_gone(const struct inode *i)
{
	const struct proc_node *n = proc_node(i);

	return proc_node_is_gone(n);
}

bool proc_node_is_gone(const struct proc_node *n)
{
	return n->process && load_relaxed(&n->process->state) == PROCESS_REAPED;
}

bool proc_is_current(const struct inode *i)
{
	const struct proc_node *n = proc_node(i);
	u32 uid, gid;

	if (!n->process)
		return true;
	if (proc_is_gone(i))
		return false;
	proc_owner(n, &uid, &gid);
	return uid == i->uid && gid == i->gid;
}

void proc_evict(struct inode *i)
{
	struct proc_node *n = i->data;

	if (n->process)
		process_put(n->process);
	kfree(n);
}

/*
 * Names, owners and modes are not for programs to change; that a file is opened with O_TRUNC means
 * nothing.
 */
int proc_setattr(struct inode *i, const struct attribute_change *change)
{
	const struct proc_node *n = proc_node(i);

	if (n->process && change->valid & (SET_MODE | SET_UID | SET_GID))
		return -EPERM;
	return change->valid & SET_SIZE ? 0 : inode_change(i, change);
}

/* --- links --- */

static int link_follow(struct inode *i, struct path *out)
{
	const struct proc_node *n = proc_node(i);

	if (n->entry->inspect && !process_may_inspect(n->process))
		return -EACCES;
	return n->entry->follow(n, out);
}

static ssize link_readlink_place(struct inode *i, char *buf, size_t size)
{
	char *page, *text;
	struct path p;
	ssize result = link_follow(i, &p);

	if (result)
		return result;
	page = kmalloc(PATH_MAX_BYTES);
	text = page ? path_text(&p, page, PATH_MAX_BYTES) : ERR_PTR(-ENOMEM);
	if (IS_ERR(text)) {
		result = PTR_ERR(text);
	} else {
		result = (ssize)min(strlen(text), size);
		memcpy(buf, text, (size_t)result);
	}
	kfree(page);
	path_put(&p);
	return result;
}

static ssize link_readlink_text(struct inode *i, char *buf, size_t size)
{
	return proc_node(i)->entry->readlink(proc_node(i), buf, size);
}

/* --- directories of fixed entries --- */

/* The entry of dir seen for the same subject: false if it has no such file. */
static bool child_node(const struct proc_node *dir, const struct proc_entry *entry,
		       struct proc_node *out)
{
	*out = *dir;
	out->entry = entry;
	return !entry->exists || entry->exists(out);
}

struct inode *proc_lookup_fixed(struct inode *dir, const char *name, size_t len)
{
	const struct proc_node *n = proc_node(dir);
	struct proc_node child;

	if (proc_is_gone(dir))
		return ERR_PTR(-ESRCH);
	for (u32 i = 0; i < n->entry->nchildren; i++) {
		const struct proc_entry *e = &n->entry->children[i];

		if (strlen(e->name) == len && memcmp(e->name, name, len) == 0 &&
		    child_node(n, e, &child))
			return proc_inode(dir->super, &child);
	}
	return ERR_PTR(-ENOENT);
}

int proc_emit_fixed(struct file *f, proc_emit emit, void *arg)
{
	const struct proc_node *n = proc_node(f->inode);

	if (file_emit_dots(f, emit, arg))
		return 1;
	while (f->pos - 2 < n->entry->nchildren) {
		const struct proc_entry *e = &n->entry->children[f->pos - 2];
		struct proc_node child;

		if (child_node(n, e, &child) &&
		    emit(arg, e->name, strlen(e->name), proc_ino(&child), DT_OF_MODE(e->mode),
			 f->pos + 1))
			return 1;
		f->pos++;
	}
	f->pos = max(f->pos, (u64)PROC_FIXED_END);
	return 0;
}

static int directory_readdir(struct file *f, proc_emit emit, void *arg)
{
	if (proc_is_gone(f->inode))
		return -ENOENT;
	proc_emit_fixed(f, emit, arg);
	return 0;
}

bool proc_revalidate(struct inode *dir, const char *name, size_t len, struct inode *cached)
{
	return cached && proc_is_current(cached);
}

static const struct file_ops directory_file_ops = { .readdir = directory_readdir,
						    .seek = file_seek_plain };
static const struct inode_ops fixed_ops = { .lookup = proc_lookup_fixed,
					    .setattr = proc_setattr,
					    .evict = proc_evict };
static const struct inode_ops process_ops = {
	.lookup = proc_lookup_fixed,
	.revalidate = proc_revalidate,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
static const struct inode_ops place_ops = {
	.follow = link_follow,
	.readlink = link_readlink_place,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
static const struct inode_ops link_ops = { .readlink = link_readlink_text,
					   .setattr = proc_setattr,
					   .evict = proc_evict };
static const struct inode_ops file_inode_ops = { .setattr = proc_setattr, .evict = proc_evict };

static const struct inode_ops *node_ops(const struct proc_node *n)
{
	if (n->entry->inode_ops)
		return n->entry->inode_ops;
	if (S_ISDIR(n->entry->mode))
		return n->process ? &process_ops : &fixed_ops;
	if (S_ISLNK(n->entry->mode))
		return n->entry->follow ? &place_ops : &link_ops;
	return &file_inode_ops;
}

static const struct file_ops *node_file_ops(const struct proc_node *n)
{
	if (n->entry->file_ops)
		return n->entry->file_ops;
	return S_ISDIR(n->entry->mode) ? &directory_file_ops : &proc_text_file_ops;
}

struct inode *proc_inode(struct super *s, const struct proc_node *n)
{
	struct proc_node *own = kmalloc(sizeof(*own));
	struct inode *i = own ? inode_alloc(s, proc_ino(n), n->entry->mode) : NULL;

	if (!i) {
		kfree(own);
		return ERR_PTR(-ENOMEM);
	}
	*own = *n;
	if (own->process)
		process_get(own->process);
	i->data = own;
	i->ops = node_ops(n);
	i->file_ops = node_file_ops(n);
	i->nlink = S_ISDIR(i->mode) ? 2 : 1;
	proc_owner(n, &i->uid, &i->gid);
	return i;
}

bool proc_number(const char *name, size_t len, u32 *out)
{
	u64 v = 0;

	if (len == 0 || len > 10 || (name[0] == '0' && len > 1))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		v = v * 10 + (u64)(name[i] - '0');
	}
	*out = (u32)v;
	return v < UINT32_MAX;
}

/* --- open files --- */

struct snapshot {
	struct refcount refs;
	struct text text;
};

struct text_file {
	struct spinlock lock; /* RANK_FS: guards L */
	struct snapshot *now; /* L: what was last made, or NULL */
};

static void snapshot_put(struct snapshot *s)
{
	if (s && ref_put(&s->refs)) {
		text_free(&s->text);
		kfree(s);
	}
}

static struct snapshot *snapshot_make(const struct proc_node *n)
{
	struct snapshot *s = kzalloc(sizeof(*s));
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	ref_init(&s->refs);
	err = n->entry->show(&s->text, n);
	if (!err && s->text.failed)
		err = -ENOMEM;
	if (err) {
		snapshot_put(s);
		return ERR_PTR(err);
	}
	return s;
}

/* The text to read from, counted: made anew for a reader at the start. */
static struct snapshot *snapshot_get(struct file *f, bool anew)
{
	struct text_file *tf = f->data;
	struct snapshot *s, *old;

	spin_lock(&tf->lock);
	s = anew ? NULL : tf->now;
	if (s)
		ref_get(&s->refs);
	spin_unlock(&tf->lock);
	if (s)
		return s;
	s = snapshot_make(proc_node(f->inode));
	if (IS_ERR(s))
		return s;
	ref_get(&s->refs);
	spin_lock(&tf->lock);
	old = tf->now;
	tf->now = s;
	spin_unlock(&tf->lock);
	snapshot_put(old);
	return s;
}

static int text_open(struct file *f)
{
	const struct proc_node *n = proc_node(f->inode);
	struct text_file *tf;

	if (n->entry->inspect && !process_may_inspect(n->process))
		return -EACCES;
	if (f->can_write && n->entry->sealed)
		return -EACCES;
	if (f->can_read && !n->process && !n->entry->show)
		return -EACCES; /* a parameter that can only be written, as Linux has it */
	tf = kzalloc(sizeof(*tf));
	if (!tf)
		return -ENOMEM;
	spin_init(&tf->lock, RANK_FS);
	f->data = tf;
	return 0;
}

static void text_release(struct file *f)
{
	struct text_file *tf = f->data;

	snapshot_put(tf->now);
	kfree(tf);
}

static ssize text_read(struct file *f, struct iter *it, u64 *pos)
{
	struct snapshot *s;
	ssize done;

	if (!proc_node(f->inode)->entry->show)
		return -EINVAL;
	s = snapshot_get(f, *pos == 0);
	if (IS_ERR(s))
		return PTR_ERR(s);
	done = (ssize)text_copy(&s->text, *pos, it);
	if (!done && it->left && *pos < s->text.length)
		done = -EFAULT;
	else
		*pos += (u64)done;
	snapshot_put(s);
	return done;
}

static ssize text_write(struct file *f, struct iter *it, u64 *pos)
{
	const struct proc_node *n = proc_node(f->inode);
	size_t all = it->left, length = min(all, (size_t)STORE_MAX - 1);
	char text[STORE_MAX];
	int err;

	if (!n->entry->store)
		return n->process ? -EINVAL : -EIO; /* as Linux has it */
	if (iter_copy_from(it, text, length) != length)
		return -EFAULT;
	text[length] = '\0';
	err = n->entry->store(text, n);
	if (err)
		return err;
	*pos += all;
	return (ssize)all;
}

const struct file_ops proc_text_file_ops = {
	.open = text_open,
	.release = text_release,
	.read = text_read,
	.write = text_write,
	.seek = file_seek_plain,
};

/* --- the whole --- */

struct super *proc_super_new(const char *type_name, u32 magic, const struct proc_entry *root,
			     u32 flags)
{
	struct proc_node n = { .entry = root, .number = -1 };
	struct super *s = kzalloc(sizeof(*s));
	struct inode *i;

	if (!s)
		return NULL;
	*s = (struct super){
		.dev = super_new_dev(), .magic = magic, .flags = flags, .type_name = type_name
	};
	i = proc_inode(s, &n);
	s->root = IS_ERR(i) ? NULL : dentry_new_root(s, i, "/");
	if (s->root)
		return s;
	if (!IS_ERR(i))
		inode_put(i);
	kfree(s);
	return NULL;
}
