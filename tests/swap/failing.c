/*
 * failing.c - swapon and swapoff with each of their allocations failing: they fail with ENOMEM and nothing has changed, or do without.
 *
 * usage: failing DEVICE, a swap area in use, on a Coppice with all checks. Prints nothing that differs from run to run.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <unistd.h>

#define PAGE 4096UL
#define PAGES 300UL
#define TRIES_MAX 2000
#define HOG (80UL << 20)
#define HOGS_MAX 20
#define SWAPPED_KIB 100 /* of the memory that is looked at */

static const char *device;
static uint8_t *memory;
static int fail_fd;

static void fail_at(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fail_fd, text, length, 0) != length)
		exit(2);
}

static int has_failed(void)
{
	char text[4] = "";

	return pread(fail_fd, text, sizeof(text), 0) > 0 && text[0] == '1';
}

static int memory_is_right(void)
{
	for (size_t page = 0; page < PAGES; page++)
		if (memory[page * PAGE] != (uint8_t)page ||
		    memory[page * PAGE + PAGE - 1] != (uint8_t)(page * 7))
			return 0;
	return 1;
}

static long swap_line(int column)
{
	FILE *swaps = fopen("/proc/swaps", "r");
	char line[256], name[200];
	long size = 0, used = 0;

	while (fgets(line, sizeof(line), swaps))
		if (sscanf(line, "%199s partition %ld %ld", name, &size, &used) == 3)
			break;
	fclose(swaps);
	return column ? used : size;
}

static int is_free(void)
{
	int fd = open(device, O_RDONLY | O_EXCL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* What is not used goes when there is need of room: how soon depends on where the clock's hand stands. */
static void push_out(int hogs)
{
	for (int i = 0; i < hogs && swap_line(1) <= SWAPPED_KIB; i++) {
		uint8_t *hog =
			mmap(NULL, HOG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t at = 0; at < HOG; at += PAGE)
			hog[at] = 1;
		munmap(hog, HOG);
	}
}

static int on(void)
{
	return swapon(device, 0);
}

static int off(void)
{
	return swapoff(device);
}

/* Until a call has met no failure. in_use: whether the disk is to be in use after a call that failed. */
static void each_allocation(const char *what, int (*call)(void), int in_use)
{
	unsigned int n, failed = 0;

	for (n = 1; n < TRIES_MAX; n++) {
		int result, error;

		fail_at(n);
		result = call();
		error = errno;
		if (!has_failed()) {
			printf("%s: %d after %s failures\n", what, result, failed ? "some" : "no");
			break;
		}
		fail_at(0);
		failed++;
		if (result == 0) { /* it could do without that one: back to where it was */
			if ((in_use ? on : off)())
				printf("%s, %u: no way back\n", what, n);
			if (in_use)
				push_out(1);
			continue;
		}
		if (error != ENOMEM || (swap_line(0) != 0) != in_use || is_free() == in_use)
			printf("%s, %u: %s, in use: %d\n", what, n, strerrorname_np(error),
			       swap_line(0) != 0);
	}
	fail_at(0);
	printf("memory is right: %d\n", memory_is_right());
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	device = argv[1];
	fail_fd = open("/proc/coppice/fail", O_RDWR);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (fail_fd < 0 || memory == MAP_FAILED)
		return 2;
	for (size_t page = 0; page < PAGES; page++) {
		memory[page * PAGE] = (uint8_t)page;
		memory[page * PAGE + PAGE - 1] = (uint8_t)(page * 7);
	}
	push_out(HOGS_MAX);
	printf("swapped out: %d\n", swap_line(1) > SWAPPED_KIB);
	each_allocation("swapoff", off, 1);
	each_allocation("swapon", on, 0);
	return 0;
}
