/*
 * sysv_shm_areas.c - which areas of System V shared memory become one, and how many count as attached.
 *
 * Central rule: an area that counts is never merged away, but what comes where nothing is may become part of one; each shmat is a file of its own. Everything is printed, for
 * Linux to be the judge.
 */
#include "check.h"

#include <sys/ipc.h>
#include <sys/shm.h>

enum { SPAN = 24, SIZE = 6 };

static uint8_t *base;
static int id;

/* Room of its own, and a segment that goes with its last user. */
static void room(void)
{
	uint8_t *p = mmap(NULL, (SPAN + 2) * PAGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	base = p + PAGE;
	id = shmget(IPC_PRIVATE, SIZE * PAGE, IPC_CREAT | 0600);
	CHECK(id >= 0);
}

static void attach(size_t page, int flags)
{
	CHECK(shmat(id, base + page * PAGE, SHM_REMAP | flags) == base + page * PAGE);
}

static void show(const char *what)
{
	struct shmid_ds ds;

	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	say("%s: %lu attached, %s\n", what, ds.shm_nattch, maps_shape(base, SPAN));
}

static void remap_pages(size_t page, size_t pages, size_t to)
{
	say("%s\n", remap_file_pages(base + page * PAGE, pages * PAGE, 0, to, 0) ? errno_name(errno)
										 : "done");
}

TEST(sysv, shm_pages_that_are_remapped_are_attached_as_well)
{
	room();
	attach(0, 0);
	show("as it came");
	remap_pages(2, 2, 0);
	show("another part in the middle");
	CHILD (0)
		show("in a child");
	remap_pages(2, 2,
		    2); /* as it was: it becomes part of what is below, and what is above stays */
	show("the same part again");
	remap_pages(0, 2, 0);
	show("the first pages");
	remap_pages(4, 2, 4);
	show("the last");
	CHECK_EQ(mprotect(base + 2 * PAGE, PAGE, PROT_READ), 0);
	remap_pages(1, 2, 0);
	CHECK_EQ(shmdt(base), 0);
	show("detached");
	attach(0, SHM_RDONLY);
	remap_pages(0, 1, 1);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

TEST(sysv, shm_parts_that_move_back_are_taken_in_again)
{
	room();
	attach(0, 0);
	base[3 * PAGE] = 5;
	CHECK(mremap(base + 3 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 12 * PAGE) == base + 12 * PAGE);
	show("away");
	CHECK(mremap(base + 12 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 3 * PAGE) == base + 3 * PAGE);
	show("back");
	say("%d\n", base[3 * PAGE]);
	CHECK(mremap(base + 4 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 12 * PAGE) == base + 12 * PAGE);
	CHECK_EQ(munmap(base, 4 * PAGE), 0);
	CHECK(mremap(base + 12 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		     base + 4 * PAGE) == base + 4 * PAGE);
	show("back below another");
	CHECK_EQ(munmap(base + 6 * PAGE, 6 * PAGE), 0);
	CHECK(mremap(base + 4 * PAGE, 2 * PAGE, 4 * PAGE, 0) == base + 4 * PAGE);
	show("longer where it is");
	CHECK_EQ(shmdt(base), 0);
	show("detached");
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

TEST(sysv, shm_attached_twice_is_two_files)
{
	room();
	attach(0, 0);
	attach(3, 0);
	show("one over the other's end");
	remap_pages(2, 2, 0); /* pages of both */
	remap_pages(3, 1, 3); /* what comes next in the other one */
	show("next to each other");
	remap_pages(2, 1, 5);
	show("and once more");
	CHECK(mremap(base + 8 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, base + 5 * PAGE) ==
	      base + 5 * PAGE);
	show("a page of the second where the first would have had it");
	CHECK_EQ(shmdt(base), 0);
	show("the first detached");
	CHECK_EQ(shmdt(base + 3 * PAGE), 0);
	show("the second");
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}
