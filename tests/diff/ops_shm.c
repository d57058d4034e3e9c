/*
 * ops_shm.c - a System V segment: attached where there is room or over what is there, detached by
 * its address. It is marked for removal at once, and lives as long as this program has it attached.
 */
#include "diff.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define SEGMENT_ADDRESS 0x61000000ul
#define SEGMENT_PAGES 6ul

static int segment;

void shm_init(void)
{
	segment = shmget(IPC_PRIVATE, SEGMENT_PAGES * PAGE, 0600);
	if (segment < 0 || shmat(segment, (void *)SEGMENT_ADDRESS, 0) == (void *)-1 ||
	    shmctl(segment, IPC_RMID, NULL))
		fail("shared memory");
}

static void run_attach(struct rng *r)
{
	static const int flags[] = { 0,       SHM_REMAP, SHM_REMAP, SHM_REMAP | SHM_RDONLY,
				     SHM_RND, SHM_RDONLY };
	struct range g = range_pick(r);
	int flag = flags[rng_below(r, ARRAY_SIZE(flags))];
	u64 addr = g.addr + (rng_chance(r, 8) ? rng_below(r, PAGE) : 0);

	if (rng_chance(r, 8))
		addr = 0;
	if (flag & SHM_REMAP && addr > g.arena->end - SEGMENT_PAGES * PAGE)
		addr = g.arena->end - SEGMENT_PAGES * PAGE;
	say(" %s flags %x", place(addr), flag);
	result((s64)shmat(segment, (void *)addr, flag));
}

static void run_detach(struct rng *r)
{
	u64 addr = range_pick(r).addr;

	say(" %s", place(addr));
	result(shmdt((void *)addr));
}

static void run_count(struct rng *r)
{
	struct shmid_ds ds;

	if (result(shmctl(segment, IPC_STAT, &ds)) == 0) {
		fold(ds.shm_nattch);
		say(" attached %lu", ds.shm_nattch);
	}
}

const struct operation shm_operations[] = {
	{ "shmat", 8, run_attach },
	{ "shmdt", 16, run_detach },
	{ "shmctl", 2, run_count },
	{ NULL, 0, NULL },
};
