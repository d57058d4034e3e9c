/*
 * test_races.c - several CPUs do at random what programs do, in the same spaces at once.
 *
 * Every fourth page of a range belongs to one CPU, so that all of them share every table; what a CPU did to its own pages it knows, and must find there, in the
 * space and in each fork of it. In the end nothing may be left.
 *
 *	test_races [PATTERN [SEED [SEEDS]]]
 */
#include <asm-generic/mman-common.h>
#include <stdlib.h>

#include "mm_test.h"

#define CPUS 4
#define SPACES 2
#define OWN 14                                            /* pages of each CPU in each space */
#define FILE_PAGES OWN                                    /* of each CPU's file */
#define BASE (0x40200000ull - CPUS * OWN / 2 * PAGE_SIZE) /* in two leaf tables */

static u64 first_seed = 1;
static u32 seeds = 400;

enum kind { NOTHING, ANONYMOUS, FILE_PRIVATE, FILE_SHARED };

struct own_page {
	enum kind kind;
	bool writable, written;
	u64 value; /* if written */
	u32 file_page;
};

struct cpu_state {
	u64 next; /* to be stored */
	struct mem_object *file;
	u64 file_size, file_words[FILE_PAGES];
	struct own_page pages[SPACES][OWN];
};

static struct {
	struct mm *spaces[SPACES];
	struct cpu_state cpus[CPUS];
} t;

static u64 own_va(u32 cpu, u32 page)
{
	return BASE + ((u64)page * CPUS + cpu) * PAGE_SIZE + 8 * cpu;
}

static u32 draw(u32 n)
{
	return (u32)(hosted_random() % n);
}

static u64 word_at(u64 offset)
{
	return offset | 1;
}

static const u64 *expected(const struct cpu_state *c, const struct own_page *p)
{
	static const u64 zero;

	if (p->written)
		return &p->value;
	if (p->kind == ANONYMOUS)
		return &zero;
	return p->file_page * PAGE_SIZE < c->file_size ? &c->file_words[p->file_page] : NULL;
}

/* Load or store the CPU's page in the space that is loaded, and compare. */
static void touch(struct cpu_state *c, u32 cpu, struct own_page *p, u32 page, bool write)
{
	const u64 *want = p->kind == NOTHING ? NULL : expected(c, p);
	bool ok = want && (!write || p->writable);
	struct fault_result r = { 0 };
	u64 va = own_va(cpu, page), got = 0;
	int err = write ? user_store(va, c->next, &r) : user_load(va, &got, &r);

	must(ok ? !err : err == -EFAULT, "%s at %#lx: %d, signal %d", write ? "store" : "load", va,
	     err, r.signal);
	if (!ok)
		return;
	must(write || got == *want, "load at %#lx: %#lx, expected %#lx", va, got, *want);
	if (write && p->kind == FILE_SHARED) {
		c->file_words[p->file_page] = c->next++;
	} else if (write) {
		p->written = true;
		p->value = c->next++;
	}
}

static void map_page(struct cpu_state *c, struct mm *mm, u32 cpu, u32 page, struct own_page *p)
{

	*p = (struct own_page){ .kind = 1 + draw(3),
				.writable = draw(4) != 0,
				.file_page = draw(FILE_PAGES) };
	u32 flags = AREA_READ | MAY | (p->writable ? AREA_WRITE : 0) |
		    (p->kind == FILE_SHARED ? AREA_SHARED : 0);
	map_pages(mm, ROUND_DOWN(own_va(cpu, page), PAGE_SIZE), 1, flags,
		  p->kind == ANONYMOUS ? NULL : &c->file->object,
		  p->kind == ANONYMOUS ? 0 : p->file_page * PAGE_SIZE);
}

