/*
 * protect.c - changing what areas allow: mprotect, and the flags that mlock and madvise set.
 *
 * Downgrades reach the leaves at once, in place, also in tables that other spaces share: an entry
 * loses permissions, which changes what nobody sees (whoever may do more gets it back by a fault);
 * that needs no memory. Upgrades are lazy (fault.c, case 12), but for a few pages that are the space's
 * own already: what a program has just allowed itself it is about to use, and they come without a
 * fault on Linux, too. Invariant L: a leaf's R/W implies that the area permits writing now.
 */
#include "mm/protect.h"

#include <asm/mman.h>

#include "lib/err.h"
#include "mm/edit.h"
#include "mm/huge.h"

/* --- leaves --- */

struct restrict_leaves {
	struct limbo *limbo;
	u32 prot;
};

static bool leaf_restrict(struct page *table, struct pte *slot, u64 va, void *arg)
{
	struct restrict_leaves *r = arg;
	struct pte e = pte_load(slot);

	if (!pte_same(pte_restrict(e, r->prot), e))
		pte_exchange(slot, pte_restrict(e, r->prot));
	if (!pte_is_resident(e))
		return true;
	/* Also where nothing changed: another space may have restricted a table that it shares with
	 * this one, and shot only itself. */
	limbo_shoot_page(r->limbo, va);
	return true;
}

/* As the fault on a write would (fault.c, case 9), which a lazy leaf needs: it means something there. */
static void leaf_allow(struct pte *slot, u32 prot)
{
	struct pte e = pte_load(slot);

	if (page_is_ours(e) && !pte_is_lazy(e))
		pte_exchange(slot, pte_set_writable(pte_set_prot(e, prot), true));
}

#define ALLOWED_PAGES_MAX 16

/* [start, end) may be written from now on: so much for the leaves, if they are few. */
static void leaves_allow(struct mm *mm, u64 start, u64 end, u32 prot)
{
	struct walk w;

	if (end - start > ALLOWED_PAGES_MAX * PAGE_SIZE ||
	    start / slot_span(2) != (end - 1) / slot_span(2))
		return;
	struct page *table = node_walk(mm, start, &w);
	if (table->level > 1) /* not owned that far, or not there */
		return;
	spin_lock(&table->lock);
	for (u64 va = start; va < end; va += PAGE_SIZE)
		leaf_allow(slot_of(table, va), prot);
	spin_unlock(&table->lock);
}

static int area_loses(struct area *a, void *arg)
{
	return (a->flags & AREA_PROT & ~*(u32 *)arg) != 0;
}

/* --- flags of a range --- */

/* The part of a in [start, end) gets its flags without c->clear and with c->set. */
static int part_change(struct edit *e, const struct area *a, u64 start, u64 end,
		       const struct flag_change *c)
{
	u32 flags = (a->flags & ~c->clear) | c->set;
	int err;

	start = max(start, a->start);
	end = min(end, a->end);
	err = c->check ? c->check(e, a, end - start, &flags) : 0;
	if (err || flags == a->flags)
		return err;
	/* Each piece that stays behind is one more area, though merging may take it back. */
	u32 pieces = (start > a->start) + (end < a->end);
	if (pieces && edit_count(e) + pieces > MAP_COUNT_MAX)
		return -ENOMEM;
	struct area *part = area_part(a, start, end, e->mm->id);
	if (!part)
		return -ENOMEM;
	part->flags = flags; /* not published yet */
	err = edit_replace(e, start, end, part);
	area_put(part);
	return err;
}

/* Area after area, as Linux: what came before the one that may not be changed stays changed. */
int edit_change_flags(struct edit *e, u64 start, u64 end, const struct flag_change *c, u64 *done)
{
	struct area_node *before = e->mm->areas; /* walked while e->areas changes */
	int hole = 0, err = 0;

	for (*done = start; *done < end;) {
		struct area *a = areas_find_next(before, *done);
		if (!a || a->start >= end)
			return -ENOMEM;
		if (a->start > *done)
			hole = -ENOMEM;
		if (hole && c->strict)
			return hole;
		err = part_change(e, a, start, end, c);
		if (err)
			return err;
		*done = min(a->end, end);
	}
	return hole;
}

/* --- mprotect --- */

