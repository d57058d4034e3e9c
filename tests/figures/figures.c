/*
 * figures.c - what fork costs and copies, on Coppice: static program, run by tests/figures/run.
 *
 *	figures fork-flat     time of fork, and of fork+exit+wait, with 1 MiB and with 1 GiB touched (under --icount 1 ns is one instruction)
 *	figures one-page      what a child copies that writes one page of 1 GiB
 *
 * Each prints its figures and exits 1 if they break what the project promises.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1ul << 20)
#define GIB (1ul << 30)
#define PAGE 4096ul
#define ROUNDS 9

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

static char *touched(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	for (size_t at = 0; at < size; at += PAGE)
		p[at] = 1;
	return p;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return x < y ? -1 : x > y;
}

/* Medians of the time until fork has returned, and until the child that exits at once is gone. */
static void measure(long *forked, long *gone)
{
	long f[ROUNDS], g[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		long start = now();
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		f[i] = now() - start;
		waitpid(pid, NULL, 0);
		g[i] = now() - start;
	}
	qsort(f, ROUNDS, sizeof(*f), compare);
	qsort(g, ROUNDS, sizeof(*g), compare);
	*forked = f[ROUNDS / 2];
	*gone = g[ROUNDS / 2];
}

static int fork_flat(void)
{
	long fork_small, gone_small, fork_big, gone_big;
	char *heap = touched(MIB);

	measure(&fork_small, &gone_small);
	munmap(heap, MIB);
	heap = touched(GIB);
	measure(&fork_big, &gone_big);
	munmap(heap, GIB);
	double r1 = (double)fork_big / (double)fork_small,
	       r2 = (double)gone_big / (double)gone_small;
	printf("fork: %ld with 1 MiB, %ld with 1 GiB, ratio %.3f\n", fork_small, fork_big, r1);
	printf("fork+exit+wait: %ld with 1 MiB, %ld with 1 GiB, ratio %.3f\n", gone_small, gone_big,
	       r2);
	return r1 <= 1.2 && r2 <= 1.2 ? 0 : 1;
}

static char text[4096];

static long counter(int fd, const char *name)
{
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return -1;
	text[n] = '\0';
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			return atol(line + strlen(name));
	}
	return -1;
}

/* Runs in the child. The first readings un-share the pages that reading itself writes to. */
static int child_one_page(char *heap)
{
	int fd = open("/proc/coppice/self", O_RDONLY);

	if (fd < 0) {
		perror("/proc/coppice/self");
		return 2;
	}
	counter(fd, "pages_copied");
	close(fd);
	fd = open("/proc/coppice/self", O_RDONLY);
	long tables = counter(fd, "tables_copied"), pages = counter(fd, "pages_copied");
	close(fd);
	heap[GIB / 2 + PAGE] = 2;
	fd = open("/proc/coppice/self", O_RDONLY);
	tables = counter(fd, "tables_copied") - tables;
	pages = counter(fd, "pages_copied") - pages;
	printf("one write to 1 GiB shared since fork: %ld page, %ld tables copied\n", pages,
	       tables);
	fflush(stdout);
	return pages == 1 && tables >= 1 && tables <= 4 ? 0 : 1;
}

static int one_page(void)
{
	char *heap = touched(GIB);
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(child_one_page(heap));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "fork-flat"))
		return fork_flat();
	if (argc == 2 && !strcmp(argv[1], "one-page"))
		return one_page();
	fprintf(stderr, "usage: figures fork-flat | one-page\n");
	return 2;
}
