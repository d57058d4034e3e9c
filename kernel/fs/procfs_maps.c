/*
 * procfs_maps.c - the areas of a process: maps, smaps, smaps_rollup, numa_maps. Byte for byte as on Linux, for
 * programs scan these lines.
 *
 * The rule: the walk over the areas holds the space's lock, so what it calls neither sleeps nor
 * touches user memory; the text it makes is read later. Next: procfs_mm.c.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/space.h"
#include "proc/proc.h"

#define NAME_COLUMN 73 /* where names begin */

struct maps_walk {
	struct text *text;
	char *path; /* PATH_MAX_BYTES */
	bool usage; /* smaps */
	/* smaps_rollup: */
	u64 first, last;
	struct area_usage sum;
};

/* --- maps --- */

/* What an area without a file is called, or NULL. */
static const char *area_role(const struct mm *mm, const struct area *a)
{
	if (a->flags & AREA_SPECIAL)
		return a->start == mm->vdso ? "[vdso]" : "[vvar]";
	if (a->object)
		return "/dev/zero (deleted)"; /* shared memory that no file names */
	if (a->start < mm->brk && a->end > mm->brk_start)
		return "[heap]";
	if (a->start <= mm->arg_start && mm->arg_start < a->end)
		return "[stack]";
	return NULL;
}

static void area_line(struct maps_walk *w, const struct mm *mm, const struct area *a)
{
	struct text *t = w->text;
	u64 begin = t->length, dev = 0, ino = 0;
	const char *name;

	w->path[0] = '\0';
	if (a->file) {
		a->file_ops->describe(a->file, w->path, PATH_MAX_BYTES, &dev, &ino);
		name = w->path;
	} else {
		name = area_role(mm, a);
		if (a->object && !(a->flags & AREA_SPECIAL)) {
			dev = 1;
			ino = (u64)a->object >> 5 & UINT32_MAX; /* tells one object from another */
		}
	}
	text_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", a->start, a->end,
		    a->flags & AREA_READ ? 'r' : '-', a->flags & AREA_WRITE ? 'w' : '-',
		    a->flags & AREA_EXEC ? 'x' : '-', a->flags & AREA_SHARED ? 's' : 'p',
		    a->object ? a->offset : 0, DEVICE_MAJOR(dev), DEVICE_MINOR(dev), ino);
	if (name && name[0]) {
		u64 length = t->length - begin;

		if (length < NAME_COLUMN)
			text_fill(t, ' ', NAME_COLUMN - length);
		text_escaped(t, name, "\n");
	}
	text_string(t, "\n");
}

/* --- smaps --- */

static void size_line(struct text *t, const char *name, u64 bytes)
{
	text_printf(t, "%-16s%8lu kB\n", name, kib(bytes));
}

static void share_line(struct text *t, const char *name, u64 share)
{
	size_line(t, name, usage_share_bytes(share));
}

/* What smaps and smaps_rollup have in common after the shares. No page is of KSM or hugetlbfs. */
static void usage_lines(struct text *t, const struct area_usage *u)
{
	size_line(t, "Shared_Clean:", u->shared_clean);
	size_line(t, "Shared_Dirty:", u->shared_dirty);
	size_line(t, "Private_Clean:", u->private_clean);
	size_line(t, "Private_Dirty:", u->private_dirty);
	size_line(t, "Referenced:", u->referenced);
	size_line(t, "Anonymous:", u->anonymous);
	size_line(t, "KSM:", 0);
	size_line(t, "LazyFree:", u->lazyfree);
	size_line(t, "AnonHugePages:", u->anonymous_huge);
	size_line(t, "ShmemPmdMapped:", 0);
	size_line(t, "FilePmdMapped:", 0);
	size_line(t, "Shared_Hugetlb:", 0);
	size_line(t, "Private_Hugetlb:", 0);
	size_line(t, "Swap:", u->swap);
	share_line(t, "SwapPss:", u->swap_pss);
	share_line(t, "Locked:", u->pss_locked);
}

/* Beside AREA_*: shared, and not of a file that was opened only for reading. */
#define SHARED_FILE BIT(31)

static void area_flags(struct text *t, u32 flags)
{
	static const struct {
		u32 flag;
		char name[4];
	} names[] = {
		{ AREA_READ, "rd" },      { AREA_WRITE, "wr" },     { AREA_EXEC, "ex" },
		{ SHARED_FILE, "sh" },    { AREA_MAYREAD, "mr" },   { AREA_MAYWRITE, "mw" },
		{ AREA_MAYEXEC, "me" },   { AREA_SHARED, "ms" },    { AREA_GROWSDOWN, "gd" },
		{ AREA_LOCKED, "lo" },    { AREA_SEQ_READ, "sr" },  { AREA_RAND_READ, "rr" },
		{ AREA_DONTFORK, "dc" },  { AREA_SPECIAL, "de" },   { AREA_LOCKONFAULT, "lf" },
		{ AREA_ACCOUNT, "ac" },   { AREA_NORESERVE, "nr" }, { AREA_WIPEONFORK, "wf" },
		{ AREA_DONTDUMP, "dd" },  { AREA_HUGEPAGE, "hg" },  { AREA_NOHUGEPAGE, "nh" },
		{ AREA_MERGEABLE, "mg" }, { AREA_SEALED, "sl" },    { AREA_DROPPABLE, "dp" },
		{ AREA_HUGETLB, "ht" },
	};

	if ((flags & (AREA_SHARED | AREA_READ_FILE)) == AREA_SHARED)
		flags |= SHARED_FILE;
	if (flags & AREA_HUGETLB) /* not to be expanded */
		flags |= AREA_SPECIAL;
	text_string(t, "VmFlags: ");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].flag)
			text_printf(t, "%s ", names[i].name);
	}
	text_string(t, "\n");
}

