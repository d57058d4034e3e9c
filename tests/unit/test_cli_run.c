/*
 * test_cli_run.c - `coppice run` as a whole, with cli_guest in the place of QEMU and the kernel.
 *
 * Each test starts the built command as a user would and looks at what comes out of it: bytes,
 * exit status, lines on stderr. Next: cli_guest.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"
#include "dev/host_protocol.h"

#define ARGUMENTS_MAX 32
#define PATIENCE_MS 20000

static char coppice_path[PATH_MAX + 32], guest_path[PATH_MAX + 32];

/* --- starting the command --- */

/* The command line: coppice run --qemu GUEST --kernel GUEST, then `arguments` (NULL-terminated). */
static void exec_coppice(const char *const arguments[])
{
	const char *full[ARGUMENTS_MAX] = { "coppice",  "run",      "--qemu",  guest_path,
					    "--kernel", guest_path, "--accel", "tcg" };
	int count = 8;

	while (*arguments)
		full[count++] = *arguments++;
	full[count] = NULL;
	execv(coppice_path, (char **)full);
	_exit(99);
}

/* With these descriptors as 0, 1 and 2; -1 for one that is closed. */
static pid_t start(int in, int out, int err, const char *const arguments[])
{
	int given[3] = { in, out, err };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (int fd = 0; fd < 3; fd++)
		given[fd] = given[fd] < 0 ? -1 : fcntl(given[fd], F_DUPFD, 10);
	for (int fd = 0; fd < 3; fd++) {
		if (given[fd] < 0)
			close(fd);
		else
			dup2(given[fd], fd);
	}
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	exec_coppice(arguments);
	return 0;
}

