/*
 * edit.c - the frame of an edit, and what all edits ask: limits and places.
 *
 * The rules are those of mmap(2) and getrlimit(2). Read map.c next.
 */
#include "mm/edit.h"

#include "lib/err.h"
#include "lib/print.h"
#include "mm/commit.h"

/* --- the frame --- */

void edit_begin(struct edit *e, struct mm *mm)
{
	e->mm = mm;
	e->charged = 0;
	limbo_init(&e->limbo, mm);
	write_lock(&mm->rw);
	areas_get(mm->areas);
	e->areas = mm->areas;
}

/* Pages that an index owes beyond the published one. */
static u64 owed(const struct edit *e, const struct area_node *areas)
{
	u64 new = areas_summary(areas)->account, old = areas_summary(e->mm->areas)->account;

	return new > old ? (new - old) / PAGE_SIZE : 0;
}

/* Take over root, the next state of the new index, and pay for it. */
static int edit_take(struct edit *e, struct area_node *root)
{
	u64 owes = owed(e, root);

	if (owes > e->charged) {
		if (commit_charge(e->mm, owes - e->charged)) {
			areas_put(root);
			return -ENOMEM;
		}
		e->charged = owes;
	}
	/* Never the last of an area that was published: the space's own root holds those. */
	areas_put(e->areas);
	e->areas = root;
	return 0;
}

/* Would an area that is made of huge pages be cut inside one? */
static bool cuts_unit(const struct edit *e, u64 at)
{
	if (!(areas_summary(e->areas)->flags & AREA_HUGETLB))
		return false;
	const struct area *a = areas_find(e->areas, at);

	return a && a->start < at && at % area_unit(a->flags);
}

int edit_replace(struct edit *e, u64 start, u64 end, struct area *a)
{
	struct area_node *root;

	if (cuts_unit(e, start) || cuts_unit(e, end))
		return -EINVAL;
	int err = areas_replace(e->areas, start, end, a, e->mm->id, &root);

	return err ? err : edit_take(e, root);
}

int edit_set(struct edit *e, u64 start, u64 end, struct area *a)
{
	struct area_node *root;

	if (cuts_unit(e, start) || cuts_unit(e, end))
		return -EINVAL;
	int err = areas_set(e->areas, start, end, a, e->mm->id, &root);

	return err ? err : edit_take(e, root);
}

int edit_own_edges(struct edit *e, u64 start, u64 end)
{
	int err = node_own_edge(e->mm, start, start, end, &e->limbo);

	if (err || start / slot_span(2) == (end - 1) / slot_span(2)) /* in the same leaf table */
		return err;
	return node_own_edge(e->mm, end - 1, start, end, &e->limbo);
}

void edit_end(struct edit *e, bool ok)
{
	struct area_node *old = e->areas;

	if (ok) {
		u64 before = areas_summary(e->mm->areas)->account / PAGE_SIZE;
		u64 after = areas_summary(e->areas)->account / PAGE_SIZE;

		debug_assert(e->charged + before >= after);
		commit_uncharge(e->charged + before - after);
		old = e->mm->areas;
		e->mm->areas = e->areas;
		space_vm_peak(e->mm);
	} else {
		commit_uncharge(e->charged);
	}
	limbo_shoot(&e->limbo);
	write_unlock(&e->mm->rw);
	limbo_flush(&e->limbo);
	areas_put(old);
}

/* --- limits --- */

int edit_check_expand(const struct edit *e, u32 flags, u64 grow)
{
	const struct area_summary *sum = areas_summary(e->areas);
	u64 data = load_relaxed(&e->mm->limit_data);

	if (sum->bytes + grow > load_relaxed(&e->mm->limit_as))
		return -ENOMEM;
	if (!area_is_data(flags) || sum->data + grow <= data)
		return 0;
	/* As Linux: a soft limit of 0 means the hard one (programs set it to move their break). */
	return !data && sum->data + grow <= load_relaxed(&e->mm->limit_data_hard) ? 0 : -ENOMEM;
}

int edit_check_locked(const struct edit *e, u32 flags, u64 grow)
{
	u64 limit = ROUND_DOWN(load_relaxed(&e->mm->limit_memlock), PAGE_SIZE);

	if (!(flags & AREA_LOCKED) || mm_is_privileged(MM_PRIVILEGE_LOCK))
		return 0;
	return areas_summary(e->areas)->locked + grow <= limit ? 0 : -EAGAIN;
}

/* --- what lies in a range --- */

