/* null_call: into the kernel and back, by a call that does next to nothing. */
#include "../frame.h"

#include <sys/syscall.h>
#include <unistd.h>

#define CALLS 10000

static void run(long arg)
{
	long start = now();

	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	bench_result((double)(now() - start) / CALLS);
}

BENCH(null_call, .unit = "ns", .what = "a system call that does next to nothing", .run = run)
