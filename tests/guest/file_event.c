/*
 * file_event.c - files that stand for events: signalfd, timerfd, epoll at length, inotify; and what moves data through pipes: splice, tee, vmsplice; memfd.
 *
 * Central rule: as in file_io.c. Next: terminal.c.
 */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

static void sleep_ms(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&t, &t) != 0)
		;
}

static int ready(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

/* --- signalfd --- */

TEST(event, signals_are_read)
{
	struct signalfd_siginfo info[4];
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t set;
	int fd, ep;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGRTMIN);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	TRY(read(fd, info, sizeof(info)));
	TRY(read(fd, info, 100));
	TRY(ready(fd, POLLIN));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1); /* is pending already */
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 41 });
	sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 42 });
	TRY(ready(fd, POLLIN));
	TRY(read(fd, info, sizeof(info)) / (long)sizeof(info[0]));
	TRY(info[0].ssi_signo == SIGUSR1 && info[0].ssi_pid == (uint32_t)getpid());
	TRY(info[1].ssi_int);
	TRY(info[2].ssi_int);
	ep = epoll_create1(0);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0);
	pid_t child = child_fork();
	if (child == 0) {
		sleep_ms(30);
		_exit(9);
	}
	TRY(epoll_wait(ep, &e, 1, 5000));
	TRY(read(fd, info, sizeof(info)) / (long)sizeof(info[0]));
	TRY(info[0].ssi_signo == SIGCHLD && info[0].ssi_pid == (uint32_t)child);
	TRY(info[0].ssi_status);
	child_expect(child, 9);
	TRY(epoll_wait(ep, &e, 1, 0));
	sigdelset(&set, SIGUSR1);
	TRY(signalfd(fd, &set, 0) == fd);
	kill(getpid(), SIGUSR1);
	TRY(ready(fd, POLLIN));
	TRY(signalfd(0, &set, 0));
	TRY(signalfd(99, &set, 0));
	TRY(signalfd(-1, &set, 0x10));
}

/* --- timerfd --- */

static void timer_set(int fd, int first_ms, int interval_ms)
{
	struct itimerspec t = { { 0, interval_ms * 1000000L }, { 0, first_ms * 1000000L } };

	CHECK(timerfd_settime(fd, 0, &t, NULL) == 0);
}

TEST(event, timers_are_read)
{
	struct itimerspec t = {};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	uint64_t count;

	TRY(read(fd, &count, sizeof(count)));
	TRY(read(fd, &count, 4));
	timer_set(fd, 100, 0);
	TRY(ready(fd, POLLIN));
	struct pollfd p = { fd, POLLIN, 0 };
	TRY(poll(&p, 1, 5000));
	TRY(read(fd, &count, sizeof(count)));
	CHECK_EQ(count, 1);
	TRY(read(fd, &count, sizeof(count)));
	timer_set(fd, 10, 10);
	sleep_ms(100);
	TRY(read(fd, &count, sizeof(count)));
	CHECK(count >= 9);
	TRY(timerfd_gettime(fd, &t));
	CHECK(t.it_interval.tv_nsec == 10000000 && t.it_value.tv_nsec <= 10000000);
	timer_set(fd, 0, 0);
	TRY(timerfd_gettime(fd, &t));
	TRY(t.it_value.tv_sec + t.it_value.tv_nsec);
	sleep_ms(20);
	TRY(ready(fd, POLLIN));
	t = (struct itimerspec){ {}, { 1, 0 } }; /* long ago */
	TRY(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL));
	sleep_ms(2);
	TRY(read(fd, &count, sizeof(count)));
	CHECK_EQ(count, 1);
	t.it_value.tv_nsec = 1000000000;
	TRY(timerfd_settime(fd, 0, &t, NULL));
	TRY(timerfd_settime(0, 0, &(struct itimerspec){}, NULL));
	TRY(timerfd_settime(99, 0, &(struct itimerspec){}, NULL));
	TRY(timerfd_create(77, 0));
	TRY(timerfd_create(CLOCK_MONOTONIC, 1));
}

