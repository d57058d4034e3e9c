/*
 * futex.c - futexes without an owner: waiting, waking, moving, errors, what names a word. Next: futex_pi.c.
 */
#include "threads.h"

#include <sched.h>

static _Atomic uint32_t word, other;

/* --- errors --- */

TEST(futex, errors_of_waiting)
{
	struct timespec bad_ns = { 0, 1000000000 }, negative = { -1, 0 }, past = { 0, 1 };
	uint8_t *hole = map_anon(1), *closed = map_anon(1), *readonly = map_anon(1);

	word = 1;
	CHECK(munmap(hole, PAGE) == 0 && mprotect(closed, PAGE, PROT_NONE) == 0);
	CHECK(mprotect(readonly, PAGE, PROT_READ) == 0);
	for (int private = 0; private <= FUTEX_PRIVATE_FLAG; private += FUTEX_PRIVATE_FLAG) {
		say("private %d\n", private);
		SAY(futex(&word, FUTEX_WAIT | private, 2, NULL, NULL, 0));
		SAY(futex((char *)&word + 1, FUTEX_WAIT | private, 2, NULL, NULL, 0));
		SAY(futex((char *)&word + 2, FUTEX_WAKE | private, 2, NULL, NULL, 0));
		SAY(futex(NULL, FUTEX_WAIT | private, 0, NULL, NULL, 0));
		SAY(futex(hole, FUTEX_WAIT | private, 0, NULL, NULL, 0));
		SAY(futex(closed, FUTEX_WAIT | private, 0, NULL, NULL, 0));
		SAY(futex(hole, FUTEX_WAKE | private, 1, NULL, NULL, 0));
		SAY(futex(closed, FUTEX_WAKE | private, 1, NULL, NULL, 0));
		SAY(futex((void *)(1UL << 63), FUTEX_WAIT | private, 0, NULL, NULL, 0));
		SAY(futex((void *)(1UL << 63), FUTEX_WAKE | private, 0, NULL, NULL, 0));
		SAY(futex(&word, FUTEX_WAIT | private, 1, &bad_ns, NULL, 0));
		SAY(futex(&word, FUTEX_WAIT | private, 1, &negative, NULL, 0));
		SAY(futex(&word, FUTEX_WAIT | private, 1, (void *)8, NULL, 0));
		SAY(futex(&word, FUTEX_WAIT | private, 1, &past, NULL, 0));
		SAY(futex(&word, FUTEX_WAIT_BITSET | private, 1, &past, NULL, 0));
		SAY(futex(&word, FUTEX_WAIT_BITSET | private, 1, &past, NULL, 1));
		SAY(futex(&word, FUTEX_WAKE_BITSET | private, 1, NULL, NULL, 0));
		SAY(futex(&word, FUTEX_REQUEUE | private, -1, (void *)1, (void *)&other, 0));
		SAY(futex(&word, FUTEX_REQUEUE | private, 1, (void *)-1L, (void *)&other, 0));
		SAY(futex(&word, FUTEX_CMP_REQUEUE | private, 1, (void *)1, (void *)&other, 7));
		SAY(futex(&word, FUTEX_CMP_REQUEUE | private, 1, (void *)1, (char *)&other + 1, 1));
		SAY(futex(hole, FUTEX_CMP_REQUEUE | private, 1, (void *)1, (void *)&other, 1));
		SAY(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, hole, 0));
		SAY(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, closed, 0));
		SAY(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, readonly, 0));
	}
	SAY(futex(&word, FUTEX_FD, 1, NULL, NULL, 0));
	SAY(futex(&word, 14, 1, NULL, NULL, 0));
	SAY(futex(&word, 127, 1, NULL, NULL, 0));
	SAY(futex(&word, -1, 1, NULL, NULL, 0));
	SAY(futex(&word, 0x1000, 1, NULL, NULL, 0));
}

TEST(futex, the_real_time_clock_is_for_some_calls)
{
	static const int commands[] = { FUTEX_WAIT,          FUTEX_WAKE,        FUTEX_REQUEUE,
					FUTEX_WAKE_OP,       FUTEX_LOCK_PI,     FUTEX_UNLOCK_PI,
					FUTEX_TRYLOCK_PI,    FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET,
					FUTEX_CMP_REQUEUE_PI };
	struct timespec past = { 0, 1 };

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		word = 0;
		say("command %d: %s\n", commands[i],
		    result_name(futex(&word, commands[i] | FUTEX_CLOCK_REALTIME, 0, &past,
				      (void *)&other, 1)));
	}
}

