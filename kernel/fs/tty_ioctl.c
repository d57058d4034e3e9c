/*
 * tty_ioctl.c - ioctl on terminals: modes, window size, sessions and groups, flow control.
 * ioctl_tty(2) lists the requests.
 */
#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <asm/signal.h>
#include <linux/capability.h>

#include "arch/x86_64/usercopy.h"
#include "fs/tty_priv.h"
#include "lib/string.h"
#include "proc/proc.h"

#define TERMIOS_SIZE 36 /* struct termios: without the speeds */

void tty_set_default_modes(struct terminal_modes *m)
{
	*m = (struct terminal_modes){
		.input = ICRNL | IXON | IUTF8,
		.output = OPOST | ONLCR,
		.control = B38400 | CS8 | CREAD | HUPCL,
		.local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.input_speed = 38400,
		.output_speed = 38400,
	};
	m->chars[VINTR] = 'C' - '@';
	m->chars[VQUIT] = '\\' - '@';
	m->chars[VERASE] = 0x7f;
	m->chars[VKILL] = 'U' - '@';
	m->chars[VEOF] = 'D' - '@';
	m->chars[VMIN] = 1;
	m->chars[VSTART] = 'Q' - '@';
	m->chars[VSTOP] = 'S' - '@';
	m->chars[VSUSP] = 'Z' - '@';
	m->chars[VREPRINT] = 'R' - '@';
	m->chars[VDISCARD] = 'O' - '@';
	m->chars[VWERASE] = 'W' - '@';
	m->chars[VLNEXT] = 'V' - '@';
}

static long modes_get(struct tty *t, void __user *to, size_t size)
{
	struct terminal_modes m;

	mutex_lock(&t->lock);
	m = t->modes;
	mutex_unlock(&t->lock);
	return copy_to_user(to, &m, size) ? -EFAULT : 0;
}

/*
 * Speeds in bits per second of the B* numbers in control modes: what TCGETS2 shows after a TCSETS.
 */
static u32 speed_of_control(u32 control)
{
	static const u32 low[] = { 0,   50,   75,   110,  134,  150,  200,   300,
				   600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
	static const u32 high[] = { 0,       57600,   115200,  230400,  460800,  500000,
				    576000,  921600,  1000000, 1152000, 1500000, 2000000,
				    2500000, 3000000, 3500000, 4000000 };
	u32 code = control & CBAUD;

	return code & CBAUDEX ? high[code & 15] : low[code & 15];
}

/* What is frozen in m stays as it is in t. Locked. */
static void keep_frozen(const struct tty *t, struct terminal_modes *m)
{
	const struct terminal_modes *old = &t->modes, *frozen = &t->frozen;

	m->input ^= (m->input ^ old->input) & frozen->input;
	m->output ^= (m->output ^ old->output) & frozen->output;
	m->control ^= (m->control ^ old->control) & frozen->control;
	m->local ^= (m->local ^ old->local) & frozen->local;
	if (frozen->line)
		m->line = old->line;
	for (u32 i = 0; i < ARRAY_SIZE(m->chars); i++) {
		if (frozen->chars[i])
			m->chars[i] = old->chars[i];
	}
}

static long frozen_get(struct tty *t, void __user *to)
{
	struct terminal_modes m;

	mutex_lock(&t->lock);
	m = t->frozen;
	mutex_unlock(&t->lock);
	return copy_to_user(to, &m, TERMIOS_SIZE) ? -EFAULT : 0;
}

static long frozen_set(struct tty *t, const void __user *from)
{
	struct terminal_modes m = {};

	if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&m, from, TERMIOS_SIZE))
		return -EFAULT;
	mutex_lock(&t->lock);
	t->frozen = m;
	mutex_unlock(&t->lock);
	return 0;
}

/* The layout of Linux's struct termio, System V's form of the modes. */
struct terminal_modes_old {
	u16 input, output, control, local;
	u8 line;
	u8 chars[8];
};

static long old_modes_get(struct tty *t, void __user *to)
{
	struct terminal_modes_old o;

	mutex_lock(&t->lock);
	o = (struct terminal_modes_old){
		.input = (u16)t->modes.input,
		.output = (u16)t->modes.output,
		.control = (u16)t->modes.control,
		.local = (u16)t->modes.local,
		.line = t->modes.line,
	};
	memcpy(o.chars, t->modes.chars, sizeof(o.chars));
	mutex_unlock(&t->lock);
	return copy_to_user(to, &o, sizeof(o)) ? -EFAULT : 0;
}

