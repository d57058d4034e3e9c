/*
 * frame_parser.c - cuts what comes in on the channel into frames, wherever the pieces begin and
 * end.
 *
 * Central rule: nothing is waited for and nothing large is kept: input bytes are passed on as they
 * come, and of all other frames, which are small, only the first bytes are gathered. Next: host.c.
 */
#include "dev/frame_parser.h"

#include "lib/string.h"

/* Take up to n bytes of what is missing of a header: how many. */
static size_t take_header(struct frame_parser *p, const u8 *data, size_t n)
{
	n = min(n, sizeof(p->header) - p->header_have);
	memcpy(p->header_bytes + p->header_have, data, n);
	p->header_have += (u32)n;
	if (p->header_have == sizeof(p->header)) {
		p->left = p->header.length;
		p->small_have = 0;
	}
	return n;
}

static size_t take_payload(struct frame_parser *p, const struct frame_handler *h, const u8 *data,
			   size_t n)
{
	n = min(n, (size_t)p->left);
	p->left -= (u32)n;
	if (p->header.type == HOST_STDIN) {
		if (n)
			h->bytes(p->header.fd, data, n);
	} else {
		size_t keep = min(n, (size_t)(FRAME_SMALL_MAX - p->small_have));

		memcpy(p->small + p->small_have, data, keep);
		p->small_have += (u32)keep;
	}
	return n;
}

static bool header_whole(const struct frame_parser *p)
{
	return p->header_have == sizeof(p->header);
}

void frame_parser_feed(struct frame_parser *p, const struct frame_handler *h, const u8 *data,
		       size_t n)
{
	while (n) {
		size_t taken = header_whole(p) ? take_payload(p, h, data, n)
					       : take_header(p, data, n);

		data += taken;
		n -= taken;
		if (!header_whole(p) || p->left)
			continue;
		p->header_have = 0;
		if (p->header.type != HOST_STDIN)
			h->frame(&p->header, p->small, p->small_have);
	}
}
