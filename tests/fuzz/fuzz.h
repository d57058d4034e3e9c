/*
 * fuzz.h - a program that makes random system calls with hostile arguments.
 *
 * main.c starts rounds and judges them; worker.c is the unprivileged process that makes the calls, with threads and children; calls.c says which calls there are and what kind of
 * value each argument is; values.c makes those values. Central rule: what a thread asks for follows from the seed, the number of the round and of the thread alone, never from what
 * a call returned; so a round can be repeated. Nothing here uses thread-local storage or the C library's state once the calls have begun, for the calls destroy both.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define PAGE 4096ul
#define THREADS 3
#define FDS 48 /* descriptors 0 up to this are open when a round begins, each of another kind */

/* Where the memory is that the calls work on; arena_make() fills it. */
#define ARENA 0x200000000ul
#define ARENA_PAGES 256ul
/* What all processes have in common from the start: the parent's pages must stay as they are. */
#define CANARY 0x300000000ul
#define CANARY_PAGES 64ul
/* The count of calls, shared with the parent. */
#define TALLY 0x310000000ul
/* For each thread: where the structures that arguments point to are built, and a child's stack. */
#define SCRATCH 0x320000000ul
#define SCRATCH_SIZE (64 * PAGE)

/* Descriptors that no call reaches but by chance. */
#define FAIL_FD 200
#define TRACE_FD 201

struct tally {
	uint64_t calls; /* made by all */
	uint64_t progress[THREADS];
	uint32_t finished; /* threads that have made all theirs */
};

/* xorshift64*: of one thread. */
struct random {
	uint64_t state;
};

void random_seed(struct random *r, uint64_t seed);
uint64_t random_next(struct random *r);
/* A number below n. */
uint32_t draw(struct random *r, uint32_t n);

/* One thread, or a child of it. */
struct fuzzer {
	struct random random;
	uint32_t thread, depth; /* depth: how many forks ago the thread began */
	uint32_t round;
	char *scratch; /* SCRATCH_SIZE bytes */
	size_t used;   /* of it, by the current call */
};

/* --- values.c: one hostile value of each kind --- */
enum kind {
	NONE,
	FD,
	DIRFD,
	PATH,
	IN,  /* a pointer to bytes that the kernel reads */
	OUT, /* to room that it writes to */
	LEN, /* of such bytes */
	SMALL,
	FLAGS,
	PROT,
	PID,
	SIG,
	ADDRESS, /* a place to map or unmap */
	SIZE,    /* of a mapping */
	OFFSET,
	IOVECS,
	COUNT, /* of such a list */
	TIMESPEC,
	SIGSET,
	SIGSET_SIZE,
	MODE,
	ID,      /* of a user */
	STRINGS, /* a list of pointers to texts */
	POINTERS,
	OPEN_FLAGS,
	IOCTL,
	SOCKADDR,
	MESSAGE,
	MESSAGES,
	EPOLL_EVENTS,
	POLLFDS,
	SIGACTION,
	ANY,
};
uint64_t value_make(struct fuzzer *f, enum kind kind);
void arena_make(struct fuzzer *f);
/* Open descriptors 0 to FDS - 1. */
void descriptors_make(struct fuzzer *f);

/* --- calls.c --- */
struct call {
	const char *name;
	uint16_t number;
	uint8_t weight;
	uint8_t kinds[6];
};
extern const struct call calls[];
const struct call *call_choose(struct fuzzer *f);

/* --- worker.c --- */
struct round {
	uint64_t seed;
	uint32_t number, calls; /* calls of each thread */
	bool fail;  /* now and then an allocation fails: FAIL_FD is /proc/coppice/fail */
	bool trace; /* each call is written to TRACE_FD before it is made */
};
_Noreturn void worker_run(const struct round *r);

static inline long raw_syscall(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#endif
