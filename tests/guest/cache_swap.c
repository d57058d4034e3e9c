/*
 * cache_swap.c - memory that several processes share, more of it than the machine has: tests/run gives this group little memory, and swap.
 */
#include "check.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#define PART_BYTES (18UL << 20)
#define PART_PAGES (PART_BYTES / PAGE)
#define KINDS 4

static const char *const kind_names[KINDS] = { "memfd", "a file of a tmpfs", "shared anonymous",
					       "System V" };

/* What page i of a kind holds: a word at its start and one in its middle. */
static uint64_t word_of(int kind, size_t i, uint64_t tag)
{
	return (i * 0x9e3779b97f4a7c15u) ^ (uint64_t)kind << 56 ^ tag;
}

static void page_set(uint64_t *page, int kind, size_t i, uint64_t tag)
{
	page[0] = word_of(kind, i, tag);
	page[300] = ~page[0];
}

static void page_check(const uint64_t *page, int kind, size_t i, uint64_t tag)
{
	if (page[0] != word_of(kind, i, tag) || page[300] != ~page[0])
		FAIL("%s: page %zu holds %llx and %llx", kind_names[kind], i,
		     (unsigned long long)page[0], (unsigned long long)page[300]);
}

static uint64_t *page_of(char *part, size_t i)
{
	return (uint64_t *)(void *)(part + i * PAGE);
}

static char *part_make(int kind, int *fd)
{
	void *p = MAP_FAILED;

	*fd = kind == 0   ? memfd_create("part", 0)
	      : kind == 1 ? open("part", O_RDWR | O_CREAT, 0600)
			  : -1;
	if (kind < 2) {
		CHECK(*fd >= 0 && ftruncate(*fd, PART_BYTES) == 0);
		p = mmap(NULL, PART_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	} else if (kind == 2) {
		p = mmap(NULL, PART_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);
	} else {
		int id = shmget(IPC_PRIVATE, PART_BYTES, IPC_CREAT | 0600);

		CHECK(id >= 0);
		p = shmat(id, NULL, 0);
		CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	}
	CHECK(p != MAP_FAILED && p != (void *)-1);
	return p;
}

TEST(pressure, shared_memory_of_all_kinds_is_as_it_was_left)
{
	char *part[KINDS];
	int fd[KINDS];

	for (int kind = 0; kind < KINDS; kind++) {
		part[kind] = part_make(kind, &fd[kind]);
		for (size_t i = 0; i < PART_PAGES; i++)
			page_set(page_of(part[kind], i), kind, i, 1);
	}
	/* Each child rewrites its quarter of all kinds and sees the rest as it is. */
	pid_t pids[4];
	for (size_t n = 0; n < 4; n++) {
		pids[n] = child_fork();
		if (pids[n])
			continue;
		for (int kind = 0; kind < KINDS; kind++)
			for (size_t i = n; i < PART_PAGES; i += 4) {
				page_check(page_of(part[kind], i), kind, i, 1);
				page_set(page_of(part[kind], i), kind, i, 2);
			}
		_exit(0);
	}
	for (size_t n = 0; n < 4; n++)
		child_expect(pids[n], 0);
	for (int kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < PART_PAGES; i++)
			page_check(page_of(part[kind], i), kind, i, 2);
	say("all there\n");

	/* By read(2) and write(2), and cut. */
	static uint64_t page[PAGE / 8];
	for (int kind = 0; kind < 2; kind++) {
		CHECK(munmap(part[kind], PART_BYTES) == 0);
		for (size_t i = 0; i < PART_PAGES; i += 7) {
			CHECK_EQ(pread(fd[kind], page, PAGE, (off_t)(i * PAGE)), PAGE);
			page_check(page, kind, i, 2);
			page_set(page, kind, i, 3);
			CHECK_EQ(pwrite(fd[kind], page, PAGE, (off_t)(i * PAGE)), PAGE);
		}
		CHECK(fallocate(fd[kind], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				PART_BYTES / 4, PART_BYTES / 4) == 0);
		CHECK(ftruncate(fd[kind], PART_BYTES / 4 * 3) == 0);
		struct stat st;
		CHECK(fstat(fd[kind], &st) == 0);
		CHECK_EQ(st.st_blocks, PART_BYTES / 2 / 512);
		CHECK_EQ(lseek(fd[kind], 0, SEEK_HOLE), PART_BYTES / 4);
		CHECK_EQ(lseek(fd[kind], PART_BYTES / 4, SEEK_DATA), PART_BYTES / 2);
		for (size_t i = 0; i < PART_PAGES / 4 * 3; i++) {
			CHECK_EQ(pread(fd[kind], page, PAGE, (off_t)(i * PAGE)), PAGE);
			if (i < PART_PAGES / 4 || i >= PART_PAGES / 2)
				page_check(page, kind, i, i % 7 ? 2 : 3);
			else
				CHECK(all_bytes(page, PAGE, 0));
		}
	}
}

/* More of a file is stored to through a mapping, and written, than there is memory: it has to go to the host, and come back. */
TEST(pressure, a_file_larger_than_memory_is_stored_and_read_back)
{
	const size_t pages = (70UL << 20) / PAGE;
	const char *folder = getenv("RWDIR");
	char name[400];

	snprintf(name, sizeof(name), "%s/large", folder ? folder : ".");
	int fd = open(name, O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)(pages * PAGE)) == 0);
	char *all = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(all != MAP_FAILED);
	CHILD (0) {
		for (size_t i = 0; i < pages; i += 2)
			page_set(page_of(all, i), 7, i, 1);
	}
	static uint64_t page[PAGE / 8];
	for (size_t i = 1; i < pages; i += 2) {
		page_set(page, 7, i, 1);
		CHECK_EQ(pwrite(fd, page, PAGE, (off_t)(i * PAGE)), PAGE);
	}
	for (size_t i = 0; i < pages; i++) {
		uint64_t *p = page_of(all, i);

		if (p[0] != word_of(7, i, 1) || p[300] != ~p[0])
			FAIL("page %zu holds %llx", i, (unsigned long long)p[0]);
		if (i % 5 == 0)
			page_set(p, 7, i, 2);
	}
	CHECK(munmap(all, pages * PAGE) == 0);
	CHECK(fsync(fd) == 0);
}
