/* unix.h - what others ask of AF_UNIX sockets as a whole. */
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include "lib/types.h"

struct unix_socket_info {
	u64 serial, ino; /* ino 0: no file, it waits to be accepted */
	u32 references, type;
	bool listening, connected;
	u32 name_length;
	u8 name[109]; /* a path without its zero, or an abstract name, whose first byte is zero */
};

/* Free sockets that only messages hold which nobody can receive (unix_gc.c). No lock held. */
void unix_collect(void);
u32 unix_live_count(void); /* sockets that there are, with a file or without: for leak checks */
/* Calls fn for each socket, no lock held; stops at non-zero, which it returns. */
int unix_for_each(int (*fn)(const struct unix_socket_info *i, void *arg), void *arg);

#endif
