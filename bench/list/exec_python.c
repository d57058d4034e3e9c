/* exec_python: a whole run of an interpreter that is given nothing to do; its files are in the cache. */
#include "../frame.h"
#include "../parts/exec_program.h"

static void run(long arg)
{
	exec_program_measure((char *[]){ "/usr/bin/python3", "-c", "pass", NULL });
}

BENCH(exec_python, .unit = "ns", .what = "fork, exec of python3 -c pass, wait", .run = run)
