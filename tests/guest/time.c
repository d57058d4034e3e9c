/*
 * time.c - clocks, sleeping, and the timers of timer_create and setitimer.
 *
 * Central rule: from the expiry that sends its signal until that is taken a timer stands still, and then tells how often it would have expired. Nothing here relies on how long
 * something takes, but that a clock which must have passed a time has. Timers as files are in file_event.c.
 */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

#define MS 1000000L

static volatile sig_atomic_t caught;
static volatile siginfo_t caught_info;

static void on_info(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	*(siginfo_t *)&caught_info = *info;
	caught++;
}

static void handle(int signal)
{
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO };

	CHECK(sigaction(signal, &sa, NULL) == 0);
}

static sigset_t block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	return set;
}

static struct sigevent event(int notify, int signal)
{
	return (struct sigevent){ .sigev_notify = notify,
				  .sigev_signo = signal,
				  .sigev_value.sival_int = 4711 };
}

static struct itimerspec spec(long first, long interval)
{
	return (struct itimerspec){ { interval / 1000000000, interval % 1000000000 },
				    { first / 1000000000, first % 1000000000 } };
}

/* The C library's timers have ids of their own: these are the kernel's. */
static int make(clockid_t clock, struct sigevent e)
{
	int id;

	CHECK(syscall(SYS_timer_create, clock, &e, &id) == 0);
	return id;
}

static void set(int id, long first, long interval)
{
	struct itimerspec s = spec(first, interval);

	CHECK(syscall(SYS_timer_settime, id, 0, &s, NULL) == 0);
}

static long left(int id)
{
	struct itimerspec s;

	CHECK(syscall(SYS_timer_gettime, id, &s) == 0);
	return s.it_value.tv_sec * 1000000000 + s.it_value.tv_nsec;
}

static void delete (int id)
{
	CHECK(syscall(SYS_timer_delete, id) == 0);
}

static long now(clockid_t clock)
{
	struct timespec t;

	CHECK(clock_gettime(clock, &t) == 0);
	return t.tv_sec * 1000000000 + t.tv_nsec;
}

static void spin_until(clockid_t clock, long until)
{
	while (now(clock) < until)
		;
}

/* --- timers by the system's clocks --- */

TEST(time, errors_of_timers)
{
	static const int clocks[] = { CLOCK_REALTIME,
				      CLOCK_MONOTONIC,
				      CLOCK_PROCESS_CPUTIME_ID,
				      CLOCK_THREAD_CPUTIME_ID,
				      CLOCK_MONOTONIC_RAW,
				      CLOCK_REALTIME_COARSE,
				      CLOCK_MONOTONIC_COARSE,
				      CLOCK_BOOTTIME,
				      10,
				      CLOCK_TAI,
				      12,
				      99,
				      -1,
				      -2,
				      -3,
				      -5,
				      -8 };
	struct sigevent e = event(SIGEV_NONE, 0);
	struct itimerspec s = spec(0, 0);
	int id;

	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		say("clock %d: ", clocks[i]);
		TRY(syscall(SYS_timer_create, clocks[i], &e, &id));
	}
	for (int notify = -1; notify < 8; notify++) {
		e = event(notify, SIGUSR1);
		say("notify %d: ", notify);
		TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
		e.sigev_signo = 65;
		say("signal 65: ");
		TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
		e.sigev_signo = 0;
		say("signal 0: ");
		TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
	}
	e = event(SIGEV_NONE, 0);
	TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, (void *)8, &id));
	TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, (void *)8));
	TRY(syscall(SYS_timer_settime, 12345, 0, &s, NULL));
	TRY(syscall(SYS_timer_gettime, 12345, &s));
	TRY(syscall(SYS_timer_getoverrun, 12345));
	TRY(syscall(SYS_timer_delete, 12345));
	id = make(CLOCK_MONOTONIC, e);
	TRY(syscall(SYS_timer_settime, id, 0, NULL, NULL));
	TRY(syscall(SYS_timer_settime, id, 0, (void *)8, NULL));
	TRY(syscall(SYS_timer_settime, id, 0, &s, (void *)8));
	TRY(syscall(SYS_timer_gettime, id, (void *)8));
	TRY(syscall(SYS_timer_settime, id, 0x100, &s, NULL));
	s.it_value.tv_nsec = 1000000000;
	TRY(syscall(SYS_timer_settime, id, 0, &s, NULL));
	s.it_value = (struct timespec){ -1, 0 };
	TRY(syscall(SYS_timer_settime, id, 0, &s, NULL));
	s = spec(0, 0);
	s.it_interval.tv_nsec = -1;
	TRY(syscall(SYS_timer_settime, id, 0, &s, NULL));
	TRY(syscall(SYS_timer_getoverrun, id));
	TRY(syscall(SYS_timer_delete, id));
	TRY(syscall(SYS_timer_delete, id));
}

