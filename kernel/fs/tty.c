/*
 * tty.c - terminals: their life, their files, sessions and job control, hang-up.
 *
 * A terminal belongs to at most one session, which has it as its controlling terminal; a read or a
 * change of modes by one of the session's background groups is answered by a signal
 * (tty_check_background). tty_priv.h draws how data moves; read tty_input.c and tty_output.c next,
 * then the drivers: console.c and pty.c.
 */
#include <asm-generic/fcntl.h>
#include <asm/signal.h>
#include <linux/capability.h>

#include "fs/iter.h"
#include "fs/poll.h"
#include "fs/tty_priv.h"
#include "proc/proc.h"

/* All terminals, so that a pointer that a session lends can be turned into a reference. */
static struct spinlock ttys_lock = SPINLOCK_INIT(RANK_FS);
static struct list ttys = LIST_INIT(ttys);

/* --- life --- */

int tty_init(struct tty *t, const struct tty_driver *driver, void *data, u64 device)
{
	ref_init(&t->refs);
	t->driver = driver;
	t->data = data;
	t->device = device;
	mutex_init(&t->lock, RANK_TTY);
	waitq_init(&t->read_wait);
	waitq_init(&t->write_wait);
	tty_set_default_modes(&t->modes);
	spin_lock(&ttys_lock);
	list_push_back(&ttys, &t->link);
	spin_unlock(&ttys_lock);
	return 0;
}

void tty_get(struct tty *t)
{
	ref_get(&t->refs);
}

void tty_put(struct tty *t)
{
	bool last;

	spin_lock(&ttys_lock);
	last = ref_put(&t->refs);
	if (last)
		list_remove(&t->link);
	spin_unlock(&ttys_lock);
	if (last)
		t->driver->free(t);
}

/* A reference to `wanted`, which was borrowed from a session, or NULL if it has gone since. */
static struct tty *tty_get_live(const struct tty *wanted)
{
	struct tty *t, *found = NULL;

	spin_lock(&ttys_lock);
	list_for_each (t, &ttys, link) {
		if (t == wanted) {
			tty_get(t);
			found = t;
			break;
		}
	}
	spin_unlock(&ttys_lock);
	return found;
}

u64 tty_device(const struct tty *t)
{
	return t->device;
}

u32 tty_foreground(const struct tty *t)
{
	return load_relaxed(&t->foreground);
}

/* --- sessions and groups --- */

bool tty_is_controlling(struct tty *t)
{
	struct process *p = process_current();

	return process_tty(p) == t && load_relaxed(&t->session) == process_session_id(p);
}

