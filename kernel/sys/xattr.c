/*
 * xattr.c - extended attributes: set, get, list and remove, each by name, by link and by
 * descriptor.
 */
#include "fs/xattr.h"

#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>

#include "fs/vfs.h"
#include "mm/slab.h"
#include "sys/path.h"
#include "sys/syscall.h"

#define VALUE_MAX XATTR_SIZE_MAX
#define LIST_MAX XATTR_LIST_MAX

/* The place of a call: by name, or (name NULL) by descriptor. */
static int place_get(int fd, const char __user *name, u32 lookup_flags, struct path *out)
{
	return name ? user_path_lookup(AT_FDCWD, name, 0, lookup_flags, out)
		    : fd_path(fd, false, out);
}

/* The attribute's name into buf, XATTR_NAME_MAX + 1 bytes. */
static int attribute_name(char *buf, const char __user *user)
{
	ssize n = string_from_user(buf, user, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

/* --- set --- */

static long set_at(const struct path *p, const char __user *user_name, const void __user *user,
		   size_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	void *value;
	long result;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	result = attribute_name(name, user_name);
	if (result)
		return result;
	if (size > VALUE_MAX)
		return -E2BIG;
	value = kmalloc(size ? size : 1);
	if (!value)
		return -ENOMEM;
	if (copy_from_user(value, user, size))
		result = -EFAULT;
	else
		result = vfs_setxattr(p, name, value, size, flags);
	kfree(value);
	return result;
}

static long do_set(int fd, const char __user *path, u32 lookup_flags, const char __user *name,
		   const void __user *value, size_t size, int flags)
{
	struct path p;
	long result = place_get(fd, path, lookup_flags, &p);

	if (result)
		return result;
	result = set_at(&p, name, value, size, flags);
	path_put(&p);
	return result;
}

SYSCALL5(setxattr, const char __user *, path, const char __user *, name, const void __user *, value,
	 size_t, size, int, flags)
{
	return path ? do_set(-1, path, LOOKUP_FOLLOW, name, value, size, flags) : -EFAULT;
}

SYSCALL5(lsetxattr, const char __user *, path, const char __user *, name, const void __user *,
	 value, size_t, size, int, flags)
{
	return path ? do_set(-1, path, 0, name, value, size, flags) : -EFAULT;
}

SYSCALL5(fsetxattr, int, fd, const char __user *, name, const void __user *, value, size_t, size,
	 int, flags)
{
	return do_set(fd, NULL, 0, name, value, size, flags);
}

/* --- get --- */

static ssize get_at(const struct path *p, const char __user *user_name, void __user *user,
		    size_t size)
{
	char name[XATTR_NAME_MAX + 1];
	ssize result = attribute_name(name, user_name);
	void *value;

	if (result)
		return result;
	size = min(size, (size_t)VALUE_MAX);
	value = kmalloc(size ? size : 1);
	if (!value)
		return -ENOMEM;
	result = vfs_getxattr(p, name, value, size);
	if (result > 0 && size && copy_to_user(user, value, (size_t)result))
		result = -EFAULT;
	kfree(value);
	return result;
}

static ssize do_get(int fd, const char __user *path, u32 lookup_flags, const char __user *name,
		    void __user *value, size_t size)
{
	struct path p;
	ssize result = place_get(fd, path, lookup_flags, &p);

	if (result)
		return result;
	result = get_at(&p, name, value, size);
	path_put(&p);
	return result;
}

SYSCALL4(getxattr, const char __user *, path, const char __user *, name, void __user *, value,
	 size_t, size)
{
	return path ? do_get(-1, path, LOOKUP_FOLLOW, name, value, size) : -EFAULT;
}

SYSCALL4(lgetxattr, const char __user *, path, const char __user *, name, void __user *, value,
	 size_t, size)
{
	return path ? do_get(-1, path, 0, name, value, size) : -EFAULT;
}

SYSCALL4(fgetxattr, int, fd, const char __user *, name, void __user *, value, size_t, size)
{
	return do_get(fd, NULL, 0, name, value, size);
}

/* --- list --- */

static ssize list_at(const struct path *p, char __user *user, size_t size)
{
	ssize result;
	char *list;

	size = min(size, (size_t)LIST_MAX);
	list = kmalloc(size ? size : 1);
	if (!list)
		return -ENOMEM;
	result = vfs_listxattr(p, list, size);
	if (result > 0 && size && copy_to_user(user, list, (size_t)result))
		result = -EFAULT;
	kfree(list);
	return result;
}

static ssize do_list(int fd, const char __user *path, u32 lookup_flags, char __user *list,
		     size_t size)
{
	struct path p;
	ssize result = place_get(fd, path, lookup_flags, &p);

	if (result)
		return result;
	result = list_at(&p, list, size);
	path_put(&p);
	return result;
}

SYSCALL3(listxattr, const char __user *, path, char __user *, list, size_t, size)
{
	return path ? do_list(-1, path, LOOKUP_FOLLOW, list, size) : -EFAULT;
}

SYSCALL3(llistxattr, const char __user *, path, char __user *, list, size_t, size)
{
	return path ? do_list(-1, path, 0, list, size) : -EFAULT;
}

SYSCALL3(flistxattr, int, fd, char __user *, list, size_t, size)
{
	return do_list(fd, NULL, 0, list, size);
}

/* --- remove --- */

static long do_remove(int fd, const char __user *path, u32 lookup_flags,
		      const char __user *user_name)
{
	char name[XATTR_NAME_MAX + 1];
	struct path p;
	long result = place_get(fd, path, lookup_flags, &p);

	if (result)
		return result;
	result = attribute_name(name, user_name);
	if (!result)
		result = vfs_removexattr(&p, name);
	path_put(&p);
	return result;
}

SYSCALL2(removexattr, const char __user *, path, const char __user *, name)
{
	return path ? do_remove(-1, path, LOOKUP_FOLLOW, name) : -EFAULT;
}

SYSCALL2(lremovexattr, const char __user *, path, const char __user *, name)
{
	return path ? do_remove(-1, path, 0, name) : -EFAULT;
}

SYSCALL2(fremovexattr, int, fd, const char __user *, name)
{
	return do_remove(fd, NULL, 0, name);
}