TEST(time, a_timer_without_an_event_sends_sigalrm)
{
	int id;

	handle(SIGALRM);
	CHECK(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &id) == 0);
	set(id, 1, 0);
	while (!caught)
		usleep(1000);
	CHECK(caught_info.si_code == SI_TIMER && caught_info.si_value.sival_int == id &&
	      caught_info.si_timerid == id);
	CHECK_EQ(left(id), 0);
	TRY(syscall(SYS_timer_getoverrun, id));
}

TEST(time, a_silent_timer_is_asked)
{
	struct itimerspec old;
	int id = make(CLOCK_MONOTONIC, event(SIGEV_NONE, SIGUSR1));

	set(id, 600000 * MS, 0);
	CHECK(left(id) > 500000 * MS);
	struct itimerspec s = spec(1, 0);
	CHECK(syscall(SYS_timer_settime, id, 0, &s, &old) == 0);
	CHECK(old.it_value.tv_sec > 500 && old.it_interval.tv_sec == 0);
	usleep(1000);
	CHECK_EQ(left(id), 0);
	set(id, 1, 3600 * 1000 * MS); /* goes on by itself */
	usleep(1000);
	CHECK(left(id) > 3000 * 1000 * MS);
	id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1));
	set(id, 600000 * MS, 100);
	set(id, 0, 100); /* no value: no interval either */
	CHECK(syscall(SYS_timer_gettime, id, &s) == 0);
	TRY(s.it_interval.tv_nsec + s.it_value.tv_nsec);
}

TEST(time, overruns_are_told_with_the_signal)
{
	sigset_t blocked = block(SIGRTMIN);
	siginfo_t info;
	int id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGRTMIN));

	set(id, MS, MS);
	usleep(50000);
	CHECK_EQ(sigwaitinfo(&blocked, &info), SIGRTMIN);
	CHECK(info.si_code == SI_TIMER && info.si_value.sival_int == 4711);
	CHECK(info.si_overrun >= 48);
	CHECK_EQ(info.si_overrun, syscall(SYS_timer_getoverrun, id));
	CHECK(left(id) > 0 && left(id) <= MS);
	/* One signal at a time, however often it expires. */
	usleep(20000);
	set(id, 0, 0);
	struct timespec zero = {};
	TRY(sigtimedwait(&blocked, &info, &zero)); /* setting it anew took the signal back */
	TRY(syscall(SYS_timer_getoverrun, id));
	set(id, 1, 0);
	CHECK_EQ(sigwaitinfo(&blocked, &info), SIGRTMIN);
	TRY(info.si_overrun);
}

TEST(time, the_shortest_interval_leaves_time_for_the_program)
{
	struct itimerval i = { { 0, 1 }, { 0, 1 } };
	int id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1));
	sigset_t blocked = block(SIGUSR1);
	siginfo_t info;

	set(id, 1, 1);
	spin_until(CLOCK_MONOTONIC, now(CLOCK_MONOTONIC) + 5 * MS);
	for (int n = 0; n < 200; n++)
		CHECK_EQ(sigwaitinfo(&blocked, &info), SIGUSR1);
	CHECK(info.si_overrun > 0);
	delete (id);
	blocked = block(SIGALRM);
	sigdelset(&blocked, SIGUSR1);
	CHECK(setitimer(ITIMER_REAL, &i, NULL) == 0);
	spin_until(CLOCK_MONOTONIC, now(CLOCK_MONOTONIC) + 5 * MS);
	for (int n = 0; n < 200; n++)
		CHECK_EQ(sigwaitinfo(&blocked, &info), SIGALRM);
}

