/* copy_on_write: stores after a fork: with the child alive, after it has left, sparse at random, and the first ones under each table. */
#define _GNU_SOURCE
#include "../frame.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 8192ul
#define SPARSE 512
#define REGION (2 * MIB)
#define REGIONS 256ul

static void alive(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	pid_t pid = child_idle();
	long start = now();

	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	child_end(pid);
	munmap(p, PAGES * PAGE);
}

static void sole(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	long start;

	child_end(child_idle());
	start = now();
	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	munmap(p, PAGES * PAGE);
}

static void sparse(long arg)
{
	size_t pages = 256 * MIB / PAGE;
	char *p = memory_touched(pages * PAGE);
	pid_t pid = child_idle();
	unsigned long seed = 1;
	long start = now();

	for (int i = 0; i < SPARSE; i++) {
		seed = seed * 6364136223846793005ul + 1442695040888963407ul;
		*(volatile char *)(p + (seed >> 33) % pages * PAGE) = 2;
	}
	bench_result((double)(now() - start) / SPARSE);
	child_end(pid);
	munmap(p, pages * PAGE);
}

static void first(long arg)
{
	char *p = memory_touched(REGIONS * REGION);
	pid_t pid = child_idle();
	long took[REGIONS];

	for (unsigned long i = 0; i < REGIONS; i++) {
		long start = now();

		*(volatile char *)(p + i * REGION) = 2;
		took[i] = now() - start;
	}
	qsort(took, REGIONS, sizeof(*took), compare_longs);
	bench_result((double)took[REGIONS / 2]);
	bench_also("p99", (double)took[REGIONS * 99 / 100]);
	bench_also("max", (double)took[REGIONS - 1]);
	child_end(pid);
	munmap(p, REGIONS * REGION);
}

static void child_reads(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	struct {
		double ns, faults;
	} answer;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		fatal("pipe");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		struct rusage before, after;
		long start;

		getrusage(RUSAGE_SELF, &before);
		start = now();
		memory_read_each(p, PAGES * PAGE);
		answer.ns = (double)(now() - start) / PAGES;
		getrusage(RUSAGE_SELF, &after);
		answer.faults = (double)(after.ru_minflt - before.ru_minflt);
		_exit(write(fds[1], &answer, sizeof(answer)) != sizeof(answer));
	}
	if (read(fds[0], &answer, sizeof(answer)) != sizeof(answer))
		fatal("read");
	child_wait(pid);
	bench_result(answer.ns);
	bench_also("faults", answer.faults);
	close(fds[0]);
	close(fds[1]);
	munmap(p, PAGES * PAGE);
}

BENCH(cow_child_alive, .unit = "ns", .what = "write after fork, the child alive, a page",
      .run = alive)
BENCH(cow_sole_owner, .unit = "ns", .what = "write after the child has left, a page", .run = sole)
BENCH(cow_sparse, .unit = "ns", .what = "random writes to 256 MiB after fork, a write",
      .run = sparse)
BENCH(cow_first_write, .unit = "ns",
      .what = "first write to each 2 MiB after fork: median, p99, largest", .run = first)
BENCH(child_read_sweep, .unit = "ns",
      .what = "a child reads what it inherited, a page (and its faults)", .run = child_reads)
