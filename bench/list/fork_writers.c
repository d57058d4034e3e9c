/* fork_writers: threads write while another forks: the longest time that a writer stood still. */
#define _GNU_SOURCE
#include "../frame.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (256 * MIB)
#define FORKS 8
#define WRITERS_MAX 16

static atomic_bool ended;
static char *memory;

/* The writer's longest gap between two stores. */
static void *writer(void *longest)
{
	long last = now(), *gap = longest;
	size_t at = 0;

	while (!ended) {
		long t;

		memory[at] = 3;
		at = (at + 37 * PAGE) % SIZE;
		t = now();
		if (t - last > *gap)
			*gap = t - last;
		last = t;
	}
	return NULL;
}

static void run(long count)
{
	pthread_t threads[WRITERS_MAX];
	long gaps[WRITERS_MAX] = { 0 }, longest = 0, start, took = 0;

	memory = memory_touched(SIZE);
	ended = false;
	for (long i = 0; i < count; i++) {
		if (pthread_create(&threads[i], NULL, writer, &gaps[i]))
			fatal("pthread_create");
	}
	for (int i = 0; i < FORKS; i++) {
		pid_t pid;

		start = now();
		pid = fork();
		if (pid == 0)
			_exit(0);
		took += now() - start;
		child_wait(pid);
	}
	ended = true;
	for (long i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		longest = gaps[i] > longest ? gaps[i] : longest;
	}
	bench_result((double)longest);
	bench_also("fork", (double)took / FORKS);
	munmap(memory, SIZE);
}

BENCH(fork_writers, .unit = "ns",
      .what = "fork of 256 MiB while threads write: longest stall of a writer; fork",
      .args = { 1, 3 }, .arg_unit = "threads", .run = run)
