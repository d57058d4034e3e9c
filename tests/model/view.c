/*
 * view.c - the naive model: for each space an array of pages, for each object an array of words.
 * Nothing is shared, nothing is deferred.
 */
#include <stdio.h>
#include <string.h>

#include "mm/huge.h"
#include "model.h"
#include "swap_mem.h"

struct swap_mem *swap_device;
struct view_space spaces[SPACES];
struct view_object objects[OBJECTS];
const u32 word_offset[WORDS] = { 0, 1024, 2056, 4088 };

/* In order; across the borders of tables of every level, and at both ends. */
static const u64 cluster_base[CLUSTERS] = {
	0x10000,
	0x200000 - CLUSTER_SLOTS / 2 * PAGE_SIZE,
	0x40000000 - CLUSTER_SLOTS / 2 * PAGE_SIZE,
	/* half of 2 MiB, twice 2 MiB, on both sides of the border of two level-2 tables, half */
	0x5000000000 - (512 + 256) * PAGE_SIZE,
	0x6000000000 - 256 * PAGE_SIZE,
	0x8000000000 - CLUSTER_SLOTS / 2 * PAGE_SIZE,
	0x8040000000 - CLUSTER_SLOTS / 2 * PAGE_SIZE,
	USER_END - CLUSTER_SLOTS *PAGE_SIZE,
};

bool slot_is_wide(u32 slot)
{
	u32 cluster = slot / CLUSTER_SLOTS;

	return cluster >= WIDE_FIRST && cluster < WIDE_FIRST + WIDE_CLUSTERS;
}

u32 slot_pages(u32 slot)
{
	return slot_is_wide(slot) ? WIDE_PAGES : 1;
}

u64 slot_va(u32 slot)
{
	return cluster_base[slot / CLUSTER_SLOTS] + slots_bytes(slot, slot % CLUSTER_SLOTS);
}

u32 slots_in(u64 start, u64 end, u32 *first)
{
	u32 count = 0;

	for (u32 i = 0; i < SLOTS; i++) {
		if (slot_va(i) < start || slot_va(i) >= end)
			continue;
		if (!count)
			*first = i;
		count++;
	}
	return count;
}

const u64 *view_words(const struct view_page *p)
{
	static const u64 zeros[WORDS];

	if (p->own)
		return p->words;
	if (p->object < 0)
		return zeros;
	if ((u64)p->object_page * PAGE_SIZE >= objects[p->object].size)
		return NULL;
	return objects[p->object].words[p->object_page];
}

void view_own(struct view_page *p)
{
	if (p->own)
		return;
	memcpy(p->words, view_words(p), sizeof(p->words));
	p->own = true;
	p->own_pages = max(p->own_pages, 1u);
}

void view_own_huge(struct view_space *s, u32 slot)
{
	u64 base = ROUND_DOWN(slot_va(slot), HUGE_SIZE);

	for (u32 i = 0; i < SLOTS; i++) {
		if (slot_va(i) < base || slot_va(i) >= base + HUGE_SIZE)
			continue;
		view_own(&s->pages[i]);
		s->pages[i].own_pages = WIDE_PAGES;
	}
}

u32 anon_pages_in(const struct view_space *s, u32 slot)
{
	u32 count = 0;

	for (u32 i = 0; i < slot_pages(slot); i++) {
		struct pte e;
		struct page *p = hosted_peek(s->mm, slot_va(slot) + i * PAGE_SIZE, &e);

		count += pte_is_swap(e) || (p && p->kind == PAGE_ANON);
	}
	return count;
}

void view_unmap(struct view_page *p)
{
	if (p->mapped && p->object >= 0) {
		struct view_object *o = &objects[p->object];
		if (--o->refs == 0 && !o->named)
			memset(o, 0, sizeof(*o));
	}
	memset(p, 0, sizeof(*p));
	p->object = -1;
}

