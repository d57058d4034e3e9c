/*
 * eventfiles.h - files that stand for events: eventfd, signalfd, timerfd; and for memory: memfd.
 */
#ifndef FS_EVENTFILES_H
#define FS_EVENTFILES_H

#include "fs/vfs.h"

/* flags: O_NONBLOCK. ERR_PTR */
struct file *eventfd_create(u32 count, bool semaphore, u32 flags);

struct file *signalfd_create(u64 mask, u32 flags);
/* The set of an existing one: -EINVAL if f is none. */
int signalfd_change(struct file *f, u64 mask);

struct timerfd_setting { /* ns; next 0: off */
	u64 interval, next;
};
struct file *timerfd_create(s32 clock, u32 flags); /* also -EPERM */
/*
 * flags: TFD_*. next: from now, or (TFD_TIMER_ABSTIME) on the timer's own clock. *old: what was
 * left. -EINVAL if f is none, -EPERM; -ECANCELED: set, but the clock was, too, before.
 */
int timerfd_set(struct file *f, const struct timerfd_setting *new, u32 flags,
		struct timerfd_setting *old);
/* The real-time clock has gone ahead by so many ns. */
void timerfds_clock_set(s64 ahead);
int timerfd_get(struct file *f, struct timerfd_setting *out);

/*
 * memfd: a file in memory with seals (F_SEAL_* of fcntl(2)), each of which forbids something for
 * ever. name: as memfd_create(2) got it. ERR_PTR
 */
#define MEMFD_SEAL_EXEC 0x20u /* F_SEAL_EXEC, younger than the headers of Debian 12 */
struct file *memfd_create_file(const char *name, u32 mode, u32 flags, u32 seals);
/*
 * The same of huge pages, of which there are none to be had: it can be sized and mapped, but not filled.
 * path: its name in /proc/PID/maps; huge: their size.
 */
struct file *memfd_create_huge(const char *path, u32 mode, u32 flags, u32 seals, u64 huge);
/* The size of a file's huge pages; 0: it has none. */
u64 memfd_huge_size(const struct file *f);
/* F_GET_SEALS; -EINVAL where there are none. */
long memfd_get_seals(struct file *f);
/*
 * Around the look at the seals and the making of a shared mapping: in between F_SEAL_WRITE cannot be
 * added (-EBUSY). Nothing for other files.
 */
void memfd_map_begin(struct file *f);
void memfd_map_end(struct file *f);
/* F_ADD_SEALS: 0, -EINVAL, -EPERM, -EBUSY (mapped shared and writable). */
long memfd_add_seals(struct file *f, u32 seals);

#endif
