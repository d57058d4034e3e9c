/*
 * uts.h - what uname(2) and /proc/sys/kernel say that this system is.
 */
#ifndef FS_UTS_H
#define FS_UTS_H

#include "lib/types.h"

#define UTS_SYSNAME "Linux"         /* whose system calls these are */
#define UTS_RELEASE "6.1.0-coppice" /* C libraries refuse to start on too old a one */
#define UTS_VERSION "#1 SMP PREEMPT_DYNAMIC Coppice"
#define UTS_MACHINE "x86_64"
#define UTS_NAME_MAX 64 /* bytes of a host or domain name, without the NUL */

enum uts_name { UTS_HOSTNAME, UTS_DOMAINNAME };

void uts_init(void); /* the host name of the launch record */
void uts_get(enum uts_name which, char out[UTS_NAME_MAX + 1]);
extern const char *uts_command_line; /* the kernel's, for /proc/cmdline; set at start */
/* sethostname(2), setdomainname(2): 0, -EINVAL (too long), -EPERM. name: kernel memory, n bytes. */
int uts_set(enum uts_name which, const char *name, size_t n);

#endif
