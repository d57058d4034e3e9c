/*
 * radix.c - a radix tree with 64-way nodes. Its height follows the largest index ever inserted;
 * empty nodes are freed at once, so that an empty map holds no memory.
 */
#include "mm/radix.h"

#include "lib/err.h"
#include "lib/print.h"
#include "mm/slab.h"

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)
#define HEIGHT_MAX 11 /* 66 bits */

struct radix_node {
	u32 used;
	u64 marks; /* slots with a mark at or below them */
	void *slots[RADIX_SLOTS];
};

static struct slab_cache node_cache;

void radix_system_init(void)
{
	slab_cache_init(&node_cache, "radix_node", sizeof(struct radix_node));
}

static u32 slot_at(u64 index, u32 height)
{
	u32 shift = (height - 1) * RADIX_BITS;

	return shift >= 64 ? 0 : (u32)(index >> shift) & (RADIX_SLOTS - 1);
}

static bool in_range(u32 height, u64 index)
{
	return height * RADIX_BITS >= 64 || index >> (height * RADIX_BITS) == 0;
}

void *const *radix_run(const struct radix *r, u64 index, u32 *count)
{
	struct radix_node *n = r->root;

	*count = RADIX_SLOTS - slot_at(index, 1);
	if (!n || !in_range(r->height, index))
		return NULL;
	for (u32 h = r->height; h > 1; h--) {
		n = n->slots[slot_at(index, h)];
		if (!n)
			return NULL;
	}
	return &n->slots[slot_at(index, 1)];
}

void *radix_find(const struct radix *r, u64 index)
{
	u32 count;
	void *const *items = radix_run(r, index, &count);

	return items ? *items : NULL;
}

/*
 * Free the nodes on index's path that hold nothing, and levels at the top that only their first
 * slot uses.
 */
static void radix_prune(struct radix *r, u64 index)
{
	struct radix_node *path[HEIGHT_MAX + 1];
	struct radix_node *n = r->root;
	u32 h = r->height, low = h;

	for (; n && h >= 1; h--) {
		path[h] = n;
		low = h;
		n = h > 1 ? n->slots[slot_at(index, h)] : NULL;
	}
	for (h = low; h <= r->height && path[h]->used == 0; h++) {
		slab_free(&node_cache, path[h]);
		if (h == r->height) {
			r->root = NULL;
			r->height = 0;
			return;
		}
		path[h + 1]->slots[slot_at(index, h + 1)] = NULL;
		path[h + 1]->used--;
	}
	while (r->height > 1 && r->root->used == 1 && r->root->slots[0]) {
		n = r->root;
		r->root = n->slots[0];
		r->height--;
		slab_free(&node_cache, n);
	}
}

/* Add levels at the top until index fits. */
static int radix_grow(struct radix *r, u64 index)
{
	while (!r->root || !in_range(r->height, index)) {
		struct radix_node *n = slab_zalloc(&node_cache);
		if (!n)
			return -ENOMEM;
		if (r->root) {
			n->slots[0] = r->root;
			n->used = 1;
			n->marks = r->root->marks != 0;
		}
		r->root = n;
		r->height++;
		if (!n->used) { /* the first node: as tall as index needs, at once */
			while (!in_range(r->height, index))
				r->height++;
		}
	}
	return 0;
}

int radix_insert(struct radix *r, u64 index, void *item)
{
	if (radix_grow(r, index)) {
		if (r->root)
			radix_prune(r, 0);
		return -ENOMEM;
	}
	struct radix_node *n = r->root;
	for (u32 h = r->height; h > 1; h--) {
		void **slot = &n->slots[slot_at(index, h)];

		if (!*slot) {
			*slot = slab_zalloc(&node_cache);
			if (!*slot) {
				radix_prune(r, index);
				return -ENOMEM;
			}
			n->used++;
		}
		n = *slot;
	}
	assert(!n->slots[slot_at(index, 1)]);
	n->slots[slot_at(index, 1)] = item;
	n->used++;
	return 0;
}

void radix_replace(struct radix *r, u64 index, void *item)
{
	struct radix_node *n = r->root;

	for (u32 h = r->height; h > 1; h--)
		n = n->slots[slot_at(index, h)];
	assert(n->slots[slot_at(index, 1)]);
	n->slots[slot_at(index, 1)] = item;
}

void radix_mark(struct radix *r, u64 index)
{
	struct radix_node *n = r->root;

	for (u32 h = r->height; h > 1; h--) {
		n->marks |= BIT(slot_at(index, h));
		n = n->slots[slot_at(index, h)];
	}
	assert(n->slots[slot_at(index, 1)]);
	n->marks |= BIT(slot_at(index, 1));
}

void radix_unmark(struct radix *r, u64 index)
{
	struct radix_node *path[HEIGHT_MAX + 1];
	struct radix_node *n = r->root;

	if (!n || !in_range(r->height, index))
		return;
	for (u32 h = r->height; h >= 1; h--) {
		if (!(n->marks & BIT(slot_at(index, h))))
			return;
		path[h] = n;
		n = n->slots[slot_at(index, h)];
	}
	for (u32 h = 1; h <= r->height; h++) {
		path[h]->marks &= ~BIT(slot_at(index, h));
		if (path[h]->marks)
			return;
	}
}

void *radix_remove(struct radix *r, u64 index)
{
	struct radix_node *n = r->root;

	if (!n || !in_range(r->height, index))
		return NULL;
	for (u32 h = r->height; n && h > 1; h--)
		n = n->slots[slot_at(index, h)];
	if (!n)
		return NULL;
	void *item = n->slots[slot_at(index, 1)];
	if (!item)
		return NULL;
	radix_unmark(r, index);
	n->slots[slot_at(index, 1)] = NULL;
	n->used--;
	radix_prune(r, index);
	return item;
}

/* The first slot from i on with a mark, or, without `marked`, with anything. */
static u32 node_slot(const struct radix_node *n, u32 i, bool marked)
{
	if (marked) {
		u64 left = i < RADIX_SLOTS ? n->marks >> i : 0;

		return left ? i + (u32)__builtin_ctzll(left) : RADIX_SLOTS;
	}
	while (i < RADIX_SLOTS && !n->slots[i])
		i++;
	return i;
}

static void *node_next(const struct radix_node *n, u32 height, u64 *index, u64 base, bool marked)
{
	u32 shift = (height - 1) * RADIX_BITS;
	u32 i = *index > base ? (u32)((*index - base) >> shift) : 0;

	for (i = node_slot(n, i, marked); i < RADIX_SLOTS; i = node_slot(n, i + 1, marked)) {
		u64 at = base + ((u64)i << shift);
		void *item = n->slots[i];

		if (height == 1) {
			*index = at;
			return item;
		}
		item = node_next(item, height - 1, index, at, marked);
		if (item)
			return item;
	}
	return NULL;
}

static void *next_item(const struct radix *r, u64 *index, bool marked)
{
	if (!r->root || !in_range(r->height, *index))
		return NULL;
	return node_next(r->root, r->height, index, 0, marked);
}

void *radix_next(const struct radix *r, u64 *index)
{
	return next_item(r, index, false);
}

void *radix_next_marked(const struct radix *r, u64 *index)
{
	return next_item(r, index, true);
}
