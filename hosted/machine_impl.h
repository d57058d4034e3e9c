/*
 * machine_impl.h - the hosted side of mm/machine.h: hardware's entry format, frames in an arena of
 * host memory.
 *
 * Physical address 0 is the arena's first byte. Every access to an entry is a point where another
 * fake CPU may run, so that the order of lock-free steps is tried out too. Read hosted.h next.
 */
#ifndef HOSTED_MACHINE_IMPL_H
#define HOSTED_MACHINE_IMPL_H

#include "lib/types.h"

/* Each fake CPU's own, where they are threads (threads.c). */
#ifdef HOSTED_THREADS
#define HOSTED_PER_CPU __thread
#else
#define HOSTED_PER_CPU
#endif

extern char *hosted_arena;
extern HOSTED_PER_CPU u32 hosted_countdown;
void hosted_point_slow(void);

/* Perhaps another fake CPU runs now, or the MMU speculates. */
static inline void hosted_step(void)
{
	if (unlikely(--hosted_countdown == 0))
		hosted_point_slow();
}

/* The operations of the entry format that touch memory get a point in front of them. */
#define pte_load pte_load_raw
#define pte_store pte_store_raw
#define pte_exchange pte_exchange_raw
#define pte_and_writable pte_and_writable_raw
#define pte_or_writable pte_or_writable_raw
#define pte_and_accessed pte_and_accessed_raw
#include "arch/x86_64/pte.h"
#undef pte_load
#undef pte_store
#undef pte_exchange
#undef pte_and_writable
#undef pte_or_writable
#undef pte_and_accessed

static inline struct pte pte_load(const struct pte *slot)
{
	hosted_step();
	return pte_load_raw(slot);
}

static inline void pte_store(struct pte *slot, struct pte e)
{
	hosted_step();
	pte_store_raw(slot, e);
}

static inline struct pte pte_exchange(struct pte *slot, struct pte e)
{
	hosted_step();
	return pte_exchange_raw(slot, e);
}

static inline void pte_and_writable(struct pte *slot)
{
	hosted_step();
	pte_and_writable_raw(slot);
}

static inline void pte_or_writable(struct pte *slot)
{
	hosted_step();
	pte_or_writable_raw(slot);
}

static inline bool pte_and_accessed(struct pte *slot)
{
	hosted_step();
	return pte_and_accessed_raw(slot);
}

static inline void *phys_to_virt(u64 phys)
{
	return hosted_arena + phys;
}

static inline u64 virt_to_phys(const void *p)
{
	return (u64)((const char *)p - hosted_arena);
}

#define PAGE_DESCRIPTOR_SIZE 32u /* asserted in mm/frame.h */
#define page_at(n) ((struct page *)((char *)frame_table + (n)*PAGE_DESCRIPTOR_SIZE))
#define page_index(p) (((u64)(p) - (u64)frame_table) / PAGE_DESCRIPTOR_SIZE)

static inline void *frame_data(const struct page *p)
{
	return phys_to_virt(page_index(p) << PAGE_SHIFT);
}

static inline struct page *frame_of(const void *data)
{
	return page_at(virt_to_phys(data) >> PAGE_SHIFT);
}

static inline u64 page_phys(const struct page *p)
{
	return page_index(p) << PAGE_SHIFT;
}

static inline struct page *pte_page(struct pte e)
{
	return page_at(pte_frame_number(e));
}

static inline struct pte pte_table(const struct page *table, bool writable)
{
	return pte_make_table(page_index(table), writable);
}

static inline struct pte pte_leaf(const struct page *page, u32 prot, bool writable, bool shared)
{
	return pte_make_leaf(page_index(page), prot, writable, shared);
}

static inline struct pte pte_refilled(const struct page *page, struct pte marker)
{
	return pte_make_refilled(page_index(page), marker);
}

#endif
