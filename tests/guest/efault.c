/*
 * efault.c - bad pointers, for every system call that takes one.
 *
 * Central rule: a pointer that cannot be read or written gives EFAULT, or a short count where part of the work was done; never a signal, and never a write elsewhere. A row of a table is a call with one
 * argument left open; every kind of bad pointer is put there, each in a child of its own. Next: terminal.c.
 */
#include "check.h"

#include <asm/prctl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

/* In a row: the argument under test, and what stands for descriptors and memory that the setup makes. */
#define P INT64_MIN
#define BUF (INT64_MIN + 1) /* good memory */
#define STR (INT64_MIN + 2) /* "f", a file that exists */
#define FILE_FD 10
#define DIR_FD 11
#define PIPE_R 12 /* with bytes in it */
#define PIPE_W 13
#define EPOLL_FD 14 /* with PIPE_R in it, ready */
#define TTY_FD 15

#define OUT 1   /* written by the kernel: read-only memory is bad too */
#define COUNT 2 /* the result is a count that is worth printing */
#define WAITS 4 /* waits for ever without the pointer: NULL is not tried */

struct row {
	const char *name;
	long number;
	long args[6];
	unsigned int size; /* of what the pointer points to */
	unsigned int flags;
	void (*setup)(void);
};

static uint8_t *good, *border, *read_only;

static void setup_files(void)
{
	int fds[2];
	struct epoll_event event = { .events = EPOLLIN };

	dup2(file_make("f", 10000), FILE_FD);
	CHECK(symlink("target", "link") == 0);
	dup2(open(".", O_RDONLY | O_DIRECTORY), DIR_FD);
	CHECK(pipe(fds) == 0);
	dup2(fds[0], PIPE_R);
	dup2(fds[1], PIPE_W);
	CHECK_EQ(write(PIPE_W, good, 100), 100);
	dup2(epoll_create1(0), EPOLL_FD);
	CHECK(epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, PIPE_R, &event) == 0);
	dup2(open("/dev/ptmx", O_RDWR | O_NOCTTY), TTY_FD);
}

