/*
 * reap.c - see reap.h.
 *
 * Why it is right to take memory away under the feet of a thread: it can only notice by a fault, and
 * in a doomed space a fault never brings a page (fault.c), so zeros are never seen where there was
 * data; the thread dies on its way back to user mode. Pages of files and of shared memory lose a
 * mapping; what was written to them is in their object's dirty set (PROTOCOL rule 8).
 */
#include "mm/reap.h"

#include "mm/huge.h"
#include "mm/node.h"

u64 space_reap(struct mm *mm)
{
	u64 before = frame_free_count(), after;
	struct limbo limbo;

	limbo_init(&limbo, mm);
	write_lock(&mm->rw);
	mm->doomed = true;
	node_unmap(mm, 0, USER_END, &limbo); /* whole subtrees: no edges to own */
	write_unlock(&mm->rw);
	limbo_flush(&limbo);
	after = frame_free_count();
	return after > before ? after - before : 0;
}

/* t and the tables above it have one owner. */
static u64 exclusive_below(struct page *t)
{
	u64 n = 1;

	spin_lock(&t->lock);
	for (u32 i = 0, left = t->populated; left && i < PTES_PER_TABLE; i++) {
		struct pte e = pte_load(&table_slots(t)[i]);
		struct page *p;

		if (pte_is_empty(e))
			continue;
		left--;
		if (!pte_is_resident(e))
			continue;
		p = pte_page(e);
		if (t->level == 2 && pte_is_huge(e)) {
			n += huge_is_ours(p) ? HUGE_PAGES : 0;
			continue;
		}
		if (page_count(p) != 1)
			continue;
		if (t->level > 1)
			n += exclusive_below(p);
		else
			n += p->kind == PAGE_ANON;
	}
	spin_unlock(&t->lock);
	return n;
}

u64 space_exclusive_frames(struct mm *mm)
{
	u64 n;

	read_lock(&mm->rw);
	n = exclusive_below(mm->root);
	read_unlock(&mm->rw);
	return n;
}
