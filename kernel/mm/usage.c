/*
 * usage.c - what /proc and our own counters report about a space's pages. Everything here is a walk
 * of tables under their locks; what must be cheap is read at the root instead (space_rss).
 */
#include "lib/print.h"
#include "mm/huge.h"

/* --- smaps --- */

/*
 * PROTOCOL rule 15: PSS is the product of 1/count along the path. It is kept as a fixed-point
 * fraction of one page.
 */
#define PSS_SHIFT 24
#define PSS_ONE (1ull << PSS_SHIFT)

struct usage_walk {
	struct area_usage *out;
	u64 pss; /* pages, fixed point */
};

/* A page that the leaf e maps, alone or among others. */
static void usage_leaf(struct usage_walk *w, const struct page *p, struct pte e, u64 share)
{
	u32 mappings = page_count(p);

	if (p->kind == PAGE_IMMORTAL)
		return;
	if (p->kind == PAGE_CACHE)
		mappings = max(mappings, 2u) - 1; /* the cache's own reference maps nothing */
	bool shared = share < PSS_ONE || mappings > 1;
	bool dirty = p->kind == PAGE_ANON || pte_is_dirty(e) || (p->flags & PAGE_DIRTY);
	w->out->rss += PAGE_SIZE;
	w->pss += share / mappings;
	if (pte_is_accessed(e))
		w->out->referenced += PAGE_SIZE;
	if (p->kind == PAGE_ANON)
		w->out->anonymous += PAGE_SIZE;
	if (shared && dirty)
		w->out->shared_dirty += PAGE_SIZE;
	else if (shared)
		w->out->shared_clean += PAGE_SIZE;
	else if (dirty)
		w->out->private_dirty += PAGE_SIZE;
	else
		w->out->private_clean += PAGE_SIZE;
}

/* The pages of a huge leaf in [va, end). */
static void usage_huge(struct usage_walk *w, const struct page *t, struct pte e, u64 va, u64 end,
		       u64 share)
{
	w->out->anonymous_huge += end - va;
	for (; va < end; va += PAGE_SIZE)
		usage_leaf(w, leaf_page(t, e, va), e, share / pte_page(e)->huge.refs);
}

/* share: what part of this table is the space's, as a fraction of PSS_ONE. */
static void usage_table(struct usage_walk *w, struct page *t, u64 start, u64 end, u64 share)
{
	u64 span = slot_span(t->level);

	spin_lock(&t->lock);
	for (u64 va = start; va < end && t->populated; va = ROUND_DOWN(va, span) + span) {
		struct pte e = pte_load(slot_of(t, va));

		if (!pte_is_resident(e))
			continue;
		if (t->level == 1) {
			usage_leaf(w, pte_page(e), e, share);
		} else if (t->level == 2 && pte_is_huge(e)) {
			usage_huge(w, t, e, va, min(end, ROUND_DOWN(va, span) + span), share);
		} else {
			struct page *child = pte_page(e);
			usage_table(w, child, va, min(end, ROUND_DOWN(va, span) + span),
				    share / page_count(child));
		}
	}
	spin_unlock(&t->lock);
}

void space_usage(struct mm *mm, u64 start, u64 end, struct area_usage *out)
{
	struct usage_walk w = { .out = out };

	*out = (struct area_usage){ 0 };
	usage_table(&w, mm->root, start, end, PSS_ONE);
	out->pss = w.pss * PAGE_SIZE >> PSS_SHIFT;
}

/* --- tables --- */

static u64 tables_below(struct page *t)
{
	u64 n = 1;

	if (t->level == 1)
		return n;
	spin_lock(&t->lock);
	u32 left = t->populated;
	for (u32 i = 0; left && i < PTES_PER_TABLE; i++) {
		struct pte e = pte_load(&table_slots(t)[i]);

		if (pte_is_empty(e))
			continue;
		left--;
		if (!(t->level == 2 && pte_is_huge(e)))
			n += tables_below(pte_page(e));
	}
	spin_unlock(&t->lock);
	return n;
}

