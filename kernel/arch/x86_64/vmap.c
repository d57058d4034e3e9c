/*
 * vmap.c - the vmap region: kernel stacks, each with a guard below it, and device registers.
 *
 * Stacks live in slots of twice their size; the lower half of a slot is never mapped. A slot's page
 * table exists while one of its slots is in use, so that threads that have gone leave nothing
 * behind. Device mappings stay for ever.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/instr.h"
#include "arch/x86_64/paging_priv.h"
#include "arch/x86_64/tlb_priv.h"
#include "lib/lock.h"
#include "lib/print.h"
#include "mm/frame.h"

#define SLOT_SIZE (2 * KERNEL_STACK_SIZE)
#define TABLE_SPAN BIT(21)
#define SLOTS_PER_TABLE (u32)(TABLE_SPAN / SLOT_SIZE)
#define TABLES PTES_PER_TABLE /* one page directory of them: 1 GiB of slots, 32768 stacks */
#define DEVICES_BASE (VMAP_BASE + BIT(30))
#define DEVICES_END (VMAP_BASE + 2 * BIT(30))

#define ENTRY_STACK (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define ENTRY_DEVICE (ENTRY_STACK | PTE_PCD | PTE_PWT)

_Static_assert(SLOTS_PER_TABLE == 64, "one bit of a u64 for each slot");

static struct spinlock vmap_lock = SPINLOCK_INIT(RANK_VMAP);
static u64 slots_used[TABLES];         /* vmap_lock: bit n: slot n of the table is taken */
static u32 first_free;                 /* vmap_lock: no table before this one has a free slot */
static u64 next_device = DEVICES_BASE; /* vmap_lock */

void vmap_init(void)
{
	if (!kernel_entry(VMAP_BASE, 2, true) || !kernel_entry(DEVICES_BASE, 2, true))
		panic("no memory for the kernel's page tables");
}

static u64 slot_address(u32 table, u32 slot)
{
	return VMAP_BASE + table * TABLE_SPAN + slot * SLOT_SIZE;
}

/* The lowest free slot, so that few page tables are in use. Its address, or 0. */
static u64 slot_take(void)
{
	u32 slot;

	while (first_free < TABLES && slots_used[first_free] == UINT64_MAX)
		first_free++;
	if (first_free == TABLES)
		return 0;
	slot = (u32)__builtin_ctzll(~slots_used[first_free]);
	slots_used[first_free] |= BIT(slot);
	return slot_address(first_free, slot);
}

/* Give up a slot, nothing of which is mapped; with the table's last slot goes the table. */
static void slot_release(u64 address)
{
	u32 table = (u32)((address - VMAP_BASE) / TABLE_SPAN);
	u64 *directory_entry = kernel_entry(address, 2, false);

	slots_used[table] &= ~BIT((address - VMAP_BASE) % TABLE_SPAN / SLOT_SIZE);
	first_free = min(first_free, table);
	if (slots_used[table] == 0 && (*directory_entry & PTE_P)) {
		u64 phys = *directory_entry & PTE_FRAME_MASK;

		*directory_entry = 0;
		tlb_shoot_kernel(address, 1);
		frame_free(page_at(phys >> PAGE_SHIFT));
	}
}

/* Take out the pages of [from, to), flush, free the frames. */
static void stack_unmap(u64 from, u64 to)
{
	u64 *entries = kernel_entry(from, 1, false);
	u64 count = (to - from) / PAGE_SIZE, frames[KERNEL_STACK_SIZE / PAGE_SIZE];

	for (u64 i = 0; i < count; i++) {
		frames[i] = entries[i];
		entries[i] = 0;
	}
	tlb_shoot_kernel(from, count);
	for (u64 i = 0; i < count; i++)
		frame_free(page_at((frames[i] & PTE_FRAME_MASK) >> PAGE_SHIFT));
}

void *vmap_alloc_stack(size_t size)
{
	u64 slot, start, *entries;

	assert(size <= KERNEL_STACK_SIZE && IS_ALIGNED(size, PAGE_SIZE));
	spin_lock(&vmap_lock);
	slot = slot_take();
	if (!slot)
		goto out;
	start = slot + SLOT_SIZE - size;
	entries = kernel_entry(start, 1, true);
	if (!entries)
		goto out_slot;
	for (u64 i = 0; i < size / PAGE_SIZE; i++) {
		struct page *p = frame_alloc(PAGE_KERNEL);

		if (!p) {
			stack_unmap(start, start + i * PAGE_SIZE);
			goto out_slot;
		}
		entries[i] = page_phys(p) | ENTRY_STACK;
	}
	spin_unlock(&vmap_lock);
	return (void *)start;
out_slot:
	slot_release(slot);
out:
	spin_unlock(&vmap_lock);
	return NULL;
}

void vmap_free_stack(void *stack, size_t size)
{
	u64 start = (u64)stack;

	spin_lock(&vmap_lock);
	stack_unmap(start, start + size);
	slot_release(ROUND_DOWN(start, SLOT_SIZE));
	spin_unlock(&vmap_lock);
}

bool vmap_is_guard(u64 va)
{
	return va >= VMAP_BASE && va < VMAP_BASE + TABLES * TABLE_SPAN && !kernel_mapped(va);
}

void *vmap_device(u64 phys, size_t size)
{
	u64 first = ROUND_DOWN(phys, PAGE_SIZE), end = ROUND_UP(phys + size, PAGE_SIZE), va;

	spin_lock(&vmap_lock);
	va = next_device;
	if (end - first > DEVICES_END - va) {
		spin_unlock(&vmap_lock);
		return NULL;
	}
	for (u64 p = first; p < end; p += PAGE_SIZE) {
		u64 *e = kernel_entry(va + (p - first), 1, true);

		if (!e) {
			/*
			 * The entries made so far are out of use but stay: the next mapping writes
			 * them again.
			 */
			spin_unlock(&vmap_lock);
			return NULL;
		}
		*e = p | ENTRY_DEVICE;
	}
	next_device = va + (end - first);
	spin_unlock(&vmap_lock);
	return (void *)(va + (phys - first));
}
