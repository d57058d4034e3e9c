/*
 * advise.c - madvise(2), msync(2), mincore(2): what a program says and asks about its pages.
 */
#include <asm/mman.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "lib/err.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/fault.h"
#include "mm/node.h"
#include "mm/page.h"
#include "mm/protect.h"

/* --- advice that sets flags --- */

struct advice_flags {
	int advice;
	u32 clear, set;
	bool private_anonymous; /* only for such areas: else -EINVAL */
};

static const struct advice_flags flag_advice[] = {
	{ MADV_NORMAL, AREA_SEQ_READ | AREA_RAND_READ, 0, false },
	{ MADV_RANDOM, AREA_SEQ_READ, AREA_RAND_READ, false },
	{ MADV_SEQUENTIAL, AREA_RAND_READ, AREA_SEQ_READ, false },
	{ MADV_DONTFORK, 0, AREA_DONTFORK, false },
	{ MADV_DOFORK, AREA_DONTFORK, 0, false },
	{ MADV_WIPEONFORK, 0, AREA_WIPEONFORK, true },
	{ MADV_KEEPONFORK, AREA_WIPEONFORK, 0, false },
	{ MADV_DONTDUMP, 0, AREA_DONTDUMP, false },
	{ MADV_DODUMP, AREA_DONTDUMP, 0, false },
	{ MADV_HUGEPAGE, AREA_NOHUGEPAGE, AREA_HUGEPAGE, false },
	{ MADV_NOHUGEPAGE, AREA_HUGEPAGE, AREA_NOHUGEPAGE, false },
};

static int check_private_anonymous(const struct area *a, u32 set)
{
	return a->object || (a->flags & AREA_SHARED) ? -EINVAL : 0;
}

static int advise_flags(struct mm *mm, u64 start, u64 end, const struct advice_flags *f)
{
	struct flag_change change = { .clear = f->clear,
				      .set = f->set,
				      .check = f->private_anonymous ? check_private_anonymous
								    : NULL,
				      .strict = false };
	struct edit e;
	u64 done;

	edit_begin(&e, mm);
	int err = edit_change_flags(&e, start, end, &change, &done);
	edit_end(&e, done > start);
	return err;
}

/* --- advice that drops pages --- */

/*
 * Is every area in [start, end) fit to be emptied? Holes are reported, after the rest was done, as
 * -ENOMEM.
 */
static int dontneed_check(struct mm *mm, u64 start, u64 end)
{
	int hole = 0;

	for (u64 at = start; at < end;) {
		const struct area *a = areas_find_next(mm->areas, at);

		if (!a || a->start >= end)
			return -ENOMEM;
		if (a->flags & (AREA_LOCKED | AREA_SPECIAL))
			return -EINVAL;
		if (a->start > at)
			hole = -ENOMEM;
		at = a->end;
	}
	return hole;
}

static int advise_dontneed(struct mm *mm, u64 start, u64 end)
{
	struct edit e;

	edit_begin(&e, mm);
	int result = dontneed_check(mm, start, end);
	int err = result == -EINVAL ? result : edit_own_edges(&e, start, end);
	if (!err)
		node_unmap(mm, start, end, &e.limbo);
	edit_end(&e, false);
	return err ? err : result;
}

/*
 * MADV_FREE: pages may be dropped when memory is short; that they keep their contents until then is
 * allowed, so only the range is checked.
 */
static int advise_free(struct mm *mm, u64 start, u64 end)
{
	int result = 0;

	read_lock(&mm->rw);
	for (u64 at = start; at < end && !result;) {
		const struct area *a = areas_find_next(mm->areas, at);

		if (!a || a->start > at)
			result = -ENOMEM;
		else if (check_private_anonymous(a, 0))
			result = -EINVAL;
		else
			at = a->end;
	}
	read_unlock(&mm->rw);
	return result;
}

/*
 * Call fn for each area in the range with a reference to it and no lock held; -ENOMEM in the end if
 * there was a hole.
 */
static int each_area_unlocked(struct mm *mm, u64 start, u64 end,
			      int (*fn)(struct area *a, u64 start, u64 end, void *arg), void *arg)
{
	int hole = 0, err;

	while (start < end) {
		read_lock(&mm->rw);
		struct area *a = areas_find_next(mm->areas, start);
		if (a)
			area_get(a);
		read_unlock(&mm->rw);
		if (!a || a->start >= end) {
			if (a)
				area_put(a);
			return -ENOMEM;
		}
		if (a->start > start)
			hole = -ENOMEM;
		u64 next = min(a->end, end);
		err = fn(a, max(start, a->start), next, arg);
		area_put(a);
		if (err)
			return err;
		start = next;
	}
	return hole;
}

