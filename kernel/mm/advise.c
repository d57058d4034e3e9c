/*
 * advise.c - madvise(2), msync(2), mincore(2): what a program says and asks about its pages.
 */
#include <asm/mman.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "lib/err.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/collapse.h"
#include "mm/fault.h"
#include "mm/guard.h"
#include "mm/huge.h"
#include "mm/node.h"
#include "mm/lazyfree.h"
#include "mm/page.h"
#include "mm/protect.h"
#include "mm/reclaim.h"

#ifndef MADV_GUARD_INSTALL /* Linux 6.13 */
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

/* --- advice that sets flags --- */

/* May an area get this advice? As flag_change's check. */
typedef int (*flags_check)(const struct edit *e, const struct area *a, u64 bytes, u32 *flags);

struct advice_flags {
	int advice;
	u32 clear, set;
	flags_check check;
};

static bool is_private_anonymous(const struct area *a)
{
	return !a->object && !(a->flags & AREA_SHARED);
}

/*
 * mseal(2): what drops contents is allowed only where the program could write as well, or where a
 * file has them.
 */
static bool sealed_against_loss(const struct area *a)
{
	return a->flags & AREA_SEALED && is_private_anonymous(a) && !(a->flags & AREA_WRITE);
}

static int check_loss(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	return sealed_against_loss(a) ? -EPERM : 0;
}

static int check_wipe(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	return sealed_against_loss(a) ? -EPERM : is_private_anonymous(a) ? 0 : -EINVAL;
}

static int check_keep(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	return a->flags & AREA_DROPPABLE ? -EINVAL : 0;
}

static int check_dump(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	return a->flags & (AREA_SPECIAL | AREA_DROPPABLE) ? -EINVAL : 0;
}

/* Pages are never merged here, as on a Linux whose ksmd is off; elsewhere the advice is ignored. */
static int check_merge(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	if (a->flags & (AREA_SHARED | AREA_SPECIAL | AREA_DROPPABLE | AREA_HUGETLB))
		*flags = a->flags;
	return 0;
}

static const struct advice_flags flag_advice[] = {
	{ MADV_NORMAL, AREA_SEQ_READ | AREA_RAND_READ, 0, NULL },
	{ MADV_RANDOM, AREA_SEQ_READ, AREA_RAND_READ, NULL },
	{ MADV_SEQUENTIAL, AREA_RAND_READ, AREA_SEQ_READ, NULL },
	{ MADV_DONTFORK, 0, AREA_DONTFORK, check_loss },
	{ MADV_DOFORK, AREA_DONTFORK, 0, NULL },
	{ MADV_WIPEONFORK, 0, AREA_WIPEONFORK, check_wipe },
	{ MADV_KEEPONFORK, AREA_WIPEONFORK, 0, check_keep },
	{ MADV_DONTDUMP, 0, AREA_DONTDUMP, NULL },
	{ MADV_DODUMP, AREA_DONTDUMP, 0, check_dump },
	{ MADV_HUGEPAGE, AREA_NOHUGEPAGE, AREA_HUGEPAGE, NULL },
	{ MADV_NOHUGEPAGE, AREA_HUGEPAGE, AREA_NOHUGEPAGE, NULL },
	{ MADV_MERGEABLE, 0, AREA_MERGEABLE, check_merge },
	{ MADV_UNMERGEABLE, AREA_MERGEABLE, 0, NULL },
};

static int advise_flags(struct mm *mm, u64 start, u64 end, const struct advice_flags *f)
{
	struct flag_change change = {
		.clear = f->clear, .set = f->set, .check = f->check, .strict = false
	};
	struct edit e;
	u64 done;

	edit_begin(&e, mm);
	bool hole = edit_mapped_bytes(&e, start, end) < end - start;
	int err = edit_change_flags(&e, start, end, &change, &done);
	bool all = done == end || !areas_find_next(mm->areas, done) ||
		   areas_find_next(mm->areas, done)->start >= end;
	edit_end(&e, done > start);
	/* Out of memory is EAGAIN here: ENOMEM is kept for holes (madvise(2)). */
	return err == -ENOMEM && !(hole && all) ? -EAGAIN : err;
}

/* --- advice that drops pages --- */

/*
 * How far from start every area may be emptied by this advice; *result: why it ends there. Holes are
 * passed over, and reported in the end as -ENOMEM.
 */
