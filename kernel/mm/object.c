/*
 * object.c - objects and the one page cache.
 *
 * Central rule: a page belongs to an object (page->cache.object) exactly while it is in the
 * object's index; that membership is one count. Who uses a page with no lock held has a count of
 * its own, so a page may be detached (truncate, eviction) under a user's feet and is freed by
 * whoever is last. A fault maps a page under the page's lock, after checking that it is still
 * attached. Read writeback.c next, then truncate.c.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/object_priv.h"
#include "mm/reclaim.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "mm/truncate.h"

static struct list objects = LIST_INIT(objects);
static struct spinlock objects_lock = SPINLOCK_INIT(RANK_SPACE_LIST); /* guards the list */
static u64 objects_alive;                                             /* objects_lock */
static u64 cache_frames, shmem_frames;                                /* atomic */

#define PAGE_QUEUES 64
static struct waitq page_queues[PAGE_QUEUES];

void object_system_init(void)
{
	radix_system_init();
	for (u32 i = 0; i < PAGE_QUEUES; i++)
		waitq_init(&page_queues[i]);
}

u64 object_cache_frames(void)
{
	return load_relaxed(&cache_frames);
}

u64 object_shmem_frames(void)
{
	return load_relaxed(&shmem_frames);
}

/* --- page locks --- */

static struct waitq *page_queue(const struct page *p)
{
	return &page_queues[page_number(p) % PAGE_QUEUES];
}

bool page_trylock(struct page *p)
{
	return !(__atomic_fetch_or(&p->flags, PAGE_LOCKED, __ATOMIC_ACQ_REL) & PAGE_LOCKED);
}

void page_lock(struct page *p)
{
	wait_event(page_queue(p), page_trylock(p));
}

void page_unlock(struct page *p)
{
	page_flag_clear(p, PAGE_LOCKED);
	full_barrier(); /* against waitq_prepare: it queues, then tests the bit */
	if (!list_empty(&page_queue(p)->waiters))
		waitq_wake_all(page_queue(p));
}

void page_wait(struct page *p)
{
	wait_event(page_queue(p), !(load_acquire(&p->flags) & PAGE_LOCKED));
}

/* --- life --- */

void object_init(struct object *o, const struct object_ops *ops, u32 flags, u64 size)
{
	*o = (struct object){ .ops = ops, .flags = flags, .size = size };
	ref_init(&o->refs);
	spin_init(&o->lock, RANK_OBJECT);
	rwlock_init(&o->size_lock, RANK_OBJECT_SIZE);
	spin_lock(&objects_lock);
	list_push_back(&objects, &o->link);
	sole_add(&objects_alive, 1);
	spin_unlock(&objects_lock);
}

void object_page_enter(struct object *o, struct page *p, u64 index)
{
	p->cache.object = o;
	p->cache.index = index;
	sole_add(&o->page_count, 1);
	atomic_add(&cache_frames, 1);
	if (o->flags & OBJECT_SHMEM)
		atomic_add(&shmem_frames, 1);
}

void object_page_leave(struct object *o, struct page *p)
{
	sole_add(&o->page_count, -1);
	object_page_undirty(o, p);
	atomic_sub(&cache_frames, 1);
	if (o->flags & OBJECT_SHMEM)
		atomic_sub(&shmem_frames, 1);
	store_release(&p->cache.object, NULL);
}

void object_page_detach(struct object *o, struct page *p)
{
	struct page *was = radix_remove(&o->pages, p->cache.index);

	assert(was == p);
	object_page_leave(o, p);
}

/* o->lock held: forget the slot at index. */
static void slot_detach(struct object *o, u64 index)
{
	void *item = radix_remove(&o->pages, index);

	sole_add(&o->swapped, -1);
	swap_slot_put(item_slot(item));
}

void object_put(struct object *o)
{
	u64 index = 0, dropped = 0;
	void *item;

	/* objects_rotate takes a reference from the list only while it is not zero. */
	if (!ref_put(&o->refs))
		return;
	spin_lock(&objects_lock);
	list_remove(&o->link);
	sole_add(&objects_alive, -1);
	spin_unlock(&objects_lock);
	for (;;) {
		spin_lock(&o->lock);
		item = radix_next(&o->pages, &index);
		if (item && item_is_slot(item))
			slot_detach(o, index);
		else if (item)
			object_page_detach(o, item);
		spin_unlock(&o->lock);
		if (!item)
			break;
		if (!item_is_slot(item))
			page_put(item);
		dropped++;
		if (dropped % 256 == 0)
			cpu_preempt_point();
	}
	if (o->ops->page_uncharge && dropped)
		o->ops->page_uncharge(o, dropped);
	o->ops->free(o);
}

