/*
 * fork_server: what a fuzzer does, in AFL's manner: it tells a warmed-up process by a pipe to fork a child for the next input; the child runs a little, notes
 * in a shared map where it has been, writes some pages, and ends; the server reports its number and how it ended. All on one CPU, as AFL binds them.
 */
#define _GNU_SOURCE
#include "../frame.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_NS 200000000l
#define EXECUTIONS_MIN 10
#define MAP_SIZE 65536ul
#define BRANCHES 1000
#define PLACES 4ul /* as of data, heap and stack */
#define PLACE_PAGES 8ul

/* The program under test: `p` is what it had set up before the server's first fork (NULL: nothing). */
static void test(char *p, size_t size, unsigned char *map, unsigned input)
{
	unsigned at = input;

	for (int i = 0; i < BRANCHES; i++) {
		at = at * 1664525u + 1013904223u;
		map[at % MAP_SIZE]++;
	}
	for (unsigned long i = 0; p && i < PLACES; i++)
		memory_write_each(p + i * (size / PLACES), PLACE_PAGES * PAGE);
}

static void serve(int commands, int reports, char *p, size_t size, unsigned char *map)
{
	unsigned input;

	while (read(commands, &input, sizeof(input)) == sizeof(input)) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			test(p, size, map, input);
			_exit(0);
		}
		if (pid < 0 || write(reports, &pid, sizeof(pid)) != sizeof(pid) ||
		    waitpid(pid, &status, 0) != pid ||
		    write(reports, &status, sizeof(status)) != sizeof(status))
			_exit(1);
	}
	_exit(0);
}

static void run(long mib)
{
	char *p = memory_kept(mib);
	unsigned char *map =
		mmap(NULL, MAP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int commands[2], reports[2], status;
	unsigned executions = 0;
	long start, took;
	pid_t server;

	if (map == MAP_FAILED || pipe(commands) || pipe(reports))
		fatal("fork_server");
	server = fork();
	if (server == 0) {
		close(commands[1]);
		close(reports[0]);
		serve(commands[0], reports[1], p, (size_t)mib * MIB, map);
	}
	start = now();
	do {
		pid_t pid;

		memset(map, 0, MAP_SIZE);
		if (write(commands[1], &executions, sizeof(executions)) != sizeof(executions) ||
		    read(reports[0], &pid, sizeof(pid)) != sizeof(pid) ||
		    read(reports[0], &status, sizeof(status)) != sizeof(status) || status)
			fatal("fork server");
		took = now() - start;
	} while (++executions < EXECUTIONS_MIN || took < RUN_NS);
	bench_result(1e9 * executions / (double)took);
	for (int i = 0; i < 2; i++)
		close(commands[i]);
	child_wait(server);
	for (int i = 0; i < 2; i++)
		close(reports[i]);
	munmap(map, MAP_SIZE);
}

BENCH(fork_server, .unit = "per s", .what = "executions of a fuzzer's fork server",
      .args = { 1, 16, 256 }, .arg_unit = "MiB", .larger = true, .mode = IN_BOTH, .keeps = true,
      .run = run)
