/*
 * clone.c - new threads and processes: flags of clone and clone3 and the errors of bad combinations, tids, exits of one thread and of all,
 * exec and fork from threads. Next: rseq.c.
 */
#include "threads.h"

#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

struct args3 { /* struct clone_args, all of it */
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup;
};

static long clone3(struct args3 *a, size_t size)
{
	return raw_syscall(SYS_clone3, (long)a, (long)size, 0, 0, 0, 0);
}

/* A child that was not meant to be ends; its parent takes it. */
static const char *outcome(long r)
{
	if (r == 0)
		_exit(0);
	if (r > 0) {
		waitpid((pid_t)r, NULL, __WALL);
		return "ok";
	}
	return result_name(r);
}

static long clone_raw(unsigned long flags)
{
	return raw_syscall(SYS_clone, (long)flags, 0, 0, 0, 0, 0);
}

#define SAY_CLONE(flags) say("clone " #flags ": %s\n", outcome(clone_raw(flags)))

TEST(clone, bad_combinations_of_flags)
{
	signal(SIGUSR2, SIG_IGN);
	signal(64, SIG_IGN);
	SAY_CLONE(CLONE_THREAD);
	SAY_CLONE(CLONE_THREAD | CLONE_VM);
	SAY_CLONE(CLONE_THREAD | CLONE_SIGHAND);
	SAY_CLONE(CLONE_SIGHAND);
	SAY_CLONE(CLONE_FS | CLONE_NEWNS);
	SAY_CLONE(CLONE_FS | CLONE_NEWUSER);
	SAY_CLONE(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER);
	SAY_CLONE(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWPID);
	SAY_CLONE(CLONE_PIDFD | CLONE_DETACHED);
	SAY_CLONE(CLONE_PIDFD | CLONE_PARENT_SETTID);
	SAY_CLONE(CLONE_NEWIPC | CLONE_SYSVSEM);
	SAY_CLONE(SIGCHLD);
	SAY_CLONE(SIGUSR2 | CLONE_FS | CLONE_FILES);
	SAY_CLONE(0);
	SAY_CLONE(64);
	SAY_CLONE(200);
	SAY_CLONE(SIGCHLD | CLONE_UNTRACED | CLONE_IO | CLONE_SYSVSEM | CLONE_DETACHED |
		  CLONE_PTRACE);
	SAY_CLONE(SIGCHLD | 1ULL << 40);
}

#define SAY_CLONE3(...)                                                                 \
	do {                                                                            \
		struct args3 a_ = { __VA_ARGS__ };                                      \
		say("clone3 " #__VA_ARGS__ ": %s\n", outcome(clone3(&a_, sizeof(a_)))); \
	} while (0)

TEST(clone, bad_arguments_of_clone3)
{
	static char stack[4096];
	pid_t tids[2] = { 1, 1 }, minus = -1, huge = 5000000, parent;

	SAY_CLONE3(.flags = 0);
	SAY_CLONE3(.exit_signal = SIGCHLD);
	SAY_CLONE3(.flags = SIGCHLD);
	SAY_CLONE3(.flags = CLONE_DETACHED);
	SAY_CLONE3(.flags = 1ULL << 34);
	SAY_CLONE3(.exit_signal = 65);
	SAY_CLONE3(.exit_signal = 256);
	SAY_CLONE3(.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD);
	SAY_CLONE3(.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM);
	SAY_CLONE3(.flags = CLONE_PARENT, .exit_signal = SIGCHLD);
	SAY_CLONE3(.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD);
	SAY_CLONE3(.flags = CLONE_THREAD);
	SAY_CLONE3(.stack = (uintptr_t)stack);
	SAY_CLONE3(.stack_size = 4096);
	SAY_CLONE3(.stack = 1ULL << 63, .stack_size = 4096);
	SAY_CLONE3(.set_tid = (uintptr_t)tids);
	SAY_CLONE3(.set_tid_size = 1);
	SAY_CLONE3(.set_tid = (uintptr_t)tids, .set_tid_size = 33);
	SAY_CLONE3(.set_tid = 8, .set_tid_size = 1);
	SAY_CLONE3(.set_tid = (uintptr_t)&minus, .set_tid_size = 1);
	SAY_CLONE3(.set_tid = (uintptr_t)&huge, .set_tid_size = 1);
	SAY_CLONE3(.flags = CLONE_INTO_CGROUP, .cgroup = 1ULL << 31);
	SAY_CLONE3(.flags = CLONE_INTO_CGROUP, .cgroup = 9999);
	SAY_CLONE3(.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uintptr_t)&parent,
		   .parent_tid = (uintptr_t)&parent);

	struct args3 a = { .exit_signal = SIGCHLD };
	uint8_t *page = map_anon(2);
	SAY(clone3(&a, 63));
	SAY(clone3(&a, 4097));
	SAY(clone3((void *)8, 64));
	say("64: %s\n", outcome(clone3(&a, 64)));
	say("72: %s\n", outcome(clone3(&a, 72)));
	memcpy(page, &a, sizeof(a));
	say("a page: %s\n", outcome(clone3((void *)page, 4096)));
	page[200] = 1;
	SAY(clone3((void *)page, 4096));
}

