/*
 * check.c - the helpers of check.h.
 *
 * Central rule: a helper that can fail ends the process with a message; a test never checks a helper. Next: the test files.
 */
#include "check.h"

#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>

siginfo_t probe_info;

static void write_all(const char *text, size_t length)
{
	while (length) {
		ssize_t n = write(1, text, length);

		if (n <= 0)
			_exit(98);
		text += n;
		length -= n;
	}
}

void say(const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	write_all(text, n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

void check_failed(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say("%s:%d: %s\n", file, line, text);
	_exit(1);
}

const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown";
}

const char *signal_name(int signal)
{
	static char name[32];
	const char *abbreviation = sigabbrev_np(signal);

	if (abbreviation)
		snprintf(name, sizeof(name), "SIG%s", abbreviation);
	else
		snprintf(name, sizeof(name), "signal %d", signal);
	return name;
}

pid_t child_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: %s", errno_name(errno));
	return pid;
}

void child_expect_at(const char *file, int line, pid_t pid, int want)
{
	int status;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r != pid)
		check_failed(file, line, "waitpid: %s", errno_name(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) != -want)
		check_failed(file, line, "child killed by %s, wanted %d",
			     signal_name(WTERMSIG(status)), want);
	if (WIFEXITED(status) && WEXITSTATUS(status) != want)
		check_failed(file, line, "child exited with %d, wanted %d", WEXITSTATUS(status),
			     want);
}

struct gate gate_make(void)
{
	struct gate g;

	CHECK(pipe2(g.fd, O_CLOEXEC) == 0);
	return g;
}

void gate_open(struct gate *g)
{
	CHECK_EQ(write(g->fd[1], "", 1), 1);
}

void gate_wait(struct gate *g)
{
	char byte;
	ssize_t n;

	do
		n = read(g->fd[0], &byte, 1);
	while (n < 0 && errno == EINTR);
	CHECK_EQ(n, 1);
}

void gate_close(struct gate *g)
{
	close(g->fd[0]);
	close(g->fd[1]);
}

static sigjmp_buf probe_jump;

static void on_probe_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	probe_info = *info;
	siglongjmp(probe_jump, signal);
}

static const int probe_signals[] = { SIGSEGV, SIGBUS, SIGILL };
static struct sigaction probe_old[COUNT_OF(probe_signals)];

static void probe_begin(void)
{
	struct sigaction sa = { .sa_sigaction = on_probe_fault, .sa_flags = SA_SIGINFO };

	memset(&probe_info, 0, sizeof(probe_info));
	for (size_t i = 0; i < COUNT_OF(probe_signals); i++)
		sigaction(probe_signals[i], &sa, &probe_old[i]);
}

static void probe_end(void)
{
	for (size_t i = 0; i < COUNT_OF(probe_signals); i++)
		sigaction(probe_signals[i], &probe_old[i], NULL);
}

int probe_read(const volatile void *address)
{
	probe_begin();
	int signal = sigsetjmp(probe_jump, 1);
	if (signal == 0)
		(void)*(const volatile uint8_t *)address;
	probe_end();
	return signal;
}

int probe_write(volatile void *address, uint8_t value)
{
	probe_begin();
	int signal = sigsetjmp(probe_jump, 1);
	if (signal == 0)
		*(volatile uint8_t *)address = value;
	probe_end();
	return signal;
}

int probe_call(void *address, int *result)
{
	probe_begin();
	int signal = sigsetjmp(probe_jump, 1);
	if (signal == 0)
		*result = ((int (*)(void))address)();
	probe_end();
	return signal;
}

void helper_link(const char *name)
{
	char link[64];

	snprintf(link, sizeof(link), "helper-%s", name);
	CHECK(symlink(self_path, link) == 0);
}

const char *exec_result(const char *path, char *const *argv, char *const *envp)
{
	static char result[64];
	int fd[2], error = 0, status;

	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	pid_t pid = child_fork();
	if (pid == 0) {
		execve(path, argv, envp);
		error = errno;
		CHECK_EQ(write(fd[1], &error, sizeof(error)), sizeof(error));
		_exit(0);
	}
	close(fd[1]);
	ssize_t n = read(fd[0], &error, sizeof(error));
	close(fd[0]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (n == sizeof(error))
		snprintf(result, sizeof(result), "%s", errno_name(error));
	else if (WIFSIGNALED(status))
		snprintf(result, sizeof(result), "%s", signal_name(WTERMSIG(status)));
	else
		snprintf(result, sizeof(result), "exit %d", WEXITSTATUS(status));
	return result;
}

uint8_t *map_anon(size_t pages)
{
	void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	CHECK(p != MAP_FAILED);
	return p;
}

void fill(void *pages, size_t count, uint64_t tag)
{
	for (size_t i = 0; i < count; i++) {
		volatile uint64_t *word = (uint64_t *)((uint8_t *)pages + i * PAGE);

		word[0] = tag + i;
		word[PAGE / 8 - 1] = ~(tag + i);
	}
}

bool filled(const void *pages, size_t count, uint64_t tag)
{
	for (size_t i = 0; i < count; i++) {
		const volatile uint64_t *word =
			(const uint64_t *)((const uint8_t *)pages + i * PAGE);

		if (word[0] != tag + i || word[PAGE / 8 - 1] != ~(tag + i))
			return false;
	}
	return true;
}

bool all_bytes(const void *p, size_t size, uint8_t value)
{
	const volatile uint8_t *bytes = p;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

const char *maps_shape(const void *start, size_t pages)
{
	static char shape[1024];
	unsigned long at = (unsigned long)start, stop = at + pages * PAGE, from, to;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], permissions[5];
	size_t used = 0;

	CHECK(maps != NULL);
	shape[0] = 0;
	while (at < stop && used < sizeof(shape) - 64 && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, permissions) != 3 || to <= at)
			continue;
		if (from >= stop)
			break;
		if (from > at)
			used += sprintf(shape + used, ".*%lu ", (from - at) / PAGE);
		at = from > at ? from : at;
		to = to < stop ? to : stop;
		used += sprintf(shape + used, "%s*%lu ", permissions, (to - at) / PAGE);
		at = to;
	}
	fclose(maps);
	if (at < stop)
		used += sprintf(shape + used, ".*%lu ", (stop - at) / PAGE);
	shape[used ? used - 1 : 0] = 0;
	return shape;
}

int file_make(const char *name, size_t size)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint8_t page[PAGE];

	CHECK(fd >= 0);
	for (size_t at = 0; at < size; at += PAGE) {
		size_t n = size - at < PAGE ? size - at : PAGE;

		memset(page, (uint8_t)(at / PAGE + 1), n);
		CHECK_EQ(pwrite(fd, page, n, at), n);
	}
	return fd;
}

void file_write_text(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK(fchmod(fd, mode) == 0);
	close(fd);
}

size_t file_read_text(const char *name, char *buffer, size_t size)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		FAIL("open %s: %s", name, errno_name(errno));
	while (used < size - 1 && (n = read(fd, buffer + used, size - 1 - used)) > 0)
		used += n;
	close(fd);
	buffer[used] = 0;
	return used;
}

bool on_coppice(void)
{
	return access("/proc/coppice/counters", F_OK) == 0;
}

void become_user(void)
{
	if (!is_root())
		return;
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(1000, 1000, 1000) == 0);
	CHECK(setresuid(1000, 1000, 1000) == 0);
}
