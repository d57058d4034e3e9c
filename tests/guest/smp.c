/*
 * smp.c - what several CPUs may do at the same time: threads that write, fork, map, unmap, protect and exit against each other; and the races that the
 * persistent tree must survive (PROTOCOL's tests 2, 3 and 10), here with real translation caches.
 *
 * Central rule: each thread knows what its own pages must hold, and looks; whatever the others do meanwhile must not show there, and what a child sees is
 * one instant. SMP_SECONDS in the environment makes the first test take as long (tests/concurrency uses it).
 */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define THREADS 6
#define PAGES 48
#define STEPS 80
#define WORDS (PAGE / sizeof(uint64_t))

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

/* --- all against all --- */

struct actor {
	int number;
	uint64_t random;
	uint64_t *pages;      /* PAGES of its own */
	uint64_t want[PAGES]; /* what every looked-at word of a page is */
	bool writable[PAGES];
	uint64_t *shared; /* counters of all, in shared memory */
	uint64_t *common; /* counters of all, in private memory */
	long added;
	pthread_t thread;
};

static long storm_end; /* 0: by steps */

static uint64_t next_random(struct actor *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return a->random;
}

static uint64_t *page_of(struct actor *a, unsigned int page)
{
	return a->pages + page * WORDS;
}

static bool page_holds(const uint64_t *p, uint64_t want)
{
	for (size_t i = 0; i < WORDS; i += 61)
		if (((volatile const uint64_t *)p)[i] != want)
			return false;
	return true;
}

static void page_check(struct actor *a, unsigned int page)
{
	if (!page_holds(page_of(a, page), a->want[page]))
		FAIL("page %u of thread %d holds %llx, not %llx", page, a->number,
		     (long long)*page_of(a, page), (long long)a->want[page]);
}

static void page_write(struct actor *a, unsigned int page)
{
	uint64_t value = next_random(a) | 1;
	uint64_t *p = page_of(a, page);

	if (!a->writable[page])
		return;
	for (size_t i = 0; i < WORDS; i += 61)
		p[i] = value;
	a->want[page] = value;
}

static void range_pick(struct actor *a, unsigned int *first, unsigned int *count)
{
	*first = (unsigned int)(next_random(a) % PAGES);
	*count = 1 + (unsigned int)(next_random(a) % 8);
	if (*first + *count > PAGES)
		*count = PAGES - *first;
}

static void range_protect(struct actor *a)
{
	unsigned int first, count;
	bool writable = next_random(a) % 3 != 0;

	range_pick(a, &first, &count);
	CHECK(mprotect(page_of(a, first), count * PAGE,
		       writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0);
	for (unsigned int i = first; i < first + count; i++)
		a->writable[i] = writable;
}

static void range_anew(struct actor *a)
{
	unsigned int first, count;
	uint64_t *at;

	range_pick(a, &first, &count);
	at = page_of(a, first);
	switch (next_random(a) % 3) {
	case 0: /* not a hole: another thread's mapping could come there */
		CHECK(mmap(at, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			   0) == at);
		CHECK(mprotect(at, count * PAGE, PROT_READ | PROT_WRITE) == 0);
		break;
	case 1:
		CHECK(mmap(at, count * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
		break;
	case 2:
		CHECK(madvise(at, count * PAGE, MADV_DONTNEED) == 0);
		for (unsigned int i = first; i < first + count; i++)
			a->want[i] = 0;
		return;
	}
	for (unsigned int i = first; i < first + count; i++) {
		a->want[i] = 0;
		a->writable[i] = true;
	}
}

/* A child of this thread sees this thread's pages as they are, keeps them, and its writes stay its own. */
static void fork_and_look(struct actor *a)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		for (unsigned int i = 0; i < PAGES; i++)
			if (!page_holds(page_of(a, i), a->want[i]))
				_exit(1);
		for (unsigned int i = 0; i < PAGES; i += 5)
			page_write(a, i);
		sched_yield();
		for (unsigned int i = 0; i < PAGES; i++)
			if (!page_holds(page_of(a, i), a->want[i]))
				_exit(2);
		_exit(0);
	}
	for (unsigned int i = 0; i < PAGES; i += 7)
		page_write(a, i);
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status)
		FAIL("a child of thread %d ended with %#x", a->number, status);
}

