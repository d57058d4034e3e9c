/*
 * mm_kernel_write.c - the kernel's own writes into memory that is shared after fork.
 *
 * Central rule: a system call that stores a result into a page un-shares it just as a store instruction does; the other process keeps its bytes. Every call
 * that is in the table is tried from the child's side and from the parent's. Next: mm_file.c.
 */
#include "check.h"

#include <asm/prctl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

#define PATTERN 0xa5

static int pipe_with_bytes(void)
{
	int fd[2];

	CHECK(pipe(fd) == 0);
	CHECK_EQ(write(fd[1], "some bytes", 10), 10);
	return fd[0];
}

static int file_with_bytes(void)
{
	return open("bytes", O_RDONLY);
}

static void w_read_pipe(void *p)
{
	CHECK_EQ(read(pipe_with_bytes(), p, 10), 10);
}

static void w_read_file(void *p)
{
	CHECK_EQ(read(file_with_bytes(), p, 10), 10);
}

static void w_pread(void *p)
{
	CHECK_EQ(pread(file_with_bytes(), p, 10, 1), 10);
}

static void w_readv(void *p)
{
	struct iovec iov[2] = { { p, 3 }, { (char *)p + 100, 3 } };

	CHECK_EQ(readv(file_with_bytes(), iov, 2), 6);
}

static void w_preadv(void *p)
{
	struct iovec iov[2] = { { p, 3 }, { (char *)p + 100, 3 } };

	CHECK_EQ(preadv(file_with_bytes(), iov, 2, 1), 6);
}

static void w_read_zero(void *p)
{
	CHECK_EQ(read(open("/dev/zero", O_RDONLY), p, 64), 64);
}

static void w_read_proc(void *p)
{
	CHECK(read(open("/proc/self/status", O_RDONLY), p, 64) > 0);
}

static void w_getcwd(void *p)
{
	CHECK(getcwd(p, 512) == p);
}

static void w_uname(void *p)
{
	CHECK(uname(p) == 0);
}

static void w_stat(void *p)
{
	CHECK(stat(".", p) == 0);
}

static void w_statx(void *p)
{
	CHECK(statx(AT_FDCWD, ".", 0, STATX_BASIC_STATS, p) == 0);
}

static void w_statfs(void *p)
{
	CHECK(statfs(".", p) == 0);
}

static void w_pipe(void *p)
{
	CHECK(pipe(p) == 0);
}

static void w_wait(void *p)
{
	pid_t pid = child_fork();

	if (pid == 0)
		_exit(3);
	CHECK_EQ(wait4(pid, p, 0, (void *)((char *)p + 64)), pid);
}

static void w_waitid(void *p)
{
	pid_t pid = child_fork();

	if (pid == 0)
		_exit(3);
	CHECK_EQ(waitid(P_PID, pid, p, WEXITED), 0);
}

static void w_getrlimit(void *p)
{
	CHECK(getrlimit(RLIMIT_NOFILE, p) == 0);
}

static void w_getrusage(void *p)
{
	CHECK(getrusage(RUSAGE_SELF, p) == 0);
}

static void w_times(void *p)
{
	CHECK(times(p) != -1);
}

static void w_sysinfo(void *p)
{
	CHECK(sysinfo(p) == 0);
}

static void w_clock_gettime(void *p)
{
	CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, p), 0);
}

static void w_gettimeofday(void *p)
{
	CHECK_EQ(syscall(SYS_gettimeofday, p, NULL), 0);
}

static void w_getrandom(void *p)
{
	CHECK_EQ(syscall(SYS_getrandom, p, 32, 0), 32);
}

static void w_sigprocmask(void *p)
{
	CHECK_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8), 0);
}

static void w_sigaction(void *p)
{
	CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, NULL, p, 8), 0);
}

static void w_sigaltstack(void *p)
{
	CHECK(sigaltstack(NULL, p) == 0);
}

static void w_sigpending(void *p)
{
	CHECK_EQ(syscall(SYS_rt_sigpending, p, 8), 0);
}

static void w_sigtimedwait(void *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(sigwaitinfo(&set, p), SIGUSR1);
}

static void w_readlink(void *p)
{
	CHECK(readlink("link", p, 64) > 0);
}

static void w_getdents(void *p)
{
	CHECK(syscall(SYS_getdents64, open(".", O_RDONLY | O_DIRECTORY), p, 512) > 0);
}

static void w_poll(void *p)
{
	struct pollfd *poll_fd = p;

	poll_fd->revents =
		0x7777; /* this store un-shares; the call below must find the page ours */
	poll_fd->fd = pipe_with_bytes();
	poll_fd->events = POLLIN;
	CHECK_EQ(poll(poll_fd, 1, 0), 1);
	CHECK_EQ(poll_fd->revents, POLLIN);
}

static void w_epoll_wait(void *p)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x1234 };
	int epoll = epoll_create1(0);

	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_with_bytes(), &event) == 0);
	CHECK_EQ(epoll_wait(epoll, p, 1, 0), 1);
}

static void w_getitimer(void *p)
{
	CHECK(getitimer(ITIMER_REAL, p) == 0);
}

static void w_getresuid(void *p)
{
	uid_t *ids = p;

	CHECK(getresuid(&ids[0], &ids[1], &ids[2]) == 0);
}

static void w_sched_getaffinity(void *p)
{
	CHECK(syscall(SYS_sched_getaffinity, 0, 1024, p) > 0);
}

static void w_prctl_name(void *p)
{
	CHECK(prctl(PR_GET_NAME, p) == 0);
}

static void w_arch_prctl(void *p)
{
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_FS, p), 0);
}

