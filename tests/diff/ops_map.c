/*
 * ops_map.c - mmap, munmap, mprotect, mremap, brk, mlock, and what asks about them.
 */
#include "diff.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_PAGES 24ul

#ifndef MAP_DROPPABLE /* Linux 6.11 */
#define MAP_DROPPABLE 8
#endif
#ifndef SYS_mseal /* Linux 6.10 */
#define SYS_mseal 462
#endif

/* PROT_EXEC alone is left out: on processors with protection keys Linux makes it execute-only. */
static int prot_pick(struct rng *r)
{
	static const int prots[] = { PROT_NONE,
				     PROT_READ,
				     PROT_READ,
				     PROT_WRITE,
				     PROT_READ | PROT_EXEC,
				     PROT_READ | PROT_WRITE | PROT_EXEC };

	return rng_chance(r, 2) ? PROT_READ | PROT_WRITE : prots[rng_below(r, ARRAY_SIZE(prots))];
}

/* Mostly whole pages; sometimes a length that is rounded up. */
static u64 length_ragged(struct rng *r, u64 length)
{
	return rng_chance(r, 8) ? length - rng_below(r, PAGE) : length;
}

static int modifiers_pick(struct rng *r)
{
	static const int modifiers[] = { MAP_NORESERVE,
					 MAP_POPULATE,
					 MAP_LOCKED,
					 MAP_STACK,
					 MAP_NORESERVE | MAP_POPULATE,
					 MAP_POPULATE | MAP_NONBLOCK };

	return rng_chance(r, 6) ? modifiers[rng_below(r, ARRAY_SIZE(modifiers))] : 0;
}

static void map(u64 addr, u64 length, int prot, int flags, int fd, u64 offset)
{
	say(" %s %lu%s%.0lx prot %x flags %x %s:%lu", place(addr), length / PAGE,
	    length % PAGE ? "+" : "", length % PAGE, prot, flags, file_label(fd), offset / PAGE);
	result((s64)mmap((void *)addr, length, prot, flags, fd, (off_t)offset));
}

static void run_map_fixed(struct rng *r)
{
	struct range g = range_pick(r);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | modifiers_pick(r);

	map(g.addr, length_ragged(r, g.length), prot_pick(r), flags, -1, 0);
}

static void run_map_shared(struct rng *r)
{
	struct range g = range_pick(r);
	int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | modifiers_pick(r);

	map(g.addr, length_ragged(r, g.length), prot_pick(r), flags, -1, 0);
}

static void run_map_file(struct rng *r)
{
	static const int types[] = { MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED,
				     MAP_SHARED_VALIDATE };
	struct range g = range_pick(r);
	int flags = types[rng_below(r, ARRAY_SIZE(types))] | MAP_FIXED | modifiers_pick(r);
	u64 offset = rng_below(r, FILE_PAGES) * PAGE;
	int prot = prot_pick(r);

	map(g.addr, length_ragged(r, g.length), prot, flags, file_pick(r), offset);
}

/* Where the kernel chooses, or is given a hint. */
static void run_map_anywhere(struct rng *r)
{
	struct range g = range_pick(r);
	bool file = rng_chance(r, 4);
	int flags = rng_chance(r, 3) ? MAP_SHARED : MAP_PRIVATE;
	u64 hint = rng_chance(r, 2) ? g.addr + rng_below(r, PAGE) : 0;

	if (rng_chance(r, 6) && !is_without("32bit"))
		flags |= MAP_32BIT;
	if (!file)
		flags |= MAP_ANONYMOUS;
	flags |= modifiers_pick(r);
	int prot = prot_pick(r);
	map(hint, g.length, prot, flags, file ? file_pick(r) : -1,
	    file ? rng_below(r, FILE_PAGES) * PAGE : 0);
}

static void run_map_noreplace(struct rng *r)
{
	struct range g = range_pick(r);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
		    (rng_chance(r, 4) ? MAP_FIXED : 0);

	map(g.addr, g.length, prot_pick(r), flags, -1, 0);
}

static void run_map_growsdown(struct rng *r)
{
	struct range g = range_pick(r);

	map(g.addr, g.length, prot_pick(r), MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
	    -1, 0);
}

