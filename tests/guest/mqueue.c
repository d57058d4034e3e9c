/*
 * mqueue.c - POSIX message queues.
 *
 * Central rule: a message is received whole, the highest priority first, the oldest of those; a queue lives as long as its name or an open descriptor. The calls are made
 * directly, for the C library checks some arguments itself.
 */
#include "check.h"

#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <time.h>

static long open_raw(const char *name, int flags, mode_t mode, struct mq_attr *attr)
{
	return syscall(SYS_mq_open, name, flags, mode, attr);
}

static long send_raw(long fd, const void *data, size_t n, unsigned int priority,
		     const struct timespec *until)
{
	return syscall(SYS_mq_timedsend, fd, data, n, priority, until);
}

static char received[8192];
static unsigned int priority;

static long receive_raw(long fd, size_t n, const struct timespec *until)
{
	return syscall(SYS_mq_timedreceive, fd, received, n, &priority, until);
}

static int make(int flags, long messages, long bytes)
{
	struct mq_attr a = { .mq_maxmsg = messages, .mq_msgsize = bytes };

	mq_unlink("/guest-test");
	int fd = (int)open_raw("guest-test", O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a);
	CHECK(fd >= 0);
	return fd;
}

TEST(mqueue, messages_come_by_priority_and_age)
{
	static const struct {
		const char *text;
		unsigned int priority;
	} sent[] = { { "a", 1 }, { "b", 5 }, { "c", 1 }, { "d", 0 }, { "e", 5 }, { "f", 32767 } };
	int fd = make(O_NONBLOCK, 8, 16);
	struct mq_attr a;

	for (size_t i = 0; i < COUNT_OF(sent); i++)
		CHECK(send_raw(fd, sent[i].text, 1, sent[i].priority, NULL) == 0);
	CHECK(mq_getattr(fd, &a) == 0);
	say("%ld of %ld messages of %ld bytes, flags %ld\n", a.mq_curmsgs, a.mq_maxmsg,
	    a.mq_msgsize, a.mq_flags);
	for (size_t i = 0; i < COUNT_OF(sent); i++) {
		CHECK(receive_raw(fd, 16, NULL) == 1);
		say("%c %u\n", received[0], priority);
	}
	TRY(receive_raw(fd, 16, NULL));
	TRY(send_raw(fd, "", 0, 0, NULL));
	TRY(receive_raw(fd, 16, NULL));
	mq_unlink("/guest-test");
}

TEST(mqueue, errors)
{
	struct mq_attr a = { .mq_maxmsg = 0, .mq_msgsize = 16 };
	struct timespec bad = { 0, 1000000000 }, past = { 1, 0 };
	char long_name[300];
	int fd = make(O_NONBLOCK, 1, 16), file = file_make("file", 10);

	memset(long_name, 'x', sizeof(long_name));
	long_name[299] = 0;
	TRY(open_raw("guest-test", O_CREAT | O_EXCL | O_RDWR, 0600, NULL));
	TRY(open_raw("guest-missing", O_RDWR, 0, NULL));
	TRY(open_raw("guest-test", O_RDWR | O_WRONLY, 0, NULL));
	TRY(open_raw("", O_RDWR | O_CREAT, 0600, NULL));
	TRY(open_raw("a/b", O_RDWR | O_CREAT, 0600, NULL));
	TRY(open_raw(long_name, O_RDWR | O_CREAT, 0600, NULL));
	TRY(open_raw((void *)8, O_RDWR | O_CREAT, 0600, NULL));
	TRY(open_raw("guest-other", O_RDWR | O_CREAT, 0600, (void *)8));
	TRY(open_raw("guest-other", O_RDWR | O_CREAT, 0600, &a));
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = -1 };
	TRY(open_raw("guest-other", O_RDWR | O_CREAT, 0600, &a));
	a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 1L << 40 };
	TRY(open_raw("guest-other", O_RDWR | O_CREAT, 0600, &a));
	TRY(send_raw(fd, "12345678901234567", 17, 0, NULL));
	TRY(send_raw(fd, "1", 1, 32768, NULL));
	TRY(send_raw(fd, (void *)8, 1, 0, NULL));
	TRY(send_raw(fd, "1", 1, 0, &bad));
	TRY(send_raw(fd, "1", 1, 0, (void *)8));
	TRY(send_raw(file, "1", 1, 0, NULL));
	TRY(send_raw(99, "1", 1, 0, NULL));
	TRY(receive_raw(fd, 15, NULL));
	TRY(receive_raw(fd, 16, NULL));
	TRY(receive_raw(fd, 16, &bad));
	TRY(receive_raw(file, 16, NULL));
	TRY(receive_raw(99, 16, NULL));
	TRY(send_raw(fd, "1", 1, 0, NULL));
	TRY(send_raw(fd, "2", 1, 0, NULL));
	int reader = (int)open_raw("guest-test", O_RDONLY, 0, NULL),
	    writer = (int)open_raw("guest-test", O_WRONLY, 0, NULL);
	TRY(send_raw(reader, "1", 1, 0, NULL));
	TRY(receive_raw(writer, 16, NULL));
	TRY(send_raw(writer, "2", 1, 0, &past));
	TRY(fcntl(reader, F_GETFD));
	CHECK(receive_raw(reader, 16, NULL) == 1);
	TRY(receive_raw(reader, 16, &past));
	a.mq_flags = O_NONBLOCK;
	struct mq_attr before;
	TRY(mq_setattr(reader, &a, &before));
	TRY(before.mq_flags);
	TRY(receive_raw(reader, 16, &past));
	a.mq_flags = O_APPEND;
	TRY(mq_setattr(reader, &a, NULL));
	TRY(syscall(SYS_mq_getsetattr, file, NULL, &a));
	TRY(syscall(SYS_mq_getsetattr, fd, (void *)8, &a));
	TRY(syscall(SYS_mq_getsetattr, fd, NULL, (void *)8));
	TRY(mq_unlink("/guest-test"));
	TRY(mq_unlink("/guest-test"));
	TRY(syscall(SYS_mq_unlink, ""));
	TRY(syscall(SYS_mq_unlink, "a/b"));
	TRY(send_raw(writer, "3", 1, 0, NULL)); /* it lives on */
	TRY(receive_raw(reader, 16, NULL));
}

