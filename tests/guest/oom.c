/*
 * oom.c - memory runs out, and one process is killed for it.
 *
 * Central rule: the one with the most memory dies of SIGKILL, within its own fault, and all it had comes back (main.c looks); everyone else goes
 * on and finds its bytes. These tests take all memory of the machine that they run on, so on Linux they do nothing. tests/run gives them 128 MiB,
 * two CPUs and no swap.
 */
#include "check.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

#define MIB (1ul << 20)
#define MEMORY (128 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define KILLED (-SIGKILL)

static uint8_t *map_much(size_t size)
{
	uint8_t *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void touch(uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		p[i] = 1 + i / PAGE % 251;
}

static bool touched(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		if (p[i] != 1 + i / PAGE % 251)
			return false;
	return true;
}

static void score_adjust(int adjust)
{
	char text[16];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);
	int n = snprintf(text, sizeof(text), "%d", adjust);

	CHECK(fd >= 0 && write(fd, text, n) == n);
	close(fd);
}

static _Noreturn void hog(void)
{
	touch(map_much(2 * MEMORY), 2 * MEMORY);
	_exit(1);
}

/* With an argument: in 2 MiB pages, which is quicker. */
HELPER(hog)
{
	uint8_t *p = map_much(2 * MEMORY);

	if (argc > 1)
		madvise(p, 2 * MEMORY, MADV_HUGEPAGE);
	touch(p, 2 * MEMORY);
	return 1;
}

/* --- one hog --- */

/* A process beside, which does what needs memory again and again; the shell does too: it forks. */
TEST(oom, a_hundred_hogs_beside_a_shell)
{
	struct gate stop;
	int status;

	if (!on_coppice())
		return;
	stop = gate_make();
	helper_link("hog");
	pid_t beside = child_fork();
	if (beside == 0) {
		uint8_t *p = map_much(2 * MIB);

		fcntl(stop.fd[0], F_SETFL, O_NONBLOCK);
		for (char c; read(stop.fd[0], &c, 1) != 1;) {
			touch(p, 2 * MIB);
			CHECK(touched(p, 2 * MIB));
			CHECK(madvise(p, 2 * MIB, MADV_DONTNEED) == 0);
			usleep(50000);
		}
		_exit(0);
	}
	status = system("i=0; while [ $i -lt 8 ]; do ./helper-hog; [ $? = 137 ] || exit 1;"
			" i=$((i+1)); done 2>/dev/null;"
			"while [ $i -lt 100 ]; do ./helper-hog huge; [ $? = 137 ] || exit 2;"
			" i=$((i+1)); done 2>/dev/null");
	CHECK_EQ(status, 0);
	gate_open(&stop);
	child_expect(beside, 0);
	gate_close(&stop);
}

/* The kernel copies to memory that is not there, and holds a file's lock meanwhile. */
TEST(oom, a_hog_in_read)
{
	if (!on_coppice())
		return;
	CHILD (KILLED) {
		int fd = open("/dev/zero", O_RDONLY);

		read(fd, map_much(2 * MEMORY), 2 * MEMORY);
	}
	int fd = file_make("file", MIB);
	CHILD (KILLED) {
		for (uint8_t *p = map_much(2 * MEMORY);; p += MIB)
			CHECK_EQ(pread(fd, p, MIB, 0), MIB);
	}
}

/* Page tables alone: the zero page, once in each 2 MiB. */
TEST(oom, a_hog_of_page_tables)
{
	if (!on_coppice())
		return;
	CHILD (KILLED) {
		volatile uint8_t *p = map_much(128ul << 30);

		madvise((void *)p, 128ul << 30, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < 128ul << 30; i += 2 * MIB)
			CHECK_EQ(p[i + PAGE], 0);
	}
}

TEST(oom, a_hog_that_locks_its_memory)
{
	if (!on_coppice() || !is_root())
		return;
	CHILD (KILLED) {
		mmap(NULL, 2 * MEMORY, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_LOCKED,
		     -1, 0);
	}
	CHILD (KILLED) {
		mlock(map_much(2 * MEMORY), 2 * MEMORY);
	}
	CHILD (KILLED) {
		madvise(map_much(2 * MEMORY), 2 * MEMORY, MADV_POPULATE_WRITE);
	}
}

