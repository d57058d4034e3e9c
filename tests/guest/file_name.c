/*
 * file_name.c - directories, links, renaming, permissions.
 *
 * Central rule: as in file_io.c, calls are listed and Linux says what they give. Next: file_pipe.c.
 */
#include "check.h"

#include <dirent.h>
#include <sys/xattr.h>

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void say_directory(const char *path)
{
	char *names[512];
	int n = 0;
	DIR *dir = opendir(path);
	struct dirent *e;

	CHECK(dir != NULL);
	while ((e = readdir(dir)) && n < 512) {
		CHECK(e->d_type != DT_UNKNOWN);
		CHECK(asprintf(&names[n++], "%s%s", e->d_name,
			       e->d_type == DT_DIR   ? "/"
			       : e->d_type == DT_LNK ? "@"
						     : "") > 0);
	}
	closedir(dir);
	qsort(names, n, sizeof(*names), compare_names);
	say("%s:", path);
	for (int i = 0; i < n; i++)
		say(" %s", names[i]);
	say("\n");
}

TEST(file, directories)
{
	struct stat st;

	TRY(mkdir("d", 0777));
	CHECK(stat("d", &st) == 0);
	say("mode %o\n", st.st_mode);
	TRY(mkdir("d", 0777));
	TRY(mkdir("d/sub", 0700));
	TRY(mkdir("missing/sub", 0700));
	TRY(mkdir("slash/", 0700));
	TRY(mkdir("", 0700));
	TRY(mkdir(".", 0700));
	TRY(mkdir("/", 0700));
	file_write_text("d/f", "", 0644);
	TRY(mkdir("d/f/x", 0700));
	TRY(rmdir("d"));
	TRY(rmdir("d/f"));
	TRY(rmdir("missing"));
	TRY(rmdir("."));
	TRY(rmdir("d/."));
	TRY(rmdir("d/.."));
	TRY(rmdir("/"));
	TRY(unlink("d"));
	TRY(unlink("d/f/"));
	TRY(unlink("missing"));
	TRY(unlinkat(AT_FDCWD, "d/sub", 0));
	TRY(unlinkat(AT_FDCWD, "d/sub", AT_REMOVEDIR));
	TRY(unlinkat(AT_FDCWD, "d/f", AT_REMOVEDIR));
	TRY(unlinkat(AT_FDCWD, "d/f", 0x10000));
	say_directory("d");
	TRY(unlink("d/f"));
	TRY(rmdir("d/"));
	say_directory(".");
}

TEST(file, getdents)
{
	char name[32], buffer[1024];

	CHECK(mkdir("d", 0755) == 0 && mkdir("d/sub", 0755) == 0 && symlink("x", "d/link") == 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/file-%03d", i);
		file_write_text(name, "", 0644);
	}
	say_directory("d");
	int fd = open("d", O_RDONLY), count = 0, calls = 0;
	long n;
	while ((n = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < n; count++)
			at += *(unsigned short *)(buffer + at + 16);
		calls++;
	}
	CHECK_EQ(n, 0);
	say("%d entries in several calls: %s\n", count, calls > 5 ? "yes" : "no");
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
	TRY(syscall(SYS_getdents64, fd, buffer, 1));
	TRY(syscall(SYS_getdents64, 0, buffer, sizeof(buffer)));
	TRY(syscall(SYS_getdents64, 99, buffer, sizeof(buffer)));
	DIR *dir = opendir("d"); /* removing what was read loses no other entry */
	struct dirent *e;
	count = 0;
	while ((e = readdir(dir)))
		if (strncmp(e->d_name, "file", 4) == 0) {
			CHECK(unlinkat(dirfd(dir), e->d_name, 0) == 0);
			count++;
		}
	CHECK_EQ(count, 300);
	say_directory("d");
}