static u64 droppable_end(const struct mm *mm, u64 start, u64 end, int advice, int *result)
{
	u32 forbidden = AREA_SPECIAL | (advice == MADV_DONTNEED_LOCKED ? 0 : AREA_LOCKED);

	*result = 0;
	for (u64 at = start; at < end;) {
		const struct area *a = areas_find_next(mm->areas, at);

		if (!a || a->start > at)
			*result = -ENOMEM;
		if (!a || a->start >= end)
			return end;
		if (sealed_against_loss(a))
			*result = -EPERM;
		else if (a->flags & forbidden || max(at, a->start) % area_unit(a->flags) ||
			 (advice == MADV_FREE && !is_private_anonymous(a)))
			*result = -EINVAL;
		if (*result && *result != -ENOMEM)
			return max(at, a->start);
		at = a->end;
	}
	return end;
}

static int advise_dontneed(struct mm *mm, u64 start, u64 end, int advice)
{
	struct edit e;
	int result, err = 0;

	edit_begin(&e, mm);
	end = droppable_end(mm, start, end, advice, &result);
	if (end > start)
		err = guards_keep_unmap(&e, start, end);
	edit_end(&e, false);
	return err ? err : result;
}

/* --- guards --- */

/* May an area have guards put in, or taken out? */
static int guard_check(const struct area *a, bool install)
{
	if (install && sealed_against_loss(a))
		return -EPERM;
	return a->flags & (AREA_SPECIAL | AREA_HUGETLB | (install ? AREA_LOCKED : 0)) ? -EINVAL : 0;
}

/*
 * One area's part of [*start, end): *start moves behind it. As on Linux anonymous memory with guards
 * counts as such with private pages; 1: its identity (merge.c) is missing.
 */
static int guard_step(struct edit *e, u64 *start, u64 end, bool install, int *hole)
{
	const struct area *a = areas_find_next(e->mm->areas, *start);

	if (!a || a->start > *start)
		*hole = -ENOMEM;
	if (!a || a->start >= end) {
		*start = end;
		return 0;
	}
	*start = max(*start, a->start);
	int err = guard_check(a, install);
	if (err)
		return err;
	if (install && !a->object && !area_anon(a, e->mm->id))
		return 1;
	end = min(end, a->end);
	err = install ? guards_install(e, *start, end) : guards_remove(e, *start, end);
	if (!err)
		*start = end;
	return err;
}

static int advise_guard(struct mm *mm, u64 start, u64 end, bool install)
{
	int hole = 0, err = 0;

	while (start < end && !err) {
		struct edit e;

		edit_begin(&e, mm);
		err = guard_step(&e, &start, end, install, &hole);
		edit_end(&e, false);
		if (err > 0)
			err = space_anon_prepare(mm, start);
	}
	return err ? err : hole;
}

static int advise_free(struct mm *mm, u64 start, u64 end)
{
	int result;

	read_lock(&mm->rw);
	end = droppable_end(mm, start, end, MADV_FREE, &result);
	read_unlock(&mm->rw);
	if (end > start)
		space_free_lazily(mm, start, end);
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
	if (sealed_against_loss(a))
		return -EPERM;
	if (a->flags & AREA_LOCKED || !a->object)
		return -EINVAL;
	if ((a->flags & (AREA_SHARED | AREA_MAYWRITE)) != (AREA_SHARED | AREA_MAYWRITE))
		return -EACCES;
	u64 offset = a->offset + (start - a->start);
	if (a->file && a->file_ops->punch)
		return a->file_ops->punch(a->file, offset, offset + (end - start));
	return object_punch(a->object, offset, offset + (end - start));
}

struct cool {
	struct mm *mm;
	bool out;
};

/*
 * MADV_COLD, MADV_PAGEOUT: not where pages are to stay. The area keeps its object. As on Linux a page
 * that a read of a hole of shared memory brought in goes as well: its bytes are zeros.
 */
static int area_cool(struct area *a, u64 start, u64 end, void *arg)
{
	struct cool *c = arg;

	if (a->flags & (AREA_LOCKED | AREA_SPECIAL | AREA_HUGETLB))
		return -EINVAL;
	memory_advise(c->mm, start, end, c->out, a);
	return 0;
}

static bool leaf_in_swap(struct page *table, struct pte *slot, u64 va, void *arg)
{
	if (!pte_is_swap(pte_load(slot)))
		return true;
	*(u64 *)arg = va;
	return false;
}

/* Bring private pages of [va, end) back from swap, as far as they may be read. */
static void fetch_swapped(struct mm *mm, u64 va, u64 end)
{
	struct fault_result result;

	while (va < end) {
		u64 found = end;

		read_lock(&mm->rw);
		node_for_each_leaf(mm, va, end, leaf_in_swap, &found);
		read_unlock(&mm->rw);
		if (found >= end || thread_interrupted() ||
		    space_fault(mm, found, ACCESS_READ, &result))
			return;
		va = found + PAGE_SIZE;
		cpu_preempt_point();
	}
}

