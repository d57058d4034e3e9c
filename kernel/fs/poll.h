/*
 * poll.h - readiness: how a file says what it is ready for, and how poll, select and epoll learn of
 * changes.
 *
 * A file_ops.poll registers the wait queues whose wake-ups may change the answer (poll_wait), then
 * returns the EPOLL* bits that hold now. A queue lives as long as the file. Who wakes passes the
 * EPOLL* bits that may have come true as the key (waitq_wake_key), or all.
 */
#ifndef FS_POLL_H
#define FS_POLL_H

#include <linux/eventpoll.h>

#include "lib/waitq.h"

struct file;

struct poll_table {
	/* Called for each queue; NULL: only the state is asked. */
	void (*add)(struct poll_table *pt, struct file *f, struct waitq *q);
};

static inline void poll_wait(struct poll_table *pt, struct file *f, struct waitq *q)
{
	if (pt && pt->add)
		pt->add(pt, f, q);
}

/* What f is ready for; a file without the operation is always readable and writable. */
u32 file_poll(struct file *f, struct poll_table *pt);

/* --- fs/poll.c: one thread waits for several files --- */

struct poll_entry;
#define POLL_INLINE_ENTRIES 4

struct poll_entry {
	struct waiter waiter;
	struct waitq *q;
	struct file *file; /* counted */
	struct poll_set *set;
	u32 events; /* wake for these */
};

struct poll_set {
	struct poll_table table;
	struct thread *thread;
	bool triggered;            /* A: something has happened since the files were asked */
	bool registered;           /* all files have been asked once */
	int error;                 /* -ENOMEM: could not register */
	u32 events;                /* of the file that is being asked */
	u32 count;                 /* entries in use */
	struct poll_chunk *chunks; /* behind the inline ones */
	struct poll_entry entries[POLL_INLINE_ENTRIES];
};

void poll_set_init(struct poll_set *s);
/*
 * What of `events` (and EPOLLERR, EPOLLHUP) f is ready for. The first time, f wakes the set from
 * then on.
 */
u32 poll_set_ask(struct poll_set *s, struct file *f, u32 events);
/*
 * All files were asked and none was ready: wait until one may be. 0: ask again; -ETIMEDOUT, -EINTR,
 * -ENOMEM.
 */
int poll_set_wait(struct poll_set *s, u64 deadline);
void poll_set_end(struct poll_set *s);

/* --- fs/epoll.c: sets of files that stay registered; events and data as in epoll_ctl(2) --- */

struct file *epoll_create(void); /* ERR_PTR */
bool file_is_epoll(const struct file *f);
/*
 * Add f under fd, change it, take it out: 0, -EEXIST, -ENOENT, -EPERM (cannot be waited for),
 * -EINVAL, -ELOOP, -ENOMEM. ep is an epoll file.
 */
int epoll_add(struct file *ep, struct file *f, int fd, u32 events, u64 data);
int epoll_change(struct file *ep, struct file *f, int fd, u32 events, u64 data);
int epoll_remove(struct file *ep, struct file *f, int fd);
/*
 * Wait until the deadline (0: not at all) for events and tell them, at most max: how many, or
 * -EINTR, or the error of emit where it was the first. emit may sleep.
 */
int epoll_collect(struct file *ep, u32 max, u64 deadline,
		  int (*emit)(void *arg, u32 events, u64 data), void *arg);
/* The open file is about to be released: it leaves all sets. Called where file->watchers is set. */
void epoll_file_released(struct file *f);

#endif
