/*
 * file_io.c - open, read, write, seek, truncate and their errors.
 *
 * Central rule: most of it is a list of calls whose results are printed, for Linux to say what is right. Next: file_name.c.
 */
#include "check.h"

#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif

static void say_file(const char *name)
{
	char text[256];

	file_read_text(name, text, sizeof(text));
	say("%s: \"%s\"\n", name, text);
}

TEST(file, open_flags_and_errors)
{
	char name[300];

	memset(name, 'n', 299);
	name[299] = 0;
	file_write_text("f", "text", 0644);
	CHECK(mkdir("d", 0755) == 0);
	CHECK(symlink("f", "to-f") == 0 && symlink("d", "to-d") == 0 &&
	      symlink("new", "dangling") == 0);
	CHECK(symlink("loop", "loop") == 0 && mkfifo("fifo", 0644) == 0);
	TRY_FD(open("f", O_RDONLY));
	TRY_FD(open("f", O_RDWR | O_CREAT | O_EXCL, 0644));
	TRY_FD(open("missing", O_RDONLY));
	TRY_FD(open("", O_RDONLY));
	TRY_FD(open("d", O_RDONLY));
	TRY_FD(open("d", O_WRONLY));
	TRY_FD(open("d", O_RDWR));
	TRY_FD(open("d", O_RDONLY | O_CREAT, 0644));
	TRY_FD(open("d", O_RDONLY | O_TRUNC));
	TRY_FD(open("d/", O_RDONLY));
	TRY_FD(open("f/", O_RDONLY));
	TRY_FD(open("f", O_RDONLY | O_DIRECTORY));
	TRY_FD(open("d", O_RDONLY | O_DIRECTORY));
	TRY_FD(open("new/", O_RDWR | O_CREAT, 0644));
	TRY_FD(open("f/x", O_RDONLY));
	TRY_FD(open("f/x", O_RDWR | O_CREAT, 0644));
	TRY_FD(open("missing/x", O_RDWR | O_CREAT, 0644));
	TRY_FD(open("to-f", O_RDONLY));
	TRY_FD(open("to-f", O_RDONLY | O_NOFOLLOW));
	TRY_FD(open("to-d", O_RDONLY | O_NOFOLLOW));
	TRY_FD(open("to-d", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	TRY_FD(open("to-d/", O_RDONLY | O_NOFOLLOW));
	TRY_FD(open("to-f", O_PATH | O_NOFOLLOW));
	TRY_FD(open("loop", O_RDONLY));
	TRY_FD(open("dangling", O_RDONLY));
	TRY_FD(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644));
	TRY_FD(open("dangling", O_RDWR | O_CREAT, 0644));
	TRY(access("new", F_OK));
	TRY_FD(open(name, O_RDONLY));
	TRY_FD(open(name, O_RDWR | O_CREAT, 0644));
	TRY_FD(open("fifo", O_WRONLY | O_NONBLOCK));
	TRY_FD(open("fifo", O_RDONLY | O_NONBLOCK));
	TRY_FD(openat(-1, "f", O_RDONLY));
	TRY_FD(openat(0, "f", O_RDONLY));
	TRY(close(99));
	TRY(close(-1));
	say_file("f");
}

TEST(file, a_name_of_4096_bytes_is_too_long)
{
	static char path[5000];

	for (int i = 0; i < 2047; i++)
		memcpy(path + 2 * i, "./", 2);
	strcpy(path + 4094, "f"); /* 4095 bytes and the end */
	file_write_text("f", "text", 0644);
	TRY_FD(open(path, O_RDONLY));
	strcpy(path + 4094, "./f");
	TRY_FD(open(path, O_RDONLY));
}

TEST(file, read_and_write_need_the_right_mode)
{
	char byte;

	file_write_text("f", "text", 0644);
	int r = open("f", O_RDONLY), w = open("f", O_WRONLY), p = open("f", O_PATH),
	    d = open(".", O_RDONLY);
	TRY(read(w, &byte, 1));
	TRY(write(r, "x", 1));
	TRY(read(p, &byte, 1));
	TRY(write(p, "x", 1));
	TRY(lseek(p, 0, SEEK_SET));
	TRY(fchmod(p, 0600));
	TRY(read(d, &byte, 1));
	TRY(write(d, "x", 1));
	TRY(read(99, &byte, 1));
	TRY(write(99, "x", 1));
	TRY(read(r, &byte, 0));
	TRY(write(w, "x", 0));
	TRY(fcntl(r, F_GETFL) & O_ACCMODE);
	TRY(fcntl(w, F_GETFL) & O_ACCMODE);
	TRY(ftruncate(r, 1));
	TRY(ftruncate(w, -1));
	TRY(ftruncate(d, 0));
	TRY(truncate(".", 0));
	TRY(truncate("missing", 0));
	TRY(truncate("f", -1));
	TRY(truncate("f", 2));
	say_file("f");
}

TEST(file, create_truncate_append)
{
	struct stat st;
	int fd = open("f", O_WRONLY | O_CREAT, 0666);

	CHECK_EQ(write(fd, "0123456789", 10), 10);
	CHECK(fstat(fd, &st) == 0);
	say("mode %o size %ld\n", st.st_mode, (long)st.st_size);
	close(fd);
	fd = open("f", O_WRONLY | O_APPEND);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "ab", 2), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
	CHECK_EQ(pwrite(fd, "cd", 2, 0), 2); /* Linux appends this too */
	say_file("f");
	CHILD (0) {
		int other = open("f", O_WRONLY | O_APPEND);

		CHECK_EQ(write(other, "ef", 2), 2);
	}
	CHECK_EQ(write(fd, "gh", 2), 2);
	say_file("f");
	close(fd);
	close(open("f", O_RDWR | O_TRUNC));
	say_file("f");
	CHECK(stat("f", &st) == 0 && st.st_size == 0);
	umask(077);
	fd = open("private", O_RDWR | O_CREAT, 0777);
	CHECK(fstat(fd, &st) == 0);
	say("mode %o\n", st.st_mode);
	fd = open("read-only", O_RDWR | O_CREAT,
		  0444); /* writable through the descriptor that made it */
	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(file, seek)
{
	int fd = file_make("f", 10), fds[2];
	char byte;

	CHECK(pipe(fds) == 0);
	TRY(lseek(fd, 5, SEEK_SET));
	TRY(lseek(fd, -2, SEEK_CUR));
	TRY(lseek(fd, -1, SEEK_END));
	TRY(lseek(fd, -11, SEEK_END));
	TRY(lseek(fd, -1, SEEK_SET));
	TRY(lseek(fd, 0, 99));
	TRY(lseek(fd, 100, SEEK_SET));
	TRY(read(fd, &byte, 1));
	TRY(write(fd, "x", 1));
	TRY(lseek(fd, 0, SEEK_END));
	TRY(pread(fd, &byte, 1, 50));
	CHECK_EQ(byte, 0);
	TRY(lseek(fds[0], 0, SEEK_CUR));
	TRY(pread(fds[0], &byte, 1, 0));
	TRY(pwrite(fds[1], &byte, 1, 0));
	TRY(pread(fd, &byte, 1, -1));
	TRY(pwrite(fd, &byte, 1, -1));
	TRY(lseek(99, 0, SEEK_SET));
}

TEST(file, dup_and_fork_share_the_offset)
{
	int fd = file_make("f", 100), copy = dup(fd), other = open("f", O_RDONLY);
	char bytes[10];

	CHECK_EQ(read(fd, bytes, 10), 10);
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), 10);
	CHILD (0)
		CHECK_EQ(read(fd, bytes, 7), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 17);
	CHECK_EQ(lseek(other, 0, SEEK_CUR), 0);
	CHECK_EQ(pread(fd, bytes, 10, 50), 10);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 17);
}

