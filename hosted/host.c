/*
 * host.c - the hosted machine's memory, its log and panic, the random generator, and the census
 * that finds leaks.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "hosted_priv.h"
#include "lib/print.h"
#include "mm/huge.h"
#include "mm/slab.h"

char *hosted_arena;
u64 hosted_current_seed;

struct fake_cpu hosted_cpus[HOSTED_CPUS];

static HOSTED_PER_CPU u64 random_state;

/* One for all fake CPUs: a test fails the allocations of all. */
struct shortage *shortage_current(void)
{
	static HOSTED_PER_CPU struct shortage shortage;

	return &shortage;
}

/* Nobody else runs out of memory, so nobody can be killed for it. */
bool shortage_wait(void)
{
	return false;
}

/* --- what lib/ asks of its host --- */

u32 cpu_number(void)
{
	return hosted_cpu->number;
}

struct lock_stack *lock_stack_cpu(void)
{
	return &hosted_cpu->locks;
}

struct lock_stack *lock_stack_thread(void)
{
	return &hosted_cpu->thread.locks;
}

struct thread *thread_current(void)
{
	return &hosted_cpu->thread;
}

bool thread_killed(void)
{
	return false;
}

bool thread_interrupted(void)
{
	return false;
}

/* --- log and panic --- */

#define LOG_LINES 32
static char log_lines[LOG_LINES][256];
static u32 log_next;

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	format_va(log_lines[__atomic_fetch_add(&log_next, 1, __ATOMIC_RELAXED) % LOG_LINES],
		  sizeof(log_lines[0]), fmt, args);
	va_end(args);
}

void hosted_log_dump(void)
{
	for (u32 i = log_next > LOG_LINES ? log_next - LOG_LINES : 0; i < log_next; i++)
		fprintf(stderr, "  log: %s\n", log_lines[i % LOG_LINES]);
}

void panic(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	format_va(text, sizeof(text), fmt, args);
	va_end(args);
	hosted_log_dump();
	fprintf(stderr, "panic (seed %llu, CPU %u): %s\n", (unsigned long long)hosted_current_seed,
		hosted_cpu ? hosted_cpu->number : 0, text);
	fflush(NULL);
	abort();
}

/* --- random numbers: xorshift64* --- */

u64 hosted_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dull) >> 11;
}

void hosted_random_start(u32 cpu)
{
	random_state = (hosted_current_seed + 1 + ((u64)cpu << 32)) * 0x9e3779b97f4a7c15ull;
	if (!random_state)
		random_state = 1;
	for (u32 i = 0; i < 8; i++)
		(void)hosted_random();
}

void hosted_seed(u64 seed)
{
	hosted_current_seed = seed;
	hosted_random_start(0);
	mmu_reset();
	hosted_cpus_reset();
}

/* --- start --- */

/* The kernel half of every root points here: nobody may count it or make it read-only. */
static struct page *kernel_half;
#define KERNEL_SLOT_FIRST 256u

void hosted_start(u32 memory_mib)
{
	u64 bytes = (u64)memory_mib << 20;
	struct memory_range usable[] = { { 0x1000, bytes / 2 - 0x3000 },
					 { bytes / 2 + 0x5000, bytes } };
	struct memory_range reserved[] = { { 0x100000, 0x180000 } };

	hosted_arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hosted_arena == MAP_FAILED)
		panic("no memory for the arena");
	hosted_seed(0);
	frame_init(usable, ARRAY_SIZE(usable), reserved, ARRAY_SIZE(reserved));
	mm_init();
	kernel_half = frame_alloc(PAGE_KERNEL);
}

void machine_root_init(struct page *root)
{
	for (u32 i = KERNEL_SLOT_FIRST; i < PTES_PER_TABLE; i++)
		table_slots(root)[i] = pte_table(kernel_half, true);
}

void machine_root_clear(struct page *root)
{
	for (u32 i = KERNEL_SLOT_FIRST; i < PTES_PER_TABLE; i++)
		table_slots(root)[i] = pte_empty();
}

bool hosted_kernel_half_intact(struct mm *mm)
{
	for (u32 i = KERNEL_SLOT_FIRST; i < PTES_PER_TABLE; i++)
		if ((table_slots(mm->root)[i].v & ~PTE_A) !=
		    (pte_table(kernel_half, true).v & ~PTE_A))
			return false;
	return page_count(kernel_half) == 1;
}

/* --- looking --- */

struct page *hosted_peek(struct mm *mm, u64 va, struct pte *e)
{
	struct page *t = mm->root;

	for (;;) {
		*e = pte_load_raw(slot_of(t, va));
		if (!pte_is_resident(*e))
			return NULL;
		if (t->level == 1 || (t->level == 2 && pte_is_huge(*e)))
			return leaf_page(t, *e, va);
		t = pte_page(*e);
	}
}

struct slab_sum {
	u64 frames, objects;
};

static void slab_sum(const struct slab_cache *c, void *arg)
{
	struct slab_sum *s = arg;

	s->frames += c->slabs;
	s->objects += slab_objects(c);
}

struct hosted_census hosted_census(void)
{
	const struct mm_counters c = mm_counters_sum();
	struct slab_sum slabs = { 0 };

	slab_for_each(slab_sum, &slabs);
	return (struct hosted_census){
		.frames = frame_free_count() + slabs.frames,
		.tables = c.tables,
		.anon = c.anon_pages,
		.huge = c.huge_nodes,
		.spaces = c.spaces,
		.areas = area_live_count(),
		.area_nodes = area_node_live_count(),
		.cache_frames = object_cache_frames(),
		.kernel_objects = slabs.objects,
	};
}

const char *hosted_census_difference(const struct hosted_census *a, const struct hosted_census *b)
{
	static char text[128];
	const struct {
		const char *name;
		u64 before, after;
	} rows[] = {
		{ "spaces", a->spaces, b->spaces },
		{ "areas", a->areas, b->areas },
		{ "area nodes", a->area_nodes, b->area_nodes },
		{ "tables", a->tables, b->tables },
		{ "anonymous pages", a->anon, b->anon },
		{ "huge nodes", a->huge, b->huge },
		{ "cache frames", a->cache_frames, b->cache_frames },
		{ "kernel objects", a->kernel_objects, b->kernel_objects },
		{ "free frames", a->frames, b->frames },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].before != rows[i].after) {
			snprintf(text, sizeof(text), "%s: %llu before, %llu after", rows[i].name,
				 (unsigned long long)rows[i].before,
				 (unsigned long long)rows[i].after);
			return text;
		}
	}
	return NULL;
}

void hosted_check(void)
{
	char text[256];

	if (mm_check(text, sizeof(text)))
		panic("%s", text);
}