static void setup_memory(void)
{
	good = map_anon(2);
	/* Far from where the kernel puts mappings, so that nothing comes to lie behind it. */
	border = mmap((void *)0x2000000000, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(border != MAP_FAILED);
	memset(border, 'a', PAGE);
	border += PAGE;
	read_only = map_anon(1);
	memset(read_only, 0, PAGE);
	CHECK(mprotect(read_only, PAGE, PROT_READ) == 0);
}

static void setup_child(void)
{
	pid_t pid = child_fork();

	if (pid == 0)
		_exit(0);
}

static void setup_signal(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	*(uint64_t *)good = 1UL << (SIGUSR1 - 1);
}

static void setup_timer(void)
{
	timer_t timer;

	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
}

static void row_try(const struct row *row, long pointer)
{
	long args[6];

	if (row->setup)
		row->setup();
	for (int i = 0; i < 6; i++) {
		args[i] = row->args[i];
		if (args[i] == P)
			args[i] = pointer;
		else if (args[i] == BUF)
			args[i] = (long)good;
		else if (args[i] == STR)
			args[i] = (long)"f";
	}
	long r = raw_syscall(row->number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (r < 0)
		say(" %s", errno_name(-r));
	else if (row->flags & COUNT)
		say(" %ld", r);
	else
		say(" ok");
}

static void rows_try(const struct row *rows, size_t count)
{
	setup_memory();
	setup_files();
	say("null, low, unmapped, border, kernel, last, not canonical, read-only\n");
	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		long pointers[] = { 0,
				    8,
				    (long)(border + 16),
				    (long)(border - (row->size >= 8 ? 4 : row->size / 2)),
				    (long)0xffff800000000000,
				    -8,
				    0x1234567812345678,
				    (long)read_only };
		size_t kinds = COUNT_OF(pointers) - !(row->flags & OUT);

		say("%s:", row->name);
		for (size_t k = row->flags & WAITS ? 1 : 0; k < kinds; k++)
			CHILD (0)
				row_try(row, pointers[k]);
		say("\n");
		CHECK(all_bytes(read_only, PAGE, 0));
	}
}

static const struct row data_rows[] = {
	{ "read of a file", SYS_read, { FILE_FD, P, 100 }, 100, OUT | COUNT },
	{ "read of a directory", SYS_read, { DIR_FD, P, 100 }, 100, OUT },
	{ "read of /dev/ptmx", SYS_ioctl, { TTY_FD, TIOCGPTN, P }, 4, OUT },
	{ "pread64", SYS_pread64, { FILE_FD, P, 100, 4090 }, 100, OUT | COUNT },
	{ "write of nothing", SYS_write, { FILE_FD, P, 0 }, 100, COUNT },
	{ "read of nothing", SYS_read, { FILE_FD, P, 0 }, 100, COUNT },
	{ "readv", SYS_readv, { FILE_FD, P, 1 }, 16, 0 },
	{ "writev", SYS_writev, { FILE_FD, P, 1 }, 16, 0 },
	{ "preadv", SYS_preadv, { FILE_FD, P, 1, 0 }, 16, 0 },
	{ "pwritev", SYS_pwritev, { FILE_FD, P, 1, 0 }, 16, 0 },
	{ "getdents64", SYS_getdents64, { DIR_FD, P, 4096 }, 4096, OUT },
	{ "pipe", SYS_pipe, { P }, 8, OUT },
	{ "pipe2", SYS_pipe2, { P, O_CLOEXEC }, 8, OUT },
	{ "sendfile offset", SYS_sendfile, { PIPE_W, FILE_FD, P, 10 }, 8, OUT },
	{ "copy_file_range in", SYS_copy_file_range, { FILE_FD, P, FILE_FD, BUF, 10, 0 }, 8, 0 },
	{ "copy_file_range out", SYS_copy_file_range, { FILE_FD, BUF, FILE_FD, P, 10, 0 }, 8, 0 },
	{ "fcntl F_GETLK", SYS_fcntl, { FILE_FD, F_GETLK, P }, 32, 0 },
	{ "fcntl F_SETLK", SYS_fcntl, { FILE_FD, F_SETLK, P }, 32, 0 },
	{ "ioctl FIONREAD", SYS_ioctl, { PIPE_R, FIONREAD, P }, 4, OUT },
	{ "ioctl FIONBIO", SYS_ioctl, { PIPE_R, FIONBIO, P }, 4, 0 },
	{ "ioctl TCGETS", SYS_ioctl, { TTY_FD, TCGETS, P }, 36, OUT },
	{ "ioctl TCSETS", SYS_ioctl, { TTY_FD, TCSETS, P }, 36, 0 },
	{ "ioctl TIOCGWINSZ", SYS_ioctl, { TTY_FD, TIOCGWINSZ, P }, 8, OUT },
	{ "ioctl TIOCSWINSZ", SYS_ioctl, { TTY_FD, TIOCSWINSZ, P }, 8, 0 },
	{ "fstat", SYS_fstat, { FILE_FD, P }, 144, OUT },
	{ "fstatfs", SYS_fstatfs, { FILE_FD, P }, 120, OUT },
	{ "getrandom", SYS_getrandom, { P, 16, 0 }, 16, OUT | COUNT },
	{ "mincore", SYS_mincore, { BUF, 2 * PAGE, P }, 2, OUT },
};

static const struct row path_rows[] = {
	{ "open", SYS_open, { P, O_RDONLY }, 100 },
	{ "openat", SYS_openat, { AT_FDCWD, P, O_RDONLY }, 100 },
	{ "openat create", SYS_openat, { DIR_FD, P, O_RDWR | O_CREAT, 0644 }, 100 },
	{ "stat path", SYS_stat, { P, BUF }, 100 },
	{ "stat", SYS_stat, { STR, P }, 144, OUT },
	{ "lstat path", SYS_lstat, { P, BUF }, 100 },
	{ "lstat", SYS_lstat, { STR, P }, 144, OUT },
	{ "newfstatat path", SYS_newfstatat, { AT_FDCWD, P, BUF, 0 }, 100 },
	{ "newfstatat", SYS_newfstatat, { AT_FDCWD, STR, P, 0 }, 144, OUT },
	{ "statx path", SYS_statx, { AT_FDCWD, P, 0, 0x7ff, BUF }, 100 },
	{ "statx", SYS_statx, { AT_FDCWD, STR, 0, 0x7ff, P }, 256, OUT },
	{ "access", SYS_access, { P, 0 }, 100 },
	{ "faccessat2", SYS_faccessat2, { AT_FDCWD, P, 0, 0 }, 100 },
	{ "mkdir", SYS_mkdir, { P, 0755 }, 100 },
	{ "mkdirat", SYS_mkdirat, { AT_FDCWD, P, 0755 }, 100 },
	{ "rmdir", SYS_rmdir, { P }, 100 },
	{ "unlink", SYS_unlink, { P }, 100 },
	{ "unlinkat", SYS_unlinkat, { AT_FDCWD, P, 0 }, 100 },
	{ "rename from", SYS_rename, { P, STR }, 100 },
	{ "rename to", SYS_rename, { STR, P }, 100 },
	{ "renameat2 from", SYS_renameat2, { AT_FDCWD, P, AT_FDCWD, STR, 0 }, 100 },
	{ "renameat2 to", SYS_renameat2, { AT_FDCWD, STR, AT_FDCWD, P, 0 }, 100 },
	{ "link from", SYS_link, { P, STR }, 100 },
	{ "link to", SYS_link, { STR, P }, 100 },
	{ "linkat from", SYS_linkat, { AT_FDCWD, P, AT_FDCWD, STR, 0 }, 100 },
	{ "linkat to", SYS_linkat, { AT_FDCWD, STR, AT_FDCWD, P, 0 }, 100 },
	{ "symlink target", SYS_symlink, { P, STR }, 100 },
	{ "symlink", SYS_symlink, { STR, P }, 100 },
	{ "symlinkat target", SYS_symlinkat, { P, AT_FDCWD, STR }, 100 },
	{ "symlinkat", SYS_symlinkat, { STR, AT_FDCWD, P }, 100 },
	{ "readlink path", SYS_readlink, { P, BUF, 100 }, 100 },
	{ "readlink", SYS_readlink, { (long)"link", P, 100 }, 100, OUT },
	{ "readlinkat", SYS_readlinkat, { AT_FDCWD, (long)"link", P, 100 }, 100, OUT },
	{ "chmod", SYS_chmod, { P, 0644 }, 100 },
	{ "fchmodat", SYS_fchmodat, { AT_FDCWD, P, 0644 }, 100 },
	{ "chown", SYS_chown, { P, -1, -1 }, 100 },
	{ "fchownat", SYS_fchownat, { AT_FDCWD, P, -1, -1, 0 }, 100 },
	{ "utimensat path", SYS_utimensat, { AT_FDCWD, P, 0, 0 }, 100 },
	{ "utimensat times", SYS_utimensat, { AT_FDCWD, STR, P, 0 }, 32 },
	{ "truncate", SYS_truncate, { P, 0 }, 100 },
	{ "mknodat", SYS_mknodat, { AT_FDCWD, P, S_IFIFO | 0644, 0 }, 100 },
	{ "chdir", SYS_chdir, { P }, 100 },
	{ "getcwd", SYS_getcwd, { P, 4096 }, 100, OUT },
	{ "statfs path", SYS_statfs, { P, BUF }, 100 },
	{ "statfs", SYS_statfs, { STR, P }, 120, OUT },
	{ "getxattr path", SYS_getxattr, { P, (long)"user.x", BUF, 100 }, 100 },
	{ "lgetxattr path", SYS_lgetxattr, { P, (long)"user.x", BUF, 100 }, 100 },
	{ "getxattr name", SYS_getxattr, { STR, P, BUF, 100 }, 100 },
	{ "execve path", SYS_execve, { P, 0, 0 }, 100 },
	{ "execve argv", SYS_execve, { (long)"/bin/true", P, 0 }, 8 },
	{ "execve envp", SYS_execve, { (long)"/bin/true", 0, P }, 8 },
};

static const struct row process_rows[] = {
	{ "wait4 status", SYS_wait4, { -1, P, 0, 0 }, 4, OUT, setup_child },
	{ "wait4 usage", SYS_wait4, { -1, BUF, 0, P }, 144, OUT, setup_child },
	{ "waitid", SYS_waitid, { 0, 0, P, 4, 0 }, 128, OUT, setup_child },
	{ "waitid usage", SYS_waitid, { 0, 0, BUF, 4, P }, 144, OUT, setup_child },
	{ "rt_sigaction act", SYS_rt_sigaction, { SIGUSR1, P, 0, 8 }, 32 },
	{ "rt_sigaction old", SYS_rt_sigaction, { SIGUSR1, 0, P, 8 }, 32, OUT },
	{ "rt_sigprocmask set", SYS_rt_sigprocmask, { SIG_BLOCK, P, 0, 8 }, 8 },
	{ "rt_sigprocmask old", SYS_rt_sigprocmask, { SIG_BLOCK, 0, P, 8 }, 8, OUT },
	{ "rt_sigpending", SYS_rt_sigpending, { P, 8 }, 8, OUT },
	{ "rt_sigsuspend", SYS_rt_sigsuspend, { P, 8 }, 8 },
	{ "rt_sigtimedwait set", SYS_rt_sigtimedwait, { P, 0, BUF, 8 }, 8 },
	{ "rt_sigtimedwait info", SYS_rt_sigtimedwait, { BUF, P, 0, 8 }, 128, OUT, setup_signal },
	{ "rt_sigtimedwait timeout", SYS_rt_sigtimedwait, { BUF, 0, P, 8 }, 16, 0, setup_signal },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, { 1, SIGUSR1, P }, 128 },
	{ "sigaltstack new", SYS_sigaltstack, { P, 0 }, 24 },
	{ "sigaltstack old", SYS_sigaltstack, { 0, P }, 24, OUT },
	{ "signalfd4", SYS_signalfd4, { -1, P, 8, 0 }, 8 },
	{ "getitimer", SYS_getitimer, { ITIMER_REAL, P }, 32, OUT },
	{ "setitimer new", SYS_setitimer, { ITIMER_REAL, P, 0 }, 32 },
	{ "setitimer old", SYS_setitimer, { ITIMER_REAL, BUF, P }, 32, OUT },
	{ "timer_create event", SYS_timer_create, { CLOCK_MONOTONIC, P, BUF }, 64 },
	{ "timer_create id", SYS_timer_create, { CLOCK_MONOTONIC, 0, P }, 4, OUT },
	{ "timer_settime new", SYS_timer_settime, { 0, 0, P, 0 }, 32, 0, setup_timer },
	{ "timer_settime old", SYS_timer_settime, { 0, 0, BUF, P }, 32, OUT, setup_timer },
	{ "getrlimit", SYS_getrlimit, { RLIMIT_NOFILE, P }, 16, OUT },
	{ "setrlimit", SYS_setrlimit, { RLIMIT_NOFILE, P }, 16 },
	{ "prlimit64 new", SYS_prlimit64, { 0, RLIMIT_NOFILE, P, 0 }, 16 },
	{ "prlimit64 old", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0, P }, 16, OUT },
	{ "getrusage", SYS_getrusage, { RUSAGE_SELF, P }, 144, OUT },
	{ "getresuid 1", SYS_getresuid, { P, BUF, BUF }, 4, OUT },
	{ "getresuid 3", SYS_getresuid, { BUF, BUF, P }, 4, OUT },
	{ "getresgid 2", SYS_getresgid, { BUF, P, BUF }, 4, OUT },
	{ "times", SYS_times, { P }, 32, OUT },
	{ "uname", SYS_uname, { P }, 390, OUT },
	{ "sysinfo", SYS_sysinfo, { P }, 112, OUT },
	{ "prctl PR_SET_NAME", SYS_prctl, { PR_SET_NAME, P }, 16 },
	{ "prctl PR_GET_NAME", SYS_prctl, { PR_GET_NAME, P }, 16, OUT },
	{ "arch_prctl ARCH_GET_FS", SYS_arch_prctl, { ARCH_GET_FS, P }, 8, OUT },
	{ "sched_getaffinity", SYS_sched_getaffinity, { 0, 128, P }, 8, OUT },
	{ "sched_setaffinity", SYS_sched_setaffinity, { 0, 128, P }, 128 },
	{ "clone3", SYS_clone3, { P, 64 }, 64 },
	{ "futex wait", SYS_futex, { P, FUTEX_WAIT, 1, 0 }, 4, 0 },
	{ "futex wait, private", SYS_futex, { P, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, 0 }, 4, 0 },
	{ "futex timeout", SYS_futex, { BUF, FUTEX_WAIT, 0, P }, 16, WAITS },
	{ "set_robust_list", SYS_set_robust_list, { P, 24 }, 24, 0 },
};

