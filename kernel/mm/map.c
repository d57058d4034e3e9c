/*
 * map.c - mmap, munmap, brk, and the areas that exec makes.
 *
 * Mapping changes the area index only (and takes out what MAP_FIXED replaces): pages come with
 * faults. Linux's rules for addresses, limits and errors, and their order, are those of mmap(2),
 * munmap(2) and brk(2). Read edit.c for the frame, protect.c, remap.c and advise.c for the rest of
 * the family.
 */
#include "lib/err.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/commit.h"
#include "mm/edit.h"
#include "mm/shmem.h"

/* --- mmap --- */

static s64 map_check(const struct map_request *r, u64 length)
{
	if (!r->length)
		return -EINVAL;
	if (!length || length > USER_END)
		return -ENOMEM;
	if (r->object && (r->offset % PAGE_SIZE))
		return -EINVAL;
	if (r->object && r->offset + length < r->offset)
		return -EOVERFLOW;
	if (!r->fixed)
		return 0;
	if (r->addr > USER_END - length)
		return -ENOMEM;
	if (r->addr % area_unit(r->flags))
		return -EINVAL;
	if (r->addr < MAP_ADDRESS_MIN)
		return -EPERM;
	return 0;
}

/* Where the mapping goes, or -ENOMEM, -EEXIST. */
static s64 map_place(struct edit *e, const struct map_request *r, u64 length)
{
	struct place_request place = { .hint = r->addr, .size = length, .below_2g = r->below_2g };

	if (r->fixed)
		return r->noreplace && !edit_is_free(e, r->addr, r->addr + length) ? -EEXIST
										   : (s64)r->addr;
	place.align = edit_place_align(r->object, r->flags, r->addr, length);
	u64 at = edit_find_place(e, &place);
	return at && at % area_unit(r->flags) == 0 ? (s64)at : -ENOMEM;
}

s64 space_place(struct mm *mm, const struct map_request *r)
{
	u64 length = ROUND_UP(r->length, PAGE_SIZE);
	struct edit e;
	s64 place = map_check(r, length);

	if (place)
		return place;
	edit_begin(&e, mm);
	place = map_place(&e, r, length);
	edit_end(&e, false);
	return place;
}

/* What the area's flags become: locks to come, and whether it is charged for. */
static u32 map_flags(const struct mm *mm, const struct map_request *r)
{
	u32 flags = r->flags | mm->future_flags;

	if (r->lock)
		flags |= AREA_LOCKED;
	if (flags & (AREA_DROPPABLE | AREA_HUGETLB)) /* never locked; but pages are fetched */
		flags &= ~(u32)AREA_LOCK_FLAGS;
	if (!(flags & AREA_DROPPABLE) &&
	    load_relaxed(&mm_tunables.overcommit_memory) == OVERCOMMIT_NEVER)
		flags &= ~(u32)AREA_NORESERVE;
	if ((flags & (AREA_NORESERVE | AREA_SHARED | AREA_WRITE | AREA_HUGETLB)) == AREA_WRITE)
		flags |= AREA_ACCOUNT;
	return flags;
}

static struct area *map_area(const struct map_request *r, struct object *object, u32 flags,
			     u64 start, u64 length)
{
	struct area model = {
		.flags = flags,
		.start = start,
		.end = start + length,
		.object = object,
		.offset = r->object ? r->offset
			  : object  ? 0
				    : start,
		.file = r->file,
		.file_ops = r->file_ops,
	};

	return area_new(&model);
}

/* May so much be locked? As mmap(2): -EPERM if the caller may lock nothing, -EAGAIN if too much. */
static int map_check_locked(struct edit *e, const struct map_request *r, u32 flags, u64 length)
{
	if (r->lock && !load_relaxed(&e->mm->limit_memlock) && !mm_is_privileged(MM_PRIVILEGE_LOCK))
		return -EPERM;
	return edit_check_locked(e, flags, length);
}

