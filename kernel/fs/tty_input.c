/*
 * tty_input.c - the input half of a terminal: signal characters, flow control, line editing, echo;
 * and the ring that read(2) takes from.
 *
 * termios(3) says what each mode does. Characters that arrive are looked at in the order of
 * receive_char; nothing here waits: what finds no room is left to the driver, echo that finds no
 * room is dropped.
 */
#include <asm-generic/ioctls.h>
#include <asm/signal.h>

#include "fs/poll.h"
#include "fs/tty_priv.h"
#include "lib/string.h"

/* --- the ring --- */

static bool is_canonical(const struct tty *t)
{
	return t->modes.local & ICANON;
}

static u8 ring_get(const struct tty *t, u32 i)
{
	return t->input[i % TTY_INPUT_SIZE];
}

static bool ring_marked(const struct tty *t, u32 i)
{
	i %= TTY_INPUT_SIZE;
	return t->marks[i / 8] >> (i % 8) & 1;
}

static void ring_mark(struct tty *t, u32 i, bool on)
{
	i %= TTY_INPUT_SIZE;
	if (on)
		t->marks[i / 8] |= 1u << (i % 8);
	else
		t->marks[i / 8] &= ~(1u << (i % 8));
}

static void ring_put(struct tty *t, u8 c, bool mark)
{
	t->input[t->head % TTY_INPUT_SIZE] = c;
	ring_mark(t, t->head, mark);
	store_release(&t->head, t->head + 1);
}

static u32 ring_used(const struct tty *t)
{
	return load_relaxed(&t->head) - load_relaxed(&t->tail);
}

/* The last place is for the character that ends a line. */
bool tty_input_has_room(const struct tty *t)
{
	if (ring_used(t) < TTY_INPUT_SIZE - 1)
		return true;
	/*
	 * A line that is too long: more of it is dropped rather than kept waiting for a reader who
	 * waits for its end.
	 */
	return is_canonical(t) && load_relaxed(&t->line_end) == load_relaxed(&t->tail);
}

bool tty_input_ready(const struct tty *t)
{
	if (is_canonical(t))
		return load_acquire(&t->line_end) != load_relaxed(&t->tail);
	return ring_used(t) != 0;
}

u32 tty_input_count(const struct tty *t)
{
	u32 end = is_canonical(t) ? t->line_end : t->head, count = 0;

	for (u32 i = t->tail; i != end; i++)
		count += !(ring_marked(t, i) && ring_get(t, i) == 0);
	return count;
}

u32 tty_input_take(struct tty *t, u8 *out, u32 n, bool *ended)
{
	bool canonical = is_canonical(t);
	u32 end = canonical ? t->line_end : t->head, done = 0, i;

	*ended = false;
	for (i = t->tail; i != end && !*ended; i++) {
		bool mark = canonical && ring_marked(t, i);
		u8 c = ring_get(t, i);

		if (mark && c == 0) { /* end of file: not a character */
			*ended = true;
			continue;
		}
		if (done == n)
			break;
		out[done++] = c;
		*ended = mark;
	}
	/* An end-of-file character right behind what fills the buffer belongs to it. */
	if (canonical && !*ended && done && i != end && ring_marked(t, i) && ring_get(t, i) == 0)
		i++;
	store_release(&t->tail, i);
	return done;
}

void tty_input_flush(struct tty *t)
{
	t->head = t->line_end = t->tail;
	t->literal = false;
	memset(t->marks, 0, sizeof(t->marks));
	tty_tell(t, TIOCPKT_FLUSHREAD);
}

void tty_input_mode_changed(struct tty *t, u32 old_local)
{
	if (!((old_local ^ t->modes.local) & ICANON))
		return;
	memset(t->marks, 0, sizeof(t->marks));
	t->line_end = t->head;
	t->literal = false;
	if (is_canonical(t) && t->head != t->tail)
		ring_mark(t, t->head - 1, true);
}

/* --- echo --- */

