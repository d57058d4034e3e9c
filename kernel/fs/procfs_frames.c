/*
 * procfs_frames.c - /proc/kpageflags and /proc/kpagecount: a word of 8 bytes for each frame, by its
 * number.
 *
 * The rule: a frame is looked at without a lock; what is told of one that comes into another use
 * meanwhile may be of either. A count is of the tables that refer to the page: processes that share a
 * table count once. Next: procfs_sys.c.
 */
#include <linux/kernel-page-flags.h>
#include <linux/stat.h>

#include "fs/iter.h"
#include "fs/procfs_priv.h"
#include "fs/vfs_priv.h"
#include "mm/census.h"

#define KPF_RESERVED 32 /* beside those of the header, as page-types knows it */
#define WORDS 64u

static u64 cache_flags(const struct page *p)
{
	u16 flags = load_relaxed(&p->flags);
	u64 k = BIT(KPF_LRU) | BIT(KPF_ACTIVE);

	if (flags & PAGE_LOCKED)
		k |= BIT(KPF_LOCKED);
	if (flags & PAGE_REFERENCED)
		k |= BIT(KPF_REFERENCED);
	if (flags & PAGE_UPTODATE)
		k |= BIT(KPF_UPTODATE);
	if (flags & PAGE_DIRTY)
		k |= BIT(KPF_DIRTY);
	if (flags & PAGE_SHMEM)
		k |= BIT(KPF_SWAPBACKED);
	return k | (page_mappings(p) ? BIT(KPF_MMAP) : 0);
}

static u64 private_flags(const struct page *p)
{
	u16 flags = load_relaxed(&p->flags);
	u64 k = BIT(KPF_LRU) | BIT(KPF_ACTIVE) | BIT(KPF_ANON) | BIT(KPF_SWAPBACKED);

	if (!(flags & PAGE_SWAPCACHE))
		return k | BIT(KPF_UPTODATE) | BIT(KPF_DIRTY) | BIT(KPF_MMAP);
	return k | BIT(KPF_SWAPCACHE) | (cache_flags(p) & ~BIT(KPF_REFERENCED));
}

static u64 frame_flags(const struct page *p)
{
	switch (load_relaxed(&p->kind)) {
	case PAGE_FREE: /* the head of a block has the flag, as on Linux */
		return p->level ? BIT(KPF_BUDDY) : 0;
	case PAGE_RESERVED:
		return BIT(KPF_RESERVED);
	case PAGE_SLAB:
		return BIT(KPF_SLAB);
	case PAGE_TABLE:
		return BIT(KPF_PGTABLE);
	case PAGE_ANON:
		return private_flags(p);
	case PAGE_CACHE:
		return cache_flags(p);
	case PAGE_IMMORTAL:
		return p == zero_page ? BIT(KPF_ZERO_PAGE) : 0;
	default:
		return 0;
	}
}

static u64 frame_mappings(const struct page *p)
{
	return page_mappings(p);
}

static ssize words_read(struct iter *it, u64 *pos, u64 (*word)(const struct page *p))
{
	u64 words[WORDS];
	ssize done = 0;

	if (*pos % sizeof(u64) || it->left % sizeof(u64))
		return -EINVAL;
	while (it->left && *pos / sizeof(u64) < frame_total) {
		u64 first = *pos / sizeof(u64);
		u64 n = min(min(it->left / sizeof(u64), (u64)WORDS), frame_total - first);

		for (u64 i = 0; i < n; i++)
			words[i] = word(page_at(first + i));
		if (iter_copy_to(it, words, n * sizeof(u64)) != n * sizeof(u64))
			return done ? done : -EFAULT;
		*pos += n * sizeof(u64);
		done += (ssize)(n * sizeof(u64));
		cpu_preempt_point();
	}
	return done;
}

static ssize flags_read(struct file *f, struct iter *it, u64 *pos)
{
	return words_read(it, pos, frame_flags);
}

static ssize count_read(struct file *f, struct iter *it, u64 *pos)
{
	return words_read(it, pos, frame_mappings);
}

const struct file_ops proc_kpageflags_ops = { .read = flags_read, .seek = file_seek_plain };
const struct file_ops proc_kpagecount_ops = { .read = count_read, .seek = file_seek_plain };
