/*
 * test_lock.c - locks and wait queues on several fake CPUs: mutual exclusion, no lost wake-up, no starvation; and the rank checker.
 */
#include "mm_test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/atomic.h"
#include "lib/waitq.h"

#define SEEDS 2000
#define CPUS 5

static void each_seed(void (*test)(void))
{
	for (u64 seed = 1; seed <= SEEDS; seed++) {
		hosted_seed(seed);
		test();
	}
}

/* --- mutual exclusion --- */

static struct {
	struct spinlock spin;
	struct mutex mutex;
	struct rwlock rw;
	u32 inside, readers, done;
	u64 count, copy;
} t;

static void spin_cpu(u32 cpu, void *arg)
{
	(void)cpu, (void)arg;
	for (u32 i = 0; i < 20; i++) {
		if (i % 4)
			spin_lock(&t.spin);
		else
			while (!spin_trylock(&t.spin))
				cpu_relax();
		must(t.inside++ == 0 && spin_held(&t.spin), "two CPUs hold one spinlock");
		hosted_step();
		t.count++;
		t.inside--;
		spin_unlock(&t.spin);
	}
}

static void spin_run(void)
{
	t.count = 0;
	spin_init(&t.spin, RANK_FS);
	hosted_run(CPUS, spin_cpu, NULL);
	must(t.count == 20 * CPUS, "%lu", t.count);
}

static void test_one_cpu_holds_a_spinlock(void **state)
{
	(void)state;
	each_seed(spin_run);
}

static void mutex_cpu(u32 cpu, void *arg)
{
	(void)cpu, (void)arg;
	for (u32 i = 0; i < 12; i++) {
		if (i % 4 || !mutex_trylock(&t.mutex))
			mutex_lock(&t.mutex);
		must(t.inside++ == 0, "two threads hold one mutex");
		for (u32 k = 0; k < i % 3; k++)
			hosted_pause();
		t.count++;
		t.inside--;
		mutex_unlock(&t.mutex);
	}
}

static void mutex_run(void)
{
	t.count = 0;
	mutex_init(&t.mutex, RANK_PIPE);
	hosted_run(CPUS, mutex_cpu, NULL);
	must(t.count == 12 * CPUS && t.mutex.locked == 0, "%lu", t.count);
}

static void test_one_thread_holds_a_mutex_and_nobody_waits_for_ever(void **state)
{
	(void)state;
	each_seed(mutex_run);
}

static void rw_inside_read(void)
{
	atomic_add(&t.readers, 1);
	u64 before = t.count;
	hosted_pause();
	must(t.inside == 0 && t.count == before && t.copy == before, "a reader beside a writer");
	atomic_sub(&t.readers, 1);
}

static void rw_cpu(u32 cpu, void *arg)
{
	(void)arg;
	for (u32 i = 0; i < 12; i++) {
		if ((i + cpu) % 3) {
			if (i % 4 || !read_trylock(&t.rw))
				read_lock(&t.rw);
			rw_inside_read();
			read_unlock(&t.rw);
			continue;
		}
		if (i % 4 || !write_trylock(&t.rw))
			write_lock(&t.rw);
		must(t.inside++ == 0 && load_relaxed(&t.readers) == 0 && write_held(&t.rw),
		     "a writer is not alone");
		t.count++;
		hosted_pause();
		t.copy++;
		t.inside--;
		if (i % 2) {
			write_downgrade(&t.rw);
			rw_inside_read();
			read_unlock(&t.rw);
		} else {
			write_unlock(&t.rw);
		}
	}
	atomic_add(&t.done, 1);
}

static void rw_run(void)
{
	t.count = t.copy = t.done = 0;
	rwlock_init(&t.rw, RANK_SPACE);
	hosted_run(CPUS, rw_cpu, NULL);
	must(t.done == CPUS && t.rw.count == 0 && t.rw.writers_waiting == 0 &&
		     list_empty(&t.rw.wait.waiters),
	     "the lock is not free");
}

