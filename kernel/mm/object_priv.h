/*
 * object_priv.h - what the files of the page cache share: object.c (life, index, filling, bytes,
 * truncation), writeback.c (the dirty set), evict.c (taking idle pages out). Private to mm.
 */
#ifndef MM_OBJECT_PRIV_H
#define MM_OBJECT_PRIV_H

#include "mm/object.h"
#include "mm/page.h"

/* Most pages that are read in or written out by one request. */
#define RUN_PAGES 32u

/*
 * What the index of an object has for a page: the page, or, of a memory object, the tagged number of
 * the swap slot that its bytes are in.
 */
static inline bool item_is_slot(const void *item)
{
	return (u64)item & 1;
}

static inline void *item_of_slot(u64 slot)
{
	return (void *)(slot << 1 | 1);
}

static inline u64 item_slot(const void *item)
{
	return (u64)item >> 1;
}

/* --- object.c --- */
/* A frame for a page of o: locked, not up to date, in no index. NULL without memory. */
struct page *object_page_new(struct object *o);
/* Such frames are not needed after all. */
void object_pages_free(struct page **pages, u32 count);
/*
 * o->lock held: what o and its page keep of each other when the page is put into the index, or has
 * been taken out.
 */
void object_page_enter(struct object *o, struct page *p, u64 index);
void object_page_leave(struct object *o, struct page *p);
/* Take a page out of the index. o->lock held. The cache's count is the caller's to give up. */
void object_page_detach(struct object *o, struct page *p);
/* How many objects there are. */
u64 object_count(void);
/*
 * The object at the head of the list of all, which goes to its end: so that who looks at
 * object_count() of them has seen each once, and who comes next begins where the last one stopped.
 * Counted (object_put it); NULL when it is not wanted, or just going.
 */
struct object *objects_rotate(bool (*wanted)(const struct object *o));

static inline u64 object_pages_of_size(const struct object *o)
{
	return DIV_ROUND_UP(load_acquire(&o->size), PAGE_SIZE);
}

/* --- writeback.c --- */
/* o->lock held, the page is o's. */
void object_page_dirty_locked(struct object *o, struct page *p);
/* o->lock held: the page is no longer dirty, or has left the object. */
void object_page_undirty(struct object *o, struct page *p);

/* --- object_swap.c --- */
/*
 * Bring the page at index back from its slot, and perhaps some behind it: 0: done, or there is
 * something else by now; -ENOMEM, -EIO. May sleep.
 */
int object_swap_in(struct object *o, u64 index, u64 slot);

/* --- evict.c --- */
/* Drop the idle pages of [first, end), used lately or not, unless they are memory. */
void object_drop_idle(struct object *o, u64 first, u64 end);

#endif
