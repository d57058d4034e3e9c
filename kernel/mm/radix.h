/*
 * radix.h - a map from page number to pointer: the index of an object's pages. The caller locks.
 */
#ifndef MM_RADIX_H
#define MM_RADIX_H

#include "lib/types.h"

struct radix {
	struct radix_node *root;
	u32 height; /* levels; 0: empty */
};

void radix_system_init(void);
void *radix_find(const struct radix *r, u64 index);
/*
 * Where the items from index on are that lie side by side: *count of them, at least one; NULL: there
 * is none of them.
 */
void *const *radix_run(const struct radix *r, u64 index, u32 *count);
/* Put item (not NULL) at an index that has none. 0 or -ENOMEM (nothing changed). */
int radix_insert(struct radix *r, u64 index, void *item);
/* Put item in the place of the one at index; there is one. */
void radix_replace(struct radix *r, u64 index, void *item);
/* Take out and return what is at index, or NULL. Frees nodes that become empty. */
void *radix_remove(struct radix *r, u64 index);
/*
 * Mark the item at index (there is one), or take the mark away (there need be none). A new item has
 * no mark; one that replaces another keeps that one's.
 */
void radix_mark(struct radix *r, u64 index);
void radix_unmark(struct radix *r, u64 index);
/* As radix_next, marked items only: what is not marked costs nothing. */
void *radix_next_marked(const struct radix *r, u64 *index);
/* The first item at or after *index; sets *index to where it is. NULL: none. */
void *radix_next(const struct radix *r, u64 *index);

#endif
