/*
 * collapse.c - making one 2 MiB page of what a level-1 table holds (madvise(2), MADV_COLLAPSE): the
 * opposite of huge_split (huge.c), and no copy-on-write: all pages are copied at once.
 *
 * The table may be shared: it is only read, and this space's entry changes from it to the fresh node by
 * way of an empty one and a flush, so that nobody writes to a page while it is copied. Read huge.c
 * first.
 */
#include "mm/collapse.h"

#include "lib/err.h"
#include "mm/edit.h"
#include "mm/huge.h"

/*
 * May the table's pages become one? 0; -EAGAIN: some are in swap; -EFAULT: there is a guard; -EINVAL.
 * The table is locked.
 */
static int table_check(const struct page *t)
{
	const struct pte *slots = table_slots(t);

	if (!t->populated)
		return -EINVAL;
	for (u32 i = 0; i < PTES_PER_TABLE; i++) {
		struct pte e = pte_load(&slots[i]);

		if (pte_is_swap(e))
			return -EAGAIN;
		if (pte_is_guard(e))
			return -EFAULT;
		if (pte_is_resident(e) && pte_page(e)->kind == PAGE_CACHE)
			return -EINVAL;
	}
	return 0;
}

/* The node holds zeros; markers stand for zeros too. */
static void table_copy_pages(const struct page *t, struct page *head)
{
	const struct pte *slots = table_slots(t);

	for (u32 i = 0; i < PTES_PER_TABLE; i++) {
		struct pte e = pte_load(&slots[i]);

		if (pte_is_resident(e) && pte_page(e) != zero_page)
			machine_frame_copy(head + i, pte_page(e));
	}
}

/* The table behind slot makes room for the node. w: the owned path to the slot; both are locked. */
static void table_replace(struct edit *e, const struct area *a, struct walk *w, struct pte *slot,
			  struct page *t, struct page *head)
{
	pte_exchange(slot, pte_empty());
	limbo_shoot_all(&e->limbo);
	limbo_shoot(&e->limbo);
	table_copy_pages(t, head);
	w->table[2]->aged |= t->aged;
	w->table[2]->pinned |= t->pinned;
	walk_count(w, LEAF_ANON, (s32)(HUGE_PAGES - t->table.anon));
	pte_store(slot,
		  pte_to_huge(pte_leaf(head, a->flags & AREA_PROT, a->flags & AREA_WRITE, false)));
}

/* 0: done; 1: there is a 2 MiB page already; else an errno. */
static int block_collapse(struct edit *e, u64 va, struct page *head)
{
	const struct area *a = areas_find(e->mm->areas, va);
	struct page *old = NULL;
	struct walk w;
	int err;

	if (!a || !huge_possible(e->mm, a, va))
		return -EINVAL;
	err = node_own_level(e->mm, va, 2, &w, &e->limbo);
	if (err)
		return err;
	struct pte *slot = slot_of(w.table[2], va);
	spin_lock(&w.table[2]->lock);
	struct pte entry = pte_load(slot);
	if (pte_is_empty(entry)) {
		err = -EINVAL;
	} else if (pte_is_huge(entry)) {
		err = 1;
	} else {
		old = pte_page(entry);
		spin_lock(&old->lock);
		err = table_check(old);
		if (!err)
			table_replace(e, a, &w, slot, old, head);
		spin_unlock(&old->lock);
	}
	spin_unlock(&w.table[2]->lock);
	if (old && !err)
		limbo_add(&e->limbo, old, va);
	return err;
}

/* Is there anything to be done? As block_collapse, without memory and as far as can be seen. */
static int block_look(struct mm *mm, u64 va)
{
	bool owned;
	int r = -EINVAL;

	read_lock(&mm->rw);
	struct page *t = node_leaf_lock(mm, va, &owned);
	if (t) {
		r = t->level == 2 ? 1 : t->populated ? 0 : -EINVAL;
		spin_unlock(&t->lock);
	}
	read_unlock(&mm->rw);
	return r;
}

int space_collapse(struct mm *mm, u64 va)
{
	struct edit e;
	int err = block_look(mm, va);

	if (!err)
		err = space_anon_prepare(mm, va);
	if (err)
		return err > 0 ? 0 : err;
	struct page *head = huge_alloc();
	if (!head)
		return -ENOMEM;
	edit_begin(&e, mm);
	err = block_collapse(&e, va, head);
	edit_end(&e, false);
	if (err)
		huge_put(head);
	return err > 0 ? 0 : err;
}
