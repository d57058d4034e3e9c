/*
 * main.c - guest-tests: lists and runs the guest tests.
 *
 * Each test runs in a child of its own, under a time limit, in an empty directory that is removed afterwards. Central rule: a test leaves
 * nothing behind; on Coppice, whose counters are in /proc/coppice/counters, a test after which there are more frames, nodes or processes
 * than before has failed. Next: check.h, for what a test may use.
 */
#include "check.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <sys/resource.h>

#define COUNTERS "/proc/coppice/counters"
#define CHECKER "/proc/coppice/check"
#define TIMEOUT_DEFAULT 20
#define TIMEOUT_BIG 120
#define LEAK_TRIES \
	8 /* the more CPUs, the more often objects lie apart from where they lay before */

extern const struct test *const __start_guest_tests[], *const __stop_guest_tests[];
extern const struct helper *const __start_guest_helpers[], *const __stop_guest_helpers[];

const char *self_path;

static char scratch[PATH_MAX];
static volatile pid_t running; /* the test's process, for the time limit */
static volatile bool timed_out;
static unsigned int passed, failed;

/* What must be the same after a test. Names that the kernel does not print are left out of the comparison. */
static const char *const counter_names[] = { "frames_used", "frames_cache", "frames_kept", "nodes",
					     "processes" };
enum { FRAMES_USED, FRAMES_CACHE, FRAMES_KEPT, NODES, PROCESSES, COUNTERS_WATCHED };

struct counters {
	long value[COUNTERS_WATCHED]; /* -1: not there */
};