TEST(file, holes_read_as_zero_and_are_found)
{
	static uint8_t block[65536];
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	struct stat st;

	memset(block, 1, sizeof(block));
	CHECK_EQ(pwrite(fd, block, 65536, 0), 65536);
	CHECK_EQ(pwrite(fd, block, 65536, 1 << 20), 65536);
	CHECK(fstat(fd, &st) == 0);
	say("size %ld, less than 300 KiB of blocks: %s\n", (long)st.st_size,
	    st.st_blocks < 600 ? "yes" : "no");
	TRY(lseek(fd, 0, SEEK_DATA));
	TRY(lseek(fd, 0, SEEK_HOLE));
	TRY(lseek(fd, 100, SEEK_DATA));
	TRY(lseek(fd, 70000, SEEK_DATA));
	TRY(lseek(fd, 1 << 20, SEEK_HOLE));
	TRY(lseek(fd, 2 << 20, SEEK_DATA));
	TRY(lseek(fd, 2 << 20, SEEK_HOLE));
	TRY(lseek(fd, -1, SEEK_DATA));
	CHECK_EQ(pread(fd, block, 65536, 500000), 65536);
	CHECK(all_bytes(block, 65536, 0));
	TRY(ftruncate(fd, 100));
	TRY(ftruncate(fd, 200000));
	CHECK_EQ(pread(fd, block, 65536, 0), 65536);
	CHECK(all_bytes(block, 100, 1) && all_bytes(block + 100, 65436, 0));
	TRY(lseek(fd, 0, SEEK_END));
}

