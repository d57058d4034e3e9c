/*
 * signal.c - signals: handlers, masks, queues, and the calls that wait for them.
 *
 * Central rule: a blocked signal is kept, a standard one once and a real-time one each time, and is delivered lowest number first. The registers and frames are in signal_frame.c;
 * next: that.
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t caught, caught_order[64];
static volatile siginfo_t caught_info;

static void on_count(int signal)
{
	if (caught < 64)
		caught_order[caught] = signal;
	caught++;
}

static void on_info(int signal, siginfo_t *info, void *context)
{
	(void)context;
	*(siginfo_t *)&caught_info = *info;
	on_count(signal);
}

static void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(signal, &sa, NULL) == 0);
}

static void handle_info(int signal, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = flags | SA_SIGINFO };

	CHECK(sigaction(signal, &sa, NULL) == 0);
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	if (a)
		sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	return set;
}

static void block(int a, int b)
{
	sigset_t set = set_of(a, b);

	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static void unblock_all(void)
{
	sigset_t none = set_of(0, 0);

	CHECK(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
}

static bool is_pending(int signal)
{
	sigset_t set;

	CHECK(sigpending(&set) == 0);
	return sigismember(&set, signal);
}

static bool is_blocked(int signal)
{
	sigset_t set;

	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	return sigismember(&set, signal);
}

TEST(signal, a_handler_runs_and_returns)
{
	handle(SIGUSR1, on_count, 0);
	for (int i = 1; i <= 100; i++) {
		CHECK(raise(SIGUSR1) == 0);
		CHECK_EQ(caught, i);
	}
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK_EQ(caught, 101);
}

TEST(signal, siginfo_of_kill)
{
	handle_info(SIGUSR1, 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(caught_info.si_signo == SIGUSR1 && caught_info.si_code == SI_USER);
	CHECK(caught_info.si_pid == getpid() && caught_info.si_uid == getuid());
	raise(SIGUSR1);
	CHECK_EQ(caught_info.si_code, SI_TKILL);
	union sigval value = { .sival_int = 12345 };
	CHECK(sigqueue(getpid(), SIGUSR1, value) == 0);
	CHECK(caught_info.si_code == SI_QUEUE && caught_info.si_value.sival_int == 12345);
}

TEST(signal, siginfo_of_sigchld)
{
	handle_info(SIGCHLD, 0);
	pid_t pid = child_fork();
	if (pid == 0)
		_exit(17);
	child_expect(pid, 17);
	CHECK_EQ(caught, 1);
	CHECK(caught_info.si_code == CLD_EXITED && caught_info.si_pid == pid &&
	      caught_info.si_status == 17);
	pid = child_fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	while (caught < 2)
		usleep(1000);
	CHECK(caught_info.si_code == CLD_STOPPED && caught_info.si_status == SIGSTOP);
	kill(pid, SIGCONT);
	while (caught < 3)
		usleep(1000);
	CHECK(caught_info.si_code == CLD_CONTINUED && caught_info.si_status == SIGCONT);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
	CHECK(caught_info.si_code == CLD_KILLED && caught_info.si_status == SIGKILL);
	handle_info(SIGCHLD, SA_NOCLDSTOP);
	caught = 0;
	pid = child_fork();
	if (pid == 0)
		for (;;)
			pause();
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	CHECK_EQ(caught, 0);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
	CHECK_EQ(caught, 1);
}

static volatile int zero;

/* Each returns only if it raised nothing; the instruction that faults is noted by the label. */
static void fault_divide(void)
{
	int one = 1;

	__asm__ volatile("cltd; idivl %1" : "+a"(one) : "r"(zero) : "edx");
}

static void fault_illegal(void)
{
	__asm__ volatile("ud2");
}

static void fault_breakpoint(void)
{
	__asm__ volatile("int3");
}

static void fault_privileged(void)
{
	__asm__ volatile("hlt");
}

static void fault_single_step(void)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" ::: "memory");
}

static void fault_x87(void)
{
	unsigned short control = 0x037b; /* division by zero unmasked */

	__asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
}

static void fault_alignment(void)
{
	/* A vector move to an odd address is a general protection fault. */
	__asm__ volatile("movaps %%xmm0, 1(%%rsp)" ::: "memory");
}

static void fault_int_80_hex_03(void)
{
	__asm__ volatile("int $3");
}

static void fault_interrupt(void)
{
	__asm__ volatile("int $0x55");
}