static int area_remove(struct area *a, u64 start, u64 end, void *arg)
{
	if (a->flags & AREA_LOCKED || !a->object || !(a->flags & AREA_SHARED))
		return -EINVAL;
	if (!(a->flags & AREA_WRITE))
		return -EACCES;
	u64 offset = a->offset + (start - a->start);
	return object_punch(a->object, offset, offset + (end - start));
}

static int area_nothing(struct area *a, u64 start, u64 end, void *arg)
{
	return 0;
}

static int advise_populate(struct mm *mm, u64 start, u64 end, u32 access)
{
	struct fault_result result;

	for (u64 va = start; va < end; va = result.next) {
		int err = space_fault(mm, va, access, &result);

		if (err == -EFAULT)
			return result.signal == SIGBUS      ? -EFAULT
			       : result.code == SEGV_MAPERR ? -ENOMEM
							    : -EINVAL;
		if (err)
			return err;
		cpu_preempt_point();
		if (thread_killed())
			return -EINTR;
	}
	return 0;
}

int space_advise(struct mm *mm, u64 addr, u64 length, int advice)
{
	u64 end = addr + ROUND_UP(length, PAGE_SIZE);
	const struct advice_flags *flags = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(flag_advice); i++)
		if (flag_advice[i].advice == advice)
			flags = &flag_advice[i];
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_WILLNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		break;
	default:
		if (!flags)
			return -EINVAL;
	}
	if (addr % PAGE_SIZE || end < addr || (length && end == addr) || end > USER_END)
		return -EINVAL;
	if (addr == end)
		return 0;
	if (flags)
		return advise_flags(mm, addr, end, flags);
	switch (advice) {
	case MADV_DONTNEED:
		return advise_dontneed(mm, addr, end);
	case MADV_FREE:
		return advise_free(mm, addr, end);
	case MADV_REMOVE:
		return each_area_unlocked(mm, addr, end, area_remove, NULL);
	case MADV_POPULATE_READ:
		return advise_populate(mm, addr, end, ACCESS_READ);
	case MADV_POPULATE_WRITE:
		return advise_populate(mm, addr, end, ACCESS_WRITE);
	default: /* hints that need no action; holes are errors all the same */
		return each_area_unlocked(mm, addr, end, area_nothing, NULL);
	}
}

/* --- msync --- */

static int area_sync(struct area *a, u64 start, u64 end, void *arg)
{
	int flags = *(int *)arg;

	if ((flags & MS_INVALIDATE) && (a->flags & AREA_LOCKED))
		return -EBUSY;
	if (!(flags & MS_SYNC) || !a->object || !(a->flags & AREA_SHARED))
		return 0;
	u64 offset = a->offset + (start - a->start);
	if (a->file && a->file_ops->sync)
		return a->file_ops->sync(a->file, offset, offset + (end - start));
	return object_sync(a->object, offset, offset + (end - start));
}

int space_sync(struct mm *mm, u64 addr, u64 length, int flags)
{
	u64 end = addr + ROUND_UP(length, PAGE_SIZE);

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || addr % PAGE_SIZE ||
	    ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	return addr == end ? 0 : each_area_unlocked(mm, addr, end, area_sync, &flags);
}

/* --- mincore --- */

static bool page_resident(struct mm *mm, const struct area *a, u64 va)
{
	bool owned, resident = false;
	struct page *table = node_leaf_lock(mm, va, &owned);

	if (table) {
		resident = pte_is_resident(pte_load(slot_of(table, va)));
		spin_unlock(&table->lock);
	}
	if (resident || !a->object)
		return resident;
	struct page *p =
		object_page_resident(a->object, (a->offset + (va - a->start)) >> PAGE_SHIFT);
	if (p)
		page_put(p);
	return p;
}

int space_residency(struct mm *mm, u64 addr, u64 pages, u8 *vec)
{
	int err = 0;

	read_lock(&mm->rw);
	for (u64 i = 0; i < pages && !err; i++) {
		u64 va = addr + i * PAGE_SIZE;
		const struct area *a = areas_find(mm->areas, va);

		if (a)
			vec[i] = page_resident(mm, a, va);
		else
			err = -ENOMEM;
	}
	read_unlock(&mm->rw);
	return err;
}
