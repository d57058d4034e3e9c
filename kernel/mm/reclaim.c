/*
 * reclaim.c - getting frames back: a clock whose two hands walk the trees of all spaces.
 *
 * There is no list of mappings for a page. The front hand goes from leaf table to leaf table, space
 * after space, and clears accessed bits; the back hand follows some tables behind and takes what was
 * not used in between: a private page's entry becomes a swap entry, an object's page's a marker. A
 * table that several spaces share is visited once a round. Taking an entry out changes what nobody
 * sees, so it is done in place, in shared tables too (PROTOCOL rule 7), under the table's lock.
 *
 * The flush comes under the table's lock, before the bytes are read and before any reference is
 * dropped. A private page is locked from before its entry is replaced until its bytes are written, so
 * whoever faults on it meanwhile waits. A huge leaf is split first, once it was not used for a round.
 *
 * Locked areas stay. In a table that the space owns the areas say what is locked; a shared one is left
 * alone while it is `pinned` (node_pin), because the locked area may be another space's.
 */
#include "mm/reclaim.h"

#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/census.h"
#include "mm/huge.h"
#include "mm/leaf_table.h"
#include "mm/object.h"
#include "mm/page.h"
#include "mm/shortage.h"
#include "mm/shrink.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/tunable.h"

#define RECLAIM_PAGES 64u /* what one call tries to free at least */
#define HAND_GAP 32u      /* leaf tables between the hands, at most */
#define ROUNDS 8u         /* as many as struct page.round tells apart; 0: never visited */
#define BATCH_PAGES SWAP_CLUSTER
#define RESERVE_MIN 64ull /* frames: see frame_reserve */
#define RESERVE_MAX 1024ull

/* One reclaimer at a time; guards what is static here. */
static struct mutex reclaim_lock;
static struct waitq reclaim_wanted = WAITQ_INIT(reclaim_wanted);
static bool reclaim_asked;                                            /* atomic */
static struct reclaim_counters counters[2], *counting = &counters[0]; /* whose work it is */

struct table_place {
	u64 space; /* id */
	u64 va;
};

static struct clock {
	struct table_place front;
	u32 round;
	struct table_place visited[HAND_GAP]; /* by the front hand, not yet by the back hand */
	u32 oldest, count;
} hands = { .round = 1 };

/* What was taken out of one table. */
struct batch {
	bool advised;                      /* for MADV_PAGEOUT: also what was used lately */
	struct object *object;             /* advised: clean pages of it are given up */
	bool droppable;                    /* advised: what the area has may be dropped */
	u32 count;                         /* in all */
	struct page *swapped[BATCH_PAGES]; /* locked, in the swap cache */
	u32 nswapped;
	struct page *others[BATCH_PAGES]; /* of objects, or given up */
	u32 nothers;
	u64 freed;
};

/* --- locked areas --- */

struct locked_ranges {
	u64 first, end; /* what is looked at */
	u64 mask[PTES_PER_TABLE / 64];
	u64 droppable[PTES_PER_TABLE / 64]; /* of areas of MAP_DROPPABLE: needs no swap */
	bool any;
};

static int note_locked(struct area *a, void *arg)
{
	struct locked_ranges *l = arg;
	u64 start = max(a->start, l->first), end = min(a->end, l->end);

	u64 *mask = a->flags & AREA_LOCKED ? l->mask : l->droppable;

	if (!(a->flags & (AREA_LOCKED | AREA_DROPPABLE)))
		return 0;
	l->any |= a->flags & AREA_LOCKED;
	for (u64 va = start; va < end; va += PAGE_SIZE)
		mask[slot_index(va, 1) / 64] |= BIT(slot_index(va, 1) % 64);
	return 0;
}

/*
 * May leaves of this table be taken? *l gets those that may not. space.rw held, table locked.
 */