static void area_usage_lines(struct text *t, struct mm *mm, const struct area *a)
{
	struct area_usage u = { 0 };

	space_usage(mm, a, &u);
	size_line(t, "Size:", a->end - a->start);
	size_line(t, "KernelPageSize:", area_unit(a->flags));
	size_line(t, "MMUPageSize:", area_unit(a->flags));
	size_line(t, "Rss:", u.rss);
	share_line(t, "Pss:", u.pss);
	share_line(t, "Pss_Dirty:", u.pss_dirty);
	usage_lines(t, &u);
	text_printf(t, "THPeligible:           %u\n", space_huge_eligible(mm, a));
	area_flags(t, a->flags);
}

static int maps_area(struct mm *mm, struct area *a, void *arg)
{
	struct maps_walk *w = arg;

	area_line(w, mm, a);
	if (w->usage)
		area_usage_lines(w->text, mm, a);
	cpu_preempt_point();
	return w->text->failed;
}

static int each_area_show(struct text *t, const struct proc_node *n,
			  int (*fn)(struct mm *mm, struct area *a, void *arg), bool usage)
{
	struct maps_walk w = { .text = t, .usage = usage, .path = kmalloc(PATH_MAX_BYTES) };
	struct mm *mm = process_mm_get(n->process);

	if (mm && w.path)
		space_areas(mm, 0, fn, &w);
	if (mm)
		space_put(mm);
	kfree(w.path);
	return w.path ? 0 : -ENOMEM;
}

int proc_maps_show(struct text *t, const struct proc_node *n)
{
	return each_area_show(t, n, maps_area, false);
}

int proc_smaps_show(struct text *t, const struct proc_node *n)
{
	return each_area_show(t, n, maps_area, true);
}

/* --- numa_maps: all memory is of node 0, and of no policy but the default --- */

static void pages_item(struct text *t, const char *name, u64 bytes)
{
	if (bytes)
		text_printf(t, " %s=%lu", name, (u64)(bytes / PAGE_SIZE));
}

static int numa_area(struct mm *mm, struct area *a, void *arg)
{
	struct maps_walk *w = arg;
	struct area_usage u = { 0 };
	const char *role = area_role(mm, a);
	u64 dirty, dev, ino;

	text_printf(w->text, "%08lx default", a->start);
	if (a->file) {
		a->file_ops->describe(a->file, w->path, PATH_MAX_BYTES, &dev, &ino);
		text_string(w->text, " file=");
		text_escaped(w->text, w->path, "\n\t= \\");
	} else if (role && role[0] == '/') {
		text_string(w->text, " file=");
		text_escaped(w->text, role, "\n\t= \\");
	} else if (role && strcmp(role, "[heap]") == 0) {
		text_string(w->text, " heap");
	} else if (role && strcmp(role, "[stack]") == 0) {
		text_string(w->text, " stack");
	}
	space_usage(mm, a, &u);
	dirty = u.shared_dirty + u.private_dirty;
	pages_item(w->text, "anon", u.anonymous);
	pages_item(w->text, "dirty", dirty);
	if (u.rss != u.anonymous && u.rss != dirty)
		pages_item(w->text, "mapped", u.rss);
	if (u.least_share && u.least_share < USAGE_PAGE)
		text_printf(w->text, " mapmax=%lu", (u64)(USAGE_PAGE / u.least_share));
	pages_item(w->text, "N0", u.rss);
	text_string(w->text, u.rss ? " kernelpagesize_kB=4\n" : "\n");
	return 0;
}

int proc_numa_maps_show(struct text *t, const struct proc_node *n)
{
	return each_area_show(t, n, numa_area, false);
}

/* --- smaps_rollup --- */

static int rollup_area(struct mm *mm, struct area *a, void *arg)
{
	struct maps_walk *w = arg;

	if (w->first == w->last)
		w->first = a->start;
	w->last = a->end;
	space_usage(mm, a, &w->sum);
	return 0;
}

int proc_smaps_rollup_show(struct text *t, const struct proc_node *n)
{
	struct maps_walk w = { .text = t };
	struct mm *mm = process_mm_get(n->process);
	const struct area_usage *u = &w.sum;
	u64 begin = t->length;

	if (!mm)
		return -ESRCH;
	space_areas(mm, 0, rollup_area, &w);
	space_put(mm);
	text_printf(t, "%08lx-%08lx ---p 00000000 00:00 0 ", w.first, w.last);
	text_fill(t, ' ', NAME_COLUMN - min(t->length - begin, (u64)NAME_COLUMN));
	text_string(t, "[rollup]\n");
	size_line(t, "Rss:", u->rss);
	share_line(t, "Pss:", u->pss);
	share_line(t, "Pss_Dirty:", u->pss_dirty);
	share_line(t, "Pss_Anon:", u->pss_anon);
	share_line(t, "Pss_File:", u->pss_file);
	share_line(t, "Pss_Shmem:", u->pss_shmem);
	usage_lines(t, u);
	return 0;
}