/* What the area becomes where commit is concerned; 0, -ENOMEM over a limit. */
static int protect_account(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	const u32 never_charged = AREA_ACCOUNT | AREA_WRITE | AREA_SHARED | AREA_NORESERVE;

	if (*flags & AREA_WRITE) {
		/* only what becomes data; what exceeds the limits anyhow may go on */
		if (edit_check_expand(e, *flags, bytes) && !edit_check_expand(e, a->flags, bytes))
			return -ENOMEM;
		if (!(a->flags & never_charged))
			*flags |= AREA_ACCOUNT;
	} else if (!a->object && !area_anon(a, e->mm->id)) {
		*flags &= ~(u32)AREA_ACCOUNT; /* nothing was written: nothing is owed */
	}
	return 0;
}

static int protect_check(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	u32 prot = *flags & AREA_PROT;

	if ((prot & AREA_READ && !(a->flags & AREA_MAYREAD)) ||
	    (prot & AREA_WRITE && !(a->flags & AREA_MAYWRITE)) ||
	    (prot & AREA_EXEC && !(a->flags & AREA_MAYEXEC)))
		return -EACCES;
	if (a->flags & AREA_SEALED)
		return -EPERM;
	return *flags == a->flags ? 0 : protect_account(e, a, bytes, flags);
}

/*
 * PROT_GROWSDOWN: from the start of the stack on. No area grows up. *start and the result as
 * mprotect(2).
 */
static int protect_stack_start(const struct mm *mm, u64 *start, u64 end, u32 grows)
{
	const struct area *first = areas_find_next(mm->areas, *start);

	if (!first || first->start >= (grows == PROT_GROWSDOWN ? end : *start + 1))
		return -ENOMEM;
	if (grows != PROT_GROWSDOWN || !(first->flags & AREA_GROWSDOWN))
		return -EINVAL;
	*start = first->start;
	return 0;
}

static int protect_edit(struct edit *e, u64 start, u64 end, u32 prot, u64 *done)
{
	struct flag_change change = {
		.clear = AREA_PROT, .set = prot, .check = protect_check, .strict = true
	};
	int err = edit_change_flags(e, start, end, &change, done);

	/* Leaves never allow more than their area: where no area loses, none need change. */
	if (*done > start && areas_for_each(e->mm->areas, start, *done, area_loses, &prot)) {
		struct restrict_leaves r = { &e->limbo, prot };

		/* Without memory for it a huge leaf loses as a whole; faults on the rest split it. */
		(void)huge_split_at(e->mm, start);
		(void)huge_split_at(e->mm, *done);
		node_for_each_leaf(e->mm, start, *done, leaf_restrict, &r);
	}
	if (*done > start && prot & AREA_WRITE)
		leaves_allow(e->mm, start, *done, prot);
	return err;
}

/*
 * How far one edit goes: over all, unless there are locked areas; then to the end of the area at
 * start. *fetch: it is locked, private, and becomes writable: then its pages are fetched (Linux).
 */
static u64 protect_step(const struct edit *e, u64 start, u64 end, u32 prot, bool *fetch)
{
	*fetch = false;
	if (!(prot & AREA_WRITE) || !areas_summary(e->areas)->locked)
		return end;
	const struct area *a = areas_find(e->areas, start);
	if (!a)
		return end;
	*fetch = (a->flags & (AREA_LOCKED | AREA_WRITE | AREA_SHARED)) == AREA_LOCKED;
	return min(a->end, end);
}

int space_protect(struct mm *mm, u64 addr, u64 length, u32 prot, u32 grows)
{
	u64 start = addr, end = addr + ROUND_UP(length, PAGE_SIZE), done;
	struct edit e;
	int err = 0;

	if (addr % PAGE_SIZE)
		return -EINVAL;
	if (!length)
		return 0;
	if (end <= addr)
		return -ENOMEM;
	for (u64 step; !err && start < end; start = step) {
		bool fetch;

		edit_begin(&e, mm);
		if (grows)
			err = protect_stack_start(mm, &start, end, grows);
		grows = 0;
		step = protect_step(&e, start, end, prot, &fetch);
		done = start;
		if (!err)
			err = protect_edit(&e, start, step, prot, &done);
		edit_end(&e, done > start);
		if (fetch && done > start)
			(void)space_populate(mm, start, done, true);
	}
	return err;
}

/* --- mlock --- */

struct locked_within {
	u64 start, end, bytes;
};