TEST(clone, a_chosen_tid)
{
	pid_t tid = 0;
	struct args3 a = { .exit_signal = SIGCHLD, .set_tid = (uintptr_t)&tid, .set_tid_size = 1 };

	if (!is_root())
		return;
	tid = child_fork();
	if (tid == 0)
		_exit(0);
	SAY(clone3(&a, sizeof(a))); /* in use, if only by a zombie */
	child_expect(tid, 0);
	pid_t got = (pid_t)clone3(&a, sizeof(a));
	if (got == 0)
		_exit(getpid() == tid ? 0 : 1);
	CHECK_EQ(got, tid);
	child_expect(got, 0);
	CHILD (0) {
		become_user();
		SAY(clone3(&a, sizeof(a)));
	}
}

/* --- tids in memory --- */

TEST(clone, tids_are_written_where_asked)
{
	pid_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct args3 a = { .flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID,
			   .exit_signal = SIGCHLD,
			   .parent_tid = (uintptr_t)&p[0],
			   .child_tid = (uintptr_t)&p[1] };
	pid_t pid = (pid_t)clone3(&a, sizeof(a));

	if (pid == 0)
		_exit(p[0] == my_tid() && p[1] == my_tid() ? 0 : 1);
	CHECK(pid > 0 && p[0] == pid);
	child_expect(pid, 0);
	CHECK_EQ(p[1], pid);
	pid = (pid_t)raw_syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID, 0, 8, 0, 0, 0);
	if (pid == 0)
		_exit(0);
	say("a bad parent's address: %s\n", pid > 0 ? "ok" : result_name(pid));
	if (pid > 0)
		child_expect(pid, 0);
	pid = (pid_t)raw_syscall(SYS_clone, SIGCHLD | CLONE_CHILD_SETTID, 0, 0, 8, 0, 0);
	if (pid == 0)
		_exit(0);
	child_expect(pid, 0); /* a bad child's address is its own business */
}

