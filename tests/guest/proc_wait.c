/*
 * proc_wait.c - processes: how they end, who waits for them, groups and sessions.
 *
 * Central rule: a status is seen once, by the parent, and says all that happened. Next: proc_exec.c.
 */
#include "check.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

static pid_t child_exit(int status)
{
	pid_t pid = child_fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

static pid_t child_pause(void)
{
	pid_t pid = child_fork();

	while (pid == 0)
		pause();
	return pid;
}

static pid_t child_signal(int signal)
{
	pid_t pid = child_fork();

	if (pid == 0) {
		kill(getpid(), signal);
		_exit(77);
	}
	return pid;
}

TEST(proc, exit_statuses_arrive)
{
	static const int statuses[] = { 0, 1, 42, 127, 128, 255 };

	for (size_t i = 0; i < COUNT_OF(statuses); i++)
		child_expect(child_exit(statuses[i]), statuses[i]);
	child_expect(child_exit(256 + 3), 3);
	child_expect(child_exit(-1), 255);
}

TEST(proc, deaths_by_signal_arrive)
{
	for (int signal = 1; signal < 32; signal++) {
		int status;
		struct rusage usage;
		pid_t pid;

		if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN ||
		    signal == SIGTTOU)
			continue;
		pid = child_signal(signal);
		CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
		say("%s: %s %d core %d\n", signal_name(signal),
		    WIFSIGNALED(status) ? "killed" : "exit",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		    WIFSIGNALED(status) ? !!WCOREDUMP(status) : 0);
	}
	child_expect(child_signal(SIGRTMIN), -SIGRTMIN);
	child_expect(child_signal(64), -64);
}

TEST(proc, wnohang_does_not_wait)
{
	int status = 77;
	pid_t pid = child_pause();

	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(status, 77);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	CHECK(kill(pid, SIGTERM) == 0);
	child_expect(pid, -SIGTERM);
	CHECK_ERRNO(waitpid(pid, &status, WNOHANG), ECHILD);
}

