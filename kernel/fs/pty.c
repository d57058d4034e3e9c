/*
 * pty.c - pseudo-terminals: /dev/ptmx, whose every open makes a pair, and the file system of
 * slaves, /dev/pts.
 *
 * The slave is a terminal (tty.c); the master, a file of its own kind, is its other side: what the
 * master writes is the terminal's input, and what programs write to the terminal is kept in `out`
 * until the master reads it. The pair lives as long as either is open; the name in /dev/pts goes
 * with the master, whose close hangs the terminal up.
 */
#include <asm-generic/fcntl.h>
#include <asm-generic/ioctls.h>
#include <asm/signal.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/stat.h>

#include "arch/x86_64/usercopy.h"
#include "fs/filesystems.h"
#include "fs/iter.h"
#include "fs/poll.h"
#include "fs/tty_priv.h"
#include "fs/vfs_priv.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

#define PTY_MAX 1024u
#define PTY_OUT_SIZE 8192u /* power of 2 */
#define PTS_GROUP 5        /* "tty": owns slaves, so that write(1) works */
#define PTS_ROOT_INO 1
#define PTS_PTMX_INO 2
#define PTS_FIRST_INO 3

struct pty {
	struct tty tty;
	u32 index;
	struct inode *inode;      /* C: the slave's name; a reference */
	bool locked;              /* A: until unlockpt */
	bool packet;              /* A: the master is in packet mode (TIOCPKT) */
	u32 told;                 /* A: TIOCPKT_* that it has not read yet */
	bool was_opened;          /* A: the slave has been open */
	struct spinlock out_lock; /* RANK_FS */
	u8 out[PTY_OUT_SIZE];     /* out_lock: bytes [out_tail, out_head) */
	u32 out_head, out_tail;
	struct waitq master_wait;
};

static struct spinlock ptys_lock = SPINLOCK_INIT(RANK_FS);
static struct pty *ptys[PTY_MAX]; /* ptys_lock: those whose master is open */
static struct super pts_super;

static struct pty *pty_of(struct tty *t)
{
	return container_of(t, struct pty, tty);
}

/* The pair with this number, its terminal counted, or NULL. */
static struct pty *pty_find(u32 index)
{
	struct pty *p = NULL;

	spin_lock(&ptys_lock);
	if (index < PTY_MAX && ptys[index]) {
		p = ptys[index];
		tty_get(&p->tty);
	}
	spin_unlock(&ptys_lock);
	return p;
}

/* --- the terminal's driver --- */

static u32 out_used(const struct pty *p)
{
	return load_relaxed(&p->out_head) - load_relaxed(&p->out_tail);
}

static u32 pty_room(struct tty *t)
{
	return PTY_OUT_SIZE - out_used(pty_of(t));
}

static void pty_output(struct tty *t, const void *data, u32 n)
{
	struct pty *p = pty_of(t);
	const u8 *bytes = data;

	spin_lock(&p->out_lock);
	for (u32 i = 0; i < n; i++)
		p->out[(p->out_head + i) % PTY_OUT_SIZE] = bytes[i];
	store_release(&p->out_head, p->out_head + n);
	spin_unlock(&p->out_lock);
	waitq_wake_key(&p->master_wait, EPOLLIN | EPOLLRDNORM);
}

/* Of two opposite events the later one counts. */
static void pty_tell(struct tty *t, u32 events)
{
	struct pty *p = pty_of(t);
	u32 opposite = 0;

	if (!load_relaxed(&p->packet))
		return;
	if (events & (TIOCPKT_STOP | TIOCPKT_START))
		opposite = TIOCPKT_STOP | TIOCPKT_START;
	else if (events & (TIOCPKT_NOSTOP | TIOCPKT_DOSTOP))
		opposite = TIOCPKT_NOSTOP | TIOCPKT_DOSTOP;
	atomic_and(&p->told, ~opposite);
	atomic_or(&p->told, events);
	waitq_wake_key(&p->master_wait, EPOLLIN | EPOLLPRI | EPOLLRDNORM);
}

static void pty_discard(struct tty *t)
{
	struct pty *p = pty_of(t);

	spin_lock(&p->out_lock);
	store_release(&p->out_tail, p->out_head);
	spin_unlock(&p->out_lock);
	pty_tell(t, TIOCPKT_FLUSHWRITE);
}

static void pty_want_input(struct tty *t)
{
	waitq_wake_key(&pty_of(t)->master_wait, EPOLLOUT | EPOLLWRNORM);
}

