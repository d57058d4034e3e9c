/*
 * cli_guest.c - a stand-in for QEMU and the kernel, for tests of the `coppice` command.
 *
 * It takes QEMU's command line, finds the launch record and the channel in it, and speaks the
 * guest's side of kernel/dev/host_protocol.h as a kernel would: it grants credit before it takes
 * input and keeps within the windows. The program of the launch record chooses one of the
 * behaviours at the end of the file. Next: test_cli_run.c.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "frame.h"

#define ARGUMENTS_MAX 16

static int channel = -1;
static struct bytes in, out, waiting;
static uint32_t window[4]; /* unacknowledged bytes of each stream */
static uint32_t gone[4];   /* errno of HOST_OUTPUT_GONE */
static const uint8_t *record;
static char *arguments[ARGUMENTS_MAX + 1];

/* --- the channel --- */

static void flush_out(void)
{
	while (bytes_length(&out) > 0) {
		ssize_t n = write(channel, bytes_data(&out), bytes_length(&out));

		if (n < 0)
			exit(0);
		bytes_consume(&out, n);
	}
}

/* Carry out what concerns the windows, keep the rest for next_frame. */
static void sort_frame(const struct frame *frame)
{
	uint32_t value = 0;

	frame_u32(frame, &value);
	if (frame->type == HOST_OUTPUT_ACK) {
		assert(value <= window[frame->fd]);
		window[frame->fd] -= value;
	} else if (frame->type == HOST_OUTPUT_GONE) {
		gone[frame->fd] = value;
	} else {
		frame_put(&waiting, frame->type, frame->fd, frame->payload, frame->length);
	}
}

/*
 * Send what is to be sent and take what has come, waiting at most `timeout_ms` (-1: for ever).
 * False if nothing came. Ends with the host.
 */
static bool exchange(int timeout_ms)
{
	struct pollfd pollfd = { .fd = channel, .events = POLLIN };
	struct frame frame;
	ssize_t n;
	int taken;

	flush_out();
	if (poll(&pollfd, 1, timeout_ms) == 0)
		return false;
	n = read(channel, bytes_reserve(&in, HOST_FRAME_MAX), HOST_FRAME_MAX);
	if (n <= 0)
		exit(0);
	bytes_added(&in, n);
	while ((taken = frame_take(&in, &frame)) > 0)
		sort_frame(&frame);
	assert(taken == 0);
	return true;
}

/* The next frame from the host that is no acknowledgement. */
static void next_frame(struct frame *frame)
{
	while (frame_take(&waiting, frame) == 0)
		exchange(-1);
}

static void put_output(uint8_t fd, const void *data, size_t length)
{
	assert(window[fd] + length <= HOST_OUTPUT_WINDOW);
	window[fd] += length;
	frame_put(&out, HOST_OUTPUT, fd, data, length);
}

/* Write as a program does: wait while the window is full. Returns false once nobody reads. */
static bool write_output(uint8_t fd, const void *data, size_t length)
{
	while (length > 0 && !gone[fd]) {
		size_t room = HOST_OUTPUT_WINDOW - window[fd];
		size_t n = length < HOST_FRAME_MAX ? length : HOST_FRAME_MAX;

		if (room == 0) {
			exchange(-1);
			continue;
		}
		n = n < room ? n : room;
		put_output(fd, data, n);
		data = (const char *)data + n;
		length -= n;
	}
	while (exchange(0))
		;
	return !gone[fd];
}

static void print(uint8_t fd, const char *text)
{
	write_output(fd, text, strlen(text));
}

static void finish(uint32_t status)
{
	frame_put_u32(&out, HOST_EXIT, 0, status);
	flush_out();
	/* As a kernel that does not manage to power off: the command must not rely on it. */
	while (true)
		pause();
}

static void finish_exit(int code)
{
	finish((uint32_t)code << 8);
}

/* --- the launch record --- */

/* The item after `item`, the first for NULL; NULL at the end. */
static const struct host_launch_item *next_item(const struct host_launch_item *item)
{
	const struct host_launch_header *header = (const void *)record;
	const uint8_t *next = record + sizeof(*header);

	if (item)
		next = (const uint8_t *)(item + 1) + (item->length + 7) / 8 * 8;
	assert(next <= record + header->size);
	return next < record + header->size ? (const void *)next : NULL;
}

static char *item_string(const struct host_launch_item *item)
{
	return strndup((const char *)(item + 1), item->length);
}

static void load_record(const char *path)
{
	const struct host_launch_header *header;
	const struct host_launch_item *item = NULL;
	int fd = open(path, O_RDONLY), count = 0;
	struct stat stat;

	assert(fd >= 0 && fstat(fd, &stat) == 0);
	record = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert(record != MAP_FAILED);
	header = (const void *)record;
	assert(header->magic == HOST_LAUNCH_MAGIC && header->version == HOST_PROTOCOL_VERSION);
	assert(header->size == stat.st_size);
	while ((item = next_item(item))) {
		if (item->kind == HOST_LAUNCH_ARG && count < ARGUMENTS_MAX)
			arguments[count++] = item_string(item);
	}
}

