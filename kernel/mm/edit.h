/*
 * edit.h - changing a space's areas: the frame that mmap and its family share. Private to mm.
 *
 *	edit_begin        space.rw exclusive; work on a reference to the present index
 *	edit_...          build the new index, own edges, detach nodes
 *	edit_end          publish (or, on failure, forget), shoot, unlock, and only then drop what was replaced: dropping may close files
 *
 * Steps that may fail come before the first that changes what the space sees. The commit charge
 * follows the new index: edit_replace pays what it adds, edit_end gives back what is not needed.
 */
#ifndef MM_EDIT_H
#define MM_EDIT_H

#include "mm/node.h"
#include "mm/tunable.h"

struct edit {
	struct mm *mm;
	struct area_node *areas; /* the new index, a reference */
	u64 charged;             /* pages: at least what `areas` owes beyond mm->areas */
	struct limbo limbo;
};

void edit_begin(struct edit *e, struct mm *mm);
/*
 * Replace what lies in [start, end) of the new index by a, or by nothing; a merges with its
 * neighbours. 0; -ENOMEM, also for want of commit; -EINVAL: a huge page would be cut (AREA_HUGETLB).
 * On failure the index is as it was.
 */
int edit_replace(struct edit *e, u64 start, u64 end, struct area *a);
/* As edit_replace, without merging. */
int edit_set(struct edit *e, u64 start, u64 end, struct area *a);
/* Own the edges of [start, end), so that node_unmap of it cannot fail. 0 or -ENOMEM. */
int edit_own_edges(struct edit *e, u64 start, u64 end);
/* ok: publish the new index. */
void edit_end(struct edit *e, bool ok);

/* How many areas a space may have (vm.max_map_count). */
#define MAP_COUNT_MAX ((u32)load_relaxed(&mm_tunables.max_map_count))
/* Between a stack and what lies below it (Linux: stack_guard_gap). */
#define STACK_GAP (256 * PAGE_SIZE)

/* How many areas the new index has. */
static inline u32 edit_count(const struct edit *e)
{
	return areas_summary(e->areas)->count;
}
/*
 * May the space have `grow` bytes more of areas with these flags (RLIMIT_AS, RLIMIT_DATA)? 0 or
 * -ENOMEM.
 */
int edit_check_expand(const struct edit *e, u32 flags, u64 grow);
/* May it have so many bytes more locked, if flags say so (RLIMIT_MEMLOCK)? 0 or -EAGAIN. */
int edit_check_locked(const struct edit *e, u32 flags, u64 grow);

struct place_request {
	u64 hint; /* taken if it is free; 0: none */
	u64 size;
	u64 align;     /* of the place, if there is room for it; 0: pages */
	bool below_2g; /* MAP_32BIT */
};
/*
 * Private memory of a multiple of 2 MiB is placed so that 2 MiB pages fit, as on Linux, if it may go
 * anywhere: the alignment for a place_request.
 */
u64 edit_place_align(const struct object *o, u32 flags, u64 hint, u64 size);
/* Find a place: at the hint, else as high as possible below mmap_base, else above. 0: none. */
u64 edit_find_place(const struct edit *e, const struct place_request *r);
/*
 * May what is mapped in [start, end) go? 0, or -EPERM: an area there is sealed. Linux goes through
 * the areas in order, and has cut the first at start by the time that it meets a sealed one further
 * up; the cut stays. So it does here: the index is to be published all the same.
 */
int edit_may_unmap(struct edit *e, u64 start, u64 end);
/* Is nothing mapped in [start, end)? */
bool edit_is_free(const struct edit *e, u64 start, u64 end);
/* How much of [start, end) is mapped. */
u64 edit_mapped_bytes(const struct edit *e, u64 start, u64 end);
/* The OR of the flags of all areas in [start, end). */
u32 edit_flags_in(const struct edit *e, u64 start, u64 end);

/*
 * A page of private memory is about to come to a (in mm's published index, space.rw held shared):
 * give the area its identity. False: space.rw must be held exclusively for that
 * (space_anon_prepare does it).
 */
bool area_anon_prepare(struct mm *mm, struct area *a);
/* The same for what lies at va, with no lock held. 0 or -ENOMEM. */
int space_anon_prepare(struct mm *mm, u64 va);
/*
 * A stack above va grows to it. 0: look again; -EFAULT: nothing may grow there; -ENOMEM. No lock
 * held.
 */
int space_stack_grow(struct mm *mm, u64 va);

/*
 * Fault what is mapped in [start, end) in, for writing where pages will be private; areas that are
 * locked on fault are left. Ends with the first area that fails, unless errors are to be ignored:
 * -EFAULT (no access, or behind the end of a file), -ENOMEM, -EINTR (always an end). No lock held.
 */
int space_populate(struct mm *mm, u64 start, u64 end, bool ignore_errors);

#endif