/* What is at [start, end) makes room: its edges are owned, so that it can go without a failure. */
static int map_clear(struct edit *e, u64 start, u64 end)
{
	int err = edit_may_unmap(e, start, end);

	return err ? err : edit_own_edges(e, start, end);
}

/*
 * The new area into the index. Droppable memory is like no other on Linux until the lock that is to
 * come (mlockall) is taken off it again: it does not merge then.
 */
static int map_put(struct edit *e, struct area *a)
{
	return a->flags & AREA_DROPPABLE && e->mm->future_flags
		       ? edit_set(e, a->start, a->end, a)
		       : edit_replace(e, a->start, a->end, a);
}

static s64 map_edit(struct edit *e, const struct map_request *r, struct object *object, u64 length)
{
	u32 flags = map_flags(e->mm, r);
	int err;

	if (edit_count(e) > MAP_COUNT_MAX)
		return -ENOMEM;
	s64 place = map_place(e, r, length);
	if (place < 0)
		return place;
	u64 start = (u64)place, end = start + length;
	err = map_check_locked(e, r, flags, length);
	if (err)
		return err;
	u64 replaced = edit_mapped_bytes(e, start, end);
	err = replaced ? map_clear(e, start, end) : 0;
	if (!err)
		err = edit_check_expand(e, flags, length - replaced);
	if (err)
		return err;
	struct area *a = map_area(r, object, flags, start, length);
	if (!a)
		return -ENOMEM;
	/* What was there is gone before: a counted area is compared with it no more (merge.c). */
	err = replaced && flags & AREA_SYSV ? edit_replace(e, start, end, NULL) : 0;
	if (!err)
		err = map_put(e, a);
	area_put(a);
	if (err)
		return err;
	if (replaced)
		node_unmap(e->mm, start, end, &e->limbo);
	return place;
}

s64 space_map(struct mm *mm, const struct map_request *r)
{
	u64 length = ROUND_UP(r->length, PAGE_SIZE);
	struct object *object = r->object;
	struct edit e;
	s64 place = map_check(r, length);

	if (place)
		return place;
	if (!object && (r->flags & AREA_SHARED)) {
		bool reserve = !(r->flags & AREA_NORESERVE) ||
			       load_relaxed(&mm_tunables.overcommit_memory) == OVERCOMMIT_NEVER;

		object = shmem_create(length, reserve);
		if (!object)
			return -ENOMEM;
	}
	edit_begin(&e, mm);
	place = map_edit(&e, r, object, length);
	bool populate = r->populate || r->lock || mm->future_flags & AREA_LOCKED;
	edit_end(&e, place >= 0 || place == -EPERM); /* edit_may_unmap */
	if (object && !r->object)
		object_put(object); /* the area holds it */
	if (place >= 0 && populate)
		(void)space_populate(mm, (u64)place, (u64)place + length, true);
	return place;
}

/* --- populating --- */

/* The next area at or after *start: its flags, *start and *end cut to it. False: there is none. */
static bool next_part(struct mm *mm, u64 *start, u64 *end, u32 *flags)
{
	read_lock(&mm->rw);
	const struct area *a = areas_find_next(mm->areas, *start);
	bool found = a && a->start < *end && *start < *end;
	if (found) {
		*start = max(*start, a->start);
		*end = min(*end, a->end);
		*flags = a->flags;
	}
	read_unlock(&mm->rw);
	return found;
}

/* Does the leaf permit the access already, so that a fault would change nothing? */
static bool is_populated(struct pte e, bool write)
{
	return pte_is_present(e) && (!write || pte_is_writable(e));
}

/*
 * Past what lies from va on, in one leaf table, and needs no fault: to lock or populate what is
 * there already should cost a look. Its table is pinned on the way.
 */
