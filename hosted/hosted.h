/*
 * hosted.h - the machine on which kernel/mm runs as a Linux program: what tests ask of it.
 *
 * cpu.c has the fake CPUs and the order in which they run (coroutines, switched at points that a
 * seed chooses); mmu.c their translation caches, which keep everything until a shootdown takes it
 * away, and fill themselves speculatively. So a forgotten flush, a frame freed too early or an
 * ownership judged outside its lock shows up as a wrong value or a panic, and the seed shows it
 * again.
 */
#ifndef HOSTED_H
#define HOSTED_H

#include "mm/space.h"

#define HOSTED_CPUS 8

/* Start the machine (once in a process) with that much memory. The caller is fake CPU 0. */
void hosted_start(u32 memory_mib);
/*
 * Begin anew with a seed: caches empty, no space loaded anywhere. Chooses how often CPUs switch and
 * the MMU speculates.
 */
void hosted_seed(u64 seed);
u64 hosted_random(void); /* of the machine's generator */

/*
 * Run fn(0..cpus-1) each on its own fake CPU until all have returned. The caller waits meanwhile.
 */
void hosted_run(u32 cpus, void (*fn)(u32 cpu, void *arg), void *arg);
/* Outside of hosted_run: the caller is this fake CPU from now on. */
void hosted_become(u32 cpu);
/*
 * The current program waits for something that another does, with nothing locked: interrupts are
 * served.
 */
void hosted_pause(void);

/*
 * Load the space's root on the current CPU, as a thread switch does. The CPU keeps it, lazily,
 * until another is loaded or it is retired.
 */
void hosted_load_space(struct mm *mm);

/*
 * What a user program on the current CPU does at va (8 bytes, within a page), in the space that is
 * loaded: through the translation caches, faults included. 0, or what space_fault said.
 */
int user_load(u64 va, u64 *value, struct fault_result *r);
int user_store(u64 va, u64 value, struct fault_result *r);
int user_add(u64 va, u64 n, u64 *after, struct fault_result *r); /* one locked instruction */
int user_exec(u64 va, struct fault_result *r);

/*
 * What is in the tree at va, without a fault: the leaf's frame, or NULL if there is none (hole,
 * marker). *e: the entry.
 */
struct page *hosted_peek(struct mm *mm, u64 va, struct pte *e);

/* Nobody has touched the kernel half of a root. */
bool hosted_kernel_half_intact(struct mm *mm);

/*
 * What must be the same before and after: frames that are free or in slabs, and all that is counted
 * as alive.
 */
struct hosted_census {
	u64 frames, tables, anon, huge, spaces, areas, area_nodes, cache_frames, kernel_objects;
};
struct hosted_census hosted_census(void);
/*
 * A text that names the first difference, or NULL. Of frames only those count that slabs do not
 * keep.
 */
const char *hosted_census_difference(const struct hosted_census *before,
				     const struct hosted_census *after);

/* mm_check, and panic with its text if it found anything. */
void hosted_check(void);

/* The last lines that mm logged, to stderr. */
void hosted_log_dump(void);

#endif
