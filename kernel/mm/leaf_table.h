/* leaf_table.h - the leaf tables of a space, one after another. Private to mm. */
#ifndef MM_LEAF_TABLE_H
#define MM_LEAF_TABLE_H

#include "mm/node.h"

/*
 * The first leaf table that has something at or after *va, locked; *va becomes an address in it. A
 * table of level 2 is found for a huge leaf in it. NULL: there is none before end. *owned: the path to
 * it is. round: a shared table that carries it (struct page.round) is passed over, and all that are
 * entered get it; 0: none is. space.rw held.
 */
struct page *leaf_table_next(struct mm *mm, u64 *va, u64 end, u32 round, bool *owned);

#endif
