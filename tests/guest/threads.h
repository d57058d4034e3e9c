/*
 * threads.h - what the tests of threads share: workers that make one call, and looking at whether they sleep.
 */
#ifndef GUEST_THREADS_H
#define GUEST_THREADS_H

#include "check.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* A thread that runs fn(worker) and keeps what it gave. */
struct worker {
	pthread_t thread;
	long (*run)(struct worker *w);
	void *arg;
	int number;
	_Atomic pid_t tid; /* 0 until it runs */
	_Atomic bool ended;
	long result;
};

void worker_start(struct worker *w, long (*run)(struct worker *w), void *arg);
long worker_join(struct worker *w);
/* Until the thread sleeps in a call: it makes no other than the one that is meant. */
void worker_asleep(struct worker *w);
void task_asleep(pid_t tid);
/* Until *word is no more `value`. */
void spin_while(_Atomic uint32_t *word, uint32_t value);

/* The raw call: a result or -errno. */
static inline long futex(const void *word, int op, uint32_t value, const void *timeout,
			 const void *word2, uint32_t value3)
{
	return raw_syscall(SYS_futex, (long)word, op, value, (long)timeout, (long)word2, value3);
}

/* "3", or "EINVAL". Of a static ring of buffers. */
const char *result_name(long result);
#define SAY(call) say("%s: %s\n", #call, result_name(call))

static inline pid_t my_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

/* A time from now, of that clock. */
struct timespec time_in(clockid_t clock, long ms);

#endif
