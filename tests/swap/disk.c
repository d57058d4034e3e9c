/*
 * disk.c - what a program finds at a block device: opening, reading and writing, the ends, the ioctls, and the calls that swap to it.
 *
 * usage: disk DEVICE, as root, on a disk of 16 MiB of zeros that nobody uses. What it prints depends on nothing else, and disk.expected is what Linux
 * 6.1 printed of a virtio disk. Nothing is left on the disk but zeros.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev/swap_header.h"

#define SIZE (16 << 20)
#define PAGE 4096

static const char *device;
static uint8_t bytes[3 * PAGE], back[3 * PAGE];

static void say_result(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, result);
	fflush(stdout);
}

#define TRY(call) say_result(#call, (long)(call))

/* An ioctl that gives a number. */
#define TRY_IOCTL(fd, request, type)                                   \
	do {                                                           \
		type value_ = 0;                                       \
		long result_ = ioctl(fd, request, &value_);            \
		say_result(#request, result_ < 0 ? -1 : (long)value_); \
	} while (0)

static int open_device(int flags)
{
	int fd = open(device, flags);

	if (fd < 0)
		exit(1);
	return fd;
}

/* --- opening --- */

static void opening(void)
{
	int fd = open_device(O_RDWR), only, other;
	struct stat st;

	puts("- opening");
	fstat(fd, &st);
	printf("mode %o, size %ld, blocks of %ld, minor %u\n", st.st_mode & S_IFMT,
	       (long)st.st_size, (long)st.st_blksize, minor(st.st_rdev));
	only = open(device, O_RDWR | O_EXCL);
	printf("exclusive beside another: %d\n", only >= 0);
	TRY(open(device, O_RDONLY | O_EXCL));
	other = open(device, O_RDWR);
	printf("any beside the exclusive: %d\n", other >= 0);
	printf("flags: %o\n", fcntl(only, F_GETFL) & (O_EXCL | O_ACCMODE));
	close(only);
	only = open(device, O_RDONLY | O_EXCL);
	printf("exclusive again: %d\n", only >= 0);
	close(only);
	close(other);
	close(fd);
	TRY(open(device, O_RDWR | O_CREAT | O_EXCL, 0600));
	TRY(open(device, O_RDONLY | O_DIRECTORY));
	TRY(mknod("/tmp/no-such-disk", S_IFBLK | 0600, makedev(253, 77)));
	TRY(open("/tmp/no-such-disk", O_RDONLY));
	unlink("/tmp/no-such-disk");
}

/* --- bytes --- */

static void pattern(uint8_t *p, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 251 + seed);
}

static void bytes_anywhere(int fd)
{
	static const struct {
		off_t at;
		size_t length;
	} pieces[] = { { 0, 512 },
		       { 1, 1 },
		       { 511, 2 },
		       { 513, 4000 },
		       { PAGE - 5, PAGE + 10 },
		       { SIZE - 3, 3 },
		       { 100000, 3 * PAGE } };

	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t n = pieces[i].length;

		pread(fd, back, PAGE, SIZE / 2); /* what was read last is something else */
		pattern(bytes, n, i);
		if (pwrite(fd, bytes, n, pieces[i].at) != (ssize_t)n ||
		    pread(fd, back, n, pieces[i].at) != (ssize_t)n || memcmp(bytes, back, n) != 0)
			printf("piece %u differs\n", i);
	}
	/* What is beside a piece is as it was: byte 510 was written by the first, 515 by the fourth. */
	pattern(bytes, 512, 0);
	TRY(pread(fd, back, 1, 510));
	printf("byte 510: %d\n", back[0] == bytes[510]);
	pattern(bytes, PAGE, 3);
	TRY(pread(fd, back, 1, 515));
	printf("byte 515: %d\n", back[0] == bytes[2]);
}

