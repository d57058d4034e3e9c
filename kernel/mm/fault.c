/*
 * fault.c - what happens when an access is not permitted by the tables as they stand.
 *
 *   check   1  no area, but a stack right above      grow it, then go on
 *           2  no area, or a guard page              SIGSEGV, SEGV_MAPERR
 *           3  the area forbids the access           SIGSEGV, SEGV_ACCERR
 *   legal   4  the whole path permits it now         spurious: another thread was first, or the TLB
 *                                                    was stale
 *   read    5  hole, no object                       the zero page, read-only
 *           6  hole, object                          the object's page, read-only, and its resident
 *                                                    neighbours (fault-around)
 *   write,  7  hole, no object                       a fresh page of zeros
 *   private 8  hole, object                          a copy of the object's page
 *           9  our own page, nobody else's           take it back: set R/W
 *          10  a page that others have too           copy it (the copy-on-write break)
 *   write, 11  shared area                           the object's page, into its dirty set,
 *   shared                                           writable
 *   any    12  a leaf with less than the area grants widen it (mprotect upgrades lazily)
 *   huge   13  write, private, no object, nothing in  2 MiB of zeros, if the area may have them
 *              the 2 MiB around, which are the area's
 *          14  a huge leaf                           cases 9 and 12 for all of it; else split it,
 *                                                    then as above
 *
 * A "hole" is an empty slot, or a marker left by truncate or reclaim. An object's page that lies
 * beyond its size is SIGBUS.
 *
 * Stages: check (read-only facts into struct fault), get what the case needs (a page of the object,
 * a fresh page: these may sleep, with nothing held, and then start again from the top), own the
 * path, lock the leaf table, look at the entry again, install. Whether copy-on-write is due is
 * decided only there, from ownership, under the lock (never from dirty bits or from what was seen
 * before): PROTOCOL rules 1, 2 and 8.
 */
#include "mm/fault.h"

#include <asm/signal.h>
#include <asm/siginfo.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mm/edit.h"
#include "mm/huge.h"
#include "mm/page.h"
#include "mm/reclaim.h"
#include "mm/swapin.h"

#define FAULT_REDO 1 /* something changed or was waited for: start again */

#define AROUND_PAGES 16u /* fault-around: the aligned window, within the area and one leaf table */
#define AHEAD_PAGES 64u  /* read with a fault in an area that is read in sequence */

struct fault {
	struct mm *mm;
	u64 va; /* of the page */
	u32 access;
	bool force, hold; /* FAULT_FORCE, FAULT_HOLD */
	struct fault_result *result;
	/* check: valid while space.rw is held */
	struct area *area;
	u32 prot;
	bool write, shared;
	u64 index; /* page of the object */
	struct pte seen;
	bool owned;    /* the path was, when `seen` was read */
	bool huge;     /* it is a huge leaf */
	bool vacant;   /* there is no leaf table */
	bool refilled; /* this fault brought the page back from swap */
	/* resources */
	/*
	 * page of the object: locked, attached; with a temporary reference, unless the entry got it
	 */
	struct page *source;
	bool source_installed;
	struct page *fresh; /* ours, in no tree yet */
	bool zeroed;        /* fresh holds zeros */
	struct page *block; /* a huge node of ours, in no tree yet; kept when starting again */
	bool block_tried;   /* to get one */
	bool around;        /* the page came to a read: its neighbours may come as well */
	struct walk walk;
	struct limbo limbo;
};

static int fault_signal(struct fault *f, int signal, int code)
{
	f->result->signal = signal;
	f->result->code = code;
	return -EFAULT;
}

/* Case 1. */
static int stack_grow(struct fault *f)
{
	int err = space_stack_grow(f->mm, f->va);

	if (err == -EFAULT)
		return fault_signal(f, SIGSEGV, SEGV_MAPERR);
	return err ? err : FAULT_REDO;
}

/* --- check --- */

static bool access_allowed(const struct fault *f)
{
	u32 flags = f->area->flags;

	if (f->access & ACCESS_WRITE)
		return (flags & AREA_WRITE) || (f->force && (flags & AREA_MAYWRITE) && !f->shared);
	if (f->access & ACCESS_EXEC)
		return flags & AREA_EXEC;
	return (flags & AREA_PROT) || (f->force && (flags & AREA_MAYREAD));
}