/* The exit status; -1 when it was killed by a signal or did not end in time. */
static int finish(pid_t pid)
{
	int status;

	for (int waited = 0; waited < PATIENCE_MS; waited += 5) {
		pid_t ended = waitpid(pid, &status, WNOHANG);

		if (ended == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		usleep(5000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

struct result {
	int status;
	struct bytes out, err;
};

static const char *text_of(struct bytes *bytes)
{
	bytes_append(bytes, "", 1);
	return (const char *)bytes_data(bytes);
}

/* Read what there is; false at the end. */
static bool drain(int fd, struct bytes *bytes)
{
	ssize_t n = read(fd, bytes_reserve(bytes, 65536), 65536);

	if (n > 0)
		bytes_added(bytes, n);
	return n > 0;
}

/* Run to the end with `input` on a pipe (NULL: /dev/null) and the outputs on pipes. */
static struct result run(const void *input, size_t length, const char *const arguments[])
{
	struct result result = { 0 };
	int in[2], out[2], err[2];
	struct pollfd set[3];
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	if (!input) {
		close(in[0]);
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	pid = start(in[0], out[1], err[1], arguments);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	set[0] = (struct pollfd){ .fd = in[1], .events = POLLOUT };
	set[1] = (struct pollfd){ .fd = out[0], .events = POLLIN };
	set[2] = (struct pollfd){ .fd = err[0], .events = POLLIN };
	while (set[1].fd >= 0 || set[2].fd >= 0) {
		if (set[0].fd >= 0 && length == 0) {
			close(set[0].fd);
			set[0].fd = -1;
		}
		if (poll(set, 3, PATIENCE_MS) <= 0)
			break;
		if (set[0].fd >= 0 && set[0].revents) {
			ssize_t n = write(set[0].fd, input, length);

			if (n < 0 && errno == EPIPE)
				n = length;
			if (n > 0) {
				input = (const char *)input + n;
				length -= n;
			}
		}
		if (set[1].revents && !drain(out[0], &result.out))
			set[1].fd = -1;
		if (set[2].revents && !drain(err[0], &result.err))
			set[2].fd = -1;
	}
	if (set[0].fd >= 0)
		close(set[0].fd);
	close(out[0]);
	close(err[0]);
	result.status = finish(pid);
	return result;
}

static void result_free(struct result *result)
{
	bytes_free(&result->out);
	bytes_free(&result->err);
}

#define RUN(...) run(NULL, 0, (const char *const[]){ __VA_ARGS__, NULL })

static void assert_run(struct result result, int status, const char *out, const char *err)
{
	assert_string_equal(text_of(&result.err), err);
	assert_string_equal(text_of(&result.out), out);
	assert_int_equal(result.status, status);
	result_free(&result);
}

/* --- exit status --- */

static void exit_status_is_the_programs(void **state)
{
	(void)state;
	assert_run(RUN("exit", "0"), 0, "", "");
	assert_run(RUN("exit", "1"), 1, "", "");
	assert_run(RUN("exit", "255"), 255, "", "");
}

static void death_by_a_signal_is_128_plus_its_number(void **state)
{
	(void)state;
	assert_run(RUN("signal", "9"), 137, "", "");
	assert_run(RUN("signal", "139"), 139, "", ""); /* SIGSEGV, core dumped */
}

static void program_that_cannot_start_is_reported_like_a_shell(void **state)
{
	(void)state;
	assert_run(RUN("exec-failed", "2"), 127, "", "coppice: exec-failed: command not found\n");
	assert_run(RUN("exec-failed", "13"), 126, "", "coppice: exec-failed: Permission denied\n");
	assert_run(RUN("exec-failed", "8"), 126, "", "coppice: exec-failed: Exec format error\n");
}

static void want_of_memory_is_said(void **state)
{
	(void)state;
	assert_run(RUN("-m", "256M", "out-of-memory"), 137, "",
		   "coppice: out-of-memory: killed: out of memory (256 MiB); give a larger "
		   "--memory\n");
}

static void panic_is_125_with_its_text(void **state)
{
	(void)state;
	assert_run(RUN("panic"), 125, "", "coppice: kernel panic: the sky is falling\n");
}

static void kernel_that_vanishes_is_125(void **state)
{
	(void)state;
	assert_run(RUN("bad", "vanish"), 125, "",
		   "coppice: the kernel stopped without a word; run with -v\n");
}

static void qemu_that_fails_is_125_with_its_error(void **state)
{
	(void)state;
	assert_run(RUN("qemu-fails"), 125, "", "coppice: qemu: it does not work\n");
}

static void broken_protocol_is_125(void **state)
{
	(void)state;
	assert_run(RUN("bad", "garbage"), 125, "",
		   "coppice: the kernel sent what is not a frame\n");
	assert_run(RUN("bad", "stream"), 125, "",
		   "coppice: the kernel sent output for a stream that does not exist\n");
	assert_run(RUN("old-kernel"), 125, "",
		   "coppice: the kernel and this command are from different versions; give the "
		   "right one by --kernel\n");
}

static void output_beyond_the_window_is_125(void **state)
{
	int stuck[2];
	pid_t pid;

	(void)state;
	/* Nobody reads this pipe, so what is written stays unacknowledged. */
	assert_int_equal(pipe2(stuck, O_CLOEXEC), 0);
	pid = start(-1, stuck[1], -1, (const char *const[]){ "bad", "flood", NULL });
	usleep(300000);
	close(stuck[0]);
	close(stuck[1]);
	assert_int_equal(finish(pid), 125);
}

static void timeout_is_124(void **state)
{
	(void)state;
	assert_run(RUN("--timeout", "0.2", "hang"), 124, "",
		   "coppice: the program ran longer than its --timeout\n");
}

static void timeout_still_reports_counters(void **state)
{
	(void)state;
	assert_run(RUN("--timeout", "0.2", "--stats", "power-off"), 9, "", "faults 3\n");
	assert_run(RUN("--timeout", "0.2", "--stats", "hang"), 124, "",
		   "coppice: the program ran longer than its --timeout\n");
}

static void own_failures_are_one_line_and_125(void **state)
{
	(void)state;
	assert_run(RUN("--memory", "7x", "exit"), 125, "",
		   "coppice: --memory: '7x' is not a size such as 512M or 2G\n");
	assert_run(RUN("--root", "/nonexistent", "exit"), 125, "",
		   "coppice: --root /nonexistent: No such file or directory\n");
	assert_run(RUN("--rw", "/etc/passwd", "exit"), 125, "",
		   "coppice: --rw /etc/passwd: Not a directory\n");
	assert_run(RUN("--kernel", "/nonexistent", "exit"), 125, "",
		   "coppice: cannot read the kernel /nonexistent: No such file or directory\n");
	assert_run(
		RUN("--qemu", "qemu-of-no-kind", "exit"), 125, "",
		"coppice: qemu-of-no-kind is not installed; install the package qemu-system-x86\n");
	assert_run(RUN("--swap", "lots", "exit"), 125, "",
		   "coppice: --swap: 'lots' is not a size such as 512M or 2G\n");
	assert_run(RUN("--swap", "1M", "--rw", "/a", "--rw", "/b", "--rw", "/c", "--rw", "/d",
		       "--rw", "/e", "--rw", "/f", "exit"),
		   125, "",
		   "coppice: --rw may be given 4 times at most beside --swap; give a directory "
		   "that holds several\n");
	assert_run(
		RUN("-p", "80", "exit"), 125, "",
		"coppice: --publish: '80' is not [ADDRESS:]HOST:GUEST[/udp], an IPv4 address and "
		"two ports from 1 to 65535\n");
	assert_run(RUN("-p", "192.0.2.1:8080:80", "exit"), 125, "",
		   "coppice: --publish 192.0.2.1:8080:80: Cannot assign requested address\n");
}

static void a_published_port_must_be_free(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	char option[32], line[128];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	snprintf(option, sizeof(option), "%u:80", ntohs(address.sin_port));
	snprintf(line, sizeof(line), "coppice: --publish %s: port %u of this machine is taken\n",
		 option, ntohs(address.sin_port));
	assert_run(RUN("-p", option, "exit"), 125, "", line);
	close(fd);
}

static void swap_needs_a_directory_with_room(void **state)
{
	static const char room[] = "coppice: --swap: /tmp has room for ";
	struct result result;

	(void)state;
	setenv("TMPDIR", "/nonexistent", 1);
	assert_run(RUN("--swap", "1M", "exit"), 125, "",
		   "coppice: --swap: cannot make a file in /nonexistent: No such file or "
		   "directory; set TMPDIR to another directory\n");
	setenv("TMPDIR", "/tmp", 1);
	result = RUN("--swap", "16T", "exit");
	assert_int_equal(result.status, 125);
	assert_memory_equal(text_of(&result.err), room, sizeof(room) - 1);
	result_free(&result);
	unsetenv("TMPDIR");
}

/* --- streams --- */

static void output_is_byte_exact_on_both_streams(void **state)
{
	struct result result = RUN("both", "1500000");

	(void)state;
	assert_int_equal(result.status, 0);
	assert_int_equal(bytes_length(&result.out), 1500000);
	assert_int_equal(bytes_length(&result.err), 1500000);
	for (size_t i = 0; i < 1500000; i++) {
		if (bytes_data(&result.out)[i] != '1' || bytes_data(&result.err)[i] != '2')
			fail_msg("byte %zu is on the wrong stream", i);
	}
	result_free(&result);
}

static void big_input_comes_back_unchanged(void **state)
{
	const size_t length = 5000000;
	uint8_t *input = malloc(length);
	struct result result;

	(void)state;
	for (size_t i = 0; i < length; i++)
		input[i] = i * 2654435761u >> 13;
	result = run(input, length, (const char *const[]){ "cat", "65536", NULL });
	assert_int_equal(result.status, 0);
	assert_int_equal(bytes_length(&result.out), length);
	assert_memory_equal(bytes_data(&result.out), input, length);
	result_free(&result);
	free(input);
}

static void stuck_stdout_does_not_hold_up_stderr(void **state)
{
	int stuck[2], err[2];
	struct bytes bytes = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(stuck, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	pid = start(-1, stuck[1], err[1], (const char *const[]){ "both", "1000000", NULL });
	close(stuck[1]);
	close(err[1]);
	/* All of stderr arrives though nobody reads stdout. */
	while (bytes_length(&bytes) < 1000000 && drain(err[0], &bytes))
		;
	assert_int_equal(bytes_length(&bytes), 1000000);
	bytes_free(&bytes);
	while (drain(stuck[0], &bytes))
		;
	assert_int_equal(bytes_length(&bytes), 1000000);
	bytes_free(&bytes);
	assert_int_equal(finish(pid), 0);
	close(stuck[0]);
	close(err[0]);
}

static void reader_that_leaves_is_sigpipe_for_the_program(void **state)
{
	int out[2];
	struct bytes bytes = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(-1, out[1], -1, (const char *const[]){ "yes", NULL });
	close(out[1]);
	assert_true(drain(out[0], &bytes));
	close(out[0]);
	bytes_free(&bytes);
	assert_int_equal(finish(pid), 128 + SIGPIPE);
}

static void reader_that_leaves_is_noticed_without_output(void **state)
{
	int out[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(-1, out[1], -1, (const char *const[]){ "poll-error", NULL });
	close(out[1]);
	close(out[0]);
	assert_int_equal(finish(pid), 0);
}

static void full_disk_is_an_error_of_the_programs_write(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(finish(start(-1, full, -1, (const char *const[]){ "yes", NULL })), ENOSPC);
	/* A program that ends without noticing has lost output all the same. */
	assert_int_equal(finish(start(-1, full, -1, (const char *const[]){ "echo", "x", NULL })),
			 125);
	close(full);
}

static void closed_descriptors_are_closed_in_the_program(void **state)
{
	char name[] = "/tmp/test_cli_run.XXXXXX";
	int file = mkstemp(name);
	char text[8192] = "";

	(void)state;
	assert_int_equal(finish(start(-1, file, -1, (const char *const[]){ "record", NULL })), 0);
	assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
	assert_non_null(strstr(text, "\n7 0 0 0 0\n"));
	assert_non_null(strstr(text, "\n7 1 2 100000 1\n"));
	assert_non_null(strstr(text, "\n7 2 0 0 2\n"));
	close(file);
	unlink(name);
}

static void input_beyond_the_credit_is_left_alone(void **state)
{
	char name[] = "/tmp/test_cli_run.XXXXXX", rest[16];
	int file = mkstemp(name), out[2];

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(write(file, "0123456789", 10), 10);
	lseek(file, 0, SEEK_SET);
	assert_int_equal(
		finish(start(file, out[1], -1, (const char *const[]){ "head", "4", NULL })), 0);
	assert_int_equal(read(out[0], rest, sizeof(rest)), 4);
	assert_memory_equal(rest, "0123", 4);
	assert_int_equal(read(file, rest, sizeof(rest)), 6);
	close(file);
	close(out[0]);
	close(out[1]);
	unlink(name);
}

static void shared_descriptors_stay_blocking(void **state)
{
	int out[2], flags;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(-1, out[1], -1, (const char *const[]){ "hang", NULL });
	usleep(200000);
	flags = fcntl(out[1], F_GETFL);
	assert_false(flags & O_NONBLOCK);
	kill(pid, SIGKILL);
	finish(pid);
	close(out[0]);
	close(out[1]);
}

static void sockets_serve_as_streams(void **state)
{
	int pair[2];
	char text[8] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = start(pair[1], pair[1], -1, (const char *const[]){ "cat", NULL });
	close(pair[1]);
	assert_int_equal(write(pair[0], "abc", 3), 3);
	shutdown(pair[0], SHUT_WR);
	assert_int_equal(read(pair[0], text, sizeof(text)), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(finish(pid), 0);
	close(pair[0]);
}

/* --- what the kernel is told --- */

static void launch_record_tells_where_and_who_we_are(void **state)
{
	char expected[PATH_MAX + 64], directory[PATH_MAX];
	struct result result = RUN("--check", "--rw", "/usr/../tmp", "record", "-v", "--", "x y");
	const char *text = text_of(&result.out);
	struct rlimit limit;

	(void)state;
	assert_int_equal(result.status, 0);
	assert_string_equal(text_of(&result.err), "");
	assert_non_null(strstr(text, "1 record\n1 -v\n1 --\n1 x y\n2 "));
	snprintf(expected, sizeof(expected), "\n3 %s\n", getcwd(directory, sizeof(directory)));
	assert_non_null(strstr(text, expected));
	snprintf(expected, sizeof(expected), "\n4 %u %u\n", getuid(), getgid());
	assert_non_null(strstr(text, expected));
	assert_non_null(strstr(text, "\n7 0 3 20000 0\n")); /* /dev/null */
	assert_non_null(strstr(text, "\n7 1 2 10000 1\n")); /* a pipe */
	assert_non_null(strstr(text, "\n9 rw0 /tmp\n"));
	snprintf(expected, sizeof(expected), "\n10 %u\n", HOST_FLAG_CHECK);
	assert_non_null(strstr(text, expected));
	getrlimit(RLIMIT_NOFILE, &limit);
	snprintf(expected, sizeof(expected), "\n13 %u %llu %llu\n", RLIMIT_NOFILE,
		 (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
	assert_non_null(strstr(text, expected));
	result_free(&result);
}

static void launch_record_names_the_disk_to_swap_to(void **state)
{
	struct result result = RUN("record");

	(void)state;
	assert_null(strstr(text_of(&result.out), "\n16 "));
	result_free(&result);
	result = RUN("--swap", "2M", "record");
	assert_int_equal(result.status, 0);
	assert_non_null(strstr(text_of(&result.out), "\n16 coppice-swap\n"));
	result_free(&result);
}

static void merged_outputs_are_told_to_be_one(void **state)
{
	int out[2];
	struct bytes bytes = { 0 };
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(-1, out[1], out[1], (const char *const[]){ "record", NULL });
	close(out[1]);
	while (drain(out[0], &bytes))
		;
	assert_int_equal(finish(pid), 0);
	assert_non_null(strstr(text_of(&bytes), "\n7 2 2 10000 1\n"));
	bytes_free(&bytes);
	close(out[0]);
}

static void directory_that_the_root_lacks_becomes_its_root(void **state)
{
	char name[] = "/tmp/test_cli_run.XXXXXX";
	struct result result;

	(void)state;
	assert_non_null(mkdtemp(name));
	result = RUN("--root", name, "record");
	assert_non_null(strstr(text_of(&result.out), "\n3 /\n"));
	result_free(&result);
	rmdir(name);
}

/* --- reports --- */

static void verbose_prints_accelerator_and_log(void **state)
{
	(void)state;
	assert_run(RUN("-v", "log"), 0, "", "coppice: accelerator: tcg (as asked)\nbooting\n");
	assert_run(RUN("--icount", "-v", "--accel", "auto", "log"), 0, "",
		   "coppice: accelerator: tcg (for --icount)\nbooting\n");
}

static void counters_come_on_stderr_at_the_end(void **state)
{
	(void)state;
	assert_run(RUN("--stats", "counters"), 0, "", "faults 3\nforks 1\n");
	assert_run(RUN("--missing-syscalls", "counters"), 0, "",
		   "coppice: missing system call: bpf (321), called 2 times\n");
	assert_run(RUN("--missing-syscalls", "exit"), 0, "",
		   "coppice: no system call was missing\n");
	assert_run(RUN("counters"), 0, "", "");
}

/* --- signals --- */

/* A guest that has said that it is ready, with its output in out[0]. */
static pid_t start_ready(int out[2], const char *const arguments[])
{
	char text[16];
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(-1, out[1], -1, arguments);
	close(out[1]);
	assert_int_equal(read(out[0], text, sizeof(text)), 6);
	return pid;
}

static void signals_are_forwarded(void **state)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };
	int out[2];

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		signal(signals[i], SIG_DFL); /* a shell's background job inherits some ignored */
		pid_t pid = start_ready(out, (const char *const[]){ "wait-signal", NULL });

		kill(pid, signals[i]);
		assert_int_equal(finish(pid), signals[i]);
		close(out[0]);
	}
}

static void second_interrupt_ends_a_deaf_guest(void **state)
{
	int out[2];
	pid_t pid;

	(void)state;
	pid = start_ready(out, (const char *const[]){ "wait-signal", "9", NULL });
	kill(pid, SIGINT);
	usleep(100000);
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid), 128 + SIGTERM);
	close(out[0]);
}

static void killed_command_leaves_no_guest_behind(void **state)
{
	int out[2];
	char text[8];
	pid_t pid;

	(void)state;
	pid = start_ready(out, (const char *const[]){ "wait-signal", NULL });
	kill(pid, SIGKILL);
	finish(pid);
	/* The command's end of the pipe is closed; so must be all others. */
	assert_int_equal(read(out[0], text, sizeof(text)), 0);
	close(out[0]);
}

/* --- the terminal --- */

/* Start with a new pty as controlling terminal and as the descriptors that are -1 in `given`. */
static pid_t start_on_terminal(int *master, const int given[3], const char *const arguments[])
{
	struct winsize size = { .ws_row = 31, .ws_col = 99 };
	pid_t pid = forkpty(master, NULL, NULL, &size);

	if (pid != 0)
		return pid;
	for (int fd = 0; fd < 3; fd++) {
		if (given[fd] >= 0)
			dup2(given[fd], fd);
	}
	exec_coppice(arguments);
	return 0;
}

static const int all_terminal[3] = { -1, -1, -1 };

/* Read from the terminal until `text` has come; false if it does not. */
static bool expect(int master, struct bytes *seen, const char *text)
{
	struct pollfd pollfd = { .fd = master, .events = POLLIN };

	while (bytes_length(seen) == 0 ||
	       !memmem(bytes_data(seen), bytes_length(seen), text, strlen(text))) {
		if (poll(&pollfd, 1, PATIENCE_MS) <= 0 || !drain(master, seen))
			return false;
	}
	return true;
}

static void wait_raw(int master, bool raw)
{
	struct termios mode;

	for (int i = 0; i < PATIENCE_MS; i++) {
		tcgetattr(master, &mode);
		if (!(mode.c_lflag & ICANON) == raw)
			return;
		usleep(1000);
	}
	fail_msg("the terminal is %s", raw ? "not raw" : "still raw");
}

static void terminal_gives_keys_and_sizes_and_is_given_back(void **state)
{
	struct winsize size = { .ws_row = 40, .ws_col = 120 };
	struct termios before = { 0 }, after = { 0 };
	struct bytes seen = { 0 };
	int master;
	pid_t pid =
		start_on_terminal(&master, all_terminal, (const char *const[]){ "terminal", NULL });

	(void)state;
	tcgetattr(master, &before);
	assert_true(expect(master, &seen, "ready\r\n"));
	wait_raw(master, true);
	assert_int_equal(write(master, "\003", 1), 1);
	assert_true(expect(master, &seen, "key 3\r\n"));
	ioctl(master, TIOCSWINSZ, &size);
	assert_true(expect(master, &seen, "size 40 120\r\n"));
	assert_int_equal(write(master, "q", 1), 1);
	assert_int_equal(finish(pid), 0);
	tcgetattr(master, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_null(memmem(bytes_data(&seen), bytes_length(&seen), "\r\r", 2));
	bytes_free(&seen);
	close(master);
}

static void terminal_is_left_alone_by_a_program_that_does_not_read(void **state)
{
	struct bytes seen = { 0 };
	int master;
	pid_t pid = start_on_terminal(&master, all_terminal,
				      (const char *const[]){ "no-terminal", NULL });

	(void)state;
	assert_true(expect(master, &seen, "plain\r\n"));
	assert_null(memmem(bytes_data(&seen), bytes_length(&seen), "\r\r", 2));
	wait_raw(master, false);
	/* So Ctrl-C is the host terminal's, and comes as a signal. */
	assert_int_equal(write(master, "\003", 1), 1);
	assert_int_equal(finish(pid), SIGINT);
	bytes_free(&seen);
	close(master);
}

static void terminal_and_piped_stdout_are_kept_apart(void **state)
{
	struct bytes seen = { 0 };
	int master, out[2], given[3] = { -1, -1, -1 };
	char text[64] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(out, 0), 0);
	given[1] = out[1];
	pid = start_on_terminal(&master, given, (const char *const[]){ "no-terminal", NULL });
	close(out[1]);
	assert_true(expect(master, &seen, "plain\r\n"));
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "ready\n");
	kill(pid, SIGHUP);
	assert_int_equal(finish(pid), SIGHUP);
	bytes_free(&seen);
	close(master);
	close(out[0]);
}

static void terminal_is_given_back_when_killed_by_two_signals(void **state)
{
	struct bytes seen = { 0 };
	int master;
	pid_t pid =
		start_on_terminal(&master, all_terminal, (const char *const[]){ "terminal", NULL });

	(void)state;
	assert_true(expect(master, &seen, "ready\r\n"));
	wait_raw(master, true);
	kill(pid, SIGTERM);
	assert_true(expect(master, &seen, "signal\r\n"));
	kill(pid, SIGTERM);
	assert_int_equal(finish(pid), 128 + SIGTERM);
	wait_raw(master, false);
	bytes_free(&seen);
	close(master);
}

static void terminal_is_given_back_after_a_crash(void **state)
{
	struct bytes seen = { 0 };
	int master;
	pid_t pid =
		start_on_terminal(&master, all_terminal, (const char *const[]){ "terminal", NULL });

	(void)state;
	assert_true(expect(master, &seen, "ready\r\n"));
	wait_raw(master, true);
	kill(pid, SIGSEGV);
	assert_int_equal(finish(pid), -1);
	wait_raw(master, false);
	bytes_free(&seen);
	close(master);
}

static void stop_gives_the_terminal_back_until_continued(void **state)
{
	struct bytes seen = { 0 };
	int master, status;
	pid_t child, pid;

	(void)state;
	/*
	 * The command in a job of its own, below a leader that stands for the shell: an orphaned
	 * group would not be stopped.
	 */
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		signal(SIGTTOU, SIG_IGN);
		child = fork();
		setpgid(child, child);
		if (child == 0) {
			tcsetpgrp(0, getpid());
			signal(SIGTTOU, SIG_DFL);
			exec_coppice((const char *const[]){ "terminal", NULL });
		}
		usleep(400000);
		kill(child, SIGTSTP);
		if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
			_exit(1);
		dprintf(1, "stopped\n");
		usleep(400000);
		kill(child, SIGCONT);
		waitpid(child, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	}
	assert_true(expect(master, &seen, "ready\r\n"));
	wait_raw(master, true);
	assert_true(expect(master, &seen, "stopped\r\n"));
	wait_raw(master, false);
	wait_raw(master, true);
	assert_int_equal(write(master, "q", 1), 1);
	assert_int_equal(finish(pid), 0);
	bytes_free(&seen);
	close(master);
}

static void background_program_that_reads_is_stopped(void **state)
{
	int master, status;
	pid_t child, pid;

	(void)state;
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		child = fork();
		setpgid(child, child);
		if (child == 0)
			exec_coppice((const char *const[]){ "terminal", NULL });
		if (waitpid(child, &status, WUNTRACED) != child)
			_exit(1);
		_exit(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN && kill(child, SIGKILL) == 0
			      ? 0
			      : 2);
	}
	assert_int_equal(finish(pid), 0);
	close(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status_is_the_programs),
		cmocka_unit_test(death_by_a_signal_is_128_plus_its_number),
		cmocka_unit_test(program_that_cannot_start_is_reported_like_a_shell),
		cmocka_unit_test(want_of_memory_is_said),
		cmocka_unit_test(panic_is_125_with_its_text),
		cmocka_unit_test(kernel_that_vanishes_is_125),
		cmocka_unit_test(qemu_that_fails_is_125_with_its_error),
		cmocka_unit_test(broken_protocol_is_125),
		cmocka_unit_test(output_beyond_the_window_is_125),
		cmocka_unit_test(timeout_is_124),
		cmocka_unit_test(timeout_still_reports_counters),
		cmocka_unit_test(own_failures_are_one_line_and_125),
		cmocka_unit_test(a_published_port_must_be_free),
		cmocka_unit_test(swap_needs_a_directory_with_room),
		cmocka_unit_test(output_is_byte_exact_on_both_streams),
		cmocka_unit_test(big_input_comes_back_unchanged),
		cmocka_unit_test(stuck_stdout_does_not_hold_up_stderr),
		cmocka_unit_test(reader_that_leaves_is_sigpipe_for_the_program),
		cmocka_unit_test(reader_that_leaves_is_noticed_without_output),
		cmocka_unit_test(full_disk_is_an_error_of_the_programs_write),
		cmocka_unit_test(closed_descriptors_are_closed_in_the_program),
		cmocka_unit_test(input_beyond_the_credit_is_left_alone),
		cmocka_unit_test(shared_descriptors_stay_blocking),
		cmocka_unit_test(sockets_serve_as_streams),
		cmocka_unit_test(launch_record_tells_where_and_who_we_are),
		cmocka_unit_test(launch_record_names_the_disk_to_swap_to),
		cmocka_unit_test(merged_outputs_are_told_to_be_one),
		cmocka_unit_test(directory_that_the_root_lacks_becomes_its_root),
		cmocka_unit_test(verbose_prints_accelerator_and_log),
		cmocka_unit_test(counters_come_on_stderr_at_the_end),
		cmocka_unit_test(signals_are_forwarded),
		cmocka_unit_test(second_interrupt_ends_a_deaf_guest),
		cmocka_unit_test(killed_command_leaves_no_guest_behind),
		cmocka_unit_test(terminal_gives_keys_and_sizes_and_is_given_back),
		cmocka_unit_test(terminal_is_left_alone_by_a_program_that_does_not_read),
		cmocka_unit_test(terminal_and_piped_stdout_are_kept_apart),
		cmocka_unit_test(terminal_is_given_back_when_killed_by_two_signals),
		cmocka_unit_test(terminal_is_given_back_after_a_crash),
		cmocka_unit_test(stop_gives_the_terminal_back_until_continued),
		cmocka_unit_test(background_program_that_reads_is_stopped),
	};
	char here[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", here, sizeof(here) - 1);

	if (length < 0)
		return 1;
	here[length] = '\0';
	*strrchr(here, '/') = '\0';
	snprintf(guest_path, sizeof(guest_path), "%s/cli_guest", here);
	snprintf(coppice_path, sizeof(coppice_path), "%s/../../coppice", here);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
