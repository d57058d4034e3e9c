/*
 * heap.h - a pairing heap: things ordered by a 64-bit key, of which the least is at hand. Inserting
 * takes constant time, removing logarithmic (amortized), and neither needs memory. The caller locks.
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include "lib/types.h"

struct heap_node {
	u64 key;
	struct heap_node *child, *next;
	struct heap_node *prev; /* the elder sibling, or the parent of a first child */
};

/* *root: the least, NULL when empty. n is in no heap; its key is set. */
void heap_insert(struct heap_node **root, struct heap_node *n);
void heap_remove(struct heap_node **root, struct heap_node *n);
/* The node after n when all are visited, parents before children; the root is the first. NULL: none. */
struct heap_node *heap_next(const struct heap_node *n);

#endif
