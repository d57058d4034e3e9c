/*
 * swap.c - a file without a name, with the header that mkswap(8) would write.
 *
 * Central rule: nothing of it is left behind, however the command or QEMU ends; so the file never
 * has a name where the file system can do without, and a short one where not.
 */
#include "swap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "dev/swap_header.h"
#include "message.h"

#define DIRECTORY_DEFAULT "/var/tmp"

/* For file systems without O_TMPFILE. */
static int make_and_unlink(const char *directory)
{
	char *name;
	int fd;

	if (asprintf(&name, "%s/coppice-swap.XXXXXX", directory) < 0)
		fail("out of memory");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	free(name);
	return fd;
}

/* The file is sparse and takes its room later, as others may: this finds a disk that is too small. */
static void check_room(int fd, const char *directory, uint64_t size)
{
	struct statvfs fs;
	uint64_t room;

	if (fstatvfs(fd, &fs) != 0)
		fail("--swap: %s: %s", directory, strerror(errno));
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (room < size)
		fail("--swap: %s has room for %llu MiB only; give a smaller size, or set TMPDIR "
		     "to a directory with more",
		     directory, (unsigned long long)(room >> 20));
}

static void write_header(int fd, const char *directory, uint64_t pages, const uint8_t uuid[16])
{
	static struct swap_header header = { .version = SWAP_VERSION };

	header.last_page = pages - 1;
	memcpy(header.uuid, uuid, sizeof(header.uuid));
	/* A random one of RFC 4122. */
	header.uuid[6] = (header.uuid[6] & 0x0f) | 0x40;
	header.uuid[8] = (header.uuid[8] & 0x3f) | 0x80;
	memcpy(header.signature, SWAP_SIGNATURE, SWAP_SIGNATURE_LENGTH);
	if (pwrite(fd, &header, sizeof(header), 0) != sizeof(header))
		fail("--swap: cannot write in %s: %s", directory, strerror(errno));
}

int swap_file_make(uint64_t size, const uint8_t uuid[16])
{
	const char *directory = getenv("TMPDIR");
	uint64_t pages = size / SWAP_HEADER_SIZE;
	int fd;

	if (!directory || !*directory)
		directory = DIRECTORY_DEFAULT;
	fd = open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = make_and_unlink(directory);
	if (fd < 0)
		fail("--swap: cannot make a file in %s: %s; set TMPDIR to another directory",
		     directory, strerror(errno));
	check_room(fd, directory, size);
	if (ftruncate(fd, pages * SWAP_HEADER_SIZE) != 0)
		fail("--swap: %s holds no file of this size: %s", directory, strerror(errno));
	write_header(fd, directory, pages, uuid);
	return fd;
}
