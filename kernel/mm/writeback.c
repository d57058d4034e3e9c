/*
 * writeback.c - the dirty set, and writing it out (PROTOCOL rule 8).
 *
 * A page is dirty when its bytes are newer than where they belong. The hardware's dirty bits decide
 * nothing. A page enters the set
 *
 *   - after bytes were copied into it by the kernel (write(2)), which needs no page lock;
 *   - before a write fault makes a shared leaf of it writable, under the page's lock, which then
 *     carries PAGE_MAPPED_WRITE as well.
 *
 * Write-out, under the page's lock: the page leaves the set, its leaves are write-protected in all
 * spaces and their translations shot, and only then are its bytes read. A store that comes later
 * faults, waits for the lock and makes the page dirty again; a copy that comes later does so too.
 * So what is not dirty is written, and nobody can write to it unnoticed. While the bytes are under
 * way the page carries PAGE_WRITING: a sync waits for those of others too.
 */
#include "mm/writeback.h"

#include "lib/print.h"
#include "mm/node.h"
#include "mm/object_priv.h"
#include "mm/tunable.h"

#define BALANCE_PAGES 1024u /* that a writer writes out when there is too much */

struct waitq writeback_wait = WAITQ_INIT(writeback_wait);

static u64 dirty_frames;            /* A: that can be written out */
static u64 writing_frames, dirtied; /* A */
static u64 time_now_ns;             /* A: as the background work last said */

u64 object_writing_frames(void)
{
	return load_relaxed(&writing_frames);
}

u64 object_dirtied(void)
{
	return load_relaxed(&dirtied);
}

u64 object_dirty_frames(void)
{
	return load_relaxed(&dirty_frames);
}

/* --- the set --- */

/* Frames that a percentage of memory, or a number of bytes that is in force instead, stands for. */
static u64 limit_frames(const u64 *percent, const u64 *bytes)
{
	u64 b = load_relaxed(bytes);

	return b ? b >> PAGE_SHIFT : frame_managed * load_relaxed(percent) / 100;
}

bool writeback_is_due(void)
{
	return load_relaxed(&dirty_frames) > limit_frames(&mm_tunables.dirty_background_ratio,
							  &mm_tunables.dirty_background_bytes);
}

void object_page_dirty_locked(struct object *o, struct page *p)
{
	if (page_has(p, PAGE_DIRTY))
		return;
	page_flag_set(p, PAGE_DIRTY);
	radix_mark(&o->pages, p->cache.index);
	sole_add(&o->dirty_count, 1);
	if (o->dirty_count == 1)
		store_relaxed(&o->dirty_since, load_relaxed(&time_now_ns));
	if (!o->ops->write_pages)
		return;
	atomic_add(&dirty_frames, 1);
	atomic_add(&dirtied, 1);
	if (writeback_is_due() && !list_empty(&writeback_wait.waiters))
		waitq_wake_all(&writeback_wait);
}

void object_page_undirty(struct object *o, struct page *p)
{
	if (!page_has(p, PAGE_DIRTY))
		return;
	page_flag_clear(p, PAGE_DIRTY);
	if (!page_has(p, PAGE_WRITING))
		radix_unmark(&o->pages, p->cache.index);
	sole_add(&o->dirty_count, -1);
	if (o->ops->write_pages)
		atomic_sub(&dirty_frames, 1);
}

void object_page_dirty(struct object *o, struct page *p)
{
	full_barrier(); /* the bytes, then the look: run_clean clears the flag, then they are read */
	if (load_relaxed(&p->flags) & PAGE_DIRTY)
		return;
	spin_lock(&o->lock);
	if (p->cache.object == o)
		object_page_dirty_locked(o, p);
	spin_unlock(&o->lock);
}

void object_page_dirty_mapped(struct object *o, struct page *p)
{
	debug_assert(page_has(p, PAGE_LOCKED));
	if (!(load_relaxed(&p->flags) & PAGE_MAPPED_WRITE)) {
		page_flag_set(p, PAGE_MAPPED_WRITE);
		store_relaxed(&o->stored, true);
	}
	object_page_dirty(o, p);
}

/* --- errors: told once to each open file (as Linux's errseq) --- */

static void error_record(struct object *o, int err)
{
	spin_lock(&o->lock);
	o->error.error = err;
	o->error.count++;
	o->error.untold = true;
	spin_unlock(&o->lock);
}

u32 object_error_sample(struct object *o)
{
	u32 seen;

	spin_lock(&o->lock);
	seen = o->error.count - o->error.untold; /* nobody knows: the next one learns of it */
	spin_unlock(&o->lock);
	return seen;
}

int object_error_check(struct object *o, u32 *seen)
{
	int err = 0;

	spin_lock(&o->lock);
	if (*seen != o->error.count) {
		err = o->error.error;
		*seen = o->error.count;
		o->error.untold = false;
	}
	spin_unlock(&o->lock);
	return err;
}