/*
 * MADV_WILLNEED: what a file has is read in, and what is in swap, as far as memory is there for it;
 * no holes. arg: the space.
 */
static int area_fetch(struct area *a, u64 start, u64 end, void *arg)
{
	if (!(a->flags & AREA_SHARED))
		fetch_swapped(arg, start, end);
	if (!a->object)
		return 0;
	u64 last = min(a->offset + (end - a->start), load_acquire(&a->object->size));
	for (u64 at = a->offset + (start - a->start); at < last; at += PAGE_SIZE) {
		if (object_is_hole(a->object, at >> PAGE_SHIFT))
			continue;
		struct page *p = object_page_resident(a->object, at >> PAGE_SHIFT);
		if (!p)
			p = object_page(a->object, at >> PAGE_SHIFT, NULL);
		if (IS_ERR(p))
			return 0;
		page_put(p);
		if (thread_interrupted())
			return 0;
		cpu_preempt_point();
	}
	return 0;
}

/*
 * MADV_COLLAPSE: 2 MiB pages where they fit whole; what fails does not keep the rest from it, and is
 * told in the end, but for want of memory, and guards. An area that could not hold one is an error; a range that
 * covers none is not. arg: the space.
 */
static int area_collapse(struct area *a, u64 start, u64 end, void *arg)
{
	u64 huge = slot_span(2);
	int result = 0;

	if (!huge_possible(arg, a, ROUND_UP(a->start, huge)))
		return -EINVAL;
	for (u64 va = ROUND_UP(start, huge); va + huge <= end; va += huge) {
		fetch_swapped(arg, va, va + huge);
		int err = space_collapse(arg, va);

		if (err == -ENOMEM || err == -EFAULT || thread_killed())
			return err == -EFAULT ? -EINVAL : err;
		result = err ? err : result;
		cpu_preempt_point();
	}
	return result;
}

/*
 * May pages be brought in at va? The area itself must say so, as for everybody who is not the
 * program (access.c); and no stack grows for it.
 */
static int populate_check(struct mm *mm, u64 va, u32 access)
{
	read_lock(&mm->rw);
	const struct area *a = areas_find(mm->areas, va);
	u32 needed = access & ACCESS_WRITE ? AREA_WRITE : AREA_READ;
	int err = !a ? -ENOMEM : a->flags & needed ? 0 : -EINVAL;
	read_unlock(&mm->rw);
	return err;
}

static int advise_populate(struct mm *mm, u64 start, u64 end, u32 access)
{
	struct fault_result result;

	for (u64 va = start; va < end; va = result.next) {
		int err = populate_check(mm, va, access);

		if (!err)
			err = space_fault(mm, va, access, &result);
		if (err == -EFAULT)
			return result.signal == SIGBUS || result.guard ? -EFAULT
			       : result.code == SEGV_MAPERR            ? -ENOMEM
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
	case MADV_DONTNEED_LOCKED:
	case MADV_COLLAPSE:
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		break;
	default:
		if (!flags)
			return -EINVAL;
	}
	if (addr % PAGE_SIZE || end < addr || (length && end == addr))
		return -EINVAL;
	if (addr == end)
		return 0;
	if (end > USER_END) { /* a hole, behind all that there is */
		int err = addr < USER_END ? space_advise(mm, addr, USER_END - addr, advice) : 0;

		return err ? err : -ENOMEM;
	}
	if (flags)
		return advise_flags(mm, addr, end, flags);
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return advise_dontneed(mm, addr, end, advice);
	case MADV_FREE:
		return advise_free(mm, addr, end);
	case MADV_GUARD_INSTALL:
	case MADV_GUARD_REMOVE:
		return advise_guard(mm, addr, end, advice == MADV_GUARD_INSTALL);
	case MADV_REMOVE:
		return each_area_unlocked(mm, addr, end, area_remove, NULL);
	case MADV_POPULATE_READ:
		return advise_populate(mm, addr, end, ACCESS_READ);
	case MADV_POPULATE_WRITE:
		return advise_populate(mm, addr, end, ACCESS_WRITE);
	case MADV_WILLNEED:
		return each_area_unlocked(mm, addr, end, area_fetch, mm);
	case MADV_COLLAPSE:
		return each_area_unlocked(mm, addr, end, area_collapse, mm);
	default: { /* MADV_COLD, MADV_PAGEOUT */
		struct cool c = { mm, advice == MADV_PAGEOUT };

		return each_area_unlocked(mm, addr, end, area_cool, &c);
	}
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
