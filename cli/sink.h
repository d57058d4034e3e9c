/*
 * sink.h - one output stream of the guest on its way to a descriptor of the command.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "descriptor.h"

struct sink {
	struct handle handle;
	struct bytes pending; /* taken from the guest, not written yet */
	uint32_t written;     /* to be acknowledged; the caller then sets it to 0 */
	int error;           /* errno of the write that failed: all further output is thrown away */
	bool error_reported; /* the caller has told the guest */
};

void sink_open(struct sink *sink, struct handle handle);

/* Take bytes: written at once as far as possible, the rest kept. */
void sink_put(struct sink *sink, const void *data, size_t length);

/* The descriptor may take more, or has an error: write what is pending. */
void sink_flush(struct sink *sink);

/* Make the sink fail with `error`, as if a write had. */
void sink_fail(struct sink *sink, int error);

static inline bool sink_is_idle(const struct sink *sink)
{
	return bytes_length(&sink->pending) == 0;
}

/*
 * What to poll the descriptor for: output if there is some; else only that its reader goes away.
 * -1 if nothing.
 */
int sink_poll_fd(const struct sink *sink);
short sink_poll_events(const struct sink *sink);

#endif
