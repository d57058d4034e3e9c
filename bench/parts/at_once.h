/* at_once.h - the same work by several processes at once, each on a CPU of its own. */
#ifndef BENCH_AT_ONCE_H
#define BENCH_AT_ONCE_H

/* The result is how much of it `count` processes do together in a second; `once` does it a first time, and returns how much that was. */
void at_once_measure(long count, long (*once)(void));

#endif
