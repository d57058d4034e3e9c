/*
 * pte.h - the format of x86-64 page-table entries (Intel SDM vol. 3, 4.5), with the meaning that
 * mm/machine.h gives to each operation.
 *
 * Present entries: bit 0 P, 1 R/W, 2 U/S, 5 A, 6 D, 12-51 frame, 63 NX. Software: bit 9 SHARED, 52
 * LAZY.
 * Not-present entries that are not empty: bit 10 KEPT: frame and bits as if present, made by
 * PROT_NONE; bit 11 MARKER: no frame, but what the leaf allowed: 63 NX, 9 SHARED, 8 NONE (no access);
 * bits 12-15 say what it is counted as; bit 7 SWAP: bits 16-51 are a swap slot; bit 4 GUARD: nobody
 * may come here.
 * At level 2, bit 7 PS of an entry that refers to a frame: a leaf of 2 MiB.
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include "lib/types.h"

struct page;
extern struct page *frame_table;

struct pte {
	u64 v;
};

#define PTE_P BIT(0)
#define PTE_RW BIT(1)
#define PTE_US BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_G BIT(8)
#define PTE_SHARED BIT(9)
#define PTE_KEPT BIT(10)
#define PTE_MARKER BIT(11)
#define PTE_NONE BIT(8)  /* of a marker */
#define PTE_SWAP BIT(7)  /* of a marker */
#define PTE_GUARD BIT(4) /* of a marker */
#define PTE_KIND_MASK 0xfull
#define PTE_KIND_SHIFT 12
#define PTE_SLOT_SHIFT 16
#define PTE_SLOT_MASK 0xfffffffffull
#define PTE_LAZY BIT(52) /* of a private leaf that is not writable */
#define PTE_NX BIT(63)
#define PTE_FRAME_MASK 0x000ffffffffff000ull

#define PTES_PER_TABLE 512u
#define LEVELS 4
#define LEVEL_SHIFT(level) (12 + 9 * ((level)-1))
#ifndef USER_END
#define USER_END 0x00007ffffffff000ull
#endif

static inline struct pte pte_empty(void)
{
	return (struct pte){ 0 };
}

static inline bool pte_is_empty(struct pte e)
{
	return e.v == 0;
}

static inline bool pte_is_present(struct pte e)
{
	return e.v & PTE_P;
}

static inline bool pte_is_resident(struct pte e)
{
	return e.v & (PTE_P | PTE_KEPT);
}

static inline bool pte_is_marker(struct pte e)
{
	return (e.v & (PTE_P | PTE_MARKER)) == PTE_MARKER;
}

static inline struct pte pte_guard(void)
{
	return (struct pte){ PTE_MARKER | PTE_GUARD };
}

static inline bool pte_is_guard(struct pte e)
{
	return (e.v & (PTE_P | PTE_MARKER | PTE_GUARD)) == (PTE_MARKER | PTE_GUARD);
}

static inline bool pte_is_writable(struct pte e)
{
	return e.v & PTE_RW;
}

static inline bool pte_is_executable(struct pte e)
{
	return !(e.v & PTE_NX);
}

static inline bool pte_is_shared(struct pte e)
{
	return e.v & PTE_SHARED;
}

/* Its bytes are given up until it is written to again (MADV_FREE). */
static inline bool pte_is_lazy(struct pte e)
{
	return (e.v & PTE_LAZY) && !(e.v & PTE_MARKER);
}

static inline bool pte_is_dirty(struct pte e)
{
	return e.v & PTE_D;
}

static inline bool pte_is_accessed(struct pte e)
{
	return e.v & PTE_A;
}

/* Of an entry at level 2: does it map 2 MiB? */
static inline bool pte_is_huge(struct pte e)
{
	return (e.v & PTE_PS) && (e.v & (PTE_P | PTE_KEPT));
}

/* Present, and neither SHARED nor huge: one test for what nearly all entries are. */
static inline bool pte_is_plain(struct pte e)
{
	return (e.v & (PTE_P | PTE_SHARED | PTE_PS)) == PTE_P;
}

static inline struct pte pte_bits_of_both(struct pte a, struct pte b)
{
	return (struct pte){ a.v & b.v };
}

static inline struct pte pte_bits_of_any(struct pte a, struct pte b)
{
	return (struct pte){ a.v | b.v };
}

static inline u64 pte_frame_number(struct pte e)
{
	return (e.v & PTE_FRAME_MASK) >> PAGE_SHIFT;
}

static inline struct pte pte_make_table(u64 frame_number, bool writable)
{
	return (struct pte){ frame_number << PAGE_SHIFT | PTE_P | PTE_US | PTE_A |
			     (writable ? PTE_RW : 0) };
}

/* prot: bit 0 read, 1 write, 2 execute (PROT_*). Any access implies read, as on x86. */
static inline u64 pte_prot_bits(u32 prot)
{
	return (prot & 7 ? PTE_P : PTE_KEPT) | (prot & 4 ? 0 : PTE_NX);
}

static inline struct pte pte_make_leaf(u64 frame_number, u32 prot, bool writable, bool shared)
{
	return (struct pte){ frame_number << PAGE_SHIFT | PTE_US | pte_prot_bits(prot) |
			     (writable ? PTE_RW : 0) | (shared ? PTE_SHARED : 0) };
}

