/*
 * file_pipe.c - descriptors, pipes, FIFOs, locks, and waiting for descriptors.
 *
 * Central rule: as in file_io.c. Next: file_proc.c.
 */
#include "check.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/select.h>

/* --- descriptors --- */

TEST(file, dup_and_fcntl)
{
	int fd = file_make("f", 10);

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	TRY(dup(fd));
	TRY(fcntl(dup(fd), F_GETFD));
	TRY(dup2(fd, 20));
	TRY(fcntl(20, F_GETFD));
	TRY(dup2(fd, fd));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC); /* untouched */
	TRY(dup2(99, 21));
	TRY(dup2(99, 99));
	TRY(dup2(fd, -1));
	TRY(dup3(fd, 22, O_CLOEXEC));
	TRY(fcntl(22, F_GETFD));
	TRY(dup3(fd, fd, 0));
	TRY(dup3(fd, 23, 1));
	TRY(fcntl(fd, F_DUPFD, 30));
	TRY(fcntl(fd, F_DUPFD, 30));
	TRY(fcntl(fd, F_DUPFD_CLOEXEC, 40));
	TRY(fcntl(40, F_GETFD));
	TRY(fcntl(fd, F_DUPFD, -1));
	TRY(fcntl(fd, F_SETFD, 0));
	TRY(fcntl(fd, F_GETFD));
	TRY(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
	TRY(!!(fcntl(20, F_GETFL) & O_APPEND)); /* shared with what was duplicated */
	TRY(fcntl(fd, F_SETFL, 0));
	TRY(!!(fcntl(20, F_GETFL) & O_APPEND));
	TRY(fcntl(fd, 9999));
	TRY(fcntl(99, F_GETFD));
	TRY(syscall(SYS_close_range, 20, 40, 0));
	TRY(fcntl(20, F_GETFD));
	TRY(syscall(SYS_close_range, 40, 20, 0));
	TRY(ioctl(fd, 0x1234567));
	TRY(ioctl(99, FIONREAD));
	TRY(isatty(fd));
}

TEST(file, many_descriptors)
{
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(dup(0), i + 3);
	CHILD (0) {
		CHECK_EQ(fcntl(1002, F_GETFD), 0);
		close(500);
	}
	CHECK_EQ(fcntl(500, F_GETFD), 0);
	close(700);
	close(600);
	CHECK_EQ(dup(0), 600); /* the lowest */
	CHECK_EQ(dup(0), 700);
}

/* --- pipes --- */

TEST(file, pipes)
{
	int fd[2];
	char bytes[16] = "";
	int waiting;

	CHECK(pipe(fd) == 0);
	TRY(write(fd[1], "abcdef", 6));
	TRY(ioctl(fd[0], FIONREAD, &waiting));
	say("waiting %d\n", waiting);
	TRY(read(fd[0], bytes, 4));
	TRY(read(fd[0], bytes + 4, 10));
	say("\"%s\"\n", bytes);
	TRY(read(fd[1], bytes, 1));
	TRY(write(fd[0], bytes, 1));
	TRY(fcntl(fd[0], F_GETFL) & O_ACCMODE);
	TRY(fcntl(fd[1], F_GETFL) & O_ACCMODE);
	close(fd[1]);
	TRY(read(fd[0], bytes, 1)); /* no writer: the end */
	TRY(pipe2(fd, 0x1));
	CHECK(pipe2(fd, O_NONBLOCK | O_CLOEXEC) == 0);
	TRY(fcntl(fd[0], F_GETFD));
	TRY(read(fd[0], bytes, 1));
	close(fd[0]);
	signal(SIGPIPE, SIG_IGN);
	TRY(write(fd[1], bytes, 1));
}

