/* mapping_calls: mmap, munmap, mprotect, madvise, brk and mremap. */
#define _GNU_SOURCE
#include "../frame.h"

#include <sys/mman.h>
#include <unistd.h>

#define CALLS 1000
#define SMALL (16 * 1024ul)
#define BIG (1024 * MIB)
#define MOVED (64 * MIB)

static void map_small(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++) {
		char *p = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			fatal("mmap");
		munmap(p, SMALL);
	}
	bench_result((double)(now() - start) / CALLS);
}

static void map_small_touched(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++) {
		char *p = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			fatal("mmap");
		memory_write_each(p, SMALL);
		munmap(p, SMALL);
	}
	bench_result((double)(now() - start) / CALLS);
}

static void map_big(long arg)
{
	long start = now();

	munmap(memory_map(BIG), BIG);
	bench_result((double)(now() - start));
}

static void unmap_touched(long arg)
{
	char *p = memory_touched((size_t)arg * MIB);
	long start = now();

	munmap(p, (size_t)arg * MIB);
	bench_result((double)(now() - start));
}

static void protect_one(long arg)
{
	char *p = memory_touched((size_t)arg * MIB);
	pid_t pid = child_idle();
	long start = now();

	mprotect(p + (size_t)arg * MIB / 2, PAGE, PROT_READ);
	bench_result((double)(now() - start));
	child_end(pid);
	munmap(p, (size_t)arg * MIB);
}

static void dontneed(long arg)
{
	size_t size = 16 * MIB;
	char *p = memory_touched(size);
	long start = now();

	madvise(p, size, MADV_DONTNEED);
	bench_result((double)(now() - start) / (double)(size / PAGE));
	munmap(p, size);
}

static void grow_break(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++) {
		if (sbrk(SMALL) == (void *)-1 || sbrk(-(long)SMALL) == (void *)-1)
			fatal("brk");
	}
	bench_result((double)(now() - start) / CALLS);
}

static void move(long arg)
{
	char *p = memory_touched(MOVED), *hole = memory_map(MOVED);
	long start = now();

	p = mremap(p, MOVED, MOVED, MREMAP_MAYMOVE | MREMAP_FIXED, hole);
	bench_result((double)(now() - start));
	if (p == MAP_FAILED)
		fatal("mremap");
	munmap(p, MOVED);
}

BENCH(mmap_munmap_16k, .unit = "ns", .what = "mmap and munmap of 16 KiB, untouched",
      .run = map_small)
BENCH(mmap_munmap_16k_touched, .unit = "ns", .what = "mmap, touch and munmap of 16 KiB",
      .run = map_small_touched)
BENCH(mmap_munmap_1g, .unit = "ns", .what = "mmap and munmap of 1 GiB, untouched", .run = map_big)
BENCH(munmap_touched, .unit = "ns", .what = "munmap of touched memory", .args = { 16, 1024 },
      .arg_unit = "MiB", .run = unmap_touched)
BENCH(mprotect_one_page, .unit = "ns", .what = "mprotect of one page in memory that a child shares",
      .args = { 16, 1024 }, .arg_unit = "MiB", .run = protect_one)
BENCH(madvise_dontneed, .unit = "ns", .what = "MADV_DONTNEED of touched memory, a page",
      .run = dontneed)
BENCH(brk_grow_shrink, .unit = "ns", .what = "brk up and down by 16 KiB", .run = grow_break)
BENCH(mremap_move, .unit = "ns", .what = "mremap that moves 64 MiB of touched memory", .run = move)
