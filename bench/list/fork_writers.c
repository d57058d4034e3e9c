/* fork_writers: threads write while another forks: for how long a writer stands still. */
#define _GNU_SOURCE
#include "../frame.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MIB 256
#define FORKS 16
#define WRITERS_MAX 16
#define PAUSE_NS 5000000l

static atomic_bool ended;
static atomic_long longest; /* gap between two stores of one writer since the last reset */
static char *memory;

static void *writer(void *unused)
{
	long last = now();
	size_t at = 0;

	while (!ended) {
		long t, known;

		memory[at] = 3;
		at = (at + 37 * PAGE) % (SIZE_MIB * MIB);
		t = now();
		for (known = longest; t - last > known;) {
			if (atomic_compare_exchange_weak(&longest, &known, t - last))
				break;
		}
		last = t;
	}
	return unused;
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
}

static void run(long count)
{
	long gaps[FORKS], forks[FORKS];
	pthread_t threads[WRITERS_MAX];

	memory = memory_touched(SIZE_MIB * MIB);
	ended = false;
	for (long i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, writer, NULL))
			fatal("pthread_create");
	}
	for (int i = 0; i < FORKS; i++) {
		long start;
		pid_t pid;

		pause_a_little();
		longest = 0;
		start = now();
		pid = fork();
		if (pid == 0)
			_exit(0);
		forks[i] = now() - start;
		pause_a_little();
		gaps[i] = longest;
		child_wait(pid);
	}
	ended = true;
	for (long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	qsort(gaps, FORKS, sizeof(*gaps), compare_longs);
	qsort(forks, FORKS, sizeof(*forks), compare_longs);
	bench_result((double)gaps[FORKS / 2]);
	bench_also("max", "ns", (double)gaps[FORKS - 1]);
	bench_also("fork", "ns", (double)forks[FORKS / 2]);
	munmap(memory, SIZE_MIB * MIB);
}

BENCH(fork_writers, .unit = "ns",
      .what = "fork of 256 MiB while threads write: a writer's longest stall, median and largest "
	      "of "
	      "16 forks; the fork",
      .args = { 1, 3 }, .arg_unit = "threads", .mode = IN_TIME, .machine = "four", .run = run)