static void setup_time(void)
{
	((struct timespec *)good)->tv_nsec =
		1000000; /* for what would wait for ever, a millisecond */
}

static const struct row time_rows[] = {
	{ "clock_gettime", SYS_clock_gettime, { CLOCK_MONOTONIC, P }, 16, OUT },
	{ "clock_getres", SYS_clock_getres, { CLOCK_MONOTONIC, P }, 16, OUT },
	{ "gettimeofday", SYS_gettimeofday, { P, 0 }, 16, OUT },
	{ "gettimeofday zone", SYS_gettimeofday, { 0, P }, 8, OUT },
	{ "time", SYS_time, { P }, 8, OUT },
	{ "nanosleep", SYS_nanosleep, { P, 0 }, 16 },
	{ "nanosleep rest", SYS_nanosleep, { BUF, P }, 16, 0, setup_time },
	{ "clock_nanosleep", SYS_clock_nanosleep, { CLOCK_MONOTONIC, 0, P, 0 }, 16 },
	{ "poll", SYS_poll, { P, 1, 0 }, 8, 0 },
	{ "ppoll", SYS_ppoll, { P, 1, BUF, 0, 8 }, 8, 0, setup_time },
	{ "ppoll timeout", SYS_ppoll, { 0, 0, P, 0, 8 }, 16, WAITS },
	{ "ppoll mask", SYS_ppoll, { 0, 0, BUF, P, 8 }, 8, 0, setup_time },
	{ "select in", SYS_select, { 1, P, 0, 0, BUF }, 8, 0, setup_time },
	{ "select out", SYS_select, { 1, 0, P, 0, BUF }, 8, 0, setup_time },
	{ "pselect6 in", SYS_pselect6, { 1, P, 0, 0, BUF, 0 }, 8, 0, setup_time },
	{ "pselect6 mask", SYS_pselect6, { 0, 0, 0, 0, BUF, P }, 16, 0, setup_time },
	{ "epoll_ctl", SYS_epoll_ctl, { EPOLL_FD, EPOLL_CTL_ADD, PIPE_W, P }, 12, 0 },
	{ "epoll_wait", SYS_epoll_wait, { EPOLL_FD, P, 1, 0 }, 12, OUT },
};