/*
 * Memory that the kernel may drop. It does so when it is short only, but MADV_PAGEOUT drops it at
 * once; and nothing of it is inherited.
 */
static void run_map_droppable(struct rng *r)
{
	struct range g = range_pick(r);
	int flags = MAP_DROPPABLE | (rng_chance(r, 20) ? 0 : MAP_ANONYMOUS) | MAP_FIXED |
		    modifiers_pick(r);
	int prot = prot_pick(r);

	map(g.addr, length_ragged(r, g.length), prot, flags,
	    flags & MAP_ANONYMOUS ? -1 : file_pick(r), 0);
}

/* Memory that may come in huge pages, and does where it is written to. */
static void run_map_huge(struct rng *r)
{
	struct arena *a = &arenas[ARENA_HUGE];
	u64 units = (a->end - a->start) / HUGE_PAGE, first = rng_below(r, units);
	u64 addr = a->start + first * HUGE_PAGE;
	u64 length = (1 + rng_below(r, units - first)) * HUGE_PAGE;
	u64 at = addr + rng_below(r, length / PAGE) * PAGE;

	map(addr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	result(madvise((void *)addr, length, MADV_HUGEPAGE));
	access_run(access_store, at, 8, rng_next(r));
}

static void run_map_wrong(struct rng *r)
{
	struct range g = range_pick(r);
	int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	int fd = file_pick(r);

	switch (rng_below(r, 15)) {
	case 13:
		map(g.addr, g.length, 3, fixed | MAP_HUGETLB, -1, 0);
		break;
	case 14:
		map(g.addr, g.length, 3, MAP_SHARED | MAP_FIXED | MAP_HUGETLB, fd, 0);
		break;
	case 0:
		map(g.addr + 1 + rng_below(r, PAGE - 1), g.length, 3, fixed, -1, 0);
		break;
	case 1:
		map(g.addr, 0, 3, fixed, -1, 0);
		break;
	case 2:
		map(g.addr, -PAGE, 3, fixed, -1, 0);
		break;
	case 3:
		map(g.addr, -1ul, 3, fixed, -1, 0);
		break;
	case 4:
		map(g.addr, 1ul << 47, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		break;
	case 5:
		map(g.addr, g.length, 3, MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	case 6:
		map(g.addr, g.length, 3, MAP_PRIVATE | MAP_FIXED, fd, 1 + rng_below(r, PAGE - 1));
		break;
	case 7:
		map(g.addr, g.length, 3, MAP_PRIVATE | MAP_FIXED, 9999, 0);
		break;
	case 8:
		map(g.addr, g.length, 3, MAP_SHARED | MAP_FIXED, fd, -PAGE);
		break;
	case 9:
		map(g.addr, g.length, 3, MAP_SHARED_VALIDATE | MAP_FIXED | 0x1000000, fd, 0);
		break;
	case 10:
		map(g.addr, g.length, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1,
		    0);
		break;
	case 11:
		map(g.addr, g.length, 3, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN, fd, 0);
		break;
	default:
		map(0x7ffffffff000, PAGE, 3, fixed, -1, 0);
		break;
	}
}

/* --- the rest of the family --- */

static void run_unmap(struct rng *r)
{
	struct range g = range_pick(r);
	u64 length = length_ragged(r, g.length), addr = g.addr;

	if (rng_chance(r, 20)) {
		switch (rng_below(r, 4)) {
		case 0:
			addr += 1 + rng_below(r, PAGE - 1);
			break;
		case 1:
			length = 0;
			break;
		case 2:
			length = -PAGE;
			break;
		default:
			length = -1ul;
			break;
		}
	}
	say(" %s %lx", place(addr), length);
	result(munmap((void *)addr, length));
}

static void run_clear(struct rng *r)
{
	struct arena *a = &arenas[rng_below(r, ARENAS)];

	say(" %s", a->name);
	result(munmap((void *)a->start, a->end - a->start));
}

static void run_protect(struct rng *r)
{
	struct range g = range_pick(r);
	u64 length = length_ragged(r, g.length), addr = g.addr;
	int prot = prot_pick(r);

	if (rng_chance(r, 20)) {
		switch (rng_below(r, 6)) {
		case 0:
			addr += 1 + rng_below(r, PAGE - 1);
			break;
		case 1:
			length = 0;
			break;
		case 2:
			length = -PAGE;
			break;
		case 3:
			prot |= 0x100;
			break;
		case 4:
			prot |= PROT_GROWSDOWN | PROT_GROWSUP;
			break;
		default:
			prot |= PROT_GROWSDOWN;
			break;
		}
	}
	say(" %s %lx prot %x", place(addr), length, prot);
	result(mprotect((void *)addr, length, prot));
}

static void run_remap(struct rng *r)
{
	struct range from = range_pick(r), to = range_pick(r);
	u64 old_length = from.length, addr = from.addr, new_length, target;
	int flags = MREMAP_MAYMOVE;

	/* What may be huge pages stays where nobody asks which pages are resident (run_mincore). */
	while (from.arena->huge && !to.arena->huge)
		to = range_pick(r);
	new_length = to.length;
	target = to.addr;
	switch (rng_below(r, 10)) {
	case 0:
		flags = 0;
		break;
	case 1:
	case 2:
	case 3:
		flags |= MREMAP_FIXED;
		break;
	case 4:
		flags |= MREMAP_FIXED, new_length = old_length;
		break;
	case 5:
		flags |= MREMAP_DONTUNMAP, new_length = old_length;
		break;
	case 6:
		flags |= MREMAP_DONTUNMAP | MREMAP_FIXED, new_length = old_length;
		break;
	case 7: /* grow or shrink a little, where it is if that can be */
		flags = rng_chance(r, 2) ? 0 : MREMAP_MAYMOVE;
		new_length = old_length + (rng_below(r, 5) - 2) * PAGE;
		break;
	default:
		break;
	}
	if (from.arena->huge && flags & MREMAP_MAYMOVE)
		flags |= MREMAP_FIXED;
	/* Nothing beyond the arena may be replaced. */
	if (flags & MREMAP_FIXED && new_length > to.arena->end - target)
		new_length = to.arena->end - target;
	switch (rng_below(r, 40)) {
	case 0:
		addr += 1 + rng_below(r, PAGE - 1);
		break;
	case 1:
		target += 1 + rng_below(r, PAGE - 1);
		break;
	case 2:
		new_length = 0;
		break;
	case 3:
	case 4:
	case 5:
		old_length = 0;
		break; /* a second map of shared pages */
	case 6:
		flags |= 8;
		break;
	case 7:
		flags &= ~MREMAP_MAYMOVE;
		break;
	case 8:
		new_length = 1ul << 47;
		break;
	case 9:
		new_length = -PAGE;
		break;
	default:
		break;
	}
	say(" %s %lx -> %s %lx flags %x", place(addr), old_length, place(target), new_length,
	    flags);
	result(syscall(SYS_mremap, addr, old_length, new_length, flags, target));
}

static void run_remap_file_pages(struct rng *r)
{
	struct range g = range_pick(r);
	u64 page = rng_below(r, FILE_PAGES);
	int prot = rng_chance(r, 10) ? PROT_READ : 0;

	say(" %s %lx to page %lu prot %d", place(g.addr), g.length, page, prot);
	result(syscall(SYS_remap_file_pages, g.addr, g.length, prot, page, 0));
}

static void run_brk(struct rng *r)
{
	u64 to = brk_start + rng_below(r, arenas[ARENA_HEAP].end - brk_start + 2 * PAGE);

	if (rng_chance(r, 2))
		to &= -PAGE;
	if (rng_chance(r, 10))
		to = rng_chance(r, 2) ? 0 : 0x10000;
	if (to >= 0x10000 && to < brk_start)
		to = brk_start; /* the C library's own data lie below */
	say(" %s", place(to));
	result(syscall(SYS_brk, to));
}

static void run_lock(struct rng *r)
{
	struct range g = range_pick(r);
	u64 addr = g.addr + (rng_chance(r, 4) ? rng_below(r, PAGE) : 0);
	u64 length = rng_chance(r, 30) ? -PAGE : length_ragged(r, g.length);

	if (addr + length > g.arena->end && length < 1ul << 40)
		length = g.arena->end - addr;
	say(" %s %lx", place(addr), length);
	switch (rng_below(r, 5)) {
	case 0:
		say(" mlock");
		result(mlock((void *)addr, length));
		break;
	case 1:
		say(" mlock2");
		result(syscall(SYS_mlock2, addr, length, MLOCK_ONFAULT));
		break;
	default: /* more often, or all would be locked in the end */
		say(" munlock");
		result(munlock((void *)addr, length));
		break;
	}
}

/*
 * All that there is, and what is to come: rarely, and soon taken back, as locked memory can not be
 * given up.
 */
static void run_lock_all(struct rng *r)
{
	static const int flags[] = { MCL_CURRENT,
				     MCL_CURRENT | MCL_ONFAULT,
				     MCL_FUTURE,
				     MCL_FUTURE | MCL_ONFAULT,
				     MCL_CURRENT | MCL_FUTURE,
				     MCL_ONFAULT,
				     8,
				     0 };

	if (rng_chance(r, 4)) {
		int flag = flags[rng_below(r, ARRAY_SIZE(flags))];

		say(" %x", flag);
		result(mlockall(flag));
	} else {
		result(munlockall());
	}
}

/* Sealed areas stay until the process ends: only in those that do. */
static void run_seal(struct rng *r)
{
	struct range g = range_pick(r);
	u64 addr = g.addr + (rng_chance(r, 10) ? 1 : 0);

	if (depth < 2 || g.arena->huge)
		return;
	say(" %s %lx", place(addr), g.length);
	result(syscall(SYS_mseal, addr, length_ragged(r, g.length), rng_chance(r, 20)));
}

/*
 * Not in a forked process: whether fork passes on entries for pages of zeros that were only read is
 * the kernel's choice. Not in the huge arena: whether a fault there brings one page or 512 depends on what memory is
 * free.
 */
static void run_mincore(struct rng *r)
{
	struct range g = range_pick(r);
	static u8 vector[1024];
	u64 addr = g.addr + (rng_chance(r, 30) ? 1 : 0);

	if (g.arena->huge || depth)
		return;
	say(" %s %lx", place(addr), g.length);
	if (result(mincore((void *)addr, length_ragged(r, g.length), vector)) == 0) {
		fold(hash_bytes(0, vector, g.length / PAGE));
		say(" ");
		for (u64 i = 0; i < g.length / PAGE; i++)
			say("%d", vector[i]);
	}
}

static void run_sync(struct rng *r)
{
	static const int flags[] = {
		MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_INVALIDATE, 0, MS_SYNC | MS_ASYNC, 8
	};
	struct range g = range_pick(r);
	int flag = flags[rng_below(r, ARRAY_SIZE(flags))];
	u64 addr = g.addr + (rng_chance(r, 30) ? 1 : 0);
	u64 length = rng_chance(r, 30) ? -PAGE : length_ragged(r, g.length);

	say(" %s %lx flags %x", place(addr), length, flag);
	result(msync((void *)addr, length, flag));
}

const struct operation map_operations[] = {
	{ "mmap", 80, run_map_fixed },
	{ "mmap-shared", 25, run_map_shared },
	{ "mmap-file", 70, run_map_file },
	{ "mmap-anywhere", 35, run_map_anywhere },
	{ "mmap-noreplace", 12, run_map_noreplace },
	{ "mmap-growsdown", 6, run_map_growsdown },
	{ "mmap-droppable", 6, run_map_droppable },
	{ "mmap-huge", 5, run_map_huge },
	{ "mmap-wrong", 8, run_map_wrong },
	{ "munmap", 40, run_unmap },
	{ "clear", 1, run_clear },
	{ "mprotect", 70, run_protect },
	{ "mremap", 60, run_remap },
	{ "remap_file_pages", 5, run_remap_file_pages },
	{ "brk", 15, run_brk },
	{ "lock", 16, run_lock },
	{ "lockall", 4, run_lock_all },
	{ "mseal", 3, run_seal },
	{ "mincore", 15, run_mincore },
	{ "msync", 12, run_sync },
	{ NULL, 0, NULL },
};
