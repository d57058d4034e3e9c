/* hosted_priv.h - what the parts of the hosted machine share. */
#ifndef HOSTED_PRIV_H
#define HOSTED_PRIV_H

#include "hosted.h"
#include "lib/lock.h"
#include "lib/waitq.h"

enum thread_state { THREAD_RUNNING, THREAD_PARKING, THREAD_PARKED };

struct thread {
	struct lock_stack locks;
	u32 number;
	u32 state; /* enum thread_state. A */
};

/* A cached translation of one page, or of 2 MiB. */
struct tlb_leaf {
	bool valid, writable, executable;
	bool dirty;    /* D was set through it: writes pass without another walk */
	bool fragment; /* it is a part of a huge leaf: goes when any part is shot */
	u64 page;      /* va >> PAGE_SHIFT, or >> LEVEL_SHIFT(2) */
	u64 frame;
};

/* A cached pointer to a table, with the AND of the permissions above it. */
struct tlb_table {
	bool valid, writable, executable;
	u64 tag; /* va >> LEVEL_SHIFT(level + 1) */
	u64 frame;
};

#define TLB_LEAVES 64u
#define TLB_HUGE 4u
#define TLB_TABLES 8u

enum shoot_kind { SHOOT_PAGE, SHOOT_ALL, SHOOT_MACHINE, SHOOT_LEAVE };

struct shoot_request {
	struct mm *mm;
	enum shoot_kind kind;
	u64 va;
	u32 waiting; /* A: CPUs that have not served it */
};

struct fake_cpu {
	u32 number;
	struct lock_stack locks;
	struct thread thread;
	struct shoot_request
		*mailbox[HOSTED_CPUS]; /* A: by sender: each waits for one request at a time */
	u32 mail;                      /* A: requests in it */

	struct mm *space; /* loaded, lazily or not; NULL: the kernel's own root */
	u64 root;         /* its frame */
	struct tlb_leaf leaves[TLB_LEAVES], huge[TLB_HUGE];
	struct tlb_table tables[LEVELS][TLB_TABLES]; /* by level of the table pointed to: 1-3 */

	/* the coroutine */
	bool running; /* has a program that has not returned */
	u32 weight;   /* how likely it is chosen */
	char *stack;
	void *stack_pointer;
	void *fake_stack; /* AddressSanitizer's */
};

extern struct fake_cpu hosted_cpus[HOSTED_CPUS];
extern HOSTED_PER_CPU struct fake_cpu *hosted_cpu; /* the current one */

/* mmu.c */
void mmu_serve_mailbox(struct fake_cpu *c);
void mmu_apply(struct fake_cpu *c, struct shoot_request *r);
void mmu_speculate(void);
void mmu_reset(void);

/* host.c */
extern u64 hosted_current_seed;

/* the generator of the current CPU, begun with the machine's seed and its number */
void hosted_random_start(u32 cpu);

/* cpu.c, or threads.c */
void hosted_cpus_reset(void);

#endif