static void test_readers_share_writers_exclude_and_nobody_waits_for_ever(void **state)
{
	(void)state;
	each_seed(rw_run);
}

/* A reader gets in although writers never leave the lock alone, and a writer although readers do not. */
static void rw_busy_cpu(u32 cpu, void *arg)
{
	bool writers = *(bool *)arg;

	if (cpu == 0) {
		for (u32 i = 0; i < 3; i++) {
			if (writers) {
				read_lock(&t.rw);
				read_unlock(&t.rw);
			} else {
				write_lock(&t.rw);
				write_unlock(&t.rw);
			}
		}
		store_release(&t.done, 1);
		return;
	}
	for (u64 rounds = 0; !load_acquire(&t.done); rounds++) {
		must(rounds < 100000, "starved");
		if (writers) {
			write_lock(&t.rw);
			hosted_pause();
			write_unlock(&t.rw);
		} else {
			read_lock(&t.rw);
			hosted_pause();
			hosted_pause();
			read_unlock(&t.rw);
		}
	}
}

static void rw_busy_run(void)
{
	for (u32 writers = 0; writers < 2; writers++) {
		bool arg = writers;

		t.done = 0;
		rwlock_init(&t.rw, RANK_SPACE);
		hosted_run(4, rw_busy_cpu, &arg);
	}
}

static void test_neither_readers_nor_writers_starve(void **state)
{
	(void)state;
	each_seed(rw_busy_run);
}

/* --- wait queues --- */

static struct {
	struct waitq queue;
	u32 tokens, taken, woken_by_function;
} w;

static bool token_take(void)
{
	u32 n = load_relaxed(&w.tokens);

	while (n)
		if (atomic_cas(&w.tokens, &n, n - 1))
			return true;
	return false;
}

/* Some wait together, some as one of many; each token lets one through. */
static void token_cpu(u32 cpu, void *arg)
{
	(void)arg;
	if (cpu == 0) {
		for (u32 i = 0; i < 12; i++) {
			atomic_add(&w.tokens, 1);
			waitq_wake_all(&w.queue);
			if (i % 3 == 0)
				hosted_pause();
		}
		return;
	}
	for (u32 i = 0; i < 4; i++) {
		wait_event(&w.queue, token_take());
		atomic_add(&w.taken, 1);
	}
}

static void token_run(void)
{
	waitq_init(&w.queue);
	w.tokens = w.taken = 0;
	hosted_run(4, token_cpu, NULL);
	must(w.taken == 12 && !w.tokens && list_empty(&w.queue.waiters), "%u taken", w.taken);
}

static void test_no_wake_up_is_lost_when_another_takes_what_was_waited_for(void **state)
{
	(void)state;
	each_seed(token_run);
}

/* A chain: each exclusive waiter passes the single wake-up on. */
static void chain_cpu(u32 cpu, void *arg)
{
	struct waiter self;

	(void)arg;
	if (cpu == 0) {
		for (u32 i = 0; i < 5; i++)
			hosted_pause();
		atomic_add(&w.tokens, 1);
		waitq_wake_one(&w.queue);
		return;
	}
	waiter_init(&self);
	self.exclusive = true;
	for (;;) {
		waitq_prepare(&w.queue, &self);
		if (token_take())
			break;
		thread_park(false, DEADLINE_NONE);
	}
	thread_cancel_park();
	waitq_finish(&w.queue, &self);
	atomic_add(&w.taken, 1);
	atomic_add(&w.tokens, 1);
	waitq_wake_one(&w.queue);
}

static void chain_run(void)
{
	waitq_init(&w.queue);
	w.tokens = w.taken = 0;
	hosted_run(5, chain_cpu, NULL);
	must(w.taken == 4 && w.tokens == 1, "%u taken", w.taken);
}

static void test_waking_one_reaches_each_exclusive_waiter_in_turn(void **state)
{
	(void)state;
	each_seed(chain_run);
}

static bool count_wake(struct waiter *waiter, u64 key)
{
	(void)waiter;
	w.woken_by_function += (u32)key;
	return true;
}