static void pty_opened(struct tty *t)
{
	store_relaxed(&pty_of(t)->was_opened, true);
}

static void pty_closed(struct tty *t)
{
	waitq_wake_key(&pty_of(t)->master_wait, EPOLLIN | EPOLLHUP | EPOLLRDNORM);
}

static void pty_free(struct tty *t)
{
	struct pty *p = pty_of(t);

	inode_put(p->inode);
	kfree(p);
}

static const struct tty_driver pty_driver = {
	.room = pty_room,
	.output = pty_output,
	.discard = pty_discard,
	.want_input = pty_want_input,
	.tell = pty_tell,
	.opened = pty_opened,
	.closed = pty_closed,
	.free = pty_free,
};

/* --- the slave's file --- */

static int slave_open(struct file *f)
{
	struct pty *p = pty_find((u32)f->inode->ino - PTS_FIRST_INO);
	int err;

	if (!p || p->inode != f->inode) {
		if (p)
			tty_put(&p->tty);
		return -ENXIO;
	}
	err = load_relaxed(&p->locked) ? -EIO : tty_open_file(&p->tty, f);
	if (err) {
		tty_put(&p->tty);
		return err;
	}
	if (!(f->flags & O_NOCTTY))
		(void)tty_become_controlling(&p->tty, false);
	return 0;
}

static const struct file_ops slave_file_ops = {
	.open = slave_open,
};

static const struct inode_ops slave_inode_ops = {};

/* --- the master's file --- */

static bool slave_gone(const struct pty *p)
{
	return load_relaxed(&p->was_opened) && !load_relaxed(&p->tty.opens);
}

static bool master_may_read(const struct pty *p)
{
	return out_used(p) || load_relaxed(&p->told) || slave_gone(p);
}

/* Take up to n bytes of what programs wrote. */
static u32 out_take(struct pty *p, u8 *buf, u32 n)
{
	spin_lock(&p->out_lock);
	n = min(n, out_used(p));
	for (u32 i = 0; i < n; i++)
		buf[i] = p->out[(p->out_tail + i) % PTY_OUT_SIZE];
	store_release(&p->out_tail, p->out_tail + n);
	spin_unlock(&p->out_lock);
	return n;
}

static ssize master_read(struct file *f, struct iter *it, u64 *pos)
{
	struct pty *p = f->data;
	ssize done = 0;
	u8 buf[256];
	int err;

	if (!it->left)
		return 0;
	while (!out_used(p)) {
		if (load_relaxed(&p->told))
			break;
		if (slave_gone(p))
			return -EIO;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->master_wait, master_may_read(p));
		if (err)
			return err;
	}
	if (load_relaxed(&p->packet)) {
		buf[0] = (u8)atomic_exchange(&p->told, 0);
		if (iter_copy_to(it, buf, 1) != 1)
			return -EFAULT;
		if (buf[0])
			return 1;
		done = 1;
	}
	while (it->left) {
		u32 n = out_take(p, buf, min(it->left, sizeof(buf)));

		if (!n)
			break;
		if (iter_copy_to(it, buf, n) != n) {
			done = done ? done : -EFAULT;
			break;
		}
		done += n;
	}
	tty_wake_writers(&p->tty);
	return done;
}

/* Give n bytes to the line discipline: how many it took, or an error if none. */
static ssize input_all(struct pty *p, const u8 *data, u32 n, bool nonblock)
{
	u32 done = 0;

	for (;;) {
		int err;

		done += (u32)tty_receive(&p->tty, data + done, n - done);
		if (done == n)
			return done;
		if (nonblock)
			return done ? (ssize)done : -EAGAIN;
		err = wait_event_interruptible(&p->master_wait, tty_input_has_room(&p->tty));
		if (err)
			return done ? (ssize)done : err;
	}
}

static ssize master_write(struct file *f, struct iter *it, u64 *pos)
{
	struct pty *p = f->data;
	ssize total = 0;
	u8 buf[256];

	while (it->left) {
		u32 n = (u32)iter_copy_from(it, buf, min(it->left, sizeof(buf)));
		ssize done = n ? input_all(p, buf, n, f->flags & O_NONBLOCK) : -EFAULT;

		if (done > 0)
			total += done;
		if (done != (ssize)n) {
			iter_revert(it, done > 0 ? n - done : n);
			return total ? total : done;
		}
	}
	return total;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct pty *p = f->data;
	u32 events = 0;

	poll_wait(pt, f, &p->master_wait);
	if (out_used(p))
		events |= EPOLLIN | EPOLLRDNORM;
	if (load_relaxed(&p->told))
		events |= EPOLLIN | EPOLLPRI | EPOLLRDNORM;
	if (slave_gone(p))
		events |= EPOLLHUP;
	if (tty_input_has_room(&p->tty))
		events |= EPOLLOUT | EPOLLWRNORM;
	return events;
}

