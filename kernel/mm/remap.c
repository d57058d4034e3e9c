/*
 * remap.c - mremap(2): an area shrinks, grows or moves; its pages move with it.
 *
 * Moving owns both sides' tables first (PROTOCOL rule 13): then each leaf, or whole subtree where the
 * places allow it, is taken from one slot and put into the other, which needs no memory and cannot
 * fail.
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

/* --- moving --- */

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

/*
 * What goes in one piece, at va: the slot of a table of this level. A whole subtree, or huge leaf, if
 * it lies in [from, end) and fits where it goes; else one leaf.
 */
static u32 piece_level(u64 va, u64 from, u64 end, u64 shift)
{
	for (u32 level = LEVEL_ROOT - 1; level > 1; level--) {
		u64 span = slot_span(level), base = ROUND_DOWN(va, span);

		if (shift % span == 0 && base >= from && base + span <= end)
			return level;
	}
	return 1;
}

/*
 * Own the tables that a subtree's entry moves between; what it refers to goes as it is, others' or
 * not. Where it goes is nothing but perhaps empty tables, which make room.
 */
static int subtree_reserve(struct edit *e, u64 from, u64 to, u32 level)
{
	struct walk w;
	int err = node_own_level(e->mm, from, level, &w, &e->limbo);

	if (!err)
		err = node_own_level(e->mm, to, level, &w, &e->limbo);
	if (err || pte_is_empty(pte_load(slot_of(w.table[level], to))))
		return err;
	node_unmap(e->mm, to, to + slot_span(level), &e->limbo);
	limbo_flush(&e->limbo);
	return node_own_level(e->mm, to, level, &w, &e->limbo);
}

/* The same for the leaves in [va, end) of one table: they go to at most two. */
static int leaves_reserve(struct edit *e, u64 va, u64 end, u64 shift)
{
	struct walk w;
	int err = node_own(e->mm, va, &w, &e->limbo);

	if (!err)
		err = node_own(e->mm, va + shift, &w, &e->limbo);
	if (!err)
		err = node_own(e->mm, end - 1 + shift, &w, &e->limbo);
	return err;
}

/* Own the paths of every populated leaf in [from, from + length), and of where it goes. */
static int move_reserve(struct edit *e, u64 from, u64 to, u64 length)
{
	u64 end = from + length, shift = to - from;

	for (u64 va = next_populated(e->mm, from, end); va < end;
	     va = next_populated(e->mm, va, end)) {
		u32 level = piece_level(va, from, end, shift);
		u64 span = slot_span(max(level, 2u)), next = min(ROUND_DOWN(va, span) + span, end);
		int err = level > 1 ? subtree_reserve(e, next - span, next - span + shift, level)
				    : leaves_reserve(e, va, next, shift);

		if (err)
			return err;
		if (e->limbo.count > LIMBO_MAX - 16)
			limbo_flush(&e->limbo);
		va = next;
	}
	return 0;
}

/* The owned path of va down to the table of that level; it is there. */
static void owned_walk(struct mm *mm, u64 va, u32 level, struct walk *w)
{
	struct page *t = mm->root;

	w->table[LEVEL_ROOT] = t;
	while (t->level > level) {
		t = pte_page(pte_load(slot_of(t, va)));
		w->table[t->level] = t;
	}
	w->level = level;
}

/* The leaves of a subtree, as its table or huge leaf counts them, on a path (sign 1) or off (-1). */
static void count_subtree(struct walk *w, struct pte e, s32 sign)
{
	const struct page *child = pte_page(e);

	if (w->level == 2 && pte_is_huge(e)) {
		walk_count(w, LEAF_ANON, sign * (s32)HUGE_PAGES);
		return;
	}
	walk_count(w, LEAF_ANON, sign * (s32)child->table.anon);
	walk_count(w, LEAF_FILE, sign * (s32)child->table.file);
	walk_count(w, LEAF_SHMEM, sign * (s32)child->table.shmem);
}

static void count_leaf(struct walk *w, struct pte e, s32 sign)
{
	walk_count(w, leaf_kind(e), sign);
	if (!pte_is_resident(e))
		nonresident_count(w->table[1], leaf_kind(e), sign);
}

static void piece_move(struct edit *e, u64 from, u64 to, u32 level)
{
	struct walk source, target;

	owned_walk(e->mm, from, level, &source);
	owned_walk(e->mm, to, level, &target);
	struct page *old = source.table[level], *new = target.table[level];
	void (*count)(struct walk *, struct pte, s32) = level == 1 ? count_leaf : count_subtree;
	struct pte piece = pte_exchange(slot_of(old, from), pte_empty());

	slot_was_emptied(old);
	count(&source, piece, -1);
	if (level == 1)
		limbo_shoot_page(&e->limbo, from);
	else
		limbo_shoot_all(&e->limbo);
	new->copied |= old->copied;
	new->aged |= old->aged;
	debug_assert(pte_is_empty(pte_load(slot_of(new, to))));
	pte_store(slot_of(new, to), piece);
	slot_was_filled(new, slot_of(new, to));
	count(&target, piece, 1);
}