static u64 skip_populated(struct mm *mm, u64 va, u64 end, bool write, bool pin)
{
	u64 start = va;
	bool owned;

	read_lock(&mm->rw);
	struct page *t = node_leaf_lock(mm, va, &owned);
	if (t && (owned || !write)) {
		u64 span = slot_span(t->level);

		end = min(end, ROUND_DOWN(va, slot_span(2)) + slot_span(2));
		while (va < end && is_populated(pte_load(slot_of(t, va)), write))
			va = ROUND_DOWN(va, span) + span;
	}
	if (t)
		spin_unlock(&t->lock);
	va = min(va, end);
	if (pin)
		node_pin(mm, start, va);
	read_unlock(&mm->rw);
	return va;
}

static int populate_part(struct mm *mm, u64 start, u64 end, u32 flags)
{
	/* Shared pages are only looked at: writing is not about to break anything (as Linux). */
	u32 access = (flags & (AREA_WRITE | AREA_SHARED)) == AREA_WRITE ? ACCESS_WRITE
									: ACCESS_READ;
	struct fault_result result;

	if (flags & AREA_LOCKONFAULT)
		return 0;
	if (!(flags & AREA_PROT))
		return -EFAULT;
	for (u64 va = start;; va = result.next) {
		va = skip_populated(mm, va, end, access == ACCESS_WRITE, flags & AREA_LOCKED);
		if (va >= end)
			return 0;
		int err = space_fault(mm, va, access, &result);

		if (err)
			return err;
		if (flags & AREA_LOCKED) { /* perhaps in a table that is shared since a fork */
			read_lock(&mm->rw);
			node_pin(mm, va, va + PAGE_SIZE);
			read_unlock(&mm->rw);
		}
		cpu_preempt_point();
		if (thread_killed())
			return -EINTR;
	}
}

int space_populate(struct mm *mm, u64 start, u64 end, bool ignore_errors)
{
	u64 part_end = end;
	u32 flags;

	for (; next_part(mm, &start, &part_end, &flags); start = part_end, part_end = end) {
		int err = populate_part(mm, start, part_end, flags);

		if (err == -EINTR || (err && !ignore_errors))
			return err;
	}
	return 0;
}

/* --- munmap --- */

static int unmap_edit(struct edit *e, u64 start, u64 end)
{
	const struct area *edge = areas_find(e->areas, start);
	int err = edit_may_unmap(e, start, end);

	if (err)
		return err;
	/* a hole in the middle makes two of one */
	if (edge && edge->start < start && edge->end > end && edit_count(e) >= MAP_COUNT_MAX)
		return -ENOMEM;
	err = edit_own_edges(e, start, end);
	if (!err)
		err = edit_replace(e, start, end, NULL);
	if (!err)
		node_unmap(e->mm, start, end, &e->limbo);
	return err;
}

int space_unmap(struct mm *mm, u64 addr, u64 length)
{
	struct edit e;
	int err;

	if (addr % PAGE_SIZE || addr > USER_END || !length ||
	    ROUND_UP(length, PAGE_SIZE) < length || ROUND_UP(length, PAGE_SIZE) > USER_END - addr)
		return -EINVAL;
	u64 end = addr + ROUND_UP(length, PAGE_SIZE);
	edit_begin(&e, mm);
	if (edit_is_free(&e, addr, end)) {
		edit_end(&e, false);
		return 0;
	}
	err = unmap_edit(&e, addr, end);
	edit_end(&e, !err || err == -EPERM); /* edit_may_unmap */
	return err;
}

/* --- brk --- */

#define BRK_FLAGS \
	(AREA_READ | AREA_WRITE | AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC | AREA_ACCOUNT)

