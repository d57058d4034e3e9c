/*
 * frame.c - the frame allocator: a binary buddy system with a small cache for each CPU: of single
 * frames, of frames that hold zeros, and of a run of frames for the next tables.
 *
 * A free block of 2^n frames is aligned to its size; its first descriptor says so (kind PAGE_FREE,
 * level n + 1) and links it into the list of its order. All other descriptors of the block are
 * PAGE_FREE with level 0, and so are frames in a CPU's cache: those are never merged. Read slab.c
 * next for objects smaller than a frame, node.c for what frames are used for.
 */
#include "mm/frame.h"

#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"

struct page *frame_table;
u32 *frame_counts;
u64 frame_total;
u64 frame_managed;
struct page *zero_page;
u64 frame_reserve;

#define CPU_CACHE_FRAMES 64 /* twice a batch: there is room for one when fewer are there */
#define CPU_CACHE_BATCH_ORDER 5
#define CPU_CACHE_BATCH (1u << CPU_CACHE_BATCH_ORDER)
#define CPU_CACHE_ZEROED 32
/*
 * Tables are taken from runs of frames, side by side: who copies a table of tables counts up all of
 * them, and those counts then are a cache line for each run, not one for each table.
 */
#define CPU_RUN_ORDER 4
#define POISON 0xdb

static struct {
	struct spinlock lock;                    /* guards the rest */
	struct list blocks[FRAME_ORDER_MAX + 1]; /* free blocks of each order */
	u64 free;                                /* frames in them; read without it, too */
} buddy = { .lock = SPINLOCK_INIT(RANK_FRAME) };

/*
 * Only the CPU itself touches its cache: interrupts are off and the kernel is not preempted. The
 * numbers are read by others.
 */
static struct cpu_cache {
	u32 count;
	u32 zeroed_count;
	struct page *frames[CPU_CACHE_FRAMES];
	struct page *zeroed[CPU_CACHE_ZEROED]; /* these hold zeros */
	u32 run_count;
	struct page *run;     /* run_count frames from here on: the next tables */
	u64 allocated, freed; /* frames, since boot */
} cpu_caches[CPUS_MAX];

static void level_set(struct page *p, u32 level)
{
	store_relaxed(&p->level, (u8)level);
}

/* Who holds the buddy's lock, but not the frame, asks for a block of this order. */
static bool is_free_block(const struct page *p, u32 order)
{
	return load_relaxed(&p->kind_level) == (PAGE_FREE | (order + 1) << 8);
}

static void block_insert(struct page *p, u32 order)
{
	level_set(p, order + 1);
	list_push_front(&buddy.blocks[order], &p->free);
	sole_add(&buddy.free, 1ull << order);
}

static void block_remove(struct page *p, u32 order)
{
	list_remove(&p->free);
	level_set(p, 0);
	sole_add(&buddy.free, -(1ull << order));
}

/* Join the block with its buddy as long as that is free and whole. buddy.lock held. */
static void block_free(struct page *p, u32 order)
{
	u64 n = page_number(p);

	while (order < FRAME_ORDER_MAX) {
		u64 other = n ^ (1ull << order);

		if (other >= frame_total)
			break;
		struct page *b = page_at(other);
		if (!is_free_block(b, order))
			break;
		block_remove(b, order);
		n &= ~(1ull << order);
		order++;
	}
	block_insert(page_at(n), order);
}

/*
 * buddy.lock held. A block of at least *order, the smallest that there is, but none larger than
 * `most` (the rest of it stays): its order in *order. NULL: none is large enough.
 */
static struct page *block_take(u32 *order, u32 most)
{
	u32 from = *order;

	while (from <= FRAME_ORDER_MAX && list_empty(&buddy.blocks[from]))
		from++;
	if (from > FRAME_ORDER_MAX)
		return NULL;
	struct page *p = list_entry(buddy.blocks[from].next, struct page, free);
	block_remove(p, from);
	while (from > most) {
		from--;
		block_insert(p + (1ull << from), from);
	}
	*order = from;
	return p;
}

/* As block_take, of that order. */
static struct page *block_alloc(u32 order)
{
	return block_take(&order, order);
}

static void frame_poison(struct page *p)
{
#ifdef COPPICE_DEBUG
	memset(frame_data(p), POISON, PAGE_SIZE);
#else
	(void)p;
#endif
}

