/*
 * path.h - path names that come from a program: fetching them, and where a relative one begins.
 */
#ifndef SYS_PATH_H
#define SYS_PATH_H

#include <linux/fcntl.h>

#include "fs/vfs.h"
#include "sys/syscall.h"

#define SHORT_PATH 160

struct user_path {
	char *name;               /* `small`, or a kernel object */
	const struct path *start; /* NULL: the current directory */
	struct file *base;        /* counted: whose path start is; NULL */
	char small[SHORT_PATH];
};

/*
 * Fetch the name at `user`, to be looked up from dirfd (AT_FDCWD: the current directory). 0,
 * -EFAULT, -ENAMETOOLONG, -ENOMEM, -ENOENT (empty, and at_flags has no AT_EMPTY_PATH), -EBADF.
 * user_path_put ends it on success.
 */
int user_path_get(struct user_path *p, int dirfd, const char __user *user, int at_flags);
void user_path_put(struct user_path *p);
/* Fetch and look up with LOOKUP_* flags: a counted place. */
int user_path_lookup(int dirfd, const char __user *user, int at_flags, u32 lookup_flags,
		     struct path *out);
/* The place of an open file: counted, or -EBADF; any: also opened with O_PATH. */
int fd_path(int fd, bool any, struct path *out);

/* LOOKUP_* for the AT_* of calls that follow unless AT_SYMLINK_NOFOLLOW. */
static inline u32 at_lookup_flags(int at_flags)
{
	return (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	       (at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

#endif
