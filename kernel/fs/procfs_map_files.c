/*
 * procfs_map_files.c - /proc/PID/map_files: a link for each area that maps a file, named by its
 * addresses.
 *
 * The rule: an area is found anew by its addresses each time, under the space's lock; names are
 * written and links followed without it. Next: procfs_fd.c.
 */
#include <linux/capability.h>
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/space.h"
#include "proc/proc.h"

#define RANGE_NAME 40

/* --- finding areas --- */

struct area_search {
	u64 start, end; /* of the area; `any`: the first that maps a file from start on */
	bool any;
	struct path path; /* of its file, counted, once it is found */
	bool found, readable, writable;
};

static int area_look(struct mm *mm, struct area *a, void *arg)
{
	struct area_search *s = arg;

	if (!s->any && (a->start != s->start || a->end != s->end))
		return 1;
	if (!a->file || a->file_ops != &file_area_ops || a->start < s->start)
		return !s->any;
	struct file *f = a->file;
	*s = (struct area_search){ .start = a->start,
				   .end = a->end,
				   .path = f->path,
				   .found = true,
				   .readable = f->can_read,
				   .writable = f->can_write };
	path_get(&s->path);
	return 1;
}

/* False: there is none. Else s->path is counted. */
static bool area_search(struct process *p, struct area_search *s)
{
	struct mm *mm = process_mm_get(p);

	if (!mm)
		return false;
	space_areas(mm, s->start, area_look, s);
	space_put(mm);
	return s->found;
}

static u32 link_permissions(const struct area_search *s)
{
	return (s->readable ? S_IRUSR : 0) | (s->writable ? S_IWUSR : 0);
}

/* A hexadecimal number without leading zeros, as the names have it. */
static const char *parse_address(const char *text, const char *end, u64 *out)
{
	const char *at = text;
	u64 v = 0;

	for (; at < end; at++) {
		u32 digit = *at >= '0' && *at <= '9'   ? (u32)(*at - '0')
			    : *at >= 'a' && *at <= 'f' ? (u32)(*at - 'a') + 10
						       : 16;

		if (digit == 16)
			break;
		v = v << 4 | digit;
	}
	*out = v;
	return at == text || at - text > 16 || (*text == '0' && at - text > 1) ? NULL : at;
}

static bool parse_name(const char *name, size_t len, struct area_search *s)
{
	const char *end = name + len;
	const char *dash = parse_address(name, end, &s->start);

	if (!dash || dash == end || *dash != '-')
		return false;
	return parse_address(dash + 1, end, &s->end) == end;
}

/* --- links --- */

/* Whoever follows may reach files that no path leads to any more. */
static int map_file_follow(const struct proc_node *n, struct path *out)
{
	struct area_search s = { .start = n->start, .end = n->end };

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN) &&
	    !cred_capable(cred_current(), CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	if (!area_search(n->process, &s))
		return -ENOENT;
	*out = s.path;
	return 0;
}

static const struct proc_entry map_file_entry = {
	.name = "map_file", .mode = S_IFLNK, .inspect = true, .follow = map_file_follow
};

static struct inode *map_files_lookup(struct inode *dir, const char *name, size_t len)
{
	struct proc_node n = *proc_node(dir);
	struct area_search s = { 0 };
	struct inode *i;

	if (!process_may_inspect(n.process))
		return ERR_PTR(-EACCES);
	if (!parse_name(name, len, &s) || !area_search(n.process, &s))
		return ERR_PTR(-ENOENT);
	path_put(&s.path);
	n.entry = &map_file_entry;
	n.start = s.start;
	n.end = s.end;
	i = proc_inode(dir->super, &n);
	if (!IS_ERR(i))
		i->mode |= link_permissions(&s);
	return i;
}

static bool map_files_revalidate(struct inode *dir, const char *name, size_t len,
				 struct inode *cached)
{
	struct area_search s = { 0 };

	if (!cached || !proc_is_current(cached))
		return false;
	s.start = proc_node(cached)->start;
	s.end = proc_node(cached)->end;
	if (!area_search(proc_node(cached)->process, &s))
		return false;
	path_put(&s.path);
	return (cached->mode & 0777) == link_permissions(&s);
}

/* A position is the page number of the area that comes next. */
static int map_files_readdir(struct file *f, proc_emit emit, void *arg)
{
	struct proc_node n = *proc_node(f->inode);

	if (!process_may_inspect(n.process))
		return -EACCES;
	if (proc_emit_fixed(f, emit, arg))
		return 0;
	n.entry = &map_file_entry;
	for (;;) {
		struct area_search s = { .start = (f->pos - PROC_FIXED_END) << PAGE_SHIFT,
					 .any = true };
		char name[RANGE_NAME];

		if (!area_search(n.process, &s))
			return 0;
		path_put(&s.path);
		n.start = s.start;
		n.end = s.end;
		size_t length = (size_t)format(name, sizeof(name), "%lx-%lx", s.start, s.end);
		u64 next = PROC_FIXED_END + (s.end >> PAGE_SHIFT);
		if (emit(arg, name, length, proc_ino(&n), DT_LNK, next))
			return 0;
		f->pos = next;
	}
}

const struct inode_ops proc_map_files_ops = {
	.lookup = map_files_lookup,
	.revalidate = map_files_revalidate,
	.setattr = proc_setattr,
	.evict = proc_evict,
};
const struct file_ops proc_map_files_file_ops = { .readdir = map_files_readdir,
						  .seek = file_seek_plain };