static void cache_push(struct cpu_cache *c, struct page *p)
{
	c->frames[c->count] = p;
	sole_add(&c->count, 1u);
}

static struct page *cache_pop(struct cpu_cache *c)
{
	sole_add(&c->count, -1u);
	return c->frames[c->count];
}

static struct page *cache_refill(struct cpu_cache *c)
{
	spin_lock(&buddy.lock);
	while (c->count < CPU_CACHE_BATCH) {
		u32 order = 0;
		struct page *p = block_take(&order, CPU_CACHE_BATCH_ORDER);

		if (!p)
			break;
		for (u32 i = 1u << order; i; i--) /* the lowest is taken first */
			cache_push(c, p + i - 1);
	}
	spin_unlock(&buddy.lock);
	return c->count ? cache_pop(c) : NULL;
}

static struct page *zeroed_pop(struct cpu_cache *c)
{
	sole_add(&c->zeroed_count, -1u);
	return c->zeroed[c->zeroed_count];
}

static struct page *run_pop(struct cpu_cache *c)
{
	sole_add(&c->run_count, -1u);
	return c->run++;
}

/* NULL: there is no run left. */
static struct page *run_take(struct cpu_cache *c)
{
	if (!c->run_count) {
		spin_lock(&buddy.lock);
		c->run = block_alloc(CPU_RUN_ORDER);
		if (c->run)
			sole_add(&c->run_count, 1u << CPU_RUN_ORDER);
		spin_unlock(&buddy.lock);
	}
	return c->run_count ? run_pop(c) : NULL;
}

/* Give all but `keep` back, so that they may be joined; with 0, the zeroed and the run, too. */
static void cache_spill(struct cpu_cache *c, u32 keep)
{
	spin_lock(&buddy.lock);
	while (c->count > keep)
		block_free(cache_pop(c), 0);
	while (!keep && c->zeroed_count)
		block_free(zeroed_pop(c), 0);
	while (!keep && c->run_count)
		block_free(run_pop(c), 0);
	spin_unlock(&buddy.lock);
}

static void frame_prepare(struct page *p, enum page_kind kind)
{
	debug_assert(p->kind == PAGE_FREE && *page_count_slot(p) == 0);
	store_relaxed(&p->kind, (u8)kind);
	p->flags = 0;
	p->table = (__typeof__(p->table)){ 0 };
	spin_init(&p->lock, RANK_NODE);
	store_relaxed(page_count_slot(p), 1u);
}

/*
 * What is free has no level, at no moment: a neighbour that joins blocks would take it for one.
 */
static void frame_retire(struct page *p)
{
	debug_assert(p->kind != PAGE_FREE && p->kind != PAGE_IMMORTAL);
	store_relaxed(page_count_slot(p), 0u);
	level_set(p, 0);
	store_release(&p->kind, (u8)PAGE_FREE);
}

static bool kind_is_user(enum page_kind kind)
{
	return kind == PAGE_ANON || kind == PAGE_CACHE || kind == PAGE_TABLE;
}

/* May 2^order frames of that kind not be had, lest the kernel's own needs go short? */
static bool reserve_is_near(u32 order, enum page_kind kind)
{
	if (likely(load_relaxed(&buddy.free) >=
		   load_relaxed(&frame_reserve) + (order ? 1ull << order : 0)))
		return false;
	return kind_is_user(kind) && !thread_killed();
}

/* From this CPU's cache. */
static struct page *frame_take(enum page_kind kind)
{
	struct cpu_cache *c = &cpu_caches[cpu_number()];
	struct page *p = likely(c->count) ? cache_pop(c) : cache_refill(c);

	if (unlikely(!p) && c->zeroed_count)
		p = zeroed_pop(c);
	if (unlikely(!p) && c->run_count)
		p = run_pop(c);
	if (likely(p)) {
		frame_prepare(p, kind);
		sole_add(&c->allocated, 1);
	} else {
		alloc_short(0);
	}
	return p;
}

struct page *frame_alloc_reserved(enum page_kind kind)
{
	return alloc_should_fail() ? NULL : frame_take(kind);
}

struct page *frame_alloc_order(u32 order, enum page_kind kind)
{
	struct page *p;

