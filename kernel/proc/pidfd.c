/*
 * pidfd.c - descriptors that stand for processes: readable when the process has exited.
 */
#include <asm-generic/fcntl.h>
#include <linux/eventpoll.h>

#include "arch/x86_64/usercopy.h"
#include "fs/filesystems.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "lib/print.h"
#include "proc/process_priv.h"

static void pidfd_release(struct file *f)
{
	process_put(f->data);
}

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->data;

	poll_wait(pt, f, &p->exit_wait);
	return load_acquire(&p->state) == PROCESS_LIVE ? 0 : EPOLLIN | EPOLLRDNORM;
}

static void pidfd_info(struct file *f, char *buf, size_t size)
{
	struct process *p = f->data;
	int pid = load_relaxed(&p->state) == PROCESS_REAPED ? -1 : (int)p->pid;

	format(buf, size, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static const struct file_ops pidfd_ops = { .release = pidfd_release,
					   .poll = pidfd_poll,
					   .fdinfo = pidfd_info };

/* A descriptor for p, whose reference it takes over on success. */
static int pidfd_install(struct process *p, bool nonblock)
{
	struct file *f = file_new_anonymous("anon_inode:[pidfd]", &pidfd_ops, p,
					    O_RDWR | (nonblock ? O_NONBLOCK : 0), 0600);
	int fd;

	if (IS_ERR(f))
		return (int)PTR_ERR(f);
	process_get(p); /* for the file, should it be put below */
	fd = fd_install(f, 0, true);
	if (fd < 0)
		file_put(f);
	else
		process_put(p);
	return fd;
}

int pidfd_for(struct process *p)
{
	int fd;

	process_get(p);
	fd = pidfd_install(p, false);
	if (fd < 0)
		process_put(p);
	return fd;
}

int pidfd_give(struct process *p, u64 user_fd)
{
	int fd = pidfd_for(p);

	if (fd < 0)
		return fd;
	if (put_user(fd, (s32 __user *)user_fd)) {
		fd_close(fd);
		return -EFAULT;
	}
	return fd;
}

int pidfd_open(u32 pid, bool nonblock)
{
	struct process *p = process_find(pid);
	int fd;

	if (!p) {
		p = pid_thread_process(pid);
		if (!p)
			return -ESRCH;
		process_put(p);
		return -EINVAL; /* a thread that leads no process */
	}
	fd = pidfd_install(p, nonblock);
	if (fd < 0)
		process_put(p);
	return fd;
}

struct process *pidfd_process(int fd)
{
	struct file *f = fd_file(fd);
	struct process *p = ERR_PTR(-EBADF);

	if (!f)
		return p;
	if (f->ops == &pidfd_ops) {
		p = f->data;
		process_get(p);
	}
	file_put(f);
	return p;
}

struct process *pidfd_target(int fd)
{
	struct process *p = pidfd_process(fd);
	struct file *f = IS_ERR(p) ? fd_file(fd) : NULL;

	if (f) {
		struct process *of_directory = proc_directory_process(f);

		file_put(f);
		if (of_directory)
			p = of_directory;
	}
	return p;
}
