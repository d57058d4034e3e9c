/*
 * truncate.c - PROTOCOL rule 9: after an object's pages were detached, no space may still map them.
 *
 * There is no list of mappings per page (DESIGN, one idea, 5): the area trees of all spaces are
 * walked instead. Leaves are replaced in place by markers, also in tables that several spaces
 * share: what each of them sees, a fault that finds nothing (SIGBUS) or the new page, is the same
 * for all.
 */
#include "mm/truncate.h"

#include "lib/print.h"
#include "mm/node.h"
#include "mm/swap.h"

struct unmap {
	struct object *object;
	u64 first, end; /* pages of the object */
	bool copies;    /* private copies too */
	struct mm *mm;
	struct limbo limbo;
	u64 resume; /* where the visit stopped because limbo was full; 0: it went through */
};

static bool leaf_to_marker(struct page *table, struct pte *slot, u64 va, void *arg)
{
	struct unmap *u = arg;
	struct pte e = pte_load(slot);

	if (pte_is_swap(e) && u->copies) { /* a private copy that is in swap */
		pte_exchange(slot, pte_marker(LEAF_ANON, e));
		swap_slot_put(pte_swap_slot(e));
		return true;
	}
	if (!pte_is_resident(e) || (!u->copies && pte_page(e)->kind == PAGE_ANON))
		return true;
	if (limbo_full(&u->limbo)) {
		u->resume = va;
		return false;
	}
	e = pte_exchange(slot, pte_marker(leaf_kind(e), e));
	nonresident_count(table, leaf_kind(e), 1);
	limbo_add(&u->limbo, pte_page(e), va);
	return true;
}

static int area_unmap(struct area *a, void *arg)
{
	struct unmap *u = arg;

	if (a->object != u->object)
		return 0;
	u64 offset = a->offset >> PAGE_SHIFT, pages = (a->end - a->start) >> PAGE_SHIFT;
	if (offset + pages <= u->first || offset >= u->end)
		return 0;
	u64 va = a->start + ((max(offset, u->first) - offset) << PAGE_SHIFT);
	u64 end = a->start + (min(pages, u->end - offset) << PAGE_SHIFT);
	while (va) {
		u->resume = 0;
		node_for_each_leaf(u->mm, va, end, leaf_to_marker, u);
		limbo_flush(&u->limbo);
		va = u->resume;
	}
	return 0;
}

static int space_unmap_object(struct mm *mm, void *arg)
{
	struct unmap *u = arg;

	read_lock(&mm->rw);
	u->mm = mm;
	limbo_init(&u->limbo, mm);
	u->limbo.everywhere = true;
	areas_for_each(mm->areas, 0, USER_END, area_unmap, u);
	read_unlock(&mm->rw);
	return 0;
}

void truncate_unmap(struct object *o, u64 first, u64 end, bool copies)
{
	struct unmap u = { .object = o, .first = first, .end = end, .copies = copies };

	if (load_acquire(&o->mapped_areas))
		space_for_each(space_unmap_object, &u);
}
