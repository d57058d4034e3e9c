/*
 * err.h - negative errno in integers and in pointers. The numbers are Linux's, from its uapi
 * headers.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include <asm-generic/errno.h>

#include "lib/types.h"

/*
 * Internal results that never reach a program (values as in Linux, so that strace-like tools
 * agree).
 */
#define ERESTARTSYS 512    /* interrupted: restart if the handler has SA_RESTART, else EINTR */
#define ERESTARTNOINTR 513 /* always restart */
#define ERESTARTNOHAND 514 /* EINTR if a handler ran, else restart */
#define ERESTART_RESTARTBLOCK \
	516 /* EINTR if a handler ran, else continue through restart_syscall */

#define MAX_ERRNO 4095

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}

static inline long PTR_ERR(const void *p)
{
	return (long)p;
}

static inline bool IS_ERR(const void *p)
{
	return (u64)p >= (u64)-MAX_ERRNO;
}

#endif
