/*
 * node.h - nodes: the pages and page-table pages of the persistent tree. Private to mm.
 *
 * The one rule (DESIGN section 3): a node with more than one reference is read-only; to write, own
 * the path. node_own is the only function that makes a path writable; everything that changes a
 * table goes through it first, or is one of the two exceptions of PROTOCOL rule 7 (an edit in place
 * under the node's lock that does not change what any space sees).
 */
#ifndef MM_NODE_H
#define MM_NODE_H

#include "mm/frame.h"
#include "mm/space.h"

/* What a leaf is counted as, in each table above it. */
enum leaf_kind {
	LEAF_NONE = 0, /* immortal pages */
	LEAF_ANON,
	LEAF_FILE,
	LEAF_SHMEM,
};

static inline struct pte *table_slots(const struct page *table)
{
	return frame_data((struct page *)table);
}

static inline u32 slot_index(u64 va, u32 level)
{
	return (u32)(va >> LEVEL_SHIFT(level)) & (PTES_PER_TABLE - 1);
}

static inline struct pte *slot_of(const struct page *table, u64 va)
{
	return &table_slots(table)[slot_index(va, table->level)];
}

/* Bytes that one slot of a table of this level maps. */
static inline u64 slot_span(u32 level)
{
	return 1ull << LEVEL_SHIFT(level);
}

/*
 * Slots in a bit of table.used. Walks of whole tables pass over the groups without one: most tables
 * of a small process hold a few entries.
 */
#define TABLE_GROUP (PTES_PER_TABLE / 64)

static inline u64 slot_group(const struct page *table, const struct pte *slot)
{
	return BIT((u64)(slot - table_slots(table)) / TABLE_GROUP);
}

/* A slot of an owned table was filled, or emptied. The table's lock, or space.rw exclusive, is held. */
static inline void slot_was_filled(struct page *table, const struct pte *slot)
{
	table->populated++;
	table->table.used |= slot_group(table, slot);
}

static inline void slot_was_emptied(struct page *table)
{
	table->populated--;
	if (!table->populated)
		table->table.used = 0;
}

/* The first address from va on, which the table maps, that may be in use: a slot's, or past the table. */
static inline u64 va_in_use(const struct page *table, u64 va)
{
	u32 group = slot_index(va, table->level) / TABLE_GROUP;
	u64 left = table->table.used >> group, span = slot_span(table->level) * TABLE_GROUP;

	if (left & 1)
		return va;
	return ROUND_DOWN(va, span) + (left ? (u64)__builtin_ctzll(left) : 64 - group) * span;
}

enum leaf_kind page_leaf_kind(const struct page *p);
/* Of a populated slot of a level-1 table. */
enum leaf_kind leaf_kind(struct pte e);

/*
 * References that were taken out of tables, kept until no CPU can use them any more. Protocol: put
 * entries in; after the last store, limbo_flush (shoots what needs it, then drops). Nothing that
 * was replaced is dropped before the flush.
 */
#define LIMBO_MAX 64 /* bits of limbo.huge */
#define LIMBO_PAGES 8
struct limbo {
	struct mm *mm;
	u32 count;
	u32 npages;      /* single pages to shoot; more than LIMBO_PAGES: everything */
	bool everywhere; /* the nodes may be shared: shoot all spaces */
	u64 huge;        /* bit i: nodes[i] is a huge node, not its first page */
	struct page *nodes[LIMBO_MAX];
	u64 pages[LIMBO_PAGES];
};

void limbo_init(struct limbo *l, struct mm *mm);
static inline bool limbo_full(const struct limbo *l)
{
	return l->count == LIMBO_MAX;
}
static inline bool limbo_is_empty(const struct limbo *l)
{
	return !l->count && !l->npages;
}
/*
 * node (a page, a table, or NULL for nothing to drop) was replaced or detached at va. There must be
 * room.
 */
void limbo_add(struct limbo *l, struct page *node, u64 va);
/* The same for a reference to a huge node. */
void limbo_add_huge(struct limbo *l, struct page *head, u64 va);
/* Remember that va, or a table's whole range, must be shot. */
void limbo_shoot_page(struct limbo *l, u64 va);
void limbo_shoot_all(struct limbo *l);
/* Shoot now (the entries stay in limbo). Node locks may be held. */
void limbo_shoot(struct limbo *l);
/* Shoot and drop all. No spinlock may be held; preemptible. */
void limbo_flush(struct limbo *l);

