/*
 * protect.c - changing what areas allow: mprotect, and the flags that mlock and madvise set.
 *
 * Downgrades reach the leaves at once, in place, also in tables that other spaces share: an entry
 * loses permissions, which changes what nobody sees (whoever may do more gets it back by a fault);
 * that needs no memory, but where the range cuts a huge leaf: that is split first. Upgrades are lazy: fault.c, case 12. Invariant L: a leaf's R/W implies that
 * the area permits writing now.
 */
#include "mm/protect.h"

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

static int area_loses(struct area *a, void *arg)
{
	return (a->flags & AREA_PROT & ~*(u32 *)arg) != 0;
}

/* --- flags of a range --- */

/* The part of a in [start, end) gets its flags without `clear` and with `set`. */
static int part_change(struct edit *e, const struct area *a, u64 start, u64 end, u32 clear, u32 set)
{
	u32 flags = (a->flags & ~clear) | set;

	start = max(start, a->start);
	end = min(end, a->end);
	if (flags == a->flags)
		return 0;
	struct area *part = area_part(a, start, end);
	if (!part)
		return -ENOMEM;
	part->flags = flags; /* not published yet */
	int err = edit_check_limits(e, 0, (start > a->start) + (end < a->end));
	if (!err)
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
		err = c->check ? c->check(a, c->set) : 0;
		if (!err)
			err = part_change(e, a, start, end, c->clear, c->set);
		if (err)
			return err;
		*done = min(a->end, end);
	}
	return hole;
}

/* --- mprotect --- */

static int protect_check(const struct area *a, u32 prot)
{
	if ((prot & AREA_READ && !(a->flags & AREA_MAYREAD)) ||
	    (prot & AREA_WRITE && !(a->flags & AREA_MAYWRITE)) ||
	    (prot & AREA_EXEC && !(a->flags & AREA_MAYEXEC)))
		return -EACCES;
	return 0;
}

int space_protect(struct mm *mm, u64 addr, u64 length, u32 prot, bool growsdown)
{
	struct flag_change change = {
		.clear = AREA_PROT, .set = prot, .check = protect_check, .strict = true
	};
	u64 end = addr + ROUND_UP(length, PAGE_SIZE), done;
	struct edit e;
	int err = 0;

	if (addr % PAGE_SIZE)
		return -EINVAL;
	if (!length)
		return 0;
	if (end <= addr || end > USER_END)
		return -ENOMEM;
	edit_begin(&e, mm);
	const struct area *first = areas_find(mm->areas, addr);
	done = addr;
	if (growsdown && first) {
		if (first->flags & AREA_GROWSDOWN)
			addr = done = first->start;
		else
			err = -EINVAL;
	}
	if (!err)
		err = edit_change_flags(&e, addr, end, &change, &done);
	/* Leaves never allow more than their area: where no area loses, none need change. */
	if (done > addr && areas_for_each(mm->areas, addr, done, area_loses, &prot)) {
		struct restrict_leaves r = { &e.limbo, prot };
		int split = huge_split_at(mm, addr);

		if (!split)
			split = huge_split_at(mm, done);
		if (split) {
			err = split;
			done = addr; /* the areas stay as they are, too */
		}
		node_for_each_leaf(mm, addr, done, leaf_restrict, &r);
	}
	edit_end(&e, done > addr);
	return err;
}

/* --- mlock --- */

int space_lock(struct mm *mm, u64 addr, u64 length, bool on)
{
	struct flag_change change = { .clear = AREA_LOCKED,
				      .set = on ? AREA_LOCKED : 0,
				      .strict = true };
	u64 start = ROUND_DOWN(addr, PAGE_SIZE), done;
	u64 end = ROUND_UP(addr + length, PAGE_SIZE);
	struct edit e;

	if (addr + length < addr)
		return -EINVAL;
	if (start == end)
		return 0;
	if (end > USER_END || end < start)
		return -ENOMEM;
	edit_begin(&e, mm);
	int err = edit_change_flags(&e, start, end, &change, &done);
	edit_end(&e, done > start);
	if (!err && on)
		(void)space_populate(mm, start, end);
	return err;
}