static void echo_flush(struct tty *t)
{
	tty_output(t, t->echo, t->echo_length);
	t->echo_length = 0;
}

static void echo_raw(struct tty *t, u8 c)
{
	if (t->echo_length == sizeof(t->echo))
		echo_flush(t);
	t->echo[t->echo_length++] = c;
}

static bool echoed_with_caret(const struct tty *t, u8 c)
{
	return (t->modes.local & ECHOCTL) && (c < ' ' || c == 0x7f) && c != '\t' && c != '\n';
}

static void echo_char(struct tty *t, u8 c)
{
	if (echoed_with_caret(t, c)) {
		echo_raw(t, '^');
		echo_raw(t, c ^ 0x40);
	} else {
		echo_raw(t, c);
	}
}

/* --- line editing --- */

static bool is_continuation(const struct tty *t, u8 c)
{
	return (t->modes.input & IUTF8) && (c & 0xc0) == 0x80;
}

/* Column after the line being edited, by its characters. */
static u32 line_columns(const struct tty *t)
{
	u32 column = t->line_column;

	for (u32 i = t->line_end; i != t->head; i++) {
		u8 c = ring_get(t, i);

		if (c == '\t')
			column = (column | 7) + 1;
		else if (echoed_with_caret(t, c))
			column += 2;
		else if (c >= ' ' && !is_continuation(t, c))
			column++;
	}
	return column;
}

/* Take the last character of the line away, and from the screen. */
static void erase_char(struct tty *t)
{
	u32 before = line_columns(t), after;
	bool is_tab;

	do {
		t->head--;
		is_tab = ring_get(t, t->head) == '\t';
	} while (t->head != t->line_end && is_continuation(t, ring_get(t, t->head)));
	if (!(t->modes.local & ECHO))
		return;
	if (!(t->modes.local & ECHOE)) {
		echo_char(t, tty_char(t, VERASE));
		return;
	}
	after = line_columns(t);
	for (; before > after; before--) {
		echo_raw(t, '\b');
		if (!is_tab) {
			echo_raw(t, ' ');
			echo_raw(t, '\b');
		}
	}
}

static bool is_word_char(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c >= 0x80;
}

static u8 last_char(const struct tty *t)
{
	return ring_get(t, t->head - 1);
}

static void erase_word(struct tty *t)
{
	while (t->head != t->line_end && !is_word_char(last_char(t)))
		erase_char(t);
	while (t->head != t->line_end && is_word_char(last_char(t)))
		erase_char(t);
}

static void erase_line(struct tty *t)
{
	u32 visual = ECHO | ECHOE | ECHOK | ECHOKE;

	if ((t->modes.local & visual) == visual) {
		while (t->head != t->line_end)
			erase_char(t);
		return;
	}
	t->head = t->line_end;
	if (!(t->modes.local & ECHO))
		return;
	echo_char(t, tty_char(t, VKILL));
	if (t->modes.local & ECHOK)
		echo_raw(t, '\n');
}

static void reprint_line(struct tty *t)
{
	echo_char(t, tty_char(t, VREPRINT));
	echo_raw(t, '\n');
	for (u32 i = t->line_end; i != t->head; i++)
		echo_char(t, ring_get(t, i));
}

static void line_complete(struct tty *t, u8 c)
{
	ring_put(t, c, true);
	store_release(&t->line_end, t->head);
}

/* A character of a line being edited or of raw input. */
static void take_char(struct tty *t, u8 c)
{
	if (ring_used(t) >= TTY_INPUT_SIZE - 1) {
		if (t->modes.input & IMAXBEL)
			echo_raw(t, '\a');
		return;
	}
	if (t->modes.local & ECHO) {
		if (t->head == t->line_end) {
			echo_flush(t);
			t->line_column = t->column;
		}
		echo_char(t, c);
	}
	ring_put(t, c, false);
}

static bool is_char(const struct tty *t, u8 c, u32 which)
{
	return c == tty_char(t, which) && c != 0;
}

