/*
 * pipe.c - pipes, splice and its kin, and locks of files beyond the everyday.
 *
 * Central rule: what was written once is read once, in order, whoever moves it how. Next: file_pipe.c and file_event.c, which have the basics.
 */
#include "check.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static char data[1 << 20];

static int ready(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

static int available(int fd)
{
	int n;

	return ioctl(fd, FIONREAD, &n) == 0 ? n : -1;
}

TEST(pipe, sizes)
{
	int p[2];

	CHECK(pipe2(p, O_NONBLOCK) == 0);
	TRY(fcntl(p[0], F_GETPIPE_SZ));
	TRY(fcntl(p[0], F_SETPIPE_SZ, 5000));
	TRY(fcntl(p[1], F_GETPIPE_SZ));
	TRY(write(p[1], data, 20000));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 4096));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 1 << 18));
	TRY(write(p[1], data, sizeof(data)));
	TRY(available(p[0]));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 1 << 17));
	TRY(read(p[0], data, 200000));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 0));
	TRY(fcntl(p[1], F_SETPIPE_SZ, -1));
	TRY(fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
	TRY(fcntl(0, F_SETPIPE_SZ, 4096));
	TRY(fcntl(0, F_GETPIPE_SZ));
	if (is_root()) {
		CHILD (0) {
			become_user();
			TRY(fcntl(p[1], F_SETPIPE_SZ, (1 << 20) + 1));
			TRY(fcntl(p[1], F_SETPIPE_SZ, 1 << 16));
		}
	}
	TRY_FD(pipe2(p, 0x10));
	TRY(syscall(SYS_pipe2, 8, 0));
}