static bool object_get_unless_zero(struct object *o)
{
	u32 n = load_relaxed(&o->refs.n);

	while (n)
		if (atomic_cas(&o->refs.n, &n, n + 1))
			return true;
	return false;
}

u64 object_count(void)
{
	return load_relaxed(&objects_alive);
}

struct object *objects_rotate(bool (*wanted)(const struct object *o))
{
	struct object *o = NULL;

	spin_lock(&objects_lock);
	if (!list_empty(&objects)) {
		o = list_first(&objects, struct object, link);
		list_remove(&o->link);
		list_push_back(&objects, &o->link);
		if (!wanted(o) || !object_get_unless_zero(o))
			o = NULL;
	}
	spin_unlock(&objects_lock);
	return o;
}

/* --- finding and filling pages --- */

/*
 * The page in the index with a temporary reference, in whatever state, or NULL; *slot: where its
 * bytes are instead, 0: nowhere.
 */
static struct page *page_find(struct object *o, u64 index, u64 *slot)
{
	struct page *p = NULL;

	*slot = 0;
	spin_lock(&o->lock);
	void *item = radix_find(&o->pages, index);
	if (item && item_is_slot(item)) {
		*slot = item_slot(item);
	} else if (item) {
		p = item;
		page_get(p);
	}
	spin_unlock(&o->lock);
	return p;
}

static bool object_has_page(struct object *o, u64 index)
{
	spin_lock(&o->lock);
	bool has = radix_find(&o->pages, index);
	spin_unlock(&o->lock);
	return has;
}

/* Is an item of the index more than zeros to a reader? */
static bool item_is_data(const struct page *item)
{
	return item && (item_is_slot(item) || !(load_relaxed(&item->flags) & PAGE_ALLOCATED));
}

bool object_is_hole(struct object *o, u64 index)
{
	if (o->ops->read_pages)
		return false;
	spin_lock(&o->lock);
	bool hole = !item_is_data(radix_find(&o->pages, index));
	spin_unlock(&o->lock);
	return hole;
}

struct page *object_page_resident(struct object *o, u64 index)
{
	u64 slot;
	struct page *p = page_find(o, index, &slot);

	if (p && page_is_used(p)) {
		page_referenced(p);
		return p;
	}
	if (p)
		page_put(p);
	return NULL;
}

void object_pages_hold(struct object *o, u64 first, u32 max, struct page **pages)
{
	u32 n = 0, run;

	spin_lock(&o->lock);
	u64 size = object_pages_of_size(o);
	while (n < max) {
		void *const *items = radix_run(&o->pages, first + n, &run);

		for (run = min(run, max - n); run; run--, n++) {
			struct page *p = items && first + n < size ? *items : NULL;

			pages[n] = p && !item_is_slot(p) && page_is_used(p) ? p : NULL;
			items += items != NULL;
		}
	}
}

void object_pages_release(struct object *o)
{
	spin_unlock(&o->lock);
}

struct page *object_page_new(struct object *o)
{
	struct page *p = frame_alloc(PAGE_CACHE);

	if (p)
		p->flags = PAGE_LOCKED | PAGE_REFERENCED |
			   (o->flags & OBJECT_SHMEM ? PAGE_SHMEM : 0);
	return p;
}

/* o->lock held. 0, -EEXIST or -ENOMEM. */
static int page_attach(struct object *o, struct page *p, u64 index)
{
	if (radix_find(&o->pages, index))
		return -EEXIST;
	if (radix_insert(&o->pages, index, p))
		return -ENOMEM;
	object_page_enter(o, p, index);
	if (page_has(p, PAGE_ALLOCATED)) /* it stays */
		object_page_dirty_locked(o, p);
	return 0;
}

/* What to read when a page is missing. */
struct span {
	u64 low, high; /* not beyond these, and not what is there already */
};

