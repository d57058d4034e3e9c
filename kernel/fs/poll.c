/*
 * poll.c - waiting for several files at once, for poll and select.
 *
 * The set puts a waiter on every queue that the files name, once, and keeps them there until it
 * ends; a wake-up sets `triggered`. A wake-up between asking and parking is not lost, because
 * `triggered` is cleared before the files are asked and tested after the park is announced.
 */
#include "fs/poll.h"

#include "fs/vfs.h"
#include "lib/atomic.h"
#include "mm/slab.h"

#define CHUNK_ENTRIES 32

struct poll_chunk {
	struct poll_chunk *next;
	struct poll_entry entries[CHUNK_ENTRIES];
};

u32 file_poll(struct file *f, struct poll_table *pt)
{
	if (f->ops->poll)
		return f->ops->poll(f, pt);
	return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM;
}

static bool entry_wake(struct waiter *w, u64 key)
{
	struct poll_entry *e = container_of(w, struct poll_entry, waiter);

	if (!(key & e->events))
		return false;
	store_release(&e->set->triggered, true);
	thread_unpark(e->set->thread);
	return true;
}

/* The next unused entry, or NULL without memory. */
static struct poll_entry *entry_new(struct poll_set *s)
{
	u32 i = s->count;

	if (i < POLL_INLINE_ENTRIES) {
		s->count++;
		return &s->entries[i];
	}
	i = (i - POLL_INLINE_ENTRIES) % CHUNK_ENTRIES;
	if (i == 0) {
		struct poll_chunk *c = kmalloc(sizeof(*c));

		if (!c)
			return NULL;
		c->next = s->chunks;
		s->chunks = c;
	}
	s->count++;
	return &s->chunks->entries[i];
}

static void set_add(struct poll_table *pt, struct file *f, struct waitq *q)
{
	struct poll_set *s = container_of(pt, struct poll_set, table);
	struct poll_entry *e = entry_new(s);

	if (!e) {
		s->error = -ENOMEM;
		return;
	}
	waiter_init(&e->waiter);
	e->waiter.wake = entry_wake;
	e->q = q;
	e->set = s;
	e->events = s->events;
	file_get(f);
	e->file = f;
	waitq_add(q, &e->waiter);
}

void poll_set_init(struct poll_set *s)
{
	s->table.add = set_add;
	s->thread = thread_current();
	s->triggered = s->registered = false;
	s->error = 0;
	s->count = 0;
	s->chunks = NULL;
	full_barrier();
}

u32 poll_set_ask(struct poll_set *s, struct file *f, u32 events)
{
	events |= EPOLLERR | EPOLLHUP;
	s->events = events;
	return file_poll(f, s->registered ? NULL : &s->table) & events;
}

int poll_set_wait(struct poll_set *s, u64 deadline)
{
	int err;

	if (s->error)
		return s->error;
	s->registered = true;
	thread_prepare_park();
	full_barrier();
	if (load_acquire(&s->triggered)) {
		thread_cancel_park();
		err = 0;
	} else {
		err = thread_park(true, deadline);
	}
	if (load_acquire(&s->triggered))
		err = 0;
	store_relaxed(&s->triggered, false);
	full_barrier();
	return err;
}

static void entry_end(struct poll_entry *e)
{
	waitq_remove(e->q, &e->waiter);
	file_put(e->file);
}

void poll_set_end(struct poll_set *s)
{
	u32 in_chunk = s->count > POLL_INLINE_ENTRIES
			       ? (s->count - POLL_INLINE_ENTRIES - 1) % CHUNK_ENTRIES + 1
			       : 0;
	struct poll_chunk *c = s->chunks, *next;

	for (u32 i = 0; i < min(s->count, (u32)POLL_INLINE_ENTRIES); i++)
		entry_end(&s->entries[i]);
	for (; c; c = next) {
		next = c->next;
		for (u32 i = 0; i < in_chunk; i++)
			entry_end(&c->entries[i]);
		in_chunk = CHUNK_ENTRIES;
		kfree(c);
	}
}