TEST(file, large_offsets)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char byte = 0;

	CHECK_EQ(pwrite(fd, "x", 1, 5L << 30), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_END), (5L << 30) + 1);
	CHECK_EQ(pread(fd, &byte, 1, 5L << 30), 1);
	CHECK_EQ(byte, 'x');
	CHECK_EQ(pread(fd, &byte, 1, 3L << 30), 1);
	CHECK_EQ(byte, 0);
	TRY(pwrite(fd, "x", 1, INT64_MAX));
	TRY(ftruncate(fd, 0));
}

TEST(file, vectors)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char a[4] = "", b[4] = "", c[4] = "";
	struct iovec out[3] = { { "one", 3 }, { "", 0 }, { "three", 5 } };
	struct iovec in[3] = { { a, 3 }, { b, 3 }, { c, 3 } }, many[1025];
	struct iovec negative[1] = { { a, -1UL } };

	TRY(writev(fd, out, 3));
	TRY(pwritev(fd, out, 3, 100));
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(readv(fd, in, 3));
	say("\"%s\" \"%s\" \"%.3s\"\n", a, b, c);
	TRY(preadv(fd, in, 2, 102));
	say("\"%s\" \"%s\"\n", a, b);
	TRY(readv(fd, in, 0));
	TRY(readv(fd, in, -1));
	for (int i = 0; i < 1025; i++)
		many[i] = (struct iovec){ a, 0 };
	TRY(readv(fd, many, 1024));
	TRY(readv(fd, many, 1025));
	TRY(readv(fd, negative, 1));
	TRY(writev(fd, negative, 1));
	TRY(preadv(fd, in, 1, -1));
	TRY(writev(99, out, 1));
}

TEST(file, fallocate)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), fds[2];
	uint8_t bytes[8192];

	CHECK(pipe(fds) == 0);
	TRY(fallocate(fd, 0, 0, 8192));
	TRY(lseek(fd, 0, SEEK_END));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 8192));
	TRY(lseek(fd, 0, SEEK_END));
	memset(bytes, 1, sizeof(bytes));
	CHECK_EQ(pwrite(fd, bytes, 8192, 0), 8192);
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 1000, 5000));
	CHECK_EQ(pread(fd, bytes, 8192, 0), 8192);
	CHECK(all_bytes(bytes, 1000, 1) && all_bytes(bytes + 1000, 5000, 0) &&
	      all_bytes(bytes + 6000, 2192, 1));
	TRY(fallocate(fd, 0, 0, 0));
	TRY(fallocate(fd, 0, -1, 10));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	TRY(fallocate(fds[1], 0, 0, 10));
	TRY(fallocate(open("f", O_RDONLY), 0, 0, 10));
}

TEST(file, sendfile_and_copy_file_range)
{
	int in = file_make("in", 10000), out = open("out", O_RDWR | O_CREAT, 0644), fds[2];
	int append = open("append", O_RDWR | O_CREAT | O_APPEND, 0644),
	    write_only = open("in", O_WRONLY);
	off_t offset = 4000;
	uint8_t bytes[10000];

	CHECK(pipe(fds) == 0);
	TRY(sendfile(fds[1], in, NULL, 100));
	TRY(lseek(in, 0, SEEK_CUR));
	TRY(sendfile(out, in, &offset, 5000));
	say("offset %ld\n", (long)offset);
	TRY(lseek(in, 0, SEEK_CUR));
	TRY(sendfile(out, in, &offset, 5000));
	TRY(sendfile(out, in, &offset, 5000));
	CHECK_EQ(pread(out, bytes, 6000, 0), 6000);
	CHECK(bytes[0] == 1 && bytes[95] == 1 && bytes[96] == 2 && bytes[5999] == 3);
	TRY(sendfile(append, in, NULL, 10));
	TRY(sendfile(out, fds[0], NULL, 10));
	TRY(sendfile(out, write_only, NULL, 10));
	off_t from = 0, to = 20000;
	TRY(copy_file_range(in, &from, out, &to, 10000, 0));
	say("from %ld to %ld\n", (long)from, (long)to);
	TRY(lseek(out, 0, SEEK_END));
	TRY(copy_file_range(in, &from, out, &to, 10000, 0));
	from = 0, to = 5000;
	TRY(copy_file_range(in, &from, in, &to, 6000, 0));
	TRY(copy_file_range(in, &from, out, &to, 10, 1));
	TRY(copy_file_range(write_only, NULL, out, NULL, 10, 0));
	TRY(copy_file_range(in, NULL, append, NULL, 10, 0));
	TRY(copy_file_range(in, NULL, memfd_create("elsewhere", 0), NULL, 10, 0));
	TRY(copy_file_range(fds[0], NULL, out, NULL, 10, 0));
	TRY(copy_file_range(in, NULL, fds[1], NULL, 10, 0));
	TRY(copy_file_range(in, NULL, open(".", O_RDONLY), NULL, 10, 0));
	TRY(copy_file_range(in, &(off_t){ -1 }, out, NULL, 10, 0));
	TRY(copy_file_range(in, &(off_t){ 1 }, out, &(off_t){ INT64_MAX - 5 }, 10, 0));
	TRY(copy_file_range(in, &(off_t){ 1 }, out, NULL, 0, 0));
}

