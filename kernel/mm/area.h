/*
 * area.h - areas: contiguous ranges of a space with the same attributes, in a persistent search
 * tree.
 *
 * An area is an immutable, counted value. The index is a persistent treap keyed by address: its
 * nodes are counted, shared by fork, and copied when changed, like page tables. An edit builds a
 * new root beside the old one and can fail without a trace; publishing it is one store under
 * space.rw exclusive.
 */
#ifndef MM_AREA_H
#define MM_AREA_H

#include "lib/atomic.h"
#include "lib/types.h"
#include "mm/object.h"

/* No area lies below: a null pointer always faults (Linux: vm.mmap_min_addr). */
#define MAP_ADDRESS_MIN 65536ull

/* Permissions, numerically PROT_* of Linux. */
#define AREA_READ 0x1
#define AREA_WRITE 0x2
#define AREA_EXEC 0x4
#define AREA_PROT 0x7
#define AREA_SHARED 0x8   /* MAP_SHARED; else private copy-on-write */
#define AREA_MAYREAD 0x10 /* mprotect may grant these */
#define AREA_MAYWRITE 0x20
#define AREA_MAYEXEC 0x40
#define AREA_GROWSDOWN 0x80
#define AREA_STACK 0x100 /* the main stack */
#define AREA_DONTFORK 0x200
#define AREA_WIPEONFORK 0x400
#define AREA_LOCKED 0x800
/*
 * Its file counts the areas that map it (System V shared memory): no two spaces share the value,
 * and it never takes another area in.
 */
#define AREA_SYSV 0x1000
#define AREA_NORESERVE 0x2000
#define AREA_SPECIAL 0x4000 /* vDSO: no remap, no dump */
#define AREA_DONTDUMP 0x8000
#define AREA_SEQ_READ 0x10000
#define AREA_RAND_READ 0x20000
#define AREA_HUGEPAGE 0x40000
#define AREA_NOHUGEPAGE 0x80000
#define AREA_ACCOUNT 0x100000 /* counts towards the commit charge */
/* Flags for which a node keeps the OR of what is below it. */
#define AREA_FORK_FLAGS (AREA_DONTFORK | AREA_WIPEONFORK | AREA_LOCKED | AREA_SYSV)

/*
 * What an area that maps a file holds beside the object: the open file, for its name and its life.
 * fs/ implements it.
 */
struct area_file_ops {
	void (*get)(void *file);
	void (*put)(void *file);
	/*
	 * For /proc/PID/maps: the path (at most size-1 bytes, terminated), and device and inode
	 * numbers.
	 */
	void (*describe)(void *file, char *path, size_t size, u64 *dev, u64 *ino);
	/* msync: as fdatasync(2), of bytes [start, end). NULL: the object's pages are written out */
	int (*sync)(void *file, u64 start, u64 end);
};

struct area {
	struct refcount refs;
	u32 flags;             /* AREA_* */
	u64 start, end;        /* page-aligned */
	struct object *object; /* a reference; NULL: private anonymous */
	/*
	 * bytes into the object at `start`; for anonymous areas: start (so that neighbours merge)
	 */
	u64 offset;
	void *file; /* NULL or counted through file_ops */
	const struct area_file_ops *file_ops;
};

struct area_node; /* area.c */

/* What is known at a node about all areas below it. */
struct area_summary {
	u64 bytes;       /* mapped */
	u64 first, last; /* start of the first, end of the last area */
	u64 gap;         /* the largest hole between two areas below it */
	u32 count;
	u32 flags; /* OR of flags & AREA_FORK_FLAGS */
};

/* --- areas --- */
struct area *
area_new(const struct
	 /* a counted copy, taking references on object and file; NULL without memory */
	 area *model);
void area_put(struct area *a);
static inline void area_get(struct area *a)
{
	ref_get(&a->refs);
}
/* The part [start, end) of a, as a new value. */
struct area *area_part(const struct area *a, u64 start, u64 end);
bool area_can_merge(const struct area *low, const struct area *high);

/* --- the tree: all functions read only; the space's lock must be held (shared is enough) --- */
struct area *areas_find(const struct area_node *root,
			u64 va); /* containing va, or NULL. Borrowed */
struct area *areas_find_next(const struct area_node *root,
			     u64 va); /* the first with end > va, or NULL */
struct area *areas_find_prev(const struct area_node *root,
			     u64 va); /* the last with start < va, or NULL */
struct area_summary areas_summary(const struct area_node *root);
/*
 * The highest start <= limit - size of a hole of `size` bytes in [low, limit), or 0 if there is
 * none.
 */
u64 areas_find_gap_down(const struct area_node *root, u64 low, u64 limit, u64 size);
u64 areas_find_gap_up(const struct area_node *root, u64 low, u64 limit, u64 size);
/* In address order; stops when fn returns non-zero and returns that. */
int areas_for_each(const struct area_node *root, u64 start, u64 end,
		   int (*fn)(struct area *a, void *arg), void *arg);
/*
 * As areas_for_each, only areas with one of `flags` (of AREA_FORK_FLAGS); subtrees without are not
 * visited.
 */
int areas_for_each_flag(const struct area_node *root, u32 flags,
			int (*fn)(struct area *a, void *arg), void *arg);

/*
 * --- edits: take a root (borrowed), return a new counted root (NULL is a valid, empty tree);
 * -ENOMEM leaves nothing behind ---
 */
int areas_insert(struct area_node *root, struct area *a,
		 struct area_node **out); /* takes its own reference on a; must not overlap */
int areas_cut(struct area_node *root, u64 start, u64 end,
	      struct area_node **out); /* without [start, end); areas on the edges are shortened */
/*
 * Replace what lies in [start, end) by `a` (or by nothing when NULL), merging with neighbours where
 * they are alike.
 */
int areas_replace(struct area_node *root, u64 start, u64 end, struct area *a,
		  struct area_node **out);

void areas_get(struct area_node *root);
void areas_put(struct area_node *
		       root); /* iterative; may put objects and files, so no spinlock may be held */

void area_system_init(void);
u64 area_live_count(void); /* areas alive, for leak checks */
u64 area_node_live_count(void);

#endif