/* TIOCGPTPEER: a descriptor of the slave, whatever /dev/pts is to the caller. */
static long open_peer(struct pty *p, u32 flags)
{
	char name[24];
	struct file *f;
	int fd;

	format(name, sizeof(name), "/dev/pts/%u", p->index);
	f = file_open(NULL, name, flags & ~(u32)O_CLOEXEC, 0);
	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(f, 0, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long set_locked(struct pty *p, const s32 __user *arg)
{
	s32 on;

	if (get_user(on, arg))
		return -EFAULT;
	store_relaxed(&p->locked, on != 0);
	return 0;
}

static long set_packet(struct pty *p, const s32 __user *arg)
{
	s32 on;

	if (get_user(on, arg))
		return -EFAULT;
	if (!on != !p->packet)
		store_relaxed(&p->told, 0);
	store_relaxed(&p->packet, on != 0);
	return 0;
}

static long signal_slave(struct pty *p, u64 sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	tty_signal_foreground(&p->tty, (int)sig);
	return 0;
}

static long master_ioctl(struct file *f, u32 request, u64 arg)
{
	struct pty *p = f->data;
	void __user *user = (void __user *)arg;

	switch (request) {
	case TIOCGPTN:
		return put_user(p->index, (u32 __user *)user);
	case TIOCSPTLCK:
		return set_locked(p, user);
	case TIOCGPTLCK:
		return put_user((s32)p->locked, (s32 __user *)user);
	case TIOCGPTPEER:
		return open_peer(p, (u32)arg);
	case TIOCPKT:
		return set_packet(p, user);
	case TIOCGPKT:
		return put_user((s32)p->packet, (s32 __user *)user);
	case TIOCSIG:
		return signal_slave(p, arg);
	case TIOCGPGRP:
		return put_user((s32)tty_foreground(&p->tty), (s32 __user *)user);
	case TIOCGSID:
		if (!p->tty.session)
			return -ENOTTY;
		return put_user((s32)p->tty.session, (s32 __user *)user);
	case FIONREAD:
		return put_user((s32)out_used(p), (s32 __user *)user);
	case TIOCOUTQ:
		return put_user((s32)tty_input_count(&p->tty), (s32 __user *)user);
	}
	return tty_ioctl_common(&p->tty, request, arg);
}

static void master_release(struct file *f)
{
	struct pty *p = f->data;

	spin_lock(&ptys_lock);
	ptys[p->index] = NULL;
	spin_unlock(&ptys_lock);
	tty_hangup(&p->tty);
	tty_put(&p->tty);
}

static const struct file_ops master_file_ops = {
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
};

/* --- making a pair --- */

/* Take the lowest free number for p: 0 or -ENOSPC. */
static int number_take(struct pty *p)
{
	u32 i;

	spin_lock(&ptys_lock);
	for (i = 0; i < PTY_MAX && ptys[i]; i++)
		;
	if (i < PTY_MAX) {
		p->index = i;
		ptys[i] = p;
	}
	spin_unlock(&ptys_lock);
	return i < PTY_MAX ? 0 : -ENOSPC;
}

static void slave_inode_setup(struct pty *p)
{
	struct inode *i = p->inode;

	i->ino = PTS_FIRST_INO + p->index;
	i->ops = &slave_inode_ops;
	i->file_ops = &slave_file_ops;
	i->uid = cred_current()->fsuid;
	i->gid = PTS_GROUP;
	i->rdev = DEVICE_NUMBER(UNIX98_PTY_SLAVE_MAJOR, p->index);
}

static int ptmx_open(struct file *f)
{
	struct pty *p = kzalloc(sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	spin_init(&p->out_lock, RANK_FS);
	waitq_init(&p->master_wait);
	p->locked = true;
	p->inode = inode_alloc(&pts_super, 0, S_IFCHR | 0620);
	if (!p->inode) {
		kfree(p);
		return -ENOMEM;
	}
	tty_init(&p->tty, &pty_driver, NULL, 0);
	/* Left to its maker, as on Linux; the console stands for a terminal that has them. */
	p->tty.modes.input &= ~(u32)IUTF8;
	p->tty.modes.control &= ~(u32)HUPCL;
	err = number_take(p);
	if (err) {
		tty_put(&p->tty);
		return err;
	}
	slave_inode_setup(p);
	p->tty.device = p->inode->rdev;
	f->ops = &master_file_ops;
	f->data = p;
	f->stream = true;
	return 0;
}

static const struct file_ops ptmx_file_ops = {
	.open = ptmx_open,
};

/* --- /dev/pts --- */

/* The number that name is, or PTY_MAX. */
static u32 number_of_name(const char *name, size_t len)
{
	u32 n = 0;

	if (!len || len > 4 || (len > 1 && name[0] == '0'))
		return PTY_MAX;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return PTY_MAX;
		n = n * 10 + (u32)(name[i] - '0');
	}
	return n;
}

static struct inode *ptmx_inode(struct super *s)
{
	struct inode *i = inode_alloc(s, PTS_PTMX_INO, S_IFCHR | 0666);

	if (!i)
		return ERR_PTR(-ENOMEM);
	i->ops = &slave_inode_ops;
	i->file_ops = &ptmx_file_ops;
	i->rdev = DEVICE_NUMBER(TTYAUX_MAJOR, 2);
	return i;
}

static struct inode *pts_lookup(struct inode *dir, const char *name, size_t len)
{
	struct inode *i = ERR_PTR(-ENOENT);
	struct pty *p;

	if (len == 4 && !memcmp(name, "ptmx", 4))
		return ptmx_inode(dir->super);
	p = pty_find(number_of_name(name, len));
	if (p) {
		i = p->inode;
		inode_get(i);
		tty_put(&p->tty);
	}
	return i;
}

static bool pts_revalidate(struct inode *dir, const char *name, size_t len, struct inode *cached)
{
	struct pty *p;
	bool same;

	if (cached && cached->ino == PTS_PTMX_INO)
		return true;
	p = pty_find(number_of_name(name, len));
	same = cached == (p ? p->inode : NULL);
	if (p)
		tty_put(&p->tty);
	return same;
}

/* Position 2: ptmx; 3 + N: the slave N. */
static int pts_readdir(struct file *f,
		       int (*emit)(void *arg, const char *name, size_t len, u64 ino, u32 type,
				   u64 next_pos),
		       void *arg)
{
	if (file_emit_dots(f, emit, arg))
		return 0;
	if (f->pos == 2) {
		if (emit(arg, "ptmx", 4, PTS_PTMX_INO, S_IFCHR >> 12, 3))
			return 0;
		f->pos = 3;
	}
	for (u64 i = f->pos - 3; i < PTY_MAX; i++, f->pos++) {
		char name[8];

		if (load_relaxed(&ptys[i]) &&
		    emit(arg, name, format(name, sizeof(name), "%u", (u32)i), PTS_FIRST_INO + i,
			 S_IFCHR >> 12, i + 4))
			return 0;
	}
	return 0;
}

static const struct inode_ops pts_dir_ops = {
	.lookup = pts_lookup,
	.revalidate = pts_revalidate,
};

static const struct file_ops pts_dir_file_ops = {
	.readdir = pts_readdir,
	.seek = file_seek_plain,
};

static int pts_statfs(struct super *s, struct statfs_info *out)
{
	*out = (struct statfs_info){ .block_size = PAGE_SIZE, .name_max = 255 };
	return 0;
}

static const struct super_ops pts_super_ops = { .statfs = pts_statfs };

static struct super pts_super = {
	.ops = &pts_super_ops,
	.magic = DEVPTS_SUPER_MAGIC,
	.flags = SUPER_NO_DENTRY_CACHE,
	.type_name = "devpts",
};

struct super *devpts_new(void)
{
	struct inode *root;

	pts_super.dev = super_new_dev();
	root = inode_alloc(&pts_super, PTS_ROOT_INO, S_IFDIR | 0755);
	if (!root)
		return NULL;
	root->nlink = 2;
	root->ops = &pts_dir_ops;
	root->file_ops = &pts_dir_file_ops;
	pts_super.root = dentry_new_root(&pts_super, root, "");
	if (!pts_super.root) {
		inode_put(root);
		return NULL;
	}
	chardev_register(TTYAUX_MAJOR, 2, 1, &ptmx_file_ops);
	return &pts_super;
}
