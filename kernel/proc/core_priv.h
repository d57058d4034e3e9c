/*
 * core_priv.h - what core.c, which decides about core dumps, and core_elf.c, which writes them, share.
 */
#ifndef PROC_CORE_PRIV_H
#define PROC_CORE_PRIV_H

#include "proc/process_priv.h"

struct file;

/*
 * Write the current process, whose other threads stand still, to f: at most `limit` bytes, which may
 * end it early. info: the signal that it dies of. True: something was written.
 */
bool core_write(struct file *f, u64 limit, const struct signal_info *info);

#endif
