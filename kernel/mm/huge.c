/*
 * huge.c - 2 MiB pages: made, taken over, split and dropped. huge.h says what they are.
 *
 * Central rule (PROTOCOL rule 14): a huge leaf is a compressed level-1 node; splitting it is an
 * ordinary copy; the size of a translation changes only by way of an empty entry and a flush.
 *
 * Why the counts are stable where they decide: who looks holds the lock of the table with the entry.
 * A node gains references only by a copy of a table that refers to it; with one reference that is this
 * table, and copying it takes this lock. A page with one reference has the node's, and gains others
 * only by a split, which takes this lock too.
 *
 * Three ways of use: fault.c asks for nodes and brings its faults on them here; node.c splits what a
 * path goes through; whoever cuts a range (protect.c, and reclaim before it takes single pages) asks
 * for a split.
 */
#include "mm/huge.h"

#include "lib/print.h"

u32 huge_policy = HUGE_MADVISE;

/* --- nodes --- */

struct page *huge_alloc(void)
{
	struct page *head = frame_alloc_order(HUGE_ORDER, PAGE_ANON);

	if (!head) {
		mm_count(huge_fallbacks, 1);
		return NULL;
	}
	head->huge.refs = 1;
	head->huge.parted = 0;
	mm_count(anon_pages, HUGE_PAGES);
	mm_count(huge_nodes, 1);
	for (u32 i = 0; i < HUGE_PAGES; i++) {
		machine_frame_zero(head + i);
		cpu_preempt_point();
	}
	mm_count(pages_zeroed, HUGE_PAGES);
	return head;
}

/* The node has no references any more: its pages are pages like others. */
static void huge_end(struct page *head)
{
	debug_assert(head->level == HUGE_ORDER);
	store_relaxed(&head->level, (u8)0);
	head->huge.refs = 0;
	mm_count(huge_nodes, -1);
}

static bool pages_have_one_reference(const struct page *head)
{
	const u32 *counts = page_count_slot(head);

	for (u32 i = 0; i < HUGE_PAGES; i++)
		if (load_acquire(&counts[i]) != 1)
			return false;
	return true;
}

void huge_put(struct page *head)
{
	debug_assert(head->level == HUGE_ORDER && head->huge.refs > 0);
	if (atomic_sub_return(&head->huge.refs, 1))
		return;
	huge_end(head);
	if (pages_have_one_reference(head)) {
		mm_count(anon_pages, -(s64)HUGE_PAGES);
		frame_free_order(head, HUGE_ORDER);
	} else {
		for (u32 i = 0; i < HUGE_PAGES; i++)
			node_drop(head + i);
	}
	cpu_preempt_point();
}

bool huge_is_ours(const struct page *head)
{
	return load_acquire(&head->huge.refs) == 1 && pages_have_one_reference(head);
}

bool huge_page_is_ours(const struct page *head, const struct page *p)
{
	return load_acquire(&head->huge.refs) == 1 && page_count(p) == 1;
}

/* --- splitting --- */

/*
 * t's entries: the same pages, the same permissions. As a copy of a table would, they take a reference
 * on each page, unless they take over those of the node. True: no page has another owner.
 */
static bool table_fill(struct page *t, struct pte e, bool take_over)
{
	struct page *head = pte_page(e);
	struct pte *slots = table_slots(t);
	bool sole = true;

	for (u32 i = 0; i < HUGE_PAGES; i++) {
		slots[i] = pte_of_huge(e, i);
		if (!take_over)
			page_get(head + i);
		sole &= page_count(head + i) == 1;
	}
	store_relaxed(&t->level, (u8)1);
	t->populated = HUGE_PAGES;
	t->table.used = UINT64_MAX;
	t->table.anon = HUGE_PAGES;
	return sole;
}

/* Give up a reference on a node whose pages have others: none of them is freed. */
static void huge_put_referenced(struct page *head)
{
	if (atomic_sub_return(&head->huge.refs, 1))
		return;
	huge_end(head);
	for (u32 i = 0; i < HUGE_PAGES; i++)
		atomic_sub(page_count_slot(head + i), 1);
}

void huge_split(struct mm *mm, struct page *table, u64 va, struct page *t, bool owned)
{
	struct pte *slot = slot_of(table, va);

	debug_assert(table->level == 2 && spin_held(&table->lock));
	struct pte e = pte_exchange(slot, pte_empty());
	if (owned)
		tlb_shoot_page(mm, va);
	else
		tlb_shoot_machine();
	struct page *head = pte_page(e);
	bool sole_reference = load_acquire(&head->huge.refs) == 1;
	debug_assert(!pte_is_writable(e) || huge_is_ours(head));
	if (!sole_reference)
		store_relaxed(&head->huge.parted, (u16)1);
	t->copied = !table_fill(t, e, sole_reference);
	t->pinned = table->pinned;
	t->aged = table->aged;
	/* Before t is reachable: from then on others may drop the references that it holds. */
	if (sole_reference) {
		huge_end(head);
		mm_count(huge_dissolved, 1);
	} else {
		huge_put_referenced(head);
	}
	pte_store(slot, pte_table(t, true));
	mm_count(huge_splits, 1);
	mm_count(shootdowns, 1);
}