struct range_facts {
	u64 start, end, bytes;
	u32 flags;
};

static int add_facts(struct area *a, void *arg)
{
	struct range_facts *r = arg;

	r->bytes += min(a->end, r->end) - max(a->start, r->start);
	r->flags |= a->flags;
	return 0;
}

u64 edit_mapped_bytes(const struct edit *e, u64 start, u64 end)
{
	struct range_facts r = { .start = start, .end = end };

	areas_for_each(e->areas, start, end, add_facts, &r);
	return r.bytes;
}

u32 edit_flags_in(const struct edit *e, u64 start, u64 end)
{
	struct range_facts r = { .start = start, .end = end };

	areas_for_each(e->areas, start, end, add_facts, &r);
	return r.flags;
}

int edit_may_unmap(struct edit *e, u64 start, u64 end)
{
	struct area *part;

	if (!(areas_summary(e->areas)->flags & AREA_SEALED) ||
	    !(edit_flags_in(e, start, end) & AREA_SEALED))
		return 0;
	const struct area *first = areas_find(e->areas, start);
	if (!first || first->start == start || first->flags & AREA_SEALED)
		return -EPERM;
	part = area_part(first, start, first->end, e->mm->id);
	if (part) {
		(void)edit_set(e, start, part->end, part);
		area_put(part);
	}
	return -EPERM;
}

bool edit_is_free(const struct edit *e, u64 start, u64 end)
{
	const struct area *next = areas_find_next(e->areas, start);

	return !next || next->start >= end;
}

/* --- places --- */

/* From where on the search upwards looks (Linux: TASK_UNMAPPED_BASE). */
#define BOTTOM_UP_BASE ROUND_UP(USER_END / 3, PAGE_SIZE)
/* MAP_32BIT: the second GiB, so that addresses stay positive as 32-bit numbers. */
#define LOW_BASE 0x40000000ull
#define LOW_END 0x80000000ull

/* Where the gap that a area keeps free below itself starts. */
static u64 area_start_gap(const struct area *a)
{
	if (!(a->flags & AREA_GROWSDOWN))
		return a->start;
	return a->start > STACK_GAP ? a->start - STACK_GAP : 0;
}

static u64 place_down(const struct edit *e, u64 low, u64 high, u64 size)
{
	u64 place;

	while ((place = areas_find_gap_down(e->areas, low, high, size))) {
		const struct area *next = areas_find_next(e->areas, place + size);

		if (!next || area_start_gap(next) >= place + size)
			break;
		high = area_start_gap(next); /* too near to a stack: look below its gap */
	}
	return place;
}

static u64 place_up(const struct edit *e, u64 low, u64 high, u64 size)
{
	u64 place;

	while ((place = areas_find_gap_up(e->areas, low, high, size))) {
		const struct area *next = areas_find_next(e->areas, place + size);

		if (!next || area_start_gap(next) >= place + size)
			break;
		low = next->end;
	}
	return place;
}

static bool hint_is_free(const struct edit *e, u64 at, u64 size, u64 limit)
{
	const struct area *next = areas_find_next(e->areas, at);

	return size <= limit && at <= limit - size && (!next || at + size <= area_start_gap(next));
}

static u64 place_anywhere(const struct edit *e, u64 size)
{
	u64 place = place_down(e, MAP_ADDRESS_MIN, e->mm->mmap_base, size);

	return place ? place : place_up(e, BOTTOM_UP_BASE, USER_END, size);
}

u64 edit_place_align(const struct object *o, u32 flags, u64 hint, u64 size)
{
	if (flags & AREA_HUGETLB)
		return area_unit(flags);
	bool fits = !o && !(flags & AREA_SHARED) && !hint && size % slot_span(2) == 0;

	return fits ? slot_span(2) : 0;
}

u64 edit_find_place(const struct edit *e, const struct place_request *r)
{
	u64 limit = r->below_2g ? LOW_END : USER_END, place;

	if (r->hint) {
		u64 hint = max(ROUND_DOWN(r->hint, PAGE_SIZE), MAP_ADDRESS_MIN);

		if (hint_is_free(e, hint, r->size, limit))
			return hint;
	}
	if (r->below_2g)
		return place_up(e, LOW_BASE, LOW_END, r->size);
	if (r->align && r->size + r->align > r->size) {
		place = place_anywhere(e, r->size + r->align);
		/* At an aligned end of the larger hole: the higher one, as the search is downwards. */
		if (place)
			return ROUND_DOWN(place + r->align, r->align);
	}
	return place_anywhere(e, r->size);
}
