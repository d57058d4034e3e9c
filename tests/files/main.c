/*
 * main.c - random streams of calls on files, made on the kernel's vfs (in this process) and on
 * Linux (in a directory that is this process's root), compared one by one.
 *
 * files STEPS SEED... a tmpfs; at its end nothing may be lost files --lower STEPS SEED... memory
 * over a directory, as the guest's root files --fail STEPS SEED... with allocations that fail:
 * nothing may be lost, results are not compared
 *
 * Each seed runs in a process of its own. Needs root, for chroot and other users' ids. A
 * difference prints the seed and the step that show it again.
 */
#define _GNU_SOURCE
#include "side.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_MIB 512
#define FILES 6
#define DATA_MAX 60000
#define ENTRIES_MAX 64
#define ENTRY_SIZE 64
#define PATH_SIZE 512
#define NOT_FAILING (~0ul)

static struct {
	bool lower, fail;
	unsigned long seed, step, steps;
} run;

static unsigned long random_state;
static char doing[4 * PATH_SIZE];
static int host_file[FILES]; /* -1: closed; then vfs_file is too */
static void *vfs_file[FILES];

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)((random_state >> 11) % n);
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(doing, sizeof(doing), format, args);
	va_end(args);
}

static void differ(const char *what, long host, long vfs)
{
	if (run.fail)
		return;
	printf("seed %lu step %lu: %s: %s: Linux %ld, vfs %ld\n", run.seed, run.step, doing, what,
	       host, vfs);
	fflush(stdout);
	_exit(1);
}

static void compare(const char *what, long host, long vfs)
{
	if (host != vfs)
		differ(what, host, vfs);
}

#define HOST(call)                                  \
	({                                          \
		long host_r = (call);               \
		host_r < 0 ? -(long)errno : host_r; \
	})
#define BOTH(host, vfs) compare("result", HOST(host), vfs)

/* --- paths --- */

static const char *const names[] = {
	"a",
	"b",
	"c",
	"d",
	"long-name-that-is-not-kept-inline-0123456789",
	"long-name-that-is-not-kept-inline-abcdefghij",
};

static const char *component(void)
{
	unsigned k = below(30);

	return k == 0 ? "." : k == 1 ? ".." : names[below(6)];
}

static const char *random_path(char *buf)
{
	unsigned depth = 1 + below(3);
	int n = 0;

	if (below(200) == 0) {
		buf[0] = '\0';
		return buf;
	}
	if (below(4) == 0)
		buf[n++] = '/';
	for (unsigned i = 0; i < depth; i++)
		n += sprintf(buf + n, "%s%s", i == 0 ? "" : below(15) ? "/" : "//", component());
	if (below(12) == 0)
		sprintf(buf + n, "/");
	return buf;
}

/* --- attributes and directories --- */

static void compare_attributes(const struct stat *host, const struct side_attributes *vfs)
{
	compare("mode", host->st_mode, vfs->mode);
	compare("uid", host->st_uid, vfs->uid);
	compare("gid", host->st_gid, vfs->gid);
	compare("link count", (long)host->st_nlink, vfs->nlink);
	if (!S_ISDIR(host->st_mode))
		compare("size", host->st_size, (long)vfs->size);
}

struct listing {
	unsigned n;
	bool stop_sometimes;
	char entry[ENTRIES_MAX][ENTRY_SIZE];
};

static void listing_add(struct listing *l, const char *name, int len, unsigned type)
{
	if (l->n < ENTRIES_MAX)
		snprintf(l->entry[l->n++], ENTRY_SIZE, "%.*s %u", len, name, type);
}

static int vfs_entry(void *arg, const char *name, unsigned long len, unsigned long ino,
		     unsigned type, unsigned long next)
{
	struct listing *l = arg;

	(void)ino, (void)next;
	if (l->stop_sometimes && below(20) == 0)
		return 1;
	listing_add(l, name, (int)len, type);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static long host_list(int fd, struct listing *l)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	while ((e = readdir(d)))
		listing_add(l, e->d_name, (int)strlen(e->d_name), e->d_type);
	closedir(d);
	return l->n ? 0 : -ENOENT; /* not even "." and "..": removed */
}

static long vfs_list(void *file, struct listing *l)
{
	long result = 0;

	l->stop_sometimes = true;
	for (unsigned i = 0; i < 20 && !result; i++)
		result = vfs_side_readdir(file, vfs_entry, l);
	l->stop_sometimes = false;
	return result ? result : vfs_side_readdir(file, vfs_entry, l);
}