/* --- epoll --- */

static int epoll_events(int ep)
{
	struct epoll_event e = {};

	return epoll_wait(ep, &e, 1, 0) == 1 ? (int)e.events : 0;
}

static int epoll_set(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	return epoll_ctl(ep, op, fd, &e);
}

TEST(event, epoll_triggers)
{
	int p[2], ep = epoll_create1(EPOLL_CLOEXEC);
	char c[8];

	CHECK(pipe(p) == 0);
	TRY(epoll_set(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLET));
	TRY(epoll_events(ep));
	CHECK(write(p[1], "a", 1) == 1);
	TRY(epoll_events(ep));
	TRY(epoll_events(ep));
	CHECK(write(p[1], "b", 1) == 1); /* also a new edge */
	TRY(epoll_events(ep));
	TRY(epoll_set(ep, EPOLL_CTL_MOD, p[0], EPOLLIN));
	TRY(epoll_events(ep));
	TRY(epoll_events(ep));
	TRY(epoll_set(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT));
	TRY(epoll_events(ep));
	TRY(epoll_events(ep));
	TRY(epoll_set(ep, EPOLL_CTL_MOD, p[0], EPOLLIN));
	CHECK(read(p[0], c, sizeof(c)) == 2);
	TRY(epoll_events(ep));
	close(p[1]);
	TRY(epoll_events(ep));
	close(p[0]); /* leaves the set */
	TRY(epoll_events(ep));
}

TEST(event, epoll_keeps_the_open_file)
{
	int p[2], ep = epoll_create1(0), copy;

	CHECK(pipe(p) == 0);
	copy = dup(p[0]);
	TRY(epoll_set(ep, EPOLL_CTL_ADD, copy, EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_ADD, p[0], EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_ADD, p[0], EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_DEL, p[0], 0));
	close(copy);
	CHECK(write(p[1], "x", 1) == 1);
	TRY(epoll_events(ep)); /* still: the file is open as p[0] */
	TRY(epoll_set(ep, EPOLL_CTL_DEL, copy, 0));
}

TEST(event, epoll_sets_nest)
{
	int p[2], inner = epoll_create1(0), outer = epoll_create1(0);
	char c;

	CHECK(pipe(p) == 0);
	TRY(epoll_set(inner, EPOLL_CTL_ADD, p[0], EPOLLIN));
	TRY(epoll_set(outer, EPOLL_CTL_ADD, inner, EPOLLIN));
	TRY(epoll_events(outer));
	CHECK(write(p[1], "x", 1) == 1);
	TRY(epoll_events(outer));
	TRY(ready(inner, POLLIN));
	CHECK(read(p[0], &c, 1) == 1);
	TRY(epoll_events(outer));
	TRY(epoll_set(inner, EPOLL_CTL_ADD, outer, EPOLLIN));
	TRY(epoll_set(inner, EPOLL_CTL_ADD, inner, EPOLLIN));
	pid_t child = child_fork();
	if (child == 0) {
		sleep_ms(30);
		_exit(write(p[1], "x", 1) != 1);
	}
	struct epoll_event e;
	TRY(epoll_wait(outer, &e, 1, 5000));
	child_expect(child, 0);
}

static int shared_set;
static int taken;

static void *take_events(void *unused __attribute__((unused)))
{
	struct epoll_event e;
	uint64_t one;

	while (epoll_wait(shared_set, &e, 1, 1000) == 1)
		if (read(e.data.fd, &one, sizeof(one)) == sizeof(one))
			__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST(event, threads_share_a_set)
{
	pthread_t threads[4];
	uint64_t one = 1;
	int fds[5];

	shared_set = epoll_create1(0);
	for (size_t i = 0; i < COUNT_OF(fds); i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
		CHECK(epoll_set(shared_set, EPOLL_CTL_ADD, fds[i], EPOLLIN) == 0);
	}
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, take_events, NULL) == 0);
	for (int i = 0; i < 1000; i++)
		CHECK(write(fds[i % 5], &one, sizeof(one)) == sizeof(one));
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(taken, 1000);
}