TEST(file, links)
{
	char target[16];
	struct stat st;

	file_write_text("f", "text", 0644);
	CHECK(mkdir("d", 0755) == 0);
	TRY(link("f", "g"));
	TRY(link("f", "g"));
	TRY(link("f", "d"));
	TRY(link("d", "e"));
	TRY(link("missing", "h"));
	TRY(link("f", "missing/h"));
	TRY(symlink("f", "s"));
	TRY(symlink("f", "s"));
	TRY(symlink("", "e"));
	TRY(symlink("anything at all", "t"));
	TRY(link("s", "s2"));
	CHECK(lstat("s2", &st) == 0 && S_ISLNK(st.st_mode) && st.st_nlink == 2);
	TRY(linkat(AT_FDCWD, "s", AT_FDCWD, "s3", AT_SYMLINK_FOLLOW));
	CHECK(lstat("s3", &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 3);
	TRY(readlink("s", target, sizeof(target)));
	TRY(readlink("t", target, 8));
	say("\"%.8s\"\n", target);
	TRY(readlink("f", target, sizeof(target)));
	TRY(readlink("d", target, sizeof(target)));
	TRY(readlink("missing", target, sizeof(target)));
	TRY(readlink("s", target, 0));
	TRY(readlink("s/", target, sizeof(target)));
	TRY(unlink("f"));
	CHECK(stat("g", &st) == 0);
	say("links %ld\n", (long)st.st_nlink);
	TRY(stat("s", &st));
	TRY(access("s", F_OK));
	TRY(faccessat(AT_FDCWD, "s", F_OK, AT_SYMLINK_NOFOLLOW));
}

TEST(file, chains_of_symbolic_links)
{
	char name[16], target[16];

	file_write_text("l0", "the end", 0644);
	for (int i = 1; i <= 42; i++) {
		sprintf(name, "l%d", i);
		sprintf(target, "l%d", i - 1);
		CHECK(symlink(target, name) == 0);
	}
	TRY(access("l1", R_OK));
	TRY(access("l40", R_OK));
	TRY(access("l41", R_OK));
	CHECK(mkdir("d", 0755) == 0 && symlink("../d", "d/up") == 0);
	TRY(access("d/up/up/up/up/up/up", R_OK));
	CHECK(symlink("a", "b") == 0 && symlink("b", "a") == 0);
	TRY(access("a", R_OK));
	TRY(access("a/x", R_OK));
	TRY(mkdir("a", 0755));
	TRY(unlink("a"));
}

static void rename_scene(void)
{
	CHECK(system("rm -rf * && mkdir dir empty full sub && echo 1 >f && echo 2 >g && echo 3 "
		     ">full/x && ln f hard && ln -s f s") == 0);
}

#define TRY_RENAME(from, to)           \
	do {                           \
		rename_scene();        \
		TRY(rename(from, to)); \
		say_directory(".");    \
	} while (0)

TEST(file, rename)
{
	TRY_RENAME("f", "new");
	TRY_RENAME("f", "g");
	TRY_RENAME("f", "f");
	TRY_RENAME("f", "hard");
	TRY_RENAME("s", "g");
	TRY_RENAME("f", "s");
	TRY_RENAME("f", "dir");
	TRY_RENAME("dir", "f");
	TRY_RENAME("dir", "empty");
	TRY_RENAME("dir", "full");
	TRY_RENAME("full", "empty");
	TRY_RENAME("full", "full/inside");
	TRY_RENAME("full", "full/x/inside");
	TRY_RENAME("full/x", "full");
	TRY_RENAME("dir", "new/");
	TRY_RENAME("f", "new/");
	TRY_RENAME("f/", "new");
	TRY_RENAME("missing", "new");
	TRY_RENAME("f", "missing/new");
	TRY_RENAME("f", "g/new");
	TRY_RENAME(".", "new");
	TRY_RENAME("dir", ".");
	TRY_RENAME("dir", "..");
	TRY_RENAME("f", "");
	TRY_RENAME("f", "/proc/new");
	TRY_RENAME("full", "dir/moved");
	say_directory("dir/moved");
}

TEST(file, a_renamed_directory_keeps_its_contents_and_its_parent)
{
	struct stat a, b;

	CHECK(mkdir("a", 0755) == 0 && mkdir("a/in", 0755) == 0 && mkdir("b", 0755) == 0);
	CHECK(chdir("a/in") == 0);
	CHECK(rename("../../a/in", "../../b/out") == 0);
	char cwd[4096];
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	say("%s\n", strstr(cwd, "/b/"));
	CHECK(stat("..", &a) == 0 && chdir("../../b") == 0 && stat(".", &b) == 0);
	CHECK(a.st_ino == b.st_ino);
}

TEST(file, renameat2)
{
	char text[16];

	rename_scene();
	TRY(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "f", AT_FDCWD, "new", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "new", AT_FDCWD, "g", RENAME_EXCHANGE));
	file_read_text("g", text, sizeof(text));
	say("g: %s", text);
	TRY(renameat2(AT_FDCWD, "g", AT_FDCWD, "full", RENAME_EXCHANGE));
	say_directory("g");
	TRY(renameat2(AT_FDCWD, "g", AT_FDCWD, "missing", RENAME_EXCHANGE));
	TRY(renameat2(AT_FDCWD, "g", AT_FDCWD, "x", RENAME_EXCHANGE | RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "g", AT_FDCWD, "x", 0x80));
	TRY(renameat2(99, "g", AT_FDCWD, "x", 0));
}