/* The halves that the old form has not stay. */
static int old_modes_fetch(struct terminal_modes *m, const void __user *from)
{
	struct terminal_modes_old o;

	if (copy_from_user(&o, from, sizeof(o)))
		return -EFAULT;
	m->input = (m->input & 0xffff0000) | o.input;
	m->output = (m->output & 0xffff0000) | o.output;
	m->control = (m->control & 0xffff0000) | o.control;
	m->local = (m->local & 0xffff0000) | o.local;
	m->line = o.line;
	memcpy(m->chars, o.chars, sizeof(o.chars));
	return 0;
}

/* ^S and ^Q stop and start output: what a master in packet mode may do on its own side. */
static bool has_usual_flow_control(const struct tty *t)
{
	return t->modes.input & IXON && tty_char(t, VSTOP) == 'S' - '@' &&
	       tty_char(t, VSTART) == 'Q' - '@';
}

/* size: of struct termios or termios2 at `from`, or 0: struct termio. */
static long modes_set(struct tty *t, const void __user *from, size_t size, bool drain, bool flush)
{
	struct terminal_modes m = t->modes;
	u32 old_local;
	bool had_flow;
	int err = tty_check_background(t, SIGTTOU);

	if (err)
		return err;
	if (size && copy_from_user(&m, from, size))
		return -EFAULT;
	if (!size && old_modes_fetch(&m, from))
		return -EFAULT;
	if (size <= TERMIOS_SIZE && (m.control & CBAUD) != BOTHER)
		m.input_speed = m.output_speed = speed_of_control(m.control);
	if (drain) {
		err = tty_drain(t);
		if (err)
			return err;
	}
	mutex_lock(&t->lock);
	if (flush)
		tty_input_flush(t);
	old_local = t->modes.local;
	had_flow = has_usual_flow_control(t);
	keep_frozen(t, &m);
	t->modes = m;
	tty_input_mode_changed(t, old_local);
	if (!(m.input & IXON))
		tty_set_stopped(t, false);
	if (had_flow != has_usual_flow_control(t))
		tty_tell(t, had_flow ? TIOCPKT_NOSTOP : TIOCPKT_DOSTOP);
	mutex_unlock(&t->lock);
	/* Readers may have to go by other rules, writers may go on. */
	waitq_wake_all(&t->read_wait);
	tty_wake_writers(t);
	if (t->driver->want_input)
		t->driver->want_input(t);
	return 0;
}

static long size_get(struct tty *t, void __user *to)
{
	struct terminal_size size;

	mutex_lock(&t->lock);
	size = t->size;
	mutex_unlock(&t->lock);
	return copy_to_user(to, &size, sizeof(size)) ? -EFAULT : 0;
}

static long size_set(struct tty *t, const void __user *from)
{
	struct terminal_size size;

	if (copy_from_user(&size, from, sizeof(size)))
		return -EFAULT;
	tty_resize(t, &size);
	return 0;
}

static long foreground_set(struct tty *t, const s32 __user *from)
{
	u32 session = process_session_id(process_current());
	int err = tty_check_background(t, SIGTTOU);
	s32 group;

	if (err)
		return err == -EIO ? -ENOTTY : err;
	if (!tty_is_controlling(t))
		return -ENOTTY;
	if (get_user(group, from))
		return -EFAULT;
	if (group < 0)
		return -EINVAL;
	if (!session_has_group(session, (u32)group)) {
		struct process *leader = process_find((u32)group);

		if (!leader)
			return -ESRCH;
		process_put(leader);
		return -EPERM;
	}
	mutex_lock(&t->lock);
	if (t->session == session)
		t->foreground = (u32)group;
	mutex_unlock(&t->lock);
	return 0;
}

static long flush_queues(struct tty *t, u64 which)
{
	int err = tty_check_background(t, SIGTTOU);

	if (err)
		return err;
	if (which != TCIFLUSH && which != TCOFLUSH && which != TCIOFLUSH)
		return -EINVAL;
	mutex_lock(&t->lock);
	if (which != TCOFLUSH)
		tty_input_flush(t);
	if (which != TCIFLUSH && t->driver->discard)
		t->driver->discard(t);
	mutex_unlock(&t->lock);
	if (which != TCOFLUSH && t->driver->want_input)
		t->driver->want_input(t);
	if (which != TCIFLUSH)
		tty_wake_writers(t);
	return 0;
}

