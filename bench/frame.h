/*
 * frame.h - what the benchmarks share: a clock, a place to put results, memory to work on, and children.
 *
 * A benchmark is one file in list/ that defines one `struct bench` by BENCH. Its function does the work once for one argument and says what one operation
 * took by bench_result; the frame calls it several times and prints the median. It is an ordinary static Linux program, the same file on both kernels. What
 * several benchmarks share beyond that is in parts/.
 */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MIB (1ul << 20)
#define PAGE 4096ul
#define ARGS_MAX 16

/* Which of the two modes a benchmark is for (docs/benchmarks.md). */
enum bench_mode {
	IN_INSTRUCTIONS,
	IN_TIME,
	IN_BOTH,
};

/* A function that is called for each of its arguments (up to the first 0; none: once, with 0). */
struct bench {
	const char *name;
	const char *unit; /* of one result: "ns" (under -icount: instructions), "bytes", ... */
	const char *what; /* one line for the table */
	long args[ARGS_MAX];
	const char *arg_unit; /* "MiB", "areas", "" */
	void (*run)(long arg);
	bool once; /* the first call is the result: warming would change what is measured, or take too long */
	bool keeps;  /* it works on memory_kept of its argument */
	bool larger; /* a larger result is a better one */
	enum bench_mode mode;
	const char *machine; /* of those that bench/run knows; none: "usual" */
	struct bench *next;
};

#define BENCH(identifier, ...)                                                         \
	static struct bench bench_##identifier = { .name = #identifier, __VA_ARGS__ }; \
	__attribute__((constructor)) static void bench_##identifier##_register(void)   \
	{                                                                              \
		bench_register(&bench_##identifier);                                   \
	}

/* Memory of a process whose fork is measured; 1 stands for the program's own alone, some 0.4 MiB. */
#define FORK_SIZES                         \
	{                                  \
		1, 16, 64, 256, 1024, 4096 \
	}

void bench_register(struct bench *b);

/* Nanoseconds of the monotonic clock; with `-icount shift=0` one is one instruction. */
long now(void);

/* The result of this call of the benchmark's function. */
void bench_result(double value);

/* A further result of this call, shown as its own row: NAME.SUFFIX. At most 4 a call. */
void bench_also(const char *suffix, const char *unit, double value);

/* This benchmark cannot run here (a file is missing, a call fails): says so, and skips it. */
void bench_skip(const char *why) __attribute__((noreturn));

/* The program ends with what failed. */
void fatal(const char *what) __attribute__((noreturn));

/* Private anonymous memory of 4 KiB pages; touched: every page written. Ends the program where there is none. */
char *memory_map(size_t size);
char *memory_touched(size_t size);
void memory_write_each(char *p, size_t size); /* one byte of each page */
long memory_read_each(const char *p, size_t size);

/*
 * Touched memory of `mib` MiB for a benchmark that `keeps`: it stays for the next call and for the next benchmark of the same argument, since touching it can
 * take much longer than what is measured. NULL for 1.
 */
char *memory_kept(long mib);

/* The static program that is executed (-t); skips the benchmark where none is named. */
char *target(void);

/* A child that waits until it is told to go, and then ends. */
pid_t child_idle(void);
void child_end(pid_t pid);

/* waitpid (-1: any child); ends the program if the child did not end with 0. */
void child_wait(pid_t pid);

/* A field of /proc/meminfo, in bytes; 0: it is not there. */
double meminfo(const char *field);

/* Pin to one CPU of those there are. */
void pin(int cpu);

int compare_longs(const void *a, const void *b);

#endif
