/*
 * stream.c - random operations on mm and on the model side by side: the driver. ops.c has the
 * operations.
 *
 * In a stream with failures an operation is tried with its first, second, ... allocation failing
 * until it gets through; after each failure everything must be as it was.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/lock.h"
#include "mm/frame.h"
#include "stream_priv.h"

struct stream st;

/* --- help --- */

u64 draw(u64 n)
{
	st.random ^= st.random >> 12;
	st.random ^= st.random << 25;
	st.random ^= st.random >> 27;
	return ((st.random * 0x2545f4914f6cdd1dull) >> 11) % n;
}

void op_name(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(st.name, sizeof(st.name), fmt, args);
	va_end(args);
	if (st.options->verbose)
		fprintf(stderr, "%lu: CPU %u: %s\n", st.op, cpu_number(), st.name);
}

void mismatch(const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	alloc_fail_after(UINT64_MAX);
	panic("model: seed %lu, operation %lu (%s): %s", st.options->seed, st.op, st.name, line);
}

/* A space that is alive: mostly the one that this CPU used last, so that its caches are of use. */
static struct view_space *any_space(void)
{
	if (draw(4) && spaces[st.on[cpu_number()]].mm)
		return &spaces[st.on[cpu_number()]];
	for (;;) {
		struct view_space *s = &spaces[draw(SPACES)];
		if (s->mm)
			return s;
	}
}

void space_end(struct view_space *s)
{
	space_put(s->mm);
	s->mm = NULL;
	for (u32 i = 0; i < SLOTS; i++)
		view_unmap(&s->pages[i]);
}

/* --- the stream --- */

static u64 word_at(u64 offset)
{
	return offset * 0x9e3779b97f4a7c15ull ^ 0x5555;
}

static void objects_create(void)
{
	for (u32 i = 0; i < NAMED_OBJECTS; i++) {
		struct view_object *o = &objects[i];
		u64 size = (8 + draw(OBJECT_PAGES - 8)) * PAGE_SIZE;

		o->used = true;
		o->size = size;
		o->named = i < 2 ? mem_object_file(size, word_at)
				 : mem_object_memory(size, UINT64_MAX);
		for (u32 p = 0; p < OBJECT_PAGES; p++)
			for (u32 w = 0; w < WORDS; w++)
				if (i < 2 && p * PAGE_SIZE + word_offset[w] < size)
					o->words[p][w] = word_at(p * PAGE_SIZE + word_offset[w]);
	}
}

static void objects_drop(void)
{
	for (u32 i = 0; i < OBJECTS; i++) {
		if (objects[i].named)
			object_put(&objects[i].named->object);
		memset(&objects[i], 0, sizeof(objects[i]));
	}
}

static void compare(void)
{
	const char *d = view_difference_all();

	if (d)
		mismatch("%s", d);
	char text[256];
	if (mm_check(text, sizeof(text)))
		mismatch("%s", text);
}

static u32 ops_weight(void)
{
	u32 sum = 0;

	for (u32 i = 0; i < operation_count; i++)
		sum += operations[i].weight;
	return sum;
}

/*
 * One operation; with failures, again with each allocation failing until it gets through. Returns
 * the number of attempts.
 */
static u64 step(u32 weights)
{
	u32 lot = (u32)draw(weights), which = 0;
	struct view_space *s;

	while (lot >= operations[which].weight)
		lot -= operations[which++].weight;
	hosted_become((u32)draw(st.options->cpus));
	s = any_space();
	if (!st.options->fail) {
		operations[which].fn(s, draw(1u << 20));
		return 1;
	}
	u64 argument = draw(1u << 20), random = st.random;
	u32 recent[ARRAY_SIZE(st.recent)];
	memcpy(recent, st.recent, sizeof(recent));
	for (u64 n = 0;; n++) {
		st.random = random; /* the same choices again */
		memcpy(st.recent, recent, sizeof(recent));
		st.failing = true;
		alloc_fail_after(n);
		bool done = operations[which].fn(s, argument);
		alloc_fail_after(UINT64_MAX);
		st.failing = false;
		if (done)
			return n + 1;
		const char *d = view_difference_all();
		if (d)
			mismatch("after allocation %lu failed: %s", n, d);
		if (n % 8 == 0)
			compare();
		if (n > 10000)
			mismatch("never succeeds");
	}
}

u64 stream_run(const struct stream_options *o)
{
	u32 weights = ops_weight(), interval = o->fail ? 64 : 4096;
	u64 attempts = 0;

	hosted_seed(o->seed);
	st.options = o;
	st.random = o->seed * 0x9e3779b97f4a7c15ull + 12345;
	st.value = 0x1000000;
	huge_policy = HUGE_ALWAYS;
	memset(st.on, 0, sizeof(st.on));
	memset(st.recent, 0, sizeof(st.recent));
	struct hosted_census before = hosted_census();
	swap_device = swap_mem_add(SWAP_PAGES);
	objects_create();
	for (u32 i = 0; i < SPACES; i++)
		for (u32 j = 0; j < SLOTS; j++)
			spaces[i].pages[j].object = -1;
	spaces[0].mm = space_create();
	for (st.op = 0; st.op < o->ops; st.op++) {
		attempts += step(weights);
		if (st.op % interval == 0)
			compare();
	}
	compare();
	op_name("end");
	for (u32 i = 0; i < SPACES; i++)
		if (spaces[i].mm)
			space_end(&spaces[i]);
	objects_drop();
	swap_mem_remove(swap_device);
	if (mem_objects_alive)
		mismatch("%lu objects are still alive", mem_objects_alive);
	struct hosted_census after = hosted_census();
	const char *d = hosted_census_difference(&before, &after);
	if (d)
		mismatch("%s", d);
	return attempts;
}