TEST(pipe, packets_beyond_the_everyday)
{
	int p[2];

	CHECK(pipe2(p, O_DIRECT | O_NONBLOCK) == 0);
	TRY(write(p[1], data, 5000)); /* two packets */
	TRY(read(p[0], data, 10000));
	TRY(read(p[0], data, 10000));
	TRY(write(p[1], data, 0));
	TRY(read(p[0], data, 10));
	TRY(write(p[1], "abc", 3));
	TRY(write(p[1], "de", 2));
	TRY(available(p[0]));
	struct iovec v[2] = { { data, 1 }, { data + 100, 10 } };
	TRY(readv(p[0], v, 2));
	TRY(fcntl(p[1], F_SETFL, O_NONBLOCK)); /* a stream from now on */
	TRY(write(p[1], "fg", 2));
	TRY(write(p[1], "hi", 2));
	TRY(read(p[0], data, 10)); /* still a packet */
	TRY(read(p[0], data, 10));
	for (int i = 0; i < 17; i++)
		if (i >= 15)
			TRY(write(p[1], "x", 1));
	TRY(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
	int n = 0;
	while (write(p[1], "x", 1) == 1)
		n++;
	TRY(n);
}

TEST(pipe, ends_and_their_directions)
{
	int p[2];

	CHECK(pipe(p) == 0);
	TRY(write(p[0], "x", 1));
	TRY(read(p[1], data, 1));
	TRY(lseek(p[0], 0, SEEK_CUR));
	TRY(pread(p[0], data, 1, 0));
	TRY(ftruncate(p[1], 0));
	TRY(fsync(p[1]));
	TRY(fallocate(p[1], 0, 0, 10));
	TRY(posix_fadvise(p[0], 0, 0, POSIX_FADV_NORMAL));
	struct stat s;
	CHECK(fstat(p[0], &s) == 0);
	TRY(S_ISFIFO(s.st_mode));
	TRY(s.st_mode & 0777);
	TRY(read(p[0], data, 0));
	TRY(write(p[1], (void *)8, 4));
	CHECK(write(p[1], "abcd", 4) == 4);
	TRY(read(p[0], (void *)8, 4));
	TRY(read(p[0], data, 10));
	close(p[1]);
	TRY(read(p[0], data, 10));
	CHECK(pipe(p) == 0);
	signal(SIGPIPE, SIG_IGN);
	close(p[0]);
	TRY(write(p[1], "x", 1));
	TRY(write(p[1], "x", 0));
}

TEST(pipe, fifos_are_opened_in_pairs)
{
	CHECK(mkfifo("f", 0600) == 0);
	TRY_FD(open("f", O_WRONLY | O_NONBLOCK));
	int r = open("f", O_RDONLY | O_NONBLOCK);
	TRY(ready(r, POLLIN)); /* no writer yet: not hung up */
	TRY(read(r, data, 1));
	int w = open("f", O_WRONLY | O_NONBLOCK);
	TRY(read(r, data, 1));
	CHECK(write(w, "ab", 2) == 2);
	close(w);
	TRY(ready(r, POLLIN));
	TRY(read(r, data, 1));
	TRY(read(r, data, 1));
	TRY(read(r, data, 1));
	TRY(ready(r, POLLIN));
	w = open("f", O_RDWR);
	TRY(ready(r, POLLIN));
	TRY(write(w, "cd", 2));
	int r2 = open("f", O_RDONLY);
	TRY(read(r2, data, 10));
	struct stat s;
	CHECK(fstat(w, &s) == 0);
	TRY(S_ISFIFO(s.st_mode));
	TRY(s.st_size);
	close(r);
	close(r2);
	close(w);
	TRY_FD(open("f", O_RDONLY | O_NONBLOCK | O_TRUNC));
	TRY_FD(open("f", O_RDONLY | O_DIRECTORY));
	TRY(truncate("f", 0));
}

static int file_of(const char *text)
{
	int fd = open("file", O_CREAT | O_TRUNC | O_RDWR, 0600);

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

TEST(pipe, errors_of_splice)
{
	int p[2], q[2], fd = file_of("0123456789"), event = eventfd(1, 0);
	loff_t at = -1, zero = 0;

	CHECK(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0);
	TRY(splice(fd, NULL, fd, NULL, 1, 0));
	TRY(splice(p[0], &zero, q[1], NULL, 1, 0));
	TRY(splice(p[0], NULL, q[1], &zero, 1, 0));
	TRY(splice(p[0], NULL, p[1], NULL, 1, 0));
	TRY(splice(p[0], NULL, q[1], NULL, 1, 16));
	TRY(splice(p[0], NULL, q[1], NULL, 0, 0));
	TRY(splice(p[0], NULL, q[1], NULL, 1, 0));
	TRY(splice(p[1], NULL, q[1], NULL, 1, 0));
	TRY(splice(p[0], NULL, q[0], NULL, 1, 0));
	TRY(splice(99, NULL, q[1], NULL, 1, 0));
	TRY(splice(fd, &at, q[1], NULL, 1, 0));
	TRY(splice(fd, (void *)8, q[1], NULL, 1, 0));
	TRY(tee(p[0], p[1], 1, 0));
	TRY(tee(p[0], fd, 1, 0));
	TRY(tee(fd, p[1], 1, 0));
	TRY(tee(p[0], q[1], 1, 16));
	TRY(tee(p[0], q[1], 0, 0));
	TRY(tee(p[0], q[1], 1, 0));
	TRY(tee(p[1], q[1], 1, 0));
	struct iovec v = { data, 10 };
	TRY(vmsplice(fd, &v, 1, 0));
	TRY(vmsplice(p[1], &v, 1, 16));
	TRY(vmsplice(p[1], &v, 1025, 0));
	TRY(vmsplice(p[1], NULL, 0, 0));
	TRY(vmsplice(p[1], (void *)8, 1, 0));
	v.iov_base = (void *)8;
	TRY(vmsplice(p[1], &v, 1, 0));
	int append = open("file", O_WRONLY | O_APPEND);
	CHECK(write(p[1], "abc", 3) == 3);
	TRY(splice(p[0], NULL, append, NULL, 3, 0));
	int reader = open("file", O_RDONLY), writer = open("file", O_WRONLY);
	TRY(splice(p[0], NULL, reader, NULL, 3, 0));
	TRY(splice(writer, NULL, q[1], NULL, 3, 0));
	TRY(available(p[0]));
	(void)event;
}

TEST(pipe, data_moves_between_pipes_and_files)
{
	int p[2], q[2], fd = file_of("0123456789");
	char text[32] = "";
	loff_t at = 2, to = 20;

	CHECK(pipe2(p, O_NONBLOCK) == 0 && pipe2(q, O_NONBLOCK) == 0);
	TRY(splice(fd, &at, p[1], NULL, 5, 0));
	TRY(at);
	TRY(tee(p[0], q[1], 3, 0));
	TRY(read(q[0], text, 32));
	say("%.3s\n", text);
	TRY(splice(p[0], NULL, fd, &to, 100, 0));
	TRY(to);
	TRY(pread(fd, text, 32, 0));
	for (int i = 0; i < 25; i++)
		say("%c", text[i] ? text[i] : '.');
	say("\n");
	/* More than fits. */
	int big = file_make("big", 300000);
	CHECK(lseek(big, 0, SEEK_SET) == 0);
	TRY(splice(big, NULL, p[1], NULL, 300000, 0));
	TRY(splice(big, NULL, p[1], NULL, 300000, 0));
	TRY(lseek(big, 0, SEEK_CUR));
	TRY(splice(p[0], NULL, q[1], NULL, 300000, 0));
	TRY(splice(p[0], NULL, q[1], NULL, 1, 0));
	TRY(available(q[0]));
	int out = open("/dev/null", O_WRONLY);
	TRY(splice(q[0], NULL, out, NULL, 300000, 0));
	TRY(available(q[0]));
	/* vmsplice writes, and reads at the other end. */
	struct iovec v[2] = { { "hello ", 6 }, { "world", 5 } };
	TRY(vmsplice(p[1], v, 2, 0));
	struct iovec r = { text, 8 };
	TRY(vmsplice(p[0], &r, 1, 0));
	say("%.8s\n", text);
	TRY(read(p[0], text, 32));
	TRY(vmsplice(p[0], &r, 1, SPLICE_F_NONBLOCK));
	off_t offset = 0;
	TRY(sendfile(p[1], fd, &offset, 10));
	TRY(offset);
	TRY(available(p[0]));
	close(p[1]);
	TRY(splice(p[0], NULL, q[1], NULL, 100, 0));
	TRY(splice(p[0], NULL, q[1], NULL, 100, 0));
	TRY(tee(p[0], q[1], 100, 0));
}

/* --- locks --- */

static int lock(int fd, int command, short type, off_t start, off_t length)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length
	};

	return fcntl(fd, command, &l);
}