static void reading_and_writing(void)
{
	int fd = open_device(O_RDWR), reader = open_device(O_RDONLY),
	    writer = open_device(O_WRONLY);

	puts("- reading and writing");
	bytes_anywhere(fd);
	TRY(read(writer, back, 1));
	TRY(write(reader, bytes, 1));
	TRY(pread(fd, back, PAGE, SIZE));
	TRY(pread(fd, back, PAGE, SIZE + 1));
	TRY(pread(fd, back, PAGE, SIZE - 10));
	TRY(pwrite(fd, bytes, PAGE, SIZE));
	TRY(pwrite(fd, bytes, 0, SIZE));
	TRY(pwrite(fd, bytes, PAGE, SIZE - 10));
	TRY(pread(fd, NULL, 10, 0));
	TRY(pwrite(fd, NULL, 10, 0));
	TRY(pread(fd, back, 10, -1));
	TRY(fsync(fd));
	TRY(fdatasync(reader));
	TRY(ftruncate(fd, 0));
	close(fd);
	close(reader);
	close(writer);
}

static void positions(void)
{
	int fd = open_device(O_RDWR);

	puts("- positions");
	TRY(lseek(fd, 0, SEEK_END));
	TRY(read(fd, back, 1));
	TRY(write(fd, bytes, 1));
	TRY(lseek(fd, -4, SEEK_END));
	TRY(read(fd, back, 10));
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(lseek(fd, 1, SEEK_CUR));
	TRY(lseek(fd, SIZE + 1, SEEK_SET));
	TRY(lseek(fd, SIZE, SEEK_SET));
	TRY(lseek(fd, -1, SEEK_SET));
	TRY(lseek(fd, INT64_MAX, SEEK_END));
	TRY(lseek(fd, 0, SEEK_HOLE));
	TRY(lseek(fd, 0, 77));
	close(fd);
}

/* --- ioctls --- */

static void sizes(int fd)
{
	TRY_IOCTL(fd, BLKGETSIZE64, uint64_t);
	TRY_IOCTL(fd, BLKGETSIZE, unsigned long);
	TRY_IOCTL(fd, BLKSSZGET, int);
	TRY_IOCTL(fd, BLKPBSZGET, unsigned int);
	TRY_IOCTL(fd, BLKBSZGET, int);
	TRY_IOCTL(fd, BLKIOMIN, unsigned int);
	TRY_IOCTL(fd, BLKIOOPT, unsigned int);
	TRY_IOCTL(fd, BLKALIGNOFF, int);
	TRY_IOCTL(fd, BLKROGET, int);
	TRY_IOCTL(fd, BLKROTATIONAL, unsigned short);
	TRY_IOCTL(fd, BLKDISCARDZEROES, unsigned int);
	TRY(ioctl(fd, BLKGETSIZE64, NULL));
	TRY(ioctl(fd, CDROM_GET_CAPABILITY, 0));
	TRY(ioctl(fd, 0x12ff, 0));
}

static void settings(int fd)
{
	int size = 1024, bad = 1000, big = 8192;

	TRY(ioctl(fd, BLKBSZSET, &size));
	TRY_IOCTL(fd, BLKBSZGET, int);
	TRY(ioctl(fd, BLKBSZSET, &bad));
	TRY(ioctl(fd, BLKBSZSET, &big));
	TRY(ioctl(fd, BLKBSZSET, NULL));
	TRY(ioctl(fd, BLKBSZSET, (void *)1));
	size = PAGE;
	TRY(ioctl(fd, BLKBSZSET, &size));
	TRY(ioctl(fd, BLKFLSBUF, 0));
	if (fork() == 0) {
		if (setuid(1000))
			_exit(1);
		TRY(ioctl(fd, BLKBSZSET, &size));
		TRY(ioctl(fd, BLKFLSBUF, 0));
		TRY(open(device, O_RDONLY));
		TRY(swapon(device, 0));
		TRY(swapoff(device));
		TRY(swapon(device, 1 << 20));
		_exit(0);
	}
	wait(NULL);
}

/* The whole device becomes zeros at last. */
static void ranges(int fd)
{
	uint64_t odd[2] = { 100, 512 }, beyond[2] = { SIZE, 512 }, none[2] = { 0, 0 },
		 over[2] = { 512, UINT64_MAX - 511 }, all[2] = { 0, SIZE };
	int reader = open_device(O_RDONLY);

	TRY(ioctl(reader, BLKDISCARD, all));
	TRY(ioctl(fd, BLKDISCARD, odd));
	TRY(ioctl(fd, BLKDISCARD, beyond));
	TRY(ioctl(fd, BLKDISCARD, over));
	TRY(ioctl(fd, BLKDISCARD, (void *)1));
	TRY(ioctl(fd, BLKDISCARD, all));
	TRY(ioctl(reader, BLKZEROOUT, all));
	TRY(ioctl(fd, BLKZEROOUT, odd));
	TRY(ioctl(fd, BLKZEROOUT, beyond));
	TRY(ioctl(fd, BLKZEROOUT, none));
	TRY(ioctl(fd, BLKZEROOUT, all));
	TRY(ioctl(fd, BLKSECDISCARD, all));
	memset(bytes, 0, sizeof(bytes));
	TRY(pread(fd, back, sizeof(back), 100000));
	printf("zeros: %d\n", memcmp(bytes, back, sizeof(back)) == 0);
	close(reader);
}

