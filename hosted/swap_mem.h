/* swap_mem.h - a swap device for tests: its pages are in host memory, and moving them takes time. */
#ifndef HOSTED_SWAP_MEM_H
#define HOSTED_SWAP_MEM_H

#include "mm/swap.h"

struct swap_mem {
	u64 pages;
	char *bytes;
	u32 read_failures; /* so many reads to come fail with -EIO */
	u32 write_failures;
	u64 reads, writes; /* pages */
	bool released;
};

/* A device of so many pages, in use. The caller frees it with swap_mem_remove. */
struct swap_mem *swap_mem_add(u64 pages);
/* swapoff, which must succeed, and gone. */
void swap_mem_remove(struct swap_mem *d);
/* The bytes of a slot that somebody names, wherever they are now. */
const char *swap_mem_peek(const struct swap_mem *d, u64 slot);

#endif
