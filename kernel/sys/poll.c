/*
 * poll.c - poll, ppoll, select, pselect6: decode the sets, ask the files, wait (fs/poll.c), write
 * the answers back.
 */
#include "sys/poll.h"

#include <asm-generic/poll.h>
#include <asm/resource.h>
#include <linux/time_types.h>

#include "fs/poll.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "proc/calls.h"
#include "proc/proc.h"
#include "sys/syscall.h"

/* Monotonic deadline of a relative time. */
static u64 deadline_after(u64 ns)
{
	u64 now = clock_monotonic();

	return ns >= DEADLINE_NONE - now ? DEADLINE_NONE : now + ns;
}

/* A user timespec (NULL: no deadline) as a deadline; *zero: do not wait. 0, -EFAULT, -EINVAL. */
static int deadline_get(const struct __kernel_timespec __user *user, u64 *deadline, bool *zero)
{
	struct __kernel_timespec ts;

	*deadline = DEADLINE_NONE;
	*zero = false;
	if (!user)
		return 0;
	if (copy_from_user(&ts, user, sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || (u64)ts.tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*zero = !ts.tv_sec && !ts.tv_nsec;
	if ((u64)ts.tv_sec < UINT64_MAX / NS_PER_SEC / 2)
		*deadline = deadline_after((u64)ts.tv_sec * NS_PER_SEC + ts.tv_nsec);
	return 0;
}

static u64 time_left(u64 deadline)
{
	u64 now = clock_monotonic();

	return deadline > now ? deadline - now : 0;
}

/* What is left of the time, as Linux tells it; a bad address is not an error any more. */
static void deadline_put(struct __kernel_timespec __user *user, u64 deadline)
{
	u64 left = time_left(deadline);
	struct __kernel_timespec ts = { left / NS_PER_SEC, left % NS_PER_SEC };

	if (user && deadline != DEADLINE_NONE && copy_to_user(user, &ts, sizeof(ts)))
		return;
}

static int use_mask(const u64 __user *mask, size_t size)
{
	u64 m;

	if (!mask)
		return 0;
	if (size != sizeof(m))
		return -EINVAL;
	if (get_user(m, mask))
		return -EFAULT;
	signal_use_mask(m);
	return 0;
}

/* --- poll --- */

/* Ask all files: how many have something to report. */
static int poll_ask(struct poll_set *s, struct pollfd *fds, u32 n)
{
	int ready = 0;

	for (u32 i = 0; i < n; i++) {
		struct file *f;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		f = fd_file(fds[i].fd);
		if (f) {
			fds[i].revents = (short)poll_set_ask(s, f, (u16)fds[i].events);
			file_put(f);
		} else {
			fds[i].revents = POLLNVAL;
		}
		if (fds[i].revents) {
			ready++;
			s->registered = true; /* no need to wait: the others are only asked */
		}
	}
	return ready;
}

static int poll_wait_for(struct pollfd *fds, u32 n, u64 deadline, bool zero)
{
	struct poll_set s;
	int ready, err = 0;

	poll_set_init(&s);
	s.registered = zero;
	for (;;) {
		ready = poll_ask(&s, fds, n);
		if (ready || zero || err)
			break;
		err = poll_set_wait(&s, deadline);
		if (err == -EINTR || err == -ENOMEM)
			break;
	}
	poll_set_end(&s);
	return ready ? ready : err == -ETIMEDOUT ? 0 : err;
}

static int revents_put(struct pollfd __user *user, const struct pollfd *fds, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (put_user(fds[i].revents, &user[i].revents))
			return -EFAULT;
	}
	return 0;
}

#define POLL_INLINE_FDS 16

static int do_poll(struct pollfd __user *user, u32 n, u64 deadline, bool zero)
{
	struct pollfd few[POLL_INLINE_FDS], *fds = few;
	int ready;

	if (n > rlimit_get(RLIMIT_NOFILE))
		return -EINVAL;
	if (n > POLL_INLINE_FDS) {
		fds = kmalloc(n * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
	}
	ready = -EFAULT;
	if (!copy_from_user(fds, user, n * sizeof(*fds))) {
		ready = poll_wait_for(fds, n, deadline, zero);
		if (ready >= 0 && revents_put(user, fds, n))
			ready = -EFAULT;
	}
	if (fds != few)
		kfree(fds);
	return ready;
}

/* poll to a deadline, so that a signal does not make it longer. */
static long poll_to_deadline(struct pollfd __user *fds, u32 n, u64 deadline, bool zero)
{
	long r = do_poll(fds, n, deadline, zero);
	struct thread *t = thread_current();

	if (r != -EINTR)
		return r;
	t->restart[0] = RESTART_POLL;
	t->restart[1] = (u64)fds;
	t->restart[2] = n;
	t->restart[3] = deadline;
	return -ERESTART_RESTARTBLOCK;
}

long poll_restart(const u64 restart[6])
{
	return poll_to_deadline((struct pollfd __user *)restart[1], (u32)restart[2], restart[3],
				false);
}

SYSCALL3(poll, struct pollfd __user *, fds, u32, n, s32, timeout_ms)
{
	u64 deadline = timeout_ms < 0 ? DEADLINE_NONE : deadline_after(timeout_ms * 1000000ull);

	return poll_to_deadline(fds, n, deadline, timeout_ms == 0);
}

SYSCALL5(ppoll, struct pollfd __user *, fds, u32, n, struct __kernel_timespec __user *, timeout,
	 const u64 __user *, mask, size_t, mask_size)
{
	u64 deadline;
	bool zero;
	int r = deadline_get(timeout, &deadline, &zero);

	if (!r)
		r = use_mask(mask, mask_size);
	if (r)
		return r;
	r = do_poll(fds, n, deadline, zero);
	signal_end_mask(r == -EINTR);
	deadline_put(timeout, deadline);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

/* --- select --- */

enum select_set { SELECT_READ, SELECT_WRITE, SELECT_EXCEPT, SELECT_SETS };

static const u32 select_events[SELECT_SETS] = {
	[SELECT_READ] = EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR,
	[SELECT_WRITE] = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR,
	[SELECT_EXCEPT] = EPOLLPRI,
};

struct select_bits {
	u32 n, words;
	u64 *in[SELECT_SETS], *out[SELECT_SETS]; /* slices of one allocation, at in[0] */
};

static bool bit_get(const u64 *bits, u32 i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

/* Ask about descriptor fd: how many of its wishes hold, or -EBADF. */
static int select_ask_one(struct poll_set *s, struct select_bits *b, u32 fd)
{
	struct file *f = fd_file((int)fd);
	u32 wanted = 0, got;
	int ready = 0;

	if (!f)
		return -EBADF;
	for (u32 k = 0; k < SELECT_SETS; k++) {
		if (bit_get(b->in[k], fd))
			wanted |= select_events[k];
	}
	got = poll_set_ask(s, f, wanted);
	file_put(f);
	for (u32 k = 0; k < SELECT_SETS; k++) {
		if (bit_get(b->in[k], fd) && (got & select_events[k])) {
			b->out[k][fd / 64] |= BIT(fd % 64);
			ready++;
		}
	}
	if (ready)
		s->registered = true;
	return ready;
}

static int select_ask(struct poll_set *s, struct select_bits *b)
{
	int ready = 0;

	memset(b->out[0], 0, (size_t)SELECT_SETS * b->words * 8);
	for (u32 w = 0; w < b->words; w++) {
		u64 any = b->in[SELECT_READ][w] | b->in[SELECT_WRITE][w] | b->in[SELECT_EXCEPT][w];

		for (; any; any &= any - 1) {
			u32 fd = w * 64 + (u32)__builtin_ctzll(any);
			int r = fd < b->n ? select_ask_one(s, b, fd) : 0;

			if (r < 0)
				return r;
			ready += r;
		}
	}
	return ready;
}

static int select_wait(struct select_bits *b, u64 deadline, bool zero)
{
	struct poll_set s;
	int ready, err = 0;

	poll_set_init(&s);
	s.registered = zero;
	for (;;) {
		ready = select_ask(&s, b);
		if (ready || zero || err)
			break;
		err = poll_set_wait(&s, deadline);
		if (err == -EINTR || err == -ENOMEM)
			break;
	}
	poll_set_end(&s);
	return ready ? ready : err == -ETIMEDOUT ? 0 : err;
}

static int do_select(s32 n, void __user *const user[SELECT_SETS], u64 deadline, bool zero)
{
	struct select_bits b;
	size_t bytes;
	int r = 0;

	if (n < 0)
		return -EINVAL;
	b.n = min((u32)n, files_capacity(process_current()->files));
	b.words = (b.n + 63) / 64;
	bytes = (size_t)b.words * 8;
	b.in[0] = kzalloc(bytes ? 2 * SELECT_SETS * bytes : 1);
	if (!b.in[0])
		return -ENOMEM;
	for (u32 k = 0; k < SELECT_SETS; k++) {
		b.in[k] = b.in[0] + k * b.words;
		b.out[k] = b.in[0] + (SELECT_SETS + k) * b.words;
		if (user[k] && copy_from_user(b.in[k], user[k], bytes))
			r = -EFAULT;
	}
	if (!r)
		r = select_wait(&b, deadline, zero);
	for (u32 k = 0; k < SELECT_SETS && r >= 0; k++) {
		if (user[k] && copy_to_user(user[k], b.out[k], bytes))
			r = -EFAULT;
	}
	kfree(b.in[0]);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

SYSCALL5(select, s32, n, void __user *, in, void __user *, out, void __user *, except,
	 struct __kernel_old_timeval __user *, timeout)
{
	void __user *const user[SELECT_SETS] = { in, out, except };
	struct __kernel_old_timeval tv;
	u64 deadline = DEADLINE_NONE;
	bool zero = false;
	int r;

	if (timeout) {
		if (copy_from_user(&tv, timeout, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		zero = !tv.tv_sec && !tv.tv_usec;
		if ((u64)tv.tv_sec < UINT64_MAX / NS_PER_SEC / 2)
			deadline = deadline_after((u64)tv.tv_sec * NS_PER_SEC +
						  (u64)tv.tv_usec * 1000);
	}
	r = do_select(n, user, deadline, zero);
	if (timeout && deadline != DEADLINE_NONE) {
		u64 left = time_left(deadline);

		tv.tv_sec = left / NS_PER_SEC;
		tv.tv_usec = left % NS_PER_SEC / 1000;
		if (copy_to_user(timeout, &tv, sizeof(tv)))
			return r;
	}
	return r;
}

/* The sixth argument points to these two. */
struct select_mask {
	u64 mask;
	size_t size;
};

SYSCALL6(pselect6, s32, n, void __user *, in, void __user *, out, void __user *, except,
	 struct __kernel_timespec __user *, timeout, const struct select_mask __user *, packed)
{
	void __user *const user[SELECT_SETS] = { in, out, except };
	struct select_mask m = {};
	u64 deadline;
	bool zero;
	int r = deadline_get(timeout, &deadline, &zero);

	if (r)
		return r;
	if (packed && copy_from_user(&m, packed, sizeof(m)))
		return -EFAULT;
	r = use_mask((const u64 __user *)m.mask, m.size);
	if (r)
		return r;
	r = do_select(n, user, deadline, zero);
	signal_end_mask(r == -ERESTARTNOHAND);
	deadline_put(timeout, deadline);
	return r;
}