TEST(file, sync_and_advice)
{
	int fd = file_make("f", 100), fds[2];

	CHECK(pipe(fds) == 0);
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(fsync(fds[0]));
	TRY(fsync(99));
	TRY(sync_file_range(fd, 0, 0, 0));
	TRY(sync_file_range(fd, 0, 0, 99));
	TRY(sync_file_range(fd, -1, 0, 0));
	TRY(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	TRY(posix_fadvise(fd, 0, 0, 99));
	TRY(posix_fadvise(fds[0], 0, 0, 0));
	sync();
}

TEST(file, advice_and_its_errors)
{
	int fd = file_make("f", 5 * PAGE), dir = open(".", O_RDONLY),
	    null = open("/dev/null", O_RDWR);
	int write_only = open("f", O_WRONLY), path = open("f", O_PATH), fds[2];
	uint8_t byte;

	CHECK(pipe(fds) == 0);
	for (int advice = -1; advice <= POSIX_FADV_NOREUSE + 1; advice++)
		say("%d: %s\n", advice, errno_name(posix_fadvise(fd, 0, 0, advice)));
	TRY(posix_fadvise(fd, -5, 10, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(fd, 5, -10, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(fd, INT64_MAX, 100, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(dir, 0, 0, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(null, 0, 0, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(write_only, 0, 0, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(path, 0, 0, POSIX_FADV_WILLNEED));
	TRY(posix_fadvise(99, 0, 0, POSIX_FADV_WILLNEED));
	TRY(readahead(fd, 0, 100));
	TRY(readahead(fd, 0, 0));
	TRY(readahead(fd, -1, 100));
	TRY(readahead(fd, 0, (size_t)-1));
	TRY(readahead(write_only, 0, 100));
	TRY(readahead(dir, 0, 100));
	TRY(readahead(null, 0, 100));
	TRY(readahead(fds[0], 0, 100));
	TRY(readahead(fds[1], 0, 0));
	TRY(sync_file_range(fd, 0, 0, 7));
	TRY(sync_file_range(fd, 0, 0, 8));
	TRY(sync_file_range(fd, 0, -1, 7));
	TRY(sync_file_range(fd, INT64_MAX, 10, 7));
	TRY(sync_file_range(fds[0], 0, 0, 7));
	TRY(sync_file_range(null, 0, 0, 7));
	TRY(sync_file_range(dir, 0, 0, 7));
	TRY(sync_file_range(path, 0, 0, 7));
	CHECK_EQ(pread(fd, &byte, 1, 3 * PAGE), 1);
	CHECK_EQ(byte, 4);
}

TEST(file, fallocate_modes_and_their_errors)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), dir = open(".", O_RDONLY), fds[2];
	int read_only = open("f", O_RDONLY), path = open("f", O_PATH),
	    null = open("/dev/null", O_RDWR);
	struct rlimit limit = { 10000, 10000 };

	CHECK(pipe(fds) == 0);
	TRY(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 100)); /* a tmpfs knows these two alone: */
	TRY(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1));
	TRY(fallocate(fd, 0x80, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096));
	TRY(fallocate(fd, 0, INT64_MAX, 10));
	TRY(fallocate(fd, 0, -1, 10));
	TRY(fallocate(fd, 0, 0, 0));
	TRY(fallocate(fd, 0, 0, -1));
	TRY(fallocate(dir, 0, 0, 10));
	TRY(fallocate(read_only, 0, 0, 10));
	TRY(fallocate(path, 0, 0, 10));
	TRY(fallocate(null, 0, 0, 10));
	TRY(fallocate(fds[0], 0, 0, 10));
	TRY(fallocate(fds[1], 0, 0, 10));
	TRY(posix_fallocate(fd, 0, 100));
	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	signal(SIGXFSZ, SIG_IGN);
	TRY(fallocate(fd, 0, 0, 10000));
	TRY(fallocate(fd, 0, 5000, 5001));
	TRY(fallocate(fd, FALLOC_FL_KEEP_SIZE, 5000, 50000));
	TRY(lseek(fd, 0, SEEK_END));
	CHILD (-SIGXFSZ) {
		signal(SIGXFSZ, SIG_DFL);
		fallocate(fd, 0, 0, 10001);
	}
	CHILD (-SIGXFSZ) {
		signal(SIGXFSZ, SIG_DFL);
		ftruncate(fd, 10001);
	}
}

TEST(file, rlimit_fsize)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	static char bytes[800000];

	CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	signal(SIGXFSZ, SIG_IGN);
	TRY(write(fd, bytes, 800000));
	TRY(write(fd, bytes, 800000));
	TRY(write(fd, bytes, 800000));
	TRY(ftruncate(fd, (1 << 20) + 1));
	TRY(pwrite(fd, bytes, 10, 5 << 20));
	TRY(lseek(fd, 0, SEEK_END));
	CHILD (-SIGXFSZ) {
		signal(SIGXFSZ, SIG_DFL);
		pwrite(fd, bytes, 10, 5 << 20);
	}
	int in = file_make("in", 5 * PAGE), fds[2];
	off_t at = (1 << 20) - 100;
	struct iovec parts[2] = { { bytes, 60 }, { bytes, 60 } };
	CHECK(pipe(fds) == 0 && write(fds[1], bytes, 1000) == 1000);
	TRY(pwritev(fd, parts, 2, at));
	TRY(pwritev(fd, parts, 2, at + 100));
	TRY(copy_file_range(in, NULL, fd, &at, 1000, 0));
	TRY(copy_file_range(in, NULL, fd, &at, 1000, 0));
	TRY(lseek(fd, (1 << 20) - 100, SEEK_SET));
	TRY(sendfile(fd, in, NULL, 1000));
	TRY(sendfile(fd, in, NULL, 1000));
	at = (1 << 20) - 100;
	TRY(splice(fds[0], NULL, fd, &at, 1000, 0));
	TRY(splice(fds[0], NULL, fd, &at, 1000, 0));
	TRY(lseek(fd, 0, SEEK_END));
	CHILD (-SIGXFSZ) {
		signal(SIGXFSZ, SIG_DFL);
		splice(fds[0], NULL, fd, &at, 1000, 0);
	}
	CHILD (-SIGXFSZ) {
		signal(SIGXFSZ, SIG_DFL);
		sendfile(fd, in, NULL, 1000);
	}
}

TEST(file, unlinked_files_live_while_open)
{
	int fd = file_make("f", 5000);
	struct stat st;
	char path[64], target[4096];

	TRY(unlink("f"));
	TRY(access("f", F_OK));
	CHECK(fstat(fd, &st) == 0);
	say("links %ld size %ld\n", (long)st.st_nlink, (long)st.st_size);
	CHECK_EQ(pwrite(fd, "x", 1, 6000), 1);
	CHILD (0)
		CHECK_EQ(lseek(fd, 0, SEEK_END), 6001);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	CHECK(n > 0);
	target[n] = 0;
	say("%s\n", strrchr(target, '/') + 1);
}

TEST(file, o_tmpfile)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0) { /* programs expect one of these, and go on without */
		CHECK(errno == EOPNOTSUPP || errno == EISDIR);
		return;
	}
	struct stat st;
	CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && S_ISREG(st.st_mode));
	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(file, statfs)
{
	struct statfs st, st2;
	struct statvfs v;

	CHECK(statfs(".", &st) == 0);
	CHECK(st.f_bsize == 4096 && st.f_namelen == 255 && st.f_blocks > 0 &&
	      st.f_bfree <= st.f_blocks);
	int fd = open(".", O_RDONLY);
	CHECK(fstatfs(fd, &st2) == 0 && st2.f_type == st.f_type);
	CHECK(statvfs("/proc", &v) == 0);
	CHECK(statfs("/proc", &st) == 0 && st.f_type == 0x9fa0);
	TRY(statfs("missing", &st));
	TRY(fstatfs(99, &st));
}

