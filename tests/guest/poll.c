/*
 * poll.c - what epoll, select and the files they watch promise beyond the everyday: modes, nesting, errors, and ends that close.
 *
 * Central rule: readiness is asked, never remembered; what differs between the calls is who is told, and how often. Next: file_event.c and file_pipe.c, which have the basics.
 */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

static int add(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int change(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

static int take(int ep)
{
	struct epoll_event e = {};

	return epoll_wait(ep, &e, 1, 0) == 1 ? (int)e.events : 0;
}

static int ready(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

/* --- epoll --- */

TEST(poll, epoll_modes)
{
	int ep = epoll_create1(0), fd = eventfd(0, EFD_NONBLOCK);

	TRY(add(ep, fd, EPOLLIN | EPOLLET));
	TRY(take(ep));
	eventfd_write(fd, 1);
	TRY(take(ep));
	TRY(take(ep)); /* told once */
	eventfd_write(fd, 1);
	TRY(take(ep));                          /* each write is an edge */
	TRY(change(ep, fd, EPOLLIN | EPOLLET)); /* asks again */
	TRY(take(ep));
	TRY(take(ep));
	TRY(change(ep, fd, EPOLLIN | EPOLLONESHOT));
	TRY(take(ep));
	eventfd_write(fd, 1);
	TRY(take(ep)); /* disabled */
	TRY(change(ep, fd, EPOLLIN | EPOLLONESHOT));
	TRY(take(ep));
	TRY(change(ep, fd, EPOLLIN | EPOLLOUT));
	TRY(take(ep));
	TRY(take(ep));
	TRY(change(ep, fd, 0));
	TRY(take(ep));
	TRY(change(ep, fd, EPOLLOUT | EPOLLET));
	TRY(take(ep));
	TRY(take(ep));
	eventfd_t value;
	eventfd_read(fd, &value);
	TRY(take(ep)); /* there was room before, too: but a read is an edge */
	TRY(take(ep));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	TRY(change(ep, fd, EPOLLIN));
	TRY(add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE));
	TRY(add(ep, fd, EPOLLIN));
	TRY(change(ep, fd, EPOLLIN));
	eventfd_write(fd, 1);
	TRY(take(ep));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	TRY(change(ep, fd, EPOLLIN | EPOLLEXCLUSIVE));
	TRY(add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
	TRY(add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLPRI));
	TRY(add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET | EPOLLWAKEUP));
}

TEST(poll, epoll_in_turn)
{
	int ep = epoll_create1(0), fd[3];
	struct epoll_event e[3];

	for (int i = 0; i < 3; i++) {
		fd[i] = eventfd(1, 0);
		CHECK(add(ep, fd[i], EPOLLIN) == 0);
	}
	for (int i = 0; i < 7; i++) { /* level-triggered ones take turns */
		CHECK(epoll_wait(ep, e, 1, 0) == 1);
		TRY(e[0].data.fd - fd[0]);
	}
	CHECK(epoll_wait(ep, e, 3, 0) == 3);
	for (int i = 0; i < 3; i++)
		TRY(e[i].data.fd - fd[0]);
}

TEST(poll, epoll_nesting_has_a_limit)
{
	int ep[8], fd = eventfd(1, 0);

	for (int i = 0; i < 8; i++)
		ep[i] = epoll_create1(0);
	TRY(add(ep[0], ep[0], EPOLLIN));
	for (int i = 0; i < 7; i++)
		TRY(add(ep[i + 1], ep[i], EPOLLIN));
	TRY(add(ep[0], ep[3], EPOLLIN)); /* circles */
	TRY(add(ep[0], ep[1], EPOLLIN));
	TRY(add(ep[0], fd, EPOLLIN));
	for (int i = 0; i < 6; i++)
		TRY(take(ep[i]));
	TRY(ready(ep[4], POLLIN));
	int a = epoll_create1(0), b = epoll_create1(0);
	TRY(add(a, b, EPOLLIN | EPOLLEXCLUSIVE));
	TRY(add(a, b, EPOLLIN | EPOLLET));
	TRY(add(b, fd, EPOLLIN));
	TRY(take(a));
	TRY(take(a));
	TRY(take(b));
	close(b);
	TRY(take(a));
}

TEST(poll, epoll_nesting_from_above)
{
	int ep[8];

	for (int i = 0; i < 8; i++)
		ep[i] = epoll_create1(0);
	for (int i = 7; i > 0; i--)
		TRY(add(ep[i], ep[i - 1], EPOLLIN));
}

TEST(poll, epoll_errors_in_order)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct timespec bad = { 0, 1000000000 }, zero = {};
	int ep = epoll_create1(0), fd = eventfd(1, 0), file = file_make("file", 10), p[2];
	sigset_t set;

	sigemptyset(&set);
	CHECK(pipe(p) == 0);
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e));
	TRY(epoll_ctl(99, EPOLL_CTL_ADD, fd, &e));
	TRY(epoll_ctl(fd, EPOLL_CTL_ADD, ep, &e));
	TRY(epoll_ctl(fd, EPOLL_CTL_ADD, fd, &e));
	TRY(epoll_ctl(file, EPOLL_CTL_ADD, fd, &e));
	TRY(epoll_ctl(ep, 0, fd, &e));
	TRY(epoll_ctl(ep, 4, fd, &e));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, (void *)8));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, NULL));
	TRY(epoll_wait(ep, &e, 0, 0));
	TRY(epoll_wait(ep, &e, -1, 0));
	TRY(epoll_wait(fd, &e, 1, 0));
	TRY(epoll_wait(99, &e, 1, 0));
	TRY(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	TRY(epoll_wait(ep, (void *)8, 1, 0));
	TRY(epoll_wait(ep, &e, 1, 0));
	TRY(syscall(SYS_epoll_pwait2, ep, &e, 1, &bad, NULL, 8));
	TRY(syscall(SYS_epoll_pwait2, ep, &e, 1, &zero, NULL, 8));
	TRY(syscall(SYS_epoll_pwait2, ep, &e, 1, 8, NULL, 8));
	TRY(syscall(SYS_epoll_pwait2, ep, &e, 1, &zero, &set, 4));
	TRY(syscall(SYS_epoll_pwait2, ep, &e, 1, &zero, &set, 8));
	TRY(syscall(SYS_epoll_pwait, ep, &e, 1, 0, &set, 4));
	TRY(syscall(SYS_epoll_pwait, ep, &e, 1, 0, 8, 8));
	TRY_FD(epoll_create1(1));
	TRY_FD((int)syscall(SYS_epoll_create, 0));
	TRY_FD((int)syscall(SYS_epoll_create, -1));
	TRY(read(ep, &e, sizeof(e)));
	TRY(write(ep, &e, sizeof(e)));
	TRY(lseek(ep, 0, SEEK_SET));
	TRY(ioctl(ep, FIONREAD, &fd));
}

