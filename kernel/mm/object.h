/*
 * object.h - objects: sources of pages by offset, and the one page cache.
 *
 * An object is a file's contents or shared memory; private anonymous memory has none (its pages
 * live in the tree alone). read(2), write(2), mmap, truncate all go through the object's pages, so
 * they are coherent. Where pages come from is the business of a table of operations; nothing here
 * asks what kind an object is.
 */
#ifndef MM_OBJECT_H
#define MM_OBJECT_H

#include "lib/atomic.h"
#include "lib/err.h"
#include "lib/lock.h"
#include "mm/frame.h"
#include "mm/radix.h"

struct object;

struct object_ops {
	/*
	 * Fill `count` pages from page `index` on (locked, contiguous in the object, not up to
	 * date); sets nothing but their bytes. The part beyond the object's size is zeroed. May
	 * sleep. 0 or negative errno (then none counts as filled). NULL: pages start as zeros
	 * (memory).
	 */
	int (*read_pages)(struct object *o, u64 index, struct page **pages, u32 count);
	/*
	 * Write `count` dirty, locked pages (at most 32, contiguous in the object, from page
	 * `index` on) to where they belong, as far as they lie below the size. NULL: stays in
	 * memory and swap (never evicted while dirty). May sleep. 0 or negative errno.
	 */
	int (*write_pages)(struct object *o, u64 index, struct page **pages, u32 count);
	/*
	 * May the object grow by so many pages of memory? Called before the first page is put at an
	 * index (tmpfs limits): 0 or -ENOSPC. NULL: yes.
	 */
	int (*page_charge)(struct object *o);
	void (*page_uncharge)(struct object *o, u64 pages);
	/* The last reference is gone and all pages are dropped: free the containing structure. */
	void (*free)(struct object *o);
};

struct object {
	struct refcount refs;
	u32 flags; /* OBJECT_*; constant */
	const struct object_ops *ops;
	struct spinlock lock; /* O */
	/* O: index -> struct page, or a swap slot; those dirty or being written are marked */
	struct radix pages;
	u64 page_count;   /* O: pages present */
	u64 swapped;      /* O: pages whose bytes are in swap slots */
	u64 dirty_count;  /* O */
	u64 writing;      /* O: pages that are being written out */
	u64 dirty_since;  /* A: when the first page became dirty (writeback.h) */
	u64 write_next;   /* A: where writing some pages out goes on */
	u64 evict_next;   /* O: where eviction goes on */
	bool stored;      /* A: through a mapping; see object_was_stored_to */
	bool kept_dirty;  /* A: not to be written out in the background */
	bool unswappable; /* A: stays in memory (SHM_LOCK) */
	struct {
		int error;   /* of the last write-out that failed */
		u32 count;   /* of failures */
		bool untold; /* nobody was told of the last */
	} error;             /* O */
	u64 size;            /* bytes; written under size_lock exclusive; atomic reads */
	struct rwlock
		size_lock; /* shared: read, write, fault in; exclusive: change size, truncate */
	u64 charged;       /* atomic: pages of commit charge (commit.h); its operations keep it */
	u64 mapped_areas;  /* atomic: areas that map it; 0 spares truncate its walk */
	struct list link;  /* in the list of all objects (eviction, statistics) */
};

#define OBJECT_SHMEM 0x1 /* memory: pages count as shared memory, and stay until the object goes */

/* Initialise an object embedded in a larger structure; one reference, for the caller. */
void object_init(struct object *o, const struct object_ops *ops, u32 flags, u64 size);
static inline void object_get(struct object *o)
{
	ref_get(&o->refs);
}
void object_put(struct object *o); /* may sleep (drops pages) */

/*
 * The page at index, up to date, with a temporary reference (page_put it); reads it in (and some
 * ahead) if need be. May sleep. *major is set to true when it waited for I/O (may be NULL).
 * ERR_PTR: -ENOMEM, -EIO, -ENOSPC, or -EFAULT for a page wholly beyond the size.
 */
struct page *object_page(struct object *o, u64 index, bool *major);
/* The same; if it is read, so are the missing ones of `count` pages from it on. */
struct page *object_page_ahead(struct object *o, u64 index, u32 count, bool *major);
/*
 * The page if it is resident, up to date and no hole, with a temporary reference; else NULL. Never
 * sleeps.
 */
struct page *object_page_resident(struct object *o, u64 index);
/*
 * Memory that nobody has written, nor brought in to a map of it, though it may be allocated: its
 * bytes are zeros, and to read them takes no page.
 */
bool object_is_hole(struct object *o, u64 index);
/*
 * Such pages of [first, first + max): pages[i] is NULL where there is none. They stay, and stay o's,
 * until object_pages_release: o is locked. For fault-around.
 */
void object_pages_hold(struct object *o, u64 first, u32 max, struct page **pages);
void object_pages_release(struct object *o);

/*
 * The page at index to be written to, with a temporary reference: as object_page, but a page beyond
 * the size is made (zeros), and one that will be overwritten whole (`whole`) is not read in. After
 * writing: object_page_dirty, then object_grow if the write went past the size.
 */
