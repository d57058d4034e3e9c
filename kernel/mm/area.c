/*
 * area.c - the index of areas: a persistent treap.
 *
 * Central rule: a node is never changed once it can be reached from a published root. An edit makes
 * new nodes for the path that it touches and shares the rest, by counts, with the old tree; whoever
 * holds the old root sees it unchanged. So fork is "one more reference", and an edit that runs out
 * of memory drops what it made and nothing has happened. Every edit is a split at an address and a
 * join (the two functions below that know the treap's shape); the search functions use what each
 * node knows about all areas below it.
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
	return area_cache.objects;
}

u64 area_node_live_count(void)
{
	return node_cache.objects;
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

struct area_summary area_summarize(const struct area *a, const struct area_node *left,
				   const struct area_node *right)
{
	u64 bytes = a->end - a->start;
	struct area_summary s = { .bytes = bytes,
				  .account = a->flags & AREA_ACCOUNT ? bytes : 0,
				  .data = area_is_data(a->flags) ? bytes : 0,
				  .locked = a->flags & AREA_LOCKED ? bytes : 0,
				  .first = a->start,
				  .last = a->end,
				  .count = 1,
				  .flags = a->flags & AREA_FORK_FLAGS };

	if (left) {
		s.bytes += left->sum.bytes;
		s.account += left->sum.account;
		s.data += left->sum.data;
		s.locked += left->sum.locked;
		s.count += left->sum.count;
		s.flags |= left->sum.flags;
		s.gap = max(left->sum.gap, a->start - left->sum.last);
		s.first = left->sum.first;
	}
	if (right) {
		s.bytes += right->sum.bytes;
		s.account += right->sum.account;
		s.data += right->sum.data;
		s.locked += right->sum.locked;
		s.count += right->sum.count;
		s.flags |= right->sum.flags;
		s.gap = max(s.gap, max(right->sum.gap, right->sum.first - a->end));
		s.last = right->sum.last;
	}
	return s;
}

/*
 * A node for area a over left and right. Takes over the references to left and right, also on
 * failure (NULL), when it drops them; takes its own reference on a.
 */
static struct area_node *node_make(struct area *a, struct area_node *left, struct area_node *right,
				   u32 priority)
{
	struct area_node *n = slab_alloc(&node_cache);

	if (!n) {
		areas_put(left);
		areas_put(right);
		return NULL;
	}
	ref_init(&n->refs);
	n->priority = priority;
	n->area = a;
	area_get(a);
	n->left = left;
	n->right = right;
	n->sum = area_summarize(a, left, right);
	return n;
}

/*
 * Split n (borrowed) into the areas that start below key and those that start at or above it: two
 * counted trees. An area across key goes whole to *low. -ENOMEM: both are NULL.
 */