static void step_readdir(const char *path)
{
	static struct listing host, vfs;
	void *file;
	long fd = HOST(open(path, O_RDONLY | O_DIRECTORY)),
	     opened = vfs_side_open(path, O_RDONLY | O_DIRECTORY, 0, &file), a = 0, b = 0;

	note("readdir %s", path);
	host.n = vfs.n = 0;
	if (fd >= 0)
		a = host_list((int)fd, &host);
	if (opened == 0) {
		b = vfs_list(file, &vfs);
		vfs_side_close(file);
	}
	compare("open", fd < 0 ? fd : 0, opened);
	compare("result", a, b);
	compare("number of entries", host.n, vfs.n);
	qsort(host.entry, host.n, ENTRY_SIZE, by_text);
	qsort(vfs.entry, vfs.n, ENTRY_SIZE, by_text);
	for (unsigned i = 0; i < host.n && !run.fail; i++)
		if (strcmp(host.entry[i], vfs.entry[i]))
			differ(host.entry[i], i, i);
}

static void step_stat(const char *path)
{
	int follow = (int)below(2);
	struct side_attributes a;
	struct stat s;
	long host = HOST(fstatat(AT_FDCWD, path, &s, follow ? 0 : AT_SYMLINK_NOFOLLOW)),
	     vfs = vfs_side_stat(path, follow, &a);

	note("stat %s, follow %d", path, follow);
	compare("result", host, vfs);
	if (host == 0 && vfs == 0)
		compare_attributes(&s, &a);
}

static void step_readlink(const char *path)
{
	char a[PATH_SIZE], b[PATH_SIZE];
	long host = HOST(readlink(path, a, sizeof(a))), vfs = vfs_side_readlink(path, b, sizeof(b));

	note("readlink %s", path);
	compare("result", host, vfs);
	if (host > 0 && host == vfs && memcmp(a, b, (size_t)host))
		differ("text", host, vfs);
}

static void step_where(const char *path)
{
	char a[PATH_SIZE * 8], b[PATH_SIZE * 8];
	long host, vfs;

	note("chdir %s", path);
	if (below(2))
		BOTH(chdir(path), vfs_side_chdir(path));
	host = HOST(syscall(SYS_getcwd, a, sizeof(a)));
	vfs = vfs_side_getcwd(b, sizeof(b));
	compare("getcwd", host, vfs);
	if (host > 0 && vfs > 0 && strcmp(a, b))
		differ("text of getcwd", host, vfs);
	if (below(3) == 0 || run.fail)
		BOTH(chdir("/"), vfs_side_chdir("/"));
}

/* --- names --- */

static void step_rename(const char *old, const char *new)
{
	static const unsigned flags[] = { 0, 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE };
	unsigned f = flags[below(6)];

	note("rename %s %s, flags %u", old, new, f);
	BOTH(syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, f), vfs_side_rename(old, new, f));
}

static void step_name(const char *path, const char *other)
{
	unsigned mode;

	switch (below(9)) {
	case 0:
	case 1:
		mode = below(2) ? 0755 : 01777;
		note("mkdir %s %o", path, mode);
		BOTH(mkdir(path, mode), vfs_side_mkdir(path, mode));
		break;
	case 2:
		note("rmdir %s", path);
		BOTH(rmdir(path), vfs_side_rmdir(path));
		break;
	case 3:
		note("unlink %s", path);
		BOTH(unlink(path), vfs_side_unlink(path));
		break;
	case 4:
		if (!other[0])
			break; /* fails before it comes to the vfs */
		note("symlink %s %s", other, path);
		BOTH(symlink(other, path), vfs_side_symlink(other, path));
		break;
	case 5:
		mode = below(2);
		note("link %s %s, follow %u", path, other, mode);
		BOTH(linkat(AT_FDCWD, path, AT_FDCWD, other, mode ? AT_SYMLINK_FOLLOW : 0),
		     vfs_side_link(path, other, (int)mode));
		break;
	default:
		step_rename(path, other);
		break;
	}
}

/* --- attributes --- */

