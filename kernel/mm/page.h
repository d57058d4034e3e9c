/*
 * page.h - the lock of a cache page: held while it is filled, written out, truncated or mapped.
 * Private to mm.
 */
#ifndef MM_PAGE_H
#define MM_PAGE_H

#include "mm/frame.h"

bool page_trylock(struct page *p);
void page_lock(struct page *p); /* may sleep; a temporary reference is held */
void page_unlock(struct page *p);
/* Sleep until nobody holds the lock. */
void page_wait(struct page *p);

static inline bool page_is_uptodate(const struct page *p)
{
	return load_acquire(&p->flags) & PAGE_UPTODATE;
}

/* Memory that has been asked for: PAGE_ALLOCATED is not. */
static inline bool page_is_used(const struct page *p)
{
	return (load_acquire(&p->flags) & (PAGE_UPTODATE | PAGE_ALLOCATED)) == PAGE_UPTODATE;
}

/* Any of these flags (PAGE_*)? */
static inline bool page_has(const struct page *p, u32 flags)
{
	return load_relaxed(&p->flags) & flags;
}

static inline void page_flag_set(struct page *p, u16 flag)
{
	atomic_or(&p->flags, flag);
}

/* The page was used: eviction passes it by once. Atomic, like all flags: other bits may change. */
static inline void page_referenced(struct page *p)
{
	if (!page_has(p, PAGE_REFERENCED))
		page_flag_set(p, PAGE_REFERENCED);
}

static inline void page_flag_clear(struct page *p, u16 flag)
{
	atomic_and(&p->flags, (u16)~flag);
}

#endif
