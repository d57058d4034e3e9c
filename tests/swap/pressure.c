/*
 * pressure.c - more memory than there is: what was swapped out comes back, in the parent and in its children, and also while swapping is switched off.
 *
 * usage: pressure MIB DEVICE. Fills so much memory with a pattern and forks four children at once, of which each rewrites a random quarter of it and
 * verifies all; two at a time, so that there must be room for one and a half times MIB. Meanwhile DEVICE is switched off and on again (it may say that
 * there is no room). Then an eighth is kept, DEVICE is switched off for good, and that eighth is still right. Prints nothing that differs from run to run.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define WORDS (PAGE / 8)
#define CHILDREN 4
#define AT_A_TIME 2

static uint64_t *memory;
static size_t pages;
static int tokens[2];

static uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Two words of a page are its own; that a third is zero shows that it is no other page's. */
static void page_write(size_t page, uint64_t tag)
{
	memory[page * WORDS] = mixed(page + tag);
	memory[page * WORDS + WORDS - 1] = mixed(page * 3 + tag);
}

static int page_is(size_t page, uint64_t tag)
{
	const uint64_t *p = memory + page * WORDS;

	return p[0] == mixed(page + tag) && p[WORDS - 1] == mixed(page * 3 + tag) &&
	       p[WORDS / 2] == 0;
}

/* Which quarter of the pages a child rewrites: any page, by chance, always the same ones. */
static int is_rewritten(size_t page, unsigned int child)
{
	return mixed(page * 31 + child) % 4 == 0;
}

static size_t wrong_pages(size_t end, unsigned int child)
{
	size_t wrong = 0;

	for (size_t page = 0; page < end; page++)
		wrong += !page_is(page, child && is_rewritten(page, child) ? child << 8 : 0);
	return wrong;
}

static int child_run(unsigned int child)
{
	size_t wrong;
	char token;

	if (read(tokens[0], &token, 1) != 1)
		return 2;
	for (size_t page = 0; page < pages; page++)
		if (is_rewritten(page, child))
			page_write(page, child << 8);
	wrong = wrong_pages(pages, child);
	/* Its memory is gone before the next may begin. */
	munmap(memory, pages * PAGE);
	if (write(tokens[1], &token, 1) != 1)
		return 2;
	return wrong != 0;
}

/*
 * Off, and on again. If there is no room for what is to come back, that fails, or kills who does it, who is the cause; the disk is in use again then.
 */
static void toggle(const char *device)
{
	if (swapoff(device) == 0) {
		if (swapon(device, 0))
			printf("swapon: %s\n", strerrorname_np(errno));
	} else if (errno != ENOMEM) {
		printf("swapoff: %s\n", strerrorname_np(errno));
	}
	fflush(stdout);
	_exit(0);
}

static void children(const char *device)
{
	int status, failed = 0;
	pid_t toggler, pid;

	fflush(stdout);
	for (unsigned int child = 1; child <= CHILDREN; child++)
		if (fork() == 0)
			_exit(child_run(child));
	toggler = fork();
	if (toggler == 0)
		toggle(device);
	while ((pid = wait(&status)) > 0)
		failed += status != 0 && pid != toggler;
	printf("children that failed: %d\n", failed);
}

int main(int argc, char **argv)
{
	size_t kept;

	if (argc != 3)
		return 2;
	pages = strtoul(argv[1], NULL, 10) << 20 >> 12;
	kept = pages / 8;
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (memory == MAP_FAILED || pipe(tokens) || write(tokens[1], "..", AT_A_TIME) != AT_A_TIME)
		return 2;
	for (size_t page = 0; page < pages; page++)
		page_write(page, 0);
	printf("wrong: %zu\n", wrong_pages(pages, 0));
	children(argv[2]);
	printf("wrong: %zu\n", wrong_pages(pages, 0));
	munmap(memory + kept * WORDS, (pages - kept) * PAGE);
	printf("swapoff: %d\n", swapoff(argv[2]));
	printf("wrong: %zu\n", wrong_pages(kept, 0));
	return 0;
}