TEST(time, a_pending_standard_signal_does_not_stop_a_timer)
{
	sigset_t blocked = block(SIGUSR1);
	int id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1)), timers = 0;
	siginfo_t info;

	kill(getpid(), SIGUSR1);
	set(id, 1, 0);
	usleep(10000);
	TRY(sigwaitinfo(&blocked, &info));
	TRY(info.si_code == SI_USER);
	TRY(sigwaitinfo(&blocked, &info));
	TRY(info.si_code == SI_TIMER);
	set(id, 1, 1);
	for (int i = 0; i < 5; i++)
		timers += sigwaitinfo(&blocked, &info) == SIGUSR1 && info.si_code == SI_TIMER;
	TRY(timers);
}

TEST(time, deleting_a_timer_takes_its_signal_back)
{
	sigset_t blocked = block(SIGRTMIN);
	struct timespec zero = {};
	int id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGRTMIN));

	set(id, 1, 1);
	usleep(10000);
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 1 });
	delete (id);
	siginfo_t info;
	TRY(sigtimedwait(&blocked, &info, &zero) == SIGRTMIN);
	TRY(info.si_code == SI_QUEUE);
	TRY(sigtimedwait(&blocked, &info, &zero));
}

TEST(time, an_ignored_timer_goes_on_when_it_is_heard)
{
	int id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1)),
	    once = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR2));

	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	set(id, MS, MS);
	set(once, MS, 0);
	usleep(20000);
	handle(SIGUSR2);
	TRY((int)caught);
	handle(SIGUSR1);
	while (caught < 3)
		usleep(1000);
	CHECK_EQ(caught_info.si_signo, SIGUSR1);
}

static void *wait_for_timer(void *arg)
{
	sigset_t blocked;
	siginfo_t info;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGRTMIN);
	*(volatile pid_t *)arg = gettid();
	CHECK_EQ(sigwaitinfo(&blocked, &info), SIGRTMIN);
	return (void *)(long)info.si_value.sival_int;
}

TEST(time, a_timer_tells_one_thread)
{
	volatile pid_t tid = 0;
	struct sigevent e = event(SIGEV_THREAD_ID, SIGRTMIN);
	sigset_t pending;
	pthread_t thread;
	void *value;
	int id;

	block(SIGRTMIN);
	CHECK(pthread_create(&thread, NULL, wait_for_timer, (void *)&tid) == 0);
	while (!tid)
		usleep(100);
	e._sigev_un._tid = tid;
	id = make(CLOCK_MONOTONIC, e);
	set(id, MS, 0);
	pthread_join(thread, &value);
	TRY((long)value);
	sigpending(&pending);
	TRY(sigismember(&pending, SIGRTMIN));
	set(id, 1, 1); /* there is nobody any more */
	usleep(2000);
	sigpending(&pending);
	TRY(sigismember(&pending, SIGRTMIN));
	e._sigev_un._tid = getppid();
	TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
	e._sigev_un._tid = 0;
	TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
}

static void on_thread(union sigval value)
{
	caught = value.sival_int;
}

TEST(time, a_timer_starts_a_thread)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD,
			      .sigev_notify_function = on_thread,
			      .sigev_value.sival_int = 99 };
	struct itimerspec s = spec(1, 0);
	timer_t timer;

	CHECK(timer_create(CLOCK_REALTIME, &e, &timer) == 0);
	CHECK(timer_settime(timer, 0, &s, NULL) == 0);
	while (caught != 99)
		usleep(1000);
	CHECK(timer_delete(timer) == 0);
}

HELPER(has_timer)
{
	return syscall(SYS_timer_getoverrun, atoi(argv[1])) < 0 && errno == EINVAL ? 3 : 4;
}

