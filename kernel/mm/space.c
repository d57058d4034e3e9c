/*
 * space.c - the life of a space: made, forked, dropped; and what is known about it without a walk.
 *
 * fork is the tree's whole point: the child's root is a copy of the parent's, with every entry
 * read-only in both; the area index gains a reference. What it costs does not depend on what is
 * mapped. Exceptions (areas that a child must not have, or must find empty) are handled in the
 * unpublished child, after the flush. Read node.c next.
 */
#include "mm/space.h"

#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/commit.h"
#include "mm/huge.h"
#include "mm/reclaim.h"
#include "mm/slab.h"

u64 mm_nonresident, space_fork_ns_last;
bool (*mm_privilege_hook)(enum mm_privilege p);

static struct slab_cache mm_cache;
static struct list spaces = LIST_INIT(spaces);
static struct spinlock spaces_lock = SPINLOCK_INIT(RANK_SPACE_LIST); /* guards the list */
static struct waitq walk_over = WAITQ_INIT(walk_over); /* a walker has left a space that goes */
static u64 next_id;

void mm_init(void)
{
	slab_init();
	slab_cache_init(&mm_cache, "mm", sizeof(struct mm));
	area_system_init();
	object_system_init();
	reclaim_init();
}

/* --- making --- */

/* A space with an empty tree, not in the list. */
static struct mm *space_alloc(void)
{
	struct mm *mm = slab_zalloc(&mm_cache);

	if (!mm)
		return NULL;
	mm->root = table_alloc(LEVEL_ROOT);
	if (!mm->root) {
		slab_free(&mm_cache, mm);
		return NULL;
	}
	ref_init(&mm->users);
	rwlock_init(&mm->rw, RANK_SPACE);
	list_init(&mm->link);
	mm->id = atomic_add_return(&next_id, 1);
	mm->limit_as = mm->limit_data = mm->limit_data_hard = UINT64_MAX;
	mm->limit_stack = mm->limit_memlock = UINT64_MAX;
	machine_space_init(mm, mm->root);
	return mm;
}

static void space_publish(struct mm *mm)
{
	spin_lock(&spaces_lock);
	list_push_back(&spaces, &mm->link);
	mm_count(spaces, 1);
	spin_unlock(&spaces_lock);
}

struct mm *space_create(void)
{
	struct mm *mm = space_alloc();

	if (mm)
		space_publish(mm);
	return mm;
}

/* Drop what a space holds. No CPU may load its root any more. */
static void space_free(struct mm *mm)
{
	machine_space_retire(mm);
	node_drop(mm->root);
	commit_uncharge(areas_summary(mm->areas)->account / PAGE_SIZE);
	areas_put(mm->areas);
	if (mm->exe_object)
		object_put(mm->exe_object);
	slab_free(&mm_cache, mm);
}

/* Take mm, which nobody uses any more, out of the list, unless somebody walks it just now. */
static bool space_unlist(struct mm *mm)
{
	bool alone;

	spin_lock(&spaces_lock);
	alone = !mm->walkers;
	if (alone) {
		list_remove(&mm->link);
		mm_count(spaces, -1);
	}
	spin_unlock(&spaces_lock);
	return alone;
}

void space_put(struct mm *mm)
{
	if (!ref_put(&mm->users))
		return;
	wait_event(&walk_over, space_unlist(mm));
	space_free(mm);
}

/* --- fork --- */

/* Make [start, end) of an unpublished child empty. */
static int child_unmap(struct mm *child, u64 start, u64 end)
{
	struct limbo limbo;
	int err;

	limbo_init(&limbo, child);
	err = node_own_edge(child, start, start, end, &limbo);
	if (!err)
		err = node_own_edge(child, end - 1, start, end, &limbo);
	if (!err)
		node_unmap(child, start, end, &limbo);
	limbo_flush(&limbo);
	return err;
}

/*
 * What the child has in place of a: mlock is not inherited; where areas are counted (AREA_SYSV), the
 * child's is another one.
 */
static struct area *child_area(const struct area *a)
{
	struct area model = area_model(a);

	model.flags &= ~AREA_LOCK_FLAGS;
	if (a->flags & AREA_WIPEONFORK) /* it has no private pages */
		model.anon = 0;
	return area_new(&model);
}