static void step_change(const char *path, unsigned uid)
{
	unsigned n;

	switch (below(4)) {
	case 0:
		n = (below(3) ? below(01000) : below(010000)) | (below(2) ? 0755 : 0);
		note("chmod %s %o", path, n);
		BOTH(chmod(path, n), vfs_side_chmod(path, n));
		break;
	case 1:
		n = below(3) * 500;
		note("lchown %s %u", path, n);
		BOTH(lchown(path, n + 500, n), vfs_side_lchown(path, n + 500, n));
		break;
	case 2:
		n = below(3) ? below(40000) : below(200);
		note("truncate %s %u", path, n);
		BOTH(truncate(path, n), vfs_side_truncate(path, n));
		break;
	default:
		if (uid)
			break; /* access asks for the real user */
		n = below(8);
		note("access %s %u", path, n);
		BOTH(access(path, (int)n), vfs_side_access(path, n));
		break;
	}
}

/* --- open files --- */

static void file_close(unsigned i)
{
	if (host_file[i] < 0)
		return;
	close(host_file[i]);
	vfs_side_close(vfs_file[i]);
	host_file[i] = -1;
}

static void step_open(const char *path, unsigned i)
{
	static const unsigned kinds[] = {
		0,
		O_CREAT,
		O_CREAT,
		O_CREAT | O_EXCL,
		O_CREAT | O_TRUNC,
		O_TRUNC,
		O_DIRECTORY,
		O_NOFOLLOW,
		O_CREAT | O_NOFOLLOW,
		O_PATH,
		O_PATH | O_NOFOLLOW,
		O_CREAT | O_APPEND,
		O_TMPFILE,
		O_DIRECTORY | O_NOFOLLOW,
		O_CREAT | O_DIRECTORY,
		O_CREAT | O_EXCL | O_NOFOLLOW,
	};
	unsigned flags = kinds[below(sizeof(kinds) / sizeof(kinds[0]))] |
			 (below(40) ? below(3) : O_ACCMODE);
	long host, vfs;

	file_close(i);
	note("open %s %#o", path, flags);
	host = HOST(open(path, (int)flags, 0644));
	vfs = vfs_side_open(path, flags, 0644, &vfs_file[i]);
	compare("result", host < 0 ? host : 0, vfs);
	if (host >= 0 && vfs == 0)
		host_file[i] = (int)host;
	else if (host >= 0)
		close((int)host);
	else if (vfs == 0)
		vfs_side_close(vfs_file[i]);
}

static void step_read(unsigned i)
{
	static char a[DATA_MAX], b[DATA_MAX];
	unsigned offset = below(DATA_MAX), n = below(DATA_MAX);

	note("pread file %u, %u bytes at %u", i, n, offset);
	memset(a, 1, sizeof(a));
	memset(b, 1, sizeof(b));
	BOTH(pread(host_file[i], a, n, offset), vfs_side_pread(vfs_file[i], b, n, offset));
	if (memcmp(a, b, sizeof(a)))
		differ("bytes", 0, 0);
}

static void step_write(unsigned i)
{
	static char data[DATA_MAX];
	unsigned offset = below(3) ? below(20000) : below(DATA_MAX),
		 n = below(3) ? below(5000) : below(30000);

	for (unsigned b = 0; b < n; b++)
		data[b] = (char)below(256);
	note("pwrite file %u, %u bytes at %u", i, n, offset);
	BOTH(pwrite(host_file[i], data, n, offset), vfs_side_pwrite(vfs_file[i], data, n, offset));
}

static void step_fallocate(unsigned i)
{
	static const int modes[] = { FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_KEEP_SIZE, 0 };
	int mode = modes[below(3)];
	unsigned offset = below(40000), n = 1 + below(30000);
	struct stat s;

	if (fstat(host_file[i], &s) || !S_ISREG(s.st_mode) || fcntl(host_file[i], F_GETFL) & O_PATH)
		return;
	note("fallocate file %u, mode %d, %u bytes at %u", i, mode, n, offset);
	BOTH(fallocate(host_file[i], mode, offset, n),
	     vfs_side_fallocate(vfs_file[i], mode, offset, n));
}

static void step_fstat(unsigned i)
{
	struct side_attributes a;
	struct stat s;

	note("fstat file %u", i);
	fstat(host_file[i], &s);
	vfs_side_fstat(vfs_file[i], &a);
	compare_attributes(&s, &a);
}

static void step_file(unsigned i)
{
	if (host_file[i] < 0)
		return;
	switch (below(6)) {
	case 0:
	case 1:
		step_write(i);
		break;
	case 2:
	case 3:
		step_read(i);
		break;
	case 4:
		step_fstat(i);
		break;
	default:
		step_fallocate(i);
		break;
	}
}