TEST(file, link_counts_of_directories)
{
	struct stat st;

	CHECK(mkdir("d", 0755) == 0 && mkdir("d/a", 0755) == 0 && mkdir("d/b", 0755) == 0 &&
	      mkdir("e", 0755) == 0);
	CHECK(stat("d", &st) == 0);
	say("%ld\n", (long)st.st_nlink);
	CHECK(rename("d/a", "e/a") == 0 && stat("d", &st) == 0);
	say("%ld\n", (long)st.st_nlink);
	CHECK(rmdir("d/b") == 0 && stat("d", &st) == 0);
	say("%ld\n", (long)st.st_nlink);
}

TEST(file, the_working_directory)
{
	char cwd[4096], small[4];

	CHECK(mkdir("d", 0755) == 0);
	int fd = open("d", O_RDONLY), file = file_make("f", 1);
	TRY(chdir("missing"));
	TRY(chdir("f"));
	TRY(chdir(""));
	TRY(fchdir(file));
	TRY(fchdir(99));
	TRY(fchdir(fd));
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	say("%s\n", strrchr(cwd, '/'));
	CHECK_EQ(raw_syscall(SYS_getcwd, (long)small, sizeof(small), 0, 0, 0, 0), -ERANGE);
	TRY(rmdir("../d"));
	CHECK(getcwd(cwd, sizeof(cwd)) == NULL);
	say("%s\n", errno_name(errno));
	TRY_FD(open("new", O_RDWR | O_CREAT, 0644));
	TRY_FD(open(".", O_RDONLY));
	TRY(mkdir("new", 0755));
	TRY(chdir(".."));
	TRY(access("f", F_OK));
}

TEST(file, openat_is_relative_to_its_descriptor)
{
	CHECK(mkdir("d", 0755) == 0 && mkdir("d/e", 0755) == 0);
	int d = open("d", O_RDONLY | O_DIRECTORY), p = open("d", O_PATH | O_DIRECTORY),
	    f = file_make("f", 1);
	TRY_FD(openat(d, "g", O_RDWR | O_CREAT, 0644));
	TRY_FD(openat(p, "g", O_RDONLY));
	TRY_FD(openat(f, "g", O_RDONLY));
	TRY_FD(openat(d, "../f", O_RDONLY));
	TRY_FD(openat(99, "/dev/null", O_RDONLY));
	TRY(mkdirat(d, "made", 0755));
	TRY(symlinkat("g", d, "s"));
	TRY(linkat(d, "g", AT_FDCWD, "linked", 0));
	TRY(renameat(d, "g", d, "h"));
	TRY(fchmodat(d, "h", 0600, 0));
	TRY(unlinkat(d, "made", AT_REMOVEDIR));
	TRY(mknodat(d, "fifo", S_IFIFO | 0644, 0));
	TRY(mknodat(d, "fifo", S_IFIFO | 0644, 0));
	TRY(mknodat(d, "file", S_IFREG | 0644, 0));
	TRY(mknodat(d, "dir", S_IFDIR | 0755, 0));
	TRY(rename("d", "moved"));
	TRY_FD(openat(d, "h", O_RDONLY));
	say_directory("moved");
}