TEST(mqueue, permissions_and_limits)
{
	if (!is_root())
		return;
	int fd = make(0, 1, 16);
	struct mq_attr a = { .mq_maxmsg = 11, .mq_msgsize = 16 };

	CHECK(fchmod(fd, 0640) == 0);
	CHILD (0) {
		become_user();
		TRY_FD((int)open_raw("guest-test", O_RDONLY, 0, NULL));
		TRY(mq_unlink("/guest-test"));
		TRY(open_raw("guest-mine", O_CREAT | O_RDWR, 0600, &a));
		a = (struct mq_attr){ .mq_maxmsg = 1, .mq_msgsize = 8193 };
		TRY(open_raw("guest-mine", O_CREAT | O_RDWR, 0600, &a));
		struct rlimit limit = { 100000, 100000 };
		CHECK(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
		a = (struct mq_attr){ .mq_maxmsg = 8, .mq_msgsize = 8192 };
		TRY_FD((int)open_raw("guest-mine", O_CREAT | O_RDWR, 0600, &a));
		TRY(open_raw("guest-mine2", O_CREAT | O_RDWR, 0600, &a));
		TRY(mq_unlink("/guest-mine"));
		TRY_FD((int)open_raw("guest-mine2", O_CREAT | O_RDWR, 0600, &a));
		TRY(mq_unlink("/guest-mine2"));
	}
	mq_unlink("/guest-test");
}

TEST(mqueue, senders_and_receivers_wait)
{
	int fd = make(0, 1, 16);
	struct timespec soon;
	pid_t child = child_fork();

	if (child == 0) {
		for (int i = 0; i < 100; i++) {
			char c = (char)i;

			CHECK(send_raw(fd, &c, 1, 0, NULL) == 0);
		}
		_exit(0);
	}
	for (int i = 0; i < 100; i++)
		CHECK(receive_raw(fd, 16, NULL) == 1 && received[0] == i);
	child_expect(child, 0);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec += 1;
	soon.tv_nsec = 0;
	TRY(receive_raw(fd, 16, &soon));
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(now.tv_sec >= soon.tv_sec);
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };
	CHECK(poll(&p, 1, 0) == 1);
	TRY(p.revents);
	CHECK(send_raw(fd, "x", 1, 0, NULL) == 0);
	CHECK(poll(&p, 1, 0) == 1);
	TRY(p.revents);
	mq_unlink("/guest-test");
}

static siginfo_t told;
static volatile int times;

static void on_told(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	told = *info;
	times++;
}

TEST(mqueue, a_process_is_told_of_the_first_message)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL,
			      .sigev_signo = SIGUSR1,
			      .sigev_value.sival_int = 42 };
	struct sigaction sa = { .sa_sigaction = on_told, .sa_flags = SA_SIGINFO };
	int fd = make(0, 4, 16);
	char text[128], form[128];

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	TRY(mq_notify(fd, &e));
	TRY(mq_notify(fd, &e));
	CHILD (0) {
		TRY(mq_notify(fd, &e));
		TRY(mq_notify(fd, NULL)); /* not its own */
		TRY(mq_notify(fd, &e));
	}
	CHECK(pread(fd, text, sizeof(text), 0) > 0);
	snprintf(form, sizeof(form), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", 0, 0,
		 SIGUSR1, getpid());
	TRY(strncmp(text, form, strlen(form)));
	pid_t child = child_fork();
	if (child == 0)
		_exit(send_raw(fd, "hello", 5, 0, NULL) != 0);
	child_expect(child, 0);
	TRY(times);
	CHECK(told.si_code == SI_MESGQ && told.si_value.sival_int == 42 && told.si_pid == child &&
	      told.si_uid == getuid());
	CHECK(send_raw(fd, "again", 5, 0, NULL) == 0);
	TRY(mq_notify(fd, &e)); /* it is not empty: nothing is told */
	CHECK(send_raw(fd, "more", 4, 0, NULL) == 0);
	TRY(times);
	TRY(mq_notify(fd, NULL));
	TRY(mq_notify(fd, NULL));
	e.sigev_signo = 65;
	TRY(mq_notify(fd, &e));
	e.sigev_notify = 7;
	TRY(mq_notify(fd, &e));
	e.sigev_notify = SIGEV_NONE;
	TRY(mq_notify(fd, &e));
	TRY(mq_notify(0, &e));
	TRY(syscall(SYS_mq_notify, fd, 8));
	mq_unlink("/guest-test");
}
