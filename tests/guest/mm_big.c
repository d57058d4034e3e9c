/*
 * mm_big.c - many processes and much memory.
 *
 * Central rule: what is used up comes back. Exhausting memory is tried on Coppice alone, since on Linux it would be the memory of whoever runs the test. Next: proc_wait.c.
 */
#include "check.h"

#include <sys/resource.h>

TEST(big, two_thousand_live_processes_each_with_its_own_page)
{
	enum { N = 2000 };
	struct gate ready = gate_make(), done = gate_make();
	static pid_t pids[N];
	uint8_t *p = map_anon(N);

	fill(p, N, 0x10);
	for (int i = 0; i < N; i++) {
		pids[i] = child_fork();
		if (pids[i] == 0) {
			fill(p + i * PAGE, 1, 0x100000 + i);
			gate_open(&ready);
			gate_wait(&done);
			CHECK(filled(p + i * PAGE, 1, 0x100000 + i));
			CHECK(filled(p + (i + 1) % N * PAGE, 1, 0x10 + (i + 1) % N));
			_exit(i % 100);
		}
	}
	for (int i = 0; i < N; i++)
		gate_wait(&ready);
	CHECK(filled(p, N, 0x10));
	for (int i = 0; i < N; i++)
		gate_open(&done);
	for (int i = 0; i < N; i++)
		child_expect(pids[i], i % 100);
	CHECK(filled(p, N, 0x10));
}

static void chain(uint8_t *p, int depth)
{
	if (depth == 200)
		return;
	CHILD (0) {
		fill(p + depth % 64 * PAGE, 1, 0x1000 + depth);
		chain(p, depth + 1);
		CHECK(filled(p + depth % 64 * PAGE, 1, 0x1000 + depth));
	}
}

TEST(big, a_chain_of_200_generations)
{
	uint8_t *p = map_anon(64);

	fill(p, 64, 0);
	chain(p, 0);
	CHECK(filled(p, 64, 0));
}

TEST(big, a_thousand_forks_in_turn)
{
	uint8_t *p = map_anon(256);

	fill(p, 256, 0);
	for (int i = 0; i < 1000; i++)
		CHILD (0)
			p[i % 256 * PAGE]++;
	CHECK(filled(p, 256, 0));
}

TEST(big, a_256_mib_heap_forks_and_leaves)
{
	const size_t pages = (256UL << 20) / PAGE;
	uint8_t *p = map_anon(pages);

	fill(p, pages, 7);
	for (int i = 0; i < 10; i++)
		CHILD (0)
			fill(p + i * 6000 * PAGE, 100, 99);
	CHECK(filled(p, pages, 7));
}

/* Takes memory until there is none. */
static void memory_exhaust(void)
{
	for (;;) {
		uint8_t *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(errno == ENOMEM ? 0 : 1);
		for (size_t i = 0; i < (1 << 20); i += PAGE)
			p[i] = 1;
	}
}

TEST(big, out_of_memory_takes_one_process_and_the_rest_live)
{
	if (!on_coppice())
		return;
	struct gate go = gate_make();
	pid_t bystander = child_fork();
	if (bystander == 0) {
		gate_wait(&go);
		uint8_t *p = map_anon(16);
		fill(p, 16, 1);
		CHECK(filled(p, 16, 1));
		_exit(0);
	}
	for (int i = 0; i < 3; i++) {
		int status;
		pid_t pid = child_fork();

		if (pid == 0)
			memory_exhaust();
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
		      (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	}
	gate_open(&go);
	child_expect(bystander, 0);
}

TEST(big, a_full_tmpfs_gives_enospc)
{
	if (!on_coppice())
		return;
	static char block[1 << 20];
	int fd = open("full", O_RDWR | O_CREAT, 0644);
	ssize_t n;

	memset(block, 1, sizeof(block));
	for (int i = 0; i < 65536; i++) {
		n = write(fd, block, sizeof(block));
		if (n != sizeof(block))
			break;
	}
	if (n > 0) /* a part of it still went in */
		n = write(fd, block, sizeof(block));
	CHECK(n == -1 && errno == ENOSPC);
	close(fd);
	CHECK(unlink("full") == 0);
	fd = open("again", O_RDWR | O_CREAT, 0644);
	CHECK_EQ(write(fd, block, sizeof(block)), sizeof(block));
}