static int add_locked(struct area *a, void *arg)
{
	struct locked_within *w = arg;

	if (a->flags & AREA_LOCKED)
		w->bytes += min(a->end, w->end) - max(a->start, w->start);
	return 0;
}

static int lock_check(const struct edit *e, const struct area *a, u64 bytes, u32 *flags)
{
	if (a->flags & (AREA_SPECIAL | AREA_DROPPABLE | AREA_HUGETLB))
		*flags = a->flags;
	return 0;
}

/* May [start, end) be locked as well? What is locked there already counts once. */
static bool lock_permitted(const struct edit *e, u64 start, u64 end)
{
	struct locked_within w = { .start = start, .end = end };
	u64 limit = ROUND_DOWN(load_relaxed(&e->mm->limit_memlock), PAGE_SIZE);
	u64 locked = areas_summary(e->areas)->locked;

	if (mm_is_privileged(MM_PRIVILEGE_LOCK) || locked + (end - start) <= limit)
		return true;
	areas_for_each(e->areas, start, end, add_locked, &w);
	return locked + (end - start) - w.bytes <= limit;
}

static bool may_lock_any(const struct mm *mm)
{
	return load_relaxed(&mm->limit_memlock) || mm_is_privileged(MM_PRIVILEGE_LOCK);
}

int space_lock(struct mm *mm, u64 addr, u64 length, u32 flags)
{
	struct flag_change change = {
		.clear = AREA_LOCK_FLAGS, .set = flags, .check = lock_check, .strict = true
	};
	u64 start = ROUND_DOWN(addr, PAGE_SIZE), done;
	u64 end = start + ROUND_UP(length + addr % PAGE_SIZE, PAGE_SIZE);
	struct edit e;

	if (flags && !may_lock_any(mm))
		return -EPERM;
	edit_begin(&e, mm);
	done = start;
	int err = flags && !lock_permitted(&e, start, end) ? -ENOMEM : end < start ? -EINVAL : 0;
	if (!err)
		err = edit_change_flags(&e, start, end, &change, &done);
	edit_end(&e, done > start);
	if (err || !flags)
		return err;
	err = space_populate(mm, start, end, false);
	return err == -EFAULT ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

/* Flags for all areas, one by one: what fails for want of memory stays as it was, as on Linux. */
static void lock_all_areas(struct edit *e, u32 flags)
{
	struct flag_change change = {
		.clear = AREA_LOCK_FLAGS, .set = flags, .check = lock_check, .strict = true
	};
	u64 done;

	for (u64 at = 0;;) {
		const struct area *a = areas_find_next(e->mm->areas, at);

		if (!a)
			return;
		(void)edit_change_flags(e, a->start, a->end, &change, &done);
		at = a->end;
	}
}

int space_lock_all(struct mm *mm, bool current, u32 flags, u32 future_flags)
{
	u64 limit = ROUND_DOWN(load_relaxed(&mm->limit_memlock), PAGE_SIZE);
	struct edit e;
	int err = 0;

	if (flags | future_flags && !may_lock_any(mm))
		return -EPERM;
	edit_begin(&e, mm);
	if (current && flags && areas_summary(e.areas)->bytes > limit &&
	    !mm_is_privileged(MM_PRIVILEGE_LOCK))
		err = -ENOMEM;
	if (!err)
		mm->future_flags = future_flags;
	if (!err && current)
		lock_all_areas(&e, flags);
	edit_end(&e, !err);
	if (!err && current && flags)
		(void)space_populate(mm, 0, USER_END, true);
	return err;
}

/* --- mseal --- */

int space_seal(struct mm *mm, u64 addr, u64 length)
{
	struct flag_change change = { .set = AREA_SEALED, .strict = true };
	u64 end = addr + ROUND_UP(length, PAGE_SIZE), done;
	struct edit e;
	int err = 0;

	if (addr % PAGE_SIZE || (length && ROUND_UP(length, PAGE_SIZE) < length) || end < addr)
		return -EINVAL;
	if (addr == end)
		return 0;
	edit_begin(&e, mm);
	/* All or nothing, but for memory. */
	if (edit_mapped_bytes(&e, addr, end) != end - addr)
		err = -ENOMEM;
	done = addr;
	if (!err)
		err = edit_change_flags(&e, addr, end, &change, &done);
	edit_end(&e, done > addr);
	return err;
}