static void *short_life(void *arg)
{
	volatile char stack[3 * PAGE];

	memset((char *)stack, (int)(long)arg, sizeof(stack));
	return (void *)(long)stack[PAGE];
}

static void thread_and_join(struct actor *a)
{
	pthread_t thread;
	void *result;
	long value = (long)(next_random(a) % 100);

	CHECK(pthread_create(&thread, NULL, short_life, (void *)value) == 0);
	CHECK(pthread_join(thread, &result) == 0);
	CHECK_EQ((long)result, value);
}

static void counters_add(struct actor *a)
{
	for (int i = 0; i < 20; i++) {
		__atomic_fetch_add(&a->shared[(a->added % 4) * WORDS], 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&a->common[(a->added % 4) * WORDS], 1, __ATOMIC_RELAXED);
		a->added++;
	}
}

static void mapping_comes_and_goes(struct actor *a)
{
	size_t size = (1 + next_random(a) % 20) * PAGE;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t at = 0; at < size; at += PAGE)
		p[at] = (uint8_t)(at / PAGE + 1);
	for (size_t at = 0; at < size; at += PAGE)
		CHECK_EQ(p[at], (uint8_t)(at / PAGE + 1));
	CHECK(munmap(p, size) == 0);
}

static void *act(void *arg)
{
	struct actor *a = arg;

	for (int step = 0; storm_end ? now_ns() < storm_end : step < STEPS; step++) {
		uint64_t r = next_random(a) % 100;

		if (r < 35)
			page_write(a, (unsigned int)(next_random(a) % PAGES));
		else if (r < 60)
			page_check(a, (unsigned int)(next_random(a) % PAGES));
		else if (r < 70)
			range_protect(a);
		else if (r < 80)
			range_anew(a);
		else if (r < 84)
			fork_and_look(a);
		else if (r < 87)
			thread_and_join(a);
		else if (r < 95)
			counters_add(a);
		else
			mapping_comes_and_goes(a);
	}
	for (unsigned int i = 0; i < PAGES; i++)
		page_check(a, i);
	return NULL;
}

static uint64_t *pages_map(size_t pages, int flags)
{
	uint64_t *p =
		mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

TEST(smp, threads_write_fork_map_protect_and_exit_against_each_other)
{
	static struct actor actors[THREADS];
	const char *seconds = getenv("SMP_SECONDS");
	uint64_t *shared = pages_map(4, MAP_SHARED), *common = pages_map(4, MAP_PRIVATE);
	uint64_t in_shared = 0, in_common = 0, added = 0;

	storm_end = seconds ? now_ns() + atol(seconds) * 1000000000l : 0;
	for (int i = 0; i < THREADS; i++) {
		actors[i] = (struct actor){ .number = i,
					    .random = 88172645463325252ull + (uint64_t)i * 7919,
					    .shared = shared,
					    .common = common };
		actors[i].pages = pages_map(PAGES, MAP_PRIVATE);
		memset(actors[i].writable, true, sizeof(actors[i].writable));
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&actors[i].thread, NULL, act, &actors[i]) == 0);
	for (int i = 0; i < THREADS; i++) {
		CHECK(pthread_join(actors[i].thread, NULL) == 0);
		added += (uint64_t)actors[i].added;
	}
	for (int i = 0; i < 4; i++) {
		in_shared += shared[(size_t)i * WORDS];
		in_common += common[(size_t)i * WORDS];
	}
	CHECK_EQ(in_shared, added);
	CHECK_EQ(in_common, added);
}

/* --- PROTOCOL, test 2: no stale read while a page is copied --- */

#define ROUNDS 60

static volatile int stop;

static void *read_upwards(void *arg)
{
	volatile uint64_t *p = arg;
	uint64_t seen = 0;

	while (!stop) {
		uint64_t v = *p;

		if (v < seen)
			return (void *)1;
		seen = v;
	}
	return NULL;
}

