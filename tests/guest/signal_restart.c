/*
 * signal_restart.c - what becomes of a call that a signal finds asleep: it ends with EINTR, or goes on.
 *
 * Central rule, signal(7): that depends on the call, on SA_RESTART, and on whether a handler runs at all. Each call is made three times; a helper process waits until the
 * caller sleeps, interrupts it, and only then makes the call's wish come true.
 */
#include "check.h"

#include <linux/futex.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>

enum way { HANDLER, HANDLER_RESTART, STOP_CONTINUE, WAYS };

struct shared {
	volatile int handled, returned, went_on;
	uint32_t word; /* of the futex */
};

static struct shared *shared;
static int fd_in, fd_out, spare, object; /* what a call works on */
static pid_t sleeper;
static char buffer[65536];

struct restart_case {
	const char *name;
	void (*prepare)(void);
	long (*call)(void);
	void (*finish)(void);   /* in the helper; NULL: the call is never fulfilled */
	void (*clean_up)(void); /* NULL: the descriptors are closed */
};

/* --- the calls --- */

static void prepare_pipe(void)
{
	int p[2];

	CHECK(pipe(p) == 0);
	fd_in = p[0];
	fd_out = p[1];
}

static void prepare_full_pipe(void)
{
	prepare_pipe();
	CHECK(write(fd_out, buffer, 65536) == 65536);
}

static void prepare_two_pipes(void)
{
	prepare_pipe();
	object = fd_out;
	int in = fd_in;
	prepare_pipe();
	spare = fd_in;
	fd_in = in; /* fd_in is fed by object; what goes to fd_out stays there */
}

static long call_read(void)
{
	return read(fd_in, buffer, 8);
}

static long call_write(void)
{
	return write(fd_out, buffer, 8);
}

static long call_splice(void)
{
	return splice(fd_in, NULL, fd_out, NULL, 8, 0);
}

static void finish_write(void)
{
	CHECK(write(fd_out, "12345678", 8) == 8);
}

static void finish_write_object(void)
{
	CHECK(write(object, "12345678", 8) == 8);
}

static void finish_read(void)
{
	CHECK(read(fd_in, buffer, 65536) > 0);
}

static void prepare_eventfd(void)
{
	fd_in = fd_out = eventfd(0, 0);
}

static void finish_eventfd(void)
{
	CHECK(eventfd_write(fd_out, 1) == 0);
}

static void prepare_timerfd(void)
{
	fd_in = fd_out = timerfd_create(CLOCK_MONOTONIC, 0);
}

static void finish_timerfd(void)
{
	CHECK(timerfd_settime(fd_in, 0, &(struct itimerspec){ {}, { 0, 1 } }, NULL) == 0);
}

static void prepare_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	fd_in = fd_out = signalfd(-1, &set, 0);
}

static long call_read_signal(void)
{
	return read(fd_in, buffer, 128) == 128 ? 0 : -1;
}

static void finish_signal(void)
{
	kill(getppid(), SIGUSR2);
}

static void prepare_inotify(void)
{
	fd_in = fd_out = inotify_init();
	CHECK(inotify_add_watch(fd_in, ".", IN_CREATE) >= 0);
}

static long call_read_event(void)
{
	return read(fd_in, buffer, sizeof(buffer)) > 0 ? 0 : -1;
}

static void finish_inotify(void)
{
	CHECK(close(open("something", O_CREAT | O_RDWR, 0600)) == 0);
	unlink("something");
}

static void prepare_terminal(void)
{
	CHECK(openpty(&fd_out, &fd_in, NULL, NULL, NULL) == 0);
}

static void finish_terminal(void)
{
	CHECK(write(fd_out, "1234567\n", 8) == 8);
}

static void prepare_fifo(void)
{
	CHECK(mkfifo("fifo", 0600) == 0);
	fd_out = -1;
}

static long call_open(void)
{
	fd_in = open("fifo", O_RDONLY);
	return fd_in < 0 ? -1 : 0;
}

static void finish_fifo(void)
{
	CHECK(open("fifo", O_RDWR) >= 0);
}

static void clean_fifo(void)
{
	if (fd_in >= 0)
		close(fd_in);
	unlink("fifo");
}

static struct flock whole(short type)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET };
}

static void prepare_file(void)
{
	fd_in = open("file", O_CREAT | O_RDWR, 0600);
	fd_out = open("file", O_RDWR);
}

static void prepare_flock(void)
{
	prepare_file();
	CHECK(flock(fd_out, LOCK_EX) == 0);
}

static long call_flock(void)
{
	return flock(fd_in, LOCK_EX);
}

static void finish_flock(void)
{
	CHECK(flock(fd_out, LOCK_UN) == 0);
}

static void prepare_ofd(void)
{
	struct flock l = whole(F_WRLCK);

	prepare_file();
	CHECK(fcntl(fd_out, F_OFD_SETLK, &l) == 0);
}