static void ioctls(void)
{
	int fd = open_device(O_RDWR);

	puts("- ioctls");
	sizes(fd);
	settings(fd);
	ranges(fd);
	close(fd);
}

/* --- swapping to it --- */

static void header_write(int fd, uint32_t last_page, const char *signature)
{
	static struct swap_header header;

	memset(&header, 0, sizeof(header));
	header.version = SWAP_VERSION;
	header.last_page = last_page;
	memcpy(header.signature, signature, SWAP_SIGNATURE_LENGTH);
	if (pwrite(fd, &header, sizeof(header), 0) != sizeof(header))
		exit(1);
	fsync(fd);
}

static void names(void)
{
	int fd = open("/tmp/swap-file", O_RDWR | O_CREAT, 0600);

	TRY(swapon(device, 1 << 20));
	TRY(swapon(NULL, 0));
	TRY(swapon("", 0));
	TRY(swapon("/no/such/file", 0));
	TRY(swapon("/tmp", 0));
	TRY(swapon("/dev/null", 0));
	header_write(fd, 99, SWAP_SIGNATURE);
	TRY(ftruncate(fd, 100 * PAGE));
	TRY(swapon("/tmp/swap-file", 0));
	TRY(swapoff("/tmp/swap-file"));
	TRY(swapoff(NULL));
	TRY(swapoff("/no/such/file"));
	TRY(swapoff("/dev/null"));
	TRY(swapoff(device));
	close(fd);
	unlink("/tmp/swap-file");
}

static void headers(int fd)
{
	const uint32_t last = SIZE / PAGE - 1;

	TRY(swapon(device, 0));
	header_write(fd, last, "SWAPSPACE1");
	TRY(swapon(device, 0));
	header_write(fd, last + 1, SWAP_SIGNATURE);
	TRY(swapon(device, 0));
	header_write(fd, 0, SWAP_SIGNATURE);
	TRY(swapon(device, 0));
	header_write(fd, last, SWAP_SIGNATURE);
}

static void say_swap(void)
{
	struct sysinfo info;
	FILE *swaps = fopen("/proc/swaps", "r");
	char line[256], name[200], type[20];
	long size, used;
	int priority;

	sysinfo(&info);
	printf("total %ld KiB\n", (long)(info.totalswap * info.mem_unit >> 10));
	while (fgets(line, sizeof(line), swaps))
		if (sscanf(line, "%199s %19s %ld %ld %d", name, type, &size, &used, &priority) == 5)
			printf("%d %s %ld %d, the type in column %d\n", strcmp(name, device) == 0,
			       type, size, priority, (int)(strstr(line, type) - line));
	fclose(swaps);
}

static void swapping(void)
{
	int fd = open_device(O_RDWR), only;

	puts("- swapping");
	names();
	headers(fd);
	only = open(device, O_RDONLY | O_EXCL);
	TRY(swapon(device, 0));
	close(only);
	TRY(swapon(device, 0));
	say_swap();
	TRY(swapon(device, 0));
	TRY(open(device, O_RDONLY | O_EXCL));
	TRY(pwrite(fd, bytes, PAGE, 0));
	TRY(pread(fd, back, 1, 0));
	TRY(swapoff(device));
	TRY(swapoff(device));
	say_swap();
	TRY(swapon(device, SWAP_FLAG_PREFER | 42));
	say_swap();
	TRY(swapoff(device));
	TRY(swapon(device, SWAP_FLAG_DISCARD));
	TRY(swapoff(device));
	memset(bytes, 0, PAGE);
	TRY(pwrite(fd, bytes, PAGE, 0));
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	device = argv[1];
	opening();
	reading_and_writing();
	positions();
	ioctls();
	swapping();
	return 0;
}
