/* exec_program.c - see exec_program.h. */
#include "exec_program.h"

#include "../frame.h"

#include <unistd.h>

void exec_program_measure(char **argv)
{
	long start;
	pid_t pid;

	if (access(argv[0], X_OK))
		bench_skip("the program is not there");
	start = now();
	pid = fork();
	if (pid == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	child_wait(pid);
	bench_result((double)(now() - start));
}
