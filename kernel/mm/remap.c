/*
 * remap.c - mremap(2): an area shrinks, grows or moves; its pages move with it.
 *
 * Moving owns both sides' tables first (PROTOCOL rule 13): then each leaf is taken from one slot
 * and put into the other, which needs no memory and cannot fail.
 */
#include "lib/err.h"
#include "lib/print.h"
#include "mm/edit.h"
#include "mm/huge.h"

struct remap {
	u64 from, to; /* addresses */
	u64 old_length, new_length;
	u32 flags;
	const struct area *area; /* that holds `from`; borrowed from the published index */
};

/* --- moving leaves --- */

static bool leaf_first(struct page *table, struct pte *slot, u64 va, void *arg)
{
	*(u64 *)arg = va;
	return false;
}

/* The first populated leaf in [va, end), or end. */
static u64 next_populated(struct mm *mm, u64 va, u64 end)
{
	u64 found = end;

	node_for_each_leaf(mm, va, end, leaf_first, &found);
	return found;
}

/* Own the paths of every populated leaf in [from, from + length), and of where it goes. */
static int move_reserve(struct edit *e, u64 from, u64 to, u64 length)
{
	u64 end = from + length, shift = to - from;
	struct walk w;

	for (u64 va = next_populated(e->mm, from, end); va < end;
	     va = next_populated(e->mm, va, end)) {
		u64 table_end = min(ROUND_DOWN(va, slot_span(2)) + slot_span(2), end);
		int err = 0;

		if (table_end - va == HUGE_SIZE)
			err = huge_move_reserve(e->mm, va, va + shift, &e->limbo);
		if (!err) { /* else the leaf goes whole */
			err = node_own(e->mm, va, &w, &e->limbo);
			/* One table's leaves go to at most two. */
			if (!err)
				err = node_own(e->mm, va + shift, &w, &e->limbo);
			if (!err)
				err = node_own(e->mm, table_end - 1 + shift, &w, &e->limbo);
		}
		if (err < 0)
			return err;
		if (e->limbo.count > LIMBO_MAX - 16)
			limbo_flush(&e->limbo);
		va = table_end;
	}
	return 0;
}

/* The owned path of va down to its leaf, or to where a leaf of that level goes; it is there. */
static void owned_walk(struct mm *mm, u64 va, u32 level, struct walk *w)
{
	struct page *t = mm->root;

	w->table[LEVEL_ROOT] = t;
	while (t->level > level) {
		struct pte e = pte_load(slot_of(t, va));

		if (t->level == 2 && pte_is_huge(e))
			break;
		t = pte_page(e);
		w->table[t->level] = t;
	}
	w->level = t->level;
}

/* Returns how many bytes have moved. */
static u64 leaf_move(struct edit *e, u64 from, u64 to)
{
	struct walk source, target;

	owned_walk(e->mm, from, 1, &source);
	owned_walk(e->mm, to, source.level, &target);
	struct page *old = source.table[source.level], *new = target.table[source.level];
	struct pte leaf = pte_exchange(slot_of(old, from), pte_empty());
	enum leaf_kind kind = leaf_kind(leaf);
	s32 pages = old->level == 1 ? 1 : (s32)HUGE_PAGES;

	new->copied |= old->copied;
	new->aged |= old->aged;

	old->populated--;
	walk_count(&source, kind, -pages);
	limbo_shoot_page(&e->limbo, from);
	debug_assert(pte_is_empty(pte_load(slot_of(new, to))));
	pte_store(slot_of(new, to), leaf);
	new->populated++;
	walk_count(&target, kind, pages);
	if (!pte_is_resident(leaf)) {
		nonresident_count(old, kind, -1);
		nonresident_count(new, kind, 1);
	}
	return slot_span(old->level);
}

/* space.rw is held exclusively and no reclaim runs in these tables: both are owned. */
static void move_leaves(struct edit *e, u64 from, u64 to, u64 length)
{
	u64 end = from + length;

	for (u64 va = next_populated(e->mm, from, end); va < end;
	     va = next_populated(e->mm, va, end)) {
		va += leaf_move(e, va, va - from + to);
	}
}

/* --- the three ways --- */

/* The part of the area from r->from on, as it will be at `to` with the new length. */
static struct area *moved_area(const struct remap *r, u64 to)
{
	struct area model = *r->area;

	model.offset = r->area->object ? r->area->offset + (r->from - r->area->start) : to;
	model.start = to;
	model.end = to + r->new_length;
	return area_new(&model);
}

static int remap_shrink(struct edit *e, u64 from, u64 to)
{
	int err = edit_own_edges(e, from, to);

	if (!err)
		err = edit_replace(e, from, to, NULL);
	if (!err)
		node_unmap(e->mm, from, to, &e->limbo);
	return err;
}

/* Can the area simply become longer where it is? */
static bool can_grow_in_place(struct edit *e, const struct remap *r)
{
	u64 end = r->from + r->new_length;
	const struct area *next = areas_find_next(e->areas, r->area->end);

	return r->from + r->old_length == r->area->end && end <= USER_END &&
	       (!next || next->start >= end);
}

static int remap_grow(struct edit *e, const struct remap *r)
{
	struct area model = *r->area;

	model.end = r->from + r->new_length;
	struct area *a = area_new(&model);
	if (!a)
		return -ENOMEM;
	int err = edit_replace(e, a->start, a->end, a);
	area_put(a);
	return err;
}

/*
 * What lies where the area will go makes room first, as on Linux also if the move fails afterwards.
 */
