/*
 * check.h - what a guest test is made of.
 *
 * A guest test is a plain Linux program part: TEST(group, behaviour) { ... } passes when it returns. It runs as the leader of its own
 * session in an empty scratch directory, with stdin from /dev/null. Central rule: what it prints with say() is the same on every run and
 * every machine, so that Linux's output can be compared with Coppice's byte for byte: no pids, no addresses, no times. Next: main.c, which runs
 * the tests; then any test file.
 */
#ifndef GUEST_CHECK_H
#define GUEST_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

struct test {
	const char *group;
	const char *name;
	void (*run)(void);
};

/* A program that tests execute: `guest-tests --helper NAME ARG...` (argv[0] is NAME), or a link named helper-NAME. */
struct helper {
	const char *name;
	int (*run)(int argc, char **argv);
};

#define TEST(g, n)                                                               \
	static void g##_##n(void);                                               \
	static const struct test test_##g##_##n = { #g, #n, g##_##n };           \
	static const struct test *const test_entry_##g##_##n                     \
		__attribute__((used, section("guest_tests"))) = &test_##g##_##n; \
	static void g##_##n(void)

#define HELPER(n)                                                                   \
	static int helper_##n(int argc, char **argv);                               \
	static const struct helper helper_item_##n = { #n, helper_##n };            \
	static const struct helper *const helper_entry_##n                          \
		__attribute__((used, section("guest_helpers"))) = &helper_item_##n; \
	static int helper_##n(int argc __attribute__((unused)), char **argv __attribute__((unused)))

/* Writes to stdout at once: nothing is buffered, so nothing is printed twice after a fork. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void check_failed(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const char *errno_name(int error);
const char *signal_name(int signal);

#define FAIL(...) check_failed(__FILE_NAME__, __LINE__, __VA_ARGS__)
#define CHECK(cond)                                                      \
	do {                                                             \
		if (!(cond))                                             \
			FAIL("%s (errno %s)", #cond, errno_name(errno)); \
	} while (0)
#define CHECK_EQ(a, b)                                                    \
	do {                                                              \
		long long a_ = (long long)(a), b_ = (long long)(b);       \
		if (a_ != b_)                                             \
			FAIL("%s is %lld, not %s, %lld", #a, a_, #b, b_); \
	} while (0)
#define CHECK_STR(a, b)                                               \
	do {                                                          \
		const char *a_ = (a), *b_ = (b);                      \
		if (strcmp(a_, b_) != 0)                              \
			FAIL("%s is \"%s\", not \"%s\"", #a, a_, b_); \
	} while (0)
#define CHECK_ERRNO(call, want)                                                                \
	do {                                                                                   \
		errno = 0;                                                                     \
		long r_ = (long)(call);                                                        \
		if (r_ != -1 || errno != (want))                                               \
			FAIL("%s gives %ld, %s, not %s", #call, r_, errno_name(errno), #want); \
	} while (0)

/* Prints a call and its result, a number or an errno, for Linux to be the judge. TRY_FD is for calls that give a descriptor, which it closes. */
#define TRY(call)                                                  \
	do {                                                       \
		long r_ = (long)(call);                            \
		if (r_ == -1)                                      \
			say("%s: %s\n", #call, errno_name(errno)); \
		else                                               \
			say("%s: %ld\n", #call, r_);               \
	} while (0)
#define TRY_FD(call)                                                       \
	do {                                                               \
		int r_ = (call);                                           \
		say("%s: %s\n", #call, r_ < 0 ? errno_name(errno) : "ok"); \
		if (r_ >= 0)                                               \
			close(r_);                                         \
	} while (0)

/* The path of this program, absolute. */
extern const char *self_path;

/* fork(2), checked. */
pid_t child_fork(void);
/* Waits for the child; fails unless it ended as wanted: an exit status, or minus a signal number. */
void child_expect_at(const char *file, int line, pid_t pid, int want);
#define child_expect(pid, want) child_expect_at(__FILE_NAME__, __LINE__, pid, want)

/* CHILD(want) { ... } runs the block in a child, which exits with 0 at its end, and waits for it. */
#define CHILD(want)                                                          \
	for (pid_t child_ = child_fork(), once_ = 1; once_;                  \
	     child_ == 0 ? _exit(0) : child_expect(child_, want), once_ = 0) \
		if (child_ == 0)

/* A one-way signal between processes: gate_wait returns once for each gate_open. */
struct gate {
	int fd[2];
};
struct gate gate_make(void);
void gate_open(struct gate *g);
void gate_wait(struct gate *g);
void gate_close(struct gate *g);

/*
 * Tries an access; returns 0, or the signal that it raised, whose siginfo is then in probe_info. A probe sets handlers of SIGSEGV, SIGBUS and
 * SIGILL and restores the old ones.
 */
extern siginfo_t probe_info;
int probe_read(const volatile void *address);
int probe_write(volatile void *address, uint8_t value);
int probe_call(void *address, int *result);

#define CHECK_FAULT(probe, want_signal, want_code, want_address)     \
	do {                                                         \
		CHECK_EQ(probe, want_signal);                        \
		CHECK_EQ(probe_info.si_code, want_code);             \
		CHECK(probe_info.si_addr == (void *)(want_address)); \
	} while (0)

/*
 * Makes ./helper-NAME, which runs that HELPER() when executed. exec_result executes a program in a child and tells what became of it:
 * "exit 0", "SIGSEGV", or the errno's name when execve failed.
 */
void helper_link(const char *name);
const char *exec_result(const char *path, char *const *argv, char *const *envp);

/* Maps so many pages of private anonymous memory, readable and writable. */
uint8_t *map_anon(size_t pages);
/* Marks each page with tag and its number; filled() tells whether all of them still carry it. */
void fill(void *pages, size_t count, uint64_t tag);
bool filled(const void *pages, size_t count, uint64_t tag);
bool all_bytes(const void *p, size_t size, uint8_t value);
/*
 * What /proc/self/maps says of a range: "rw-p*3 .*1 r--p*2", "." for a hole, counted in pages. Neighbours of equal kind are not
 * merged, so that the shape shows the areas. Returns a static buffer.
 */
const char *maps_shape(const void *start, size_t pages);

/* Makes a file in the scratch directory of so many bytes, byte i being (uint8_t)(i / PAGE + 1), opened for reading and writing. */
int file_make(const char *name, size_t size);
void file_write_text(const char *name, const char *text, mode_t mode);
/* Reads a whole small file; returns the length, the buffer being terminated. */
size_t file_read_text(const char *name, char *buffer, size_t size);

/* Whether the tests run on Coppice, for the few that would take down the machine of whoever runs them on Linux. */
bool on_coppice(void);
/* Whether the tests run as root; what needs it is left out otherwise, on both systems. */
static inline bool is_root(void)
{
	return geteuid() == 0;
}
/* Becomes uid and gid 1000, without groups. */
void become_user(void);

/* A raw system call that returns -errno, and does not touch errno. */
static inline long raw_syscall(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#endif