static void holder_of(int fd, int command, short type, off_t start, off_t length)
{
	struct flock l = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length
	};

	if (fcntl(fd, command, &l) < 0)
		say("%s\n", errno_name(errno));
	else if (l.l_type == F_UNLCK)
		say("free\n");
	else
		say("%s %ld+%ld, %s\n", l.l_type == F_RDLCK ? "read" : "write", (long)l.l_start,
		    (long)l.l_len,
		    l.l_pid == -1          ? "an open file"
		    : l.l_pid == getppid() ? "parent"
		    : l.l_pid == getpid()  ? "self"
					   : "somebody");
}

TEST(pipe, record_locks_split_and_merge)
{
	int fd = file_of("0123456789");

	TRY(lock(fd, F_SETLK, F_WRLCK, 0, 100));
	TRY(lock(fd, F_SETLK, F_RDLCK, 40, 20));
	TRY(lock(fd, F_SETLK, F_UNLCK, 50, 1));
	TRY(lock(fd, F_SETLK, F_WRLCK, 200, 0));
	holder_of(fd, F_GETLK, F_WRLCK, 0, 0); /* one's own are no hindrance */
	CHILD (0) {
		for (int at = 0; at < 120; at += 10)
			holder_of(fd, F_GETLK, F_WRLCK, at, 1);
		holder_of(fd, F_GETLK, F_WRLCK, 50, 1);
		holder_of(fd, F_GETLK, F_RDLCK, 40, 10);
		holder_of(fd, F_GETLK, F_RDLCK, 45, 0);
		holder_of(fd, F_GETLK, F_WRLCK, 1L << 40, 1);
		holder_of(fd, F_GETLK, F_UNLCK, 0, 1);
		TRY(lock(fd, F_SETLK, F_RDLCK, 42, 5));
		TRY(lock(fd, F_SETLK, F_WRLCK, 42, 5));
		TRY(lock(fd, F_SETLK, F_RDLCK, 0, 5));
		TRY(lock(fd, F_SETLK, F_WRLCK, 100, 100));
		TRY(lock(fd, F_SETLK, F_WRLCK, 100, 101));
	}
	int other = open("file", O_RDWR);
	close(other); /* any close takes them all away */
	CHILD (0) {
		holder_of(fd, F_GETLK, F_WRLCK, 0, 0);
	}
	TRY(lock(fd, F_SETLK, F_WRLCK, -1, 1));
	TRY(lock(fd, F_SETLK, F_WRLCK, 5, -5));
	TRY(lock(fd, F_SETLK, F_WRLCK, 5, -6));
	TRY(lock(fd, F_SETLK, 7, 0, 1));
	TRY(lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 1));
	TRY(lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 2));
	int reader = open("file", O_RDONLY), writer = open("file", O_WRONLY);
	TRY(lock(reader, F_SETLK, F_WRLCK, 0, 1));
	TRY(lock(writer, F_SETLK, F_RDLCK, 0, 1));
	TRY(lock(writer, F_OFD_SETLK, F_RDLCK, 0, 1));
	TRY(fcntl(fd, F_SETLK, (void *)8));
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -4, .l_len = 2 };
	TRY(fcntl(fd, F_SETLK, &l));
	CHILD (0) {
		holder_of(fd, F_GETLK, F_WRLCK, 0, 0);
	}
	l.l_whence = 7;
	TRY(fcntl(fd, F_SETLK, &l));
	l = (struct flock){ .l_type = F_WRLCK, .l_pid = 5 };
	TRY(fcntl(fd, F_OFD_SETLK, &l));
}

