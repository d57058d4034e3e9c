/*
 * bytes.c - a queue of bytes; see bytes.h.
 *
 * The buffer is linear: what is left moves to its front when the end is reached, so that a reader
 * always has its bytes in one piece. Emptying it, the usual case, costs nothing.
 */
#include "bytes.h"

#include <stdlib.h>
#include <string.h>

#include "message.h"

#define BYTES_MINIMUM 4096

uint8_t *bytes_reserve(struct bytes *b, size_t length)
{
	size_t held = bytes_length(b);

	if (b->capacity - b->end >= length)
		return b->buffer + b->end;
	if (b->start > 0) {
		memmove(b->buffer, b->buffer + b->start, held);
		b->start = 0;
		b->end = held;
	}
	if (b->capacity - held < length) {
		size_t capacity = b->capacity ? b->capacity : BYTES_MINIMUM;
		uint8_t *buffer;

		while (capacity - held < length)
			capacity *= 2;
		buffer = realloc(b->buffer, capacity);
		if (!buffer)
			fail("out of memory");
		b->buffer = buffer;
		b->capacity = capacity;
	}
	return b->buffer + b->end;
}

void bytes_append(struct bytes *b, const void *data, size_t length)
{
	if (length == 0)
		return;
	memcpy(bytes_reserve(b, length), data, length);
	bytes_added(b, length);
}

void bytes_consume(struct bytes *b, size_t length)
{
	b->start += length;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void bytes_free(struct bytes *b)
{
	free(b->buffer);
	*b = (struct bytes){ 0 };
}
