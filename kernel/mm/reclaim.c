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
#include "mm/huge.h"
#include "mm/object.h"
#include "mm/page.h"
#include "mm/shortage.h"
#include "mm/shrink.h"
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
static bool reclaim_asked; /* atomic */

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
	struct page *pages[BATCH_PAGES];
	u32 count;
	struct page *swapped[BATCH_PAGES]; /* of these, the locked ones in the swap cache */
	u32 nswapped;
	u64 freed;
};

/* --- finding tables --- */

struct table_search {
	u64 va, end; /* look at or after va */
	u32 round;   /* a table that was visited in this round is passed over; 0: none is */
	bool owned;  /* the path to what was found is */
};

/*
 * The next leaf table in the locked table t, locked, or NULL; t is unlocked. s->va: where it begins,
 * or s->va itself if that lies in it. A table of level 2 is found for a huge leaf in it.
 */
static struct page *table_next(struct page *t, struct table_search *s, bool owned)
{
	u64 span = slot_span(t->level);
	struct page *found = NULL;

	if (t->level == 1) {
		s->owned = owned;
		return t;
	}
	for (; !found && s->va < s->end && t->populated; s->va = ROUND_DOWN(s->va, span) + span) {
		struct pte e = pte_load(slot_of(t, s->va));
		u64 base = ROUND_DOWN(s->va, span);

		if (pte_is_empty(e))
			continue;
		if (t->level == 2 && pte_is_huge(e)) {
			s->owned = owned;
			return t;
		}
		struct page *child = pte_page(e);
		spin_lock(&child->lock);
		/* In the middle of a table: it is being visited. Shared tables only: else it may
		 * have come to this place since. */
		if (s->round && child->round == s->round && s->va == base &&
		    page_count(child) > 1) {
			spin_unlock(&child->lock);
			continue;
		}
		u64 end = s->end;
		s->end = min(end, base + span);
		if (s->round)
			child->round = (u16)s->round;
		found = table_next(child, s, owned && pte_is_writable(e));
		s->end = end;
		if (found)
			break;
	}
	spin_unlock(&t->lock);
	return found;
}

/* The first leaf table at or after *va, locked; *va: an address in it. NULL: none before end. */
static struct page *leaf_table_next(struct mm *mm, u64 *va, u64 end, u32 round, bool *owned)
{
	struct table_search s = { .va = *va, .end = end, .round = round };

	spin_lock(&mm->root->lock);
	struct page *t = table_next(mm->root, &s, true);
	*va = s.va;
	*owned = s.owned;
	return t;
}

/* --- locked areas --- */

struct locked_ranges {
	u64 first, end; /* what is looked at */
	u64 mask[PTES_PER_TABLE / 64];
	bool any;
};

static int note_locked(struct area *a, void *arg)
{
	struct locked_ranges *l = arg;
	u64 start = max(a->start, l->first), end = min(a->end, l->end);

	if (!(a->flags & AREA_LOCKED))
		return 0;
	l->any = true;
	for (u64 va = start; va < end; va += PAGE_SIZE)
		l->mask[slot_index(va, 1) / 64] |= BIT(slot_index(va, 1) % 64);
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
	if (areas_summary(mm->areas).flags & AREA_LOCKED)
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
	b->pages[b->count++] = p;
	b->swapped[b->nswapped++] = p;
}

static void leaf_unmap(struct page *table, struct pte *slot, struct pte e, struct batch *b)
{
	struct page *p = pte_page(e);
	enum leaf_kind kind = page_leaf_kind(p);

	pte_exchange(slot, pte_marker(kind, e));
	nonresident_count(table, kind, 1);
	b->pages[b->count++] = p;
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

		if (!pte_is_resident(e) || pte_is_accessed(e) || (l->mask[*i / 64] & BIT(*i % 64)))
			continue;
		struct page *p = pte_page(e);
		if (p->kind == PAGE_ANON && swap)
			leaf_swap_out(table, &slots[*i], e, b);
		else if (p->kind == PAGE_CACHE)
			leaf_unmap(table, &slots[*i], e, b);
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
	atomic_add(&mm_counters.tables, 1);
	huge_split(mm, table, va, t, owned);
	return true;
}

/* After the flush: write what is dirty, and give up the references that were the entries'. */
static void batch_finish(struct batch *b)
{
	struct page *dirty[BATCH_PAGES];
	u32 n = 0;

	for (u32 i = 0; i < b->nswapped; i++)
		if (b->swapped[i]->flags & PAGE_DIRTY)
			dirty[n++] = b->swapped[i];
	swap_cache_write(dirty, n);
	for (u32 i = 0; i < b->count; i++) {
		if (b->pages[i]->kind == PAGE_ANON)
			b->freed += swap_cache_evict(b->pages[i]);
		else
			node_drop(b->pages[i]);
	}
	b->count = b->nswapped = 0;
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

bool memory_reclaim(void)
{
	u64 before = frame_free_count();
	bool some;

	if (shortage_current()->failed) /* that a test asked for: there is nothing to be done */
		return false;
	mutex_lock(&reclaim_lock);
	/* Whoever had the lock may have freed enough for all who waited. */
	some = frame_free_count() > before + RECLAIM_PAGES || reclaim_some(RECLAIM_PAGES) > 0;
	mutex_unlock(&reclaim_lock);
	return some;
}

static bool memory_is_low(void)
{
	return frame_free_count() < 2 * frame_reserve;
}

void memory_want(void)
{
	frame_reserve = load_relaxed(&mm_tunables.min_free) * 1024 / PAGE_SIZE;
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
		while (frame_free_count() < 3 * frame_reserve && memory_reclaim())
			cpu_preempt_point();
		store_release(&reclaim_asked, false);
	}
}