static int node_split(struct area_node *n, u64 key, struct area_node **low, struct area_node **high)
{
	struct area_node *inner;
	int err;

	*low = *high = NULL;
	if (!n)
		return 0;
	if (key <= n->sum.first) {
		areas_get(n);
		*high = n;
		return 0;
	}
	if (key >= n->sum.last) { /* every area starts below its end */
		areas_get(n);
		*low = n;
		return 0;
	}
	if (n->area->start < key) {
		err = node_split(n->right, key, &inner, high);
		if (err)
			return err;
		areas_get(n->left);
		*low = node_make(n->area, n->left, inner, n->priority);
		if (!*low) {
			areas_put(*high);
			*high = NULL;
			return -ENOMEM;
		}
	} else {
		err = node_split(n->left, key, low, &inner);
		if (err)
			return err;
		areas_get(n->right);
		*high = node_make(n->area, inner, n->right, n->priority);
		if (!*high) {
			areas_put(*low);
			*low = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

/* Join two trees, all of low below all of high. Takes over both references, also on failure. */
static int node_join(struct area_node *low, struct area_node *high, struct area_node **out)
{
	struct area_node *inner, *n;
	int err;

	*out = NULL;
	if (!low || !high) {
		*out = low ? low : high;
		return 0;
	}
	if (low->priority >= high->priority) {
		areas_get(low->right);
		err = node_join(low->right, high, &inner);
		if (!err) {
			areas_get(low->left);
			n = node_make(low->area, low->left, inner, low->priority);
			err = n ? 0 : -ENOMEM;
		}
		areas_put(low);
	} else {
		areas_get(high->left);
		err = node_join(low, high->left, &inner);
		if (!err) {
			areas_get(high->right);
			n = node_make(high->area, inner, high->right, high->priority);
			err = n ? 0 : -ENOMEM;
		}
		areas_put(high);
	}
	if (err)
		return err;
	*out = n;
	return 0;
}

/*
 * Add area a (own reference taken) at the high end of *tree (taken over, replaced). On failure
 * *tree is dropped and NULL.
 */
static int node_append(struct area_node **tree, struct area *a)
{
	struct area_node *single = node_make(a, NULL, NULL, priority_next());
	struct area_node *low = *tree;

	*tree = NULL;
	if (!single) {
		areas_put(low);
		return -ENOMEM;
	}
	return node_join(low, single, tree);
}

/* As node_append, of the part [start, end) of a; nothing if that is empty. */
static int node_append_part(struct area_node **tree, struct area *a, u64 start, u64 end, u64 space)
{
	if (start >= end)
		return 0;
	struct area *part = area_part(a, start, end, space);
	if (!part) {
		areas_put(*tree);
		*tree = NULL;
		return -ENOMEM;
	}
	int err = node_append(tree, part);
	area_put(part);
	return err;
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

struct area_summary areas_summary(const struct area_node *root)
{
	return root ? root->sum : (struct area_summary){ 0 };
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
 * Split root around [start, end): *low has what lies below start, *high what lies from end on;
 * areas across the edges are cut, and what lay between is left out. -ENOMEM: both NULL.
 */
static int areas_around(struct area_node *root, u64 start, u64 end, u64 space,
			struct area_node **low, struct area_node **high)
{
	struct area_node *rest, *middle;
	struct area *edge;
	int err;

	/*
	 * An area that starts below `start` and reaches over it is cut; the piece past `end`, if
	 * any, is put back on the high side.
	 */
	err = node_split(root, start, low, &rest);
	if (err)
		return err;
	err = node_split(rest, end, &middle, high);
	areas_put(rest);
	if (err)
		goto fail_low;

	struct area *low_edge = areas_find(root, start);
	if (low_edge && low_edge->start == start)
		low_edge = NULL;
	edge = areas_find(root, end - 1);
	if (edge && edge->end > end) { /* keep its upper part */
		struct area_node *piece = NULL;
		err = node_append_part(&piece, edge, end, edge->end, space);
		if (!err)
			err = node_join(piece, *high, high);
		else
			areas_put(*high);
		if (err) {
			*high = NULL;
			goto fail_middle;
		}
	}
	if (low_edge) { /* replace it by its lower part */
		struct area_node *below, *gone;
		err = node_split(*low, low_edge->start, &below, &gone);
		if (err)
			goto fail_middle;
		areas_put(gone);
		areas_put(*low);
		*low = below;
		err = node_append_part(low, low_edge, low_edge->start, start, space);
		if (err)
			goto fail_middle;
	}
	areas_put(middle);
	return 0;

fail_middle:
	areas_put(middle);
	areas_put(*high);
fail_low:
	areas_put(*low);
	*low = *high = NULL;
	return err;
}

int areas_set(struct area_node *root, u64 start, u64 end, struct area *a, u64 space,
	      struct area_node **out)
{
	struct area_node *low, *high;
	int err;

	*out = NULL;
	debug_assert(!a || (a->start == start && a->end == end));
	err = areas_around(root, start, end, space, &low, &high);
	if (err)
		return err;
	err = a ? node_append(&low, a) : 0;
	if (err) {
		areas_put(high);
		return err;
	}
	return node_join(low, high, out);
}
