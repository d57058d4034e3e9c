/*
 * area.c - the index of areas: a persistent treap.
 *
 * Central rule: a node is never changed once it can be reached from a published root. An edit makes
 * new nodes for the path that it touches and shares the rest, by counts, with the old tree; whoever
 * holds the old root sees it unchanged. So fork is "one more reference", and an edit that runs out
 * of memory drops what it made and nothing has happened. What an edit made itself, and nobody else
 * refers to, it changes in place (node_open). The search functions use what each node knows about
 * all areas below it.
 */
#include "mm/area.h"

#include "lib/print.h"
#include "lib/string.h"
#include "mm/area_priv.h"
#include "mm/slab.h"

static struct slab_cache area_cache, node_cache;

void area_system_init(void)
{
	slab_cache_init(&area_cache, "area", sizeof(struct area));
	slab_cache_init(&node_cache, "area_node", sizeof(struct area_node));
}

u64 area_live_count(void)
{
	return slab_objects(&area_cache);
}

u64 area_node_live_count(void)
{
	return slab_objects(&node_cache);
}

/* --- areas --- */

struct area *area_new(const struct area *model)
{
	struct area *a = slab_alloc(&area_cache);

	if (!a)
		return NULL;
	*a = *model;
	ref_init(&a->refs);
	if (a->object) {
		object_get(a->object);
		atomic_add(&a->object->mapped_areas, 1);
	}
	if (a->file)
		a->file_ops->get(a->file);
	return a;
}

void area_put(struct area *a)
{
	if (!ref_put(&a->refs))
		return;
	if (a->object) {
		atomic_sub(&a->object->mapped_areas, 1);
		object_put(a->object);
	}
	if (a->file)
		a->file_ops->put(a->file);
	slab_free(&area_cache, a);
}

struct area *area_part(const struct area *a, u64 start, u64 end, u64 space)
{
	struct area part = area_model(a);

	debug_assert(start >= a->start && end <= a->end && start < end);
	part.start = start;
	part.end = end;
	part.offset = a->offset + (start - a->start);
	part.anon = area_anon(a, space); /* the parts stay of one kind */
	part.anon_space = space;
	return area_new(&part);
}

/* --- nodes --- */

void areas_get(struct area_node *n)
{
	if (n)
		ref_get(&n->refs);
}

/* Recurses to the left and loops to the right: a treap's depth is logarithmic. */
void areas_put(struct area_node *n)
{
	while (n && ref_put(&n->refs)) {
		struct area_node *right = n->right;

		areas_put(n->left);
		area_put(n->area);
		slab_free(&node_cache, n);
		n = right;
	}
}

static u32 priority_next(void)
{
	static u64 state = 0x9e3779b97f4a7c15ull;
	u64 x = atomic_add_return(
		&state,
		0x9e3779b97f4a7c15ull); /* Weyl sequence, mixed: any well-spread numbers do */

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return (u32)(x >> 32);
}

static const struct area_summary summary_empty;

const struct area_summary *areas_summary(const struct area_node *root)
{
	return root ? &root->sum : &summary_empty;
}

void area_summarize(struct area_summary *s, const struct area *a, const struct area_node *left,
		    const struct area_node *right)
{
	const struct area_summary *l = areas_summary(left), *r = areas_summary(right);
	u64 bytes = a->end - a->start, gap = max(l->gap, r->gap);

	s->bytes = bytes + l->bytes + r->bytes;
	s->account = (a->flags & AREA_ACCOUNT ? bytes : 0) + l->account + r->account;
	s->data = (area_is_data(a->flags) ? bytes : 0) + l->data + r->data;
	s->locked = (a->flags & AREA_LOCKED ? bytes : 0) + l->locked + r->locked;
	s->first = left ? l->first : a->start;
	s->last = right ? r->last : a->end;
	if (left)
		gap = max(gap, a->start - l->last);
	if (right)
		gap = max(gap, r->first - a->end);
	s->gap = gap;
	s->count = 1 + l->count + r->count;
	s->flags = (a->flags & AREA_SUMMARY_FLAGS) | l->flags | r->flags;
}

/* --- searching --- */

struct area *areas_find(const struct area_node *n, u64 va)
{
	while (n) {
		if (va < n->area->start)
			n = n->left;
		else if (va >= n->area->end)
			n = n->right;
		else
			return n->area;
	}
	return NULL;
}

struct area *areas_find_sole(const struct area_node *n, u64 va)
{
	while (n && load_acquire(&n->refs.n) == 1) {
		if (va < n->area->start)
			n = n->left;
		else if (va >= n->area->end)
			n = n->right;
		else
			return load_acquire(&n->area->refs.n) == 1 ? n->area : NULL;
	}
	return NULL;
}

struct area *areas_find_next(const struct area_node *n, u64 va)
{
	struct area *best = NULL;

