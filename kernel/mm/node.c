/*
 * node.c - owning, copying and dropping nodes.
 *
 * Invariants (PROTOCOL): W: an entry with R/W set has a target whose count is 1, or is a SHARED
 * leaf. R: a count is tree entries + roots + cache membership. O: a node is owned by a space when
 * every entry from the space's root to it has R/W set.
 *
 * Why the lock-free descent is right: an owned table can stop being owned or go away only under
 * space.rw exclusive (fork, munmap), and the caller holds space.rw. Why adopting needs no flush:
 * the entry turns from read-only to writable, so a stale translation costs a spurious fault at
 * most. Why a copied table's source needs no flush: it was shared, so every translation through it
 * was already read-only (fork flushed). Read fault.c next: it does to leaves what this file does to
 * tables.
 */
#include "mm/huge.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/swap.h"

enum leaf_kind page_leaf_kind(const struct page *p)
{
	if (p->kind == PAGE_ANON)
		return LEAF_ANON;
	if (p->kind == PAGE_CACHE)
		return load_relaxed(&p->flags) & PAGE_SHMEM ? LEAF_SHMEM : LEAF_FILE;
	return LEAF_NONE;
}

enum leaf_kind leaf_kind(struct pte e)
{
	return pte_is_resident(e) ? page_leaf_kind(pte_page(e))
				  : (enum leaf_kind)pte_marker_kind(e);
}

/* --- limbo --- */

void limbo_init(struct limbo *l, struct mm *mm)
{
	l->mm = mm;
	l->count = 0;
	l->npages = 0;
	l->everywhere = false;
	l->huge = 0;
}

void limbo_shoot_page(struct limbo *l, u64 va)
{
	if (l->npages && l->npages <= LIMBO_PAGES && l->pages[l->npages - 1] == va)
		return;
	if (l->npages < LIMBO_PAGES)
		l->pages[l->npages] = va;
	if (l->npages <= LIMBO_PAGES)
		l->npages++;
}

void limbo_shoot_all(struct limbo *l)
{
	l->npages = LIMBO_PAGES + 1;
}

void limbo_add(struct limbo *l, struct page *node, u64 va)
{
	debug_assert(!limbo_full(l));
	if (node)
		l->nodes[l->count++] = node;
	limbo_shoot_page(l, va);
}

void limbo_add_huge(struct limbo *l, struct page *head, u64 va)
{
	limbo_add(l, head, va);
	l->huge |= BIT(l->count - 1);
}

void limbo_shoot(struct limbo *l)
{
	if (!l->npages)
		return;
	if (l->everywhere) {
		space_shoot_everywhere();
	} else if (l->npages > LIMBO_PAGES) {
		tlb_shoot_all(l->mm);
	} else {
		for (u32 i = 0; i < l->npages; i++)
			tlb_shoot_page(l->mm, l->pages[i]);
	}
	l->npages = 0;
	mm_count(shootdowns, 1);
}

void limbo_flush(struct limbo *l)
{
	limbo_shoot(l);
	for (u32 i = 0; i < l->count; i++) {
		if (l->huge & BIT(i))
			huge_put(l->nodes[i]);
		else
			node_drop(l->nodes[i]);
	}
	l->count = 0;
	l->huge = 0;
}

/* --- making and dropping --- */

struct page *table_alloc(u32 level)
{
	struct page *t = frame_alloc_table();

	if (t) {
		store_relaxed(&t->level, (u8)level);
		mm_count(tables, 1);
	}
	return t;
}

static u32 table_nonresident(const struct page *t)
{
	return t->table.nonresident.anon + t->table.nonresident.file + t->table.nonresident.shmem;
}

void table_free(struct page *t)
{
	if (t->level == 1 && table_nonresident(t))
		atomic_sub(&mm_nonresident, table_nonresident(t));
	mm_count(tables, -1);
	if (t->level == LEVEL_ROOT)
		machine_root_clear(t);
	frame_free_table(t);
}

struct page *anon_alloc(void)
{
	struct page *p = frame_alloc(PAGE_ANON);

	if (p)
		mm_count(anon_pages, 1);
	return p;
}

void anon_free(struct page *p)
{
	mm_count(anon_pages, -1);
	frame_free(p);
}

