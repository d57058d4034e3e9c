/*
 * tty_output.c - the output half of a terminal: newline and tab processing, and waiting for the
 * other side.
 *
 * A byte is processed only when the driver has room for all that it may become, so a write can stop
 * between any two bytes.
 */
#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <asm/signal.h>

#include "fs/iter.h"
#include "fs/poll.h"
#include "fs/tty_priv.h"
#include "lib/string.h"
#include "mm/slab.h"

#define TTY_WRITE_CHUNK 2048

/* What c becomes, and where the cursor is then: bytes in out. */
static u32 expand(struct tty *t, u8 c, u8 *out)
{
	u32 modes = t->modes.output, n = 0;

	if (!(modes & OPOST)) {
		out[0] = c;
		return 1;
	}
	switch (c) {
	case '\n':
		if (modes & ONLRET)
			t->column = 0;
		if (modes & ONLCR) {
			out[n++] = '\r';
			t->column = 0;
		}
		out[n++] = '\n';
		return n;
	case '\r':
		if ((modes & ONOCR) && t->column == 0)
			return 0;
		t->column = 0;
		out[0] = modes & OCRNL ? '\n' : '\r';
		return 1;
	case '\t': {
		u32 spaces = 8 - (t->column & 7);

		t->column += spaces;
		if ((modes & TABDLY) == XTABS) {
			memset(out, ' ', spaces);
			return spaces;
		}
		break;
	}
	case '\b':
		if (t->column)
			t->column--;
		break;
	default:
		if ((modes & OLCUC) && c >= 'a' && c <= 'z')
			c -= 'a' - 'A';
		/* The later bytes of a UTF-8 character take no column. */
		if (c >= ' ' && c != 0x7f && !((t->modes.input & IUTF8) && (c & 0xc0) == 0x80))
			t->column++;
	}
	out[0] = c;
	return 1;
}

size_t tty_output(struct tty *t, const u8 *data, size_t n)
{
	u32 room = t->driver->room(t);
	u8 out[256];
	u32 filled = 0;
	size_t i;

	for (i = 0; i < n && room >= filled + TTY_EXPANSION_MAX; i++) {
		filled += expand(t, data[i], out + filled);
		if (filled > sizeof(out) - TTY_EXPANSION_MAX) {
			t->driver->output(t, out, filled);
			room -= filled;
			filled = 0;
		}
	}
	if (filled)
		t->driver->output(t, out, filled);
	return i;
}

void tty_set_stopped(struct tty *t, bool stopped)
{
	if (t->stopped == stopped)
		return;
	store_relaxed(&t->stopped, stopped);
	tty_tell(t, stopped ? TIOCPKT_STOP : TIOCPKT_START);
}

bool tty_output_ready(struct tty *t)
{
	return !load_relaxed(&t->stopped) && t->driver->room(t) >= 2 * TTY_EXPANSION_MAX;
}

void tty_wake_writers(struct tty *t)
{
	waitq_wake_key(&t->write_wait, EPOLLOUT | EPOLLWRNORM);
}

static bool may_write(struct tty *t)
{
	return t->hung_up || tty_output_ready(t);
}

/* Put all n bytes out: bytes, or an error if none. */
static ssize put_all(struct tty *t, const u8 *data, size_t n, bool nonblock)
{
	size_t done = 0;
	int err = 0;

	for (;;) {
		mutex_lock(&t->lock);
		if (t->hung_up)
			err = -EIO;
		else if (!t->stopped)
			done += tty_output(t, data + done, n - done);
		mutex_unlock(&t->lock);
		if (err || done == n)
			break;
		if (nonblock) {
			err = -EAGAIN;
			break;
		}
		err = wait_event_interruptible(&t->write_wait, may_write(t));
		if (err)
			break;
	}
	return done ? (ssize)done : err;
}

ssize tty_write(struct file *f, struct iter *it, u64 *pos)
{
	struct tty *t = f->data;
	size_t chunk = min(it->left, (u64)TTY_WRITE_CHUNK);
	ssize total = 0;
	u8 *buf;

	if (t->modes.local & TOSTOP) {
		int err = tty_check_background(t, SIGTTOU);

		if (err)
			return err;
	}
	if (!chunk)
		return 0;
	buf = kmalloc(chunk);
	if (!buf)
		return -ENOMEM;
	while (it->left) {
		size_t n = iter_copy_from(it, buf, min(it->left, (u64)chunk));
		ssize done = n ? put_all(t, buf, n, f->flags & O_NONBLOCK) : -EFAULT;

		if (done <= 0) {
			iter_revert(it, n);
			total = total ? total : done;
			break;
		}
		total += done;
		if ((size_t)done < n) {
			iter_revert(it, n - done);
			break;
		}
	}
	kfree(buf);
	return total;
}

static bool is_drained(struct tty *t)
{
	return t->hung_up || !t->driver->pending || t->driver->pending(t) == 0;
}

int tty_drain(struct tty *t)
{
	return wait_event_interruptible(&t->write_wait, is_drained(t));
}
