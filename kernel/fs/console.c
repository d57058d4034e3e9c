/*
 * console.c - the driver of the console terminal: the other side is the host's terminal, through
 * the channel to the command.
 *
 * Input comes against credit (dev/host_protocol.h): the first is granted when a program first
 * reads, polls or sets the terminal, so that a program that never does leaves the keyboard to
 * others. What arrives is kept in `staged` until the line discipline has room for it, and credit is
 * granted again for what it has taken; so `staged` never overflows and ^C comes through though
 * nobody reads.
 */
#include <asm-generic/fcntl.h>
#include <linux/major.h>

#include "dev/device.h"
#include "fs/filesystems.h"
#include "fs/poll.h"
#include "fs/tty_priv.h"
#include "lib/print.h"
#include "proc/proc.h"

#define STAGED_SIZE 4096u /* power of 2; also the credit that is out at most */

static struct console {
	struct tty tty;
	struct spinlock lock; /* RANK_FS: guards the rest */
	u8 staged[STAGED_SIZE];
	u32 head, tail;
	bool started;        /* the first credit was granted */
	bool pumping, again; /* somebody moves staged bytes on; once more after that */
	struct waiter relay; /* on the host's queue: wakes writers of the terminal */
	u32 first_program;   /* A: gets the host's signals when no group is in the foreground */
} console;

struct tty *console_tty;

/* --- output --- */

static u32 console_room(struct tty *t)
{
	return host_output_room(HOST_FD_TTY);
}

static void console_output(struct tty *t, const void *data, u32 n)
{
	/* Fails only if the host's terminal is gone: then there is nobody to tell. */
	(void)host_output(HOST_FD_TTY, data, n, true);
}

static u32 console_pending(struct tty *t)
{
	return host_output_pending(HOST_FD_TTY);
}

static bool relay_wake(struct waiter *w, u64 key)
{
	tty_wake_writers(&console.tty);
	return true;
}

/* --- input --- */

/* Copy up to n staged bytes without taking them. */
static u32 staged_peek(u8 *out, u32 n)
{
	u32 i;

	spin_lock(&console.lock);
	n = min(n, console.head - console.tail);
	for (i = 0; i < n; i++)
		out[i] = console.staged[(console.tail + i) % STAGED_SIZE];
	spin_unlock(&console.lock);
	return n;
}

/* Begin to move staged bytes; false: somebody does, and will look once more. */
static bool pump_begin(void)
{
	bool mine;

	spin_lock(&console.lock);
	mine = !console.pumping;
	console.pumping = true;
	console.again = !mine;
	spin_unlock(&console.lock);
	return mine;
}

static bool pump_end(void)
{
	bool again;

	spin_lock(&console.lock);
	again = console.again;
	console.again = false;
	console.pumping = again;
	spin_unlock(&console.lock);
	return !again;
}

/* Give the line discipline what it has room for. */
static void pump(void)
{
	u8 buf[256];

	if (!pump_begin())
		return;
	do {
		u32 n, taken;

		do {
			n = staged_peek(buf, sizeof(buf));
			taken = n ? (u32)tty_receive(&console.tty, buf, n) : 0;
			spin_lock(&console.lock);
			console.tail += taken;
			spin_unlock(&console.lock);
			if (taken)
				host_tty_grant(taken);
		} while (taken);
	} while (!pump_end());
}

static void console_want_input(struct tty *t)
{
	bool first;

	spin_lock(&console.lock);
	first = !console.started;
	console.started = true;
	spin_unlock(&console.lock);
	if (first)
		host_tty_grant(STAGED_SIZE);
	else if (load_relaxed(&console.head) != load_relaxed(&console.tail))
		pump();
}

static void input_arrived(const void *data, size_t n, void *arg)
{
	const u8 *bytes = data;

	if (!n) {
		tty_hangup(&console.tty);
		return;
	}
	spin_lock(&console.lock);
	for (size_t i = 0; i < n && console.head - console.tail < STAGED_SIZE; i++)
		console.staged[console.head++ % STAGED_SIZE] = bytes[i];
	spin_unlock(&console.lock);
	pump();
}

/* --- the host's window and signals --- */

static void size_arrived(const struct host_winsize *w, void *arg)
{
	struct terminal_size size = { w->rows, w->columns, w->xpixel, w->ypixel };

	tty_resize(&console.tty, &size);
}

static void signal_arrived(int signal, void *arg)
{
	struct process *p;

	if (tty_foreground(&console.tty)) {
		tty_signal_foreground(&console.tty, signal);
		return;
	}
	p = process_find(load_relaxed(&console.first_program));
	if (p) {
		signal_process(p, signal, NULL);
		process_put(p);
	}
}

void console_start_session(bool with_terminal)
{
	store_relaxed(&console.first_program, process_current()->pid);
	if (with_terminal)
		(void)tty_become_controlling(console_tty, false);
}

/* --- the device --- */

static void console_free(struct tty *t)
{
	panic("the console has lost its last reference");
}

static const struct tty_driver console_driver = {
	.room = console_room,
	.output = console_output,
	.pending = console_pending,
	.want_input = console_want_input,
	.free = console_free,
};

static int console_open(struct file *f)
{
	int err;

	tty_get(console_tty);
	err = tty_open_file(console_tty, f);
	if (err) {
		tty_put(console_tty);
		return err;
	}
	if (!(f->flags & O_NOCTTY))
		(void)tty_become_controlling(console_tty, false);
	return 0;
}

static const struct file_ops console_file_ops = {
	.open = console_open,
};

void console_init(void)
{
	struct tty *t = &console.tty;

	spin_init(&console.lock, RANK_FS);
	(void)tty_init(t, &console_driver, NULL, DEVICE_NUMBER(TTYAUX_MAJOR, 1));
	t->size = (struct terminal_size){ launch.winsize.rows, launch.winsize.columns,
					  launch.winsize.xpixel, launch.winsize.ypixel };
	console_tty = t;
	waiter_init(&console.relay);
	console.relay.wake = relay_wake;
	waitq_add(host_output_wait(), &console.relay);
	host_set_input_sink(input_arrived, NULL);
	host_set_winsize_sink(size_arrived, NULL);
	host_set_signal_sink(signal_arrived, NULL);
	chardev_register(TTYAUX_MAJOR, 1, 1, &console_file_ops);
}
