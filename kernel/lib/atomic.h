/*
 * atomic.h - the few atomic operations the kernel uses, by what they are for; memory orders as in
 * C11.
 */
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

#include "lib/types.h"

#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_add(p, v) ((void)__atomic_fetch_add(p, v, __ATOMIC_RELAXED))
#define atomic_sub(p, v) ((void)__atomic_fetch_sub(p, v, __ATOMIC_RELAXED))
#define atomic_add_return(p, v) __atomic_add_fetch(p, v, __ATOMIC_ACQ_REL)
#define atomic_sub_return(p, v) __atomic_sub_fetch(p, v, __ATOMIC_ACQ_REL)
#define atomic_or(p, v) ((void)__atomic_fetch_or(p, v, __ATOMIC_ACQ_REL))
#define atomic_and(p, v) ((void)__atomic_fetch_and(p, v, __ATOMIC_ACQ_REL))
#define atomic_exchange(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
/* True if *p was *expected and is now v; else *expected becomes what was there. */
#define atomic_cas(p, expected, v) \
	__atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
/* A number with a sole writer, who holds its lock or is its CPU; others may read it at any time. */
#define sole_add(p, v) store_relaxed(p, load_relaxed(p) + (v))
#define full_barrier() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define compiler_barrier() __asm__ volatile("" ::: "memory")

/* A reference count of an object other than a frame. */
struct refcount {
	u32 n;
};

static inline void ref_init(struct refcount *r)
{
	r->n = 1;
}

static inline void ref_get(struct refcount *r)
{
	atomic_add(&r->n, 1);
}

/* True when this was the last reference: the caller frees. */
static inline bool ref_put(struct refcount *r)
{
	return atomic_sub_return(&r->n, 1) == 0;
}

#endif
