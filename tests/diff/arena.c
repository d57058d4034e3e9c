/*
 * arena.c - where it happens.
 *
 * All of the address space is covered by PROT_NONE areas but for a few arenas, so that the kernel's
 * choice of an address has the same room on every system, and never lands elsewhere. The covers'
 * neighbours are single pages of shared memory, which nothing in an arena can merge with.
 */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_START 0x10000ul /* vm.mmap_min_addr: at most this, but less on some systems */
#define USER_LAST 0x7ffffffff000ul
#define HEAP_PAGES 48ul

struct arena arenas[ARENAS] = {
	/* Across a boundary of every table level. */
	[ARENA_MAIN] = { "main", 0x3f8000000000 - 96 * PAGE, 0x3f8000000000 + 128 * PAGE, false },
	[ARENA_LOW] = { "low", 0x50000000, 0x50000000 + 32 * PAGE, false }, /* for MAP_32BIT */
	[ARENA_HEAP] = { "heap", 0, 0, false },
	[ARENA_HUGE] = { "huge", 0x3f9000000000, 0x3f9000000000 + 4 * HUGE_PAGE, true },
};

u64 brk_start;

/* --- /proc/self/maps --- */

static char maps_text[1 << 20]; /* outside the arenas, as all that this program has */

struct map_line {
	u64 start, end;
	const char *rest; /* from the permissions to the end of the line */
	size_t rest_length;
};

