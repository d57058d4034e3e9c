/*
 * procfs.h - /proc and /sys. (Files: procfs.c the tree, procfs_pid.c a process's files, procfs_mm.c its memory, procfs_system.c the whole, procfs_coppice.c our own
 * counters, sysfs.c.)
 */
#ifndef FS_PROCFS_H
#define FS_PROCFS_H

struct super;

#endif
