/*
 * buffer.c - the memory that data wait in between sending and receiving; see buffer.h.
 *
 * The rule: a byte is copied once into a buffer and once out of it, and buffers move between lists
 * as they are.
 */
#include "net/buffer.h"

#include "lib/err.h"
#include "lib/print.h"
#include "mm/frame.h"
#include "mm/slab.h"

#define SMALL_MAX 1024u /* bytes of a buffer that is one kernel object, header included */

static struct net_buffer *small_new(size_t n)
{
	struct net_buffer *b = kmalloc(sizeof(*b) + n);

	if (b)
		*b = (struct net_buffer){ .data = (u8 *)(b + 1),
					  .capacity = (u32)n,
					  .charge = (u32)(sizeof(*b) + n) };
	return b;
}

static struct net_buffer *page_new(void)
{
	struct net_buffer *b = kmalloc(sizeof(*b));
	struct page *page = b ? frame_alloc(PAGE_KERNEL) : NULL;

	if (!page) {
		kfree(b);
		return NULL;
	}
	*b = (struct net_buffer){ .data = frame_data(page),
				  .capacity = PAGE_SIZE,
				  .charge = (u32)(sizeof(*b) + PAGE_SIZE) };
	return b;
}

struct net_buffer *net_buffer_new(size_t n)
{
	struct net_buffer *b = n <= SMALL_MAX - sizeof(*b) ? small_new(n) : page_new();

	if (b)
		list_init(&b->link);
	return b;
}

void net_buffer_free(struct net_buffer *b)
{
	debug_assert(!b->ancillary);
	if (b->data != (u8 *)(b + 1))
		frame_free(frame_of(b->data));
	kfree(b);
}

void net_buffers_free(struct list *list)
{
	struct net_buffer *b, *next;

	list_for_each_safe (b, next, list, link) {
		list_remove(&b->link);
		net_buffer_free(b);
	}
}

int net_buffers_fill(struct list *list, struct iter *it, size_t n, u64 *charge)
{
	struct list filled = LIST_INIT(filled);
	struct net_buffer *b, *next;
	u64 cost = 0;

	while (n) {
		size_t part;

		b = net_buffer_new(n);
		if (!b) {
			net_buffers_free(&filled);
			return -ENOMEM;
		}
		list_push_back(&filled, &b->link);
		part = min(n, (size_t)b->capacity);
		if (iter_copy_from(it, b->data, part) < part) {
			net_buffers_free(&filled);
			return -EFAULT;
		}
		b->length = (u32)part;
		cost += b->charge;
		n -= part;
	}
	list_for_each_safe (b, next, &filled, link) {
		list_remove(&b->link);
		list_push_back(list, &b->link);
	}
	*charge += cost;
	return 0;
}

size_t net_buffers_copy(const struct list *list, size_t from, struct iter *it, size_t n)
{
	const struct net_buffer *b;
	size_t done = 0;

	list_for_each (b, list, link) {
		size_t part;

		if (from >= b->length) {
			from -= b->length;
			continue;
		}
		part = min(n - done, (size_t)b->length - from);
		if (iter_copy_to(it, b->data + b->offset + from, part) < part)
			return done;
		done += part;
		from = 0;
		if (done == n)
			break;
	}
	return done;
}
