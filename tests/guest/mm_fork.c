/*
 * mm_fork.c - fork: what one side does afterwards, the other does not see.
 *
 * Central rule: every test looks from both sides, since a copy-on-write that goes wrong one way only is the usual mistake. The tests of system
 * calls that write into shared memory are in mm_kernel_write.c; next: that.
 */
#include "check.h"

#include <sched.h>

/* --- isolation through generations --- */

#define GENERATIONS 20
#define KIND_PAGES 4

static uint8_t data_pages[KIND_PAGES * PAGE] __attribute__((aligned(4096))) = { 1 };
static uint8_t bss_pages[KIND_PAGES * PAGE] __attribute__((aligned(4096)));

enum { KIND_DATA, KIND_BSS, KIND_BRK, KIND_MALLOC, KIND_STACK, KIND_ANON, KIND_FILE, KINDS };
static uint8_t *kind_pages[KINDS];

static void generation_fill(uint64_t tag)
{
	for (int k = 0; k < KINDS; k++)
		fill(kind_pages[k], KIND_PAGES, tag + k * 16);
}

static bool generation_holds(uint64_t tag)
{
	for (int k = 0; k < KINDS; k++)
		if (!filled(kind_pages[k], KIND_PAGES, tag + k * 16))
			return false;
	return true;
}

static void generation(uint64_t n)
{
	struct gate parent_wrote = gate_make(), child_wrote = gate_make();
	uint64_t before = n << 16, parent = before + 0x1000, child = before + 0x2000;

	generation_fill(before);
	pid_t pid = child_fork();
	if (pid == 0) {
		gate_wait(&parent_wrote);
		CHECK(generation_holds(before));
		generation_fill(child);
		gate_open(&child_wrote);
		CHECK(generation_holds(child));
		gate_close(&parent_wrote);
		gate_close(&child_wrote);
		if (n < GENERATIONS)
			generation(n + 1);
		_exit(0);
	}
	generation_fill(parent);
	gate_open(&parent_wrote);
	gate_wait(&child_wrote);
	CHECK(generation_holds(parent));
	child_expect(pid, 0);
	CHECK(generation_holds(parent));
}