/* --- time-outs --- */

static void expect_timeout(int op, clockid_t clock, bool absolute)
{
	struct timespec from, to, limit = { 0, 30000000 };

	clock_gettime(CLOCK_MONOTONIC, &from);
	if (absolute)
		limit = time_in(clock, 30);
	CHECK_EQ(futex(&word, op, word, &limit, NULL, FUTEX_BITSET_MATCH_ANY), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec >= 29000000);
}

TEST(futex, time_outs_by_both_clocks)
{
	expect_timeout(FUTEX_WAIT, CLOCK_MONOTONIC, false);
	expect_timeout(FUTEX_WAIT_PRIVATE, CLOCK_MONOTONIC, false);
	expect_timeout(FUTEX_WAIT_BITSET, CLOCK_MONOTONIC, true);
	expect_timeout(FUTEX_WAIT_BITSET_PRIVATE, CLOCK_MONOTONIC, true);
	expect_timeout(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, CLOCK_REALTIME, true);
	expect_timeout(FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, CLOCK_REALTIME, true);
}

/* --- waking --- */

struct waiting {
	_Atomic uint32_t *at;
	int op;
	uint32_t bitset;
};

static long wait_once(struct worker *w)
{
	struct waiting *a = w->arg;

	return futex(a->at, a->op, 0, NULL, NULL, a->bitset);
}

static void start_waiters(struct worker *w, int count, struct waiting *a)
{
	for (int i = 0; i < count; i++) {
		worker_start(&w[i], wait_once, a);
		worker_asleep(&w[i]);
	}
}

static int count_ended(struct worker *w, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++)
		n += w[i].ended;
	return n;
}

static void expect_ended(struct worker *w, int count, int want)
{
	while (count_ended(w, count) < want)
		usleep(1000);
	CHECK_EQ(count_ended(w, count), want);
}

TEST(futex, wakes_as_many_as_asked_and_at_least_one)
{
	struct worker w[6];
	struct waiting a = { &word, FUTEX_WAIT_PRIVATE, 0 };

	word = 0;
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0), 0);
	start_waiters(w, 6, &a);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1);
	expect_ended(w, 6, 1);
	CHECK(w[0].ended); /* in order of arrival */
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, -7, NULL, NULL, 0), 1);
	expect_ended(w, 6, 2);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
	expect_ended(w, 6, 4);
	CHECK(w[3].ended && !w[4].ended);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0), 2);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(worker_join(&w[i]), 0);
}

TEST(futex, bits_choose_who_is_woken)
{
	struct worker w[3];
	struct waiting a[3] = { { &word, FUTEX_WAIT_BITSET, 1 },
				{ &word, FUTEX_WAIT_BITSET, 2 },
				{ &word, FUTEX_WAIT_BITSET, 0x80000003 } };

	word = 0;
	for (int i = 0; i < 3; i++)
		start_waiters(&w[i], 1, &a[i]);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 4), 0);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 0x80000000), 1);
	worker_join(&w[2]);
	CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2), 1);
	worker_join(&w[1]);
	CHECK_EQ(futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
	worker_join(&w[0]);
}

TEST(futex, requeue_moves_those_that_are_not_woken)
{
	struct worker w[5];
	struct waiting a = { &word, FUTEX_WAIT_PRIVATE, 0 };

	word = other = 0;
	start_waiters(w, 5, &a);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, (void *)&other, 1), -EAGAIN);
	CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, (void *)&other, 0), 3);
	expect_ended(w, 5, 1);
	CHECK_EQ(futex(&other, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
	expect_ended(w, 5, 3);
	CHECK_EQ(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, (void *)&word, 0),
		 2); /* to itself */
	CHECK_EQ(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)9, (void *)&other, 0), 2);
	CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 0);
	CHECK_EQ(futex(&other, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(worker_join(&w[i]), 0);
}

TEST(futex, operations_of_wake_op)
{
	static const uint32_t values[] = { 0, 1, 5, 0x7fffffff, 0x80000000, 0xffffffff };

	for (uint32_t op = 0; op < 16; op++) {
		for (size_t i = 0; i < COUNT_OF(values); i++) {
			other = values[i];
			long r = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, (void *)&other,
				       op << 28 | 0xfff << 12 | 5);
			say("op %u of %x: %s, %x\n", op, values[i], result_name(r), other);
			other = values[i];
			r = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, (void *)&other,
				  op << 28 | 3 << 12 | 5);
			say("op %u of %x: %s, %x\n", op, values[i], result_name(r), other);
		}
	}
}

