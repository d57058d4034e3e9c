/*
 * proc_limit.c - resource limits, and who may do what.
 *
 * Central rule: at the limit the call fails with its errno, and one below it works; nothing is lost by a failed call. Next: signal.c.
 */
#include "check.h"

#include <grp.h>
#include <sys/resource.h>
#include <time.h>

/* Nobody else's uid, so that no other process counts against the limit. */
#define LIMITED_UID 54321

static void limit_set(int resource, rlim_t value)
{
	struct rlimit limit = { value, value };

	CHECK(setrlimit(resource, &limit) == 0);
}

static void become_limited(rlim_t processes)
{
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(LIMITED_UID, LIMITED_UID, LIMITED_UID) == 0);
	CHECK(setresuid(LIMITED_UID, LIMITED_UID, LIMITED_UID) == 0);
	limit_set(RLIMIT_NPROC, processes);
}

TEST(proc, rlimit_nproc_stops_forks)
{
	if (!is_root())
		return;
	CHILD (0) {
		int count = 0;
		pid_t pid, first = 0;

		become_limited(20);
		while (count < 100) {
			pid = fork();
			if (pid == 0)
				for (;;)
					pause();
			if (pid < 0)
				break;
			first = first ?: pid;
			count++;
		}
		say("%d children, then %s\n", count, errno_name(errno));
		CHECK_EQ(kill(first, SIGKILL), 0);
		CHECK_EQ(waitpid(first, NULL, 0), first);
		pid = fork(); /* there is room for one again */
		CHECK(pid >= 0);
		if (pid == 0)
			for (;;)
				pause();
		CHECK_ERRNO(fork(), EAGAIN);
		signal(SIGTERM, SIG_IGN);
		CHECK(kill(-1, SIGTERM) == 0); /* all that this user may signal */
		for (int i = 0; i < count; i++)
			CHECK(wait(NULL) > 0);
		CHECK_ERRNO(wait(NULL), ECHILD);
	}
}

static void bomb(void)
{
	for (int i = 0; i < 2000; i++)
		fork();
	for (;;)
		pause();
}

TEST(proc, a_fork_bomb_is_contained)
{
	if (!is_root())
		return;
	pid_t pid = child_fork();
	if (pid == 0) {
		setpgid(0, 0);
		become_limited(50);
		bomb();
	}
	setpgid(pid, pid);
	usleep(300000);
	for (int i = 0; i < 20; i++)
		CHILD (i)
			_exit(i); /* others are not concerned */
	CHECK(kill(-pid, SIGKILL) == 0);
	child_expect(pid, -SIGKILL);
}

TEST(proc, rlimit_nofile_stops_opens)
{
	int count = 0, fd = -1, last = -1, pipe_fd[2];

	limit_set(RLIMIT_NOFILE, 32);
	while (count < 100 && (fd = open("/dev/null", O_RDONLY)) >= 0) {
		last = fd;
		count++;
	}
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 31);
	CHECK_ERRNO(dup(0), EMFILE);
	CHECK_ERRNO(pipe(pipe_fd), EMFILE);
	CHECK_ERRNO(dup2(0, 32), EBADF);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 32), EINVAL);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 31), EMFILE);
	close(last);
	CHECK_ERRNO(pipe(pipe_fd), EMFILE); /* one is free, two are needed */
	CHECK_EQ(dup(0), 31);
	CHECK_EQ(dup2(0, 31), 31);
}

TEST(proc, rlimit_cpu_sends_sigxcpu)
{
	CHILD (-SIGXCPU) {
		struct rlimit limit = { 1, 10 };

		CHECK(setrlimit(RLIMIT_CPU, &limit) == 0);
		for (volatile int i = 0;; i++)
			;
	}
}

TEST(proc, rlimit_errors)
{
	struct rlimit limit;

	CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
	limit = (struct rlimit){ 20, 10 };
	CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
	CHECK_ERRNO(setrlimit(99, &limit), EINVAL);
	CHECK(prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0);
	limit.rlim_cur = 10;
	CHECK(prlimit(getpid(), RLIMIT_NOFILE, &limit, NULL) == 0);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 10);
	CHECK_ERRNO(prlimit(0x7ffffff, RLIMIT_NOFILE, NULL, &limit), ESRCH);
	if (is_root())
		CHILD (0) {
			limit_set(RLIMIT_NOFILE, 64);
			become_user();
			limit = (struct rlimit){ 65, 65 };
			CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
			limit_set(RLIMIT_NOFILE, 32);
			CHECK_ERRNO(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit), EPERM);
		}
}