static int child_exception(struct area *a, void *arg)
{
	struct mm *child = arg;
	struct area_node *root;
	struct area *changed = NULL;
	int err = 0;

	if (a->flags & AREA_LOCKED)
		node_pin(child, a->start, a->end);
	if (a->flags & (AREA_DONTFORK | AREA_WIPEONFORK))
		err = child_unmap(child, a->start, a->end);
	if (!err && !(a->flags & AREA_DONTFORK)) {
		changed = child_area(a);
		if (!changed)
			return -ENOMEM;
	}
	if (!err)
		err = areas_set(child->areas, a->start, a->end, changed, child->id, &root);
	if (changed)
		area_put(changed);
	if (err)
		return err;
	areas_put(child->areas);
	child->areas = root;
	return 0;
}

/* The child's areas: the parent's but for the exceptions, and paid for. On failure it has none. */
static int fork_areas(struct mm *child, struct mm *parent)
{
	int err = 0;

	areas_get(parent->areas);
	child->areas = parent->areas;
	if (areas_summary(parent->areas)->flags & AREA_FORK_FLAGS)
		err = areas_for_each_flag(parent->areas, AREA_FORK_FLAGS, child_exception, child);
	if (!err)
		err = commit_charge_fork(parent, areas_summary(child->areas)->account / PAGE_SIZE);
	if (err) {
		areas_put(child->areas);
		child->areas = NULL;
	}
	return err;
}

static void fork_fields(struct mm *child, const struct mm *parent)
{
	child->mmap_base = parent->mmap_base;
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->stack_top = parent->stack_top;
	child->start_code = parent->start_code;
	child->end_code = parent->end_code;
	child->start_data = parent->start_data;
	child->end_data = parent->end_data;
	child->arg_start = parent->arg_start;
	child->arg_end = parent->arg_end;
	child->env_start = parent->env_start;
	child->env_end = parent->env_end;
	child->vdso = parent->vdso;
	child->membarriers = load_relaxed(&parent->membarriers);
	memcpy(child->auxv, parent->auxv, sizeof(child->auxv));
	child->exe_object = parent->exe_object;
	if (child->exe_object)
		object_get(child->exe_object);
	child->limit_as = parent->limit_as;
	child->limit_data = parent->limit_data;
	child->limit_data_hard = parent->limit_data_hard;
	child->limit_stack = parent->limit_stack;
	child->huge_disabled = parent->huge_disabled;
	child->limit_memlock = parent->limit_memlock;
	child->guarded = parent->guarded;
}

struct mm *space_fork(struct mm *parent)
{
	struct mm *child = space_alloc();
	int err;

	if (!child)
		return NULL;
	write_lock(&parent->rw);
	if (unlikely(parent->doomed)) {
		write_unlock(&parent->rw);
		space_free(child);
		return NULL;
	}
	fork_fields(child, parent);
	node_copy_root(parent->root, child->root);
	tlb_shoot_all(
		parent); /* before anyone may run in the child, and before the parent goes on */
	err = fork_areas(child, parent);
	/*
	 * In the list before the parent may change again: a truncation finds what they share in one
	 * or the other.
	 */
	if (!err)
		space_publish(child);
	write_unlock(&parent->rw);
	if (err) {
		space_free(child);
		return NULL;
	}
	mm_count(forks, 1);
	return child;
}

/* --- all spaces --- */

/* spaces_lock held. */
static void walk_leave(struct mm *mm)
{
	if (--mm->walkers == 0 && !load_acquire(&mm->users.n))
		waitq_wake_all(&walk_over);
}

void space_pin(struct mm *mm)
{
	spin_lock(&spaces_lock);
	mm->walkers++;
	spin_unlock(&spaces_lock);
}

void space_unpin(struct mm *mm)
{
	spin_lock(&spaces_lock);
	walk_leave(mm);
	spin_unlock(&spaces_lock);
}

/*
 * A walker is no user: it keeps the space in the list and its tree alive, but never has to tear it
 * down, which would close files, under locks that it holds (of inodes, of pages).
 */