static void w_fionread(void *p)
{
	CHECK(ioctl(pipe_with_bytes(), FIONREAD, p) == 0);
	CHECK_EQ(*(int *)p, 10);
}

static void w_clone_parent_tid(void *p)
{
	pid_t pid = syscall(SYS_clone, 0x00100000 /* CLONE_PARENT_SETTID */ | SIGCHLD, 0, p, 0, 0);

	if (pid == 0)
		_exit(0);
	CHECK(pid > 0);
	CHECK_EQ(*(int *)p, pid);
	child_expect(pid, 0);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* The frame itself is what the kernel writes. */
static void w_signal_frame(void *p)
{
	stack_t stack = { .ss_sp = (void *)((uintptr_t)p & ~(PAGE - 1)), .ss_size = 4 * PAGE };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
}

static const struct writer {
	const char *name;
	void (*write)(void *p);
} writers[] = {
	{ "read of a pipe", w_read_pipe },
	{ "read of a file", w_read_file },
	{ "read of /dev/zero", w_read_zero },
	{ "read of /proc", w_read_proc },
	{ "pread", w_pread },
	{ "readv", w_readv },
	{ "preadv", w_preadv },
	{ "getcwd", w_getcwd },
	{ "uname", w_uname },
	{ "stat", w_stat },
	{ "statx", w_statx },
	{ "statfs", w_statfs },
	{ "pipe", w_pipe },
	{ "wait4", w_wait },
	{ "waitid", w_waitid },
	{ "getrlimit", w_getrlimit },
	{ "getrusage", w_getrusage },
	{ "times", w_times },
	{ "sysinfo", w_sysinfo },
	{ "clock_gettime", w_clock_gettime },
	{ "gettimeofday", w_gettimeofday },
	{ "getrandom", w_getrandom },
	{ "rt_sigprocmask", w_sigprocmask },
	{ "rt_sigaction", w_sigaction },
	{ "sigaltstack", w_sigaltstack },
	{ "rt_sigpending", w_sigpending },
	{ "rt_sigtimedwait", w_sigtimedwait },
	{ "readlink", w_readlink },
	{ "getdents64", w_getdents },
	{ "poll", w_poll },
	{ "epoll_wait", w_epoll_wait },
	{ "getitimer", w_getitimer },
	{ "getresuid", w_getresuid },
	{ "sched_getaffinity", w_sched_getaffinity },
	{ "prctl", w_prctl_name },
	{ "arch_prctl", w_arch_prctl },
	{ "ioctl FIONREAD", w_fionread },
	{ "clone", w_clone_parent_tid },
	{ "signal frame", w_signal_frame },
};

#define REGION_PAGES 5

/* The result lies across a page border where the call permits it: 16 bytes before the end of the first page. */
static void writer_act(const struct writer *w, uint8_t *region)
{
	w->write(region + PAGE - 16);
	CHECK(!all_bytes(region, REGION_PAGES * PAGE, PATTERN));
}

static void writer_try(const struct writer *w, bool child_writes)
{
	uint8_t *region = map_anon(REGION_PAGES);
	struct gate wrote = gate_make();

	memset(region, PATTERN, REGION_PAGES * PAGE);
	pid_t pid = child_fork();
	if ((pid == 0) == child_writes) {
		writer_act(w, region);
		gate_open(&wrote);
	} else {
		gate_wait(&wrote);
		CHECK(all_bytes(region, REGION_PAGES * PAGE, PATTERN));
	}
	if (pid == 0)
		_exit(0);
	child_expect(pid, 0);
}

TEST(mm, system_calls_that_write_memory_unshare_it)
{
	file_write_text("bytes", "the bytes of a file", 0644);
	CHECK(symlink("somewhere", "link") == 0);
	for (size_t i = 0; i < COUNT_OF(writers); i++) {
		CHILD (0)
			writer_try(&writers[i], true);
		CHILD (0)
			writer_try(&writers[i], false);
		say("%s: ok\n", writers[i].name);
	}
}

TEST(mm, a_large_read_unshares_many_pages)
{
	enum { N = 64 };
	uint8_t *p = map_anon(N);
	int fd = file_make("f", N * PAGE);

	memset(p, PATTERN, N * PAGE);
	CHILD (0) {
		CHECK_EQ(pread(fd, p + 100, (N - 1) * PAGE, 0), (N - 1) * PAGE);
		CHECK_EQ(p[99], PATTERN);
		CHECK_EQ(p[100], 1);
		CHECK_EQ(p[100 + (N - 1) * PAGE - 1], N - 1);
		CHECK_EQ(p[100 + (N - 1) * PAGE], PATTERN);
	}
	CHECK(all_bytes(p, N * PAGE, PATTERN));
}

TEST(mm, reading_a_file_into_its_own_private_mapping_unshares_it)
{
	int fd = file_make("f", 2 * PAGE);
	uint8_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(pread(fd, p, PAGE, PAGE), PAGE);
	CHECK_EQ(p[0], 2);
	uint8_t byte;
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 1);
	CHECK_EQ(write(fd, p, 2 * PAGE), 2 * PAGE);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 2);
}

TEST(mm, a_write_of_the_file_from_its_own_mapping)
{
	int fd = file_make("f", 4 * PAGE);
	uint8_t *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(pwrite(fd, p, 2 * PAGE, 2 * PAGE), 2 * PAGE);
	CHECK_EQ(p[2 * PAGE], 1);
	CHECK_EQ(p[3 * PAGE], 2);
	CHECK_EQ(pwrite(fd, p + PAGE, PAGE, PAGE), PAGE); /* a page onto itself */
	CHECK_EQ(p[PAGE], 2);
}