struct page *object_page_write(struct object *o, u64 index, bool whole);
/*
 * fallocate(2): the page at index has its memory from now on, also beyond the size. As in Linux's
 * tmpfs it stays a hole to mincore(2), read(2) and lseek(2) until somebody uses it, or allocates it
 * a second time. 0, -ENOMEM, -EIO or -ENOSPC. May sleep.
 */
int object_page_allocate(struct object *o, u64 index);
/* The size becomes at least `size`. The caller keeps truncate out (the inode's lock). */
void object_grow(struct object *o, u64 size);

/*
 * Bytes from or to the cache; buf is kernel memory. Short counts at the size (read). write extends
 * the size. 0 <= result <= n, or negative errno if nothing was done.
 */
ssize object_read(struct object *o, void *buf, size_t n, u64 offset);
ssize object_write(struct object *o, const void *buf, size_t n, u64 offset);

/* The page was written to (fs/ copies to a page that it holds, not locked): into the dirty set. */
void object_page_dirty(struct object *o, struct page *p);
/* A shared leaf of the page, which is locked, is about to become writable. For faults. */
void object_page_dirty_mapped(struct object *o, struct page *p);

/*
 * p is counted, by the caller: take it out of the cache if it is one of o's, clean, and nobody else
 * has it: its bytes can be had again, or are zeros.
 */
void object_page_release(struct object *o, struct page *p);

/*
 * Set the size: pages beyond are detached and unmapped everywhere (markers that fault with SIGBUS),
 * the tail of the last page is zeroed. 0 or errno. May sleep.
 */
int object_truncate(struct object *o, u64 size);
/* Free the whole pages of [start, end) (hole punching); the partial ones are zeroed. */
int object_punch(struct object *o, u64 start, u64 end);
/*
 * Write dirty pages of [start, end) (bytes) out, and wait for those that others are writing: 0 or
 * the first error of its own (object_error_check tells of all). No lock of RANK_SPACE or above may
 * be held.
 */
int object_sync(struct object *o, u64 start, u64 end);
/* Wait until what others are writing out of [start, end) (bytes) is written. */
void object_sync_wait(struct object *o, u64 start, u64 end);
/* Has a page become writable through a shared mapping since this was last asked? */
static inline bool object_was_stored_to(struct object *o)
{
	return load_relaxed(&o->stored) && atomic_exchange(&o->stored, false);
}
/* Is there anything that a sync would write or wait for? */
static inline bool object_needs_sync(const struct object *o)
{
	return load_relaxed(&o->dirty_count) || load_relaxed(&o->writing);
}
/*
 * For memory pressure: write out up to max dirty pages of any objects; waits for no page lock and
 * takes no lock of fs/ but what write_pages takes. How many became clean. No spinlock, space lock,
 * page lock or object lock may be held. May sleep.
 */
u64 object_clean(u64 max);
/*
 * For memory pressure: move up to max pages that belong nowhere else (of memory objects, or dirty
 * without write_pages) and that nothing but the cache refers to, to swap: how many are gone. Locks as for object_clean.
 */
u64 object_swap_out(u64 max);
/* How many pages of [first, end) are in swap. Locks as for object_clean, or space.rw held. */
u64 object_swapped(struct object *o, u64 first, u64 end);
/*
 * For swapoff: bring back what is in slots of the device. 0, -ENOMEM, -EIO, -EINTR; *filled counts up.
 * No lock may be held. May sleep, long.
 */
int object_swap_in_all(const void *device, u64 *filled);
/*
 * Errors of write-out are told once to each open file: the file keeps what object_error_sample gave
 * when it was opened; object_error_check is 0, or the error of a failure since, and notes that it
 * was told.
 */
u32 object_error_sample(struct object *o);
int object_error_check(struct object *o, u32 *seen);
/*
 * Drop clean pages that nobody else holds, at most max, over all objects: how many. For memory
 * pressure.
 */
u64 object_evict(u64 max);
/*
 * The whole pages of [start, end) (bytes) will not be needed: write dirty ones out, without waiting
 * for others, and drop what nobody else holds. May sleep.
 */
void object_forget(struct object *o, u64 start, u64 end);
/*
 * First offset >= from that is data (or a hole): for SEEK_DATA and SEEK_HOLE of memory objects.
 * size if none.
 */
u64 object_seek_data(struct object *o, u64 from);
u64 object_seek_hole(struct object *o, u64 from);

/* Calls fn for each object; it may not sleep. For the checker and statistics. */
int object_for_each(int (*fn)(struct object *o, void *arg), void *arg);
void object_system_init(void);
u64 object_cache_frames(void); /* frames in the page cache, radix nodes not counted */
u64 object_shmem_frames(void);
u64 object_dirty_frames(void);   /* dirty ones that belong somewhere else */
u64 object_writing_frames(void); /* on their way there */
u64 object_dirtied(void);        /* how often one became dirty, since boot */

#endif
