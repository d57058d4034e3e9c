/*
 * frame.c - frames of the channel to the kernel, as bytes; see frame.h and
 * kernel/dev/host_protocol.h.
 *
 * Central rule: nothing that the guest sends is trusted; a frame is taken only when it is whole
 * and its length allowed. Host and guest are both x86-64, so the little-endian integers of the
 * protocol are the compiler's own.
 */
#include "frame.h"

#include <string.h>

int frame_take(struct bytes *in, struct frame *frame)
{
	struct host_frame header;

	if (bytes_length(in) < sizeof(header))
		return 0;
	memcpy(&header, bytes_data(in), sizeof(header));
	if (header.length > HOST_FRAME_MAX)
		return -1;
	if (bytes_length(in) - sizeof(header) < header.length)
		return 0;
	frame->type = header.type;
	frame->fd = header.fd;
	frame->length = header.length;
	frame->payload = bytes_data(in) + sizeof(header);
	bytes_consume(in, sizeof(header) + header.length);
	return 1;
}

bool frame_u32(const struct frame *frame, uint32_t *value)
{
	if (frame->length < sizeof(*value))
		return false;
	memcpy(value, frame->payload, sizeof(*value));
	return true;
}

void frame_put(struct bytes *out, uint8_t type, uint8_t fd, const void *payload, size_t length)
{
	struct host_frame header = { .type = type, .fd = fd, .length = length };

	bytes_append(out, &header, sizeof(header));
	bytes_append(out, payload, length);
}

void frame_put_u32(struct bytes *out, uint8_t type, uint8_t fd, uint32_t value)
{
	frame_put(out, type, fd, &value, sizeof(value));
}

void frame_put_u64(struct bytes *out, uint8_t type, uint8_t fd, uint64_t value)
{
	frame_put(out, type, fd, &value, sizeof(value));
}
