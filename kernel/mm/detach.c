/*
 * detach.c - shmdt(2): what one mapping of a file has become is unmapped by its first address alone.
 *
 * The mapping may have been cut and split since. What belongs to it is found as on Linux: the first
 * area at or above the address that lies where the mapping at that address would have put it says
 * which file it was, and so how long; then every area of that file that lies where it was put, up to
 * that length. What was moved does not belong to it any more.
 */
#include "mm/edit.h"

struct detach {
	u64 addr, end;
	const struct area_file_ops *file_ops;
	const void *file; /* NULL: not known yet */
	u64 first;        /* where the area starts that told it */
	u64 (*size)(const void *file);
	struct edit *e;
	u32 found;
};

static bool belongs(const struct detach *d, const struct area *a)
{
	if (!a->file || a->file_ops != d->file_ops || a->start - d->addr != a->offset)
		return false;
	return !d->file || (a->file == d->file && (a->start == d->first || a->end <= d->end));
}

/* All that can fail, for one area. */
static int detach_prepare(struct area *a, void *arg)
{
	struct detach *d = arg;

	if (!belongs(d, a))
		return 0;
	if (!d->file) {
		d->file = a->file;
		d->first = a->start;
		d->end = d->addr + ROUND_UP(d->size(a->file), PAGE_SIZE);
	}
	d->found++;
	int err = edit_own_edges(d->e, a->start, a->end);
	return err ? err : edit_replace(d->e, a->start, a->end, NULL);
}

static int detach_unmap(struct area *a, void *arg)
{
	struct detach *d = arg;

	if (belongs(d, a))
		node_unmap(d->e->mm, a->start, a->end, &d->e->limbo);
	return 0;
}

int space_detach(struct mm *mm, u64 addr, const struct area_file_ops *file_ops,
		 u64 (*size)(const void *file))
{
	struct edit e;
	struct detach d = { .addr = addr, .file_ops = file_ops, .size = size, .e = &e };

	if (addr % PAGE_SIZE)
		return -EINVAL;
	edit_begin(&e, mm);
	/* The published index is walked while e.areas changes. */
	int err = areas_for_each(mm->areas, addr, USER_END, detach_prepare, &d);
	if (!err && !d.found)
		err = -EINVAL;
	if (!err)
		areas_for_each(mm->areas, addr, USER_END, detach_unmap, &d);
	edit_end(&e, !err);
	return err;
}
