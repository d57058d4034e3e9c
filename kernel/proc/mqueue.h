/*
 * mqueue.h - POSIX message queues for kernel/sys. mq_overview(7).
 */
#ifndef PROC_MQUEUE_H
#define PROC_MQUEUE_H

#include "fs/vfs.h"
#include "proc/calls.h"

#define MQ_PRIORITY_MAX 32768u /* mq_send(3): priorities are below */

struct mq_limits {
	s64 messages, bytes; /* how many, and how long each, at most */
};

struct mq_message {
	struct list link;
	u32 priority;
	u32 length;
	u8 data[];
};

/* NULL without memory. */
struct mq_message *mq_message_new(size_t length);
void mq_message_free(struct mq_message *m);

/*
 * Open the queue of that name (without the slash): flags O_*, limits NULL: the usual ones. ERR_PTR:
 * -ENOENT, -EEXIST, -EACCES, -EINVAL, -EMFILE (RLIMIT_MSGQUEUE), -ENOSPC, -ENOMEM.
 */
struct file *mq_open_file(const char *name, u32 flags, u32 mode, const struct mq_limits *limits);
int mq_remove(const char *name); /* -ENOENT, -EPERM */

/* f is a queue's; else all that follow give -EBADF. */
long mq_message_size(struct file *f, bool to_send); /* the longest; -EBADF: not open for that */
/* Takes m over on success. -EAGAIN, -ETIMEDOUT, -ERESTARTSYS; deadline: monotonic. */
int mq_send(struct file *f, struct mq_message *m, u64 deadline);
struct mq_message *mq_receive(struct file *f, u64 deadline); /* or ERR_PTR of the same */
/* Tell the current process of the next message into the empty queue; e NULL: no more. -EBUSY */
int mq_tell(struct file *f, const struct timer_event *e);
int mq_figures(struct file *f, struct mq_limits *limits, u64 *count);

#endif