TEST(time, timers_are_not_inherited)
{
	int id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1));
	char number[16];
	sigset_t pending;

	handle(SIGUSR1);
	snprintf(number, sizeof(number), "%d", id);
	helper_link("has_timer");
	CHILD (0) {
		TRY(syscall(SYS_timer_getoverrun, id));
	}
	CHILD (3) { /* exec ends them, and takes their signals back */
		id = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1));
		block(SIGUSR1);
		set(id, 1, 1);
		usleep(2000);
		sigpending(&pending);
		CHECK(sigismember(&pending, SIGUSR1));
		execl("helper-has_timer", "helper-has_timer", number, NULL);
	}
}

TEST(time, an_absolute_timer_that_is_late_expires_at_once)
{
	struct itimerspec s = spec(1000, 0);
	int id = make(CLOCK_REALTIME, event(SIGEV_SIGNAL, SIGUSR1));

	handle(SIGUSR1);
	CHECK(syscall(SYS_timer_settime, id, TIMER_ABSTIME, &s, NULL) == 0);
	while (caught < 1)
		usleep(1000);
	long soon = now(CLOCK_MONOTONIC) + 5 * MS;
	int other = make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1));
	s = spec(soon, 0);
	CHECK(syscall(SYS_timer_settime, other, TIMER_ABSTIME, &s, NULL) == 0);
	while (caught < 2)
		usleep(1000);
	CHECK(now(CLOCK_MONOTONIC) >= soon);
}

TEST(time, timers_count_as_queued_signals)
{
	if (!is_root())
		return;
	CHILD (0) {
		struct rlimit limit = { 20, 20 };
		union sigval value = { 0 };
		sigset_t pending, blocked;
		struct sigevent e;
		int count = 0, id = 0;

		CHECK(setgid(4242) == 0 && setuid(4242) == 0); /* a user who has none yet */
		CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
		blocked = block(SIGRTMIN);
		block(SIGUSR1);
		block(SIGUSR2);
		for (int i = 0; i < 5; i++)
			make(CLOCK_MONOTONIC, event(SIGEV_SIGNAL, SIGUSR1));
		pid_t child = child_fork(); /* another process of the user counts, too */
		if (child == 0) {
			for (int i = 0; i < 5; i++)
				CHECK(sigqueue(getpid(), SIGRTMIN, value) == 0);
			kill(getppid(), SIGRTMIN);
			for (;;)
				pause();
		}
		siginfo_t info;
		CHECK_EQ(sigwaitinfo(&blocked, &info), SIGRTMIN);
		while (count < 1000 && sigqueue(getpid(), SIGRTMIN, value) == 0)
			count++;
		say("%d signals, then %s\n", count, errno_name(errno));
		e = event(SIGEV_SIGNAL, SIGUSR1);
		TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, &id));
		/* Of standard signals the number is kept all the same, and what kill says of itself. */
		TRY(sigqueue(getpid(), SIGUSR1, value));
		TRY(kill(getpid(), SIGUSR2));
		TRY(kill(getpid(), SIGRTMIN + 1 < 0));
		sigpending(&pending);
		TRY(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
		TRY(raise(SIGRTMIN));
		kill(child, SIGKILL);
		child_expect(child, -SIGKILL);
		for (count = 0; count < 1000 && sigqueue(getpid(), SIGRTMIN, value) == 0;)
			count++;
		say("%d more\n", count);
	}
}

/* --- processor time --- */

TEST(time, timers_by_processor_time)
{
	static const clockid_t clocks[] = { CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID };

	handle(SIGUSR1);
	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		int id = make(clocks[i], event(SIGEV_SIGNAL, SIGUSR1));
		long start = now(clocks[i]);

		caught = 0;
		set(id, 60 * MS, 0);
		usleep(80000);
		CHECK_EQ(caught, 0);
		CHECK(left(id) > 0 && left(id) <= 60 * MS);
		while (!caught)
			;
		CHECK(now(clocks[i]) >= start + 60 * MS);
		CHECK(caught_info.si_code == SI_TIMER && caught_info.si_value.sival_int == 4711);
		CHECK_EQ(left(id), 0);
		caught = 0;
		set(id, MS, 20 * MS);
		while (caught < 3)
			;
		delete (id);
		struct itimerspec late = spec(1, 0);
		id = make(clocks[i], event(SIGEV_SIGNAL, SIGUSR1));
		caught = 0;
		CHECK(syscall(SYS_timer_settime, id, TIMER_ABSTIME, &late, NULL) == 0);
		TRY((int)caught);
		delete (id);
	}
}