static void page_drop(struct page *p)
{
	debug_assert(p->kind == PAGE_ANON || p->kind == PAGE_CACHE || p->kind == PAGE_IMMORTAL);
	debug_assert(page_count(p) > 0);
	if (page_count_drop(p)) {
		if (p->kind == PAGE_ANON)
			anon_free(p);
		else
			frame_free(p);
	}
}

/* What an entry of a table of that level refers to loses a reference. */
static void entry_drop(struct pte e, u32 level)
{
	if (level == 1) {
		if (pte_is_resident(e))
			page_drop(pte_page(e));
		else if (pte_is_swap(e))
			swap_slot_put(pte_swap_slot(e));
	} else if (pte_is_huge(e)) {
		huge_put(pte_page(e));
	} else {
		node_drop(pte_page(e));
	}
}

/* Recursion is as deep as the tree: four. The table's frame is left empty for the next one. */
void node_drop(struct page *node)
{
	if (node->kind != PAGE_TABLE) {
		page_drop(node);
		return;
	}
	debug_assert(page_count(node) > 0);
	if (atomic_sub_return(page_count_slot(node), 1) != 0)
		return;
	struct pte *slots = table_slots(node);
	u32 level = node->level;
	for (u64 groups = node->table.used; groups; groups &= groups - 1) {
		u32 first = (u32)__builtin_ctzll(groups) * TABLE_GROUP;

		for (u32 i = first; i < first + TABLE_GROUP; i++) {
			struct pte e = slots[i];

			if (pte_is_empty(e))
				continue;
			slots[i] = pte_empty();
			entry_drop(e, level);
		}
	}
	table_free(node);
	cpu_preempt_point();
}

/* --- copying --- */

/*
 * Clear R/W in an entry of a table that is being copied; what the copy gets.
 *
 * With A set this needs no atomic AND: there is no other bit for a CPU to set in it meanwhile. D is set by
 * who may write by way of the entry only: through no table that is copied (it is shared), and in no entry
 * that refers to a table (all of a root's in the user half). Software holds the table's lock.
 */
static struct pte entry_protect(struct pte *slot, struct pte e)
{
	if (likely(pte_is_accessed(e))) {
		e = pte_set_writable(e, false);
		pte_store(slot, e);
		return e;
	}
	pte_and_writable(slot);
	return pte_set_writable(pte_load(slot), false);
}

/* entry_share for what is rare: a marker, a page without access, a SHARED leaf, a huge leaf. */
static struct pte rare_entry_share(struct pte *slot, struct pte e)
{
	if (!pte_is_resident(e)) {
		if (pte_is_swap(e))
			swap_slot_get(pte_swap_slot(e));
		return e;
	}
	if (pte_is_writable(e) && !pte_is_shared(e))
		e = entry_protect(slot, e);
	if (pte_is_huge(e))
		huge_get(pte_page(e));
	else
		page_get(pte_page(e));
	return e;
}

/*
 * The entry that a copy of the table gets: read-only (a SHARED leaf as it is), as the table's own
 * becomes; what it refers to gains a reference.
 */
static struct pte entry_share(struct pte *slot, struct pte e)
{
	if (unlikely(!pte_is_plain(e)))
		return rare_entry_share(slot, e);
	if (pte_is_writable(e))
		e = entry_protect(slot, e);
	page_get(pte_page(e));
	return e;
}

#define DENSE (4 * TABLE_GROUP) /* a table with so many entries has whole groups, most likely */

/*
 * A whole group of slots at once, if entry_share would do the same with all of them, and nothing rare;
 * false: it would not, and nothing was done. Most tables are full of such groups. Their counts are read
 * before the first is changed: a locked instruction waits for the ones before it, a plain load does not,
 * so what no cache has comes in at the same time.
 */
