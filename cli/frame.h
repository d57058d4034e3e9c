/*
 * frame.h - frames of the channel to the kernel (kernel/dev/host_protocol.h), as bytes.
 */
#ifndef CLI_FRAME_H
#define CLI_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "dev/host_protocol.h"

struct frame {
	uint8_t type; /* enum host_frame_type, or one that this version does not know */
	uint8_t fd;
	uint32_t length;
	const uint8_t *payload; /* points into the queue that it was taken from */
};

/*
 * Take the first frame of `in`. Returns 1 and fills `frame`; 0 if the frame is not complete yet;
 * -1 if the bytes cannot be a frame. The payload is valid until the next append to `in`: taking
 * more frames leaves it in place.
 */
int frame_take(struct bytes *in, struct frame *frame);

/* The u32 that the payload starts with; false if it is too short. */
bool frame_u32(const struct frame *frame, uint32_t *value);

/* Append a frame to `out`. `length` is at most HOST_FRAME_MAX. */
void frame_put(struct bytes *out, uint8_t type, uint8_t fd, const void *payload, size_t length);
void frame_put_u32(struct bytes *out, uint8_t type, uint8_t fd, uint32_t value);
void frame_put_u64(struct bytes *out, uint8_t type, uint8_t fd, uint64_t value);

#endif