int space_for_each(int (*fn)(struct mm *mm, void *arg), void *arg)
{
	struct mm *mm;
	int r = 0;

	spin_lock(&spaces_lock);
	list_for_each (mm, &spaces, link) {
		if (!load_relaxed(&mm->users.n)) /* no thread runs in it any more */
			continue;
		mm->walkers++;
		spin_unlock(&spaces_lock);
		r = fn(mm, arg);
		spin_lock(&spaces_lock);
		walk_leave(mm);
		if (r)
			break;
	}
	spin_unlock(&spaces_lock);
	return r;
}

void space_shoot_everywhere(void)
{
	struct mm *mm;

	spin_lock(&spaces_lock);
	list_for_each (mm, &spaces, link)
		tlb_shoot_all(mm);
	spin_unlock(&spaces_lock);
}

/* --- what is known at the root --- */

static void peak_update(u64 *peak, u64 now)
{
	u64 old = load_relaxed(peak);

	while (old < now)
		if (atomic_cas(peak, &old, now))
			break;
}

static struct space_rss rss_at_root(const struct mm *mm)
{
	return (struct space_rss){
		.anon = load_relaxed(&mm->root->table.anon),
		.file = load_relaxed(&mm->root->table.file),
		.shmem = load_relaxed(&mm->root->table.shmem),
	};
}

/* The sums count leaves that are not resident: only the leaf tables know which. */
static void subtract_nonresident(struct page *t, struct space_rss *rss)
{
	spin_lock(&t->lock);
	u32 left = t->level > 1 ? t->populated : 0;
	for (u32 i = 0; left; i++) {
		struct pte e = pte_load(&table_slots(t)[i]);

		if (pte_is_empty(e))
			continue;
		left--;
		if (!(t->level == 2 && pte_is_huge(e)))
			subtract_nonresident(pte_page(e), rss);
	}
	if (t->level == 1) {
		rss->anon -= t->table.nonresident.anon;
		rss->file -= t->table.nonresident.file;
		rss->shmem -= t->table.nonresident.shmem;
		for (u32 i = 0; t->table.nonresident.anon && i < PTES_PER_TABLE; i++)
			rss->swap += pte_is_swap(pte_load(&table_slots(t)[i]));
	}
	spin_unlock(&t->lock);
}

void space_rss_peak(struct mm *mm)
{
	struct space_rss rss = rss_at_root(mm);

	if (!load_relaxed(&mm_nonresident))
		peak_update(&mm->peak_rss_pages, rss.anon + rss.file + rss.shmem);
}

struct space_rss space_rss(struct mm *mm)
{
	struct space_rss rss = rss_at_root(mm);

	if (load_relaxed(&mm_nonresident)) {
		read_lock(&mm->rw);
		rss = rss_at_root(mm);
		subtract_nonresident(mm->root, &rss);
		read_unlock(&mm->rw);
	}
	peak_update(&mm->peak_rss_pages, rss.anon + rss.file + rss.shmem);
	return rss;
}

void space_reset_peak(struct mm *mm)
{
	store_relaxed(&mm->peak_rss_pages, (u64)0);
	(void)space_rss(mm);
}

void space_vm_peak(struct mm *mm)
{
	peak_update(&mm->peak_vm_bytes, areas_summary(mm->areas)->bytes);
}

u64 space_vm_bytes(struct mm *mm)
{
	read_lock(&mm->rw);
	u64 bytes = areas_summary(mm->areas)->bytes;
	read_unlock(&mm->rw);
	peak_update(&mm->peak_vm_bytes, bytes);
	return bytes;
}

u64 space_locked_bytes(struct mm *mm)
{
	read_lock(&mm->rw);
	u64 bytes = areas_summary(mm->areas)->locked;
	read_unlock(&mm->rw);
	return bytes;
}

struct each_area {
	struct mm *mm;
	int (*fn)(struct mm *mm, struct area *a, void *arg);
	void *arg;
};

static int each_area_call(struct area *a, void *arg)
{
	struct each_area *e = arg;

	return e->fn(e->mm, a, e->arg);
}

int space_areas(struct mm *mm, u64 from, int (*fn)(struct mm *mm, struct area *a, void *arg),
		void *arg)
{
	struct each_area each = { mm, fn, arg };

	read_lock(&mm->rw);
	int r = areas_for_each(mm->areas, from, UINT64_MAX, each_area_call, &each);
	read_unlock(&mm->rw);
	return r;
}
