/*
 * procfs_pid.c - the directory of a process, and of each of its threads.
 *
 * Next: procfs_status.c, procfs_mm.c, procfs_fd.c for what is in the files.
 */
#include <linux/stat.h>

#include "fs/procfs_priv.h"

const struct proc_entry proc_process_entry = { .name = "PID", .mode = S_IFDIR | 0555 };