static void *spin(void *arg)
{
	while (!caught)
		;
	return arg;
}

TEST(time, a_threads_time_is_its_own)
{
	int own = make(CLOCK_THREAD_CPUTIME_ID, event(SIGEV_SIGNAL, SIGUSR1)),
	    all = make(CLOCK_PROCESS_CPUTIME_ID, event(SIGEV_SIGNAL, SIGUSR2));
	pthread_t thread;

	handle(SIGUSR1);
	handle(SIGUSR2);
	set(own, 600000 * MS, 0);
	set(all, 100 * MS, 0);
	CHECK(pthread_create(&thread, NULL, spin, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	TRY((int)caught);
	CHECK_EQ(caught_info.si_signo, SIGUSR2);
	CHECK(left(own) > 0);
}

TEST(time, another_processs_time_is_measured)
{
	pid_t child = child_fork();
	clockid_t clock;

	if (child == 0)
		for (;;)
			;
	CHECK(clock_getcpuclockid(child, &clock) == 0);
	handle(SIGUSR1);
	int id = make(clock, event(SIGEV_SIGNAL, SIGUSR1));
	set(id, 50 * MS, 0);
	while (!caught)
		usleep(1000);
	CHECK(now(clock) >= 50 * MS);
	CHECK_EQ(left(id), 0);
	delete (id);
	/* Sleeping until it has used so much. */
	struct timespec until = { 0, now(clock) + 20 * MS };
	if (until.tv_nsec >= 1000000000)
		until = (struct timespec){ until.tv_nsec / 1000000000, until.tv_nsec % 1000000000 };
	CHECK_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL), 0);
	CHECK(now(clock) >= until.tv_sec * 1000000000 + until.tv_nsec);
	kill(child, SIGKILL);
	child_expect(child, -SIGKILL);
	struct timespec t;
	TRY(clock_gettime(clock, &t));
}

TEST(time, prof_and_virtual_timers_repeat)
{
	struct itimerval i = { { 0, 10000 }, { 0, 10000 } };

	handle(SIGPROF);
	CHECK(setitimer(ITIMER_PROF, &i, NULL) == 0);
	while (caught < 3)
		;
	CHECK(getitimer(ITIMER_PROF, &i) == 0);
	CHECK(i.it_interval.tv_usec == 10000 && i.it_value.tv_usec > 0);
	CHECK(caught_info.si_signo == SIGPROF && caught_info.si_code == SI_KERNEL);
	i = (struct itimerval){};
	CHECK(setitimer(ITIMER_PROF, &i, NULL) == 0);
	CHECK(getitimer(ITIMER_PROF, &i) == 0 && i.it_value.tv_usec == 0);
	handle(SIGVTALRM);
	caught = 0;
	i = (struct itimerval){ { 0, 10000 }, { 0, 10000 } };
	CHECK(setitimer(ITIMER_VIRTUAL, &i, NULL) == 0);
	while (caught < 3)
		;
	CHECK_EQ(caught_info.si_signo, SIGVTALRM);
}

TEST(time, itimer_errors_and_old_values)
{
	struct itimerval i = { { 5, 0 }, { 1000, 0 } }, old;

	TRY(setitimer(3, &i, NULL));
	TRY(getitimer(3, &i));
	TRY(setitimer(-1, &i, NULL));
	TRY(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL));
	TRY(syscall(SYS_getitimer, ITIMER_REAL, 8));
	for (int which = 0; which < 3; which++) {
		CHECK(setitimer(which, &i, NULL) == 0);
		CHECK(setitimer(which, &(struct itimerval){}, &old) == 0);
		CHECK(old.it_value.tv_sec >= 900 && old.it_interval.tv_sec == 5);
	}
	i.it_value.tv_usec = -1;
	TRY(setitimer(ITIMER_REAL, &i, NULL));
	CHECK(alarm(50) == 0 && getitimer(ITIMER_REAL, &i) == 0);
	TRY(i.it_interval.tv_sec);
	CHILD (0) {
		TRY(alarm(0)); /* not inherited */
	}
}

