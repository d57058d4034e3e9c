/*
 * slab.h - kernel objects: caches of one size and kmalloc for the rest. Contents are undefined
 * (poisoned in debug builds) unless zalloc.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include "lib/lock.h"
#include "lib/types.h"

struct slab_cache {
	struct spinlock lock;
	const char *name;
	u32 size; /* bytes of one object, rounded up to 16 */
	struct list
		/*
		 * S: slabs with free objects (page descriptors have no link: struct slab_head at
		 * the slab's end)
		 */
		partial;
	u64 slabs;        /* S: frames */
	u32 number;       /* C */
	u32 keep;         /* C: free objects that each CPU keeps at most */
	struct list link; /* in the list of all caches */
};
/* S: guarded by lock. C: constant */

void slab_cache_init(struct slab_cache *c, const char *name, size_t size); /* size <= 2048 */
void *slab_alloc(struct slab_cache *c); /* NULL when there is no memory. Never sleeps */
void *slab_zalloc(struct slab_cache *c);
void slab_free(struct slab_cache *c, void *object);

/*
 * Any size up to 4 MiB; contiguous in memory; 16-byte aligned (page-aligned from 4096 bytes). NULL
 * when there is no memory. Never sleeps.
 */
void *kmalloc(size_t size);
void *kzalloc(size_t size);
void *krealloc(void *old, size_t size); /* old stays valid when NULL is returned */
void kfree(void *p);                    /* NULL is fine */
char *kstrdup(const char *s);

/* Objects in use. Exact when nothing runs. */
u64 slab_objects(const struct slab_cache *c);
/* Free objects that this CPU keeps go back to their slabs, which may become frames. */
void slab_trim(void);
/* The same for all CPUs, which must stand still. */
void slab_trim_all(void);

void slab_init(void);
/* Calls fn for each cache (also those of kmalloc): for /proc/slabinfo and leak checks. */
void slab_for_each(void (*fn)(const struct slab_cache *c, void *arg), void *arg);

#endif
