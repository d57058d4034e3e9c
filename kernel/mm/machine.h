/*
 * machine.h - the border between mm and the machine: all that mm may ask of hardware, and all that
 * it assumes.
 *
 * Two machines implement it: arch/x86_64 (machine_impl.h, tlb.c) in the kernel, and hosted/ (its
 * own machine_impl.h, mmu.c), a software MMU whose fake CPUs keep stale translations until a call
 * below removes them. mm never composes or tests entry bits itself, and knows nothing about how a
 * translation is cached but this:
 *
 *   Translation hardware is a cache of the tree. It may read any entry of any table reachable from
 *   a loaded root, at any time, and keep what it read (leaf translations, and pointers to tables
 *   with the permissions above them) until told otherwise. It keeps nothing of entries that were
 *   not present. It sets accessed bits, and dirty bits in leaves, of entries that permit the
 *   access, atomically.
 *
 * machine_impl.h provides, as inline functions:
 *
 *   struct pte { u64 v; }                    one entry, of a table at any level
 *   PTES_PER_TABLE, LEVELS (4)
 *   LEVEL_SHIFT(level)                       address bits below one entry of a table of that level
 *                                            (level 1: 12)
 *   USER_END                                 first address that user mappings may not reach
 *
 *   struct pte pte_empty(void)               nothing here; all zero, so that a zeroed frame is an
 *                                            empty table
 *   bool pte_is_empty(e)
 *   bool pte_is_resident(e)                  refers to a frame: hardware-present, or PROT_NONE
 *                                            (kept, but invisible to hardware)
 *   bool pte_is_present(e)                   hardware may use it
 *   bool pte_is_marker(e)                    populated, but without a frame: the fault handler
 *                                            fills it (left by truncate and reclaim)
 *   bool pte_is_guard(e), struct pte pte_guard(void)  a marker that is not filled: who comes there
 *                                            gets a signal (guard.h)
 *   struct page *pte_page(e)                 target, of a resident entry
 *   bool pte_is_writable(e)                  the R/W bit
 *   bool pte_is_executable(e)
 *   bool pte_is_shared(e)                    leaf of a MAP_SHARED area (software bit): its R/W bit
 *                                            says nothing about ownership
 *   bool pte_is_plain(e)                     present, and neither shared nor huge
 *   struct pte pte_bits_of_both(a, b), pte_bits_of_any(a, b)  to ask many entries one question
 *   bool pte_is_dirty(e), pte_is_accessed(e)
 *   bool pte_is_lazy(e)                      private leaf, not writable (software bit): its bytes
 *                                            were given up until it is written to (MADV_FREE)
 *   struct pte pte_set_lazy(e)               not writable and lazy; pte_clear_lazy(e)
 *
 *   struct pte pte_table(struct page *table, bool writable)
 *   struct pte pte_leaf(struct page *page, u32 prot, bool writable, bool shared)
 *                                            prot: PROT_READ|WRITE|EXEC; without any, a PROT_NONE
 *                                            entry. PROT_WRITE has no effect: writable decides
 *   struct pte pte_marker(u32 kind, leaf)    in place of a leaf: keeps what it allowed, and kind, a
 *                                            small number of mm's: u32 pte_marker_kind(e)
 *   struct pte pte_swap(u64 slot, u32 kind, leaf)  a marker that also names a swap slot (36 bits):
 *                                            bool pte_is_swap(e), u64 pte_swap_slot(e)
 *   struct pte pte_refilled(page, marker)    the leaf that a marker stands for, never writable
 *   struct pte pte_set_writable(e, bool), pte_set_dirty(e), pte_set_accessed(e),
 *   pte_clear_accessed(e)
 *   struct pte pte_set_prot(e, prot)         a leaf with other read and execute permission, and not
 *                                            writable unless it was and prot has PROT_WRITE
 *
 *   struct pte pte_restrict(e, prot)         a leaf or marker without the permissions that prot
 *                                            lacks; gains none
 *   bool pte_is_huge(e)                      of an entry at level 2: a leaf of 2 MiB, on a block of
 *                                            frames that begins with pte_page(e)
 *   struct pte pte_to_huge(leaf)             a small leaf's permissions, for the block that begins
 *                                            with its page
 *   struct pte pte_of_huge(e, n)             the small leaf for the block's n-th page
 *   bool pte_same(a, b)
 *
 *   struct pte pte_load(const struct pte *slot)              one atomic load
 *   void pte_store(struct pte *slot, struct pte e)           one atomic store (release): into a
 *                                                            slot that hardware cannot change: not
 *                                                            present, or unpublished, or with A set
 *                                                            and no way to write through it
 *   struct pte pte_exchange(struct pte *slot, struct pte e)  returns what was there, with the A and
 *                                                            D bits that hardware set up to then
 *   void pte_and_writable(struct pte *slot)                  clear R/W atomically, keeping A and D
 *   void pte_or_writable(struct pte *slot)                   set R/W atomically, keeping A and D
 *   bool pte_and_accessed(struct pte *slot)                  clear A atomically: was it set?
 *
 *   void *frame_data(struct page *p)         the frame's bytes; valid always; bypasses permissions
 *   struct page *frame_of(const void *data)  the inverse
 */
#ifndef MM_MACHINE_H
#define MM_MACHINE_H

#include "lib/types.h"

struct page;
struct mm;

#define LEVEL_ROOT 4

#include "machine_impl.h"

/* What mm keeps in each space for the machine. T: written by tlb code of the machine only. */
struct machine_space {
	u64 generation; /* T: bumped by each shootdown; a CPU that loads the root compares */
	/* T: bit n: CPU n has the root loaded (also lazily) and must be told of shootdowns */
	u64 cpus[1];
};

/*
 * A new space: set up its machine part, and fill the kernel half of its root (constant, uncounted).
 * The root is zeroed but for that.
 */
void machine_space_init(struct mm *mm, struct page *root);

/*
 * Write the kernel half into a root table (part of the above; for a copied root). Must not touch
 * the user half.
 */
void machine_root_init(struct page *root);
/* Take it out again: nobody has the root loaded any more. */
void machine_root_clear(struct page *root);

/*
 * Shootdown. On return no CPU holds a translation of the space that it could not load anew from the
 * tree as it stood when the call was made. The entry stores come first: the call starts with a full
 * barrier. May be called under node locks and under space.rw; waits for other CPUs while serving
 * its own mailbox; never sleeps, never fails.
 *   page: leaf translations of one page (of 2 MiB, if that is how it was mapped), and all pointers
 *   to tables that were cached while translating it.
 *   all: everything of the space's user half, pointers to tables included.
 *   machine: everything of the user half of every space, on every CPU.
 */
void tlb_shoot_page(struct mm *mm, u64 va);
void tlb_shoot_all(struct mm *mm);
void tlb_shoot_machine(void);
/*
 * A hint after making an entry more permissive: drop this CPU's own translation of va, so that the
 * access need not fault again.
 */
void tlb_local_page(struct mm *mm, u64 va);

/*
 * The space is about to lose its root: no CPU may have it loaded after this returns (lazy ones are
 * moved to the kernel's own root, the caller's CPU too). Precondition: no thread runs in the space.
 */
void machine_space_retire(struct mm *mm);

/* Fill or copy a frame; the machine may have a faster way than memset. */
void machine_frame_zero(struct page *p);
void machine_frame_copy(struct page *dst, struct page *src);

#endif