void view_map(struct view_page *p, const struct view_page *as)
{
	if (as->object >= 0)
		objects[as->object].refs++;
	view_unmap(p);
	*p = *as;
}

void view_empty(struct view_page *p)
{
	p->own = false;
	p->own_pages = 0;
}

void view_fork(struct view_space *child, const struct view_space *parent)
{
	for (u32 i = 0; i < SLOTS; i++) {
		const struct view_page *p = &parent->pages[i];
		struct view_page *c = &child->pages[i];

		view_unmap(c);
		if (!p->mapped || p->flags & AREA_DONTFORK)
			continue;
		view_map(c, p);
		if (p->flags & AREA_WIPEONFORK)
			view_empty(c);
	}
}

void view_write(u32 object, u32 page, u32 word, u64 value)
{
	struct view_object *o = &objects[object];
	u64 end = (u64)page * PAGE_SIZE + word_offset[word] + 8;

	o->words[page][word] = value;
	o->size = max(o->size, end);
}

void view_truncate(u32 object, u64 size)
{
	struct view_object *o = &objects[object];

	for (u32 i = 0; i < OBJECT_PAGES; i++)
		for (u32 w = 0; w < WORDS; w++)
			if ((u64)i * PAGE_SIZE + word_offset[w] >= size && size < o->size)
				o->words[i][w] = 0;
	for (u32 s = 0; size < o->size && s < SPACES; s++) {
		for (u32 i = 0; i < SLOTS; i++) {
			struct view_page *p = &spaces[s].pages[i];

			if (!p->mapped || p->object != (s32)object ||
			    (u64)p->object_page * PAGE_SIZE < size)
				continue;
			p->own = false;
			p->own_pages = 0;
		}
	}
	o->size = size;
}

void view_punch(u32 object, u32 first, u32 end)
{
	for (u32 i = first; i < end; i++)
		for (u32 w = 0; w < WORDS; w++)
			objects[object].words[i][w] = 0;
}

/* Are the slot and the next of one kind, so that they may lie in one area? */
static bool same_kind(const struct view_space *s, u32 slot)
{
	const struct view_page *a = &s->pages[slot], *b = a + 1;

	if (slot + 1 >= SLOTS || (slot + 1) % CLUSTER_SLOTS == 0 || !a->mapped || !b->mapped ||
	    a->flags != b->flags || a->object != b->object)
		return false;
	return a->object < 0 || a->object_page + 1 == b->object_page;
}

bool view_same_area(const struct view_space *s, u32 slot)
{
	return same_kind(s, slot) && areas_find(s->mm->areas, slot_va(slot)) ==
					     areas_find(s->mm->areas, slot_va(slot + 1));
}

/* --- comparing --- */

static char text[256];

#define differs(...) (snprintf(text, sizeof(text), __VA_ARGS__), text)

static const char *page_difference(const struct view_space *s, u32 slot)
{
	const struct view_page *v = &s->pages[slot];
	u64 va = slot_va(slot);
	struct pte e;
	struct page *p = hosted_peek(s->mm, va, &e);

	if (!v->mapped)
		return pte_is_empty(e)
			       ? NULL
			       : differs("%#lx: not mapped, but the entry is %#lx", va, e.v);
	if (v->own) {
		if (!pte_is_swap(e) && (!p || p->kind != PAGE_ANON))
			return differs("%#lx: was written, but the entry is %#lx", va, e.v);
		const char *bytes = pte_is_swap(e) ? swap_mem_peek(swap_device, pte_swap_slot(e))
						   : frame_data(p);
		for (u32 w = 0; w < WORDS; w++) {
			u64 have = *(const u64 *)(bytes + word_offset[w]);
			if (have != v->words[w])
				return differs("%#lx word %u: %#lx, expected %#lx", va, w, have,
					       v->words[w]);
		}
		return NULL;
	}
	if (!p)
		return NULL;
	if (v->object < 0)
		return p == zero_page
			       ? NULL
			       : differs("%#lx: never written, but frame %lu of kind %u is there",
					 va, page_number(p), p->kind);
	if (p->kind != PAGE_CACHE || !p->cache.object || p->cache.index != v->object_page)
		return differs("%#lx: frame %lu of kind %u instead of page %u of object %d", va,
			       page_number(p), p->kind, v->object_page, v->object);
	for (u32 w = 0; w < WORDS; w++) {
		u64 have = *(u64 *)((char *)frame_data(p) + word_offset[w]);
		if (have != objects[v->object].words[v->object_page][w])
			return differs("%#lx word %u of object %d page %u: %#lx, expected %#lx", va,
				       w, v->object, v->object_page, have,
				       objects[v->object].words[v->object_page][w]);
	}
	return NULL;
}

