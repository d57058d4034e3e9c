/*
 * iter.h - a buffer of user or kernel memory that a read or write consumes: one address range or
 * an iovec.
 */
#ifndef FS_ITER_H
#define FS_ITER_H

#include "lib/types.h"

struct iter_part {
	u64 base;
	u64 length;
};

struct iter {
	const struct iter_part *parts; /* kernel copy of the iovec */
	u32 nparts;
	bool user;               /* parts are user addresses */
	u64 skip;                /* consumed of parts[0] */
	u64 left;                /* bytes not consumed yet */
	struct iter_part single; /* parts of one range point here: an iter is not copied */
};

void iter_init_user(struct iter *it, void __user *base, size_t n);
void iter_init_kernel(struct iter *it, void *base, size_t n);
void iter_init_parts(struct iter *it, const struct iter_part *parts, u32 nparts); /* user */
/*
 * Copy up to n bytes and consume them: bytes done; less than asked only at the end of the buffer
 * or at a bad address (then 0 if nothing: the caller returns -EFAULT).
 */
size_t iter_copy_to(struct iter *it, const void *src, size_t n);
size_t iter_copy_from(struct iter *it, void *dst, size_t n);
size_t iter_zero(struct iter *it, size_t n);
/* Give back the last n bytes consumed. */
void iter_revert(struct iter *it, size_t n);

#endif