static bool locked_look(struct mm *mm, struct page *table, u64 va, bool owned,
			struct locked_ranges *l)
{
	u64 base = ROUND_DOWN(va, slot_span(2));

	*l = (struct locked_ranges){ .first = base, .end = base + slot_span(2) };
	if (!owned)
		return !table->pinned;
	if (areas_summary(mm->areas)->flags & (AREA_LOCKED | AREA_DROPPABLE))
		areas_for_each(mm->areas, l->first, l->end, note_locked, l);
	table->pinned = l->any;
	return true;
}

/* --- the front hand --- */

static void table_age(struct page *table, u64 va)
{
	struct pte *slots = table_slots(table);

	table->aged = 1;
	if (table->level == 2) {
		(void)pte_and_accessed(slot_of(table, va));
		return;
	}
	for (u32 i = 0; i < PTES_PER_TABLE; i++) {
		struct pte e = pte_load(&slots[i]);

		if (!pte_is_resident(e) || !pte_is_accessed(e))
			continue;
		pte_and_accessed(&slots[i]);
		if (pte_page(e)->kind == PAGE_CACHE)
			page_referenced(pte_page(e));
	}
}

struct age_walk {
	u64 tables; /* that may still be visited */
	bool wrapped;
};

static int space_age(struct mm *mm, void *arg)
{
	struct age_walk *w = arg;
	bool owned;

	if (mm->id < hands.front.space)
		return 0;
	if (mm->id > hands.front.space)
		hands.front = (struct table_place){ mm->id, 0 };
	if (!read_trylock(&mm->rw)) /* whoever edits it may wait for memory */
		return 0;
	while (w->tables && hands.count < HAND_GAP) {
		u64 va = hands.front.va;
		struct page *t = leaf_table_next(mm, &va, USER_END, hands.round, &owned);

		if (!t) {
			hands.front.space++;
			hands.front.va = 0;
			break;
		}
		table_age(t, va);
		spin_unlock(&t->lock);
		hands.visited[(hands.oldest + hands.count++) % HAND_GAP] =
			(struct table_place){ mm->id, va };
		hands.front.va = ROUND_DOWN(va, slot_span(2)) + slot_span(2);
		w->tables--;
	}
	read_unlock(&mm->rw);
	return !w->tables || hands.count == HAND_GAP;
}

/* Let the front hand pass over up to `tables` leaf tables. False: it came round. */
static bool front_advance(u64 tables)
{
	struct age_walk w = { .tables = tables };

	if (space_for_each(space_age, &w))
		return true;
	hands.front = (struct table_place){ 0 };
	hands.round = hands.round % (ROUNDS - 1) + 1;
	return false;
}

/* --- the back hand --- */

/*
 * Replace the entry of a private page by a swap entry, if it has a slot or gets one. When all slots are
 * taken, pages that have one (others' entries name it) can still go.
 */
static void leaf_swap_out(struct page *table, struct pte *slot, struct pte e, struct batch *b)
{
	struct page *p = pte_page(e);

	if (!page_trylock(p)) /* it is on its way already, or somebody wants it */
		return;
	u64 to = swap_cache_add(p);
	if (!to) {
		page_unlock(p);
		return;
	}
	pte_exchange(slot, pte_swap(to, LEAF_ANON, e));
	nonresident_count(table, LEAF_ANON, 1);
	b->swapped[b->nswapped++] = p;
	b->count++;
}

/* Of an object, or given up by its owner (then it reads as zeros from now on). */
static void leaf_unmap(struct page *table, struct pte *slot, struct pte e, struct batch *b)
{
	struct page *p = pte_page(e);
	enum leaf_kind kind = page_leaf_kind(p);

	pte_exchange(slot, pte_marker(kind, e));
	nonresident_count(table, kind, 1);
	b->others[b->nothers++] = p;
	b->count++;
}