static bool group_share(struct pte *from, struct pte *to)
{
	struct pte all = pte_load(&from[0]), any = all;
	u32 *counts[TABLE_GROUP], seen = 0;

	if (pte_is_empty(all) || pte_is_empty(pte_load(&from[TABLE_GROUP - 1])))
		return false; /* an area ends here, most likely */
#pragma GCC unroll 8
	for (u32 i = 1; i < TABLE_GROUP; i++) {
		struct pte e = pte_load(&from[i]);

		all = pte_bits_of_both(all, e);
		any = pte_bits_of_any(any, e);
	}
	if (!pte_is_plain(all) || !pte_is_plain(any) ||
	    (pte_is_writable(any) && !pte_is_accessed(all)))
		return false;
#pragma GCC unroll 8
	for (u32 i = 0; i < TABLE_GROUP; i++) {
		counts[i] = page_count_slot(pte_page(pte_load(&from[i])));
		seen |= load_relaxed(counts[i]);
	}
	if (seen & COUNT_IMMORTAL)
		return false;
	if (pte_is_writable(any)) {
#pragma GCC unroll 8
		for (u32 i = 0; i < TABLE_GROUP; i++) /* as in entry_protect */
			pte_store(&from[i], pte_set_writable(pte_load(&from[i]), false));
	}
#pragma GCC unroll 8
	for (u32 i = 0; i < TABLE_GROUP; i++) {
		to[i] = pte_load(&from[i]);
		atomic_add(counts[i], 1);
	}
	return true;
}

/* Of these groups, those that group_share did not do. Apart, because it wants registers that sparse tables need not save. */
static __noinline u64 groups_share(struct pte *from, struct pte *to, u64 groups)
{
	u64 left = 0;

	for (; groups; groups &= groups - 1) {
		u32 group = (u32)__builtin_ctzll(groups);

		if (!group_share(&from[group * TABLE_GROUP], &to[group * TABLE_GROUP]))
			left |= BIT(group);
	}
	return left;
}

/*
 * The body of every copy: dst, which is empty, gets src's entries (of a root: of the user half).
 * src->lock held; dst is not published.
 */
static void table_copy_slots(struct page *src, struct page *dst)
{
	struct pte *from = table_slots(src), *to = table_slots(dst);
	u64 groups = src->table.used;
	u32 level = src->level;

	if (src->populated >= DENSE)
		groups = groups_share(from, to, groups);
	for (; groups; groups &= groups - 1) {
		u32 first = (u32)__builtin_ctzll(groups) * TABLE_GROUP;

		for (u32 i = first; i < first + TABLE_GROUP; i++) {
			struct pte e = pte_load(&from[i]);

			if (!pte_is_empty(e))
				to[i] = entry_share(&from[i], e);
		}
	}
	dst->populated = src->populated;
	dst->table.anon = src->table.anon;
	dst->table.file = src->table.file;
	dst->table.shmem = src->table.shmem;
	dst->table.nonresident = src->table.nonresident;
	dst->table.used = src->table.used;
	src->copied = dst->copied = 1;
	dst->aged = src->aged;
	dst->pinned = src->pinned;
	if (level == 1 && table_nonresident(src))
		atomic_add(&mm_nonresident, table_nonresident(src));
}

void node_copy_root(struct page *src, struct page *dst)
{
	spin_lock(&src->lock);
	table_copy_slots(src, dst);
	spin_unlock(&src->lock);
}

static void count_copy(struct mm *mm)
{
	space_count(mm, tables_copied, 1);
}

/* --- owning --- */

/* Tables set aside before the first lock, so that owning a path cannot fail half-way. */
struct reserve {
	u32 count;
	struct page *tables[LEVEL_ROOT];
};

static int reserve_fill(struct reserve *r, u32 count)
{
	while (r->count < count) {
		struct page *t = table_alloc(1);
		if (!t)
			return -ENOMEM;
		r->tables[r->count++] = t;
	}
	return 0;
}

static void reserve_release(struct reserve *r)
{
	while (r->count)
		table_free(r->tables[--r->count]);
}

static struct page *reserve_take(struct reserve *r, u32 level)
{
	debug_assert(r->count > 0);
	struct page *t = r->tables[--r->count];

	store_relaxed(&t->level, (u8)level);
	return t;
}

/*
 * In the unpublished table `parent` (a fresh copy, or fresh and empty), make the child on va's path
 * ours, and so on down to `level`, or to a huge leaf: that is split only once it is reachable (its
 * size must not change but by way of an empty entry and a flush). A child that parent's entry refers to is also referred to by the
 * table that parent was copied from, which stays alive until after the flush: giving up parent's
 * reference at once never frees it.
 */