	if (alloc_should_fail())
		return NULL;
	if (unlikely(reserve_is_near(order, kind))) {
		alloc_short(order);
		return NULL;
	}
	if (order == 0)
		return frame_take(kind);
	if (order > FRAME_ORDER_MAX)
		return NULL;
	spin_lock(&buddy.lock);
	p = block_alloc(order);
	spin_unlock(&buddy.lock);
	if (!p) { /* perhaps this CPU keeps the frames that a block lacks */
		cache_spill(&cpu_caches[cpu_number()], 0);
		spin_lock(&buddy.lock);
		p = block_alloc(order);
		spin_unlock(&buddy.lock);
	}
	if (!p) {
		alloc_short(order);
		return NULL;
	}
	for (u64 i = 0; i < 1ull << order; i++)
		frame_prepare(p + i, kind);
	level_set(p, order);
	sole_add(&cpu_caches[cpu_number()].allocated, 1ull << order);
	return p;
}

void frame_free_order(struct page *p, u32 order)
{
	for (u64 i = 0; i < 1ull << order; i++) {
		frame_poison(p + i);
		frame_retire(p + i);
	}
	struct cpu_cache *c = &cpu_caches[cpu_number()];
	sole_add(&c->freed, 1ull << order);
	if (order == 0) {
		if (unlikely(c->count == CPU_CACHE_FRAMES))
			cache_spill(c, CPU_CACHE_BATCH);
		cache_push(c, p);
		return;
	}
	spin_lock(&buddy.lock);
	block_free(p, order);
	spin_unlock(&buddy.lock);
}

static void frame_check_zeroed(struct page *p)
{
#ifdef COPPICE_DEBUG
	for (u32 i = 0; i < PAGE_SIZE / sizeof(u64); i++)
		assert(((u64 *)frame_data(p))[i] == 0);
#else
	(void)p;
#endif
}

struct page *frame_alloc_table(void)
{
	struct cpu_cache *c = &cpu_caches[cpu_number()];
	struct page *p = NULL;

	if (alloc_should_fail())
		return NULL;
	if (unlikely(reserve_is_near(0, PAGE_TABLE))) {
		alloc_short(0);
		return NULL;
	}
	if (c->zeroed_count) {
		p = zeroed_pop(c);
		frame_check_zeroed(p);
	} else {
		p = run_take(c);
		if (unlikely(!p)) {
			p = frame_take(PAGE_TABLE);
			if (p)
				machine_frame_zero(p);
			return p;
		}
		machine_frame_zero(p);
	}
	frame_prepare(p, PAGE_TABLE);
	sole_add(&c->allocated, 1);
	return p;
}

void frame_free_table(struct page *p)
{
	struct cpu_cache *c = &cpu_caches[cpu_number()];

	frame_check_zeroed(p);
	if (c->zeroed_count == CPU_CACHE_ZEROED) {
		frame_free(p);
		return;
	}
	frame_retire(p);
	sole_add(&c->freed, 1);
	c->zeroed[c->zeroed_count] = p;
	sole_add(&c->zeroed_count, 1u);
}

u64 frame_free_count(void)
{
	u64 n = load_relaxed(&buddy.free);

	for (u32 i = 0; i < CPUS_MAX; i++)
		n += load_relaxed(&cpu_caches[i].count) +
		     load_relaxed(&cpu_caches[i].zeroed_count) +
		     load_relaxed(&cpu_caches[i].run_count);
	return n;
}

bool frame_free_is_below(u64 n)
{
	return load_relaxed(&buddy.free) < n && frame_free_count() < n;
}

void frame_event_counts(u64 *allocated, u64 *freed)
{
	*allocated = *freed = 0;
	for (u32 i = 0; i < CPUS_MAX; i++) {
		*allocated += load_relaxed(&cpu_caches[i].allocated);
		*freed += load_relaxed(&cpu_caches[i].freed);
	}
}

void frame_make_immortal(struct page *p)
{
	debug_assert(p->kind == PAGE_KERNEL);
	store_relaxed(page_count_slot(p), COUNT_IMMORTAL);
	p->kind = PAGE_IMMORTAL;
}

void page_put(struct page *p)
{
	debug_assert(p->kind != PAGE_FREE && page_count(p) > 0);
	if (page_count_drop(p))
		frame_free(p);
}