/* A private page of MAP_DROPPABLE that nobody else has: its bytes may go. */
static bool may_drop(const struct locked_ranges *l, u32 i, const struct page *p)
{
	return p->kind == PAGE_ANON && l->droppable[i / 64] & BIT(i % 64) && page_count(p) == 1;
}

/*
 * Take out, from slot *i on, what was not used since the front hand passed; *i: where it stopped
 * because the batch is full (true). The table is locked.
 */
static bool table_take(struct page *table, u32 *i, const struct locked_ranges *l, bool swap,
		       struct batch *b)
{
	struct pte *slots = table_slots(table);

	for (; *i < PTES_PER_TABLE && b->count < BATCH_PAGES; ++*i) {
		struct pte e = pte_load(&slots[*i]);

		atomic_add(&counting->scanned, pte_is_resident(e));
		if (!pte_is_resident(e) || (pte_is_accessed(e) && !b->advised) ||
		    (l->mask[*i / 64] & BIT(*i % 64)))
			continue;
		struct page *p = pte_page(e);
		if (b->advised && page_mappings(p) != 1) /* nobody else's (madvise(2)) */
			continue;
		if (p->kind == PAGE_CACHE || pte_is_lazy(e) || may_drop(l, *i, p))
			leaf_unmap(table, &slots[*i], e, b);
		else if (p->kind == PAGE_ANON && swap)
			leaf_swap_out(table, &slots[*i], e, b);
	}
	return *i < PTES_PER_TABLE;
}

/* Split a huge leaf that was not used. True: its pages can be taken now. The table is locked. */
static bool huge_take(struct mm *mm, struct page *table, u64 va, bool owned)
{
	if (pte_is_accessed(pte_load(slot_of(table, va))))
		return false;
	struct page *t = frame_alloc_reserved(PAGE_TABLE);
	if (!t)
		return false;
	mm_count(tables, 1);
	huge_split(mm, table, va, t, owned);
	return true;
}

/* After the flush: write what is dirty, and give up the references that were the entries'. */
static void batch_finish(struct batch *b)
{
	struct page *dirty[BATCH_PAGES];
	u32 n = 0;

	for (u32 i = 0; i < b->nswapped; i++)
		if (page_has(b->swapped[i], PAGE_DIRTY))
			dirty[n++] = b->swapped[i];
	swap_cache_write(dirty, n);
	for (u32 i = 0; i < b->nswapped; i++)
		b->freed += swap_cache_evict(b->swapped[i]);
	for (u32 i = 0; i < b->nothers; i++) {
		if (b->object)
			object_page_release(b->object, b->others[i]);
		b->freed += page_count(b->others[i]) == 1;
		node_drop(b->others[i]);
	}
	b->count = b->nswapped = b->nothers = 0;
}

/*
 * One batch from the leaf table of va, from slot *i on. False: nothing is left to do there. space.rw
 * is taken.
 */
static bool back_batch(struct mm *mm, u64 va, u32 *i, bool swap, struct batch *b)
{
	struct locked_ranges locked;
	u64 base = ROUND_DOWN(va, slot_span(2)), at = va;
	bool owned;

	if (!read_trylock(&mm->rw))
		return false;
	struct page *t = leaf_table_next(mm, &at, base + slot_span(2), 0, &owned);
	if (!t) {
		read_unlock(&mm->rw);
		return false;
	}
	bool again = false;
	if (!locked_look(mm, t, va, owned, &locked))
		;
	else if (t->level == 2)
		again = swap && swap_free_slots() && !locked.any && huge_take(mm, t, at, owned);
	else
		again = table_take(t, i, &locked, swap, b);
	if (b->count && owned)
		tlb_shoot_all(mm);
	else if (b->count)
		tlb_shoot_machine();
	spin_unlock(&t->lock);
	read_unlock(&mm->rw);
	return again;
}

struct take_walk {
	struct table_place place;
	bool swap;
	u64 freed, taken;
};

