/*
 * main.c - syscall-fuzz: rounds of random system calls, and what must hold after each.
 *
 *	syscall-fuzz [--seed N] [--calls N] [--round N] [--fail] [--check] [--trace]
 *
 * A round is one process of an unprivileged user (worker.c), which ends however it ends; then whatever it left behind is ended too. Central rule: nothing that it did may show
 * outside: not in this process's memory, of which it had a copy-on-write copy, not in a peer's, not in a file of root's. On Coppice, whose counters and checker are in
 * /proc/coppice, nothing may be left of it in memory either. It must be started as root. What is printed is the same on every machine. Read worker.c next.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USER 54321
#define CALLS_PER_THREAD 512u
#define ROUND_MS 4000
#define ROUNDS_WARM 12  /* until the kernel's own caches have grown */
#define LEAK_FRAMES 512 /* what those, and this process, may have grown by since */
#define LEAK_NODES 16
#define COUNTERS "/proc/coppice/counters"
#define CHECKER "/proc/coppice/check"

static struct {
	uint64_t seed, calls;
	long round; /* only this one, or -1 */
	bool fail, check, trace;
} options = { .seed = 1, .calls = 20000, .round = -1 };

static struct tally *const tally = (struct tally *)TALLY;
static char directory[] = "/tmp/syscall-fuzz.XXXXXX";
static char precious[64]; /* a file of root's */
static int ask[2], answer[2];

static _Noreturn void fail(uint32_t round, const char *what)
{
	printf("seed %lu, round %u: %s\n", options.seed, round, what);
	exit(1);
}

/* --- what must not change --- */

static uint64_t canary_word(size_t i)
{
	return 0x6b8b4567327b23c6ull * (i + 1);
}

static void canary_fill(uint64_t *words)
{
	for (size_t i = 0; i < CANARY_PAGES * PAGE / 8; i++)
		words[i] = canary_word(i);
}

static bool canary_intact(const uint64_t *words)
{
	for (size_t i = 0; i < CANARY_PAGES * PAGE / 8; i++)
		if (words[i] != canary_word(i))
			return false;
	return true;
}

/* This process's parent keeps pages of its own, and says whether they are as they were. */
static void peer_serve(void)
{
	char c;

	while (read(ask[0], &c, 1) == 1) {
		c = canary_intact((uint64_t *)CANARY) ? 'y' : 'n';
		if (write(answer[1], &c, 1) != 1)
			break;
	}
}

static bool peer_intact(void)
{
	char c = 'n';

	return write(ask[1], "?", 1) == 1 && read(answer[0], &c, 1) == 1 && c == 'y';
}

static bool file_intact(void)
{
	char text[16] = "";
	int fd = open(precious, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text));
	struct stat st;
	bool same = n == 7 && memcmp(text, "as was\n", 7) == 0 && fstat(fd, &st) == 0 &&
		    st.st_uid == 0 && (st.st_mode & 07777) == 0644;

	close(fd);
	return same;
}

static void canaries_make(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	int fd;

	if (mmap((void *)CANARY, CANARY_PAGES * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) !=
		    (void *)CANARY ||
	    mmap((void *)TALLY, PAGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)TALLY)
		exit(1);
	canary_fill((uint64_t *)CANARY);
	snprintf(precious, sizeof(precious), "%s.root", directory);
	fd = open(precious, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "as was\n", 7) != 7)
		exit(1);
	fchmod(fd, 0644);
	close(fd);
}

static void canaries_check(uint32_t round)
{
	if (!canary_intact((uint64_t *)CANARY))
		fail(round, "the parent's memory has changed");
	if (!peer_intact())
		fail(round, "the peer's memory has changed");
	if (!file_intact())
		fail(round, "a file of root's has changed");
}

/* --- what must not be left --- */

static long counter(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? atol(at + strlen(name)) : 0;
}

struct counters {
	long frames, nodes, processes;
};

/* All 0 where the kernel does not count. */
static struct counters counters_read(void)
{
	static char text[16384];
	int fd = open(COUNTERS, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	return (struct counters){ counter(text, "frames_used ") - counter(text, "frames_cache "),
				  counter(text, "nodes "), counter(text, "processes ") };
}

static void invariants_check(uint32_t round)
{
	char text[512] = "";
	int fd = open(CHECKER, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && strcmp(text, "ok\n") != 0)
		fail(round, text);
	close(fd);
}

static void counters_check(const struct counters *before, uint32_t round)
{
	char text[128];
	struct counters now = { 0 };

	for (int tries = 0; tries < 200; tries++) {
		now = counters_read();
		if (now.processes <= before->processes && now.nodes <= before->nodes + LEAK_NODES &&
		    now.frames <= before->frames + LEAK_FRAMES)
			return;
		usleep(10000);
	}
	snprintf(text, sizeof(text),
		 "left behind: frames %ld -> %ld, nodes %ld -> %ld, processes %ld -> %ld",
		 before->frames, now.frames, before->nodes, now.nodes, before->processes,
		 now.processes);
	fail(round, text);
}

/* --- rounds --- */

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(USER, USER, USER) || setresuid(USER, USER, USER))
		_exit(99);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type;
	if (ftw->level == 0)
		return 0;
	return remove(path) && false;
}

