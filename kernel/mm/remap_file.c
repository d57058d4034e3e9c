/*
 * remap_file.c - remap_file_pages(2), as Linux emulates it: a fixed mapping of another part of the
 * same file, over what areas of it are there.
 */
#include "lib/err.h"
#include "mm/edit.h"

/* All of [start, end) is mapped by areas like `first`: the same file, the same flags. */
static bool all_alike(const struct mm *mm, const struct area *first, u64 end)
{
	for (u64 at = first->end; at < end;) {
		const struct area *next = areas_find(mm->areas, at);

		if (!next || next->object != first->object || next->file != first->file ||
		    next->flags != first->flags)
			return false;
		at = next->end;
	}
	return true;
}

/*
 * The request that makes it, with references to the area that is returned (and through it to its
 * object and file); NULL: nothing there may be remapped.
 */
static struct area *remap_request(struct mm *mm, u64 end, struct map_request *r)
{
	read_lock(&mm->rw);
	struct area *a = areas_find(mm->areas, r->addr);
	if (a &&
	    ((a->flags & (AREA_SHARED | AREA_READ_FILE)) != AREA_SHARED || !all_alike(mm, a, end)))
		a = NULL;
	if (a)
		area_get(a);
	read_unlock(&mm->rw);
	if (!a)
		return NULL;
	r->flags = a->flags & (AREA_PROT | AREA_SHARED | AREA_MAYREAD | AREA_MAYWRITE |
			       AREA_MAYEXEC | AREA_SYSV);
	r->lock = a->flags & AREA_LOCKED;
	r->object = a->object;
	r->file = a->file;
	r->file_ops = a->file_ops;
	return a;
}

int space_remap_file(struct mm *mm, u64 addr, u64 length, u64 page, bool populate)
{
	struct map_request r = { .addr = ROUND_DOWN(addr, PAGE_SIZE),
				 .length = ROUND_DOWN(length, PAGE_SIZE),
				 .fixed = true,
				 .populate = populate,
				 .offset = page << PAGE_SHIFT };
	u64 end = r.addr + r.length;

	if (end <= r.addr || page + (r.length >> PAGE_SHIFT) < page)
		return -EINVAL;
	struct area *a = remap_request(mm, end, &r);
	if (!a)
		return -EINVAL;
	s64 at = page << PAGE_SHIFT >> PAGE_SHIFT == page ? 0 : -EOVERFLOW;
	if (!at && r.file && r.file_ops->remap)
		at = r.file_ops->remap(r.file, &r.flags);
	if (!at)
		at = space_map(mm, &r);
	area_put(a);
	return at < 0 ? (int)at : 0;
}
