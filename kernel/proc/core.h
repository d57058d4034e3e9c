/*
 * core.h - core dumps (core.c).
 */
#ifndef PROC_CORE_H
#define PROC_CORE_H

#include "lib/types.h"

struct process;
struct signal_info;
struct thread;

#define CORE_PATTERN_SIZE 128
/* /proc/sys/kernel/core_pattern; longer ones are cut. */
void core_pattern_get(char out[CORE_PATTERN_SIZE]);
void core_pattern_set(const char *text);

/* Does a process that dies of sig leave a dump, as far as its limits say? */
bool core_is_wanted(const struct process *p, int sig);
/* The current process dies of info->signal, with a dump if one can be written. No lock held. */
void core_kill(const struct signal_info *info);
/* t begins to end: while its process is being written out, it waits. No lock held. */
void core_join(struct thread *t);

#endif
