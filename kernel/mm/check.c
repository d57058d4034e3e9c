/*
 * check.c - the checker: recomputes from the trees what counts and sums must be, and compares.
 *
 * It proves, with the machine quiet: R (every count is tree entries + roots + cache membership, and
 * no table or page is alive that nothing refers to), W (a writable entry has a sole owner or is
 * SHARED), L (a writable leaf lies in an area that permits writing), that a page which a shared leaf
 * may write to is dirty, the sums of leaves in every table, the order and the summaries of the area
 * index, the commit charge, and the frame allocator's own book-keeping.
 */
#include <stdarg.h>

#include "lib/print.h"
#include "lib/string.h"
#include "mm/area_priv.h"
#include "mm/census.h"
#include "mm/commit.h"
#include "mm/huge.h"
#include "mm/object_priv.h"
#include "mm/slab.h"
#include "mm/swap.h"

#define REPORTS_MAX 16

/*
 * Expected counts, one u32 a frame, in blocks that the allocator can give. Bit 31: the table was
 * visited.
 */
#define VISITED BIT(31)
#define CHUNK_ORDER FRAME_ORDER_MAX
#define CHUNKS_MAX 64

struct check {
	u32 *chunks[CHUNKS_MAX];
	u32 nchunks, chunk_order;
	u32 violations;
	char *text; /* the first violation goes here */
	size_t size;
	struct mm *mm; /* being walked */
	u64 tables, anon, nonresident, huge;
	u64 slot_users; /* the sum of swap_slot_hash over what names a slot */
	u64 charged;    /* pages of commit charge */
	u64 last_end;   /* area walk */
};

static void __printf(2, 3) violation(struct check *c, const char *fmt, ...)
{
	char line[200];
	va_list args;

	va_start(args, fmt);
	format_va(line, sizeof(line), fmt, args);
	va_end(args);
	if (c->violations++ == 0)
		string_copy(c->text, line, c->size);
	if (c->violations <= REPORTS_MAX)
		log_info("mm check: %s", line);
}

#define frame_id(p) ((unsigned long long)page_number(p))

static u32 *expected(struct check *c, const struct page *p)
{
	u64 n = page_number(p), per_chunk = (PAGE_SIZE << c->chunk_order) / sizeof(u32);

	return &c->chunks[n / per_chunk][n % per_chunk];
}

static bool check_alloc(struct check *c)
{
	while (((PAGE_SIZE << c->chunk_order) / sizeof(u32)) < frame_total &&
	       c->chunk_order < CHUNK_ORDER)
		c->chunk_order++;
	u64 per_chunk = (PAGE_SIZE << c->chunk_order) / sizeof(u32);
	while (c->nchunks * per_chunk < frame_total) {
		struct page *p = c->nchunks < CHUNKS_MAX
					 ? frame_alloc_order(c->chunk_order, PAGE_KERNEL)
					 : NULL;

		if (!p)
			return false;
		c->chunks[c->nchunks++] = frame_data(p);
		memset(frame_data(p), 0, PAGE_SIZE << c->chunk_order);
	}
	return true;
}

static void check_release(struct check *c)
{
	while (c->nchunks)
		frame_free_order(frame_of(c->chunks[--c->nchunks]), c->chunk_order);
}

/* --- tables --- */

struct sums {
	u32 populated;
	u32 anon, file, shmem;
	u32 away_anon, away_file, away_shmem; /* of these, not resident */
};

static void check_table(struct check *c, struct page *t, u32 level);

static void check_leaf(struct check *c, struct page *t, u32 slot, struct pte e, struct sums *s)
{
	enum leaf_kind kind = leaf_kind(e);

	if (pte_is_swap(e)) {
		if (kind != LEAF_ANON)
			violation(c, "table %llu slot %u: swap entry of kind %u", frame_id(t), slot,
				  kind);
		c->slot_users += swap_slot_hash(pte_swap_slot(e));
	}
	if (!pte_is_resident(e)) {
		s->away_anon += kind == LEAF_ANON;
		s->away_file += kind == LEAF_FILE;
		s->away_shmem += kind == LEAF_SHMEM;
	}
	s->anon += kind == LEAF_ANON;
	s->file += kind == LEAF_FILE;
	s->shmem += kind == LEAF_SHMEM;
	if (!pte_is_resident(e))
		return;
	struct page *p = pte_page(e);
	if (p->kind == PAGE_IMMORTAL) {
		if (pte_is_writable(e))
			violation(c, "W: table %llu slot %u: writable entry of an immortal page",
				  frame_id(t), slot);
		return;
	}
	if (p->kind != PAGE_ANON && p->kind != PAGE_CACHE) {
		violation(c, "table %llu slot %u: leaf refers to frame %llu of kind %u",
			  frame_id(t), slot, frame_id(p), p->kind);
		return;
	}
	(*expected(c, p))++;
	if (pte_is_lazy(e) && (pte_is_writable(e) || p->kind != PAGE_ANON))
		violation(c, "table %llu slot %u: lazy entry, writable or of a page of kind %u",
			  frame_id(t), slot, p->kind);
	if (pte_is_writable(e) && pte_is_shared(e) && p->kind == PAGE_CACHE && p->cache.object &&
	    !page_has(p, PAGE_DIRTY))
		violation(c, "table %llu slot %u: writable entry of page %llu, which is not dirty",
			  frame_id(t), slot, frame_id(p));
	if (!t->copied && p->kind == PAGE_ANON && page_mappings(p) != 1)
		violation(c, "table %llu slot %u: never copied, but page %llu has %u mappings",
			  frame_id(t), slot, frame_id(p), page_mappings(p));
	if (pte_is_writable(e) && !pte_is_shared(e) && (page_count(p) != 1 || p->kind != PAGE_ANON))
		violation(c, "W: table %llu slot %u: writable entry, page %llu has count %u",
			  frame_id(t), slot, frame_id(p), page_count(p));
}