TEST(efault, data)
{
	rows_try(data_rows, COUNT_OF(data_rows));
}

TEST(efault, paths)
{
	rows_try(path_rows, COUNT_OF(path_rows));
}

TEST(efault, processes_and_signals)
{
	rows_try(process_rows, COUNT_OF(process_rows));
}

TEST(efault, time_and_waiting)
{
	rows_try(time_rows, COUNT_OF(time_rows));
}

/* --- what is done before the bad page is reached --- */

static void bad_writes(uint8_t *bad)
{
	TRY(write(FILE_FD, bad, 100));
	TRY(write(PIPE_W, bad, 100));
	TRY(pwrite(FILE_FD, bad, 100, 0));
	TRY(write(open("/dev/null", O_WRONLY), bad, 100)); /* which looks at nothing */
}

TEST(efault, writes_from_bad_memory)
{
	setup_memory();
	setup_files();
	bad_writes(NULL);
	bad_writes(border);
	bad_writes((uint8_t *)0xffff800000000000);
	bad_writes((uint8_t *)0xffffffff80000000);
	bad_writes((uint8_t *)0x1234567812345678);
	uint8_t *none = map_anon(1);
	CHECK(mprotect(none, PAGE, PROT_NONE) == 0);
	bad_writes(none);
	struct stat st;
	CHECK(fstat(FILE_FD, &st) == 0 && st.st_size == 10000);
	uint8_t byte;
	CHECK(pread(FILE_FD, &byte, 1, 50) == 1 && byte == 1);
}

