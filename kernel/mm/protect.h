/* protect.h - changing the flags of a range of areas. Private to mm. */
#ifndef MM_PROTECT_H
#define MM_PROTECT_H

#include "mm/edit.h"

struct flag_change {
	u32 clear, set;
	/*
	 * May this area be changed so? NULL: yes. An error ends the change. `flags`, the area's new
	 * ones, may be changed. bytes: of the area, that are concerned.
	 */
	int (*check)(const struct edit *e, const struct area *a, u64 bytes, u32 *flags);
	/*
	 * the first hole ends it (mprotect, mlock); else holes are passed over and reported in the
	 * end (madvise)
	 */
	bool strict;
};

/*
 * Change the flags of the areas in [start, end) in the edit's new index. *done: up to where it
 * came. 0, -ENOMEM (a hole, memory, limits), or what check said.
 */
int edit_change_flags(struct edit *e, u64 start, u64 end, const struct flag_change *c, u64 *done);

#endif
