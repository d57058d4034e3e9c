/*
 * heap.c - pairing heaps. Every node's key is at most its children's; children are a list. Removing
 * a node melds its children in pairs, then the pairs.
 */
#include "lib/heap.h"

static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (b->key < a->key) {
		struct heap_node *lesser = b;

		b = a;
		a = lesser;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* One heap of a list of siblings. */
static struct heap_node *meld_siblings(struct heap_node *first)
{
	struct heap_node *pairs = NULL, *root = NULL;

	while (first) {
		struct heap_node *a = first, *b = a->next, *pair;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs) {
		struct heap_node *next = pairs->next;

		pairs->next = NULL;
		root = meld(root, pairs);
		pairs = next;
	}
	return root;
}

void heap_insert(struct heap_node **root, struct heap_node *n)
{
	n->child = n->next = n->prev = NULL;
	*root = meld(*root, n);
}

void heap_remove(struct heap_node **root, struct heap_node *n)
{
	struct heap_node *below = meld_siblings(n->child);

	if (*root == n) {
		*root = below;
	} else {
		if (n->prev->child == n)
			n->prev->child = n->next;
		else
			n->prev->next = n->next;
		if (n->next)
			n->next->prev = n->prev;
		*root = meld(*root, below);
	}
	n->child = n->next = n->prev = NULL;
}

struct heap_node *heap_next(const struct heap_node *n)
{
	if (n->child)
		return n->child;
	while (n) {
		if (n->next)
			return n->next;
		/* Up: past the elder siblings to the parent. */
		while (n->prev && n->prev->child != n)
			n = n->prev;
		n = n->prev;
	}
	return NULL;
}