/* space.rw is held exclusively and no reclaim runs in these tables: both are owned. */
static void move_pieces(struct edit *e, u64 from, u64 to, u64 length)
{
	u64 end = from + length, shift = to - from;

	for (u64 va = next_populated(e->mm, from, end); va < end;
	     va = next_populated(e->mm, va, end)) {
		u32 level = piece_level(va, from, end, shift);
		u64 span = slot_span(level);

		va = ROUND_DOWN(va, span);
		piece_move(e, va, va + shift, level);
		va += span;
	}
}

/* --- the three ways --- */

/* The part of the area from r->from on, as it will be at `to` with the new length. */
static struct area *moved_area(const struct edit *e, const struct remap *r, u64 to)
{
	struct area model = area_model(r->area);

	model.anon = area_anon(r->area, e->mm->id);
	model.anon_space = e->mm->id;
	/* Private memory that has pages keeps its offset: it is not what lies beside it from now on. */
	if (r->area->object || model.anon)
		model.offset = r->area->offset + (r->from - r->area->start);
	else
		model.offset = to;
	model.start = to;
	model.end = to + r->new_length;
	return area_new(&model);
}

/* Take [from, to) out, whatever is there; `to` is as the program has it. */
static int remap_shrink(struct edit *e, u64 from, u64 to)
{
	int err;

	if (to > USER_END || to < from)
		return -EINVAL;
	err = edit_may_unmap(e, from, to);
	if (!err)
		err = edit_own_edges(e, from, to);
	if (!err)
		err = edit_replace(e, from, to, NULL);
	if (!err)
		node_unmap(e->mm, from, to, &e->limbo);
	limbo_flush(&e->limbo); /* room for what else will be replaced */
	return err;
}

/* Can the area simply become longer where it is? */
static bool can_grow_in_place(const struct edit *e, const struct remap *r)
{
	u64 end = r->from + r->new_length;

	return r->from + r->old_length == r->area->end && end <= USER_END &&
	       edit_is_free(e, r->area->end, end);
}

/* What is added is an area like it, that merges with it (and perhaps with the next). */
static int remap_grow(struct edit *e, const struct remap *r)
{
	struct area model = area_model(r->area);

	model.anon = area_anon(r->area, e->mm->id);
	model.anon_space = e->mm->id;
	model.offset += r->area->end - r->area->start;
	model.start = r->area->end;
	model.end = r->from + r->new_length;
	struct area *a = area_new(&model);
	if (!a)
		return -ENOMEM;
	int err = edit_replace(e, a->start, a->end, a);
	area_put(a);
	return err;
}

/* MREMAP_DONTUNMAP: what stays has no pages, and is locked no more. */
static int leave_empty(struct edit *e, const struct remap *r)
{
	struct area *there = areas_find(e->areas, r->from);
	struct area model = area_model(there);

	model.flags &= ~AREA_LOCK_FLAGS;
	model.anon = area_anon(there, e->mm->id);
	model.anon_space = e->mm->id;
	if (r->from == there->start && r->from + r->old_length == there->end)
		model.anon = 0;
	struct area *a = area_new(&model);
	if (!a)
		return -ENOMEM;
	int err = edit_set(e, a->start, a->end, a);
	area_put(a);
	return err;
}

/* The index with the area at its new place, and without the old one unless it stays. */
static int remap_index(struct edit *e, const struct remap *r, u64 to)
{
	struct area_node *before = e->areas;
	struct area *a = moved_area(e, r, to);
	int err = 0;

	if (!a)
		return -ENOMEM;
	areas_get(before);
	if (r->old_length && !(r->flags & REMAP_DONTUNMAP))
		err = edit_replace(e, r->from, r->from + r->old_length, NULL);
	if (!err)
		err = edit_replace(e, a->start, a->end, a);
	/* Last, as on Linux: the new part may have become one with what it came from. */
	if (!err && r->flags & REMAP_DONTUNMAP)
		err = leave_empty(e, r);
	area_put(a);
	if (err) {
		areas_put(e->areas);
		e->areas = before;
		return err;
	}
	areas_put(before);
	return 0;
}

