/* child_read_sweep: a child reads what it inherited. */
#define _GNU_SOURCE
#include "../frame.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGES 8192ul

struct answer {
	double ns, faults;
};

static void read_all(const char *p, struct answer *answer)
{
	struct rusage before, after;
	long start;

	getrusage(RUSAGE_SELF, &before);
	start = now();
	memory_read_each(p, PAGES * PAGE);
	answer->ns = (double)(now() - start) / PAGES;
	getrusage(RUSAGE_SELF, &after);
	answer->faults = (double)(after.ru_minflt - before.ru_minflt);
}

static void run(long arg)
{
	char *p = memory_touched(PAGES * PAGE);
	struct answer answer;
	int fds[2];
	pid_t pid;

	if (pipe(fds))
		fatal("pipe");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		read_all(p, &answer);
		_exit(write(fds[1], &answer, sizeof(answer)) != sizeof(answer));
	}
	if (read(fds[0], &answer, sizeof(answer)) != sizeof(answer))
		fatal("read");
	child_wait(pid);
	bench_result(answer.ns);
	bench_also("faults", "faults", answer.faults);
	close(fds[0]);
	close(fds[1]);
	munmap(p, PAGES * PAGE);
}

BENCH(child_read_sweep, .unit = "ns",
      .what = "a child reads what it inherited, a page (and its faults in all)", .run = run)