/* The missing pages around index, inside its span and the size: *first and how many. */
static u32 missing_run(struct object *o, u64 index, const struct span *span, u64 *first)
{
	u64 high = min(span->high, object_pages_of_size(o)), start = index, end = index + 1;

	spin_lock(&o->lock);
	while (start > span->low && !radix_find(&o->pages, start - 1))
		start--;
	while (end < high && end - start < RUN_PAGES && !radix_find(&o->pages, end))
		end++;
	spin_unlock(&o->lock);
	*first = start;
	return (u32)(end - start);
}

void object_pages_free(struct page **pages, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		pages[i]->flags = 0;
		page_put(pages[i]);
	}
}

/* Attach all of pages from index first on, or none: 0, -EEXIST, -ENOMEM. */
static int pages_attach(struct object *o, u64 first, struct page **pages, u32 count)
{
	int err = 0;
	u32 i;

	spin_lock(&o->lock);
	for (i = 0; i < count; i++) {
		err = page_attach(o, pages[i], first + i);
		if (err)
			break;
	}
	if (err)
		while (i-- > 0)
			object_page_detach(o, pages[i]);
	spin_unlock(&o->lock);
	return err;
}

/*
 * Bring the run [first, first + count) in from where the object's bytes are. o->size_lock held
 * shared.
 */
static int run_read(struct object *o, u64 first, u32 count)
{
	struct page *pages[RUN_PAGES];
	u32 n = 0;
	int err;

	while (n < count && (pages[n] = object_page_new(o)))
		n++;
	if (n < count) {
		object_pages_free(pages, n);
		return -ENOMEM;
	}
	err = pages_attach(o, first, pages, count);
	if (err) {
		object_pages_free(pages, count);
		return err;
	}
	err = o->ops->read_pages(o, first, pages, count);
	if (!err)
		mm_count(pages_read, count);
	for (u32 i = 0; i < count; i++) {
		if (!err) {
			page_flag_set(pages[i], PAGE_UPTODATE);
			page_unlock(pages[i]);
			continue;
		}
		spin_lock(&o->lock);
		object_page_detach(o, pages[i]);
		spin_unlock(&o->lock);
		page_unlock(pages[i]);
		page_put(pages[i]);
	}
	return err;
}

/* Put a page of zeros at index; flag: 0 or PAGE_ALLOCATED. */
static int page_fill_zero(struct object *o, u64 index, u16 flag)
{
	struct page *p;
	int err;

	if (o->ops->page_charge) {
		err = o->ops->page_charge(o);
		if (err)
			return err;
	}
	p = object_page_new(o);
	err = -ENOMEM;
	if (!p)
		goto uncharge;
	machine_frame_zero(p);
	p->flags = (p->flags & (u16)~PAGE_LOCKED) | PAGE_UPTODATE | flag;
	err = pages_attach(o, index, &p, 1);
	if (!err)
		return 0;
	object_pages_free(&p, 1);
uncharge:
	if (o->ops->page_uncharge)
		o->ops->page_uncharge(o, 1);
	return err;
}

/*
 * The page at index and more of its span from below. o->size_lock held shared. What is read beyond
 * the first run need not succeed.
 */
static int span_read(struct object *o, u64 index, const struct span *span)
{
	u64 first;
	u32 count = missing_run(o, index, span, &first);
	int err = run_read(o, first, count);

	if (err == -ENOMEM && count > 1)
		return run_read(o, index, 1);
	for (u64 next = first + count; !err && count == RUN_PAGES && next < span->high;
	     next += count) {
		if (next >= object_pages_of_size(o))
			break;
		count = missing_run(o, next, &(struct span){ next, span->high }, &first);
		if (run_read(o, next, count))
			break;
	}
	return err;
}

/* Fill the page at index (missing when the caller looked). 0 or -EEXIST: look again. */
static int page_fill(struct object *o, u64 index, const struct span *span, bool beyond, bool whole)
{
	int err;

	read_lock(&o->size_lock);
	if (index >= object_pages_of_size(o)) {
		err = beyond ? page_fill_zero(o, index, 0) : -EFAULT;
	} else if (!o->ops->read_pages || whole) {
		err = page_fill_zero(o, index, 0);
	} else {
		err = span_read(o, index, span);
	}
	read_unlock(&o->size_lock);
	return err;
}

