/*
 * census.c - counting frames by their descriptors, for /proc: meminfo's figures that nobody keeps
 * otherwise, and so a second opinion on those that somebody does.
 */
#include "mm/census.h"

#include "lib/string.h"
#include "lib/waitq.h"

#define PREEMPT_FRAMES 65536u

u32 page_mappings(const struct page *p)
{
	u32 count = page_count(p);

	switch (p->kind) {
	case PAGE_CACHE: /* the cache's own reference maps nothing */
		return load_acquire(&p->cache.object) ? count - (count > 0) : count;
	case PAGE_ANON:
		return load_relaxed(&p->flags) & PAGE_SWAPCACHE ? count - (count > 0) : count;
	default:
		return 0;
	}
}

void frame_census(struct frame_census *out)
{
	memset(out, 0, sizeof(*out));
	for (u64 n = 0; n < frame_total; n++) {
		const struct page *p = page_at(n);
		u32 kind = load_relaxed(&p->kind), level = load_relaxed(&p->level);

		out->by_kind[kind]++;
		if (kind == PAGE_CACHE)
			out->mapped += page_mappings(p) > 0;
		else if (kind == PAGE_ANON)
			out->unmapped += page_mappings(p) == 0;
		else if (kind == PAGE_FREE && level > 0 && level <= FRAME_ORDER_MAX + 1)
			out->free_blocks[level - 1]++;
		if (n % PREEMPT_FRAMES == 0)
			cpu_preempt_point();
	}
}
