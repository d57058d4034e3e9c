/* mount.c - mount(2) and umount2(2): tmpfs, bind mounts, and the read-only flag of mounts. */
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mount.h>

#include "fs/memfs.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"
#include "sys/path.h"
#include "sys/syscall.h"

#define MAGIC_MASK 0xffff0000ul
#define MAGIC_VALUE 0xc0ed0000ul /* programs of 1995 put this above the flags */
#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)
#define TYPE_MAX 32

/* Text of a mount argument, NULL allowed: a kernel object, or ERR_PTR. */
static char *argument_get(const char __user *user, size_t size)
{
	char *s = kzalloc(size);
	ssize n = 0;

	if (!s)
		return ERR_PTR(-ENOMEM);
	if (user)
		n = string_from_user(s, user, size);
	if (n >= 0)
		return s;
	kfree(s);
	return ERR_PTR(n == -ENAMETOOLONG ? -EINVAL : n);
}

static int mount_new_tmpfs(const struct path *at, const char *source,
			   const char __user *user_options, bool readonly)
{
	char *options = argument_get(user_options, PAGE_SIZE);
	struct super *s;
	int err;

	if (IS_ERR(options))
		return (int)PTR_ERR(options);
	s = memfs_new_options(options);
	kfree(options);
	if (IS_ERR(s))
		return (int)PTR_ERR(s);
	err = mount_new(at, s, source, readonly ? "ro" : "");
	if (err)
		s->ops->release(s);
	return err;
}

static int mount_type(const struct path *at, const char *source, const char __user *user_type,
		      const char __user *options, bool readonly)
{
	char type[TYPE_MAX];
	ssize n = user_type ? string_from_user(type, user_type, sizeof(type)) : -EINVAL;

	if (n < 0)
		return n == -ENAMETOOLONG ? -ENODEV : (int)n;
	return strcmp(type, "tmpfs") == 0 ? mount_new_tmpfs(at, source, options, readonly)
					  : -ENODEV;
}

static int mount_at_place(const struct path *at, const char __user *source, const char __user *type,
			  u64 flags, const char __user *options)
{
	bool readonly = flags & MS_RDONLY;
	struct path from;
	char *name;
	int err;

	if (flags & MS_REMOUNT)
		return mount_set_readonly(at, readonly);
	if (flags & PROPAGATION) /* one namespace: nothing to propagate to */
		return path_is_mount_root(at) ? 0 : -EINVAL;
	if (flags & MS_MOVE)
		return -EINVAL;
	name = argument_get(source, PATH_MAX);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	if (flags & MS_BIND) {
		err = path_lookup(NULL, name, LOOKUP_FOLLOW, &from);
		if (!err) {
			err = mount_bind(&from, at, name, readonly);
			path_put(&from);
		}
	} else {
		err = mount_type(at, name[0] ? name : "none", type, options, readonly);
	}
	kfree(name);
	return err;
}

SYSCALL5(mount, const char __user *, source, const char __user *, target, const char __user *, type,
	 u64, flags, const char __user *, options)
{
	struct path at;
	int err;

	if ((flags & MAGIC_MASK) == MAGIC_VALUE)
		flags &= ~MAGIC_MASK;
	err = user_path_lookup(AT_FDCWD, target, 0, LOOKUP_FOLLOW, &at);
	if (err)
		return err;
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		err = -EPERM;
	else
		err = mount_at_place(&at, source, type, flags, options);
	path_put(&at);
	return err;
}

#define UMOUNT_FORCE 1
#define UMOUNT_DETACH 2
#define UMOUNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8

SYSCALL2(umount2, const char __user *, target, u32, flags)
{
	struct path at;
	int err;

	if (flags & ~(u32)(UMOUNT_FORCE | UMOUNT_DETACH | UMOUNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = user_path_lookup(AT_FDCWD, target, 0, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
			       &at);
	if (err)
		return err;
	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		err = -EPERM;
	else
		err = mount_remove(&at, flags & UMOUNT_DETACH);
	path_put(&at);
	return err;
}
