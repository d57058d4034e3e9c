/*
 * mm_fail.c - every allocation of a call failing in turn.
 *
 * Central rule: a call that fails for want of memory has done nothing. Each attempt runs in a child of its own, which has the n-th allocation of
 * one call fail (/proc/coppice/fail, in the kernel with all checks); then the areas and the bytes must be as before, or the call must have
 * succeeded all the same; n grows until it is not reached. Twice: on memory that is the child's alone, and on memory shared since the fork,
 * where the parent's bytes must stay as well. Without that file (on Linux) each call is made once, and must succeed. main.c has the checker run
 * after each test, and looks for what is left behind.
 */
#include "check.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/shm.h>
#include <sys/uio.h>

#define ATTEMPTS_MAX 400
#define HIT 10 /* exit statuses of an attempt: the allocation failed; it was not reached */
#define NOT_REACHED 11

/* Far from everything else, so that its tables hold nothing but it. */
#define ARENA 0x100000000000ul
#define ARENA_END (ARENA + (8ul << 30))
#define PRIVATE (ARENA + PAGE * 16)
#define PRIVATE_PAGES 64 /* the first half is filled */
#define SHARED (ARENA + (1ul << 30))
#define FILE_PRIVATE (ARENA + (2ul << 30))
#define FILE_SHARED (ARENA + (3ul << 30))
#define SPECIAL (ARENA + (4ul << 30)) /* areas that a fork treats specially */
#define ELSEWHERE (ARENA + (5ul << 30))
#define OBJECT_PAGES 16

static int fail_fd = -1, file_fd = -1;
static char maps_before[8192], maps_after[8192];

/* --- failing allocations --- */

static void fail_arm(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	if (fail_fd >= 0)
		CHECK_EQ(pwrite(fail_fd, text, length, 0), length);
}

/* Has the allocation failed? If not, it may be the one that this needs itself. */
static bool fail_happened(void)
{
	char c = '0';

	if (fail_fd < 0)
		return false;
	if (pread(fail_fd, &c, 1, 0) < 0) {
		CHECK_EQ(errno, ENOMEM);
		return false;
	}
	return c == '1';
}

/* --- the memory that calls work on --- */