/* Cases 2 and 3; fills in what the area, NULL for none, says. space.rw held shared. */
static int fault_check(struct fault *f, struct area *area)
{
	if (unlikely(f->mm->doomed))
		return fault_signal(f, SIGBUS, BUS_ADRERR);
	f->area = area;
	if (!area)
		return fault_signal(f, SIGSEGV, SEGV_MAPERR);
	f->shared = f->area->flags & AREA_SHARED;
	f->write = f->access & ACCESS_WRITE;
	f->prot = f->area->flags & AREA_PROT;
	if (!access_allowed(f))
		return fault_signal(f, SIGSEGV, SEGV_ACCERR);
	f->index = (f->area->offset + (f->va - f->area->start)) >> PAGE_SHIFT;
	return 0;
}

/* At the end, with result r. */
static void fault_unlock(struct fault *f, int r)
{
	if (r || !f->hold)
		read_unlock(&f->mm->rw);
}

/* What is there now, a guess at once; and what of the path is owned. */
static void fault_look(struct fault *f)
{
	struct page *table = node_walk(f->mm, f->va, &f->walk);

	f->huge = f->vacant = false;
	f->owned = table->level == 1;
	if (f->owned) {
		f->seen = pte_load(slot_of(table, f->va));
		return;
	}
	table = node_leaf_lock(f->mm, f->va, &f->owned);
	f->seen = table ? pte_load(slot_of(table, f->va)) : pte_empty();
	f->huge = table && table->level == 2;
	f->vacant = !table;
	if (table)
		spin_unlock(&table->lock);
}

/* Does the path, as it was seen, permit the access? */
static bool entry_permits(const struct fault *f, struct pte e, bool owned)
{
	if (!pte_is_present(e))
		return false;
	if (f->write)
		return owned && pte_is_writable(e);
	return !(f->access & ACCESS_EXEC) || pte_is_executable(e);
}

/* --- swap --- */

/* The entry names a swap slot: bring the page back. space.rw is given up. */
static int swap_in(struct fault *f)
{
	read_unlock(&f->mm->rw);
	int err = swap_fill(f->mm, f->va, &f->result->major);
	f->refilled = !err;
	if (!err)
		return FAULT_REDO;
	return err == -ENOMEM ? err : fault_signal(f, SIGBUS, BUS_ADRERR);
}

/* --- resources --- */

static void resources_release(struct fault *f)
{
	if (f->source) {
		page_unlock(f->source);
		if (!f->source_installed)
			page_put(f->source);
		f->source = NULL;
	}
	if (f->fresh) {
		anon_free(f->fresh);
		f->fresh = NULL;
	}
}

/* The object's page is not at hand: fetch it with nothing held. space.rw is given up. */
static int source_fetch(struct fault *f)
{
	struct object *o = f->area->object;
	u64 index = f->index;
	u32 flags = f->area->flags;
	struct page *p;

	object_get(o);
	read_unlock(&f->mm->rw);
	if (flags & (AREA_RAND_READ | AREA_SEQ_READ)) /* madvise(2) */
		p = object_page_ahead(o, index, flags & AREA_SEQ_READ ? AHEAD_PAGES : 1,
				      &f->result->major);
	else
		p = object_page(o, index, &f->result->major);
	object_put(o);
	if (!IS_ERR(p)) {
		page_put(p);
		return FAULT_REDO;
	}
	if (PTR_ERR(p) == -ENOMEM)
		return -ENOMEM;
	return fault_signal(f, SIGBUS, BUS_ADRERR);
}

/* Get f->source: 0, or (space.rw given up) FAULT_REDO or an error. */
static int source_get(struct fault *f)
{
	struct object *o = f->area->object;

	if (f->index >= DIV_ROUND_UP(load_acquire(&o->size), PAGE_SIZE)) {
		read_unlock(&f->mm->rw);
		return fault_signal(f, SIGBUS, BUS_ADRERR);
	}
	struct page *p = object_page_resident(o, f->index);
	if (!p)
		return source_fetch(f);
	if (!page_trylock(p)) {
		read_unlock(&f->mm->rw);
		page_wait(p);
		page_put(p);
		return FAULT_REDO;
	}
	if (load_acquire(&p->cache.object) != o) { /* truncated meanwhile */
		read_unlock(&f->mm->rw);
		page_unlock(p);
		page_put(p);
		return FAULT_REDO;
	}
	f->source = p;
	if (f->write && f->shared)
		object_page_dirty_mapped(o, p);
	return 0;
}

