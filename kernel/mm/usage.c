/*
 * usage.c - what /proc and our own counters report about a space's pages. Everything here is a walk
 * of tables under their locks; what must be cheap is read at the root instead (space_rss).
 *
 * PROTOCOL rule 15: a page's share is the product of 1/count along the path: what each of its
 * sharers is charged with adds up to the page. Next: procfs_maps.c in fs/, which prints it.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/census.h"
#include "mm/huge.h"
#include "mm/swap.h"

/* --- leaf tables and their shares --- */

/*
 * Called for the part [start, end) of a leaf table, or of a huge leaf in t (then of level 2), which is
 * locked like all tables above it. share: what part of the table, or of the huge node, is the
 * space's, of USAGE_PAGE.
 */
typedef void (*table_fn)(struct page *t, u64 start, u64 end, u64 share, void *arg);

/* The locks of the tables above are held: a table that is not owned could be replaced otherwise. */
static void tables_visit(struct page *t, u64 start, u64 end, u64 share, table_fn fn, void *arg)
{
	u64 span = slot_span(t->level);

	spin_lock(&t->lock);
	if (t->level == 1 && t->populated)
		fn(t, start, end, share, arg);
	for (u64 va = start; t->level > 1 && va < end && t->populated;
	     va = ROUND_DOWN(va, span) + span) {
		struct pte e = pte_load(slot_of(t, va));
		u64 next = min(end, ROUND_DOWN(va, span) + span);

		if (pte_is_empty(e))
			continue;
		struct page *child = pte_page(e);
		if (t->level == 2 && pte_is_huge(e))
			fn(t, va, next, share / load_relaxed(&child->huge.refs), arg);
		else
			tables_visit(child, va, next, share / page_count(child), fn, arg);
	}
	spin_unlock(&t->lock);
}

/*
 * The same from the root, in steps between which other threads may run. space.rw held shared or
 * exclusively.
 */
static void space_tables_visit(struct mm *mm, u64 start, u64 end, table_fn fn, void *arg)
{
	for (u64 va = start; va < end;) {
		u32 level = pte_is_empty(pte_load(slot_of(mm->root, va))) ? LEVEL_ROOT : 3;
		u64 next = min(ROUND_DOWN(va, slot_span(level)) + slot_span(level), end);

		if (level == 3)
			tables_visit(mm->root, va, next, USAGE_PAGE, fn, arg);
		va = next;
		cpu_preempt_point();
	}
}

/* --- smaps --- */

/* So many pages of one kind, each of which is the space's to the same part. */
struct page_run {
	enum leaf_kind kind;
	u64 pages, share;
	bool dirty, accessed, lazy;
};

static void usage_add(struct area_usage *u, const struct page_run *r)
{
	u64 bytes = r->pages * PAGE_SIZE, pss = r->pages * r->share;
	bool private = r->share == USAGE_PAGE;

	if (!r->pages)
		return;
	u->least_share = u->least_share ? min(u->least_share, r->share) : r->share;
	u->rss += bytes;
	u->pss += pss;
	if (r->kind == LEAF_ANON) {
		u->anonymous += bytes;
		u->pss_anon += pss;
	} else if (r->kind == LEAF_SHMEM) {
		u->pss_shmem += pss;
	} else {
		u->pss_file += pss;
	}
	if (r->lazy)
		u->lazyfree += bytes;
	if (r->accessed)
		u->referenced += bytes;
	if (r->dirty)
		u->pss_dirty += pss;
	if (private && r->dirty)
		u->private_dirty += bytes;
	else if (private)
		u->private_clean += bytes;
	else if (r->dirty)
		u->shared_dirty += bytes;
	else
		u->shared_clean += bytes;
}

/* A private page is what no file has; only one that was brought back from swap may be there still. */
static bool page_is_dirty(const struct page *p, enum leaf_kind kind)
{
	u16 flags = load_relaxed(&p->flags);

	return (flags & PAGE_DIRTY) || (kind == LEAF_ANON && !(flags & PAGE_SWAPCACHE));
}

static void usage_swapped(struct area_usage *u, struct pte e, u64 share)
{
	u->swap += PAGE_SIZE;
	u->swap_pss += share / max(swap_slot_users(pte_swap_slot(e)), 1u);
}

static void usage_leaf(struct area_usage *u, const struct page *t, struct pte e, u64 va, u64 share)
{
	struct page *p = leaf_page(t, e, va);
	struct page_run run = { .kind = page_leaf_kind(p), .pages = 1 };

	if (run.kind == LEAF_NONE)
		return;
	run.share = share / max(page_mappings(p), 1u);
	run.lazy = pte_is_lazy(e);
	run.dirty = !run.lazy && (page_is_dirty(p, run.kind) || pte_is_dirty(e));
	run.accessed = !run.lazy && (!t->aged || pte_is_accessed(e));
	usage_add(u, &run);
}

/*
 * Does a leaf table's count of private pages say all about them? Then it never shared them with
 * another table, they are all resident, and nobody has asked yet which of them are used: a page
 * counts as accessed from the start, as on Linux.
 */
static bool counts_suffice(const struct page *t)
{
	return !t->copied && !t->aged && !t->table.file && !t->table.shmem &&
	       !t->table.nonresident.anon;
}

