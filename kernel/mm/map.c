/*
 * map.c - mmap, munmap, brk, and the areas that exec makes.
 *
 * Mapping changes the area index only (and takes out what MAP_FIXED replaces): pages come with
 * faults. Linux's rules for addresses, limits and errors are those of mmap(2), munmap(2) and
 * brk(2). Read protect.c, remap.c and advise.c for the rest of the family.
 */
#include "lib/err.h"
#include "lib/print.h"
#include "lib/waitq.h"
#include "mm/edit.h"
#include "mm/fault.h"
#include "mm/huge.h"
#include "mm/shmem.h"
#include "mm/tunable.h"

/* --- the frame of an edit --- */

void edit_begin(struct edit *e, struct mm *mm)
{
	e->mm = mm;
	limbo_init(&e->limbo, mm);
	write_lock(&mm->rw);
	areas_get(mm->areas);
	e->areas = mm->areas;
}

int edit_replace(struct edit *e, u64 start, u64 end, struct area *a)
{
	struct area_node *root;
	int err = areas_replace(e->areas, start, end, a, &root);

	if (err)
		return err;
	areas_put(
		/* never the last of an area that was published: the space's own root holds those */
		e->areas);
	e->areas = root;
	return 0;
}

int edit_own_edges(struct edit *e, u64 start, u64 end)
{
	int err = node_own_edge(e->mm, start, start, end, &e->limbo);

	return err ? err : node_own_edge(e->mm, end - 1, start, end, &e->limbo);
}

void edit_end(struct edit *e, bool ok)
{
	struct area_node *old = e->areas;

	if (ok) {
		old = e->mm->areas;
		e->mm->areas = e->areas;
		space_vm_peak(e->mm);
	}
	limbo_shoot(&e->limbo);
	write_unlock(&e->mm->rw);
	limbo_flush(&e->limbo);
	areas_put(old);
}

int edit_check_limits(struct edit *e, u64 grow, u32 areas)
{
	struct area_summary sum = areas_summary(e->areas);

	if (sum.count + areas > load_relaxed(&mm_tunables.max_map_count))
		return -ENOMEM;
	if (grow && sum.bytes + grow > load_relaxed(&e->mm->limit_as))
		return -ENOMEM;
	return 0;
}

struct bytes_within {
	u64 start, end, bytes;
};

static int add_bytes(struct area *a, void *arg)
{
	struct bytes_within *w = arg;

	w->bytes += min(a->end, w->end) - max(a->start, w->start);
	return 0;
}

/* How much of [start, end) is mapped. */
static u64 mapped_bytes(struct edit *e, u64 start, u64 end)
{
	struct bytes_within w = { .start = start, .end = end };

	areas_for_each(e->areas, start, end, add_bytes, &w);
	return w.bytes;
}

static bool range_is_free(struct edit *e, u64 start, u64 end)
{
	const struct area *next = areas_find_next(e->areas, start);

	return !next || next->start >= end;
}

u64 edit_find_place(struct edit *e, u64 hint, u64 size, bool below_4g)
{
	u64 place;

	if (hint) {
		hint = max(ROUND_DOWN(hint, PAGE_SIZE), MAP_ADDRESS_MIN);
		if (hint + size <= USER_END && hint + size > hint &&
		    range_is_free(e, hint, hint + size))
			return hint;
	}
	if (below_4g)
		return areas_find_gap_up(e->areas, 0x40000000, 0x80000000, size);
	place = areas_find_gap_down(e->areas, MAP_ADDRESS_MIN, e->mm->mmap_base, size);
	return place ? place : areas_find_gap_up(e->areas, e->mm->mmap_base, USER_END, size);
}

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
	if (r->addr % PAGE_SIZE)
		return -EINVAL;
	if (r->addr > USER_END - length)
		return -ENOMEM;
	if (r->addr < MAP_ADDRESS_MIN)
		return -EPERM;
	return 0;
}

/*
 * Private memory of a multiple of 2 MiB is placed so that 2 MiB pages fit, as on Linux; 0: elsewhere.
 */
static u64 find_place_huge(struct edit *e, u64 length)
{
	u64 slack = HUGE_SIZE - PAGE_SIZE;

	if (length % HUGE_SIZE || length > USER_END - slack)
		return 0;
	u64 place = edit_find_place(e, 0, length + slack, false);
	return place ? ROUND_DOWN(place + slack, HUGE_SIZE) : 0;
}

/*
 * Where the mapping goes; for a fixed one, what is there is made ready to be replaced (*replaces).
 */
static s64 map_place(struct edit *e, const struct map_request *r, u64 length, bool *replaces)
{
	u64 place;
	int err;

	if (!r->fixed) {
		place = 0;
		if (!r->addr && !r->object && !(r->flags & AREA_SHARED) && !r->below_4g)
			place = find_place_huge(e, length);
		if (!place)
			place = edit_find_place(e, r->addr, length, r->below_4g);
		return place ? (s64)place : -ENOMEM;
	}
	if (range_is_free(e, r->addr, r->addr + length))
		return (s64)r->addr;
	if (r->noreplace)
		return -EEXIST;
	*replaces = true;
	err = edit_own_edges(e, r->addr, r->addr + length);
	return err ? err : (s64)r->addr;
}