/* A leaf of the locked leaf table stops being resident (+1), or is again or goes (-1). */
static inline void nonresident_count(struct page *table, enum leaf_kind kind, s32 delta)
{
	if (kind == LEAF_ANON)
		table->table.nonresident.anon += (u32)delta;
	else if (kind == LEAF_FILE)
		table->table.nonresident.file += (u32)delta;
	else if (kind == LEAF_SHMEM)
		table->table.nonresident.shmem += (u32)delta;
	else
		return;
	atomic_add(&mm_nonresident, (u64)(s64)delta);
}

/* A path of tables from the root down to level `level`. */
struct walk {
	struct page *table[LEVEL_ROOT + 1]; /* by level; [0] unused */
	u32 level;                          /* the lowest that is filled in */
};

/*
 * The part of va's path that is owned, from the root down: the lowest table of it. It stays owned
 * while space.rw is held.
 */
struct page *node_walk(struct mm *mm, u64 va, struct walk *w);
/*
 * Rule 2: anonymous, count 1; that every entry above is owned is the caller's. Without the leaf
 * table's lock it is a guess, perhaps at a page that is gone.
 */
static inline bool page_is_ours(struct pte e)
{
	return pte_is_resident(e) && load_relaxed(&pte_page(e)->kind) == PAGE_ANON &&
	       page_count(pte_page(e)) == 1;
}

/*
 * Own the path of va down to its leaf table, which is made if there is none. space.rw held (shared
 * or exclusive). On success the leaf table is in w->table[1]; it stays owned while space.rw is
 * held. 0 or -ENOMEM (nothing that a program can see has changed). Nodes that were replaced go to
 * limbo.
 */
int node_own(struct mm *mm, u64 va, struct walk *w, struct limbo *limbo);
/* The same, from the part on that w has of node_walk. */
int node_own_rest(struct mm *mm, u64 va, struct walk *w, struct limbo *limbo);
/*
 * The same down to the table of that level only (1 or 2); its entry for va may be anything. Towards
 * level 1 a huge leaf is split.
 */
int node_own_level(struct mm *mm, u64 va, u32 level, struct walk *w, struct limbo *limbo);
/*
 * Own the tables that the edge at va of the range [start, end) cuts through: those that hold va but
 * are not covered whole; a huge leaf there is split. Makes no other tables. space.rw exclusive. 0
 * or -ENOMEM.
 */
int node_own_edge(struct mm *mm, u64 va, u64 start, u64 end, struct limbo *limbo);

/*
 * The table that holds the leaf of va (level 2: a huge leaf; leaf_page says which page), locked,
 * owned or not (then *owned is false and nothing in it may be changed but as rule 7 allows). NULL:
 * there is none. space.rw held; the caller unlocks the table's lock.
 */
struct page *node_leaf_lock(struct mm *mm, u64 va, bool *owned);

/*
 * Change the counts of all tables of an owned path, from w->level up, for leaves that come (> 0) or
 * go. The lowest table is locked.
 */
void walk_count(struct walk *w, enum leaf_kind kind, s32 delta);

/*
 * Copy the root for fork: entries of src lose R/W, children gain a reference. space.rw of src's
 * space exclusive; dst is fresh, its user half empty.
 */
void node_copy_root(struct page *src, struct page *dst);

/* A table of this level with count 1, empty; NULL without memory; and one that goes with all it has. */
struct page *table_alloc(u32 level);
void table_free(struct page *t);

/*
 * Give up one reference to a page or table; at zero drop what is below. No spinlock may be held;
 * preemptible.
 */
void node_drop(struct page *node);

/*
 * A page for private memory with count 1, contents undefined; NULL without memory. anon_free: it
 * was never put into a tree.
 */
struct page *anon_alloc(void);
void anon_free(struct page *p);

/*
 * Detach everything in [start, end) from the tree; empty tables go too. The edges are owned
 * (node_own_edge). space.rw exclusive. Needs no memory. Flushes limbo when it is full (so no
 * spinlock may be held); the caller flushes the rest.
 */
void node_unmap(struct mm *mm, u64 start, u64 end, struct limbo *limbo);

/*
 * Leaf tables of [start, end), which a locked area covers, are or will be shared: reclaim leaves them
 * alone while they are. space.rw held.
 */
void node_pin(struct mm *mm, u64 start, u64 end);

/*
 * Call fn for each populated leaf slot in [start, end) (a huge leaf that reaches into it: once, with
 * its table at level 2), its table locked and NOT necessarily owned (PROTOCOL rule 7): fn may change the entry in place in ways that no other space can see. It stops
 * when fn returns false. space.rw held.
 */
void node_for_each_leaf(struct mm *mm, u64 start, u64 end,
			bool (*fn)(struct page *table, struct pte *slot, u64 va, void *arg),
			void *arg);

#endif