TEST(poll, epoll_of_closed_ends)
{
	int ep = epoll_create1(0), p[2], q[2];

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	CHECK(add(ep, p[0], 0) == 0);
	CHECK(add(ep, q[1], EPOLLET) == 0);
	close(p[1]);
	TRY(take(ep));
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
	close(q[0]);
	TRY(take(ep));
	TRY(take(ep));
	/* A descriptor that is closed is still watched while the file is open. */
	int fd = eventfd(1, 0), copy = dup(fd);
	CHECK(add(ep, fd, EPOLLIN) == 0);
	close(fd);
	TRY(take(ep));
	TRY(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
	TRY(add(ep, copy, EPOLLIN));
	close(copy);
	TRY(take(ep));
}

static void *wait_on(void *arg)
{
	struct epoll_event e;

	return (void *)(long)(epoll_wait(*(int *)arg, &e, 1, 2000) == 1);
}

TEST(poll, exclusive_wakes_one_and_others_wake_all)
{
	pthread_t thread[3];
	int ep[3], fd = eventfd(0, EFD_NONBLOCK);
	void *got;
	int woken = 0;

	for (int i = 0; i < 3; i++) { /* three sets, each with its own waiter */
		ep[i] = epoll_create1(0);
		CHECK(add(ep[i], fd, EPOLLIN) == 0);
		CHECK(pthread_create(&thread[i], NULL, wait_on, &ep[i]) == 0);
	}
	usleep(20000);
	eventfd_write(fd, 1);
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], &got);
		woken += (long)got;
	}
	TRY(woken);
}

static void interrupt(int signal)
{
	(void)signal;
}

TEST(poll, epoll_pwait_takes_a_mask_for_a_while)
{
	struct sigaction sa = { .sa_handler = interrupt };
	struct epoll_event e;
	struct timespec long_time = { 600, 0 };
	sigset_t blocked, none, after;
	int ep = epoll_create1(0);

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
	raise(SIGUSR1);
	TRY(epoll_wait(ep, &e, 1, 1));
	TRY(epoll_pwait(ep, &e, 1, 600000, &none));
	raise(SIGUSR1);
	TRY(syscall(SYS_epoll_pwait2, ep, &e, 1, &long_time, &none, 8));
	raise(SIGUSR1);
	TRY(ppoll(NULL, 0, &long_time, &none));
	raise(SIGUSR1);
	TRY(pselect(0, NULL, NULL, NULL, &long_time, &none));
	sigprocmask(SIG_BLOCK, NULL, &after);
	TRY(sigismember(&after, SIGUSR1));
	/* What is ready wins over a signal that is only pending. */
	int fd = eventfd(1, 0);
	add(ep, fd, EPOLLIN);
	raise(SIGUSR1);
	TRY(epoll_pwait(ep, &e, 1, 600000, &none));
	struct pollfd p = { fd, POLLIN, 0 };
	raise(SIGUSR1);
	TRY(ppoll(&p, 1, &long_time, &none));
	sigset_t pending;
	sigpending(&pending);
	TRY(sigismember(&pending, SIGUSR1));
}

