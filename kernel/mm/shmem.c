/*
 * shmem.c - objects that are memory and nothing else: their pages start as zeros and stay until the
 * object goes.
 */
#include "mm/shmem.h"

#include "mm/slab.h"

static void shmem_free(struct object *o)
{
	kfree(o);
}

static const struct object_ops shmem_ops = { .free = shmem_free };

struct object *shmem_create(u64 size)
{
	struct object *o = kmalloc(sizeof(*o));

	if (o)
		object_init(o, &shmem_ops, OBJECT_SHMEM, size);
	return o;
}