/* Print the record as text, one item a line; strings as they are, structs as numbers. */
static void dump_record(void)
{
	const struct host_launch_item *item = NULL;
	char line[512];

	while ((item = next_item(item))) {
		const uint32_t *words = (const void *)(item + 1);
		const struct host_winsize *size = (const void *)(item + 1);
		const struct host_launch_rlimit *limit = (const void *)(item + 1);

		switch (item->kind) {
		case HOST_LAUNCH_ARG:
		case HOST_LAUNCH_ENV:
		case HOST_LAUNCH_CWD:
		case HOST_LAUNCH_HOSTNAME:
		case HOST_LAUNCH_SWAP:
			snprintf(line, sizeof(line), "%u %s\n", item->kind, item_string(item));
			break;
		case HOST_LAUNCH_RW:
			snprintf(line, sizeof(line), "%u %s %.*s\n", item->kind,
				 (const char *)words,
				 (int)(item->length - strlen((const char *)words) - 1),
				 (const char *)words + strlen((const char *)words) + 1);
			break;
		case HOST_LAUNCH_IDS:
			snprintf(line, sizeof(line), "%u %u %u\n", item->kind, words[0], words[1]);
			break;
		case HOST_LAUNCH_STDIO:
			snprintf(line, sizeof(line), "%u %u %u %o %u\n", item->kind, words[0],
				 words[1], words[2] & S_IFMT, words[3]);
			break;
		case HOST_LAUNCH_WINSIZE:
			snprintf(line, sizeof(line), "%u %u %u\n", item->kind, size->rows,
				 size->columns);
			break;
		case HOST_LAUNCH_RLIMIT:
			snprintf(line, sizeof(line), "%u %u %llu %llu\n", item->kind,
				 limit->resource, (unsigned long long)limit->soft,
				 (unsigned long long)limit->hard);
			break;
		case HOST_LAUNCH_FLAGS:
		case HOST_LAUNCH_UMASK:
			snprintf(line, sizeof(line), "%u %u\n", item->kind, words[0]);
			break;
		default:
			snprintf(line, sizeof(line), "%u length %u\n", item->kind, item->length);
		}
		print(1, line);
	}
}

/* --- behaviours --- */

/* stdin to stdout, asking for `chunk` bytes at a time; at most `limit` bytes. */
static void copy_input(uint32_t chunk, size_t limit)
{
	struct frame frame;
	uint32_t credit = 0;

	while (limit > 0) {
		if (credit == 0) {
			credit = chunk < limit ? chunk : limit;
			frame_put_u32(&out, HOST_STDIN_WANT, 0, credit);
		}
		next_frame(&frame);
		if (frame.type == HOST_STDIN_EOF)
			return;
		if (frame.type == HOST_STDIN) {
			uint8_t *data = malloc(frame.length);
			uint32_t length = frame.length;

			assert(length <= credit && frame.fd == 0);
			memcpy(data, frame.payload, length);
			credit -= length;
			limit -= length;
			write_output(1, data, length);
			free(data);
		}
	}
}

/* Both streams at once, `total` bytes each, never waiting for one while the other has room. */
static void write_both(size_t total)
{
	static uint8_t data[1024];
	size_t done[3] = { 0 };

	while (done[1] < total || done[2] < total) {
		bool moved = false;

		for (int fd = 1; fd <= 2; fd++) {
			size_t n = total - done[fd] < sizeof(data) ? total - done[fd]
								   : sizeof(data);

			if (n == 0 || window[fd] + n > HOST_OUTPUT_WINDOW)
				continue;
			memset(data, '0' + fd, n);
			put_output(fd, data, n);
			done[fd] += n;
			moved = true;
		}
		exchange(moved ? 0 : -1);
	}
}

/* Answer each key with its code, each new size with its numbers, until q. */
static void serve_terminal(void)
{
	struct frame frame;
	char text[64];

	print(HOST_FD_TTY, "ready\r\n");
	frame_put_u32(&out, HOST_STDIN_WANT, HOST_FD_TTY, 4096);
	while (true) {
		next_frame(&frame);
		if (frame.type == HOST_STDIN && frame.fd == HOST_FD_TTY) {
			uint8_t key = frame.payload[0];

			snprintf(text, sizeof(text), "key %u\r\n", key);
			print(HOST_FD_TTY, text);
			if (key == 'q')
				return;
		} else if (frame.type == HOST_WINSIZE) {
			const struct host_winsize *size = (const void *)frame.payload;

			snprintf(text, sizeof(text), "size %u %u\r\n", size->rows, size->columns);
			print(HOST_FD_TTY, text);
		} else if (frame.type == HOST_SIGNAL) {
			print(HOST_FD_TTY, "signal\r\n");
		} else if (frame.type == HOST_STDIN_EOF) {
			return;
		}
	}
}

