/*
 * host.c - the channel to the `coppice` command: streams, windows, signals and the end.
 * host_protocol.h says what the frames mean.
 *
 * Central rule: what a program writes is sent at once and in order, or not taken; what it reads was
 * asked for. A stream's window is taken before the bytes are sent, so that many writers together
 * keep within it. Everything that comes in is handled by one thread (virtio_console.c), which never
 * waits for the host. Next: frame_parser.c.
 */
#include <linux/types.h>

#include "arch/x86_64/cpu.h"
#include "dev/dev_priv.h"
#include "dev/frame_parser.h"
#include "lib/atomic.h"
#include "lib/print.h"
#include "lib/string.h"
#include "lib/waitq.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define STREAMS 4u /* 0, 1, 2 and HOST_FD_TTY */
#define PAYLOAD_MAX (CONSOLE_MESSAGE_MAX - (u32)sizeof(struct host_frame))
#define INPUT_SIZE 65536u /* a power of two: input kept at most, and credit that is out */
#define POLL_CREDIT 4096u /* asked for by a program that polls: as much as a first read may take */
#define CLOCK_WAIT_NS (2 * NS_PER_SEC)
#define DRAIN_WAIT_CYCLES 20000000000ull /* seconds: for a host that is busy */

static struct host {
	struct spinlock lock; /* RANK_DEV_RING: guards L */
	bool running;         /* C once true: the channel is there */
	bool ended;           /* A: HOST_EXIT was said: nothing may follow */
	struct {
		u32 pending; /* L: bytes that the host has not acknowledged */
		u32 gone;    /* L: errno that writers get; 0: none */
	} out[STREAMS];
	struct waitq output_wait;   /* windows opened */
	u8 *input;                  /* L: ring of INPUT_SIZE bytes: stdin */
	u32 input_head, input_tail; /* L: count bytes; head - tail are kept */
	u32 input_credit;           /* L: bytes asked for that have not come */
	bool input_end;             /* L */
	struct waitq input_wait;
	bool clock_set; /* A */
	struct waitq clock_wait;
	u64 log_sent;               /* console's lock: position in the log */
	struct frame_parser parser; /* the receiving thread's */
	void (*input_sink)(const void *data, size_t n, void *arg);
	void (*winsize_sink)(const struct host_winsize *w, void *arg);
	void (*signal_sink)(int signal, void *arg);
	void *input_arg, *winsize_arg, *signal_arg;
} host = {
	.lock = SPINLOCK_INIT(RANK_DEV_RING),
	.output_wait = WAITQ_INIT(host.output_wait),
	.input_wait = WAITQ_INIT(host.input_wait),
	.clock_wait = WAITQ_INIT(host.clock_wait),
};

/* --- frames out --- */

/* Put one frame into `buffer` (a message of the console): its length. */
static size_t frame_make(u8 *buffer, u8 type, u8 fd, const void *payload, u32 n)
{
	struct host_frame f = { .type = type, .fd = fd, .length = n };

	memcpy(buffer, &f, sizeof(f));
	memcpy(buffer + sizeof(f), payload, n);
	return sizeof(f) + n;
}

/* n <= PAYLOAD_MAX. Waits for the device at most. */
static void frame_send(u8 type, u8 fd, const void *payload, u32 n)
{
	u8 *buffer;

	if (!load_acquire(&host.running))
		return;
	buffer = console_begin();
	console_push(load_relaxed(&host.ended) ? 0 : frame_make(buffer, type, fd, payload, n));
	host_log_push();
}

void host_text(u8 frame_type, const char *text, size_t n)
{
	while (n) {
		u32 part = (u32)min(n, (size_t)PAYLOAD_MAX);

		frame_send(frame_type, 0, text, part);
		text += part;
		n -= part;
	}
}

/* Lines logged while somebody else uses the channel are sent by that one, when it is done. */
void host_log_push(void)
{
	size_t n;
	u8 *buffer;

	if (!(launch.flags & HOST_FLAG_VERBOSE))
		return;
	do {
		buffer = console_try();
		if (!buffer)
			return;
		n = 0;
		if (!load_relaxed(&host.ended))
			n = log_read(&host.log_sent, (char *)buffer + sizeof(struct host_frame),
				     PAYLOAD_MAX);
		if (n) {
			struct host_frame f = { .type = HOST_LOG, .length = (u32)n };

			memcpy(buffer, &f, sizeof(f));
		}
		console_push(n ? n + sizeof(struct host_frame) : 0);
	} while (n);
}

/* --- output --- */

u32 host_output_room(u32 fd)
{
	u32 room;

	spin_lock(&host.lock);
	room = host.out[fd].gone ? HOST_OUTPUT_WINDOW : HOST_OUTPUT_WINDOW - host.out[fd].pending;
	spin_unlock(&host.lock);
	return room;
}

