/* mmap_munmap_touched: a large mapping each page of which is written once; the munmap of it alone, too. */
#include "../frame.h"

#include <sys/mman.h>

static void run(long mib)
{
	size_t size = (size_t)mib * MIB;
	long start = now(), touched, end;
	char *p = memory_touched(size);

	touched = now();
	munmap(p, size);
	end = now();
	bench_result((double)(end - start));
	bench_also("munmap", "ns", (double)(end - touched));
}

BENCH(mmap_munmap_touched, .unit = "ns", .what = "mmap, touch and munmap; the munmap alone",
      .args = { 16, 1024 }, .arg_unit = "MiB", .once = true, .run = run)
