/* memory_of_program: what a small static program takes after fork and exec, beside its own pages; in a machine that has just
 * started, since a kernel that has run for a while has memory in its caches. */
#include "../frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WARMING 16 /* programs that are there before: what is taken once is not counted */
#define PROGRAMS 64
#define REST_US 1500000 /* for counters that are brought up to date each second */

/* What the program has of its own, in bytes (proc(5), smaps_rollup). */
static double own_memory(pid_t pid)
{
	char path[64], line[128];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "r");
	if (!f)
		fatal(path);
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Anonymous:", 10))
			kib = strtod(line + 10, NULL);
	}
	fclose(f);
	return kib * 1024;
}

static pid_t start(char **argv, const int *fds)
{
	pid_t pid = fork();

	if (pid == 0) {
		dup2(fds[0], 0);
		close(fds[0]);
		close(fds[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static void run(long arg)
{
	char *argv[] = { target(), "wait", NULL };
	pid_t pids[WARMING + PROGRAMS];
	double before, own = 0, all;
	int fds[2];

	if (pipe(fds))
		fatal("pipe");
	for (int i = 0; i < WARMING; i++)
		pids[i] = start(argv, fds);
	usleep(REST_US);
	before = meminfo("MemFree");
	for (int i = WARMING; i < WARMING + PROGRAMS; i++)
		pids[i] = start(argv, fds);
	usleep(REST_US);
	all = before - meminfo("MemFree");
	for (int i = WARMING; i < WARMING + PROGRAMS; i++)
		own += own_memory(pids[i]);
	bench_result((all - own) / PROGRAMS);
	bench_also("own", "bytes", own / PROGRAMS);
	close(fds[1]);
	close(fds[0]);
	for (int i = 0; i < WARMING + PROGRAMS; i++)
		child_wait(pids[i]);
}

BENCH(memory_of_program, .unit = "bytes",
      .what = "memory of the kernel for a small static program; the program's own pages",
      .once = true, .machine = "boot", .run = run)
