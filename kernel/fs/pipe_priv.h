/* pipe_priv.h - the inside of a pipe, for pipe.c and splice.c. */
#ifndef FS_PIPE_PRIV_H
#define FS_PIPE_PRIV_H

#include "fs/pipe.h"
#include "mm/frame.h"

/* One page of data. Bytes [offset, offset + length) of data are what it holds. */
struct pipe_buffer {
	struct list link;
	u8 *data;
	u32 offset, length;
	bool packet; /* O_DIRECT: one write; nothing is appended, and a read does not go past it */
};

struct pipe {
	struct mutex lock;              /* RANK_PIPE: guards L (single words are read without) */
	struct list buffers;            /* L: struct pipe_buffer, in order */
	u32 count, limit;               /* L: buffers; a writer starts no new one at the limit */
	u64 bytes;                      /* L: in all buffers */
	struct pipe_buffer *spare;      /* L: an empty one, kept for the next write */
	u32 readers, writers;           /* L: open files */
	u32 reader_opens, writer_opens; /* L: opens so far, for those who wait in open */
	bool polled;                    /* A: somebody has polled: wake poll_wait too */
	struct waitq read_wait, write_wait; /* threads, one of which is woken at a time */
	struct waitq poll_wait, open_wait;
};

struct pipe_buffer *pipe_buffer_new(void); /* empty; NULL without memory */
void pipe_buffer_free(struct pipe_buffer *b);

/* Pipe locked. */
void pipe_append(struct pipe *p, struct pipe_buffer *b);
struct pipe_buffer *pipe_take_first(struct pipe *p); /* there is one */
void pipe_put_back(struct pipe *p, struct pipe_buffer *b);

/*
 * Pipe not locked: wait until there is room for a buffer or nobody reads; until there is data or
 * nobody writes. 0 or -ERESTARTSYS.
 */
int pipe_wait_room(struct pipe *p);
int pipe_wait_data(struct pipe *p);
/* Something was appended; something was taken. */
void pipe_wake_readers(struct pipe *p);
void pipe_wake_writers(struct pipe *p);

#endif