TEST(time, a_real_timer_waits_for_its_signal_to_be_taken)
{
	struct itimerval i = { { 0, 1000 }, { 0, 1000 } };
	sigset_t blocked = block(SIGALRM);
	siginfo_t info;
	struct timespec zero = {};

	CHECK(setitimer(ITIMER_REAL, &i, NULL) == 0);
	usleep(10000);
	CHECK_EQ(sigtimedwait(&blocked, &info, &zero), SIGALRM);
	TRY(info.si_code);
	for (int n = 0; n < 5; n++)
		CHECK_EQ(sigwaitinfo(&blocked, &info), SIGALRM);
}

/* --- clocks --- */

TEST(time, clocks_have_resolutions)
{
	static const int clocks[] = { CLOCK_REALTIME,
				      CLOCK_MONOTONIC,
				      CLOCK_PROCESS_CPUTIME_ID,
				      CLOCK_THREAD_CPUTIME_ID,
				      CLOCK_MONOTONIC_RAW,
				      CLOCK_BOOTTIME,
				      CLOCK_TAI };
	static const int others[] = {
		CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, 10, 12, 99, -1, -3
	};
	struct timespec t;

	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		CHECK(clock_getres(clocks[i], &t) == 0 && t.tv_sec == 0);
		say("clock %d: %ld\n", clocks[i], t.tv_nsec);
		CHECK(clock_gettime(clocks[i], &t) == 0);
	}
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		say("clock %d: ", others[i]);
		TRY(syscall(SYS_clock_getres, others[i], &t));
		TRY(syscall(SYS_clock_gettime, others[i], &t));
	}
	TRY(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL));
	TRY(syscall(SYS_clock_getres, CLOCK_REALTIME, 8));
	TRY(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8));
	CHECK(now(CLOCK_TAI) / 1000000000 - now(CLOCK_REALTIME) / 1000000000 <= 60);
	long monotonic = now(CLOCK_MONOTONIC);
	CHECK(now(CLOCK_BOOTTIME) >= monotonic);
}

TEST(time, clocks_that_cannot_be_set)
{
	struct timespec t = { 1, 0 };
	struct timeval tv = { 1, 0 };

	TRY(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &t));
	TRY(syscall(SYS_clock_settime, CLOCK_BOOTTIME, &t));
	TRY(syscall(SYS_clock_settime, 99, &t));
	t.tv_nsec = 1000000000;
	TRY(syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
	TRY(syscall(SYS_clock_settime, CLOCK_REALTIME, 8));
	if (!is_root())
		return;
	CHILD (0) {
		become_user();
		t.tv_nsec = 0;
		TRY(syscall(SYS_clock_settime, CLOCK_REALTIME, &t));
		TRY(syscall(SYS_clock_settime, CLOCK_PROCESS_CPUTIME_ID, &t));
		TRY(settimeofday(&tv, NULL));
		struct timex x = { .modes = ADJ_OFFSET };
		TRY(adjtimex(&x));
		x.modes = ADJ_OFFSET_SS_READ;
		CHECK(adjtimex(&x) >= 0);
		x.modes = 0;
		CHECK(adjtimex(&x) >= 0);
		CHECK(x.tick == 10000 && x.time.tv_sec > 1000000000);
		TRY(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &x));
		TRY(syscall(SYS_clock_adjtime, 99, &x));
		TRY(syscall(SYS_adjtimex, 8));
	}
}

