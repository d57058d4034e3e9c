/*
 * mm_account.c - what is counted and limited: locked memory, peaks, and work on much memory that a
 * signal ends.
 *
 * Central rule: a limit stops what would pass it and nothing else. Next: mm_big.c.
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/uio.h>

static long locked_kib(void)
{
	char line[200];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmLck: %ld", &kib);
	fclose(f);
	return kib;
}

TEST(mm, mlock_is_counted_and_limited)
{
	struct rlimit limit = { 16 * PAGE, 16 * PAGE };
	uint8_t *p = map_anon(64);

	TRY(setrlimit(RLIMIT_MEMLOCK, &limit));
	TRY(setresuid(65534, 65534, 65534));
	CHECK_EQ(locked_kib(), 0);
	TRY(mlock(p, 16 * PAGE));
	TRY(mlock(p, 16 * PAGE)); /* again: nothing more */
	CHECK_EQ(locked_kib(), 64);
	CHECK_ERRNO(mlock(p, 17 * PAGE), ENOMEM);
	CHECK_ERRNO(mlock(p + 32 * PAGE, PAGE), ENOMEM);
	TRY(munlock(p + 4 * PAGE, PAGE));
	TRY(mlock(p + 32 * PAGE, PAGE));
	CHECK_EQ(locked_kib(), 64);
	TRY(munlock(p, 64 * PAGE));
	CHECK_EQ(locked_kib(), 0);
	limit.rlim_cur = limit.rlim_max = 0;
	TRY(setrlimit(RLIMIT_MEMLOCK, &limit));
	CHECK_ERRNO(mlock(p, PAGE), EPERM);
}

TEST(mm, the_peak_of_a_child_is_reported)
{
	enum { PAGES = 6000 };
	struct rusage usage;

	CHILD (0) {
		uint8_t *p = map_anon(PAGES);

		fill(p, PAGES, 1);
		TRY(munmap(p, PAGES * PAGE)); /* the peak stays */
	}
	TRY(getrusage(RUSAGE_CHILDREN, &usage));
	CHECK(usage.ru_maxrss >= PAGES * 4 && usage.ru_maxrss < PAGES * 8);
}

TEST(mm, address_space_limit_stops_only_what_grows)
{
	uint8_t *p = map_anon(8);
	struct rlimit limit = { PAGE, RLIM_INFINITY };

	TRY(setrlimit(RLIMIT_AS, &limit));
	TRY(mprotect(p, 8 * PAGE, PROT_READ));
	TRY(munmap(p + PAGE, PAGE));
	CHECK(mremap(p + 2 * PAGE, 6 * PAGE, PAGE, 0) == p + 2 * PAGE);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == ENOMEM);
}

/* A page at a time this would take minutes: the kill must not wait for its end. */
TEST(mm, populating_ends_when_the_process_is_killed)
{
	size_t size = 1ul << 40;
	void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct gate started = gate_make();
	pid_t pid = child_fork();
	int status;

	CHECK(p != MAP_FAILED);
	if (pid == 0) {
		gate_open(&started);
		madvise(p, size, 22 /* MADV_POPULATE_READ */);
		_exit(0);
	}
	gate_wait(&started);
	TRY(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(mm, process_vm_readv_keeps_to_permissions)
{
	uint8_t *p = map_anon(2);
	char buffer[8];
	struct iovec local = { buffer, sizeof(buffer) }, remote = { p, sizeof(buffer) };

	fill(p, 2, 1);
	CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), 8);
	TRY(mprotect(p, PAGE, PROT_NONE));
	CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	TRY(mprotect(p, PAGE, PROT_READ));
	CHECK_ERRNO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
}