/* --- a stream --- */

static void become(unsigned uid)
{
	if (uid) {
		setfsgid(uid);
		setfsuid(uid);
	} else {
		setfsuid(0);
		setfsgid(0);
	}
	vfs_set_ids(uid, uid);
}

static void step(void)
{
	char a[PATH_SIZE], b[PATH_SIZE];
	const char *path = random_path(a), *other = random_path(b);
	unsigned uid = below(6) ? 0 : 1000 + below(2);

	if (uid)
		become(uid);
	if (run.fail)
		alloc_fail_after(below(3) ? below(6) : NOT_FAILING);
	switch (below(13)) {
	case 0:
	case 1:
	case 2:
	case 3:
		step_name(path, other);
		break;
	case 4:
	case 5:
		step_open(path, below(FILES));
		break;
	case 6:
	case 7:
		step_file(below(FILES));
		break;
	case 8:
		step_change(path, uid);
		break;
	case 9:
		step_stat(path);
		break;
	case 10:
		step_readdir(path);
		break;
	case 11:
		step_where(path);
		break;
	default:
		if (below(4))
			step_readlink(path);
		else
			vfs_side_shrink(below(100));
		break;
	}
	alloc_fail_after(NOT_FAILING);
	if (uid)
		become(0);
}

/*
 * What is there at the start of a run over a lower tree, there and in the directory of Linux's
 * side.
 */
#define TREE                                                                                       \
	"mkdir -p a/b/c a/c b/a d; echo hello >a/a; seq 20000 >b/c; ln -s a c; ln b/c b/d; ln -s " \
	"../a d/a; ln -s nowhere a/d;"                                                             \
	"echo x >a/b/d; seq 3000 >d/b"

static void shell(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command)) {
		printf("failed: %s\n", command);
		exit(1);
	}
}

static void stream(unsigned long seed, const char *scratch)
{
	char lower[PATH_SIZE];
	const char *lost;

	run.seed = seed;
	random_state = seed * 0x9e3779b97f4a7c15ul + 1;
	snprintf(lower, sizeof(lower), "%s/lower", scratch);
	shell("mkdir %s/lower %s/root", scratch, scratch);
	if (run.lower)
		shell("cd %s/lower && { %s; } && cp -a . ../root", scratch, TREE);
	umask(022); /* as a new fs_context has it */
	hosted_start(MEMORY_MIB);
	vfs_start(run.lower ? lower : NULL);
	if (chdir(scratch) || chroot("root") || chdir("/"))
		exit(1);
	for (unsigned i = 0; i < FILES; i++)
		host_file[i] = -1;
	for (run.step = 0; run.step < run.steps; run.step++)
		step();
	for (unsigned i = 0; i < FILES; i++)
		file_close(i);
	lost = vfs_finish();
	if (lost) {
		printf("seed %lu: lost at the end: %s\n", seed, lost);
		exit(1);
	}
	exit(0);
}

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s, (void)type, (void)f;
	return remove(path);
}

/* One seed in a child: true if it went through. */
static bool run_seed(unsigned long seed)
{
	char scratch[] = "/tmp/coppice-files-XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(scratch))
		return false;
	chmod(scratch, 0755);
	pid = fork();
	if (pid == 0)
		stream(seed, scratch);
	waitpid(pid, &status, 0);
	nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (WIFSIGNALED(status))
		printf("seed %lu: %s\n", seed, strsignal(WTERMSIG(status)));
	return status == 0;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;
	int arg = 1;

	setvbuf(stdout, NULL, _IONBF, 0);
	for (; arg < argc && argv[arg][0] == '-'; arg++) {
		run.lower |= strcmp(argv[arg], "--lower") == 0;
		run.fail |= strcmp(argv[arg], "--fail") == 0;
	}
	if (argc - arg < 2) {
		fprintf(stderr, "usage: files [--lower] [--fail] STEPS SEED...\n");
		return 2;
	}
	if (geteuid()) {
		printf("files: needs root; 0 passed, 0 failed\n");
		return 0;
	}
	run.steps = strtoul(argv[arg++], NULL, 0);
	for (; arg < argc; arg++)
		if (run_seed(strtoul(argv[arg], NULL, 0)))
			passed++;
		else
			failed++;
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