/* The huge leaf that allows what a small one does, on the block that begins with its frame. */
static inline struct pte pte_to_huge(struct pte small)
{
	return (struct pte){ small.v | PTE_PS };
}

/* The small leaf of the n-th page of a huge one, with the same permissions, A and D. */
static inline struct pte pte_of_huge(struct pte huge, u64 n)
{
	return (struct pte){ (huge.v & ~PTE_PS) + (n << PAGE_SHIFT) };
}

/* What a marker keeps of the leaf (which has bit 8 clear) or marker that it replaces: permission to read and execute, and SHARED. */
static inline u64 pte_kept_bits(struct pte leaf)
{
	return PTE_MARKER | (leaf.v & (PTE_NX | PTE_SHARED | PTE_NONE)) |
	       (leaf.v & PTE_KEPT ? PTE_NONE : 0);
}

/* kind: what the slot is counted as in its tables (enum leaf_kind of mm). */
static inline struct pte pte_marker(u32 kind, struct pte leaf)
{
	return (struct pte){ pte_kept_bits(leaf) | (u64)kind << PTE_KIND_SHIFT };
}

static inline struct pte pte_swap(u64 slot, u32 kind, struct pte leaf)
{
	return (struct pte){ pte_kept_bits(leaf) | PTE_SWAP | (u64)kind << PTE_KIND_SHIFT |
			     slot << PTE_SLOT_SHIFT };
}

static inline bool pte_is_swap(struct pte e)
{
	return (e.v & (PTE_P | PTE_MARKER | PTE_SWAP)) == (PTE_MARKER | PTE_SWAP);
}

static inline u64 pte_swap_slot(struct pte e)
{
	return e.v >> PTE_SLOT_SHIFT & PTE_SLOT_MASK;
}

static inline u32 pte_marker_kind(struct pte e)
{
	return (u32)(e.v >> PTE_KIND_SHIFT & PTE_KIND_MASK);
}

/* The leaf that a marker stands for, on this frame: with what the marker kept, not writable. */
static inline struct pte pte_make_refilled(u64 frame_number, struct pte marker)
{
	return (struct pte){ frame_number << PAGE_SHIFT | PTE_US |
			     (marker.v & PTE_NONE ? PTE_KEPT : PTE_P) |
			     (marker.v & (PTE_NX | PTE_SHARED)) };
}

static inline struct pte pte_set_writable(struct pte e, bool writable)
{
	return (struct pte){ writable ? e.v | PTE_RW : e.v & ~PTE_RW };
}

/* A lazy leaf is not writable: setting R/W takes that back. */
static inline struct pte pte_set_lazy(struct pte e)
{
	return (struct pte){ (e.v & ~PTE_RW) | PTE_LAZY };
}

static inline struct pte pte_clear_lazy(struct pte e)
{
	return (struct pte){ e.v & ~PTE_LAZY };
}

static inline struct pte pte_set_dirty(struct pte e)
{
	return (struct pte){ e.v | PTE_D | PTE_A };
}

static inline struct pte pte_set_accessed(struct pte e)
{
	return (struct pte){ e.v | PTE_A };
}

static inline struct pte pte_clear_accessed(struct pte e)
{
	return (struct pte){ e.v & ~PTE_A };
}

static inline struct pte pte_set_prot(struct pte e, u32 prot)
{
	u64 v = e.v & ~(PTE_P | PTE_KEPT | PTE_NX);

	if (!(prot & 2))
		v &= ~PTE_RW;
	return (struct pte){ v | pte_prot_bits(prot) };
}

/* A leaf or marker without the permissions that prot lacks; gains none. */
static inline struct pte pte_restrict(struct pte e, u32 prot)
{
	u64 v = e.v;

	if (v & PTE_MARKER && !(v & PTE_P))
		return (struct pte){ v | (prot & 4 ? 0 : PTE_NX) | (prot & 7 ? 0 : PTE_NONE) };

	if (!(prot & 2))
		v &= ~PTE_RW;
	if (!(prot & 4))
		v |= PTE_NX;
	if (!(prot & 7) && (v & PTE_P))
		v = (v & ~PTE_P) | PTE_KEPT;
	return (struct pte){ v };
}

static inline bool pte_same(struct pte a, struct pte b)
{
	return a.v == b.v;
}

static inline struct pte pte_load(const struct pte *slot)
{
	return (struct pte){ __atomic_load_n(&slot->v, __ATOMIC_ACQUIRE) };
}

static inline void pte_store(struct pte *slot, struct pte e)
{
	__atomic_store_n(&slot->v, e.v, __ATOMIC_RELEASE);
}

static inline struct pte pte_exchange(struct pte *slot, struct pte e)
{
	return (struct pte){ __atomic_exchange_n(&slot->v, e.v, __ATOMIC_ACQ_REL) };
}

static inline void pte_and_writable(struct pte *slot)
{
	(void)__atomic_fetch_and(&slot->v, ~PTE_RW, __ATOMIC_ACQ_REL);
}

/* Clear the accessed bit atomically. True if it was set. */
static inline bool pte_and_accessed(struct pte *slot)
{
	return __atomic_fetch_and(&slot->v, ~PTE_A, __ATOMIC_ACQ_REL) & PTE_A;
}

static inline void pte_or_writable(struct pte *slot)
{
	(void)__atomic_fetch_or(&slot->v, PTE_RW, __ATOMIC_ACQ_REL);
}

#endif
