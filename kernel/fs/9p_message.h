/*
 * 9p_message.h - 9p2000.L messages as bytes: numbers of their types, and writing and reading their
 * fields. Private to fs/ (9p_*.c).
 */
#ifndef FS_9P_MESSAGE_H
#define FS_9P_MESSAGE_H

#include "lib/types.h"

enum p9_type {               /* of a request; the answer's is one more */
	       P9_ERROR = 6, /* answer only: 7 */
	       P9_STATFS = 8,
	       P9_OPEN = 12,
	       P9_CREATE = 14,
	       P9_SYMLINK = 16,
	       P9_MKNOD = 18,
	       P9_READLINK = 22,
	       P9_GETATTR = 24,
	       P9_SETATTR = 26,
	       P9_READDIR = 40,
	       P9_FSYNC = 50,
	       P9_LINK = 70,
	       P9_MKDIR = 72,
	       P9_RENAMEAT = 74,
	       P9_UNLINKAT = 76,
	       P9_VERSION = 100,
	       P9_ATTACH = 104,
	       P9_WALK = 110,
	       P9_READ = 116,
	       P9_WRITE = 118,
	       P9_CLUNK = 120,
};

#define P9_NO_TAG 0xffffu
#define P9_NO_FID 0xffffffffu
#define P9_HEADER 7u /* size, type, tag */
#define P9_READ_HEADER \
	(P9_HEADER + 4) /* of an answer to P9_READ and P9_READDIR; also all of P9_ERROR's */
#define P9_WRITE_HEADER (P9_HEADER + 16) /* of P9_WRITE */
#define P9_QID_SIZE 13u

struct p9_qid { /* what identifies a file on the server */
	u8 type;
	u32 version;
	u64 path;
};

/*
 * A message being written or read. Past the end nothing is written and zeros are read, and `bad`
 * tells so; strings that are read point into the message.
 */
struct p9_message {
	u8 *data;
	u32 size; /* room, or length of what came */
	u32 at;
	bool bad;
};

/* Begin to write one: room for the header is left, which p9_end fills in. */
void p9_begin(struct p9_message *m, u8 *data, u32 size);
/* extra: bytes that follow the message from elsewhere. */
void p9_end(struct p9_message *m, u8 type, u16 tag, u32 extra);
void p9_put_u8(struct p9_message *m, u8 v);
void p9_put_u16(struct p9_message *m, u16 v);
void p9_put_u32(struct p9_message *m, u32 v);
void p9_put_u64(struct p9_message *m, u64 v);
void p9_put_string(struct p9_message *m, const char *s, size_t len);

void p9_read_begin(struct p9_message *m, u8 *data, u32 size);
u8 p9_get_u8(struct p9_message *m);
u16 p9_get_u16(struct p9_message *m);
u32 p9_get_u32(struct p9_message *m);
u64 p9_get_u64(struct p9_message *m);
const char *p9_get_string(struct p9_message *m, u16 *len);
void p9_get_qid(struct p9_message *m, struct p9_qid *qid);
/*
 * The header of the answer to a request of this type and tag: 0 with m behind it, the server's
 * negative errno, or -EIO for what is no such answer. extra: bytes of it that lie elsewhere.
 */
int p9_get_answer(struct p9_message *m, u8 type, u16 tag, u32 extra);

#endif
