/*
 * session_frames.c - what the kernel says to the command, frame by frame.
 *
 * Central rule: the guest is not trusted. A frame that breaks the protocol ends the session; a
 * frame of a type that this version does not know is passed over. See kernel/dev/host_protocol.h
 * for what each frame means. Next: session_report.c.
 */
#include <string.h>

#include "session_priv.h"
#include "terminal.h"

#define PANIC_WAIT_NS INT64_C(200000000)
#define TEXT_MAX (1u << 20) /* of a panic, or of the counters */

static void take_hello(struct session *s, const struct frame *frame)
{
	uint32_t version;

	if (!frame_u32(frame, &version) || version != HOST_PROTOCOL_VERSION) {
		session_fail(s, "the kernel and this command are from different versions; give the "
				"right one by --kernel");
		return;
	}
	s->hello = true;
	s->hello_deadline = INT64_MAX;
	session_put_clock(s);
}

/*
 * The guest's terminal has made \r\n of each \n already. While the host's terminal does so itself,
 * the \r is left out, so that what arrives is what the guest's terminal put out. (A \r\n that is
 * split over two frames keeps its \r: that is the same on a screen.)
 */
static void put_terminal_output(struct sink *sink, const struct frame *frame)
{
	const char *data = (const char *)frame->payload;
	size_t left = frame->length;

	while (left > 0) {
		const char *cr = memmem(data, left, "\r\n", 2);
		size_t plain = cr ? (size_t)(cr - data) : left;

		sink_put(sink, data, plain);
		data += plain;
		left -= plain;
		if (cr) {
			data++;
			left--;
			sink->written++;
		}
	}
}

static void take_output(struct session *s, const struct frame *frame)
{
	struct sink *sink;

	if (frame->fd >= SINK_COUNT) {
		session_fail(s, "the kernel sent output for a stream that does not exist");
		return;
	}
	sink = &s->sinks[frame->fd];
	if (bytes_length(&sink->pending) + sink->written + frame->length > HOST_OUTPUT_WINDOW) {
		session_fail(s, "the kernel sent more output than its window allows");
		return;
	}
	if (frame->fd == HOST_FD_TTY && terminal_maps_newline())
		put_terminal_output(sink, frame);
	else
		sink_put(sink, frame->payload, frame->length);
}

static void take_credit(struct session *s, const struct frame *frame)
{
	struct source *source = frame->fd == HOST_FD_TTY ? &s->terminal : &s->input;
	uint32_t credit;

	if (!frame_u32(frame, &credit))
		return;
	if (!source->open) {
		frame_put(&s->out, HOST_STDIN_EOF, frame->fd, NULL, 0);
		return;
	}
	if (__builtin_add_overflow(source->credit, credit, &source->credit))
		source->credit = UINT32_MAX;
	if (frame->fd == HOST_FD_TTY && !s->terminal_wanted) {
		s->terminal_wanted = true;
		session_want_terminal(s);
	}
}

static void take_log(struct session *s, const struct frame *frame)
{
	const char *text = (const char *)frame->payload;
	size_t left = frame->length;
	bool raw = s->config->descriptors[2].kind == HOST_STDIO_TTY && !terminal_maps_newline();

	/* A log that nobody reads must not fill our memory. */
	if (bytes_length(&s->log.pending) > TEXT_MAX)
		return;
	while (left > 0) {
		const char *newline = raw ? memchr(text, '\n', left) : NULL;
		size_t plain = newline ? (size_t)(newline - text) : left;

		sink_put(&s->log, text, plain);
		if (newline) {
			sink_put(&s->log, "\r\n", 2);
			plain++;
		}
		text += plain;
		left -= plain;
	}
}

static void take_text(struct bytes *text, const struct frame *frame)
{
	if (bytes_length(text) + frame->length <= TEXT_MAX)
		bytes_append(text, frame->payload, frame->length);
}

static void take_panic(struct session *s, const struct frame *frame)
{
	if (bytes_length(&s->panic_text) == 0)
		s->end_deadline = monotonic_ns() + PANIC_WAIT_NS;
	take_text(&s->panic_text, frame);
}

static void take_exit(struct session *s, const struct frame *frame)
{
	uint32_t status;

	if (!frame_u32(frame, &status)) {
		session_fail(s, "the kernel sent an exit status that is none");
		return;
	}
	s->exit_status = status;
	session_end(s, OUTCOME_EXITED);
}

static void take_frame(struct session *s, const struct frame *frame)
{
	uint32_t error;

	switch (frame->type) {
	case HOST_HELLO:
		take_hello(s, frame);
		break;
	case HOST_OUTPUT:
		take_output(s, frame);
		break;
	case HOST_STDIN_WANT:
		take_credit(s, frame);
		break;
	case HOST_EXIT:
		take_exit(s, frame);
		break;
	case HOST_PANIC:
		take_panic(s, frame);
		break;
	case HOST_LOG:
		take_log(s, frame);
		break;
	case HOST_STATS:
		take_text(&s->stats_text, frame);
		break;
	case HOST_MISSING:
		take_text(&s->missing_text, frame);
		break;
	case HOST_EXEC_FAILED:
		if (frame_u32(frame, &error))
			s->exec_error = error;
		break;
	case HOST_OUT_OF_MEMORY:
		s->out_of_memory = true;
		break;
	default:
		break;
	}
}

void session_take_frames(struct session *s)
{
	struct frame frame;
	int taken;

	while (s->outcome == OUTCOME_RUNNING && (taken = frame_take(&s->in, &frame)) != 0) {
		if (taken < 0) {
			session_fail(s, "the kernel sent what is not a frame");
			return;
		}
		take_frame(s, &frame);
	}
}
