/*
 * oom.c - out of memory: who dies, so that the rest can go on.
 *
 * Nobody waits for memory with a space, page or object lock held: the fault, or the system call, has
 * undone what it began, and comes here with nothing but perhaps file locks. It goes on when there
 * is memory again, whoever made it. One thread at a time judges (oom_lock):
 *
 *   1  there is memory now                        go on
 *   2  somebody is dying, and it gets somewhere   wait a moment
 *   3  it gets nowhere: what the dying wait for may be held by those who wait for them. Their
 *      memory is taken from under them (mm/reap.c), which needs no help of theirs
 *   4  that was not enough                        choose and kill the next
 *
 * "Gets somewhere" is fewer threads that are dying, or more free frames than ever since the last
 * kill; so the wait is bounded by progress. Reading a space of others pins it (space_pin): a use of
 * it might be the last, and would close files here. Read proc/fault.c and sys/table.c for who calls.
 */
#include "proc/oom.h"

#include <linux/oom.h>
#include <linux/signal.h>

#include "lib/print.h"
#include "mm/frame.h"
#include "mm/reap.h"
#include "mm/reclaim.h"
#include "mm/reclaim.h"
#include "mm/space.h"
#include "mm/swap.h"
#include "mm/tunable.h"
#include "proc/process_priv.h"

#define OOM_WAIT_NS 2000000ull
#define OOM_REAP_NS 100000000ull  /* without progress: take the memory of the dying */
#define OOM_NEXT_NS 1000000000ull /* without progress although it was taken: kill the next */
#define OOM_ROOM 8                /* frames: what one fault may need, and some */

static struct mutex oom_lock; /* guards stall */
static struct {
	u64 since; /* the last progress */
	u64 free;  /* most free frames seen since the last kill */
	u32 dying; /* fewest threads and processes on their way out since the last kill */
} stall;
static u64 kills; /* A */

struct oom_search {
	struct process *victim; /* counted */
	s64 points;
	u32 dying;
	bool reap; /* take what dying processes hold */
	u64 reaped;
};

enum oom_verdict { OOM_GO_ON, OOM_WAIT, OOM_HOPELESS };

void oom_init(void)
{
	mutex_init(&oom_lock, RANK_OOM);
}

u64 oom_kill_count(void)
{
	return load_relaxed(&kills);
}

u64 oom_total_pages(void)
{
	return frame_managed + swap_total_slots();
}

static struct mm *process_mm_pin(struct process *p)
{
	struct mm *mm;

	spin_lock(&p->lock);
	mm = p->mm;
	if (mm)
		space_pin(mm);
	spin_unlock(&p->lock);
	return mm;
}

/* --- choosing --- */

s64 oom_badness(struct process *p)
{
	s32 adjust = (s32)load_relaxed(&p->oom_score_adj);
	struct space_rss rss;
	struct mm *mm;
	u64 tables;

	if (p == init_process || adjust == OOM_SCORE_ADJ_MIN)
		return OOM_NEVER;
	mm = process_mm_pin(p);
	if (!mm)
		return OOM_NEVER;
	rss = space_rss(mm);
	tables = space_table_bytes(mm) / PAGE_SIZE;
	space_unpin(mm);
	return (s64)(rss.anon + rss.file + rss.shmem + rss.swap + tables) +
	       adjust * ((s64)oom_total_pages() / OOM_SCORE_ADJ_MAX);
}

static u64 exclusive_frames(struct process *p)
{
	struct mm *mm = process_mm_pin(p);
	u64 n;

	if (!mm)
		return 0;
	n = space_exclusive_frames(mm);
	space_unpin(mm);
	return n;
}

/* Will its memory come back by itself? Then it is no candidate, but waited for. */
static bool is_dying(const struct process *p)
{
	return load_relaxed(&p->state) == PROCESS_LIVE &&
	       (load_relaxed(&p->exiting) || !load_relaxed(&p->nthreads));
}

/* Unless a process that goes on shares it. */
static u64 reap_dying(struct process *p)
{
	struct mm *mm = process_mm_pin(p);
	u64 n = 0;

	if (!mm)
		return 0;
	if (!load_relaxed(&mm->doomed) && (p->oom_victim || load_acquire(&mm->users.n) == 1))
		n = space_reap(mm);
	space_unpin(mm);
	return n;
}

static int consider(struct process *p, void *arg)
{
	struct oom_search *s = arg;
	s64 points;

	if (p == init_process)
		return 0;
	if (is_dying(p)) {
		s->dying += 1 + load_relaxed(&p->nthreads);
		if (s->reap)
			s->reaped += reap_dying(p);
		return 0;
	}
	points = load_relaxed(&p->oom_origin) ? INT64_MAX : oom_badness(p);
	if (points == OOM_NEVER)
		return 0;
	if (s->victim) {
		if (points < s->points ||
		    (points == s->points && exclusive_frames(p) <= exclusive_frames(s->victim)))
			return 0;
		process_put(s->victim);
	}
	process_get(p);
	s->victim = p;
	s->points = points;
	return 0;
}

/* --- killing --- */

static u64 kib(u64 pages)
{
	return pages * PAGE_SIZE / 1024;
}