/* Not among them: exceptions of SSE arithmetic, which QEMU without KVM does not raise. */
static const struct {
	const char *name;
	void (*raise)(void);
} faults[] = {
	{ "division by zero", fault_divide },
	{ "ud2", fault_illegal },
	{ "int3", fault_breakpoint },
	{ "hlt", fault_privileged },
	{ "single step", fault_single_step },
	{ "x87 division by zero", fault_x87 },
	{ "misaligned vector", fault_alignment },
	{ "int $3", fault_int_80_hex_03 },
	{ "int $0x55", fault_interrupt },
};

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	say("%s code %d%s\n", signal_name(signal), info->si_code,
	    info->si_code > 0 && info->si_code < SI_KERNEL && info->si_addr ? " with address" : "");
	_exit(0);
}

TEST(signal, processor_exceptions_become_signals)
{
	static const int signals[] = { SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS };

	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		say("%s: ", faults[i].name);
		CHILD (0) {
			struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

			for (size_t j = 0; j < COUNT_OF(signals); j++)
				sigaction(signals[j], &sa, NULL);
			faults[i].raise();
			say("nothing\n");
		}
	}
	/* Without a handler, when blocked, and when ignored: it ends the process all the same. */
	CHILD (-SIGFPE)
		fault_divide();
	CHILD (-SIGILL) {
		block(SIGILL, 0);
		fault_illegal();
	}
	CHILD (-SIGSEGV) {
		signal(SIGSEGV, SIG_IGN);
		fault_privileged();
	}
	CHILD (-SIGTRAP)
		fault_breakpoint();
}

TEST(signal, default_actions)
{
	static const int ignored[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH };

	for (size_t i = 0; i < COUNT_OF(ignored); i++)
		CHECK(raise(ignored[i]) == 0);
	CHILD (-SIGUSR1)
		raise(SIGUSR1);
	CHILD (-SIGABRT)
		abort();
	CHILD (-SIGKILL)
		raise(SIGKILL);
	CHILD (-SIGABRT) { /* abort cannot be blocked or ignored away */
		signal(SIGABRT, SIG_IGN);
		block(SIGABRT, 0);
		abort();
	}
	signal(SIGUSR1, SIG_IGN);
	CHECK(raise(SIGUSR1) == 0);
	signal(SIGUSR1, SIG_DFL);
	block(SIGUSR2, 0);
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_IGN); /* drops what is pending */
	CHECK(!is_pending(SIGUSR2));
	unblock_all();
}

TEST(signal, blocked_signals_wait)
{
	handle(SIGUSR1, on_count, 0);
	block(SIGUSR1, 0);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	CHECK_EQ(caught, 0);
	CHECK(is_pending(SIGUSR1));
	unblock_all();
	CHECK_EQ(caught, 1); /* a standard signal is kept once */
	CHECK(!is_pending(SIGUSR1));
	sigset_t all;
	sigfillset(&all);
	CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	CHECK(!is_blocked(SIGKILL) && !is_blocked(SIGSTOP) && is_blocked(SIGTERM));
	CHECK_ERRNO(sigprocmask(99, &all, NULL), EINVAL);
}

TEST(signal, signals_are_delivered_lowest_first)
{
	static const int order[] = { SIGTERM, SIGUSR1, SIGHUP, SIGUSR2, SIGINT };

	for (size_t i = 0; i < COUNT_OF(order); i++) {
		struct sigaction sa = { .sa_handler = on_count };

		sigfillset(&sa.sa_mask); /* one after the other */
		CHECK(sigaction(order[i], &sa, NULL) == 0);
		block(order[i], 0);
	}
	for (size_t i = 0; i < COUNT_OF(order); i++)
		raise(order[i]);
	unblock_all();
	for (int i = 0; i < caught; i++)
		say("%s\n", signal_name(caught_order[i]));
}

TEST(signal, real_time_signals_queue_in_order)
{
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	for (int s = SIGRTMIN; s <= SIGRTMIN + 2; s++)
		sigaddset(&set, s);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (int i = 0; i < 9; i++) {
		union sigval value = { .sival_int = i };

		CHECK(sigqueue(getpid(), SIGRTMIN + 2 - i % 3, value) == 0);
	}
	for (int i = 0; i < 9; i++) {
		int signal = sigwaitinfo(&set, &info);

		CHECK(info.si_code == SI_QUEUE && info.si_pid == getpid());
		say("SIGRTMIN+%d value %d\n", signal - SIGRTMIN, info.si_value.sival_int);
	}
	struct timespec soon = { 0, 1000000 };
	CHECK_ERRNO(sigtimedwait(&set, &info, &soon), EAGAIN);
	CHECK_ERRNO(sigqueue(getpid(), 65, (union sigval){ 0 }), EINVAL);
	CHECK_ERRNO(sigqueue(0x7ffffff, SIGRTMIN, (union sigval){ 0 }), ESRCH);
}