/* Canonical mode's own characters. False: c is an ordinary one. */
static bool edit_line(struct tty *t, u8 c)
{
	u32 local = t->modes.local;
	bool extended = local & IEXTEN;

	if (is_char(t, c, VERASE) || is_char(t, c, VKILL) || (extended && is_char(t, c, VWERASE))) {
		if (t->head == t->line_end)
			return true;
		if (is_char(t, c, VERASE))
			erase_char(t);
		else if (is_char(t, c, VKILL))
			erase_line(t);
		else
			erase_word(t);
	} else if (extended && is_char(t, c, VLNEXT)) {
		t->literal = true;
		if ((local & ECHO) && (local & ECHOCTL)) {
			echo_raw(t, '^');
			echo_raw(t, '\b');
		}
	} else if (extended && (local & ECHO) && is_char(t, c, VREPRINT)) {
		reprint_line(t);
	} else if (c == '\n') {
		if (local & (ECHO | ECHONL))
			echo_raw(t, '\n');
		line_complete(t, c);
	} else if (is_char(t, c, VEOF)) {
		line_complete(t, 0);
	} else if (is_char(t, c, VEOL) || (extended && is_char(t, c, VEOL2))) {
		if (local & ECHO)
			echo_char(t, c);
		line_complete(t, c);
	} else {
		return false;
	}
	return true;
}

/* --- characters that act at once --- */

static int signal_of_char(const struct tty *t, u8 c)
{
	if (!(t->modes.local & ISIG))
		return 0;
	if (is_char(t, c, VINTR))
		return SIGINT;
	if (is_char(t, c, VQUIT))
		return SIGQUIT;
	return is_char(t, c, VSUSP) ? SIGTSTP : 0;
}

static void send_signal(struct tty *t, u8 c, int sig)
{
	if (!(t->modes.local & NOFLSH))
		tty_input_flush(t);
	tty_set_stopped(t, false);
	if (t->modes.local & ECHO)
		echo_char(t, c);
	tty_signal_foreground(t, sig);
}

/* XON and XOFF. False: c is not one of them. */
static bool control_flow(struct tty *t, u8 c)
{
	if (!(t->modes.input & IXON))
		return false;
	if (is_char(t, c, VSTART)) {
		tty_set_stopped(t, false);
	} else if (is_char(t, c, VSTOP)) {
		tty_set_stopped(t, true);
	} else {
		if (t->stopped && (t->modes.input & IXANY))
			tty_set_stopped(t, false);
		return false;
	}
	return true;
}

static void receive_char(struct tty *t, u8 c)
{
	u32 input = t->modes.input;
	int sig;

	if (input & ISTRIP)
		c &= 0x7f;
	if ((input & IUCLC) && (t->modes.local & IEXTEN) && c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (t->literal) {
		t->literal = false;
		take_char(t, c);
		return;
	}
	if (control_flow(t, c))
		return;
	sig = signal_of_char(t, c);
	if (sig) {
		send_signal(t, c, sig);
		return;
	}
	if (c == '\r') {
		if (input & IGNCR)
			return;
		if (input & ICRNL)
			c = '\n';
	} else if (c == '\n' && (input & INLCR)) {
		c = '\r';
	}
	if (is_canonical(t) && edit_line(t, c))
		return;
	take_char(t, c);
}

size_t tty_receive(struct tty *t, const u8 *data, size_t n)
{
	bool was_stopped;
	size_t i;

	mutex_lock(&t->lock);
	was_stopped = t->stopped;
	for (i = 0; i < n && tty_input_has_room(t); i++)
		receive_char(t, data[i]);
	echo_flush(t);
	was_stopped = was_stopped && !t->stopped;
	mutex_unlock(&t->lock);
	if (tty_input_ready(t))
		waitq_wake_key(&t->read_wait, EPOLLIN | EPOLLRDNORM);
	if (was_stopped)
		tty_wake_writers(t);
	return i;
}
