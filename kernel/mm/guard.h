/* guard.h - guard pages: places in areas that nobody may come to (MADV_GUARD_INSTALL). Private to mm. */
#ifndef MM_GUARD_H
#define MM_GUARD_H

#include "mm/edit.h"

/*
 * Empty [start, end), which areas cover, and make guards of all its pages. space.rw is held
 * exclusively by the edit. 0, or -ENOMEM: nothing has changed.
 */
int guards_install(struct edit *e, u64 start, u64 end);
/* What guards there are in [start, end) are holes again. As above; -ENOMEM: perhaps not all. */
int guards_remove(struct edit *e, u64 start, u64 end);
/*
 * As edit_own_edges and node_unmap, for contents that are given up while the areas stay: guards stay
 * as well. 0, or -ENOMEM: nothing has changed.
 */
int guards_keep_unmap(struct edit *e, u64 start, u64 end);

#endif
