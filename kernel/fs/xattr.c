/*
 * xattr.c - extended attributes: who may read and change which, before the file system is asked.
 *
 * The rule (xattr(7)): user.* by the file's mode, on regular files and directories; trusted.* by
 * CAP_SYS_ADMIN, and invisible to others; security.* is read by all and written by CAP_SYS_ADMIN;
 * no file system here has any other.
 */
#include <linux/capability.h>
#include <linux/stat.h>

#include "fs/vfs_priv.h"
#include "fs/xattr.h"
#include "lib/string.h"
#include "proc/proc.h"

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int user_permission(struct inode *i, bool write)
{
	if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return write ? -EPERM : -ENODATA;
	if (write && S_ISDIR(i->mode) && i->mode & S_ISVTX && !inode_owned(i))
		return -EPERM;
	return vfs_permission(i, write ? MAY_WRITE : MAY_READ);
}

static int xattr_permission(const struct path *p, const char *name, bool write)
{
	if (write && path_readonly(p))
		return -EROFS;
	if (has_prefix(name, "user."))
		return user_permission(p->dentry->inode, write);
	if (has_prefix(name, "trusted.")) {
		if (cred_capable(cred_current(), CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (has_prefix(name, "security."))
		return write && !cred_capable(cred_current(), CAP_SYS_ADMIN) ? -EPERM : 0;
	return -EOPNOTSUPP;
}

/* May it be done, and is there a name behind the first dot? */
static int xattr_check(const struct path *p, const char *name, bool write)
{
	int err = xattr_permission(p, name, write);
	const char *c = name;

	while (*c && *c != '.')
		c++;
	return !err && (!*c || !c[1]) ? -EINVAL : err;
}

ssize vfs_getxattr(const struct path *p, const char *name, void *value, size_t size)
{
	struct inode *i = p->dentry->inode;
	ssize result = xattr_check(p, name, false);

	if (result)
		return result;
	if (!i->ops || !i->ops->getxattr)
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	result = i->ops->getxattr(i, name, value, size);
	mutex_unlock(&i->lock);
	return result;
}

int vfs_setxattr(const struct path *p, const char *name, const void *value, size_t size, int flags)
{
	struct inode *i = p->dentry->inode;
	int err = xattr_check(p, name, true);

	if (err)
		return err;
	if (!i->ops || !i->ops->setxattr)
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	err = i->ops->setxattr(i, name, value, size, flags);
	mutex_unlock(&i->lock);
	return err;
}

ssize vfs_listxattr(const struct path *p, char *list, size_t size)
{
	struct inode *i = p->dentry->inode;
	ssize result;

	if (!i->ops || !i->ops->listxattr)
		return 0;
	mutex_lock(&i->lock);
	result = i->ops->listxattr(i, list, size);
	mutex_unlock(&i->lock);
	return result;
}

int vfs_removexattr(const struct path *p, const char *name)
{
	struct inode *i = p->dentry->inode;
	int err = xattr_check(p, name, true);

	if (err)
		return err;
	if (!i->ops || !i->ops->removexattr)
		return -EOPNOTSUPP;
	mutex_lock(&i->lock);
	err = i->ops->removexattr(i, name);
	mutex_unlock(&i->lock);
	return err;
}
