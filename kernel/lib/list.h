/*
 * list.h - a circular doubly linked list whose links live inside the elements.
 *
 * Whoever changes a list holds its lock; a look at whether it is empty, whose answer is old at once,
 * may be taken without.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/atomic.h"
#include "lib/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(l)       \
	{                  \
		&(l), &(l) \
	}

static inline void list_init(struct list *l)
{
	l->prev = l;
	store_relaxed(&l->next, l);
}

static inline bool list_empty(const struct list *l)
{
	return load_relaxed(&l->next) == l;
}

static inline void list_insert_between(struct list *item, struct list *prev, struct list *next)
{
	item->prev = prev;
	item->next = next;
	store_relaxed(&prev->next, item);
	next->prev = item;
}

/* Put item right after head (first). */
static inline void list_push_front(struct list *head, struct list *item)
{
	list_insert_between(item, head, head->next);
}

/* Put item right before head (last). */
static inline void list_push_back(struct list *head, struct list *item)
{
	list_insert_between(item, head->prev, head);
}

/* Take item out; it becomes an empty list, so that a second removal is harmless. */
static inline void list_remove(struct list *item)
{
	store_relaxed(&item->prev->next, item->next);
	item->next->prev = item->prev;
	list_init(item);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) \
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_for_each(pos, head, member)                                                       \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
/* As list_for_each, when the body may remove pos. */
#define list_for_each_safe(pos, tmp, head, member)                        \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),    \
	    tmp = list_entry(pos->member.next, __typeof__(*pos), member); \
	     &pos->member != (head);                                      \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
