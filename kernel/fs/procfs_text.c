/*
 * procfs_text.c - text that grows: the buffer in which /proc and /sys make what is read from them.
 *
 * The rule: adding never fails on the spot, so that those who write text need not look; what was
 * not added is remembered in `failed`. Adding does not sleep. Chunks are small, so that a long text
 * needs no contiguous memory. Next: procfs.c.
 */
#include "fs/iter.h"
#include "fs/procfs_priv.h"
#include "lib/string.h"
#include "mm/slab.h"

#define FIRST_CHUNK 2032u /* with its header one kernel object */
#define LATER_CHUNK 16384u

struct text_chunk {
	struct text_chunk *next;
	u32 length, capacity;
	char data[];
};

/* Room for n more bytes in one piece, or NULL. */
static char *text_room(struct text *t, size_t n)
{
	struct text_chunk *c = t->last;
	size_t size = max(c ? (size_t)LATER_CHUNK : (size_t)FIRST_CHUNK, n + sizeof(*c));

	if (c && c->capacity - c->length >= n)
		return c->data + c->length;
	c = t->failed ? NULL : kmalloc(size);
	if (!c) {
		t->failed = true;
		return NULL;
	}
	*c = (struct text_chunk){ .capacity = (u32)(size - sizeof(*c)) };
	if (t->last)
		t->last->next = c;
	else
		t->first = c;
	t->last = c;
	return c->data;
}

static void text_used(struct text *t, size_t n)
{
	t->last->length += (u32)n;
	t->length += n;
}

void text_free(struct text *t)
{
	while (t->first) {
		struct text_chunk *c = t->first;

		t->first = c->next;
		kfree(c);
	}
	*t = (struct text){ 0 };
}

void text_add(struct text *t, const void *bytes, size_t n)
{
	char *room = text_room(t, n);

	if (!room)
		return;
	memcpy(room, bytes, n);
	text_used(t, n);
}

void text_string(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
	struct text_chunk *c = t->last;
	size_t left = c ? c->capacity - c->length : 0, n;
	va_list args;
	char *room;

	va_start(args, fmt);
	n = (size_t)format_va(c ? c->data + c->length : NULL, left, fmt, args);
	va_end(args);
	if (n >= left) { /* format_va terminates what it writes */
		room = text_room(t, n + 1);
		if (!room)
			return;
		va_start(args, fmt);
		format_va(room, n + 1, fmt, args);
		va_end(args);
	}
	text_used(t, n);
}

void text_fill(struct text *t, char c, size_t n)
{
	char *room = text_room(t, n);

	if (!room)
		return;
	memset(room, c, n);
	text_used(t, n);
}

void text_escaped(struct text *t, const char *s, const char *special)
{
	for (;;) {
		size_t n = 0;

		while (s[n] && !strchr(special, s[n]))
			n++;
		text_add(t, s, n);
		if (!s[n])
			return;
		text_printf(t, "\\%03o", (u8)s[n]);
		s += n + 1;
	}
}

void text_bit_list(struct text *t, u64 bits)
{
	const char *separator = "";

	for (u32 first = 0; first < 64; first++) {
		u32 last = first;

		if (!(bits & BIT(first)))
			continue;
		while (last < 63 && bits & BIT(last + 1))
			last++;
		text_printf(t, first == last ? "%s%u" : "%s%u-%u", separator, first, last);
		separator = ",";
		first = last;
	}
}

size_t text_copy(const struct text *t, u64 from, struct iter *it)
{
	size_t done = 0;

	for (const struct text_chunk *c = t->first; c && it->left; c = c->next) {
		size_t want, got;

		if (from >= c->length) {
			from -= c->length;
			continue;
		}
		want = min((size_t)(c->length - from), it->left);
		got = iter_copy_to(it, c->data + from, want);
		done += got;
		if (got < want)
			break;
		from = 0;
	}
	return done;
}
