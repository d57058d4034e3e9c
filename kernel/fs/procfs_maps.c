/*
 * procfs_maps.c - the areas of a process: maps, smaps, smaps_rollup. Byte for byte as on Linux, for
 * programs scan these lines.
 *
 * The rule: the walk over the areas holds the space's lock, so what it calls neither sleeps nor
 * touches user memory; the text it makes is read later. Next: procfs_mm.c.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
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
	u64 pss_anon, pss_file, pss_shmem, pss_dirty;
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

/*
 * The share of dirty pages in the PSS: private ones whole, shared ones as they share in the rest.
 */
static u64 pss_dirty(const struct area_usage *u)
{
	u64 private = u->private_clean + u->private_dirty,
	    shared = u->shared_clean + u->shared_dirty;

	if (!shared || u->pss < private)
		return min(u->private_dirty, u->pss);
	return u->private_dirty +
	       (u->pss - private) * (u->shared_dirty / PAGE_SIZE) / (shared / PAGE_SIZE);
}

static void usage_lines(struct text *t, const struct area_usage *u)
{
	text_printf(t,
		    "Shared_Clean:   %8lu kB\nShared_Dirty:   %8lu kB\nPrivate_Clean:  %8lu "
		    "kB\nPrivate_Dirty:  %8lu kB\n",
		    kib(u->shared_clean), kib(u->shared_dirty), kib(u->private_clean),
		    kib(u->private_dirty));
	text_printf(t, "Referenced:     %8lu kB\nAnonymous:      %8lu kB\n", kib(u->referenced),
		    kib(u->anonymous));
	text_string(t, "KSM:                   0 kB\nLazyFree:              0 kB\nAnonHugePages:   "
		       "      0 kB\nShmemPmdMapped:        0 kB\n"
		       "FilePmdMapped:         0 kB\nShared_Hugetlb:        0 kB\nPrivate_Hugetlb: "
		       "      0 kB\n");
	text_printf(t,
		    "Swap:           %8lu kB\nSwapPss:        %8lu kB\nLocked:         %8lu kB\n",
		    kib(u->swap), kib(u->swap), kib(u->locked));
}

static void area_flags(struct text *t, u32 flags)
{
	static const struct {
		u32 flag;
		char name[4];
	} names[] = {
		{ AREA_READ, "rd" },      { AREA_WRITE, "wr" },      { AREA_EXEC, "ex" },
		{ AREA_SHARED, "sh" },    { AREA_MAYREAD, "mr" },    { AREA_MAYWRITE, "mw" },
		{ AREA_MAYEXEC, "me" },   { AREA_SHARED, "ms" },     { AREA_GROWSDOWN, "gd" },
		{ AREA_LOCKED, "lo" },    { AREA_SEQ_READ, "sr" },   { AREA_RAND_READ, "rr" },
		{ AREA_DONTFORK, "dc" },  { AREA_SPECIAL, "de" },    { AREA_ACCOUNT, "ac" },
		{ AREA_NORESERVE, "nr" }, { AREA_WIPEONFORK, "wf" }, { AREA_DONTDUMP, "dd" },
		{ AREA_HUGEPAGE, "hg" },  { AREA_NOHUGEPAGE, "nh" },
	};

	text_string(t, "VmFlags: ");
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].flag)
			text_printf(t, "%s ", names[i].name);
	}
	text_string(t, "\n");
}

static void area_usage_lines(struct text *t, struct mm *mm, const struct area *a)
{
	struct area_usage u;

	space_usage(mm, a->start, a->end, &u);
	if (a->flags & AREA_LOCKED)
		u.locked = u.pss;
	text_printf(t,
		    "Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           "
		    "4 kB\n",
		    kib(a->end - a->start));
	text_printf(t,
		    "Rss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      %8lu kB\n",
		    kib(u.rss), kib(u.pss), kib(pss_dirty(&u)));
	usage_lines(t, &u);
	text_string(t, "THPeligible:           0\n");
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

static int areas_show(struct text *t, const struct proc_node *n, bool usage)
{
	struct maps_walk w = { .text = t, .usage = usage, .path = kmalloc(PATH_MAX_BYTES) };
	struct mm *mm = process_mm_get(n->process);

	if (mm && w.path)
		space_areas(mm, 0, maps_area, &w);
	if (mm)
		space_put(mm);
	kfree(w.path);
	return w.path ? 0 : -ENOMEM;
}

int proc_maps_show(struct text *t, const struct proc_node *n)
{
	return areas_show(t, n, false);
}

int proc_smaps_show(struct text *t, const struct proc_node *n)
{
	return areas_show(t, n, true);
}

/* --- smaps_rollup --- */

static int rollup_area(struct mm *mm, struct area *a, void *arg)
{
	struct maps_walk *w = arg;
	struct area_usage u, *sum = &w->sum;
	u64 anon;

	space_usage(mm, a->start, a->end, &u);
	if (w->first == w->last)
		w->first = a->start;
	w->last = a->end;
	anon = u.rss ? u.pss * (u.anonymous / PAGE_SIZE) / (u.rss / PAGE_SIZE) : 0;
	w->pss_anon += anon;
	if (a->object && a->object->flags & OBJECT_SHMEM)
		w->pss_shmem += u.pss - anon;
	else
		w->pss_file += u.pss - anon;
	w->pss_dirty += pss_dirty(&u);
	sum->rss += u.rss;
	sum->pss += u.pss;
	sum->shared_clean += u.shared_clean;
	sum->shared_dirty += u.shared_dirty;
	sum->private_clean += u.private_clean;
	sum->private_dirty += u.private_dirty;
	sum->referenced += u.referenced;
	sum->anonymous += u.anonymous;
	sum->swap += u.swap;
	sum->locked += a->flags & AREA_LOCKED ? u.pss : 0;
	return 0;
}

int proc_smaps_rollup_show(struct text *t, const struct proc_node *n)
{
	struct maps_walk w = { .text = t };
	struct mm *mm = process_mm_get(n->process);
	u64 begin = t->length;

	if (!mm)
		return -ESRCH;
	space_areas(mm, 0, rollup_area, &w);
	space_put(mm);
	text_printf(t, "%08lx-%08lx ---p 00000000 00:00 0 ", w.first, w.last);
	text_fill(t, ' ', NAME_COLUMN - min(t->length - begin, (u64)NAME_COLUMN));
	text_printf(t,
		    "[rollup]\nRss:            %8lu kB\nPss:            %8lu kB\nPss_Dirty:      "
		    "%8lu kB\n",
		    kib(w.sum.rss), kib(w.sum.pss), kib(w.pss_dirty));
	text_printf(t,
		    "Pss_Anon:       %8lu kB\nPss_File:       %8lu kB\nPss_Shmem:      %8lu kB\n",
		    kib(w.pss_anon), kib(w.pss_file), kib(w.pss_shmem));
	usage_lines(t, &w.sum);
	return 0;
}