TEST(file, a_pipe_holds_64_kib)
{
	static char bytes[65536];
	int fd[2];
	long total = 0, n;

	CHECK(pipe2(fd, O_NONBLOCK) == 0);
	TRY(fcntl(fd[0], F_GETPIPE_SZ));
	while ((n = write(fd[1], bytes, 4096)) > 0)
		total += n;
	say("%ld bytes, then %s\n", total, errno_name(errno));
	TRY(read(fd[0], bytes, 100));
	TRY(write(fd[1], bytes, 1)); /* the page that was read from is not free yet */
	TRY(read(fd[0], bytes, 4096));
	TRY(write(fd[1], bytes, 4096));
	TRY(write(fd[1], bytes, 4096));
	for (total = 0; (n = read(fd[0], bytes, sizeof(bytes))) > 0;)
		total += n;
	say("%ld bytes left\n", total);
	TRY(write(fd[1], bytes, 65536));
	CHECK(read(fd[0], bytes, sizeof(bytes)) == 65536);
	CHECK(pipe2(fd, O_NONBLOCK) == 0);
	static char large[100000];
	TRY(write(fd[1], large,
		  sizeof(large))); /* larger than PIPE_BUF: as much as there is room for */
}

TEST(file, small_writes_to_a_pipe_are_atomic)
{
	enum { WRITERS = 4, ROUNDS = 50, SIZE = 1000 };
	struct gate g = gate_make();
	pid_t pids[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			char bytes[SIZE];

			memset(bytes, 'a' + i, SIZE);
			for (int j = 0; j < ROUNDS; j++)
				CHECK_EQ(write(g.fd[1], bytes, SIZE), SIZE);
			_exit(0);
		}
	}
	close(g.fd[1]);
	char bytes[SIZE];
	int count[WRITERS] = { 0 };
	for (int i = 0; i < WRITERS * ROUNDS; i++) {
		for (size_t got = 0; got < SIZE;) {
			ssize_t n = read(g.fd[0], bytes + got, SIZE - got);

			CHECK(n > 0);
			got += n;
		}
		CHECK(all_bytes(bytes, SIZE, bytes[0]));
		count[bytes[0] - 'a']++;
	}
	CHECK_EQ(read(g.fd[0], bytes, 1), 0);
	for (int i = 0; i < WRITERS; i++) {
		CHECK_EQ(count[i], ROUNDS);
		child_expect(pids[i], 0);
	}
}

TEST(file, a_megabyte_through_a_pipe)
{
	enum { SIZE = 1 << 20 };
	struct gate g = gate_make();
	static uint8_t bytes[SIZE];

	pid_t pid = child_fork();
	if (pid == 0) {
		for (int i = 0; i < SIZE; i++)
			bytes[i] = i * 7 + i / 251;
		CHECK_EQ(write(g.fd[1], bytes, SIZE), SIZE);
		_exit(0);
	}
	close(g.fd[1]);
	size_t got = 0;
	for (ssize_t n;
	     (n = read(g.fd[0], bytes + got, 3001 < SIZE - got ? 3001 : SIZE - got)) > 0;)
		got += n;
	CHECK_EQ(got, SIZE);
	for (int i = 0; i < SIZE; i++)
		CHECK_EQ(bytes[i], (uint8_t)(i * 7 + i / 251));
	child_expect(pid, 0);
}

TEST(file, a_chain_of_pipes)
{
	enum { STAGES = 20 };
	int in = -1, first = -1;

	for (int i = 0; i <= STAGES; i++) {
		int fd[2];

		CHECK(pipe(fd) == 0);
		if (i == 0) {
			first = fd[1];
		} else if (child_fork() == 0) {
			char byte;

			close(first);
			close(fd[0]);
			while (read(in, &byte, 1) == 1) {
				byte++;
				CHECK_EQ(write(fd[1], &byte, 1), 1);
			}
			_exit(0);
		}
		if (in >= 0) {
			close(in);
			close(fd[1]);
		}
		in = fd[0];
	}
	CHECK_EQ(write(first, "AB", 2), 2);
	close(first);
	char bytes[3] = "";
	CHECK_EQ(read(in, bytes, 1), 1);
	CHECK_EQ(read(in, bytes + 1, 1), 1);
	CHECK_STR(bytes, "UV");
	CHECK_EQ(read(in, bytes, 1), 0);
	for (int i = 0; i < STAGES; i++)
		CHECK(wait(NULL) > 0);
}