static struct page *page_get_filled(struct object *o, u64 index, const struct span *span,
				    bool beyond, bool whole, bool *major)
{
	for (;;) {
		u64 slot;
		struct page *p = page_find(o, index, &slot);

		if (p && page_is_uptodate(p)) {
			if (load_relaxed(&p->flags) & PAGE_ALLOCATED)
				page_flag_clear(p, PAGE_ALLOCATED);
			page_referenced(p);
			return p;
		}
		if (p) { /* somebody is reading it in */
			page_wait(p);
			page_put(p);
			continue;
		}
		if (major && (o->ops->read_pages || slot))
			*major = true;
		int err = slot ? object_swap_in(o, index, slot)
			       : page_fill(o, index, span, beyond, whole);
		if (err && err != -EEXIST && !(err == -ENOMEM && memory_reclaim()))
			return ERR_PTR(err);
	}
}

/* The aligned window that index lies in. */
static struct span span_around(u64 index)
{
	u64 low = ROUND_DOWN(index, RUN_PAGES);

	return (struct span){ low, low + RUN_PAGES };
}

struct page *object_page(struct object *o, u64 index, bool *major)
{
	struct span span = span_around(index);

	return page_get_filled(o, index, &span, false, false, major);
}

struct page *object_page_ahead(struct object *o, u64 index, u32 count, bool *major)
{
	struct span span = { index, index + count };

	return page_get_filled(o, index, &span, false, false, major);
}

struct page *object_page_write(struct object *o, u64 index, bool whole)
{
	struct span span = span_around(index);

	return page_get_filled(o, index, &span, true, whole, NULL);
}

/* Memory is given to the hole at index, which stays one. As page_fill. */
static int hole_allocate(struct object *o, u64 index)
{
	read_lock(&o->size_lock);
	int err = page_fill_zero(o, index, PAGE_ALLOCATED);
	read_unlock(&o->size_lock);
	return err;
}

int object_page_allocate(struct object *o, u64 index)
{
	struct page *p;

	while (!o->ops->read_pages && !object_has_page(o, index)) {
		int err = hole_allocate(o, index);

		if (!err)
			return 0;
		if (err != -EEXIST && !(err == -ENOMEM && memory_reclaim()))
			return err;
	}
	p = object_page_write(o, index, false);
	if (IS_ERR(p))
		return (int)PTR_ERR(p);
	object_page_dirty(o, p);
	page_put(p);
	return 0;
}

/* --- bytes --- */

void object_grow(struct object *o, u64 size)
{
	u64 old = load_relaxed(&o->size);

	while (old < size)
		if (atomic_cas(&o->size, &old, size))
			break;
}

ssize object_read(struct object *o, void *buf, size_t n, u64 offset)
{
	size_t done = 0;

	while (done < n) {
		u64 size = load_acquire(&o->size), at = offset + done;

		if (at >= size)
			break;
		size_t skip = at % PAGE_SIZE;
		size_t part = min(min(PAGE_SIZE - skip, n - done), size - at);
		if (object_is_hole(o, at >> PAGE_SHIFT)) {
			memset((char *)buf + done, 0, part);
			done += part;
			continue;
		}
		struct page *p = object_page(o, at >> PAGE_SHIFT, NULL);
		if (IS_ERR(p)) {
			if (PTR_ERR(p) == -EFAULT) /* truncated meanwhile */
				break;
			return done ? (ssize)done : PTR_ERR(p);
		}
		memcpy((char *)buf + done, (char *)frame_data(p) + skip, part);
		page_put(p);
		done += part;
	}
	return (ssize)done;
}

ssize object_write(struct object *o, const void *buf, size_t n, u64 offset)
{
	size_t done = 0;

	while (done < n) {
		u64 at = offset + done;
		size_t skip = at % PAGE_SIZE, part = min(PAGE_SIZE - skip, n - done);
		struct page *p = object_page_write(o, at >> PAGE_SHIFT, part == PAGE_SIZE);

		if (IS_ERR(p))
			return done ? (ssize)done : PTR_ERR(p);
		memcpy((char *)frame_data(p) + skip, (const char *)buf + done, part);
		object_page_dirty(o, p);
		page_put(p);
		done += part;
		object_grow(o, offset + done);
	}
	return (ssize)done;
}

/* --- truncation --- */