static void chain_own(struct mm *mm, struct page *parent, u64 va, struct walk *w, struct reserve *r,
		      u32 level, bool make)
{
	while (parent->level > level) {
		struct pte *slot = slot_of(parent, va);
		struct pte e = *slot;
		struct page *child;

		if (pte_is_empty(e)) {
			if (!make)
				return;
			child = reserve_take(r, parent->level - 1);
			slot_was_filled(parent, slot);
		} else if (parent->level == 2 && pte_is_huge(e)) {
			return;
		} else {
			struct page *old = pte_page(e);

			child = reserve_take(r, parent->level - 1);
			spin_lock(&old->lock);
			table_copy_slots(old, child);
			spin_unlock(&old->lock);
			debug_assert(page_count(old) > 1);
			atomic_sub(page_count_slot(old), 1);
			count_copy(mm);
		}
		*slot = pte_table(child, true);
		w->table[child->level] = child;
		w->level = child->level;
		parent = child;
	}
}

/*
 * One step at an owned table d whose entry for va is not that of an owned table: adopt the child, or
 * replace it by a copy of the whole rest of the path, or make it, or split the huge leaf. The tables
 * are reserved.
 */
static void own_step(struct mm *mm, struct page *d, u64 va, struct walk *w, struct limbo *limbo,
		     struct reserve *r, u32 level, bool make)
{
	struct pte *slot = slot_of(d, va);
	struct page *child, *old = NULL;

	spin_lock(&d->lock);
	struct pte e = pte_load(slot);
	if (d->level == 2 && pte_is_huge(e)) {
		huge_split(mm, d, va, reserve_take(r, 1), true);
		spin_unlock(&d->lock);
		return;
	}
	if (!pte_is_empty(e) && pte_is_writable(e)) { /* another thread was first */
		spin_unlock(&d->lock);
		return;
	}
	if (pte_is_empty(e)) {
		if (make) {
			child = reserve_take(r, d->level - 1);
			chain_own(mm, child, va, w, r, level, make);
			pte_store(slot, pte_table(child, true));
			slot_was_filled(d, slot);
		}
		spin_unlock(&d->lock);
		return;
	}
	child = pte_page(e);
	if (page_count(child) == 1) { /* the other owners have left */
		pte_or_writable(slot);
		spin_unlock(&d->lock);
		space_count(mm, tables_adopted, 1);
		return;
	}
	old = child;
	child = reserve_take(r, d->level - 1);
	spin_lock(&old->lock);
	table_copy_slots(old, child);
	spin_unlock(&old->lock);
	count_copy(mm);
	chain_own(mm, child, va, w, r, level, make);
	pte_store(slot, pte_table(child, true));
	limbo_add(limbo, old, va);
	spin_unlock(&d->lock);
}

/* Does the entry of an owned table refer to a table that is owned too? */
static bool entry_owns_table(const struct page *d, struct pte e)
{
	return pte_is_present(e) && pte_is_writable(e) && !(d->level == 2 && pte_is_huge(e));
}

struct page *node_walk(struct mm *mm, u64 va, struct walk *w)
{
	struct page *d = mm->root;

	for (;;) {
		struct pte e;

		w->table[d->level] = d;
		if (d->level == 1)
			break;
		e = pte_load(slot_of(d, va));
		if (!entry_owns_table(d, e))
			break;
		d = pte_page(e);
	}
	w->level = d->level;
	return d;
}

/* From table w->level on. */
static int path_own(struct mm *mm, u64 va, u32 level, struct walk *w, struct limbo *limbo)
{
	struct reserve reserve = { 0 };
	struct page *d = w->table[w->level];

	while (d->level > level) {
		struct pte e = pte_load(slot_of(d, va));

		if (entry_owns_table(d, e)) {
			d = pte_page(e);
			w->table[d->level] = d;
			continue;
		}
		if (reserve_fill(&reserve, d->level - level)) {
			reserve_release(&reserve);
			return -ENOMEM;
		}
		own_step(mm, d, va, w, limbo, &reserve, level, true);
	}
	w->level = level;
	reserve_release(&reserve);
	return 0;
}