TEST(event, epoll_errors)
{
	int fd = file_make("f", 1), ep = epoll_create1(0), efd = eventfd(0, 0);
	struct epoll_event e;

	TRY(epoll_set(ep, EPOLL_CTL_ADD, fd, EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_ADD, 99, EPOLLIN));
	TRY(epoll_set(99, EPOLL_CTL_ADD, efd, EPOLLIN));
	TRY(epoll_set(efd, EPOLL_CTL_ADD, efd, EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_MOD, efd, EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_DEL, efd, EPOLLIN));
	TRY(epoll_set(ep, 7, efd, EPOLLIN));
	TRY(epoll_set(ep, EPOLL_CTL_ADD, efd, EPOLLIN | EPOLLEXCLUSIVE));
	TRY(epoll_set(ep, EPOLL_CTL_MOD, efd, EPOLLIN));
	TRY(epoll_wait(ep, &e, 0, 0));
	TRY(epoll_wait(ep, &e, -1, 0));
	TRY(epoll_wait(efd, &e, 1, 0));
	TRY(epoll_wait(99, &e, 1, 0));
	TRY(epoll_create(0));
	TRY(epoll_create1(1));
}

/* --- splice and its kin --- */

TEST(event, packets)
{
	int p[2];
	char b[16];

	CHECK(pipe2(p, O_DIRECT) == 0);
	CHECK(write(p[1], "abc", 3) == 3 && write(p[1], "defgh", 5) == 5);
	TRY(read(p[0], b, sizeof(b)));
	TRY(read(p[0], b, 2)); /* the rest of the packet is lost */
	TRY(ready(p[0], POLLIN));
}

TEST(event, splice)
{
	int p[2], q[2], fd = file_make("f", 10000);
	char b[70000];
	loff_t at = 5;

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	TRY(splice(fd, &at, p[1], NULL, 100, 0));
	TRY(at);
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(read(p[0], b, sizeof(b)));
	TRY(splice(fd, NULL, p[1], NULL, 20000, 0));
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(splice(p[0], NULL, q[1], NULL, 4000, 0));
	int fionread = 0;
	TRY(ioctl(q[0], FIONREAD, &fionread));
	TRY(fionread);
	int out = open("out", O_RDWR | O_CREAT, 0600);
	TRY(splice(p[0], NULL, out, NULL, 100000, 0));
	TRY(lseek(out, 0, SEEK_END));
	at = 3;
	TRY(splice(q[0], NULL, out, &at, 7, 0));
	TRY(at);
	TRY(splice(p[0], NULL, q[1], NULL, 1, SPLICE_F_NONBLOCK));
	TRY(splice(p[0], &at, q[1], NULL, 1, 0));
	TRY(splice(fd, NULL, out, NULL, 1, 0));
	TRY(splice(p[0], NULL, p[1], NULL, 1, 0));
	TRY(splice(p[1], NULL, q[1], NULL, 1, 0));
	TRY(splice(99, NULL, q[1], NULL, 1, 0));
	TRY(splice(fd, NULL, p[1], NULL, 1, 0x1000));
	TRY(splice(fd, NULL, p[1], NULL, 0, 0));
	close(p[1]);
	TRY(splice(p[0], NULL, q[1], NULL, 1, 0)); /* end of file */
}

