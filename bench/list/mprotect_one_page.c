/* mprotect_one_page: in the middle of memory that a child shares, tables and all. */
#include "../frame.h"

#include <sys/mman.h>

static void run(long mib)
{
	char *p = memory_kept(mib), *page = p + (size_t)mib * MIB / 2;
	pid_t pid = child_idle();
	long start = now();

	mprotect(page, PAGE, PROT_READ);
	bench_result((double)(now() - start));
	child_end(pid);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

BENCH(mprotect_one_page, .unit = "ns", .what = "mprotect of one page in memory that a child shares",
      .args = { 16, 1024 }, .arg_unit = "MiB", .keeps = true, .run = run)
