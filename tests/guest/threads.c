/*
 * threads.c - workers of the thread tests (threads.h).
 */
#include "threads.h"

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	w->tid = my_tid();
	w->result = w->run(w);
	w->ended = true;
	return NULL;
}

void worker_start(struct worker *w, long (*run)(struct worker *w), void *arg)
{
	w->run = run;
	w->arg = arg;
	w->tid = 0;
	w->ended = false;
	CHECK_EQ(pthread_create(&w->thread, NULL, worker_main, w), 0);
	while (!w->tid)
		sched_yield();
}

long worker_join(struct worker *w)
{
	CHECK_EQ(pthread_join(w->thread, NULL), 0);
	return w->result;
}

static bool sleeps(pid_t tid)
{
	char path[64], text[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	CHECK(n > 0);
	text[n] = 0;
	p = strrchr(text, ')');
	return p && p[2] == 'S';
}

void task_asleep(pid_t tid)
{
	while (!sleeps(tid))
		usleep(1000);
}

void worker_asleep(struct worker *w)
{
	task_asleep(w->tid);
}

void spin_while(_Atomic uint32_t *word, uint32_t value)
{
	while (atomic_load(word) == value)
		sched_yield();
}

const char *result_name(long result)
{
	static char ring[8][24];
	static unsigned int next;
	char *s = ring[next++ % COUNT_OF(ring)];

	if (result < 0 && result > -4096)
		return errno_name((int)-result);
	snprintf(s, sizeof(ring[0]), "%ld", result);
	return s;
}

struct timespec time_in(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}
