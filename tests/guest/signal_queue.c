/*
 * signal_queue.c - signals with something to say, whom they reach, and what the parents and stacks of those who get them see.
 *
 * Central rule: what is said of a signal is the sender's, within what the kernel lets it pretend; next: signal_restart.c, what signals do to calls.
 */
#include "check.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>

static volatile sig_atomic_t caught;
static volatile siginfo_t caught_info;
static volatile pid_t caught_by;

static void on_info(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	*(siginfo_t *)&caught_info = *info;
	caught_by = gettid();
	caught++;
}

static void handle(int signal, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = flags | SA_SIGINFO };

	CHECK(sigaction(signal, &sa, NULL) == 0);
}

static long queue_info(pid_t pid, int signal, siginfo_t *info)
{
	return syscall(SYS_rt_sigqueueinfo, pid, signal, info);
}

TEST(signal, what_a_sender_may_say)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	pid_t child = child_fork();

	if (child == 0)
		for (;;)
			pause();
	handle(SIGUSR1, 0);
	info.si_value.sival_int = 5;
	info.si_pid = 1234;
	info.si_uid = 5678;
	TRY(queue_info(getpid(), SIGUSR1, &info));
	TRY(caught_info.si_pid);
	TRY(caught_info.si_uid);
	TRY(caught_info.si_value.sival_int);
	info.si_code = SI_USER; /* to oneself anything may be said */
	TRY(queue_info(getpid(), SIGUSR1, &info));
	TRY(caught_info.si_code == SI_USER);
	info.si_code = SI_TKILL;
	TRY(queue_info(getpid(), SIGUSR1, &info));
	TRY(caught_info.si_code == SI_TKILL);
	TRY(queue_info(child, 0, &info));
	info.si_code = SI_USER;
	TRY(queue_info(child, 0, &info));
	info.si_code = SI_KERNEL;
	TRY(queue_info(child, 0, &info));
	info.si_code = SI_QUEUE;
	TRY(queue_info(child, 0, &info));
	info.si_code = -100;
	TRY(queue_info(child, 0, &info));
	((char *)&info)[100] = 1; /* beyond what this code is known to carry */
	TRY(queue_info(child, 0, &info));
	TRY(queue_info(getpid(), SIGUSR1, &info));
	info.si_code = SI_QUEUE;
	TRY(queue_info(getpid(), SIGUSR1, &info));
	TRY(queue_info(child, 65, &info));
	TRY(queue_info(child, -1, &info));
	TRY(queue_info(0, SIGUSR1, &info));
	TRY(queue_info(-1, SIGUSR1, &info));
	TRY(queue_info(0x3fffffff, 65, &info));
	TRY(queue_info(child, SIGUSR1, (void *)8));
	info.si_code = SI_TIMER; /* of no timer */
	info.si_timerid = 3;
	TRY(queue_info(getpid(), SIGUSR1, &info));
	TRY(caught_info.si_code == SI_TIMER);
	kill(child, SIGKILL);
	child_expect(child, -SIGKILL);
}

static void *sleep_in_thread(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	for (;;)
		pause();
	return arg;
}

TEST(signal, a_signal_for_one_thread)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	volatile pid_t tid = 0;
	pthread_t thread;

	handle(SIGUSR1, 0);
	CHECK(pthread_create(&thread, NULL, sleep_in_thread, (void *)&tid) == 0);
	while (!tid)
		usleep(100);
	info.si_value.sival_int = 77;
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGUSR1, &info));
	while (!caught)
		usleep(100);
	CHECK_EQ(caught_by, tid);
	TRY(caught_info.si_value.sival_int);
	TRY(syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
	while (caught < 2)
		usleep(100);
	CHECK_EQ(caught_by, tid);
	TRY(syscall(SYS_tkill, tid, SIGUSR1));
	while (caught < 3)
		usleep(100);
	info.si_code = SI_USER;
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGUSR1, &info));
	TRY(syscall(SYS_rt_tgsigqueueinfo, getppid(), tid, SIGUSR1, &info));
	info.si_code = SI_QUEUE;
	TRY(syscall(SYS_rt_tgsigqueueinfo, getppid(), tid, SIGUSR1, &info));
	TRY(syscall(SYS_rt_tgsigqueueinfo, 0, tid, SIGUSR1, &info));
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &info));
	TRY(syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, 65, &info));
	TRY(syscall(SYS_tgkill, getppid(), tid, SIGUSR1));
	TRY(syscall(SYS_tgkill, -1, tid, SIGUSR1));
	TRY(syscall(SYS_tgkill, getpid(), 0, SIGUSR1));
	TRY(syscall(SYS_tgkill, getpid(), tid, -1));
	TRY(syscall(SYS_tgkill, getppid(), tid, 99));
	TRY(syscall(SYS_tkill, 0x3fffffff, 99));
	TRY(syscall(SYS_tkill, -1, SIGUSR1));
	TRY(kill(tid, 0)); /* the number of a thread that leads no process is found, too */
	TRY(kill(0x3fffffff, 99));
	TRY(kill(getpid(), 99));
	TRY(kill(0, -1));
	TRY(kill(-0x3fffffff, 0));
}

