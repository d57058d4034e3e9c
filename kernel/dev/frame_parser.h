/*
 * frame_parser.h - the channel's byte stream, cut into frames (host_protocol.h). Private to dev/.
 */
#ifndef DEV_FRAME_PARSER_H
#define DEV_FRAME_PARSER_H

#include "dev/host_protocol.h"
#include "lib/types.h"

#define FRAME_SMALL_MAX 16u

struct frame_parser {
	union {
		struct host_frame header;
		u8 header_bytes[sizeof(struct host_frame)];
	};
	u32 header_have; /* bytes of the header that have come */
	u32 left;        /* payload bytes to come */
	u8 small[FRAME_SMALL_MAX];
	u32 small_have;
};

/*
 * What a frame's arrival calls. bytes: a piece of the payload of HOST_STDIN, as it comes (n > 0).
 * frame: another frame is whole; payload: its first FRAME_SMALL_MAX bytes, length of them.
 */
struct frame_handler {
	void (*bytes)(u8 fd, const u8 *data, size_t n);
	void (*frame)(const struct host_frame *f, const void *payload, u32 length);
};

void frame_parser_feed(struct frame_parser *p, const struct frame_handler *h, const u8 *data,
		       size_t n);

#endif
