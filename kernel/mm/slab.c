/*
 * slab.c - kernel objects: each cache cuts frames into objects of one size; kmalloc chooses among
 * caches, or takes whole frames.
 *
 * Each CPU keeps some free objects of each cache at hand, and takes and gives back several at a time:
 * the cache's lock is for that. What a CPU keeps counts as free, although its slabs are in use.
 *
 * A slab is one frame. Its first 16 bytes link it into its cache's list of slabs with room; free
 * objects hold the freelist in their first word. So no object is page-aligned, and an address that
 * is belongs to a block of frames: kfree needs no size.
 */
#include "mm/slab.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"

#define SLAB_HEAD 16u
#define POISON_FREE 0x6b
#define CACHES_MAX 64
#define KEPT_MAX 16u     /* free objects that a CPU keeps of a cache, at most, */
#define KEPT_BYTES 2048u /* and as far as they are not larger, but always one */

static const u16 class_sizes[] = { 16,  32,  48,  64,  96,   128,  192,
				   256, 336, 512, 672, 1008, 1360, 2032 };
static struct slab_cache classes[ARRAY_SIZE(class_sizes)];
static u8 class_of_size[2032 / 16 + 1]; /* index: size in units of 16, rounded up */
static struct list caches = LIST_INIT(caches);
static struct spinlock caches_lock = SPINLOCK_INIT(RANK_SLAB);
static u32 cache_count;

/* O: nothing interrupts a CPU that uses its own. */
struct kept_objects {
	void *freelist;
	u32 count;
	u32 inuse; /* allocated here less freed here: only the sum over all CPUs is a number */
};
static struct kept_objects kept[CPUS_MAX][CACHES_MAX];

static struct list *slab_link(struct page *slab)
{
	return frame_data(slab);
}

static u32 slab_capacity(const struct slab_cache *c)
{
	return (u32)(PAGE_SIZE - SLAB_HEAD) / c->size;
}

void slab_cache_init(struct slab_cache *c, const char *name, size_t size)
{
	size = ROUND_UP(max(size, (size_t)16), (size_t)16);
	assert(size <= PAGE_SIZE - SLAB_HEAD);
	*c = (struct slab_cache){ .name = name, .size = (u32)size };
	spin_init(&c->lock, RANK_SLAB);
	list_init(&c->partial);
	c->keep = min(KEPT_MAX, max(KEPT_BYTES / c->size, 1u));
	spin_lock(&caches_lock);
	assert(cache_count < CACHES_MAX);
	c->number = cache_count++;
	list_push_back(&caches, &c->link);
	spin_unlock(&caches_lock);
}

/* A fresh slab with all objects free, not in the cache's list yet. */
static struct page *slab_new(struct slab_cache *c)
{
	struct page *slab = frame_alloc(PAGE_SLAB);

	if (!slab)
		return NULL;
	char *data = frame_data(slab);
	void *next = NULL;
	for (u32 i = slab_capacity(c); i-- > 0;) {
		void **object = (void **)(data + SLAB_HEAD + (size_t)i * c->size);
		*object = next;
		next = object;
	}
	slab->slab.freelist = next;
	slab->slab.cache = c;
	slab->inuse = 0;
	list_init(slab_link(slab));
	return slab;
}

/* One object out of a slab with room, or NULL. c->lock held. */
static void **slab_take(struct slab_cache *c)
{
	if (unlikely(list_empty(&c->partial))) {
		struct page *fresh = slab_new(c);

		if (!fresh)
			return NULL;
		list_push_front(&c->partial, slab_link(fresh));
		c->slabs++;
	}
	struct page *slab = frame_of(c->partial.next);
	void **object = slab->slab.freelist;

	slab->slab.freelist = *object;
	slab->inuse++;
	if (!slab->slab.freelist)
		list_remove(slab_link(slab));
	return object;
}

/*
 * Put an object back into its slab. The slab, if it is empty now and the cache need not keep it: one
 * empty slab stays, so that a lone object that comes and goes does not move frames. c->lock held.
 */
static struct page *slab_give(struct slab_cache *c, void **object)
{
	struct page *slab = frame_of(object);
	bool was_full = !slab->slab.freelist;

	*object = slab->slab.freelist;
	slab->slab.freelist = object;
	slab->inuse--;
	if (was_full)
		list_push_front(&c->partial, slab_link(slab));
	if (slab->inuse ||
	    (c->partial.next == slab_link(slab) && c->partial.prev == slab_link(slab)))
		return NULL;
	list_remove(slab_link(slab));
	c->slabs--;
	return slab;
}

static void kept_push(struct kept_objects *k, void **object)
{
	*object = k->freelist;
	k->freelist = object;
	k->count++;
}

static void **kept_pop(struct kept_objects *k)
{
	void **object = k->freelist;

	k->freelist = *object;
	k->count--;
	return object;
}

/* Fill up to half; false: there is no memory. */
static __attribute__((noinline)) bool kept_refill(struct slab_cache *c, struct kept_objects *k)
{
	void **object;

	spin_lock(&c->lock);
	do {
		object = slab_take(c);
		if (object)
			kept_push(k, object);
	} while (object && k->count < c->keep / 2);
	spin_unlock(&c->lock);
	return k->count;
}