TEST(event, tee_and_vmsplice)
{
	struct iovec v[2] = { { "hello ", 6 }, { "world", 5 } };
	int p[2], q[2];
	char b[32] = "";

	CHECK(pipe(p) == 0 && pipe(q) == 0);
	TRY(vmsplice(p[1], v, 2, 0));
	TRY(tee(p[0], q[1], 5, 0));
	TRY(tee(p[0], q[1], 100, 0));
	TRY(read(q[0], b, sizeof(b)));
	say("%s\n", b);
	memset(b, 0, sizeof(b));
	TRY(read(p[0], b, sizeof(b)));
	say("%s\n", b);
	TRY(tee(p[0], q[1], 1, SPLICE_F_NONBLOCK));
	TRY(tee(p[0], p[1], 1, 0));
	TRY(tee(0, p[1], 1, 0));
	TRY(vmsplice(99, v, 2, 0));
}

TEST(event, the_size_of_a_pipe)
{
	int p[2];
	char b[8192];

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	TRY(fcntl(p[0], F_GETPIPE_SZ));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 5000));
	TRY(fcntl(p[0], F_GETPIPE_SZ));
	TRY(write(p[1], b, 8192));
	TRY(write(p[1], b, 1));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 4096));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
	TRY(write(p[1], b, 8192));
	TRY(fcntl(0, F_GETPIPE_SZ));
	/* Nothing is put at the end of a page that does not take all of a write. */
	int total = 0;
	CHECK(pipe2(p, O_NONBLOCK) == 0);
	for (long n; (n = write(p[1], b, 1000)) > 0;)
		total += (int)n;
	TRY(total);
}

/* --- memfd --- */