TEST(signal, sigtimedwait_times_out_and_is_interrupted)
{
	struct timespec wait = { 0, 20000000 }, zero_wait = { 0, 0 }, bad = { 0, -1 };
	sigset_t set = set_of(SIGUSR1, SIGUSR2);
	siginfo_t info;

	block(SIGUSR1, SIGUSR2);
	CHECK_ERRNO(sigtimedwait(&set, NULL, &wait), EAGAIN);
	CHECK_ERRNO(sigtimedwait(&set, NULL, &zero_wait), EAGAIN);
	CHECK_ERRNO(sigtimedwait(&set, NULL, &bad), EINVAL);
	raise(SIGUSR2);
	CHECK_EQ(sigtimedwait(&set, &info, &zero_wait), SIGUSR2);
	CHECK_EQ(info.si_signo, SIGUSR2);
	pid_t parent = getpid(), pid = child_fork();
	if (pid == 0) {
		usleep(20000);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
	CHECK_EQ(info.si_pid, pid);
	child_expect(pid, 0);
	handle(SIGALRM, on_count, 0);
	alarm(1);
	CHECK_ERRNO(sigwaitinfo(&set, NULL), EINTR);
	CHECK_EQ(caught, 1);
}

static volatile bool nested_inside, nested_blocked, nested_other_blocked;

static void on_nested(int signal)
{
	CHECK(!nested_inside);
	nested_inside = true;
	nested_blocked = is_blocked(signal);
	nested_other_blocked = is_blocked(SIGUSR2);
	on_count(signal);
	if (caught < 5)
		raise(signal); /* waits till we return */
	nested_inside = false;
}

TEST(signal, a_handler_blocks_its_signal_and_its_mask)
{
	struct sigaction sa = { .sa_handler = on_nested };

	sigaddset(&sa.sa_mask, SIGUSR2);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	raise(SIGUSR1);
	CHECK(nested_blocked && nested_other_blocked);
	CHECK_EQ(caught, 5);
	CHECK(!is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
}

static volatile int depth, depth_most;

static void on_deep(int signal)
{
	depth++;
	if (depth > depth_most)
		depth_most = depth;
	if (depth < 10)
		raise(signal);
	depth--;
}

TEST(signal, nodefer_lets_a_handler_nest)
{
	handle(SIGUSR1, on_deep, SA_NODEFER);
	raise(SIGUSR1);
	CHECK_EQ(depth_most, 10);
	CHECK_EQ(depth, 0);
}

TEST(signal, resethand_runs_a_handler_once)
{
	struct sigaction sa;

	handle(SIGUSR1, on_count, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK_EQ(caught, 1);
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
	CHILD (-SIGUSR1)
		raise(SIGUSR1);
}

TEST(signal, sigaction_errors_and_old_values)
{
	struct sigaction sa = { .sa_handler = on_count, .sa_flags = SA_RESTART }, old;

	sigaddset(&sa.sa_mask, SIGUSR2);
	CHECK_ERRNO(sigaction(SIGKILL, &sa, NULL), EINVAL);
	CHECK_ERRNO(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	CHECK_ERRNO(sigaction(0, &sa, NULL), EINVAL);
	CHECK_ERRNO(sigaction(65, &sa, NULL), EINVAL);
	CHECK_EQ(raw_syscall(SYS_rt_sigaction, SIGUSR1, (long)&sa, 0, 16, 0, 0), -EINVAL);
	CHECK(sigaction(SIGKILL, NULL, &old) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_handler == on_count && (old.sa_flags & SA_RESTART) &&
	      sigismember(&old.sa_mask, SIGUSR2));
	CHECK_EQ(raw_syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, 0, 4, 0, 0), -EINVAL);
}

/* --- interrupted system calls --- */

static pid_t send_later(int signal, int times)
{
	pid_t parent = getpid(), pid = child_fork();

	if (pid == 0) {
		for (int i = 0; i < times; i++) {
			usleep(30000);
			kill(parent, signal);
		}
		_exit(0);
	}
	return pid;
}

TEST(signal, a_signal_interrupts_a_read)
{
	struct gate g = gate_make();
	char byte;

	handle(SIGUSR1, on_count, 0);
	pid_t pid = send_later(SIGUSR1, 1);
	CHECK_ERRNO(read(g.fd[0], &byte, 1), EINTR);
	CHECK_EQ(caught, 1);
	child_expect(pid, 0);
}

TEST(signal, restart_goes_on_with_a_read)
{
	struct gate g = gate_make();
	char byte;

	handle(SIGUSR1, on_count, SA_RESTART);
	pid_t parent = getpid(), pid = child_fork();
	if (pid == 0) {
		for (int i = 0; i < 3; i++) {
			usleep(30000);
			kill(parent, SIGUSR1);
		}
		usleep(30000);
		CHECK_EQ(write(g.fd[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(g.fd[0], &byte, 1), 1);
	CHECK(caught >= 1);
	child_expect(pid, 0);
}

TEST(signal, wait_and_write_are_interrupted_or_restarted)
{
	struct gate g = gate_make();
	static char full[65536];
	pid_t sender;

	handle(SIGUSR1, on_count, 0);
	pid_t sleeper = child_fork();
	if (sleeper == 0) {
		gate_wait(&g);
		_exit(4);
	}
	sender = send_later(SIGUSR1, 1);
	CHECK_ERRNO(waitpid(sleeper, NULL, 0), EINTR);
	child_expect(sender, 0);
	handle(SIGUSR1, on_count, SA_RESTART);
	pid_t parent = getpid();
	sender = child_fork();
	if (sender == 0) {
		usleep(30000);
		kill(parent, SIGUSR1);
		usleep(30000);
		gate_open(&g);
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(sleeper, &status, 0), sleeper);
	CHECK_EQ(WEXITSTATUS(status), 4);
	child_expect(sender, 0);

	handle(SIGUSR1, on_count, 0);
	struct gate w = gate_make();
	CHECK_EQ(write(w.fd[1], full, sizeof(full)), sizeof(full));
	sender = send_later(SIGUSR1, 1);
	CHECK_ERRNO(write(w.fd[1], full, 10), EINTR);
	child_expect(sender, 0);
}

TEST(signal, sleeps_are_interrupted_and_tell_the_rest)
{
	struct timespec request = { 5, 0 }, rest = { 0, 0 };

	handle(SIGUSR1, on_count, SA_RESTART); /* sleeping is never restarted after a handler */
	pid_t pid = send_later(SIGUSR1, 1);
	CHECK_ERRNO(nanosleep(&request, &rest), EINTR);
	CHECK(rest.tv_sec >= 3 && rest.tv_sec <= 4);
	child_expect(pid, 0);
	pid = send_later(SIGUSR1, 1);
	CHECK_ERRNO(pause(), EINTR);
	child_expect(pid, 0);
}

TEST(signal, an_ignored_signal_interrupts_nothing)
{
	struct timespec request = { 0, 150000000 };

	signal(SIGUSR1, SIG_IGN);
	pid_t pid = send_later(SIGUSR1, 2);
	CHECK(nanosleep(&request, NULL) == 0);
	child_expect(pid, 0);
}

TEST(signal, stop_and_continue_do_not_interrupt_a_sleep)
{
	pid_t pid = child_fork();

	if (pid == 0) {
		struct timespec request = { 0, 200000000 };

		CHECK(nanosleep(&request, NULL) == 0);
		_exit(0);
	}
	usleep(20000);
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	kill(pid, SIGCONT);
	child_expect(pid, 0);
}

TEST(signal, sigsuspend_takes_a_mask_for_a_while)
{
	sigset_t set = set_of(SIGUSR2, 0);

	handle(SIGUSR1, on_count, 0);
	handle(SIGUSR2, on_count, 0);
	block(SIGUSR1, 0);
	raise(SIGUSR1);
	CHECK_EQ(caught, 0);
	CHECK_ERRNO(sigsuspend(&set), EINTR);
	CHECK_EQ(caught, 1);
	CHECK(is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));
}

/* --- timers --- */

TEST(signal, alarm_and_itimer)
{
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } }, old;

	handle(SIGALRM, on_count, 0);
	CHECK_EQ(alarm(100), 0);
	CHECK_EQ(alarm(50), 100);
	CHECK(setitimer(ITIMER_REAL, &timer, &old) == 0);
	CHECK(old.it_value.tv_sec >= 48 && old.it_value.tv_sec <= 50);
	CHECK_ERRNO(pause(), EINTR);
	CHECK_EQ(caught, 1);
	CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_sec == 0 &&
	      old.it_value.tv_usec == 0);
	timer.it_interval.tv_usec = 10000; /* again and again */
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	while (caught < 4)
		pause();
	timer = (struct itimerval){ 0 };
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	timer.it_value.tv_usec = 1000000;
	CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
	CHECK_ERRNO(setitimer(99, &timer, NULL), EINVAL);
	CHILD (-SIGALRM) {
		signal(SIGALRM, SIG_DFL);
		ualarm(10000, 0);
		for (;;)
			pause();
	}
}

TEST(signal, virtual_timer_counts_processor_time)
{
	struct itimerval timer = { { 0, 0 }, { 0, 30000 } };

	handle(SIGVTALRM, on_count, 0);
	CHECK(setitimer(ITIMER_VIRTUAL, &timer, NULL) == 0);
	usleep(60000);
	CHECK_EQ(caught, 0);
	while (!caught)
		;
}

TEST(signal, posix_timers)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1,
				  .sigev_value.sival_int = 77 };
	struct itimerspec spec = { { 0, 0 }, { 0, 20000000 } };
	timer_t timer;

	handle_info(SIGUSR1, 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
	CHECK_ERRNO(pause(), EINTR);
	CHECK(caught_info.si_code == SI_TIMER && caught_info.si_value.sival_int == 77);
	CHECK(timer_delete(timer) == 0);
}

/* --- pipes --- */

TEST(signal, writing_to_a_pipe_without_readers_is_sigpipe)
{
	struct gate g = gate_make();

	close(g.fd[0]);
	handle(SIGPIPE, on_count, 0);
	CHECK_ERRNO(write(g.fd[1], "x", 1), EPIPE);
	CHECK_EQ(caught, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(g.fd[1], "x", 1), EPIPE);
	CHILD (-SIGPIPE) {
		signal(SIGPIPE, SIG_DFL);
		write(g.fd[1], "x", 1);
	}
}

/* --- sigaltstack --- */

static volatile bool on_alternate;
static uint8_t alternate[65536];

static void on_stack(int signal)
{
	uint8_t *here = __builtin_frame_address(0);
	stack_t old, wanted = { .ss_sp = alternate, .ss_size = sizeof(alternate) };

	on_alternate = here > alternate && here < alternate + sizeof(alternate);
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECK_EQ(old.ss_flags & SS_ONSTACK, on_alternate ? SS_ONSTACK : 0);
	if (on_alternate)
		CHECK_ERRNO(sigaltstack(&wanted, NULL), EPERM);
	on_count(signal);
}

TEST(signal, the_alternate_stack_is_used_when_asked_for)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, old;

	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(caught == 1 && on_alternate);
	handle(SIGUSR1, on_stack, 0);
	raise(SIGUSR1);
	CHECK(caught == 2 && !on_alternate);
	stack.ss_size = 100;
	CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_size = sizeof(alternate);
	stack.ss_flags = 0x100;
	CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECK(old.ss_sp == alternate && old.ss_size == sizeof(alternate) && old.ss_flags == 0);
	CHILD (0) { /* fork keeps it */
		CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alternate);
	}
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(!on_alternate);
}

/* --- many --- */

TEST(signal, thousands_of_signals_between_processes)
{
	enum { N = 2000 };
	sigset_t set = set_of(SIGUSR1, 0);
	siginfo_t info;

	block(SIGUSR1, 0);
	pid_t parent = getpid(), pid = child_fork();
	if (pid == 0) {
		for (int i = 0; i < N; i++) {
			CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
			kill(parent, SIGUSR1);
		}
		_exit(0);
	}
	for (int i = 0; i < N; i++) {
		kill(pid, SIGUSR1);
		CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		CHECK_EQ(info.si_pid, pid);
	}
	child_expect(pid, 0);
}

TEST(signal, rlimit_sigpending_limits_the_queue)
{
	if (!is_root())
		return;
	CHILD (0) {
		sigset_t set = set_of(SIGRTMIN, 0);
		union sigval value = { 0 };
		struct rlimit limit = { 50, 50 };
		int count = 0;

		become_user();
		CHECK(setrlimit(RLIMIT_SIGPENDING, &limit) == 0);
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		while (count < 1000 && sigqueue(getpid(), SIGRTMIN, value) == 0)
			count++;
		say("%d signals, then %s\n", count, errno_name(errno));
	}
}
