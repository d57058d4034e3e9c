/*
 * diff.h - the differential test: one random stream of mapping calls, accesses and forks, the same
 * on every system that it runs on.
 *
 * Central rule: what operation number i does follows from the seed and i alone. So a stream can be
 * run again from its numbers, operations can be left out of it, and two systems can be compared by
 * one running hash of all that a program can see: results, errnos, signals, bytes, maps. Operations
 * run strictly one after another, also over several processes: whoever runs holds the token, and
 * the counter and the hash lie in memory that all share (the board).
 *
 * Read next: main.c (a step), arena.c (where it happens), ops.c (what there is to do).
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define PAGE 4096ul
#define HUGE_PAGE (2ul << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* --- random numbers: each operation has its own generator --- */

struct rng {
	u64 state;
};

struct rng rng_of(u64 seed, u64 index);
u64 rng_next(struct rng *r);
u64 rng_below(struct rng *r, u64 n); /* n > 0 */
static inline bool rng_chance(struct rng *r, u64 one_in)
{
	return !rng_below(r, one_in);
}

/* --- the board: shared by all processes of a run --- */

struct board {
	u64 index;      /* of the next operation */
	u64 hash;       /* of all that was seen */
	u64 file_names; /* how many there were, for new names */
};

struct options {
	u64 seed, count;
	u64 interval;             /* operations between two printed hashes */
	u64 trace_from, trace_to; /* these are printed */
	u64 maps_at;              /* areas are printed before and after it */
	const char *skip;         /* operations that are left out: "A-B,C-D,..." */
	/* To look past a known difference: */
	const char *without;   /* operations, advice and the like: "fork,HUGEPAGE" */
	bool no_maps;          /* /proc/self/maps is not compared */
	bool residency;        /* a trace also shows a hash of it (not in forked processes) */
	const char *directory; /* for files */
};

extern struct board *board;
extern struct options options;
extern unsigned depth; /* generations since the first process */

void fold(u64 value); /* into the hash */
u64 hash_bytes(u64 h, const void *data, size_t n);
/* Run the next operation. */
void step(void);
/* A part of the present operation's line, if it is traced. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_now(void); /* what was said so far must be out: a fork comes, or may not return */
bool is_without(const char *name);
void fail(const char *what) __attribute__((noreturn));
/* A system call's result into the hash and the trace; gives it back. */
s64 result(s64 value);

/* --- arenas: the only places that are not covered --- */

struct arena {
	const char *name;
	u64 start, end;
	bool huge; /* areas of megabytes; few bytes of each page are looked at */
};

enum { ARENA_MAIN, ARENA_LOW, ARENA_HEAP, ARENA_HUGE, ARENAS };

extern struct arena arenas[ARENAS];
extern u64 brk_start; /* the break when the run began */

void arenas_init(void);
void maps_fold(void);           /* the areas in the arenas, as /proc/self/maps shows them */
void maps_print(bool contents); /* with a hash of each area's, and which pages are resident */
u64 maps_hash(void);
u64 residency_hash(void); /* of all pages but those of the huge arena */
/* Every byte in the arenas that can be read; `directly` by loads, else by process_vm_readv. */
void memory_fold(bool directly, bool huge);

struct range {
	struct arena *arena;
	u64 addr, length; /* page-aligned, within the arena */
};

/*
 * Does [addr, addr + n) show pages of these bytes of the file? Between a file and its own mapping the
 * bytes may be copied over each other, and what comes of it depends on how the processor's copy goes.
 */
bool range_shows_file(u64 addr, u64 n, int fd, u64 offset, u64 length);

struct range range_pick(struct rng *r);
/* An address in an arena, at any byte. */
u64 address_pick(struct rng *r);
/* How a trace names an address: arena and offset. Up to four live at a time. */
const char *place(u64 addr);

/* --- accesses that may fault: the signal goes into hash and trace --- */

void access_init(void);
bool access_run(void (*fn)(u64 addr, u64 n, u64 value), u64 addr, u64 n, u64 value);
u64 access_loaded(void); /* what the last load gave */
void access_load(u64 addr, u64 size, u64 unused);
void access_store(u64 addr, u64 size, u64 value);
void access_add(u64 addr, u64 size, u64 value);      /* locked read-modify-write */
void access_fill(u64 addr, u64 n, u64 value);        /* rep stosb */
void access_copy(u64 to, u64 n, u64 from);           /* rep movsb */
void access_call(u64 addr, u64 unused, u64 unused2); /* a function there that returns at once */
/* Like access_run, but nobody is told: whether it succeeded. */
bool access_quiet(void (*fn)(u64 addr, u64 n, u64 value), u64 addr, u64 n, u64 value);

/* --- operations --- */

struct operation {
	const char *name;
	u32 weight;
	void (*run)(struct rng *r);
};

extern const struct operation map_operations[], advise_operations[], file_operations[],
	access_operations[], shm_operations[], family_operations[]; /* each ends with a NULL name */

void files_init(void);
void shm_init(void);
int file_pick(struct rng *r); /* a descriptor */
const char *file_label(int fd);
void files_fold(void);
void files_print(void);
/* The other processes of this one's making end; called before it ends. */
void family_end(void);
bool has_family(void); /* are there other processes of this run? */

#endif