TEST(file, stat_fields)
{
	struct stat st, again;
	int fd = file_make("f", 10000);

	CHECK(fstat(fd, &st) == 0);
	CHECK(S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size == 10000 &&
	      st.st_uid == geteuid());
	CHECK(st.st_gid == getegid() && st.st_blksize == 4096 && st.st_blocks >= 16 &&
	      st.st_blocks <= 64);
	CHECK(st.st_mtim.tv_sec > 1700000000 && st.st_ino != 0);
	CHECK(stat("f", &again) == 0 && again.st_ino == st.st_ino && again.st_dev == st.st_dev);
	CHECK(link("f", "g") == 0 && symlink("f", "s") == 0);
	CHECK(stat("g", &again) == 0 && again.st_ino == st.st_ino && again.st_nlink == 2);
	CHECK(lstat("s", &again) == 0 && S_ISLNK(again.st_mode) && again.st_size == 1);
	say("symlink mode %o\n", again.st_mode);
	CHECK(stat("s", &again) == 0 && again.st_ino == st.st_ino);
	CHECK(fstatat(fd, "", &again, AT_EMPTY_PATH) == 0 && again.st_ino == st.st_ino);
	TRY(fstatat(AT_FDCWD, "", &again, 0));
	TRY(fstatat(AT_FDCWD, "f", &again, 0x40000000));
	TRY(fstatat(99, "f", &again, 0));
	TRY(fstat(99, &again));
	TRY(stat("missing", &again));
	TRY(stat("f/x", &again));
	struct statx sx;
	CHECK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0);
	CHECK((sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS && sx.stx_size == 10000);
	CHECK(sx.stx_ino == st.st_ino && sx.stx_nlink == 2);
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0x103);
	int fds[2];
	CHECK(pipe(fds) == 0 && fstat(fds[0], &st) == 0 && S_ISFIFO(st.st_mode));
}