TEST(pipe, locks_of_open_files_and_processes_meet)
{
	int fd = file_of("0123456789"), other = open("file", O_RDWR), third = open("file", O_RDWR);

	TRY(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	TRY(lock(other, F_OFD_SETLK, F_WRLCK, 5, 10));
	TRY(lock(other, F_SETLK, F_WRLCK, 5,
		 10)); /* the process is somebody else than its open file */
	holder_of(other, F_OFD_GETLK, F_WRLCK, 0, 0);
	holder_of(other, F_GETLK, F_WRLCK, 0, 0);
	TRY(lock(other, F_SETLK, F_WRLCK, 20, 10));
	TRY(lock(third, F_OFD_SETLK, F_RDLCK, 25, 1));
	CHILD (0) { /* shares the open file, and so its lock */
		TRY(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 20));
		TRY(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 5));
		holder_of(other, F_GETLK, F_WRLCK, 0, 0);
	}
	TRY(lock(other, F_OFD_SETLK, F_WRLCK, 0, 5));
	TRY(flock(fd, LOCK_EX)); /* flock sees neither */
	TRY(flock(other, LOCK_EX | LOCK_NB));
	TRY(flock(other, LOCK_SH | LOCK_NB));
	TRY(flock(fd, LOCK_SH));
	TRY(flock(other, LOCK_SH | LOCK_NB));
	TRY(flock(fd, LOCK_EX | LOCK_NB)); /* has lost the shared one by trying */
	TRY(flock(third, LOCK_EX | LOCK_NB));
	TRY(flock(other, LOCK_UN));
	TRY(flock(third, LOCK_EX | LOCK_NB));
	TRY(flock(third, 16));
	TRY(flock(99, LOCK_EX));
	int path = open("file", O_PATH);
	TRY(flock(path, LOCK_EX));
	int directory = open(".", O_RDONLY);
	TRY(flock(directory, LOCK_EX));
	close(third);
	TRY(flock(fd, LOCK_EX | LOCK_NB));
}