TEST(file, fifos)
{
	char bytes[8] = "";

	CHECK(mkfifo("p", 0644) == 0);
	pid_t pid = child_fork();
	if (pid == 0) {
		int fd = open("p", O_WRONLY); /* until there is a reader */

		CHECK_EQ(write(fd, "hello", 5), 5);
		_exit(0);
	}
	int fd = open("p", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_EQ(read(fd, bytes, 8), 5);
	CHECK_STR(bytes, "hello");
	CHECK_EQ(read(fd, bytes, 8), 0);
	child_expect(pid, 0);
	close(fd);
	TRY_FD(open("p", O_WRONLY | O_NONBLOCK));
	fd = open("p", O_RDONLY | O_NONBLOCK);
	TRY(read(fd, bytes, 1)); /* no writer: the end, not EAGAIN */
	int w = open("p", O_WRONLY | O_NONBLOCK);
	TRY(read(fd, bytes, 1));
	TRY(write(w, "x", 1));
	TRY(read(fd, bytes, 1));
	int both = open("p", O_RDWR);
	CHECK(both >= 0);
	TRY(write(both, "y", 1));
	TRY(read(both, bytes, 1));
}

/* --- waiting --- */

static void say_poll(const char *what, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, 0);

	say("%s: %d%s%s%s%s%s\n", what, n, p.revents & POLLIN ? " IN" : "",
	    p.revents & POLLOUT ? " OUT" : "", p.revents & POLLHUP ? " HUP" : "",
	    p.revents & POLLERR ? " ERR" : "", p.revents & POLLNVAL ? " NVAL" : "");
}

TEST(file, poll)
{
	int fd[2];
	char byte;

	CHECK(pipe2(fd, O_NONBLOCK) == 0);
	say_poll("empty, reader", fd[0], POLLIN | POLLOUT);
	say_poll("empty, writer", fd[1], POLLIN | POLLOUT);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	say_poll("a byte, reader", fd[0], POLLIN);
	say_poll("a byte, not asked", fd[0], 0);
	while (write(fd[1], "0123456789abcdef", 16) > 0)
		;
	say_poll("full, writer", fd[1], POLLOUT);
	close(fd[1]);
	say_poll("a byte, no writer", fd[0], POLLIN);
	while (read(fd[0], &byte, 1) > 0)
		;
	say_poll("empty, no writer", fd[0], POLLIN);
	CHECK(pipe(fd) == 0);
	close(fd[0]);
	say_poll("no reader", fd[1], POLLOUT);
	say_poll("closed", 99, POLLIN);
	say_poll("negative", -1, POLLIN);
	say_poll("a file", file_make("f", 1), POLLIN | POLLOUT);
	TRY(poll(NULL, 0, 10));
	struct timespec bad = { 0, -1 };
	TRY(ppoll(NULL, 0, &bad, NULL));
}

TEST(file, poll_wakes_up)
{
	struct gate g = gate_make();
	struct pollfd p = { .fd = g.fd[0], .events = POLLIN };

	CHECK_EQ(poll(&p, 1, 30), 0);
	pid_t pid = child_fork();
	if (pid == 0) {
		usleep(30000);
		gate_open(&g);
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(p.revents, POLLIN);
	child_expect(pid, 0);
	gate_wait(&g);
	pid = child_fork();
	if (pid == 0) {
		usleep(30000);
		_exit(0); /* its end of the pipe closes: no wake-up, since ours is open */
	}
	CHECK_EQ(poll(&p, 1, 60), 0);
	child_expect(pid, 0);
}

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
	(void)signal;
	caught++;
}

TEST(file, waiting_is_interrupted_by_signals)
{
	struct gate g = gate_make();
	struct pollfd p = { .fd = g.fd[0], .events = POLLIN };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	sigset_t blocked, none;

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	CHECK_ERRNO(poll(&p, 1, 10000), EINTR); /* whatever SA_RESTART says */
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGALRM);
	CHECK_EQ(poll(&p, 1, 10), 0);
	CHECK_EQ(caught, 1);
	struct timespec limit = { 5, 0 };
	CHECK_ERRNO(ppoll(&p, 1, &limit, &none), EINTR);
	CHECK_EQ(caught, 2);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(g.fd[0], &set);
	raise(SIGALRM);
	CHECK_ERRNO(pselect(g.fd[0] + 1, &set, NULL, NULL, &limit, &none), EINTR);
	CHECK_EQ(caught, 3);
	sigset_t now;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGALRM));
}

