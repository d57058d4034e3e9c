/* cached_file.c - see cached_file.h. */
#define _GNU_SOURCE
#include "cached_file.h"

#include "../frame.h"

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

void cached_file_measure(int flags, bool store)
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