/* A huge leaf: its node's pages are counted once, as a table's are. */
static void check_huge(struct check *c, struct page *t, u32 slot, struct pte e, struct sums *s)
{
	struct page *head = pte_page(e);

	s->anon += HUGE_PAGES;
	if (head->kind != PAGE_ANON || head->level != HUGE_ORDER ||
	    page_number(head) % HUGE_PAGES) {
		violation(c, "table %llu slot %u: huge leaf refers to frame %llu, kind %u level %u",
			  frame_id(t), slot, frame_id(head), head->kind, head->level);
		return;
	}
	if (pte_is_writable(e) && !huge_is_ours(head))
		violation(c, "W: table %llu slot %u: writable entry, huge node %llu has others",
			  frame_id(t), slot, frame_id(head));
	if (head->huge.found++)
		return;
	c->huge++;
	for (u32 i = 0; i < HUGE_PAGES; i++) {
		if (head[i].kind != PAGE_ANON)
			violation(c, "huge node %llu: page %u has kind %u", frame_id(head), i,
				  head[i].kind);
		(*expected(c, head + i))++;
	}
}

static void check_child(struct check *c, struct page *t, u32 slot, struct pte e, struct sums *s)
{
	struct page *child = pte_page(e);

	if (!pte_is_present(e) || child->kind != PAGE_TABLE || child->level != t->level - 1) {
		violation(c, "table %llu (level %u) slot %u: child %llu has kind %u, level %u",
			  frame_id(t), t->level, slot, frame_id(child), child->kind, child->level);
		return;
	}
	if (pte_is_writable(e) && page_count(child) != 1)
		violation(c, "W: table %llu slot %u: writable entry, table %llu has count %u",
			  frame_id(t), slot, frame_id(child), page_count(child));
	check_table(c, child, t->level - 1u);
	s->anon += child->table.anon;
	s->file += child->table.file;
	s->shmem += child->table.shmem;
}

/* One more reference to t was found; at the first, look into it. */
static void check_table(struct check *c, struct page *t, u32 level)
{
	u32 *count = expected(c, t);
	struct sums s = { 0 };

	(*count)++;
	if (*count & VISITED)
		return;
	*count |= VISITED;
	c->tables++;
	u32 slots = level == LEVEL_ROOT ? slot_index(USER_END - 1, LEVEL_ROOT) + 1 : PTES_PER_TABLE;
	for (u32 i = 0; i < slots; i++) {
		struct pte e = pte_load(&table_slots(t)[i]);

		if (pte_is_empty(e))
			continue;
		s.populated++;
		if (!(t->table.used & slot_group(t, &table_slots(t)[i])))
			violation(c, "table %llu (level %u): slot %u is not in its groups",
				  frame_id(t), level, i);
		if (level == 1)
			check_leaf(c, t, i, e, &s);
		else if (level == 2 && pte_is_huge(e))
			check_huge(c, t, i, e, &s);
		else
			check_child(c, t, i, e, &s);
	}
	if (s.populated != t->populated)
		violation(c, "table %llu (level %u): %u populated; counted %u", frame_id(t), level,
			  t->populated, s.populated);
	if (s.away_anon != t->table.nonresident.anon || s.away_file != t->table.nonresident.file ||
	    s.away_shmem != t->table.nonresident.shmem)
		violation(c, "table %llu (level %u): not resident %u %u %u; counted %u %u %u",
			  frame_id(t), level, t->table.nonresident.anon, t->table.nonresident.file,
			  t->table.nonresident.shmem, s.away_anon, s.away_file, s.away_shmem);
	c->nonresident += s.away_anon + s.away_file + s.away_shmem;
	if (s.anon != t->table.anon || s.file != t->table.file || s.shmem != t->table.shmem)
		violation(c, "table %llu (level %u): anon %u file %u shmem %u; counted %u %u %u",
			  frame_id(t), level, t->table.anon, t->table.file, t->table.shmem, s.anon,
			  s.file, s.shmem);
}

