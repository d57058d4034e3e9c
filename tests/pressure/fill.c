/*
 * fill.c - more memory than there is.
 *
 *	fill MIB [swapoff DEVICE]
 *
 * Fills that much memory with a pattern, forks four children that each rewrite a random quarter of
 * the pages and verify all of them, and verifies its own. All children are alive from the start; two
 * at a time write, so that what is different at any moment is one and a half times the memory
 * filled. With `swapoff`, the device is taken away when two of the children are done, and given
 * back. Says what it has found; status 0 if every page was right.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096ul
#define CHILDREN 4
#define WRITING 2 /* at a time */
#define WORDS 4   /* of a page, that are written and verified */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t *word(char *page, int i)
{
	return (uint64_t *)(page + i * (PAGE / WORDS));
}

static void page_write(char *page, uint64_t value)
{
	for (int i = 0; i < WORDS; i++)
		*word(page, i) = mix(value * WORDS + i);
}

static int page_is(char *page, uint64_t value)
{
	for (int i = 0; i < WORDS; i++)
		if (*word(page, i) != mix(value * WORDS + i))
			return 0;
	return 1;
}

/* What the child has on a page: its own value on a quarter of them. Child -1: the parent. */
static uint64_t value_of(size_t page, int child)
{
	if (child >= 0 && mix(page * 31 + child) % 4 == 0)
		return page + (child + 1) * 1000000000ull;
	return page;
}

static size_t wrong_pages(char *memory, size_t pages, int child)
{
	size_t wrong = 0;

	for (size_t i = 0; i < pages; i++)
		wrong += !page_is(memory + i * PAGE, value_of(i, child));
	return wrong;
}

static void turn_pass(const int turns[2])
{
	if (write(turns[1], "", 1) != 1)
		exit(2);
}

static void turn_take(const int turns[2])
{
	char c;

	if (read(turns[0], &c, 1) != 1)
		exit(2);
}

static void child_run(char *memory, size_t pages, int child, const int turns[2])
{
	turn_take(turns);
	for (size_t i = 0; i < pages; i++)
		if (value_of(i, child) != i)
			page_write(memory + i * PAGE, value_of(i, child));
	size_t wrong = wrong_pages(memory, pages, child);
	munmap(memory, pages * PAGE);
	turn_pass(turns);
	_exit(wrong ? 1 : 0);
}

static void device_off_and_on(const char *device)
{
	if (swapoff(device))
		printf("swapoff: %s\n", strerror(errno));
	else
		printf("swapoff\n");
	if (swapon(device, 0) && errno != EBUSY)
		printf("swapon: %s\n", strerror(errno));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *device = argc > 3 && strcmp(argv[2], "swapoff") == 0 ? argv[3] : NULL;
	size_t pages = argc > 1 ? strtoul(argv[1], NULL, 0) * (1048576 / PAGE) : 0;
	int turns[2], failed = 0, status;

	if (!pages || pipe(turns))
		return 2;
	char *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < pages; i++)
		page_write(memory + i * PAGE, i);
	for (int c = 0; c < CHILDREN; c++)
		if (fork() == 0)
			child_run(memory, pages, c, turns);
	for (int i = 0; i < WRITING; i++)
		turn_pass(turns);
	for (int done = 1; wait(&status) > 0; done++) {
		failed += status != 0;
		if (status)
			printf("child: status %#x\n", status);
		if (device && done == 2)
			device_off_and_on(device);
	}
	size_t wrong = wrong_pages(memory, pages, -1);
	printf("%d children failed, %zu of %zu pages are wrong in the parent\n", failed, wrong,
	       pages);
	return failed || wrong;
}