u32 host_output_pending(u32 fd)
{
	return load_relaxed(&host.out[fd].pending);
}

bool host_output_ready(u32 fd)
{
	return host_output_room(fd) > 0;
}

bool host_output_gone(u32 fd)
{
	return load_relaxed(&host.out[fd].gone) != 0;
}

struct waitq *host_output_wait(void)
{
	return &host.output_wait;
}

/* Take up to n bytes of the window: how many, or the errno of a stream whose reader is gone. */
static ssize window_take(u32 fd, size_t n)
{
	ssize taken;

	spin_lock(&host.lock);
	if (host.out[fd].gone) {
		taken = -(ssize)host.out[fd].gone;
	} else {
		taken = (ssize)min(n, (size_t)(HOST_OUTPUT_WINDOW - host.out[fd].pending));
		host.out[fd].pending += (u32)taken;
	}
	spin_unlock(&host.lock);
	return taken;
}

ssize host_output(u32 fd, const void *data, size_t n, bool nonblock)
{
	size_t done = 0;

	while (done < n) {
		ssize part = window_take(fd, min(n - done, (size_t)PAYLOAD_MAX));

		if (part < 0)
			return done ? (ssize)done : part;
		if (part > 0) {
			frame_send(HOST_OUTPUT, (u8)fd, (const u8 *)data + done, (u32)part);
			done += (size_t)part;
			continue;
		}
		if (done)
			break;
		if (nonblock)
			return -EAGAIN;
		part = wait_event_interruptible(&host.output_wait, host_output_ready(fd));
		if (part)
			return part;
	}
	return (ssize)done;
}

/* --- input --- */

/*
 * See to it that what is kept and what is on its way are n bytes together, as far as there is room.
 */
static void input_ask(u32 n)
{
	u32 have, more = 0;

	spin_lock(&host.lock);
	have = host.input_head - host.input_tail + host.input_credit;
	n = min(n, INPUT_SIZE);
	if (!host.input_end && have < n)
		more = n - have;
	host.input_credit += more;
	spin_unlock(&host.lock);
	if (more)
		frame_send(HOST_STDIN_WANT, 0, &more, sizeof(more));
}

/* Take up to n bytes: how many; 0: end of input; -EAGAIN: none are there. */
static ssize input_take(u8 *data, size_t n)
{
	ssize taken;

	spin_lock(&host.lock);
	n = min(n, (size_t)(host.input_head - host.input_tail));
	taken = n || host.input_end ? (ssize)n : -EAGAIN;
	while (n) {
		u32 at = host.input_tail % INPUT_SIZE;
		size_t part = min(n, (size_t)(INPUT_SIZE - at));

		memcpy(data, host.input + at, part);
		host.input_tail += (u32)part;
		data += part;
		n -= part;
	}
	spin_unlock(&host.lock);
	return taken;
}

static bool input_there(void)
{
	bool there;

	spin_lock(&host.lock);
	there = host.input_head != host.input_tail || host.input_end;
	spin_unlock(&host.lock);
	return there;
}

ssize host_input(void *data, size_t n, bool nonblock)
{
	if (n == 0)
		return 0;
	for (;;) {
		ssize taken = input_take(data, n);
		int err;

		if (taken != -EAGAIN)
			return taken;
		input_ask((u32)min(n, (size_t)INPUT_SIZE));
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&host.input_wait, input_there());
		if (err)
			return err;
	}
}

bool host_input_ready(void)
{
	if (input_there())
		return true;
	input_ask(POLL_CREDIT);
	return input_there();
}

struct waitq *host_input_wait(void)
{
	return &host.input_wait;
}

void host_tty_grant(u32 bytes)
{
	frame_send(HOST_STDIN_WANT, HOST_FD_TTY, &bytes, sizeof(bytes));
}

/* --- frames in: the receiving thread --- */

void host_set_input_sink(void (*sink)(const void *data, size_t n, void *arg), void *arg)
{
	host.input_arg = arg;
	store_release(&host.input_sink, sink);
}

void host_set_winsize_sink(void (*sink)(const struct host_winsize *w, void *arg), void *arg)
{
	host.winsize_arg = arg;
	store_release(&host.winsize_sink, sink);
}

void host_set_signal_sink(void (*sink)(int signal, void *arg), void *arg)
{
	host.signal_arg = arg;
	store_release(&host.signal_sink, sink);
}

static void terminal_input(const u8 *data, size_t n)
{
	void (*sink)(const void *, size_t, void *) = load_acquire(&host.input_sink);

	if (sink)
		sink(data, n, host.input_arg);
}

