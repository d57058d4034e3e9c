/*
 * futex_pi.c - futexes with an owner, and what becomes of futexes whose owner dies. Next: clone.c.
 */
#include "threads.h"

#include <sched.h>

static _Atomic uint32_t lock, lock2, word;

/* The word with the tids of those that the test knows replaced by names. */
static const char *word_text(uint32_t v, pid_t one, pid_t two)
{
	static char ring[4][64];
	static unsigned int next;
	char *s = ring[next++ % COUNT_OF(ring)];
	uint32_t tid = v & FUTEX_TID_MASK;

	snprintf(s, sizeof(ring[0]), "%s%s%s",
		 !tid                        ? "nobody"
		 : tid == (uint32_t)my_tid() ? "main"
		 : tid == (uint32_t)one      ? "first"
		 : tid == (uint32_t)two      ? "second"
					     : "other",
		 v & FUTEX_WAITERS ? " waiters" : "", v & FUTEX_OWNER_DIED ? " died" : "");
	return s;
}
#define SAY_WORD(v, one, two) say(#v ": %s\n", word_text(v, one, two))

static long pi(_Atomic uint32_t *w, int op)
{
	return futex(w, op | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
}

/* --- alone --- */

TEST(futex, pi_without_contention)
{
	lock = 0;
	SAY(pi(&lock, FUTEX_LOCK_PI));
	SAY_WORD(lock, 0, 0);
	SAY(pi(&lock, FUTEX_LOCK_PI));
	SAY(pi(&lock, FUTEX_TRYLOCK_PI));
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY_WORD(lock, 0, 0);
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY(pi(&lock, FUTEX_TRYLOCK_PI));
	SAY_WORD(lock, 0, 0);
	lock |= FUTEX_WAITERS;
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY_WORD(lock, 0, 0);
	lock = FUTEX_OWNER_DIED;
	SAY(pi(&lock, FUTEX_LOCK_PI2));
	SAY_WORD(lock, 0, 0);
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY_WORD(lock, 0, 0);
	lock = FUTEX_WAITERS;
	SAY(pi(&lock, FUTEX_LOCK_PI));
	SAY_WORD(lock, 0, 0);
}

TEST(futex, pi_errors)
{
	struct timespec bad = { 0, -1 }, past = { 0, 1 };
	uint32_t *readonly = (uint32_t *)map_anon(1);
	char *unaligned = (char *)&lock + 1;
	pid_t gone = child_fork();

	if (gone == 0)
		_exit(0);
	child_expect(gone, 0);
	CHECK(mprotect(readonly, PAGE, PROT_READ) == 0);
	SAY(futex(readonly, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	SAY(futex(readonly, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	SAY(futex(readonly, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
	SAY(futex(readonly, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	SAY(futex(NULL, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	SAY(futex(NULL, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	SAY(futex(unaligned, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	SAY(futex(unaligned, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	lock = 0;
	SAY(futex(&lock, FUTEX_LOCK_PI, 0, &bad, NULL, 0));
	SAY(futex(&lock, FUTEX_LOCK_PI2, 0, &bad, NULL, 0));
	lock = (uint32_t)gone;
	SAY(futex(&lock, FUTEX_LOCK_PI, 0, &past, NULL, 0));
	say("waiters: %d\n", !!(lock & FUTEX_WAITERS));
	SAY(futex(&lock, FUTEX_TRYLOCK_PI, 0, &past, NULL, 0));
	lock = (uint32_t)getppid();
	SAY(futex(&lock, FUTEX_TRYLOCK_PI, 0, &past, NULL, 0));
	say("waiters: %d\n", !!(lock & FUTEX_WAITERS));
	SAY(futex(&lock, FUTEX_LOCK_PI, 0, &past, NULL, 0));
	SAY(futex(&lock, FUTEX_LOCK_PI2, 0, &past, NULL, 0));
	SAY(futex(&lock, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 0));
	SAY(futex(&lock, FUTEX_UNLOCK_PI, 0, &past, NULL, 0));
	SAY(futex(&lock, FUTEX_WAIT_REQUEUE_PI, 0, &past, (void *)&lock, 1));
	SAY(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, (void *)&lock, 0));
	SAY(futex(&word, FUTEX_WAIT_REQUEUE_PI, 1, &past, (void *)&lock, 1));
	SAY(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, readonly, 1));
	SAY(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, unaligned, 1));
	SAY(futex(&word, FUTEX_WAIT_REQUEUE_PI, 0, &past, (void *)&lock, 1));
	SAY(futex(&word, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, &past, (void *)&lock, 1));
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI, 0, (void *)1, (void *)&lock, 0));
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, (void *)&lock, 0));
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)-1, (void *)&lock, 0));
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, (void *)&word, 0));
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, (void *)&lock, 1));
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, (void *)&lock, 0));
}

/* --- two --- */

static long lock_it(struct worker *w)
{
	long r = pi(w->arg, FUTEX_LOCK_PI);

	if (r == 0 && ((*(_Atomic uint32_t *)w->arg) & FUTEX_TID_MASK) != (uint32_t)w->tid)
		return -1000;
	return r;
}

static long lock_and_unlock(struct worker *w)
{
	long r = lock_it(w);

	return r ? r : pi(w->arg, FUTEX_UNLOCK_PI);
}

TEST(futex, pi_hands_over_in_order)
{
	struct worker a, b;

	lock = (uint32_t)my_tid();
	worker_start(&a, lock_and_unlock, &lock);
	worker_asleep(&a);
	SAY_WORD(lock, a.tid, 0);
	worker_start(&b, lock_and_unlock, &lock);
	worker_asleep(&b);
	SAY(futex(&lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	SAY(futex(&lock, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, (void *)&word, 0));
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY(worker_join(&a));
	SAY(worker_join(&b));
	say("%s\n", lock & FUTEX_TID_MASK ? "held" : "free");
}

TEST(futex, pi_and_plain_waiters_do_not_mix)
{
	struct worker w;
	struct timespec soon = time_in(CLOCK_MONOTONIC, 50);
	pid_t pid;

	(void)w;
	_Atomic uint32_t *p =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = child_fork();
	if (pid == 0)
		_exit(futex(p, FUTEX_WAIT, 0, NULL, NULL, 0) ? 1 : 0);
	usleep(50000);
	p[0] = (uint32_t)getppid();
	SAY(futex(p, FUTEX_LOCK_PI2, 0, &soon, NULL, 0));
	p[0] = (uint32_t)getpid();
	SAY(futex(p, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	while (futex(p, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		usleep(1000);
	child_expect(pid, 0);
}

static long lock_for_a_while(struct worker *w)
{
	struct timespec until = time_in(CLOCK_REALTIME, 40);

	return futex(w->arg, FUTEX_LOCK_PI_PRIVATE, 0, &until, NULL, 0);
}

TEST(futex, pi_time_out_and_a_word_that_lies)
{
	struct worker w;

	lock = (uint32_t)my_tid();
	worker_start(&w, lock_for_a_while, &lock);
	SAY(worker_join(&w));
	SAY_WORD(lock, w.tid, 0);
	SAY(pi(&lock, FUTEX_UNLOCK_PI));

	lock = (uint32_t)my_tid();
	worker_start(&w, lock_it, &lock);
	worker_asleep(&w);
	lock = (uint32_t)getppid() | FUTEX_WAITERS;
	SAY(pi(&lock, FUTEX_TRYLOCK_PI)); /* the word and the waiter disagree */
	lock = (uint32_t)my_tid() | FUTEX_WAITERS;
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY(worker_join(&w));
	SAY_WORD(lock, w.tid, 0);
}

static _Atomic int handled;

static void on_signal(int signal)
{
	(void)signal;
	handled++;
}

TEST(futex, pi_signals_do_not_end_a_wait)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct worker w;

	sigaction(SIGUSR1, &sa, NULL);
	lock = (uint32_t)my_tid();
	worker_start(&w, lock_and_unlock, &lock);
	worker_asleep(&w);
	for (int i = 1; i < 4; i++) {
		pthread_kill(w.thread, SIGUSR1);
		while (handled < i)
			usleep(1000);
		worker_asleep(&w);
	}
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY(worker_join(&w));
}

static long take_second_then_first(struct worker *w)
{
	long r;

	CHECK_EQ(pi(&lock2, FUTEX_LOCK_PI), 0);
	w->ended = true;
	r = pi(&lock, FUTEX_LOCK_PI);
	CHECK_EQ(pi(&lock, FUTEX_UNLOCK_PI), 0);
	CHECK_EQ(pi(&lock2, FUTEX_UNLOCK_PI), 0);
	return r;
}

TEST(futex, pi_finds_a_circle)
{
	struct worker w;

	lock = (uint32_t)my_tid();
	lock2 = 0;
	worker_start(&w, take_second_then_first, NULL);
	while (!w.ended)
		usleep(1000);
	worker_asleep(&w);
	SAY(pi(&lock2, FUTEX_LOCK_PI));
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY(worker_join(&w));
}

/* --- requeue --- */

static long wait_requeue(struct worker *w)
{
	struct timespec until = time_in(CLOCK_MONOTONIC, 20000);
	long r = futex(&word, FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, &until, (void *)&lock,
		       UINT32_MAX);

	if (r == 0 && (lock & FUTEX_TID_MASK) != (uint32_t)w->tid)
		return -1000;
	return r ? r : pi(&lock, FUTEX_UNLOCK_PI);
}

static long cmp_requeue(long requeue)
{
	return futex(&word, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, (void *)requeue,
		     (void *)&lock, 0);
}

TEST(futex, pi_requeue_to_a_free_lock)
{
	struct worker w[3];

	lock = word = 0;
	for (int i = 0; i < 3; i++) {
		worker_start(&w[i], wait_requeue, NULL);
		worker_asleep(&w[i]);
	}
	SAY(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	SAY(cmp_requeue(1));
	SAY(worker_join(&w[0]));
	SAY(worker_join(&w[1]));
	SAY(cmp_requeue(5));
	SAY(worker_join(&w[2]));
	SAY(cmp_requeue(5));
}

TEST(futex, pi_requeue_to_a_lock_that_is_held)
{
	struct worker w[3];

	word = 0;
	lock = (uint32_t)my_tid();
	for (int i = 0; i < 3; i++) {
		worker_start(&w[i], wait_requeue, NULL);
		worker_asleep(&w[i]);
	}
	SAY(cmp_requeue(0));
	SAY(cmp_requeue(9));
	SAY_WORD(lock, w[0].tid, 0);
	SAY(pi(&lock, FUTEX_UNLOCK_PI));
	for (int i = 0; i < 3; i++)
		SAY(worker_join(&w[i]));
}

TEST(futex, pi_requeue_elsewhere_is_refused)
{
	struct worker w;

	word = lock = lock2 = 0;
	worker_start(&w, wait_requeue, NULL);
	worker_asleep(&w);
	SAY(futex(&word, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 1, (void *)1, (void *)&lock2,
		  0));
	SAY(futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)1, (void *)&lock, 0));
	SAY(cmp_requeue(1));
	SAY(worker_join(&w));
}

/* --- death --- */

static long lock_and_die(struct worker *w)
{
	long r = pi(w->arg, FUTEX_LOCK_PI);

	w->ended = true;
	usleep(50000);
	return r;
}

TEST(futex, pi_passes_to_a_waiter_when_the_owner_dies)
{
	struct worker w, second;

	lock = 0;
	worker_start(&w, lock_and_die, &lock);
	while (!w.ended)
		usleep(1000);
	worker_start(&second, lock_it, &lock);
	SAY(pi(&lock, FUTEX_LOCK_PI));
	say("died: %d, waiters: %d\n", !!(lock & FUTEX_OWNER_DIED), !!(lock & FUTEX_WAITERS));
	if ((lock & FUTEX_TID_MASK) == (uint32_t)my_tid())
		SAY(pi(&lock, FUTEX_UNLOCK_PI));
	SAY(worker_join(&w));
	SAY(worker_join(&second));
}

static void robust_case(int type, int protocol, bool shared, bool kill_all)
{
	pthread_mutex_t *m =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_Atomic int *held = (_Atomic int *)((char *)m + 512);
	pthread_mutexattr_t attr;
	pid_t pid;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutexattr_setprotocol(&attr, protocol);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr,
				     shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
	CHECK_EQ(pthread_mutex_init(m, &attr), 0);
	pid = child_fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		*held = 1;
		if (kill_all)
			kill(getpid(), SIGKILL);
		usleep(40000);
		_exit(0);
	}
	while (!*held)
		usleep(1000);
	say("type %d protocol %d shared %d kill %d: %s", type, protocol, shared, kill_all,
	    errno_name(pthread_mutex_lock(m)));
	say(" %s", errno_name(pthread_mutex_consistent(m)));
	say(" %s", errno_name(pthread_mutex_unlock(m)));
	say(" %s", errno_name(pthread_mutex_lock(m)));
	say(" %s\n", errno_name(pthread_mutex_unlock(m)));
	child_expect(pid, kill_all ? -SIGKILL : 0);
	munmap(m, PAGE);
}

TEST(futex, robust_mutexes_tell_that_the_owner_died)
{
	for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
		for (int kill_all = 0; kill_all < 2; kill_all++) {
			robust_case(PTHREAD_MUTEX_NORMAL, protocol, true, kill_all);
			robust_case(PTHREAD_MUTEX_RECURSIVE, protocol, true, kill_all);
		}
	}
}

static pthread_mutex_t robust;

static long lock_robust(struct worker *w)
{
	(void)w;
	return -pthread_mutex_lock(&robust);
}

TEST(futex, robust_mutexes_of_threads)
{
	for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++) {
		pthread_mutexattr_t attr;
		struct worker w[2];

		pthread_mutexattr_init(&attr);
		pthread_mutexattr_setprotocol(&attr, protocol);
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
		pthread_mutex_init(&robust, &attr);
		for (int i = 0; i < 2; i++) {
			worker_start(&w[i], lock_robust, NULL);
			SAY(worker_join(&w[i]));
		}
		say("%s\n", errno_name(pthread_mutex_lock(&robust)));
		say("%s\n", errno_name(pthread_mutex_unlock(&robust)));
		say("%s\n", errno_name(pthread_mutex_lock(&robust)));
	}
}

/* A list of our own, good and bad. */
struct node {
	struct robust_list list;
	_Atomic uint32_t word;
};

static struct {
	struct robust_list_head head;
	struct node nodes[4];
} * robust_area;

static long die_with_list(struct worker *w)
{
	uint32_t tid = (uint32_t)my_tid();

	for (int i = 0; i < 4; i++)
		robust_area->nodes[i].word = tid | (i & 1 ? FUTEX_WAITERS : 0);
	robust_area->head.futex_offset = offsetof(struct node, word);
	switch (w->number) {
	case 0: /* all of them */
		robust_area->head.list.next = &robust_area->nodes[0].list;
		for (int i = 0; i < 4; i++)
			robust_area->nodes[i].list.next = &robust_area->nodes[i + 1].list;
		robust_area->nodes[3].list.next = &robust_area->head.list;
		break;
	case 1: /* a circle that never comes back */
		robust_area->head.list.next = &robust_area->nodes[0].list;
		robust_area->nodes[0].list.next = &robust_area->nodes[1].list;
		robust_area->nodes[1].list.next = &robust_area->nodes[0].list;
		break;
	case 2: /* a bad address after the second */
		robust_area->head.list.next = &robust_area->nodes[0].list;
		robust_area->nodes[0].list.next = &robust_area->nodes[1].list;
		robust_area->nodes[1].list.next = (void *)16;
		break;
	case 3: /* pending alone */
		robust_area->head.list.next = &robust_area->head.list;
		robust_area->head.list_op_pending = &robust_area->nodes[2].list;
		break;
	case 4: /* pending, and free already */
		robust_area->head.list.next = &robust_area->head.list;
		robust_area->head.list_op_pending = &robust_area->nodes[2].list;
		robust_area->nodes[2].word = 0;
		break;
	case 5: /* owned by another */
		robust_area->head.list.next = &robust_area->nodes[0].list;
		robust_area->nodes[0].list.next = &robust_area->head.list;
		robust_area->nodes[0].word = tid + 1;
		break;
	case 6: /* a head that is no list */
		syscall(SYS_set_robust_list, 8, sizeof(struct robust_list_head));
		return 0;
	}
	return syscall(SYS_set_robust_list, &robust_area->head, sizeof(struct robust_list_head));
}

TEST(futex, robust_lists_of_all_kinds)
{
	robust_area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int number = 0; number < 7; number++) {
		struct worker w = { .number = number };

		memset(robust_area, 0, sizeof(*robust_area));
		worker_start(&w, die_with_list, NULL);
		CHECK_EQ(worker_join(&w), 0);
		say("case %d:", number);
		for (int i = 0; i < 4; i++)
			say(" %s%s", robust_area->nodes[i].word & FUTEX_TID_MASK ? "held" : "free",
			    word_text(robust_area->nodes[i].word & ~FUTEX_TID_MASK, 0, 0) +
				    strlen("nobody"));
		say("\n");
	}
	SAY(raw_syscall(SYS_set_robust_list, (long)&robust_area->head, 23, 0, 0, 0, 0));
	SAY(raw_syscall(SYS_set_robust_list, 8, 24, 0, 0, 0, 0));
}

TEST(futex, get_robust_list)
{
	struct robust_list_head *mine = NULL, *again = NULL;
	size_t size = 0;
	struct worker w = { .number = 3 };

	(void)w;
	CHECK(syscall(SYS_get_robust_list, 0, &mine, &size) == 0);
	CHECK(mine != NULL && size == 24);
	CHECK(syscall(SYS_get_robust_list, getpid(), &again, &size) == 0);
	CHECK(again == mine);
	SAY(raw_syscall(SYS_get_robust_list, 0, 8, (long)&size, 0, 0, 0));
	SAY(raw_syscall(SYS_get_robust_list, 0, (long)&mine, 8, 0, 0, 0));
	SAY(raw_syscall(SYS_get_robust_list, 0x3fffffff, (long)&mine, (long)&size, 0, 0, 0));
	pid_t pid = child_fork();
	while (pid == 0)
		pause();
	CHECK(syscall(SYS_get_robust_list, pid, &again, &size) == 0);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
	if (is_root()) {
		CHILD (0) {
			become_user();
			SAY(raw_syscall(SYS_get_robust_list, getppid(), (long)&mine, (long)&size, 0,
					0, 0));
		}
	}
}

/* --- under load --- */

static pthread_mutex_t pi_mutex;
static pthread_cond_t pi_cond = PTHREAD_COND_INITIALIZER;
static long counter;

static long count_up(struct worker *w)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&pi_mutex);
		counter++;
		if (i % 64 == 0)
			sched_yield();
		pthread_mutex_unlock(&pi_mutex);
	}
	(void)w;
	return 0;
}

TEST(futex, pi_mutex_counts_right)
{
	pthread_mutexattr_t attr;
	struct worker w[6];

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&pi_mutex, &attr);
	for (int i = 0; i < 6; i++)
		worker_start(&w[i], count_up, NULL);
	for (int i = 0; i < 6; i++)
		worker_join(&w[i]);
	CHECK_EQ(counter, 12000);
	(void)pi_cond;
}