/* Names that only their owner could look below are made ready first: root may. */
static void files_remove(void)
{
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	unlink("/dev/shm/coppice-fuzz");
}

static void ipc_remove(void)
{
	struct shmid_ds shm;
	struct msqid_ds msg;
	struct semid_ds sem;
	int i, id, top = shmctl(0, SHM_INFO, (void *)&shm);

	for (i = 0; i <= top; i++)
		if ((id = shmctl(i, SHM_STAT, &shm)) >= 0 && shm.shm_perm.cuid == USER)
			shmctl(id, IPC_RMID, NULL);
	top = msgctl(0, MSG_INFO, (void *)&msg);
	for (i = 0; i <= top; i++)
		if ((id = msgctl(i, MSG_STAT, &msg)) >= 0 && msg.msg_perm.cuid == USER)
			msgctl(id, IPC_RMID, NULL);
	top = semctl(0, 0, SEM_INFO, &sem);
	for (i = 0; i <= top; i++)
		if ((id = semctl(i, 0, SEM_STAT, &sem)) >= 0 && sem.sem_perm.cuid == USER)
			semctl(id, 0, IPC_RMID);
}

/* End all processes of the user's, as often as it takes, for they may be forking; all are, or become, this one's children. */
static void user_kill(uint32_t round)
{
	for (int tries = 0; tries < 300; tries++) {
		pid_t pid = fork();

		if (pid == 0) {
			become_user();
			kill(-1, SIGKILL);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (pid < 0)
			return;
		usleep(3000);
	}
	fail(round, "a process does not end");
}

static void worker_start(uint32_t number)
{
	struct round r = { .seed = options.seed,
			   .number = number,
			   .calls = CALLS_PER_THREAD,
			   .fail = options.fail,
			   .trace = options.trace };
	int fd = open("/proc/coppice/fail", O_RDWR);

	if (fd >= 0)
		dup2(fd, FAIL_FD);
	else
		r.fail = false;
	if (options.trace)
		dup2(2, TRACE_FD);
	if (chdir(directory))
		_exit(98);
	for (fd = 0; fd < FAIL_FD; fd++)
		close(fd);
	setsid();
	become_user();
	prctl(PR_SET_DUMPABLE, 1);
	worker_run(&r);
}

static void round_run(uint32_t number)
{
	struct timespec begin, now;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		worker_start(number);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		if (waitpid(pid, &status, WNOHANG | WUNTRACED) != 0)
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 >
		    ROUND_MS)
			break;
		usleep(2000);
	}
	user_kill(number);
	ipc_remove();
	files_remove();
	canaries_check(number);
	if (options.check)
		invariants_check(number);
}

static void options_parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";

		if (strcmp(argv[i], "--fail") == 0)
			options.fail = true;
		else if (strcmp(argv[i], "--check") == 0)
			options.check = true;
		else if (strcmp(argv[i], "--trace") == 0)
			options.trace = true;
		else if (strcmp(argv[i], "--seed") == 0)
			options.seed = strtoull(value, NULL, 0), i++;
		else if (strcmp(argv[i], "--calls") == 0)
			options.calls = strtoull(value, NULL, 0), i++;
		else if (strcmp(argv[i], "--round") == 0)
			options.round = atol(value), i++;
		else {
			fprintf(stderr, "usage: syscall-fuzz [--seed N] [--calls N] [--round N] "
					"[--fail] [--check] [--trace]\n");
			exit(2);
		}
	}
}

static void rounds_run(void)
{
	struct counters before = { 0 };
	uint32_t number = options.round < 0 ? 0 : (uint32_t)options.round;
	uint64_t made = 0;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (made < options.calls) {
		uint64_t calls = tally->calls;

		round_run(number++);
		made += tally->calls - calls;
		if (options.round >= 0)
			break;
		if (number == ROUNDS_WARM)
			before = counters_read();
	}
	if (options.round < 0 && number > ROUNDS_WARM)
		counters_check(&before, number);
	invariants_check(number);
	fprintf(stderr, "%lu calls in %u rounds\n", made, number);
	printf("nothing changed, nothing left\n");
}

int main(int argc, char **argv)
{
	int status = 0;

	options_parse(argc, argv);
	setbuf(stdout, NULL);
	if (geteuid() != 0 || !mkdtemp(directory) || chown(directory, USER, USER)) {
		fprintf(stderr, "syscall-fuzz: root, and a /tmp, are needed\n");
		return 2;
	}
	canaries_make();
	if (pipe2(ask, O_CLOEXEC) || pipe2(answer, O_CLOEXEC))
		return 2;
	pid_t pid = fork();
	if (pid == 0) {
		close(ask[0]);
		rounds_run();
		exit(0);
	}
	close(ask[1]);
	peer_serve();
	waitpid(pid, &status, 0);
	unlink(precious);
	rmdir(directory);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}
