/*
 * frame.h - physical frames: their descriptors, their counts, and the allocator.
 *
 * A frame is named by its descriptor, `struct page *`. Descriptors are 24 bytes, counts a separate
 * dense array of 32 bits: 28 bytes a frame. A count is (PROTOCOL, invariant R): tree entries +
 * roots + membership in the page cache or swap cache. Code that works on a *cache* page with no lock held
 * (read(2), a fault that sleeps) may hold one more for the while; nobody may do that with an
 * anonymous page or a table, because "count is 1" decides about their ownership.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "lib/atomic.h"
#include "lib/list.h"
#include "lib/lock.h"
#include "mm/machine.h"
#include "mm/shortage.h"

enum page_kind {
	PAGE_FREE = 0, /* in the allocator */
	PAGE_RESERVED, /* not ours: firmware, kernel image, holes */
	PAGE_KERNEL,   /* allocated to the kernel: stacks, slabs, device queues */
	PAGE_SLAB,
	PAGE_TABLE,    /* a node of level 1-4 */
	PAGE_ANON,     /* a page of private memory: a node of level 0 */
	PAGE_CACHE,    /* a page of an object: file or shared memory */
	PAGE_IMMORTAL, /* zero page, vDSO: mapped without being counted */
	PAGE_KINDS
};

/*
 * Flags of a page (struct page.flags): of the page cache, or of a private page while it is in the
 * swap cache (else 0). Guarded by the page lock bit PAGE_LOCKED itself, DIRTY of a cache page by
 * object.lock.
 */
#define PAGE_LOCKED 0x1     /* being filled, written out or truncated: page_lock() */
#define PAGE_UPTODATE 0x2   /* holds the object's bytes */
#define PAGE_DIRTY 0x4      /* in its object's dirty set */
#define PAGE_REFERENCED 0x8 /* used since eviction last looked */
#define PAGE_SHMEM 0x10     /* its object is memory, not a file: counted as RssShmem */
#define PAGE_WRITING 0x2000 /* its bytes are on the way out (object.lock) */
/* A shared leaf may be writable: set under the page's lock before it becomes so (writeback.c). */
#define PAGE_MAPPED_WRITE 0x4000
#define PAGE_SWAPCACHE 0x20 /* private: in the swap cache; cache.index is its slot */
/* Memory that fallocate(2) made and nobody has asked for since: zeros, and told as a hole. */
#define PAGE_ALLOCATED 0x40

struct page {
	struct spinlock lock; /* of a node */
	union {
		struct {
			u8 kind; /* enum page_kind */
			/*
			 * table: 1-4; head of a free block: order + 1; of an allocated block or
			 * huge node: order
			 */
			u8 level;
		};
		/* Both at once: the allocator looks at frames that are somebody else's. */
		u16 kind_level;
	};
	union {
		struct {                    /* table */
			u16 populated : 10; /* slots in use, N */
			u16 round : 3;      /* T: of the reclaim clock, when it was last visited */
			/*
			 * T: it was copied or is a copy, so what it refers to may have other
			 * owners
			 */
			u16 copied : 1;
			u16 aged : 1;   /* T: leaf table: accessed bits were cleared in it */
			u16 pinned : 1; /* T: leaf table: node_pin */
		};
		u16 flags; /* page: PAGE_* */
		u16 inuse; /* slab: objects in use */
	};
	union {
		struct {
			/*
			 * N: leaves below, resident or not: private pages, pages of files, pages of
			 * shared memory
			 */
			u32 anon, file, shmem;
			/* T: leaf table: how many of them are markers (truncated, reclaimed) */
			struct {
				u32 anon : 10, file : 10, shmem : 10;
			} nonresident;
			/*
			 * N: bit g: slots of group g (TABLE_GROUP of them) may be in use; of the
			 * root, in the user half
			 */
			u64 used;
		} table;
		struct {
			struct object *object; /* NULL once detached (truncated); object.lock */
			u64 index;             /* page number in the object */
		} cache;
		/* the first page of a huge node (huge.h); the page's own place in the swap cache is
		 * below */
		struct {
			u32 refs;   /* A: entries at level 2 */
			u16 found;  /* of them, by the checker (modulo 2^16); 0 otherwise */
			u16 parted; /* A: a split gave pages references of their own */
		} huge;
		struct list free; /* allocator: in the list of its order */
		struct {
			void *freelist;
			struct slab_cache *cache;
		} slab;
	};
};
/*
 * N: changed by the owner of the path: the sums atomically, since several threads may own the same
 * path; populated and used under the table's lock, or with space.rw exclusive. T: under the table's
 * lock, by anyone.
 */