int node_own_level(struct mm *mm, u64 va, u32 level, struct walk *w, struct limbo *limbo)
{
	w->table[LEVEL_ROOT] = mm->root;
	w->level = LEVEL_ROOT;
	return path_own(mm, va, level, w, limbo);
}

int node_own(struct mm *mm, u64 va, struct walk *w, struct limbo *limbo)
{
	return node_own_level(mm, va, 1, w, limbo);
}

int node_own_rest(struct mm *mm, u64 va, struct walk *w, struct limbo *limbo)
{
	return w->level == 1 ? 0 : path_own(mm, va, 1, w, limbo);
}

int node_own_edge(struct mm *mm, u64 va, u64 start, u64 end, struct limbo *limbo)
{
	struct reserve reserve = { 0 };
	struct walk w;
	struct page *d = mm->root;

	while (d->level > 1) {
		u64 base = ROUND_DOWN(va, slot_span(d->level));
		struct pte e = pte_load(slot_of(d, va));

		if (pte_is_empty(e) || (base >= start && base + slot_span(d->level) <= end))
			break;
		if (entry_owns_table(d, e)) {
			d = pte_page(e);
			continue;
		}
		if (reserve_fill(&reserve, d->level - 1)) {
			reserve_release(&reserve);
			return -ENOMEM;
		}
		own_step(mm, d, va, &w, limbo, &reserve, 1, false);
	}
	reserve_release(&reserve);
	return 0;
}

/* --- looking --- */

/*
 * Owned tables stay while space.rw is held, so the descent takes no lock as long as entries are
 * writable. From the first entry that is not, another thread of the space may replace the child:
 * parent and child are locked hand over hand.
 */
struct page *node_leaf_lock(struct mm *mm, u64 va, bool *owned)
{
	struct walk w;
	struct page *d = node_walk(mm, va, &w);

	*owned = true;
	spin_lock(&d->lock);
	while (d->level > 1) {
		struct pte e = pte_load(slot_of(d, va));
		struct page *child = pte_page(e);

		if (pte_is_empty(e)) {
			spin_unlock(&d->lock);
			*owned = false;
			return NULL;
		}
		if (d->level == 2 && pte_is_huge(e))
			break;
		*owned &= pte_is_writable(e); /* it may have become so before the lock */
		spin_lock(&child->lock);
		spin_unlock(&d->lock);
		d = child;
	}
	return d;
}

void walk_count(struct walk *w, enum leaf_kind kind, s32 delta)
{
	for (u32 level = w->level; level <= LEVEL_ROOT; level++) {
		struct page *t = w->table[level];

		if (kind == LEAF_ANON)
			atomic_add(&t->table.anon, (u32)delta);
		else if (kind == LEAF_FILE)
			atomic_add(&t->table.file, (u32)delta);
		else if (kind == LEAF_SHMEM)
			atomic_add(&t->table.shmem, (u32)delta);
	}
}

/* --- unmapping --- */

/* Leaves that a subtree counts. */
struct leaf_counts {
	u32 anon, file, shmem;
};

static void counts_add_leaf(struct leaf_counts *c, enum leaf_kind kind)
{
	c->anon += kind == LEAF_ANON;
	c->file += kind == LEAF_FILE;
	c->shmem += kind == LEAF_SHMEM;
}

static void counts_subtract(struct page *t, const struct leaf_counts *c)
{
	if (c->anon)
		atomic_sub(&t->table.anon, c->anon);
	if (c->file)
		atomic_sub(&t->table.file, c->file);
	if (c->shmem)
		atomic_sub(&t->table.shmem, c->shmem);
}

/*
 * Make room in limbo; t's lock is given up meanwhile: the owner of the space alone changes what is
 * populated.
 */
static void limbo_make_room(struct limbo *limbo, struct page *t)
{
	if (likely(!limbo_full(limbo)))
		return;
	spin_unlock(&t->lock);
	limbo_flush(limbo);
	spin_lock(&t->lock);
}

/* Take slot's entry out of the locked, owned table t. */
static void slot_detach(struct page *t, struct pte *slot, u64 va, struct limbo *limbo,
			struct leaf_counts *gone)
{
	struct pte e = pte_exchange(slot, pte_empty());