/* The pages of a huge leaf in [start, end). As long as no split parted them they are all alike. */
static void usage_huge(struct area_usage *u, struct page *t, u64 start, u64 end, u64 share)
{
	struct pte e = pte_load(slot_of(t, start));

	u->anonymous_huge += end - start;
	if (!load_relaxed(&pte_page(e)->huge.parted)) {
		usage_add(u, &(struct page_run){ .kind = LEAF_ANON,
						 .pages = (end - start) >> PAGE_SHIFT,
						 .share = share,
						 .dirty = true,
						 .accessed = !t->aged || pte_is_accessed(e) });
		return;
	}
	for (u64 va = start; va < end; va += PAGE_SIZE)
		usage_leaf(u, t, e, va, share);
}

static void usage_table(struct page *t, u64 start, u64 end, u64 share, void *arg)
{
	struct area_usage *u = arg;

	if (t->level == 2) {
		usage_huge(u, t, start, end, share);
		return;
	}
	if (end - start == slot_span(2) && counts_suffice(t)) {
		usage_add(u, &(struct page_run){ .kind = LEAF_ANON,
						 .pages = t->table.anon,
						 .share = share,
						 .dirty = true,
						 .accessed = true });
		return;
	}
	for (u64 va = start; va < end; va += PAGE_SIZE) {
		struct pte e = pte_load(slot_of(t, va));

		if (pte_is_resident(e))
			usage_leaf(u, t, e, va, share);
		else if (pte_is_swap(e))
			usage_swapped(u, e, share);
	}
}

void space_usage(struct mm *mm, const struct area *a, struct area_usage *sum)
{
	u64 before = sum->pss;

	space_tables_visit(mm, a->start, a->end, usage_table, sum);
	if (a->flags & AREA_LOCKED)
		sum->pss_locked += sum->pss - before;
	/* What an object has in swap is in no table. Linux shares it among nobody. */
	if (a->object) {
		u64 first = a->offset >> PAGE_SHIFT;
		u64 pages = (a->end - a->start) >> PAGE_SHIFT;

		sum->swap += object_swapped(a->object, first, first + pages) * PAGE_SIZE;
	}
}

/* --- accesses and peaks --- */

static void forget_table(struct page *t, u64 start, u64 end, u64 share, void *arg)
{
	u64 span = slot_span(t->level);

	t->aged = 1;
	for (u64 va = start; va < end; va = ROUND_DOWN(va, span) + span) {
		struct pte *slot = slot_of(t, va);

		if (pte_is_resident(pte_load(slot)))
			pte_and_accessed(slot);
	}
}

static int forget_area(struct mm *mm, struct area *a, void *arg)
{
	enum usage_forget what = *(enum usage_forget *)arg;

	if (what == FORGET_ALL || (what == FORGET_MAPPED) == !!a->file)
		space_tables_visit(mm, a->start, a->end, forget_table, NULL);
	return 0;
}

/*
 * An edit in place (PROTOCOL rule 7): no space sees another memory. Only this space's CPUs are
 * flushed: what another that shares the tables uses through an old translation is not noticed, which
 * the accessed bit allows.
 */
void space_forget_accesses(struct mm *mm, enum usage_forget what)
{
	space_areas(mm, 0, forget_area, &what);
	tlb_shoot_all(mm);
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
#define PAGEMAP_GUARD BIT(58)
#define PAGEMAP_SWAPPED BIT(62)
#define PAGEMAP_FILE_SHARED BIT(61)
#define PAGEMAP_EXCLUSIVE BIT(56)
#define PAGEMAP_FRAME_MASK (BIT(55) - 1)

struct info_walk {
	u64 first; /* va of out[0] */
	bool frames;
	u64 *out;
};

/* Linux's format: bits 0-4 the area, the rest the page in it. */
static u64 swap_place(u64 slot)
{
	return swap_slot_area(slot) | swap_slot_page(slot) << 5;
}

static u64 leaf_info(const struct page *t, u64 va, u64 share, bool frames)
{
	struct pte e = pte_load(slot_of(t, va));
	u64 info = PAGEMAP_PRESENT;

	if (pte_is_swap(e))
		return PAGEMAP_SWAPPED | (frames ? swap_place(pte_swap_slot(e)) : 0);
	if (!pte_is_resident(e))
		return pte_is_guard(e) ? PAGEMAP_GUARD : 0;
	struct page *p = leaf_page(t, e, va);
	if (p->kind == PAGE_CACHE)
		info |= PAGEMAP_FILE_SHARED;
	if (p->kind != PAGE_IMMORTAL && share == USAGE_PAGE && page_mappings(p) == 1)
		info |= PAGEMAP_EXCLUSIVE;
	return info | (frames ? page_number(p) & PAGEMAP_FRAME_MASK : 0);
}

static void info_table(struct page *t, u64 start, u64 end, u64 share, void *arg)
{
	struct info_walk *w = arg;

	for (u64 va = start; va < end; va += PAGE_SIZE)
		w->out[(va - w->first) >> PAGE_SHIFT] = leaf_info(t, va, share, w->frames);
}

void space_page_info(struct mm *mm, u64 va, bool frames, u64 *out, u32 count)
{
	struct info_walk w = { .first = va, .frames = frames, .out = out };

	memset(out, 0, count * sizeof(*out));
	read_lock(&mm->rw);
	space_tables_visit(mm, va, va + count * PAGE_SIZE, info_table, &w);
	read_unlock(&mm->rw);
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
