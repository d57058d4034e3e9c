/* file_fault: first loads and stores through mappings of a file whose pages are in the cache, for each page. */
#define _GNU_SOURCE
#include "../frame.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGES 4096ul

static int file(void)
{
	static int fd = -1;
	char path[] = "/tmp/bench.XXXXXX", page[PAGE] = { 1 };

	if (fd >= 0)
		return fd;
	fd = mkstemp(path);
	if (fd < 0)
		bench_skip("no file in /tmp");
	unlink(path);
	for (unsigned long i = 0; i < PAGES; i++) {
		if (write(fd, page, PAGE) != (ssize_t)PAGE)
			fatal("write");
	}
	return fd;
}

static void measure(int flags, bool store)
{
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, file(), 0);
	long start;

	if (p == MAP_FAILED)
		fatal("mmap");
	start = now();
	if (store)
		memory_write_each(p, PAGES * PAGE);
	else
		memory_read_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	munmap(p, PAGES * PAGE);
}

static void private_read(long arg)
{
	measure(MAP_PRIVATE, false);
}

static void private_write(long arg)
{
	measure(MAP_PRIVATE, true);
}

static void shared_read(long arg)
{
	measure(MAP_SHARED, false);
}

static void shared_write(long arg)
{
	measure(MAP_SHARED, true);
}

BENCH(file_private_read, .unit = "ns",
      .what = "read fault in a private mapping of a cached file, a page", .run = private_read)
BENCH(file_private_write, .unit = "ns",
      .what = "write fault in a private mapping of a cached file, a page (copies it)",
      .run = private_write)
BENCH(file_shared_read, .unit = "ns",
      .what = "read fault in a shared mapping of a cached file, a page", .run = shared_read)
BENCH(file_shared_write, .unit = "ns",
      .what = "write fault in a shared mapping of a cached file, a page", .run = shared_write)