/*
 * Give [start, end) to the allocator in the largest aligned blocks. Frames are PAGE_FREE or
 * PAGE_RESERVED.
 */
static void frames_add(u64 start, u64 end)
{
	u64 n = ROUND_UP(start, PAGE_SIZE) >> PAGE_SHIFT;
	u64 last = end >> PAGE_SHIFT;

	spin_lock(&buddy.lock);
	while (n < last) {
		u32 order = 0;

		while (order < FRAME_ORDER_MAX && IS_ALIGNED(n, 2ull << order) &&
		       n + (2ull << order) <= last)
			order++;
		for (u64 i = n; i < n + (1ull << order); i++)
			page_at(i)->kind = PAGE_FREE;
		block_free(page_at(n), order);
		frame_managed += 1ull << order;
		n += 1ull << order;
	}
	spin_unlock(&buddy.lock);
}

void frame_release_range(u64 start, u64 end)
{
	frames_add(start, end);
}

/* The end of a reserved range that overlaps [start, end), or 0. */
static u64 reserved_overlap(u64 start, u64 end, const struct memory_range *reserved, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (reserved[i].start < end && reserved[i].end > start)
			return reserved[i].end;
	return 0;
}

/* A place for `size` bytes that is usable and not reserved. */
static u64 place_find(u64 size, const struct memory_range *usable, u32 nusable,
		      const struct memory_range *reserved, u32 nreserved)
{
	for (u32 i = 0; i < nusable; i++) {
		u64 at = ROUND_UP(usable[i].start, PAGE_SIZE);

		while (at + size <= usable[i].end) {
			u64 past = reserved_overlap(at, at + size, reserved, nreserved);
			if (!past)
				return at;
			at = ROUND_UP(past, PAGE_SIZE);
		}
	}
	panic("no room for the frame table (%llu bytes)", (unsigned long long)size);
}

/* Add the parts of [start, end) that no reserved range covers; recurses once for each hole. */
static void usable_add(u64 start, u64 end, const struct memory_range *reserved, u32 nreserved)
{
	for (u32 i = 0; i < nreserved; i++) {
		const struct memory_range *r = &reserved[i];

		if (r->start >= end || r->end <= start)
			continue;
		if (r->start > start)
			usable_add(start, ROUND_DOWN(r->start, PAGE_SIZE), reserved, nreserved);
		if (r->end < end)
			usable_add(ROUND_UP(r->end, PAGE_SIZE), end, reserved, nreserved);
		return;
	}
	if (start < end)
		frames_add(start, end);
}

#define RESERVED_RANGES_MAX 32

void frame_init(const struct memory_range *usable, u32 nusable, const struct memory_range *reserved,
		u32 nreserved)
{
	struct memory_range taken[RESERVED_RANGES_MAX];
	u64 top = 0;

	assert(nreserved < RESERVED_RANGES_MAX);
	for (u32 i = 0; i < nusable; i++)
		top = max(top, usable[i].end);
	frame_total = top >> PAGE_SHIFT;

	u64 table_bytes = ROUND_UP(frame_total * sizeof(struct page), PAGE_SIZE);
	u64 bytes = table_bytes + ROUND_UP(frame_total * sizeof(u32), PAGE_SIZE);
	u64 at = place_find(bytes, usable, nusable, reserved, nreserved);
	frame_table = phys_to_virt(at);
	frame_counts = phys_to_virt(at + table_bytes);
	memset(frame_table, 0, bytes);
	for (u32 i = 0; i <= FRAME_ORDER_MAX; i++)
		list_init(&buddy.blocks[i]);

	for (u32 i = 0; i < nreserved; i++)
		taken[i] = reserved[i];
	taken[nreserved] = (struct memory_range){ at, at + bytes };
	for (u64 n = 0; n < frame_total; n++)
		page_at(n)->kind = PAGE_RESERVED;
	for (u32 i = 0; i < nusable; i++)
		usable_add(ROUND_UP(usable[i].start, PAGE_SIZE),
			   ROUND_DOWN(usable[i].end, PAGE_SIZE), taken, nreserved + 1);

	zero_page = frame_alloc(PAGE_KERNEL);
	assert(zero_page);
	memset(frame_data(zero_page), 0, PAGE_SIZE);
	frame_make_immortal(zero_page);
}