TEST(file, select)
{
	int fd[2];
	fd_set in, out;
	struct timeval limit = { 0, 10000 }, bad = { 0, -1 };

	CHECK(pipe(fd) == 0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fd[0], &in);
	FD_SET(fd[1], &out);
	TRY(select(fd[1] + 1, &in, &out, NULL, NULL));
	CHECK(!FD_ISSET(fd[0], &in) && FD_ISSET(fd[1], &out));
	FD_SET(fd[0], &in);
	TRY(select(fd[1] + 1, &in, NULL, NULL, &limit));
	CHECK(!FD_ISSET(fd[0], &in) && limit.tv_sec == 0 && limit.tv_usec == 0);
	CHECK_EQ(write(fd[1], "x", 1), 1);
	FD_SET(fd[0], &in);
	TRY(select(fd[1] + 1, &in, NULL, NULL, NULL));
	CHECK(FD_ISSET(fd[0], &in));
	FD_SET(99, &in);
	TRY(select(100, &in, NULL, NULL, NULL));
	TRY(select(-1, NULL, NULL, NULL, NULL));
	TRY(select(0, NULL, NULL, NULL, &bad));
}

TEST(file, epoll)
{
	int fd[2], e = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 }, got[4];

	CHECK(e >= 0 && pipe2(fd, O_NONBLOCK) == 0);
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, fd[0], &event));
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, fd[0], &event));
	TRY(epoll_ctl(e, EPOLL_CTL_MOD, fd[1], &event));
	TRY(epoll_ctl(e, EPOLL_CTL_DEL, fd[1], &event));
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, 99, &event));
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, e, &event));
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, file_make("f", 1), &event));
	TRY(epoll_ctl(e, 99, fd[1], &event));
	TRY(epoll_wait(e, got, 4, 0));
	CHECK_EQ(write(fd[1], "xy", 2), 2);
	TRY(epoll_wait(e, got, 4, 0));
	say("events %x data %lu\n", got[0].events, (unsigned long)got[0].data.u64);
	TRY(epoll_wait(e, got, 4, 0)); /* level-triggered */
	event.events = EPOLLIN | EPOLLET;
	event.data.u64 = 8;
	TRY(epoll_ctl(e, EPOLL_CTL_MOD, fd[0], &event));
	TRY(epoll_wait(e, got, 4, 0));
	TRY(epoll_wait(e, got, 4, 0)); /* edge-triggered */
	CHECK_EQ(write(fd[1], "z", 1), 1);
	TRY(epoll_wait(e, got, 4, 0));
	event.events = EPOLLIN | EPOLLONESHOT;
	TRY(epoll_ctl(e, EPOLL_CTL_MOD, fd[0], &event));
	TRY(epoll_wait(e, got, 4, 0));
	TRY(epoll_wait(e, got, 4, 0));
	event.events = EPOLLOUT;
	TRY(epoll_ctl(e, EPOLL_CTL_ADD, fd[1], &event));
	TRY(epoll_wait(e, got, 4, 0));
	close(fd[1]);
	close(fd[0]);
	TRY(epoll_wait(e, got, 4, 0)); /* closed ones are gone */
	TRY(epoll_wait(e, got, 0, 0));
	TRY(epoll_wait(0, got, 4, 0));
	TRY(epoll_wait(99, got, 4, 0));
	TRY_FD(epoll_create1(1));
	TRY_FD(epoll_create(0));
}

TEST(file, eventfd)
{
	int fd = eventfd(3, EFD_NONBLOCK);
	uint64_t value;

	CHECK(fd >= 0);
	say_poll("eventfd", fd, POLLIN | POLLOUT);
	TRY(read(fd, &value, 8));
	say("%lu\n", (unsigned long)value);
	TRY(read(fd, &value, 8));
	say_poll("eventfd at 0", fd, POLLIN | POLLOUT);
	value = 5;
	TRY(write(fd, &value, 8));
	TRY(write(fd, &value, 8));
	TRY(read(fd, &value, 4));
	TRY(read(fd, &value, 8));
	say("%lu\n", (unsigned long)value);
	value = -1;
	TRY(write(fd, &value, 8));
	value = -2;
	TRY(write(fd, &value, 8));
	value = 1;
	TRY(write(fd, &value, 8));
	int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	TRY(read(semaphore, &value, 8));
	TRY(read(semaphore, &value, 8));
	TRY(read(semaphore, &value, 8));
	TRY_FD(eventfd(0, 99));
}