/* L, and what else the area at va says about its leaf. */
static void check_leaf_area(struct check *c, const struct area *a, u64 va, struct pte e, bool huge)
{
	if (!a)
		violation(c, "space %llu: leaf at %llx outside of any area",
			  (unsigned long long)c->mm->id, (unsigned long long)va);
	else if (pte_is_writable(e) && !(a->flags & AREA_WRITE))
		violation(c, "L: space %llu: writable leaf at %llx, area flags %x",
			  (unsigned long long)c->mm->id, (unsigned long long)va, a->flags);
	else if (pte_is_resident(e) && pte_is_shared(e) != !!(a->flags & AREA_SHARED))
		violation(c, "space %llu: leaf at %llx: SHARED differs from its area",
			  (unsigned long long)c->mm->id, (unsigned long long)va);
	else if (huge && a->object)
		violation(c, "space %llu: huge leaf at %llx in the mapping of an object",
			  (unsigned long long)c->mm->id, (unsigned long long)va);
}

/* Every area under a huge leaf must permit what it does. */
static void check_huge_areas(struct check *c, u64 base, struct pte e)
{
	for (u64 va = base; va < base + HUGE_SIZE;) {
		const struct area *a = areas_find(c->mm->areas, va);

		check_leaf_area(c, a, va, e, true);
		if (!a)
			return;
		va = a->end;
	}
}

/* On the tables that the space owns: those that are shared are read-only as a whole. */
static void check_permissions(struct check *c, struct page *t, u64 base)
{
	u64 span = slot_span(t->level);
	u32 slots = t->level == LEVEL_ROOT ? slot_index(USER_END - 1, LEVEL_ROOT) + 1
					   : PTES_PER_TABLE;

	for (u32 i = 0; i < slots; i++) {
		struct pte e = pte_load(&table_slots(t)[i]);
		u64 va = base + i * span;

		if (pte_is_empty(e))
			continue;
		if (t->level == 1)
			check_leaf_area(c, areas_find(c->mm->areas, va), va, e, false);
		else if (t->level == 2 && pte_is_huge(e))
			check_huge_areas(c, va, e);
		else if (pte_is_writable(e))
			check_permissions(c, pte_page(e), va);
	}
}

/* --- areas --- */

static void check_areas(struct check *c, const struct area_node *n)
{
	if (!n)
		return;
	check_areas(c, n->left);
	const struct area *a = n->area;
	if (!n->refs.n || !a->refs.n)
		violation(c, "space %llu: area %llx: node or area without references",
			  (unsigned long long)c->mm->id, (unsigned long long)a->start);
	if (a->start < c->last_end || a->start >= a->end || a->end > USER_END ||
	    (a->start | a->end) % PAGE_SIZE)
		violation(c, "space %llu: area %llx-%llx after %llx", (unsigned long long)c->mm->id,
			  (unsigned long long)a->start, (unsigned long long)a->end,
			  (unsigned long long)c->last_end);
	c->last_end = a->end;
	check_areas(c, n->right);
	struct area_summary s;

	area_summarize(&s, a, n->left, n->right);
	if (memcmp(&s, &n->sum, sizeof(s)))
		violation(c, "space %llu: area %llx: summary is wrong",
			  (unsigned long long)c->mm->id, (unsigned long long)a->start);
	if ((n->left && n->left->priority > n->priority) ||
	    (n->right && n->right->priority > n->priority))
		violation(c, "space %llu: area %llx: heap order", (unsigned long long)c->mm->id,
			  (unsigned long long)a->start);
}

static int check_space(struct mm *mm, void *arg)
{
	struct check *c = arg;

	c->mm = mm;
	c->last_end = 0;
	if (mm->root->kind != PAGE_TABLE || mm->root->level != LEVEL_ROOT ||
	    page_count(mm->root) != 1)
		violation(c, "space %llu: root %llu has kind %u, level %u, count %u",
			  (unsigned long long)mm->id, frame_id(mm->root), mm->root->kind,
			  mm->root->level, page_count(mm->root));
	check_table(c, mm->root, LEVEL_ROOT);
	check_areas(c, mm->areas);
	c->charged += areas_summary(mm->areas)->account / PAGE_SIZE;
	check_permissions(c, mm->root, 0);
	return 0;
}

/* --- objects --- */

