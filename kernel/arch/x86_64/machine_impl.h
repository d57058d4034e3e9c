/*
 * machine_impl.h - the x86-64 side of mm/machine.h: entries in hardware's format, frames through
 * the direct map.
 */
#ifndef ARCH_MACHINE_IMPL_H
#define ARCH_MACHINE_IMPL_H

#include "arch/x86_64/percpu.h" /* cpu_number, inline */
#include "arch/x86_64/pte.h"

#define DIRECT_MAP_BASE 0xffff800000000000ull

static inline void *phys_to_virt(u64 phys)
{
	return (void *)(DIRECT_MAP_BASE + phys);
}

/* Of an address in the direct map. */
static inline u64 virt_to_phys(const void *p)
{
	return (u64)p - DIRECT_MAP_BASE;
}

#define page_at(n) ((struct page *)((char *)frame_table + (n)*PAGE_DESCRIPTOR_SIZE))
#define page_index(p) (((u64)(p) - (u64)frame_table) / PAGE_DESCRIPTOR_SIZE)
#define PAGE_DESCRIPTOR_SIZE 32u /* asserted in mm/frame.h */

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
