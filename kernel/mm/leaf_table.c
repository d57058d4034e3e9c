/*
 * leaf_table.c - going from leaf table to leaf table through a space's tree.
 *
 * Locks are coupled downwards: the tables above stay locked until what is below is, for a table that
 * the space does not own may be replaced.
 */
#include "mm/leaf_table.h"

#include "mm/huge.h"

struct table_search {
	u64 va, end; /* look at or after va */
	u32 round;   /* a table that was visited in this round is passed over; 0: none is */
	bool owned;  /* the path to what was found is */
};

/*
 * The next leaf table in the locked table t, locked, or NULL; t is unlocked. s->va: where it begins,
 * or s->va itself if that lies in it. A table of level 2 is found for a huge leaf in it.
 */
static struct page *table_next(struct page *t, struct table_search *s, bool owned)
{
	u64 span = slot_span(t->level);
	struct page *found = NULL;

	if (t->level == 1) {
		s->owned = owned;
		return t;
	}
	for (; !found && s->va < s->end && t->populated; s->va = ROUND_DOWN(s->va, span) + span) {
		struct pte e = pte_load(slot_of(t, s->va));
		u64 base = ROUND_DOWN(s->va, span);

		if (pte_is_empty(e))
			continue;
		if (t->level == 2 && pte_is_huge(e)) {
			s->owned = owned;
			return t;
		}
		struct page *child = pte_page(e);
		spin_lock(&child->lock);
		/* In the middle of a table: it is being visited. Shared tables only: else it may
		 * have come to this place since. */
		if (s->round && child->round == s->round && s->va == base &&
		    page_count(child) > 1) {
			spin_unlock(&child->lock);
			continue;
		}
		u64 end = s->end;
		s->end = min(end, base + span);
		if (s->round)
			child->round = (u16)s->round;
		found = table_next(child, s, owned && pte_is_writable(e));
		s->end = end;
		if (found)
			break;
	}
	spin_unlock(&t->lock);
	return found;
}

struct page *leaf_table_next(struct mm *mm, u64 *va, u64 end, u32 round, bool *owned)
{
	struct table_search s = { .va = *va, .end = end, .round = round };

	spin_lock(&mm->root->lock);
	struct page *t = table_next(mm->root, &s, true);
	*va = s.va;
	*owned = s.owned;
	return t;
}
