/*
 * signalfd.c - signals read from a file: those of a set that are pending for whoever reads.
 * signalfd(2).
 *
 * The file waits on the queue of the process that asks, not of the one that made it. An epoll set
 * may stay on such a queue until the file is released; so the file keeps a use of every process
 * that it has named a queue of.
 */
#include <asm-generic/fcntl.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>

#include "fs/eventfiles.h"
#include "fs/iter.h"
#include "fs/poll.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/proc.h"

struct signalfd_user {
	struct signalfd_user *next;
	struct process *process; /* counted */
};

struct signalfd {
	u64 mask;             /* A */
	struct spinlock lock; /* RANK_FS: guards users */
	struct signalfd_user *users;
};

/* The layout of Linux's struct signalfd_siginfo. */
struct signal_record {
	u32 signal;
	s32 error, code;
	u32 pid, uid;
	s32 fd;
	u32 timer_id, band, overrun, trap;
	s32 status, integer;
	u64 pointer, user_ticks, system_ticks, address;
	u16 address_lsb, pad2;
	s32 syscall;
	u64 call_address;
	u32 arch;
	u8 pad[28];
};
_Static_assert(sizeof(struct signal_record) == 128, "signalfd_siginfo");

#define SI_TIMER_CODE (-2)
#define SI_USER_CODE 0
#define SI_KERNEL_CODE 0x80

/* Which of siginfo's forms an info has follows from its signal and code. */
static void record_fill(struct signal_record *r, const struct signal_info *i)
{
	memset(r, 0, sizeof(*r));
	r->signal = (u32)i->signal;
	r->error = i->error;
	r->code = i->code;
	if (i->code == SI_TIMER_CODE) {
		r->timer_id = (u32)i->timer.id;
		r->overrun = (u32)i->timer.overrun;
		r->pointer = i->timer.value;
		r->integer = (s32)i->timer.value;
	} else if (i->code <= SI_USER_CODE || i->code == SI_KERNEL_CODE) {
		r->pid = i->sent.pid;
		r->uid = i->sent.uid;
		r->pointer = i->sent.value;
		r->integer = (s32)i->sent.value;
	} else if (i->signal == SIGCHLD) {
		r->pid = i->child.pid;
		r->uid = i->child.uid;
		r->status = i->child.status;
		r->user_ticks = (u64)i->child.user_ticks;
		r->system_ticks = (u64)i->child.system_ticks;
	} else if (i->signal == SIGPOLL) {
		r->band = (u32)i->poll.band;
		r->fd = i->poll.fd;
	} else {
		r->address = i->fault.address;
	}
}

static ssize signalfd_read(struct file *f, struct iter *it, u64 *pos)
{
	struct signalfd *s = f->data;
	struct signal_record record;
	struct signal_info info;
	ssize done = 0;

	if (it->left < sizeof(record))
		return -EINVAL;
	while (it->left >= sizeof(record)) {
		u64 mask = load_relaxed(&s->mask);
		int err;

		if (signal_take(mask, &info)) {
			record_fill(&record, &info);
			if (iter_copy_to(it, &record, sizeof(record)) != sizeof(record))
				return done ? done : -EFAULT;
			done += sizeof(record);
			continue;
		}
		if (done)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&process_current()->signal_wait,
					       signal_pending_in(load_relaxed(&s->mask)));
		if (err)
			return err;
	}
	return done;
}

/*
 * Remember that something may wait on p's queue as long as the file lives. Without memory it does
 * not: false.
 */
static bool keep_process(struct signalfd *s, struct process *p)
{
	struct signalfd_user *mine = kmalloc(sizeof(*mine)), *u;

	spin_lock(&s->lock);
	for (u = s->users; u && u->process != p; u = u->next)
		;
	if (!u && mine) {
		process_get(p);
		*mine = (struct signalfd_user){ s->users, p };
		s->users = u = mine;
		mine = NULL;
	}
	spin_unlock(&s->lock);
	kfree(mine);
	return u;
}

static u32 signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->data;
	struct process *p = process_current();

	if (pt && pt->add && keep_process(s, p))
		poll_wait(pt, f, &p->signal_wait);
	return signal_pending_in(load_relaxed(&s->mask)) ? EPOLLIN | EPOLLRDNORM : 0;
}

static void signalfd_release(struct file *f)
{
	struct signalfd *s = f->data;
	struct signalfd_user *u, *next;

	for (u = s->users; u; u = next) {
		next = u->next;
		process_put(u->process);
		kfree(u);
	}
	kfree(s);
}

static void signalfd_fdinfo(struct file *f, char *buf, size_t size)
{
	struct signalfd *s = f->data;

	format(buf, size, "sigmask:\t%016lx\n", load_relaxed(&s->mask));
}

static const struct file_ops signalfd_file_ops = {
	.read = signalfd_read,
	.poll = signalfd_poll,
	.seek = file_seek_nowhere,
	.release = signalfd_release,
	.fdinfo = signalfd_fdinfo,
};

/* SIGKILL and SIGSTOP cannot be taken. */
static u64 takeable(u64 mask)
{
	return mask & ~(BIT(SIGKILL - 1) | BIT(SIGSTOP - 1));
}

int signalfd_change(struct file *f, u64 mask)
{
	struct signalfd *s = f->data;

	if (f->ops != &signalfd_file_ops)
		return -EINVAL;
	store_relaxed(&s->mask, takeable(mask));
	waitq_wake_all(&process_current()->signal_wait);
	return 0;
}

struct file *signalfd_create(u64 mask, u32 flags)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	struct file *f;

	if (!s)
		return ERR_PTR(-ENOMEM);
	spin_init(&s->lock, RANK_FS);
	s->mask = takeable(mask);
	f = file_new_anonymous("anon_inode:[signalfd]", &signalfd_file_ops, s, O_RDWR | flags,
			       0600);
	if (IS_ERR(f))
		kfree(s);
	return f;
}