/* Fork the space: the CPU's own pages are in the child as they are now; what others have there stands still. */
static void fork_and_look(struct cpu_state *c, u32 cpu, u32 space)
{
	struct mm *child = new_fork(t.spaces[space]);
	struct own_page pages[OWN];
	u64 other[3], again;

	memcpy(pages, c->pages[space], sizeof(pages));
	hosted_load_space(child);
	u32 neighbour = (cpu + 1) % CPUS;
	struct fault_result r;
	int errors[3];
	for (u32 i = 0; i < 3; i++) {
		/* anonymous ones: files may be written and cut meanwhile */
		const struct area *a = areas_find(child->areas, own_va(neighbour, i));

		errors[i] = -EFAULT;
		if (a && !a->object)
			errors[i] = user_load(own_va(neighbour, i), &other[i], &r);
	}
	for (u32 i = 0; i < 6; i++) {
		u32 page = draw(OWN);
		touch(c, cpu, &pages[page], page, draw(2));
	}
	for (u32 i = 0; i < 3; i++) {
		if (errors[i])
			continue;
		must(!user_load(own_va(neighbour, i), &again, &r) && again == other[i],
		     "page %u of CPU %u changed in the child", i, neighbour);
	}
	space_put(child);
	hosted_load_space(t.spaces[space]);
}

static void cut_file(struct cpu_state *c)
{
	u64 size = draw(FILE_PAGES + 1) * PAGE_SIZE;

	must(!object_truncate(&c->file->object, size), "truncate");
	if (size < c->file_size)
		memset(c->file->disk + size, 0, MEM_BYTES_MAX - size);
	for (u32 i = 0; i < FILE_PAGES; i++) {
		if (i * PAGE_SIZE < size)
			continue;
		if (size < c->file_size)
			c->file_words[i] = 0;
		for (u32 s = 0; s < SPACES; s++)
			for (u32 p = 0; p < OWN; p++)
				if (c->pages[s][p].kind == FILE_PRIVATE &&
				    c->pages[s][p].file_page == i)
					c->pages[s][p].written &= size >= c->file_size;
	}
	c->file_size = size;
}

static void remap_page(struct mm *mm, u32 cpu, struct own_page *pages, u32 from, u32 to)
{
	u64 a = ROUND_DOWN(own_va(cpu, from), PAGE_SIZE),
	    b = ROUND_DOWN(own_va(cpu, to), PAGE_SIZE);

	if (from == to || pages[from].kind == NOTHING)
		return;
	s64 r = space_remap(mm, a, PAGE_SIZE, PAGE_SIZE, REMAP_MAYMOVE | REMAP_FIXED, b);
	must(r == (s64)b, "remap: %ld", r);
	pages[to] = pages[from];
	pages[from] = (struct own_page){ 0 };
}

static void kernel_access(struct cpu_state *c, struct mm *mm, u32 cpu, struct own_page *p, u32 page)
{
	const u64 *want = p->kind == NOTHING ? NULL : expected(c, p);
	bool ok = want && (p->writable || p->kind != FILE_SHARED);
	u64 got;

	ssize n = space_read(mm, own_va(cpu, page), &got, 8, SPACE_FORCE);
	must(want ? n == 8 && got == *want : n == -EFAULT, "kernel read: %ld, %#lx", n, got);
	n = space_write(mm, own_va(cpu, page), &c->next, 8, SPACE_FORCE);
	must(ok ? n == 8 : n == -EFAULT, "kernel write: %ld", n);
	if (ok && p->kind == FILE_SHARED) {
		c->file_words[p->file_page] = c->next++;
	} else if (ok) {
		p->written = true;
		p->value = c->next++;
	}
}