static long thread_stacks[4][2048];

static int thread_hog(void *unused)
{
	(void)unused;
	hog();
}

/* All threads fault at the same time; and a process that shares the space dies with it. */
TEST(oom, hogs_that_share_a_space)
{
	int status;

	if (!on_coppice())
		return;
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHILD (KILLED) {
		for (int i = 0; i < 3; i++)
			CHECK(clone(thread_hog, thread_stacks[i + 1],
				    CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, NULL) > 0);
		hog();
	}
	CHILD (KILLED) {
		pid_t pid = raw_syscall(SYS_clone, CLONE_VM | SIGCHLD, (long)thread_stacks[1], 0, 0,
					0, 0);

		if (pid == 0)
			for (;;)
				raw_syscall(SYS_pause, 0, 0, 0, 0, 0, 0);
		hog();
	}
	CHECK(wait(&status) > 0); /* the orphan that shared its space */
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(wait(&status) < 0);
}

/*
 * The victim waits for a lock of the pipe, which is held by who waits for the victim's memory: that
 * is taken from it before it can die.
 */
TEST(oom, a_victim_that_waits_for_its_waiter)
{
	static char bytes[65536];
	pid_t feeder, victim, reader;
	struct gate ready;
	int fd[2];

	if (!on_coppice())
		return;
	ready = gate_make();
	CHECK(pipe(fd) == 0);
	feeder = child_fork();
	if (feeder == 0) {
		for (;;)
			write(fd[1], bytes, sizeof(bytes));
	}
	victim = child_fork();
	if (victim == 0) {
		char path[64];
		int again;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[0]);
		again = open(path, O_RDONLY | O_NONBLOCK); /* waits for the lock alone */
		CHECK(again >= 0);
		touch(map_much(90 * MIB), 90 * MIB);
		gate_open(&ready);
		for (;;)
			if (usleep(1000) == 0)
				read(again, bytes, 100);
	}
	gate_wait(&ready);
	reader = child_fork();
	if (reader == 0) {
		uint8_t *p = map_much(60 * MIB);

		for (ssize_t done = 0, n; done < (ssize_t)(60 * MIB); done += n)
			CHECK((n = read(fd[0], p + done, 60 * MIB - done)) > 0);
		_exit(0);
	}
	child_expect(victim, KILLED);
	child_expect(reader, 0);
	CHECK(kill(feeder, SIGKILL) == 0);
	child_expect(feeder, KILLED);
	gate_close(&ready);
}

/* --- who is chosen --- */

/* 40 MiB die for a growing 80, because these count 500 thousandths of all memory less. */
TEST(oom, a_favoured_hog_outlives_a_smaller_process)
{
	struct gate ready;

	if (!on_coppice() || !is_root())
		return;
	ready = gate_make();
	pid_t victim = child_fork();
	if (victim == 0) {
		touch(map_much(40 * MIB), 40 * MIB);
		gate_open(&ready);
		pause();
		_exit(1);
	}
	gate_wait(&ready);
	pid_t favoured = child_fork();
	if (favoured == 0) {
		uint8_t *p = map_much(95 * MIB);

		score_adjust(-500);
		touch(p, 95 * MIB);
		_exit(!touched(p, 95 * MIB));
	}
	child_expect(victim, KILLED);
	child_expect(favoured, 0);
	gate_close(&ready);
}

/* A writer that un-shares its parent's memory page by page dies; the parent's bytes stay. */
TEST(oom, a_child_that_un_shares)
{
	uint8_t *p;

	if (!on_coppice())
		return;
	p = map_much(70 * MIB);
	touch(p, 70 * MIB);
	for (int i = 0; i < 3; i++) {
		CHILD (KILLED) {
			score_adjust(100);
			memset(p, 0xff, 70 * MIB);
		}
		CHECK(touched(p, 70 * MIB));
	}
}