static long flow_control(struct tty *t, u64 action)
{
	int err = tty_check_background(t, SIGTTOU);
	u8 c;

	if (err)
		return err;
	switch (action) {
	case TCOOFF:
	case TCOON:
		mutex_lock(&t->lock);
		tty_set_stopped(t, action == TCOOFF);
		mutex_unlock(&t->lock);
		if (action == TCOON)
			tty_wake_writers(t);
		return 0;
	case TCIOFF:
	case TCION:
		c = t->modes.chars[action == TCIOFF ? VSTOP : VSTART];
		mutex_lock(&t->lock);
		if (c && t->driver->room(t))
			t->driver->output(t, &c, 1);
		mutex_unlock(&t->lock);
		return 0;
	}
	return -EINVAL;
}

static long input_count(struct tty *t, s32 __user *to)
{
	u32 count;

	if (t->driver->want_input)
		t->driver->want_input(t);
	mutex_lock(&t->lock);
	count = tty_input_count(t);
	mutex_unlock(&t->lock);
	return put_user((s32)count, to);
}

/* Break has no line to be sent on; what programs want of it is that output drains. */
static long send_break(struct tty *t)
{
	int err = tty_check_background(t, SIGTTOU);

	return err ? err : tty_drain(t);
}

static long set_exclusive(struct tty *t, bool on)
{
	mutex_lock(&t->lock);
	t->exclusive = on;
	mutex_unlock(&t->lock);
	return 0;
}

/* Requests about the modes. -ENOTTY: not one of them. */
static long ioctl_modes(struct tty *t, u32 request, void __user *arg)
{
	switch (request) {
	case TCGETS:
		return modes_get(t, arg, TERMIOS_SIZE);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return modes_set(t, arg, TERMIOS_SIZE, request != TCSETS, request == TCSETSF);
	case TCGETS2:
		return modes_get(t, arg, sizeof(struct terminal_modes));
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return modes_set(t, arg, sizeof(struct terminal_modes), request != TCSETS2,
				 request == TCSETSF2);
	case TCGETA:
		return old_modes_get(t, arg);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return modes_set(t, arg, 0, request != TCSETA, request == TCSETAF);
	case TIOCGLCKTRMIOS:
		return frozen_get(t, arg);
	case TIOCSLCKTRMIOS:
		return frozen_set(t, arg);
	}
	return -ENOTTY;
}

long tty_ioctl_common(struct tty *t, u32 request, u64 arg)
{
	void __user *user = (void __user *)arg;

	switch (request) {
	case TIOCGWINSZ:
		return size_get(t, user);
	case TIOCSWINSZ:
		return size_set(t, user);
	case TCFLSH:
		return flush_queues(t, arg);
	}
	return ioctl_modes(t, request, user);
}

long tty_ioctl(struct file *f, u32 request, u64 arg)
{
	struct tty *t = f->data;
	void __user *user = (void __user *)arg;

	if (load_relaxed(&t->hung_up))
		return -EIO;
	switch (request) {
	case TIOCGPGRP:
		return tty_is_controlling(t) ? put_user((s32)tty_foreground(t), (s32 *)user)
					     : -ENOTTY;
	case TIOCSPGRP:
		return foreground_set(t, user);
	case TIOCGSID:
		return tty_is_controlling(t) ? put_user((s32)t->session, (s32 *)user) : -ENOTTY;
	case TIOCSCTTY:
		return tty_become_controlling(t, arg == 1);
	case TIOCNOTTY:
		if (!tty_is_controlling(t))
			return -ENOTTY;
		tty_give_up_controlling(t);
		return 0;
	case FIONREAD:
		return input_count(t, user);
	case TIOCOUTQ:
		return put_user((s32)(t->driver->pending ? t->driver->pending(t) : 0), (s32 *)user);
	case TCXONC:
		return flow_control(t, arg);
	case TCSBRK:
	case TCSBRKP:
	case TIOCSBRK:
	case TIOCCBRK:
		return send_break(t);
	case TIOCEXCL:
	case TIOCNXCL:
		return set_exclusive(t, request == TIOCEXCL);
	case TIOCGEXCL:
		return put_user((s32)t->exclusive, (s32 *)user);
	case TIOCGETD:
		return put_user(0, (s32 *)user);
	}
	if (t->driver->ioctl) {
		long r = t->driver->ioctl(t, f, request, arg);

		if (r != -ENOTTY)
			return r;
	}
	return tty_ioctl_common(t, request, arg);
}