TEST(signal, errors_of_waiting)
{
	struct timespec zero = {}, bad = { 0, -1 }, negative = { -1, 0 };
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	TRY(sigtimedwait(&set, &info, &zero));
	TRY(sigtimedwait(&set, &info, &bad));
	TRY(sigtimedwait(&set, &info, &negative));
	TRY(syscall(SYS_rt_sigtimedwait, &set, &info, 8, 8));
	TRY(syscall(SYS_rt_sigtimedwait, 8, &info, &zero, 8));
	TRY(syscall(SYS_rt_sigtimedwait, &set, &info, &zero, 4));
	raise(SIGUSR1);
	TRY(syscall(SYS_rt_sigtimedwait, &set, 8, &zero, 8)); /* it is gone all the same */
	TRY(sigtimedwait(&set, &info, &zero));
	TRY(syscall(SYS_rt_sigpending, &set, 9));
	TRY(syscall(SYS_rt_sigpending, 8, 8));
	TRY(syscall(SYS_rt_sigsuspend, &set, 4));
	TRY(syscall(SYS_rt_sigsuspend, 8, 8));
	TRY(syscall(SYS_rt_sigprocmask, 3, &set, NULL, 8));
	TRY(syscall(SYS_rt_sigprocmask, 3, NULL, NULL, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, 8, 8));
	TRY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4));
	TRY(signalfd(-1, &set, 1));
	TRY(syscall(SYS_signalfd4, -1, &set, 4, 0));
	TRY(syscall(SYS_signalfd4, -1, 8, 8, 0));
}

/* --- children --- */

TEST(signal, nocldwait_leaves_no_zombies)
{
	handle(SIGCHLD, SA_NOCLDWAIT);
	pid_t child = child_fork();
	if (child == 0)
		_exit(3);
	while (!caught) /* the signal comes all the same */
		usleep(1000);
	TRY(caught_info.si_code == CLD_EXITED);
	TRY(caught_info.si_status);
	CHECK_EQ(caught_info.si_pid, child);
	TRY(waitpid(child, NULL, 0));
	child = child_fork();
	if (child == 0)
		_exit(3);
	TRY(waitpid(-1, NULL, 0)); /* waits until there is no child any more */
	signal(SIGCHLD, SIG_IGN);
	child = child_fork();
	if (child == 0)
		_exit(3);
	TRY(waitpid(child, NULL, 0));
	signal(SIGCHLD, SIG_DFL);
	child = child_fork();
	if (child == 0)
		_exit(3);
	child_expect(child, 3);
}

TEST(signal, a_child_tells_how_it_ended)
{
	handle(SIGCHLD, 0);
	pid_t child = child_fork();
	if (child == 0)
		abort();
	while (!caught)
		usleep(1000);
	TRY(caught_info.si_code == CLD_KILLED || caught_info.si_code == CLD_DUMPED);
	TRY(caught_info.si_status == SIGABRT);
	child_expect(child, -SIGABRT);
	child = child_fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGUSR2);
		pid_t grandchild = child_fork();
		if (grandchild == 0) {
			int signal = 0;
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR2);
			sigprocmask(SIG_BLOCK, &set, NULL);
			prctl(PR_SET_PDEATHSIG, SIGUSR2);
			if (getppid() != 1)
				sigwait(&set, &signal);
			_exit(0);
		}
		usleep(20000);
		_exit(0);
	}
	child_expect(child, 0);
}

TEST(signal, stop_signals_and_continue_cancel_each_other)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGTTIN);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTSTP);
	raise(SIGTTIN);
	sigpending(&pending);
	say("%d%d%d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTIN),
	    sigismember(&pending, SIGCONT));
	raise(SIGCONT);
	sigpending(&pending);
	say("%d%d%d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTIN),
	    sigismember(&pending, SIGCONT));
	raise(SIGTSTP);
	sigpending(&pending);
	say("%d%d%d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTIN),
	    sigismember(&pending, SIGCONT));
}

TEST(signal, stops_and_continues_race)
{
	pid_t child = child_fork();

	if (child == 0) {
		setpgid(0, 0);
		for (;;)
			;
	}
	setpgid(child, child);
	for (int i = 0; i < 300; i++) {
		kill(child, i % 2 ? SIGTSTP : SIGSTOP);
		kill(child, SIGCONT);
	}
	usleep(20000);
	char text[64], state[512];
	snprintf(text, sizeof(text), "/proc/%d/stat", (int)child);
	CHECK(file_read_text(text, state, sizeof(state)) > 0);
	CHECK_EQ(strrchr(state, ')')[2], 'R');
	kill(child, SIGKILL);
	child_expect(child, -SIGKILL);
}

/* --- alternate stacks --- */

#define AUTODISARM (1U << 31)

static uint8_t alternate[65536];
static volatile int inner_flags, inner_result;