TEST(clone, pidfd)
{
	int fd = -1;
	struct args3 a = { .flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uintptr_t)&fd };
	pid_t pid = (pid_t)clone3(&a, sizeof(a));
	struct pollfd p;

	while (pid == 0)
		pause();
	CHECK(pid > 0 && fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	p = (struct pollfd){ fd, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(raw_syscall(SYS_pidfd_send_signal, fd, SIGKILL, 0, 0, 0, 0), 0);
	CHECK_EQ(poll(&p, 1, -1), 1);
	child_expect(pid, -SIGKILL);
	close(fd);
	a.pidfd = 8;
	SAY(clone3(&a, sizeof(a)));
	CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

static void on_signal(int signal)
{
	(void)signal;
}

TEST(clone, handlers_are_cleared_but_what_is_ignored_stays)
{
	struct args3 a = { .flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD };

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	pid_t pid = (pid_t)clone3(&a, sizeof(a));
	if (pid == 0) {
		struct sigaction one, two;

		sigaction(SIGUSR1, NULL, &one);
		sigaction(SIGUSR2, NULL, &two);
		_exit(one.sa_handler == SIG_DFL && two.sa_handler == SIG_IGN ? 0 : 1);
	}
	child_expect(pid, 0);
}

/* --- raw threads --- */

struct raw_thread {
	_Atomic pid_t parent_tid, child_tid, ran;
	_Atomic uint32_t go;
	uint64_t tls;
	uint64_t seen_tls;
	bool quiet;
};

/* Starts fn(t) on a stack of its own, whose end is its exit. */
static long raw_thread(unsigned long flags, void (*fn)(struct raw_thread *), struct raw_thread *t)
{
	uint64_t *top = (uint64_t *)(map_anon(16) + 16 * PAGE) - 2;
	register long r10 __asm__("r10") = (long)&t->child_tid;
	register long r8 __asm__("r8") = (long)&t->tls;
	long r;

	top[0] = (uint64_t)fn;
	top[1] = (uint64_t)t;
	__asm__ volatile("syscall\n"
			 "test %%rax, %%rax\n"
			 "jnz 1f\n"
			 "xor %%ebp, %%ebp\n"
			 "pop %%rax\n"
			 "pop %%rdi\n"
			 "and $-16, %%rsp\n"
			 "call *%%rax\n"
			 "mov $60, %%eax\n"
			 "xor %%edi, %%edi\n"
			 "syscall\n"
			 "1:\n"
			 : "=a"(r)
			 : "a"(SYS_clone), "D"(flags), "S"(top), "d"(&t->parent_tid), "r"(r10),
			   "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

static void thread_body(struct raw_thread *t)
{
	uint64_t fs;

	__asm__ volatile("mov %%fs:0, %0" : "=r"(fs));
	t->seen_tls = fs;
	t->ran = (pid_t)raw_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
	raw_syscall(SYS_futex, (long)&t->go, FUTEX_WAIT, 0, 0, 0, 0);
}

TEST(clone, thread_flags_of_a_c_library)
{
	static struct raw_thread t;
	pid_t pid = getpid();

	t.tls = 0x1234567890;
	t.child_tid = -1;
	pid_t tid = (pid_t)raw_thread(THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID |
					      CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
				      thread_body, &t);
	CHECK(tid > 0 && tid != pid);
	while (!t.ran)
		usleep(1000);
	CHECK(t.ran == tid && t.parent_tid == tid && t.child_tid == tid);
	CHECK(t.seen_tls == 0x1234567890);
	CHECK_ERRNO(waitpid(tid, NULL, __WALL), ECHILD);
	t.go = 1;
	futex(&t.go, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (t.child_tid == tid)
		futex(&t.child_tid, FUTEX_WAIT, (uint32_t)tid, NULL, NULL, 0);
	CHECK_EQ(t.child_tid, 0);
}

static void slow_body(struct raw_thread *t)
{
	struct timespec pause = { 0, 50000000 };

	raw_syscall(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
	t->ran = 1;
}

TEST(clone, vfork_of_a_thread_waits_for_it)
{
	static struct raw_thread t, u;

	CHECK(raw_thread(THREAD | CLONE_VFORK, slow_body, &t) > 0);
	CHECK_EQ(t.ran, 1);
	pid_t pid = (pid_t)raw_thread(CLONE_VM | CLONE_VFORK | SIGCHLD, slow_body, &u);
	CHECK_EQ(u.ran, 1);
	child_expect(pid, 0);
}

static long vfork_in_thread(struct worker *w)
{
	(void)w;
	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();

		if (pid == 0)
			_exit(3);
		CHECK(pid > 0);
		child_expect(pid, 3);
	}
	return 0;
}

TEST(clone, vfork_stops_its_thread_alone)
{
	struct worker w[3];

	for (int i = 0; i < 3; i++)
		worker_start(&w[i], vfork_in_thread, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(worker_join(&w[i]), 0);
}

TEST(clone, set_tid_address)
{
	_Atomic pid_t *p = (_Atomic pid_t *)map_anon(1);

	*p = 5;
	CHECK_EQ(syscall(SYS_set_tid_address, p), my_tid());
	CHILD (0) {
		*p = 6;
	}
	CHECK_EQ(*p, 5);
}

/* --- ends --- */

static long sleep_for_ever(struct worker *w)
{
	(void)w;
	for (;;)
		pause();
	return 0;
}

static long end_process(struct worker *w)
{
	(void)w;
	exit(7);
}

static long spin_for_ever(struct worker *w)
{
	(void)w;
	for (;;)
		w->number++;
	return 0;
}

TEST(clone, exit_of_all_from_any_thread)
{
	for (int round = 0; round < 10; round++) {
		CHILD (7) {
			static struct worker w[6];

			for (int i = 0; i < 4; i++)
				worker_start(&w[i], i & 1 ? sleep_for_ever : spin_for_ever, NULL);
			if (round & 1) {
				pthread_create(&w[5].thread, NULL,
					       (void *(*)(void *))(void *)end_process, &w[5]);
				for (;;)
					pause();
			}
			end_process(NULL);
		}
	}
}

static long end_later(struct worker *w)
{
	usleep(50000);
	(void)w;
	_exit(12);
}

TEST(clone, the_first_thread_may_leave_before_the_others)
{
	CHILD (12) {
		static struct worker w;

		worker_start(&w, end_later, NULL);
		pthread_exit(NULL);
	}
	pid_t pid = child_fork();
	if (pid == 0) {
		static struct worker w;

		worker_start(&w, sleep_for_ever, NULL);
		raw_syscall(SYS_exit, 5, 0, 0, 0, 0, 0);
	}
	usleep(50000);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0); /* not as long as one of it lives */
	CHECK_EQ(kill(pid, SIGTERM), 0);
	child_expect(pid, -SIGTERM);
}

static _Atomic int in_handler;
static _Atomic pid_t handler_tid;

static void note_tid(int signal)
{
	(void)signal;
	handler_tid = my_tid();
	in_handler++;
}

TEST(clone, signals_to_one_thread)
{
	struct worker w;
	sigset_t set, pending;

	signal(SIGUSR1, note_tid);
	worker_start(&w, sleep_for_ever, NULL);
	worker_asleep(&w);
	CHECK_EQ(raw_syscall(SYS_tgkill, getpid(), w.tid, SIGUSR1, 0, 0, 0), 0);
	while (in_handler < 1)
		usleep(1000);
	CHECK_EQ(handler_tid, w.tid);
	CHECK_EQ(raw_syscall(SYS_tkill, w.tid, SIGUSR1, 0, 0, 0, 0), 0);
	while (in_handler < 2)
		usleep(1000);
	SAY(raw_syscall(SYS_tgkill, getpid(), 0, SIGUSR1, 0, 0, 0));
	SAY(raw_syscall(SYS_tgkill, -1, w.tid, SIGUSR1, 0, 0, 0));
	SAY(raw_syscall(SYS_tgkill, getppid(), w.tid, SIGUSR1, 0, 0, 0));
	SAY(raw_syscall(SYS_tgkill, getpid(), w.tid, 65, 0, 0, 0));
	SAY(raw_syscall(SYS_tgkill, getpid(), 0x3ffffff, 0, 0, 0, 0));
	SAY(raw_syscall(SYS_tkill, 0, SIGUSR1, 0, 0, 0, 0));
	SAY(raw_syscall(SYS_tkill, w.tid, 0, 0, 0, 0, 0));
	/* What is sent to one thread pends for that one; what is sent to all, for all. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raw_syscall(SYS_tkill, my_tid(), SIGUSR1, 0, 0, 0, 0);
	usleep(20000);
	CHECK_EQ(in_handler, 2);
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGUSR1));
	CHILD (0) {
		sigpending(&pending);
		CHECK(!sigismember(&pending, SIGUSR1));
	}
	kill(getpid(), SIGUSR1); /* the other thread does not block it */
	while (in_handler < 3)
		usleep(1000);
	CHECK_EQ(handler_tid, w.tid);
}

/* --- exec and fork --- */

HELPER(identity)
{
	int threads = 0;
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Threads: %d", &threads);
	fclose(f);
	say("pid is %s, tid is pid: %d, threads %d\n",
	    atoi(argv[1]) == getpid() ? "the same" : "another", my_tid() == getpid(), threads);
	return 9;
}

static long exec_identity(struct worker *w)
{
	char pid[16];

	(void)w;
	snprintf(pid, sizeof(pid), "%d", getpid());
	execl("./helper-identity", "helper-identity", pid, NULL);
	return 1;
}

TEST(clone, exec_from_a_thread_takes_the_number_of_the_process)
{
	helper_link("identity");
	for (int round = 0; round < 4; round++) {
		CHILD (9) {
			static struct worker w[4];

			for (int i = 0; i < 3; i++)
				worker_start(&w[i], i & 1 ? sleep_for_ever : spin_for_ever, NULL);
			pthread_create(&w[3].thread, NULL, (void *(*)(void *))(void *)exec_identity,
				       &w[3]);
			if (round & 1)
				raw_syscall(SYS_exit, 0, 0, 0, 0, 0,
					    0); /* the first thread is gone already */
			sleep_for_ever(NULL);
		}
	}
}

/* Two counters that always change together, at the two ends of many pages. */
static _Atomic bool stop_writing;
static volatile uint64_t *ends;
#define END_WORDS (32 * PAGE / 8)

static long write_both(struct worker *w)
{
	volatile uint64_t *mine = ends + w->number;

	while (!stop_writing) {
		mine[END_WORDS - 16]++; /* first: it is never behind */
		__asm__ volatile("" ::: "memory");
		mine[0]++;
	}
	return 0;
}

TEST(clone, a_fork_sees_one_instant)
{
	struct worker w[3];

	ends = (volatile uint64_t *)map_anon(32);
	for (int i = 0; i < 3; i++) {
		w[i].number = i;
		worker_start(&w[i], write_both, NULL);
	}
	for (int round = 0; round < 100; round++) {
		CHILD (0) {
			for (int i = 0; i < 3; i++) {
				uint64_t first = ends[i + END_WORDS - 16], second = ends[i];

				CHECK(first == second || first == second + 1);
			}
		}
	}
	stop_writing = true;
	for (int i = 0; i < 3; i++)
		worker_join(&w[i]);
}

static long fork_in_thread(struct worker *w)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(my_tid() == getpid() ? w->number : 99);
		CHECK(pid > 0);
		child_expect(pid, w->number);
	}
	return 0;
}

TEST(clone, threads_fork_at_once)
{
	struct worker w[4];

	for (int i = 0; i < 4; i++) {
		w[i].number = i;
		worker_start(&w[i], fork_in_thread, NULL);
	}
	for (int i = 0; i < 4; i++)
		CHECK_EQ(worker_join(&w[i]), 0);
}

/* --- limits --- */

TEST(clone, threads_count_for_the_limit)
{
	if (!is_root())
		return;
	CHILD (0) {
		struct rlimit limit = { 4, 4 };
		static struct worker w[8];
		int started = 0;

		CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
		CHECK(setgid(54321) == 0 && setuid(54321) == 0);
		for (int i = 0; i < 8; i++) {
			w[i].run = sleep_for_ever;
			int err = pthread_create(&w[i].thread, NULL,
						 (void *(*)(void *))(void *)sleep_for_ever, &w[i]);

			if (err) {
				say("after %d: %s\n", started, errno_name(err));
				break;
			}
			started++;
		}
		TRY(fork());
	}
}

static long give_number(struct worker *w)
{
	return w->number;
}

TEST(clone, many_threads_come_and_go)
{
	struct worker w[8];

	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 8; i++)
			worker_start(&w[i], give_number, NULL);
		for (int i = 0; i < 8; i++)
			worker_join(&w[i]);
	}
}