TEST(smp, a_reader_never_sees_a_page_that_was_replaced)
{
	volatile uint64_t *p = pages_map(1, MAP_PRIVATE);
	pthread_t readers[2];
	uint64_t value = 1;
	void *stale;

	*p = value;
	stop = 0;
	for (size_t i = 0; i < COUNT_OF(readers); i++)
		CHECK(pthread_create(&readers[i], NULL, read_upwards, (void *)p) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = fork(); /* all is shared again */

		CHECK(pid >= 0);
		if (pid == 0) {
			uint64_t mine = *p;

			*p = mine + 1000000; /* never to be seen by the readers */
			_exit(*p == mine + 1000000 ? 0 : 1);
		}
		for (int k = 0; k < 20; k++)
			*p = ++value;
		child_expect(pid, 0);
	}
	stop = 1;
	for (size_t i = 0; i < COUNT_OF(readers); i++) {
		CHECK(pthread_join(readers[i], &stale) == 0);
		CHECK(!stale);
	}
	CHECK_EQ(*p, value);
}

/* --- PROTOCOL, test 3: counters while another forks --- */

struct counter {
	volatile uint64_t *first,
		*second; /* on two pages; each is written before the other in turn */
	uint64_t n;
};

static void *count_up(void *arg)
{
	struct counter *c = arg;

	while (!stop) {
		c->n++;
		*c->first = c->n;
		*c->second = c->n;
	}
	return NULL;
}

TEST(smp, a_fork_loses_no_increment_and_is_one_instant)
{
	struct counter counters[3];
	pthread_t threads[COUNT_OF(counters)];

	stop = 0;
	for (size_t i = 0; i < COUNT_OF(counters); i++) {
		counters[i] = (struct counter){ .first = pages_map(1, MAP_PRIVATE),
						.second = pages_map(1, MAP_PRIVATE) };
		CHECK(pthread_create(&threads[i], NULL, count_up, &counters[i]) == 0);
	}
	for (int r = 0; r < ROUNDS; r++) {
		CHILD (0) {
			for (size_t i = 0; i < COUNT_OF(counters); i++) {
				uint64_t a = *counters[i].first, b = *counters[i].second;

				/* Of one instant: the first is as far as the second, or one further. */
				CHECK(a == b || a == b + 1);
				sched_yield();
				CHECK(a == *counters[i].first && b == *counters[i].second);
			}
		}
	}
	stop = 1;
	for (size_t i = 0; i < COUNT_OF(counters); i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		CHECK_EQ(*counters[i].first, counters[i].n);
		CHECK_EQ(*counters[i].second, counters[i].n);
	}
}

/* --- PROTOCOL, test 10: leave a CPU, come back after what was there has gone --- */

static int cpus_allowed(int *list, int max)
{
	cpu_set_t set;
	int n = 0;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < max; cpu++)
		if (CPU_ISSET(cpu, &set))
			list[n++] = cpu;
	return n;
}

static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	CHECK_EQ(sched_getcpu(), cpu);
}