/* Detach the pages of [first, end); they keep their bytes for those who hold them. */
static void pages_detach(struct object *o, u64 first, u64 end)
{
	u64 dropped = 0;

	for (u64 index = first;;) {
		spin_lock(&o->lock);
		struct page *p = radix_next(&o->pages, &index);
		if (!p || index >= end) {
			spin_unlock(&o->lock);
			break;
		}
		if (item_is_slot(p)) {
			slot_detach(o, index);
			spin_unlock(&o->lock);
			dropped++;
			continue;
		}
		page_get(p);
		spin_unlock(&o->lock);

		page_lock(p); /* a fault that maps it, or a write-out, is over */
		spin_lock(&o->lock);
		bool ours = p->cache.object == o;
		if (ours)
			object_page_detach(o, p);
		spin_unlock(&o->lock);
		page_unlock(p);
		if (ours) {
			page_put(p);
			dropped++;
		}
		page_put(p);
	}
	if (dropped && o->ops->page_uncharge)
		o->ops->page_uncharge(o, dropped);
}

/* Zero the bytes [from, to) of one page, if it is there or holds bytes somewhere. */
static int page_zero_part(struct object *o, u64 from, u64 to)
{
	struct page *p;

	if (object_is_hole(o, from >> PAGE_SHIFT)) /* zeros already */
		return 0;
	p = object_page(o, from >> PAGE_SHIFT, NULL);
	if (IS_ERR(p))
		return PTR_ERR(p) == -EFAULT ? 0 : (int)PTR_ERR(p);
	memset((char *)frame_data(p) + from % PAGE_SIZE, 0, to - from);
	object_page_dirty(o, p);
	page_put(p);
	return 0;
}

int object_truncate(struct object *o, u64 size)
{
	u64 old = load_acquire(&o->size);

	if (size < old && size % PAGE_SIZE) {
		int err = page_zero_part(o, size,
					 min(ROUND_UP(size, PAGE_SIZE), ROUND_UP(old, PAGE_SIZE)));
		if (err)
			return err;
	}
	write_lock(&o->size_lock);
	store_release(&o->size, size);
	write_unlock(&o->size_lock);
	u64 first = DIV_ROUND_UP(size, PAGE_SIZE);

	/* Also if nothing changes: a write that failed may have left pages beyond the end. */
	if (size <= old)
		pages_detach(o, first, UINT64_MAX);
	if (size < old)
		truncate_unmap(o, first, UINT64_MAX, true);
	return 0;
}

int object_punch(struct object *o, u64 start, u64 end)
{
	u64 first = DIV_ROUND_UP(start, PAGE_SIZE), last = end >> PAGE_SHIFT;
	int err = 0;

	if (first > last) /* inside one page */
		return page_zero_part(o, start, end);
	if (start % PAGE_SIZE)
		err = page_zero_part(o, start, ROUND_UP(start, PAGE_SIZE));
	if (!err && end % PAGE_SIZE)
		err = page_zero_part(o, ROUND_DOWN(end, PAGE_SIZE), end);
	if (err || first == last)
		return err;
	pages_detach(o, first, last);
	truncate_unmap(o, first, last, false);
	return 0;
}

/* --- holes --- */

u64 object_seek_data(struct object *o, u64 from)
{
	u64 size = load_acquire(&o->size), index = from >> PAGE_SHIFT;
	struct page *p;

	spin_lock(&o->lock);
	while ((p = radix_next(&o->pages, &index)) && !item_is_data(p))
		index++;
	spin_unlock(&o->lock);
	return p ? min(max(from, index << PAGE_SHIFT), size) : size;
}

u64 object_seek_hole(struct object *o, u64 from)
{
	u64 size = load_acquire(&o->size), index = from >> PAGE_SHIFT;

	spin_lock(&o->lock);
	while (index << PAGE_SHIFT < size && item_is_data(radix_find(&o->pages, index)))
		index++;
	spin_unlock(&o->lock);
	return min(max(from, index << PAGE_SHIFT), size);
}

/* The checker walks all objects. */
int object_for_each(int (*fn)(struct object *o, void *arg), void *arg)
{
	struct object *o;
	int r = 0;

	spin_lock(&objects_lock);
	list_for_each (o, &objects, link) {
		r = fn(o, arg);
		if (r)
			break;
	}
	spin_unlock(&objects_lock);
	return r;
}
