/*
 * swap.c - swapon and swapoff of what is no swap area. Real ones need a disk: tests/swap.
 */
#include "check.h"

#include <sys/swap.h>

/* With a header as mkswap(8) writes it, but in memory: so nobody swaps to it. */
static int memory_file(unsigned int pages)
{
	uint32_t version_and_last[3] = { 1, pages - 1, 0 };
	int fd = memfd_create("swap", 0);

	CHECK(fd >= 0 && ftruncate(fd, pages * PAGE) == 0);
	CHECK(pwrite(fd, version_and_last, sizeof(version_and_last), 1024) == 12);
	CHECK(pwrite(fd, "SWAPSPACE2", 10, PAGE - 10) == 10);
	return fd;
}

TEST(swap, what_is_no_swap_area_is_refused)
{
	if (!is_root())
		return;
	CHECK(dup2(memory_file(20), 100) == 100);
	close(file_make("file", 20 * PAGE));
	CHECK(mkdir("d", 0755) == 0 && symlink("loop", "loop") == 0 && mkfifo("fifo", 0600) == 0);
	TRY(swapon("file", 1 << 20));
	TRY(swapon("file", 0));
	TRY(swapon("file", SWAP_FLAG_PREFER | 7));
	TRY(swapon("/proc/self/fd/100", 0));
	TRY(swapon("missing", 0));
	TRY(swapon("missing", -1));
	TRY(swapon("", 0));
	TRY(swapon(NULL, 0));
	TRY(swapon("d", 0));
	TRY(swapon("loop", 0));
	TRY(swapon("file/x", 0));
	TRY(swapon("/dev/null", 0));
	TRY(swapon("fifo", 0));
	TRY(swapoff("file"));
	TRY(swapoff("missing"));
	TRY(swapoff(""));
	TRY(swapoff(NULL));
	TRY(swapoff("d"));
	TRY(swapoff("/dev/null"));
	TRY(swapoff("fifo"));
}

TEST(swap, only_the_administrator_may)
{
	close(file_make("file", 20 * PAGE));
	CHILD (0) {
		become_user();
		TRY(swapon("file", 0));
		TRY(swapon("missing", 0));
		TRY(swapon(NULL, 0));
		TRY(swapon("file", 1 << 20));
		TRY(swapoff("file"));
		TRY(swapoff(NULL));
	}
}
