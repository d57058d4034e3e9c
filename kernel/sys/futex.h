/* futex.h - what restart_syscall needs of futex.c. */
#ifndef SYS_FUTEX_H
#define SYS_FUTEX_H

/* Go on with the wait that the current thread's restart words describe. */
long futex_restart(void);

#endif