/* A fresh page, zeroed if nothing will be copied into it. */
static int fresh_get(struct fault *f)
{
	f->fresh = anon_alloc();
	if (!f->fresh)
		return -ENOMEM;
	f->zeroed = !f->source && !(pte_is_resident(f->seen) && pte_page(f->seen) != zero_page);
	if (f->zeroed) {
		machine_frame_zero(f->fresh);
		space_count(f->mm, pages_zeroed, 1);
	}
	return 0;
}

/*
 * What the case, judged by what was seen, will need. 0, or (space.rw given up) FAULT_REDO or an
 * error.
 */
static int resources_get(struct fault *f)
{
	bool hole = !pte_is_resident(f->seen);
	int err;

	if (f->area->object && (hole || (f->write && f->shared))) {
		err = source_get(f);
		if (err)
			return err;
	}
	if (f->write && !f->shared && !(f->owned && page_is_ours(f->seen)) && fresh_get(f)) {
		read_unlock(&f->mm->rw);
		return -ENOMEM;
	}
	return 0;
}

/* --- install: the leaf table is owned and locked --- */

/* Put page into the hole at slot. The caller's reference becomes the entry's. */
static void hole_fill(struct fault *f, struct pte *slot, struct pte old, struct page *page,
		      bool writable)
{
	struct page *table = f->walk.table[1];

	if (pte_is_empty(old)) {
		slot_was_filled(table, slot);
	} else {
		nonresident_count(table, leaf_kind(old), -1);
		walk_count(&f->walk, leaf_kind(old), -1);
	}
	pte_store(slot, pte_leaf(page, f->prot, writable, f->shared));
	walk_count(&f->walk, page_leaf_kind(page), 1);
}

/*
 * Case 6: neighbours that are resident anyway. Only into empty slots of the owned leaf table. What
 * detaches pages takes the object's lock for it: those that are attached now are found by the walk
 * that follows.
 */
static void around_fill(struct fault *f)
{
	u64 first = ROUND_DOWN(f->va, AROUND_PAGES * PAGE_SIZE);
	u64 end = min(first + AROUND_PAGES * PAGE_SIZE, f->area->end);
	struct object *o = f->area->object;
	struct page *table = f->walk.table[1], *pages[AROUND_PAGES];
	s32 filled = 0;

	first = max(first, f->area->start);
	u32 count = (u32)((end - first) >> PAGE_SHIFT);
	object_pages_hold(o, f->index - ((f->va - first) >> PAGE_SHIFT), count, pages);
	spin_lock(&table->lock);
	struct pte *slot = slot_of(table, first);
	for (u32 i = 0; i < count; i++, slot++) {
		if (!pages[i] || !pte_is_empty(pte_load(slot)))
			continue;
		page_get(pages[i]);
		pte_store(slot, pte_leaf(pages[i], f->prot, false, f->shared));
		slot_was_filled(table, slot);
		filled++;
	}
	if (filled)
		walk_count(&f->walk, page_leaf_kind(f->source), filled);
	spin_unlock(&table->lock);
	object_pages_release(o);
}

static int install_hole(struct fault *f, struct pte *slot, struct pte old)
{
	if (f->write && !f->shared) {
		if (!f->fresh || !(f->area->object ? f->source != NULL : f->zeroed))
			return FAULT_REDO;
		if (f->source) { /* case 8 */
			machine_frame_copy(f->fresh, f->source);
			space_count(f->mm, pages_copied, 1);
		}
		hole_fill(f, slot, old, f->fresh, f->prot & AREA_WRITE); /* case 7 */
		f->fresh = NULL;
		return 0;
	}
	if (!f->area->object) { /* case 5 */
		hole_fill(f, slot, old, zero_page, false);
		return 0;
	}
	if (!f->source)
		return FAULT_REDO;
	hole_fill(f, slot, old, f->source, f->write); /* cases 6 and 11 */
	f->source_installed = true;
	f->around = !f->write;
	return 0;
}