TEST(time, errors_of_sleeping)
{
	static const int clocks[] = { CLOCK_THREAD_CPUTIME_ID,
				      CLOCK_MONOTONIC_RAW,
				      CLOCK_REALTIME_COARSE,
				      CLOCK_MONOTONIC_COARSE,
				      10,
				      99,
				      -1 };
	struct timespec t = { 0, 1 }, rest;

	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		say("clock %d: ", clocks[i]);
		TRY(syscall(SYS_clock_nanosleep, clocks[i], 0, &t, NULL));
	}
	TRY(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, 0, &t, &rest));
	TRY(syscall(SYS_clock_nanosleep, CLOCK_TAI, 0, &t, &rest));
	TRY(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, TIMER_ABSTIME, &t, &rest));
	TRY(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, 8, NULL));
	TRY(syscall(SYS_nanosleep, 8, NULL));
	t.tv_nsec = -1;
	TRY(syscall(SYS_nanosleep, &t, NULL));
	TRY(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
	t = (struct timespec){ -1, 0 };
	TRY(syscall(SYS_nanosleep, &t, NULL));
	TRY(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
	t = (struct timespec){ 1, 0 }; /* long ago */
	TRY(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
	CHECK(syscall(SYS_restart_syscall) == -1);
	TRY(errno);
}

static void *use_time(void *arg)
{
	spin_until(CLOCK_THREAD_CPUTIME_ID, 40 * MS);
	return arg;
}

TEST(time, sleeping_by_processor_time)
{
	long start = now(CLOCK_PROCESS_CPUTIME_ID);
	struct timespec t = { 0, 20 * MS };
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, use_time, NULL) == 0);
	CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL), 0);
	CHECK(now(CLOCK_PROCESS_CPUTIME_ID) >= start + 20 * MS);
	CHECK(pthread_join(thread, NULL) == 0);
}

/* --- setting the clock: the machine's on Linux, so only on Coppice --- */

static void clock_advance(long seconds)
{
	struct timespec t;

	CHECK(clock_gettime(CLOCK_REALTIME, &t) == 0);
	t.tv_sec += seconds;
	CHECK(clock_settime(CLOCK_REALTIME, &t) == 0);
}

TEST(time, who_waits_for_a_time_follows_the_clock)
{
	struct itimerspec s = {};
	uint64_t count;
	int fd, cancelled, id;

	if (!on_coppice() || !is_root())
		return;
	clock_gettime(CLOCK_REALTIME, &s.it_value);
	s.it_value.tv_sec += 1800;
	fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	cancelled = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &s, NULL) == 0);
	CHECK(timerfd_settime(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &s, NULL) ==
	      0);
	handle(SIGUSR1);
	id = make(CLOCK_REALTIME, event(SIGEV_SIGNAL, SIGUSR1));
	CHECK(syscall(SYS_timer_settime, id, TIMER_ABSTIME, &s, NULL) == 0);
	int relative = make(CLOCK_REALTIME, event(SIGEV_SIGNAL, SIGUSR2));
	set(relative, 1800 * 1000 * MS, 0);
	pid_t sleeper = child_fork();
	if (sleeper == 0)
		_exit(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &s.it_value, NULL));
	usleep(20000);
	CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
	CHECK_ERRNO(read(cancelled, &count, 8), EAGAIN);
	clock_advance(3600);
	while (!caught)
		usleep(1000);
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { cancelled, POLLIN, 0 } };
	CHECK_EQ(poll(&p[0], 1, -1), 1);
	CHECK_EQ(poll(&p[1], 1, -1), 1);
	CHECK(read(fd, &count, 8) == 8 && count == 1);
	CHECK_ERRNO(read(cancelled, &count, 8), ECANCELED);
	child_expect(sleeper, 0);
	CHECK(left(relative) > 1000 * 1000 * MS);
	clock_gettime(CLOCK_REALTIME, &s.it_value);
	s.it_value.tv_sec += 1800;
	CHECK(timerfd_settime(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &s, NULL) ==
	      0);
	clock_advance(-3600);
	CHECK_ERRNO(
		timerfd_settime(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &s, NULL),
		ECANCELED);
	CHECK(timerfd_gettime(cancelled, &s) == 0 && s.it_value.tv_sec > 5000);
}
