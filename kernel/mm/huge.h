/*
 * huge.h - huge nodes: 2 MiB of private memory behind one entry at level 2. Private to mm.
 *
 * A huge node is a level-1 table without the table: 512 neighbouring frames, each a page of private
 * memory. It is named by its first page (its head). Two kinds of counts belong to it, as to a table:
 *
 *   huge.refs of the head       entries at level 2 that refer to the node: the table's own count
 *   the count of each page      1 from the node, as from a table's entry, + entries at level 1 + the
 *                               swap cache
 *
 * So all rules of nodes hold: the entry at level 2 has R/W set only if the node has one reference and
 * each of its pages has one (invariant W); a copied level-2 table takes one reference on the node.
 * What a table would do by being copied is here a *split*: a level-1 table is filled with entries of
 * the same pages. No path copies 2 MiB: after a fork the first write splits, and copies one page.
 */
#ifndef MM_HUGE_H
#define MM_HUGE_H

#include "mm/node.h"

#define HUGE_ORDER 9u
#define HUGE_PAGES (1u << HUGE_ORDER)
#define HUGE_SIZE (PAGE_SIZE << HUGE_ORDER)

/* The page that the leaf e, found in `table` for va, maps there. */
static inline struct page *leaf_page(const struct page *table, struct pte e, u64 va)
{
	return pte_page(e) + (table->level == 1 ? 0 : (va >> PAGE_SHIFT) % HUGE_PAGES);
}

/*
 * A fresh node of zeros, with one reference; NULL if there is no such block. No lock but space.rw may
 * be held; preemptible. huge_put gives it back.
 */
struct page *huge_alloc(void);

/* One more entry refers to the node. */
static inline void huge_get(struct page *head)
{
	atomic_add(&head->huge.refs, 1);
}

/* Give up one reference; the last drops all pages. No spinlock may be held; preemptible. */
void huge_put(struct page *head);

/*
 * Is the node, found in an owned and locked table, nobody else's, pages included? Then its entry may
 * be made writable.
 */
bool huge_is_ours(const struct page *head);
/* The same for one of its pages alone: the kernel may write to it through the tree. */
bool huge_page_is_ours(const struct page *head, const struct page *p);

/*
 * Replace the huge leaf of va in `table` (level 2, locked) by the level-1 table t (fresh, contents
 * undefined), with entries that allow the same. What any space sees does not change, so the table may
 * be a shared one (PROTOCOL rule 7): then owned is false, and every CPU is flushed. Clear, flush, set.
 */
void huge_split(struct mm *mm, struct page *table, u64 va, struct page *t, bool owned);
/* Split the leaf, if a huge one, that both va - 1 and va lie in. space.rw held. 0 or -ENOMEM. */
int huge_split_at(struct mm *mm, u64 va);

/* Could there be a 2 MiB page at va, whatever the switch says (MADV_COLLAPSE)? */
bool huge_possible(const struct mm *mm, const struct area *a, u64 va);
/* May there be a 2 MiB page at va: do the area, the switch and the space allow it? */
bool huge_allowed(const struct mm *mm, const struct area *a, u64 va);
/*
 * Does a first write at va deserve a huge node: do the area, the switch and the space allow it?
 */
bool huge_wanted(const struct mm *mm, const struct area *a, u64 va);

/* Results beside 0 (done) and -ENOMEM: something changed, look again. */
#define HUGE_REDO 1

/* Put the fresh node head where nothing is (takes the reference), writable. space.rw held. */
int huge_install(struct mm *mm, const struct area *a, u64 va, struct page *head,
		 struct limbo *limbo);
/*
 * Make an access at va possible, which the area a permits but the huge leaf there does not: by taking
 * it over or widening it, else by splitting it. space.rw held.
 */
int huge_resolve(struct mm *mm, const struct area *a, u64 va, bool write, struct limbo *limbo);

#endif