static int space_take(struct mm *mm, void *arg)
{
	struct take_walk *w = arg;
	struct batch b = { 0 };
	bool more = true;

	if (mm->id != w->place.space)
		return 0;
	for (u32 i = 0; more;) {
		more = back_batch(mm, w->place.va, &i, w->swap, &b);
		w->taken += b.count;
		batch_finish(&b);
	}
	w->freed += b.freed;
	return 1;
}

/* The back hand takes what is idle in the oldest table that the front hand left behind. */
static u64 back_advance(bool swap, u64 *taken)
{
	struct take_walk w = { .place = hands.visited[hands.oldest], .swap = swap };

	hands.oldest = (hands.oldest + 1) % HAND_GAP;
	hands.count--;
	space_for_each(space_take, &w);
	*taken += w.taken;
	return w.freed;
}

/* --- advice --- */

/*
 * The leaf tables of [start, end), which may be cut: what is outside of it is masked like locked
 * leaves. fn gets each table locked, with space.rw held.
 */
static void mask_outside(u64 base, u64 start, u64 end, struct locked_ranges *l)
{
	for (u32 i = 0; i < PTES_PER_TABLE; i++) {
		u64 va = base + i * PAGE_SIZE;

		if (va < start || va >= end)
			l->mask[i / 64] |= BIT(i % 64);
	}
}

/* Everything in [start, end) looks as if it had not been used lately. */
static void table_forget_use(struct page *table, const struct locked_ranges *l)
{
	struct pte *slots = table_slots(table);

	table->aged = 1;
	for (u32 i = 0; i < PTES_PER_TABLE; i++)
		if (!(l->mask[i / 64] & BIT(i % 64)) && pte_is_resident(pte_load(&slots[i])))
			(void)pte_and_accessed(&slots[i]);
}

/* The tables above va were shared by a fork: take them back, if memory is there. space.rw held. */
static __noinline void advised_own(struct mm *mm, u64 va)
{
	struct limbo limbo;
	struct walk w;

	limbo_init(&limbo, mm);
	(void)node_own(mm, va, &w, &limbo);
	limbo_flush(&limbo);
}

/*
 * One batch of memory_advise: in the leaf table at *va, from slot *i on. False: there is none before
 * end.
 */
static bool advise_batch(struct mm *mm, u64 *va, u64 start, u64 end, u32 *i, struct batch *b)
{
	struct locked_ranges l;
	bool owned, more = false;

	read_lock(&mm->rw);
	struct page *t = leaf_table_next(mm, va, end, 0, &owned);
	if (t && !owned && t->level == 1 &&
	    b->droppable) { /* no fork shares it: to own the path copies nothing */
		spin_unlock(&t->lock);
		advised_own(mm, *va);
		t = leaf_table_next(mm, va, end, 0, &owned);
	}
	if (!t) {
		read_unlock(&mm->rw);
		return false;
	}
	/* What others share they may use: only what is this space's own is advised about. */
	if (owned && t->level == 1 && locked_look(mm, t, *va, owned, &l)) {
		mask_outside(l.first, start, end, &l);
		if (!b->advised)
			table_forget_use(t, &l);
		else
			more = table_take(t, i, &l, swap_total_slots() > 0, b);
		if (b->count)
			tlb_shoot_all(mm);
	}
	spin_unlock(&t->lock);
	read_unlock(&mm->rw);
	if (!more) {
		*va = ROUND_DOWN(*va, slot_span(2)) + slot_span(2);
		*i = 0;
	}
	return true;
}

void memory_advise(struct mm *mm, u64 start, u64 end, bool out, const struct area *a)
{
	struct batch b = {
		.advised = out,
		.object = a ? a->object : NULL,
		.droppable = a && a->flags & AREA_DROPPABLE,
	};
	u64 va = start;
	u32 i = 0;

	while (va < end && advise_batch(mm, &va, start, end, &i, &b)) {
		batch_finish(&b);
		cpu_preempt_point();
	}
}