TEST(efault, transfers_end_at_the_bad_page)
{
	int fds[2], zero = open("/dev/zero", O_RDONLY);

	setup_memory();
	setup_files();
	uint8_t *two = border - PAGE; /* one good page, then nothing */
	CHECK(pipe(fds) == 0);
	TRY(write(fds[1], two, 2 * PAGE));
	TRY(read(fds[0], good, 2 * PAGE));
	CHECK(all_bytes(good, PAGE, 'a'));
	TRY(pwrite(FILE_FD, two, 2 * PAGE, 0));
	TRY(pread(FILE_FD, two, 2 * PAGE, PAGE));
	CHECK(all_bytes(two, PAGE, 2));
	TRY(pread(FILE_FD, border - 100, 200, 0));
	TRY(read(zero, two, 2 * PAGE));
	CHECK(all_bytes(two, PAGE, 0));
	TRY(read(zero, border - 10, 100));

	struct iovec first_bad[2] = { { border, 10 }, { good, 10 } },
		     second_bad[2] = { { good, 10 }, { border, 10 } };
	TRY(preadv(FILE_FD, first_bad, 2, 0));
	TRY(preadv(FILE_FD, second_bad, 2, 0));
	TRY(pwritev(FILE_FD, first_bad, 2, 0));
	TRY(pwritev(FILE_FD, second_bad, 2, 0));
}