	while (n) {
		if (n->area->end > va) {
			best = n->area;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

struct area *areas_find_prev(const struct area_node *n, u64 va)
{
	struct area *best = NULL;

	while (n) {
		if (n->area->start < va) {
			best = n->area;
			n = n->right;
		} else {
			n = n->left;
		}
	}
	return best;
}

/* The size of [from, to) inside the window [low, limit). */
static u64 hole_size(u64 from, u64 to, u64 low, u64 limit)
{
	from = max(from, low);
	to = min(to, limit);
	return to > from ? to - from : 0;
}

/*
 * Can any hole below n, or between n's areas and its neighbours' edges prev and next, hold size
 * bytes?
 */
static bool hole_possible(const struct area_node *n, u64 prev, u64 next, u64 size)
{
	return n->sum.gap >= size || n->sum.first - prev >= size || next - n->sum.last >= size;
}

/* prev: end of the area before n's, next: start of the one after. */
static u64 gap_down(const struct area_node *n, u64 prev, u64 next, u64 low, u64 limit, u64 size)
{
	u64 found;

	if (!n)
		return hole_size(prev, next, low, limit) >= size ? min(next, limit) - size : 0;
	if (next <= low || prev >= limit || !hole_possible(n, prev, next, size))
		return 0;
	found = gap_down(n->right, n->area->end, next, low, limit, size);
	return found ? found : gap_down(n->left, prev, n->area->start, low, limit, size);
}

u64 areas_find_gap_down(const struct area_node *root, u64 low, u64 limit, u64 size)
{
	return gap_down(root, 0, UINT64_MAX, low, limit, size);
}

static u64 gap_up(const struct area_node *n, u64 prev, u64 next, u64 low, u64 limit, u64 size)
{
	u64 found;

	if (!n)
		return hole_size(prev, next, low, limit) >= size ? max(prev, low) : 0;
	if (next <= low || prev >= limit || !hole_possible(n, prev, next, size))
		return 0;
	found = gap_up(n->left, prev, n->area->start, low, limit, size);
	return found ? found : gap_up(n->right, n->area->end, next, low, limit, size);
}

u64 areas_find_gap_up(const struct area_node *root, u64 low, u64 limit, u64 size)
{
	return gap_up(root, 0, UINT64_MAX, low, limit, size);
}

int areas_for_each(const struct area_node *n, u64 start, u64 end,
		   int (*fn)(struct area *a, void *arg), void *arg)
{
	int r;

	if (!n || n->sum.last <= start || n->sum.first >= end)
		return 0;
	r = areas_for_each(n->left, start, end, fn, arg);
	if (r)
		return r;
	if (n->area->end > start && n->area->start < end) {
		r = fn(n->area, arg);
		if (r)
			return r;
	}
	return areas_for_each(n->right, start, end, fn, arg);
}

int areas_for_each_flag(const struct area_node *n, u32 flags, int (*fn)(struct area *a, void *arg),
			void *arg)
{
	int r;

	if (!n || !(n->sum.flags & flags))
		return 0;
	r = areas_for_each_flag(n->left, flags, fn, arg);
	if (r)
		return r;
	if (n->area->flags & flags) {
		r = fn(n->area, arg);
		if (r)
			return r;
	}
	return areas_for_each_flag(n->right, flags, fn, arg);
}

/* --- edits --- */

/*
 * A node taken apart, to be changed and put together again. It takes the references of one that
 * nobody else refers to, and that one's memory: the steps of an edit do not copy what the steps
 * before made. A published root has a reference that is not the edit's, so all below it is copied.
 */
struct open_node {
	struct area_node *memory; /* to be used again, or NULL */
	struct area *area;        /* references */
	struct area_node *left, *right;
	u32 priority;
};

/* Takes over the reference to n. */
static struct open_node node_open(struct area_node *n)
{
	struct open_node o = { n, n->area, n->left, n->right, n->priority };

	if (load_acquire(&n->refs.n) == 1)
		return o;
	o.memory = NULL;
	area_get(o.area);
	areas_get(o.left);
	areas_get(o.right);
	areas_put(n);
	return o;
}

/* Nothing is left of it. */
static void node_scrap(struct open_node *o)
{
	areas_put(o->left);
	areas_put(o->right);
	area_put(o->area);
	if (o->memory)
		slab_free(&node_cache, o->memory);
}

/* A counted node in *out; or -ENOMEM: NULL, and everything is given up. */
static int node_close(struct open_node *o, struct area_node **out)
{
	struct area_node *n = o->memory ? o->memory : slab_alloc(&node_cache);

	*out = n;
	if (!n) {
		node_scrap(o);
		return -ENOMEM;
	}
	ref_init(&n->refs);
	n->priority = o->priority;
	n->area = o->area;
	n->left = o->left;
	n->right = o->right;
	area_summarize(&n->sum, n->area, n->left, n->right);
	return 0;
}

/*
 * All that follows takes over the references to the trees that it is given, also on failure: then
 * what it returns is NULL. No area lies across the key.
 */
static int node_split(struct area_node *n, u64 key, struct area_node **low, struct area_node **high)
{
	struct area_node **side, **other;
	int err;

	*low = *high = NULL;
	if (!n)
		return 0;
	if (key <= n->sum.first || key >= n->sum.last) {
		*(key <= n->sum.first ? high : low) = n;
		return 0;
	}
	struct open_node o = node_open(n);
	if (o.area->start < key) {
		err = node_split(o.right, key, &o.right, high);
		side = low;
		other = high;
	} else {
		err = node_split(o.left, key, low, &o.left);
		side = high;
		other = low;
	}
	if (err) {
		node_scrap(&o);
		return err;
	}
	err = node_close(&o, side);
	if (err) {
		areas_put(*other);
		*other = NULL;
	}
	return err;
}

/* Join two trees, all of low below all of high. */
static int node_join(struct area_node *low, struct area_node *high, struct area_node **out)
{
	struct open_node o;
	int err;

	if (!low || !high) {
		*out = low ? low : high;
		return 0;
	}
	if (low->priority >= high->priority) {
		o = node_open(low);
		err = node_join(o.right, high, &o.right);
	} else {
		o = node_open(high);
		err = node_join(low, o.left, &o.left);
	}
	if (!err)
		return node_close(&o, out);
	node_scrap(&o);
	*out = NULL;
	return err;
}

/* Put a (its own reference is taken) where nothing is. */
static int node_insert(struct area_node *n, struct area *a, u32 priority, struct area_node **out)
{
	struct open_node o;
	int err;

	if (n && n->priority >= priority) {
		o = node_open(n);
		err = a->start < o.area->start ? node_insert(o.left, a, priority, &o.left)
					       : node_insert(o.right, a, priority, &o.right);
	} else {
		area_get(a);
		o = (struct open_node){ .area = a, .priority = priority };
		err = node_split(n, a->start, &o.left, &o.right);
	}
	if (!err)
		return node_close(&o, out);
	node_scrap(&o);
	*out = NULL;
	return err;
}

/*
 * What becomes of [start, end): areas in it go, areas across its edges are shortened, and the first
 * place that one leaves goes to the new area.
 */
struct change {
	u64 start, end;
	struct area *area; /* not placed yet; NULL: none, or it is placed */
	struct area
		*rest; /* above end, of an area that was cut in two; a reference, to be inserted */
	u64 space;
};

/* o's area, which reaches over an edge of the range, is cut to what stays of it. */
static int node_shorten(struct open_node *o, struct change *c)
{
	struct area *a = o->area, *kept;

	if (a->start < c->start && a->end > c->end) {
		c->rest = area_part(a, c->end, a->end, c->space);
		if (!c->rest)
			return -ENOMEM;
	}
	kept = a->start < c->start ? area_part(a, a->start, c->start, c->space)
				   : area_part(a, c->end, a->end, c->space);
	if (!kept)
		return -ENOMEM;
	area_put(a);
	o->area = kept;
	return 0;
}

/* All of c but what is left in it to be inserted. */
static int node_change(struct area_node *n, struct change *c, struct area_node **out)
{
	bool goes = false;
	int err = 0;

	*out = n;
	if (!n || n->sum.last <= c->start || n->sum.first >= c->end)
		return 0;
	struct open_node o = node_open(n);
	if (o.area->start >= c->start && o.area->end <= c->end) {
		goes = !c->area;
		if (!goes) {
			area_put(o.area);
			area_get(c->area);
			o.area = c->area;
			c->area = NULL;
		}
	} else if (o.area->start < c->end && o.area->end > c->start) {
		err = node_shorten(&o, c);
	}
	if (!err)
		err = node_change(o.left, c, &o.left);
	if (!err)
		err = node_change(o.right, c, &o.right);
	if (!err && !goes)
		return node_close(&o, out);
	*out = NULL;
	if (!err) {
		err = node_join(o.left, o.right, out);
		o.left = o.right = NULL;
	}
	node_scrap(&o);
	return err;
}

int areas_set(struct area_node *root, u64 start, u64 end, struct area *a, u64 space,
	      struct area_node **out)
{
	struct change c = { .start = start, .end = end, .area = a, .space = space };
	const struct area *there = areas_find_next(root, start);
	int err = 0;

	debug_assert(!a || (a->start == start && a->end == end));
	areas_get(root);
	*out = root;
	if (there && there->start < end)
		err = node_change(root, &c, out);
	if (!err && c.rest)
		err = node_insert(*out, c.rest, priority_next(), out);
	if (!err && c.area)
		err = node_insert(*out, c.area, priority_next(), out);
	if (c.rest)
		area_put(c.rest);
	return err;
}