/* More children than there is memory for: some die, the others and the parent do not notice. */
TEST(oom, many_children)
{
	enum { CHILDREN = 40 };
	pid_t pids[CHILDREN];
	struct gate go;
	int killed = 0;

	if (!on_coppice())
		return;
	go = gate_make();
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			uint8_t *p = map_much(5 * MIB);
			char c;

			touch(p, 5 * MIB);
			close(go.fd[1]);
			read(go.fd[0], &c, 1);
			_exit(!touched(p, 5 * MIB));
		}
	}
	gate_close(&go);
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		CHECK(status == 0 || status == SIGKILL);
		killed += status == SIGKILL;
	}
	CHECK(killed < CHILDREN);
}

/* --- what is not a process's memory --- */

/* A file system in memory has a limit, which comes first. */
TEST(oom, a_file_system_is_full_before_memory)
{
	static char bytes[64 * 1024];
	ssize_t n;
	int fd;

	if (!on_coppice())
		return;
	fd = open("/dev/shm/oom", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && unlink("/dev/shm/oom") == 0);
	while ((n = write(fd, bytes, sizeof(bytes))) > 0)
		;
	CHECK_EQ(errno, ENOSPC);
	CHECK(lseek(fd, 0, SEEK_CUR) > (off_t)(16 * MIB));
	close(fd);
}

/* Shared memory is nobody's, but it goes with the last who maps it. */
TEST(oom, a_hog_of_shared_memory)
{
	if (!on_coppice())
		return;
	CHILD (KILLED) {
		uint8_t *p = mmap(NULL, 2 * MEMORY, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);

		CHECK(p != MAP_FAILED);
		touch(p, 2 * MEMORY);
	}
}

/* What lies in pipes counts for nobody: who holds them is found in the end. */
TEST(oom, hogs_of_pipes)
{
	enum { HOGS = 8, PIPES = 480 };
	pid_t pids[HOGS];
	struct gate done;

	if (!on_coppice() || !is_root())
		return;
	done = gate_make();
	for (int i = 0; i < HOGS; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			static char bytes[65536];
			int fd[2];

			score_adjust(200);
			for (int k = 0; k < PIPES; k++) {
				CHECK(pipe(fd) == 0);
				for (ssize_t n = 0, r; n < (ssize_t)sizeof(bytes); n += r)
					CHECK((r = write(fd[1], bytes, sizeof(bytes) - n)) > 0);
			}
			close(done.fd[1]);
			read(done.fd[0], bytes, 1);
			_exit(0);
		}
	}
	gate_close(&done);
	for (int i = 0; i < HOGS; i++) {
		int status;

		CHECK(waitpid(pids[i], &status, 0) == pids[i]);
		CHECK(status == 0 || status == SIGKILL);
	}
}

/* --- calls that need memory while there is none --- */

/* fork, exec, pipes and files work on beside a hog that is killed again and again. */
TEST(oom, calls_beside_a_hog)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	pid_t hogs;

	if (!on_coppice())
		return;
	hogs = child_fork();
	if (hogs == 0) {
		for (int i = 0; i < 8; i++)
			CHILD (KILLED) {
				score_adjust(500);
				hog();
			}
		_exit(0);
	}
	for (int i = 0, status; waitpid(hogs, &status, WNOHANG) == 0; i++) {
		int fd = open("file", O_RDWR | O_CREAT, 0600), p[2];
		void *m;

		CHECK(fd >= 0 && pwrite(fd, argv, sizeof(argv), i % 100 * PAGE) == sizeof(argv));
		CHECK(close(fd) == 0 && unlink("file") == 0);
		CHECK(pipe(p) == 0 && write(p[1], argv, sizeof(argv)) == sizeof(argv));
		CHECK(close(p[0]) == 0 && close(p[1]) == 0);
		m = map_much(MIB);
		touch(m, MIB);
		CHECK(mprotect((uint8_t *)m + 64 * PAGE, PAGE, PROT_READ) == 0);
		CHECK(munmap(m, MIB) == 0);
		CHECK_STR(exec_result("/bin/true", argv, envp), "exit 0");
	}
	CHECK(waitpid(hogs, NULL, 0) < 0);
}
