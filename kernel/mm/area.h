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
#define AREA_ACCOUNT 0x100000     /* counts towards the commit charge (commit.h) */
#define AREA_LOCKONFAULT 0x200000 /* with LOCKED: pages are locked as they come, none are fetched */
#define AREA_MERGEABLE 0x400000   /* MADV_MERGEABLE was said */
#define AREA_SEALED 0x800000      /* mseal: may not be unmapped, moved or given other permissions */
/* With SHARED: of a file that was opened for reading only (Linux: VM_MAYSHARE without VM_SHARED) */
#define AREA_READ_FILE 0x1000000
/* MAP_DROPPABLE: pages may go whenever memory is short, written to or not; never locked */
#define AREA_DROPPABLE 0x2000000
/* MAP_HUGETLB: of pages of 2 MiB, or with both of 1 GiB; it is cut only between them */
#define AREA_HUGETLB 0x4000000
#define AREA_HUGETLB_GIB 0x8000000
#define AREA_LOCK_FLAGS (AREA_LOCKED | AREA_LOCKONFAULT)
/* What fork asks for. */
#define AREA_FORK_FLAGS (AREA_DONTFORK | AREA_WIPEONFORK | AREA_LOCKED | AREA_SYSV | AREA_DROPPABLE)
/* Flags for which a node keeps the OR of what is below it. */
#define AREA_SUMMARY_FLAGS (AREA_FORK_FLAGS | AREA_SEALED | AREA_HUGETLB)

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
	/* MADV_REMOVE: free what is in bytes [start, end). NULL: the object's pages are freed */
	int (*punch)(void *file, u64 start, u64 end);
	/*
	 * May it be mapped shared once more with these AREA_* flags? It may take MAY flags away. 0 or an
	 * errno. NULL: yes
	 */
	int (*remap)(void *file, u32 *flags);
};

struct area {
	struct refcount refs;
	u32 flags;             /* AREA_* */
	u64 start, end;        /* page-aligned */
	struct object *object; /* a reference; NULL: private anonymous */
	/*
	 * bytes into the object at `start`; for private anonymous areas: where `start` was when its
	 * first page was written (so that neighbours merge, but not what moved since)
	 */
	u64 offset;
	/*
	 * Which private pages it has, as far as merging asks (merge.c): 0 none yet. The space that
	 * gave it comes with it, as fork shares areas.
	 */
	u64 anon, anon_space;
	void *file; /* NULL or counted through file_ops */
	const struct area_file_ops *file_ops;
};

/* What it is, to be changed and given to area_new; without the count, which others change. */
static inline struct area area_model(const struct area *a)
{
	return (struct area){ .flags = a->flags,
			      .start = a->start,
			      .end = a->end,
			      .object = a->object,
			      .offset = a->offset,
			      .anon = load_relaxed(&a->anon),
			      .anon_space = load_relaxed(&a->anon_space),
			      .file = a->file,
			      .file_ops = a->file_ops };
}

struct area_node; /* area.c */

/* What is known at a node about all areas below it. */
struct area_summary {
	u64 bytes;       /* mapped */
	u64 account;     /* bytes with AREA_ACCOUNT: the space's commit charge */
	u64 data;        /* bytes that RLIMIT_DATA counts: private, writable, no stack */
	u64 locked;      /* bytes with AREA_LOCKED */
	u64 first, last; /* start of the first, end of the last area */
	u64 gap;         /* the largest hole between two areas below it */
	u32 count;
	u32 flags; /* OR of flags & AREA_SUMMARY_FLAGS */
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
/* The part [start, end) of a, which is in the index of `space` (an id), as a new value. */
struct area *area_part(const struct area *a, u64 start, u64 end, u64 space);

/* Does RLIMIT_DATA count areas with these flags? (Linux: private, writable, not a stack.) */
static inline bool area_is_data(u32 flags)
{
	return (flags & (AREA_WRITE | AREA_SHARED | AREA_GROWSDOWN)) == AREA_WRITE;
}

/* --- merging (merge.c) --- */
/*
 * What a space's area is known by to have private pages, 0: it has none. Two areas with different
 * identities do not merge, as on Linux, where each is an anon_vma.
 */
u64 area_anon(const struct area *a, u64 space);
/* Would low and high, which touch, be one area in `space`? */
bool area_can_merge(const struct area *low, const struct area *high, u64 space);
/*
 * The first private page comes to a, which is in the index `root` of `space`: its identity, that of
 * a neighbour it could merge with but for its permissions, else a new one.
 */
u64 area_anon_choose(const struct area_node *root, const struct area *a, u64 space);

/* --- the tree: all functions read only; the space's lock must be held (shared is enough) --- */
struct area *areas_find(const struct area_node *root,
			u64 va); /* containing va, or NULL. Borrowed */
struct area *areas_find_next(const struct area_node *root,
			     u64 va); /* the first with end > va, or NULL */
struct area *areas_find_prev(const struct area_node *root,
			     u64 va); /* the last with start < va, or NULL */
/*
 * The area containing va if no other tree shares it (or what lies above it): NULL if there is none
 * or it is shared.
 */
struct area *areas_find_sole(const struct area_node *root, u64 va);
const struct area_summary *areas_summary(const struct area_node *root);
/*
 * The highest start <= limit - size of a hole of `size` bytes in [low, limit), or 0 if there is
 * none.
 */
u64 areas_find_gap_down(const struct area_node *root, u64 low, u64 limit, u64 size);
/* The lowest start >= low, likewise. */
u64 areas_find_gap_up(const struct area_node *root, u64 low, u64 limit, u64 size);
/* In address order; stops when fn returns non-zero and returns that. */
int areas_for_each(const struct area_node *root, u64 start, u64 end,
		   int (*fn)(struct area *a, void *arg), void *arg);
/*
 * As areas_for_each, only areas with one of `flags` (of AREA_SUMMARY_FLAGS); subtrees without are not
 * visited.
 */
int areas_for_each_flag(const struct area_node *root, u32 flags,
			int (*fn)(struct area *a, void *arg), void *arg);

/*
 * --- edits: take a root (borrowed), return a new counted root (NULL is a valid, empty tree);
 * -ENOMEM leaves nothing behind ---
 */
/*
 * Replace what lies in [start, end) by `a`, which covers it and gets a reference, or by nothing when
 * NULL. Areas across the edges are shortened. `space`: whose index it is.
 */
int areas_set(struct area_node *root, u64 start, u64 end, struct area *a, u64 space,
	      struct area_node **out);
/* As areas_set, and a merges with its neighbours where they are alike (merge.c). */
int areas_replace(struct area_node *root, u64 start, u64 end, struct area *a, u64 space,
		  struct area_node **out);

void areas_get(struct area_node *root);
void areas_put(struct area_node *
		       root); /* iterative; may put objects and files, so no spinlock may be held */

void area_system_init(void);
u64 area_live_count(void); /* areas alive, for leak checks */
u64 area_node_live_count(void);

/* What an area is made of: bytes. */
static inline u64 area_unit(u32 flags)
{
	return !(flags & AREA_HUGETLB)       ? PAGE_SIZE
	       : !(flags & AREA_HUGETLB_GIB) ? 2ull << 20
					     : 1ull << 30;
}

#endif