/* Case 10: rule 3: published read-only, the old translation gone everywhere, then R/W. */
static int install_copy(struct fault *f, struct pte *slot, struct page *old)
{
	struct page *fresh = f->fresh;

	if (!fresh)
		return FAULT_REDO;
	if (old == zero_page) {
		if (!f->zeroed)
			machine_frame_zero(fresh);
	} else {
		machine_frame_copy(fresh, old);
		space_count(f->mm, pages_copied, 1);
	}
	pte_exchange(slot, pte_leaf(fresh, f->prot, false, false));
	limbo_add(&f->limbo, old, f->va);
	limbo_shoot(&f->limbo);
	if (f->prot & AREA_WRITE)
		pte_or_writable(slot);
	if (page_leaf_kind(old) != LEAF_ANON) {
		walk_count(&f->walk, page_leaf_kind(old), -1);
		walk_count(&f->walk, LEAF_ANON, 1);
	}
	f->fresh = NULL;
	return 0;
}

static int install_resident(struct fault *f, struct pte *slot, struct pte e)
{
	struct page *page = pte_page(e);

	if (!f->write) { /* case 12 */
		pte_exchange(slot, pte_set_prot(e, f->prot));
		return 0;
	}
	if (f->shared) { /* case 11 */
		if (page != f->source)
			return FAULT_REDO;
		pte_exchange(slot, pte_leaf(page, f->prot, true, true));
		return 0;
	}
	if (!page_is_ours(e))
		return install_copy(f, slot, page);
	/* case 9. No flush: the entry only becomes more permissive. What is written is wanted again */
	e = pte_clear_lazy(e);
	if (f->prot & AREA_WRITE)
		e = pte_set_writable(pte_set_prot(e, f->prot), true);
	pte_exchange(slot, e);
	space_count(f->mm, pages_reused, 1);
	return 0;
}

/*
 * A marker that reclaim left in a table that others share is filled in place (rule 6), with what it
 * allowed: if that is enough and the sums above stay as they are. True: done.
 */
static bool marker_fill(struct fault *f)
{
	bool done = false;

	if (f->owned || f->write || !f->source || !pte_is_marker(f->seen))
		return false;
	struct page *table = node_leaf_lock(f->mm, f->va, &f->owned);
	if (!table)
		return false;
	struct pte *slot = slot_of(table, f->va), old = pte_load(slot);
	if (pte_same(old, f->seen) && leaf_kind(old) == page_leaf_kind(f->source)) {
		struct pte e = pte_set_accessed(pte_refilled(f->source, old));

		done = entry_permits(f, e, false);
		if (done) {
			page_get(f->source);
			pte_store(slot, e);
			nonresident_count(table, leaf_kind(old), -1);
		}
	}
	spin_unlock(&table->lock);
	return done;
}

/* space.rw held shared; resources at hand. */
static int fault_install(struct fault *f)
{
	int r = node_own_rest(f->mm, f->va, &f->walk, &f->limbo);

	if (r)
		return r;
	struct page *table = f->walk.table[1];
	struct pte *slot = slot_of(table, f->va);
	spin_lock(&table->lock);
	struct pte e = pte_load(slot);
	if (entry_permits(f, e, true))
		r = 0; /* case 4, found late */
	else if (pte_is_resident(e))
		r = install_resident(f, slot, e);
	else if (pte_is_swap(e)) /* it came and went since it was looked at: no hole */
		r = FAULT_REDO;
	else
		r = install_hole(f, slot, e);
	spin_unlock(&table->lock);
	if (f->around)
		around_fill(f);
	return r;
}

/* --- huge pages --- */

/* Case 13? */
static bool huge_is_due(const struct fault *f)
{
	return f->vacant && f->write && (f->block || !f->block_tried) &&
	       huge_wanted(f->mm, f->area, f->va);
}

