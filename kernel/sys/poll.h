/* poll.h - for restart_syscall: poll(2) that a signal without a handler has interrupted. */
#ifndef SYS_POLL_H
#define SYS_POLL_H

#include "lib/types.h"

/* restart: thread->restart as poll left it, [0] being RESTART_POLL. */
long poll_restart(const u64 restart[6]);

#endif
