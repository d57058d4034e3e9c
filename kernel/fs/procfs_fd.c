/*
 * procfs_fd.c - /proc/PID/fd and fdinfo, and the links to a process's program and directories.
 *
 * The rule: a descriptor's link keeps nothing open: it finds the file again each time it is used.
 * Next: procfs_status.c.
 */
#include <asm/fcntl.h>
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define FDINFO_EXTRA 1024 /* bytes of what a kind of file adds */

/* --- links of a process --- */

int proc_exe_follow(const struct proc_node *n, struct path *out)
{
	struct file *exe = process_exe_get(n->process);

	if (!exe)
		return -ENOENT;
	*out = exe->path;
	path_get(out);
	file_put(exe);
	return 0;
}

static int context_follow(const struct proc_node *n, bool root, struct path *out)
{
	struct fs_context *fs = process_fs_get(n->process);

	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = root ? fs->root : fs->cwd;
	path_get(out);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return 0;
}

int proc_cwd_follow(const struct proc_node *n, struct path *out)
{
	return context_follow(n, false, out);
}

int proc_root_follow(const struct proc_node *n, struct path *out)
{
	return context_follow(n, true, out);
}

/* --- descriptors --- */

static struct file *node_file(const struct proc_node *n)
{
	struct files *files = process_files_get(n->process);
	struct file *f;

	if (!files)
		return NULL;
	f = files_file(files, (u32)n->number);
	files_put(files);
	return f;
}

static int fd_follow(const struct proc_node *n, struct path *out)
{
	struct file *f = node_file(n);

	if (!f)
		return -ENOENT;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

/* What the descriptor may be used for, as the permissions of its link. */
static u32 fd_permissions(const struct file *f)
{
	return (f->can_read ? 0500u : 0) | (f->can_write ? 0300u : 0);
}

static const struct proc_entry fd_link_entry = {
	.name = "fd", .mode = S_IFLNK, .inspect = true, .follow = fd_follow
};

struct flags_search {
	u32 fd, flags;
};

static int find_cloexec(u32 fd, struct file *f, bool cloexec, void *arg)
{
	struct flags_search *s = arg;

	if (fd == s->fd && cloexec)
		s->flags = O_CLOEXEC;
	return fd >= s->fd;
}

static int fdinfo_show(struct text *t, const struct proc_node *n)
{
	struct flags_search search = { .fd = (u32)n->number };
	struct files *files = process_files_get(n->process);
	struct file *f = node_file(n);
	char *extra = kzalloc(FDINFO_EXTRA);
	int err = 0;

	if (!files || !f)
		err = -ENOENT;
	else if (!extra)
		err = -ENOMEM;
	else {
		files_for_each(files, find_cloexec, &search);
		text_printf(t, "pos:\t%ld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n",
			    (s64)load_relaxed(&f->pos), load_relaxed(&f->flags) | search.flags,
			    f->path.mount->id, f->inode->ino);
		if (f->ops->fdinfo)
			f->ops->fdinfo(f, extra, FDINFO_EXTRA);
		text_string(t, extra);
	}
	kfree(extra);
	if (f)
		file_put(f);
	if (files)
		files_put(files);
	return err;
}

static const struct proc_entry fdinfo_entry = PROC_INSPECT("fdinfo", 0444, fdinfo_show);

/* --- the directories --- */

static struct inode *descriptor_lookup(struct inode *dir, const char *name, size_t len,
				       const struct proc_entry *entry)
{
	struct proc_node n = *proc_node(dir);
	struct inode *i;
	struct file *f;
	u32 fd;

	if (!process_may_inspect(n.process))
		return ERR_PTR(-EACCES);
	if (!proc_number(name, len, &fd) || fd > INT32_MAX)
		return ERR_PTR(-ENOENT);
	n.number = (s32)fd;
	n.entry = entry;
	f = node_file(&n);
	if (!f)
		return ERR_PTR(-ENOENT);
	i = proc_inode(dir->super, &n);
	if (!IS_ERR(i) && S_ISLNK(i->mode))
		i->mode |= fd_permissions(f);
	file_put(f);
	return i;
}

static struct inode *fd_lookup(struct inode *dir, const char *name, size_t len)
{
	return descriptor_lookup(dir, name, len, &fd_link_entry);
}

static struct inode *fdinfo_lookup(struct inode *dir, const char *name, size_t len)
{
	return descriptor_lookup(dir, name, len, &fdinfo_entry);
}

static bool fd_revalidate(struct inode *dir, const char *name, size_t len, struct inode *cached)
{
	struct file *f = cached && proc_is_current(cached) ? node_file(proc_node(cached)) : NULL;
	bool valid = f && (!S_ISLNK(cached->mode) || (cached->mode & 0777) == fd_permissions(f));

	if (f)
		file_put(f);
	return valid;
}

struct listing {
	struct file *dir;
	struct proc_node node;
	u32 type;
	proc_emit emit;
	void *arg;
};

static int list_descriptor(u32 fd, struct file *f, bool cloexec, void *arg)
{
	struct listing *l = arg;
	char name[16];
	size_t length;

	if (PROC_FIXED_END + fd < l->dir->pos)
		return 0;
	l->node.number = (s32)fd;
	l->dir->pos = PROC_FIXED_END + fd;
	length = (size_t)format(name, sizeof(name), "%u", fd);
	if (l->emit(l->arg, name, length, proc_ino(&l->node), l->type, l->dir->pos + 1))
		return 1;
	l->dir->pos++;
	return 0;
}

static int descriptor_readdir(struct file *f, const struct proc_entry *entry, proc_emit emit,
			      void *arg)
{
	struct listing l = { .dir = f,
			     .node = *proc_node(f->inode),
			     .type = DT_OF_MODE(entry->mode),
			     .emit = emit,
			     .arg = arg };
	struct files *files;

	if (!process_may_inspect(l.node.process))
		return -EACCES;
	files = process_files_get(l.node.process);
	if (!files)
		return -ENOENT;
	l.node.entry = entry;
	if (!proc_emit_fixed(f, emit, arg))
		files_for_each(files, list_descriptor, &l);
	files_put(files);
	return 0;
}

static int fd_readdir(struct file *f, proc_emit emit, void *arg)
{
	return descriptor_readdir(f, &fd_link_entry, emit, arg);
}

static int fdinfo_readdir(struct file *f, proc_emit emit, void *arg)
{
	return descriptor_readdir(f, &fdinfo_entry, emit, arg);
}

const struct inode_ops proc_fd_ops = {
	.lookup = fd_lookup,
	.revalidate = fd_revalidate,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
const struct inode_ops proc_fdinfo_ops = {
	.lookup = fdinfo_lookup,
	.revalidate = fd_revalidate,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
const struct file_ops proc_fd_file_ops = { .readdir = fd_readdir, .seek = file_seek_plain };
const struct file_ops proc_fdinfo_file_ops = { .readdir = fdinfo_readdir, .seek = file_seek_plain };
