/*
 * memfs_xattr.c - extended attributes of memfs, in memory. (Those of lower files are not read:
 * asking for each costs the host a file opened.) Who may do what with them is decided in xattr.c.
 */
#include <linux/xattr.h>

#include "fs/memfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"

struct xattr {
	struct list link; /* in memfs_node.xattrs */
	size_t size;
	char *name;
	u8 value[];
};

static struct xattr *xattr_find(struct memfs_node *n, const char *name)
{
	struct xattr *x;

	list_for_each (x, &n->xattrs, link)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

static void xattr_free(struct xattr *x)
{
	list_remove(&x->link);
	kfree(x->name);
	kfree(x);
}

ssize memfs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	struct xattr *x = xattr_find(memfs_node_of(inode), name);

	if (!x)
		return -ENODATA;
	if (size == 0)
		return (ssize)x->size;
	if (size < x->size)
		return -ERANGE;
	memcpy(value, x->value, x->size);
	return (ssize)x->size;
}

int memfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct memfs_node *n = memfs_node_of(inode);
	struct xattr *old = xattr_find(n, name), *x;

	if (old && flags & XATTR_CREATE)
		return -EEXIST;
	if (!old && flags & XATTR_REPLACE)
		return -ENODATA;
	x = kmalloc(sizeof(*x) + size);
	if (!x)
		return -ENOMEM;
	x->name = kstrdup(name);
	if (!x->name) {
		kfree(x);
		return -ENOMEM;
	}
	x->size = size;
	memcpy(x->value, value, size);
	list_push_back(&n->xattrs, &x->link);
	if (old)
		xattr_free(old);
	memfs_pin(inode);
	inode->ctime = time_now();
	return 0;
}

ssize memfs_listxattr(struct inode *inode, char *list, size_t size)
{
	struct xattr *x;
	size_t total = 0;

	list_for_each (x, &memfs_node_of(inode)->xattrs, link) {
		size_t n = strlen(x->name) + 1;

		if (size) {
			if (total + n > size)
				return -ERANGE;
			memcpy(list + total, x->name, n);
		}
		total += n;
	}
	return (ssize)total;
}

int memfs_removexattr(struct inode *inode, const char *name)
{
	struct xattr *x = xattr_find(memfs_node_of(inode), name);

	if (!x)
		return -ENODATA;
	xattr_free(x);
	inode->ctime = time_now();
	return 0;
}

void memfs_xattr_free(struct memfs_node *n)
{
	while (!list_empty(&n->xattrs))
		xattr_free(list_first(&n->xattrs, struct xattr, link));
}