TEST(smp, who_comes_back_to_a_cpu_finds_nothing_old_there)
{
	uint64_t *p = pages_map(PAGES, MAP_PRIVATE);
	int cpus[8], n = cpus_allowed(cpus, COUNT_OF(cpus));

	for (int r = 0; r < 4 * ROUNDS; r++) {
		uint64_t value = (uint64_t)r + 1;
		pid_t pid;

		move_to(cpus[r % n]);
		for (size_t i = 0; i < PAGES; i++)
			if (r > 0 && p[i * WORDS] != value - 1)
				FAIL("round %d: page %zu is of round %llu", r, i,
				     (long long)p[i * WORDS] - 1);
		pid = child_fork();
		if (pid == 0) {
			for (size_t i = 0; i < PAGES; i++)
				p[i * WORDS] = 0;
			_exit(0);
		}
		move_to(cpus[(r + 1) % n]); /* the first CPU keeps what it knows, perhaps idle */
		for (size_t i = 0; i < PAGES; i++)
			p[i * WORDS] = value;
		if (r % 8 == 7) {
			CHECK(munmap(p, PAGES * PAGE) == 0);
			CHECK(mmap(p, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
			for (size_t i = 0; i < PAGES; i++)
				p[i * WORDS] = value;
		}
		child_expect(pid, 0);
	}
}

/* --- time and place --- */

struct baton {
	volatile long last; /* the latest time that anyone has read */
	volatile int turn, backwards;
};

struct runner {
	struct baton *baton;
	int cpu, number, of;
};

static void *run_with_baton(void *arg)
{
	struct runner *r = arg;

	move_to(r->cpu);
	for (int i = 0; i < 40; i++) {
		long t;

		while (r->baton->turn % r->of != r->number)
			sched_yield();
		t = now_ns();
		if (t < r->baton->last)
			r->baton->backwards = 1;
		r->baton->last = t;
		__atomic_store_n(&r->baton->turn, r->baton->turn + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

TEST(smp, time_goes_forward_from_cpu_to_cpu)
{
	static struct baton baton;
	struct runner runners[4];
	pthread_t threads[4];
	int cpus[4], n = cpus_allowed(cpus, COUNT_OF(cpus));

	for (int i = 0; i < n; i++) {
		runners[i] = (struct runner){ &baton, cpus[i], i, n };
		CHECK(pthread_create(&threads[i], NULL, run_with_baton, &runners[i]) == 0);
	}
	for (int i = 0; i < n; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(!baton.backwards);
}

static void *spin_until_stop(void *arg)
{
	*(volatile int *)arg = gettid();
	while (!stop)
		;
	return NULL;
}

/* Also of a thread that never enters the kernel by itself, and inherited by what it starts. */
TEST(smp, affinity_holds_at_once)
{
	int cpus[8], n = cpus_allowed(cpus, COUNT_OF(cpus));
	volatile int tid = 0;
	cpu_set_t set;
	pthread_t thread;

	for (int i = 0; i < 20; i++)
		move_to(cpus[i % n]);
	CHILD (0) {
		CHECK_EQ(sched_getcpu(), cpus[19 % n]);
		CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
		CHECK_EQ(CPU_COUNT(&set), 1);
	}
	stop = 0;
	CHECK(pthread_create(&thread, NULL, spin_until_stop, (void *)&tid) == 0);
	while (!tid)
		sched_yield();
	for (int i = 0; i < 10; i++) {
		CPU_ZERO(&set);
		CPU_SET(cpus[i % n], &set);
		CHECK(sched_setaffinity(tid, sizeof(set), &set) == 0);
		CHECK(sched_getaffinity(tid, sizeof(set), &set) == 0);
		CHECK(CPU_ISSET(cpus[i % n], &set) && CPU_COUNT(&set) == 1);
	}
	stop = 1;
	CHECK(pthread_join(thread, NULL) == 0);
	CPU_ZERO(&set);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CPU_SET(1023, &set);
	CHECK_ERRNO(sched_setaffinity(0, sizeof(set), &set), EINVAL);
	CPU_SET(cpus[0], &set);
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0);
	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	CHECK(CPU_ISSET(cpus[0], &set) && CPU_COUNT(&set) == 1);
}

/* --- who sleeps is served --- */

/* Threads that never sleep must not keep others from their turn, on as many CPUs as there are. */
TEST(smp, hogs_leave_room_for_those_that_sleep)
{
	pthread_t hogs[8];
	volatile int tids[8];

	stop = 0;
	for (size_t i = 0; i < COUNT_OF(hogs); i++)
		CHECK(pthread_create(&hogs[i], NULL, spin_until_stop, (void *)&tids[i]) == 0);
	CHILD (0) {
		for (int i = 0; i < 50; i++) {
			pid_t pid = child_fork();

			if (pid == 0)
				_exit(7);
			child_expect(pid, 7);
		}
	}
	stop = 1;
	for (size_t i = 0; i < COUNT_OF(hogs); i++)
		CHECK(pthread_join(hogs[i], NULL) == 0);
}
