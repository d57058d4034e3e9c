/*
 * stdio.h - the program's standard descriptors as the launch record describes them.
 */
#ifndef FS_STDIO_H
#define FS_STDIO_H

struct files;

/*
 * Open descriptors 0, 1 and 2 in t, which has none of them yet. Called once, by the first program's
 * process before exec. 0 or errno.
 */
int stdio_open(struct files *t);

#endif