/* The target is free. *publish: the index changed. */
static int remap_move(struct edit *e, const struct remap *r, u64 to, bool *publish)
{
	u64 length = min(r->old_length, r->new_length);
	int err = 0;

	if (edit_count(e) >= MAP_COUNT_MAX - 3)
		return -ENOMEM;
	if (r->old_length)
		err = edit_own_edges(e, r->from, r->from + r->old_length);
	if (!err)
		err = move_reserve(e, r->from, to, length);
	if (!err)
		err = remap_index(e, r, to);
	/* empty tables that move_reserve made stay until their range is used or unmapped */
	if (err)
		return err;
	move_pieces(e, r->from, to, length);
	/*
	 * What stays mapped keeps its leaf tables, empty, unless they could have moved as they are: so on
	 * Linux, where no 2 MiB page comes to where there is a table.
	 */
	if (r->old_length && !(r->flags & REMAP_DONTUNMAP && (to - r->from) % HUGE_SIZE))
		node_unmap(e->mm, r->from, r->from + r->old_length, &e->limbo);
	*publish = true;
	return 0;
}

/* --- mremap --- */

static bool has_target(const struct remap *r)
{
	return r->flags & (REMAP_FIXED | REMAP_DONTUNMAP);
}

/* What can be said without looking at the areas. */
static int remap_check(const struct remap *r)
{
	if (r->flags & ~(REMAP_MAYMOVE | REMAP_FIXED | REMAP_DONTUNMAP) || r->from % PAGE_SIZE ||
	    !r->new_length || r->new_length > USER_END)
		return -EINVAL;
	if (!has_target(r))
		return 0;
	if (r->to > USER_END - r->new_length || r->to % PAGE_SIZE || !(r->flags & REMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & REMAP_DONTUNMAP) && r->old_length != r->new_length)
		return -EINVAL;
	if (r->from + r->old_length > r->to && r->to + r->new_length > r->from)
		return -EINVAL;
	return 0;
}

/* An area of huge pages moves as such, and does not grow. */
static int remap_check_unit(struct remap *r)
{
	u64 unit = area_unit(r->area->flags);

	r->old_length = ROUND_UP(r->old_length, unit);
	r->new_length = ROUND_UP(r->new_length, unit);
	if (r->from % unit || (r->flags & REMAP_FIXED && r->to % unit))
		return -EINVAL;
	return unit > PAGE_SIZE && r->new_length > r->old_length ? -EINVAL : 0;
}

/* What the area says about it, limits included: before anything at the target goes. */
static int remap_check_area(const struct edit *e, struct remap *r)
{
	u64 grow;
	int err;

	r->area = areas_find(e->areas, r->from);
	if (!r->area)
		return -EFAULT;
	err = remap_check_unit(r);
	if (err)
		return err;
	grow = r->new_length > r->old_length ? r->new_length - r->old_length : 0;
	if (r->area->flags & AREA_SEALED)
		return -EPERM;
	if (!grow && !has_target(r))
		return 0;
	/* a second mapping of private memory makes no sense */
	if (!r->old_length && !(r->area->flags & AREA_SHARED))
		return -EINVAL;
	if ((r->flags & REMAP_DONTUNMAP) && r->area->flags & (AREA_SPECIAL | AREA_HUGETLB))
		return -EINVAL;
	/* What a shrinking one loses may be of any kind. */
	if (min(r->old_length, r->new_length) > r->area->end - r->from)
		return -EFAULT;
	if (!grow)
		return 0;
	u64 offset = r->area->offset + (r->from - r->area->start);
	if (offset + r->new_length < offset)
		return -EINVAL;
	if (r->area->flags & AREA_SPECIAL)
		return -EFAULT;
	err = edit_check_locked(e, r->area->flags, grow);
	return err ? err : edit_check_expand(e, r->area->flags, grow);
}

/* Without a target: where it is if possible, else by a move. */
static s64 remap_at(struct edit *e, struct remap *r, bool *publish)
{
	struct place_request place = { .size = r->new_length };
	int err;

	if (r->new_length == r->old_length)
		return (s64)r->from;
	if (r->new_length < r->old_length || can_grow_in_place(e, r)) {
		err = r->new_length < r->old_length
			      ? remap_shrink(e, r->from + r->new_length, r->from + r->old_length)
			      : remap_grow(e, r);
		*publish = !err || err == -EPERM; /* edit_may_unmap */
		return err ? err : (s64)r->from;
	}
	if (!(r->flags & REMAP_MAYMOVE))
		return -ENOMEM;
	place.align = edit_place_align(r->area->object, r->area->flags, 0, r->new_length);
	r->to = edit_find_place(e, &place);
	if (!r->to)
		return -ENOMEM;
	err = remap_move(e, r, r->to, publish);
	return err ? err : (s64)r->to;
}