_Static_assert(sizeof(struct page) == PAGE_DESCRIPTOR_SIZE, "frame descriptor size");
_Static_assert(sizeof(((struct page *)0)->huge) <= 8,
	       "a huge node's first page may be in the swap cache");

extern struct page *frame_table; /* descriptor of frame 0 */
extern u32 *frame_counts;        /* dense, parallel to frame_table */
extern u64 frame_total;          /* frames in frame_table, holes included */
extern u64 frame_managed;        /* frames that the allocator was given */
extern struct page *zero_page;

static inline u64 page_number(const struct page *p)
{
	return (u64)(p - frame_table);
}

static inline u32 *page_count_slot(const struct page *p)
{
	return &frame_counts[page_number(p)];
}

static inline u32 page_count(const struct page *p)
{
	return load_acquire(page_count_slot(p));
}

struct memory_range {
	u64 start, end; /* physical bytes */
};

/*
 * Start the allocator: usable lists RAM (ascending, disjoint), reserved what in it is taken (kernel
 * image, launch record). Places frame_table and frame_counts itself, in the first usable range that
 * has room. Needs frame_data to work for all of usable.
 */
void frame_init(const struct memory_range *usable, u32 nusable, const struct memory_range *reserved,
		u32 nreserved);
/* Give back memory that frame_init was told is reserved (the launch record once it is read). */
void frame_release_range(u64 start, u64 end);

#define FRAME_ORDER_MAX 10

/*
 * So many frames are for the kernel's own use: allocations of user memory (PAGE_ANON, PAGE_CACHE,
 * PAGE_TABLE) fail when no more are free, unless the thread is being killed. 0 until it is set.
 */
extern u64 frame_reserve;

/*
 * 2^order frames, aligned to their size, of kind `kind`, each with count 1; contents undefined
 * (poisoned in debug builds). NULL when there are none: the caller unwinds. Never sleeps. Any lock
 * below RANK_FRAME may be held.
 */
struct page *frame_alloc_order(u32 order, enum page_kind kind);
void frame_free_order(struct page *p, u32 order);
static inline struct page *frame_alloc(enum page_kind kind)
{
	return frame_alloc_order(0, kind);
}
static inline void frame_free(struct page *p)
{
	frame_free_order(p, 0);
}
/*
 * Frames for tables (PAGE_TABLE): they hold zeros, and should lie near each other. free: the caller says
 * that it holds zeros again, and that making it so cost little. Otherwise as frame_alloc and frame_free.
 */
struct page *frame_alloc_table(void);
void frame_free_table(struct page *p);
/* One frame for reclaim's own needs: as frame_alloc, the reserve included. */
struct page *frame_alloc_reserved(enum page_kind kind);
u64 frame_free_count(void);
/* Are there fewer? Costs little where there are many. */
bool frame_free_is_below(u64 n);
/* Frames that were given out, and given back, since boot. */
void frame_event_counts(u64 *allocated, u64 *freed);

/*
 * The count of an immortal page: it stays so. That it is in the count, too, and not in the kind alone,
 * spares who copies a table of 512 entries as many descriptors, which no cache may hold. A count that
 * came so far by itself would stay as well: a page lost, and not one freed in use.
 */
#define COUNT_IMMORTAL BIT(31)

/* From now on a frame of the kernel's is mapped without being counted, and never freed. */
void frame_make_immortal(struct page *p);

/* One more tree entry, root, or cache membership. Immortal pages are not counted. */
static inline void page_get(struct page *p)
{
	u32 *count = page_count_slot(p);

	if (!(load_relaxed(count) & COUNT_IMMORTAL))
		atomic_add(count, 1);
}

/* One less: was it the last? */
static inline bool page_count_drop(struct page *p)
{
	u32 *count = page_count_slot(p);

	return !(load_relaxed(count) & COUNT_IMMORTAL) && atomic_sub_return(count, 1) == 0;
}
/*
 * Give one up; frees the frame when it was the last. For pages (level 0); tables are dropped by
 * node_drop.
 */
void page_put(struct page *p);

#endif
