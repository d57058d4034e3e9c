/* parallel: the same work by one process and by as many as there are CPUs: faults, and forks. What all of them do in a second. */
#define _GNU_SOURCE
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

static long fault_once(void)
{
	munmap(memory_touched(MIB), MIB);
	return MIB / PAGE;
}

static long fork_once(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	child_wait(pid);
	return 1;
}

static void measure(long count, long (*once)(void))
{
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long total = 0;

	if (count > sysconf(_SC_NPROCESSORS_ONLN))
		bench_skip("not so many CPUs");
	for (long i = 0; i < count; i++) {
		pid_t pid = fork();
		long end;

		if (pid)
			continue;
		pin((int)i);
		s->ready++;
		while (!s->go)
			sched_yield();
		for (end = now() + RUN_NS; now() < end;)
			s->done[i] += once();
		_exit(0);
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

static void faults(long count)
{
	measure(count, fault_once);
}

static void forks(long count)
{
	measure(count, fork_once);
}

BENCH(parallel_faults, .unit = "per s", .what = "page faults by processes at once",
      .args = { 1, 2, 4 }, .arg_unit = "CPUs", .run = faults)
BENCH(parallel_forks, .unit = "per s", .what = "fork, exit, wait by processes at once",
      .args = { 1, 2, 4 }, .arg_unit = "CPUs", .run = forks)