/* Cases 13 and 14. space.rw is given up. */
static int fault_huge(struct fault *f)
{
	int r;

	if (!f->huge && !f->block) { /* zeroing takes long: with nothing held */
		read_unlock(&f->mm->rw);
		f->block = huge_alloc();
		f->block_tried = true;
		return FAULT_REDO;
	}
	if (f->huge) {
		r = huge_resolve(f->mm, f->area, f->va, f->write, &f->limbo);
	} else {
		r = huge_install(f->mm, f->area, f->va, f->block, &f->limbo);
		if (!r)
			f->block = NULL;
	}
	limbo_shoot(&f->limbo);
	fault_unlock(f, r);
	limbo_flush(&f->limbo);
	if (!r)
		f->result->next = ROUND_DOWN(f->va, HUGE_SIZE) + HUGE_SIZE;
	return r == HUGE_REDO ? FAULT_REDO : r;
}

/* --- the fault --- */

/*
 * Does the area get its identity now (merge.c)? With its first private page; on Linux also when a read
 * finds no leaf table where there may be 2 MiB pages: there its huge page of zeros would come.
 */
static bool is_identity_due(const struct fault *f)
{
	return !f->shared && (f->write || (f->vacant && huge_allowed(f->mm, f->area, f->va)));
}

static int fault_try(struct fault *f)
{
	struct mm *mm = f->mm;
	int r;

	read_lock(&mm->rw);
	struct area *next = areas_find_next(mm->areas, f->va);
	if (next && next->start > f->va) {
		if (next->flags & AREA_GROWSDOWN) {
			read_unlock(&mm->rw);
			return stack_grow(f);
		}
		next = NULL;
	}
	r = fault_check(f, next);
	if (r) {
		read_unlock(&mm->rw);
		return r;
	}
	fault_look(f);
	if (entry_permits(f, f->seen, f->owned)) {
		fault_unlock(f, 0);
		if (f->refilled)
			return 0;
		tlb_local_page(mm, f->va);
		if (f->huge)
			f->result->next = ROUND_DOWN(f->va, HUGE_SIZE) + HUGE_SIZE;
		space_count(mm, faults_spurious, 1);
		return 0;
	}
	if (pte_is_guard(f->seen)) {
		read_unlock(&mm->rw);
		f->result->guard = true;
		return fault_signal(f, SIGSEGV, SEGV_MAPERR);
	}
	if (is_identity_due(f) && !area_anon_prepare(mm, f->area)) {
		read_unlock(&mm->rw);
		r = space_anon_prepare(mm, f->va);
		return r ? r : FAULT_REDO;
	}
	if (f->huge || huge_is_due(f))
		return fault_huge(f);
	if (pte_is_swap(f->seen))
		return swap_in(f);
	r = resources_get(f);
	if (r) {
		resources_release(f);
		return r;
	}
	r = marker_fill(f) ? 0 : fault_install(f);
	if (!limbo_is_empty(&f->limbo))
		limbo_shoot(&f->limbo);
	if (f->source || f->fresh)
		resources_release(f);
	fault_unlock(f, r);
	if (!limbo_is_empty(&f->limbo))
		limbo_flush(&f->limbo);
	return r;
}

int fault_resolve(struct mm *mm, u64 va, u32 access, u32 flags, struct fault_result *result)
{
	struct fault f;
	int r;

	*result = (struct fault_result){ .next = (va & PAGE_MASK) + PAGE_SIZE };
	if (va >= USER_END) {
		result->signal = SIGSEGV;
		result->code = SEGV_MAPERR;
		return -EFAULT;
	}
	f.mm = mm;
	f.va = va & PAGE_MASK;
	f.access = access;
	f.force = flags & FAULT_FORCE;
	f.hold = flags & FAULT_HOLD;
	f.result = result;
	f.source = f.fresh = f.block = NULL;
	f.block_tried = false;
	f.refilled = false;
	f.around = f.source_installed = false;
	limbo_init(&f.limbo, mm);
	do {
		r = fault_try(&f);
	} while (r == FAULT_REDO || (r == -ENOMEM && (memory_reclaim() || shortage_wait())));
	if (f.block)
		huge_put(f.block);
	memory_want();
	if (result->major) {
		space_count(mm, faults_major, 1);
	} else {
		space_count(mm, faults_minor, 1);
	}
	return r;
}

int space_fault(struct mm *mm, u64 va, u32 access, struct fault_result *result)
{
	return fault_resolve(mm, va, access, 0, result);
}