/* --- write protection --- */

struct protect {
	struct object *object;
	u64 first, end; /* pages of the object */
	struct mm *mm;
	struct limbo limbo;
};

/*
 * A table that several spaces share may be met through each: nobody has a writable translation
 * through it, so only that of the space that owns it has to be shot, where it is met.
 */
static bool leaf_protect(struct page *table, struct pte *slot, u64 va, void *arg)
{
	struct protect *w = arg;
	struct pte e = pte_load(slot);

	if (pte_is_resident(e) && pte_is_shared(e) && pte_is_writable(e)) {
		pte_and_writable(slot);
		limbo_shoot_page(&w->limbo, va);
	}
	return true;
}

static int area_protect(struct area *a, void *arg)
{
	struct protect *w = arg;
	u64 offset = a->offset >> PAGE_SHIFT, pages = (a->end - a->start) >> PAGE_SHIFT;

	if (a->object != w->object || !(a->flags & AREA_SHARED))
		return 0;
	if (offset + pages <= w->first || offset >= w->end)
		return 0;
	node_for_each_leaf(w->mm, a->start + ((max(offset, w->first) - offset) << PAGE_SHIFT),
			   a->start + (min(pages, w->end - offset) << PAGE_SHIFT), leaf_protect, w);
	return 0;
}

static int space_protect_object(struct mm *mm, void *arg)
{
	struct protect *w = arg;

	read_lock(&mm->rw);
	w->mm = mm;
	limbo_init(&w->limbo, mm);
	areas_for_each(mm->areas, 0, USER_END, area_protect, w);
	limbo_shoot(&w->limbo);
	read_unlock(&mm->rw);
	return 0;
}

/* --- one run: dirty, locked pages of o, side by side --- */

static void run_clean(struct object *o, u64 index, struct page **pages, u32 count)
{
	struct protect w = { .object = o, .first = index, .end = index + count };
	bool mapped = false;

	spin_lock(&o->lock);
	for (u32 i = 0; i < count; i++) {
		page_flag_set(pages[i], PAGE_WRITING);
		object_page_undirty(o, pages[i]);
		mapped = mapped || page_has(pages[i], PAGE_MAPPED_WRITE);
		page_flag_clear(pages[i], PAGE_MAPPED_WRITE);
	}
	o->writing += count;
	atomic_add(&writing_frames, count);
	spin_unlock(&o->lock);
	if (mapped && load_acquire(&o->mapped_areas))
		space_for_each(space_protect_object, &w);
}

static void run_done(struct object *o, struct page **pages, u32 count, int err)
{
	spin_lock(&o->lock);
	for (u32 i = 0; i < count; i++) {
		page_flag_clear(pages[i], PAGE_WRITING);
		if (err)
			object_page_dirty_locked(o, pages[i]);
		else if (!page_has(pages[i], PAGE_DIRTY))
			radix_unmark(&o->pages, pages[i]->cache.index);
	}
	o->writing -= count;
	atomic_sub(&writing_frames, count);
	spin_unlock(&o->lock);
	if (err)
		error_record(o, err);
}

/* Write the run out as far as it lies below the size: how many pages, or negative errno. */
static int run_write(struct object *o, u64 index, struct page **pages, u32 count)
{
	u64 end = object_pages_of_size(o);
	int err;

	count = index < end ? (u32)min((u64)count, end - index) : 0;
	if (!count)
		return 0;
	run_clean(o, index, pages, count);
	err = o->ops->write_pages(o, index, pages, count);
	if (!err)
		mm_count(pages_written, count);
	run_done(o, pages, count, err);
	return err ? err : (int)count;
}

/* --- many --- */

/* The first page at or after *index with one of these flags, with a temporary reference. */
static struct page *page_next(struct object *o, u64 *index, u64 end, u16 flags)
{
	struct page *p = NULL;

	spin_lock(&o->lock);
	if (o->dirty_count || (flags & PAGE_WRITING && o->writing)) {
		for (;; (*index)++) {
			p = radix_next_marked(&o->pages, index);
			if (!p || *index >= end) {
				p = NULL;
				break;
			}
			if (page_has(p, flags)) {
				page_get(p);
				break;
			}
		}
	}
	spin_unlock(&o->lock);
	return p;
}

/*
 * The page at index with a temporary reference and its lock, if it is dirty and nobody has the
 * lock; else NULL.
 */
static struct page *page_dirty_trylock(struct object *o, u64 index)
{
	struct page *p;

	spin_lock(&o->lock);
	p = radix_find(&o->pages, index);
	if (p && page_has(p, PAGE_DIRTY) && page_trylock(p))
		page_get(p);
	else
		p = NULL;
	spin_unlock(&o->lock);
	return p;
}

