/* owner.h - the owner of an open file (fs/async.c) as one number: a process, or minus a group. */
#ifndef SYS_OWNER_H
#define SYS_OWNER_H

#include "fs/vfs.h"

s32 file_owner_number(struct file *f);                  /* fcntl.c */
int file_owner_from_number(struct file *f, s32 number); /* 0, -EINVAL, -ESRCH */

#endif
