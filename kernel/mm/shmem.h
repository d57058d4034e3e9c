/* shmem.h - objects that are memory and nothing else: MAP_SHARED|MAP_ANONYMOUS. */
#ifndef MM_SHMEM_H
#define MM_SHMEM_H

#include "mm/object.h"

/*
 * An object of `size` bytes of zeros, one reference for the caller. reserve: all of it is charged for
 * now (commit.h), else each page when it comes. NULL without memory or commit.
 */
struct object *shmem_create(u64 size, bool reserve);

#endif