/* --- permissions --- */

static void say_mode(const char *name)
{
	struct stat st;

	CHECK(lstat(name, &st) == 0);
	say("%s: %o %d:%d\n", name, st.st_mode, st.st_uid, st.st_gid);
}

TEST(file, modes_and_owners_as_root)
{
	if (!is_root())
		return;
	file_write_text("f", "", 0644);
	CHECK(symlink("f", "s") == 0 && mkdir("d", 0755) == 0);
	TRY(chmod("f", 06755));
	TRY(chown("f", 1000, -1));
	say_mode("f");
	TRY(chmod("f", 06755));
	TRY(lchown("s", 1, 2));
	say_mode("s");
	say_mode("f");
	TRY(chown("s", -1, 1000));
	say_mode("f");
	TRY(fchownat(AT_FDCWD, "s", 5, 6, AT_SYMLINK_NOFOLLOW));
	say_mode("s");
	TRY(chmod("missing", 0));
	TRY(chown("missing", 0, 0));
	TRY(fchmod(99, 0));
	TRY(chmod("f", 0));
	TRY_FD(open("f", O_RDWR)); /* root may */
	TRY(access("f", R_OK | W_OK));
	TRY(access("f", X_OK));
	TRY(chmod("d", 02775));
	TRY(chown("d", -1, 50));
	TRY(chmod("d", 02775));
	TRY(mkdir("d/sub", 0755));
	file_write_text("d/file", "", 0644);
	say_mode("d/sub"); /* both have the group of their directory */
	say_mode("d/file");
	TRY(access("f", 99));
}

TEST(file, permissions_as_a_user)
{
	if (!is_root())
		return;
	file_write_text("root-only", "x", 0600);
	file_write_text("readable", "x", 0644);
	file_write_text("group", "x", 0460);
	CHECK(chown("group", 0, 1000) == 0);
	file_write_text("owner", "x", 0066); /* what the owner may, others notwithstanding */
	CHECK(chown("owner", 1000, 0) == 0);
	CHECK(mkdir("closed", 0700) == 0 && mkdir("shut", 0711) == 0 && mkdir("open", 0777) == 0);
	CHECK(mkdir("sticky", 0755) == 0 && mkdir("listed", 0744) == 0);
	CHECK(chmod("open", 0777) == 0 && chmod("sticky", 01777) == 0);
	file_write_text("shut/f", "x", 0644);
	file_write_text("listed/f", "x", 0644);
	file_write_text("sticky/f", "x", 0666);
	file_write_text("open/f", "x", 0644);
	CHILD (0) {
		become_user();
		TRY_FD(open("root-only", O_RDONLY));
		TRY_FD(open("readable", O_RDONLY));
		TRY_FD(open("readable", O_RDWR));
		TRY_FD(open("readable", O_RDONLY | O_TRUNC));
		TRY_FD(open("group", O_RDWR));
		TRY_FD(open("owner", O_RDONLY));
		TRY(access("owner", R_OK));
		TRY(chmod("owner", 0600));
		TRY_FD(open("owner", O_RDWR));
		TRY_FD(open("closed/f", O_RDONLY));
		TRY_FD(open("closed", O_RDONLY));
		TRY_FD(open("shut/f", O_RDONLY));
		TRY_FD(open("shut", O_RDONLY));
		TRY_FD(open("listed", O_RDONLY));
		TRY_FD(open("listed/f", O_RDONLY));
		TRY_FD(open("new", O_RDWR | O_CREAT, 0644));
		TRY_FD(open("open/new", O_RDWR | O_CREAT, 0644));
		TRY(mkdir("new", 0755));
		TRY(unlink("readable"));
		TRY(unlink("open/f"));
		TRY(unlink("sticky/f"));
		TRY(rename("sticky/f", "sticky/g"));
		TRY_FD(open("sticky/mine", O_RDWR | O_CREAT, 0644));
		TRY(unlink("sticky/mine"));
		TRY(symlink("x", "shut/s"));
		TRY(chmod("readable", 0666));
		TRY(chown("readable", 1000, 1000));
		TRY(chown("owner", 0, -1));
		TRY(chown("owner", -1, 1000));
		TRY(chown("owner", -1, 0));
		TRY(truncate("readable", 0));
		TRY(utimensat(AT_FDCWD, "readable", NULL, 0));
		struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
		TRY(utimensat(AT_FDCWD, "group", NULL, 0));
		TRY(utimensat(AT_FDCWD, "group", times, 0));
		TRY(utimensat(AT_FDCWD, "owner", times, 0));
		TRY(rmdir("closed"));
		TRY(chdir("closed"));
		TRY(chdir("shut"));
		TRY(mknod("../open/null", S_IFCHR | 0666, 0x103));
		TRY(chroot("."));
	}
	say_mode("owner");
}

