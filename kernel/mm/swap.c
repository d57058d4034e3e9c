/*
 * swap.c - swap areas and their slots.
 *
 * A slot is free when nobody names it and no page is cached for it. A page is locked while it is read
 * or written, and a locked page keeps its slot: so an old write can never hit a slot that was given
 * out anew. Read swap_cache.c next.
 */
#include "mm/swap.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/node.h"
#include "mm/page.h"
#include "mm/slab.h"
#include "mm/swap_priv.h"

#define AREA_SHIFT 32
#define AREA_PAGES_MAX (1ull << AREA_SHIFT)

struct swap_area swap_areas[SWAP_AREAS_MAX];
struct spinlock swap_lock = SPINLOCK_INIT(RANK_SWAP);
static u64 total_slots, areas_added; /* S */
static s32 lowest_priority = -1;     /* S: given to the next without one */
static u64 pages_in, pages_out;      /* atomic */

/* --- slots --- */

static struct swap_area *area_of(u64 slot)
{
	return &swap_areas[slot >> AREA_SHIFT];
}

u64 swap_slot_number(const struct swap_area *a, u64 page)
{
	return (u64)(a - swap_areas) << AREA_SHIFT | page;
}

static struct swap_chunk *chunk_of(u64 slot)
{
	return &area_of(slot)->chunks[(slot & (AREA_PAGES_MAX - 1)) / SWAP_SLOTS_PER_CHUNK];
}

struct swap_slot *swap_slot_at(u64 slot)
{
	return &chunk_of(slot)->slots[slot % SWAP_SLOTS_PER_CHUNK];
}

struct swap_slot *swap_slot_find(u64 slot)
{
	u64 area = slot >> AREA_SHIFT;

	if (area >= SWAP_AREAS_MAX || !swap_areas[area].ops ||
	    (slot & (AREA_PAGES_MAX - 1)) >= swap_areas[area].pages)
		return NULL;
	return swap_slot_at(slot);
}

static bool slot_is_free(const struct swap_slot *s)
{
	return !s->users && !s->cached;
}

void swap_slot_freed(u64 slot)
{
	chunk_of(slot)->used--;
	sole_add(&area_of(slot)->used, -1);
}

static u64 area_slot_take(struct swap_area *a)
{
	u64 page = a->next;

	while (a->used < a->usable) {
		if (page >= a->pages)
			page = 0;
		struct swap_chunk *c = &a->chunks[page / SWAP_SLOTS_PER_CHUNK];
		if (page % SWAP_SLOTS_PER_CHUNK == 0 && c->used == SWAP_SLOTS_PER_CHUNK) {
			page += SWAP_SLOTS_PER_CHUNK;
			continue;
		}
		struct swap_slot *s = &c->slots[page % SWAP_SLOTS_PER_CHUNK];
		if (slot_is_free(s)) {
			s->users = 1;
			c->used++;
			sole_add(&a->used, 1);
			a->next = page + 1;
			return swap_slot_number(a, page);
		}
		page++;
	}
	return 0;
}

u64 swap_take_slot(void)
{
	struct swap_area *best = NULL;

	for (u32 i = 0; i < SWAP_AREAS_MAX; i++) {
		struct swap_area *a = &swap_areas[i];

		if (a->open && a->used < a->usable && (!best || a->priority > best->priority))
			best = a;
	}
	return best ? area_slot_take(best) : 0;
}

u64 swap_slot_take(void)
{
	spin_lock(&swap_lock);
	u64 slot = swap_take_slot();
	spin_unlock(&swap_lock);
	return slot;
}

void swap_slot_get(u64 slot)
{
	spin_lock(&swap_lock);
	debug_assert(swap_slot_at(slot)->users && swap_slot_at(slot)->users < SLOT_BAD - 1);
	swap_slot_at(slot)->users++;
	spin_unlock(&swap_lock);
}

u32 swap_slot_users(u64 slot)
{
	spin_lock(&swap_lock);
	u32 users = swap_slot_at(slot)->users;
	spin_unlock(&swap_lock);
	return users;
}

