/* rw.h - what the calls that move data share. */
#ifndef SYS_RW_H
#define SYS_RW_H

#include "fs/iter.h"
#include "fs/vfs.h"
#include "sys/syscall.h"

#define TRANSFER_MAX 0x7ffff000u /* bytes of one call, as fs/file.c has it for files */

/* The result of a write: -EPIPE and -EFBIG are told by a signal too (SIGPIPE, SIGXFSZ). */
ssize write_result(ssize result);

#define IOV_FEW 8
struct user_vector {
	struct iter it;
	struct iter_part *parts; /* `few`, or a kernel object */
	struct iter_part few[IOV_FEW];
};
/* Fetch an iovec: 0, -EINVAL, -EFAULT, -ENOMEM. vector_put ends it on success. */
int vector_get(struct user_vector *v, const void __user *iov, u64 count);
void vector_put(struct user_vector *v);

#endif
