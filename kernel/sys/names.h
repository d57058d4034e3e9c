/* names.h - the name of a system call. */
#ifndef SYS_NAMES_H
#define SYS_NAMES_H

#include "lib/types.h"

/* NULL: Linux has none of that number. */
const char *syscall_name(u32 number);

#endif
