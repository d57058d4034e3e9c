/*
 * sink.c - one output stream of the guest on its way to a descriptor of the command.
 *
 * Central rule: a sink never waits. What its descriptor does not take now is kept; how much that
 * can be is bounded by the window of the protocol, because bytes are acknowledged to the guest
 * only once they are written. Next: session.c, which feeds the sinks.
 */
#include "sink.h"

#include <errno.h>
#include <poll.h>

void sink_open(struct sink *sink, struct handle handle)
{
	*sink = (struct sink){ .handle = handle };
}

void sink_fail(struct sink *sink, int error)
{
	sink->error = error;
	bytes_free(&sink->pending);
}

/*
 * Write until all is written or the descriptor takes no more. Returns how many of the bytes are
 * done with.
 */
static size_t sink_write(struct sink *sink, const uint8_t *data, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = handle_write(&sink->handle, data + done, length - done);

		if (n >= 0) {
			done += n;
			sink->written += n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			sink_fail(sink, errno);
			return length;
		}
	}
	return done;
}

void sink_put(struct sink *sink, const void *data, size_t length)
{
	size_t done = 0;

	if (sink->error)
		return;
	if (sink_is_idle(sink))
		done = sink_write(sink, data, length);
	bytes_append(&sink->pending, (const uint8_t *)data + done, length - done);
}

void sink_flush(struct sink *sink)
{
	size_t done;

	if (sink->error || sink_is_idle(sink))
		return;
	done = sink_write(sink, bytes_data(&sink->pending), bytes_length(&sink->pending));
	if (!sink->error)
		bytes_consume(&sink->pending, done);
}

int sink_poll_fd(const struct sink *sink)
{
	if (sink->error || sink->handle.way == HANDLE_NONE)
		return -1;
	/* Files are always ready; only pending output, after EINTR, is a reason to look at them. */
	if (sink->handle.way == HANDLE_FILE && sink_is_idle(sink))
		return -1;
	return sink->handle.fd;
}

short sink_poll_events(const struct sink *sink)
{
	return sink_is_idle(sink) ? 0 : POLLOUT;
}
