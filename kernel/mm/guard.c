/*
 * guard.c - guard pages: places in areas that nobody may come to (madvise(2), MADV_GUARD_INSTALL).
 *
 * A guard is an entry of a leaf table, a marker that is counted as nothing: so it costs no area, is
 * copied by fork and moved by mremap as pages are, and goes when the area goes. What empties an area
 * that stays (MADV_DONTNEED, truncation) leaves it, as on Linux. Guards come and go under space.rw
 * exclusive, in owned tables.
 */
#include "mm/guard.h"

#include "mm/swap.h"

/* Call fn for the part of [start, end) in each leaf table, until it fails. */
static int each_table(struct edit *e, u64 start, u64 end,
		      int (*fn)(struct edit *e, u64 start, u64 end))
{
	int err = 0;

	while (start < end && !err) {
		u64 next = min(ROUND_DOWN(start, slot_span(2)) + slot_span(2), end);

		err = fn(e, start, next);
		start = next;
		cpu_preempt_point();
	}
	return err;
}

static void limbo_room(struct limbo *l, u32 entries)
{
	if (l->count + entries > LIMBO_MAX)
		limbo_flush(l);
}

static int table_own(struct edit *e, u64 start, u64 end)
{
	struct walk w;

	limbo_room(&e->limbo, LEVEL_ROOT);
	return node_own(e->mm, start, &w, &e->limbo);
}

/* Put a guard in the place of what is in the slot. The table is owned and locked. */
static void slot_guard(struct walk *w, struct pte *slot, u64 va, struct limbo *limbo)
{
	struct page *t = w->table[1];
	struct pte old = pte_exchange(slot, pte_guard());
	enum leaf_kind kind = leaf_kind(old);

	if (pte_is_empty(old)) {
		slot_was_filled(t, slot);
		return;
	}
	walk_count(w, kind, -1);
	if (pte_is_resident(old))
		limbo_add(limbo, pte_page(old), va);
	else
		nonresident_count(t, kind, -1);
	if (pte_is_swap(old))
		swap_slot_put(pte_swap_slot(old));
}

static int table_guard(struct edit *e, u64 start, u64 end)
{
	struct walk w;
	int err = node_own(e->mm, start, &w, &e->limbo);

	if (err)
		return err;
	spin_lock(&w.table[1]->lock);
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		if (limbo_full(&e->limbo)) { /* nobody else changes what is there meanwhile */
			spin_unlock(&w.table[1]->lock);
			limbo_flush(&e->limbo);
			spin_lock(&w.table[1]->lock);
		}
		slot_guard(&w, slot_of(w.table[1], va), va, &e->limbo);
	}
	spin_unlock(&w.table[1]->lock);
	return 0;
}

int guards_install(struct edit *e, u64 start, u64 end)
{
	int err = each_table(e, start, end, table_own);

	if (err)
		return err;
	e->mm->guarded = true;
	return each_table(e, start, end, table_guard); /* owned: it cannot fail */
}

/* --- looking for them --- */

struct guard_search {
	bool guard; /* look for one; else for the first place without */
	u64 next;   /* not looked at yet */
};

static bool leaf_look(struct page *table, struct pte *slot, u64 va, void *arg)
{
	struct guard_search *s = arg;
	bool guard = table->level == 1 && pte_is_guard(pte_load(slot));

	if (s->guard ? guard : !guard || va != s->next) {
		s->next = s->guard ? va : s->next;
		s->guard = !s->guard; /* found */
		return false;
	}
	s->next = va + PAGE_SIZE;
	return true;
}

static u64 guard_find(struct mm *mm, u64 va, u64 end)
{
	struct guard_search s = { .guard = true, .next = va };

	node_for_each_leaf(mm, va, end, leaf_look, &s);
	return s.guard ? end : s.next;
}

/* The end of the run of guards that begins at va. */
static u64 guard_run(struct mm *mm, u64 va, u64 end)
{
	struct guard_search s = { .guard = false, .next = va };

	node_for_each_leaf(mm, va, end, leaf_look, &s);
	return min(s.next, end);
}

static int table_unguard(struct edit *e, u64 start, u64 end)
{
	struct walk w;
	int err = table_own(e, start, end);

	if (err)
		return err;
	(void)node_own(e->mm, start, &w, &e->limbo); /* owned: it cannot fail */
	spin_lock(&w.table[1]->lock);
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		pte_store(slot_of(w.table[1], va), pte_empty());
		slot_was_emptied(w.table[1]);
	}
	spin_unlock(&w.table[1]->lock);
	return 0;
}

/* Call fn for the runs of [start, end) that are guards, or that have none, until it fails. */
static int each_run(struct edit *e, u64 start, u64 end, bool guards,
		    int (*fn)(struct edit *e, u64 start, u64 end))
{
	int err = 0;

	while (start < end && !err) {
		u64 first = e->mm->guarded ? guard_find(e->mm, start, end) : end;
		u64 next = first < end ? guard_run(e->mm, first, end) : end;

		if (guards && first < next)
			err = each_table(e, first, next, fn);
		else if (!guards && start < first)
			err = fn(e, start, first);
		start = next;
	}
	return err;
}

int guards_remove(struct edit *e, u64 start, u64 end)
{
	return each_run(e, start, end, true, table_unguard);
}

/* --- emptying around them --- */

static int run_unmap(struct edit *e, u64 start, u64 end)
{
	node_unmap(e->mm, start, end, &e->limbo);
	return 0;
}

static int run_own(struct edit *e, u64 start, u64 end)
{
	limbo_room(&e->limbo, 2 * LEVEL_ROOT);
	return edit_own_edges(e, start, end);
}

int guards_keep_unmap(struct edit *e, u64 start, u64 end)
{
	int err = each_run(e, start, end, false, run_own);

	return err ? err : each_run(e, start, end, false, run_unmap);
}