u32 swap_slot_area(u64 slot)
{
	return (u32)(slot >> AREA_SHIFT);
}

u64 swap_slot_page(u64 slot)
{
	return slot & (AREA_PAGES_MAX - 1);
}

bool swap_slot_is_on(u64 slot, const void *device)
{
	return area_of(slot)->device == device;
}

void swap_slot_put(u64 slot)
{
	struct page *p = NULL;

	spin_lock(&swap_lock);
	struct swap_slot *s = swap_slot_at(slot);
	debug_assert(s->users && s->users != SLOT_BAD);
	if (--s->users == 0) {
		if (!s->cached) {
			swap_slot_freed(slot);
		} else if (page_trylock(page_at(s->cached))) {
			p = page_at(s->cached);
			swap_cache_remove(p);
		}
		/* else: who has the lock looks at the users when he gives it up */
	}
	spin_unlock(&swap_lock);
	if (p) {
		page_unlock(p);
		node_drop(p);
	}
}

/* --- moving bytes --- */

int swap_read(u64 slot, struct page **frames, u32 count)
{
	struct swap_area *a = area_of(slot);

	atomic_add(&pages_in, count);
	return a->ops->read(a->device, slot & (AREA_PAGES_MAX - 1), frames, count);
}

int swap_write(u64 slot, struct page **frames, u32 count)
{
	struct swap_area *a = area_of(slot);

	atomic_add(&pages_out, count);
	return a->ops->write(a->device, slot & (AREA_PAGES_MAX - 1), frames, count);
}

u64 swap_pages_in(void)
{
	return load_relaxed(&pages_in);
}

u64 swap_pages_out(void)
{
	return load_relaxed(&pages_out);
}

/* --- areas --- */

static void chunks_free(struct swap_chunk *chunks, u64 n)
{
	while (n-- > 0)
		if (chunks[n].slots)
			frame_free(frame_of(chunks[n].slots));
	kfree(chunks);
}

static struct swap_chunk *chunks_alloc(u64 n)
{
	struct swap_chunk *chunks = kzalloc(n * sizeof(*chunks));

	for (u64 i = 0; chunks && i < n; i++) {
		struct page *p = frame_alloc(PAGE_KERNEL);

		if (!p) {
			chunks_free(chunks, n);
			return NULL;
		}
		chunks[i].slots = frame_data(p);
		memset(frame_data(p), 0, PAGE_SIZE);
	}
	return chunks;
}

static void slot_forbid(struct swap_area *a, u64 page)
{
	struct swap_chunk *c = &a->chunks[page / SWAP_SLOTS_PER_CHUNK];
	struct swap_slot *s = &c->slots[page % SWAP_SLOTS_PER_CHUNK];

	if (page < a->nchunks * SWAP_SLOTS_PER_CHUNK && s->users != SLOT_BAD) {
		s->users = SLOT_BAD;
		c->used++;
		a->usable -= page < a->pages;
	}
}

/* A whole area from the request, not yet in use. */
static int area_prepare(struct swap_area *a, const struct swap_request *r)
{
	*a = (struct swap_area){ .ops = r->ops, .device = r->device };
	a->pages = a->usable = min(r->pages, AREA_PAGES_MAX);
	a->nchunks = DIV_ROUND_UP(a->pages, SWAP_SLOTS_PER_CHUNK);
	if (!a->pages)
		return -EINVAL;
	a->chunks = chunks_alloc(a->nchunks);
	if (!a->chunks)
		return -ENOMEM;
	slot_forbid(a, 0); /* the header */
	for (u32 i = 0; i < r->bad_count; i++)
		slot_forbid(a, r->bad[i]);
	for (u64 page = a->pages; page < a->nchunks * SWAP_SLOTS_PER_CHUNK; page++)
		slot_forbid(a, page);
	if (a->usable)
		return 0;
	chunks_free(a->chunks, a->nchunks);
	return -EINVAL;
}

