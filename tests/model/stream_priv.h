/*
 * stream_priv.h - what the driver of a stream (stream.c) and its operations (ops.c) share.
 */
#ifndef STREAM_PRIV_H
#define STREAM_PRIV_H

#include "lib/print.h"
#include "mm/reclaim.h"
#include "model.h"
#include "swap_mem.h"

#define SWAP_PAGES 4096 /* of the swap device */

struct stream {
	const struct stream_options *options;
	u64 random;
	u64 op;              /* number of the operation */
	char name[200];      /* what it is */
	bool failing;        /* allocations fail: -ENOMEM is a right answer */
	u64 value;           /* next to be stored */
	u32 on[HOSTED_CPUS]; /* the space that each CPU used last */
	u32 recent[8];       /* slots that were used */
};

extern struct stream st;

/*
 * An operation: apply it to mm and to the model. s: a space that is alive; lot: a random number.
 * False: memory failed it, and nothing happened but what it has taken over into the model.
 */
struct operation {
	u32 weight;
	bool (*fn)(struct view_space *s, u64 lot);
};

extern const struct operation operations[];
extern const u32 operation_count;

u64 draw(u64 n); /* below n */
/* Say what is done now, for messages. */
void op_name(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* mm and the model differ. */
void __noreturn mismatch(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void space_end(struct view_space *s);

#endif
