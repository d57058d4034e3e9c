/* path.c - path names that come from a program. */
#include "sys/path.h"

#include <linux/limits.h>

#include "mm/slab.h"

/* The string at user: into small if it fits. */
static int name_get(struct user_path *p, const char __user *user)
{
	ssize n;

	p->name = p->small;
	n = string_from_user(p->small, user, sizeof(p->small));
	if (n != -ENAMETOOLONG)
		return n < 0 ? (int)n : 0;
	p->name = kmalloc(PATH_MAX);
	if (!p->name)
		return -ENOMEM;
	n = string_from_user(p->name, user, PATH_MAX);
	if (n >= 0)
		return 0;
	kfree(p->name);
	return (int)n;
}

static void name_put(struct user_path *p)
{
	if (p->name != p->small)
		kfree(p->name);
}

int user_path_get(struct user_path *p, int dirfd, const char __user *user, int at_flags)
{
	int err = name_get(p, user);

	if (err)
		return err;
	p->start = NULL;
	p->base = NULL;
	if (!p->name[0] && !(at_flags & AT_EMPTY_PATH)) {
		name_put(p);
		return -ENOENT;
	}
	if (p->name[0] == '/' || dirfd == AT_FDCWD)
		return 0;
	p->base = fd_file_any(dirfd);
	if (!p->base) {
		name_put(p);
		return -EBADF;
	}
	p->start = &p->base->path;
	return 0;
}

void user_path_put(struct user_path *p)
{
	if (p->base)
		file_put(p->base);
	name_put(p);
}

int user_path_lookup(int dirfd, const char __user *user, int at_flags, u32 lookup_flags,
		     struct path *out)
{
	struct user_path p;
	int err = user_path_get(&p, dirfd, user, at_flags);

	if (err)
		return err;
	err = path_lookup(p.start, p.name, lookup_flags, out);
	user_path_put(&p);
	return err;
}

int fd_path(int fd, bool any, struct path *out)
{
	struct file *f = any ? fd_file_any(fd) : fd_file(fd);

	if (!f)
		return -EBADF;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}