static void *map_at(uint64_t at, size_t pages, int prot, int flags, int fd)
{
	void *p = mmap((void *)at, pages * PAGE, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

	CHECK(p == (void *)at);
	return p;
}

static void arena_make(void)
{
	map_at(PRIVATE, PRIVATE_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill((void *)PRIVATE, PRIVATE_PAGES / 2, 1);
	map_at(SHARED, OBJECT_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	fill((void *)SHARED, OBJECT_PAGES, 2);
	map_at(FILE_PRIVATE, OBJECT_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, file_fd);
	fill((void *)FILE_PRIVATE, OBJECT_PAGES / 2, 3);
	map_at(FILE_SHARED, OBJECT_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd);
	for (int i = 0; i < 3; i++) {
		void *p = map_at(SPECIAL + i * 4 * PAGE, 3, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1);

		fill(p, 3, 4 + i);
		if (i == 2)
			CHECK(mlock(p, 3 * PAGE) == 0);
		else
			CHECK(madvise(p, 3 * PAGE, i ? MADV_WIPEONFORK : MADV_DONTFORK) == 0);
	}
}

static void arena_unmap(void)
{
	CHECK(munmap((void *)ARENA, ARENA_END - ARENA) == 0);
}

/* whole: also what some calls change when they succeed. */
static void arena_check(bool whole)
{
	if (whole) {
		CHECK(filled((void *)PRIVATE, PRIVATE_PAGES / 2, 1));
		CHECK(filled((void *)SHARED, OBJECT_PAGES, 2));
		CHECK(filled((void *)FILE_PRIVATE, OBJECT_PAGES / 2, 3));
		for (size_t i = OBJECT_PAGES / 2; i < OBJECT_PAGES; i++)
			CHECK(all_bytes((void *)(FILE_PRIVATE + i * PAGE), PAGE, i + 1));
	}
	for (size_t i = 0; i < OBJECT_PAGES; i++)
		CHECK(all_bytes((void *)(FILE_SHARED + i * PAGE), PAGE, i + 1));
}

/* The lines of /proc/self/maps about the arena and the heap. */
static void maps_read(char *out, size_t size)
{
	static char text[65536];
	size_t n = 0;

	CHECK(file_read_text("/proc/self/maps", text, sizeof(text)) > 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		uint64_t start = strtoull(line, NULL, 16);

		if ((start >= ARENA && start < ARENA_END) || strstr(line, "[heap]"))
			n += snprintf(out + n, size - n, "%s\n", line);
		CHECK(n < size);
	}
}

/* --- one call --- */

struct call {
	const char *name;
	long (*run)(void); /* -1 and errno, or anything else */
	int error;         /* an errno beside ENOMEM that it may fail with */
	bool wrecks;       /* success changes what arena_check(true) looks at */
	bool clears;       /* mremap over another area: that one goes first, on Linux too */
	bool kills;        /* may end by SIGSEGV: on Linux the old image would be gone */
};

/* In a child: never returns. */
static void attempt(const struct call *c, int n, bool own)
{
	bool hit;
	long r;

	if (own) {
		arena_unmap();
		arena_make();
	}
	maps_read(maps_before, sizeof(maps_before));
	maps_read(maps_after, sizeof(maps_after)); /* its buffer is there now */
	fail_arm(n);
	errno = 0;
	r = c->run();
	int error = errno;
	hit = fail_happened();
	fail_arm(0);
	if (r == -1) {
		if (!hit)
			FAIL("%s fails with %s", c->name, errno_name(error));
		if (error != ENOMEM && error != c->error)
			FAIL("%s fails with %s at allocation %d", c->name, errno_name(error), n);
		maps_read(maps_after, sizeof(maps_after));
		if (strcmp(maps_before, maps_after) != 0 && !c->clears)
			FAIL("%s: allocation %d failed; before\n%sand after\n%s", c->name, n,
			     maps_before, maps_after);
	}
	if ((r == -1 && !c->clears) || !c->wrecks)
		arena_check(true);
	_exit(hit ? HIT : NOT_REACHED);
}

static int attempts(const struct call *c, bool own)
{
	for (int n = 1; n < ATTEMPTS_MAX; n++) {
		pid_t pid = child_fork();
		int status;

		if (pid == 0)
			attempt(c, n, own);
		CHECK(waitpid(pid, &status, 0) == pid);
		if (c->kills && status == SIGSEGV)
			continue;
		if (!WIFEXITED(status) ||
		    (WEXITSTATUS(status) != HIT && WEXITSTATUS(status) != NOT_REACHED))
			FAIL("%s, allocation %d, %s memory: status %#x", c->name, n,
			     own ? "own" : "shared", status);
		arena_check(true);
		if (WEXITSTATUS(status) == NOT_REACHED)
			return n - 1;
	}
	FAIL("%s does not come to an end", c->name);
}

/* GUEST_TEST_VERBOSE=1: how many allocations each call makes. */
static void try_calls(const struct call *calls, size_t count)
{
	file_fd = file_make("file", OBJECT_PAGES * PAGE);
	fail_fd = open("/proc/coppice/fail", O_RDWR | O_CLOEXEC);
	arena_make();
	for (size_t i = 0; i < count; i++) {
		int own = attempts(&calls[i], true), shared = attempts(&calls[i], false);

		if (getenv("GUEST_TEST_VERBOSE"))
			say("%s: %d allocations, %d on shared memory\n", calls[i].name, own,
			    shared);
	}
	close(fail_fd);
}

#define CALL(n, ...)                              \
	{                                         \
		.name = #n, .run = n, __VA_ARGS__ \
	}

/* --- mmap and munmap --- */

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define MAP_CALL(n, at, pages, prot, flags, fd)                                 \
	static long n(void)                                                     \
	{                                                                       \
		void *p = mmap((void *)(at), (pages)*PAGE, prot, flags, fd, 0); \
                                                                                \
		return p == MAP_FAILED ? -1 : 0;                                \
	}
#define UNMAP_CALL(n, at, length)                    \
	static long n(void)                          \
	{                                            \
		return munmap((void *)(at), length); \
	}

MAP_CALL(mmap_anonymous, ELSEWHERE, 4, RW, ANON, -1)
MAP_CALL(mmap_shared, ELSEWHERE, 4, RW, MAP_SHARED | MAP_ANONYMOUS, -1)
MAP_CALL(mmap_file_private, ELSEWHERE, 4, RW, MAP_PRIVATE, file_fd)
MAP_CALL(mmap_file_shared, ELSEWHERE, 4, RW, MAP_SHARED, file_fd)
MAP_CALL(mmap_populate, ELSEWHERE, 8, RW, ANON | MAP_POPULATE, -1)
MAP_CALL(mmap_locked, ELSEWHERE, 4, RW, ANON | MAP_LOCKED, -1)
MAP_CALL(mmap_growsdown, ELSEWHERE, 4, RW, ANON | MAP_GROWSDOWN, -1)
MAP_CALL(mmap_over_the_middle, PRIVATE + 8 * PAGE, 4, PROT_READ, ANON | MAP_FIXED, -1)
MAP_CALL(mmap_file_over_all, PRIVATE - PAGE, PRIVATE_PAGES + 2, RW, MAP_PRIVATE | MAP_FIXED,
	 file_fd)
MAP_CALL(mmap_neighbour, PRIVATE + PRIVATE_PAGES * PAGE, 4, RW, ANON | MAP_FIXED_NOREPLACE, -1)
UNMAP_CALL(munmap_middle, PRIVATE + 8 * PAGE, 4 * PAGE)
UNMAP_CALL(munmap_edge, PRIVATE - PAGE, 4 * PAGE)
UNMAP_CALL(munmap_shared_middle, SHARED + PAGE, 3 * PAGE)
UNMAP_CALL(munmap_across_areas, PRIVATE + 8 * PAGE, SHARED - PRIVATE)

static const struct call map_calls[] = {
	CALL(mmap_anonymous),
	CALL(mmap_shared),
	CALL(mmap_file_private),
	CALL(mmap_file_shared),
	CALL(mmap_populate),
	CALL(mmap_locked, .error = EAGAIN),
	CALL(mmap_growsdown),
	CALL(mmap_over_the_middle, .wrecks = true),
	CALL(mmap_file_over_all, .wrecks = true),
	CALL(mmap_neighbour),
	CALL(munmap_middle, .wrecks = true),
	CALL(munmap_edge, .wrecks = true),
	CALL(munmap_shared_middle, .wrecks = true),
	CALL(munmap_across_areas, .wrecks = true),
};

TEST(fail, map_and_unmap)
{
	try_calls(map_calls, COUNT_OF(map_calls));
}

/* --- mprotect, mremap, brk --- */

#define PROTECT_CALL(n, at, pages)                                      \
	static long n(void)                                             \
	{                                                               \
		return mprotect((void *)(at), (pages)*PAGE, PROT_READ); \
	}
#define REMAP_CALL(n, at, from, to, flags, where)                                               \
	static long n(void)                                                                     \
	{                                                                                       \
		void *p = mremap((void *)(at), (from)*PAGE, (to)*PAGE, flags, (void *)(where)); \
                                                                                                \
		return p == MAP_FAILED ? -1 : 0;                                                \
	}
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

PROTECT_CALL(mprotect_middle, PRIVATE + 8 * PAGE, 4)
PROTECT_CALL(mprotect_all, PRIVATE, PRIVATE_PAGES)
PROTECT_CALL(mprotect_shared, SHARED + PAGE, 2)
PROTECT_CALL(mprotect_file, FILE_PRIVATE + PAGE, 2)
REMAP_CALL(mremap_grow, PRIVATE, PRIVATE_PAGES, PRIVATE_PAGES + 8, 0, 0)
REMAP_CALL(mremap_shrink, PRIVATE, PRIVATE_PAGES, PRIVATE_PAGES / 2, 0, 0)
REMAP_CALL(mremap_move, PRIVATE, PRIVATE_PAGES, PRIVATE_PAGES * 2, MOVE, ELSEWHERE)
REMAP_CALL(mremap_move_middle, PRIVATE + 8 * PAGE, 8, 8, MOVE, ELSEWHERE + 5 * PAGE)
REMAP_CALL(mremap_over_another, PRIVATE, 8, 8, MOVE, FILE_PRIVATE + 2 * PAGE)
REMAP_CALL(mremap_dontunmap, PRIVATE, PRIVATE_PAGES, PRIVATE_PAGES, MOVE | MREMAP_DONTUNMAP,
	   ELSEWHERE)
REMAP_CALL(mremap_shared, SHARED, OBJECT_PAGES, OBJECT_PAGES, MOVE, ELSEWHERE)
REMAP_CALL(mremap_double, SHARED, 0, OBJECT_PAGES, MOVE, ELSEWHERE)

static long brk_grow(void)
{
	return sbrk(64 * PAGE) == (void *)-1 ? -1 : 0;
}

static long brk_shrink(void)
{
	return sbrk(-2 * (long)PAGE) == (void *)-1 ? -1 : 0;
}

static const struct call change_calls[] = {
	CALL(mprotect_middle),
	CALL(mprotect_all),
	CALL(mprotect_shared),
	CALL(mprotect_file),
	CALL(mremap_grow),
	CALL(mremap_shrink),
	CALL(mremap_move, .wrecks = true),
	CALL(mremap_move_middle, .wrecks = true),
	CALL(mremap_over_another, .wrecks = true, .clears = true),
	CALL(mremap_dontunmap, .wrecks = true),
	CALL(mremap_shared, .wrecks = true),
	CALL(mremap_double),
	CALL(brk_grow),
	CALL(brk_shrink),
};

TEST(fail, protect_and_move)
{
	CHECK(sbrk(16 * PAGE) != (void *)-1);
	try_calls(change_calls, COUNT_OF(change_calls));
}

/* --- advice, locking, syncing --- */

#define ADVICE(n, at, pages, advice)                                \
	static long n(void)                                         \
	{                                                           \
		return madvise((void *)(at), (pages)*PAGE, advice); \
	}
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
ADVICE(madvise_dontneed, PRIVATE + 4 * PAGE, 8, MADV_DONTNEED)
ADVICE(madvise_dontneed_file, FILE_PRIVATE + 2 * PAGE, 8, MADV_DONTNEED)
ADVICE(madvise_free, PRIVATE + 4 * PAGE, 8, MADV_FREE)
ADVICE(madvise_dontfork, PRIVATE + 4 * PAGE, 8, MADV_DONTFORK)
ADVICE(madvise_wipeonfork, PRIVATE + 4 * PAGE, 8, MADV_WIPEONFORK)
ADVICE(madvise_sequential, PRIVATE + 4 * PAGE, 8, MADV_SEQUENTIAL)
ADVICE(madvise_willneed, FILE_PRIVATE, OBJECT_PAGES, MADV_WILLNEED)
ADVICE(madvise_populate_read, PRIVATE + 30 * PAGE, 8, MADV_POPULATE_READ)
ADVICE(madvise_populate_write, PRIVATE + 30 * PAGE, 8, MADV_POPULATE_WRITE)
ADVICE(madvise_populate_file, FILE_SHARED, OBJECT_PAGES, MADV_POPULATE_WRITE)
ADVICE(madvise_cold, PRIVATE + 4 * PAGE, 8, MADV_COLD)
ADVICE(madvise_pageout, PRIVATE + 4 * PAGE, 8, MADV_PAGEOUT)

static long mlock_middle(void)
{
	return mlock((void *)(PRIVATE + 28 * PAGE), 8 * PAGE);
}

static long mlock_file(void)
{
	return mlock((void *)(FILE_PRIVATE + 4 * PAGE), 8 * PAGE);
}

static long mlockall_future(void)
{
	return mlockall(MCL_FUTURE);
}

static long msync_file(void)
{
	return msync((void *)FILE_SHARED, OBJECT_PAGES * PAGE, MS_SYNC);
}

static long mincore_all(void)
{
	unsigned char vec[PRIVATE_PAGES];

	return mincore((void *)PRIVATE, PRIVATE_PAGES * PAGE, vec);
}

static const struct call advice_calls[] = {
	CALL(madvise_dontneed, .wrecks = true, .error = EAGAIN),
	CALL(madvise_dontneed_file, .wrecks = true, .error = EAGAIN),
	CALL(madvise_free, .wrecks = true, .error = EAGAIN),
	CALL(madvise_dontfork, .error = EAGAIN),
	CALL(madvise_wipeonfork, .error = EAGAIN),
	CALL(madvise_sequential, .error = EAGAIN),
	CALL(madvise_willneed, .error = EAGAIN),
	CALL(madvise_populate_read),
	CALL(madvise_populate_write),
	CALL(madvise_populate_file),
	CALL(madvise_cold, .error = EAGAIN),
	CALL(madvise_pageout, .error = EAGAIN),
	CALL(mlock_middle, .error = EAGAIN),
	CALL(mlock_file, .error = EAGAIN),
	CALL(mlockall_future),
	CALL(msync_file),
	CALL(mincore_all, .error = EAGAIN),
};

TEST(fail, advise_and_lock)
{
	try_calls(advice_calls, COUNT_OF(advice_calls));
}

/* --- faults and the kernel's own access: a fault cannot fail, so it does not --- */

static long write_faults(void)
{
	for (size_t i = 0; i < PRIVATE_PAGES; i++)
		((volatile uint8_t *)PRIVATE)[i * PAGE + 100] = 7;
	for (size_t i = 0; i < PRIVATE_PAGES; i++)
		CHECK_EQ(((volatile uint8_t *)PRIVATE)[i * PAGE + 100], 7);
	return 0;
}

static long write_faults_of_file(void)
{
	for (size_t i = OBJECT_PAGES / 2; i < OBJECT_PAGES; i++) {
		volatile uint8_t *p = (uint8_t *)(FILE_PRIVATE + i * PAGE);

		p[100] = 77;
		CHECK(p[99] == i + 1 && p[100] == 77);
	}
	return 0;
}

static long write_faults_of_shared_file(void)
{
	for (size_t i = 0; i < OBJECT_PAGES; i++) {
		volatile uint8_t *p = (uint8_t *)(FILE_SHARED + i * PAGE);

		p[100] = i + 1;
	}
	return 0;
}

static long read_faults(void)
{
	CHECK(all_bytes((void *)(PRIVATE + PRIVATE_PAGES / 2 * PAGE), PRIVATE_PAGES / 2 * PAGE, 0));
	for (size_t i = OBJECT_PAGES / 2; i < OBJECT_PAGES; i++)
		CHECK(all_bytes((void *)(FILE_PRIVATE + i * PAGE), PAGE, i + 1));
	for (size_t i = 0; i < OBJECT_PAGES; i++)
		CHECK(all_bytes((void *)(FILE_SHARED + i * PAGE), PAGE, i + 1));
	return 0;
}

static __attribute__((noinline)) long deep(int n)
{
	volatile char room[8 * PAGE];

	room[0] = n;
	return n ? deep(n - 1) + room[0] - n : 0;
}

static long stack_growth(void)
{
	return deep(20);
}

static long read_into_fresh_memory(void)
{
	char *to = (char *)(PRIVATE + (PRIVATE_PAGES - 8) * PAGE);
	ssize_t n = pread(file_fd, to, 8 * PAGE, 0);

	for (size_t i = 0; n > 0 && i < (size_t)n / PAGE; i++)
		CHECK(all_bytes(to + i * PAGE, PAGE, i + 1));
	return n;
}

static long read_into_shared_memory(void)
{
	return pread(file_fd, (void *)(PRIVATE + 100), 9 * PAGE, 0);
}

static long write_to_a_file(void)
{
	static char bytes[PAGE];

	memset(bytes, 3, sizeof(bytes));
	return pwrite(file_fd, bytes, sizeof(bytes), 2 * PAGE);
}

static long write_through_proc_mem(void)
{
	int fd = open("/proc/self/mem", O_RDWR), error;
	long r;

	if (fd < 0)
		return -1;
	r = pwrite(fd, "bytes", 5, PRIVATE + 4 * PAGE - 2);
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static long vm_write(void)
{
	char bytes[64] = "bytes";
	struct iovec from = { bytes, sizeof(bytes) };
	struct iovec to = { (void *)(PRIVATE + 4 * PAGE - 2), sizeof(bytes) };

	return process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

static long vm_read(void)
{
	char bytes[64];
	struct iovec to = { bytes, sizeof(bytes) };
	struct iovec from = { (void *)(PRIVATE + (PRIVATE_PAGES - 2) * PAGE - 2), sizeof(bytes) };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static const struct call fault_calls[] = {
	CALL(write_faults, .wrecks = true),
	CALL(write_faults_of_file, .wrecks = true),
	CALL(write_faults_of_shared_file),
	CALL(read_faults),
	CALL(stack_growth),
	CALL(read_into_fresh_memory),
	CALL(read_into_shared_memory, .wrecks = true),
	CALL(write_to_a_file),
	CALL(write_through_proc_mem, .wrecks = true),
	CALL(vm_write, .wrecks = true),
	CALL(vm_read),
};

TEST(fail, faults)
{
	try_calls(fault_calls, COUNT_OF(fault_calls));
}

/* --- processes --- */

static long wait_for(pid_t pid)
{
	if (pid > 0)
		child_expect(pid, 0);
	return pid;
}

static long fork_and_wait(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		bool same = filled((void *)PRIVATE, PRIVATE_PAGES / 2, 1);

		_exit(!same || !all_bytes((void *)(SPECIAL + 4 * PAGE), 3 * PAGE, 0));
	}
	return wait_for(pid);
}

static long vfork_and_wait(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return wait_for(pid);
}

static long clone_with_pidfd(void)
{
	int fd = -1;
	long pid = raw_syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, (long)&fd, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	if (pid < 0) {
		errno = -pid;
		return -1;
	}
	close(fd);
	return wait_for(pid);
}

static long thread_stack[1024];
static volatile int thread_tid;

static int thread_body(void *unused)
{
	(void)unused;
	return 0;
}

static long thread_start(void)
{
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

	if (clone(thread_body, thread_stack + COUNT_OF(thread_stack), flags, NULL, &thread_tid,
		  NULL, &thread_tid) < 0)
		return -1;
	while (thread_tid)
		raw_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	return 0;
}

/* The program that exec makes says how the attempt went: what has happened is the thread's, and stays. */
HELPER(fail_exec)
{
	bool hit;

	fail_fd = open("/proc/coppice/fail", O_RDWR);
	hit = fail_fd >= 0 && fail_happened();
	return hit ? HIT : NOT_REACHED;
}

static long exec_helper(void)
{
	char *argv[] = { "helper-fail_exec", "an argument", NULL },
	     *envp[] = { "A=variable", NULL };

	execve("helper-fail_exec", argv, envp);
	return -1;
}

static long exec_what_may_not_be(void)
{
	char *argv[] = { "x", NULL };

	execve("file", argv, argv);
	return errno == EACCES ? 0 : -1;
}

static const struct call process_calls[] = {
	CALL(fork_and_wait),
	CALL(vfork_and_wait),
	CALL(clone_with_pidfd),
	CALL(thread_start),
	CALL(exec_helper, .kills = true),
	CALL(exec_what_may_not_be),
};

TEST(fail, processes)
{
	helper_link("fail_exec");
	try_calls(process_calls, COUNT_OF(process_calls));
}

/* --- objects and files --- */

/* Closes fd, keeping errno; r. */
static long closed(int fd, long r)
{
	int error = errno;

	close(fd);
	errno = error;
	return r;
}

static long memfd_make(void)
{
	int fd = memfd_create("fail", 0);
	long r;

	if (fd < 0)
		return -1;
	r = ftruncate(fd, 100 * PAGE);
	if (r == 0)
		r = pwrite(fd, "byte", 4, 50 * PAGE);
	return closed(fd, r);
}

static long file_resize(void)
{
	int fd = open("other", O_RDWR | O_CREAT, 0666);
	long r;

	if (fd < 0)
		return -1;
	r = ftruncate(fd, 5 * PAGE + 5);
	if (r == 0)
		r = ftruncate(fd, 5);
	if (r == 0)
		r = fallocate(fd, 0, 0, 4 * PAGE);
	if (r == 0)
		r = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE / 2, 2 * PAGE);
	return closed(fd, r);
}

static long shm_attach(void)
{
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600), error;
	void *p;

	if (id < 0)
		return -1;
	p = shmat(id, (void *)ELSEWHERE, 0);
	error = errno;
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	errno = error;
	return p == (void *)-1 ? -1 : 0;
}

static long make_and_remove(void)
{
	if (mkdir("directory", 0777) != 0)
		return -1;
	if (rmdir("directory") == 0)
		return 0;
	CHECK_EQ(errno, ENOMEM);
	CHECK(rmdir("directory") == 0);
	errno = ENOMEM;
	return -1;
}

static long pipe_bytes(void)
{
	static char bytes[3 * PAGE];
	int fd[2];
	long r;

	if (pipe(fd) != 0)
		return -1;
	r = write(fd[1], bytes, sizeof(bytes));
	if (r > 0)
		r = read(fd[0], bytes, r);
	return closed(fd[0], closed(fd[1], r));
}

static long epoll_watch(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(0), p[2];
	long r;

	if (fd < 0)
		return -1;
	if (pipe(p) != 0)
		return closed(fd, -1);
	r = epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &e);
	return closed(fd, closed(p[0], closed(p[1], r)));
}

static long proc_read(void)
{
	static char text[16384];
	static const char *const names[] = { "/proc/self/maps", "/proc/self/smaps",
					     "/proc/self/status", "/proc/meminfo" };
	long r = 0;

	for (size_t i = 0; i < COUNT_OF(names) && r >= 0; i++) {
		int fd = open(names[i], O_RDONLY);

		if (fd < 0)
			return -1;
		r = closed(fd, read(fd, text, sizeof(text)));
	}
	return r;
}

static const struct call file_calls[] = {
	CALL(memfd_make), CALL(file_resize), CALL(shm_attach), CALL(make_and_remove),
	CALL(pipe_bytes), CALL(epoll_watch), CALL(proc_read),
};

TEST(fail, files)
{
	try_calls(file_calls, COUNT_OF(file_calls));
}