int huge_split_at(struct mm *mm, u64 va)
{
	struct page *t = NULL;
	bool owned, huge;

	if (va % HUGE_SIZE == 0)
		return 0;
	for (;;) {
		struct page *table = node_leaf_lock(mm, va, &owned);

		huge = table && table->level == 2;
		if (huge && t) {
			huge_split(mm, table, va, t, owned);
			t = NULL;
			huge = false;
		}
		if (table)
			spin_unlock(&table->lock);
		if (!huge)
			break;
		t = table_alloc(1);
		if (!t)
			return -ENOMEM;
	}
	if (t) /* it was split meanwhile */
		table_free(t);
	return 0;
}

/* --- faults --- */

static bool area_covers(const struct area *a, u64 va)
{
	u64 base = ROUND_DOWN(va, HUGE_SIZE);

	return a->start <= base && base + HUGE_SIZE <= a->end;
}

#define HUGE_NEVER_IN (AREA_SHARED | AREA_SPECIAL | AREA_GROWSDOWN | AREA_STACK | AREA_NOHUGEPAGE)

/* Do the switch, the space and the area's own flags allow it? */
static bool area_may_have(const struct mm *mm, const struct area *a)
{
	u32 policy = load_relaxed(&huge_policy), disabled = load_relaxed(&mm->huge_disabled);
	bool only_advised = policy == HUGE_MADVISE || disabled == HUGE_UNLESS_ADVISED;

	if (policy == HUGE_NEVER || disabled == HUGE_DISABLED)
		return false;
	return !a->object && !(a->flags & HUGE_NEVER_IN) &&
	       (!only_advised || (a->flags & AREA_HUGEPAGE));
}

bool huge_allowed(const struct mm *mm, const struct area *a, u64 va)
{
	return area_may_have(mm, a) && area_covers(a, va);
}

bool huge_possible(const struct mm *mm, const struct area *a, u64 va)
{
	return !a->object && !(a->flags & HUGE_NEVER_IN) && area_covers(a, va) &&
	       load_relaxed(&mm->huge_disabled) != HUGE_DISABLED;
}

bool huge_wanted(const struct mm *mm, const struct area *a, u64 va)
{
	return huge_allowed(mm, a, va) && (a->flags & AREA_WRITE);
}

bool space_huge_eligible(const struct mm *mm, const struct area *a)
{
	return area_may_have(mm, a) && area_covers(a, ROUND_UP(a->start, HUGE_SIZE));
}

int huge_install(struct mm *mm, const struct area *a, u64 va, struct page *head,
		 struct limbo *limbo)
{
	struct walk w;
	int err = node_own_level(mm, va, 2, &w, limbo);

	if (err)
		return err;
	struct page *table = w.table[2];
	struct pte *slot = slot_of(table, va);
	spin_lock(&table->lock);
	bool taken = !pte_is_empty(pte_load(slot));
	if (!taken) {
		pte_store(slot, pte_to_huge(pte_leaf(head, a->flags & AREA_PROT, true, false)));
		slot_was_filled(table, slot);
		walk_count(&w, LEAF_ANON, (s32)HUGE_PAGES);
	}
	spin_unlock(&table->lock);
	if (taken)
		return HUGE_REDO;
	space_count_alone(mm, pages_zeroed, HUGE_PAGES); /* the machine's: when it was made */
	mm_count(huge_faults, 1);
	return 0;
}

/*
 * The leaf e in slot of an owned and locked table, whose whole range the area covers. False: it must
 * be split.
 */
static bool leaf_widen(struct mm *mm, struct pte *slot, struct pte e, u32 prot, bool write)
{
	if (!write) {
		pte_exchange(slot, pte_set_prot(e, prot));
		return true;
	}
	if (!huge_is_ours(pte_page(e)))
		return false;
	/* No flush: the entry only becomes more permissive. A forced write goes without R/W. */
	if (prot & AREA_WRITE)
		pte_exchange(slot, pte_set_writable(pte_set_prot(e, prot), true));
	space_count(mm, pages_reused, 1);
	return true;
}

int huge_resolve(struct mm *mm, const struct area *a, u64 va, bool write, struct limbo *limbo)
{
	struct walk w;
	bool done = false;
	int err;

	if (area_covers(a, va)) {
		err = node_own_level(mm, va, 2, &w, limbo);
		if (err)
			return err;
		struct page *table = w.table[2];
		struct pte *slot = slot_of(table, va);
		spin_lock(&table->lock);
		struct pte e = pte_load(slot);
		done = pte_is_huge(e) && leaf_widen(mm, slot, e, a->flags & AREA_PROT, write);
		spin_unlock(&table->lock);
	}
	if (done)
		return 0;
	err = node_own(mm, va, &w, limbo);
	return err ? err : HUGE_REDO;
}
