/*
 * swap_mem.c - a swap device for tests. While it moves bytes, other CPUs run.
 */
#include "swap_mem.h"

#include <stdlib.h>
#include <string.h>

#include "hosted_priv.h"
#include "lib/atomic.h"
#include "lib/err.h"
#include "lib/print.h"
#include "mm/node.h"

static int mem_read(void *device, u64 first, struct page **frames, u32 count)
{
	struct swap_mem *d = device;

	hosted_pause();
	if (d->read_failures) {
		d->read_failures--;
		return -EIO;
	}
	for (u32 i = 0; i < count; i++) {
		assert(first + i > 0 && first + i < d->pages);
		memcpy(frame_data(frames[i]), d->bytes + (first + i) * PAGE_SIZE, PAGE_SIZE);
		atomic_add(&d->reads, 1);
		hosted_pause();
	}
	return 0;
}

static int mem_write(void *device, u64 first, struct page **frames, u32 count)
{
	struct swap_mem *d = device;

	hosted_pause();
	if (d->write_failures) {
		d->write_failures--;
		return -EIO;
	}
	for (u32 i = 0; i < count; i++) {
		assert(first + i > 0 && first + i < d->pages);
		memcpy(d->bytes + (first + i) * PAGE_SIZE, frame_data(frames[i]), PAGE_SIZE);
		atomic_add(&d->writes, 1);
		hosted_pause();
	}
	return 0;
}

static void mem_release(void *device)
{
	((struct swap_mem *)device)->released = true;
}

static const struct swap_ops mem_ops = { mem_read, mem_write, mem_release };

struct swap_mem *swap_mem_add(u64 pages)
{
	struct swap_mem *d = calloc(1, sizeof(*d));

	assert(d);
	d->pages = pages;
	d->bytes = calloc(pages, PAGE_SIZE);
	assert(d->bytes);
	struct swap_request r = { .ops = &mem_ops, .device = d, .pages = pages, .priority = -1 };
	int err = swap_add(&r);
	if (err)
		panic("swap_add: %d", err);
	return d;
}

void swap_mem_remove(struct swap_mem *d)
{
	int err = swap_remove(d);

	if (err || !d->released)
		panic("swap_remove: %d, released %d", err, d->released);
	free(d->bytes);
	free(d);
}

const char *swap_mem_peek(const struct swap_mem *d, u64 slot)
{
	struct page *p = swap_cache_find(slot);

	if (!p)
		return d->bytes + (slot & UINT32_MAX) * PAGE_SIZE;
	node_drop(p);
	return frame_data(p);
}