static size_t maps_read(void)
{
	size_t n = 0;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY);

	if (fd < 0)
		fail("/proc/self/maps");
	while ((got = read(fd, maps_text + n, sizeof(maps_text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	maps_text[n] = 0;
	return n;
}

/* The line at *at, which moves to the next; false at the end. */
static bool maps_next(const char **at, struct map_line *l)
{
	char *end;
	const char *line_end = strchr(*at, '\n');

	if (!line_end)
		return false;
	l->start = strtoull(*at, &end, 16);
	l->end = strtoull(end + 1, &end, 16);
	l->rest = end + 1;
	l->rest_length = (size_t)(line_end - l->rest);
	*at = line_end + 1;
	return true;
}

/* The arena that the area reaches into. Only the heap's first area begins before its arena. */
static struct arena *arena_of(const struct map_line *l)
{
	for (size_t i = 0; i < ARENAS; i++)
		if (l->end > arenas[i].start && l->start < arenas[i].end)
			return &arenas[i];
	return NULL;
}

/*
 * Permissions, offset and the last part of the name. Device and inode numbers are the system's own,
 * as is the directory of the files; the name of the heap depends on where the C library's own
 * variables end.
 */
static size_t line_normal(const struct map_line *l, char *out, size_t size)
{
	char flags[8] = "", offset[24] = "";
	const char *name = memchr(l->rest, '/', l->rest_length);

	if (!name)
		name = memchr(l->rest, '[', l->rest_length);
	sscanf(l->rest, "%7s %23s", flags, offset);
	if (name) {
		const char *end = l->rest + l->rest_length;
		for (const char *p = name; p < end; p++)
			if (*p == '/')
				name = p + 1;
		return (size_t)snprintf(out, size, "%lx-%lx %s %s %.*s", l->start, l->end, flags,
					offset, (int)(end - name), name);
	}
	return (size_t)snprintf(out, size, "%lx-%lx %s %s", l->start, l->end, flags, offset);
}

bool range_shows_file(u64 addr, u64 n, int fd, u64 offset, u64 length)
{
	char link[64], name[512];
	struct map_line l;
	const char *at = maps_text;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t name_length = readlink(link, name, sizeof(name));
	if (name_length < 0)
		fail(link);
	maps_read();
	while (maps_next(&at, &l)) {
		const char *of = memchr(l.rest, '/', l.rest_length);
		u64 shown = 0;

		if (l.end <= addr || l.start >= addr + n || !of ||
		    l.rest + l.rest_length != of + name_length ||
		    memcmp(of, name, (size_t)name_length))
			continue;
		sscanf(l.rest, "%*s %lx", &shown);
		u64 from = (addr > l.start ? addr / PAGE * PAGE : l.start) - l.start + shown;
		u64 to = (addr + n < l.end ? addr + n : l.end) - l.start + shown;
		if (from < offset + length && offset / PAGE * PAGE < to + PAGE)
			return true;
	}
	return false;
}

static u64 area_hash(u64 h, const struct map_line *l, const struct arena *a, bool directly);

/* What mincore says of the part of an area that is in its arena: how many pages. */
static u64 residency(const struct map_line *l, unsigned char *vector)
{
	const struct arena *a = arena_of(l);
	u64 start = l->start > a->start ? l->start : a->start;
	u64 end = l->end < a->end ? l->end : a->end;

	if (a->huge) /* see run_mincore */
		return 0;
	if (mincore((void *)start, end - start, vector))
		fail("mincore");
	return (end - start) / PAGE;
}

u64 residency_hash(void)
{
	static unsigned char vector[1024];
	struct map_line l;
	const char *at = maps_text;
	u64 h = 0;

	maps_read();
	while (maps_next(&at, &l))
		if (arena_of(&l))
			h = hash_bytes(h, vector, residency(&l, vector));
	return h;
}

/* An area, which pages are resident, and a hash of its contents. */
static void line_print(const struct map_line *l, const char *text, bool contents)
{
	static unsigned char vector[1024];
	static char line[2000];
	int n = snprintf(line, sizeof(line), "    %s", text);

	if (contents) {
		u64 pages = residency(l, vector);
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %016lx ",
			      area_hash(0, l, arena_of(l), false));
		for (u64 i = 0; i < pages; i++)
			line[n++] = vector[i] ? '1' : '0';
	}
	line[n++] = '\n';
	write(1, line, (size_t)n);
}

static u64 maps_walk(bool print, bool contents)
{
	char text[400];
	struct map_line l;
	const char *at = maps_text;
	u64 h = 0;

	maps_read();
	while (maps_next(&at, &l)) {
		if (!arena_of(&l))
			continue;
		size_t n = line_normal(&l, text, sizeof(text) - 1);
		h = hash_bytes(h, text, n);
		if (print)
			line_print(&l, text, contents);
	}
	return h;
}

u64 maps_hash(void)
{
	return maps_walk(false, false);
}

void maps_fold(void)
{
	fold(maps_walk(false, false));
}

void maps_print(bool contents)
{
	maps_walk(true, contents);
}

/* --- covering --- */

static void cover(u64 start, u64 end)
{
	if (start >= end)
		return;
	if (mmap((void *)start, end - start, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) != (void *)start)
		fail("cover");
}

/* Below USER_START, where that is allowed. */
static void cover_low(void)
{
	for (u64 page = PAGE; page < USER_START; page += PAGE)
		mmap((void *)page, PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

static void fence(u64 page)
{
	if (mmap((void *)page, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		 -1, 0) != (void *)page)
		fail("fence");
}

/* [start, end) is free: cover it but for the arenas. */
static void cover_around_arenas(u64 start, u64 end)
{
	for (;;) {
		struct arena *first = NULL;

		for (size_t i = 0; i < ARENAS; i++)
			if (arenas[i].end > start && arenas[i].start < end &&
			    (!first || arenas[i].start < first->start))
				first = &arenas[i];
		if (!first)
			break;
		cover(start, first->start);
		start = first->end;
	}
	cover(start, end);
}

void arenas_init(void)
{
	struct map_line l;
	const char *at = maps_text;
	u64 free_from = USER_START;
	volatile char stack[256 << 10]; /* as deep as it will ever be: below it all is covered */

	stack[0] = stack[sizeof(stack) - 1] = 0;
	brk_start = (u64)sbrk(0);
	arenas[ARENA_HEAP].start = (brk_start + PAGE - 1) & -PAGE;
	arenas[ARENA_HEAP].end = arenas[ARENA_HEAP].start + HEAP_PAGES * PAGE;
	for (size_t i = 0; i < ARENAS; i++) {
		if (i != ARENA_HEAP) /* below is the heap itself */
			fence(arenas[i].start - PAGE);
		fence(arenas[i].end);
	}
	maps_read();
	while (maps_next(&at, &l)) {
		if (l.start >= USER_LAST)
			break;
		cover_around_arenas(free_from, l.start);
		free_from = l.end;
	}
	cover_around_arenas(free_from, USER_LAST);
	cover_low();
}

/* --- contents --- */

#define SAMPLE_STRIDE 512ul

/* Loads of one page, for access_quiet: all of it, or samples. */
static u64 page_hash;

static void hash_page(u64 addr, u64 stride, u64 unused)
{
	u64 h = 0;

	for (u64 i = 0; i < PAGE; i += stride)
		h = (h ^ *(volatile u64 *)(addr + i)) * 0x9fb21c651e98df25ull, h ^= h >> 32;
	page_hash = h;
}

static u64 page_look(u64 addr, bool directly, u64 stride)
{
	static u64 buffer[PAGE / 8];

	if (!directly) {
		struct iovec here = { buffer, PAGE }, there = { (void *)addr, PAGE };
		if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != (ssize_t)PAGE)
			return 1;
		addr = (u64)buffer;
	}
	return access_quiet(hash_page, addr, stride, 0) ? page_hash : 1;
}

static u64 area_hash(u64 h, const struct map_line *l, const struct arena *a, bool directly)
{
	for (u64 page = l->start > a->start ? l->start : a->start; page < l->end; page += PAGE) {
		u64 one = page_look(page, directly, a->huge ? SAMPLE_STRIDE : 8);
		h = hash_bytes(h, &page, 8);
		h = hash_bytes(h, &one, 8);
	}
	return h;
}

void memory_fold(bool directly, bool huge)
{
	struct map_line l;
	const char *at = maps_text;
	u64 h = 0;

	maps_read();
	while (maps_next(&at, &l)) {
		struct arena *a = arena_of(&l);

		if (a && (huge || !a->huge) && l.rest[0] == 'r')
			h = area_hash(h, &l, a, directly);
	}
	fold(h);
}

/* --- picking --- */

static struct arena *arena_pick(struct rng *r)
{
	u64 n = rng_below(r, 100);

	return &arenas[n < 76 ? ARENA_MAIN : n < 82 ? ARENA_LOW : n < 90 ? ARENA_HEAP : ARENA_HUGE];
}

static u64 length_pick(struct rng *r, u64 most)
{
	u64 n = rng_below(r, 10);

	n = n < 5 ? 1 + rng_below(r, 4) : n < 9 ? 1 + rng_below(r, 16) : 1 + rng_below(r, 64);
	return n < most ? n : most;
}

struct range range_pick(struct rng *r)
{
	struct range g = { .arena = arena_pick(r) };
	u64 unit = g.arena->huge && rng_chance(r, 2) ? HUGE_PAGE : PAGE;
	u64 units = (g.arena->end - g.arena->start) / unit;
	u64 first = rng_below(r, units);

	g.addr = g.arena->start + first * unit;
	g.length = unit *
		   (unit == PAGE ? length_pick(r, units - first) : 1 + rng_below(r, units - first));
	return g;
}

u64 address_pick(struct rng *r)
{
	struct arena *a = arena_pick(r);
	u64 page = a->start + rng_below(r, (a->end - a->start) / PAGE) * PAGE;

	if (a->huge) /* where memory_fold looks */
		return page + rng_below(r, PAGE / SAMPLE_STRIDE) * SAMPLE_STRIDE;
	if (rng_chance(r, 4)) /* near the edges of pages */
		return page + (rng_chance(r, 2) ? rng_below(r, 8) : PAGE - 1 - rng_below(r, 8));
	return page + rng_below(r, PAGE);
}

const char *place(u64 addr)
{
	static char text[4][40];
	static unsigned next;
	char *out = text[next++ % 4];

	for (size_t i = 0; i < ARENAS; i++) {
		struct arena *a = &arenas[i];

		if (addr < a->start - PAGE || addr > a->end)
			continue;
		if (addr % PAGE)
			sprintf(out, "%s+%ld+0x%lx", a->name, (s64)(addr - a->start) >> 12,
				addr % PAGE);
		else
			sprintf(out, "%s+%ld", a->name, (s64)(addr - a->start) >> 12);
		return out;
	}
	sprintf(out, "0x%lx", addr);
	return out;
}
