/*
 * 9p_message.c - 9p2000.L messages as bytes. Facts: the protocol's documents (intro(5) of Plan 9's
 * manual; 9p2000.L of the diod project). All numbers are little-endian, as this machine's.
 *
 * Central rule: the other side is not trusted with memory: every read is within what came, and a
 * message that is shorter than it should be is bad as a whole. Next: 9p_client.c.
 */
#include "fs/9p_message.h"

#include "lib/err.h"
#include "lib/string.h"

static void put(struct p9_message *m, const void *bytes, size_t n)
{
	if (m->bad || n > m->size - m->at) {
		m->bad = true;
		return;
	}
	memcpy(m->data + m->at, bytes, n);
	m->at += (u32)n;
}

void p9_put_u8(struct p9_message *m, u8 v)
{
	put(m, &v, sizeof(v));
}

void p9_put_u16(struct p9_message *m, u16 v)
{
	put(m, &v, sizeof(v));
}

void p9_put_u32(struct p9_message *m, u32 v)
{
	put(m, &v, sizeof(v));
}

void p9_put_u64(struct p9_message *m, u64 v)
{
	put(m, &v, sizeof(v));
}

void p9_put_string(struct p9_message *m, const char *s, size_t len)
{
	if (len > UINT16_MAX)
		m->bad = true;
	p9_put_u16(m, (u16)len);
	put(m, s, len);
}

void p9_begin(struct p9_message *m, u8 *data, u32 size)
{
	*m = (struct p9_message){ .data = data, .size = size, .at = P9_HEADER };
}

void p9_end(struct p9_message *m, u8 type, u16 tag, u32 extra)
{
	struct p9_message header = { .data = m->data, .size = P9_HEADER };

	p9_put_u32(&header, m->at + extra);
	p9_put_u8(&header, type);
	p9_put_u16(&header, tag);
}

static void get(struct p9_message *m, void *out, size_t n)
{
	if (m->bad || n > m->size - m->at) {
		m->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, m->data + m->at, n);
	m->at += (u32)n;
}

void p9_read_begin(struct p9_message *m, u8 *data, u32 size)
{
	*m = (struct p9_message){ .data = data, .size = size };
}

u8 p9_get_u8(struct p9_message *m)
{
	u8 v;

	get(m, &v, sizeof(v));
	return v;
}

u16 p9_get_u16(struct p9_message *m)
{
	u16 v;

	get(m, &v, sizeof(v));
	return v;
}

u32 p9_get_u32(struct p9_message *m)
{
	u32 v;

	get(m, &v, sizeof(v));
	return v;
}

u64 p9_get_u64(struct p9_message *m)
{
	u64 v;

	get(m, &v, sizeof(v));
	return v;
}

const char *p9_get_string(struct p9_message *m, u16 *len)
{
	const char *s;

	*len = p9_get_u16(m);
	if (m->bad || *len > m->size - m->at) {
		m->bad = true;
		*len = 0;
		return "";
	}
	s = (const char *)m->data + m->at;
	m->at += *len;
	return s;
}

void p9_get_qid(struct p9_message *m, struct p9_qid *qid)
{
	qid->type = p9_get_u8(m);
	qid->version = p9_get_u32(m);
	qid->path = p9_get_u64(m);
}

int p9_get_answer(struct p9_message *m, u8 type, u16 tag, u32 extra)
{
	u32 size = p9_get_u32(m), err;
	u8 got = p9_get_u8(m);
	u16 got_tag = p9_get_u16(m);

	if (m->bad || got_tag != tag || size < P9_HEADER || size > m->size + extra)
		return -EIO;
	m->size = min(m->size, size);
	if (got == type + 1)
		return 0;
	err = p9_get_u32(m);
	if (got != P9_ERROR + 1 || m->bad || err == 0 || err > MAX_ERRNO)
		return -EIO;
	return -(int)err;
}
