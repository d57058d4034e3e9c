/* protection_fault: a store that is not permitted, the handler that permits it, and back. */
#define _GNU_SOURCE
#include "../frame.h"

#include <signal.h>
#include <sys/mman.h>

#define PAGES 512ul

static void permit(int signal, siginfo_t *info, void *context)
{
	mprotect((void *)((unsigned long)info->si_addr & ~(PAGE - 1)), PAGE,
		 PROT_READ | PROT_WRITE);
}

static void run(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	struct sigaction action = { .sa_sigaction = permit, .sa_flags = SA_SIGINFO };
	long start;

	sigaction(SIGSEGV, &action, NULL);
	mprotect(p, PAGES * PAGE, PROT_READ);
	start = now();
	memory_write_each(p, PAGES * PAGE);
	bench_result((double)(now() - start) / PAGES);
	signal(SIGSEGV, SIG_DFL);
	munmap(p, PAGES * PAGE);
}

BENCH(protection_fault, .unit = "ns",
      .what = "protection fault to a handler, mprotect in it, and back", .run = run)