TEST(proc, limits_are_inherited)
{
	limit_set(RLIMIT_NOFILE, 48);
	CHILD (0) {
		struct rlimit limit;

		CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
		CHECK(limit.rlim_cur == 48 && limit.rlim_max == 48);
		limit_set(RLIMIT_NOFILE, 40);
	}
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 48);
}

HELPER(stacklimit)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
	say("stack limit %lu\n", (unsigned long)limit.rlim_cur);
	volatile uint8_t *deep = __builtin_alloca(atoi(argv[1]));
	deep[0] = 1;
	return deep[0] - 1;
}

TEST(proc, rlimit_stack_holds_for_the_next_program)
{
	char *little[] = { "helper-stacklimit", "100000", NULL },
	     *much[] = { "helper-stacklimit", "1000000", NULL };
	char *envp[] = { NULL };

	helper_link("stacklimit");
	struct rlimit limit = { 512 * 1024, RLIM_INFINITY };
	CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
	say("%s\n", exec_result("./helper-stacklimit", little, envp));
	say("%s\n", exec_result("./helper-stacklimit", much, envp));
}

/* --- ids --- */

TEST(proc, root_becomes_a_user_and_cannot_come_back)
{
	uid_t r, e, s;

	if (!is_root())
		return;
	CHILD (0) {
		become_user();
		CHECK(getresuid(&r, &e, &s) == 0 && r == 1000 && e == 1000 && s == 1000);
		CHECK_EQ(getgroups(0, NULL), 0);
		CHECK_ERRNO(setuid(0), EPERM);
		CHECK_ERRNO(setgid(0), EPERM);
		CHECK_ERRNO(setresuid(-1, 0, -1), EPERM);
		CHECK_ERRNO(setgroups(0, NULL), EPERM);
		CHECK(setuid(1000) == 0);
	}
	CHILD (0) { /* the saved uid is the way back */
		CHECK(setresuid(1000, 1000, 0) == 0);
		CHECK_EQ(geteuid(), 1000);
		CHECK(setresuid(-1, 0, -1) == 0);
		CHECK_EQ(geteuid(), 0);
		CHECK(setuid(1000) == 0); /* as root: all three */
		CHECK_ERRNO(setuid(0), EPERM);
	}
	CHILD (0) {
		gid_t groups[3] = { 5, 6, 7 }, got[3];

		CHECK(setgroups(3, groups) == 0);
		CHECK_EQ(getgroups(0, NULL), 3);
		CHECK_ERRNO(getgroups(2, got), EINVAL);
		CHECK_EQ(getgroups(3, got), 3);
		CHECK(memcmp(groups, got, sizeof(got)) == 0);
	}
	CHECK_EQ(getuid(), 0);
}

/* --- time and sleep --- */

TEST(proc, sleeping_takes_its_time)
{
	struct timespec before, after, request = { 0, 50000000 }, bad = { 0, 1000000000 };

	CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
	CHECK(nanosleep(&request, NULL) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
	CHECK((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec >=
	      50000000);
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	bad = (struct timespec){ -1, 0 };
	CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
	CHECK_EQ(clock_nanosleep(99, 0, &request, NULL), EINVAL);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &before, NULL),
		 0); /* already past */
	CHECK_ERRNO(clock_gettime(99, &before), EINVAL);
}

TEST(proc, clocks_run_forward)
{
	static const clockid_t clocks[] = { CLOCK_REALTIME,           CLOCK_MONOTONIC,
					    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
					    CLOCK_BOOTTIME,           CLOCK_MONOTONIC_RAW,
					    CLOCK_REALTIME_COARSE,    CLOCK_MONOTONIC_COARSE };

	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		struct timespec last, now;

		CHECK(clock_gettime(clocks[i], &last) == 0);
		for (int j = 0; j < 1000; j++) {
			CHECK(clock_gettime(clocks[i], &now) == 0);
			CHECK(now.tv_sec > last.tv_sec ||
			      (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec));
			last = now;
		}
		CHECK(clock_getres(clocks[i], &now) == 0);
		CHECK(now.tv_sec == 0 && now.tv_nsec > 0);
	}
	CHECK(time(NULL) > 1700000000);
}