/* What one pass over an object is to do, and has done. */
struct pass {
	u64 index, end; /* pages of the object; index goes on */
	u64 max;        /* pages to write out */
	u16 flags;      /* pages to look at: PAGE_DIRTY, and PAGE_WRITING to wait for those */
	bool wait;      /* for pages that others have locked */
	u64 cleaned;
	int error; /* the first */
};

/* p: dirty or being written, with a temporary reference, which is given up. */
static void pass_page(struct object *o, struct pass *w, struct page *p)
{
	struct page *pages[RUN_PAGES];
	u32 n = 1;
	int r = 0;

	if (w->wait) {
		page_lock(p);
	} else if (!page_trylock(p)) {
		page_put(p);
		w->index++;
		return;
	}
	pages[0] = p;
	if (p->cache.object == o && page_has(p, w->flags & PAGE_DIRTY)) {
		while (n < min((u64)RUN_PAGES, w->max - w->cleaned) && w->index + n < w->end &&
		       (pages[n] = page_dirty_trylock(o, w->index + n)))
			n++;
		r = run_write(o, w->index, pages, n);
	}
	for (u32 i = 0; i < n; i++) {
		page_unlock(pages[i]);
		page_put(pages[i]);
	}
	if (r < 0)
		w->error = w->error ? w->error : r;
	else
		w->cleaned += (u32)r;
	w->index += n;
}

static void object_pass(struct object *o, struct pass *w)
{
	struct page *p;

	while (w->cleaned < w->max && (p = page_next(o, &w->index, w->end, w->flags))) {
		pass_page(o, w, p);
		cpu_preempt_point();
	}
}

/* The pass over all pages that have bytes of [start, end). */
static struct pass pass_of(u64 start, u64 end, u16 flags, bool wait)
{
	return (struct pass){
		.index = start >> PAGE_SHIFT,
		.end = end == UINT64_MAX ? UINT64_MAX : DIV_ROUND_UP(end, PAGE_SIZE),
		.max = UINT64_MAX,
		.flags = flags,
		.wait = wait,
	};
}

int object_sync(struct object *o, u64 start, u64 end)
{
	struct pass w = pass_of(start, end, PAGE_DIRTY | PAGE_WRITING, true);

	if (o->ops->write_pages)
		object_pass(o, &w);
	return w.error;
}

void object_sync_wait(struct object *o, u64 start, u64 end)
{
	struct pass w = pass_of(start, end, PAGE_WRITING, true);

	if (o->ops->write_pages)
		object_pass(o, &w);
}

void object_forget(struct object *o, u64 start, u64 end)
{
	struct pass w = pass_of(start, end, PAGE_DIRTY, false);
	u64 size = load_acquire(&o->size);

	if (o->ops->write_pages)
		object_pass(o, &w);
	/* A page that is only partly in the range stays, but for the file's last. */
	object_drop_idle(o, DIV_ROUND_UP(start, PAGE_SIZE),
			 end >= size ? UINT64_MAX : end >> PAGE_SHIFT);
}

/* Some pages of o, from where the last call stopped; waits for nobody: how many are clean now. */
static u64 object_write_some(struct object *o, u64 max)
{
	u64 from = load_relaxed(&o->write_next);
	struct pass w = { .index = from, .end = UINT64_MAX, .max = max, .flags = PAGE_DIRTY };

	object_pass(o, &w);
	if (w.cleaned < max && from) {
		w.end = from;
		w.index = 0;
		object_pass(o, &w);
	}
	store_relaxed(&o->write_next, w.index);
	return w.cleaned;
}

static bool can_be_cleaned(const struct object *o)
{
	return o->ops->write_pages && load_relaxed(&o->dirty_count);
}

u64 object_clean(u64 max)
{
	u64 done = 0;

	for (u64 looks = object_count(); looks && done < max; looks--) {
		struct object *o = objects_rotate(can_be_cleaned);

		if (!o)
			continue;
		done += object_write_some(o, max - done);
		object_put(o);
	}
	return done;
}

/* --- in the background --- */

static bool in_background(const struct object *o)
{
	return can_be_cleaned(o) && !load_relaxed(&o->kept_dirty);
}

void writeback_run(u64 now, u64 expired)
{
	store_relaxed(&time_now_ns, now);
	for (u64 looks = object_count(); looks; looks--) {
		struct object *o = objects_rotate(in_background);

		if (!o)
			continue;
		if (load_relaxed(&o->dirty_since) <= expired || writeback_is_due()) {
			struct pass w = pass_of(0, UINT64_MAX, PAGE_DIRTY, false);

			store_relaxed(&o->dirty_since, now);
			object_pass(o, &w);
		}
		object_put(o);
	}
}

void writeback_balance(struct object *o)
{
	if (!can_be_cleaned(o) ||
	    load_relaxed(&dirty_frames) <=
		    limit_frames(&mm_tunables.dirty_ratio, &mm_tunables.dirty_bytes))
		return;
	object_write_some(o, BALANCE_PAGES);
}
