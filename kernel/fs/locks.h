/*
 * locks.h - advisory locks: flock(2) locks of open files, and record locks of processes (POSIX) and
 * of open files (OFD).
 */
#ifndef FS_LOCKS_H
#define FS_LOCKS_H

#include "fs/vfs.h"

enum lock_type { LOCK_TYPE_READ, LOCK_TYPE_WRITE, LOCK_TYPE_NONE };

struct record_lock {
	enum lock_type type;
	u64 start, end; /* first and last byte */
	s32 pid;        /* of who holds it; -1: an open file */
};

/* flock: type NONE unlocks. 0, -EAGAIN (EWOULDBLOCK) without wait, -ERESTARTSYS, -ENOMEM. */
int locks_flock(struct file *f, enum lock_type type, bool wait);
/*
 * fcntl F_SETLK, F_SETLKW (wait), and with ofd F_OFD_SETLK(W): 0, -EAGAIN, -EBADF (the file is not
 * open for it), -EDEADLK, -ERESTARTSYS, -ENOMEM. The caller makes sure that fd still means f
 * afterwards (a concurrent close would leave the lock behind).
 */
int locks_record_set(struct file *f, const struct record_lock *l, bool ofd, bool wait);
/*
 * F_GETLK, F_OFD_GETLK: the first lock that stands in the way replaces *l; none: l->type becomes
 * NONE.
 */
int locks_record_get(struct file *f, struct record_lock *l, bool ofd);

/* /proc/locks: one line for each lock. */
void locks_for_each(void (*fn)(const char *line, void *arg), void *arg);

#endif