int tty_check_background(struct tty *t, int sig)
{
	u32 group = process_group_id(process_current());
	u32 foreground = load_relaxed(&t->foreground);

	if (!tty_is_controlling(t) || !foreground || foreground == group)
		return 0;
	if (signal_is_ignored(sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (process_group_is_orphaned(group))
		return -EIO;
	signal_group(group, sig, NULL);
	return -ERESTARTSYS;
}

void tty_signal_foreground(struct tty *t, int sig)
{
	u32 group = load_relaxed(&t->foreground);

	if (group)
		signal_group(group, sig, NULL);
}

/* No session has t any more. Locked. The session's reference is the caller's. */
static u32 detach_session(struct tty *t)
{
	u32 session = t->session;

	t->session = t->foreground = 0;
	return session;
}

int tty_become_controlling(struct tty *t, bool steal)
{
	struct process *p = process_current();
	u32 before;
	int err;

	mutex_lock(&t->lock);
	before = t->session;
	if (before == process_session_id(p) && process_tty(p) == t) {
		mutex_unlock(&t->lock);
		return 0;
	}
	if (before && !(steal && cred_capable(cred_current(), CAP_SYS_ADMIN))) {
		mutex_unlock(&t->lock);
		return -EPERM;
	}
	err = session_set_tty(t);
	if (!err) {
		if (before)
			session_clear_tty(before); /* its reference becomes ours */
		else
			tty_get(t);
		t->session = process_session_id(p);
		t->foreground = process_group_id(p);
	}
	mutex_unlock(&t->lock);
	return err;
}

void tty_give_up_controlling(struct tty *t)
{
	struct process *p = process_current();

	if (process_session_id(p) != p->pid)
		return;
	session_clear_tty(p->pid);
	tty_session_ended(t, p->pid);
}

void tty_session_ended(struct tty *t, u32 sid)
{
	u32 group = 0, session = 0;

	if (!tty_get_live(t))
		return;
	mutex_lock(&t->lock);
	if (t->session == sid) { /* else a hang-up came first */
		group = t->foreground;
		session = detach_session(t);
	}
	mutex_unlock(&t->lock);
	if (group) {
		signal_group(group, SIGHUP, NULL);
		signal_group(group, SIGCONT, NULL);
	}
	if (session)
		tty_put(t);
	tty_put(t);
}

/* SIGHUP and SIGCONT, to the leader of the session and to the group in the foreground. */
static void hangup_signals(u32 session, u32 foreground)
{
	struct process *leader = process_find(session);

	if (leader) {
		signal_process(leader, SIGHUP, NULL);
		signal_process(leader, SIGCONT, NULL);
		process_put(leader);
	}
	if (foreground && foreground != session) {
		signal_group(foreground, SIGHUP, NULL);
		signal_group(foreground, SIGCONT, NULL);
	}
}

void tty_hangup(struct tty *t)
{
	u32 session, foreground;

	mutex_lock(&t->lock);
	t->hung_up = true;
	foreground = t->foreground;
	session = detach_session(t);
	mutex_unlock(&t->lock);
	waitq_wake_key(&t->read_wait, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLRDNORM);
	waitq_wake_key(&t->write_wait, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR | EPOLLWRNORM);
	if (!session)
		return;
	session_clear_tty(session);
	hangup_signals(session, foreground);
	tty_put(t);
}

void tty_resize(struct tty *t, const struct terminal_size *size)
{
	bool changed;

	mutex_lock(&t->lock);
	changed = t->size.rows != size->rows || t->size.columns != size->columns ||
		  t->size.xpixel != size->xpixel || t->size.ypixel != size->ypixel;
	t->size = *size;
	mutex_unlock(&t->lock);
	if (changed)
		tty_signal_foreground(t, SIGWINCH);
}

/* --- files --- */

int tty_open_file(struct tty *t, struct file *f)
{
	bool first;

	mutex_lock(&t->lock);
	if (t->hung_up || (t->exclusive && !cred_capable(cred_current(), CAP_SYS_ADMIN))) {
		int err = t->hung_up ? -EIO : -EBUSY;

		mutex_unlock(&t->lock);
		return err;
	}
	first = t->opens++ == 0;
	mutex_unlock(&t->lock);
	if (first && t->driver->opened)
		t->driver->opened(t);
	f->ops = &tty_file_ops;
	f->data = t;
	f->stream = true;
	return 0;
}

static void tty_release(struct file *f)
{
	struct tty *t = f->data;
	bool last;

	mutex_lock(&t->lock);
	last = --t->opens == 0;
	if (last)
		t->exclusive = false;
	mutex_unlock(&t->lock);
	if (last && t->driver->closed)
		t->driver->closed(t);
	tty_put(t);
}

/* /dev/tty: the caller's controlling terminal, whichever that is. */
static int current_tty_open(struct file *f)
{
	struct tty *t = tty_get_live(process_tty(process_current()));
	int err;

	if (!t)
		return -ENXIO;
	err = tty_open_file(t, f);
	if (err)
		tty_put(t);
	return err;
}

const struct file_ops current_tty_file_ops = {
	.open = current_tty_open,
};

static u32 tty_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = f->data;
	u32 events = 0;

	poll_wait(pt, f, &t->read_wait);
	poll_wait(pt, f, &t->write_wait);
	if (pt && t->driver->want_input)
		t->driver->want_input(t);
	if (load_relaxed(&t->hung_up))
		return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR;
	if (tty_input_ready(t))
		events |= EPOLLIN | EPOLLRDNORM;
	if (tty_output_ready(t))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

/* --- reading --- */

static bool read_may_go_on(struct tty *t)
{
	return tty_input_ready(t) || load_relaxed(&t->hung_up);
}

/* Wait for input until the deadline. 0, -ETIMEDOUT, -ERESTARTSYS. */
static int wait_input(struct tty *t, u64 deadline)
{
	int err;

	if (t->driver->want_input)
		t->driver->want_input(t);
	err = wait_event_deadline(&t->read_wait, read_may_go_on(t), deadline);
	return err == -EINTR ? -ERESTARTSYS : err;
}

/*
 * Move up to n bytes of what there is to it: bytes, or -EFAULT if none. *ended: see tty_input_take.
 */
static ssize read_available(struct tty *t, struct iter *it, size_t n, bool *ended)
{
	u8 buf[256];
	size_t done = 0;

	*ended = false;
	while (done < n && !*ended) {
		u32 got;

		mutex_lock(&t->lock);
		got = tty_input_take(t, buf, min(n - done, sizeof(buf)), ended);
		mutex_unlock(&t->lock);
		if (!got)
			break;
		if (iter_copy_to(it, buf, got) != got)
			return done ? (ssize)done : -EFAULT;
		done += got;
	}
	if (t->driver->want_input)
		t->driver->want_input(t);
	return (ssize)done;
}

static ssize read_canonical(struct tty *t, struct iter *it, bool nonblock)
{
	for (;;) {
		ssize done;
		bool ended;
		int err;

		if (load_relaxed(&t->hung_up))
			return 0;
		done = read_available(t, it, it->left, &ended);
		if (done || ended)
			return done;
		if (nonblock)
			return -EAGAIN;
		err = wait_input(t, DEADLINE_NONE);
		if (err)
			return err;
		if (!(t->modes.local & ICANON))
			return -ERESTARTNOINTR; /* begin again, under the new rules */
	}
}

/* MIN and TIME as in termios(3): four cases, which differ in the deadline and in what is enough. */
static ssize read_raw(struct tty *t, struct iter *it, bool nonblock)
{
	u32 least = t->modes.chars[VMIN];
	u64 interval = t->modes.chars[VTIME] * (NS_PER_SEC / 10);
	u64 deadline = least ? DEADLINE_NONE : clock_monotonic() + interval;
	ssize total = 0;

	for (;;) {
		bool ended;
		int err;
		ssize done;

		if (load_relaxed(&t->hung_up))
			return total;
		done = read_available(t, it, it->left, &ended);
		if (done < 0)
			return total ? total : done;
		total += done;
		if (!it->left || total >= (ssize)max(least, 1u))
			return total;
		if (!least && !interval)
			return total;
		if (nonblock)
			return total ? total : -EAGAIN;
		if (total && interval)
			deadline = clock_monotonic() + interval;
		err = wait_input(t, deadline);
		if (err == -ETIMEDOUT)
			return total;
		if (err)
			return total ? total : err;
		if (t->modes.local & ICANON)
			return total ? total : -ERESTARTNOINTR;
	}
}

static ssize tty_read(struct file *f, struct iter *it, u64 *pos)
{
	struct tty *t = f->data;
	bool nonblock = f->flags & O_NONBLOCK;
	int err = tty_check_background(t, SIGTTIN);

	if (err)
		return err;
	if (!it->left)
		return 0;
	if (t->modes.local & ICANON)
		return read_canonical(t, it, nonblock);
	return read_raw(t, it, nonblock);
}

const struct file_ops tty_file_ops = {
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
	.release = tty_release,
};
