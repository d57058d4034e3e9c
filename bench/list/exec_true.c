/* exec_true: a whole run of /bin/true, which is dynamically linked; its files are in the cache. */
#include "../frame.h"
#include "../parts/exec_program.h"

static void run(long arg)
{
	exec_program_measure((char *[]){ "/bin/true", NULL });
}

BENCH(exec_true, .unit = "ns", .what = "fork, exec of /bin/true (dynamic), wait", .run = run)
