/* at_once.c - see at_once.h. */
#define _GNU_SOURCE
#include "at_once.h"

#include "../frame.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#define CPUS_MAX 16
#define RUN_NS 200000000l

struct shared {
	atomic_int ready;
	atomic_bool go;
	atomic_long done[CPUS_MAX];
};

static void work(struct shared *s, int cpu, long (*once)(void))
{
	long end;

	pin(cpu);
	s->ready++;
	while (!s->go)
		sched_yield();
	for (end = now() + RUN_NS; now() < end;)
		s->done[cpu] += once();
	_exit(0);
}

void at_once_measure(long count, long (*once)(void))
{
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long total = 0;

	if (s == MAP_FAILED)
		fatal("mmap");
	if (count > sysconf(_SC_NPROCESSORS_ONLN))
		bench_skip("not so many CPUs");
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fatal("fork");
		if (pid == 0)
			work(s, i, once);
	}
	while (s->ready < count)
		sched_yield();
	s->go = true;
	for (long i = 0; i < count; i++)
		child_wait(-1);
	for (long i = 0; i < count; i++)
		total += s->done[i];
	bench_result((double)total * 1e9 / RUN_NS);
	munmap(s, sizeof(*s));
}