static int check_object(struct object *o, void *arg)
{
	struct check *c = arg;
	u64 index = 0, pages = 0, dirty = 0, swapped = 0, marked = 0;
	struct page *p;

	c->charged += o->charged;
	for (; (p = radix_next(&o->pages, &index)); index++) {
		if (item_is_slot(p)) {
			swapped++;
			c->slot_users += swap_slot_hash(item_slot(p));
			continue;
		}
		pages++;
		dirty += page_has(p, PAGE_DIRTY);
		if (p->kind != PAGE_CACHE || p->cache.object != o || p->cache.index != index)
			violation(c, "object page %llu: kind %u, index %llu instead of %llu",
				  frame_id(p), p->kind, (unsigned long long)p->cache.index,
				  (unsigned long long)index);
		(*expected(c, p))++;
	}
	for (index = 0; radix_next_marked(&o->pages, &index); index++)
		marked++;
	if (marked != dirty)
		violation(c, "object: %llu pages are marked, %llu are dirty",
			  (unsigned long long)marked, (unsigned long long)dirty);
	if (pages != o->page_count || dirty != o->dirty_count || swapped != o->swapped)
		violation(c,
			  "object: %llu pages, %llu dirty, %llu swapped; counted %llu, %llu, %llu",
			  (unsigned long long)o->page_count, (unsigned long long)o->dirty_count,
			  (unsigned long long)o->swapped, (unsigned long long)pages,
			  (unsigned long long)dirty, (unsigned long long)swapped);
	return 0;
}

/* --- swap --- */

static void check_cached(struct page *p, u64 slot, void *arg)
{
	struct check *c = arg;

	(*expected(c, p))++;
	if (p->kind != PAGE_ANON || !swap_cache_holds(p, slot))
		violation(c, "swap slot %llx: page %llu of kind %u, flags %x, is of slot %llx",
			  (unsigned long long)slot, frame_id(p), p->kind, p->flags,
			  (unsigned long long)p->cache.index);
}

static void check_swap(struct check *c)
{
	swap_for_each_cached(check_cached, c);
	if (c->slot_users != swap_users_sum())
		violation(c, "swap: what names slots does not add up to their counts");
}

/* --- frames --- */

static void check_frames(struct check *c)
{
	u64 free = 0;

	for (u64 n = 0; n < frame_total; n++) {
		struct page *p = page_at(n);
		u32 found = *expected(c, p) & ~(u32)VISITED;

		free += p->kind == PAGE_FREE;
		c->anon += p->kind == PAGE_ANON;
		if (p->kind == PAGE_ANON && p->level == HUGE_ORDER) {
			if ((u16)p->huge.refs != p->huge.found)
				violation(c, "R: huge node %llu has count %u; %u references found",
					  frame_id(p), p->huge.refs, p->huge.found);
			p->huge.found = 0;
		}
		if (p->kind == PAGE_TABLE || p->kind == PAGE_ANON || p->kind == PAGE_CACHE) {
			if (found != page_count(p))
				violation(c,
					  "R: frame %llu of kind %u has count %u; %u references "
					  "found",
					  frame_id(p), p->kind, page_count(p), found);
		} else if (p->kind == PAGE_IMMORTAL && page_count(p) != COUNT_IMMORTAL) {
			violation(c, "R: immortal frame %llu has count %x", frame_id(p),
				  page_count(p));
		} else if (found) {
			violation(c, "R: frame %llu of kind %u is referred to %u times",
				  frame_id(p), p->kind, found);
		}
	}
	if (free != frame_free_count())
		violation(c, "allocator: %llu frames are free, it says %llu",
			  (unsigned long long)free, (unsigned long long)frame_free_count());
	if (c->charged != commit_charged())
		violation(c, "commit: %llu pages are owed, it says %llu",
			  (unsigned long long)c->charged, (unsigned long long)commit_charged());
	const struct mm_counters counted = mm_counters_sum();
	if (c->tables != counted.tables || c->anon != counted.anon_pages)
		violation(c, "%llu tables and %llu anonymous pages; counters say %llu and %llu",
			  (unsigned long long)c->tables, (unsigned long long)c->anon,
			  (unsigned long long)counted.tables,
			  (unsigned long long)counted.anon_pages);
	if (c->huge != counted.huge_nodes)
		violation(c, "%llu huge nodes; the counter says %llu", (unsigned long long)c->huge,
			  (unsigned long long)counted.huge_nodes);
	if (c->nonresident != mm_nonresident)
		violation(c, "%llu leaves are not resident; the counter says %llu",
			  (unsigned long long)c->nonresident, (unsigned long long)mm_nonresident);
}

u32 mm_check(char *text, size_t size)
{
	struct check c = { .text = text, .size = size };

	if (size)
		text[0] = '\0';
	if (!check_alloc(&c)) {
		check_release(&c);
		log_info("mm check: no memory to check with");
		return 0;
	}
	space_for_each(check_space, &c);
	object_for_each(check_object, &c);
	check_swap(&c);
	check_frames(&c);
	check_release(&c);
	return c.violations;
}