TEST(futex, comparisons_of_wake_op)
{
	static const uint32_t values[] = { 4, 5, 6, 0xffffffff, 0xfffffffe };

	for (uint32_t compare = 0; compare < 16; compare++) {
		for (size_t i = 0; i < COUNT_OF(values); i++) {
			for (uint32_t against = 5; against < 0x1000; against += 0xffa) {
				struct worker w;
				struct waiting a = { &other, FUTEX_WAIT_PRIVATE, 0 };
				long r;

				other = 0;
				start_waiters(&w, 1, &a);
				other = values[i];
				r = futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1,
					  (void *)&other,
					  FUTEX_OP_OR << 28 | compare << 24 | against);
				say("%x %u %x: %s\n", values[i], compare, against, result_name(r));
				if (r != 1)
					futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
				worker_join(&w);
			}
		}
	}
}

/* --- what names a word --- */

TEST(futex, a_shared_word_is_what_lies_in_memory)
{
	int fd = file_make("shared", 2 * PAGE);
	_Atomic uint32_t *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE),
			 *b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);

	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	close(fd);
	a[3] = 0;
	pid_t pid = child_fork();
	if (pid == 0)
		_exit(futex(&b[3], FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	while (futex(&a[3], FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		usleep(1000);
	child_expect(pid, 0);
}

TEST(futex, private_and_shared_do_not_meet_in_private_memory)
{
	struct worker w;
	struct waiting a = { &word, FUTEX_WAIT, 0 };

	word = 0;
	start_waiters(&w, 1, &a);
	say("private wake: %ld\n", futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	say("shared wake: %ld\n", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	worker_join(&w);
	a.op = FUTEX_WAIT_PRIVATE;
	start_waiters(&w, 1, &a);
	say("shared wake: %ld\n", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	say("private wake: %ld\n", futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	worker_join(&w);
}

TEST(futex, private_memory_parts_at_fork)
{
	uint32_t *p = (uint32_t *)map_anon(1);
	struct timespec soon = { 0, 20000000 };

	CHILD (0) {
		CHECK_EQ(futex(p, FUTEX_WAIT, 0, &soon, NULL, 0), -ETIMEDOUT);
	}
	CHECK_EQ(futex(p, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

/* --- signals --- */

static _Atomic int handled;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

static long wait_long(struct worker *w)
{
	struct timespec far = { 100, 0 };

	return futex(&word, FUTEX_WAIT_PRIVATE, 0, w->arg ? &far : NULL, NULL, 0);
}

static void signal_a_waiter(int flags, bool timed)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };
	struct worker w;

	sigaction(SIGUSR1, &sa, NULL);
	word = handled = 0;
	worker_start(&w, wait_long, timed ? &w : NULL);
	worker_asleep(&w);
	pthread_kill(w.thread, SIGUSR1);
	while (!handled)
		usleep(1000);
	if (flags & SA_RESTART && !timed) {
		worker_asleep(&w);
		while (futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) != 1)
			usleep(1000);
	}
	say("flags %x timed %d: %s\n", flags, timed, result_name(worker_join(&w)));
}

TEST(futex, signals_interrupt_or_not)
{
	signal_a_waiter(0, false);
	signal_a_waiter(0, true);
	signal_a_waiter(SA_RESTART, false);
	signal_a_waiter(SA_RESTART, true);
}

TEST(futex, a_stop_does_not_end_a_wait)
{
	_Atomic uint32_t *p =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = child_fork();

	if (pid == 0) {
		struct timespec far = { 100, 0 };

		p[1] = 1;
		_exit(futex(p, FUTEX_WAIT, 0, &far, NULL, 0) == 0 ? 0 : 1);
	}
	spin_while(&p[1], 0);
	usleep(20000);
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	kill(pid, SIGCONT);
	while (futex(p, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		usleep(1000);
	child_expect(pid, 0);
}

/* --- several words --- */

#define SYS_WAITV 449

static long waitv(void *v, unsigned int count, unsigned int flags, void *timeout, int clock)
{
	return raw_syscall(SYS_WAITV, (long)v, count, flags, (long)timeout, clock, 0);
}

TEST(futex, errors_of_waitv)
{
	struct futex_waitv v[2] = { { 0, (uintptr_t)&word, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0 },
				    { 0, (uintptr_t)&other, FUTEX_32, 0 } };
	struct timespec bad = { 0, -1 }, past = { 0, 1 };

	word = other = 0;
	SAY(waitv(v, 2, 1, NULL, 0));
	SAY(waitv(v, 0, 0, NULL, 0));
	SAY(waitv(v, 129, 0, NULL, 0));
	SAY(waitv(NULL, 1, 0, NULL, 0));
	SAY(waitv((void *)8, 1, 0, NULL, 0));
	SAY(waitv(v, 2, 0, &past, CLOCK_BOOTTIME));
	SAY(waitv(v, 2, 0, &bad, CLOCK_MONOTONIC));
	SAY(waitv(v, 2, 0, (void *)8, CLOCK_MONOTONIC));
	SAY(waitv(v, 2, 0, &past, CLOCK_MONOTONIC));
	SAY(waitv(v, 2, 0, &past, CLOCK_REALTIME));
	v[1].val = 1;
	SAY(waitv(v, 2, 0, &past, CLOCK_REALTIME));
	v[1].val = 1ULL << 32;
	SAY(waitv(v, 2, 0, &past, CLOCK_REALTIME));
	v[1].val = 0;
	v[1].__reserved = 1;
	SAY(waitv(v, 2, 0, &past, CLOCK_REALTIME));
	v[1].__reserved = 0;
	for (unsigned int flags = 0; flags < 512; flags = flags ? flags * 2 : 1) {
		if (flags == 4 || flags == 8) /* NUMA */
			continue;
		v[1].flags = flags;
		say("flags %x: %s\n", flags, result_name(waitv(v, 2, 0, &past, CLOCK_REALTIME)));
	}
	v[1].flags = FUTEX_32;
	v[1].uaddr++;
	SAY(waitv(v, 2, 0, &past, CLOCK_REALTIME));
	v[1].uaddr = 0;
	SAY(waitv(v, 2, 0, &past, CLOCK_REALTIME));
}

static _Atomic uint32_t many[128];

static long wait_many(struct worker *w)
{
	struct futex_waitv v[128];

	(void)w;
	for (int i = 0; i < 128; i++)
		v[i] = (struct futex_waitv){ 0, (uintptr_t)&many[i], FUTEX_32 | FUTEX_PRIVATE_FLAG,
					     0 };
	return waitv(v, 128, 0, NULL, 0);
}

TEST(futex, waitv_tells_which_word)
{
	struct worker w;

	for (int i = 0; i < 128; i += 127) {
		worker_start(&w, wait_many, NULL);
		worker_asleep(&w);
		/* It may look asleep while it still queues itself, one word after the other. */
		while (futex(&many[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0)
			usleep(1000);
		CHECK_EQ(worker_join(&w), i);
		CHECK_EQ(futex(&many[5], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
	}
}

/* --- all of it at once --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static long take_turns(struct worker *w)
{
	for (int round = 0; round < 200; round++) {
		pthread_mutex_lock(&mutex);
		while (turn != w->number)
			pthread_cond_wait(&cond, &mutex);
		turn = (turn + 1) % 8;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return 0;
}

TEST(futex, eight_threads_take_turns)
{
	struct worker w[8];

	for (int i = 0; i < 8; i++) {
		w[i].number = i;
		worker_start(&w[i], take_turns, NULL);
	}
	for (int i = 0; i < 8; i++)
		worker_join(&w[i]);
	CHECK_EQ(turn, 0);
}