u64 space_table_bytes(struct mm *mm)
{
	read_lock(&mm->rw);
	u64 n = tables_below(mm->root);
	read_unlock(&mm->rw);
	return n * PAGE_SIZE;
}

/* --- pagemap --- */

#define PAGEMAP_PRESENT BIT(63)
#define PAGEMAP_FILE_SHARED BIT(61)
#define PAGEMAP_EXCLUSIVE BIT(56)

u64 space_page_info(struct mm *mm, u64 va)
{
	bool owned;
	u64 info = 0;

	read_lock(&mm->rw);
	struct page *t = node_leaf_lock(mm, va, &owned);
	if (t) {
		struct pte e = pte_load(slot_of(t, va));

		if (pte_is_resident(e)) {
			struct page *p = leaf_page(t, e, va);
			bool sole = t->level == 1 || pte_page(e)->huge.refs == 1;
			info = PAGEMAP_PRESENT | (p->kind == PAGE_CACHE ? PAGEMAP_FILE_SHARED : 0);
			if (owned && sole && page_count(p) == 1u + (p->kind == PAGE_CACHE))
				info |= PAGEMAP_EXCLUSIVE;
		}
		spin_unlock(&t->lock);
	}
	read_unlock(&mm->rw);
	return info;
}

/* --- comparing two spaces --- */

static u64 leaves_of(const struct page *t)
{
	return (u64)t->table.anon + t->table.file + t->table.shmem;
}

/* Tables at or below t, t included. The spaces are held; neither table is written meanwhile. */
static void count_same(struct page *t, struct space_difference *d)
{
	d->same += leaves_of(t);
	d->tables_same += tables_below(t);
}

/* The page that an entry at level 2 leads to by slot n below it, or NULL. */
static struct page *page_below(struct pte e, u32 n)
{
	if (!pte_is_resident(e))
		return NULL;
	if (pte_is_huge(e))
		return pte_page(e) + n;
	e = pte_load(&table_slots(pte_page(e))[n]);
	return pte_is_resident(e) ? pte_page(e) : NULL;
}

static void count_page(struct page *a, struct page *b, struct space_difference *d)
{
	if (a && a->kind != PAGE_IMMORTAL && a == b)
		d->same++;
	else if (a && a->kind != PAGE_IMMORTAL)
		d->changed++;
}

/* Two entries at level 2, of which one at least is a huge leaf. */
static void compare_huge(struct pte a, struct pte b, struct space_difference *d)
{
	d->tables_changed += !pte_is_huge(a);
	for (u32 i = 0; i < HUGE_PAGES; i++)
		count_page(page_below(a, i), page_below(b, i), d);
}

/*
 * Both tables are of one level and differ. Equal pointers are not entered: the cost is what
 * differs.
 */
static void compare_tables(struct page *a, struct page *b, struct space_difference *d)
{
	struct pte *sa = table_slots(a), *sb = b ? table_slots(b) : NULL;

	d->tables_changed++;
	u32 slots = a->level == LEVEL_ROOT ? slot_index(USER_END - 1, LEVEL_ROOT) + 1
					   : PTES_PER_TABLE;
	for (u32 i = 0; i < slots; i++) {
		struct pte ea = pte_load(&sa[i]), eb = sb ? pte_load(&sb[i]) : pte_empty();

		if (!pte_is_resident(ea))
			continue;
		struct page *pa = pte_page(ea), *pb = pte_is_resident(eb) ? pte_page(eb) : NULL;
		if (a->level == 1)
			count_page(pa, pb, d);
		else if (a->level == 2 && (pte_is_huge(ea) || pte_is_huge(eb)))
			compare_huge(ea, eb, d);
		else if (pa == pb)
			count_same(pa, d);
		else
			compare_tables(pa, pb, d);
	}
}

void space_compare(struct mm *a, struct mm *b, struct space_difference *out)
{
	struct mm *first = a < b ? a : b, *second = a < b ? b : a; /* two space locks: by address */

	*out = (struct space_difference){ 0 };
	write_lock(&first->rw);
	if (second != first)
		write_lock(&second->rw);
	compare_tables(a->root, b->root, out);
	if (second != first)
		write_unlock(&second->rw);
	write_unlock(&first->rw);
}