/* --- locks --- */

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length
	};

	return fcntl(fd, command, &l);
}

TEST(file, record_locks)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), r = open("f", O_RDONLY),
	    w = open("f", O_WRONLY);
	pid_t parent = getpid();

	TRY(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	TRY(lock(fd, F_SETLK, F_RDLCK, 50, 100));
	TRY(lock(r, F_SETLK, F_WRLCK, 0, 1));
	TRY(lock(w, F_SETLK, F_RDLCK, 0, 1));
	TRY(lock(fd, F_SETLK, 99, 0, 1));
	TRY(lock(fd, F_SETLK, F_WRLCK, -1, 1));
	TRY(lock(99, F_SETLK, F_WRLCK, 0, 1));
	CHILD (0) {
		struct flock l = {
			.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0
		};

		TRY(lock(fd, F_SETLK, F_WRLCK, 10, 1));
		TRY(lock(fd, F_SETLK, F_RDLCK, 10, 1));
		TRY(lock(fd, F_SETLK, F_RDLCK, 60, 1));
		TRY(lock(fd, F_SETLK, F_WRLCK, 60, 1));
		TRY(lock(fd, F_SETLK, F_WRLCK, 150, 0));
		CHECK(fcntl(fd, F_GETLK, &l) == 0);
		CHECK(l.l_pid == parent);
		say("type %d start %ld length %ld\n", l.l_type, (long)l.l_start, (long)l.l_len);
	}
	TRY(lock(fd, F_SETLK, F_WRLCK, 150, 0)); /* the child's are gone with it */
	close(open("f", O_RDONLY));              /* as are ours, with any close of the file */
	CHILD (0)
		TRY(lock(fd, F_SETLK, F_WRLCK, 0, 0));
}

TEST(file, a_lock_is_waited_for)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	struct gate locked = gate_make();

	pid_t pid = child_fork();
	if (pid == 0) {
		CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 0) == 0);
		gate_open(&locked);
		usleep(50000);
		CHECK_EQ(write(fd, "x", 1), 1);
		_exit(0);
	}
	gate_wait(&locked);
	CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 0) == 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 1);
	child_expect(pid, 0);
}

TEST(file, deadlocks_of_record_locks_are_found)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	struct gate locked = gate_make();

	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
	pid_t pid = child_fork();
	if (pid == 0) {
		CHECK(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0);
		gate_open(&locked);
		CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
		_exit(0);
	}
	gate_wait(&locked);
	usleep(50000);
	CHECK_ERRNO(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 1) == 0);
	child_expect(pid, 0);
}

TEST(file, flock)
{
	int a = open("f", O_RDWR | O_CREAT, 0644), b = open("f", O_RDONLY), copy = dup(a);

	TRY(flock(a, LOCK_EX));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(copy, LOCK_SH | LOCK_NB));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(a, LOCK_EX | LOCK_NB));
	TRY(flock(b, LOCK_UN));
	TRY(flock(a, LOCK_EX | LOCK_NB));
	CHILD (0) {
		TRY(flock(b, LOCK_EX | LOCK_NB));
		TRY(flock(a, LOCK_EX | LOCK_NB)); /* inherited */
	}
	close(a);
	TRY(flock(b, LOCK_EX | LOCK_NB));
	close(copy);
	TRY(flock(b, LOCK_EX | LOCK_NB));
	TRY(flock(b, 16));
	TRY(flock(99, LOCK_SH));
}

TEST(file, a_bad_address_does_not_tear_what_is_in_a_pipe)
{
	char *map =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buffer[16] = "";
	int ends[2];

	CHECK(map != MAP_FAILED);
	CHECK_EQ(munmap(map + PAGE, PAGE), 0);
	CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
	memset(map, 'm', PAGE);
	CHECK_ERRNO(write(ends[1], map + PAGE - 8, 16), EFAULT);
	CHECK_ERRNO(read(ends[0], buffer, sizeof(buffer)), EAGAIN);
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_ERRNO(write(ends[1], map + PAGE - 8, 16), EFAULT);
	CHECK_ERRNO(read(ends[0], map + PAGE - 8, 10), EFAULT);
	CHECK_EQ(read(ends[0], buffer, sizeof(buffer)), 10);
	say("%s\n", buffer);
}