static int brk_grow(struct edit *e, u64 old_end, u64 new_end)
{
	struct area model = { .flags = BRK_FLAGS | e->mm->future_flags,
			      .start = old_end,
			      .end = new_end,
			      .offset = old_end };
	struct place_request place = { .hint = old_end, .size = new_end - old_end + PAGE_SIZE };

	/* a page stays free above it */
	if (new_end >= USER_END || edit_find_place(e, &place) != old_end)
		return -ENOMEM;
	if (edit_check_locked(e, model.flags, new_end - old_end) ||
	    edit_check_expand(e, model.flags, new_end - old_end) || edit_count(e) > MAP_COUNT_MAX)
		return -ENOMEM;
	struct area *a = area_new(&model);
	if (!a)
		return -ENOMEM;
	/* The heap never becomes one with what lies below its start (Linux). */
	int err = old_end > ROUND_UP(e->mm->brk_start, PAGE_SIZE)
			  ? edit_replace(e, old_end, new_end, a)
			  : edit_set(e, old_end, new_end, a);
	area_put(a);
	return err;
}

/* The break moves to brk in the edit's new index: 0 or -ENOMEM, -EPERM. */
static int brk_edit(struct edit *e, u64 brk)
{
	struct mm *mm = e->mm;
	u64 old_end = ROUND_UP(mm->brk, PAGE_SIZE), new_end = ROUND_UP(brk, PAGE_SIZE);
	u64 data = brk - mm->brk_start + (mm->end_data - mm->start_data);

	if (brk < mm->brk_start || brk > USER_END || data > load_relaxed(&mm->limit_data))
		return -ENOMEM;
	if (new_end > old_end)
		return brk_grow(e, old_end, new_end);
	if (new_end < old_end)
		return edit_is_free(e, new_end, old_end) ? -ENOMEM
							 : unmap_edit(e, new_end, old_end);
	return 0;
}

u64 space_brk(struct mm *mm, u64 brk)
{
	struct edit e;

	edit_begin(&e, mm);
	u64 old = mm->brk;
	int err = brk_edit(&e, brk);
	if (!err)
		mm->brk = brk;
	brk = mm->brk;
	bool populate = brk > old && mm->future_flags & AREA_LOCKED;
	edit_end(&e, !err || err == -EPERM); /* edit_may_unmap */
	if (populate)
		(void)space_populate(mm, ROUND_UP(old, PAGE_SIZE), ROUND_UP(brk, PAGE_SIZE), true);
	return brk;
}

/* --- what exec maps --- */

static int map_plain(struct mm *mm, const struct area *model)
{
	struct edit e;
	int err = -ENOMEM;

	edit_begin(&e, mm);
	struct area *a = edit_is_free(&e, model->start, model->end) ? area_new(model) : NULL;
	if (a) {
		err = edit_replace(&e, a->start, a->end, a);
		area_put(a);
	}
	edit_end(&e, !err);
	return err;
}

int space_map_stack(struct mm *mm, u64 top, u64 size, u32 prot)
{
	struct area model = {
		.flags = prot | AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC | AREA_GROWSDOWN |
			 AREA_STACK | AREA_ACCOUNT,
		.start = top - size,
		.end = top,
		.offset = top - size,
	};

	mm->stack_top = top;
	return map_plain(mm, &model);
}

int space_map_special(struct mm *mm, u64 addr, struct page **pages, u32 count, u32 flags)
{
	struct area model = {
		.flags = flags | AREA_SPECIAL,
		.start = addr,
		.end = addr + (u64)count * PAGE_SIZE,
		.offset = addr,
	};
	struct limbo limbo;
	struct walk walk;
	int err = map_plain(mm, &model);

	limbo_init(&limbo, mm);
	read_lock(&mm->rw);
	for (u32 i = 0; i < count && !err; i++) {
		u64 va = addr + (u64)i * PAGE_SIZE;

		assert(pages[i]->kind == PAGE_IMMORTAL);
		err = node_own(mm, va, &walk, &limbo);
		if (err)
			break;
		spin_lock(&walk.table[1]->lock);
		pte_store(slot_of(walk.table[1], va),
			  pte_leaf(pages[i], flags & (AREA_READ | AREA_EXEC), false, false));
		slot_was_filled(walk.table[1], slot_of(walk.table[1], va));
		spin_unlock(&walk.table[1]->lock);
	}
	limbo_shoot(&limbo);
	read_unlock(&mm->rw);
	limbo_flush(&limbo);
	return err;
}