TEST(pipe, a_circle_of_three_that_wait)
{
	int fd = file_of("0123456789");
	struct gate ready_gate = gate_make();
	pid_t child[2];

	/* Each holds its byte and waits for the next one's; the last of three would close the circle. */
	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
	for (int i = 0; i < 2; i++) {
		child[i] = child_fork();
		if (child[i] == 0) {
			CHECK(lock(fd, F_SETLK, F_WRLCK, i + 1, 1) == 0);
			gate_open(&ready_gate);
			_exit(lock(fd, F_SETLKW, F_WRLCK, i, 1) != 0);
		}
		gate_wait(&ready_gate);
	}
	usleep(50000);
	TRY(lock(fd, F_SETLKW, F_WRLCK, 2, 1));
	TRY(lock(fd, F_SETLK, F_UNLCK, 0, 0));
	child_expect(child[0], 0);
	child_expect(child[1], 0);
	TRY(fcntl(fd, F_GETLEASE));
}

/* --- inotify --- */

static void events(int fd)
{
	char b[4096];
	ssize_t n = read(fd, b, sizeof(b));

	for (char *at = b; n > 0 && at < b + n;
	     at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) {
		struct inotify_event *e = (struct inotify_event *)at;

		say("%d:%x%s %s;", e->wd, e->mask, e->cookie ? " cookie" : "",
		    e->len ? e->name : "");
	}
	say("\n");
}

static void watch_everything(const char *directory)
{
	int fd = inotify_init1(IN_NONBLOCK), f;

	CHECK(chdir(directory) == 0);
	TRY(inotify_add_watch(fd, ".", IN_ALL_EVENTS));
	f = open("a", O_CREAT | O_RDWR, 0600);
	events(fd);
	CHECK(write(f, "x", 1) == 1);
	events(fd);
	char c;
	CHECK(pread(f, &c, 1, 0) == 1);
	events(fd);
	close(f);
	events(fd);
	chmod("a", 0644);
	rename("a", "b");
	link("b", "c");
	symlink("b", "s");
	mkdir("d", 0700);
	events(fd);
	TRY(inotify_add_watch(fd, "b", IN_ALL_EVENTS));
	unlink("b");
	events(fd);
	truncate("c", 0);
	close(open("c", O_RDONLY));
	events(fd);
	unlink("c");
	events(fd);
	unlink("s");
	rmdir("d");
	mkfifo("p", 0600);
	unlink("p");
	events(fd);
	TRY(inotify_add_watch(fd, ".", IN_CREATE | IN_MASK_CREATE));
	TRY(inotify_add_watch(fd, ".", IN_CREATE | IN_ONESHOT));
	close(open("x", O_CREAT | O_RDWR, 0600));
	close(open("y", O_CREAT | O_RDWR, 0600));
	events(fd);
	unlink("x");
	unlink("y");
	TRY(inotify_add_watch(fd, ".", 0));
	TRY(inotify_add_watch(fd, "missing", IN_CREATE));
	TRY(inotify_add_watch(fd, "/dev/null", IN_CREATE | IN_ONLYDIR));
	TRY(inotify_add_watch(99, ".", IN_CREATE));
	TRY(inotify_add_watch(0, ".", IN_CREATE));
	TRY(inotify_rm_watch(fd, 99));
	close(fd);
}

TEST(pipe, inotify_on_tmpfs)
{
	char name[] = "/dev/shm/guest-XXXXXX";

	CHECK(mkdtemp(name));
	watch_everything(name);
	CHECK(chdir("/") == 0 && rmdir(name) == 0);
}

TEST(pipe, inotify_on_the_root)
{
	char name[] = "/usr/guest-XXXXXX";

	if (!is_root())
		return;
	CHECK(mkdtemp(name));
	watch_everything(name);
	CHECK(chdir("/") == 0 && rmdir(name) == 0);
	/* A file that was there before, below the writable layer on Coppice. */
	int fd = inotify_init1(IN_NONBLOCK);
	TRY(inotify_add_watch(fd, "/etc/passwd", IN_OPEN | IN_ACCESS | IN_CLOSE));
	int f = open("/etc/passwd", O_RDONLY);
	char c;
	CHECK(read(f, &c, 1) == 1);
	close(f);
	events(fd);
}