static struct area *map_area(const struct map_request *r, struct object *object, u64 start,
			     u64 length)
{
	struct area model = {
		.flags = r->flags,
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

static s64 map_edit(struct edit *e, const struct map_request *r, struct object *object, u64 length)
{
	u64 replaced = r->fixed ? mapped_bytes(e, r->addr, r->addr + length) : 0;
	int err = edit_check_limits(e, length - replaced, 1);
	if (err)
		return err;
	bool replaces = false;
	s64 place = map_place(e, r, length, &replaces);
	if (place < 0)
		return place;
	struct area *a = map_area(r, object, (u64)place, length);
	if (!a)
		return -ENOMEM;
	err = edit_replace(e, a->start, a->end, a);
	area_put(a);
	if (err)
		return err;
	if (replaces)
		node_unmap(e->mm, (u64)place, (u64)place + length, &e->limbo);
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
		object = shmem_create(length);
		if (!object)
			return -ENOMEM;
	}
	edit_begin(&e, mm);
	place = map_edit(&e, r, object, length);
	edit_end(&e, place >= 0);
	if (object && !r->object)
		object_put(object); /* the area holds it */
	if (place >= 0 && r->populate)
		(void)space_populate(mm, (u64)place, (u64)place + length);
	return place;
}

int space_populate(struct mm *mm, u64 start, u64 end)
{
	struct fault_result result;

	for (u64 va = start; va < end; va = result.next) {
		read_lock(&mm->rw);
		const struct area *a = areas_find(mm->areas, va);
		u32 flags = a ? a->flags : 0;
		read_unlock(&mm->rw);
		if (!(flags & AREA_PROT))
			return a ? -EFAULT : -ENOMEM;
		int err = space_fault(mm, va, flags & AREA_WRITE ? ACCESS_WRITE : ACCESS_READ,
				      &result);
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
	return 0;
}

/* --- munmap --- */

int space_unmap(struct mm *mm, u64 addr, u64 length)
{
	struct edit e;
	int err = 0;

	if (addr % PAGE_SIZE || addr > USER_END || !length ||
	    ROUND_UP(length, PAGE_SIZE) < length || ROUND_UP(length, PAGE_SIZE) > USER_END - addr)
		return -EINVAL;
	u64 end = addr + ROUND_UP(length, PAGE_SIZE);
	edit_begin(&e, mm);
	if (range_is_free(&e, addr, end)) {
		edit_end(&e, false);
		return 0;
	}
	const struct area *edge = areas_find(e.areas, addr);
	if (edge && edge->start < addr &&
	    edge->end > end) /* a hole in the middle makes two of one */
		err = edit_check_limits(&e, 0, 1);
	if (!err)
		err = edit_own_edges(&e, addr, end);
	if (!err)
		err = edit_replace(&e, addr, end, NULL);
	if (!err)
		node_unmap(mm, addr, end, &e.limbo);
	edit_end(&e, !err);
	return err;
}

/* --- brk --- */

#define BRK_FLAGS \
	(AREA_READ | AREA_WRITE | AREA_MAYREAD | AREA_MAYWRITE | AREA_MAYEXEC | AREA_ACCOUNT)

static int brk_grow(struct edit *e, u64 old_end, u64 new_end)
{
	struct area model = {
		.flags = BRK_FLAGS, .start = old_end, .end = new_end, .offset = old_end
	};

	if (new_end > USER_END || !range_is_free(e, old_end, new_end))
		return -ENOMEM;
	int err = edit_check_limits(e, new_end - old_end, 1);
	if (err)
		return err;
	struct area *a = area_new(&model);
	if (!a)
		return -ENOMEM;
	err = edit_replace(e, old_end, new_end, a);
	area_put(a);
	return err;
}

static int brk_shrink(struct edit *e, u64 new_end, u64 old_end)
{
	int err = edit_own_edges(e, new_end, old_end);

	if (!err)
		err = edit_replace(e, new_end, old_end, NULL);
	if (!err)
		node_unmap(e->mm, new_end, old_end, &e->limbo);
	return err;
}

u64 space_brk(struct mm *mm, u64 brk)
{
	struct edit e;
	int err = 0;

	edit_begin(&e, mm);
	u64 old_end = ROUND_UP(mm->brk, PAGE_SIZE), new_end = ROUND_UP(brk, PAGE_SIZE);
	u64 data = brk - mm->brk_start + (mm->end_data - mm->start_data);
	if (brk < mm->brk_start || brk > USER_END ||
	    (brk > mm->brk && data > load_relaxed(&mm->limit_data)))
		err = -ENOMEM;
	else if (new_end > old_end)
		err = brk_grow(&e, old_end, new_end);
	else if (new_end < old_end)
		err = brk_shrink(&e, new_end, old_end);
	if (!err)
		mm->brk = brk;
	brk = mm->brk;
	edit_end(&e, !err);
	return brk;
}

/* --- what exec maps --- */

static int map_plain(struct mm *mm, const struct area *model)
{
	struct edit e;
	int err = -ENOMEM;

	edit_begin(&e, mm);
	struct area *a = range_is_free(&e, model->start, model->end) ? area_new(model) : NULL;
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

int space_map_special(struct mm *mm, u64 addr, struct page **pages, u32 count)
{
	struct area model = {
		.flags = AREA_READ | AREA_EXEC | AREA_MAYREAD | AREA_MAYEXEC | AREA_SPECIAL |
			 AREA_DONTDUMP,
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
			  pte_leaf(pages[i], AREA_READ | AREA_EXEC, false, false));
		walk.table[1]->populated++;
		spin_unlock(&walk.table[1]->lock);
	}
	limbo_shoot(&limbo);
	read_unlock(&mm->rw);
	limbo_flush(&limbo);
	return err;
}
