/*
 * ops_advise.c - madvise.
 */
#include "diff.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct advice {
	const char *name;
	int advice;
	u32 weight;
};

static const struct advice all_advice[] = {
	{ "NORMAL", MADV_NORMAL, 3 },
	{ "RANDOM", MADV_RANDOM, 2 },
	{ "SEQUENTIAL", MADV_SEQUENTIAL, 2 },
	{ "WILLNEED", MADV_WILLNEED, 2 },
	{ "DONTNEED", MADV_DONTNEED, 20 },
	{ "REMOVE", MADV_REMOVE, 8 },
	{ "DONTFORK", MADV_DONTFORK, 4 },
	{ "DOFORK", MADV_DOFORK, 6 },
	{ "WIPEONFORK", MADV_WIPEONFORK, 5 },
	{ "KEEPONFORK", MADV_KEEPONFORK, 6 },
	{ "MERGEABLE", MADV_MERGEABLE, 1 },
	{ "UNMERGEABLE", MADV_UNMERGEABLE, 2 },
	{ "HUGEPAGE", MADV_HUGEPAGE, 8 },
	{ "NOHUGEPAGE", MADV_NOHUGEPAGE, 2 },
	{ "DONTDUMP", MADV_DONTDUMP, 2 },
	{ "DODUMP", MADV_DODUMP, 4 },
	{ "COLD", MADV_COLD, 2 },
	{ "PAGEOUT", MADV_PAGEOUT, 2 },
	{ "POPULATE_READ", MADV_POPULATE_READ, 6 },
	{ "POPULATE_WRITE", MADV_POPULATE_WRITE, 6 },
	{ "DONTNEED_LOCKED", MADV_DONTNEED_LOCKED, 2 },
	{ "GUARD_INSTALL", 102, 6 }, /* Linux 6.13 */
	{ "GUARD_REMOVE", 103, 4 },
	{ "COLLAPSE", MADV_COLLAPSE, 2 },
	{ "unknown", 77, 1 },
};

static const struct advice *advice_pick(struct rng *r)
{
	u64 total = 0, at;

	for (size_t i = 0; i < ARRAY_SIZE(all_advice); i++)
		total += all_advice[i].weight;
	at = rng_below(r, total);
	for (size_t i = 0;; i++) {
		if (at < all_advice[i].weight)
			return &all_advice[i];
		at -= all_advice[i].weight;
	}
}

/*
 * MADV_PAGEOUT takes a page of zeros that a read of shared memory brought in, unless others map it.
 * Whether a process maps what it has from a fork and did not touch is the kernel's choice: Linux's
 * fork does not pass on entries for pages of files. So the pages are brought in again where there
 * are other processes, whatever the areas permit.
 */
static void advised(int advice, u64 addr, u64 length)
{
	static u8 bytes[PAGE];
	int fd;

	if (advice != MADV_PAGEOUT || !has_family() || length > 1ul << 40)
		return;
	fd = open("/proc/self/mem", O_RDONLY);
	if (fd < 0)
		fail("/proc/self/mem");
	for (u64 page = addr & -PAGE; page < addr + length; page += PAGE)
		fold((u64)pread(fd, bytes, PAGE, (off_t)page));
	close(fd);
}

static void run_advise(struct rng *r)
{
	const struct advice *a = advice_pick(r);
	struct range g = range_pick(r);
	u64 addr = g.addr, length = g.length;

	/* Whether 2 MiB can be made one page depends on the page tables that are still there. */
	if (is_without(a->name) || (a->advice == MADV_COLLAPSE && g.arena->huge))
		return;
	switch (rng_below(r, 60)) {
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
		length = -1ul;
		break;
	case 4:
	case 5:
	case 6:
		length -= rng_below(r, PAGE);
		break;
	default:
		break;
	}
	say(" %s %s %lx", a->name, place(addr), length);
	result(madvise((void *)addr, length, a->advice));
	advised(a->advice, addr, length);
}

/*
 * What a freed page holds until it is written is the kernel's choice (madvise(2)): it is written at
 * once, all of it.
 */
static void run_free(struct rng *r)
{
	struct range g = range_pick(r);
	u64 value = rng_below(r, 256);

	say(" %s %lx", place(g.addr), g.length);
	result(madvise((void *)g.addr, g.length, MADV_FREE));
	for (u64 page = g.addr; page < g.addr + g.length; page += PAGE)
		fold(access_quiet(access_fill, page, PAGE, value));
}

/* By process_madvise, on itself: several ranges in one call. */
static void run_process_advise(struct rng *r)
{
	const struct advice *a = advice_pick(r);
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct iovec parts[3];

	if (pidfd < 0)
		fail("pidfd_open");
	say(" %s", a->name);
	if (is_without(a->name) || a->advice == MADV_COLLAPSE) {
		close(pidfd);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct range g = range_pick(r);
		parts[i] = (struct iovec){ (void *)g.addr, g.length };
		say(" %s %lx", place(g.addr), g.length);
	}
	result(syscall(SYS_process_madvise, pidfd, parts, ARRAY_SIZE(parts), a->advice, 0));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		advised(a->advice, (u64)parts[i].iov_base, parts[i].iov_len);
	close(pidfd);
}

const struct operation advise_operations[] = {
	{ "madvise", 90, run_advise },
	{ "madvise-free", 8, run_free },
	{ "process_madvise", 6, run_process_advise },
	{ NULL, 0, NULL },
};
