/*
 * frame.c - the main program of the benchmarks: chooses, repeats, and prints one line per result.
 *
 *	bench [-l] [-r ROUNDS] [-M MIB] [-m MIB] [-t TARGET] [NAME...]
 *
 * -l lists them; -r: calls of each (default 5; the median counts); -M, -m: arguments in MiB below and above these are left out;
 * -t: the program that is executed (else BENCH_TARGET). A line is "RESULT name argument unit median least most rounds", and of the list "name mode machine
 * better unit argument-unit arguments description", tab-separated.
 */
#define _GNU_SOURCE
#include "frame.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 64
#define ALSO_MAX 4
#define IDLE_COMMAND 'q'

static struct bench *benches, **benches_end = &benches;
static double result[1 + ALSO_MAX][ROUNDS_MAX];
static const char *also_suffix[ALSO_MAX], *also_unit[ALSO_MAX];
static int also_count, round_now, rounds = 5;
static long mib_min, mib_max = 1024;
static jmp_buf skipped;

void bench_register(struct bench *b)
{
	*benches_end = b;
	benches_end = &b->next;
}

long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

void bench_result(double value)
{
	result[0][round_now] = value;
}

void bench_also(const char *suffix, const char *unit, double value)
{
	int i = 0;

	while (i < also_count && strcmp(also_suffix[i], suffix))
		i++;
	if (i == ALSO_MAX)
		fatal("too many results");
	if (i == also_count) {
		also_suffix[also_count] = suffix;
		also_unit[also_count++] = unit;
	}
	result[1 + i][round_now] = value;
}

void bench_skip(const char *why)
{
	printf("SKIPPED\t%s\n", why);
	fflush(stdout);
	longjmp(skipped, 1);
}

void fatal(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	_exit(2);
}

char *memory_map(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fatal("mmap");
	madvise(p, size,
		MADV_NOHUGEPAGE); /* a kernel without large pages refuses, and needs no telling */
	return p;
}

void memory_write_each(char *p, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		*(volatile char *)(p + at) = 1;
}

long memory_read_each(const char *p, size_t size)
{
	long sum = 0;

	for (size_t at = 0; at < size; at += PAGE)
		sum += *(const volatile char *)(p + at);
	return sum;
}

char *memory_touched(size_t size)
{
	char *p = memory_map(size);

	memory_write_each(p, size);
	return p;
}

char *memory_kept(long mib)
{
	static char *memory;
	static long have;

	if (have != mib && have > 1)
		munmap(memory, (size_t)have * MIB);
	if (have != mib)
		memory = mib > 1 ? memory_touched((size_t)mib * MIB) : NULL;
	have = mib;
	return memory;
}

char *target(void)
{
	char *path = getenv("BENCH_TARGET");

	if (!path)
		bench_skip("BENCH_TARGET, a static program that ends at once, is not named");
	return path;
}

static int idle_pipe[2] = { -1, -1 };

pid_t child_idle(void)
{
	pid_t pid;

	if (idle_pipe[0] < 0 && pipe(idle_pipe))
		fatal("pipe");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		char c;

		_exit(read(idle_pipe[0], &c, 1) == 1 ? 0 : 1);
	}
	return pid;
}

void child_end(pid_t pid)
{
	char c = IDLE_COMMAND;

	if (write(idle_pipe[1], &c, 1) != 1)
		fatal("write");
	(void)pid; /* any idle child may take it: all are ended in the end */
	if (wait(NULL) < 0)
		fatal("wait");
}

void child_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		fatal("waitpid");
	if (status) {
		errno = 0;
		fatal("a child failed");
	}
}

double meminfo(const char *field)
{
	char line[128];
	double kib = 0;
	size_t length = strlen(field);
	FILE *f = fopen("/proc/meminfo", "r");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, field, length) && line[length] == ':')
			kib = strtod(line + length + 1, NULL);
	}
	fclose(f);
	return kib * 1024;
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fatal("sched_setaffinity");
}

int compare_longs(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_result(const struct bench *b, const char *suffix, const char *unit, long arg,
			 double *values)
{
	int n = b->once ? 1 : rounds;

	qsort(values, (size_t)n, sizeof(*values), compare_doubles);
	printf("RESULT\t%s%s%s\t%ld\t%s\t%.2f\t%.2f\t%.2f\t%d\n", b->name, suffix ? "." : "",
	       suffix ? suffix : "", arg, unit, values[n / 2], values[0], values[n - 1], n);
	fflush(stdout);
}

static void run_one(const struct bench *b, long arg)
{
	also_count = 0;
	round_now = 0;
	if (setjmp(skipped))
		return;
	if (!b->once)
		b->run(arg); /* warms caches; its result is overwritten */
	for (; round_now < (b->once ? 1 : rounds); round_now++)
		b->run(arg);
	print_result(b, NULL, b->unit, arg, result[0]);
	for (int i = 0; i < also_count; i++)
		print_result(b, also_suffix[i], also_unit[i], arg, result[1 + i]);
}

static bool chosen(const struct bench *b, char **names)
{
	for (char **n = names; *n; n++) {
		if (!strcmp(*n, b->name))
			return true;
	}
	return !*names;
}

static bool in_range(const struct bench *b, long arg)
{
	return strcmp(b->arg_unit, "MiB") || (arg >= mib_min && arg <= mib_max);
}

/* First those with memory of their own, then, size by size, those that keep it. */
static void run_chosen(char **names)
{
	long size = 0, next = 0;

	for (const struct bench *b = benches; b; b = b->next) {
		if (b->keeps || !chosen(b, names))
			continue;
		if (!b->args[0])
			run_one(b, 0);
		for (int i = 0; i < ARGS_MAX && b->args[i]; i++) {
			if (in_range(b, b->args[i]))
				run_one(b, b->args[i]);
		}
	}
	do {
		size = next;
		next = 0;
		for (const struct bench *b = benches; b; b = b->next) {
			if (!b->keeps || !chosen(b, names))
				continue;
			for (int i = 0; i < ARGS_MAX && b->args[i]; i++) {
				if (!in_range(b, b->args[i]))
					continue;
				if (b->args[i] == size)
					run_one(b, size);
				else if (b->args[i] > size && (!next || b->args[i] < next))
					next = b->args[i];
			}
		}
	} while (next);
}

static void list(void)
{
	static const char *const modes[] = { "instructions", "time", "both" };

	for (const struct bench *b = benches; b; b = b->next) {
		printf("%s\t%s\t%s\t%s\t%s\t%s\t", b->name, modes[b->mode],
		       b->machine ? b->machine : "usual", b->larger ? "larger" : "smaller", b->unit,
		       b->arg_unit ? b->arg_unit : "");
		for (int i = 0; i < ARGS_MAX && b->args[i]; i++)
			printf("%s%ld", i ? "," : "", b->args[i]);
		printf("\t%s\n", b->what);
	}
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "lr:M:m:t:")) != -1) {
		switch (option) {
		case 'l':
			list();
			return 0;
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'M':
			mib_min = atol(optarg);
			break;
		case 't':
			setenv("BENCH_TARGET", optarg, 1);
			break;
		case 'm':
			mib_max = atol(optarg);
			break;
		default:
			return 2;
		}
	}
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	run_chosen(argv + optind);
	return 0;
}
