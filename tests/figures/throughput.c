/*
 * throughput.c - what a second CPU gives: static program, run by tests/figures/two-cpus with --cpus 2.
 *
 *	throughput WHAT ROUNDS     faults, thread-faults, fork-exec or pipes
 *
 * Two workers do the same all the time. In turns they may both run on the first CPU only, and on both. At the start and the end of each turn a line says
 * how many CPUs it is about, the time, what has been done up to then, and for how long the two CPUs have been idle: "begin 1 NS COUNT NS NS", and "end".
 * After the last it goes on until its input ends: who reads the lines looks at how long the machine has run, and must find it running.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 32768ul
#define WORKERS 2
#define GROUP 2 /* processes or threads of one worker, at most */
#define TURN_NS 300000000l
#define SETTLE_NS 20000000l

/* Shared by all; a line of its own for each worker's count. */
static struct shared {
	struct {
		volatile long done;
		char unused[120];
	} worker[WORKERS];
	volatile int tid[WORKERS][GROUP];
} * shared;

static char *self;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

static void sleep_ns(long ns)
{
	struct timespec t = { ns / 1000000000l, ns % 1000000000l };

	nanosleep(&t, NULL);
}

static void fail(const char *what)
{
	perror(what);
	kill(0, SIGKILL);
	exit(2);
}

/* --- workers: never return --- */

static void fault_forever(int n)
{
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		fail("mmap");
	for (;;) {
		for (size_t i = 0; i < PAGES; i++) {
			p[i * PAGE] = 1;
			shared->worker[n].done++;
		}
		madvise(p, PAGES * PAGE, MADV_DONTNEED);
	}
}

static void fork_forever(int n)
{
	for (;;) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			execl(self, self, "nothing", (char *)NULL);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			fail("fork, exec or exit");
		shared->worker[n].done++;
	}
}

static void pipe_forever(int n)
{
	int there[2], back[2];
	pid_t pid;
	char c = 0;

	if (pipe(there) < 0 || pipe(back) < 0)
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		shared->tid[n][1] = gettid();
		while (read(there[0], &c, 1) == 1)
			write(back[1], &c, 1);
		_exit(0);
	}
	while (write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1)
		shared->worker[n].done++;
	fail("ping-pong");
}

static const struct workload {
	const char *name;
	void (*work)(int n);
	int group;
	int threads;
} workloads[] = {
	{ "faults", fault_forever, 1, 0 },
	{ "thread-faults", fault_forever, 1, 1 },
	{ "fork-exec", fork_forever, 1, 0 },
	{ "pipes", pipe_forever, 2, 0 },
};

/* --- turns --- */

static const struct workload *what;

static void *thread_start(void *arg)
{
	int n = (int)(long)arg;

	shared->tid[n][0] = gettid();
	what->work(n);
	return NULL;
}

static void workers_start(void)
{
	for (long n = 0; n < WORKERS; n++) {
		pthread_t thread;

		if (what->threads) {
			if (pthread_create(&thread, NULL, thread_start, (void *)n))
				fail("pthread_create");
			continue;
		}
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid == 0)
			thread_start((void *)n);
	}
	for (int n = 0; n < WORKERS; n++)
		for (int i = 0; i < what->group; i++)
			while (!shared->tid[n][i])
				sleep_ns(1000000);
}

static void workers_allow(int cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < cpus; cpu++)
		CPU_SET(cpu, &set);
	for (int n = 0; n < WORKERS; n++)
		for (int i = 0; i < what->group; i++)
			if (sched_setaffinity(shared->tid[n][i], sizeof(set), &set))
				fail("sched_setaffinity");
}

static long done(void)
{
	long sum = 0;

	for (int n = 0; n < WORKERS; n++)
		sum += shared->worker[n].done;
	return sum;
}

/* Of each of two CPUs, since the start; /proc/stat has it in hundredths of a second. */
static void idle_read(long idle[2])
{
	char text[512];
	int fd = open("/proc/stat", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (int cpu = 0; cpu < 2; cpu++) {
		char name[16], *at;

		snprintf(name, sizeof(name), "cpu%d ", cpu);
		at = strstr(text, name);
		if (!at || sscanf(at + strlen(name), "%*d %*d %*d %ld", &idle[cpu]) != 1)
			fail("/proc/stat");
		idle[cpu] *= 10000000;
	}
}

static void say(const char *edge, int cpus)
{
	long idle[2];

	idle_read(idle);
	printf("%s %d %ld %ld %ld %ld\n", edge, cpus, now(), done(), idle[0], idle[1]);
	fflush(stdout);
}

static void turn(int cpus)
{
	workers_allow(cpus);
	sleep_ns(SETTLE_NS);
	say("begin", cpus);
	sleep_ns(TURN_NS);
	say("end", cpus);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 0;
	char end;

	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "nothing") == 0)
		return 0;
	for (size_t i = 0; argc > 1 && i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (strcmp(argv[1], workloads[i].name) == 0)
			what = &workloads[i];
	if (!what || rounds < 1) {
		fprintf(stderr, "usage: throughput faults|thread-faults|fork-exec|pipes ROUNDS\n");
		return 2;
	}
	setpgid(0, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		fail("mmap");
	workers_start();
	for (int r = 0; r < rounds; r++) {
		turn(1);
		turn(2);
	}
	(void)!read(STDIN_FILENO, &end, 1); /* until the machine has been looked at */
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	return 0;
}