/* Give back all but n of them. */
static __attribute__((noinline)) void kept_trim(struct slab_cache *c, struct kept_objects *k, u32 n)
{
	struct list empty = LIST_INIT(empty);

	spin_lock(&c->lock);
	while (k->count > n) {
		struct page *slab = slab_give(c, kept_pop(k));

		if (slab)
			list_push_back(&empty, slab_link(slab));
	}
	spin_unlock(&c->lock);
	while (!list_empty(&empty)) {
		struct list *first = empty.next;

		list_remove(first);
		frame_free(frame_of(first));
	}
}

void slab_trim(void)
{
	struct slab_cache *c;

	list_for_each (c, &caches, link)
		if (kept[cpu_number()][c->number].count)
			kept_trim(c, &kept[cpu_number()][c->number], 0);
}

void slab_trim_all(void)
{
	struct slab_cache *c;

	list_for_each (c, &caches, link)
		for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
			if (kept[cpu][c->number].count)
				kept_trim(c, &kept[cpu][c->number], 0);
}

u64 slab_objects(const struct slab_cache *c)
{
	u32 n = 0;

	for (u32 cpu = 0; cpu < CPUS_MAX; cpu++)
		n += load_relaxed(&kept[cpu][c->number].inuse);
	return n;
}

void *slab_alloc(struct slab_cache *c)
{
	struct kept_objects *k = &kept[cpu_number()][c->number];

	if (alloc_should_fail() || (unlikely(!k->freelist) && !kept_refill(c, k)))
		return NULL;
	sole_add(&k->inuse, 1u);
	return kept_pop(k);
}

void *slab_zalloc(struct slab_cache *c)
{
	void *object = slab_alloc(c);

	if (object)
		memset(object, 0, c->size);
	return object;
}

static void object_free(struct slab_cache *c, void *object)
{
	struct kept_objects *k = &kept[cpu_number()][c->number];

#ifdef COPPICE_DEBUG
	memset(object, POISON_FREE, c->size);
#endif
	sole_add(&k->inuse, -1u);
	kept_push(k, object);
	if (unlikely(k->count > c->keep))
		kept_trim(c, k, c->keep / 2);
}

void slab_free(struct slab_cache *c, void *object)
{
	const struct page *slab = frame_of(object);

	assert(slab->kind == PAGE_SLAB && slab->slab.cache == c);
	object_free(c, object);
}

static u32 block_order(size_t size)
{
	u32 order = 0;

	while (((size_t)PAGE_SIZE << order) < size)
		order++;
	return order;
}

void *kmalloc(size_t size)
{
	if (likely(size <= 2032))
		return slab_alloc(&classes[class_of_size[(size + 15) / 16]]);
	if (size > PAGE_SIZE << FRAME_ORDER_MAX)
		return NULL;
	struct page *p = frame_alloc_order(block_order(size), PAGE_KERNEL);
	return p ? frame_data(p) : NULL;
}

void *kzalloc(size_t size)
{
	void *p = kmalloc(size);

	if (p)
		memset(p, 0, size);
	return p;
}

static size_t allocated_size(const void *p)
{
	struct page *page = frame_of(p);

	if (page->kind == PAGE_SLAB)
		return page->slab.cache->size;
	return PAGE_SIZE << page->level;
}

void *krealloc(void *old, size_t size)
{
	if (!old)
		return kmalloc(size);
	size_t have = allocated_size(old);
	if (size <= have && size > have / 2)
		return old;
	void *p = kmalloc(size);
	if (!p)
		return NULL;
	memcpy(p, old, min(have, size));
	kfree(old);
	return p;
}

void kfree(void *p)
{
	if (!p)
		return;
	struct page *page = frame_of(p);
	if (page->kind == PAGE_SLAB) {
		object_free(page->slab.cache, p);
		return;
	}
	assert(page->kind == PAGE_KERNEL && IS_ALIGNED((u64)p, PAGE_SIZE));
	frame_free_order(page, page->level);
}

char *kstrdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kmalloc(n);

	if (copy)
		memcpy(copy, s, n);
	return copy;
}

void slab_init(void)
{
	static const char *const names[] = { "kmalloc-16",   "kmalloc-32",  "kmalloc-48",
					     "kmalloc-64",   "kmalloc-96",  "kmalloc-128",
					     "kmalloc-192",  "kmalloc-256", "kmalloc-336",
					     "kmalloc-512",  "kmalloc-672", "kmalloc-1008",
					     "kmalloc-1360", "kmalloc-2032" };
	u32 class = 0;

	for (u32 i = 0; i < ARRAY_SIZE(class_sizes); i++)
		slab_cache_init(&classes[i], names[i], class_sizes[i]);
	for (u32 units = 0; units < ARRAY_SIZE(class_of_size); units++) {
		while (class_sizes[class] < units * 16)
			class ++;
		class_of_size[units] = (u8) class;
	}
}

void slab_for_each(void (*fn)(const struct slab_cache *c, void *arg), void *arg)
{
	struct slab_cache *c;

	list_for_each (c, &caches, link)
		fn(c, arg);
}
