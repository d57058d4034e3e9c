/*
 * bytes.h - a queue of bytes that grows at the end and is consumed from the front.
 *
 * `bytes_data` and `bytes_length` give what is in it; a pointer into it is valid until the next
 * append. An all-zero struct is an empty queue. When memory runs out the command ends (there is
 * nothing it could do without).
 */
#ifndef CLI_BYTES_H
#define CLI_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct bytes {
	uint8_t *buffer;
	size_t start, end; /* the bytes are buffer[start..end) */
	size_t capacity;
};

static inline const uint8_t *bytes_data(const struct bytes *b)
{
	return b->buffer + b->start;
}

static inline size_t bytes_length(const struct bytes *b)
{
	return b->end - b->start;
}

/*
 * Room for `length` more bytes at the end; they count once bytes_added is called with how many
 * there are.
 */
uint8_t *bytes_reserve(struct bytes *b, size_t length);

static inline void bytes_added(struct bytes *b, size_t length)
{
	b->end += length;
}

void bytes_append(struct bytes *b, const void *data, size_t length);

/* Take `length` bytes (at most bytes_length) from the front. */
void bytes_consume(struct bytes *b, size_t length);

/* Give the memory back; the queue is empty and may be used again. */
void bytes_free(struct bytes *b);

#endif