static long call_ofd(void)
{
	struct flock l = whole(F_WRLCK);

	return fcntl(fd_in, F_OFD_SETLKW, &l);
}

static void finish_ofd(void)
{
	struct flock l = whole(F_UNLCK);

	CHECK(fcntl(fd_out, F_OFD_SETLK, &l) == 0);
}

static void prepare_sleeper(void)
{
	fd_in = fd_out = open("/dev/null", O_RDONLY);
	sleeper = child_fork();
	if (sleeper == 0)
		for (;;)
			pause();
}

static long call_wait4(void)
{
	return waitpid(sleeper, NULL, 0) == sleeper ? 0 : -1;
}

static long call_waitid(void)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)sleeper, &info, WEXITED);
}

static void finish_sleeper(void)
{
	kill(sleeper, SIGKILL);
}

static void clean_sleeper(void)
{
	close(fd_in);
	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
}

static void prepare_nothing(void)
{
	fd_in = fd_out = open("/dev/null", O_RDONLY);
	shared->word = 0;
}

static long call_futex(void)
{
	return syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static long call_futex_timeout(void)
{
	struct timespec t = { 600, 0 };

	return syscall(SYS_futex, &shared->word, FUTEX_WAIT, 0, &t, NULL, 0);
}

static void finish_futex(void)
{
	shared->word = 1;
	syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void prepare_queue(void)
{
	prepare_nothing();
	object = msgget(IPC_PRIVATE, 0600);
	CHECK(object >= 0);
}

static long call_msgrcv(void)
{
	struct {
		long type;
		char text[8];
	} m;

	return msgrcv(object, &m, sizeof(m.text), 0, 0) == 0 ? 0 : -1;
}

static void finish_queue(void)
{
	long type = 1;

	CHECK(msgsnd(object, &type, 0, 0) == 0);
}

static void clean_queue(void)
{
	close(fd_in);
	msgctl(object, IPC_RMID, NULL);
}

static void prepare_semaphore(void)
{
	prepare_nothing();
	object = semget(IPC_PRIVATE, 1, 0600);
	CHECK(object >= 0);
}

static long call_semop(void)
{
	struct sembuf op = { 0, -1, 0 };

	return semop(object, &op, 1);
}

static void finish_semaphore(void)
{
	struct sembuf op = { 0, 1, 0 };

	CHECK(semop(object, &op, 1) == 0);
}

static void clean_semaphore(void)
{
	close(fd_in);
	semctl(object, 0, IPC_RMID);
}

static long call_poll(void)
{
	struct pollfd p = { fd_in, POLLIN, 0 };

	return poll(&p, 1, -1) == 1 ? 0 : -1;
}

static long call_poll_timeout(void)
{
	struct pollfd p = { fd_in, POLLIN, 0 };

	return poll(&p, 1, 600000) == 1 ? 0 : -1;
}

static long call_ppoll(void)
{
	struct pollfd p = { fd_in, POLLIN, 0 };
	struct timespec t = { 600, 0 };

	return ppoll(&p, 1, &t, NULL) == 1 ? 0 : -1;
}

static long call_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd_in, &set);
	return select(fd_in + 1, &set, NULL, NULL, NULL) == 1 ? 0 : -1;
}

static long call_pselect(void)
{
	struct timespec t = { 600, 0 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd_in, &set);
	return pselect(fd_in + 1, &set, NULL, NULL, &t, NULL) == 1 ? 0 : -1;
}

static void prepare_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN };

	prepare_pipe();
	object = epoll_create1(0);
	CHECK(epoll_ctl(object, EPOLL_CTL_ADD, fd_in, &e) == 0);
}

static long call_epoll(void)
{
	struct epoll_event e;

	return epoll_wait(object, &e, 1, -1) == 1 ? 0 : -1;
}

static void clean_epoll(void)
{
	close(fd_in);
	close(fd_out);
	close(object);
}

static long call_sigtimedwait(void)
{
	struct timespec t = { 600, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &t) == SIGUSR2 ? 0 : -1;
}

static long call_pause(void)
{
	return pause();
}

static long call_sigsuspend(void)
{
	sigset_t set;

	sigemptyset(&set);
	return sigsuspend(&set);
}

static long call_nanosleep(void)
{
	struct timespec t = { 600, 0 };

	return syscall(SYS_nanosleep, &t, NULL);
}

static long call_sleep_until(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += 600;
	errno = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
	return errno ? -1 : 0;
}

static void clean_two_pipes(void)
{
	clean_epoll();
	close(spare);
}

