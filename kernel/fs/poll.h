/*
 * poll.h - readiness: how a file says what it is ready for, and how poll, select and epoll learn of changes.
 *
 * A file_ops.poll registers the wait queues whose wake-ups may change the answer (poll_wait), then returns the EPOLL* bits that hold now.
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

#endif
