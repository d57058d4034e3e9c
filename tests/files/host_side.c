/* host_side.c - a directory of this machine as the tree under memfs. */
#define _GNU_SOURCE
#include "side.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

int host_lookup(int directory, const char *name, struct side_attributes *out)
{
	int at = directory < 0 ? AT_FDCWD : directory, fd, data;
	struct stat s;

	fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &s)) {
		int err = errno;

		close(fd);
		return -err;
	}
	*out = (struct side_attributes){ s.st_ino,   s.st_size, s.st_blocks, s.st_mode,
					 s.st_nlink, s.st_uid,  s.st_gid };
	if (S_ISREG(s.st_mode)) {
		data = openat(at, name, O_RDONLY | O_CLOEXEC);
		if (data >= 0) {
			close(fd);
			fd = data;
		}
	}
	return fd;
}

int host_readdir(int directory, lower_emit emit, void *arg)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return -errno;
	while (!result && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			result = emit(arg, e->d_name, strlen(e->d_name), e->d_ino, e->d_type);
	closedir(d);
	return result;
}

long host_readlink(int link, char *buf, unsigned long size)
{
	long n = readlinkat(link, "", buf, size);

	return n < 0 ? -errno : n;
}

void host_read_page(int file, void *page, unsigned long offset)
{
	long n = pread(file, page, PAGE, (off_t)offset);

	if (n < 0)
		n = 0;
	memset((char *)page + n, 0, (size_t)(PAGE - n));
}

void host_close(int descriptor)
{
	close(descriptor);
}