int swap_add(const struct swap_request *r)
{
	struct swap_area fresh;
	u32 i = 0;
	int err = area_prepare(&fresh, r);

	if (err)
		return err;
	spin_lock(&swap_lock);
	while (i < SWAP_AREAS_MAX && swap_areas[i].ops)
		i++;
	if (i < SWAP_AREAS_MAX) {
		fresh.priority = r->priority >= 0 ? r->priority : --lowest_priority;
		fresh.age = ++areas_added;
		fresh.open = true;
		total_slots += fresh.usable;
		swap_areas[i] = fresh;
	}
	spin_unlock(&swap_lock);
	if (i < SWAP_AREAS_MAX)
		return 0;
	chunks_free(fresh.chunks, fresh.nchunks);
	return -EPERM;
}

/* S. An area that was given its priority is leaving: as on Linux, those below it move up. */
static void priority_give_back(s32 priority)
{
	if (priority >= 0)
		return;
	for (u32 i = 0; i < SWAP_AREAS_MAX; i++)
		if (swap_areas[i].open && swap_areas[i].priority < priority)
			swap_areas[i].priority++;
	lowest_priority++;
}

struct swap_area *swap_area_close(const void *device)
{
	struct swap_area *found = NULL;

	spin_lock(&swap_lock);
	for (u32 i = 0; i < SWAP_AREAS_MAX; i++) {
		struct swap_area *a = &swap_areas[i];

		if (a->ops && a->device == device && a->open) {
			a->open = false;
			total_slots -= a->usable;
			priority_give_back(a->priority);
			found = a;
		}
	}
	spin_unlock(&swap_lock);
	return found;
}

void swap_area_reopen(struct swap_area *a)
{
	spin_lock(&swap_lock);
	a->open = true;
	if (a->priority < 0)
		a->priority = --lowest_priority;
	total_slots += a->usable;
	spin_unlock(&swap_lock);
}

bool swap_area_release(struct swap_area *a)
{
	struct swap_area gone;

	spin_lock(&swap_lock);
	gone = *a;
	if (!gone.used)
		*a = (struct swap_area){ 0 };
	spin_unlock(&swap_lock);
	if (gone.used)
		return false;
	chunks_free(gone.chunks, gone.nchunks);
	gone.ops->release(gone.device);
	return true;
}

bool swap_status(u32 n, struct swap_status *out)
{
	const struct swap_area *found = NULL;
	u64 after = 0;

	spin_lock(&swap_lock);
	for (u32 k = 0; k <= n; k++) {
		found = NULL;
		for (u32 i = 0; i < SWAP_AREAS_MAX; i++) {
			const struct swap_area *a = &swap_areas[i];

			if (a->ops && a->age > after && (!found || a->age < found->age))
				found = a;
		}
		if (!found)
			break;
		after = found->age;
	}
	if (found)
		*out = (struct swap_status){ found->device, found->usable, found->used,
					     found->priority };
	spin_unlock(&swap_lock);
	return found;
}

u64 swap_total_slots(void)
{
	return load_relaxed(&total_slots);
}

u64 swap_free_slots(void)
{
	u64 n = 0;

	spin_lock(&swap_lock);
	for (u32 i = 0; i < SWAP_AREAS_MAX; i++)
		if (swap_areas[i].open)
			n += swap_areas[i].usable - swap_areas[i].used;
	spin_unlock(&swap_lock);
	return n;
}

u64 swap_users_sum(void)
{
	u64 sum = 0;

	for (u32 i = 0; i < SWAP_AREAS_MAX; i++) {
		const struct swap_area *a = &swap_areas[i];

		for (u64 page = 0; a->ops && page < a->pages; page++) {
			u64 slot = swap_slot_number(a, page);

			if (swap_slot_at(slot)->users != SLOT_BAD)
				sum += swap_slot_at(slot)->users * swap_slot_hash(slot);
		}
	}
	return sum;
}
