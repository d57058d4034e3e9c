/*
 * edit.h - changing a space's areas: the frame that mmap and its family share. Private to mm.
 *
 *	edit_begin        space.rw exclusive; work on a reference to the present index
 *	edit_...          build the new index, own edges, detach nodes
 *	edit_end          publish (or, on failure, forget), shoot, unlock, and only then drop what was replaced: dropping may close files
 *
 * Steps that may fail come before the first that changes what the space sees.
 */
#ifndef MM_EDIT_H
#define MM_EDIT_H

#include "mm/node.h"

struct edit {
	struct mm *mm;
	struct area_node *areas; /* the new index, a reference */
	struct limbo limbo;
};

void edit_begin(struct edit *e, struct mm *mm);
/*
 * Replace what lies in [start, end) of the new index by a, or by nothing. 0 or -ENOMEM (the index
 * is as it was).
 */
int edit_replace(struct edit *e, u64 start, u64 end, struct area *a);
/* Own the edges of [start, end), so that node_unmap of it cannot fail. 0 or -ENOMEM. */
int edit_own_edges(struct edit *e, u64 start, u64 end);
/* ok: publish the new index. */
void edit_end(struct edit *e, bool ok);

/*
 * Is there room under the space's limits for `grow` more bytes and `areas` more areas? 0 or
 * -ENOMEM.
 */
int edit_check_limits(struct edit *e, u64 grow, u32 areas);
/*
 * Find a place for size bytes: at hint if that is free, else below mmap_base, else above. 0: none.
 */
u64 edit_find_place(struct edit *e, u64 hint, u64 size, bool below_4g);

/*
 * Fault everything in [start, end) in, for writing where the area may be written; errors end it
 * silently (MAP_POPULATE) and are returned. No lock held.
 */
int space_populate(struct mm *mm, u64 start, u64 end);

#endif