static void step(struct cpu_state *c, u32 cpu)
{
	u32 space = draw(SPACES), page = draw(OWN);
	struct own_page *p = &c->pages[space][page];
	struct mm *mm = t.spaces[space];
	u64 va = ROUND_DOWN(own_va(cpu, page), PAGE_SIZE);

	hosted_load_space(mm);
	switch (draw(24)) {
	case 0:
		must(!space_unmap(mm, va, PAGE_SIZE), "munmap");
		*p = (struct own_page){ 0 };
		break;
	case 1:
	case 2:
	case 3:
		map_page(c, mm, cpu, page, p);
		break;
	case 4:
		must(space_protect(mm, va, PAGE_SIZE,
				   p->writable ? AREA_READ : AREA_READ | AREA_WRITE,
				   false) == (p->kind ? 0 : -ENOMEM),
		     "mprotect");
		p->writable = !p->writable;
		break;
	case 5:
	case 6:
		fork_and_look(c, cpu, space);
		break;
	case 7:
		must(space_advise(mm, va, PAGE_SIZE, MADV_DONTNEED) == (p->kind ? 0 : -ENOMEM),
		     "MADV_DONTNEED");
		p->written = false;
		break;
	case 8:
		remap_page(mm, cpu, c->pages[space], page, draw(OWN));
		break;
	case 9:
		kernel_access(c, mm, cpu, p, page);
		break;
	case 10:
		cut_file(c);
		break;
	case 11:
		must(!object_sync(&c->file->object, 0, UINT64_MAX), "sync");
		object_evict(draw(8));
		break;
	default:
		for (u32 i = 0; i < 4; i++, page = (page + 1) % OWN)
			touch(c, cpu, &c->pages[space][page], page, draw(2));
	}
}

static void race_cpu(u32 cpu, void *arg)
{
	struct cpu_state *c = &t.cpus[cpu];

	(void)arg;
	for (u32 i = 0; i < 120; i++)
		step(c, cpu);
}

static void start(void)
{
	memset(&t, 0, sizeof(t));
	for (u32 s = 0; s < SPACES; s++)
		t.spaces[s] = new_space();
	for (u32 cpu = 0; cpu < CPUS; cpu++) {
		struct cpu_state *c = &t.cpus[cpu];

		c->file = mem_object_file(FILE_PAGES * PAGE_SIZE, word_at);
		c->file_size = FILE_PAGES * PAGE_SIZE;
		c->next = (cpu + 1) * 0x1000000ull;
		for (u32 i = 0; i < FILE_PAGES; i++)
			c->file_words[i] = word_at(i * PAGE_SIZE + 8 * cpu);
		for (u32 s = 0; s < SPACES; s++)
			for (u32 p = 0; p < OWN; p++)
				map_page(c, t.spaces[s], cpu, p, &c->pages[s][p]);
	}
}

static void finish(void)
{
	for (u32 s = 0; s < SPACES; s++) {
		for (u32 cpu = 0; cpu < CPUS; cpu++) {
			hosted_become(cpu);
			hosted_load_space(t.spaces[s]);
			for (u32 p = 0; p < OWN; p++)
				touch(&t.cpus[cpu], cpu, &t.cpus[cpu].pages[s][p], p, false);
		}
	}
	hosted_check();
	hosted_become(0);
	for (u32 s = 0; s < SPACES; s++)
		space_put(t.spaces[s]);
	for (u32 cpu = 0; cpu < CPUS; cpu++)
		object_put(&t.cpus[cpu].file->object);
}

static void
test_cpus_that_do_everything_at_once_find_their_own_pages_as_they_left_them(void **state)
{
	(void)state;
	for (u64 seed = first_seed; seed < first_seed + seeds; seed++) {
		hosted_seed(seed);
		struct hosted_census before = hosted_census();
		start();
		hosted_run(CPUS, race_cpu, NULL);
		finish();
		census_must_equal(&before);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_cpus_that_do_everything_at_once_find_their_own_pages_as_they_left_them),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	if (argc > 2)
		first_seed = strtoull(argv[2], NULL, 0);
	if (argc > 3)
		seeds = (u32)strtoul(argv[3], NULL, 0);
	return cmocka_run_group_tests(tests, machine_start, NULL);
}
