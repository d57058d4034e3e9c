/*
 * xattr.h - extended attributes by place, with permission checks and Linux's errnos. Kernel
 * strings and buffers; size 0 asks for the length.
 */
#ifndef FS_XATTR_H
#define FS_XATTR_H

#include "fs/vfs.h"

ssize vfs_getxattr(const struct path *p, const char *name, void *value, size_t size);
int vfs_setxattr(const struct path *p, const char *name, const void *value, size_t size, int flags);
ssize vfs_listxattr(const struct path *p, char *list, size_t size);
int vfs_removexattr(const struct path *p, const char *name);

#endif
