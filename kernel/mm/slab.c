/*
 * slab.c - kernel objects: each cache cuts frames into objects of one size; kmalloc chooses among
 * caches, or takes whole frames.
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

static const u16 class_sizes[] = { 16,  32,  48,  64,  96,   128,  192,
				   256, 336, 512, 672, 1008, 1360, 2032 };
static struct slab_cache classes[ARRAY_SIZE(class_sizes)];
static u8 class_of_size[2032 / 16 + 1]; /* index: size in units of 16, rounded up */
static struct list caches = LIST_INIT(caches);
static struct spinlock caches_lock = SPINLOCK_INIT(RANK_SLAB);

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
	spin_lock(&caches_lock);
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

void *slab_alloc(struct slab_cache *c)
{
	if (alloc_should_fail())
		return NULL;
	spin_lock(&c->lock);
	if (unlikely(list_empty(&c->partial))) {
		struct page *slab = slab_new(c);
		if (!slab) {
			spin_unlock(&c->lock);
			return NULL;
		}
		list_push_front(&c->partial, slab_link(slab));
		c->slabs++;
	}
	struct page *slab = frame_of(c->partial.next);
	void **object = slab->slab.freelist;
	slab->slab.freelist = *object;
	slab->inuse++;
	if (!slab->slab.freelist)
		list_remove(slab_link(slab));
	c->objects++;
	spin_unlock(&c->lock);
	return object;
}

void *slab_zalloc(struct slab_cache *c)
{
	void *object = slab_alloc(c);

	if (object)
		memset(object, 0, c->size);
	return object;
}

void slab_free(struct slab_cache *c, void *object)
{
	struct page *slab = frame_of(object);
	struct page *empty = NULL;

	assert(slab->kind == PAGE_SLAB && slab->slab.cache == c);
#ifdef COPPICE_DEBUG
	memset(object, POISON_FREE, c->size);
#endif
	spin_lock(&c->lock);
	bool was_full = !slab->slab.freelist;
	*(void **)object = slab->slab.freelist;
	slab->slab.freelist = object;
	slab->inuse--;
	c->objects--;
	if (was_full)
		list_push_front(&c->partial, slab_link(slab));
	/* Keep one empty slab, so that a lone object that comes and goes does not move frames. */
	if (slab->inuse == 0 &&
	    (c->partial.next != slab_link(slab) || c->partial.prev != slab_link(slab))) {
		list_remove(slab_link(slab));
		c->slabs--;
		empty = slab;
	}
	spin_unlock(&c->lock);
	if (empty)
		frame_free(empty);
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
		slab_free(page->slab.cache, p);
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