TEST(event, seals)
{
	int fd = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	char link[64], text[64] = "";
	void *map;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(readlink(link, text, sizeof(text) - 1) > 0);
	say("%s\n", text);
	TRY(write(fd, "hello", 5));
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	TRY(ftruncate(fd, 4));
	TRY(ftruncate(fd, 6));
	TRY(ftruncate(fd, 5));
	TRY(pwrite(fd, "x", 1, 5));
	TRY(pwrite(fd, "x", 1, 4));
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	munmap(map, PAGE);
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(pwrite(fd, "y", 1, 0));
	TRY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	*(char *)map = 'z';
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	TRY(mprotect(map, PAGE, PROT_READ | PROT_WRITE));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(pread(fd, text, 5, 0));
	TRY(memcmp(text, "hellx", 5));
	fd = memfd_create("", 0);
	TRY(fcntl(fd, F_GET_SEALS));
	TRY(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	TRY(fcntl(0, F_GET_SEALS));
	TRY(memfd_create("x", 0x8000));
}

/* --- inotify --- */

static int notify;

/* Prints what has been told since; cookies by the order in which they come. */
static void tell(const char *what)
{
	char buf[4096] __attribute__((aligned(8)));
	long n;

	say("after %s:\n", what);
	while ((n = read(notify, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			struct inotify_event *e = (void *)at;

			say(" %d %#x%s len %u %s\n", e->wd, e->mask, e->cookie ? " cookie" : "",
			    e->len, e->len ? e->name : "");
			at += sizeof(*e) + e->len;
		}
	}
	CHECK(errno == EAGAIN);
}

TEST(event, inotify_of_files)
{
	char b[8];

	notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	TRY(inotify_add_watch(notify, ".", IN_ALL_EVENTS));
	int fd = open("a", O_CREAT | O_RDWR, 0600);
	tell("open");
	CHECK(write(fd, "hi", 2) == 2 && write(fd, "ho", 2) == 2); /* alike: told once */
	tell("write");
	CHECK(pread(fd, b, 4, 0) == 4);
	tell("read");
	CHECK(ftruncate(fd, 1) == 0);
	tell("truncate");
	CHECK(fchmod(fd, 0644) == 0);
	tell("chmod");
	close(fd);
	tell("close");
	TRY(inotify_add_watch(notify, "a", IN_ALL_EVENTS));
	CHECK(rename("a", "b") == 0);
	tell("rename");
	CHECK(link("b", "c") == 0);
	tell("link");
	CHECK(unlink("c") == 0);
	tell("unlink of a link");
	CHECK(unlink("b") == 0);
	tell("unlink of the last");
}

TEST(event, inotify_of_directories)
{
	struct pollfd p;

	notify = inotify_init1(IN_NONBLOCK);
	TRY(inotify_add_watch(notify, ".", IN_ALL_EVENTS));
	CHECK(mkdir("d", 0700) == 0);
	tell("mkdir");
	TRY(inotify_add_watch(notify, "d", IN_ALL_EVENTS | IN_ONLYDIR));
	CHECK(rmdir("d") == 0);
	tell("rmdir");
	CHECK(symlink("x", "s") == 0 && unlink("s") == 0);
	tell("symlink, unlink");
	close(open("e", O_CREAT | O_WRONLY, 0600));
	close(open("g", O_CREAT | O_WRONLY, 0600));
	TRY(inotify_add_watch(notify, "g", IN_ALL_EVENTS));
	tell("two files");
	CHECK(rename("e", "g") == 0);
	tell("rename onto another");
	TRY(inotify_rm_watch(notify, 77));
	TRY(inotify_rm_watch(notify, 1));
	tell("removal");
	TRY(inotify_add_watch(notify, "g", IN_OPEN | IN_ONESHOT) > 0);
	close(open("g", O_RDONLY));
	close(open("g", O_RDONLY));
	tell("one shot");
	p = (struct pollfd){ notify, POLLIN, 0 };
	TRY(poll(&p, 1, 0));
	TRY(inotify_add_watch(notify, ".", IN_CREATE) > 0);
	CHECK(mkdir("h", 0700) == 0);
	TRY(poll(&p, 1, 0));
	int bytes = 0;
	TRY(ioctl(notify, FIONREAD, &bytes));
	TRY(bytes);
	TRY(read(notify, &bytes, 4));
	TRY(inotify_add_watch(notify, "g", 0));
	TRY(inotify_add_watch(notify, "none", IN_OPEN));
	TRY(inotify_add_watch(notify, "g", IN_OPEN | IN_ONLYDIR));
	TRY(inotify_add_watch(0, "g", IN_OPEN));
	TRY(inotify_add_watch(99, "g", IN_OPEN));
	TRY(inotify_init1(1));
}

/* --- locks of open files --- */

static int ofd_lock(int fd, int command, int type, long start, long length)
{
	struct flock l = {
		.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length
	};
	int r = fcntl(fd, command, &l);

	if (r == 0 && command == F_OFD_GETLK)
		say(" type %d from %ld length %ld pid %d\n", l.l_type, (long)l.l_start,
		    (long)l.l_len, l.l_pid);
	return r;
}

TEST(event, locks_of_open_files)
{
	int a = file_make("f", 100), b = open("f", O_RDWR);

	TRY(ofd_lock(a, F_OFD_SETLK, F_WRLCK, 10, 20));
	TRY(ofd_lock(b, F_OFD_SETLK, F_RDLCK, 20, 5));
	TRY(ofd_lock(b, F_OFD_GETLK, F_RDLCK, 0, 0));
	TRY(ofd_lock(a, F_OFD_SETLK, F_UNLCK, 15, 5)); /* splits it */
	TRY(ofd_lock(b, F_OFD_SETLK, F_WRLCK, 15, 5));
	TRY(ofd_lock(b, F_OFD_GETLK, F_WRLCK, 18, 0));
	TRY(ofd_lock(b, F_SETLK, F_WRLCK, 0, 1));
	TRY(ofd_lock(b, F_SETLK, F_WRLCK, 12, 1)); /* a process's lock meets them */
	close(a);
	TRY(ofd_lock(b, F_SETLK, F_WRLCK, 12, 1));
	CHILD (0) {
		TRY(ofd_lock(b, F_OFD_SETLK, F_RDLCK, 15, 5)); /* shared by inheritance */
	}
}
