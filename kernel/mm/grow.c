/*
 * grow.c - what a fault changes about areas: a stack grows, and an area gets its first private page.
 *
 * fault.c calls these; both are edits, so they hold the space exclusively, but for the common case
 * of an area that no other space shares.
 */
#include "lib/atomic.h"
#include "lib/err.h"
#include "mm/edit.h"

/* --- stacks --- */

/* May the stack grow to va (Linux: acct_stack_growth and expand_downwards)? 0 or -ENOMEM. */
static int stack_check(const struct edit *e, const struct area *stack, u64 va)
{
	const struct area *below = areas_find_prev(e->areas, stack->start);

	if (va < MAP_ADDRESS_MIN || stack->end - va > load_relaxed(&e->mm->limit_stack))
		return -ENOMEM;
	if (below && (below->flags & AREA_PROT) && !(below->flags & AREA_GROWSDOWN) &&
	    va - below->end < STACK_GAP)
		return -ENOMEM;
	if (edit_check_expand(e, stack->flags, stack->start - va))
		return -ENOMEM;
	return edit_check_locked(e, stack->flags, stack->start - va) ? -ENOMEM : 0;
}

static int stack_extend(struct edit *e, const struct area *stack, u64 va)
{
	struct area model = area_model(stack);
	struct area *grown;

	if (stack_check(e, stack, va))
		return -EFAULT; /* as if nothing were there */
	model.anon = area_anon(stack, e->mm->id);
	if (!model.anon)
		model.anon = area_anon_choose(e->areas, stack, e->mm->id);
	model.anon_space = e->mm->id;
	model.offset -= stack->start - va;
	model.start = va;
	grown = area_new(&model);
	if (!grown)
		return -ENOMEM;
	int err = edit_set(e, va, grown->end, grown);
	area_put(grown);
	return err;
}

/* A locked stack gets no pages but those that are faulted on, as on Linux (expand_stack). */
int space_stack_grow(struct mm *mm, u64 va)
{
	struct edit e;
	int err = -EFAULT;

	va = ROUND_DOWN(va, PAGE_SIZE);
	edit_begin(&e, mm);
	const struct area *a = areas_find_next(mm->areas, va);
	if (a && a->start <= va) { /* another thread was first */
		edit_end(&e, false);
		return 0;
	}
	if (a && a->flags & AREA_GROWSDOWN)
		err = stack_extend(&e, a, va);
	edit_end(&e, !err);
	return err;
}

/* --- the first private page --- */

bool area_anon_prepare(struct mm *mm, struct area *a)
{
	u64 none = 0;

	if (area_anon(a, mm->id))
		return true;
	/* Of this space alone: nobody copies it while space.rw is held, and all who come here agree. */
	if (areas_find_sole(mm->areas, a->start) != a)
		return false;
	store_relaxed(&a->anon_space, mm->id);
	(void)atomic_cas(&a->anon, &none, area_anon_choose(mm->areas, a, mm->id));
	return true;
}

int space_anon_prepare(struct mm *mm, u64 va)
{
	struct edit e;
	int err = 0;

	edit_begin(&e, mm);
	struct area *a = areas_find(mm->areas, va);
	bool due = a && !area_anon(a, mm->id);
	if (due) {
		struct area model = area_model(a);

		model.anon = area_anon_choose(mm->areas, a, mm->id);
		model.anon_space = mm->id;
		struct area *own = area_new(&model);
		err = own ? edit_set(&e, a->start, a->end, own) : -ENOMEM;
		if (own)
			area_put(own);
	}
	edit_end(&e, due && !err);
	return err;
}