TEST(efault, sizes_that_reach_into_the_kernel)
{
	setup_memory();
	setup_files();
	TRY(read(FILE_FD, good, 1UL << 62));
	TRY(read(FILE_FD, good, 1UL << 47));
	TRY(read(FILE_FD, good, -1UL));
	TRY(write(FILE_FD, good, 1UL << 47));
	TRY(write(FILE_FD, good, -1UL));
	TRY(read(FILE_FD, (void *)0x7fffffffe000, 1UL << 20));
	TRY(syscall(SYS_getrandom, (void *)0x7fffffffefff, 2, 0));
	CHECK_EQ(probe_read(good + 2 * PAGE - 1), 0);
}

TEST(efault, strings_that_end_at_the_border)
{
	setup_memory();
	file_write_text("aaa", "", 0644);
	border[-1] = 0;
	TRY(access((char *)border - 4, F_OK)); /* its end is the last good byte */
	border[-1] = 'a';
	TRY(access((char *)border - 4, F_OK));
	uint8_t *pages =
		map_anon(3); /* a name across two pages, and one that is too long for them */
	memset(pages, 'a', 2 * PAGE);
	pages[PAGE + 1] = 0;
	TRY(access((char *)pages + PAGE - 2, F_OK));
	memset(pages, '/', 2 * PAGE);
	TRY(access((char *)pages, F_OK));
}

TEST(efault, registers_pass_no_wild_pointers)
{
	CHECK_EQ(raw_syscall(SYS_arch_prctl, ARCH_SET_FS, (long)0xffff800000000000, 0, 0, 0, 0),
		 -EPERM);
	CHECK_EQ(raw_syscall(SYS_arch_prctl, ARCH_SET_GS, (long)0x1234567812345678, 0, 0, 0, 0),
		 -EPERM);
	CHECK_EQ(raw_syscall(SYS_arch_prctl, 0x9999, 0, 0, 0, 0, 0), -EINVAL);
	CHECK_EQ(raw_syscall(9999, -1, -1, -1, -1, -1, -1), -ENOSYS);
	CHECK_EQ(raw_syscall(-1, -1, -1, -1, -1, -1, -1), -ENOSYS);
	CHECK_EQ(raw_syscall(1L << 32 | SYS_getpid, 0, 0, 0, 0, 0, 0) > 0,
		 1); /* the upper half is not looked at */
}

/* Calls that would end the test by their purpose. */
static bool call_is_spared(int number)
{
	return number == SYS_kill || number == SYS_tkill || number == SYS_tgkill ||
	       number == SYS_rt_sigqueueinfo || number == SYS_rt_tgsigqueueinfo;
}

/* Every call number, with arguments that no call can like: nothing hangs, the process lives or ends by itself, the kernel goes on. */
TEST(big, all_calls_with_wild_arguments)
{
	static const long wild[] = {
		-1, 0x1234567812345678, (long)0xffff800000000000, 0x7ffffffff000, 8, INT64_MIN
	};
	struct itimerval limit = { { 0, 0 }, { 0, 200000 } };

	if (!on_coppice())
		return; /* on Linux some of these calls are for root to regret */
	for (int number = 0; number < 470; number++)
		for (size_t i = 0; i < COUNT_OF(wild) && !call_is_spared(number); i++) {
			pid_t pid = child_fork();

			if (pid == 0) {
				setitimer(ITIMER_REAL, &limit, NULL);
				raw_syscall(number, wild[i], wild[i], wild[i], wild[i], wild[i],
					    wild[i]);
				_exit(0);
			}
			CHECK_EQ(waitpid(pid, NULL, 0), pid);
		}
}