/*
 * What lies where the area will go makes room first, and so does what a shrinking one loses: as on
 * Linux also if the move fails afterwards.
 */
static int remap_make_room(struct edit *e, struct remap *r, bool *publish)
{
	u64 end = r->to + r->new_length;
	int err = 0;

	if (r->flags & REMAP_FIXED) {
		if (r->to < MAP_ADDRESS_MIN)
			return -EPERM;
		if (!edit_is_free(e, r->to, end))
			err = remap_shrink(e, r->to, end);
		*publish |= !err || err == -EPERM; /* edit_may_unmap */
	}
	if (!err && r->new_length < r->old_length) {
		err = remap_shrink(e, r->from + r->new_length, r->from + r->old_length);
		*publish |= !err || err == -EPERM; /* edit_may_unmap */
		if (!err)
			r->old_length = r->new_length;
	}
	return err;
}

/* MREMAP_FIXED, MREMAP_DONTUNMAP. */
static s64 remap_to(struct edit *e, struct remap *r, bool *publish)
{
	int err;

	if (edit_count(e) + 2 >= MAP_COUNT_MAX - 3)
		return -ENOMEM;
	err = remap_make_room(e, r, publish);
	/* That of a second mapping (no old length) may have been all of the first. */
	if (!err && !areas_find(e->areas, r->from))
		return -EFAULT;
	if (!err && r->flags & REMAP_DONTUNMAP)
		err = edit_check_expand(e, r->area->flags, r->new_length);
	if (err)
		return err;
	if (!(r->flags & REMAP_FIXED)) { /* the address is a hint */
		struct place_request place = { .hint = r->to, .size = r->new_length };

		place.align =
			edit_place_align(r->area->object, r->area->flags, r->to, r->new_length);
		r->to = edit_find_place(e, &place);
		if (!r->to)
			return -ENOMEM;
	}
	err = remap_move(e, r, r->to, publish);
	return err ? err : (s64)r->to;
}

/* One area, or a part of one: the new address, or a negative errno. */
static s64 remap_one(struct mm *mm, struct remap r)
{
	bool publish = false, locked;
	struct edit e;
	s64 result;

	edit_begin(&e, mm);
	result = remap_check_area(&e, &r);
	if (!result)
		result = has_target(&r) ? remap_to(&e, &r, &publish) : remap_at(&e, &r, &publish);
	locked = result > 0 && r.area->flags & AREA_LOCKED && r.new_length > r.old_length;
	if (result > 0 && r.area->flags & AREA_SPECIAL && r.from == mm->vdso)
		mm->vdso = (u64)result;
	edit_end(&e, publish);
	if (locked)
		(void)space_populate(mm, (u64)result + r.old_length, (u64)result + r.new_length,
				     true);
	return result;
}

/* The part of the next area at or after *from, up to end: its length, or 0, and the area's flags. */
static u64 next_area(struct mm *mm, u64 *from, u64 end, u32 *flags)
{
	u64 length = 0;

	read_lock(&mm->rw);
	const struct area *a = areas_find_next(mm->areas, *from);
	if (a && a->start < end) {
		*from = max(*from, a->start);
		length = min(a->end, end) - *from;
		*flags = a->flags;
	}
	read_unlock(&mm->rw);
	return length;
}

/*
 * A move to a fixed place without a change of length takes all areas in the range along, one after
 * the other, with the holes between them (Linux since 6.17). A System V segment goes only alone.
 */
static s64 remap_many(struct mm *mm, const struct remap *r)
{
	u64 at = r->from, end = r->from + r->old_length;
	u32 flags = 0;
	u64 length = next_area(mm, &at, end, &flags);

	if (!length || at != r->from)
		return -EFAULT;
	for (; length; length = next_area(mm, &at, end, &flags)) {
		if (flags & AREA_SYSV && length != r->old_length)
			return -EFAULT;
		struct remap part = { .from = at,
				      .to = r->to + (at - r->from),
				      .old_length = length,
				      .new_length = length,
				      .flags = r->flags };
		s64 result = remap_one(mm, part);

		if (result < 0)
			return result;
		at += length;
	}
	return (s64)r->to;
}

s64 space_remap(struct mm *mm, u64 addr, u64 old_length, u64 new_length, u32 flags, u64 new_addr)
{
	struct remap r = { .from = addr,
			   .to = new_addr,
			   .old_length = ROUND_UP(old_length, PAGE_SIZE),
			   .new_length = ROUND_UP(new_length, PAGE_SIZE),
			   .flags = flags };
	int err = remap_check(&r);

	if (err)
		return err;
	if (flags & REMAP_FIXED && r.old_length == r.new_length)
		return remap_many(mm, &r);
	return remap_one(mm, r);
}