static int remap_clear_target(struct edit *e, const struct remap *r, u64 to, bool *publish)
{
	const struct area *there = areas_find_next(e->areas, to);

	if (!there || there->start >= to + r->new_length)
		return 0;
	int err = remap_shrink(e, to, to + r->new_length);
	limbo_flush(&e->limbo); /* room for what the move replaces */
	*publish = !err;
	return err;
}

/* The index with the area at its new place, and without the old one unless it stays. */
static int remap_index(struct edit *e, const struct remap *r, u64 to)
{
	struct area_node *before = e->areas;
	struct area *a = moved_area(r, to);
	int err;

	if (!a)
		return -ENOMEM;
	areas_get(before);
	err = edit_replace(e, a->start, a->end, a);
	if (!err && r->old_length && !(r->flags & REMAP_DONTUNMAP))
		err = edit_replace(e, r->from, r->from + r->old_length, NULL);
	area_put(a);
	if (err) {
		areas_put(e->areas);
		e->areas = before;
		return err;
	}
	areas_put(before);
	return 0;
}

static int remap_move(struct edit *e, const struct remap *r, u64 to, bool *publish)
{
	u64 length = min(r->old_length, r->new_length);
	int err = remap_clear_target(e, r, to, publish);

	if (!err && r->old_length)
		err = edit_own_edges(e, r->from, r->from + r->old_length);
	if (!err)
		err = move_reserve(e, r->from, to, length);
	if (!err)
		err = remap_index(e, r, to);
	/* empty tables that move_reserve made stay until their range is used or unmapped */
	if (err)
		return err;
	move_leaves(e, r->from, to, length);
	if (r->old_length)
		node_unmap(e->mm, r->from, r->from + r->old_length, &e->limbo);
	*publish = true;
	return 0;
}

/* --- mremap --- */

static int remap_check(const struct remap *r)
{
	if (r->flags & ~(REMAP_MAYMOVE | REMAP_FIXED | REMAP_DONTUNMAP) || r->from % PAGE_SIZE ||
	    !r->new_length)
		return -EINVAL;
	if ((r->flags & (REMAP_FIXED | REMAP_DONTUNMAP)) && !(r->flags & REMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & REMAP_DONTUNMAP) && r->old_length != r->new_length)
		return -EINVAL;
	if (!(r->flags & REMAP_FIXED))
		return 0;
	if (r->to % PAGE_SIZE || r->new_length > USER_END || r->to > USER_END - r->new_length)
		return -EINVAL;
	if (r->from + r->old_length > r->to && r->to + r->new_length > r->from)
		return -EINVAL;
	return r->to < MAP_ADDRESS_MIN ? -EPERM : 0;
}

/* What the area says about it. */
static int remap_check_area(struct edit *e, struct remap *r)
{
	r->area = areas_find(e->mm->areas, r->from);
	if (!r->area || (r->area->flags & AREA_SPECIAL))
		return -EFAULT;
	if (!r->old_length &&
	    !(r->area->flags & AREA_SHARED)) /* a second mapping of private memory makes no sense */
		return -EINVAL;
	if (r->old_length > r->area->end - r->from)
		return -EFAULT;
	if (r->new_length > USER_END)
		return -ENOMEM;
	u64 grow = r->flags & REMAP_DONTUNMAP || !r->old_length ? r->new_length
		   : r->new_length > r->old_length              ? r->new_length - r->old_length
								: 0;
	return edit_check_limits(e, grow, 2);
}

/*
 * In place where possible, else by a move: the new address, or a negative errno. *publish: the
 * index changed.
 */
static s64 remap_edit(struct edit *e, struct remap *r, bool *publish)
{
	int err = remap_check_area(e, r);
	bool stays = !(r->flags & (REMAP_FIXED | REMAP_DONTUNMAP));

	if (err)
		return err;
	if (stays && r->old_length && r->new_length <= r->old_length) {
		if (r->new_length < r->old_length)
			err = remap_shrink(e, r->from + r->new_length, r->from + r->old_length);
		*publish = !err;
		return err ? err : (s64)r->from;
	}
	if (stays && r->old_length && can_grow_in_place(e, r)) {
		err = remap_grow(e, r);
		*publish = !err;
		return err ? err : (s64)r->from;
	}
	if (!(r->flags & REMAP_MAYMOVE))
		return -ENOMEM;
	if (!(r->flags & REMAP_FIXED))
		r->to = edit_find_place(e, r->flags & REMAP_DONTUNMAP ? r->to : 0, r->new_length,
					false);
	if (!r->to)
		return -ENOMEM;
	err = remap_move(e, r, r->to, publish);
	return err ? err : (s64)r->to;
}

s64 space_remap(struct mm *mm, u64 addr, u64 old_length, u64 new_length, u32 flags, u64 new_addr)
{
	struct remap r = { .from = addr,
			   .to = new_addr,
			   .old_length = ROUND_UP(old_length, PAGE_SIZE),
			   .new_length = ROUND_UP(new_length, PAGE_SIZE),
			   .flags = flags };
	bool publish = false;
	struct edit e;
	s64 result = remap_check(&r);

	if (result)
		return result;
	edit_begin(&e, mm);
	result = remap_edit(&e, &r, &publish);
	bool locked = result > 0 && r.area->flags & AREA_LOCKED;
	edit_end(&e, publish);
	if (locked)
		(void)space_populate(mm, (u64)result, (u64)result + r.new_length);
	return result;
}