static void log_kill(struct process *p, struct mm *mm)
{
	struct space_rss rss = space_rss(mm);
	struct cred *c = process_cred_get(p);
	char name[16];

	process_name(p, name);
	log_info("Out of memory: Killed process %u (%.16s) total-vm:%lukB, anon-rss:%lukB, "
		 "file-rss:%lukB, shmem-rss:%lukB, UID:%u pgtables:%lukB oom_score_adj:%d",
		 p->pid, name, space_vm_bytes(mm) / 1024, kib(rss.anon), kib(rss.file),
		 kib(rss.shmem), c->uid, space_table_bytes(mm) / 1024,
		 (s32)load_relaxed(&p->oom_score_adj));
	cred_put(c);
}

static int kill_if_sharing(struct process *p, void *arg)
{
	struct mm *mm;

	if (p == init_process)
		return 0;
	spin_lock(&p->lock);
	mm = p->mm;
	spin_unlock(&p->lock);
	if (mm == arg) {
		store_relaxed(&p->oom_victim, true);
		signal_process(p, SIGKILL, NULL);
	}
	return 0;
}

/* The victim, and who shares its space without being a thread of it. */
static void kill_victim(struct process *p)
{
	struct mm *mm = process_mm_pin(p);
	char name[16];

	if (!mm) /* it has just left by itself */
		return;
	process_name(process_current(), name);
	log_info("%.16s invoked oom-killer: oom_score_adj=%d", name,
		 (s32)load_relaxed(&process_current()->oom_score_adj));
	log_kill(p, mm);
	atomic_add(&kills, 1);
	store_relaxed(&p->oom_victim, true);
	signal_process(p, SIGKILL, NULL);
	process_for_each(kill_if_sharing, mm);
	space_unpin(mm);
}

/* --- waiting --- */

/* Is there as much as a fault needs? It is tried, for other CPUs' frames are out of reach. */
static bool room_is_left(void)
{
	struct page *pages[OOM_ROOM];
	u32 n = 0;

	while (n < OOM_ROOM && (pages[n] = frame_alloc(PAGE_ANON)))
		n++;
	for (u32 i = 0; i < n; i++)
		frame_free(pages[i]);
	return n == OOM_ROOM;
}

static void stall_reset(void)
{
	stall.since = clock_monotonic();
	stall.free = frame_free_count();
	stall.dying = UINT32_MAX;
}

/* For how long have the dying got nowhere? ns. */
static u64 stalled_for(u32 dying)
{
	u64 free = frame_free_count();

	if (dying < stall.dying || free > stall.free) {
		stall.dying = min(stall.dying, dying);
		stall.free = max(stall.free, free);
		stall.since = clock_monotonic();
	}
	return clock_monotonic() - stall.since;
}

/* One look, and what follows from it. oom_lock held. */
static enum oom_verdict oom_judge(bool must)
{
	struct process *self = process_current();
	struct oom_search s = { 0 };
	u64 stalled;

	if (room_is_left())
		return OOM_GO_ON;
	process_for_each(consider, &s);
	stalled = s.dying ? stalled_for(s.dying) : UINT64_MAX;
	if (stalled >= OOM_REAP_NS && s.dying) {
		if (s.victim)
			process_put(s.victim);
		s = (struct oom_search){ .reap = true };
		process_for_each(consider, &s);
	}
	if (s.reaped || stalled < OOM_NEXT_NS) {
		if (s.victim)
			process_put(s.victim);
		return OOM_WAIT;
	}
	/*
	 * Who was dying when there was no room may have gone before the search, with his memory: then nobody
	 * must die for it. And somebody may have left slots of swap, or ended a swapoff.
	 */
	if (room_is_left() || memory_reclaim()) {
		if (s.victim)
			process_put(s.victim);
		return OOM_GO_ON;
	}
	if (load_relaxed(&mm_tunables.panic_on_oom))
		panic("Out of memory: panic_on_oom is enabled");
	if ((load_relaxed(&mm_tunables.oom_kill_allocating_task) &&
	     oom_badness(self) != OOM_NEVER) ||
	    (!s.victim && must)) {
		if (s.victim)
			process_put(s.victim);
		process_get(self);
		s.victim = self;
	}
	if (!s.victim)
		return OOM_HOPELESS;
	kill_victim(s.victim);
	process_put(s.victim);
	stall_reset();
	return OOM_WAIT;
}

bool oom_wait(bool must)
{
	enum oom_verdict verdict;

	if (!thread_killed() && memory_reclaim())
		return true;
	for (;;) {
		if (thread_killed())
			return false;
		mutex_lock(&oom_lock);
		verdict = oom_judge(must);
		mutex_unlock(&oom_lock);
		if (verdict != OOM_WAIT)
			return verdict == OOM_GO_ON;
		thread_prepare_park();
		thread_park_killable(clock_monotonic() + OOM_WAIT_NS);
	}
}

bool shortage_wait(void)
{
	return oom_wait(false);
}

bool oom_retry(u64 before)
{
	return shortage_current()->count != before && !thread_killed() &&
	       (memory_reclaim() || oom_wait(false));
}
