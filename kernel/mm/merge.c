/*
 * merge.c - which neighbouring areas are one, as /proc/PID/maps shows it.
 *
 * Linux joins areas of equal kind when one is made or changed, never otherwise; and not if both have
 * private pages that do not belong together. Its rule for that is by anon_vma: each area gets one
 * with its first private page (from a neighbour that differs in permissions at most, else a new
 * one); a child of fork gets one of its own for each area that has one, and from then on that area
 * takes in no neighbour without (the child's pages may still be the parent's). Here an area has an
 * *identity* in place of it, a number. Areas are shared by fork, so the number comes with the space
 * that gave it: in any other, the area is known by its address, which is unique while it is alive.
 */
#include "lib/atomic.h"
#include "lib/print.h"
#include "mm/area.h"

/* Set in an identity that was inherited by fork. */
#define ANON_INHERITED BIT(63)

static u64 last_identity; /* atomic */

u64 area_anon(const struct area *a, u64 space)
{
	u64 anon = load_acquire(&a->anon);

	if (!anon || a->anon_space == space)
		return anon;
	return (u64)a | ANON_INHERITED;
}

/* Everything but where they lie, what they permit and their private pages. */
static bool same_kind(const struct area *low, const struct area *high, u32 ignored_flags)
{
	return low->object == high->object && low->file == high->file &&
	       !((low->flags ^ high->flags) & ~ignored_flags) &&
	       !(low->flags & (AREA_SPECIAL | AREA_HUGETLB)) &&
	       low->offset + (high->start - low->start) == high->offset;
}

static bool identities_agree(u64 a, u64 b)
{
	if (a && b)
		return a == b;
	return !((a | b) & ANON_INHERITED);
}

bool area_can_merge(const struct area *low, const struct area *high, u64 space)
{
	return low->end == high->start && same_kind(low, high, 0) &&
	       identities_agree(area_anon(low, space), area_anon(high, space));
}

u64 area_anon_choose(const struct area_node *root, const struct area *a, u64 space)
{
	const struct area *next = areas_find(root, a->end);
	const struct area *prev = a->start ? areas_find(root, a->start - 1) : NULL;
	u64 anon = 0;

	if (next && same_kind(a, next, AREA_PROT))
		anon = area_anon(next, space);
	if (anon && !(anon & ANON_INHERITED))
		return anon;
	anon = prev && same_kind(prev, a, AREA_PROT) ? area_anon(prev, space) : 0;
	if (anon && !(anon & ANON_INHERITED))
		return anon;
	return atomic_add_return(&last_identity, 1);
}

/*
 * Make *merged, a copy of a, also cover the areas around it in root with which it is one. Identities
 * in it are those of `space`.
 */
static void merge_around(const struct area_node *root, struct area *merged, u64 space)
{
	const struct area *prev = merged->start ? areas_find(root, merged->start - 1) : NULL;
	const struct area *next = areas_find(root, merged->end);
	u64 anon = merged->anon;
	u64 low = prev ? area_anon(prev, space) : 0, high = next ? area_anon(next, space) : 0;
	u64 start = merged->start, offset = merged->offset;

	if (prev && same_kind(prev, merged, 0) && identities_agree(low, anon)) {
		start = prev->start;
		offset = prev->offset;
		merged->anon = anon | low;
	} else {
		low = 0;
	}
	if (start != merged->start && merged->flags & AREA_SYSV)
		next = NULL; /* it would be taken in whole */
	if (next && same_kind(merged, next, 0) && identities_agree(anon, high) &&
	    (!low || !high || low == high)) {
		merged->end = next->end;
		merged->anon |= high;
	}
	merged->start = start;
	merged->offset = offset;
}

/*
 * May what replaces [start, end) take in its neighbours? Counted areas are never taken in whole, as
 * on Linux, where merging may not remove an area whose removal somebody must hear of: only the
 * boundary between two may move, and then the area that was there stays on the other side. What
 * comes where nothing is may become part of a neighbour.
 */
static bool replace_may_merge(const struct area_node *root, const struct area *a, u64 start,
			      u64 end)
{
	const struct area *old;

	if (!(a->flags & AREA_SYSV))
		return true;
	old = areas_find(root, start);
	return !old || old->start < start || old->end > end;
}

int areas_replace(struct area_node *root, u64 start, u64 end, struct area *a, u64 space,
		  struct area_node **out)
{
	if (!a || !replace_may_merge(root, a, start, end))
		return areas_set(root, start, end, a, space, out);
	debug_assert(!a->anon || a->anon_space == space);
	struct area merged = area_model(a);
	merged.anon_space = space;
	merge_around(root, &merged, space);
	if (merged.start == a->start && merged.end == a->end)
		return areas_set(root, start, end, a, space, out);
	a = area_new(&merged);
	if (!a) {
		*out = NULL;
		return -ENOMEM;
	}
	int err = areas_set(root, a->start, a->end, a, space, out);
	area_put(a);
	return err;
}
