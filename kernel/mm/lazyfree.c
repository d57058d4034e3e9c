/*
 * lazyfree.c - MADV_FREE: a program gives bytes up, but takes them back by writing before memory was
 * short.
 *
 * The leaf loses R/W and is marked lazy, in one store; so a write must come by as a fault, which takes
 * the mark away (fault.c, case 9). Reclaim may replace a leaf that is still lazy by a marker: nothing
 * rests on a dirty bit (PROTOCOL rule 8). Pages that others have too, and huge ones, are left as they
 * are.
 */
#include "mm/lazyfree.h"

#include "mm/leaf_table.h"

/* Table locked and owned: "count is 1" means ours. */
static void table_give_up(struct page *table, u64 start, u64 end, struct limbo *limbo)
{
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		struct pte *slot = slot_of(table, va);
		struct pte e = pte_load(slot);

		if (!pte_is_resident(e) || pte_page(e)->kind != PAGE_ANON ||
		    page_count(pte_page(e)) != 1)
			continue;
		if (pte_is_writable(pte_exchange(slot, pte_set_lazy(e))))
			limbo_shoot_page(limbo, va);
		table->aged = 1; /* its pages are not all alike any more (usage.c) */
	}
}

void space_free_lazily(struct mm *mm, u64 start, u64 end)
{
	struct limbo limbo;
	struct page *t;
	bool owned;

	limbo_init(&limbo, mm);
	read_lock(&mm->rw);
	for (u64 va = start; (t = leaf_table_next(mm, &va, end, 0, &owned));) {
		u64 next = ROUND_DOWN(va, slot_span(2)) + slot_span(2);

		if (owned && t->level == 1)
			table_give_up(t, va, min(next, end), &limbo);
		spin_unlock(&t->lock);
		va = next;
		if (va >= end)
			break;
	}
	limbo_shoot(&limbo);
	read_unlock(&mm->rw);
}