TEST(file, access_uses_the_real_uid)
{
	if (!is_root())
		return;
	file_write_text("f", "", 0600);
	CHILD (0) {
		CHECK(setresuid(1000, 0, 0) == 0);
		TRY(access("f", R_OK));
		TRY(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
		TRY_FD(open("f", O_RDONLY));
	}
}

TEST(file, umask_takes_bits_away)
{
	CHECK_EQ(umask(0077), 022);
	CHECK(mkdir("d", 0777) == 0);
	close(open("f", O_RDWR | O_CREAT, 0777));
	CHECK(mkfifo("p", 0777) == 0);
	CHECK_EQ(umask(01777), 0077);
	CHECK_EQ(umask(022), 0777);
	struct stat st;
	static const char *const names[] = { "d", "f", "p" };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		CHECK(stat(names[i], &st) == 0);
		say("%s %o\n", names[i], st.st_mode);
	}
}

TEST(file, extended_attributes_are_there_or_said_not_to_be)
{
	char value[16];

	file_write_text("f", "", 0644);
	CHECK_EQ(getxattr("f", "user.none", value, sizeof(value)), -1);
	CHECK(errno == ENODATA || errno == EOPNOTSUPP);
	CHECK_EQ(lgetxattr("f", "security.capability", value, sizeof(value)), -1);
	CHECK(errno == ENODATA || errno == EOPNOTSUPP);
	TRY(getxattr("missing", "user.none", value, sizeof(value)));
	CHECK(listxattr("f", NULL, 0) >= 0 || errno == EOPNOTSUPP);
}

TEST(file, many_names_come_and_go)
{
	char name[32];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 500; i++) {
			sprintf(name, "n%d", i);
			close(open(name, O_RDWR | O_CREAT | O_EXCL, 0644));
		}
		for (int i = 0; i < 500; i += 2) {
			sprintf(name, "n%d", i);
			CHECK(unlink(name) == 0);
		}
		for (int i = 0; i < 500; i++) {
			sprintf(name, "n%d", i);
			CHECK_EQ(access(name, F_OK), i % 2 ? 0 : -1);
		}
		for (int i = 1; i < 500; i += 2) {
			sprintf(name, "n%d", i);
			CHECK(unlink(name) == 0);
		}
	}
	say_directory(".");
}

TEST(file, a_deep_tree)
{
	enum { DEPTH = 200 };
	char cwd[4096];

	for (int i = 0; i < DEPTH; i++)
		CHECK(mkdir("deep", 0755) == 0 && chdir("deep") == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strlen(cwd) > DEPTH * 5);
	for (int i = 0; i < DEPTH; i++)
		CHECK(chdir("..") == 0 && rmdir("deep") == 0);
}