TEST(mm, fork_isolates_all_kinds_of_memory_for_20_generations)
{
	uint8_t stack[(KIND_PAGES + 1) * PAGE];
	int fd = file_make("f", KIND_PAGES * PAGE);

	kind_pages[KIND_DATA] = data_pages;
	kind_pages[KIND_BSS] = bss_pages;
	kind_pages[KIND_BRK] = sbrk(KIND_PAGES * PAGE);
	kind_pages[KIND_MALLOC] = malloc(KIND_PAGES * PAGE);
	kind_pages[KIND_STACK] = stack;
	kind_pages[KIND_ANON] = map_anon(KIND_PAGES);
	kind_pages[KIND_FILE] =
		mmap(NULL, KIND_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(kind_pages[KIND_FILE] != MAP_FAILED);
	generation(1);

	uint8_t page[PAGE];
	for (int i = 0; i < KIND_PAGES; i++) {
		CHECK_EQ(pread(fd, page, PAGE, i * PAGE), PAGE);
		CHECK(all_bytes(page, PAGE, i + 1));
	}
}

/* --- areas and pages that diverge after fork --- */

/* 16 pages: 0-5 and 8-15 written before fork, 6-7 a hole. */
#define HOLE 6
#define AFTER_HOLE 8
#define PAGES 16
#define TAG 0x7000

static uint8_t *region;

static uint8_t *page_at(int n)
{
	return region + n * PAGE;
}

static void region_make(void)
{
	region = map_anon(PAGES);
	fill(region, PAGES, TAG);
	CHECK(munmap(page_at(HOLE), 2 * PAGE) == 0);
}

static bool page_intact(int n)
{
	return filled(page_at(n), 1, TAG + n);
}

struct divergence {
	const char *name;
	void (*act)(void);       /* what one side does */
	void (*acted)(void);     /* checks that side */
	void (*untouched)(void); /* checks the other */
};

static void unmap_act(void)
{
	CHECK(munmap(page_at(2), 2 * PAGE) == 0);
}

static void unmap_acted(void)
{
	CHECK_FAULT(probe_read(page_at(2)), SIGSEGV, SEGV_MAPERR, page_at(2));
	CHECK_FAULT(probe_write(page_at(3), 1), SIGSEGV, SEGV_MAPERR, page_at(3));
}

static void pages_untouched(void)
{
	for (int i = 0; i < PAGES; i++)
		if (i != HOLE && i != HOLE + 1)
			CHECK(page_intact(i));
	CHECK_FAULT(probe_read(page_at(HOLE)), SIGSEGV, SEGV_MAPERR, page_at(HOLE));
	CHECK_FAULT(probe_write(page_at(HOLE + 1), 1), SIGSEGV, SEGV_MAPERR, page_at(HOLE + 1));
	CHECK_STR(maps_shape(region, PAGES), "rw-p*6 .*2 rw-p*8");
}

static void none_act(void)
{
	CHECK(mprotect(page_at(2), PAGE, PROT_NONE) == 0);
}

static void none_acted(void)
{
	CHECK_FAULT(probe_read(page_at(2)), SIGSEGV, SEGV_ACCERR, page_at(2));
	CHECK_STR(maps_shape(region, 6), "rw-p*2 ---p*1 rw-p*3");
}

static void read_act(void)
{
	CHECK(mprotect(page_at(9), 3 * PAGE, PROT_READ) == 0);
}

static void read_acted(void)
{
	CHECK(page_intact(10));
	CHECK_FAULT(probe_write(page_at(10), 1), SIGSEGV, SEGV_ACCERR, page_at(10));
}

static void hole_act(void)
{
	void *p = mmap(page_at(HOLE), 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p == page_at(HOLE));
	fill(p, 2, 0x99);
}

static void hole_acted(void)
{
	CHECK(filled(page_at(HOLE), 2, 0x99));
}

static void replace_act(void)
{
	CHECK(mmap(page_at(4), PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page_at(4));
}

static void replace_acted(void)
{
	CHECK(all_bytes(page_at(4), PAGE, 0));
}

static void dontneed_act(void)
{
	CHECK(madvise(page_at(8), 8 * PAGE, MADV_DONTNEED) == 0);
}

static void dontneed_acted(void)
{
	CHECK(all_bytes(page_at(8), 8 * PAGE, 0));
}

static void move_act(void)
{
	CHECK(mremap(page_at(8), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     page_at(HOLE)) == page_at(HOLE));
}

static void move_acted(void)
{
	CHECK(filled(page_at(HOLE), 2, TAG + 8));
	CHECK_FAULT(probe_read(page_at(8)), SIGSEGV, SEGV_MAPERR, page_at(8));
}

static void write_act(void)
{
	fill(page_at(0), 3, 0x55);
	fill(page_at(12), 4, 0x66);
}

static void write_acted(void)
{
	CHECK(filled(page_at(0), 3, 0x55));
	CHECK(filled(page_at(12), 4, 0x66));
}

static uint8_t *old_break;

static void break_act(void)
{
	CHECK(sbrk(4 * PAGE) == old_break);
	fill(old_break, 4, 0x77);
}

static void break_acted(void)
{
	CHECK(filled(old_break, 4, 0x77));
	CHECK(sbrk(0) == old_break + 4 * PAGE);
}

static void break_untouched(void)
{
	CHECK(sbrk(0) == old_break);
	CHECK_FAULT(probe_read(old_break + PAGE), SIGSEGV, SEGV_MAPERR, old_break + PAGE);
	pages_untouched();
}

static const struct divergence divergences[] = {
	{ "unmapped", unmap_act, unmap_acted, pages_untouched },
	{ "protected against access", none_act, none_acted, pages_untouched },
	{ "protected against writing", read_act, read_acted, pages_untouched },
	{ "mapped into a hole", hole_act, hole_acted, pages_untouched },
	{ "replaced", replace_act, replace_acted, pages_untouched },
	{ "discarded", dontneed_act, dontneed_acted, pages_untouched },
	{ "moved", move_act, move_acted, pages_untouched },
	{ "written", write_act, write_acted, pages_untouched },
	{ "heap grown", break_act, break_acted, break_untouched },
};

/* The other side looks, then writes all its pages, which the acting side must not see either. */
static void diverge_act(const struct divergence *d, struct gate *acted, struct gate *looked)
{
	d->act();
	d->acted();
	gate_open(acted);
	gate_wait(looked);
	d->acted();
}

static void diverge_look(const struct divergence *d, struct gate *acted, struct gate *looked)
{
	gate_wait(acted);
	d->untouched();
	fill(page_at(0), HOLE, 0x2222);
	fill(page_at(AFTER_HOLE), PAGES - AFTER_HOLE, 0x3333);
	gate_open(looked);
	CHECK(filled(page_at(0), HOLE, 0x2222));
	CHECK(filled(page_at(AFTER_HOLE), PAGES - AFTER_HOLE, 0x3333));
}

static void diverge(bool child_acts)
{
	for (size_t i = 0; i < COUNT_OF(divergences); i++) {
		const struct divergence *d = &divergences[i];

		/* A process of its own for each case: the break must not have moved. */
		CHILD (0) {
			struct gate acted = gate_make(), looked = gate_make();

			region_make();
			free(malloc(
				100000)); /* /proc is read with stdio, whose buffer may move the break */
			maps_shape(region, 1);
			old_break = sbrk(0);
			pid_t pid = child_fork();
			if ((pid == 0) == child_acts)
				diverge_act(d, &acted, &looked);
			else
				diverge_look(d, &acted, &looked);
			if (pid == 0)
				_exit(0);
			child_expect(pid, 0);
		}
		say("%s: ok\n", d->name);
	}
}

TEST(mm, what_the_child_changes_the_parent_does_not_see)
{
	diverge(true);
}

TEST(mm, what_the_parent_changes_the_child_does_not_see)
{
	diverge(false);
}

/* --- shared memory stays shared --- */

static uint8_t *map_shared(size_t pages)
{
	void *p =
		mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

TEST(mm, shared_memory_stays_shared_after_fork)
{
	uint8_t *shared = map_shared(8);
	struct gate to_child = gate_make(), to_parent = gate_make();

	fill(shared, 4, 0x100); /* pages 4-7 are first touched after fork */
	pid_t pid = child_fork();
	if (pid == 0) {
		CHECK(filled(shared, 4, 0x100));
		fill(shared, 2, 0x200);
		fill(shared + 4 * PAGE, 2, 0x300);
		gate_open(&to_parent);
		gate_wait(&to_child);
		CHECK(filled(shared + 2 * PAGE, 2, 0x400));
		CHECK(filled(shared + 6 * PAGE, 2, 0x500));
		_exit(0);
	}
	gate_wait(&to_parent);
	CHECK(filled(shared, 2, 0x200));
	CHECK(filled(shared + 4 * PAGE, 2, 0x300));
	fill(shared + 2 * PAGE, 2, 0x400);
	fill(shared + 6 * PAGE, 2, 0x500);
	gate_open(&to_child);
	child_expect(pid, 0);
}

TEST(mm, shared_memory_between_private_pages_stays_shared)
{
	/* All in the reach of one page table, private pages on both sides. */
	uint8_t *base = map_anon(12), *shared = base + 4 * PAGE;

	CHECK(mmap(shared, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == shared);
	fill(base, 12, 0x10);
	for (int round = 0; round < 4; round++) {
		CHILD (0) {
			fill(base, 4, 0x1000 + round);
			fill(shared, 4, 0x2000 + round);
			fill(base + 8 * PAGE, 4, 0x3000 + round);
		}
		CHECK(filled(base, 4, 0x10));
		CHECK(filled(shared, 4, 0x2000 + round));
		CHECK(filled(base + 8 * PAGE, 4, 0x10 + 8));
	}
}

TEST(mm, shared_memory_reaches_through_generations)
{
	volatile uint64_t *count = (uint64_t *)map_shared(1);

	for (int i = 0; i < 3; i++)
		CHILD (0)
			for (int j = 0; j < 3; j++)
				CHILD (0)
					for (int k = 0; k < 3; k++)
						CHILD (0)
							++*count;
	CHECK_EQ(*count, 27);
}

TEST(mm, atomic_increments_of_shared_memory_are_not_lost)
{
	uint64_t *count = (uint64_t *)map_shared(1);
	pid_t pids[4];

	for (int i = 0; i < 4; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			for (int j = 0; j < 20000; j++)
				__atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		child_expect(pids[i], 0);
	CHECK_EQ(*count, 80000);
}

TEST(mm, read_only_shared_memory_made_writable_after_fork_is_shared)
{
	uint8_t *shared = map_shared(2);

	fill(shared, 2, 0x10);
	CHECK(mprotect(shared, 2 * PAGE, PROT_READ) == 0);
	CHILD (0) {
		CHECK_EQ(probe_write(shared, 1), SIGSEGV);
		CHECK(mprotect(shared, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
		fill(shared, 2, 0x20);
	}
	CHECK(filled(shared, 2, 0x20));
	CHECK_EQ(probe_write(shared, 1), SIGSEGV);
}

/* --- the last owner, and orders of leaving --- */

TEST(mm, the_parent_writes_after_its_child_left)
{
	uint8_t *p = map_anon(64);

	fill(p, 64, 0x10);
	for (int i = 0; i < 10; i++) {
		CHILD (0) {
			CHECK(filled(p, 64, 0x10 + i));
			fill(p, 16, 0x9000);
		}
		CHECK(filled(p, 64, 0x10 + i));
		fill(p, 64, 0x11 + i);
		CHECK(filled(p, 64, 0x11 + i));
	}
}

TEST(mm, three_sharers_stay_apart_when_the_middle_one_leaves)
{
	uint8_t *p = map_anon(16);
	struct gate middle = gate_make(), last = gate_make();

	fill(p, 16, 0x10);
	pid_t x = child_fork();
	if (x == 0) { /* writes early, looks late */
		fill(p, 8, 0x20);
		gate_wait(&last);
		CHECK(filled(p, 8, 0x20));
		CHECK(filled(p + 8 * PAGE, 8, 0x10 + 8));
		_exit(0);
	}
	pid_t y = child_fork();
	if (y == 0) {
		gate_wait(&middle);
		CHECK(filled(p, 16, 0x10));
		_exit(0);
	}
	gate_open(&middle);
	child_expect(y, 0);
	fill(p, 16, 0x30);
	gate_open(&last);
	child_expect(x, 0);
	CHECK(filled(p, 16, 0x30));
}

TEST(mm, many_children_share_and_write_in_turn)
{
	uint8_t *p = map_anon(32);
	struct gate go = gate_make();
	pid_t pids[32];

	fill(p, 32, 0x10);
	for (int i = 0; i < 32; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			gate_wait(&go);
			CHECK(filled(p, 32, 0x10));
			fill(p + i * PAGE, 1, 0x5000 + i);
			for (int j = 0; j < 32; j++)
				CHECK(filled(p + j * PAGE, 1, j == i ? 0x5000 + i : 0x10 + j));
			_exit(0);
		}
	}
	for (int i = 0; i < 32; i++)
		gate_open(&go);
	for (int i = 0; i < 32; i++)
		child_expect(pids[i], 0);
	CHECK(filled(p, 32, 0x10));
}

TEST(mm, a_child_writes_one_page_of_a_large_heap)
{
	const size_t pages = (64UL << 20) / PAGE;
	uint8_t *p = map_anon(pages);

	fill(p, pages, 0x10);
	CHILD (0) {
		fill(p + 5000 * PAGE, 1, 0x99);
		CHECK(filled(p, 5000, 0x10));
		CHECK(filled(p + 5000 * PAGE, 1, 0x99));
		CHECK(filled(p + 5001 * PAGE, pages - 5001, 0x10 + 5001));
	}
	CHECK(filled(p, pages, 0x10));
}

TEST(mm, fork_with_4000_areas)
{
	enum { N = 4000 };
	uint8_t *p = map_anon(N);

	for (int i = 0; i < N; i += 2)
		CHECK(mprotect(p + i * PAGE, PAGE, PROT_READ) == 0);
	fill(p + PAGE, 1, 0x10);
	CHILD (0) {
		CHECK(munmap(p + 100 * PAGE, 2000 * PAGE) == 0);
		CHECK_EQ(probe_write(p + 2102 * PAGE, 1), SIGSEGV);
		CHECK_EQ(probe_write(p + 2101 * PAGE, 1), 0);
		CHECK_EQ(probe_read(p + 101 * PAGE), SIGSEGV);
	}
	for (int i = 0; i < N; i += 97) {
		CHECK_EQ(probe_read(p + i * PAGE), 0);
		CHECK_EQ(probe_write(p + i * PAGE, 7), i % 2 ? 0 : SIGSEGV);
	}
	CHECK(mprotect(p, N * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_EQ(probe_write(p + 2000 * PAGE, 7), 0);
}

TEST(mm, zero_pages_read_before_fork_are_private_when_written)
{
	uint8_t *p = map_anon(16);

	CHECK(all_bytes(p, 16 * PAGE, 0));
	CHILD (0) {
		fill(p, 8, 0x10);
		CHECK(filled(p, 8, 0x10));
		CHECK(all_bytes(p + 8 * PAGE, 8 * PAGE, 0));
	}
	CHECK(all_bytes(p, 16 * PAGE, 0));
	fill(p, 16, 0x20);
	CHECK(filled(p, 16, 0x20));
	uint8_t *q = map_anon(4);
	CHECK(all_bytes(q, 4 * PAGE, 0)); /* nobody wrote the zero page itself */
}

TEST(mm, pages_first_touched_after_fork_are_private)
{
	uint8_t *p = map_anon(8);
	struct gate touched = gate_make(), written = gate_make();

	pid_t pid = child_fork();
	if (pid == 0) {
		fill(p, 4, 0x10);
		gate_open(&touched);
		gate_wait(&written);
		CHECK(filled(p, 4, 0x10));
		CHECK(all_bytes(p + 4 * PAGE, 4 * PAGE, 0));
		_exit(0);
	}
	gate_wait(&touched);
	CHECK(all_bytes(p, 8 * PAGE, 0));
	fill(p, 8, 0x20);
	gate_open(&written);
	child_expect(pid, 0);
	CHECK(filled(p, 8, 0x20));
}

TEST(mm, a_64_gib_sparse_map_survives_fork)
{
	const size_t size = 64UL << 30, step = 3UL << 30;
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t at = 0; at < size; at += step)
		fill(p + at, 1, at);
	CHILD (0) {
		for (size_t at = 0; at < size; at += step) {
			CHECK(filled(p + at, 1, at));
			fill(p + at, 1, at + 5);
		}
		fill(p + size - PAGE, 1, 0x77);
		CHILD (0) {
			for (size_t at = 0; at < size; at += step)
				CHECK(filled(p + at, 1, at + 5));
			CHECK(munmap(p + (1UL << 30), 62UL << 30) == 0);
			CHECK_EQ(probe_read(p + 2 * step), SIGSEGV);
			CHECK(filled(p + size - PAGE, 1, 0x77));
		}
		for (size_t at = 0; at < size; at += step)
			CHECK(filled(p + at, 1, at + 5));
	}
	for (size_t at = 0; at < size; at += step) {
		CHECK(filled(p + at, 1, at));
		CHECK_EQ(p[at + PAGE], 0);
	}
	CHECK_EQ(p[size - 1], 0);
}

TEST(mm, vfork_shares_memory_until_exit)
{
	static volatile int value;
	volatile uint8_t *p = map_anon(1);
	pid_t pid = vfork();

	if (pid == 0) {
		value = 42;
		p[0] = 43;
		_exit(7);
	}
	CHECK_EQ(value, 42);
	CHECK_EQ(p[0], 43);
	child_expect(pid, 7);
}

static int clone_vm_child(void *argument)
{
	*(volatile int *)argument = 99;
	return 3;
}

TEST(mm, clone_with_vm_shares_memory)
{
	static uint8_t stack[4 * PAGE] __attribute__((aligned(16)));
	volatile int value = 0;
	pid_t pid =
		clone(clone_vm_child, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)&value);

	CHECK(pid > 0);
	child_expect(pid, 3);
	CHECK_EQ(value, 99);
}

TEST(mm, dontfork_areas_are_absent_in_the_child)
{
	uint8_t *p = map_anon(6);

	fill(p, 6, 0x10);
	CHECK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTFORK) == 0);
	CHILD (0) {
		CHECK(filled(p, 2, 0x10));
		CHECK_FAULT(probe_read(p + 2 * PAGE), SIGSEGV, SEGV_MAPERR, p + 2 * PAGE);
		CHECK(filled(p + 4 * PAGE, 2, 0x14));
		CHECK(mmap(p + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			   0) == p + 2 * PAGE);
		fill(p + 2 * PAGE, 2, 0x50);
	}
	CHECK(filled(p, 6, 0x10));
	CHECK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DOFORK) == 0);
	CHILD (0)
		CHECK(filled(p, 6, 0x10));
}

TEST(mm, wipeonfork_areas_are_zero_in_the_child)
{
	uint8_t *p = map_anon(6);

	fill(p, 6, 0x10);
	CHECK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_WIPEONFORK) == 0);
	CHILD (0) {
		CHECK(filled(p, 2, 0x10));
		CHECK(all_bytes(p + 2 * PAGE, 2 * PAGE, 0));
		CHECK(filled(p + 4 * PAGE, 2, 0x14));
		fill(p + 2 * PAGE, 2, 0x50);
		CHILD (0)
			CHECK(all_bytes(p + 2 * PAGE, 2 * PAGE, 0));
		CHECK(filled(p + 2 * PAGE, 2, 0x50));
	}
	CHECK(filled(p, 6, 0x10));
	CHECK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_KEEPONFORK) == 0);
	CHILD (0)
		CHECK(filled(p, 6, 0x10));
	uint8_t *shared = map_shared(1);
	CHECK_ERRNO(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL);
}

TEST(mm, protections_made_before_fork_hold_in_the_child)
{
	uint8_t *p = map_anon(4);

	fill(p, 4, 0x10);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECK(mprotect(p + 2 * PAGE, PAGE, PROT_NONE) == 0);
	CHILD (0) {
		CHECK_FAULT(probe_write(p + PAGE, 1), SIGSEGV, SEGV_ACCERR, p + PAGE);
		CHECK_FAULT(probe_read(p + 2 * PAGE), SIGSEGV, SEGV_ACCERR, p + 2 * PAGE);
		CHECK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
		CHECK(filled(p, 4, 0x10));
		fill(p, 4, 0x20);
	}
	CHECK_FAULT(probe_write(p + PAGE, 1), SIGSEGV, SEGV_ACCERR, p + PAGE);
	CHECK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(filled(p, 4, 0x10));
}