static const struct restart_case cases[] = {
	{ "read of a pipe", prepare_pipe, call_read, finish_write, NULL },
	{ "write to a pipe", prepare_full_pipe, call_write, finish_read, NULL },
	{ "splice", prepare_two_pipes, call_splice, finish_write_object, clean_two_pipes },
	{ "read of an eventfd", prepare_eventfd, call_read, finish_eventfd, NULL },
	{ "read of a timerfd", prepare_timerfd, call_read, finish_timerfd, NULL },
	{ "read of a signalfd", prepare_signalfd, call_read_signal, finish_signal, NULL },
	{ "read of inotify", prepare_inotify, call_read_event, finish_inotify, NULL },
	{ "read of a terminal", prepare_terminal, call_read, finish_terminal, NULL },
	{ "open of a FIFO", prepare_fifo, call_open, finish_fifo, clean_fifo },
	{ "flock", prepare_flock, call_flock, finish_flock, NULL },
	{ "F_OFD_SETLKW", prepare_ofd, call_ofd, finish_ofd, NULL },
	{ "wait4", prepare_sleeper, call_wait4, finish_sleeper, clean_sleeper },
	{ "waitid", prepare_sleeper, call_waitid, finish_sleeper, clean_sleeper },
	{ "futex", prepare_nothing, call_futex, finish_futex, NULL },
	{ "futex with a time-out", prepare_nothing, call_futex_timeout, finish_futex, NULL },
	{ "msgrcv", prepare_queue, call_msgrcv, finish_queue, clean_queue },
	{ "semop", prepare_semaphore, call_semop, finish_semaphore, clean_semaphore },
	{ "poll", prepare_pipe, call_poll, finish_write, NULL },
	{ "poll with a time-out", prepare_pipe, call_poll_timeout, finish_write, NULL },
	{ "ppoll", prepare_pipe, call_ppoll, finish_write, NULL },
	{ "select", prepare_pipe, call_select, finish_write, NULL },
	{ "pselect", prepare_pipe, call_pselect, finish_write, NULL },
	{ "epoll_wait", prepare_epoll, call_epoll, finish_write, clean_epoll },
	{ "sigtimedwait", prepare_signalfd, call_sigtimedwait, finish_signal, NULL },
	{ "pause", prepare_nothing, call_pause, NULL, NULL },
	{ "sigsuspend", prepare_nothing, call_sigsuspend, NULL, NULL },
	{ "nanosleep", prepare_nothing, call_nanosleep, NULL, NULL },
	{ "clock_nanosleep to a time", prepare_nothing, call_sleep_until, NULL, NULL },
};

/* --- the helper --- */

static char state_of(pid_t pid)
{
	char name[64], text[512], *end;

	snprintf(name, sizeof(name), "/proc/%d/stat", (int)pid);
	if (file_read_text(name, text, sizeof(text)) == 0)
		return 0;
	end = strrchr(text, ')');
	return end ? end[2] : 0;
}

/* Until pid is in the state, and stays there for a moment; or its call has returned. */
static void wait_state(pid_t pid, char state)
{
	for (int seen = 0; seen < 3 && !shared->returned;) {
		seen = state_of(pid) == state ? seen + 1 : 0;
		usleep(2000);
	}
}

static void help(const struct restart_case *c, enum way way, pid_t caller)
{
	wait_state(caller, 'S');
	if (way == STOP_CONTINUE) {
		kill(caller, SIGSTOP);
		wait_state(caller, 'T');
		kill(caller, SIGCONT);
	} else {
		kill(caller, SIGUSR1);
		while (!shared->handled)
			usleep(1000);
	}
	wait_state(caller, 'S');
	if (shared->returned)
		_exit(0);
	if (c->finish) {
		c->finish();
		if (c->call == call_open) { /* keeps the other end until the caller has opened */
			while (!shared->returned)
				usleep(1000);
		}
	} else {
		shared->went_on = 1;
		kill(caller, SIGTERM); /* ends the call */
		while (!shared->returned)
			usleep(1000);
	}
	_exit(0);
}

static void on_signal(int signal)
{
	(void)signal;
	shared->handled = 1;
}

static void on_term(int signal)
{
	(void)signal;
}

static const char *outcome(const struct restart_case *c, enum way way)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = way == HANDLER_RESTART ? SA_RESTART : 0 };
	pid_t caller = getpid(), helper;
	long result;

	shared->handled = shared->returned = shared->went_on = 0;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	sa = (struct sigaction){ .sa_handler = on_term };
	CHECK(sigaction(SIGTERM, &sa, NULL) == 0);
	c->prepare();
	helper = child_fork();
	if (helper == 0)
		help(c, way, caller);
	result = c->call();
	int error = errno;
	shared->returned = 1;
	child_expect(helper, 0);
	if (c->clean_up) {
		c->clean_up();
	} else {
		close(fd_in);
		if (fd_out != fd_in)
			close(fd_out);
	}
	return result >= 0 || shared->went_on ? "goes on" : errno_name(error);
}

TEST(signal, calls_are_restarted_or_interrupted)
{
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *results[WAYS];

		for (enum way way = 0; way < WAYS; way++)
			results[way] = outcome(&cases[i], way);
		say("%s: handler: %s; with SA_RESTART: %s; stop and continue: %s\n", cases[i].name,
		    results[HANDLER], results[HANDLER_RESTART], results[STOP_CONTINUE]);
	}
}