/* --- poll and select --- */

TEST(poll, errors_of_poll)
{
	struct timespec bad = { -1, 0 }, zero = {};
	struct pollfd p[4] = { { -1, POLLIN, 7 }, { 99, POLLIN, 7 }, { 0, 0, 7 }, { 1, 0, 7 } };
	int file = file_make("file", 10), closed[2];
	sigset_t set;

	sigemptyset(&set);
	TRY(poll(p, 1, 0));
	TRY(p[0].revents);
	TRY(poll(p, 2, -1));
	TRY(p[1].revents);
	TRY(poll(NULL, 0, 0));
	TRY(syscall(SYS_poll, 8, 1, 0));
	TRY(syscall(SYS_poll, 8, 0, 0));
	TRY(syscall(SYS_poll, p, 0x7fffffff, 0));
	TRY(syscall(SYS_ppoll, p, 1, &bad, NULL, 8));
	TRY(syscall(SYS_ppoll, p, 1, 8, NULL, 8));
	TRY(syscall(SYS_ppoll, p, 1, &zero, &set, 4));
	TRY(syscall(SYS_ppoll, p, 1, &zero, 8, 8));
	TRY(ready(file, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM));
	CHECK(pipe(closed) == 0);
	TRY(ready(closed[0], POLLIN | POLLOUT));
	TRY(ready(closed[1], POLLIN | POLLOUT));
	close(closed[1]);
	TRY(ready(closed[0], 0));
	CHECK(pipe(closed) == 0);
	close(closed[0]);
	TRY(ready(closed[1], 0));
	TRY(ready(closed[1], POLLOUT));
}

TEST(poll, errors_of_select)
{
	struct timeval bad = { 0, -1 }, much = { 0, 2000001 }, zero = {};
	struct timespec bad_spec = { 0, 1000000000 };
	fd_set set, other;
	int p[2];

	CHECK(pipe(p) == 0);
	FD_ZERO(&set);
	FD_SET(99, &set);
	TRY(select(100, &set, NULL, NULL, &zero));
	TRY(select(-1, NULL, NULL, NULL, &zero));
	TRY(select(0, NULL, NULL, NULL, &bad));
	TRY(select(1, (void *)8, NULL, NULL, &zero));
	TRY(pselect(0, NULL, NULL, NULL, &bad_spec, NULL));
	FD_ZERO(&set);
	FD_SET(p[1], &set);
	TRY(select(FD_SETSIZE, NULL, &set, NULL, &much));
	CHECK(much.tv_sec == 1 || much.tv_sec == 2);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	other = set;
	FD_SET(p[1], &other);
	TRY(select(p[1] + 1, &set, &other, NULL, &zero));
	TRY(FD_ISSET(p[0], &set));
	TRY(FD_ISSET(p[0], &other));
	TRY(FD_ISSET(p[1], &other));
	close(p[1]);
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	TRY(select(p[0] + 1, &set, NULL, NULL, NULL));
	long packed[2] = { 8, 8 };
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &zero, packed));
	packed[1] = 4;
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &zero, packed));
	TRY(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &zero, 8));
	zero = (struct timeval){ 0, 1000 };
	TRY(select(0, NULL, NULL, NULL, &zero));
	TRY(zero.tv_sec + zero.tv_usec); /* what was left */
}

/* --- eventfd --- */

TEST(poll, eventfds)
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
	eventfd_t value;

	for (int i = 0; i < 4; i++)
		TRY(eventfd_read(fd, &value));
	TRY(value);
	value = UINT64_MAX;
	TRY(write(fd, &value, 8));
	value = UINT64_MAX - 1;
	TRY(write(fd, &value, 8));
	TRY(ready(fd, POLLIN | POLLOUT));
	value = 1;
	TRY(write(fd, &value, 8));
	value = 0;
	TRY(write(fd, &value, 8));
	TRY(write(fd, &value, 7));
	TRY(write(fd, &value, 16));
	TRY(read(fd, &value, 7));
	TRY(read(fd, (void *)8, 8));
	TRY(write(fd, (void *)8, 8));
	TRY(pread(fd, &value, 8, 0));
	TRY(lseek(fd, 0, SEEK_SET));
	struct iovec v[2] = { { &value, 4 }, { (char *)&value + 4, 4 } };
	TRY(readv(fd, v, 2));
	TRY_FD(eventfd(0, 2));
	TRY_FD((int)syscall(SYS_eventfd, 0));
}