static const char *area_difference(const struct view_space *s, u32 slot)
{
	const struct view_page *v = &s->pages[slot];
	const struct area *a = areas_find(s->mm->areas, slot_va(slot));

	if (!v->mapped != !a)
		return differs("%#lx: %s", slot_va(slot),
			       a ? "an area that should not be" : "no area");
	if (!a)
		return NULL;
	/* What is owed for it depends on its history (test_merge); that sums agree, mm_check proves. */
	if ((a->flags ^ v->flags) & ~(u32)AREA_ACCOUNT)
		return differs("%#lx: area flags %#x, expected %#x", slot_va(slot), a->flags,
			       v->flags);
	if (v->flags & AREA_SHARED ? a->flags & AREA_ACCOUNT
				   : (v->flags & AREA_WRITE && !(a->flags & AREA_ACCOUNT)))
		return differs("%#lx: area flags %#x: is it charged for?", slot_va(slot), a->flags);
	if (v->own && !area_anon(a, s->mm->id))
		return differs("%#lx: has a private page, but its area does not know",
			       slot_va(slot));
	if (v->object >= 0 &&
	    a->offset + (slot_va(slot) - a->start) != (u64)v->object_page * PAGE_SIZE)
		return differs("%#lx: offset %#lx from %#lx, expected page %u", slot_va(slot),
			       a->offset, a->start, v->object_page);
	return NULL;
}

const char *view_difference(const struct view_space *s)
{
	u32 anon = 0, areas = 0, pages = 0;
	const char *d;

	for (u32 i = 0; i < SLOTS; i++) {
		const struct view_page *v = &s->pages[i];

		d = area_difference(s, i);
		if (!d)
			d = page_difference(s, i);
		if (d)
			return d;
		anon += v->own ? v->own_pages : 0;
		pages += v->mapped ? slot_pages(i) : 0;
		areas += v->mapped && !same_kind(s, i);
	}
	struct space_rss rss = space_rss(s->mm);
	if (rss.anon + rss.swap != anon)
		return differs("RSS: %lu anonymous pages and %lu in swap, expected %u", rss.anon,
			       rss.swap, anon);
	if (rss.anon + rss.file + rss.shmem > pages)
		return differs("RSS: %lu pages of %u that are mapped",
			       rss.anon + rss.file + rss.shmem, pages);
	/* Areas of one kind stay apart if their private pages do (test_merge). */
	if (areas_summary(s->mm->areas)->count < areas)
		return differs("%u areas, expected at least %u", areas_summary(s->mm->areas)->count,
			       areas);
	if (space_vm_bytes(s->mm) != pages * PAGE_SIZE)
		return differs("%lu bytes mapped, expected %u pages", space_vm_bytes(s->mm), pages);
	return hosted_kernel_half_intact(s->mm)
		       ? NULL
		       : differs("the kernel half of the root was changed");
}

const char *view_difference_all(void)
{
	for (u32 i = 0; i < SPACES; i++) {
		const char *d = spaces[i].mm ? view_difference(&spaces[i]) : NULL;
		if (d) {
			static char where[320];
			snprintf(where, sizeof(where), "space %u: %s", i, d);
			return where;
		}
	}
	return NULL;
}