/* More than was asked for does not come; if it does, it is dropped. */
static void input_arrived(u8 fd, const u8 *data, size_t n)
{
	if (fd == HOST_FD_TTY) {
		terminal_input(data, n);
		return;
	}
	spin_lock(&host.lock);
	n = min(n, (size_t)host.input_credit);
	host.input_credit -= (u32)n;
	while (n) {
		u32 at = host.input_head % INPUT_SIZE;
		size_t part = min(n, (size_t)(INPUT_SIZE - at));

		memcpy(host.input + at, data, part);
		host.input_head += (u32)part;
		data += part;
		n -= part;
	}
	spin_unlock(&host.lock);
	waitq_wake_all(&host.input_wait);
}

static void input_ended(u8 fd)
{
	if (fd == HOST_FD_TTY) {
		terminal_input(NULL, 0);
		return;
	}
	spin_lock(&host.lock);
	host.input_end = true;
	host.input_credit = 0;
	spin_unlock(&host.lock);
	waitq_wake_all(&host.input_wait);
}

static void output_acknowledged(u8 fd, u32 bytes)
{
	if (fd >= STREAMS)
		return;
	spin_lock(&host.lock);
	host.out[fd].pending -= min(bytes, host.out[fd].pending);
	spin_unlock(&host.lock);
	waitq_wake_all(&host.output_wait);
}

static void output_gone(u8 fd, u32 err)
{
	if (fd >= STREAMS)
		return;
	spin_lock(&host.lock);
	host.out[fd].gone = err && err <= MAX_ERRNO ? err : EPIPE;
	host.out[fd].pending = 0;
	spin_unlock(&host.lock);
	waitq_wake_all(&host.output_wait);
}

static void window_changed(const struct host_winsize *w)
{
	void (*sink)(const struct host_winsize *, void *) = load_acquire(&host.winsize_sink);

	if (sink)
		sink(w, host.winsize_arg);
}

static void signal_arrived(u32 signal)
{
	void (*sink)(int, void *) = load_acquire(&host.signal_sink);

	if (sink && signal >= 1 && signal <= SIGNAL_COUNT)
		sink((int)signal, host.signal_arg);
}

static void clock_arrived(u64 ns)
{
	clock_set_realtime(ns);
	store_release(&host.clock_set, true);
	waitq_wake_all(&host.clock_wait);
}

static void frame_arrived(const struct host_frame *f, const void *payload, u32 length)
{
	struct host_winsize size;
	u32 value = 0;
	u64 wide = 0;

	memcpy(&value, payload, min(length, (u32)sizeof(value)));
	memcpy(&wide, payload, min(length, (u32)sizeof(wide)));
	memcpy(&size, &wide, sizeof(size));
	switch (f->type) {
	case HOST_STDIN_EOF:
		input_ended(f->fd);
		break;
	case HOST_OUTPUT_ACK:
		output_acknowledged(f->fd, value);
		break;
	case HOST_OUTPUT_GONE:
		output_gone(f->fd, value);
		break;
	case HOST_WINSIZE:
		window_changed(&size);
		break;
	case HOST_SIGNAL:
		signal_arrived(value);
		break;
	case HOST_CLOCK:
		clock_arrived(wide);
		break;
	case HOST_POWER_OFF:
		proc_power_off();
		break;
	default:
		log_info("channel: a frame of unknown type %u", f->type);
		break;
	}
}

static void received(const u8 *data, size_t n)
{
	static const struct frame_handler handler = { input_arrived, frame_arrived };

	frame_parser_feed(&host.parser, &handler, data, n);
}

/* --- start and end --- */

void host_init(void)
{
	u32 version = HOST_PROTOCOL_VERSION;

	host.input = kmalloc(INPUT_SIZE);
	if (!host.input)
		panic("no memory for the channel's input");
	if (!console_device_start(received))
		panic("no console device that can be used: the channel to the command");
	store_release(&host.running, true);
	frame_send(HOST_HELLO, 0, &version, sizeof(version));
	/* Its time is better than the record's, which is older; but it can be done without. */
	(void)wait_event_deadline(&host.clock_wait, load_acquire(&host.clock_set),
				  clock_monotonic() + CLOCK_WAIT_NS);
	if (!load_acquire(&host.clock_set) && launch.realtime_ns)
		clock_set_realtime(launch.realtime_ns);
}

void host_exec_failed(s32 err)
{
	frame_send(HOST_EXEC_FAILED, 0, &err, sizeof(err));
}

void host_out_of_memory(void)
{
	frame_send(HOST_OUT_OF_MEMORY, 0, NULL, 0);
}

void host_exit(u32 status)
{
	u8 *buffer;

	log_info("9p: %lu requests", virtio_9p_requests());
	buffer = console_begin();
	store_release(&host.ended, true);
	console_push(frame_make(buffer, HOST_EXIT, 0, &status, sizeof(status)));
	console_drain(DRAIN_WAIT_CYCLES);
	machine_off();
}

void host_panic_text(const char *text, size_t n)
{
	struct host_frame f = { .type = HOST_PANIC, .length = (u32)n };

	if (n == 0)
		return;
	console_emergency(&f, sizeof(f));
	console_emergency(text, n);
}
