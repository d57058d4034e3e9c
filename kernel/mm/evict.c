/*
 * evict.c - taking idle pages out of the page cache.
 *
 * Only a page whose sole reference is the cache goes, and only a clean one: its bytes can be read
 * again, or, in an object that is memory, are the zeros of a hole that was looked at. There is no list of pages in the order of use: a hand goes round all objects, and inside
 * each from where it stopped, and passes by once what was used since.
 */
#include "mm/object_priv.h"

#define SCAN_PAGES 512u /* that are looked at without giving the lock up */

/* Pages of an object that is memory are gone. */
static void memory_uncharge(struct object *o, u64 pages)
{
	if (pages && o->ops->page_uncharge)
		o->ops->page_uncharge(o, pages);
}

/* o->lock held. */
static bool page_is_idle(const struct page *p)
{
	return page_count(p) == 1 && !page_has(p, PAGE_LOCKED | PAGE_DIRTY) && page_is_uptodate(p);
}

/*
 * Take up to max idle pages out, going on where the last call stopped: how many. *ended: the end
 * was reached, and the next call begins at the start.
 */
static u64 evict_part(struct object *o, u64 max, bool *ended)
{
	u64 done = 0, index;
	struct page *p;

	spin_lock(&o->lock);
	index = o->evict_next;
	for (u32 seen = 0; done < max && seen < SCAN_PAGES; seen++, index++) {
		p = radix_next(&o->pages, &index);
		if (!p)
			break;
		if (item_is_slot(p) || !page_is_idle(p))
			continue;
		if (page_has(p, PAGE_REFERENCED)) { /* a second chance */
			page_flag_clear(p, PAGE_REFERENCED);
			continue;
		}
		object_page_detach(o, p);
		page_put(p);
		done++;
	}
	*ended = !radix_next(&o->pages, &index);
	o->evict_next = *ended ? 0 : index;
	spin_unlock(&o->lock);
	memory_uncharge(o, done);
	return done;
}

void object_drop_idle(struct object *o, u64 first, u64 end)
{
	struct page *p;

	if (o->flags & OBJECT_SHMEM)
		return;
	do {
		spin_lock(&o->lock);
		for (u32 seen = 0; seen < SCAN_PAGES; seen++, first++) {
			p = radix_next(&o->pages, &first);
			if (!p || first >= end)
				break;
			if (item_is_slot(p) || !page_is_idle(p))
				continue;
			object_page_detach(o, p);
			page_put(p);
		}
		p = radix_next(&o->pages, &first);
		spin_unlock(&o->lock);
		cpu_preempt_point();
	} while (p && first < end);
}

void object_page_release(struct object *o, struct page *p)
{
	bool released = false;

	spin_lock(&o->lock);
	if (p->cache.object == o && page_count(p) == 2 && page_is_uptodate(p) &&
	    !page_has(p, PAGE_LOCKED | PAGE_DIRTY) && !load_relaxed(&o->unswappable)) {
		object_page_detach(o, p);
		page_put(p); /* the cache's */
		released = true;
	}
	spin_unlock(&o->lock);
	memory_uncharge(o, released);
}

static bool has_clean_pages(const struct object *o)
{
	return load_relaxed(&o->page_count) > load_relaxed(&o->dirty_count) &&
	       !load_relaxed(&o->unswappable);
}

u64 object_evict(u64 max)
{
	/* Twice round: the first may only take the second chances away. */
	u64 done = 0, looks = 2 * object_count() + 1;

	while (done < max && looks--) {
		struct object *o = objects_rotate(has_clean_pages);
		bool ended = false;

		if (!o)
			continue;
		while (done < max && !ended) {
			done += evict_part(o, max - done, &ended);
			cpu_preempt_point();
		}
		object_put(o);
	}
	return done;
}
