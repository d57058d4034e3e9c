/* exec_dynamic: whole runs of dynamically linked programs, their files in the cache. */
#define _GNU_SOURCE
#include "../frame.h"

#include <fcntl.h>
#include <unistd.h>

static void measure(char **argv)
{
	long start;
	pid_t pid;

	if (access(argv[0], X_OK))
		bench_skip("the program is not there");
	start = now();
	pid = vfork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	child_wait(pid);
	bench_result((double)(now() - start));
}

static void run_true(long arg)
{
	measure((char *[]){ "/bin/true", NULL });
}

static void run_python(long arg)
{
	measure((char *[]){ "/usr/bin/python3", "-c", "pass", NULL });
}

BENCH(exec_true, .unit = "ns", .what = "vfork, exec of /bin/true (dynamic), wait", .run = run_true)
BENCH(exec_python, .unit = "ns", .what = "vfork, exec of python3 -c pass, wait", .run = run_python)
