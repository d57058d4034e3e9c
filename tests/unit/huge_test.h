/* huge_test.h - what the tests of 2 MiB pages share. */
#ifndef HUGE_TEST_H
#define HUGE_TEST_H

#include "mm/huge.h"
#include "race_test.h"

/* Enough that frames which CPUs keep do not spoil every block. */
static inline int huge_machine_start(void **state)
{
	(void)state;
	hosted_start(192);
	return 0;
}

/* A space with `count` huge pages from BASE on, every page's first word its number. */
static inline struct mm *huge_space(u32 count)
{
	struct mm *mm = new_space();

	huge_policy = HUGE_ALWAYS;
	map_anonymous(mm, BASE, count * HUGE_PAGES);
	hosted_load_space(mm);
	for (u32 i = 0; i < count; i++)
		store(page_va(i * HUGE_PAGES), 0);
	for (u32 p = 0; p < count * HUGE_PAGES; p++) {
		struct pte e;
		struct page *page = hosted_peek(mm, page_va(p), &e);
		must(page, "no huge page");
		*(u64 *)frame_data(page) = p;
	}
	return mm;
}

/* Is va mapped by a huge leaf? */
static inline bool is_huge(struct mm *mm, u64 va)
{
	bool owned;
	struct page *table = node_leaf_lock(mm, va, &owned);
	bool huge = table && table->level == 2;

	if (table)
		spin_unlock(&table->lock);
	return huge;
}

/* Every page of [first, end) but `except` has its number in its first word, without a fault. */
static inline void pages_must_be_intact(struct mm *mm, u32 first, u32 end, u32 except)
{
	for (u32 p = first; p < end; p++) {
		struct pte e;
		struct page *page = hosted_peek(mm, page_va(p), &e);

		if (p == except)
			continue;
		must(page && page->kind == PAGE_ANON, "page %u is gone", p);
		must(*(u64 *)frame_data(page) == p, "page %u has %lu", p, *(u64 *)frame_data(page));
	}
}

#define NO_PAGE UINT32_MAX

#endif
