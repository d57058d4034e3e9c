/*
 * main.c - the stream: options, the running hash, the trace, one step.
 *
 *	diff-stream --seed N --count N [--interval N] [--trace FROM TO] [--maps-at N] [--skip LIST]
 *		[--without NAME,NAME...] [--no-maps 1]
 *
 * Prints "INDEX HASH" every interval, and "end INDEX HASH" with all contents at the end. Uses no memory from malloc once it has begun:
 * the heap is one of the arenas.
 */
#include "diff.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#define MAPS_EVERY 8 /* operations */
#define BOARD_ADDRESS 0x60000000ul

struct board *board;
struct options options = { .count = 1000, .interval = 1000, .directory = "/tmp", .maps_at = -1 };
unsigned depth;

static bool traced; /* the present operation is */
static char line[1024];
static size_t line_length;

/* --- random numbers --- */

static u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

struct rng rng_of(u64 seed, u64 index)
{
	return (struct rng){ mix(seed * 0x9e3779b97f4a7c15ull + 1) ^ mix(index + (seed << 40)) };
}

u64 rng_next(struct rng *r)
{
	r->state += 0x9e3779b97f4a7c15ull;
	return mix(r->state);
}

u64 rng_below(struct rng *r, u64 n)
{
	return rng_next(r) % n;
}

/* --- hash and trace --- */

void fold(u64 value)
{
	board->hash = mix(board->hash ^ value) + 0x2545f4914f6cdd1dull;
}

u64 hash_bytes(u64 h, const void *data, size_t n)
{
	const u8 *p = data;
	u64 word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0x9fb21c651e98df25ull;
		h ^= h >> 32;
	}
	for (; n; n--)
		h = (h ^ *p++) * 0x9fb21c651e98df25ull;
	return h;
}

static void write_all(const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(1, text, n);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			_exit(3);
		text += done;
		n -= (size_t)done;
	}
}

void say_now(void)
{
	write_all(line, line_length);
	line_length = 0;
}

void say(const char *format, ...)
{
	va_list args;
	int n;

	if (!traced)
		return;
	va_start(args, format);
	n = vsnprintf(line + line_length, sizeof(line) - line_length, format, args);
	va_end(args);
	line_length += (size_t)n < sizeof(line) - line_length ? (size_t)n
							      : sizeof(line) - line_length - 1;
}

s64 result(s64 value)
{
	int error = value == -1 ? errno : 0;

	fold((u64)value);
	fold((u64)error);
	if (error)
		say(" = %s", strerrorname_np(error));
	else if ((u64)value >= PAGE)
		say(" = %s", place((u64)value));
	else
		say(" = %ld", value);
	return value;
}

void fail(const char *what)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "diff-stream: %s: %s\n", what, strerrorname_np(errno));

	write(2, text, (size_t)n);
	_exit(2);
}

/* --- a step --- */

static const struct operation *const lists[] = { map_operations,  advise_operations,
						 file_operations, access_operations,
						 shm_operations,  family_operations };

static const struct operation *operation_pick(struct rng *r)
{
	static u64 total;
	u64 at;

	if (!total)
		for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
			for (const struct operation *o = lists[i]; o->name; o++)
				total += o->weight;
	at = rng_below(r, total);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (const struct operation *o = lists[i]; o->name; o++) {
			if (at < o->weight)
				return o;
			at -= o->weight;
		}
	}
	return NULL;
}

static bool is_skipped(u64 index)
{
	for (const char *s = options.skip; s && *s; s++) {
		char *end;
		u64 from = strtoull(s, &end, 10), to = from;

		if (*end == '-')
			to = strtoull(end + 1, &end, 10);
		if (index >= from && index <= to)
			return true;
		if (!*end)
			break;
		s = end;
	}
	return false;
}

/* Is its name in the list of those that are left out? */
bool is_without(const char *name)
{
	size_t n = strlen(name);

	for (const char *s = options.without; s; s = strchr(s, ',')) {
		s += *s == ',';
		if (!strncmp(s, name, n) && (!s[n] || s[n] == ','))
			return true;
	}
	return false;
}

static void report(const char *name)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s%lu %016lx\n", name, board->index, board->hash);

	write_all(text, (size_t)n);
}

void step(void)
{
	u64 index = board->index++;
	struct rng r = rng_of(options.seed, index);
	const struct operation *o = operation_pick(&r);

	if (!is_skipped(index) && !is_without(o->name)) {
		traced = index >= options.trace_from && index < options.trace_to;
		if (index == options.maps_at)
			maps_print(false);
		say("%lu %.*s%s", index, (int)depth, "++++++++", o->name);
		o->run(&r);
		traced = index >= options.trace_from && index < options.trace_to;
		if (index % MAPS_EVERY == 0 && !options.no_maps)
			maps_fold();
		if (traced)
			say(" [%016lx %08x %08x]\n", board->hash,
			    options.no_maps ? 0 : (u32)maps_hash(),
			    options.residency && !depth ? (u32)residency_hash() : 0);
		say_now();
		if (index == options.maps_at) {
			write_all("then\n", 5);
			maps_print(true);
			files_print();
		}
	}
	if (board->index % options.interval == 0)
		report("");
}

/* --- options --- */

static void options_read(int argc, char **argv)
{
	const char *tmp = getenv("GUEST_TEST_TMP");

	if (tmp)
		options.directory = tmp;
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		const char *value = i + 1 < argc ? argv[++i] : "";

		if (!strcmp(name, "--seed"))
			options.seed = strtoull(value, NULL, 0);
		else if (!strcmp(name, "--count"))
			options.count = strtoull(value, NULL, 0);
		else if (!strcmp(name, "--interval"))
			options.interval = strtoull(value, NULL, 0);
		else if (!strcmp(name, "--skip"))
			options.skip = value;
		else if (!strcmp(name, "--maps-at"))
			options.maps_at = strtoull(value, NULL, 0);
		else if (!strcmp(name, "--without"))
			options.without = value;
		else if (!strcmp(name, "--no-maps"))
			options.no_maps = strtoul(value, NULL, 0);
		else if (!strcmp(name, "--residency"))
			options.residency = strtoul(value, NULL, 0);
		else if (!strcmp(name, "--trace") && i + 1 < argc) {
			options.trace_from = strtoull(value, NULL, 0);
			options.trace_to = strtoull(argv[++i], NULL, 0);
		} else {
			fprintf(stderr, "diff-stream: %s: unknown option\n", name);
			exit(2);
		}
	}
	if (!options.interval)
		options.interval = 1;
}

/* Addresses must not depend on chance: start again without randomization. */
static void layout_fix(char **argv)
{
	int persona = personality(0xffffffff);

	if (persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality((unsigned long)persona | ADDR_NO_RANDOMIZE) < 0)
		fail("personality");
	execv("/proc/self/exe", argv);
	fail("execv");
}

/*
 * All processes on one processor: Linux gathers the pages that a processor brings in, and those that
 * another one has not handed on yet are passed over by MADV_PAGEOUT.
 */
static void processor_fix(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		fail("sched_setaffinity");
}

int main(int argc, char **argv)
{
	layout_fix(argv);
	processor_fix();
	options_read(argc, argv);
	board = mmap((void *)BOARD_ADDRESS, PAGE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (board == MAP_FAILED)
		fail("board");
	access_init();
	files_init();
	shm_init();
	arenas_init();
	while (board->index < options.count)
		step();
	family_end();
	if (!options.no_maps)
		maps_fold();
	memory_fold(true, true);
	files_fold();
	report("end ");
	return 0;
}