static void on_alternate(int signal)
{
	stack_t old, other = { .ss_sp = alternate + 32768, .ss_size = 32768 };

	CHECK(sigaltstack(NULL, &old) == 0);
	inner_flags = old.ss_flags;
	inner_result = sigaltstack(&other, NULL) == 0 ? 0 : errno;
	caught += (uint8_t *)__builtin_frame_address(0) >= alternate &&
		  (uint8_t *)__builtin_frame_address(0) < alternate + sizeof(alternate);
	if (signal == SIGUSR1 && caught == 1)
		raise(SIGUSR2); /* a stack that was disarmed may be another's meanwhile */
}

TEST(signal, an_alternate_stack_that_disarms_itself)
{
	struct sigaction sa = { .sa_handler = on_alternate, .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = alternate, .ss_size = 32768, .ss_flags = (int)AUTODISARM }, old;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0 && sigaction(SIGUSR2, &sa, NULL) == 0);
	TRY(sigaltstack(&stack, NULL));
	TRY(sigaltstack(NULL, &old));
	TRY((unsigned int)old.ss_flags);
	raise(SIGUSR1);
	TRY((int)caught);
	TRY(inner_flags);
	TRY(inner_result);
	TRY(sigaltstack(NULL, &old));
	TRY((unsigned int)old.ss_flags);
	CHECK(old.ss_sp == alternate && old.ss_size == 32768);
	stack.ss_flags = (int)(AUTODISARM | SS_ONSTACK);
	TRY(sigaltstack(&stack, NULL));
	TRY(sigaltstack(NULL, &old));
	TRY((unsigned int)old.ss_flags);
	stack.ss_flags = (int)(AUTODISARM | SS_DISABLE);
	TRY(sigaltstack(&stack, NULL));
	TRY(sigaltstack(NULL, &old));
	TRY((unsigned int)old.ss_flags);
	stack.ss_flags = (int)(AUTODISARM | 4);
	TRY(sigaltstack(&stack, NULL));
	TRY(syscall(SYS_sigaltstack, 8, NULL));
	TRY(syscall(SYS_sigaltstack, NULL, 8));
}

static void recurse(int signal)
{
	raise(signal); /* SA_NODEFER: deeper and deeper */
	caught++;
}

TEST(signal, an_alternate_stack_that_overflows_is_sigsegv)
{
	CHILD (-SIGSEGV) {
		struct sigaction sa = { .sa_handler = recurse,
					.sa_flags = SA_ONSTACK | SA_NODEFER };
		uint8_t *memory = map_anon(5);
		stack_t stack = { .ss_sp = memory + PAGE, .ss_size = 4 * PAGE };

		CHECK(mprotect(memory, PAGE, PROT_NONE) ==
		      0); /* for the handler, should it get there first */
		CHECK(sigaltstack(&stack, NULL) == 0);
		CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
		raise(SIGUSR1);
	}
}

TEST(signal, pidfds_and_directories_of_processes_take_signals)
{
	pid_t child = child_fork();
	char name[64];

	if (child == 0)
		for (;;)
			pause();
	handle(SIGUSR1, 0);
	snprintf(name, sizeof(name), "/proc/%d", (int)child);
	int fd = (int)syscall(SYS_pidfd_open, child, 0),
	    directory = open(name, O_RDONLY | O_DIRECTORY), path = open(name, O_PATH);
	int own = (int)syscall(SYS_pidfd_open, getpid(), 0),
	    other = open("/proc", O_RDONLY | O_DIRECTORY);
	siginfo_t info = { .si_code = SI_QUEUE, .si_signo = SIGUSR1, .si_value.sival_int = 9 };

	TRY(syscall(SYS_pidfd_send_signal, own, SIGUSR1, NULL, 0));
	TRY((int)caught);
	TRY(syscall(SYS_pidfd_send_signal, own, SIGUSR1, &info, 0));
	TRY(caught_info.si_value.sival_int);
	TRY(syscall(SYS_pidfd_send_signal, own, SIGUSR2, &info, 0));
	TRY(syscall(SYS_pidfd_send_signal, directory, 0, NULL, 0));
	TRY(syscall(SYS_pidfd_send_signal, path, 0, NULL, 0));
	TRY(syscall(SYS_pidfd_send_signal, other, 0, NULL, 0));
	TRY(syscall(SYS_pidfd_send_signal, 99, 0, NULL, 0));
	TRY(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0x100));
	TRY(syscall(SYS_pidfd_send_signal, fd, 99, NULL, 0));
	TRY(syscall(SYS_pidfd_getfd, own, fd, 1));
	TRY(syscall(SYS_pidfd_getfd, own, 98, 0));
	TRY_FD((int)syscall(SYS_pidfd_getfd, own, 0, 0));
	TRY_FD((int)syscall(SYS_pidfd_getfd, fd, own, 0));
	TRY(syscall(SYS_pidfd_getfd, directory, 0, 0));
	TRY(syscall(SYS_pidfd_send_signal, directory, SIGKILL, NULL, 0));
	child_expect(child, -SIGKILL);
	TRY(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	TRY(syscall(SYS_pidfd_send_signal, directory, 0, NULL, 0));
}