TEST(proc, wait_errors)
{
	pid_t pid = child_pause();

	CHECK_ERRNO(waitpid(getpid(), NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(getppid(), NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(-pid, NULL, 0), ECHILD); /* no such group among the children */
	CHECK_ERRNO(waitpid(pid, NULL, 0x1000), EINVAL);
	CHECK_ERRNO(waitid(P_PID, pid, NULL, 0), EINVAL);
	CHECK_ERRNO(waitid(99, pid, NULL, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PID, -1, NULL, WEXITED), EINVAL);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
	CHECK_ERRNO(wait(NULL), ECHILD);
	CHECK_ERRNO(waitid(P_ALL, 0, NULL, WEXITED), ECHILD);
}

TEST(proc, wait_takes_the_children_of_a_group)
{
	pid_t a = child_pause(), b = child_pause();

	CHECK(setpgid(a, a) == 0);
	CHECK(setpgid(b, a) == 0);
	pid_t other = child_exit(5);
	CHECK_EQ(waitpid(-a, NULL, WNOHANG), 0);
	kill(b, SIGKILL);
	CHECK_EQ(waitpid(-a, NULL, 0), b);
	kill(a, SIGKILL);
	CHECK_EQ(waitpid(-a, NULL, 0), a);
	CHECK_ERRNO(waitpid(-a, NULL, 0), ECHILD);
	int status;
	CHECK_EQ(waitpid(0, &status, 0), other);
	CHECK_EQ(WEXITSTATUS(status), 5);
}

TEST(proc, wait_blocks_until_a_child_ends)
{
	pid_t pid = child_fork();

	if (pid == 0) {
		usleep(50000);
		_exit(9);
	}
	int status;
	CHECK_EQ(wait(&status), pid);
	CHECK_EQ(WEXITSTATUS(status), 9);
}

TEST(proc, stops_and_continues_are_reported_when_asked_for)
{
	int status;
	pid_t pid = child_pause();

	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_EQ(status, 0x137f);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* once */
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(status, 0xffff);
	CHECK(kill(pid, SIGTSTP) ==
	      0); /* ignored: the group is an orphan, its session's leader without a terminal */
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK(kill(pid, SIGTERM) == 0); /* pending while stopped */
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

TEST(proc, sigkill_ends_a_stopped_process)
{
	pid_t pid = child_pause();

	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	CHECK(kill(pid, SIGKILL) == 0);
	child_expect(pid, -SIGKILL);
}

TEST(proc, waitid_fills_the_siginfo)
{
	siginfo_t info;
	pid_t pid = child_exit(300);

	memset(&info, 0x55, sizeof(info));
	CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_signo == SIGCHLD && info.si_code == CLD_EXITED && info.si_pid == pid);
	CHECK(info.si_errno == 0 && info.si_status == 44 && info.si_uid == getuid());
	CHECK(waitid(P_PID, pid, &info, WEXITED) == 0); /* it was left there */
	CHECK_ERRNO(waitid(P_PID, pid, &info, WEXITED), ECHILD);

	pid = child_pause();
	CHECK(waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG) == 0);
	CHECK(info.si_pid == 0 && info.si_signo == 0);
	kill(pid, SIGSTOP);
	CHECK(waitid(P_PID, pid, &info, WSTOPPED) == 0);
	CHECK(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
	kill(pid, SIGCONT);
	CHECK(waitid(P_PID, pid, &info, WCONTINUED) == 0);
	CHECK(info.si_code == CLD_CONTINUED && info.si_status == SIGCONT);
	kill(pid, SIGUSR1);
	CHECK(waitid(P_PGID, getpgrp(), &info, WEXITED) == 0);
	CHECK(info.si_code == CLD_KILLED && info.si_status == SIGUSR1 && info.si_pid == pid);
}

static char process_state(pid_t pid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file_read_text(path, text, sizeof(text));
	char *at = strrchr(text, ')');
	CHECK(at != NULL);
	return at[2];
}

TEST(proc, a_zombie_exists_until_it_is_waited_for)
{
	pid_t pid = child_exit(0);

	CHECK(waitid(P_PID, pid, NULL, WEXITED | WNOWAIT) == 0);
	CHECK_EQ(process_state(pid), 'Z');
	CHECK(kill(pid, 0) == 0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK_EQ(getpgid(pid), getpgrp());
	child_expect(pid, 0);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
	CHECK_ERRNO(getpgid(pid), ESRCH);
}

TEST(proc, process_states_in_proc)
{
	pid_t pid = child_pause();

	CHECK_EQ(process_state(getpid()), 'R');
	for (int i = 0; i < 200 && process_state(pid) != 'S'; i++)
		usleep(5000);
	CHECK_EQ(process_state(pid), 'S');
	kill(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
	CHECK_EQ(process_state(pid), 'T');
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
}

TEST(proc, ignoring_sigchld_leaves_no_zombies)
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		child_exit(i);
	CHECK_ERRNO(wait(NULL), ECHILD); /* when the last has gone */
	struct sigaction sa = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
	child_exit(3);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(proc, orphans_get_a_new_parent)
{
	struct gate born = gate_make(), orphaned = gate_make(), answer = gate_make();
	pid_t middle = child_fork();

	if (middle == 0) {
		pid_t before = getpid();

		if (child_fork() == 0) {
			CHECK_EQ(getppid(), before);
			gate_open(&born);
			gate_wait(&orphaned);
			for (int i = 0; i < 1000 && getppid() == before; i++)
				usleep(1000);
			CHECK(getppid() != before);
			CHECK(getppid() > 0);
			gate_open(&answer);
			_exit(0);
		}
		gate_wait(&born);
		_exit(0);
	}
	child_expect(middle, 0);
	gate_open(&orphaned);
	gate_wait(&answer);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(proc, pids_are_unique_among_the_living)
{
	enum { N = 64 };
	pid_t pids[N];

	for (int i = 0; i < N; i++) {
		pids[i] = child_pause();
		for (int j = 0; j < i; j++)
			CHECK(pids[j] != pids[i]);
	}
	for (int i = 0; i < N; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; i < N; i++)
		child_expect(pids[i], -SIGKILL);
}

/* --- groups and sessions --- */

TEST(proc, process_groups)
{
	pid_t pid = child_pause();

	CHECK_EQ(getpgrp(), getpid());
	CHECK_EQ(getsid(0), getpid());
	CHECK_EQ(getpgid(pid), getpgrp());
	CHECK(setpgid(pid, 0) == 0);
	CHECK_EQ(getpgid(pid), pid);
	CHECK_EQ(getsid(pid), getpid());
	CHECK(setpgid(pid, getpgrp()) == 0);
	CHECK_EQ(getpgid(pid), getpgrp());
	CHECK_ERRNO(setpgid(pid, -1), EINVAL);
	CHECK_ERRNO(setpgid(pid, pid + 100000), EPERM);
	CHECK_ERRNO(setpgid(0, 0), EPERM); /* a session's leader stays in its group */
	CHECK_ERRNO(setpgid(getppid(), 0), ESRCH);
	CHECK_ERRNO(setsid(), EPERM);
	CHECK_ERRNO(getpgid(0x7ffffff), ESRCH);
	CHECK_ERRNO(getsid(0x7ffffff), ESRCH);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);
}

HELPER(pause)
{
	CHECK_EQ(write(3, "", 1), 1);
	for (;;)
		pause();
}

TEST(proc, a_group_cannot_be_set_after_exec_or_across_sessions)
{
	struct gate ready = gate_make();
	pid_t pid = child_fork();

	if (pid == 0) {
		dup2(ready.fd[1], 3);
		execl(self_path, self_path, "--helper", "pause", NULL);
		_exit(1);
	}
	gate_wait(&ready);
	CHECK_ERRNO(setpgid(pid, pid), EACCES);
	kill(pid, SIGKILL);
	child_expect(pid, -SIGKILL);

	pid = child_fork();
	if (pid == 0) {
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_EQ(getsid(0), getpid());
		gate_open(&ready);
		for (;;)
			pause();
	}
	gate_wait(&ready);
	CHECK_ERRNO(setpgid(pid, getpgrp()), EPERM);
	CHECK_EQ(getsid(pid), pid);
	pid_t other = child_pause();
	CHECK_ERRNO(setpgid(other, pid), EPERM); /* a group of another session */
	kill(pid, SIGKILL);
	kill(other, SIGKILL);
	child_expect(pid, -SIGKILL);
	child_expect(other, -SIGKILL);
}

TEST(proc, kill_reaches_a_whole_group)
{
	pid_t pids[4], bystander = child_pause();

	for (int i = 0; i < 4; i++) {
		pids[i] = child_pause();
		CHECK(setpgid(pids[i], pids[0]) == 0);
	}
	CHECK(kill(-pids[0], 0) == 0);
	CHECK(kill(-pids[0], SIGTERM) == 0);
	for (int i = 0; i < 4; i++)
		child_expect(pids[i], -SIGTERM);
	CHECK_ERRNO(kill(-pids[0], SIGTERM), ESRCH);
	CHECK_ERRNO(killpg(pids[0], SIGTERM), ESRCH);
	CHECK_EQ(waitpid(bystander, NULL, WNOHANG), 0);
	kill(bystander, SIGKILL);
	child_expect(bystander, -SIGKILL);
}

TEST(proc, kill_errors)
{
	pid_t parent = getpid();

	CHECK(kill(getpid(), 0) == 0);
	CHECK_ERRNO(kill(0x7ffffff, 0), ESRCH);
	CHECK_ERRNO(kill(getpid(), 65), EINVAL);
	CHECK_ERRNO(kill(getpid(), -1), EINVAL);
	CHECK_ERRNO(kill(INT32_MIN, 0), ESRCH);
	if (is_root())
		CHILD (0) {
			become_user();
			CHECK_ERRNO(kill(parent, 0), EPERM);
			CHECK_ERRNO(kill(parent, SIGTERM), EPERM);
			CHECK_ERRNO(kill(1, SIGKILL), EPERM);
			CHECK(kill(getpid(), 0) == 0);
		}
}

TEST(proc, an_orphaned_stopped_group_is_hung_up)
{
	struct gate ready = gate_make(), told = gate_make();
	pid_t leader = child_fork();

	if (leader == 0) {
		setpgid(0, 0);
		pid_t member = child_fork();
		if (member == 0) {
			sigset_t set;
			siginfo_t info;

			setpgid(0, 0);
			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			sigaddset(&set, SIGCONT);
			sigprocmask(SIG_BLOCK, &set, NULL);
			gate_open(&ready);
			raise(SIGSTOP);
			int first = sigwaitinfo(&set, &info), second = sigwaitinfo(&set, &info);
			CHECK(first == SIGHUP || second == SIGHUP);
			CHECK(first == SIGCONT || second == SIGCONT);
			gate_open(&told);
			_exit(0);
		}
		gate_wait(&ready);
		CHECK_EQ(waitpid(member, NULL, WUNTRACED), member);
		_exit(0); /* its group, of which we were the parent outside, is an orphan now */
	}
	child_expect(leader, 0);
	gate_wait(&told);
}

TEST(proc, times_of_children_are_added_when_waited_for)
{
	struct rusage before, after, of_child;
	int status;

	CHECK(getrusage(RUSAGE_CHILDREN, &before) == 0);
	CHECK_EQ(before.ru_utime.tv_sec, 0);
	pid_t pid = child_fork();
	if (pid == 0) {
		struct rusage self;

		do
			getrusage(RUSAGE_SELF, &self);
		while (self.ru_utime.tv_sec == 0 &&
		       self.ru_utime.tv_usec + self.ru_stime.tv_usec < 100000);
		_exit(0);
	}
	CHECK_EQ(wait4(pid, &status, 0, &of_child), pid);
	CHECK(getrusage(RUSAGE_CHILDREN, &after) == 0);
	CHECK(of_child.ru_utime.tv_usec + of_child.ru_stime.tv_usec > 0);
	CHECK(after.ru_utime.tv_usec + after.ru_stime.tv_usec >=
	      of_child.ru_utime.tv_usec + of_child.ru_stime.tv_usec - 20000);
	CHECK_ERRNO(getrusage(99, &after), EINVAL);
	CHECK(getrusage(RUSAGE_SELF, &after) == 0);
	CHECK(after.ru_minflt > 0 && after.ru_maxrss > 0);
}

/* --- clone --- */

static long clone_raw(unsigned long flags)
{
	long pid = raw_syscall(SYS_clone, flags, 0, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}

TEST(proc, clone_errors)
{
	CHECK_EQ(clone_raw(CLONE_SIGHAND | SIGCHLD), -EINVAL);
	CHECK_EQ(clone_raw(CLONE_THREAD | CLONE_VM | SIGCHLD), -EINVAL);
	CHECK_EQ(clone_raw(CLONE_FS | CLONE_NEWNS | SIGCHLD), -EINVAL);
	CHECK_ERRNO(wait(NULL), ECHILD);

	uint64_t args[11] = { 0 };
	CHECK_EQ(raw_syscall(SYS_clone3, (long)args, 8, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(raw_syscall(SYS_clone3, 0, 64, 0, 0, 0, 0), -EFAULT);
	CHECK_EQ(raw_syscall(SYS_clone3, (long)args, 5000, 0, 0, 0, 0), -E2BIG);
	args[4] = 65; /* exit_signal */
	CHECK_EQ(raw_syscall(SYS_clone3, (long)args, 64, 0, 0, 0, 0), -EINVAL);
	args[4] = SIGCHLD;
	args[5] = 4096; /* a stack without its size */
	CHECK_EQ(raw_syscall(SYS_clone3, (long)args, 64, 0, 0, 0, 0), -EINVAL);
	args[5] = 0;
	args[0] = CLONE_SIGHAND;
	CHECK_EQ(raw_syscall(SYS_clone3, (long)args, 64, 0, 0, 0, 0), -EINVAL);
	args[0] = SIGCHLD; /* clone3 takes no signal in its flags */
	CHECK_EQ(raw_syscall(SYS_clone3, (long)args, 64, 0, 0, 0, 0), -EINVAL);
}

TEST(proc, clone3_forks)
{
	uint64_t args[11] = { 0 };
	pid_t parent_tid = 0, child_tid = 0;

	args[0] = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID;
	args[2] = (uintptr_t)&child_tid;
	args[3] = (uintptr_t)&parent_tid;
	args[4] = SIGCHLD;
	long pid = raw_syscall(SYS_clone3, (long)args, 64, 0, 0, 0, 0);
	if (pid == 0)
		_exit(child_tid == raw_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0) ? 12 : 1);
	CHECK(pid > 0);
	CHECK_EQ(parent_tid, pid);
	CHECK_EQ(child_tid, 0);
	child_expect(pid, 12);
}

TEST(proc, clone_files_and_fs_share_descriptors_and_directory)
{
	CHECK(mkdir("d", 0755) == 0);
	long pid = raw_syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0, 0);
	if (pid == 0) {
		if (dup2(1, 77) != 77 || chdir("d") != 0)
			_exit(1);
		umask(027);
		_exit(0);
	}
	child_expect(pid, 0);
	char cwd[4096];
	CHECK(fcntl(77, F_GETFD) == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd + strlen(cwd) - 2, "/d") == 0);
	CHECK_EQ(umask(022), 027);

	CHILD (0) { /* a plain fork shares neither */
		close(77);
		CHECK(chdir("..") == 0);
	}
	CHECK(fcntl(77, F_GETFD) == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd + strlen(cwd) - 2, "/d") == 0);
}

TEST(proc, clone_parent_makes_a_sibling)
{
	struct gate g = gate_make();
	pid_t parent = getpid();
	pid_t middle = child_fork();

	if (middle == 0) {
		long pid = raw_syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0, 0);

		if (pid == 0)
			_exit(raw_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0) == parent ? 33 : 1);
		CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
		gate_open(&g);
		_exit(0);
	}
	gate_wait(&g);
	child_expect(middle, 0);
	int status;
	CHECK(wait(&status) > 0);
	CHECK_EQ(WEXITSTATUS(status), 33);
}

TEST(proc, vfork_suspends_the_parent)
{
	volatile int order = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		usleep(20000);
		order = 1;
		_exit(0);
	}
	CHECK_EQ(order, 1);
	child_expect(pid, 0);
}

TEST(proc, a_fork_inherits_what_it_should)
{
	struct itimerval timer = { { 0, 0 }, { 100, 0 } }, now;
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGUSR1);
	setitimer(ITIMER_REAL, &timer, NULL);
	umask(033);
	CHILD (0) {
		CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
		CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGUSR1));
		CHECK(getitimer(ITIMER_REAL, &now) == 0);
		CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec == 0);
		CHECK_EQ(umask(0), 033);
	}
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
	CHECK(getitimer(ITIMER_REAL, &now) == 0 && now.it_value.tv_sec > 50);
}
