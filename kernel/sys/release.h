/* release.h - the version of Linux that programs are told: C libraries refuse to start on too old a one. */
#ifndef SYS_RELEASE_H
#define SYS_RELEASE_H

#define RELEASE "6.1.0-coppice"
#define VERSION "#1 SMP PREEMPT_DYNAMIC Coppice"

#endif