TEST(file, writing_changes_times)
{
	struct timespec old[2] = { { 1000, 500 }, { 2000, 600 } };
	int fd = file_make("f", 10);
	struct stat st;
	char byte;

	CHECK(futimens(fd, old) == 0);
	CHECK(fstat(fd, &st) == 0);
	say("atime %ld.%09ld mtime %ld.%09ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec,
	    st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	CHECK(st.st_ctim.tv_sec > 1700000000);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK(fstat(fd, &st) == 0 && st.st_mtim.tv_sec == 2000);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK(fstat(fd, &st) == 0 && st.st_mtim.tv_sec > 1700000000);
	CHECK(utimensat(AT_FDCWD, ".", old, 0) == 0);
	CHECK(mkdir("d", 0755) == 0);
	CHECK(stat(".", &st) == 0 && st.st_mtim.tv_sec > 1700000000);
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 3000, 0 } },
			now[2] = { { 0, UTIME_NOW }, { 0, UTIME_OMIT } };
	struct timespec bad[2] = { { 0, 1000000000 }, { 0, 0 } };
	CHECK(futimens(fd, old) == 0 && futimens(fd, omit) == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 3000);
	CHECK(futimens(fd, now) == 0);
	CHECK(fstat(fd, &st) == 0 && st.st_atim.tv_sec > 1700000000 && st.st_mtim.tv_sec == 3000);
	TRY(futimens(fd, bad));
	TRY(utimensat(AT_FDCWD, "missing", NULL, 0));
	TRY(utimensat(AT_FDCWD, "f", NULL, 0x1000));
}

TEST(file, big_file_contents_survive)
{
	enum { BLOCKS = 200, BLOCK = 10007 };
	static uint8_t block[BLOCK], back[BLOCK];
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	for (int i = 0; i < BLOCKS; i++) {
		memset(block, i, BLOCK);
		CHECK_EQ(write(fd, block, BLOCK), BLOCK);
	}
	for (int i = BLOCKS - 1; i >= 0; i--) {
		memset(block, i, BLOCK);
		CHECK_EQ(pread(fd, back, BLOCK, (off_t)i * BLOCK), BLOCK);
		CHECK(memcmp(block, back, BLOCK) == 0);
	}
	CHECK_EQ(pread(fd, back, BLOCK, (off_t)BLOCKS * BLOCK - 100), 100);
	CHECK_EQ(pread(fd, back, BLOCK, (off_t)BLOCKS * BLOCK), 0);
}