	slot_was_emptied(t);
	if (t->level == 1) {
		counts_add_leaf(gone, leaf_kind(e));
		if (pte_is_resident(e))
			limbo_add(limbo, pte_page(e), va);
		else
			nonresident_count(t, leaf_kind(e), -1);
		if (pte_is_swap(e))
			swap_slot_put(pte_swap_slot(e));
		return;
	}
	if (t->level == 2 && pte_is_huge(e)) {
		gone->anon += HUGE_PAGES;
		limbo_add_huge(limbo, pte_page(e), va);
		return;
	}
	struct page *child = pte_page(e);
	gone->anon += child->table.anon;
	gone->file += child->table.file;
	gone->shmem += child->table.shmem;
	limbo_add(limbo, child, va);
	limbo_shoot_all(limbo);
}

static struct leaf_counts table_unmap(struct page *t, u64 start, u64 end, struct limbo *limbo)
{
	struct leaf_counts gone = { 0 };
	u64 span = slot_span(t->level);

	spin_lock(&t->lock);
	for (u64 va = va_in_use(t, start); va < end && t->populated;
	     va = va_in_use(t, ROUND_DOWN(va, span) + span)) {
		struct pte *slot = slot_of(t, va);
		struct pte e = pte_load(slot);
		u64 base = ROUND_DOWN(va, span);

		if (pte_is_empty(e))
			continue;
		if (t->level > 1 && (base < start || base + span > end)) {
			struct page *child = pte_page(e);

			debug_assert(entry_owns_table(t, e)); /* an edge */
			spin_unlock(&t->lock);
			struct leaf_counts below =
				table_unmap(child, va, min(end, base + span), limbo);
			spin_lock(&t->lock);
			gone.anon += below.anon;
			gone.file += below.file;
			gone.shmem += below.shmem;
			if (child->populated)
				continue;
		}
		limbo_make_room(limbo, t);
		slot_detach(t, slot, va, limbo, &gone);
	}
	counts_subtract(t, &gone);
	spin_unlock(&t->lock);
	return gone;
}

void node_unmap(struct mm *mm, u64 start, u64 end, struct limbo *limbo)
{
	debug_assert(end <= USER_END);
	space_rss_peak(mm);
	if (start < end)
		table_unmap(mm->root, start, end, limbo);
}

/* --- visiting leaves --- */

typedef bool (*leaf_fn)(struct page *table, struct pte *slot, u64 va, void *arg);

/* The locks of the tables above are held: a table that is not owned could be replaced otherwise. */
static bool table_for_each(struct page *t, u64 start, u64 end, leaf_fn fn, void *arg)
{
	u64 span = slot_span(t->level);
	bool go_on = true;

	spin_lock(&t->lock);
	for (u64 va = va_in_use(t, start); go_on && va < end && t->populated;
	     va = va_in_use(t, ROUND_DOWN(va, span) + span)) {
		struct pte *slot = slot_of(t, va);
		struct pte e = pte_load(slot);

		if (pte_is_empty(e))
			continue;
		if (t->level == 1 || (t->level == 2 && pte_is_huge(e)))
			go_on = fn(t, slot, va, arg);
		else
			go_on = table_for_each(pte_page(e), va,
					       min(end, ROUND_DOWN(va, span) + span), fn, arg);
	}
	spin_unlock(&t->lock);
	return go_on;
}

void node_for_each_leaf(struct mm *mm, u64 start, u64 end, leaf_fn fn, void *arg)
{
	if (start < end)
		table_for_each(mm->root, start, end, fn, arg);
}

/* --- locked areas --- */

static void table_pin(struct page *t, u64 start, u64 end)
{
	u64 span = slot_span(t->level);

	spin_lock(&t->lock);
	if (t->level == 1)
		t->pinned = 1;
	for (u64 va = start; t->level > 1 && va < end; va = ROUND_DOWN(va, span) + span) {
		struct pte e = pte_load(slot_of(t, va));

		if (t->level == 2 && pte_is_huge(e))
			t->pinned = 1;
		else if (!pte_is_empty(e))
			table_pin(pte_page(e), va, min(end, ROUND_DOWN(va, span) + span));
	}
	spin_unlock(&t->lock);
}

void node_pin(struct mm *mm, u64 start, u64 end)
{
	if (start < end)
		table_pin(mm->root, start, end);
}