/* --- the clock --- */

/*
 * Move the hands until `target` frames are free, or they have been round. *taken: entries that were
 * taken out, also of pages that are not free yet.
 */
static u64 clock_run(u64 target, bool swap, u64 *taken)
{
	u64 freed = 0;
	u32 rounds = 0;

	while (freed < target && rounds < 2) {
		if (hands.count < HAND_GAP && !front_advance(HAND_GAP - hands.count))
			rounds++;
		/* In a small machine the hands meet: the gap is then a round. */
		u32 keep = rounds ? 0 : HAND_GAP / 2;
		while (hands.count > keep && freed < target)
			freed += back_advance(swap, taken);
		if (thread_killed())
			break;
		cpu_preempt_point();
	}
	return freed;
}

/* --- the whole --- */

/* From what costs least to what costs most. */
static u64 reclaim_some(u64 target)
{
	bool swap = swap_total_slots() > 0;
	u64 freed = object_evict(target), taken = 0;

	(void)shrink_caches(target);
	if (freed < target)
		freed += swap_cache_shrink(target - freed);
	if (freed < target && swap)
		freed += object_swap_out(target - freed);
	if (freed < target)
		freed += clock_run(target - freed, swap, &taken);
	if (freed < target && taken) /* what the clock unmapped */
		freed += object_evict(target - freed);
	if (freed < target && taken && swap)
		freed += object_swap_out(target - freed);
	if (freed < target && object_clean(target))
		freed += object_evict(target - freed);
	return freed;
}

static bool reclaim_as(struct reclaim_counters *who)
{
	u64 before = frame_free_count(), freed = 0;
	bool some;

	if (shortage_current()->failed) /* that a test asked for: there is nothing to be done */
		return false;
	mutex_lock(&reclaim_lock);
	/* Whoever had the lock may have freed enough for all who waited. */
	some = frame_free_count() > before + RECLAIM_PAGES;
	if (!some) {
		counting = who;
		freed = reclaim_some(RECLAIM_PAGES);
		atomic_add(&who->freed, freed);
	}
	mutex_unlock(&reclaim_lock);
	return some || freed;
}

bool memory_reclaim(void)
{
	slab_trim();
	return reclaim_as(&counters[0]);
}

void reclaim_counters(struct reclaim_counters out[2])
{
	for (u32 i = 0; i < 2; i++)
		out[i] = (struct reclaim_counters){ load_relaxed(&counters[i].scanned),
						    load_relaxed(&counters[i].freed) };
}

static bool memory_is_low(void)
{
	return frame_free_is_below(2 * load_relaxed(&frame_reserve));
}

void memory_want(void)
{
	u64 reserve = load_relaxed(&mm_tunables.min_free) * 1024 / PAGE_SIZE;

	if (unlikely(load_relaxed(&frame_reserve) != reserve))
		store_relaxed(&frame_reserve, reserve);
	if (likely(!memory_is_low()) || load_relaxed(&reclaim_asked))
		return;
	store_release(&reclaim_asked, true);
	waitq_wake_all(&reclaim_wanted);
}

void reclaim_init(void)
{
	mutex_init(&reclaim_lock, RANK_RECLAIM);
}

void reclaim_reserve(void)
{
	frame_reserve = clamp(frame_managed / 128, RESERVE_MIN, RESERVE_MAX);
	mm_tunables.min_free = frame_reserve * PAGE_SIZE / 1024;
}

void reclaim_thread(void *unused)
{
	for (;;) {
		wait_event(&reclaim_wanted, load_acquire(&reclaim_asked));
		/* If it is in vain, whoever needs memory sees to it, and asks again. */
		while (frame_free_is_below(3 * load_relaxed(&frame_reserve)) &&
		       reclaim_as(&counters[1]))
			cpu_preempt_point();
		store_release(&reclaim_asked, false);
	}
}