static void test_wake_functions_get_the_key_and_stay_queued(void **state)
{
	struct waiter a, b;

	(void)state;
	hosted_seed(1);
	waitq_init(&w.queue);
	waiter_init(&a);
	waiter_init(&b);
	a.wake = b.wake = count_wake;
	waitq_add(&w.queue, &a);
	waitq_add(&w.queue, &b);
	w.woken_by_function = 0;
	waitq_wake_key(&w.queue, 4);
	assert_int_equal(w.woken_by_function, 8);
	waitq_remove(&w.queue, &a);
	waitq_wake_key(&w.queue, 1);
	assert_int_equal(w.woken_by_function, 9);
	waitq_remove(&w.queue, &b);
	assert_true(list_empty(&w.queue.waiters));
}

/* --- ranks --- */

static void wrong_spin_order(void)
{
	struct spinlock low = SPINLOCK_INIT(RANK_FS), high = SPINLOCK_INIT(RANK_FRAME);

	spin_lock(&high);
	spin_lock(&low);
}

static void twice(void)
{
	struct spinlock a = SPINLOCK_INIT(RANK_FS), b = SPINLOCK_INIT(RANK_FS);

	spin_lock(&a);
	spin_lock(&b);
}

static void recursion(void)
{
	struct spinlock a = SPINLOCK_INIT(RANK_NODE);

	spin_lock(&a);
	spin_lock(&a);
}

static void sleep_under_spinlock(void)
{
	struct spinlock a = SPINLOCK_INIT(RANK_FS);

	mutex_init(&t.mutex, RANK_PIPE);
	spin_lock(&a);
	mutex_lock(&t.mutex);
}

static void wrong_sleep_order(void)
{
	mutex_init(&t.mutex, RANK_PIPE);
	rwlock_init(&t.rw, RANK_SPACE);
	read_lock(&t.rw);
	mutex_lock(&t.mutex);
}

static void unlock_of_a_free_lock(void)
{
	struct spinlock a = SPINLOCK_INIT(RANK_FS);

	spin_unlock(&a);
}

static bool panics(void (*fn)(void))
{
	int status;
	pid_t child = fork();

	if (!child) {
		freopen("/dev/null", "w", stderr);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == 6 /* SIGABRT */;
}

static void test_locks_out_of_order_end_in_a_panic(void **state)
{
	struct spinlock a = SPINLOCK_INIT(RANK_NODE), b = SPINLOCK_INIT(RANK_NODE),
			c = SPINLOCK_INIT(RANK_FRAME);

	(void)state;
	hosted_seed(1);
	assert_true(panics(wrong_spin_order));
	assert_true(panics(twice));
	assert_true(panics(recursion));
	assert_true(panics(sleep_under_spinlock));
	assert_true(panics(wrong_sleep_order));
	assert_true(panics(unlock_of_a_free_lock));
	/* Several of the same rank where that is allowed, and unlocking in any order. */
	spin_lock(&a);
	spin_lock(&b);
	spin_lock(&c);
	spin_unlock(&a);
	spin_unlock(&c);
	assert_true(spin_held(&b) && !spin_held(&a));
	spin_unlock(&b);
	assert_int_equal(lock_stack_cpu()->depth, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_cpu_holds_a_spinlock),
		cmocka_unit_test(test_one_thread_holds_a_mutex_and_nobody_waits_for_ever),
		cmocka_unit_test(test_readers_share_writers_exclude_and_nobody_waits_for_ever),
		cmocka_unit_test(test_neither_readers_nor_writers_starve),
		cmocka_unit_test(test_no_wake_up_is_lost_when_another_takes_what_was_waited_for),
		cmocka_unit_test(test_waking_one_reaches_each_exclusive_waiter_in_turn),
		cmocka_unit_test(test_wake_functions_get_the_key_and_stay_queued),
		cmocka_unit_test(test_locks_out_of_order_end_in_a_panic),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
