/*
 * shmem.c - objects that are memory and nothing else: their pages start as zeros and stay until the
 * object goes.
 */
#include "mm/shmem.h"

#include "lib/err.h"
#include "mm/commit.h"
#include "mm/slab.h"

static void shmem_free(struct object *o)
{
	commit_uncharge(load_relaxed(&o->charged));
	kfree(o);
}

static int page_charge(struct object *o)
{
	if (commit_charge(NULL, 1))
		return -ENOMEM;
	atomic_add(&o->charged, 1);
	return 0;
}

static void page_uncharge(struct object *o, u64 pages)
{
	atomic_sub(&o->charged, pages);
	commit_uncharge(pages);
}

static const struct object_ops reserved_ops = { .free = shmem_free };
static const struct object_ops unreserved_ops = {
	.page_charge = page_charge,
	.page_uncharge = page_uncharge,
	.free = shmem_free,
};

struct object *shmem_create(u64 size, bool reserve)
{
	u64 pages = reserve ? DIV_ROUND_UP(size, PAGE_SIZE) : 0;
	struct object *o;

	if (commit_charge(NULL, pages))
		return NULL;
	o = kmalloc(sizeof(*o));
	if (!o) {
		commit_uncharge(pages);
		return NULL;
	}
	object_init(o, reserve ? &reserved_ops : &unreserved_ops, OBJECT_SHMEM, size);
	o->charged = pages;
	return o;
}
