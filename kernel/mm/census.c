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

/* How many frames, from p on, are alike: a free block, or one that was given out whole. */
static u64 frames_alike(const struct page *p, u32 kind, u32 level)
{
	u32 order = kind == PAGE_FREE ? level - 1 : level;

	if (kind == PAGE_FREE ? !level : kind != PAGE_KERNEL)
		return 1;
	return order <= FRAME_ORDER_MAX ? 1ull << order : 1;
}

void frame_census(struct frame_census *out)
{
	u64 next_pause = PREEMPT_FRAMES;

	memset(out, 0, sizeof(*out));
	for (u64 n = 0, alike; n < frame_total; n += alike) {
		const struct page *p = page_at(n);
		u32 kind = load_relaxed(&p->kind), level = load_relaxed(&p->level);

		alike = min(frames_alike(p, kind, level), frame_total - n);
		out->by_kind[kind] += alike;
		if (kind == PAGE_CACHE)
			out->mapped += page_mappings(p) > 0;
		else if (kind == PAGE_ANON)
			out->unmapped += page_mappings(p) == 0;
		else if (kind == PAGE_FREE && level > 0 && level <= FRAME_ORDER_MAX + 1)
			out->free_blocks[level - 1]++;
		if (n >= next_pause) {
			next_pause = n + PREEMPT_FRAMES;
			cpu_preempt_point();
		}
	}
}