/* End with the number of the first signal that comes, or that of the second. */
static int wait_signal(int count)
{
	struct frame frame;
	uint32_t number = 0;

	print(1, "ready\n");
	while (count > 0) {
		next_frame(&frame);
		if (frame.type == HOST_SIGNAL) {
			frame_u32(&frame, &number);
			count--;
		}
	}
	return number;
}

static void wait_for_ever(void)
{
	struct frame frame;

	while (true)
		next_frame(&frame);
}

static void say(uint8_t type, const char *text)
{
	frame_put(&out, type, 0, text, strlen(text));
}

static void behave_badly(const char *how)
{
	static uint8_t data[HOST_FRAME_MAX];
	struct host_frame frame = { .type = HOST_OUTPUT, .fd = 1, .length = UINT32_MAX };

	if (strcmp(how, "vanish") == 0)
		exit(0);
	if (strcmp(how, "garbage") == 0)
		bytes_append(&out, &frame, sizeof(frame));
	for (int i = 0; strcmp(how, "flood") == 0 && i < 9; i++)
		frame_put(&out, HOST_OUTPUT, 1, data, sizeof(data));
	if (strcmp(how, "stream") == 0)
		frame_put(&out, HOST_OUTPUT, 77, "x", 1);
	wait_for_ever();
}

static void wait_power_off(void)
{
	struct frame frame;

	do {
		next_frame(&frame);
	} while (frame.type != HOST_POWER_OFF);
	say(HOST_STATS, "faults 3\n");
	finish_exit(9);
}

static void run_program(void)
{
	const char *name = arguments[0], *argument = arguments[1] ? arguments[1] : "";

	if (strcmp(name, "exit") == 0)
		finish_exit(atoi(argument));
	if (strcmp(name, "signal") == 0)
		finish(atoi(argument));
	if (strcmp(name, "exec-failed") == 0) {
		frame_put_u32(&out, HOST_EXEC_FAILED, 0, atoi(argument));
		finish_exit(atoi(argument) == ENOENT ? 127 : 126);
	}
	if (strcmp(name, "out-of-memory") == 0) {
		frame_put(&out, HOST_OUT_OF_MEMORY, 0, NULL, 0);
		finish(9);
	}
	if (strcmp(name, "panic") == 0) {
		say(HOST_PANIC, "the sky");
		say(HOST_PANIC, " is falling\n");
		wait_for_ever();
	}
	if (strcmp(name, "log") == 0)
		say(HOST_LOG, "booting\n");
	if (strcmp(name, "counters") == 0) {
		say(HOST_STATS, "faults 3\nforks 1\n");
		say(HOST_MISSING, "321 bpf 2\n");
	}
	if (strcmp(name, "cat") == 0)
		copy_input(*argument ? atoi(argument) : 4096, SIZE_MAX);
	if (strcmp(name, "head") == 0)
		copy_input(atoi(argument), atoi(argument));
	if (strcmp(name, "both") == 0)
		write_both(atoi(argument));
	if (strcmp(name, "echo") == 0)
		print(1, argument);
	if (strcmp(name, "yes") == 0) {
		while (write_output(1, "y\n", 2))
			;
		finish(gone[1] == EPIPE ? SIGPIPE : gone[1] << 8);
	}
	if (strcmp(name, "poll-error") == 0) {
		while (!gone[1])
			exchange(-1);
	}
	if (strcmp(name, "terminal") == 0)
		serve_terminal();
	if (strcmp(name, "no-terminal") == 0) {
		print(HOST_FD_TTY, "plain\r\n");
		finish_exit(wait_signal(1));
	}
	if (strcmp(name, "wait-signal") == 0)
		finish_exit(wait_signal(*argument ? atoi(argument) : 1));
	if (strcmp(name, "hang") == 0)
		wait_for_ever();
	if (strcmp(name, "power-off") == 0)
		wait_power_off();
	if (strcmp(name, "bad") == 0)
		behave_badly(argument);
	if (strcmp(name, "record") == 0)
		dump_record();
	finish_exit(0);
}

int main(int argc, char **argv)
{
	struct frame frame;

	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "-initrd") == 0)
			load_record(argv[i + 1]);
		sscanf(argv[i], "socket,id=c0,fd=%d", &channel);
	}
	assert(record && channel >= 0 && arguments[0]);
	if (strcmp(arguments[0], "qemu-fails") == 0) {
		fprintf(stderr,
			"qemu-system-x86_64: warning: odd\nqemu-system-x86_64: it does not work\n");
		return 1;
	}
	frame_put_u32(&out, HOST_HELLO, 0,
		      HOST_PROTOCOL_VERSION + (strcmp(arguments[0], "old-kernel") == 0));
	do {
		next_frame(&frame);
	} while (frame.type != HOST_CLOCK);
	run_program();
	return 0;
}
