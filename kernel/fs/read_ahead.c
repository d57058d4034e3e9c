/*
 * read_ahead.c - reading more of a file than was asked for: how much, as its reader goes on; and
 * posix_fadvise(2), by which the reader says so.
 *
 * A file that is read from its start, or on from where its last read ended, is read in windows that
 * double up to a limit; any other read brings in what it asks for alone. What is known of the
 * reader is kept in the open file, without a lock: it decides about speed only. Faults have their
 * own rule (mm/object.h: around the page).
 */
#include <linux/fadvise.h>

#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "mm/writeback.h"

#define WINDOW_FIRST 8u /* pages: 32 KiB */
#define WINDOW_MAX 32u
#define WINDOW_MAX_SEQUENTIAL 64u
#define ADVICE_MAX (2ull << 20) /* bytes that one call may bring in */

/* The page is missing, and `wanted` pages from it on are asked for: how many to read. */
static u32 window_next(struct read_ahead *r, u64 index, u32 wanted)
{
	u32 mode = load_relaxed(&r->mode), window = load_relaxed(&r->window);
	u32 limit = mode == POSIX_FADV_SEQUENTIAL ? WINDOW_MAX_SEQUENTIAL : WINDOW_MAX;

	if (mode == POSIX_FADV_RANDOM)
		return wanted;
	if (index && index != load_relaxed(&r->next)) {
		store_relaxed(&r->window, 0);
		return wanted;
	}
	window = window ? min(2 * window, limit) : max(WINDOW_FIRST, 2 * wanted);
	window = min(window, limit);
	store_relaxed(&r->window, window);
	return window;
}

struct page *file_page(struct file *f, u64 index, u64 wanted)
{
	struct object *o = f->inode->object;
	struct page *p = object_page_resident(o, index);

	if (!p && o->ops->read_pages)
		p = object_page_ahead(
			o, index, window_next(&f->ahead, index, (u32)min(wanted, (u64)WINDOW_MAX)),
			NULL);
	else if (!p)
		p = object_page(o, index, NULL);
	store_relaxed(&f->ahead.next, index + 1);
	return p;
}

void file_read_ahead(struct file *f, u64 offset, u64 length)
{
	struct object *o = f->inode->object;
	u64 size, end, index;

	if (!o || !o->ops->read_pages)
		return;
	size = load_acquire(&o->size);
	if (offset >= size)
		return;
	end = DIV_ROUND_UP(offset + min(length, min(size - offset, ADVICE_MAX)), PAGE_SIZE);
	for (index = offset >> PAGE_SHIFT; index < end; index++) {
		struct page *p = object_page_ahead(o, index, (u32)(end - index), NULL);

		if (IS_ERR(p)) /* who reads it will be told */
			break;
		page_put(p);
		cpu_preempt_point();
	}
}

int file_advise(struct file *f, u64 offset, u64 length, int advice)
{
	struct object *o = f->inode->object;
	u64 end;

	if (!length || __builtin_add_overflow(offset, length, &end))
		end = UINT64_MAX;
	switch (advice) {
	case POSIX_FADV_NORMAL:
	case POSIX_FADV_SEQUENTIAL:
	case POSIX_FADV_RANDOM:
		store_relaxed(&f->ahead.mode, (u32)advice);
		return 0;
	case POSIX_FADV_WILLNEED:
		file_read_ahead(f, offset, end - offset);
		return 0;
	case POSIX_FADV_DONTNEED:
		if (o)
			object_forget(o, offset, end);
		return 0;
	case POSIX_FADV_NOREUSE: /* pages that are not used again go soon in any case */
		return 0;
	default:
		return -EINVAL;
	}
}