static void counters_read(struct counters *c)
{
	static char text[16384];
	int fd = open(COUNTERS, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	for (int i = 0; i < COUNTERS_WATCHED; i++)
		c->value[i] = -1;
	for (char *line = text, *end; *line; line = end) {
		end = strchrnul(line, '\n');
		for (int i = 0; i < COUNTERS_WATCHED; i++) {
			size_t length = strlen(counter_names[i]);

			if (strncmp(line, counter_names[i], length) == 0 && line[length] == ' ')
				c->value[i] = atol(line + length);
		}
		if (*end)
			end++;
	}
	if (c->value[FRAMES_USED] >= 0 && c->value[FRAMES_CACHE] >= 0)
		c->value[FRAMES_USED] -= c->value[FRAMES_CACHE];
	if (c->value[FRAMES_USED] >= 0 && c->value[FRAMES_KEPT] >= 0)
		c->value[FRAMES_USED] -= c->value[FRAMES_KEPT];
}

/* Waits up to a second for the counters to come back; returns the watched counter that did not, or -1. */
static int counters_settle(const struct counters *before, struct counters *after)
{
	static const int watched[] = { PROCESSES, NODES, FRAMES_USED };
	int wrong = -1;

	for (int tries = 0; tries < 100; tries++) {
		wrong = -1;
		counters_read(after);
		for (size_t i = 0; i < COUNT_OF(watched) && wrong < 0; i++) {
			int c = watched[i];

			if (before->value[c] >= 0 && after->value[c] > before->value[c])
				wrong = c;
		}
		if (wrong < 0)
			break;
		usleep(10000);
	}
	return wrong;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* In a child, so that what it allocates is not counted as left behind by the test. */
static void scratch_remove(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void on_timeout(int signal)
{
	(void)signal;
	timed_out = true;
	kill(-running, SIGKILL);
	kill(running, SIGKILL);
}

static void test_child(const struct test *t, bool quiet)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	dup2(null, 0);
	if (quiet) {
		dup2(null, 1);
		dup2(null, 2);
	}
	if (null > 2)
		close(null);
	if (chdir(scratch) != 0)
		FAIL("chdir(%s)", scratch);
	signal(SIGALRM, SIG_DFL);
	t->run();
	_exit(0);
}

static bool is_big(const struct test *t)
{
	static const char *const groups[] = { "big", "oom", "pressure", "smp" };

	for (size_t i = 0; i < COUNT_OF(groups); i++)
		if (strcmp(t->group, groups[i]) == 0)
			return true;
	return false;
}

/* Runs a test once; returns its wait status. */
static int test_run(const struct test *t, bool quiet)
{
	const char *limit = getenv("GUEST_TEST_TIMEOUT");
	int status = 0;

	if (mkdir(scratch, 0777) != 0)
		FAIL("mkdir(%s): %s", scratch, errno_name(errno));
	timed_out = false;
	running = fork();
	if (running < 0)
		FAIL("fork: %s", errno_name(errno));
	if (running == 0)
		test_child(t, quiet);
	alarm(limit ? atoi(limit) : is_big(t) ? TIMEOUT_BIG : TIMEOUT_DEFAULT);
	while (waitpid(running, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	kill(-running, SIGKILL);
	scratch_remove();
	return status;
}

/* The memory manager's invariants, on Coppice: its checker's words, or nothing if all holds. */
static void check_invariants(char *text, size_t size)
{
	int fd = open(CHECKER, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (strcmp(text, "ok\n") == 0)
		text[0] = '\0';
}

static void test_report(const struct test *t)
{
	char reason[200] = "";
	struct counters before, after;
	int wrong = -1;

	counters_read(&before);
	int status = test_run(t, false);

	if (timed_out)
		strcpy(reason, "time limit");
	else if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "killed by %s", signal_name(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(reason, sizeof(reason), "exit status %d", WEXITSTATUS(status));
	else
		wrong = counters_settle(&before, &after);

	/* Caches of the kernel grow once; a leak shows each time. */
	for (int i = 1; i < LEAK_TRIES && wrong >= 0; i++) {
		before = after;
		test_run(t, true);
		wrong = counters_settle(&before, &after);
	}
	if (wrong >= 0)
		snprintf(reason, sizeof(reason), "leaked: %s %ld -> %ld", counter_names[wrong],
			 before.value[wrong], after.value[wrong]);
	if (!reason[0])
		check_invariants(reason, sizeof(reason));

	if (reason[0]) {
		failed++;
		say("FAIL %s.%s (%s)\n", t->group, t->name, reason);
	} else {
		passed++;
		say("ok %s.%s\n", t->group, t->name);
	}
}

static bool test_matches(const struct test *t, const char *pattern)
{
	char full[128];

	snprintf(full, sizeof(full), "%s.%s", t->group, t->name);
	return strcmp(full, pattern) == 0 || strcmp(t->group, pattern) == 0;
}

static void environment_set(void)
{
	static char path[PATH_MAX];
	const char *tmp = getenv("GUEST_TEST_TMP");
	struct rlimit no_core = { 0, 0 }, stack = { 8 << 20, RLIM_INFINITY };
	sigset_t none;

	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n > 0)
		self_path = path;
	snprintf(scratch, sizeof(scratch), "%s/guest-test.%d", tmp ? tmp : "/tmp", (int)getpid());
	for (int fd = 3; fd < 1024;
	     fd++) /* so that new descriptors have the same numbers everywhere */
		close(fd);
	umask(022);
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_STACK, &stack);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGALRM, on_timeout);
}

static void nothing(void)
{
}

static int run_matching(char **patterns)
{
	static const struct test warm_up = { "none", "nothing", nothing };
	struct counters before, after;
	unsigned int run = 0;

	environment_set();
	/* The pages that the harness itself touches are there before the first comparison. */
	for (int i = 0; i < 2; i++) {
		counters_read(&before);
		test_run(&warm_up, true);
		counters_settle(&before, &after);
	}
	for (const struct test *const *t = __start_guest_tests; t < __stop_guest_tests; t++) {
		bool wanted = !patterns;

		for (char **p = patterns; p && *p; p++)
			wanted |= test_matches(*t, *p);
		if (wanted) {
			run++;
			test_report(*t);
		}
	}
	say("%u passed, %u failed\n", passed, failed);
	return failed || !run;
}

static int list(void)
{
	for (const struct test *const *t = __start_guest_tests; t < __stop_guest_tests; t++)
		say("%s.%s\n", (*t)->group, (*t)->name);
	return 0;
}

static int helper_run(const char *name, int argc, char **argv)
{
	for (const struct helper *const *h = __start_guest_helpers; h < __stop_guest_helpers; h++)
		if (strcmp((*h)->name, name) == 0)
			return (*h)->run(argc, argv);
	return 99;
}

/* A link to this program named helper-NAME runs that helper, as a script's interpreter must. */
static const char *helper_of_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	return strncmp(base, "helper-", 7) == 0 ? base + 7 : NULL;
}

int main(int argc, char **argv)
{
	const char *helper = argc > 0 ? helper_of_name(argv[0]) : NULL;

	if (helper)
		return helper_run(helper, argc, argv);
	if (argc >= 3 && strcmp(argv[1], "--helper") == 0)
		return helper_run(argv[2], argc - 2, argv + 2);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc == 2 && strcmp(argv[1], "--all") == 0)
		return run_matching(NULL);
	if (argc == 3 && strcmp(argv[1], "--group") == 0)
		return run_matching(argv + 2);
	if (argc >= 2 && argv[1][0] != '-')
		return run_matching(argv + 1);
	fprintf(stderr, "usage: guest-tests --list | --all | --group GROUP | NAME...\n");
	return 2;
}
